//! A pasted text before it is split into words: which shell it is for, where commands end, and what stands for
//! something that only a terminal knows.
//!
//! What is replaced becomes a sign that no keyboard has, so that a folder with blanks or quotes in its name stays one
//! word whatever the shell's rules are.

use crate::Shell;

/// The first of the signs, in a private area of Unicode.
const FIRST_SIGN: u32 = 0xF_0000;

pub(super) struct Scanned {
    pub(super) shell: Shell,
    pub(super) statements: Vec<Statement>,
    pub(super) uses_folder: bool,
    /// Variables that nobody here knows, as they are written.
    pub(super) unknown: Vec<String>,
    /// Quotes and dashes as printers set them, which were read as those of a keyboard.
    pub(super) typeset: Vec<char>,
}

/// One command of the text.
#[derive(Default)]
pub(super) struct Statement {
    pub(super) text: String,
    /// What stands behind `>`, with it.
    pub(super) redirected: Option<String>,
    replaced: Vec<String>,
}

impl Statement {
    fn put(&mut self, value: String) {
        let nth = u32::try_from(self.replaced.len()).unwrap_or_default();
        self.text.extend(char::from_u32(FIRST_SIGN + nth));
        self.replaced.push(value);
    }

    /// A word with what its signs stand for.
    pub(super) fn restore(&self, word: &str) -> String {
        let mut whole = String::new();
        for character in word.chars() {
            match (character as u32)
                .checked_sub(FIRST_SIGN)
                .and_then(|nth| self.replaced.get(nth as usize))
            {
                Some(value) => whole.push_str(value),
                None => whole.push(character),
            }
        }
        whole
    }
}

/// Told by what only one of them writes.
fn shell_of(text: &str) -> Shell {
    let ends = |sign: char| text.lines().any(|line| line.trim_end().ends_with(sign));
    let cmd_variable = ["%cd%", "%userprofile%", "%home%"]
        .iter()
        .any(|name| text.to_lowercase().contains(name));
    let windows_path = text.char_indices().any(|(at, character)| {
        character == ':' && text[at..].starts_with(":\\") && text[..at].ends_with(|c: char| c.is_ascii_alphabetic())
    });
    if ends('\\') {
        Shell::Posix
    } else if ends('`') || text.to_lowercase().contains("$env:") || text.starts_with("PS ") {
        Shell::PowerShell
    } else if ends('^') || cmd_variable {
        Shell::Cmd
    } else if windows_path {
        if text.contains(['\'', '$']) {
            Shell::PowerShell
        } else {
            Shell::Cmd
        }
    } else {
        Shell::Posix
    }
}

pub(super) fn scan(text: &str, shell: Option<Shell>, folder: &str, home: &str) -> Scanned {
    let text = text.replace("\r\n", "\n");
    let text = without_prompt(without_fence(text.trim()));
    let shell = shell.unwrap_or_else(|| shell_of(text));
    let mut scanner = Scanner {
        shell,
        folder,
        home,
        characters: text.chars().collect(),
        at: 0,
        statement: Statement::default(),
        scanned: Scanned {
            shell,
            statements: Vec::new(),
            uses_folder: false,
            unknown: Vec::new(),
            typeset: Vec::new(),
        },
    };
    scanner.run();
    scanner.scanned
}

/// The lines that make a text code in Markdown.
fn without_fence(text: &str) -> &str {
    const FENCE: &str = "```";
    let inner = text.strip_prefix(FENCE).and_then(|text| text.split_once('\n'));
    let inner = inner.map_or(text, |(_language, inner)| inner);
    inner.strip_suffix(FENCE).unwrap_or(inner).trim()
}

/// `$ docker run`, `PS C:\> docker run`, `C:\app>docker run`
fn without_prompt(text: &str) -> &str {
    if let Some(rest) = text.strip_prefix("$ ") {
        return rest.trim_start();
    }
    // Root's prompt looks like the beginning of a comment.
    if let Some(rest) = text.strip_prefix("# ")
        && ["docker", "sudo", "podman", "nerdctl"]
            .iter()
            .any(|word| rest.trim_start().starts_with(word))
    {
        return rest.trim_start();
    }
    match text.split_once('>') {
        Some((prompt, rest)) if prompt.starts_with("PS ") || prompt.get(1..3) == Some(":\\") => {
            if prompt.contains("docker run") {
                text
            } else {
                rest.trim_start()
            }
        }
        Some(_) | None => text,
    }
}

struct Scanner<'a> {
    shell: Shell,
    folder: &'a str,
    home: &'a str,
    characters: Vec<char>,
    at: usize,
    statement: Statement,
    scanned: Scanned,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn at_word_start(&self) -> bool {
        self.statement.text.chars().next_back().is_none_or(char::is_whitespace)
    }

    fn run(&mut self) {
        let mut quote: Option<char> = None;
        while let Some(character) = self.peek(0) {
            match quote {
                Some('\'') => {
                    if character == '\'' {
                        quote = None;
                    }
                    self.keep(1);
                }
                // What a printer's quote has opened, a keyboard's may close.
                Some('’') if matches!(character, '‘' | '’' | '\'') => {
                    quote = None;
                    self.put_plain('\'');
                }
                Some('’') => self.keep(1),
                Some('”') if matches!(character, '“' | '”') => {
                    quote = None;
                    self.put_plain('"');
                }
                Some(_) => match character {
                    '"' => {
                        quote = None;
                        self.keep(1);
                    }
                    '\\' if self.shell == Shell::Posix => self.keep(2),
                    '`' if self.shell == Shell::PowerShell => self.keep(2),
                    _ => self.expand_or_keep(character),
                },
                None => quote = self.bare(character),
            }
        }
        self.end_statement();
    }

    /// Outside of quotes. The quote that begins, if one does.
    fn bare(&mut self, character: char) -> Option<char> {
        let escape = self.shell.continuation().starts_with(character);
        match character {
            _ if escape => self.escape(),
            // All that Wherry writes for cmd stands outside of what this takes for quotes.
            '“' | '”' | '„' if self.shell != Shell::Cmd && self.at_value_start() => {
                self.typeset(character, "\"");
                return Some('”');
            }
            '‘' | '’' | '‚' if self.shell != Shell::Cmd && self.at_value_start() => {
                self.typeset(character, "'");
                return Some('’');
            }
            '–' | '—' if self.shell != Shell::Cmd && self.at_word_start() => self.dash(character),
            '\u{a0}' if self.shell != Shell::Cmd => self.put_plain(' '),
            '\'' if self.shell != Shell::Cmd => {
                self.keep(1);
                return Some('\'');
            }
            '"' => {
                self.keep(1);
                return Some('"');
            }
            '#' if self.at_word_start() && self.shell != Shell::Cmd => {
                while self.peek(0).is_some_and(|character| character != '\n') {
                    self.at += 1;
                }
            }
            '\n' | '|' | '&' => {
                self.at += 1;
                self.end_statement();
            }
            ';' if self.shell != Shell::Cmd => {
                self.at += 1;
                self.end_statement();
            }
            '>' | '<' => self.redirection(),
            '~' if self.at_word_start()
                && self.shell != Shell::Cmd
                && self
                    .peek(1)
                    .is_none_or(|next| next == '/' || next == '\\' || next.is_whitespace()) =>
            {
                let home = self.home.to_owned();
                self.statement.put(home);
                self.at += 1;
            }
            _ => self.expand_or_keep(character),
        }
        None
    }

    fn at_value_start(&self) -> bool {
        self.at_word_start() || self.statement.text.ends_with('=')
    }

    fn put_plain(&mut self, character: char) {
        self.statement.text.push(character);
        self.at += 1;
    }

    /// A sign as printers set it, in place of what was typed.
    fn typeset(&mut self, sign: char, plain: &str) {
        self.statement.text.push_str(plain);
        self.at += 1;
        if !self.scanned.typeset.contains(&sign) {
            self.scanned.typeset.push(sign);
        }
    }

    /// Word processors make one long dash of two short ones; before a single letter there was one.
    fn dash(&mut self, sign: char) {
        let letter = self.peek(2).is_none_or(char::is_whitespace);
        self.typeset(sign, if letter { "-" } else { "--" });
    }

    fn keep(&mut self, count: usize) {
        let end = (self.at + count).min(self.characters.len());
        self.statement.text.extend(&self.characters[self.at..end]);
        self.at = end;
    }

    /// A line that goes on; blanks behind the sign are what copying leaves. A comment behind it is what tutorials write,
    /// though a shell would end the command there.
    fn escape(&mut self) {
        let blanks = self.characters[self.at + 1..]
            .iter()
            .take_while(|c| **c == ' ' || **c == '\t')
            .count();
        match self.peek(1 + blanks) {
            Some('\n') => {
                self.at += 2 + blanks;
                self.statement.text.push(' ');
            }
            Some('#') if blanks > 0 && self.shell != Shell::Cmd => {
                let rest = self.characters[self.at..].iter();
                self.at += rest.take_while(|character| **character != '\n').count() + 1;
                self.statement.text.push(' ');
            }
            None => self.at = self.characters.len(),
            Some(_) => self.keep(2),
        }
    }

    fn redirection(&mut self) {
        let words = &mut self.statement.text;
        // `2>&1`: the number belongs to it.
        if words.ends_with(" 1") || words.ends_with(" 2") {
            words.pop();
        }
        let start = self.at;
        while self
            .peek(0)
            .is_some_and(|character| !matches!(character, '\n' | ';' | '|'))
        {
            self.at += 1;
        }
        self.statement.redirected = Some(
            self.characters[start..self.at]
                .iter()
                .collect::<String>()
                .trim()
                .to_owned(),
        );
    }

    fn end_statement(&mut self) {
        let statement = std::mem::take(&mut self.statement);
        if !statement.text.trim().is_empty() {
            self.scanned.statements.push(statement);
        }
    }

    fn expand_or_keep(&mut self, character: char) {
        let found = match (self.shell, character) {
            (Shell::Posix | Shell::PowerShell, '$') => self.dollar(),
            (Shell::Posix, '`') => self.enclosed(1, '`'),
            (Shell::Cmd, '%') => self.enclosed(1, '%'),
            (Shell::Posix | Shell::PowerShell | Shell::Cmd, _) => None,
        };
        let Some((written, name)) = found else {
            return self.keep(1);
        };
        self.at += written.chars().count();
        let name = name.trim().to_lowercase();
        match name.as_str() {
            "pwd" | "cd" | "get-location" | "pwd -p" | "$pwd" | "(pwd).path" => {
                self.scanned.uses_folder = true;
                let folder = self.folder.to_owned();
                self.statement.put(folder);
            }
            "home" | "env:home" | "userprofile" | "env:userprofile" => {
                let home = self.home.to_owned();
                self.statement.put(home);
            }
            _ => {
                self.statement.put(written.clone());
                if !self.scanned.unknown.contains(&written) {
                    self.scanned.unknown.push(written);
                }
            }
        }
    }

    /// What is written from here to the closing sign, and what stands between.
    fn enclosed(&self, opening: usize, closing: char) -> Option<(String, String)> {
        let rest = &self.characters[self.at + opening..];
        let length = rest.iter().position(|character| *character == closing)?;
        let inner: String = rest[..length].iter().collect();
        // `100% of it costs 50%`
        if inner.is_empty() || (closing == '%' && !inner.chars().all(|c| c.is_alphanumeric() || c == '_')) {
            return None;
        }
        Some((
            self.characters[self.at..=self.at + opening + length].iter().collect(),
            inner,
        ))
    }

    /// `$NAME`, `${NAME}`, `$(command)`, `$env:NAME`
    fn dollar(&self) -> Option<(String, String)> {
        match self.peek(1)? {
            '(' => {
                let mut depth = 0;
                let rest = &self.characters[self.at + 1..];
                let length = rest.iter().position(|character| {
                    depth += i32::from(*character == '(') - i32::from(*character == ')');
                    depth == 0
                })?;
                let inner = rest[1..length].iter().collect();
                Some((self.characters[self.at..=self.at + 1 + length].iter().collect(), inner))
            }
            '{' => self.enclosed(2, '}'),
            first if first.is_ascii_alphabetic() || first == '_' => {
                let name: String = self.characters[self.at + 1..]
                    .iter()
                    .take_while(|character| character.is_ascii_alphanumeric() || **character == '_')
                    .collect();
                let environment = self.shell == Shell::PowerShell && name.eq_ignore_ascii_case("env");
                if environment && self.peek(4) == Some(':') {
                    let rest: String = self.characters[self.at + 5..]
                        .iter()
                        .take_while(|character| character.is_ascii_alphanumeric() || **character == '_')
                        .collect();
                    return Some((format!("${name}:{rest}"), format!("env:{rest}")));
                }
                Some((format!("${name}"), name))
            }
            _ => None,
        }
    }
}
