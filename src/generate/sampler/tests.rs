//! What must hold whatever the numbers are.

use std::borrow::Cow;

use super::*;
use crate::Lang;

/// A vocabulary whose token i is the i-th letter.
struct Letters(usize);

impl Vocabulary for Letters {
    fn size(&self) -> usize {
        self.0
    }
    fn bytes(&self, id: u32) -> Cow<'_, [u8]> {
        Cow::Owned(vec![b'a' + (id % 26) as u8])
    }
    fn label(&self, id: u32) -> String {
        id.to_string()
    }
    fn encode(&self, _: &str, _: bool, _: bool) -> Vec<u32> {
        Vec::new()
    }
    fn ends_text(&self, _: u32) -> bool {
        false
    }
}

fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::at(seed, 0);
    (0..n).map(|_| (rng.uniform() * 12.0 - 6.0) as f32).collect()
}

fn write(settings: &SamplerSettings, seed: u64, forced: &[u32], tokens: usize) -> Vec<u32> {
    let vocabulary = Letters(500);
    let mut sampler = Sampler::new(settings, seed, &vocabulary).expect("good settings");
    sampler.accept_prompt(&[1, 2, 3]);
    let mut out = forced.to_vec();
    forced.iter().for_each(|&token| sampler.accept(token));
    while out.len() < tokens {
        let token = sampler.sample(&noise(500, out.len() as u64), &[]).expect("a token");
        sampler.accept(token);
        out.push(token);
    }
    out
}

#[test]
fn the_same_seed_gives_the_same_tokens_also_when_taken_up_in_the_middle() {
    let settings =
        SamplerSettings { xtc_probability: 0.5, xtc_threshold: 0.01, dry_multiplier: 0.8, ..Default::default() };
    let whole = write(&settings, 42, &[], 60);
    assert_eq!(write(&settings, 42, &[], 60), whole);
    assert_eq!(write(&settings, 42, &whole[..17], 60), whole);
    assert_ne!(write(&settings, 43, &[], 60), whole);
}

#[test]
fn stepping_back_leaves_no_trace() {
    let vocabulary = Letters(500);
    let settings = SamplerSettings { mirostat_2: true, mirostat_tau: 2.0, ..Default::default() };
    for settings in [settings, SamplerSettings { dry_multiplier: 1.0, repeat_penalty: 1.3, ..Default::default() }] {
        let mut sampler = Sampler::new(&settings, 5, &vocabulary).expect("good settings");
        sampler.accept_prompt(&[7; 10]);
        let mut first = Vec::new();
        for round in 0..2 {
            let tokens: Vec<u32> = (0..30)
                .map(|place| {
                    let token = sampler.sample(&noise(500, place), &[]).expect("a token");
                    sampler.accept(token);
                    token
                })
                .collect();
            if round == 0 {
                first = tokens;
                sampler.step_back_to(0);
            } else {
                assert_eq!(tokens, first);
            }
        }
    }
}

#[test]
fn forbidden_tokens_never_come_and_nothing_is_left_when_all_are() {
    let vocabulary = Letters(4);
    let settings = SamplerSettings { logit_bias: vec![(0, f32::NEG_INFINITY), (99, 5.0)], ..Default::default() };
    let sampler = |seed| Sampler::new(&settings, seed, &vocabulary).expect("good settings");
    for seed in 0..50 {
        assert_eq!(sampler(seed).sample(&[90.0, 50.0, 0.0, 0.0], &[1, 2]), Some(3));
        assert_eq!(sampler(seed).sample(&[9.0, 5.0, 0.0, 0.0], &[1, 2, 3, 77]), None);
        assert_eq!(sampler(seed).sample(&[f32::NAN; 4], &[]), None);
        assert_eq!(sampler(seed).sample(&[], &[]), None);
    }
}

#[test]
fn greedy_takes_the_lowest_of_equals() {
    let vocabulary = Letters(500);
    let settings = SamplerSettings { temperature: 0.0, ..Default::default() };
    let mut sampler = Sampler::new(&settings, 1, &vocabulary).expect("good settings");
    let mut logits = noise(500, 3);
    (logits[77], logits[300], logits[499]) = (50.0, 50.0, 50.0);
    assert_eq!(sampler.sample(&logits, &[]), Some(77));
}

#[test]
fn draws_follow_the_distribution() {
    let vocabulary = Letters(3);
    let settings = SamplerSettings { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, ..Default::default() };
    let logits = [0.5_f32.ln(), 0.2_f32.ln(), 0.3_f32.ln()];
    let mut counts = [0.0; 3];
    for seed in 0..20_000 {
        let token = Sampler::new(&settings, seed, &vocabulary).expect("good settings").sample(&logits, &[]);
        counts[token.expect("a token") as usize] += 1.0 / 20_000.0;
    }
    for (got, want) in counts.into_iter().zip([0.5, 0.2, 0.3]) {
        let got: f64 = got;
        assert!((got - want).abs() < 0.015, "{counts:?}");
    }
}

#[test]
fn hostile_settings_are_refused_or_brought_into_range() {
    let error = SamplerSettings { top_p: f32::NAN, ..Default::default() }.checked().expect_err("not a number");
    assert!(error.text(Lang::En).contains("“top_p” is not a number"), "{error}");
    assert!(error.text(Lang::Zh).contains("top_p"), "{error:?}");
    let extremes = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 0.0, -0.0];
    for &x in &extremes {
        for &y in &extremes {
            let settings = SamplerSettings {
                temperature: x,
                dynatemp_range: y,
                dynatemp_exponent: x,
                top_k: u32::MAX,
                top_p: y,
                min_p: x,
                top_n_sigma: y,
                typical_p: x,
                xtc_probability: y,
                xtc_threshold: x,
                penalty_last_n: i32::MIN,
                repeat_penalty: y,
                frequency_penalty: x,
                presence_penalty: y,
                dry_multiplier: x,
                dry_base: y,
                dry_allowed_length: u32::MAX,
                dry_penalty_last_n: i32::MIN,
                dry_sequence_breakers: vec![String::new(), "é".repeat(1000)],
                mirostat_2: false,
                mirostat_tau: x,
                mirostat_eta: y,
                logit_bias: vec![(1, x), (u32::MAX, y), (2, f32::NAN)],
            };
            for settings in [settings.clone(), SamplerSettings { mirostat_2: true, dry_allowed_length: 0, ..settings }]
            {
                assert_eq!(write(&settings, 1, &[], 12).len(), 12);
            }
        }
    }
}

#[test]
fn settings_survive_json_infinities_included() {
    let settings = SamplerSettings { logit_bias: vec![(1, f32::NEG_INFINITY), (2, 1.25)], ..Default::default() };
    let text = serde_json::to_string(&settings).expect("JSON");
    assert_eq!(serde_json::from_str::<SamplerSettings>(&text).expect("read back"), settings);
    let read: SamplerSettings = serde_json::from_str(r#"{"logit_bias": [[5, null]]}"#).expect("null");
    assert_eq!(read.logit_bias, [(5, f32::NEG_INFINITY)]);
    let text = toml::to_string(&settings).expect("TOML");
    assert_eq!(toml::from_str::<SamplerSettings>(&text).expect("read back"), settings);
}

#[test]
fn a_breaker_may_span_tokens_and_ends_a_repeat() {
    let vocabulary = Letters(26);
    let settings = SamplerSettings {
        dry_multiplier: 1.0,
        dry_sequence_breakers: vec!["bc".to_owned()],
        temperature: 0.0,
        ..Default::default()
    };
    let logits = |best: usize| (0..26).map(|i| if i == best { 1.0 } else { i as f32 * 0.01 }).collect::<Vec<f32>>();
    let next = |seen: &[u8]| {
        let mut sampler = Sampler::new(&settings, 0, &vocabulary).expect("good settings");
        sampler.accept_prompt(&seen.iter().map(|&letter| u32::from(letter - b'a')).collect::<Vec<_>>());
        sampler.sample(&logits(3), &[]).map(|id| b'a' + id as u8)
    };
    assert_eq!(next(b"xyzdxyz"), Some(b'z'), "xyz was followed by d, so d is penalised");
    assert_eq!(next(b"xbcdxbc"), Some(b'd'), "bc breaks the repeat");
    assert_eq!(next(b"xbcydxbcy"), Some(b'd'), "one token after the break is too short");
}

#[test]
fn probabilities_are_the_softmax_of_the_raw_logits() {
    let logits = noise(3000, 8);
    let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
    let (probability, likely) = probabilities(&logits, 1234, 10);
    assert!((f64::from(probability) - f64::from(logits[1234]).exp() / total).abs() < 1e-9);
    let mut order: Vec<usize> = (0..3000).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    for (got, &want) in likely.iter().zip(&order) {
        assert_eq!(got.id as usize, want);
        assert!((f64::from(got.probability) - f64::from(logits[want]).exp() / total).abs() < 1e-8);
    }
    assert_eq!(likely.len(), 10);
    let (odd, _) = probabilities(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY], 1, 3);
    assert_eq!(odd, 1.0);
    assert_eq!(probabilities(&[f32::NEG_INFINITY], 0, 3), (0.0, Vec::new()));
}
