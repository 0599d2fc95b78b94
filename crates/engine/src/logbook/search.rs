//! What is looked for in lines. Whole stretches of text are gone through at once, as grep does it: most of a log has
//! nothing that could be found, and is passed over without ever being taken apart into lines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use grep_matcher::{LineMatchKind, LineTerminator, Matcher as _};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};

use super::plain::plain_lines;

/// More matches of one line are not marked.
const MARKED: usize = 200;

/// A pattern may not need more memory than this, nor what it is made into while it runs.
const PATTERN: usize = 1 << 20;
const RUNNING: usize = 2 << 20;

/// Words without regard to case, or a regular expression. It is about one line at a time: `^` and `$` are its ends,
/// and nothing goes over them.
/// Its matcher's type has errors, of which there are none (`NoError`).
#[derive(Clone, Debug)]
pub(super) struct Search {
    matcher: RegexMatcher,
    /// What it finds in lines by themselves, it finds in many of them together.
    together: bool,
}

/// Text of whole lines, and the number of the first.
pub(super) struct Stretch {
    pub(super) first: u64,
    pub(super) text: Vec<u8>,
}

impl Search {
    /// An error says why the pattern makes no sense.
    pub(super) fn new(words: &str, regex: bool) -> Result<Search, String> {
        let matcher = RegexMatcherBuilder::new()
            .case_insensitive(true)
            .fixed_strings(!regex)
            .multi_line(true)
            .line_terminator(Some(b'\n'))
            .size_limit(PATTERN)
            .dfa_size_limit(RUNNING)
            .build(words)
            .map_err(|error| {
                // The last line of it is the reason; those before show the place.
                let words = error.to_string();
                let why = words.lines().last().unwrap_or_default();
                why.trim_start_matches("error: ").to_owned()
            })?;
        // `\A` and `\z` are the ends of all that is gone through, and it says so by not going by lines.
        let together = matcher.line_terminator() == Some(LineTerminator::byte(b'\n'));
        Ok(Search { matcher, together })
    }

    /// The numbers of the lines with a match, in order. Each stretch is a thread's. Gives up when nobody wants it any
    /// more.
    pub(super) fn lines(&self, stretches: &[Stretch], unwanted: &AtomicBool) -> Vec<u64> {
        if let [stretch] = stretches {
            return self.lines_of(stretch, unwanted);
        }
        thread::scope(|scope| {
            let work: Vec<_> = stretches
                .iter()
                .map(|stretch| {
                    // Of its own: what a pattern is made into while it runs is not shared without waiting.
                    let search = self.clone();
                    scope.spawn(move || search.lines_of(stretch, unwanted))
                })
                .collect();
            work.into_iter()
                .flat_map(|work| work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }

    fn lines_of(&self, stretch: &Stretch, unwanted: &AtomicBool) -> Vec<u64> {
        let wanted = || !unwanted.load(Ordering::Relaxed);
        let cleaned = plain_lines(&stretch.text);
        let text = cleaned.as_ref().map_or(stretch.text.as_slice(), String::as_bytes);
        let mut found = Vec::new();
        let (mut number, mut at) = (stretch.first, 0);
        if !self.together {
            while let Some(line) = line_at(text, at).filter(|_| wanted()) {
                if self.is_in(line) {
                    found.push(number);
                }
                at += line.len() + 1;
                number += 1;
            }
            return found;
        }
        while wanted()
            && let Some((place, sure)) = self.next(&text[at..])
        {
            let begin = memchr::memrchr(b'\n', &text[..at + place]).map_or(0, |end| end + 1);
            let Some(line) = line_at(text, begin) else { break };
            number += memchr::memchr_iter(b'\n', &text[at..begin]).count() as u64;
            if sure || self.is_in(line) {
                found.push(number);
            }
            at = begin + line.len() + 1;
            number += 1;
        }
        found
    }

    /// A place in the next line that may have a match, and whether it has one for sure.
    fn next(&self, text: &[u8]) -> Option<(usize, bool)> {
        self.matcher
            .find_candidate_line(text)
            .ok()
            .flatten()
            .map(|found| match found {
                LineMatchKind::Confirmed(place) => (place, true),
                LineMatchKind::Candidate(place) => (place, false),
            })
            // One that finds nothing, and that at the very end, is in no line.
            .filter(|(place, _)| *place < text.len())
    }

    fn is_in(&self, line: &[u8]) -> bool {
        self.matcher.is_match(line).unwrap_or(false)
    }

    /// Where it is in a line: begins and ends in UTF-16 units.
    pub(super) fn places(&self, line: &str) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        let (mut byte, mut unit) = (0, 0_usize);
        let mut units_at = |to: usize| {
            let to = line.floor_char_boundary(to).max(byte);
            unit += line[byte..to].encode_utf16().count();
            byte = to;
            u32::try_from(unit).unwrap_or(u32::MAX)
        };
        let _ = self.matcher.find_iter(line.as_bytes(), |place| {
            if !place.is_empty() {
                let begin = units_at(place.start());
                found.push((begin, units_at(place.end())));
            }
            found.len() < MARKED
        });
        found
    }
}

/// The line that begins there, without its end.
fn line_at(text: &[u8], begin: usize) -> Option<&[u8]> {
    let rest = text.get(begin..).filter(|rest| !rest.is_empty())?;
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stretch(text: &str) -> Stretch {
        Stretch {
            first: 10,
            text: text.as_bytes().to_vec(),
        }
    }

    fn found(words: &str, regex: bool, text: &str) -> Vec<u64> {
        Search::new(words, regex)
            .expect("a pattern")
            .lines(&[stretch(text)], &AtomicBool::new(false))
    }

    #[test]
    fn a_line_is_found_by_what_is_in_it_alone() {
        let text = "one\ntwo\n\nOne two\nthree\n";
        for (pattern, lines) in [
            ("one", vec![10, 13]),
            ("^two", vec![11]),
            ("two$", vec![11, 13]),
            ("^$", vec![12]),
            (r"e\s+t", vec![13]),
            (r"(?s)o.*two", vec![13]),
            (r"[^z]+", vec![10, 11, 13, 14]),
            (r"\Atwo", vec![11]),
            (r"two\z", vec![11, 13]),
            (r"\bth", vec![14]),
            ("x*", vec![10, 11, 12, 13, 14]),
            ("zzz", vec![]),
        ] {
            assert_eq!(found(pattern, true, text), lines, "{pattern}");
        }
        assert_eq!(found("E T", false, text), [13]);
        assert!(found(".", false, text).is_empty());
        assert_eq!(found("ÄÖ", false, "xäöx\n"), [10]);
        assert!(Search::new("(", true).is_err() && Search::new("(", false).is_ok());
        assert!(Search::new("a\\nb", true).is_err(), "no line has one in it");
        assert!(
            Search::new("(a{1000}){1000}", true).is_err(),
            "it would need too much memory"
        );
    }

    #[test]
    fn what_a_terminal_would_obey_is_no_part_of_the_text() {
        let text = "\u{1b}[31mre\u{1b}[0mquest\nrequest\r\n10%\rre\u{8}quest\nrequest\rgone\n";
        assert_eq!(found("request", false, text), [10, 11, 12]);
        assert_eq!(found("^request$", true, text), [10, 11, 12]);
    }

    #[test]
    fn stretches_are_gone_through_together() {
        let stretches: Vec<Stretch> = (0..7)
            .map(|at| Stretch {
                first: at * 3,
                text: b"no\nyes\nno\n".to_vec(),
            })
            .collect();
        let search = Search::new("YES", false).expect("a pattern");
        let unwanted = AtomicBool::new(false);
        assert_eq!(search.lines(&stretches, &unwanted), [1, 4, 7, 10, 13, 16, 19]);
        unwanted.store(true, Ordering::Relaxed);
        assert!(search.lines(&stretches, &unwanted).is_empty());
    }

    #[test]
    fn places_are_counted_as_pages_count() {
        let places = |words, text| Search::new(words, true).expect("a pattern").places(text);
        assert_eq!(places("x", "ä😀x x"), [(3, 4), (5, 6)]);
        assert_eq!(places("^x|x$", "x x x"), [(0, 1), (4, 5)]);
        assert_eq!(places("y*", "xyyx"), [(1, 3)]);
        assert_eq!(places("x", &"x".repeat(1000)).len(), MARKED);
    }

    proptest! {
        #[test]
        fn many_lines_together_are_as_each_by_itself(
            lines in proptest::collection::vec("[ab \\rkK\u{1b}\u{212a}ä]{0,6}", 0..12),
            pattern in proptest::sample::select(vec![
                "[ab]", "a[^b]*b", r"\s+", "^a", "b$", r"\Aa", r"b\z", "k", "(?s:.)b", r"\W", "a*", r"\bb", "^$", "ä", "ab|b ",
            ]),
        ) {
            let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
            let search = Search::new(pattern, true).expect("a pattern");
            let expected: Vec<u64> = (10..)
                .zip(&lines)
                .filter(|(_, line)| search.is_in(super::super::plain::plain(line).as_bytes()))
                .map(|(number, _)| number)
                .collect();
            prop_assert_eq!(search.lines(&[stretch(&text)], &AtomicBool::new(false)), expected);
        }
    }
}
