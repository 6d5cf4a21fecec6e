//! Faces of the system for characters that the shipped ones lack: searched on a thread, after the window stands.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use egui::{
    Context, FontData,
    epaint::text::{FallbackRequest, FontInsert, FontPriority, FontProvider, InsertFontFamily},
};
use fontdb::{Database, ID, Source};
use skrifa::{FontRef, MetadataProvider as _};

/// Faces larger than this are passed over.
const LIMIT_BYTES: u64 = 64 << 20;

/// The search; joined when dropped.
pub struct Search {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Search {
    /// Begins to look for the faces of the system. Without a thread there are simply none.
    pub fn begin(ctx: Context) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let search = move || {
            let mut faces = Database::new();
            faces.load_system_fonts();
            if !stopped.load(Ordering::Relaxed) && !faces.is_empty() {
                ctx.add_font_provider(Arc::new(SystemFaces { faces }));
            }
        };
        let thread = std::thread::Builder::new().name("atelier-fonts".to_owned()).spawn(search).ok();
        Self { thread, stop }
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot have failed in a way that matters now.
            let _ = thread.join();
        }
    }
}

struct SystemFaces {
    faces: Database,
}

impl FontProvider for SystemFaces {
    fn font_for(&self, request: &FallbackRequest<'_>) -> Option<FontInsert> {
        let wanted = request.cluster.chars().next()?;
        let face = self.faces.faces().filter(|face| !face.monospaced).find(|face| self.has(face.id, wanted))?;
        let (source, index) = self.faces.face_source(face.id)?;
        let bytes = match source {
            Source::File(path) if std::fs::metadata(&path).ok()?.len() <= LIMIT_BYTES => std::fs::read(path).ok()?,
            Source::Binary(bytes) => bytes.as_ref().as_ref().to_vec(),
            Source::File(_) => return None,
        };
        let mut data = FontData::from_owned(bytes);
        data.index = index;
        let family = InsertFontFamily { family: request.family.clone(), priority: FontPriority::Lowest };
        Some(FontInsert { name: format!("{} {index}", face.post_script_name), data, families: vec![family] })
    }
}

impl SystemFaces {
    fn has(&self, face: ID, wanted: char) -> bool {
        let found = self.faces.with_face_data(face, |bytes, index| {
            let face = FontRef::from_index(bytes, index).ok()?;
            face.charmap().map(wanted).filter(|glyph| glyph.to_u32() != 0)
        });
        found.flatten().is_some()
    }
}
