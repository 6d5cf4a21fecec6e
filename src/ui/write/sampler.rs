//! The character of the next text: presets, the usual settings, and all others folded away with a line that says what
//! they add up to.

use egui::{Align, Layout, Popup, RectAlign, Ui, vec2};

use super::inspector::InspectorView;
use crate::{
    Lang,
    generate::sampler::{Preset as Character, SamplerSettings},
    ui::{
        Icon, Key,
        preferences::{MAX_LENGTH, Preferences, Preset, Writing, character_of},
        shell::CLOSE_OUTSIDE,
        state::{Action, State},
        t,
        text::fill,
        theme,
        widgets::{self, SliderRow, slider_row},
    },
};

/// The whole section.
pub fn sampler_ui(ui: &mut Ui, state: &mut State) {
    let lang = state.lang;
    let State { preferences, write, .. } = state;
    head_ui(ui, lang, preferences, &mut write.inspector);
    ui.add_space(6.0);
    character_ui(ui, lang, &mut preferences.writing.sampler);
    ui.add_space(6.0);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        usual_ui(ui, lang, &mut preferences.writing);
        if seed_ui(ui, lang, &mut preferences.writing) {
            state.asked.push(Action::NewSeed);
        }
        widgets::fold(ui, &mut preferences.advanced_shown, t(lang, Key::Advanced));
        if preferences.advanced_shown {
            advanced_ui(ui, lang, &mut preferences.writing, &mut write.inspector);
        } else {
            ui.horizontal(|ui| {
                ui.add_space(18.0);
                widgets::note(ui, &sum(lang, &preferences.writing));
            });
        }
    });
}

/// The head, with the menu of the user's own presets.
fn head_ui(ui: &mut Ui, lang: Lang, preferences: &mut Preferences, view: &mut InspectorView) {
    ui.horizontal(|ui| {
        ui.set_height(theme::ROW_HEIGHT);
        widgets::section(ui, t(lang, Key::Character));
        let own = preferences.presets.iter().find(|preset| preset.sampler == preferences.writing.sampler);
        if let Some(own) = own {
            let color = theme::palette(ui).text;
            ui.label(egui::RichText::new(format!("· {}", own.name)).font(theme::small()).color(color));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let button =
                widgets::icon_button(ui, Icon::More, t(lang, Key::Presets)).on_hover_text(t(lang, Key::PresetsTip));
            let popup = Popup::menu(&button).align(RectAlign::BOTTOM_END).gap(4.0).close_behavior(CLOSE_OUTSIDE);
            popup.frame(widgets::popup_frame(ui)).width(260.0).show(|ui| presets_ui(ui, lang, preferences, view));
        });
    });
}

fn presets_ui(ui: &mut Ui, lang: Lang, preferences: &mut Preferences, view: &mut InspectorView) {
    ui.set_width(260.0);
    ui.spacing_mut().item_spacing.y = 0.0;
    widgets::menu_head(ui, t(lang, Key::YourPresets));
    let mut gone = None;
    for (i, preset) in preferences.presets.iter().enumerate() {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            let chosen = preset.sampler == preferences.writing.sampler;
            let width = ui.available_width() - 32.0;
            let row = ui.allocate_ui(vec2(width, 30.0), |ui| widgets::menu_row(ui, None, &preset.name, "", chosen));
            if row.inner.clicked() {
                preferences.writing.sampler = preset.sampler.clone();
                ui.close();
            }
            let name = format!("{}: {}", t(lang, Key::Delete), preset.name);
            if widgets::icon_button(ui, Icon::Delete, &name).on_hover_text(&name).clicked() {
                gone = Some(i);
            }
        });
    }
    if let Some(gone) = gone {
        preferences.presets.remove(gone);
    }
    if preferences.presets.is_empty() {
        ui.horizontal(|ui| {
            ui.add_space(8.0);
            widgets::note(ui, t(lang, Key::NoPresets));
        });
        ui.add_space(6.0);
    }
    widgets::menu_line(ui);
    ui.add_space(4.0);
    let id = egui::Id::unique("preset name");
    let field = widgets::field(ui, id, &mut view.preset_name, t(lang, Key::PresetName), t(lang, Key::PresetName));
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    ui.add_space(6.0);
    let name = view.preset_name.trim().to_owned();
    let save = ui.add_enabled_ui(!name.is_empty(), |ui| {
        widgets::button(ui, widgets::Look::Hairline, Some(Icon::Save), t(lang, Key::SavePreset))
    });
    if (save.inner.clicked() || entered) && !name.is_empty() {
        preferences.presets.retain(|preset| preset.name != name);
        preferences.presets.push(Preset { name, sampler: preferences.writing.sampler.clone() });
        view.preset_name.clear();
    }
    ui.add_space(2.0);
}

fn character_ui(ui: &mut Ui, lang: Lang, sampler: &mut SamplerSettings) {
    let mut chosen = character_of(sampler);
    let choices = Character::ALL.map(|character| {
        let key = match character {
            Character::Precise => Key::Precise,
            Character::Balanced => Key::Balanced,
            Character::Wild => Key::Wild,
        };
        (Some(character), t(lang, key))
    });
    let size = vec2(ui.available_width(), 30.0);
    if widgets::segmented(ui, size, &mut chosen, &choices)
        && let Some(character) = chosen
    {
        *sampler = character.settings();
    }
}

/// A slider for an `f32`.
fn slider(ui: &mut Ui, row: &SliderRow<'_>, value: &mut f32) {
    // A decimal value stays the decimal the user sees: 0.8, not 0.800000011920929.
    let scale = 10_f64.powi(row.decimals as i32 + 3);
    let mut wide = (f64::from(*value) * scale).round() / scale;
    if slider_row(ui, row, &mut wide) {
        *value = wide as f32;
    }
}

fn row<'a>(
    name: &'a str,
    hint: &'a str,
    range: std::ops::RangeInclusive<f64>,
    step: f64,
    default: f32,
) -> SliderRow<'a> {
    let decimals = if step < 0.1 { 2 } else { usize::from(step < 1.0) };
    SliderRow { name, hint, range, step, decimals, bend: 1.0, default: f64::from(default) }
}

fn usual_ui(ui: &mut Ui, lang: Lang, writing: &mut Writing) {
    let usual = Character::Balanced.settings();
    let sampler = &mut writing.sampler;
    let mirostat = sampler.mirostat_2;
    let text = |key| t(lang, key);
    let temperature = row(text(Key::Temperature), text(Key::TemperatureTip), 0.0..=2.0, 0.05, usual.temperature);
    slider(ui, &temperature, &mut sampler.temperature);
    ui.add_enabled_ui(!mirostat, |ui| {
        let top_p = row(text(Key::TopP), text(Key::TopPTip), 0.0..=1.0, 0.01, usual.top_p);
        slider(ui, &top_p, &mut sampler.top_p);
        let min_p = row(text(Key::MinP), text(Key::MinPTip), 0.0..=0.5, 0.01, usual.min_p);
        slider(ui, &min_p, &mut sampler.min_p);
    });
    let length = SliderRow {
        name: text(Key::Length),
        hint: text(Key::LengthTip),
        range: 1.0..=MAX_LENGTH as f64,
        step: 1.0,
        decimals: 0,
        bend: 2.0,
        default: Writing::default().length as f64,
    };
    let mut tokens = writing.length as f64;
    if slider_row(ui, &length, &mut tokens) {
        writing.length = tokens as usize;
    }
}

/// The seed, a die for a new one, and whether to keep it; returns whether a new one is wanted.
fn seed_ui(ui: &mut Ui, lang: Lang, writing: &mut Writing) -> bool {
    let mut wanted = false;
    ui.horizontal(|ui| {
        ui.set_height(theme::ROW_HEIGHT);
        ui.spacing_mut().item_spacing.x = 4.0;
        let palette = theme::palette(ui);
        let (rect, response) = ui.allocate_exact_size(vec2(112.0 - 4.0, theme::ROW_HEIGHT), egui::Sense::hover());
        let at = egui::pos2(rect.left(), rect.center().y);
        widgets::line(
            ui.painter(),
            at,
            egui::Align2::LEFT_CENTER,
            t(lang, Key::Seed),
            theme::row(),
            palette.muted,
            100.0,
        );
        response.on_hover_text(t(lang, Key::SeedTip));
        let seed = ui.scope(|ui| {
            widgets::bare(ui);
            ui.spacing_mut().button_padding = vec2(0.0, 2.0);
            ui.add(egui::DragValue::new(&mut writing.seed).speed(1.0).update_while_editing(false))
        });
        let id = seed.inner.id;
        ui.ctx().accesskit_node_builder(id, |node| node.set_label(t(lang, Key::Seed)));
        seed.inner.on_hover_text(t(lang, Key::SeedTip));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let (icon, name) = match writing.keep_seed {
                true => (Icon::Locked, Key::SeedKept),
                false => (Icon::Unlocked, Key::SeedChanges),
            };
            if widgets::icon_toggle(ui, icon, t(lang, Key::KeepSeed), writing.keep_seed)
                .on_hover_text(t(lang, name))
                .clicked()
            {
                writing.keep_seed = !writing.keep_seed;
            }
            wanted = widgets::icon_button(ui, Icon::Dice, t(lang, Key::NewSeed))
                .on_hover_text(t(lang, Key::NewSeed))
                .clicked();
        });
    });
    wanted
}

/// Everything else.
fn advanced_ui(ui: &mut Ui, lang: Lang, writing: &mut Writing, view: &mut InspectorView) {
    let usual = Character::Balanced.settings();
    let text = |key| t(lang, key);
    let sampler = &mut writing.sampler;
    let head = |ui: &mut Ui, key| {
        ui.add_space(8.0);
        widgets::section(ui, t(lang, key));
        ui.add_space(2.0);
    };
    head(ui, Key::Repetition);
    whole(
        ui,
        &row(text(Key::PenaltyWindow), text(Key::PenaltyWindowTip), -1.0..=512.0, 1.0, 64.0),
        &mut sampler.penalty_last_n,
    );
    slider(
        ui,
        &row(text(Key::RepeatPenalty), text(Key::RepeatPenaltyTip), 1.0..=2.0, 0.01, 1.0),
        &mut sampler.repeat_penalty,
    );
    slider(
        ui,
        &row(text(Key::Frequency), text(Key::FrequencyTip), -2.0..=2.0, 0.05, 0.0),
        &mut sampler.frequency_penalty,
    );
    slider(ui, &row(text(Key::Presence), text(Key::PresenceTip), -2.0..=2.0, 0.05, 0.0), &mut sampler.presence_penalty);
    slider(ui, &row(text(Key::Dry), text(Key::DryTip), 0.0..=2.0, 0.05, 0.0), &mut sampler.dry_multiplier);
    ui.add_enabled_ui(sampler.dry_multiplier > 0.0, |ui| {
        slider(
            ui,
            &row(text(Key::DryBase), text(Key::DryBaseTip), 1.0..=3.0, 0.05, usual.dry_base),
            &mut sampler.dry_base,
        );
        let mut allowed = sampler.dry_allowed_length as i32;
        whole(ui, &row(text(Key::DryLength), text(Key::DryLengthTip), 0.0..=20.0, 1.0, 2.0), &mut allowed);
        sampler.dry_allowed_length = allowed.unsigned_abs();
        let window =
            row(text(Key::DryWindow), text(Key::DryWindowTip), -1.0..=2048.0, 1.0, usual.dry_penalty_last_n as f32);
        whole(ui, &window, &mut sampler.dry_penalty_last_n);
        ui.add_space(4.0);
        lines_ui(ui, lang, view, (Key::DryBreakers, Key::DryBreakersTip), &mut sampler.dry_sequence_breakers);
    });
    head(ui, Key::Filters);
    ui.add_enabled_ui(!sampler.mirostat_2, |ui| {
        let mut top_k = sampler.top_k as i32;
        whole(ui, &row(text(Key::TopK), text(Key::TopKTip), 0.0..=200.0, 1.0, 40.0), &mut top_k);
        sampler.top_k = top_k.unsigned_abs();
        slider(ui, &row(text(Key::Typical), text(Key::TypicalTip), 0.0..=1.0, 0.01, 1.0), &mut sampler.typical_p);
        slider(ui, &row(text(Key::TopSigma), text(Key::TopSigmaTip), -1.0..=5.0, 0.1, -1.0), &mut sampler.top_n_sigma);
        slider(ui, &row(text(Key::XtcChance), text(Key::XtcTip), 0.0..=1.0, 0.05, 0.0), &mut sampler.xtc_probability);
        slider(ui, &row(text(Key::XtcThreshold), text(Key::XtcTip), 0.0..=0.5, 0.01, 0.1), &mut sampler.xtc_threshold);
        slider(
            ui,
            &row(text(Key::DynamicRange), text(Key::DynamicTip), 0.0..=2.0, 0.05, 0.0),
            &mut sampler.dynatemp_range,
        );
        ui.add_enabled_ui(sampler.dynatemp_range > 0.0, |ui| {
            let exponent = row(text(Key::DynamicExponent), text(Key::DynamicExponentTip), 0.1..=3.0, 0.05, 1.0);
            slider(ui, &exponent, &mut sampler.dynatemp_exponent);
        });
    });
    widgets::switch(ui, &mut sampler.mirostat_2, text(Key::Mirostat)).on_hover_text(text(Key::MirostatTip));
    if sampler.mirostat_2 {
        slider(
            ui,
            &row(text(Key::MirostatTau), text(Key::MirostatTip), 0.5..=10.0, 0.1, 5.0),
            &mut sampler.mirostat_tau,
        );
        slider(
            ui,
            &row(text(Key::MirostatEta), text(Key::MirostatTip), 0.01..=1.0, 0.01, 0.1),
            &mut sampler.mirostat_eta,
        );
    }
    lists_ui(ui, lang, writing, view);
}

fn whole(ui: &mut Ui, row: &SliderRow<'_>, value: &mut i32) {
    let mut wide = f64::from(*value);
    if slider_row(ui, row, &mut wide) {
        *value = wide as i32;
    }
}

/// A list that is typed one a line, line ends as `\n`.
fn lines_ui(ui: &mut Ui, lang: Lang, view: &mut InspectorView, (key, tip): (Key, Key), list: &mut Vec<String>) {
    widgets::section(ui, t(lang, key)).on_hover_text(t(lang, tip));
    ui.add_space(4.0);
    let id = egui::Id::unique(("lines", t(Lang::En, key)));
    let typed = view.lines.entry(id).or_default();
    if !ui.memory(|memory| memory.has_focus(id)) {
        *typed = list.iter().map(|line| line.replace('\n', "\\n")).collect::<Vec<_>>().join("\n");
    }
    if widgets::area(ui, id, typed, t(lang, key), t(lang, Key::OneALine), 2).on_hover_text(t(lang, tip)).changed() {
        *list = typed.lines().filter(|line| !line.is_empty()).map(|line| line.replace("\\n", "\n")).collect();
    }
}

/// Stop strings, banned phrases and biases: one line each.
fn lists_ui(ui: &mut Ui, lang: Lang, writing: &mut Writing, view: &mut InspectorView) {
    for (key, tip, list) in [
        (Key::StopStrings, Key::StopStringsTip, &mut writing.stop),
        (Key::BannedPhrases, Key::BannedPhrasesTip, &mut writing.banned),
    ] {
        ui.add_space(8.0);
        lines_ui(ui, lang, view, (key, tip), list);
    }
    ui.add_space(4.0);
    widgets::switch(ui, &mut writing.ignore_eos, t(lang, Key::IgnoreEnd)).on_hover_text(t(lang, Key::IgnoreEndTip));
    ui.add_space(8.0);
    widgets::section(ui, t(lang, Key::LogitBias)).on_hover_text(t(lang, Key::LogitBiasTip));
    ui.add_space(4.0);
    let id = egui::Id::unique("logit bias");
    let typed = view.lines.entry(id).or_default();
    if !ui.memory(|memory| memory.has_focus(id)) {
        *typed = bias_text(&writing.sampler.logit_bias);
    }
    if widgets::area(ui, id, typed, t(lang, Key::LogitBias), t(lang, Key::LogitBiasHint), 2)
        .on_hover_text(t(lang, Key::LogitBiasTip))
        .changed()
    {
        writing.sampler.logit_bias = read_bias(typed);
    }
    ui.add_space(8.0);
}

fn bias_text(bias: &[(u32, f32)]) -> String {
    let line = |&(token, bias): &(u32, f32)| match bias == f32::NEG_INFINITY {
        true => format!("{token} = never"),
        false => format!("{token} = {bias}"),
    };
    bias.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Lines of `token = bias`; `never` forbids the token. Lines that say neither are passed over while they are typed.
fn read_bias(text: &str) -> Vec<(u32, f32)> {
    let line = |line: &str| {
        let (token, bias) = line.split_once('=')?;
        let bias = match bias.trim() {
            "never" | "-inf" => f32::NEG_INFINITY,
            number => number.parse::<f32>().ok().filter(|bias| bias.is_finite())?,
        };
        Some((token.trim().parse().ok()?, bias))
    };
    text.lines().filter_map(line).collect()
}

/// What the settings add up to, in one line.
pub fn sum(lang: Lang, writing: &Writing) -> String {
    let s = &writing.sampler;
    let mut parts = Vec::new();
    if s.temperature <= 0.0 {
        parts.push(t(lang, Key::SumGreedy).to_owned());
    } else if s.mirostat_2 {
        parts.push(fill(lang, Key::SumMirostat, &[&s.mirostat_tau.to_string()]));
    } else {
        let filters = [
            (s.top_k > 0, Key::SumTopK, s.top_k.to_string()),
            (s.typical_p < 1.0, Key::SumTypical, s.typical_p.to_string()),
            (s.top_n_sigma > 0.0, Key::SumSigma, s.top_n_sigma.to_string()),
            (s.xtc_probability > 0.0 && s.xtc_threshold <= 0.5, Key::SumXtc, s.xtc_probability.to_string()),
        ];
        let on = filters.iter().filter(|(on, ..)| *on);
        parts.extend(on.map(|(_, key, number)| fill(lang, *key, &[number])));
    }
    let counted = s.penalty_last_n != 0;
    let plain = s.repeat_penalty != 1.0 || s.frequency_penalty != 0.0 || s.presence_penalty != 0.0;
    if counted && plain {
        parts.push(fill(lang, Key::SumRepeats, &[&s.repeat_penalty.to_string()]));
    }
    if s.dry_multiplier > 0.0 {
        parts.push(fill(lang, Key::SumDry, &[&s.dry_multiplier.to_string()]));
    }
    for (key, number) in [
        (Key::SumStops, writing.stop.len()),
        (Key::SumBans, writing.banned.len()),
        (Key::SumBiases, s.logit_bias.len()),
    ] {
        if number > 0 {
            parts.push(fill(lang, key, &[&number.to_string()]));
        }
    }
    if parts.is_empty() { t(lang, Key::SumNothing).to_owned() } else { parts.join(" · ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_says_what_is_on() {
        let mut writing = Writing { sampler: SamplerSettings::default(), ..Writing::default() };
        assert_eq!(sum(Lang::En, &writing), "top-k 40");
        writing.sampler.top_k = 0;
        assert_eq!(sum(Lang::En, &writing), t(Lang::En, Key::SumNothing));
        writing.sampler.repeat_penalty = 1.1;
        writing.sampler.dry_multiplier = 0.8;
        writing.stop = vec!["\n".into()];
        assert_eq!(sum(Lang::En, &writing), "repetition ×1.1 · DRY 0.8 · 1 stop");
        writing.sampler.temperature = 0.0;
        assert!(sum(Lang::Zh, &writing).starts_with(t(Lang::Zh, Key::SumGreedy)));
    }

    #[test]
    fn biases_are_read_as_they_are_shown() {
        let bias = vec![(12, -2.5), (7, f32::NEG_INFINITY)];
        assert_eq!(read_bias(&bias_text(&bias)), bias);
        assert_eq!(read_bias("12 =\nx = 1\n5 = NaN\n 6 = 1.5 "), [(6, 1.5)]);
    }
}
