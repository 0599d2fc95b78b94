use super::*;
use crate::logs::Line;

fn lines(texts: &[String]) -> Lines {
    let mut lines = Lines::default();
    for text in texts {
        let line = Line {
            of: 3,
            source: LogSource::Stderr,
            millis: Some(-7),
            begin: 0,
        };
        lines.push(line, text);
    }
    lines
}

fn filled(most: u64, segment: u64, count: u64) -> Store {
    let mut store = Store::within(most, segment);
    let texts: Vec<String> = (0..count).map(|number| format!("line {number}")).collect();
    for part in texts.chunks(33) {
        store.add(&lines(part)).expect("added");
    }
    store
}

fn texts(store: &mut Store, from: u64, most: u64) -> Vec<(u64, String)> {
    let lines = store.lines(from, most).expect("read");
    let known = |line: &Stored| (line.of, line.source, line.millis) == (3, LogSource::Stderr, Some(-7));
    assert!(lines.iter().all(known));
    lines.into_iter().map(|line| (line.number, line.text)).collect()
}

#[test]
fn any_window_of_many_lines_is_found() {
    let mut store = filled(1 << 30, 10_000, 5_000);
    assert!(store.segments.len() > 5, "it is about several files");
    for from in [0, 1, 63, 64, 65, 411, 412, 413, 2_500, 4_990] {
        let expected: Vec<(u64, String)> = (from..(from + 7).min(5_000))
            .map(|n| (n, format!("line {n}")))
            .collect();
        assert_eq!(texts(&mut store, from, 7), expected, "from {from}");
    }
    assert_eq!(texts(&mut store, 0, u64::MAX).len(), 5_000);
    assert_eq!(store.whole(4_321).expect("read"), Some("line 4321".to_owned()));
    store.clear();
    assert_eq!((store.first(), texts(&mut store, 0, 10).len()), (5_000, 0));
    assert_eq!(store.whole(4_321).expect("read"), None);
}

#[test]
fn its_text_comes_in_whole_lines_whatever_is_asked_for() {
    let mut store = filled(1 << 30, 10_000, 2_000);
    for bytes in [0, 1, 8, 9, 1_000, 1 << 20] {
        let (mut number, mut text, mut all) = (0, Vec::new(), Vec::new());
        while number < store.end() {
            let next = store.text(number, bytes, &mut text).expect("read");
            assert_eq!((memchr::memchr_iter(b'\n', &text).count() as u64), next - number);
            assert!(
                next == number + 1 || text.len() as u64 <= bytes,
                "{} for {bytes}",
                text.len()
            );
            all.extend_from_slice(&text);
            number = next;
        }
        let expected: String = (0..2_000)
            .flat_map(|number| ["line ".to_owned(), number.to_string(), "\n".to_owned()])
            .collect();
        assert!(all == expected.as_bytes(), "{bytes} at a time");
    }
}

#[test]
fn old_lines_go_and_the_others_keep_their_numbers() {
    let mut store = filled(40_000, 10_000, 5_000);
    assert!(store.first() > 1_000 && store.segments.len() == 4, "{}", store.first());
    let first = store.first();
    assert_eq!(texts(&mut store, 0, 1), [(first, format!("line {first}"))]);
}

#[test]
fn of_many_long_lines_the_beginnings_are_read() {
    let mut store = Store::new();
    let long: Vec<String> = (0..6).map(|_| "é".repeat(1 << 20)).collect();
    store.add(&lines(&long)).expect("added");
    let read = store.lines(0, 6).expect("read");
    assert!(read.iter().all(|line| line.length == 2 << 20));
    let lengths: Vec<usize> = read.iter().map(|line| line.text.len()).collect();
    assert_eq!(lengths, [2 << 20, 2 << 20, 2 << 20, 2 << 20, 64 << 10, 64 << 10]);
    assert_eq!(store.whole(5).expect("read").map(|text| text.len()), Some(2 << 20));
}

#[test]
fn what_goes_on_has_the_level_of_its_beginning() {
    let mut store = Store::within(1 << 20, 1 << 20);
    let texts = ["ERROR bad", "Traceback (most recent call last):", "  File x", "fine"];
    for text in texts {
        store.add(&lines(&[text.to_owned()])).expect("added");
    }
    let mut levels = Vec::new();
    store
        .levels(1, 9, |number, level| levels.push((number, level)))
        .expect("read");
    let error = Some(LogLevel::Error);
    assert_eq!(levels, [(1, error), (2, error), (3, None)]);
}
