//! The faces that ship with the studio, and the families the theme asks for.

use std::sync::Arc;

use egui::{Context, FontData, FontDefinitions, FontFamily};

const INTER: &[u8] = include_bytes!("../../assets/fonts/Inter-Regular.otf");
const INTER_MEDIUM: &[u8] = include_bytes!("../../assets/fonts/Inter-Medium.otf");
const INTER_SEMIBOLD: &[u8] = include_bytes!("../../assets/fonts/Inter-SemiBold.otf");
const JETBRAINS_MONO: &[u8] = include_bytes!("../../assets/fonts/JetBrainsMono-Regular.ttf");
const NOTO_SANS_SC: &[u8] = include_bytes!("../../assets/fonts/NotoSansSC-Regular.otf");
const NOTO_SANS_SC_BOLD: &[u8] = include_bytes!("../../assets/fonts/NotoSansSC-Bold.otf");

/// The licence texts that go with the faces, for the Settings page.
pub const LICENCES: [(&str, &str); 3] = [
    ("Inter", include_str!("../../assets/fonts/OFL-Inter.txt")),
    ("JetBrains Mono", include_str!("../../assets/fonts/OFL-JetBrainsMono.txt")),
    ("Noto Sans SC", include_str!("../../assets/fonts/OFL-NotoSansSC.txt")),
];

/// The family for weight 500.
pub fn medium() -> FontFamily {
    FontFamily::Name("medium".into())
}

/// The family for weight 600.
pub fn semibold() -> FontFamily {
    FontFamily::Name("semibold".into())
}

/// Gives `ctx` the faces that ship with the studio.
pub fn install(ctx: &Context) {
    ctx.set_fonts(definitions());
}

/// Each family is a Latin face, then the Chinese face of its weight. What neither has comes from the system's faces.
pub fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    for (name, bytes) in [
        ("Inter", INTER),
        ("Inter Medium", INTER_MEDIUM),
        ("Inter SemiBold", INTER_SEMIBOLD),
        ("JetBrains Mono", JETBRAINS_MONO),
        ("Noto Sans SC", NOTO_SANS_SC),
        ("Noto Sans SC Bold", NOTO_SANS_SC_BOLD),
    ] {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    for (family, latin, chinese) in [
        (FontFamily::Proportional, "Inter", "Noto Sans SC"),
        (medium(), "Inter Medium", "Noto Sans SC"),
        (semibold(), "Inter SemiBold", "Noto Sans SC Bold"),
        (FontFamily::Monospace, "JetBrains Mono", "Noto Sans SC"),
    ] {
        fonts.families.insert(family, vec![latin.to_owned(), chinese.to_owned()]);
    }
    fonts
}

/// Characters of `text` that a face which ships with the studio lacks, in every family.
#[cfg(test)]
pub fn missing(text: &str) -> String {
    use egui::epaint::{TextOptions, text::Fonts};
    let mut fonts = Fonts::new(TextOptions::default(), definitions());
    let families = [FontFamily::Proportional, medium(), semibold(), FontFamily::Monospace];
    let lacks = |fonts: &mut Fonts, c: char| {
        families.iter().any(|family| !fonts.has_glyph(&egui::FontId::new(14.0, family.clone()), c))
    };
    text.chars().filter(|c| !c.is_control() && lacks(&mut fonts, *c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faces_have_what_people_type() {
        let typed =
            "The quick brown fox — “quoted”, ‘single’… 1,234 × 5 · é ß Ж λ 你好，世界！《春日短诗》（一）、；：？→←↑↓★";
        assert_eq!(missing(typed), "");
    }

    #[test]
    fn a_rare_character_is_left_to_the_system_fonts() {
        assert_eq!(missing("a\u{20000}b"), "\u{20000}");
    }
}
