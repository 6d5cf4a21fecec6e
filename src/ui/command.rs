//! What the user can ask for: its name, its explanation, its icon and its keys live here, on the command.
//! Pages only send commands; `app` executes them, in one place.

use egui::{Context, Key as KeyName, KeyboardShortcut, Modifiers, os::OperatingSystem};

use super::{
    icons::Icon,
    text::{Key, t},
};
use crate::Lang;

/// Something the user can ask for by button or by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Write at the cursor, or send the message.
    Generate,
    /// Stop what runs.
    Stop,
    /// Write the last generation again.
    Regenerate,
    /// The next version of the last generation.
    NextVariant,
    /// The version before.
    PreviousVariant,
    /// Take back.
    Undo,
    /// Bring back.
    Redo,
    /// An empty document.
    NewDocument,
    /// Open a text file.
    OpenFile,
    /// Save as a file.
    SaveFile,
    /// Save under another name.
    SaveFileAs,
    /// Find in the document.
    Find,
    /// Lay the Markdown out.
    Preview,
    /// The versions side by side.
    Compare,
    /// To the first of the tasks.
    Tasks,
    /// Another seed.
    NewSeed,
    /// From the notebook to the conversation, and back.
    SwitchMode,
    /// Show or hide the documents.
    ToggleDocuments,
    /// Show or hide the inspector.
    ToggleInspector,
    /// Open a model file.
    OpenModel,
    /// The Write page.
    GoWrite,
    /// The Paint page.
    GoPaint,
    /// The Sound page.
    GoSound,
    /// The Models page.
    GoModels,
    /// The Settings page.
    GoSettings,
    /// The sheet of shortcuts.
    Shortcuts,
    /// A larger interface.
    ZoomIn,
    /// A smaller interface.
    ZoomOut,
    /// The normal size.
    ZoomReset,
    /// Close the window.
    Quit,
}

/// Where a command means something: it does nothing to what is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On every page.
    Anywhere,
    /// On the pages where something is made.
    Work,
    /// On the Write page.
    Write,
    /// On the Write page, with the notebook shown.
    Notebook,
    /// Where changes can be taken back: in the notebook, and of takes.
    Changes,
    /// On the pages with a list at the left.
    Lists,
}

impl Command {
    /// Where it means something.
    pub fn place(self) -> Place {
        match self {
            Self::NextVariant | Self::PreviousVariant | Self::Find | Self::Preview | Self::Compare | Self::Tasks => {
                Place::Notebook
            }
            Self::Undo | Self::Redo => Place::Changes,
            Self::ToggleDocuments => Place::Lists,
            Self::Generate | Self::SaveFile => Place::Work,
            Self::Regenerate | Self::SaveFileAs | Self::NewSeed | Self::SwitchMode | Self::ToggleInspector => {
                Place::Write
            }
            Self::Stop
            | Self::NewDocument
            | Self::OpenFile
            | Self::OpenModel
            | Self::GoWrite
            | Self::GoPaint
            | Self::GoSound
            | Self::GoModels
            | Self::GoSettings
            | Self::Shortcuts
            | Self::ZoomIn
            | Self::ZoomOut
            | Self::ZoomReset
            | Self::Quit => Place::Anywhere,
        }
    }

    /// Every command, as the sheet of shortcuts lists them.
    pub const ALL: &[Self] = &[
        Self::Generate,
        Self::Stop,
        Self::Regenerate,
        Self::NextVariant,
        Self::PreviousVariant,
        Self::Compare,
        Self::Tasks,
        Self::NewSeed,
        Self::SwitchMode,
        Self::Undo,
        Self::Redo,
        Self::Find,
        Self::Preview,
        Self::NewDocument,
        Self::OpenFile,
        Self::SaveFile,
        Self::SaveFileAs,
        Self::OpenModel,
        Self::ToggleDocuments,
        Self::ToggleInspector,
        Self::GoWrite,
        Self::GoPaint,
        Self::GoSound,
        Self::GoModels,
        Self::GoSettings,
        Self::Shortcuts,
        Self::ZoomIn,
        Self::ZoomOut,
        Self::ZoomReset,
        Self::Quit,
    ];

    /// Its name and what it does.
    fn words(self) -> (Key, Key) {
        match self {
            Self::Generate => (Key::Generate, Key::GenerateTip),
            Self::Stop => (Key::Stop, Key::StopTip),
            Self::Regenerate => (Key::Regenerate, Key::RegenerateTip),
            Self::NextVariant => (Key::NextVariant, Key::VariantTip),
            Self::PreviousVariant => (Key::PreviousVariant, Key::VariantTip),
            Self::Undo => (Key::Undo, Key::UndoTip),
            Self::Redo => (Key::Redo, Key::RedoTip),
            Self::NewDocument => (Key::NewDocument, Key::NewDocumentTip),
            Self::OpenFile => (Key::OpenFile, Key::OpenFileTip),
            Self::SaveFile => (Key::SaveFile, Key::SaveFileTip),
            Self::SaveFileAs => (Key::SaveFileAs, Key::SaveFileAsTip),
            Self::Find => (Key::Find, Key::FindTip),
            Self::Preview => (Key::Preview, Key::PreviewTip),
            Self::Compare => (Key::Compare, Key::CompareTip),
            Self::Tasks => (Key::Tasks, Key::TasksKeyTip),
            Self::NewSeed => (Key::NewSeed, Key::NewSeedTip),
            Self::SwitchMode => (Key::SwitchMode, Key::SwitchModeTip),
            Self::ToggleDocuments => (Key::ToggleDocuments, Key::ToggleDocumentsTip),
            Self::ToggleInspector => (Key::ToggleInspector, Key::ToggleInspectorTip),
            Self::OpenModel => (Key::OpenModel, Key::OpenModelTip),
            Self::GoWrite => (Key::Write, Key::GoWriteTip),
            Self::GoPaint => (Key::Paint, Key::GoPaintTip),
            Self::GoSound => (Key::Sound, Key::GoSoundTip),
            Self::GoModels => (Key::Models, Key::GoModelsTip),
            Self::GoSettings => (Key::Settings, Key::GoSettingsTip),
            Self::Shortcuts => (Key::Shortcuts, Key::ShortcutsTip),
            Self::ZoomIn => (Key::ZoomIn, Key::ZoomIn),
            Self::ZoomOut => (Key::ZoomOut, Key::ZoomOut),
            Self::ZoomReset => (Key::ZoomReset, Key::ZoomReset),
            Self::Quit => (Key::Quit, Key::QuitTip),
        }
    }

    /// Its name.
    pub fn label(self, lang: Lang) -> &'static str {
        t(lang, self.words().0)
    }

    /// What it does, in one sentence.
    pub fn tooltip(self, lang: Lang) -> &'static str {
        t(lang, self.words().1)
    }

    /// Its icon.
    pub fn icon(self) -> Icon {
        match self {
            Self::Generate => Icon::Sparkles,
            Self::Stop => Icon::Stop,
            Self::Regenerate => Icon::Regenerate,
            Self::NextVariant => Icon::ChevronRight,
            Self::PreviousVariant => Icon::Undo,
            Self::Undo => Icon::Undo,
            Self::Redo => Icon::Redo,
            Self::NewDocument => Icon::Plus,
            Self::OpenFile | Self::OpenModel => Icon::Open,
            Self::SaveFile => Icon::Save,
            Self::SaveFileAs => Icon::SaveAs,
            Self::Find => Icon::Search,
            Self::Preview => Icon::Preview,
            Self::Compare => Icon::Compare,
            Self::Tasks => Icon::Sparkles,
            Self::NewSeed => Icon::Dice,
            Self::SwitchMode => Icon::Chat,
            Self::ToggleDocuments => Icon::PanelLeft,
            Self::ToggleInspector => Icon::PanelRight,
            Self::GoWrite => Icon::Write,
            Self::GoPaint => Icon::Paint,
            Self::GoSound => Icon::Sound,
            Self::GoModels => Icon::Models,
            Self::GoSettings => Icon::Settings,
            Self::Shortcuts => Icon::Keyboard,
            Self::ZoomIn => Icon::Plus,
            Self::ZoomOut => Icon::Minus,
            Self::ZoomReset => Icon::Reset,
            Self::Quit => Icon::Close,
        }
    }

    /// Its keys; the first is the one that is shown.
    pub fn shortcuts(self) -> Vec<KeyboardShortcut> {
        const CTRL: Modifiers = Modifiers::COMMAND;
        const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);
        let keys: &[(Modifiers, KeyName)] = match self {
            Self::Generate => &[(CTRL, KeyName::Enter)],
            Self::Stop => &[(Modifiers::NONE, KeyName::Escape)],
            Self::Regenerate => &[(CTRL, KeyName::R)],
            Self::NextVariant => &[(Modifiers::ALT, KeyName::PageDown)],
            Self::PreviousVariant => &[(Modifiers::ALT, KeyName::PageUp)],
            Self::Undo => &[(CTRL, KeyName::Z)],
            Self::Redo => &[(CTRL_SHIFT, KeyName::Z), (CTRL, KeyName::Y)],
            Self::NewDocument => &[(CTRL, KeyName::N)],
            Self::OpenFile => &[(CTRL, KeyName::O)],
            Self::SaveFile => &[(CTRL, KeyName::S)],
            Self::SaveFileAs => &[(CTRL_SHIFT, KeyName::S)],
            Self::Find => &[(CTRL, KeyName::F)],
            Self::Preview => &[(CTRL_SHIFT, KeyName::P)],
            Self::Compare => &[(CTRL, KeyName::D)],
            Self::Tasks => &[(CTRL, KeyName::T)],
            Self::NewSeed => &[(CTRL_SHIFT, KeyName::R)],
            Self::SwitchMode => &[(CTRL, KeyName::M)],
            Self::ToggleDocuments => &[(CTRL, KeyName::Backslash)],
            Self::ToggleInspector => &[(CTRL_SHIFT, KeyName::I)],
            Self::OpenModel => &[(CTRL_SHIFT, KeyName::O)],
            Self::GoWrite => &[(CTRL, KeyName::Num1)],
            Self::GoPaint => &[(CTRL, KeyName::Num2)],
            Self::GoSound => &[(CTRL, KeyName::Num3)],
            Self::GoModels => &[(CTRL, KeyName::Num4)],
            Self::GoSettings => &[(CTRL, KeyName::Comma)],
            Self::Shortcuts => &[(Modifiers::NONE, KeyName::F1)],
            Self::ZoomIn => &[(CTRL, KeyName::Plus), (CTRL, KeyName::Equals)],
            Self::ZoomOut => &[(CTRL, KeyName::Minus)],
            Self::ZoomReset => &[(CTRL, KeyName::Num0)],
            Self::Quit => &[(CTRL, KeyName::Q)],
        };
        keys.iter().map(|(modifiers, key)| KeyboardShortcut::new(*modifiers, *key)).collect()
    }

    /// The keys as they are shown: `Ctrl ⏎`.
    pub fn keys(self, os: OperatingSystem) -> String {
        let Some(shortcut) = self.shortcuts().into_iter().next() else {
            return String::new();
        };
        let Modifiers { alt, shift, command, .. } = shortcut.modifiers;
        let mac = os == OperatingSystem::Mac;
        let names = [(command, "Ctrl", "Cmd"), (alt, "Alt", "Opt"), (shift, "Shift", "Shift")];
        let mut keys: Vec<&str> =
            names.iter().filter(|name| name.0).map(|name| if mac { name.2 } else { name.1 }).collect();
        keys.push(match shortcut.logical_key {
            KeyName::Enter => "Enter",
            KeyName::Escape => "Esc",
            KeyName::Backslash => "\\",
            KeyName::Comma => ",",
            KeyName::Plus => "+",
            KeyName::Minus => "−",
            KeyName::PageUp => "PgUp",
            KeyName::PageDown => "PgDn",
            key => key.symbol_or_name(),
        });
        keys.join(" ")
    }

    /// What a tooltip says: the sentence, and the keys.
    pub fn hint(self, lang: Lang, os: OperatingSystem) -> String {
        format!("{}  ({})", self.tooltip(lang), self.keys(os))
    }

    /// The commands whose keys were pressed since the last frame. Longer combinations win over shorter ones.
    pub fn pressed(ctx: &Context, wanted: impl Fn(Self) -> bool) -> Vec<Self> {
        let mut shortcuts: Vec<(KeyboardShortcut, Self)> = Self::ALL
            .iter()
            .filter(|command| wanted(**command))
            .flat_map(|command| command.shortcuts().into_iter().map(|shortcut| (shortcut, *command)))
            .collect();
        shortcuts.sort_by_key(|(shortcut, _)| !(shortcut.modifiers.shift || shortcut.modifiers.alt));
        ctx.input_mut(|input| {
            shortcuts.iter().filter(|(keys, _)| input.consume_shortcut(keys)).map(|(_, command)| *command).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fonts;

    #[test]
    fn no_two_commands_share_a_key() {
        let mut seen = std::collections::HashMap::new();
        for command in Command::ALL {
            assert!(!command.shortcuts().is_empty(), "{command:?} has no key");
            for keys in command.shortcuts() {
                let before = seen.insert((keys.modifiers, keys.logical_key), command);
                assert_eq!(before, None, "{command:?}: {keys:?}");
            }
            for os in [OperatingSystem::Nix, OperatingSystem::Mac] {
                assert_eq!(fonts::missing(&command.keys(os)), "", "{command:?}");
            }
        }
    }

    #[test]
    fn shift_is_not_taken_for_the_plain_key() {
        let ctx = Context::default();
        let press = |modifiers| egui::RawInput {
            events: vec![egui::Event::Key {
                key: KeyName::Z,
                physical_key: None,
                pressed: true,
                repeat: false,
                modifiers,
            }],
            ..Default::default()
        };
        for (modifiers, want) in
            [(Modifiers::COMMAND, Command::Undo), (Modifiers::COMMAND | Modifiers::SHIFT, Command::Redo)]
        {
            let mut found = Vec::new();
            let mut output = ctx.run_ui(press(modifiers), |ui| found.extend(Command::pressed(ui.ctx(), |_| true)));
            output.textures_delta.clear();
            assert_eq!(found, [want]);
        }
    }
}
