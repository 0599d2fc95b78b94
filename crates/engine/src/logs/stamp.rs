//! The time that the engine puts before each message.

/// `2026-11-21T09:30:00.123456789Z`, as dockerd writes all of them.
const LENGTH: usize = 30;

/// Up to the point before the parts of a second.
const SECOND: usize = 19;

/// Reads times. Many lines come in the same second, and only its parts are read again.
#[derive(Default)]
pub(super) struct Clock {
    text: [u8; SECOND],
    millis: i64,
}

impl Clock {
    /// The time that stands at the beginning, with a blank after it, when it is in dockerd's own form; and how long
    /// it and the blank are.
    pub(super) fn fixed(&mut self, bytes: &[u8]) -> Option<(i64, usize)> {
        let (stamp, rest) = bytes.split_first_chunk::<LENGTH>()?;
        let (second, parts) = stamp.split_first_chunk::<SECOND>()?;
        let [b'.', parts @ .., b'Z'] = parts else { return None };
        if rest.first() != Some(&b' ') || !parts.iter().all(u8::is_ascii_digit) {
            return None;
        }
        if self.text != *second {
            self.millis = parse(&[second.as_slice(), b"Z"].concat())?;
            self.text = *second;
        }
        let digit = |at: usize| i64::from(parts[at] - b'0');
        let millis = self.millis + digit(0) * 100 + digit(1) * 10 + digit(2);
        Some((millis, LENGTH + 1))
    }
}

/// In any form, with an offset as Podman writes it.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let stamp: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(stamp.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_way_reads_what_the_slow_one_reads() {
        let mut clock = Clock::default();
        for text in [
            "2026-11-21T09:30:00.123456789Z",
            "2026-11-21T09:30:00.999999999Z",
            "2026-11-21T09:30:01.000000000Z",
            "1969-12-31T23:59:59.900000000Z",
            "2024-02-29T00:00:00.000000000Z",
        ] {
            let found = clock.fixed(format!("{text} word").as_bytes());
            assert_eq!(found, parse(text.as_bytes()).map(|millis| (millis, 31)), "{text}");
            assert!(found.is_some(), "{text}");
        }
        for text in [
            "2026-11-21T09:30:00.123456789Z",
            "2026-11-21T09:30:00.12345678xZ word",
            "2026-13-21T09:30:00.123456789Z word",
            "2026-11-21T09:30:00.123456789+01:00 word",
            "",
        ] {
            assert_eq!(clock.fixed(text.as_bytes()), None, "{text}");
        }
    }
}
