//! Which pictures are shown, and in what order.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use memchr::memmem::Finder;

use super::entry::{Entry, Kind};

/// Words of a search that are looked at.
const MOST_TERMS: usize = 32;

/// An order of pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// The best rated first, the newest of those first.
    Best,
}

impl Sort {
    /// Which of two pictures comes first.
    pub fn order(self, a: &Entry, b: &Entry) -> Ordering {
        let path = |entry: &Entry| entry.path.as_ref().map(|path| path.as_os_str().as_encoded_bytes().to_owned());
        let newest = || {
            b.made_ms.cmp(&a.made_ms).then_with(|| match (&a.path, &b.path) {
                (Some(a), Some(b)) => b.as_os_str().cmp(a.as_os_str()),
                _ => path(b).cmp(&path(a)),
            })
        };
        match self {
            Self::Newest => newest(),
            Self::Oldest => newest().reverse(),
            Self::Best => b.mark.rating.cmp(&a.mark.rating).then_with(newest),
        }
    }
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Words in any language: each must be in the name of the model, of the class or of the file, or in a tag, or be
    /// what the seed begins with. `#` looks for what a tag begins with.
    pub text: String,
    /// Only pictures with a star.
    pub starred: bool,
    /// Only pictures rated so at least.
    pub rating: u8,
    /// Only pictures of the model with this SHA-256.
    pub model: Option<String>,
    /// In what order.
    pub sort: Sort,
}

impl Query {
    /// Whether it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        self.text.trim().is_empty() && !self.starred && self.rating == 0 && self.model.is_none()
    }

    /// The same, ready to be asked often.
    pub fn matcher(&self) -> Matcher<'_> {
        let folded = self.text.to_lowercase().replace('＃', "#");
        let terms = folded.split_whitespace().filter(|term| *term != "#").take(MOST_TERMS).map(Term::new).collect();
        Matcher { query: self, terms, last: None }
    }
}

struct Term {
    finder: Finder<'static>,
    /// A number is a seed's beginning or the beginning of a name; names are full of other numbers.
    number: Option<String>,
    is_tag: bool,
}

impl Term {
    fn new(term: &str) -> Self {
        let is_number = term.bytes().all(|byte| byte.is_ascii_digit());
        // Tags stand in lines of their own behind a hash.
        let (is_tag, needle) =
            if term.starts_with('#') { (true, format!("\n{term}")) } else { (false, term.to_owned()) };
        Self { finder: Finder::new(&needle).into_owned(), number: is_number.then(|| term.to_owned()), is_tag }
    }
}

/// Asks entry after entry.
pub struct Matcher<'a> {
    query: &'a Query,
    terms: Vec<Term>,
    /// The kind that was asked about last, and which terms it has.
    last: Option<(Arc<Kind>, u32)>,
}

impl Matcher<'_> {
    /// Whether the picture is among what is looked for.
    pub fn accepts(&mut self, entry: &Entry) -> bool {
        let query = self.query;
        if query.starred && !entry.mark.starred || entry.mark.rating < query.rating {
            return false;
        }
        if query.model.as_ref().is_some_and(|model| *model != entry.kind.model.sha256) {
            return false;
        }
        if self.terms.is_empty() {
            return true;
        }
        let by_kind = self.of_kind(&entry.kind);
        self.terms.iter().enumerate().all(|(index, term)| {
            let folded = entry.folded.as_str();
            by_kind & (1 << index) != 0
                || match &term.number {
                    Some(number) => {
                        folded.starts_with(number)
                            || folded.contains(&format!("#{number}"))
                            || entry.seeds == 1 && entry.seed.to_string().starts_with(number)
                    }
                    None => term.finder.find(folded.as_bytes()).is_some(),
                }
        })
    }

    /// The terms that model and class answer: many pictures have the same.
    fn of_kind(&mut self, kind: &Arc<Kind>) -> u32 {
        match &self.last {
            Some((last, terms)) if Arc::ptr_eq(last, kind) => *terms,
            _ => {
                let folded = kind.folded();
                let has = |term: &Term| !term.is_tag && term.finder.find(folded.as_bytes()).is_some();
                let terms = (0..).zip(&self.terms).filter(|(_, term)| has(term)).fold(0, |all, (at, _)| all | 1 << at);
                self.last = Some((kind.clone(), terms));
                terms
            }
        }
    }
}

/// Entries with numbers, in order: looking for other words does not order them again.
#[derive(Default)]
pub struct Ordered {
    list: Vec<(u64, Arc<Entry>)>,
    sort: Option<Sort>,
}

impl Ordered {
    /// Entries have come, gone or changed. What is in order already stays so, which makes few new ones quick.
    pub fn refresh(&mut self, entries: &HashMap<u64, Arc<Entry>>) {
        let mut known = std::mem::take(&mut self.list);
        known.retain_mut(|(id, entry)| match entries.get(id) {
            Some(now) => {
                entry.clone_from(now);
                true
            }
            None => false,
        });
        if known.len() < entries.len() {
            let old: std::collections::HashSet<u64> = known.iter().map(|(id, _)| *id).collect();
            let new = entries.iter().filter(|(id, _)| !old.contains(*id));
            known.extend(new.map(|(id, entry)| (*id, entry.clone())));
        }
        (self.list, self.sort) = (known, None);
    }

    /// The numbers of what is looked for, in its order.
    pub fn find(&mut self, query: &Query) -> Vec<u64> {
        if self.sort != Some(query.sort) {
            let order = |(a_id, a): &(u64, Arc<Entry>), (b_id, b): &(u64, Arc<Entry>)| {
                query.sort.order(a, b).then_with(|| b_id.cmp(a_id))
            };
            self.list.sort_by(order);
            self.sort = Some(query.sort);
        }
        let mut matcher = query.matcher();
        self.list.iter().filter(|(_, entry)| matcher.accepts(entry)).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{
        engine::gallery::entry::{Mark, ModelNames},
        generate::image::ImageRequest,
        recipe::{ImageRecipe, ModelRef},
    };

    fn entry(name: &str, class: u32, seed: u64, mark: Mark) -> Entry {
        let names = [ModelNames {
            name: "eyes".to_owned(),
            title: "Eyes".to_owned(),
            words: vec!["眼睛".to_owned()],
            classes: vec![("Blue".to_owned(), "蓝".to_owned()), ("Brown".to_owned(), "棕".to_owned())],
        }];
        let model = ModelRef { name: "eyes".to_owned(), sha256: "ab".to_owned() };
        let kind = Arc::new(Kind::new(model.clone(), Some(class), &names));
        let request = ImageRequest { class: Some(class), ..ImageRequest::of_seed(seed) };
        let recipe = ImageRecipe { model, request, width: 8, height: 8, upscaled: None };
        Entry::new(Some(PathBuf::from("/图").join(name)), kind, &recipe, 5).marked(mark)
    }

    fn found(entry: &Entry, text: &str) -> bool {
        let query = Query { text: text.to_owned(), ..Query::default() };
        query.matcher().accepts(entry)
    }

    #[test]
    fn words_of_either_language_find_pictures() {
        let tags = vec!["To-print".to_owned(), "最好".to_owned()];
        let one = entry("1795000000000-0003.png", 0, 4711, Mark { tags, ..Mark::default() });
        for text in [
            "",
            "blue",
            "BLU eye",
            "蓝",
            "蓝眼睛",
            "蓝 眼睛",
            "眼",
            "#to-p",
            "#最",
            "print",
            "＃最好",
            "47",
            "4711",
            "1795",
            "0003.png",
            "#",
            "  ",
        ] {
            assert!(found(&one, text), "{text}");
        }
        for text in ["brown", "棕眼睛", "#print", "#blue", "blue brown", "711", "#to-print x", "zebra"] {
            assert!(!found(&one, text), "{text}");
        }
        // Another kind after it is asked anew.
        let query = Query { text: "blue".to_owned(), ..Query::default() };
        let mut matcher = query.matcher();
        assert!(
            matcher.accepts(&one) && !matcher.accepts(&entry("b.png", 1, 1, Mark::default())) && matcher.accepts(&one)
        );
    }

    #[test]
    fn filters_and_orders() {
        let mark = |starred, rating| Mark { starred, rating, tags: Vec::new() };
        let entries = [
            entry("a.png", 0, 1, mark(true, 2)),
            entry("b.png", 1, 2, mark(false, 5)),
            entry("c.png", 1, 3, mark(true, 0)),
        ];
        let names = |query: Query| {
            let mut matcher = query.matcher();
            let mut found: Vec<_> = entries.iter().filter(|entry| matcher.accepts(entry)).collect();
            found.sort_by(|a, b| query.sort.order(a, b));
            found.iter().filter_map(|entry| entry.name()?.get(..1)).collect::<String>()
        };
        assert_eq!(names(Query::default()), "cba");
        assert_eq!(names(Query { sort: Sort::Oldest, ..Query::default() }), "abc");
        assert_eq!(names(Query { sort: Sort::Best, ..Query::default() }), "bac");
        assert_eq!(names(Query { starred: true, ..Query::default() }), "ca");
        assert_eq!(names(Query { rating: 2, ..Query::default() }), "ba");
        assert_eq!(names(Query { model: Some("cd".to_owned()), ..Query::default() }), "");
        assert!(Query { sort: Sort::Best, ..Query::default() }.is_everything());
    }
}
