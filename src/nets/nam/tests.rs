use std::path::PathBuf;

use super::*;
use crate::{formats::wav, kernels::testing::Numbers};

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nam").join(name);
    std::fs::read(&path).expect("a fixture")
}

fn sound(name: &str) -> Vec<f32> {
    wav::read(&fixture(name)).expect("a WAV").samples
}

/// Σ(ours − want)² / Σ want²
fn error_to_signal(ours: &[f32], want: &[f32]) -> f64 {
    assert_eq!(ours.len(), want.len());
    let square = |x: f64| x * x;
    let error: f64 = ours.iter().zip(want).map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum();
    error / want.iter().map(|b| square(f64::from(*b))).sum::<f64>()
}

const NAMES: [&str; 8] = [
    "lstm",
    "wavenet",
    "wavenet_a1_standard",
    "wavenet_a2_max",
    "wavenet_condition_dsp",
    "slimmable_wavenet",
    "slimmable_container",
    "A2",
];

#[test]
fn captures_sound_as_in_the_reference_on_every_level() {
    let input = sound("in.wav");
    for name in NAMES {
        let capture = Capture::parse(&fixture(&format!("{name}.nam"))).expect("a capture");
        let want = sound(&format!("{name}.want.wav"));
        for level in Level::present() {
            let mut nam = Nam::on(&capture, 1.0, level).expect("a network");
            assert_eq!(nam.sample_rate_hz(), 48_000);
            let mut ours = input.clone();
            nam.process(&mut ours);
            let ratio = error_to_signal(&ours, &want);
            println!("{name} {}: {ratio:.2e}", level.name());
            assert!(ratio < 1e-10, "{name} {}: {ratio:e}", level.name());
        }
    }
}

#[test]
fn it_does_not_matter_how_the_sound_is_cut_and_a_reset_begins_again() {
    let input = &sound("in.wav")[..3_000];
    let mut numbers = Numbers::new(3);
    for name in NAMES {
        let capture = Capture::parse(&fixture(&format!("{name}.nam"))).expect("a capture");
        let mut nam = Nam::new(&capture, 1.0).expect("a network");
        let mut whole = input.to_vec();
        nam.process(&mut whole);
        nam.reset();
        let mut rest = input.to_vec();
        let mut pieces = rest.as_mut_slice();
        while !pieces.is_empty() {
            let length = numbers.between(1, 150).min(pieces.len());
            let (piece, after) = pieces.split_at_mut(length);
            nam.process(piece);
            pieces = after;
        }
        assert!(whole.iter().zip(&rest).all(|(a, b)| a.to_bits() == b.to_bits()), "{name}");
    }
}

#[test]
fn a_container_has_sizes() {
    let capture = Capture::parse(&fixture("slimmable_container.nam")).expect("a capture");
    let of = |size: f64| {
        let mut sound = sound("in.wav")[..2_000].to_vec();
        Nam::new(&capture, size).expect("a network").process(&mut sound);
        sound
    };
    // The smallest of them is the LSTM.
    assert!(error_to_signal(&of(0.0), &sound("lstm.want.wav")[..2_000]) < 1e-10);
    assert_eq!(of(0.0), of(0.32));
    assert!(of(0.33) != of(0.0) && of(0.7) != of(0.4));
    assert_eq!(of(1.0), of(0.7));
}

/// A capture of random weights.
fn capture(architecture: &str, config: &str, weights: &[f32]) -> Capture {
    let json = serde_json::json!({ "architecture": architecture, "weights": weights, "sample_rate": 1_000,
        "config": serde_json::from_str::<serde_json::Value>(config).expect("JSON") });
    Capture::parse(json.to_string().as_bytes()).expect("a capture")
}

/// What a capture makes of `input`, and of silence before.
fn through(capture: &Capture, input: &[f32]) -> Vec<f32> {
    let mut sound = input.to_vec();
    Nam::new(capture, 1.0).expect("a network").process(&mut sound);
    sound
}

fn assert_near(ours: &[f32], want: &[f64], what: &str) {
    assert_eq!(ours.len(), want.len());
    let far = ours.iter().zip(want).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    assert!(far < 2e-5, "{what}: {far}");
}

#[test]
fn convolutional_captures_are_what_their_definition_says() {
    let mut numbers = Numbers::new(5);
    for case in 0..20 {
        let (channels, batchnorm) = (numbers.between(1, 9), case % 2 == 0);
        let dilations: Vec<usize> = (0..numbers.between(1, 4)).map(|_| numbers.between(1, 40)).collect();
        let input = numbers.vector(400);
        let mut weights = Vec::new();
        let mut rows: Vec<Vec<f64>> = vec![input.iter().map(|x| f64::from(*x)).collect()];
        for dilation in &dilations {
            let matrix = numbers.vector(channels * rows.len() * 2);
            weights.extend_from_slice(&matrix);
            let mut each: Vec<Vec<f32>> =
                (0..if batchnorm { 4 } else { 1 }).map(|_| numbers.vector(channels)).collect();
            if batchnorm {
                // A variance.
                each[1].iter_mut().for_each(|x| *x = 0.5 + x.abs());
            }
            each.iter().for_each(|row| weights.extend_from_slice(row));
            if batchnorm {
                weights.push(1e-3);
            }
            let next = (0..channels).map(|out| {
                let at = |t: usize| {
                    let mut sum = 0.0;
                    for (index, row) in rows.iter().enumerate() {
                        let tap = |tap: usize| f64::from(matrix[(out * rows.len() + index) * 2 + tap]);
                        sum += tap(1) * row[t] + t.checked_sub(*dilation).map_or(0.0, |then| tap(0) * row[then]);
                    }
                    let number = |row: usize| f64::from(each[row][out]);
                    if batchnorm {
                        sum = (sum - number(0)) / (number(1) + 1e-3).sqrt() * number(2) + number(3);
                    } else {
                        sum += number(0);
                    }
                    sum.tanh()
                };
                (0..400).map(at).collect()
            });
            rows = next.collect();
        }
        let head = numbers.vector(channels + 1);
        weights.extend_from_slice(&head);
        let out = |t: usize| {
            rows.iter().zip(&head).map(|(row, weight)| row[t] * f64::from(*weight)).sum::<f64>()
                + f64::from(head[channels])
        };
        // The history before the first sample is that of silence, which is not zero inside: compare from where it is past.
        let past: usize = dilations.iter().sum();
        let want: Vec<f64> = (0..400).map(out).collect();
        let config = format!(
            r#"{{"channels": {channels}, "dilations": {dilations:?}, "batchnorm": {batchnorm}, "activation": "Tanh"}}"#
        );
        let ours = through(&capture("ConvNet", &config, &weights), &input);
        assert_near(&ours[past..], &want[past..], &config);
    }
    let (response, input) = (numbers.vector(31), numbers.vector(200));
    let ours = through(&capture("Linear", r#"{"receptive_field": 30, "bias": true}"#, &response), &input);
    let tap =
        |t: usize, lag: usize| t.checked_sub(lag).map_or(0.0, |then| f64::from(response[lag]) * f64::from(input[then]));
    let want: Vec<f64> =
        (0..200).map(|t| (0..30).map(|lag| tap(t, lag)).sum::<f64>() + f64::from(response[30])).collect();
    assert_near(&ours, &want, "Linear");
}

#[test]
fn recurrent_captures_are_what_their_definition_says() {
    let mut numbers = Numbers::new(6);
    for _ in 0..12 {
        let (hidden, layers) = (numbers.between(1, 19), numbers.between(1, 3));
        let input = numbers.vector(150);
        let (mut weights, mut cells) = (Vec::new(), Vec::new());
        for layer in 0..layers {
            let seen = hidden + if layer == 0 { 1 } else { hidden };
            let parts = [4 * hidden * seen, 4 * hidden, hidden, hidden].map(|count| numbers.vector(count));
            parts.iter().for_each(|part| weights.extend_from_slice(part));
            cells.push(parts.map(|part| part.into_iter().map(f64::from).collect::<Vec<_>>()));
        }
        let head = numbers.vector(hidden + 1);
        weights.extend_from_slice(&head);
        let mut out = |x: f64| {
            let mut x = vec![x];
            for [matrix, bias, h, c] in &mut cells {
                let seen: Vec<f64> = x.iter().chain(&*h).copied().collect();
                let sum = |row: usize| {
                    let row_weights = &matrix[row * seen.len()..(row + 1) * seen.len()];
                    bias[row] + row_weights.iter().zip(&seen).map(|(a, b)| a * b).sum::<f64>()
                };
                let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
                for i in 0..hidden {
                    let gate = |gate: usize| sum(gate * hidden + i);
                    c[i] = sigmoid(gate(1)) * c[i] + sigmoid(gate(0)) * gate(2).tanh();
                    h[i] = sigmoid(gate(3)) * c[i].tanh();
                }
                x = h.clone();
            }
            x.iter().zip(&head).map(|(a, b)| a * f64::from(*b)).sum::<f64>() + f64::from(head[hidden])
        };
        // Half a second of silence at 1 kHz, in whole blocks.
        (0..512).for_each(|_| {
            out(0.0);
        });
        let want: Vec<f64> = input.iter().map(|x| out(f64::from(*x))).collect();
        let config = format!(r#"{{"input_size": 1, "hidden_size": {hidden}, "num_layers": {layers}}}"#);
        assert_near(&through(&capture("LSTM", &config, &weights), &input), &want, &config);
    }
}

#[test]
fn hostile_captures_are_refused_in_a_sentence() {
    let refused = |text: &str| match Capture::parse(text.as_bytes()).and_then(|capture| Nam::new(&capture, 1.0)) {
        Ok(_) => panic!("taken: {}", &text[..200]),
        Err(why) => why.to_string(),
    };
    let small = String::from_utf8(fixture("wavenet.nam")).expect("JSON");
    let replaced = |from: &str, to: &str| {
        assert!(small.contains(from), "{from}");
        refused(&small.replacen(from, to, 1))
    };
    assert!(replaced("\"WaveNet\"", "\"Wobble\"").contains("Wobble"));
    assert!(replaced("\"Tanh\"", "\"Sine\"").contains("Sine"));
    assert!(replaced("\"weights\": [", "\"weights\": [0.5, ").contains("more weights"));
    assert!(replaced("\"channels\": 3", "\"channels\": 4").contains("weights") || small.is_empty());
    for (from, to) in [
        ("\"channels\": 3", "\"channels\": 0"),
        ("\"channels\": 3", "\"channels\": 18446744073709551615"),
        ("\"channels\": 3", "\"channels\": 4294967296"),
        ("\"kernel_size\": 3", "\"kernel_size\": 0"),
        ("\"kernel_size\": 3", "\"kernel_size\": 9223372036854775807"),
        ("\"head_size\": 2", "\"head_size\": 3"),
        ("\"input_size\": 1", "\"input_size\": 2"),
        ("\"condition_size\": 1", "\"condition_size\": 3"),
        ("\"dilations\": [1, 2]", "\"dilations\": []"),
        ("\"dilations\": [1, 2]", "\"dilations\": [1, 1048576]"),
        ("\"dilations\": [1, 2]", "\"dilations\": [1, 0]"),
        ("\"dilations\": [1, 2]", "\"dilations\": [1, -1]"),
        ("\"dilations\": [1, 2]", "\"dilations\": [1, 18446744073709551615]"),
        ("\"layers\": [", "\"in_channels\": 0, \"layers\": ["),
        ("\"layers\": [", "\"in_channels\": 2, \"layers\": ["),
    ] {
        assert!(!replaced(from, to).is_empty(), "{from} → {to}");
    }
    // A huge memory that costs few weights.
    let config = |dilations: &[usize]| {
        format!(r#"{{"channels": 1, "dilations": {dilations:?}, "batchnorm": false, "activation": "ReLU"}}"#)
    };
    let many = vec![1_048_576; 50];
    let why = Nam::new(&capture("ConvNet", &config(&many), &vec![0.1; 50 * 3 + 2]), 1.0).err().expect("refused");
    assert!(why.to_string().contains("memory"), "{why}");
    // Captures in captures in captures.
    let mut nested = String::from_utf8(fixture("lstm.nam")).expect("JSON");
    for depth in 0..6 {
        let taken = Capture::parse(nested.as_bytes()).and_then(|capture| Nam::new(&capture, 1.0)).is_ok();
        assert_eq!(taken, depth < MOST_DEPTH, "{depth}");
        nested = format!(
            r#"{{"architecture": "SlimmableContainer", "config": {{"submodels": [{{"max_value": 1.0, "model": {nested}}}]}}}}"#
        );
    }
    // Any number anywhere in the configuration.
    let mut numbers = Numbers::new(9);
    for name in ["wavenet_a2_max", "wavenet_condition_dsp", "lstm", "slimmable_container"] {
        let whole = String::from_utf8(fixture(&format!("{name}.nam"))).expect("JSON");
        for _ in 0..150 {
            let mut text = whole.clone().into_bytes();
            for _ in 0..numbers.between(1, 3) {
                // Mostly the configuration, which comes before the weights.
                let part = text.len() / numbers.between(1, 4);
                let at = numbers.between(0, part - 1);
                text[at] = b"0123456789-e.,[]{}\"n"[numbers.between(0, 19)];
            }
            if let Ok(mut nam) = Capture::parse(&text).and_then(|capture| Nam::new(&capture, 1.0)) {
                nam.process(&mut [0.1; 70]);
            }
        }
    }
}
