//! Toasts: what failed, why and what to do; or what was done and can be taken back.

use egui::{Align2, Area, Frame, Id, Margin, Order, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, vec2};

use super::{Icon, Key, t, theme, widgets};
use crate::{Error, Lang};

/// How many are kept; the oldest goes first.
const MOST: usize = 6;
/// How long a toast that is not an error stays, in seconds.
const STAY_S: f64 = 8.0;
const WIDTH: f32 = 380.0;

/// What a toast is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something failed: stays until it is dismissed.
    Error,
    /// Something worth knowing.
    Note,
    /// Something was done.
    Done,
}

/// One toast.
#[derive(Clone, Debug)]
pub struct Toast {
    number: u64,
    kind: Kind,
    text: Error,
    /// A button, and what pressing it means to whoever put the toast up.
    offer: Option<(Key, Offer)>,
    /// When it goes by itself, in seconds of the window's clock.
    until_s: Option<f64>,
}

/// What a toast's button asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Bring the document back that was deleted.
    Restore(String),
    /// Ask where to save the document.
    SaveAs(String),
    /// Bring these pictures back from the bin.
    Unbin(Vec<std::path::PathBuf>),
    /// Bring this take back from the bin.
    UnbinTake(std::path::PathBuf),
    /// Enlarge this picture file.
    Enlarge(std::path::PathBuf),
}

/// The toasts that are up.
#[derive(Debug, Default)]
pub struct Toasts {
    list: Vec<Toast>,
    count: u64,
}

impl Toasts {
    /// Puts one up. The same text twice is one toast.
    pub fn add(&mut self, kind: Kind, text: Error, offer: Option<(Key, Offer)>) {
        self.list.retain(|toast| toast.text != text || toast.offer != offer);
        if self.list.len() == MOST {
            self.list.remove(0);
        }
        self.count += 1;
        self.list.push(Toast { number: self.count, kind, text, offer, until_s: None });
    }

    /// Puts an error up.
    pub fn error(&mut self, text: Error) {
        self.add(Kind::Error, text, None);
    }

    /// Whether something is up.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes down those that no longer hold.
    pub fn withdraw(&mut self, offer: &Offer) {
        self.list.retain(|toast| toast.offer.as_ref().is_none_or(|(_, own)| own != offer));
    }
}

/// Shows the toasts above the status bar, the newest at the bottom; returns the offers that were taken.
pub fn toasts_ui(ui: &mut Ui, toasts: &mut Toasts, lang: Lang) -> Vec<Offer> {
    let now_s = ui.input(|input| input.time);
    toasts.list.retain(|toast| toast.until_s.is_none_or(|until_s| now_s < until_s));
    let (mut taken, mut gone) = (Vec::new(), None);
    let mut bottom = theme::STATUS_HEIGHT + 16.0;
    for toast in toasts.list.iter_mut().rev() {
        if toast.kind != Kind::Error {
            let until_s = *toast.until_s.get_or_insert(now_s + STAY_S);
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64((until_s - now_s).max(0.0)));
        }
        let shown = Area::new(Id::unique(("toast", toast.number)))
            .order(Order::Foreground)
            .anchor(Align2::RIGHT_BOTTOM, Vec2::new(-16.0, -bottom))
            .show(ui.ctx(), |ui| toast_ui(ui, toast, lang));
        match shown.inner {
            Some(true) => {
                taken.extend(toast.offer.take().map(|(_, offer)| offer));
                gone = Some(toast.number);
            }
            Some(false) => gone = Some(toast.number),
            None => {}
        }
        bottom += shown.response.rect.height() + 8.0;
    }
    toasts.list.retain(|toast| Some(toast.number) != gone);
    taken
}

/// One toast: `Some(true)` when its offer was taken, `Some(false)` when it was dismissed.
fn toast_ui(ui: &mut Ui, toast: &Toast, lang: Lang) -> Option<bool> {
    let palette = theme::palette(ui);
    let (icon, color) = match toast.kind {
        Kind::Error => (Icon::Error, palette.error),
        Kind::Note => (Icon::Info, palette.second),
        Kind::Done => (Icon::Done, palette.second),
    };
    let frame = Frame::new()
        .fill(palette.raised)
        .stroke(Stroke::new(1.0, palette.hairline_strong))
        .corner_radius(theme::CARD_RADIUS)
        .inner_margin(Margin { left: 14, right: 8, top: 8, bottom: 8 })
        .shadow(ui.visuals().popup_shadow);
    let mut answer = None;
    frame.show(ui, |ui| {
        ui.set_width(WIDTH);
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 10.0;
            let (rect, _) = ui.allocate_exact_size(vec2(16.0, theme::ROW_HEIGHT), egui::Sense::empty());
            icon.paint(ui.painter(), rect, 16.0, color);
            let offer_width = toast.offer.as_ref().map_or(0.0, |_| 72.0);
            let room = WIDTH - 26.0 - 40.0 - offer_width;
            ui.allocate_ui(vec2(room, 0.0), |ui| {
                ui.set_width(room);
                ui.add_space(5.0);
                let text = egui::RichText::new(toast.text.text(lang)).font(theme::row()).color(palette.text);
                let label = ui.add(egui::Label::new(text).wrap().selectable(true));
                label.widget_info(|| WidgetInfo::labeled(Role::Alert, true, toast.text.text(lang)));
                ui.add_space(5.0);
            });
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Min), |ui| {
                ui.spacing_mut().item_spacing.x = 4.0;
                if widgets::icon_button(ui, Icon::Close, t(lang, Key::Dismiss))
                    .on_hover_text(t(lang, Key::Dismiss))
                    .clicked()
                {
                    answer = Some(false);
                }
                if let Some((label, _)) = &toast.offer
                    && widgets::link_button(ui, t(lang, *label)).clicked()
                {
                    answer = Some(true);
                }
            });
        });
    });
    answer
}
