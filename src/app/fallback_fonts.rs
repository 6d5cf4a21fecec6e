//! Faces of the system for characters that the shipped ones lack: searched and read on a thread. A frame never waits
//! for one; the character appears when its face is there.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use egui::{
    Context, FontData, FontFamily,
    epaint::text::{FallbackRequest, FontInsert, FontPriority, FontProvider, InsertFontFamily},
};
use fontdb::{Database, ID, Source};
use skrifa::{FontRef, MetadataProvider as _};

use crate::ui::fonts;

/// Faces larger than this are passed over.
const LIMIT_BYTES: u64 = 64 << 20;
/// Characters that may wait; more of them at once have no glyph until the fonts change.
const CAPACITY: usize = 256;

/// The search; joined when dropped.
pub struct Search {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    /// Wakes the thread: a character to look for, or nothing when it is to stop.
    wanted: Sender<Option<char>>,
}

impl Search {
    /// Begins to look for the faces of the system. Without a thread there are simply none.
    pub fn begin(ctx: Context) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (wanted, waiting) = bounded(CAPACITY);
        let (stopped, asking) = (stop.clone(), wanted.clone());
        let search = move || {
            let mut faces = Database::new();
            faces.load_system_fonts();
            if !stopped.load(Ordering::Relaxed) && !faces.is_empty() {
                ctx.add_font_provider(Arc::new(Asker { wanted: asking, asked: Mutex::default() }));
                ctx.request_repaint();
                find(&ctx, &SystemFaces { faces }, &waiting, &stopped);
            }
        };
        let thread = std::thread::Builder::new().name("atelier-fonts".to_owned()).spawn(search).ok();
        Self { thread, stop, wanted }
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // When it is full the thread is awake, and sees the flag.
        let _ = self.wanted.try_send(None);
        if let Some(thread) = self.thread.take() {
            // It cannot have failed in a way that matters now.
            let _ = thread.join();
        }
    }
}

/// Finds a face for each character that is asked for, and adds it.
fn find(ctx: &Context, faces: &SystemFaces, waiting: &Receiver<Option<char>>, stop: &AtomicBool) {
    let mut added: HashSet<ID> = HashSet::new();
    while let Ok(Some(wanted)) = waiting.recv() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let Some((face, insert)) = faces.face_for(wanted) else { continue };
        if added.insert(face) {
            ctx.add_font(insert);
            ctx.request_repaint();
        }
    }
}

/// Passes on which characters have no glyph.
struct Asker {
    wanted: Sender<Option<char>>,
    asked: Mutex<HashSet<char>>,
}

impl FontProvider for Asker {
    fn font_for(&self, request: &FallbackRequest<'_>) -> Option<FontInsert> {
        let wanted = request.cluster.chars().next()?;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.contains(&wanted) && self.wanted.try_send(Some(wanted)).is_ok() {
            asked.insert(wanted);
        }
        None
    }
}

struct SystemFaces {
    faces: Database,
}

impl SystemFaces {
    /// A face with this character, for all families of the window.
    fn face_for(&self, wanted: char) -> Option<(ID, FontInsert)> {
        let face = self.faces.faces().filter(|face| !face.monospaced).find(|face| self.has(face.id, wanted))?;
        let (source, index) = self.faces.face_source(face.id)?;
        let bytes = match source {
            Source::File(path) if std::fs::metadata(&path).ok()?.len() <= LIMIT_BYTES => std::fs::read(path).ok()?,
            Source::Binary(bytes) => bytes.as_ref().as_ref().to_vec(),
            Source::File(_) => return None,
        };
        let mut data = FontData::from_owned(bytes);
        data.index = index;
        let families = [FontFamily::Proportional, FontFamily::Monospace, fonts::medium(), fonts::semibold()];
        let families = families.map(|family| InsertFontFamily { family, priority: FontPriority::Lowest });
        let insert =
            FontInsert { name: format!("{} {index}", face.post_script_name), data, families: families.to_vec() };
        Some((face.id, insert))
    }

    fn has(&self, face: ID, wanted: char) -> bool {
        let found = self.faces.with_face_data(face, |bytes, index| {
            let face = FontRef::from_index(bytes, index).ok()?;
            face.charmap().map(wanted).filter(|glyph| glyph.to_u32() != 0)
        });
        found.flatten().is_some()
    }
}
