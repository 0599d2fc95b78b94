//! Which lines are shown and which a search has found. Looked for a part at a time, so that nobody waits.

use std::io;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use roaring::RoaringBitmap;

use super::plain::{coloured, plain};
use super::search::{Search, Stretch};
use super::store::{Store, Stored};
use super::{LogLevel, ShownLine};

/// How many lines are looked at for their level before somebody else has a turn.
const AT_ONCE: u64 = 200_000;

/// How much text a thread gets at once: more while patterns are quick, less while they are slow.
const LEAST: u64 = 64 << 10;
const MOST: u64 = 2 << 20;
const QUICK: Duration = Duration::from_millis(10);
const SLOW: Duration = Duration::from_millis(40);

/// How many threads look: all of a small computer's and not all of a large one's.
const THREADS: usize = 4;

/// More of a line is not drawn until somebody asks for all of it.
const LONGEST: usize = 16 << 10;

/// Matches are not marked in further lines of a view after so long: it would not be drawn any more.
const MARKING: Duration = Duration::from_millis(100);

/// Text to be searched through.
pub(super) struct Work {
    search: Search,
    stretches: Vec<Stretch>,
    /// So many of them.
    used: usize,
    from: u64,
    to: u64,
}

pub(super) struct Done {
    found: Vec<u64>,
    stretches: Vec<Stretch>,
    from: u64,
    to: u64,
    took: Duration,
}

impl Work {
    pub(super) fn run(self, unwanted: &AtomicBool) -> Done {
        let begun = Instant::now();
        Done {
            found: self.search.lines(&self.stretches[..self.used], unwanted),
            stretches: self.stretches,
            from: self.from,
            to: self.to,
            took: begun.elapsed(),
        }
    }
}

pub(super) struct View {
    search: Option<Search>,
    matching_only: bool,
    levels: Vec<LogLevel>,
    /// Everything before this was looked at.
    looked: u64,
    /// Lines with a match that pass the levels.
    matches: RoaringBitmap,
    /// Lines that pass the levels, when not all do.
    passing: RoaringBitmap,
    /// What each thread reads into.
    stretches: Vec<Stretch>,
    /// How much text a thread gets next.
    part: u64,
}

impl View {
    /// Shows everything.
    pub(super) fn all() -> View {
        View {
            search: None,
            matching_only: false,
            levels: Vec::new(),
            looked: 0,
            matches: RoaringBitmap::new(),
            passing: RoaringBitmap::new(),
            stretches: Vec::new(),
            part: LEAST,
        }
    }

    /// An error says why the pattern makes no sense.
    pub(super) fn new(search: &str, regex: bool, matching_only: bool, levels: Vec<LogLevel>) -> Result<View, String> {
        let search = (!search.is_empty()).then(|| Search::new(search, regex)).transpose()?;
        Ok(View {
            matching_only: matching_only && search.is_some(),
            search,
            levels,
            ..View::all()
        })
    }

    fn is_plain(&self) -> bool {
        self.search.is_none() && self.levels.is_empty()
    }

    pub(super) fn is_behind(&self, store: &Store) -> bool {
        !self.is_plain() && self.looked < store.end()
    }

    /// Looks at the next lines, as far as that is quick. What is to be searched for is given to whoever has a thread for
    /// it: on a line of a megabyte a pattern can take seconds.
    pub(super) fn look(&mut self, store: &mut Store) -> io::Result<Option<Work>> {
        if self.is_plain() {
            return Ok(None);
        }
        let from = self.looked.max(store.first());
        let Some(search) = self.search.clone() else {
            let to = from.saturating_add(AT_ONCE).min(store.end());
            self.add(store, RoaringBitmap::new(), from, to)?;
            return Ok(None);
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let (mut number, mut used) = (from, 0);
        let mut stretches = std::mem::take(&mut self.stretches);
        while used < threads && number < store.end() {
            if used == stretches.len() {
                stretches.push(Stretch {
                    first: 0,
                    text: Vec::new(),
                });
            }
            let stretch = &mut stretches[used];
            stretch.first = number;
            number = store.text(number, self.part, &mut stretch.text)?;
            used += 1;
        }
        Ok(Some(Work {
            search,
            stretches,
            used,
            from,
            to: number,
        }))
    }

    /// What the work has found.
    pub(super) fn take(&mut self, store: &mut Store, done: Done) -> io::Result<()> {
        if done.took < QUICK {
            self.part = (self.part * 2).min(MOST);
        } else if done.took > SLOW {
            self.part = (self.part / 2).max(LEAST);
        }
        if done.to >= store.end() {
            // The memory is not kept for the few lines that come now and then.
            self.part = LEAST;
        } else {
            self.stretches = done.stretches;
        }
        let found = done.found.into_iter().map(short).collect();
        self.add(store, found, done.from, done.to)
    }

    fn add(&mut self, store: &mut Store, mut found: RoaringBitmap, from: u64, to: u64) -> io::Result<()> {
        if !self.levels.is_empty() {
            let mut passing = RoaringBitmap::new();
            store.levels(from, to, |number, level| {
                if level.is_some_and(|level| self.levels.contains(&level)) {
                    passing.insert(short(number));
                }
            })?;
            found &= &passing;
            self.passing |= passing;
        }
        self.matches |= found;
        self.looked = to;
        // The oldest may have gone meanwhile.
        let gone = short(store.first());
        self.matches.remove_range(..gone);
        self.passing.remove_range(..gone);
        Ok(())
    }

    /// Everything that was there is gone.
    pub(super) fn clear(&mut self, store: &Store) {
        self.matches.clear();
        self.passing.clear();
        self.looked = store.end();
    }

    /// The numbers of what is shown, when it is not everything.
    fn chosen(&self) -> Option<&RoaringBitmap> {
        if self.matching_only {
            Some(&self.matches)
        } else if self.levels.is_empty() {
            None
        } else {
            Some(&self.passing)
        }
    }

    pub(super) fn shown(&self, store: &Store) -> u64 {
        match self.chosen() {
            Some(chosen) => chosen.len(),
            None => store.end() - store.first(),
        }
    }

    pub(super) fn matches(&self) -> u64 {
        self.matches.len()
    }

    pub(super) fn lines(&self, store: &mut Store, from: u64, count: u64) -> io::Result<Vec<ShownLine>> {
        let lines = match self.chosen() {
            None => store.lines(store.first().saturating_add(from), count)?,
            Some(chosen) => {
                let mut lines = Vec::new();
                if let Some(first) = chosen.select(short(from)) {
                    let count = usize::try_from(count).unwrap_or(usize::MAX);
                    for number in chosen.range(first..).take(count) {
                        lines.append(&mut store.lines(number.into(), 1)?);
                    }
                }
                lines
            }
        };
        let begun = Instant::now();
        let drawn = lines.iter().map(|line| self.drawn(line, begun.elapsed() < MARKING));
        Ok(drawn.collect())
    }

    fn drawn(&self, line: &Stored, marked: bool) -> ShownLine {
        let mut text = coloured(&line.text).into_owned();
        let cut = text.len() > LONGEST || (line.text.len() as u64) < line.length;
        if cut {
            text.truncate(text.floor_char_boundary(LONGEST));
        }
        let found = match &self.search {
            Some(search) if marked => search.places(&plain(&text)),
            Some(_) | None => Vec::new(),
        };
        ShownLine {
            number: line.number,
            of: line.of,
            source: line.source,
            millis: line.millis,
            level: line.level,
            text,
            length: cut.then_some(line.length),
            found,
        }
    }

    /// The line of the next match and which of them it is, around the end if need be.
    pub(super) fn step(&self, from: Option<u64>, forward: bool) -> Option<(u64, u64)> {
        let count = self.matches.len();
        let last = count.checked_sub(1)?;
        let at = match (from, forward) {
            (None, _) => last,
            (Some(from), true) => self.matches.rank(short(from)) % count,
            (Some(from), false) => (before(&self.matches, from) + last) % count,
        };
        let number = self.matches.select(short(at))?;
        Some((number.into(), at + 1))
    }

    /// Where a line is in what is shown.
    pub(super) fn position(&self, store: &Store, number: u64) -> u64 {
        match self.chosen() {
            Some(chosen) => before(chosen, number),
            None => number.saturating_sub(store.first()),
        }
    }
}

/// How many of them are less.
fn before(numbers: &RoaringBitmap, number: u64) -> u64 {
    number.checked_sub(1).map_or(0, |last| numbers.rank(short(last)))
}

/// Line numbers are kept in four bytes: the disk holds less than four billion lines.
fn short(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogSource;
    use crate::logs::{Line, Lines};

    fn store(count: u64) -> Store {
        let mut store = Store::new();
        let mut lines = Lines::default();
        for number in 0..count {
            let level = if number % 10 == 0 { "ERROR" } else { "INFO" };
            let line = Line {
                of: 0,
                source: LogSource::Stdout,
                millis: None,
                begin: 0,
            };
            let text = format!("{level} request {number} took \u{1b}[31m{}\u{1b}[0m ms", number % 97);
            lines.push(line, &text);
        }
        store.add(&lines).expect("added");
        store
    }

    fn looked(store: &mut Store, mut view: View) -> View {
        while view.is_behind(store) {
            if let Some(work) = view.look(store).expect("looked") {
                let done = work.run(&AtomicBool::new(false));
                view.take(store, done).expect("taken");
            }
        }
        view
    }

    #[test]
    fn a_search_finds_every_line_and_walks_around_the_end() {
        let mut store = store(50_000);
        let view = looked(
            &mut store,
            View::new(r"took 42 ms$", true, true, Vec::new()).expect("a pattern"),
        );
        let expected: Vec<u64> = (0..50_000).filter(|number| number % 97 == 42).collect();
        assert_eq!(view.matches(), expected.len() as u64, "colours are no part of the text");
        assert_eq!(view.shown(&store), expected.len() as u64);
        let lines = view.lines(&mut store, 2, 2).expect("lines");
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), expected[2..4]);
        let last = *expected.last().expect("some");
        assert_eq!(view.step(None, true), Some((last, expected.len() as u64)));
        assert_eq!(view.step(Some(last), true), Some((42, 1)));
        assert_eq!(view.step(Some(42), false), Some((last, expected.len() as u64)));
        assert_eq!(view.step(Some(50), true), Some((139, 2)));
    }

    #[test]
    fn levels_and_a_search_together() {
        let mut store = store(1_000);
        let view = View::new("REQUEST 99", false, false, vec![LogLevel::Error]).expect("a pattern");
        let view = looked(&mut store, view);
        assert_eq!((view.shown(&store), view.matches()), (100, 1), "only 990 is an error");
        let lines = view.lines(&mut store, 99, 5).expect("lines");
        assert_eq!(
            (lines.len(), lines[0].number, lines[0].level),
            (1, 990, Some(LogLevel::Error))
        );
        assert_eq!(lines[0].found, [(6, 16)]);
        assert_eq!(view.position(&store, 990), 99);
        assert!(View::new("(", true, false, Vec::new()).is_err());
        assert!(View::new("(", false, false, Vec::new()).is_ok());
    }

    #[test]
    fn a_long_line_is_cut_and_its_length_told() {
        let mut store = Store::new();
        let mut lines = Lines::default();
        let line = Line {
            of: 0,
            source: LogSource::Stdout,
            millis: None,
            begin: 0,
        };
        lines.push(line, &format!("{}needle", "x".repeat(1 << 20)));
        lines.push(line, "short");
        store.add(&lines).expect("added");
        let view = looked(
            &mut store,
            View::new("needle", false, false, Vec::new()).expect("a pattern"),
        );
        assert_eq!(view.matches(), 1, "what is not drawn is found");
        let lines = view.lines(&mut store, 0, 2).expect("lines");
        assert_eq!((lines[0].text.len(), lines[0].length), (LONGEST, Some((1 << 20) + 6)));
        assert_eq!((lines[1].text.as_str(), lines[1].length), ("short", None));
    }

    #[test]
    fn a_pattern_with_many_ways_is_not_slow_on_a_line_of_a_megabyte() {
        let mut store = Store::new();
        let mut lines = Lines::default();
        let line = Line {
            of: 0,
            source: LogSource::Stdout,
            millis: None,
            begin: 0,
        };
        for text in [format!("{}b", "a".repeat(1 << 20)), "a".repeat(1 << 20), "x=1".into()] {
            lines.push(line, &text);
        }
        store.add(&lines).expect("added");
        for (pattern, numbers) in [("(a+)+$", vec![1]), (".*.*.*=.*", vec![2])] {
            let view = View::new(pattern, true, true, Vec::new()).expect("a pattern");
            let view = looked(&mut store, view);
            let found = view.lines(&mut store, 0, 10).expect("lines");
            assert_eq!(
                found.iter().map(|line| line.number).collect::<Vec<_>>(),
                numbers,
                "{pattern}"
            );
        }
    }
}
