//! A `docker run` line from a tutorial as a spec. What cannot be taken over is named, never dropped.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::flags::{self, Flag, Goes};
use super::scan::{Scanned, scan};
use super::text;
use crate::{MountSource, RareFlag, RunSpec, Shell};

/// What the line becomes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Pasted {
    pub spec: RunSpec,
    pub notes: Vec<PasteNote>,
    /// It speaks of the folder that the terminal is in: `$(pwd)`, `./data`.
    pub uses_folder: bool,
    /// The shell that it is written for.
    pub shell: Shell,
}

/// Something of the line that is not in the spec as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PasteNote {
    pub kind: PasteNoteKind,
    /// As it is written in the line.
    pub part: String,
    pub sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum PasteNoteKind {
    /// Left out, and what runs is the same.
    Harmless,
    /// Left out, and what runs is not the same.
    Missing,
    /// For the person to fill in or look at.
    Look,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasteError {
    #[error("This is no docker run line. It begins with docker run, or podman run.")]
    NotRun,
    #[error("A quote in the line is not closed")]
    OpenQuote,
    #[error("The line ends before it names an image")]
    NoImage,
}

/// `folder` is what the line means by the folder it is typed in, `home` by the person's own. Without `shell` it is told
/// by what stands in the line.
pub fn paste(line: &str, shell: Option<Shell>, folder: &str, home: &str) -> Result<Pasted, PasteError> {
    let Scanned {
        shell,
        statements,
        uses_folder,
        unknown,
        typeset,
    } = scan(line, shell, folder, home);
    let mut open_quote = false;
    let found = statements.iter().find_map(|statement| {
        let words = shell.split(&statement.text);
        open_quote |= words.is_none();
        let words = words?;
        program(&words).map(|start| (statement, words, start))
    });
    let Some((statement, words, start)) = found else {
        return Err(if open_quote {
            PasteError::OpenQuote
        } else {
            PasteError::NotRun
        });
    };
    let words: Vec<String> = words.iter().map(|word| statement.restore(word)).collect();
    let mut reader = Reader {
        words: words.into_iter(),
        pasted: Pasted {
            spec: RunSpec::default(),
            notes: Vec::new(),
            uses_folder,
            shell,
        },
        folder,
        home,
        detached: false,
    };
    reader.program(start);
    for other in statements.iter().filter(|other| !std::ptr::eq(*other, statement)) {
        reader.note(
            PasteNoteKind::Missing,
            other.restore(other.text.trim()),
            "Another command, which is left out.",
        );
    }
    for variable in unknown {
        reader.note(
            PasteNoteKind::Look,
            variable,
            "Only your terminal knows what this stands for. Replace it.",
        );
    }
    if !typeset.is_empty() {
        let signs: Vec<String> = typeset.iter().map(char::to_string).collect();
        reader.note(
            PasteNoteKind::Look,
            signs.join(" "),
            "A web page or a word processor has put it there. It is read as what is on a keyboard.",
        );
    }
    if let Some(redirected) = &statement.redirected {
        reader.note(
            PasteNoteKind::Harmless,
            redirected.clone(),
            "What it prints is in its log.",
        );
    }
    reader.read()
}

/// Where `run` or `create` stands, when these words make a container.
fn program(words: &[String]) -> Option<usize> {
    const GLOBAL_VALUES: [&str; 9] = [
        "-H",
        "--host",
        "-c",
        "--context",
        "-l",
        "--log-level",
        "--config",
        "--tlscacert",
        "--tlscert",
    ];
    let mut at = words.iter().position(|word| {
        let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
        matches!(
            name.strip_suffix(".exe").unwrap_or(name),
            "docker" | "podman" | "nerdctl"
        )
    })?;
    // Nothing but what starts another program may stand before it.
    let before = words[..at].iter();
    if !before.clone().all(|word| {
        matches!(word.as_str(), "$" | "#" | ">" | "sudo" | "doas" | "winpty" | "time")
            || word.starts_with('-')
            || word.contains('=')
            || word.ends_with('>')
    }) {
        return None;
    }
    at += 1;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        at += if GLOBAL_VALUES.contains(&word.as_str()) { 2 } else { 1 };
    }
    if words.get(at)? == "container" {
        at += 1;
    }
    matches!(words.get(at)?.as_str(), "run" | "create").then_some(at)
}

struct Reader<'a> {
    words: std::vec::IntoIter<String>,
    pasted: Pasted,
    folder: &'a str,
    home: &'a str,
    detached: bool,
}

impl Reader<'_> {
    fn note(&mut self, kind: PasteNoteKind, part: impl Into<String>, sentence: impl Into<String>) {
        self.pasted.notes.push(PasteNote {
            kind,
            part: part.into(),
            sentence: sentence.into(),
        });
    }

    /// Up to and with `run` or `create`.
    fn program(&mut self, run: usize) {
        let before: Vec<String> = self.words.by_ref().take(run + 1).collect();
        if before.last().is_some_and(|word| word == "create") {
            // What it would have been attached to is not asked for.
            self.detached = true;
            self.note(PasteNoteKind::Look, "create", "Here it is started as well.");
        }
        let program = before
            .iter()
            .position(|word| word.contains("docker") || word.contains("podman") || word.contains("nerdctl"));
        let globals: Vec<&str> = before[program.map_or(0, |at| at + 1)..run]
            .iter()
            .map(String::as_str)
            .filter(|word| *word != "container")
            .collect();
        if !globals.is_empty() {
            self.note(
                PasteNoteKind::Missing,
                globals.join(" "),
                "It chooses another engine. Here it runs on the engine that Wherry works with.",
            );
        }
        for word in before[..program.unwrap_or(0)]
            .iter()
            .filter(|word| word.contains('=') && !word.starts_with('-'))
        {
            self.note(
                PasteNoteKind::Missing,
                word.clone(),
                "A variable for the command itself, not for the container.",
            );
        }
    }

    fn read(mut self) -> Result<Pasted, PasteError> {
        let image = loop {
            let word = self.words.next().ok_or(PasteError::NoImage)?;
            if word == "--" {
                break self.words.next().ok_or(PasteError::NoImage)?;
            } else if let Some(long) = word.strip_prefix("--") {
                self.long(long);
            } else if word.len() > 1 && word.starts_with('-') {
                self.letters(&word[1..]);
            } else {
                break word;
            }
        };
        self.pasted.spec.image = image;
        self.pasted.spec.command = self.words.by_ref().collect();
        if let Some(first) = self.pasted.spec.networks.first_mut()
            && first.name.is_empty()
        {
            "default".clone_into(&mut first.name);
        }
        self.resolve_paths();
        if !self.detached {
            let sentence = if self.pasted.spec.terminal {
                "It runs in the background here. Its terminal is on its page."
            } else {
                "It runs in the background here. What it prints is in its log."
            };
            self.note(PasteNoteKind::Harmless, "docker run", sentence);
        }
        Ok(self.pasted)
    }

    fn long(&mut self, word: &str) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        let written = format!("--{word}");
        match flags::by_name(name) {
            Some(flag) => self.flag(flag, &written, value),
            None => self.unknown(name, written, value.is_some()),
        }
    }

    /// `-it`, `-p8080:80`, `-itp 8080:80`
    fn letters(&mut self, word: &str) {
        let mut rest = word;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let written = format!("-{letter}");
            let Some(flag) = flags::by_letter(letter) else {
                self.note(PasteNoteKind::Missing, written, "Docker has no such flag.");
                continue;
            };
            if flag.is_switch && !rest.starts_with('=') {
                self.flag(flag, &written, None);
                continue;
            }
            let value = rest.strip_prefix('=').unwrap_or(rest);
            let value = (!value.is_empty() || rest.starts_with('=')).then(|| value.to_owned());
            self.flag(flag, &written, value);
            return;
        }
    }

    fn flag(&mut self, flag: &'static Flag, written: &str, value: Option<String>) {
        let value = match value {
            Some(value) => value,
            None if flag.is_switch => "true".to_owned(),
            None => match self.words.next() {
                Some(value) => value,
                None => return self.note(PasteNoteKind::Missing, written, "Its value is missing."),
            },
        };
        let part = || {
            if flag.is_switch || written.contains('=') {
                written.to_owned()
            } else {
                format!("{written} {value}")
            }
        };
        self.detached |= flag.long == "detach" && value != "false";
        match &flag.goes {
            Goes::Field(set) => {
                if let Err(why) = set(&mut self.pasted.spec, &value) {
                    self.note(PasteNoteKind::Missing, part(), format!("Left out: {why}."));
                } else if flag.long == "env" && !value.contains('=') {
                    let sentence = format!("The terminal would fill in {value} by itself. Fill it in below.");
                    self.note(PasteNoteKind::Look, part(), sentence);
                }
            }
            Goes::Rare(apply, _) => {
                let mut tried = super::body::Body::default();
                match apply(&mut tried, &value) {
                    Ok(()) => self.pasted.spec.rare.push(RareFlag {
                        flag: flag.long.to_owned(),
                        value,
                    }),
                    Err(why) => self.note(PasteNoteKind::Missing, part(), format!("Left out: {why}.")),
                }
            }
            Goes::Nowhere(why) => self.note(PasteNoteKind::Harmless, part(), *why),
            Goes::Unsupported(why) => self.note(PasteNoteKind::Missing, part(), *why),
        }
    }

    fn unknown(&mut self, name: &str, written: String, has_value: bool) {
        /// Of `podman run`, where they are not Docker's too. Of others nobody can tell whether a value follows.
        const PODMAN_VALUES: [&str; 24] = [
            "arch",
            "authfile",
            "chrootdirs",
            "conmon-pidfile",
            "decryption-key",
            "gidmap",
            "hostuser",
            "hosts-file",
            "image-volume",
            "os",
            "passwd-entry",
            "personality",
            "pidfile",
            "pod",
            "pod-id-file",
            "preserve-fds",
            "rdt-class",
            "requires",
            "rootfs",
            "sdnotify",
            "secret",
            "systemd",
            "tz",
            "uidmap",
        ];
        if PODMAN_VALUES.contains(&name) && !has_value {
            let value = self.words.next().unwrap_or_default();
            self.note(
                PasteNoteKind::Missing,
                format!("{written} {value}"),
                "Docker has no such flag; it is podman's.",
            );
        } else {
            let sentence = "Docker has no such flag. Look whether the image is right.";
            self.note(PasteNoteKind::Missing, written, sentence);
        }
    }

    /// The docker command makes paths whole before it asks the engine.
    fn resolve_paths(&mut self) {
        let (folder, home) = (self.folder, self.home);
        let mut used = false;
        let mut whole = |path: &mut String, always: bool| {
            if let Some(rest) = path.strip_prefix('~')
                && (rest.is_empty() || rest.starts_with(['/', '\\']))
            {
                *path = format!("{home}{rest}");
            } else if path.starts_with('.') || (always && !text::is_path(path)) {
                *path = join(folder, path);
                used = true;
            }
        };
        for mount in &mut self.pasted.spec.mounts {
            match &mut mount.source {
                MountSource::Folder { path, must_exist } => whole(path, *must_exist),
                MountSource::Volume { .. } | MountSource::Memory => {}
            }
        }
        for file in &mut self.pasted.spec.env_files {
            whole(file, true);
        }
        self.pasted.uses_folder |= used;
    }
}

/// `/home/ada` and `./data/../x` make `/home/ada/x`.
fn join(folder: &str, path: &str) -> String {
    let separator = if folder.contains('\\') { '\\' } else { '/' };
    let mut whole = folder.trim_end_matches(['/', '\\']).to_owned();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => whole.truncate(whole.rfind(separator).unwrap_or(0)),
            part => {
                whole.push(separator);
                whole.push_str(part);
            }
        }
    }
    if whole.is_empty() { separator.to_string() } else { whole }
}
