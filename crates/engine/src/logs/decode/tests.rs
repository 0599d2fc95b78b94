use super::*;
use crate::LogLine;

const STAMP: &str = "2026-11-21T09:30:00.123456789Z";
const MILLIS: i64 = 1_795_253_400_123;

fn frame(source: u8, text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a short frame").to_be_bytes();
    [&[source, 0, 0, 0][..], &length, text].concat()
}

fn timed(source: u8, text: &str) -> Vec<u8> {
    frame(source, format!("{STAMP} {text}").as_bytes())
}

fn decode(terminal: bool, bytes: &[u8], step: usize) -> Vec<LogLine> {
    let mut decoder = Decoder::new(terminal);
    let mut lines = Lines::default();
    for part in bytes.chunks(step) {
        decoder.push(part, &mut lines);
    }
    decoder.end(&mut lines);
    lines.chunk().lines
}

fn line(source: LogSource, text: &str) -> LogLine {
    LogLine {
        source,
        millis: Some(MILLIS),
        text: text.to_owned(),
    }
}

#[test]
fn lines_are_the_same_wherever_the_bytes_are_cut() {
    let bytes = [
        timed(1, "one\n"),
        timed(2, "oh\r\n"),
        timed(1, "first half, "),
        timed(2, "in between\n"),
        timed(1, "second half\n"),
        timed(1, "\n"),
        frame(1, b""),
        timed(1, "no end"),
    ]
    .concat();
    let expected = [
        line(LogSource::Stdout, "one"),
        line(LogSource::Stderr, "oh"),
        line(LogSource::Stderr, "in between"),
        line(LogSource::Stdout, "first half, second half"),
        line(LogSource::Stdout, ""),
        line(LogSource::Stdout, "no end"),
    ];
    for step in 1..=bytes.len() {
        assert_eq!(decode(false, &bytes, step), expected, "cut every {step} bytes");
    }
}

#[test]
fn a_terminal_s_bytes_are_lines_as_they_are() {
    let bytes = format!("{STAMP} \u{1b}[31mred\u{1b}[0m\r\n{STAMP} \u{1}odd\r\n{STAMP} $ ");
    for step in 1..=bytes.len() {
        assert_eq!(
            decode(true, bytes.as_bytes(), step),
            [
                line(LogSource::Terminal, "\u{1b}[31mred\u{1b}[0m"),
                line(LogSource::Terminal, "\u{1}odd"),
                line(LogSource::Terminal, "$ "),
            ]
        );
    }
}

/// As dockerd cuts it: in parts of 16 KB, each with a time.
fn in_parts(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in text.as_bytes().chunks(16 << 10) {
        bytes.extend(timed(1, std::str::from_utf8(part).expect("ASCII")));
    }
    bytes.extend(timed(1, "\n"));
    bytes
}

#[test]
fn a_line_of_a_megabyte_is_one_line() {
    let long = "x".repeat(1 << 20);
    let bytes = [in_parts(&long), timed(1, "next\n")].concat();
    let expected = [line(LogSource::Stdout, &long), line(LogSource::Stdout, "next")];
    assert!(decode(false, &bytes, 4096) == expected);
    assert!(decode(false, &bytes, bytes.len()) == expected);
}

#[test]
fn a_line_without_an_end_comes_in_parts_and_nothing_is_lost() {
    let long = "x".repeat(2 * LONGEST_LINE + 5);
    let lines = decode(false, &in_parts(&long), 100_000);
    let lengths: Vec<usize> = lines.iter().map(|line| line.text.len()).collect();
    assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE, 5]);
    assert!(lines.iter().all(|line| line.millis == Some(MILLIS)));
}

#[test]
fn text_without_a_time_stays_whole() {
    let bytes = [
        frame(1, b"no time here\n"),
        frame(1, b"word\n"),
        frame(2, b"\xff\xfe\n"),
    ]
    .concat();
    for step in 1..=bytes.len() {
        let lines = decode(false, &bytes, step);
        let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(text, ["no time here", "word", "\u{fffd}\u{fffd}"]);
        assert!(lines.iter().all(|line| line.millis.is_none()));
    }
}

#[test]
fn a_header_that_promises_gigabytes_reserves_none() {
    let mut bytes = vec![1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    bytes.extend_from_slice(b"text that never ends");
    assert_eq!(decode(false, &bytes, 3).len(), 1);
}
