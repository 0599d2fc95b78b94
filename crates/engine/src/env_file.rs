//! Files of variables, as the two programs read them that people have: `docker run --env-file` (docker 28.2) and
//! compose (compose-go 2). They differ in nearly everything.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Variable;

/// What the programs make of a file, line by line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EnvFileView {
    pub path: String,
    /// Every variable that either of them reads, in the order of the file.
    pub variables: Vec<EnvVariable>,
    /// Why `docker run` refuses the whole file; then no container is made.
    pub run_refuses: Option<EnvRefusal>,
    /// Why compose refuses it.
    pub compose_refuses: Option<EnvRefusal>,
    /// It begins with a byte order mark, which both skip and a shell does not.
    pub has_mark: bool,
    /// Its lines end as Windows ends them.
    pub has_carriage_returns: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EnvRefusal {
    /// Counted from 1.
    pub line: u32,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EnvVariable {
    /// Counted from 1.
    pub line: u32,
    pub name: String,
    /// The line as it stands.
    pub written: String,
    /// What a program gets from `docker run`; `None`: nothing of that name.
    pub run: Option<String>,
    pub compose: Option<String>,
    /// By its name or its content.
    pub secret: bool,
    pub warnings: Vec<EnvWarning>,
}

/// What makes a value other than it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum EnvWarning {
    /// `docker run` hands the quotes on.
    QuotesKept,
    /// `docker run` hands blanks at the end on.
    BlanksKept,
    /// `docker run` hands `# a comment` on.
    CommentKept,
    /// compose puts a variable's value in place of `$NAME`.
    Expanded,
    /// Nobody here knows the variable that compose would put in.
    ExpandedToNothing,
    /// `docker run` refuses a file with `export`.
    Export,
    /// The name has a blank, which both refuse.
    BlankInName,
    /// It takes its value from whoever runs the command.
    Inherited,
    /// The same name comes again further down, which counts.
    SetAgain,
    /// Compose has the value over several lines.
    ManyLines,
}

const MARK: &str = "\u{feff}";

/// Longer lines are refused by the docker command.
const LONGEST: usize = 64 << 10;

/// What `docker run --env-file` passes on, with the line of each. `lookup` is the environment of the command.
fn read_as_run(bytes: &[u8], lookup: &dyn Fn(&str) -> Option<String>) -> Result<Vec<(u32, Variable)>, EnvRefusal> {
    let mut variables = Vec::new();
    for (nth, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let refused = |why: String| EnvRefusal { line: nth, why };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() >= LONGEST {
            return Err(refused("The line is longer than 64 KB".to_owned()));
        }
        let line = std::str::from_utf8(line).map_err(|_| refused("The line is not UTF-8 text".to_owned()))?;
        let line = if nth == 1 {
            line.strip_prefix(MARK).unwrap_or(line)
        } else {
            line
        };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (line, None),
        };
        if name.contains([' ', '\t']) {
            return Err(refused(format!("The name {name:?} has a blank in it")));
        }
        if name.is_empty() {
            return Err(refused("A value has no name".to_owned()));
        }
        if let Some(value) = value.or_else(|| lookup(name)) {
            variables.push((
                nth,
                Variable {
                    name: name.to_owned(),
                    value,
                },
            ));
        }
    }
    Ok(variables)
}

/// The variables of a file for a container, as the docker command reads them.
pub fn env_file_for_run(bytes: &[u8]) -> Result<Vec<Variable>, EnvRefusal> {
    let own = |name: &str| std::env::var(name).ok();
    Ok(read_as_run(bytes, &own)?
        .into_iter()
        .map(|(_, variable)| variable)
        .collect())
}

/// One variable as compose reads it.
struct ComposeEntry {
    line: u32,
    name: String,
    value: Option<String>,
    expanded: bool,
    to_nothing: bool,
    many_lines: bool,
}

struct Compose<'a> {
    rest: &'a str,
    line: u32,
    values: HashMap<String, String>,
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

fn is_blank(character: char) -> bool {
    matches!(character, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

impl Compose<'_> {
    fn skip(&mut self, length: usize) {
        let (skipped, rest) = self.rest.split_at(length);
        self.line += u32::try_from(skipped.matches('\n').count()).unwrap_or(u32::MAX);
        self.rest = rest;
    }

    fn refused(&self, why: impl Into<String>) -> EnvRefusal {
        EnvRefusal {
            line: self.line,
            why: why.into(),
        }
    }

    fn next(&mut self) -> Result<Option<ComposeEntry>, EnvRefusal> {
        loop {
            self.skip(self.rest.len() - self.rest.trim_start().len());
            if self.rest.is_empty() {
                return Ok(None);
            }
            if !self.rest.starts_with('#') {
                break;
            }
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
        if let Some(after) = self.rest.strip_prefix("export")
            && after.starts_with(char::is_whitespace)
        {
            self.skip("export".len() + after.len() - after.trim_start().len());
        }
        let line = self.line;
        let end = self.rest.find(['=', ':', '\n']);
        let (name, inherited) = match end {
            Some(end) => (&self.rest[..end], self.rest[end..].starts_with('\n')),
            None => (self.rest, true),
        };
        let fits = |c: char| is_blank(c) || c.is_alphanumeric() || "_.-[]".contains(c);
        if let Some(odd) = name.chars().find(|character| !fits(*character)) {
            return Err(self.refused(format!("The sign {odd:?} cannot be in a name")));
        }
        let name = name.trim_end().to_owned();
        if name.contains(' ') {
            return Err(self.refused(format!("The name {name:?} has a blank in it")));
        }
        self.skip(end.map_or(self.rest.len(), |end| if inherited { end } else { end + 1 }));
        let mut entry = ComposeEntry {
            line,
            name,
            value: None,
            expanded: false,
            to_nothing: false,
            many_lines: false,
        };
        if inherited {
            entry.value = (self.lookup)(&entry.name);
        } else {
            self.skip(self.rest.len() - self.rest.trim_start_matches(is_blank).len());
            self.value(&mut entry)?;
        }
        if let Some(value) = &entry.value {
            self.values.insert(entry.name.clone(), value.clone());
        }
        Ok(Some(entry))
    }

    fn value(&mut self, entry: &mut ComposeEntry) -> Result<(), EnvRefusal> {
        let quote = self.rest.chars().next().filter(|first| matches!(first, '"' | '\''));
        let Some(quote) = quote else {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            let value = &self.rest[..end];
            let value = value
                .split_once(" #")
                .map_or(value, |(value, _)| value)
                .trim_end()
                .to_owned();
            self.skip(end);
            entry.value = Some(self.expand(&value, entry)?);
            return Ok(());
        };
        let mut value = String::new();
        let mut escaped = false;
        for (at, character) in self.rest.char_indices().skip(1) {
            if character != quote {
                if !escaped && character == '\\' {
                    escaped = true;
                    continue;
                }
                if std::mem::take(&mut escaped) {
                    value.push('\\');
                }
                value.push(character);
            } else if std::mem::take(&mut escaped) {
                value.push(character);
            } else {
                self.skip(at + 1);
                entry.many_lines = value.contains('\n');
                entry.value = Some(if quote == '"' {
                    self.expand(&escapes(&value), entry)?
                } else {
                    value
                });
                return Ok(());
            }
        }
        Err(self.refused("A quote is not closed"))
    }

    /// `$NAME`, `${NAME}`, `${NAME:-otherwise}`, `$$`
    fn expand(&self, text: &str, entry: &mut ComposeEntry) -> Result<String, EnvRefusal> {
        let mut whole = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            whole.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                whole.push('$');
                rest = after;
            } else if let Some(inner) = rest.strip_prefix('{') {
                let end = closing(inner).ok_or_else(|| self.refused("A ${ is not closed"))?;
                entry.expanded = true;
                let value = self.braced(&inner[..end], entry)?;
                whole.push_str(&value);
                rest = &inner[end + 1..];
            } else {
                let end = name_length(rest);
                if end == 0 {
                    return Err(self.refused("A $ stands alone. Write $$ for the sign itself."));
                }
                entry.expanded = true;
                whole.push_str(&self.known(&rest[..end], entry));
                rest = &rest[end..];
            }
        }
        whole.push_str(rest);
        Ok(whole)
    }

    fn known(&self, name: &str, entry: &mut ComposeEntry) -> String {
        let value = self.get(name);
        entry.to_nothing |= value.is_none();
        value.unwrap_or_default()
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name).or_else(|| self.values.get(name).cloned())
    }

    fn braced(&self, inner: &str, entry: &mut ComposeEntry) -> Result<String, EnvRefusal> {
        let end = name_length(inner);
        let (name, operator) = inner.split_at(end);
        if name.is_empty() {
            return Err(self.refused(format!("${{{inner}}} names no variable")));
        }
        let value = self.get(name);
        let set = value.as_ref().filter(|value| !value.is_empty());
        let split = |prefix: &str| operator.strip_prefix(prefix);
        if operator.is_empty() {
            Ok(self.known(name, entry))
        } else if let Some(otherwise) = split(":-") {
            set.map_or_else(|| self.expand(otherwise, entry), |value| Ok(value.clone()))
        } else if let Some(otherwise) = split("-") {
            value.map_or_else(|| self.expand(otherwise, entry), Ok)
        } else if let Some(message) = split(":?") {
            set.cloned()
                .ok_or_else(|| self.refused(format!("{name} is asked for: {message}")))
        } else if let Some(message) = split("?") {
            value.ok_or_else(|| self.refused(format!("{name} is asked for: {message}")))
        } else if let Some(instead) = split(":+") {
            if set.is_some() {
                self.expand(instead, entry)
            } else {
                Ok(String::new())
            }
        } else if let Some(instead) = split("+") {
            if value.is_some() {
                self.expand(instead, entry)
            } else {
                Ok(String::new())
            }
        } else {
            Err(self.refused(format!("${{{inner}}} cannot be read")))
        }
    }
}

fn name_length(text: &str) -> usize {
    if text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(text.len())
    } else {
        0
    }
}

/// Where the brace closes that is open.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0;
    for (at, character) in text.char_indices() {
        match character {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// What a backslash makes of the sign behind it, between double quotes.
fn escapes(text: &str) -> String {
    let mut whole = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            whole.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => whole.push('\n'),
            Some('r') => whole.push('\r'),
            Some('t') => whole.push('\t'),
            Some('a') => whole.push('\u{7}'),
            Some('b') => whole.push('\u{8}'),
            Some('f') => whole.push('\u{c}'),
            Some('v') => whole.push('\u{b}'),
            Some('"') => whole.push('"'),
            // What is expanded afterwards takes this for the sign itself.
            Some('$') => whole.push_str("$$"),
            // A backslash before a backslash, and one at the end.
            None | Some('\\') => whole.push('\\'),
            Some(other) => {
                whole.push('\\');
                whole.push(other);
            }
        }
    }
    whole
}

fn read_as_compose(bytes: &[u8], lookup: &dyn Fn(&str) -> Option<String>) -> (Vec<ComposeEntry>, Option<EnvRefusal>) {
    let text = String::from_utf8_lossy(bytes);
    let mut compose = Compose {
        rest: text.strip_prefix(MARK).unwrap_or(&text),
        line: 1,
        values: HashMap::new(),
        lookup,
    };
    let mut entries = Vec::new();
    loop {
        match compose.next() {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => return (entries, None),
            Err(refusal) => return (entries, Some(refusal)),
        }
    }
}

/// Both readings, beside each other. `lookup` is the environment that the commands would be started with.
pub fn view_env_file(path: &str, bytes: &[u8], lookup: &dyn Fn(&str) -> Option<String>) -> EnvFileView {
    let (run, run_refuses) = match read_as_run(bytes, lookup) {
        Ok(run) => (run, None),
        Err(refusal) => (Vec::new(), Some(refusal)),
    };
    let (compose, compose_refuses) = read_as_compose(bytes, lookup);
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect();
    let mut variables: Vec<EnvVariable> = Vec::new();
    for (nth, line) in (1_u32..).zip(&lines) {
        let of_run = run.iter().find(|(line, _)| *line == nth).map(|(_, variable)| variable);
        let of_compose: Vec<&ComposeEntry> = compose.iter().filter(|entry| entry.line == nth).collect();
        let stripped = line.strip_prefix(MARK).unwrap_or(line).trim_start();
        let is_comment = stripped.is_empty() || stripped.starts_with('#');
        // Where one of them refuses the file, the line still says what it would be.
        if is_comment && of_run.is_none() && of_compose.is_empty() {
            continue;
        }
        let (name, written_value) = stripped.split_once('=').unwrap_or((stripped, ""));
        let exported = name
            .strip_prefix("export")
            .filter(|rest| rest.starts_with(char::is_whitespace));
        let entry = of_compose.first();
        let name = entry.map_or_else(
            || {
                of_run.map_or_else(
                    || exported.unwrap_or(name).trim().to_owned(),
                    |variable| variable.name.clone(),
                )
            },
            |entry| entry.name.clone(),
        );
        let run_value = of_run.map(|variable| variable.value.clone());
        let compose_value = entry.and_then(|entry| entry.value.clone());
        let mut warnings = warnings(stripped, written_value, run_value.as_deref(), entry.copied());
        if exported.is_some() {
            warnings.push(EnvWarning::Export);
        } else if name.trim().contains([' ', '\t']) {
            warnings.push(EnvWarning::BlankInName);
        }
        let secret = [&run_value, &compose_value]
            .into_iter()
            .flatten()
            .any(|value| crate::is_secret(&name, value.trim_matches(['"', '\''])))
            || crate::is_secret(&name, written_value);
        variables.push(EnvVariable {
            line: nth,
            name,
            written: (*line).to_owned(),
            run: run_value,
            compose: compose_value,
            secret,
            warnings,
        });
    }
    for at in 0..variables.len() {
        let name = variables[at].name.clone();
        if variables[at + 1..].iter().any(|later| later.name == name) {
            variables[at].warnings.push(EnvWarning::SetAgain);
        }
    }
    EnvFileView {
        path: path.to_owned(),
        variables,
        run_refuses,
        compose_refuses,
        has_mark: bytes.starts_with(MARK.as_bytes()),
        has_carriage_returns: bytes.windows(2).any(|two| two == b"\r\n"),
    }
}

fn warnings(line: &str, written: &str, run: Option<&str>, compose: Option<&ComposeEntry>) -> Vec<EnvWarning> {
    let mut warnings = Vec::new();
    let trimmed = written.trim();
    let quoted = trimmed.starts_with(['"', '\'']);
    if quoted {
        warnings.push(EnvWarning::QuotesKept);
    }
    if run.is_some_and(|value| value.ends_with([' ', '\t'])) {
        warnings.push(EnvWarning::BlanksKept);
    }
    let comment = if quoted {
        trimmed.rsplit(['"', '\'']).next()
    } else {
        trimmed.split_once(" #").map(|(_, tail)| tail)
    };
    if comment.is_some_and(|tail| !quoted || tail.trim_start().starts_with('#')) {
        warnings.push(EnvWarning::CommentKept);
    }
    if let Some(entry) = compose {
        if entry.to_nothing {
            warnings.push(EnvWarning::ExpandedToNothing);
        } else if entry.expanded {
            warnings.push(EnvWarning::Expanded);
        }
        if entry.many_lines {
            warnings.push(EnvWarning::ManyLines);
        }
    }
    if !line.contains('=') {
        warnings.push(EnvWarning::Inherited);
    }
    warnings
}
