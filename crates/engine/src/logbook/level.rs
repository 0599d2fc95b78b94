//! How grave a line is, from the words that programs put in front of it.

use crate::LogLevel;

/// Levels stand in the beginning of a line; a word further on is part of the text.
const LOOKED_AT: usize = 120;

/// Of bytes, because every line that comes in is looked at.
pub(super) fn of(line: &[u8]) -> Option<LogLevel> {
    let head = &line[..line.len().min(LOOKED_AT)];
    if line.first() == Some(&b'{') {
        return of_json(head);
    }
    let mut words = head.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    let mut before: &[u8] = b"";
    words.find_map(|word| {
        let named = matches!(before, b"level" | b"lvl" | b"severity");
        if !word.is_empty() {
            before = word;
        }
        // "error" in a sentence is no level; "ERROR", "Error:" at the beginning and "level=error" are.
        let shouted = word.len() > 2 && word.iter().all(u8::is_ascii_uppercase);
        let first = head.starts_with(word) && !word.is_empty() && head.get(word.len()) == Some(&b':');
        (named || shouted || first).then(|| word_level(word)).flatten()
    })
}

/// `{"level":"error"}`, `{"severity":"ERROR"}`, and pino's `{"level":50}`.
fn of_json(head: &[u8]) -> Option<LogLevel> {
    let text = String::from_utf8_lossy(head);
    let at = ["\"level\":", "\"severity\":", "\"levelname\":", "\"lvl\":"]
        .iter()
        .find_map(|key| text.find(key).map(|at| at + key.len()))?;
    let value = text[at..].trim_start().trim_start_matches('"');
    let end = value.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(value.len());
    match value[..end].parse::<u32>() {
        Ok(50..) => Some(LogLevel::Error),
        Ok(40..) => Some(LogLevel::Warning),
        Ok(30..) => Some(LogLevel::Info),
        Ok(_) => Some(LogLevel::Debug),
        Err(_) => word_level(&value.as_bytes()[..end]),
    }
}

fn word_level(word: &[u8]) -> Option<LogLevel> {
    const WORDS: &[(&str, LogLevel)] = &[
        ("error", LogLevel::Error),
        ("err", LogLevel::Error),
        ("fatal", LogLevel::Error),
        ("critical", LogLevel::Error),
        ("crit", LogLevel::Error),
        ("panic", LogLevel::Error),
        ("emerg", LogLevel::Error),
        ("alert", LogLevel::Error),
        ("severe", LogLevel::Error),
        ("warn", LogLevel::Warning),
        ("warning", LogLevel::Warning),
        ("info", LogLevel::Info),
        ("notice", LogLevel::Info),
        ("log", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Debug),
        ("verbose", LogLevel::Debug),
    ];
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    WORDS.iter().find(|(name, _)| is(name)).map(|(_, level)| *level)
}

/// What belongs to the line before: the rest of a trace.
pub(super) fn goes_on(line: &[u8]) -> bool {
    line.starts_with(b" ")
        || line.starts_with(b"\t")
        || line.starts_with(b"Traceback (")
        || line.starts_with(b"Caused by")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_programs_write_them() {
        for (line, level) in [
            (
                "2026-11-21 14:02:07 ERROR payment provider timeout",
                Some(LogLevel::Error),
            ),
            ("INFO:     Started server process [1]", Some(LogLevel::Info)),
            ("[WARN] slow query", Some(LogLevel::Warning)),
            ("time=\"…\" level=warning msg=\"x\"", Some(LogLevel::Warning)),
            (r#"{"time":1,"level":"debug","msg":"x"}"#, Some(LogLevel::Debug)),
            (r#"{"level":50,"time":1,"msg":"x"}"#, Some(LogLevel::Error)),
            (r#"{"severity":"ERROR"}"#, Some(LogLevel::Error)),
            ("2026/11/21 10:00:00 [error] 7#7: *1 open() failed", None),
            ("Error: listen EADDRINUSE", Some(LogLevel::Error)),
            ("warning: unused variable", Some(LogLevel::Warning)),
            ("there was no error in it", None),
            ("GET /info HTTP/1.1", None),
            ("", None),
        ] {
            assert_eq!(of(line.as_bytes()), level, "{line}");
        }
        assert!(goes_on(b"  File \"/app/x.py\", line 3") && !goes_on(b"INFO"));
    }
}
