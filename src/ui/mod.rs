//! The window's pages and widgets. They draw view state and answer with commands and actions; they know no
//! networks, threads or files.

pub mod command;
pub mod editor;
pub mod fonts;
pub mod icons;
pub mod models;
pub mod paint;
pub mod preferences;
pub mod settings;
pub mod shell;
pub mod sound;
pub mod state;
pub mod status;
pub mod text;
pub mod theme;
pub mod toasts;
pub mod widgets;
pub mod write;

pub use command::Command;
pub use icons::Icon;
pub use text::{Key, t};
