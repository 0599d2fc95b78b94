//! What two specs do differently, as the parts of their lines.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::line::{Group, groups};
use crate::{CommandPartKind, RunSpec, Shell};

/// A part of the `docker run` line that only one of two specs has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LineChange {
    /// Only the later one has it; else only the earlier.
    pub added: bool,
    /// Without what is secret.
    pub text: String,
    pub explanation: Option<String>,
}

/// In the order of the line, what goes before what comes.
pub fn spec_changes(before: &RunSpec, after: &RunSpec) -> Vec<LineChange> {
    let (before, after) = (parts(before), parts(after));
    let only = |these: &[Part], others: &[Part], added: bool| {
        let mut others: Vec<&Vec<String>> = others.iter().map(|part| &part.words).collect();
        let mut found = Vec::new();
        for part in these {
            if let Some(at) = others.iter().position(|words| **words == part.words) {
                others.swap_remove(at);
            } else {
                found.push(LineChange {
                    added,
                    text: part.text.clone(),
                    explanation: part.explanation.clone(),
                });
            }
        }
        found
    };
    let mut changes = only(&before, &after, false);
    changes.extend(only(&after, &before, true));
    changes
}

struct Part {
    words: Vec<String>,
    text: String,
    explanation: Option<String>,
}

/// The words of the command are one part: an argument means little alone.
fn parts(spec: &RunSpec) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut follows = false;
    for group in groups(spec) {
        let Group {
            kind,
            words,
            shown,
            explanation,
        } = group;
        let quoted: Vec<String> = shown
            .as_ref()
            .unwrap_or(&words)
            .iter()
            .map(|word| Shell::Posix.quote(word))
            .collect();
        let text = quoted.join(" ");
        match kind {
            CommandPartKind::Program => {}
            CommandPartKind::Argument if follows => {
                if let Some(last) = parts.last_mut() {
                    last.words.extend(words);
                    last.text = format!("{} {text}", last.text);
                }
            }
            CommandPartKind::Argument | CommandPartKind::Flag | CommandPartKind::Image => {
                follows = kind == CommandPartKind::Argument;
                parts.push(Part {
                    words,
                    text,
                    explanation,
                });
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Variable;

    #[test]
    fn only_what_differs_is_a_change_and_a_secret_stays_one() {
        let before = RunSpec {
            image: "api:1".into(),
            memory: Some(64 << 20),
            command: vec!["serve".into(), "--fast".into()],
            environment: vec![Variable {
                name: "TOKEN".into(),
                value: "hunter2hunter2".into(),
            }],
            ..RunSpec::default()
        };
        assert_eq!(spec_changes(&before, &before), []);
        let after = RunSpec {
            image: "api:2".into(),
            command: vec!["serve".into()],
            environment: vec![Variable {
                name: "TOKEN".into(),
                value: "swordfish-swordfish".into(),
            }],
            ..before.clone()
        };
        let words: Vec<(bool, String)> = spec_changes(&before, &after)
            .into_iter()
            .map(|change| (change.added, change.text))
            .collect();
        let gone = ["-e TOKEN", "api:1", "serve --fast"].map(|text| (false, text.to_owned()));
        let new = ["-e TOKEN", "api:2", "serve"].map(|text| (true, text.to_owned()));
        assert_eq!(words, [gone, new].concat());
    }
}
