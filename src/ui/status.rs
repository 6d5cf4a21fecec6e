//! The bar at the bottom of the window.

use egui::{Align, Frame, Layout, Margin, Panel, Ui};

use super::{
    Command, Key, models,
    state::{Action, Page, State, Work},
    text::{self, fill},
    theme, widgets,
};
use crate::engine::{JobKind, SoundActivity, Unit};

/// The bar at the bottom: what the engine does, how far, how fast, and how to stop it.
pub fn status_ui(ui: &mut Ui, state: &mut State) {
    let frame = Frame::new().fill(theme::palette(ui).panel).inner_margin(Margin::symmetric(16, 0));
    Panel::bottom("status").exact_size(theme::STATUS_HEIGHT).resizable(false).frame(frame).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = 16.0;
            let work = state.work;
            let words = what(state, work);
            small(ui, &words);
            if let Some(why) = state.ended().filter(|_| work.is_none() && state.page == Page::Write) {
                small(ui, state.t(why)).on_hover_text(state.t(Key::EndedTip));
            }
            if let Some(work) = work {
                working_ui(ui, state, work, &words);
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 16.0;
                if let Some(bytes) = state.memory_bytes {
                    small(ui, &text::size(bytes)).on_hover_text(state.t(Key::MemoryTip));
                }
                if state.page == Page::Write && ui.available_width() > 150.0 {
                    small(ui, &state.counts()).on_hover_text(state.t(Key::CountsTip));
                }
            });
        });
    });
}

fn working_ui(ui: &mut Ui, state: &mut State, work: Work, words: &str) {
    let progress = work.progress.filter(|progress| progress.total > 0);
    let fraction = progress.map(|progress| progress.done as f32 / progress.total as f32);
    let width = if ui.available_width() > 640.0 { 160.0 } else { 96.0 };
    widgets::progress(ui, width, words, fraction);
    if let Some(progress) = work.progress.filter(|progress| progress.per_second > 0.0) {
        let rate = match progress.unit {
            Unit::Bytes => fill(state.lang, Key::PerSecond, &[&text::size(progress.per_second as u64)]),
            Unit::PromptTokens | Unit::Tokens | Unit::Thousandths => {
                let speed = format!("{:.*}", usize::from(progress.per_second < 10.0), progress.per_second);
                fill(state.lang, Key::TokensPerSecond, &[&speed])
            }
        };
        let left = progress.total.saturating_sub(progress.done) as f64 / f64::from(progress.per_second);
        let known = progress.total > 0 && left >= 0.5;
        let left = fill(state.lang, Key::TimeLeft, &[&text::duration(state.lang, left)]);
        small(ui, &if known { format!("{rate} · {left}") } else { rate });
    }
    if matches!(work.kind, JobKind::GenerateText | JobKind::OpenModel | JobKind::Takes) && !work.stopping {
        let cancel = widgets::link_button(ui, state.t(Key::Cancel));
        if cancel.on_hover_text(Command::Stop.hint(state.lang, ui.ctx().os())).clicked() {
            state.ask(Action::Cancel);
        }
    }
}

fn small(ui: &mut Ui, text: &str) -> egui::Response {
    let color = theme::palette(ui).muted;
    ui.label(egui::RichText::new(text).font(theme::small()).color(color))
}

/// What the engine does, in words.
fn what(state: &State, work: Option<Work>) -> String {
    let lang = state.lang;
    let number = |number: u64| text::count(usize::try_from(number).unwrap_or(usize::MAX));
    let factor = state.sound.real_time_factor.map_or_else(|| "–".to_owned(), |factor| format!("{factor:.1}"));
    if let Some((done, all)) = state.paint.drawing.filter(|_| work.is_none() || state.page == Page::Paint) {
        let [done, all] = [done, all].map(text::count);
        let words = fill(lang, Key::DrawingOf, &[&done, &all]);
        return match state.paint.per_second {
            Some(speed) => format!("{words} · {}", fill(lang, Key::ImagesPerSecond, &[&format!("{speed:.0}")])),
            None => words,
        };
    }
    if let Some(done) = state.paint.enlarging.filter(|_| work.is_none() || state.page == Page::Paint) {
        return fill(lang, Key::Enlarging, &[&format!("{:.0}", done * 100.0)]);
    }
    if let Some(words) = super::paint::teach::progress_words(state).filter(|_| work.is_none()) {
        return words;
    }
    let on_paint = |_: &(usize, usize)| work.is_none() || state.page == Page::Paint;
    if let Some((done, all)) = state.paint.exporting.filter(on_paint) {
        return fill(lang, Key::ExportingOf, &[&text::count(done), &text::count(all)]);
    }
    if let Some((done, all)) = state.paint.reading.filter(|_| work.is_none() && state.page == Page::Paint) {
        return fill(lang, Key::ReadingPictures, &[&text::count(done), &text::count(all)]);
    }
    match state.sound.activity {
        _ if work.is_some() && state.page != Page::Sound => {}
        SoundActivity::Idle => {}
        SoundActivity::Live => return fill(lang, Key::PlayingLive, &[&factor]),
        SoundActivity::Making => {
            let words = fill(lang, Key::MakingSound, &[&factor]);
            let Some(variations) = &state.sound.variations else { return words };
            let [number, count] = [variations.number, variations.count].map(|number| number.to_string());
            return format!("{words} · {}", fill(lang, Key::TakeNumberOf, &[&number, &count]));
        }
        SoundActivity::Playing => return state.t(Key::PlayingTake).to_owned(),
        SoundActivity::Recording => return state.t(Key::RecordingTake).to_owned(),
        SoundActivity::Amp => return state.t(Key::AmpLive).to_owned(),
    }
    match work {
        None if state.model.opening.is_none() && state.model.open.is_none() && state.models.is_some() => {
            state.t(Key::ReadyWithoutModel).to_owned()
        }
        None => state.t(Key::Ready).to_owned(),
        Some(work) if work.stopping => state.t(Key::Stopping).to_owned(),
        Some(work) => match (work.kind, work.progress) {
            (JobKind::OpenModel, _) => {
                let name = state.model.opening.as_deref().map(models::short_name).unwrap_or_default();
                fill(lang, Key::OpeningModel, &[&name])
            }
            (JobKind::GenerateText, Some(progress)) if progress.unit == Unit::PromptTokens => {
                fill(lang, Key::ReadingOf, &[&number(progress.done), &number(progress.total)])
            }
            (JobKind::GenerateText, Some(progress)) if progress.total > 0 => {
                fill(lang, Key::WritingOf, &[&number(progress.done), &number(progress.total)])
            }
            (JobKind::GenerateText, _) => state.t(Key::Writing).to_owned(),
            (JobKind::Files, _) => state.t(Key::WorkingOnFiles).to_owned(),
            (JobKind::Takes, Some(progress)) => fill(lang, Key::ChangingTakeOf, &[&(progress.done / 10).to_string()]),
            (JobKind::Takes, None) => state.t(Key::ChangingTake).to_owned(),
        },
    }
}
