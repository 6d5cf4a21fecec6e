//! The cached steps beside a recursion over the definition, in double precision.

use super::*;
use crate::kernels::testing::Numbers;

struct Case {
    sizes: Sizes,
    weights: NetWeights,
}

fn case(numbers: &mut Numbers, [channels, skip, classes, slow, fast]: [usize; 5], dilations: &[usize]) -> Case {
    let mut draw = |count: usize, inputs: usize| -> Vec<f32> {
        let scale = 1.6 / (inputs as f32).sqrt();
        numbers.vector(count).into_iter().map(|value| value * scale).collect()
    };
    let layers = dilations
        .iter()
        .map(|_| LayerWeights {
            old_tap: draw(2 * channels * channels, channels),
            new_tap: draw(2 * channels * channels, channels),
            tap_bias: draw(2 * channels, 9),
            condition: draw(2 * channels * (slow + fast), 9),
            mix: draw(channels * channels, channels),
            mix_bias: draw(channels, 9),
            skip: draw(skip * channels, channels),
            skip_bias: draw(skip, 9),
        })
        .collect();
    let weights = NetWeights {
        entry: draw(classes * channels, 4),
        layers,
        head0: draw(skip * skip, skip),
        head0_bias: draw(skip, 9),
        head1: draw(classes * skip, skip),
        head1_bias: draw(classes, 9),
    };
    let sizes = Sizes {
        channels,
        skip,
        entry: Entry::Classes,
        outputs: classes,
        slow_condition: slow,
        fast_condition: fast,
        dilations: dilations.to_vec(),
    };
    Case { sizes, weights }
}

impl NetWeights {
    fn matrices(&mut self) -> impl Iterator<Item = &mut f32> {
        let layers = self.layers.iter_mut().flat_map(|layer| {
            [&mut layer.old_tap, &mut layer.new_tap, &mut layer.condition, &mut layer.mix, &mut layer.skip]
        });
        layers.chain([&mut self.head0, &mut self.head1]).flatten()
    }
}

/// Rounds every weight to what eight bits of its output's scale hold.
fn rounded(case: &mut Case) {
    let round = |weights: &mut [f32], inputs: usize, from: usize| {
        for row in weights.chunks_exact_mut(inputs.max(1)) {
            let scale = row[from..].iter().fold(0.0_f32, |most, w| most.max(w.abs())) / 127.0;
            row[from..].iter_mut().filter(|_| scale > 0.0).for_each(|w| *w = (*w / scale).round_ties_even() * scale);
        }
    };
    let Sizes { channels: r, skip, slow_condition: slow, fast_condition: fast, .. } = case.sizes;
    for layer in &mut case.weights.layers {
        round(&mut layer.old_tap, r, 0);
        round(&mut layer.new_tap, r, 0);
        round(&mut layer.mix, r, 0);
        round(&mut layer.condition, slow + fast, slow);
    }
    // The skip outputs of all layers are one product.
    for output in 0..skip {
        let rows = |layer: &LayerWeights| layer.skip[output * r..(output + 1) * r].to_vec();
        let mut row: Vec<f32> = case.weights.layers.iter().flat_map(rows).collect();
        let inputs = row.len();
        round(&mut row, inputs, 0);
        for (layer, part) in case.weights.layers.iter_mut().zip(row.chunks_exact(r)) {
            layer.skip[output * r..(output + 1) * r].copy_from_slice(part);
        }
    }
    round(&mut case.weights.head0, skip, 0);
    round(&mut case.weights.head1, skip, 0);
}

fn matrix(rows: &[f32], x: &[f64]) -> Vec<f64> {
    rows.chunks_exact(x.len().max(1)).map(|row| row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum()).collect()
}

/// The logits of every moment, from the definition: no caches, no blocks.
fn reference(case: &Case, inputs: &[usize], slow: &[Vec<f32>], fast: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let r = case.sizes.channels;
    let mut h: Vec<Vec<f64>> = inputs
        .iter()
        .map(|class| case.weights.entry[class * r..(class + 1) * r].iter().map(|x| f64::from(*x)).collect())
        .collect();
    let mut skips = vec![vec![0.0; case.sizes.skip]; inputs.len()];
    for (layer, dilation) in case.weights.layers.iter().zip(&case.sizes.dilations) {
        let before = h.clone();
        for t in 0..inputs.len() {
            let condition: Vec<f64> = slow[t].iter().chain(&fast[t]).map(|x| f64::from(*x)).collect();
            let old = t.checked_sub(*dilation).map_or(vec![0.0; r], |t| before[t].clone());
            let parts = [
                matrix(&layer.condition, &condition),
                matrix(&layer.old_tap, &old),
                matrix(&layer.new_tap, &before[t]),
            ];
            let y = |i: usize| {
                f64::from(layer.tap_bias[i]) + parts.iter().map(|part| part.get(i).unwrap_or(&0.0)).sum::<f64>()
            };
            let z: Vec<f64> = (0..r).map(|i| y(i).tanh() / (1.0 + (-y(r + i)).exp())).collect();
            for (i, mixed) in matrix(&layer.mix, &z).into_iter().enumerate() {
                h[t][i] += mixed + f64::from(layer.mix_bias[i]);
            }
            for (i, skipped) in matrix(&layer.skip, &z).into_iter().enumerate() {
                skips[t][i] += skipped + f64::from(layer.skip_bias[i]);
            }
        }
    }
    let relu = |x: Vec<f64>, bias: &[f32]| -> Vec<f64> { x.iter().zip(bias).map(|(x, b)| x + f64::from(*b)).collect() };
    skips
        .into_iter()
        .map(|skip| {
            let hidden = matrix(&case.weights.head0, &skip.iter().map(|x| x.max(0.0)).collect::<Vec<_>>());
            let hidden: Vec<f64> = relu(hidden, &case.weights.head0_bias).into_iter().map(|x| x.max(0.0)).collect();
            relu(matrix(&case.weights.head1, &hidden), &case.weights.head1_bias)
        })
        .collect()
}

/// Runs one voice over given inputs; the logits of every moment.
fn run(net: &Network, inputs: &[usize], slow: &[Vec<f32>], fast: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut voice = net.voice();
    let mut out = Vec::new();
    for t in 0..inputs.len() {
        if t % BLOCK == 0 {
            net.set_frame(&mut voice, &slow[t]);
            net.begin_block(&mut voice, &fast[t..t + BLOCK].concat());
        }
        net.step(&mut [&mut voice], &[Last::Class(inputs[t])]);
        out.push(voice.outputs().to_vec());
    }
    out
}

/// Inputs and conditions; slow ones change with every block.
fn drive(numbers: &mut Numbers, sizes: &Sizes, len: usize) -> (Vec<usize>, Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let inputs = (0..len).map(|_| numbers.between(0, sizes.outputs - 1)).collect();
    let mut slow: Vec<Vec<f32>> = Vec::new();
    for t in 0..len {
        let same = (t % BLOCK != 0).then(|| slow[t - 1].clone());
        slow.push(same.unwrap_or_else(|| numbers.vector(sizes.slow_condition)));
    }
    (inputs, slow, (0..len).map(|_| numbers.vector(sizes.fast_condition)).collect())
}

#[test]
fn cached_steps_equal_the_definition_at_every_level() {
    let mut numbers = Numbers::new(5);
    for (shape, dilations) in [
        ([8, 8, 8, 0, 0], vec![1]),
        ([32, 128, 256, 24, 8], vec![1, 2, 4, 8, 16, 1, 2, 4, 8, 16]),
        ([40, 72, 24, 3, 0], vec![7, 8, 9, 15]),
        ([64, 16, 16, 0, 5], vec![3, 64, 1]),
        ([16, 24, 136, 1, 2], vec![]),
    ] {
        let mut case = case(&mut numbers, shape, &dilations);
        // Numbers that both precisions can hold.
        case.weights.matrices().for_each(|weight| *weight = half::bf16::from_f32(*weight).to_f32());
        let (inputs, slow, fast) = drive(&mut numbers, &case.sizes, 80);
        let want = reference(&case, &inputs, &slow, &fast);
        let size = want.iter().flatten().fold(0.0_f64, |most, x| most.max(x.abs()));
        for level in Level::present() {
            for precision in [Precision::Full, Precision::Bfloat16] {
                let net = Network::new(case.sizes.clone(), &case.weights, precision, level).expect("fits");
                let got = run(&net, &inputs, &slow, &fast);
                for (got, want) in got.iter().flatten().zip(want.iter().flatten()) {
                    assert!(
                        (f64::from(*got) - want).abs() < 2e-5 * size.max(1.0),
                        "{shape:?} {level:?} {precision:?}: {got} {want}"
                    );
                }
            }
        }
    }
}

#[test]
fn steps_of_eight_bits_are_as_good_as_their_inputs() {
    let mut numbers = Numbers::new(9);
    for (shape, dilations) in [
        ([8, 8, 8, 0, 0], vec![1]),
        ([32, 128, 256, 24, 16], vec![1, 2, 4, 8, 16, 1, 2, 4, 8, 16, 1, 2, 4, 8, 16, 1, 2, 4, 8]),
        ([40, 72, 24, 3, 7], vec![7, 8, 9, 15]),
        ([16, 24, 136, 1, 2], vec![]),
    ] {
        let mut case = case(&mut numbers, shape, &dilations);
        rounded(&mut case);
        let (inputs, slow, fast) = drive(&mut numbers, &case.sizes, 80);
        let want = reference(&case, &inputs, &slow, &fast);
        let size = want.iter().flatten().fold(0.0_f64, |most, x| most.max(x.abs()));
        for level in Level::present() {
            let net = Network::new(case.sizes.clone(), &case.weights, Precision::Int8, level).expect("fits");
            let got = run(&net, &inputs, &slow, &fast);
            for (got, want) in got.iter().flatten().zip(want.iter().flatten()) {
                // Inputs of 15 bits, through some layers.
                assert!((f64::from(*got) - want).abs() < 1e-3 * size.max(1.0), "{shape:?} {level:?}: {got} {want}");
            }
        }
    }
}

#[test]
fn a_voice_sounds_the_same_alone_and_in_company() {
    let mut numbers = Numbers::new(6);
    let case = case(&mut numbers, [40, 72, 136, 3, 2], &[1, 4, 9, 32]);
    for level in Level::present() {
        for precision in [Precision::Full, Precision::Bfloat16, Precision::Int8] {
            let net = Network::new(case.sizes.clone(), &case.weights, precision, level).expect("fits");
            let drives: Vec<_> = (0..MOST_VOICES).map(|_| drive(&mut numbers, &case.sizes, 48)).collect();
            let alone: Vec<_> = drives.iter().map(|(inputs, slow, fast)| run(&net, inputs, slow, fast)).collect();
            for count in 2..=MOST_VOICES {
                let mut voices: Vec<Voice> = (0..count).map(|_| net.voice()).collect();
                for t in 0..48 {
                    if t % BLOCK == 0 {
                        for (voice, (_, slow, fast)) in voices.iter_mut().zip(&drives) {
                            net.set_frame(voice, &slow[t]);
                            net.begin_block(voice, &fast[t..t + BLOCK].concat());
                        }
                    }
                    let last: Vec<Last> = drives[..count].iter().map(|(inputs, ..)| Last::Class(inputs[t])).collect();
                    net.step(&mut voices.iter_mut().collect::<Vec<_>>(), &last);
                    for (voice, alone) in voices.iter_mut().zip(&alone) {
                        assert_eq!(voice.outputs(), alone[t], "{level:?} {count} voices, sample {t}");
                    }
                }
            }
        }
    }
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let mut numbers = Numbers::new(7);
    let fine = case(&mut numbers, [8, 8, 8, 1, 1], &[1, 2]);
    let level = Level::current();
    let refused = |change: &dyn Fn(&mut Case)| {
        let mut broken = Case { sizes: fine.sizes.clone(), weights: fine.weights.clone() };
        change(&mut broken);
        Network::new(broken.sizes, &broken.weights, Precision::Full, level).is_err()
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|case| case.sizes.channels = 12));
    assert!(refused(&|case| case.sizes.skip = 0));
    assert!(refused(&|case| case.sizes.dilations[1] = 0));
    assert!(refused(&|case| case.sizes.slow_condition = usize::MAX));
    assert!(refused(&|case| case.weights.layers.truncate(1)));
    assert!(refused(&|case| case.weights.layers[1].mix.truncate(5)));
    assert!(refused(&|case| case.weights.entry.push(0.0)));
}
