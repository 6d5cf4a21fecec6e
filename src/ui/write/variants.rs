//! The versions of the last generated part: cards in the inspector.

use egui::{Align2, Color32, Sense, Stroke, StrokeKind, Ui, WidgetInfo, accesskit::Role, text::LayoutJob, vec2};

use crate::{
    document::Variant,
    ui::{Command, Icon, Key, state::State, text::fill, theme, widgets},
};

/// The section; nothing when there are no variants.
pub fn variants_ui(ui: &mut Ui, state: &mut State) {
    let variants = state.library.document().variants();
    let earlier = elsewhere(state);
    if variants.is_empty() && earlier.is_empty() {
        return;
    }
    ui.add_space(16.0);
    if !variants.is_empty() {
        head_ui(ui, state, &variants);
    }
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 8.0;
        let width = ui.available_width();
        for (i, variant) in variants.iter().enumerate() {
            if card_ui(ui, state, variant, Key::VariantNumber, i, width)
                .on_hover_text(state.t(Key::VariantTip))
                .clicked()
            {
                state.library.document_mut().select_variant(variant.node);
                state.write.notebook.editor.reveal_caret();
            }
        }
        if earlier.is_empty() {
            return;
        }
        let name = fill(state.lang, Key::EarlierVersions, &[&earlier.len().to_string()]);
        let mut open = state.write.inspector.earlier_open;
        widgets::fold(ui, &mut open, &name).on_hover_text(state.t(Key::EarlierTip));
        state.write.inspector.earlier_open = open;
        for (i, version) in earlier.iter().enumerate().filter(|_| open) {
            if card_ui(ui, state, version, Key::EarlierNumber, i, width)
                .on_hover_text(state.t(Key::EarlierTip))
                .clicked()
            {
                state.library.document_mut().select_elsewhere(version.node);
                state.write.notebook.editor.reveal_caret();
            }
        }
    });
}

/// What models wrote on ways of the history that were left, kept until the document changes.
fn elsewhere(state: &mut State) -> Vec<Variant> {
    let document = state.library.document();
    let of = (document.id().to_owned(), document.revision());
    let kept = &mut state.write.inspector.elsewhere;
    if kept.as_ref().is_none_or(|(kept_of, _)| *kept_of != of) {
        *kept = Some((of, document.elsewhere()));
    }
    kept.as_ref().map(|(_, versions)| versions.clone()).unwrap_or_default()
}

/// The head of the variants: how many, another one, all side by side.
fn head_ui(ui: &mut Ui, state: &mut State, variants: &[Variant]) {
    ui.horizontal(|ui| {
        ui.set_height(24.0);
        let head = match variants.len() {
            1 => state.t(Key::Variants).to_owned(),
            number => format!("{} · {number}", state.t(Key::Variants)),
        };
        widgets::section(ui, &head);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let (lang, os) = (state.lang, ui.ctx().os());
            let again = ui.add_enabled_ui(!state.is_writing(), |ui| {
                widgets::icon_button(ui, Command::Regenerate.icon(), Command::Regenerate.label(lang))
            });
            if again.inner.on_hover_text(Command::Regenerate.hint(lang, os)).clicked() {
                state.command(Command::Regenerate);
            }
            if variants.len() > 1 {
                let name = state.t(Key::Compare);
                let on = state.write.notebook.compare;
                if widgets::icon_toggle(ui, Icon::Compare, name, on)
                    .on_hover_text(Command::Compare.hint(lang, os))
                    .clicked()
                {
                    state.command(Command::Compare);
                }
            }
        });
    });
    ui.add_space(4.0);
}

/// A card with the beginning of a version; `name` is what a screen reader says.
fn card_ui(ui: &mut Ui, state: &State, variant: &Variant, name: Key, number: usize, width: f32) -> egui::Response {
    let palette = theme::palette(ui);
    let mut job = LayoutJob::single_section(
        variant.preview.clone(),
        egui::TextFormat {
            font_id: theme::row(),
            color: if variant.is_current { palette.text } else { palette.muted },
            line_height: Some(19.0),
            ..Default::default()
        },
    );
    job.wrap.max_width = width - 22.0;
    job.wrap.max_rows = 3;
    let galley = ui.painter().layout_job(job);
    let empty = variant.preview.trim().is_empty();
    let height = if empty { 19.0 } else { galley.size().y } + 20.0;
    let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::click());
    let name = fill(state.lang, name, &[&(number + 1).to_string(), &variant.preview]);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, variant.is_current, &name));
    let fill = if variant.is_current { palette.panel } else { Color32::TRANSPARENT };
    let edge = match (variant.is_current, response.hovered()) {
        (true, _) => palette.accent_line(),
        (_, true) => palette.hairline_strong,
        _ => palette.hairline,
    };
    ui.painter().rect(rect, theme::CARD_RADIUS, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    if empty {
        let at = rect.left_center() + vec2(11.0, 0.0);
        widgets::line(ui.painter(), at, Align2::LEFT_CENTER, state.t(Key::Writing), theme::row(), palette.muted, width);
    } else {
        ui.painter().galley(rect.min + vec2(11.0, 10.0), galley, palette.text);
    }
    widgets::focus_ring(ui, &response, theme::CARD_RADIUS);
    response
}

/// The variants side by side, each as far as it was written; a click chooses one.
pub fn compare_ui(ui: &mut Ui, state: &mut State) {
    let variants = state.library.document().variants();
    let gap = 12.0;
    egui::ScrollArea::both().auto_shrink(false).show(ui, |ui| {
        egui::Frame::new().inner_margin(egui::Margin::symmetric(20, 20)).show(ui, |ui| {
            let room = (ui.available_width() - gap * (variants.len() - 1) as f32) / variants.len() as f32;
            ui.spacing_mut().item_spacing.x = gap;
            ui.horizontal_top(|ui| {
                for (i, variant) in variants.iter().enumerate() {
                    column_ui(ui, state, variant, i, room.max(220.0));
                }
            });
        });
    });
}

fn column_ui(ui: &mut Ui, state: &mut State, variant: &Variant, number: usize, width: f32) {
    let palette = theme::palette(ui);
    let text = state.library.document().generation(variant.generation).map(|it| it.text().trim().to_owned());
    let mut job = LayoutJob::single_section(
        text.unwrap_or_default(),
        egui::TextFormat {
            font_id: egui::FontId::new(15.0, egui::FontFamily::Proportional),
            color: palette.text,
            line_height: Some(24.0),
            ..Default::default()
        },
    );
    job.wrap.max_width = width - 32.0;
    let galley = ui.painter().layout_job(job);
    let (rect, response) = ui.allocate_exact_size(vec2(width, galley.size().y + 60.0), Sense::click());
    let name = fill(state.lang, Key::VariantNumber, &[&(number + 1).to_string(), &variant.preview]);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, variant.is_current, &name));
    let edge = match (variant.is_current, response.hovered()) {
        (true, _) => palette.accent,
        (_, true) => palette.hairline_strong,
        _ => palette.hairline,
    };
    ui.painter().rect(rect, theme::CARD_RADIUS, Color32::TRANSPARENT, Stroke::new(1.0, edge), StrokeKind::Inside);
    let head = if variant.is_current {
        format!("{} · {}", number + 1, state.t(Key::Chosen))
    } else {
        (number + 1).to_string()
    };
    let at = rect.min + vec2(16.0, 22.0);
    widgets::line(ui.painter(), at, Align2::LEFT_CENTER, &head, theme::section(), palette.muted, width);
    ui.painter().galley(rect.min + vec2(16.0, 42.0), galley, palette.text);
    widgets::focus_ring(ui, &response, theme::CARD_RADIUS);
    if response.clicked() {
        state.library.document_mut().select_variant(variant.node);
        if variant.is_current {
            state.write.notebook.compare = false;
        }
    }
}

/// Goes `step` variants on, round and round.
pub fn step(state: &mut State, step: isize) {
    let document = state.library.document_mut();
    let variants = document.variants();
    let Some(current) = variants.iter().position(|variant| variant.is_current) else { return };
    let next = (current as isize + step).rem_euclid(variants.len() as isize) as usize;
    document.select_variant(variants[next].node);
}
