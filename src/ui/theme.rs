//! Every colour and size of the window, and the `egui` style made of them. No other module names a colour.

use egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, Style, TextStyle, Theme, Ui, Vec2,
    style::{HandleShape, ScrollStyle, Selection, Spacing, TextCursorStyle, WidgetVisuals, Widgets},
};
use serde::{Deserialize, Serialize};

use super::fonts;

/// Width of the rail at the left.
pub const RAIL_WIDTH: f32 = 72.0;
/// Height of the bar above the work.
pub const HEADER_HEIGHT: f32 = 56.0;
/// Width of the panel that shapes the next result.
pub const INSPECTOR_WIDTH: f32 = 312.0;
/// Width of the list of documents.
pub const LIST_WIDTH: f32 = 200.0;
/// Height of the bar at the bottom.
pub const STATUS_HEIGHT: f32 = 28.0;
/// Height of buttons and fields.
pub const CONTROL_HEIGHT: f32 = 32.0;
/// Height of rows in a panel.
pub const ROW_HEIGHT: f32 = 28.0;
/// Margin beside the work.
pub const WORK_MARGIN: f32 = 20.0;
/// Margin inside the inspector.
pub const PANEL_MARGIN: f32 = 16.0;
/// Corners of controls.
pub const RADIUS: u8 = 8;
/// Corners of chips.
pub const CHIP_RADIUS: u8 = 14;
/// Corners of cards and pop-ups.
pub const CARD_RADIUS: u8 = 10;
/// The document's column: about 72 characters.
pub const COLUMN_WIDTH: f32 = 632.0;
/// Size and line height of the document's text.
pub const DOCUMENT_SIZE: f32 = 16.0;
/// Line height of the document's text.
pub const DOCUMENT_LINE_HEIGHT: f32 = 27.0;
/// The longest motion, in seconds.
pub const MOTION_S: f32 = 0.12;

/// Which theme the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// As the system says.
    #[default]
    System,
    /// Always dark.
    Dark,
    /// Always light.
    Light,
}

impl From<ThemeChoice> for egui::ThemePreference {
    fn from(choice: ThemeChoice) -> Self {
        match choice {
            ThemeChoice::System => Self::System,
            ThemeChoice::Dark => Self::Dark,
            ThemeChoice::Light => Self::Light,
        }
    }
}

/// The colours of one theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Behind everything.
    pub background: Color32,
    /// Rail, status bar, fields.
    pub panel: Color32,
    /// Selection, pop-ups.
    pub raised: Color32,
    /// Lines between areas and around controls.
    pub hairline: Color32,
    /// A hairline under the pointer.
    pub hairline_strong: Color32,
    /// Text.
    pub text: Color32,
    /// Text that is less important; still 4.5:1.
    pub muted: Color32,
    /// The one accent.
    pub accent: Color32,
    /// The accent under the pointer.
    pub accent_hovered: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// Behind generated text.
    pub generated: Color32,
    /// Behind the generated token under the pointer, and the row of a menu that is chosen.
    pub generated_strong: Color32,
    /// Behind selected text.
    pub selected_text: Color32,
    /// Behind found text.
    pub found: Color32,
    /// Notes and context.
    pub second: Color32,
    /// Empty part of meters and slider rails.
    pub track: Color32,
    /// The handle of sliders.
    pub handle: Color32,
    /// What failed.
    pub error: Color32,
    /// What deserves attention.
    pub warning: Color32,
    /// Over the window while something floats above it.
    pub scrim: Color32,
    /// The shadow under pop-ups.
    pub shadow: Color32,
}

impl Palette {
    /// Behind what the pointer is on, where the chosen one is `raised`.
    pub fn half_raised(&self) -> Color32 {
        self.raised.gamma_multiply(0.5)
    }

    /// Behind the row of a menu that the pointer is on.
    pub fn row_hovered(&self) -> Color32 {
        self.hairline.gamma_multiply(0.6)
    }

    /// A line in the accent that should not shout: around the chosen card, under links.
    pub fn accent_line(&self) -> Color32 {
        self.accent.gamma_multiply(0.55)
    }

    /// Behind the match that is shown of what was found.
    pub fn found_now(&self) -> Color32 {
        self.accent.gamma_multiply(0.55)
    }

    /// Keys on the accent, beside the text.
    pub fn keys_on_accent(&self) -> Color32 {
        self.on_accent.gamma_multiply(0.75)
    }
}

/// The colour of what cannot be used now, instead of `color`.
pub fn disabled(color: Color32) -> Color32 {
    color.gamma_multiply(0.5)
}

#[expect(clippy::disallowed_methods, reason = "this is where colours live")]
const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// `over` at `percent` opacity on `under`, as an opaque colour.
const fn mix(under: u32, over: u32, percent: u32) -> Color32 {
    let mut hex = 0;
    let mut shift = 0;
    while shift < 24 {
        let (a, b) = ((under >> shift) & 0xff, (over >> shift) & 0xff);
        hex |= ((a * (100 - percent) + b * percent + 50) / 100) << shift;
        shift += 8;
    }
    rgb(hex)
}

const DARK: Palette = Palette {
    background: rgb(0x171614),
    panel: rgb(0x1E1C1A),
    raised: rgb(0x2A2724),
    hairline: rgb(0x35312D),
    hairline_strong: rgb(0x4A453F),
    text: rgb(0xEDE8E1),
    muted: rgb(0xA39B91),
    accent: rgb(0xE8834A),
    accent_hovered: rgb(0xF0935D),
    on_accent: rgb(0x1D130C),
    generated: mix(0x171614, 0xE8834A, 17),
    generated_strong: mix(0x171614, 0xE8834A, 26),
    selected_text: mix(0x171614, 0x7F9CB7, 40),
    found: mix(0x171614, 0xD8B24A, 38),
    second: rgb(0x7F9CB7),
    track: rgb(0x35312D),
    handle: rgb(0xEDE8E1),
    error: rgb(0xF07A6B),
    warning: rgb(0xE0B45C),
    scrim: Color32::from_black_alpha(140),
    shadow: Color32::from_black_alpha(110),
};

const LIGHT: Palette = Palette {
    background: rgb(0xFBF9F5),
    panel: rgb(0xF4F0E9),
    raised: rgb(0xFFFFFF),
    hairline: rgb(0xE2DBD1),
    hairline_strong: rgb(0xC9C0B4),
    text: rgb(0x26221E),
    muted: rgb(0x6B635A),
    accent: rgb(0xC2551A),
    accent_hovered: rgb(0xAE4A13),
    on_accent: rgb(0xFFFFFF),
    generated: mix(0xFBF9F5, 0xC2551A, 12),
    generated_strong: mix(0xFBF9F5, 0xC2551A, 20),
    selected_text: mix(0xFBF9F5, 0x4F7396, 32),
    found: mix(0xFBF9F5, 0xD9A400, 38),
    second: rgb(0x4F7396),
    track: rgb(0xE2DBD1),
    handle: rgb(0x26221E),
    error: rgb(0xB3261E),
    warning: rgb(0x8A5A00),
    scrim: Color32::from_black_alpha(70),
    shadow: Color32::from_black_alpha(36),
};

/// The colours of `theme`.
pub fn palette_of(theme: Theme) -> &'static Palette {
    match theme {
        Theme::Dark => &DARK,
        Theme::Light => &LIGHT,
    }
}

/// The colours in use.
pub fn palette(ui: &Ui) -> &'static Palette {
    palette_of(if ui.visuals().dark_mode { Theme::Dark } else { Theme::Light })
}

/// White and black keys of a piano.
pub fn piano_keys(ui: &Ui) -> (Color32, Color32) {
    let dark = ui.visuals().dark_mode;
    if dark { (rgb(0xF3EEE7), rgb(0x171614)) } else { (rgb(0xFFFFFF), rgb(0x26221E)) }
}

/// Small print on a white key.
pub fn on_white_key() -> Color32 {
    rgb(0x6B635A)
}

/// The colour of a level in a spectrogram, from nothing to the loudest; the same in both themes, and brighter throughout.
pub fn spectrum(level: u8) -> Color32 {
    const STOPS: [[f32; 3]; 6] = [
        [13.0, 8.0, 24.0],
        [44.0, 14.0, 74.0],
        [112.0, 25.0, 110.0],
        [196.0, 62.0, 83.0],
        [242.0, 140.0, 62.0],
        [252.0, 236.0, 176.0],
    ];
    let at = f32::from(level) / 255.0 * (STOPS.len() - 1) as f32;
    let (below, share) = ((at as usize).min(STOPS.len() - 2), at.fract());
    let share = if at as usize > below { 1.0 } else { share };
    let [r, g, b] = std::array::from_fn(|i| STOPS[below][i] + (STOPS[below + 1][i] - STOPS[below][i]) * share);
    rgb((r as u32) << 16 | (g as u32) << 8 | b as u32)
}

/// The hairline.
pub fn hairline(ui: &Ui) -> Stroke {
    Stroke::new(1.0, palette(ui).hairline)
}

/// 20/600: the title of a page.
pub fn title() -> FontId {
    FontId::new(20.0, fonts::semibold())
}

/// 14: what controls say.
pub fn body() -> FontId {
    FontId::new(14.0, FontFamily::Proportional)
}

/// 14/500: the filled button.
pub fn body_medium() -> FontId {
    FontId::new(14.0, fonts::semibold())
}

/// 13: rows.
pub fn row() -> FontId {
    FontId::new(13.0, FontFamily::Proportional)
}

/// 13/500: rows that stand out.
pub fn row_medium() -> FontId {
    FontId::new(13.0, fonts::medium())
}

/// 12/600: section heads.
pub fn section() -> FontId {
    FontId::new(12.0, fonts::semibold())
}

/// 12: small print.
pub fn small() -> FontId {
    FontId::new(12.0, FontFamily::Proportional)
}

/// 11: the labels of the rail.
pub fn tiny() -> FontId {
    FontId::new(11.0, FontFamily::Proportional)
}

/// 12 in monospace: numbers and tokens.
pub fn number() -> FontId {
    FontId::new(12.0, FontFamily::Monospace)
}

/// 11 in monospace: keys beside names.
pub fn key() -> FontId {
    FontId::new(11.0, FontFamily::Monospace)
}

/// 16: the document.
pub fn document() -> FontId {
    FontId::new(DOCUMENT_SIZE, FontFamily::Proportional)
}

/// Gives `ctx` both styles; the preference chooses between them.
pub fn install(ctx: &Context) {
    ctx.set_style_of(Theme::Dark, style(Theme::Dark));
    ctx.set_style_of(Theme::Light, style(Theme::Light));
}

fn style(theme: Theme) -> Style {
    let mut style = theme.default_style();
    style.text_styles = [
        (TextStyle::Heading, title()),
        // What egui itself writes: tooltips.
        (TextStyle::Body, row()),
        (TextStyle::Button, body()),
        (TextStyle::Small, small()),
        (TextStyle::Monospace, number()),
    ]
    .into();
    style.drag_value_text_style = TextStyle::Monospace;
    style.animation_time = MOTION_S;
    style.spacing = spacing();
    style.interaction.tooltip_delay = 0.45;
    style.interaction.selectable_labels = false;
    set_visuals(&mut style, palette_of(theme), theme);
    style
}

fn spacing() -> Spacing {
    Spacing {
        item_spacing: Vec2::new(8.0, 8.0),
        window_margin: Margin::same(12),
        menu_margin: Margin::same(6),
        button_padding: Vec2::new(12.0, 4.0),
        interact_size: Vec2::new(32.0, ROW_HEIGHT),
        slider_rail_height: 4.0,
        icon_width: 16.0,
        icon_width_inner: 10.0,
        icon_spacing: 8.0,
        tooltip_width: 320.0,
        menu_width: 320.0,
        scroll: ScrollStyle {
            bar_width: 8.0,
            floating_width: 3.0,
            handle_min_length: 28.0,
            bar_inner_margin: 2.0,
            bar_outer_margin: 2.0,
            dormant_handle_opacity: 0.0,
            active_handle_opacity: 0.5,
            interact_handle_opacity: 0.8,
            active_background_opacity: 0.0,
            interact_background_opacity: 0.0,
            ..ScrollStyle::floating()
        },
        ..Spacing::default()
    }
}

fn set_visuals(style: &mut Style, palette: &Palette, theme: Theme) {
    let visuals = &mut style.visuals;
    visuals.dark_mode = theme == Theme::Dark;
    visuals.widgets = widgets(palette);
    visuals.weak_text_color = Some(palette.muted);
    visuals.selection = Selection { bg_fill: palette.selected_text, stroke: Stroke::new(1.0, palette.text) };
    visuals.hyperlink_color = palette.accent;
    visuals.faint_bg_color = palette.panel;
    visuals.extreme_bg_color = palette.panel;
    visuals.text_edit_bg_color = Some(palette.panel);
    visuals.code_bg_color = palette.panel;
    visuals.warn_fg_color = palette.warning;
    visuals.error_fg_color = palette.error;
    visuals.window_corner_radius = CornerRadius::same(CARD_RADIUS);
    visuals.menu_corner_radius = CornerRadius::same(CARD_RADIUS);
    visuals.window_fill = palette.raised;
    visuals.window_stroke = Stroke::new(1.0, palette.hairline);
    visuals.panel_fill = palette.background;
    visuals.window_shadow = Shadow { offset: [0, 12], blur: 40, spread: 0, color: palette.shadow };
    visuals.popup_shadow = Shadow { offset: [0, 6], blur: 20, spread: 0, color: palette.shadow };
    visuals.text_cursor = TextCursorStyle {
        stroke: Stroke::new(2.0, palette.accent),
        preview: false,
        // A blinking caret would repaint the idle window for ever.
        blink: false,
        ..TextCursorStyle::default()
    };
    visuals.slider_trailing_fill = true;
    visuals.handle_shape = HandleShape::Circle;
    visuals.disabled_alpha = 0.45;
}

fn widgets(palette: &Palette) -> Widgets {
    let of = |fill: Color32, weak: Color32, line: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: weak,
        bg_stroke: Stroke::new(1.0, line),
        corner_radius: CornerRadius::same(RADIUS),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    Widgets {
        noninteractive: of(palette.panel, palette.background, palette.hairline, palette.text),
        inactive: of(palette.track, palette.panel, palette.hairline, palette.text),
        hovered: of(palette.hairline_strong, palette.raised, palette.hairline_strong, palette.text),
        active: of(palette.hairline_strong, palette.raised, palette.accent, palette.text),
        open: of(palette.raised, palette.raised, palette.hairline_strong, palette.text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2 relative luminance.
    fn luminance(color: Color32) -> f64 {
        let linear = |byte: u8| {
            let c = f64::from(byte) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_stands_out_by_4_5_to_1_in_both_themes() {
        for theme in [Theme::Dark, Theme::Light] {
            let p = palette_of(theme);
            for under in [p.background, p.panel, p.raised, p.generated] {
                for over in [p.text, p.muted] {
                    let ratio = contrast(over, under);
                    assert!(ratio >= 4.5, "{theme:?}: {over:?} on {under:?} is {ratio:.2}");
                }
            }
            for (over, under) in [
                (p.on_accent, p.accent),
                (p.on_accent, p.accent_hovered),
                (p.text, p.selected_text),
                (p.text, p.found),
                (p.text, p.generated_strong),
                (p.error, p.background),
                (p.error, p.raised),
                (p.warning, p.background),
            ] {
                let ratio = contrast(over, under);
                assert!(ratio >= 4.5, "{theme:?}: {over:?} on {under:?} is {ratio:.2}");
            }
        }
    }

    #[test]
    fn the_tables_of_the_look_are_kept() {
        assert_eq!(DARK.generated.to_array(), [59, 41, 29, 255]);
        assert_eq!(LIGHT.accent.to_hex(), "#c2551aff");
    }
}
