//! A line as it is drawn and as it is searched: what a terminal would obey is left out, except colours.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// A whole escape first, then any single character that a terminal takes as a command. A tab is text.
static COMMANDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0a-\x1f\x7f-\u{9f}]",
    )
    .expect("a pattern of our own")
});

/// A carriage return starts the line again, as progress bars do: what stands after the last one is what one sees.
fn last_version(line: &str) -> &str {
    if line.contains('\r') {
        line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default()
    } else {
        line
    }
}

fn has_commands(line: &str) -> bool {
    line.bytes()
        .any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f || byte == 0xc2)
}

/// What is left to read of lines that each end with a line feed. Nothing, when all of it is to be read as it is.
pub(super) fn plain_lines(text: &[u8]) -> Option<String> {
    // Without a way out of the middle it is done many bytes at a time.
    let odd = |byte: u8| matches!(byte, 0..=8 | 0x0b..=0x1f | 0x7f | 0xc2);
    let has_commands = text
        .chunks(4096)
        .any(|part| part.iter().fold(false, |found, byte| found | odd(*byte)));
    has_commands.then(|| {
        let mut lines = String::with_capacity(text.len());
        for line in String::from_utf8_lossy(text).split_terminator('\n') {
            let line = last_version(line);
            if !push_without_colours(line, &mut lines) {
                lines.push_str(&COMMANDS.replace_all(line, ""));
            }
            lines.push('\n');
        }
        lines
    })
}

/// Most lines that a terminal would obey in anything are coloured and nothing else: those are done without looking for
/// every command there is. Says whether this was one, and leaves `into` alone when it was not.
fn push_without_colours(line: &str, into: &mut String) -> bool {
    let before = into.len();
    let mut rest = line;
    loop {
        let end = memchr::memchr(0x1b, rest.as_bytes()).unwrap_or(rest.len());
        let (text, command) = rest.split_at(end);
        if has_commands(text) {
            break;
        }
        into.push_str(text);
        if command.is_empty() {
            return true;
        }
        let inside = command.strip_prefix("\x1b[").map(|inside| {
            inside.trim_start_matches(|letter: char| letter.is_ascii_digit() || matches!(letter, ';' | ':'))
        });
        match inside.and_then(|inside| inside.strip_prefix('m')) {
            Some(after) => rest = after,
            None => break,
        }
    }
    into.truncate(before);
    false
}

/// With its colours and nothing else.
pub(super) fn coloured(line: &str) -> Cow<'_, str> {
    let line = last_version(line);
    if !has_commands(line) {
        return Cow::Borrowed(line);
    }
    COMMANDS.replace_all(line, |found: &regex::Captures<'_>| {
        let command = &found[0];
        let inside = command.strip_prefix("\x1b[").and_then(|rest| rest.strip_suffix('m'));
        match inside {
            Some(inside)
                if inside
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':')) =>
            {
                command.to_owned()
            }
            Some(_) | None => String::new(),
        }
    })
}

/// What is left to read.
pub(super) fn plain(line: &str) -> Cow<'_, str> {
    let line = last_version(line);
    if has_commands(line) {
        COMMANDS.replace_all(line, "")
    } else {
        Cow::Borrowed(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_commands_go() {
        let line = "\u{1b}[31mred\u{1b}[0m\u{1b}[2J \u{1b}]0;title\u{7}x\u{8}\ty\u{1b}(B";
        assert_eq!(coloured(line), "\u{1b}[31mred\u{1b}[0m x\ty");
        assert_eq!(plain(line), "red x\ty");
        assert_eq!(plain("10%\r50%\r100%"), "100%");
        assert_eq!(plain("100%\r"), "100%");
        assert_eq!(plain("<b>שלום</b> ä"), "<b>שלום</b> ä");
    }

    #[test]
    fn lines_are_cleaned_together_as_each_by_itself() {
        assert_eq!(plain_lines("one\n\t<b>שלום</b>\n\n".as_bytes()), None);
        for odd in [
            "\u{1b}[31mred\u{1b}[0m",
            "a\u{1b}[1;38:5:9mb\u{1b}[mc",
            "a\u{1b}[31mb\u{1b}[2Jc",
            "a\u{1b}[31mb\u{1b}",
            "\u{1b}[31m£\u{7}\u{1b}[0m",
            "10%\r20%",
            "\u{85}x",
            "50 £",
            "\u{7f}",
            "",
        ] {
            let text = format!("before\n{odd}\n\nafter\n");
            let expected = format!("before\n{}\n\nafter\n", plain(odd));
            let found = plain_lines(text.as_bytes()).unwrap_or(text);
            assert_eq!(found, expected);
        }
    }
}
