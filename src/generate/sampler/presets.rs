//! Ready-made settings, by what they are for.

use serde::{Deserialize, Serialize};

use super::SamplerSettings;

/// A named set of sampler settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Keeps to what is likely: summaries, corrections, translations.
    Precise,
    /// Fluent and varied: articles, stories, letters.
    #[default]
    Balanced,
    /// Surprising: ideas, verse, other ways to say it.
    Wild,
}

impl Preset {
    /// All of them, tamest first.
    pub const ALL: [Self; 3] = [Self::Precise, Self::Balanced, Self::Wild];

    /// Its settings.
    pub fn settings(self) -> SamplerSettings {
        let usual = SamplerSettings::default();
        // Models of a few hundred million weights fall into loops when they write freely. DRY breaks verbatim loops and
        // leaves names and common words alone, which a strong repeat penalty does not.
        let dry = SamplerSettings { dry_multiplier: 0.8, dry_allowed_length: 3, ..usual.clone() };
        match self {
            // What summarises or corrects a text must be free to repeat it: with DRY, SmolLM2 changes names and facts.
            Self::Precise => SamplerSettings { temperature: 0.3, top_p: 0.9, repeat_penalty: 1.05, ..usual },
            Self::Balanced => SamplerSettings { temperature: 0.8, repeat_penalty: 1.08, penalty_last_n: 256, ..dry },
            Self::Wild => SamplerSettings {
                temperature: 1.1,
                top_k: 0,
                top_p: 1.0,
                min_p: 0.04,
                xtc_probability: 0.3,
                repeat_penalty: 1.05,
                penalty_last_n: 256,
                ..dry
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_sound_and_differ() {
        let all = Preset::ALL.map(Preset::settings);
        for settings in &all {
            assert_eq!(&settings.checked().expect("numbers"), settings, "every setting is within its range");
        }
        assert!(all[0].temperature < all[1].temperature && all[1].temperature < all[2].temperature);
        assert_eq!(serde_json::to_string(&Preset::Wild).expect("JSON"), "\"wild\"");
    }
}
