use candle_core::Device;

use super::*;
use crate::{
    kernels::wavenet::{BLOCK, Choice, Last, draw},
    random::Rng,
};

fn config(dilations: &[usize]) -> WaveNetConfig {
    WaveNetConfig {
        sample_rate_hz: 16_000,
        dilations: dilations.to_vec(),
        frame_samples: 16,
        pre_emphasis: 0.85,
        instruments: vec![Instrument::new("horn", "号"); 3],
        lowest_key: 48,
        keys: 5,
        harmonics: Harmonics::First(2),
        onset_decays_s: vec![0.01, 0.2],
        release_decays_s: vec![0.05],
        mixtures: 0,
    }
}

/// A state dict of random numbers for `config`, with 16 channels and 24 skip channels.
fn state(config: &WaveNetConfig) -> HashMap<String, Tensor> {
    let (c, s, slow) = (16, 24, 7);
    let mut seed = 7_u32;
    let mut tensor = |shape: &[usize], scale: f32| {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((seed >> 8) as f32 / (1 << 24) as f32 - 0.5) * scale
            })
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor")
    };
    let mut state = HashMap::new();
    let mut put = |name: &str, shape: &[usize], scale: f32| {
        state.insert(name.to_owned(), tensor(shape, scale));
    };
    if config.mixtures == 0 {
        put("embedding.weight", &[256, c], 2.0);
    } else {
        put("input.weight", &[c], 2.0);
        put("input.bias", &[c], 1.0);
    }
    put("condition.0.weight", &[9, config.features()], 1.0);
    put("condition.0.bias", &[9], 0.3);
    put("condition.2.weight", &[slow, 9], 1.0);
    put("condition.2.bias", &[slow], 0.3);
    for layer in 0..config.dilations.len() {
        put(&format!("layers.{layer}.tap.weight"), &[2 * c, c, 2], 0.6);
        put(&format!("layers.{layer}.tap.bias"), &[2 * c], 0.2);
        put(&format!("layers.{layer}.condition.weight"), &[2 * c, slow + config.fast()], 0.8);
        put(&format!("layers.{layer}.mix.weight"), &[c, c], 0.6);
        put(&format!("layers.{layer}.mix.bias"), &[c], 0.2);
        put(&format!("layers.{layer}.skip.weight"), &[s, c], 0.6);
        put(&format!("layers.{layer}.skip.bias"), &[s], 0.2);
    }
    put("head.0.weight", &[s, s, 1], 0.6);
    put("head.0.bias", &[s], 0.2);
    put("head.2.weight", &[config.outputs(), s, 1], 1.0);
    put("head.2.bias", &[config.outputs()], 0.2);
    state
}

#[test]
fn one_sample_at_a_time_agrees_with_all_at_once() {
    for mixtures in [0, 3] {
        let config = WaveNetConfig { mixtures, ..config(&[1, 2, 4, 8, 16, 1, 2, 4, 8, 16]) };
        let net = WaveNet::new(config.clone(), &state(&config)).expect("a network");
        let generator = net.generator(Precision::Full, Level::current()).expect("a generator");
        let (tone, released) = (Tone { instrument: 1, key: 50, velocity: 90 }, Some(7));
        let time = 20 * config.frame_samples;
        let mut voice = generator.voice();
        // Any sequence of classes will do, and of values too.
        let mut classes = vec![mu_law::SILENCE];
        (0..time).for_each(|t| classes.push((classes[t] * 31 + 17 * t) % mu_law::CLASSES));
        let value = |class: usize| class as f32 / 127.5 - 1.0;
        let (mut outputs, mut conditions) = (Vec::new(), Vec::new()); // (T, outputs), (T, slow + fast)
        for block in (0..time).step_by(BLOCK) {
            let frame = block / config.frame_samples;
            let slow = net.condition().slow(tone, frame, released);
            if block % config.frame_samples == 0 {
                generator.set_frame(&mut voice, &slow);
            }
            let mut fast = Vec::new();
            for t in block..block + BLOCK {
                conditions.extend_from_slice(&slow);
                let before = fast.len();
                net.condition().fast(tone, t, &mut fast);
                conditions.extend_from_slice(&fast[before..]);
            }
            generator.begin_block(&mut voice, &fast);
            for class in &classes[block..block + BLOCK] {
                let last = if mixtures == 0 { Last::Class(*class) } else { Last::Value(value(*class)) };
                generator.step(&mut [&mut voice], &[last]);
                outputs.extend_from_slice(&voice.outputs()[..config.outputs()]);
            }
        }
        let before = if mixtures == 0 {
            Tensor::from_vec(classes[..time].iter().map(|class| *class as u32).collect(), (1, time), &Device::Cpu)
        } else {
            Tensor::from_vec(classes[..time].iter().map(|class| value(*class)).collect(), (1, time), &Device::Cpu)
        };
        let width = conditions.len() / time;
        let condition = Tensor::from_vec(conditions, (1, time, width), &Device::Cpu)
            .and_then(|c| c.transpose(1, 2)?.contiguous())
            .expect("a condition");
        let want = net.forward(&before.expect("samples"), &condition);
        let want = want.and_then(|y| y.squeeze(0)?.t()?.flatten_all()?.to_vec1::<f32>()).expect("outputs");
        assert_eq!(outputs.len(), want.len());
        let far = outputs.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-4, "{mixtures} mixtures: {far}");
    }
}

/// 48,000 samples, each drawn from the cached network and fed back; then all of them again from the parallel form, which sees
/// them in parts with the whole past that a sample depends on.
#[test]
fn what_is_drawn_one_by_one_is_what_all_at_once_would_have_drawn() {
    const COUNT: usize = 48_000;
    const PART: usize = 6_000;
    let config = config(&[1, 2, 4, 8, 16, 32, 1, 2, 4, 8, 16, 32]);
    let (level, choice) = (Level::current(), Choice { temperature: 0.9, ..Choice::default() });
    let net = WaveNet::new(config.clone(), &state(&config)).expect("a network");
    let generator = net.generator(Precision::Full, level).expect("a generator");
    let (tone, released) = (Tone { instrument: 2, key: 51, velocity: 70 }, Some(COUNT / config.frame_samples / 2));
    let conditions = |from: usize, count: usize| -> (Vec<f32>, Vec<f32>) {
        let (mut slow, mut fast) = (Vec::new(), Vec::new());
        for t in from..from + count {
            if t % config.frame_samples == 0 || slow.is_empty() {
                slow = net.condition().slow(tone, t / config.frame_samples, released);
            }
            net.condition().fast(tone, t, &mut fast);
        }
        (slow, fast)
    };
    let (mut voice, mut random) = (generator.voice(), Rng::at(12, 0));
    let (mut drawn, mut uniforms, mut logits) = (vec![mu_law::SILENCE], Vec::new(), Vec::new());
    for block in (0..COUNT).step_by(BLOCK) {
        let (slow, fast) = conditions(block, BLOCK);
        if block % config.frame_samples == 0 {
            generator.set_frame(&mut voice, &slow);
        }
        generator.begin_block(&mut voice, &fast);
        for t in block..block + BLOCK {
            generator.step(&mut [&mut voice], &[Last::Class(drawn[t])]);
            uniforms.push(random.uniform());
            logits.extend_from_slice(&voice.outputs()[..config.outputs()]);
            drawn.push(draw(level, &mut voice.outputs()[..config.outputs()].to_vec(), choice, uniforms[t]));
        }
    }
    // Each layer looks back by its dilation.
    let past = config.dilations.iter().sum::<usize>().next_multiple_of(config.frame_samples);
    let (mut far, mut others) = (0.0_f32, 0);
    for part in (0..COUNT).step_by(PART) {
        let from = part.saturating_sub(past);
        let time = part + PART - from;
        let mut rows = Vec::new(); // (T, slow + fast)
        for t in from..part + PART {
            let (slow, fast) = conditions(t, 1);
            rows.extend(slow.into_iter().chain(fast));
        }
        let condition = Tensor::from_vec(rows.clone(), (1, time, rows.len() / time), &Device::Cpu)
            .and_then(|c| c.transpose(1, 2)?.contiguous())
            .expect("a condition");
        let before: Vec<u32> = drawn[from..from + time].iter().map(|class| *class as u32).collect();
        let outputs = net
            .forward(&Tensor::from_vec(before, (1, time), &Device::Cpu).expect("samples"), &condition)
            .and_then(|y| y.squeeze(0)?.t()?.flatten_all()?.to_vec1::<f32>())
            .expect("outputs");
        for t in part..part + PART {
            let mut at_once = outputs[(t - from) * config.outputs()..][..config.outputs()].to_vec();
            let one_by_one = &logits[t * config.outputs()..][..config.outputs()];
            far = at_once.iter().zip(one_by_one).fold(far, |far, (a, b)| far.max((a - b).abs()));
            others += usize::from(draw(level, &mut at_once, choice, uniforms[t]) != drawn[t + 1]);
        }
    }
    assert!(far < 1e-4, "{far}");
    assert_eq!(others, 0, "of {COUNT}; logits differ by {far}");
}

#[test]
fn the_condition_tells_onset_and_release() {
    let config = config(&[1]);
    let net = WaveNet::new(config.clone(), &state(&config)).expect("a network");
    let slow = |tone, frame, released| net.condition().slow(tone, frame, released);
    let tone = Tone { instrument: 0, key: 48, velocity: 64 };
    assert_eq!(slow(tone, 3, None), slow(tone, 3, Some(4)), "not released yet");
    assert_ne!(slow(tone, 3, None), slow(tone, 3, Some(3)));
    assert_ne!(slow(tone, 3, None), slow(tone, 4, None));
    assert_ne!(slow(tone, 3, None), slow(Tone { instrument: 2, ..tone }, 3, None));
    assert_ne!(slow(tone, 3, None), slow(Tone { key: 52, ..tone }, 3, None));
    assert_ne!(slow(tone, 3, None), slow(Tone { velocity: 100, ..tone }, 3, None));
}

#[test]
fn what_does_not_fit_is_refused() {
    let good = config(&[1, 2]);
    let mixed = WaveNetConfig { mixtures: 2, ..config(&[1, 2]) };
    let all = [&good, &mixed].map(|config| (config, state(config)));
    for (good, whole, name) in all.iter().flat_map(|(good, whole)| whole.keys().map(move |name| (good, whole, name))) {
        let mut state = whole.clone();
        let tensor = state.remove(name).expect("a tensor");
        assert!(WaveNet::new((*good).clone(), &state).is_err(), "{name} is missing");
        state.insert(name.clone(), tensor.narrow(0, 1, tensor.dims()[0] - 1).expect("a part"));
        // A narrower bias may be taken for another size, which then fits nothing else.
        let built = WaveNet::new((*good).clone(), &state);
        let built = built.and_then(|net| net.generator(Precision::Full, Level::current()).map(|_| ()));
        assert!(built.is_err(), "{name} is short");
    }
    let spoilt: [fn(&mut WaveNetConfig); 8] = [
        |c| c.mixtures = 1_000,
        |c| c.sample_rate_hz = 0,
        |c| c.dilations.clear(),
        |c| c.dilations[0] = 0,
        |c| c.frame_samples = 12,
        |c| c.pre_emphasis = f32::NAN,
        |c| c.keys = 100,
        |c| c.onset_decays_s[0] = 0.0,
    ];
    for spoil in spoilt {
        let mut bad = good.clone();
        spoil(&mut bad);
        let metadata = BTreeMap::from([(METADATA.to_owned(), serde_json::to_string(&bad).expect("JSON"))]);
        assert!(config_of(&metadata).is_err(), "{bad:?}");
    }
    let metadata = BTreeMap::from([(METADATA.to_owned(), serde_json::to_string(&good).expect("JSON"))]);
    assert_eq!(config_of(&metadata).expect("sound"), good);
    assert!(config_of(&BTreeMap::new()).is_err());
}

#[test]
fn listed_harmonics_end_at_half_the_sample_rate_and_begin_at_the_lowest_partial() {
    let instrument = |octave| Instrument { octave, ..Instrument::new("organ", "管风琴") };
    let config = WaveNetConfig {
        instruments: vec![instrument(0), instrument(-1)],
        harmonics: Harmonics::Of(vec![1, 2, 32]),
        ..config(&[1])
    };
    let condition = Condition::new(config.clone(), [const { Vec::new() }; 4]);
    let at = |instrument, key, time| {
        let mut fast = Vec::new();
        condition.fast(Tone { instrument, key, velocity: 90 }, time, &mut fast);
        fast
    };
    let rate = f64::from(config.sample_rate_hz);
    let wave = |hz: f64, time: usize| (std::f64::consts::TAU * hz * time as f64 / rate).sin();
    let near = |a: f32, b: f64| assert!((f64::from(a) - b).abs() < 1e-4, "{a} {b}");
    let (high, low) = (at(0, 69, 5), at(1, 69, 5));
    near(high[0], wave(440.0, 5));
    near(low[0], wave(220.0, 5));
    near(low[2], wave(440.0, 5));
    // 32 · 440 Hz is above half of the rate, 32 · 220 Hz is not.
    assert_eq!(high[4..], [0.0; 2]);
    near(low[4], wave(7_040.0, 5));
    assert_eq!(at(2, 69, 5), [0.0; 6]);
}
