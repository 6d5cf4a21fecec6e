//! The settings of the chain. Names and defaults are llama.cpp's (`common_params_sampling`).

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How tokens are chosen. A filter at its neutral value does nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamplerSettings {
    /// Softmax temperature; 0 takes the likeliest token.
    pub temperature: f32,
    /// Half-width of the dynamic temperature range; 0 is off.
    pub dynatemp_range: f32,
    /// Exponent that maps entropy to temperature.
    pub dynatemp_exponent: f32,
    /// Keep the k likeliest; 0 is off.
    pub top_k: u32,
    /// Keep the smallest set with this probability mass; 1 is off.
    pub top_p: f32,
    /// Keep tokens at least this fraction of the likeliest one's probability; 0 is off.
    pub min_p: f32,
    /// Keep logits within n standard deviations of the best; ≤ 0 is off.
    pub top_n_sigma: f32,
    /// Locally typical sampling mass; 1 is off.
    pub typical_p: f32,
    /// Chance of removing the likeliest tokens above `xtc_threshold`; 0 is off.
    pub xtc_probability: f32,
    /// Probability above which XTC removes all but the least likely; over 0.5 is off.
    pub xtc_threshold: f32,
    /// How many last tokens the three penalties look at; 0 is off, -1 the whole context.
    pub penalty_last_n: i32,
    /// Divides positive logits of seen tokens; 1 is off.
    pub repeat_penalty: f32,
    /// Subtracted once a sighting; 0 is off.
    pub frequency_penalty: f32,
    /// Subtracted once if seen at all; 0 is off.
    pub presence_penalty: f32,
    /// DRY's strength; 0 is off.
    pub dry_multiplier: f32,
    /// DRY's base.
    pub dry_base: f32,
    /// Repeats up to this length are free.
    pub dry_allowed_length: u32,
    /// How many last tokens DRY looks at; 0 is off, -1 the whole context.
    pub dry_penalty_last_n: i32,
    /// Strings that a repeat never spans.
    pub dry_sequence_breakers: Vec<String>,
    /// Use mirostat 2 instead of the filters.
    pub mirostat_2: bool,
    /// Mirostat's target surprise τ, in bits.
    pub mirostat_tau: f32,
    /// Mirostat's learning rate η.
    pub mirostat_eta: f32,
    /// Added to the logits of these tokens; minus infinity forbids one (JSON null reads as that).
    #[serde(with = "biases")]
    pub logit_bias: Vec<(u32, f32)>,
}

impl Default for SamplerSettings {
    fn default() -> Self {
        Self {
            temperature: 0.8,
            dynatemp_range: 0.0,
            dynatemp_exponent: 1.0,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            top_n_sigma: -1.0,
            typical_p: 1.0,
            xtc_probability: 0.0,
            xtc_threshold: 0.1,
            penalty_last_n: 64,
            repeat_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            dry_multiplier: 0.0,
            dry_base: 1.75,
            dry_allowed_length: 2,
            dry_penalty_last_n: -1,
            dry_sequence_breakers: ["\n", ":", "\"", "*"].map(str::to_owned).to_vec(),
            mirostat_2: false,
            mirostat_tau: 5.0,
            mirostat_eta: 0.1,
            logit_bias: Vec::new(),
        }
    }
}

impl SamplerSettings {
    /// The settings with every number inside the range where it has a meaning: what is beyond is brought to the edge.
    ///
    /// # Errors
    /// When a setting is not a number.
    pub fn checked(&self) -> Result<Self> {
        let mut checked = self.clone();
        for (name, value, least, most) in checked.ranges() {
            if value.is_nan() {
                return Err(Error::new(
                    format!("The sampler setting “{name}” is not a number; give it one between {least} and {most}."),
                    format!("采样设置“{name}”不是数字，请填写 {least} 到 {most} 之间的数。"),
                ));
            }
            *value = value.clamp(least, most);
        }
        checked.penalty_last_n = checked.penalty_last_n.max(-1);
        checked.dry_penalty_last_n = checked.dry_penalty_last_n.max(-1);
        checked.dry_sequence_breakers.truncate(MOST_BREAKERS);
        for breaker in &mut checked.dry_sequence_breakers {
            breaker.truncate(breaker.floor_char_boundary(LONGEST_BREAKER_BYTES));
        }
        checked.logit_bias.retain(|(_, bias)| !bias.is_nan());
        Ok(checked)
    }

    /// Whether every number is inside the range where it has a meaning, for those who would rather be told.
    ///
    /// # Errors
    /// When one is not.
    pub fn in_range(&self) -> Result<()> {
        let mut settings = self.clone();
        for (name, value, least, most) in settings.ranges() {
            if !(least..=most).contains(&*value) {
                return Err(Error::new(
                    format!("The sampler setting “{name}” is {value}; give it a number between {least} and {most}."),
                    format!("采样设置“{name}”为 {value}，请填写 {least} 到 {most} 之间的数。"),
                ));
            }
        }
        Ok(())
    }

    /// Each number with its name and the range in which it has a meaning.
    fn ranges(&mut self) -> [(&'static str, &mut f32, f32, f32); 16] {
        [
            ("temperature", &mut self.temperature, 0.0, 100.0),
            ("dynatemp_range", &mut self.dynatemp_range, 0.0, 100.0),
            ("dynatemp_exponent", &mut self.dynatemp_exponent, 0.0, 100.0),
            ("top_p", &mut self.top_p, 0.0, 1.0),
            ("min_p", &mut self.min_p, 0.0, 1.0),
            ("top_n_sigma", &mut self.top_n_sigma, -1.0, 1000.0),
            ("typical_p", &mut self.typical_p, 0.0, 1.0),
            ("xtc_probability", &mut self.xtc_probability, 0.0, 1.0),
            ("xtc_threshold", &mut self.xtc_threshold, 0.0, 1.0),
            ("repeat_penalty", &mut self.repeat_penalty, 0.01, 100.0),
            ("frequency_penalty", &mut self.frequency_penalty, -100.0, 100.0),
            ("presence_penalty", &mut self.presence_penalty, -100.0, 100.0),
            ("dry_multiplier", &mut self.dry_multiplier, 0.0, 100.0),
            ("dry_base", &mut self.dry_base, 0.0, 100.0),
            ("mirostat_tau", &mut self.mirostat_tau, 0.0, 100.0),
            ("mirostat_eta", &mut self.mirostat_eta, 0.0, 1.0),
        ]
    }
}

/// DRY compares every token with every breaker, so there is an end to both.
const MOST_BREAKERS: usize = 64;
const LONGEST_BREAKER_BYTES: usize = 40;

/// JSON has no infinities: a bias that forbids a token is written as the lowest finite number, and null or anything as
/// low is read as minus infinity.
mod biases {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(biases: &[(u32, f32)], serializer: S) -> Result<S::Ok, S::Error> {
        let finite = |bias: f32| bias.clamp(f32::MIN, f32::MAX);
        biases.iter().map(|&(id, bias)| (id, finite(bias))).collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(u32, f32)>, D::Error> {
        let biases = Vec::<(u32, Option<f32>)>::deserialize(deserializer)?;
        let bias = |bias: Option<f32>| bias.filter(|bias| *bias > f32::MIN).unwrap_or(f32::NEG_INFINITY);
        Ok(biases.into_iter().map(|(id, value)| (id, bias(value))).collect())
    }
}
