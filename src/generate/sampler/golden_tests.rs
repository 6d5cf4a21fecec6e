//! The filters against values computed elsewhere, in float64, from their definitions (`tests/fixtures/sampler_golden.py`).

use std::borrow::Cow;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    lists: std::collections::HashMap<String, Vec<f32>>,
    texts: Vec<String>,
    filters: Vec<FilterCase>,
    chains: Chains,
}

#[derive(Deserialize)]
struct FilterCase {
    filter: String,
    logits: String,
    settings: serde_json::Value,
    #[serde(default)]
    seen: Vec<u32>,
    kept: Kept,
}

#[derive(Deserialize)]
struct Chains {
    texts: Vec<String>,
    prompt: Vec<u32>,
    logits: Vec<Vec<f32>>,
    cases: Vec<ChainCase>,
}

#[derive(Deserialize)]
struct ChainCase {
    name: String,
    settings: SamplerSettings,
    seed: u64,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    token: u32,
    kept: Kept,
}

#[derive(Deserialize)]
struct Kept {
    first: Vec<(u32, f64)>,
    count: usize,
    id_sum: u64,
}

fn golden() -> Golden {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sampler_golden.json"));
    serde_json::from_str(text).expect("the fixture is well formed")
}

struct Texts(Vec<String>);

impl Vocabulary for Texts {
    fn size(&self) -> usize {
        self.0.len()
    }
    fn bytes(&self, id: u32) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.0[id as usize].as_bytes())
    }
    fn label(&self, id: u32) -> String {
        self.0[id as usize].clone()
    }
    fn encode(&self, _: &str, _: bool, _: bool) -> Vec<u32> {
        Vec::new()
    }
    fn ends_text(&self, _: u32) -> bool {
        false
    }
}

/// Compares what is left with what should be: the same tokens, probabilities to single precision.
fn check(list: &mut Candidates, want: &Kept, name: &str) {
    assert_eq!(list.len(), want.count, "{name}: how many are left");
    let id_sum: u64 = list.iter().map(|item| u64::from(item.id)).sum();
    assert_eq!(id_sum, want.id_sum, "{name}: which are left");
    let best = list.best().expect("never empty");
    let (_, total) = list.weights();
    list.keep_likeliest(want.first.len());
    for (item, &(id, probability)) in list.iter().zip(&want.first) {
        assert_eq!(item.id, id, "{name}");
        let got = f64::from(item.logit - best.logit).exp() / total;
        assert!((got - probability).abs() <= 2e-6 * probability + 1e-9, "{name}: {id} has {got}, not {probability}");
    }
}

#[test]
fn each_filter_alone() {
    let golden = golden();
    let vocabulary = Texts(golden.texts);
    for (number, case) in golden.filters.iter().enumerate() {
        let name = format!("case {number}, {} on {}: {}", case.filter, case.logits, case.settings);
        let s: SamplerSettings = serde_json::from_value(case.settings.clone()).expect("settings");
        let mut list = Candidates::default();
        list.fill(&golden.lists[&case.logits]);
        match case.filter.as_str() {
            "logit_bias" => logit_bias(&mut list, &s.logit_bias),
            "penalties" => {
                penalties(&mut list, &case.seen, s.repeat_penalty, s.frequency_penalty, s.presence_penalty);
            }
            "dry" => {
                let mut sampler = Sampler::new(&s, 0, &vocabulary).expect("settings");
                sampler.accept_prompt(&case.seen);
                sampler.penalise(&mut list);
            }
            "top_n_sigma" => top_n_sigma(&mut list, s.top_n_sigma),
            "top_k" => top_k(&mut list, s.top_k),
            "typical" => typical(&mut list, s.typical_p),
            "top_p" => top_p(&mut list, s.top_p),
            "min_p" => min_p(&mut list, s.min_p),
            "xtc" => xtc(&mut list, s.xtc_probability, s.xtc_threshold, || 0.5),
            "temperature" => temperature(&mut list, s.temperature),
            "dynamic_temperature" => {
                dynamic_temperature(&mut list, s.temperature, s.dynatemp_range, s.dynatemp_exponent);
            }
            "mirostat" => {
                let mut mu = case.settings["mu"].as_f64().expect("µ");
                mirostat_2(&mut list, &mut mu, 5.0, 0.1, 0.3).expect("a token");
            }
            other => panic!("the fixture names an unknown filter {other}"),
        }
        check(&mut list, &case.kept, &name);
    }
}

#[test]
fn all_filters_together_over_a_whole_text() {
    let Chains { texts, prompt, logits, cases } = golden().chains;
    let vocabulary = Texts(texts);
    for case in cases {
        let mut sampler = Sampler::new(&case.settings, case.seed, &vocabulary).expect("settings");
        sampler.accept_prompt(&prompt);
        for (place, want) in case.steps.iter().enumerate() {
            let name = format!("{}, seed {}, place {place}", case.name, case.seed);
            let values = &logits[if place % 2 == 1 { place / 4 } else { place }];
            // Mirostat's cut and draw are one step, so look at the list that it leaves behind.
            let mut list = Candidates::default();
            list.fill(values);
            if sampler.settings.mirostat_2 {
                sampler.choose(&mut list, &[], &mut Rng::at(case.seed, place as u64));
            } else {
                sampler.narrow(&mut list, &[], &mut Rng::at(case.seed, place as u64));
            }
            check(&mut list, &want.kept, &name);
            let token = sampler.sample(values, &[]);
            assert_eq!(token, Some(want.token), "{name}");
            sampler.accept(want.token);
        }
    }
}
