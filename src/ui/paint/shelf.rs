//! What the window knows of the gallery's pictures, and which of them are shown: entries of all, pixels of few.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::PictureId;
use crate::engine::{Arrival, Entry, MarkChange, Ordered, Painted, Query};

/// Bytes of whole pictures that are held, besides the few that came last.
const MOST_BYTES: usize = 96 << 20;
/// As many as may be needed at once, and one.
const FEW: usize = 4;

/// The pictures of the gallery.
#[derive(Default)]
pub struct Shelf {
    entries: HashMap<PictureId, Arc<Entry>>,
    by_path: HashMap<PathBuf, PictureId>,
    /// Numbers given so far.
    numbered: PictureId,
    /// What is looked for.
    pub query: Query,
    /// All of them in order, and whether they are others by now.
    ordered: Ordered,
    changed: bool,
    /// What was found, in its order, and what was looked for.
    shown: Vec<PictureId>,
    found: Option<Query>,
    /// How many have a star.
    starred: usize,
    whole: Whole,
    /// The pictures that are chosen together.
    pub several: HashSet<PictureId>,
}

/// Whole pictures that were drawn or fetched lately.
#[derive(Default)]
struct Whole {
    by_id: HashMap<PictureId, (Arc<Painted>, u64)>,
    clock: u64,
    bytes: usize,
}

impl Whole {
    fn put(&mut self, id: PictureId, painted: Arc<Painted>) {
        self.remove(id);
        self.clock += 1;
        self.bytes += painted.picture.rgb.len();
        self.by_id.insert(id, (painted, self.clock));
        while self.bytes > MOST_BYTES && self.by_id.len() > FEW {
            // What is kept nowhere else stays.
            let kept = self.by_id.iter().filter(|(_, (painted, _))| painted.path.is_some());
            let Some(oldest) = kept.min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id) else { break };
            self.remove(oldest);
        }
    }

    fn remove(&mut self, id: PictureId) {
        if let Some((painted, _)) = self.by_id.remove(&id) {
            self.bytes -= painted.picture.rgb.len();
        }
    }
}

impl Shelf {
    /// How many pictures there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many have a star.
    pub fn starred(&self) -> usize {
        self.starred
    }

    /// What is known of a picture.
    pub fn get(&self, id: PictureId) -> Option<&Arc<Entry>> {
        self.entries.get(&id)
    }

    /// The picture at this path.
    pub fn at(&self, path: &Path) -> Option<PictureId> {
        self.by_path.get(path).copied()
    }

    /// The whole picture, if it was drawn or fetched lately.
    pub fn whole(&self, id: PictureId) -> Option<&Arc<Painted>> {
        self.whole.by_id.get(&id).map(|(painted, _)| painted)
    }

    /// Takes a whole picture that was fetched.
    pub fn fetched(&mut self, painted: Arc<Painted>) {
        if let Some(id) = painted.path.as_ref().and_then(|path| self.at(path)) {
            self.whole.put(id, painted);
        }
    }

    /// Takes a picture that came, or what has changed of it; returns its number.
    pub fn arrive(&mut self, arrival: Arrival) -> PictureId {
        let Arrival { entry, drawn, thumbnail } = arrival;
        let known = entry.path.as_ref().and_then(|path| self.by_path.get(path).copied());
        let id = known.unwrap_or_else(|| {
            self.numbered += 1;
            if let Some(path) = &entry.path {
                self.by_path.insert(path.clone(), self.numbered);
            }
            self.numbered
        });
        self.starred += usize::from(entry.mark.starred);
        if let Some(before) = self.entries.insert(id, entry) {
            self.starred -= usize::from(before.mark.starred);
        }
        match drawn {
            Some(painted) => self.whole.put(id, painted),
            // The file is another one by now.
            None if thumbnail.is_some() => self.whole.remove(id),
            None => {}
        }
        self.change();
        id
    }

    /// Takes all pictures out; numbers go on.
    pub fn empty(&mut self) {
        let (numbered, query) = (self.numbered, Query { sort: self.query.sort, ..Query::default() });
        *self = Self { numbered, query, ..Self::default() };
    }

    /// Takes a picture out.
    pub fn remove(&mut self, id: PictureId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.starred -= usize::from(entry.mark.starred);
        if let Some(path) = &entry.path {
            self.by_path.remove(path);
        }
        self.whole.remove(id);
        self.several.remove(&id);
        self.change();
    }

    /// Changes marks, as the gallery does.
    pub fn mark(&mut self, paths: &[PathBuf], change: &MarkChange) {
        for path in paths {
            let Some(entry) = self.by_path.get(path).and_then(|id| self.entries.get_mut(id)) else { continue };
            let mut mark = entry.mark.clone();
            if mark.change(change) {
                self.starred = self.starred + usize::from(mark.starred) - usize::from(entry.mark.starred);
                *entry = Arc::new(Entry::clone(entry).marked(mark));
                (self.changed, self.found) = (true, None);
            }
        }
    }

    /// What was found does not hold any more.
    fn change(&mut self) {
        (self.changed, self.found) = (true, None);
    }

    /// The pictures that are shown, in their order.
    pub fn shown(&mut self) -> &[PictureId] {
        if self.found.as_ref() != Some(&self.query) {
            if std::mem::take(&mut self.changed) {
                self.ordered.refresh(&self.entries);
            }
            self.shown = self.ordered.find(&self.query);
            self.found = Some(self.query.clone());
        }
        &self.shown
    }

    /// The same, as they were found last.
    pub fn shown_now(&self) -> &[PictureId] {
        &self.shown
    }

    /// What this picture was enlarged from, if that is here.
    pub fn before(&self, enlarged: &Entry) -> Option<PictureId> {
        let is_it =
            |entry: &Entry| entry.origin == enlarged.origin && !entry.is_enlarged && entry.kind == enlarged.kind;
        self.entries.iter().find(|(_, entry)| is_it(entry)).map(|(id, _)| *id)
    }

    /// The models whose pictures are here: SHA-256 and name, and how many there are of each.
    pub fn models(&self) -> BTreeMap<(String, String), usize> {
        let mut models: HashMap<(&str, &str), usize> = HashMap::new();
        for entry in self.entries.values() {
            *models.entry((&entry.kind.title, &entry.kind.model.sha256)).or_default() += 1;
        }
        models.into_iter().map(|((title, sha256), count)| ((title.to_owned(), sha256.to_owned()), count)).collect()
    }

    /// The name of the model with this SHA-256, if there are pictures of it.
    pub fn title_of(&self, sha256: &str) -> Option<&str> {
        let of_it = self.entries.values().find(|entry| entry.kind.model.sha256 == sha256);
        of_it.map(|entry| entry.kind.title.as_str())
    }

    /// Tags that pictures have, the most frequent first.
    pub fn tags(&self) -> Vec<String> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for tag in self.entries.values().flat_map(|entry| &entry.mark.tags) {
            *counts.entry(tag).or_default() += 1;
        }
        let mut tags: Vec<_> = counts.into_iter().collect();
        tags.sort_unstable_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
        tags.into_iter().map(|(tag, _)| tag.to_owned()).collect()
    }

    /// Chooses what lies between two pictures as they are shown, both included.
    pub fn choose_range(&mut self, from: PictureId, to: PictureId) {
        let place = |id| self.shown.iter().position(|shown| *shown == id);
        if let (Some(from), Some(to)) = (place(from), place(to)) {
            self.several.extend(&self.shown[from.min(to)..=from.max(to)]);
        }
    }

    /// The files of the pictures that are chosen together, in the order in which they are shown.
    pub fn several_paths(&self) -> Vec<PathBuf> {
        let shown = self.shown.iter().filter(|id| self.several.contains(id));
        self.paths(shown.copied())
    }

    /// The files of all that are shown.
    pub fn shown_paths(&self) -> Vec<PathBuf> {
        self.paths(self.shown.iter().copied())
    }

    fn paths(&self, ids: impl Iterator<Item = PictureId>) -> Vec<PathBuf> {
        ids.filter_map(|id| self.get(id)?.path.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{Kind, Sort},
        generate::image::{ImageRequest, Picture},
        recipe::{ImageRecipe, ModelRef},
    };

    fn arrival(name: &str, side: u32) -> Arrival {
        let model = ModelRef { name: "m".to_owned(), sha256: "s".to_owned() };
        let kind = Arc::new(Kind::new(model.clone(), None, &[]));
        let recipe =
            ImageRecipe { model, request: ImageRequest::of_seed(1), width: side, height: side, upscaled: None };
        let picture = Picture { width: side, height: side, rgb: vec![0; (side * side * 3) as usize] };
        let path = Some(PathBuf::from(name));
        let entry = Arc::new(Entry::new(path.clone(), kind, &recipe, 0));
        Arrival { entry, drawn: Some(Arc::new(Painted { path, recipe, picture })), thumbnail: None }
    }

    #[test]
    fn pictures_are_in_order_whenever_they_come_and_only_once() {
        let mut shelf = Shelf::default();
        let ids: Vec<_> = ["d", "c", "f", "e", "d"].map(|name| shelf.arrive(arrival(name, 1))).to_vec();
        assert_eq!(ids[0], ids[4]);
        let names = |shelf: &mut Shelf| {
            shelf.shown();
            shelf.shown_paths().iter().map(|path| path.display().to_string()).collect::<String>()
        };
        assert_eq!((names(&mut shelf).as_str(), shelf.len()), ("fedc", 4));
        shelf.mark(&["c".into(), "x".into()], &MarkChange::Star(true));
        assert_eq!(shelf.starred(), 1);
        shelf.query.sort = Sort::Oldest;
        assert_eq!(names(&mut shelf), "cdef");
        shelf.query.starred = true;
        assert_eq!(names(&mut shelf), "c");
        shelf.remove(ids[1]);
        assert_eq!((names(&mut shelf).as_str(), shelf.starred()), ("", 0));
        shelf.query = Query::default();
        shelf.shown();
        shelf.choose_range(ids[2], ids[0]);
        assert_eq!(shelf.several_paths(), ["f", "e", "d"].map(PathBuf::from));
    }

    #[test]
    fn of_whole_pictures_only_the_latest_are_held() {
        let mut shelf = Shelf::default();
        let ids: Vec<_> = (0..6).map(|n| shelf.arrive(arrival(&n.to_string(), 3000))).collect();
        let held: Vec<_> = ids.iter().map(|id| shelf.whole(*id).is_some()).collect();
        assert_eq!(held, [false, false, true, true, true, true]);
        let huge = shelf.arrive(arrival("huge", 6000));
        assert!(shelf.whole(huge).is_some() && shelf.whole(ids[2]).is_none() && shelf.whole(ids[3]).is_some());
    }
}
