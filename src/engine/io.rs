//! The io worker: files, the library, the list of models; and, while nothing else waits, the hashes of opened models.

use std::{
    collections::HashMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crossbeam_channel::{Receiver, TryRecvError, select};

use super::{
    Event, Guard, JobKind, Outcome, SavedSound, UiCommand,
    jobs::{Jobs, Ticket},
    library,
    outbox::Outbox,
};
use crate::{
    Error, Result, catalogue, crash, files,
    formats::{
        audio::Container,
        hash::{sha256_of_bytes, sha256_of_file},
    },
    recipe::{Recipe, TextRecipe},
};

/// The largest text file that is opened as a document.
pub(super) const TEXT_LIMIT_BYTES: u64 = 64 << 20;

pub(super) struct Worker {
    outbox: Outbox,
    jobs: Arc<Jobs>,
    list_models: fn(&[PathBuf]) -> Vec<catalogue::Model>,
}

impl Worker {
    pub(super) fn new(outbox: Outbox, jobs: Arc<Jobs>, list_models: fn(&[PathBuf]) -> Vec<catalogue::Model>) -> Self {
        Self { outbox, jobs, list_models }
    }

    /// Works until `queue` is closed and empty.
    pub(super) fn run(self, queue: &Receiver<Ticket>, hash: &Receiver<PathBuf>) {
        loop {
            select! {
                recv(queue) -> ticket => match ticket {
                    Ok(ticket) => self.job(ticket),
                    Err(_) => return,
                },
                recv(hash) -> path => match path {
                    Ok(path) => self.hash(path, queue, hash),
                    Err(_) => return queue.iter().for_each(|ticket| self.job(ticket)),
                },
            }
        }
    }

    /// Hashes a model's file; jobs that come meanwhile go first, and a newer model replaces this one.
    fn hash(&self, path: PathBuf, queue: &Receiver<Ticket>, newer: &Receiver<PathBuf>) {
        let hashed = sha256_of_file(&path, |_| {
            loop {
                match queue.try_recv() {
                    Ok(ticket) => self.job(ticket),
                    Err(TryRecvError::Empty) => return newer.is_empty(),
                    Err(TryRecvError::Disconnected) => return false,
                }
            }
        });
        // A file that cannot be read any more stays without a hash; whoever needs one for a recipe says so then.
        if let Ok(Some(sha256)) = hashed {
            self.outbox.send(Event::TextModelHashed { path, sha256 });
        }
    }

    fn job(&self, ticket: Ticket) {
        let Ticket { job, command, cancel } = ticket;
        let outcome = if cancel.load(Ordering::Relaxed) {
            Outcome::Cancelled
        } else {
            self.outbox.send(Event::Started { job, kind: JobKind::Files });
            match catch_unwind(AssertUnwindSafe(|| self.work(command, &cancel))) {
                Ok(Ok(Some(event))) => {
                    self.outbox.send(event);
                    Outcome::Finished
                }
                Ok(Ok(None)) => Outcome::Cancelled,
                Ok(Err(error)) => Outcome::Failed(error),
                Err(payload) => Outcome::Failed(crash::caught(("the work with files", "文件操作"), payload)),
            }
        };
        self.jobs.leave(job);
        self.outbox.ended(job, outcome);
    }

    /// The answer to a command; `None` when it was cancelled.
    fn work(&self, command: UiCommand, cancel: &AtomicBool) -> Result<Option<Event>> {
        Ok(match command {
            UiCommand::ReadText { job, path } => {
                // In this order: when the file changes in between, a later saving sees it changed rather than not.
                let text_of = |path: &Path| files::read_text(path, TEXT_LIMIT_BYTES);
                let sha256 =
                    if path.is_file() { sha256_of_file(&path, |_| true)?.unwrap_or_default() } else { String::new() };
                Some(Event::TextRead { job, text: text_of(&path)?, sha256, path })
            }
            UiCommand::WriteFiles { job, files } => {
                files.iter().try_for_each(|(path, bytes)| write(path, bytes))?;
                Some(Event::FilesWritten { job })
            }
            UiCommand::SaveText { job, path, text, recipe, guard } => {
                if !allows(&guard, &path, &text) {
                    return Ok(Some(Event::TextNotSaved { job, path }));
                }
                let recipe = Recipe::of_text(&text, with_hashes(*recipe).without_unknown_models(&text));
                make_folder(&path)?;
                recipe.save(&path, &text)?;
                Some(Event::TextSaved { job, path, sha256: recipe.sha256 })
            }
            UiCommand::SaveSound { job, path, sound } => {
                let SavedSound { clip, depth, recipe } = *sound;
                let kind = Container::of(&path)?;
                let recipe = Recipe::of_sound(&clip.samples, recipe);
                let bytes = recipe.to_sound(kind, &clip.samples, clip.sample_rate_hz, depth)?;
                write(&path, &bytes)?;
                Some(Event::SoundSaved { job, path })
            }
            UiCommand::RemoveFiles { job, files } => {
                files.iter().try_for_each(|path| remove(path))?;
                Some(Event::FilesRemoved { job })
            }
            UiCommand::MoveFiles { job, moves } => {
                for (from, to) in &moves {
                    make_folder(to)?;
                    fs::rename(from, to).map_err(|why| Error::file(("move", "移动"), from, &why))?;
                }
                Some(Event::FilesMoved { job })
            }
            UiCommand::ReadLibrary { job, folder } => library::read(&folder, cancel)?
                .map(|library::Found { documents, damaged }| Event::LibraryRead { job, documents, damaged }),
            UiCommand::ListModels { job, opened } => {
                let models = (self.list_models)(&opened);
                Some(Event::ModelsListed { job, models })
            }
            // `Engine::send` hands over no other commands.
            _ => None,
        })
    }
}

/// Writes a file whole, in a folder that is made if it is missing.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    make_folder(path)?;
    files::write_whole(path, bytes)
}

fn make_folder(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::create_dir_all(folder).map_err(|why| Error::file(("make", "创建"), folder, &why)),
        None => Ok(()),
    }
}

/// Whether `text` may take the place of what is at `path`.
fn allows(guard: &Guard, path: &Path, text: &str) -> bool {
    match guard {
        Guard::Any => true,
        // One that cannot be read is left to the writing, which says why.
        Guard::Same(sha256) => match sha256_of_file(path, |_| true) {
            Ok(Some(found)) => found == *sha256 || found == sha256_of_bytes(text.as_bytes()),
            _ => true,
        },
    }
}

/// The recipe with the hashes of the models that wrote before theirs were known, where their files are still there.
fn with_hashes(mut recipe: TextRecipe) -> TextRecipe {
    let mut known: HashMap<String, String> = HashMap::new();
    for generation in recipe.generations.iter_mut().filter(|generation| generation.model.sha256.is_empty()) {
        let name = &generation.model.name;
        let hash = || {
            let found = catalogue::find(name).ok()?;
            sha256_of_file(&found.path, |_| true).ok()?
        };
        generation.model.sha256 = known.entry(name.clone()).or_insert_with(|| hash().unwrap_or_default()).clone();
    }
    recipe
}

/// Removes a file; one that is not there is as good as removed.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(Error::file(("remove", "删除"), path, &why)),
        _ => Ok(()),
    }
}
