//! Attention over a paged cache of half-float keys and values.
//!
//! A page holds 128 positions of one layer. Keys lie eight positions at a time, number by number, so that a
//! vector holds the same number of eight keys and the products need no horizontal sums; values lie position
//! by position. Each page is worked through by itself (its own largest score, its own sum, as in
//! FlashAttention-2, Dao 2023), and pages are merged in their order: what a query gets depends on its
//! position and the cache alone, not on which queries run beside it or on threads.
#![allow(unsafe_code)]

use std::cell::{RefCell, UnsafeCell};

use super::{
    Level, Pool,
    lanes::{self, Lanes, at_level},
};
use crate::{Error, Result};

/// Positions in a page.
pub const PAGE: usize = 128;
/// Keys in a vector.
const KEYS: usize = 8;
/// Queries that share a pass over the cache.
const QUERIES: usize = 8;
/// Rows (query heads) of the inner products.
const ROWS: usize = 6;

/// The keys and values of one layer.
pub struct Cache {
    heads: usize,
    size: usize,
    /// `[keys: heads × (PAGE / 8) × size × 8][values: heads × PAGE × size]`
    pages: Vec<Page>,
}

/// Numbers that a [`Writer`] changes through a shared reference.
struct Page(Box<[UnsafeCell<u16>]>);

// SAFETY: only `Writer::put` changes a page, and its caller promises that no two threads touch the same numbers.
unsafe impl Sync for Page {}

impl Page {
    fn numbers(&self) -> &[u16] {
        // SAFETY: a `Writer` borrows the cache mutably, so nobody writes while this lives; the cell has no
        // effect on the layout.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len()) }
    }
}

impl Cache {
    /// An empty cache for `heads` key/value heads of `size` numbers, a multiple of eight.
    ///
    /// # Panics
    /// When `size` is no multiple of eight.
    pub fn new(heads: usize, size: usize) -> Self {
        assert!(heads > 0 && size > 0 && size.is_multiple_of(8));
        Self { heads, size, pages: Vec::new() }
    }

    /// Makes room for `positions` positions.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn reserve(&mut self, positions: usize) -> Result<()> {
        let numbers = 2 * self.heads * PAGE * self.size;
        while self.pages.len() * PAGE < positions {
            let mut page = Vec::new();
            page.try_reserve_exact(numbers).map_err(|_| {
                Error::new(
                    "There is not enough memory for a text of this length; close other programs or shorten it.",
                    "内存不足，无法处理这样长的文本；请关闭其他程序或缩短文本。",
                )
            })?;
            page.resize_with(numbers, || UnsafeCell::new(0));
            self.pages.push(Page(page.into_boxed_slice()));
        }
        Ok(())
    }

    /// Frees the pages after `positions`.
    pub fn shrink(&mut self, positions: usize) {
        self.pages.truncate(positions.div_ceil(PAGE));
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.pages.iter().map(|page| 2 * page.0.len()).sum()
    }

    /// Writes `keys` and `values`, `[tokens, heads · size]`, at the positions from `start`. Numbers beyond the
    /// range of half floats are held to it.
    ///
    /// # Panics
    /// When the positions have not been reserved or the sizes differ.
    pub fn put(&mut self, pool: &Pool, level: Level, start: usize, keys: &[f32], values: &[f32]) {
        let width = self.heads * self.size;
        assert!(keys.len() == values.len() && keys.len().is_multiple_of(width));
        let tokens = keys.len() / width;
        assert!(start + tokens <= self.pages.len() * PAGE);
        let writer = Writer { cache: self };
        pool.run_ranges(tokens, 16, |first, end| {
            for token in first..end {
                for head in 0..writer.cache.heads {
                    let at = token * width + head * writer.cache.size;
                    let numbers = at..at + writer.cache.size;
                    // SAFETY: this token is in this range alone.
                    unsafe { writer.put(level, start + token, head, &keys[numbers.clone()], &values[numbers]) };
                }
            }
        });
    }

    fn keys(&self, page: usize, head: usize) -> &[u16] {
        let len = PAGE * self.size;
        &self.pages[page].numbers()[head * len..(head + 1) * len]
    }

    fn values(&self, page: usize, head: usize) -> &[u16] {
        let len = PAGE * self.size;
        &self.pages[page].numbers()[(self.heads + head) * len..(self.heads + head + 1) * len]
    }
}

/// Writes positions of a cache, of which it has the only borrow.
struct Writer<'a> {
    cache: &'a Cache,
}

impl Writer<'_> {
    /// Writes the key and value of a head at a position.
    ///
    /// # Safety
    /// No other thread may write this position of this head.
    unsafe fn put(&self, level: Level, position: usize, head: usize, key: &[f32], value: &[f32]) {
        let Cache { heads, size, ref pages } = *self.cache;
        let page = UnsafeCell::raw_get(pages[position / PAGE].0.as_ptr());
        let position = position % PAGE;
        let first = (head * (PAGE / KEYS) + position / KEYS) * size * KEYS + position % KEYS;
        let mut halves = [0_u16; 8];
        let half = halves.as_mut_ptr();
        for (group, key) in key.as_chunks::<8>().0.iter().enumerate() {
            narrow(level, key, half);
            for (index, half) in halves.iter().enumerate() {
                // SAFETY: inside the page; as the caller promises, ours alone.
                unsafe { page.add(first + (8 * group + index) * KEYS).write(*half) };
            }
        }
        let first = ((heads + head) * PAGE + position) * size;
        for (group, value) in value.as_chunks::<8>().0.iter().enumerate() {
            // SAFETY: as above.
            narrow(level, value, unsafe { page.add(first + 8 * group) });
        }
    }
}

fn narrow(level: Level, from: &[f32; 8], to: *mut u16) {
    at_level!(level, narrow_eight(from: &[f32; 8], to: *mut u16));
}

#[inline(always)]
unsafe fn narrow_eight<L: Lanes>(from: &[f32; 8], to: *mut u16) {
    // SAFETY: eight numbers each; as the caller promises.
    unsafe { L::load(from.as_ptr()).min(L::splat(65504.0)).max(L::splat(-65504.0)).store_half(to) };
}

/// How to attend.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Heads of queries; a multiple of the cache's heads, which are shared by neighbours.
    pub heads: usize,
    /// What scores are multiplied with.
    pub scale: f32,
    /// `c` in `c tanh(score / c)`, where the network holds its scores so.
    pub softcap: Option<f32>,
    /// How many positions, its own counted, a query sees; all before it when `None`.
    pub window: Option<usize>,
}

/// Attends with `queries`, `[tokens, heads · size]`, at positions from `start`, to the positions up to each
/// query's own, which must be in the cache. `out` has the same shape.
///
/// # Panics
/// When sizes do not fit or positions are missing.
pub fn attend(
    pool: &Pool,
    level: Level,
    cache: &Cache,
    settings: Settings,
    start: usize,
    queries: &[f32],
    out: &mut [f32],
) {
    let width = settings.heads * cache.size;
    assert!(settings.heads.is_multiple_of(cache.heads) && queries.len().is_multiple_of(width));
    assert_eq!(queries.len(), out.len());
    let tokens = queries.len() / width;
    assert!(cache.pages.len() * PAGE >= start + tokens);
    let group = settings.heads / cache.heads;
    // For a single token the heads that share keys are spread over the threads if there are too few others.
    let split = if tokens == 1 && cache.heads < 2 * pool.threads() { group } else { 1 };
    let tiles = tokens.div_ceil(QUERIES);
    let out = Output(out.as_mut_ptr());
    pool.run(cache.heads * split * tiles, |task| {
        // Late queries see more: begin with them, so that the tasks at the end are small.
        let (tile, rest) = (tiles - 1 - task / (cache.heads * split), task % (cache.heads * split));
        let (head, part) = (rest / split, rest % split);
        let job = Job {
            cache,
            settings,
            head,
            first: head * group + part * (group / split),
            heads: group / split,
            start: start + tile * QUERIES,
            tokens: QUERIES.min(tokens - tile * QUERIES),
            queries: &queries[tile * QUERIES * width..],
            // SAFETY: the token exists; its heads in this group are written by this task alone.
            out: unsafe { out.at(tile * QUERIES * width) },
        };
        SCRATCH.with_borrow_mut(|scratch| run_job(level, &job, scratch));
    });
}

#[derive(Clone, Copy)]
struct Output(*mut f32);

// SAFETY: each task writes its own queries and heads.
unsafe impl Sync for Output {}

impl Output {
    /// # Safety
    /// `index` must lie in the output.
    unsafe fn at(&self, index: usize) -> *mut f32 {
        // SAFETY: as the caller promises.
        unsafe { self.0.add(index) }
    }
}

/// A few queries, and those of their heads that share keys.
struct Job<'a> {
    cache: &'a Cache,
    settings: Settings,
    /// Of the cache.
    head: usize,
    /// Of the queries.
    first: usize,
    heads: usize,
    /// Position of the first query.
    start: usize,
    tokens: usize,
    queries: &'a [f32],
    out: *mut f32,
}

/// Buffers of a thread; a row is one head of one query.
#[derive(Default)]
struct Scratch {
    /// `[rows, PAGE]`
    scores: Vec<f32>,
    /// `[rows, size]`, of a page
    part: Vec<f32>,
    /// `[rows, size]`
    total: Vec<f32>,
    /// Largest score and sum of each row.
    state: Vec<(f32, f32)>,
    /// `[rows, size]`
    queries: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Job<'_> {
    fn rows(&self) -> usize {
        self.tokens * self.heads
    }

    /// The positions that a row's query sees.
    fn range(&self, row: usize) -> (usize, usize) {
        let end = self.start + row / self.heads + 1;
        (self.settings.window.map_or(0, |window| end.saturating_sub(window)), end)
    }

    /// Where a row lies in `queries` and `out`.
    fn place(&self, row: usize) -> usize {
        ((row / self.heads) * self.settings.heads + self.first + row % self.heads) * self.cache.size
    }
}

fn run_job(level: Level, job: &Job<'_>, scratch: &mut Scratch) {
    at_level!(level, work(job: &Job<'_>, scratch: &mut Scratch));
}

#[inline(always)]
unsafe fn work<L: Lanes>(job: &Job<'_>, scratch: &mut Scratch) {
    let (rows, size) = (job.rows(), job.cache.size);
    let Scratch { scores, part, total, state, queries } = scratch;
    scores.resize(rows * PAGE, 0.0);
    part.resize(rows * size, 0.0);
    total.clear();
    total.resize(rows * size, 0.0);
    state.clear();
    state.resize(rows, (f32::NEG_INFINITY, 0.0));
    queries.resize(rows * size, 0.0);
    for (row, query) in queries.chunks_exact_mut(size).enumerate() {
        let place = job.place(row);
        for (to, from) in query.iter_mut().zip(&job.queries[place..place + size]) {
            *to = from * job.settings.scale;
        }
    }
    let first_page = job.range(0).0 / PAGE;
    let last_page = (job.start + job.tokens - 1) / PAGE;
    for page in first_page..=last_page {
        // SAFETY: the buffers have the sizes that these take; the level is present.
        unsafe { work_page::<L>(job, page, queries, scores, part, total, state) };
    }
    for (row, total) in total.chunks_exact(size).enumerate() {
        let inverse = 1.0 / state[row].1;
        // SAFETY: the place of this row in the output, which is this task's.
        let out = unsafe { std::slice::from_raw_parts_mut(job.out.add(job.place(row)), size) };
        for (out, total) in out.iter_mut().zip(total) {
            *out = total * inverse;
        }
    }
}

#[inline(always)]
unsafe fn work_page<L: Lanes>(
    job: &Job<'_>,
    page: usize,
    queries: &[f32],
    scores: &mut [f32],
    part: &mut [f32],
    total: &mut [f32],
    state: &mut [(f32, f32)],
) {
    let (rows, size) = (job.rows(), job.cache.size);
    // Positions of the page that any row sees.
    let end = (job.start + job.tokens - page * PAGE).min(PAGE);
    let keys = job.cache.keys(page, job.head);
    let values = job.cache.values(page, job.head);
    // SAFETY: the slices hold `rows` rows and whole pages.
    unsafe {
        let mut row = 0;
        while row < rows {
            let (query, score) = (queries.as_ptr().add(row * size), scores.as_mut_ptr().add(row * PAGE));
            row += match rows - row {
                1 => score_rows::<L, 1, 4>(query, size, keys, end, score),
                2 => score_rows::<L, 2, 4>(query, size, keys, end, score),
                3 => score_rows::<L, 3, 2>(query, size, keys, end, score),
                4 => score_rows::<L, 4, 2>(query, size, keys, end, score),
                5 => score_rows::<L, 5, 2>(query, size, keys, end, score),
                _ => score_rows::<L, ROWS, 2>(query, size, keys, end, score),
            };
        }
        let mut own = [(0.0_f32, 0.0_f32); 1024];
        let own = &mut own[..rows];
        for (row, scores) in scores.chunks_exact_mut(PAGE).take(rows).enumerate() {
            let (from, to) = job.range(row);
            let from = from.saturating_sub(page * PAGE);
            let to = to.saturating_sub(page * PAGE).min(PAGE);
            own[row] = soften::<L>(&mut scores[..end.next_multiple_of(KEYS)], from, to, job.settings.softcap);
        }
        let mut row = 0;
        while row < rows {
            let (score, out) = (scores.as_ptr().add(row * PAGE), part.as_mut_ptr().add(row * size));
            row += match rows - row {
                1 => mix_rows::<L, 1, 4>(score, values, size, end, out),
                2 => mix_rows::<L, 2, 4>(score, values, size, end, out),
                3 => mix_rows::<L, 3, 2>(score, values, size, end, out),
                4 => mix_rows::<L, 4, 2>(score, values, size, end, out),
                5 => mix_rows::<L, 5, 2>(score, values, size, end, out),
                _ => mix_rows::<L, ROWS, 2>(score, values, size, end, out),
            };
        }
        for (row, (largest, sum)) in own.iter().copied().enumerate() {
            if largest > f32::NEG_INFINITY {
                merge::<L>(
                    &mut state[row],
                    &mut total[row * size..][..size],
                    (largest, sum),
                    &part[row * size..][..size],
                );
            }
        }
    }
}

/// Products of `N` queries with the keys of a page, `V` vectors of keys at a time. Returns `N`.
#[inline(always)]
unsafe fn score_rows<L: Lanes, const N: usize, const V: usize>(
    query: *const f32,
    size: usize,
    keys: &[u16],
    end: usize,
    scores: *mut f32,
) -> usize {
    let vectors = end.div_ceil(KEYS);
    let mut vector = 0;
    // SAFETY: `N` rows of queries and scores, a page of keys.
    unsafe {
        while vector < vectors {
            let count = V.min(vectors - vector);
            // A page has 16 vectors, so the last ones can be computed beyond `end`.
            let keys = keys.as_ptr().add(vector * size * KEYS);
            let mut sums = [[L::splat(0.0); V]; N];
            for number in 0..size {
                let mut key = [L::splat(0.0); V];
                for (v, key) in key.iter_mut().enumerate() {
                    let v = if v < count { v } else { 0 };
                    *key = L::load_half(keys.add((v * size + number) * KEYS));
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let query = L::splat(*query.add(row * size + number));
                    for (sum, key) in sums.iter_mut().zip(key) {
                        *sum = key.mul_add(query, *sum);
                    }
                }
            }
            for (row, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate().take(count) {
                    sum.store(scores.add(row * PAGE + (vector + v) * KEYS));
                }
            }
            vector += V;
        }
    }
    N
}

/// From scores to weights: those outside `from..to` become zero, the others `e^(score − largest)`. Returns the
/// largest score and the sum of the weights.
#[inline(always)]
unsafe fn soften<L: Lanes>(scores: &mut [f32], from: usize, to: usize, softcap: Option<f32>) -> (f32, f32) {
    if from >= to {
        scores.fill(0.0);
        return (f32::NEG_INFINITY, 0.0);
    }
    if let Some(cap) = softcap {
        for score in &mut scores[from..to] {
            *score = cap * (*score / cap).tanh();
        }
    }
    scores[..from].fill(f32::NEG_INFINITY);
    scores[to..].fill(f32::NEG_INFINITY);
    // SAFETY: whole vectors.
    unsafe {
        let vectors = scores.as_chunks_mut::<8>().0;
        let mut most = L::splat(f32::NEG_INFINITY);
        for x in vectors.iter() {
            most = most.max(L::load(x.as_ptr()));
        }
        let largest = lanes::largest(most);
        let mut sum = L::splat(0.0);
        for x in vectors.iter_mut() {
            let weight = lanes::exp(L::load(x.as_ptr()).sub(L::splat(largest)));
            weight.store(x.as_mut_ptr());
        }
        // The exponential of minus infinity is held to a tiny number: unseen positions count exactly nothing.
        scores[..from].fill(0.0);
        scores[to..].fill(0.0);
        for x in scores.as_chunks::<8>().0 {
            sum = sum.add(L::load(x.as_ptr()));
        }
        (largest, lanes::sum(sum))
    }
}

/// Weighted sums of the values of a page for `N` rows, `V` vectors of numbers at a time. Returns `N`.
#[inline(always)]
unsafe fn mix_rows<L: Lanes, const N: usize, const V: usize>(
    weights: *const f32,
    values: &[u16],
    size: usize,
    end: usize,
    out: *mut f32,
) -> usize {
    let vectors = size / 8;
    let mut vector = 0;
    // SAFETY: `N` rows of weights and of sums, a page of values.
    unsafe {
        while vector < vectors {
            // The last vectors are computed again where their number is no multiple of `V`.
            let first = vector.min(vectors.saturating_sub(V));
            let count = V.min(vectors);
            let mut sums = [[L::splat(0.0); V]; N];
            for position in 0..end {
                let mut value = [L::splat(0.0); V];
                for (v, value) in value.iter_mut().enumerate() {
                    let v = if v < count { v } else { 0 };
                    *value = L::load_half(values.as_ptr().add(position * size + (first + v) * 8));
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let weight = L::splat(*weights.add(row * PAGE + position));
                    for (sum, value) in sums.iter_mut().zip(value) {
                        *sum = value.mul_add(weight, *sum);
                    }
                }
            }
            for (row, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate().take(count) {
                    sum.store(out.add(row * size + (first + v) * 8));
                }
            }
            vector += V;
        }
    }
    N
}

/// Adds a page's weighted values to those of the pages before.
#[inline(always)]
unsafe fn merge<L: Lanes>(state: &mut (f32, f32), total: &mut [f32], page: (f32, f32), part: &[f32]) {
    if state.0 == f32::NEG_INFINITY {
        *state = page;
        total.copy_from_slice(part);
        return;
    }
    let largest = if page.0 > state.0 { page.0 } else { state.0 };
    // SAFETY: whole vectors; the level is present.
    unsafe {
        let old = lanes::exp(L::splat(state.0 - largest));
        let new = lanes::exp(L::splat(page.0 - largest));
        for (total, part) in total.as_chunks_mut::<8>().0.iter_mut().zip(part.as_chunks::<8>().0) {
            let sum = L::load(total.as_ptr()).mul(old).add(L::load(part.as_ptr()).mul(new));
            sum.store(total.as_mut_ptr());
        }
        *state = (largest, state.1 * lanes::array(old)[0] + page.1 * lanes::array(new)[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(seed: usize) -> f32 {
        let mixed =
            (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| number(i + seed * 1_000_003)).collect()
    }

    fn rounded(x: f32) -> f64 {
        f64::from(half::f16::from_f32(x).to_f32())
    }

    struct Case {
        heads: usize,
        groups: usize,
        size: usize,
        positions: usize,
        settings: Settings,
    }

    fn case(heads: usize, groups: usize, size: usize, positions: usize, window: Option<usize>) -> Case {
        let settings = Settings { heads: heads * groups, scale: 0.37, softcap: None, window };
        Case { heads, groups, size, positions, settings }
    }

    fn filled(case: &Case, level: Level, keys: &[f32], values: &[f32]) -> Cache {
        let mut cache = Cache::new(case.heads, case.size);
        cache.reserve(case.positions).expect("memory");
        let half = case.positions / 2 * case.heads * case.size;
        let pool = Pool::new(2);
        cache.put(&pool, level, 0, &keys[..half], &values[..half]);
        cache.put(&pool, level, case.positions / 2, &keys[half..], &values[half..]);
        cache
    }

    /// One head of one query, plainly.
    fn expected(case: &Case, keys: &[f32], values: &[f32], query: &[f32], position: usize, head: usize) -> Vec<f64> {
        let from = case.settings.window.map_or(0, |window| (position + 1).saturating_sub(window));
        let place = |at: usize| (at * case.heads + head / case.groups) * case.size;
        let scores: Vec<f64> = (from..=position)
            .map(|at| {
                let key = &keys[place(at)..place(at) + case.size];
                let dot: f64 = key.iter().zip(query).map(|(k, q)| rounded(*k) * f64::from(*q)).sum();
                let score = dot * f64::from(case.settings.scale);
                case.settings.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
            })
            .collect();
        let largest = scores.iter().copied().fold(f64::MIN, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let sum: f64 = weights.iter().sum();
        (0..case.size)
            .map(|i| {
                let mix = |(at, weight): (usize, &f64)| weight * rounded(values[place(from + at) + i]);
                weights.iter().enumerate().map(mix).sum::<f64>() / sum
            })
            .collect()
    }

    #[test]
    fn attention_equals_its_definition_at_every_level() {
        let pool = Pool::new(2);
        let mut cases = [
            case(1, 1, 8, 1, None),
            case(3, 3, 64, 300, None),
            case(2, 7, 64, 131, None),
            case(1, 4, 256, 290, Some(100)),
            case(2, 1, 24, 140, Some(1)),
            case(1, 2, 40, 257, Some(128)),
        ];
        cases[1].settings.softcap = Some(1.5);
        for (index, case) in cases.iter().enumerate() {
            let width = case.heads * case.size;
            let (keys, values) = (numbers(case.positions * width, index), numbers(case.positions * width, index + 50));
            let queries = numbers(case.positions * width * case.groups, index + 90);
            for level in Level::present() {
                let cache = filled(case, level, &keys, &values);
                let mut out = vec![f32::NAN; queries.len()];
                attend(&pool, level, &cache, case.settings, 0, &queries, &mut out);
                for position in 0..case.positions {
                    for head in 0..case.settings.heads {
                        let at = (position * case.settings.heads + head) * case.size;
                        let query = &queries[at..at + case.size];
                        let expected = expected(case, &keys, &values, query, position, head);
                        for (out, expected) in out[at..at + case.size].iter().zip(expected) {
                            assert!(
                                (f64::from(*out) - expected).abs() < 2e-5,
                                "case {index} {level:?} {position} {head}"
                            );
                        }
                    }
                }
            }
        }
    }

    /// Any split of the queries over calls and threads gives the same bits.
    #[test]
    fn queries_do_not_depend_on_their_neighbours() {
        for case in [case(3, 3, 64, 300, None), case(1, 4, 256, 200, Some(60)), case(2, 7, 64, 150, None)] {
            let width = case.heads * case.size;
            let (keys, values) = (numbers(case.positions * width, 1), numbers(case.positions * width, 2));
            let row = width * case.groups;
            let queries = numbers(case.positions * row, 3);
            for level in Level::present() {
                let cache = filled(&case, level, &keys, &values);
                let run = |threads: usize, step: usize| {
                    let pool = Pool::new(threads);
                    let mut out = vec![0.0; queries.len()];
                    for start in (0..case.positions).step_by(step) {
                        let end = (start + step).min(case.positions);
                        let (queries, out) = (&queries[start * row..end * row], &mut out[start * row..end * row]);
                        attend(&pool, level, &cache, case.settings, start, queries, out);
                    }
                    out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
                };
                let together = run(1, case.positions);
                assert!(together == run(2, 1) && together == run(3, 13) && together == run(4, 64), "{level:?}");
            }
        }
    }
}
