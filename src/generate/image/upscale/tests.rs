//! The upscalers that come with the studio, on a picture with what photographs have: slopes, edges, grain, fine lines.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::{catalogue, kernels::testing::Numbers};

fn picture(width: u32, height: u32) -> Picture {
    let mut grain = Numbers::new(11);
    let grain = grain.vector((width * height) as usize);
    let pixel = |at: u32| {
        let (x, y) = ((at % width) as f32, (at / width) as f32);
        let slope = 90.0 + 60.0 * (x / 31.0).sin() + 40.0 * (y / 23.0).cos();
        let edge = if (x - 60.0).hypot(y - 30.0) < 22.0 { 70.0 } else { 0.0 };
        let lines = if (x + 2.0 * y) as u32 % 9 < 2 { -45.0 } else { 0.0 };
        [0.9, 1.0, 0.7].map(|tint| (tint * (slope + edge + lines) + 6.0 * grain[at as usize]).clamp(0.0, 255.0) as u8)
    };
    Picture { width, height, rgb: (0..width * height).flat_map(pixel).collect() }
}

fn open(name: &str, threads: usize) -> Upscaler {
    let model = catalogue::usable(name).expect("bundled");
    assert_eq!((model.kind, model.licence.as_str()), ("upscale", "BSD-3-Clause"));
    Upscaler::open(name, &model.path, threads).expect("opens")
}

fn enlarge(upscaler: &Upscaler, picture: &Picture, tile: Option<u32>) -> Picture {
    let go = AtomicBool::new(false);
    upscaler.enlarge(picture, tile, &go, &mut |_| {}).expect("enlarges").expect("not stopped")
}

#[test]
fn tiles_leave_no_seams_and_threads_change_nothing() {
    // Long and low: two tiles do not see all of it even with their surroundings.
    let small = picture(180, 24);
    for (name, scale) in [("realesrgan-x4plus", 4), ("realesr-video-x4", 4), ("realesr-video-x2", 2)] {
        let upscaler = open(name, 2);
        let whole = enlarge(&upscaler, &small, Some(180));
        assert_eq!((whole.width, whole.height), (180 * scale, 24 * scale));
        let tiled = enlarge(&upscaler, &small, Some(90));
        let worst = whole.rgb.iter().zip(&tiled.rgb).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(1), "{name}: {worst:?}");
        // Enlarged pictures look like their originals: each pixel near the mean of those it became.
        let side = (scale * scale) as usize;
        for channel in 0..3 {
            let mean = |x: u32, y: u32| {
                let at = |i: usize| {
                    let (dx, dy) = (i as u32 % scale, i as u32 / scale);
                    (((y * scale + dy) * whole.width + x * scale + dx) * 3) as usize + channel
                };
                (0..side).map(|i| f64::from(whole.rgb[at(i)])).sum::<f64>() / side as f64
            };
            let off = |at: u32| {
                let (x, y) = (at % small.width, at / small.width);
                (mean(x, y) - f64::from(small.rgb[at as usize * 3 + channel])).abs()
            };
            let count = small.width * small.height;
            let error = (0..count).map(off).sum::<f64>() / f64::from(count);
            assert!(error < 12.0, "{name}: {error}");
        }
        if name != "realesrgan-x4plus" {
            assert!(enlarge(&open(name, 1), &small, Some(90)) == tiled, "{name}");
        }
    }
}

#[test]
fn enlarging_can_be_stopped_and_senseless_pictures_are_refused() {
    let upscaler = open("realesr-video-x2", 1);
    let small = picture(40, 30);
    let stop = AtomicBool::new(false);
    let mut told = 0.0;
    let stopped = upscaler.enlarge(&small, Some(16), &stop, &mut |done| {
        told = done;
        stop.store(done > 0.3, Ordering::Relaxed);
    });
    assert!(stopped.expect("no error").is_none() && told > 0.3 && told < 1.0, "{told}");
    let go = AtomicBool::new(false);
    let refused = |picture: &Picture| upscaler.enlarge(picture, None, &go, &mut |_| {}).expect_err("refused");
    assert!(refused(&Picture { width: 0, height: 3, rgb: Vec::new() }).to_string().contains("empty"));
    assert!(refused(&Picture { width: 3, height: 3, rgb: vec![0; 8] }).to_string().contains("empty"));
    let huge = Picture { width: 60_000, height: 2_000, rgb: vec![0; 360_000_000] };
    assert!(refused(&huge).to_string().contains("smaller"));
}
