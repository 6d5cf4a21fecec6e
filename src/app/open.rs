//! Opening the window.

use std::{
    sync::{Arc, OnceLock},
    time::{SystemTime, UNIX_EPOCH},
};

use eframe::NativeOptions;
use egui::{Context, ViewportBuilder};

use super::{App, Places, Setup, settings};
use crate::{
    Error, Lang, Result,
    engine::{Engine, Waker},
    ui::preferences::WindowPlace,
};

/// The smallest window that everything fits in.
const SMALLEST: [f32; 2] = [760.0, 520.0];
const USUAL: [f32; 2] = [1280.0, 800.0];

/// Opens the window on the engine that `start` starts with this many threads, and stays until it is closed.
///
/// # Errors
/// When there is no display, or the system gives no window or no threads.
pub fn run(start: impl FnOnce(Waker, usize) -> Result<Engine>) -> Result<()> {
    if !has_display() {
        return Err(Error::new(
            "Could not open the window: there is no display. Start Atelier in a desktop session, or use one of its subcommands (see “atelier --help”).",
            "无法打开窗口：没有显示器。请在桌面环境中启动 Atelier，或使用子命令（见“atelier --help”）。",
        ));
    }
    let places = Places::usual();
    let kept = places.settings.as_deref().map(settings::peek).unwrap_or_default();
    let options = NativeOptions {
        viewport: viewport(kept.window),
        centered: kept.window.position.is_none(),
        ..NativeOptions::default()
    };
    // The engine starts before the window: the model is read while the window is made. It wakes the window once
    // there is one.
    let ctx: Arc<OnceLock<Context>> = Arc::default();
    let woken = ctx.clone();
    let waker = move || {
        if let Some(ctx) = woken.get() {
            ctx.request_repaint();
        }
    };
    let engine = start(Arc::new(waker), kept.threads)?;
    let setup = Setup {
        link: Box::new(engine),
        places,
        system_lang: Lang::from_locale(&sys_locale::get_locale().unwrap_or_default()),
        clock: now_ms,
        memory: resident_bytes,
        system_fonts: true,
    };
    let opened = eframe::run_native(
        "atelier",
        options,
        Box::new(move |creation| {
            // Set once: nobody else has it.
            let _ = ctx.set(creation.egui_ctx.clone());
            Ok(Box::new(App::new(&creation.egui_ctx, setup)))
        }),
    );
    opened.map_err(|why| {
        Error::new(
            format!("Could not open the window: {why}. Check that this session has a working display and OpenGL."),
            format!("无法打开窗口：{why}。请确认当前会话有可用的显示器与 OpenGL。"),
        )
    })
}

fn viewport(window: WindowPlace) -> ViewportBuilder {
    let mut viewport = ViewportBuilder::default()
        .with_title("Atelier")
        .with_app_id("atelier")
        .with_inner_size(window.size.unwrap_or(USUAL))
        .with_min_inner_size(SMALLEST)
        .with_maximized(window.maximized)
        .with_drag_and_drop(true);
    // Without it the window has the system's usual icon, which is no reason not to open.
    if let Ok(icon) = eframe::icon_data::from_png_bytes(include_bytes!("../../assets/icons/atelier.png")) {
        viewport = viewport.with_icon(icon);
    }
    if let Some(position) = window.position {
        viewport = viewport.with_position(position);
    }
    viewport
}

/// Whether there is a screen to open a window on; only Unix desktops can be without.
fn has_display() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    set("DISPLAY") || set("WAYLAND_DISPLAY") || set("WAYLAND_SOCKET")
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Memory of this process that is in use, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
