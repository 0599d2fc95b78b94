//! How words are written in the three shells that people paste into.
//!
//! `PowerShell` is version 7.3 and later, which hands double quotes on as they are. cmd means an interactive prompt and
//! a program that splits its line as Microsoft's runtime does, as Go's does.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Shell {
    /// sh, bash, zsh
    #[default]
    Posix,
    PowerShell,
    Cmd,
}

/// Words as a line that this shell takes apart into the same words.
pub fn shell_line<S: AsRef<str>>(words: &[S], shell: Shell) -> String {
    words
        .iter()
        .map(|word| shell.quote(word.as_ref()))
        .collect::<Vec<_>>()
        .join(" ")
}

impl Shell {
    pub const ALL: [Shell; 3] = [Shell::Posix, Shell::PowerShell, Shell::Cmd];

    /// What stands at the end of a line that goes on.
    pub fn continuation(self) -> &'static str {
        match self {
            Shell::Posix => "\\",
            Shell::PowerShell => "`",
            Shell::Cmd => "^",
        }
    }

    /// One word, quoted where it has to be. A zero byte cannot be passed to a program and is left out.
    pub(crate) fn quote(self, word: &str) -> String {
        let word = word.replace('\0', "");
        if !word.is_empty() && word.chars().all(|character| self.is_plain(character)) {
            // A hash begins a comment, an at sign a variable.
            let special = match self {
                Shell::PowerShell => word.starts_with(['@', '#', ',']) || word == "--" || word == "--%",
                Shell::Posix => word.starts_with('='),
                Shell::Cmd => false,
            };
            if !special {
                return word;
            }
        }
        match self {
            // Without the zero byte there is nothing that it refuses.
            Shell::Posix => shlex::try_quote(&word).map_or_else(|_| String::new(), std::borrow::Cow::into_owned),
            // Typographic quotes end a text in PowerShell like straight ones.
            Shell::PowerShell => {
                let mut quoted = String::from("'");
                for character in word.chars() {
                    if is_single_quote(character) {
                        quoted.push(character);
                    }
                    quoted.push(character);
                }
                quoted.push('\'');
                quoted
            }
            Shell::Cmd => cmd_quote(&word),
        }
    }

    fn is_plain(self, character: char) -> bool {
        character.is_ascii_alphanumeric()
            || match self {
                Shell::Posix => "_@%+=:,./-".contains(character),
                Shell::PowerShell => "_%+=:./-\\".contains(character),
                Shell::Cmd => "_@+=,:./-\\~#[]{}$".contains(character),
            }
    }

    /// The words of a line whose variables have been replaced; `None` while a quote is open.
    pub(super) fn split(self, line: &str) -> Option<Vec<String>> {
        match self {
            Shell::Posix => shlex::split(line),
            Shell::PowerShell => powershell_split(line),
            Shell::Cmd => cmd_split(line),
        }
    }
}

fn is_single_quote(character: char) -> bool {
    matches!(character, '\'' | '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}')
}

fn is_double_quote(character: char) -> bool {
    matches!(character, '"' | '\u{201C}' | '\u{201D}' | '\u{201E}')
}

/// As Microsoft's runtime takes it apart, and then safe from cmd itself: a caret before every sign that means something
/// there, quotes too, so that cmd never believes to be inside quotes.
fn cmd_quote(word: &str) -> String {
    let mut quoted = String::from("\"");
    let mut backslashes = 0;
    for character in word.chars() {
        if character == '\\' {
            backslashes += 1;
            continue;
        }
        let doubled = if character == '"' {
            backslashes * 2 + 1
        } else {
            backslashes
        };
        quoted.extend(std::iter::repeat_n('\\', doubled));
        backslashes = 0;
        quoted.push(character);
    }
    quoted.extend(std::iter::repeat_n('\\', backslashes * 2));
    quoted.push('"');
    if !word.contains(['"', '%', '!']) {
        return quoted;
    }
    let mut safe = String::new();
    for character in quoted.chars() {
        if "()%!^\"<>&|".contains(character) {
            safe.push('^');
        }
        safe.push(character);
    }
    safe
}

/// Without carets: they are cmd's own and are taken away first, outside of quotes.
fn cmd_split(line: &str) -> Option<Vec<String>> {
    let mut bare = String::new();
    let mut quoted = false;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                bare.push('"');
            }
            '^' if !quoted => bare.extend(characters.next()),
            _ => bare.push(character),
        }
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut characters = bare.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let mut count = 1;
                while characters.next_if_eq(&'\\').is_some() {
                    count += 1;
                }
                let word = word.get_or_insert_default();
                if characters.peek() == Some(&'"') {
                    word.extend(std::iter::repeat_n('\\', count / 2));
                    if count % 2 == 1 {
                        characters.next();
                        word.push('"');
                    }
                } else {
                    word.extend(std::iter::repeat_n('\\', count));
                }
            }
            '"' => {
                word.get_or_insert_default();
                quoted = !quoted;
            }
            _ if character.is_whitespace() && !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    (!quoted).then_some(words)
}

fn powershell_split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        if is_single_quote(character) {
            let word = word.get_or_insert_default();
            loop {
                let character = characters.next()?;
                if !is_single_quote(character) {
                    word.push(character);
                } else if let Some(second) = characters.next_if(|next| is_single_quote(*next)) {
                    word.push(second);
                } else {
                    break;
                }
            }
        } else if is_double_quote(character) {
            let word = word.get_or_insert_default();
            loop {
                let character = characters.next()?;
                if character == '`' {
                    word.push(unescaped(characters.next()?));
                } else if !is_double_quote(character) {
                    word.push(character);
                } else if let Some(second) = characters.next_if(|next| is_double_quote(*next)) {
                    word.push(second);
                } else {
                    break;
                }
            }
        } else if character == '`' {
            word.get_or_insert_default().push(unescaped(characters.next()?));
        } else if character == '#' && word.is_none() {
            while characters.next_if(|next| *next != '\n').is_some() {}
        } else if character.is_whitespace() {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(character);
        }
    }
    words.extend(word);
    Some(words)
}

fn unescaped(character: char) -> char {
    match character {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '0' => '\0',
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_quoted_as_people_of_each_shell_write_them() {
        let said: Vec<String> = [
            "TZ=Europe/London",
            "it's \"here\"",
            "a b",
            "$HOME",
            "100%",
            r"C:\Users\ada:/app",
            "",
        ]
        .iter()
        .map(|word| {
            let quoted: Vec<String> = Shell::ALL.iter().map(|shell| shell.quote(word)).collect();
            quoted.join("   ")
        })
        .collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    proptest! {
        #[test]
        fn each_shell_reads_back_what_was_written(words in proptest::collection::vec("[^\0]*", 0..4)) {
            for shell in Shell::ALL {
                let line = words.iter().map(|word| shell.quote(word)).collect::<Vec<_>>().join(" ");
                prop_assert_eq!(shell.split(&line), Some(words.clone()), "{:?}: {}", shell, line);
            }
        }
    }
}
