//! What a terminal has shown, as far as it is kept, and how far those who look have read.
//!
//! Positions count bytes since the terminal began.

use std::collections::{BTreeMap, VecDeque};

/// About what a terminal window keeps: some thousand lines.
pub(super) const KEPT: usize = 1 << 20;

/// How much may be on its way to a page before the program has to wait. Little, so that Ctrl C is not followed by
/// seconds of what was printed before it.
pub(super) const UNREAD: u64 = 64 << 10;

/// How much goes out at once.
pub(super) const PIECE: usize = 32 << 10;

#[derive(Default)]
pub(super) struct Scrollback {
    text: VecDeque<u8>,
    /// Where `text` begins.
    start: u64,
    /// Bytes that are not yet a whole character.
    begun: Vec<u8>,
    viewers: BTreeMap<u64, u64>,
    next_viewer: u64,
}

impl Scrollback {
    pub(super) fn end(&self) -> u64 {
        self.start + self.text.len() as u64
    }

    /// Bytes that are no UTF-8 are replaced.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut rest = all.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.text.extend(text.as_bytes());
                    break;
                }
                Err(error) => {
                    let (good, odd) = rest.split_at(error.valid_up_to());
                    self.text.extend(good);
                    if let Some(length) = error.error_len() {
                        self.text.extend("\u{fffd}".as_bytes());
                        rest = &odd[length..];
                    } else {
                        self.begun = odd.to_vec();
                        break;
                    }
                }
            }
        }
        if self.text.len() > KEPT {
            // A line is cut at its end: what is left begins with no half of an escape or of a character.
            let over = self.text.len() - KEPT;
            let cut = self
                .text
                .range(over..)
                .take(PIECE)
                .position(|byte| *byte == b'\n')
                .map_or_else(|| self.character_at(over), |at| over + at + 1);
            self.text.drain(..cut);
            self.start += cut as u64;
        }
    }

    /// The first position from there at which a character begins.
    fn character_at(&self, from: usize) -> usize {
        let begins = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
        from + self
            .text
            .range(from..)
            .position(begins)
            .unwrap_or(self.text.len() - from)
    }

    /// Some text from that position on and not over that other one, and where it ends; nothing when there is none.
    pub(super) fn piece(&self, from: u64, most: u64) -> Option<(String, u64)> {
        let index = |position: u64| usize::try_from(position.max(self.start) - self.start).ok();
        let from = index(from)?;
        let mut to = (from + PIECE).min(self.text.len()).min(index(most)?);
        if from >= to {
            return None;
        }
        to = self.character_at(to);
        let bytes: Vec<u8> = self.text.range(from..to).copied().collect();
        Some((String::from_utf8_lossy(&bytes).into_owned(), self.start + to as u64))
    }

    /// Somebody who looks from the beginning of what is kept.
    pub(super) fn join(&mut self) -> (u64, u64) {
        let viewer = self.next_viewer;
        self.next_viewer += 1;
        self.viewers.insert(viewer, self.start);
        (viewer, self.start)
    }

    pub(super) fn leave(&mut self, viewer: u64) {
        self.viewers.remove(&viewer);
    }

    pub(super) fn shown(&mut self, viewer: u64, until: u64) {
        let end = self.end();
        if let Some(at) = self.viewers.get_mut(&viewer) {
            *at = until.clamp(*at, end);
        }
    }

    /// Whether everybody who looks is near enough to what was shown last. Nobody keeps nobody waiting.
    pub(super) fn has_room(&self) -> bool {
        let end = self.end();
        self.viewers.values().all(|at| end - at < UNREAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(scrollback: &Scrollback) -> String {
        let (mut text, mut at) = (String::new(), 0);
        while let Some((piece, until)) = scrollback.piece(at, u64::MAX) {
            text.push_str(&piece);
            at = until;
        }
        text
    }

    #[test]
    fn text_is_the_same_wherever_the_bytes_are_cut() {
        let bytes = [b"a\xffb".as_slice(), "äöü 🚢\r\n".as_bytes(), b"\xf0\x9f"].concat();
        for step in 1..bytes.len() {
            let mut scrollback = Scrollback::default();
            for part in bytes.chunks(step) {
                scrollback.push(part);
            }
            assert_eq!(all(&scrollback), "a\u{fffd}bäöü 🚢\r\n", "cut every {step} bytes");
        }
    }

    #[test]
    fn a_flood_is_kept_from_a_line_s_beginning_and_within_its_bound() {
        let mut scrollback = Scrollback::default();
        let line = format!("{}é\r\n", "x".repeat(77));
        for _ in 0..(3 * KEPT / line.len()) {
            scrollback.push(line.as_bytes());
            assert!(scrollback.text.len() <= KEPT);
        }
        assert!(all(&scrollback).starts_with(&line));
        let mut one = Scrollback::default();
        one.push("é".repeat(KEPT).as_bytes());
        one.push(b"x");
        assert!(one.text.len() <= KEPT && all(&one).starts_with('é'));
    }

    #[test]
    fn who_looks_and_is_behind_keeps_the_program_waiting() {
        let mut scrollback = Scrollback::default();
        let flood = vec![b'x'; usize::try_from(UNREAD).expect("fits")];
        scrollback.push(&flood);
        assert!(scrollback.has_room(), "nobody looks");
        let (viewer, _) = scrollback.join();
        assert!(!scrollback.has_room());
        scrollback.shown(viewer, 10);
        assert!(scrollback.has_room());
        scrollback.shown(viewer, u64::MAX);
        scrollback.push(&flood);
        assert!(!scrollback.has_room(), "nobody has seen what had not come");
        scrollback.leave(viewer);
        assert!(scrollback.has_room());
    }
}
