//! Which values are not for every eye: told by the name they have, or by a login inside an address.

use std::sync::LazyLock;

use regex::Regex;

/// As names are written for people and programs: `POSTGRES_PASSWORD`, `apiKey`, `splunk-token`.
static NAMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(pass(word|wd|phrase)?|pwd|secret|token|api[_.-]?key|access[_.-]?key|private[_.-]?key|credentials?|auth|encryption[_.-]?key|signing[_.-]?key)s?([_.-]|$)",
    )
    .ok()
});

/// `postgres://ada:secret@db/app`
static LOGIN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)^[a-z][a-z0-9+.-]*://[^/?#\s]*:[^/?#\s]+@").ok());

pub fn is_secret(name: &str, value: &str) -> bool {
    let matches = |pattern: &LazyLock<Option<Regex>>, text: &str| {
        LazyLock::force(pattern)
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(text))
    };
    // The path of a file with a secret is none; that there is none is none either.
    !value.is_empty() && ((matches(&NAMES, name) && !value.starts_with('/')) || matches(&LOGIN, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for (name, value) in [
            ("POSTGRES_PASSWORD", "x"),
            ("MYSQL_PWD", "x"),
            ("OPENAI_API_KEY", "sk"),
            ("apiKey", "x"),
            ("GITHUB_TOKEN", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("splunk-token", "x"),
            ("--password", "x"),
            ("DATABASE_URL", "postgres://ada:x@db:5432/app"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("TZ", "Europe/London"),
            ("POSTGRES_PASSWORD_FILE", "/run/secrets/db"),
            ("AUTHOR", "ada"),
            ("PASSENGER_COUNT", "3"),
            ("TOKENIZERS_PARALLELISM", "false"),
            ("DATABASE_URL", "postgres://db:5432/app"),
            ("POSTGRES_PASSWORD", ""),
            ("KEYBOARD", "uk"),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }
}
