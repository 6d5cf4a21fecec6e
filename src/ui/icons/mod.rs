//! The icons: one family (Lucide, ISC), drawn as strokes with the painter so that they are sharp at any scale.

mod svg;

use std::sync::LazyLock;

use egui::{Color32, Painter, Pos2, Rect, Sense, Stroke, Ui, Vec2, emath::GuiRounding as _, epaint::PathShape};

macro_rules! icons {
    ($($name:ident $file:literal,)*) => {
        /// An icon.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the names say what is drawn")]
        pub enum Icon { $($name),* }

        impl Icon {
            /// Every icon.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            fn svg(self) -> &'static str {
                match self { $(Self::$name => include_str!(concat!("../../../assets/icons/", $file, ".svg"))),* }
            }
        }
    };
}

icons! {
    Write "pen-line",
    Models "box",
    Paint "image",
    Star "star",
    Sound "audio-lines",
    Settings "settings",
    ChevronDown "chevron-down",
    ChevronRight "chevron-right",
    ChevronUp "chevron-up",
    ChevronLeft "chevron-left",
    Plus "plus",
    Minus "minus",
    Delete "trash-2",
    Close "x",
    Check "check",
    Search "search",
    Copy "copy",
    Regenerate "refresh-cw",
    Stop "square",
    Play "play",
    Open "folder-open",
    Folder "folder",
    Save "save",
    SaveAs "file-down",
    Undo "undo-2",
    Redo "redo-2",
    Preview "eye",
    Sliders "sliders-horizontal",
    PanelLeft "panel-left",
    PanelRight "panel-right",
    Info "info",
    Warning "triangle-alert",
    Error "circle-alert",
    Done "circle-check",
    Chat "message-square",
    Document "file-text",
    NewDocument "file-plus",
    Keyboard "keyboard",
    Dice "dices",
    Locked "lock",
    Unlocked "lock-open",
    More "ellipsis",
    Languages "languages",
    Branch "git-branch",
    Compare "columns-2",
    Tiles "grid-2x2",
    Expand "maximize-2",
    Processor "cpu",
    Send "arrow-up",
    Edit "pencil",
    Reset "rotate-ccw",
    Sparkles "sparkles",
    Help "circle-help",
    Loop "repeat",
    Record "circle-dot",
    Microphone "mic",
    Scissors "scissors",
    Spectrum "chart-line",
}

/// The licence that goes with the icons, for the Settings page.
pub const LICENCE: (&str, &str) = ("Lucide", include_str!("../../../assets/icons/LICENSE"));

/// Points of an icon's lines, in a square of [`SIDE`].
type Lines = Vec<Vec<Pos2>>;

/// The side of the square that icons are drawn in.
const SIDE: f32 = 24.0;

static LINES: LazyLock<Vec<Lines>> = LazyLock::new(|| Icon::ALL.iter().map(|icon| svg::lines(icon.svg())).collect());

impl Icon {
    /// Draws the icon in the middle of `rect`, `size` points high.
    pub fn paint(self, painter: &Painter, rect: Rect, size: f32, color: Color32) {
        let scale = size / SIDE;
        // Whole pixels under the square keep straight lines as sharp as text.
        let corner = rect.center() - Vec2::splat(size / 2.0);
        let origin = corner.round_to_pixels(painter.pixels_per_point());
        let stroke = Stroke::new((1.75 * scale).max(1.1), color);
        for line in &LINES[self as usize] {
            let points: Vec<Pos2> = line.iter().map(|point| origin + point.to_vec2() * scale).collect();
            let (first, last) = (points[0], points[points.len() - 1]);
            if points.len() == 2 && first.distance(last) < stroke.width {
                painter.circle_filled(first, stroke.width * 0.65, color);
            } else if points.len() > 2 && first.distance(last) < 0.05 {
                painter.add(PathShape::closed_line(points[..points.len() - 1].to_vec(), stroke));
            } else {
                painter.add(PathShape::line(points, stroke));
            }
        }
    }

    /// The icon on its own, as an ornament: it takes its square and means nothing to a screen reader.
    pub fn ui(self, ui: &mut Ui, size: f32, color: Color32) {
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(size), Sense::empty());
        self.paint(ui.painter(), rect, size, color);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_icon_has_lines_inside_its_square() {
        for icon in Icon::ALL {
            let lines = &LINES[*icon as usize];
            assert!(!lines.is_empty(), "{icon:?}");
            for point in lines.iter().flatten() {
                let inside = Rect::from_min_size(Pos2::ZERO, Vec2::splat(SIDE)).contains(*point);
                assert!(inside, "{icon:?} at {point:?}");
            }
            assert!(lines.iter().all(|line| line.len() >= 2), "{icon:?}");
        }
    }
}
