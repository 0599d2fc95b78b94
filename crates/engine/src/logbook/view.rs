//! Which lines are shown and which a search has found. Looked for a part at a time, so that nobody waits.

use std::collections::VecDeque;
use std::io;

use regex::{Regex, RegexBuilder};

use super::plain::{coloured, plain};
use super::store::{Store, Stored};
use super::{LogLevel, ShownLine};

/// How many lines are looked at before somebody else has a turn.
const AT_ONCE: u64 = 20_000;

/// More of a line is not drawn.
const LONGEST: usize = 16 << 10;

/// More matches of one line are not marked.
const MARKED: usize = 200;

/// A pattern may not need more memory than this.
const PATTERN: usize = 1 << 20;

#[derive(Default)]
pub(super) struct View {
    search: Option<Regex>,
    matching_only: bool,
    levels: Vec<LogLevel>,
    /// Everything before this was looked at.
    looked: u64,
    /// Numbers of lines with a match that pass the levels.
    matches: VecDeque<u32>,
    /// Numbers of lines that pass the levels, when not all do.
    passing: VecDeque<u32>,
}

impl View {
    pub(super) fn new(
        search: &str,
        regex: bool,
        matching_only: bool,
        levels: Vec<LogLevel>,
    ) -> Result<View, regex::Error> {
        let pattern = if regex {
            search.to_owned()
        } else {
            regex::escape(search)
        };
        let search = (!search.is_empty())
            .then(|| {
                RegexBuilder::new(&pattern)
                    .case_insensitive(true)
                    .size_limit(PATTERN)
                    .build()
            })
            .transpose()?;
        Ok(View {
            matching_only: matching_only && search.is_some(),
            search,
            levels,
            ..View::default()
        })
    }

    fn is_plain(&self) -> bool {
        self.search.is_none() && self.levels.is_empty()
    }

    pub(super) fn is_behind(&self, store: &Store) -> bool {
        !self.is_plain() && self.looked < store.end()
    }

    /// Looks at the next lines. Whether anything that is shown or found has changed.
    pub(super) fn look(&mut self, store: &mut Store) -> io::Result<()> {
        if self.is_plain() {
            return Ok(());
        }
        self.drop_before(store.first());
        let from = self.looked.max(store.first());
        let mut passing = Vec::new();
        if !self.levels.is_empty() {
            let to = from.saturating_add(AT_ONCE).min(store.end());
            passing = (from..to)
                .filter(|number| store.level(*number).is_some_and(|level| self.levels.contains(&level)))
                .collect();
        }
        let mut matches = Vec::new();
        if let Some(search) = &self.search {
            store.walk(from, AT_ONCE, |number, line| {
                if search.is_match(&plain(&line.text)) {
                    matches.push(number);
                }
                true
            })?;
        }
        if !self.levels.is_empty() {
            matches.retain(|number| passing.binary_search(number).is_ok());
            self.passing.extend(passing.into_iter().map(short));
        }
        self.matches.extend(matches.into_iter().map(short));
        self.looked = from.saturating_add(AT_ONCE).min(store.end());
        Ok(())
    }

    /// Everything that was there is gone.
    pub(super) fn clear(&mut self, store: &Store) {
        self.matches.clear();
        self.passing.clear();
        self.looked = store.end();
    }

    fn drop_before(&mut self, first: u64) {
        for list in [&mut self.matches, &mut self.passing] {
            while list.front().is_some_and(|number| u64::from(*number) < first) {
                list.pop_front();
            }
        }
    }

    /// The numbers of what is shown, when it is not everything.
    fn chosen(&self) -> Option<&VecDeque<u32>> {
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
            Some(chosen) => chosen.len() as u64,
            None => store.end() - store.first(),
        }
    }

    pub(super) fn matches(&self) -> u64 {
        self.matches.len() as u64
    }

    pub(super) fn lines(&self, store: &mut Store, from: u64, count: u64) -> io::Result<Vec<ShownLine>> {
        let mut lines = Vec::new();
        match self.chosen() {
            None => {
                let first = store.first().saturating_add(from);
                store.walk(first, count, |number, line| {
                    lines.push(self.drawn(number, &line));
                    true
                })?;
            }
            Some(chosen) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX);
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                for number in chosen.iter().skip(from).take(count) {
                    store.walk(u64::from(*number), 1, |number, line| {
                        lines.push(self.drawn(number, &line));
                        true
                    })?;
                }
            }
        }
        for line in &mut lines {
            line.level = store.level(line.number);
        }
        Ok(lines)
    }

    fn drawn(&self, number: u64, line: &Stored) -> ShownLine {
        let mut text = coloured(&line.text).into_owned();
        let cut = text.len() > LONGEST;
        if cut {
            text.truncate(text.floor_char_boundary(LONGEST));
        }
        let found = match &self.search {
            Some(search) => places(search, &plain(&text)),
            None => Vec::new(),
        };
        ShownLine {
            number,
            of: line.of,
            source: line.source,
            millis: line.millis,
            level: None,
            text,
            cut,
            found,
        }
    }

    /// The line of the next match and which of them it is, around the end if need be.
    pub(super) fn step(&self, from: Option<u64>, forward: bool) -> Option<(u64, u64)> {
        let count = self.matches.len();
        if count == 0 {
            return None;
        }
        let at = match (from, forward) {
            (None, _) => count - 1,
            (Some(from), true) => self.matches.partition_point(|number| u64::from(*number) <= from) % count,
            (Some(from), false) => {
                (self.matches.partition_point(|number| u64::from(*number) < from) + count - 1) % count
            }
        };
        Some((u64::from(self.matches[at]), at as u64 + 1))
    }

    /// Where a line is in what is shown.
    pub(super) fn position(&self, store: &Store, number: u64) -> u64 {
        match self.chosen() {
            Some(chosen) => chosen.partition_point(|known| u64::from(*known) < number) as u64,
            None => number.saturating_sub(store.first()),
        }
    }
}

/// Line numbers are kept in four bytes: the disk holds less than four billion lines.
fn short(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn places(search: &Regex, text: &str) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    let (mut byte, mut unit) = (0, 0_usize);
    let mut units_at = |to: usize| {
        unit += text[byte..to].encode_utf16().count();
        byte = to;
        u32::try_from(unit).unwrap_or(u32::MAX)
    };
    for place in search.find_iter(text).filter(|place| !place.is_empty()).take(MARKED) {
        let begin = units_at(place.start());
        found.push((begin, units_at(place.end())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogSource;

    fn store(count: u64) -> Store {
        let mut store = Store::new();
        for number in 0..count {
            let level = if number % 10 == 0 { "ERROR" } else { "INFO" };
            let line = Stored {
                of: 0,
                source: LogSource::Stdout,
                millis: None,
                text: format!("{level} request {number} took \u{1b}[31m{}\u{1b}[0m ms", number % 97),
            };
            store.add(&line).expect("added");
        }
        store
    }

    fn looked(store: &mut Store, mut view: View) -> View {
        while view.is_behind(store) {
            view.look(store).expect("looked");
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
    fn places_are_counted_as_pages_count() {
        let search = Regex::new("(?i)x").expect("a pattern");
        assert_eq!(places(&search, "ä😀x x"), [(3, 4), (5, 6)]);
    }
}
