//! What can be done to a container beside starting and removing it, each with the command that does the same.

use serde::{Deserialize, Serialize};
use serde_json::json;
use ts_rs::TS;

use crate::error::{Reply, Subject};
use crate::lines::{line, part};
use crate::run::{bytes_text, restart_text};
use crate::transport::{CHANGE, Call};
use crate::{CommandLine, CommandPartKind, Engine, Error, Restart, name, wire};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ContainerAction {
    /// Its program is killed when it has not ended by then.
    Stop {
        seconds: u32,
    },
    /// `KILL`, `HUP`, `TERM`
    Kill {
        signal: String,
    },
    Pause,
    Resume,
    Rename {
        name: String,
    },
    /// Its files and settings as a new image.
    Commit {
        reference: String,
    },
    /// What may be changed while it runs; what is `None` stays.
    Update {
        /// Bytes; 0 is no limit.
        memory: Option<u64>,
        /// In processors; 0 is no limit.
        cpus: Option<f64>,
        restart: Option<Restart>,
    },
}

/// The least that engines take.
const LEAST_MEMORY: u64 = 6 << 20;

impl Engine {
    pub async fn act(&self, container: &str, action: &ContainerAction) -> Result<(), Error> {
        let client = self.client().await?;
        let at = |verb: &str| Ok::<String, Error>(format!("/containers/{}/{verb}", name::container(container)?));
        let subject = Subject::Container(container);
        let call = match action {
            ContainerAction::Stop { seconds } => Call::post(at("stop")?, subject, "stop the container")
                .query("t", &seconds.to_string())
                .within(CHANGE + std::time::Duration::from_secs((*seconds).into())),
            ContainerAction::Kill { signal } => {
                Call::post(at("kill")?, subject, "kill the container").query("signal", signal)
            }
            ContainerAction::Pause => Call::post(at("pause")?, subject, "pause the container"),
            ContainerAction::Resume => Call::post(at("unpause")?, subject, "resume the container"),
            ContainerAction::Rename { name } => {
                if !name::is_container_name(name) || name.len() < 2 {
                    return Err(crate::Invalid::Name(name.clone()).into());
                }
                return self.rename(container, name).await;
            }
            ContainerAction::Commit { reference } => {
                let (repository, tag) = split_reference(name::image(reference)?);
                let call = Call::post("/commit", subject, "make the image")
                    .query("container", name::container(container)?)
                    .query("repo", repository)
                    .query("tag", tag);
                return client.value::<wire::Created>(call).await.map(drop);
            }
            ContainerAction::Update { memory, cpus, restart } => {
                let mut body = json!({});
                if let Some(memory) = *memory {
                    if memory > 0 && memory < LEAST_MEMORY {
                        return Err(refused("A container needs at least 6 MB of memory"));
                    }
                    // The limit of memory and swap together has to be above; twice as much is what `docker run` sets.
                    let swap = i64::try_from(memory.saturating_mul(2)).unwrap_or(-1);
                    body["Memory"] = memory.into();
                    body["MemorySwap"] = if memory == 0 { -1 } else { swap }.into();
                }
                if let Some(cpus) = *cpus {
                    if !(0.0..=1024.0).contains(&cpus) {
                        return Err(refused("A share of processors is a number such as 1.5"));
                    }
                    #[expect(clippy::cast_possible_truncation, reason = "at most 1024 × 10⁹")]
                    let nanos = (cpus * 1e9) as i64;
                    body["NanoCpus"] = nanos.into();
                }
                if let Some(restart) = restart {
                    let policy = restart_text(*restart);
                    let (name, retries) = policy.split_once(':').unwrap_or((&policy, "0"));
                    body["RestartPolicy"] =
                        json!({ "Name": name, "MaximumRetryCount": retries.parse::<u32>().unwrap_or(0) });
                }
                Call::post(at("update")?, subject, "change the container's limits").json(&body)
            }
        };
        client.done(call).await
    }
}

impl Engine {
    pub async fn rename(&self, container: &str, name: &str) -> Result<(), Error> {
        let path = format!("/containers/{}/rename", name::container(container)?);
        let call = Call::post(path, Subject::Container(container), "rename the container").query("name", name);
        self.client().await?.done(call).await
    }
}

fn refused(words: &str) -> Error {
    Error::Refused {
        source: Reply {
            status: 400,
            message: words.to_owned(),
        },
    }
}

/// `registry:5000/name:tag`: the last colon behind the last slash begins the tag.
fn split_reference(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        Some(_) | None => (reference, "latest"),
    }
}

/// What a person could have typed.
pub fn action_line(container: &str, action: &ContainerAction) -> CommandLine {
    line(
        words(container, action)
            .into_iter()
            .map(|(kind, words, explanation)| {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                part(kind, &words, explanation.map(str::to_owned))
            })
            .collect(),
    )
}

/// The words of that line.
pub fn action_words(container: &str, action: &ContainerAction) -> Vec<String> {
    words(container, action)
        .into_iter()
        .flat_map(|(_, words, _)| words)
        .collect()
}

type Words = (CommandPartKind, Vec<String>, Option<&'static str>);

fn words(container: &str, action: &ContainerAction) -> Vec<Words> {
    let program = |verb: &str| {
        (
            CommandPartKind::Program,
            vec!["docker".to_owned(), verb.to_owned()],
            None,
        )
    };
    let flag = |flag: &str, value: String, about| (CommandPartKind::Flag, vec![flag.to_owned(), value], Some(about));
    let word = |word: &str| (CommandPartKind::Argument, vec![word.to_owned()], None);
    let container = word(container);
    match action {
        ContainerAction::Stop { seconds } => {
            let about = "How many seconds its program may take to end before it is killed";
            vec![program("stop"), flag("-t", seconds.to_string(), about), container]
        }
        ContainerAction::Kill { signal } => {
            let about = "The signal that its program gets";
            vec![program("kill"), flag("-s", signal.clone(), about), container]
        }
        ContainerAction::Pause => vec![program("pause"), container],
        ContainerAction::Resume => vec![program("unpause"), container],
        ContainerAction::Rename { name } => vec![program("rename"), container, word(name)],
        ContainerAction::Commit { reference } => {
            let image = (CommandPartKind::Image, vec![reference.clone()], None);
            vec![program("commit"), container, image]
        }
        ContainerAction::Update { memory, cpus, restart } => {
            let mut parts = vec![program("update")];
            if let Some(memory) = *memory {
                let swap = if memory == 0 {
                    "-1".to_owned()
                } else {
                    bytes_text(memory.saturating_mul(2))
                };
                let about = "The most memory it may use; 0 is no limit";
                parts.push(flag("--memory", bytes_text(memory), about));
                parts.push(flag("--memory-swap", swap, "Memory and swap together"));
            }
            if let Some(cpus) = *cpus {
                let about = "How many processors it may keep busy; 0 is no limit";
                parts.push(flag("--cpus", cpus.to_string(), about));
            }
            if let Some(restart) = *restart {
                let about = "Whether it is started again when it ends";
                parts.push(flag("--restart", restart_text(restart), about));
            }
            parts.push(container);
            parts
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_its_command() {
        let text = |action: &ContainerAction| action_line("api", action).text;
        assert_eq!(text(&ContainerAction::Stop { seconds: 30 }), "docker stop -t 30 api");
        assert_eq!(
            text(&ContainerAction::Kill { signal: "HUP".into() }),
            "docker kill -s HUP api"
        );
        assert_eq!(text(&ContainerAction::Resume), "docker unpause api");
        assert_eq!(
            text(&ContainerAction::Update {
                memory: Some(512 << 20),
                cpus: Some(1.5),
                restart: Some(Restart::OnFailure { retries: Some(3) }),
            }),
            "docker update --memory 512m --memory-swap 1g --cpus 1.5 --restart on-failure:3 api"
        );
        assert_eq!(
            text(&ContainerAction::Update {
                memory: Some(0),
                cpus: None,
                restart: Some(Restart::UnlessStopped),
            }),
            "docker update --memory 0 --memory-swap -1 --restart unless-stopped api"
        );
    }

    #[test]
    fn a_reference_has_its_tag_behind_its_last_slash() {
        assert_eq!(split_reference("localhost:5000/api"), ("localhost:5000/api", "latest"));
        assert_eq!(split_reference("localhost:5000/api:1"), ("localhost:5000/api", "1"));
        assert_eq!(split_reference("api"), ("api", "latest"));
    }
}
