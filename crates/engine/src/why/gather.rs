//! The facts about a container, asked of the engine. What cannot be had is left out: a story with less is better than
//! none.

use std::io::Read as _;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use http_body_util::BodyDataStream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ts_rs::TS;

use super::ending::KILL;
use super::{Cause, Facts, Mounted, Neighbour, Script, Tone, Why, explain, pattern};
use crate::error::Subject;
use crate::run::{Usual, spec_of};
use crate::transport::Call;
use crate::{ContainerState, Engine, Error, HostPort, Link, LogLine, inventory, name, wire};

/// How much of the log is looked at, and how much of it is shown.
const TAIL: u32 = 80;
const SHOWN: usize = 10;

/// A longer line is cut. What it is about stands in its beginning.
const LONGEST_LINE: usize = 4 << 10;

/// What starts a program may say why it cannot, before the engine has noted that it was started: milliseconds.
const BEFORE_START: i64 = 1000;

/// So much of a file is enough for its first line.
const SCRIPT: usize = 16 << 10;

/// Past events are answered at once; what the engine waits for beyond this is not needed.
const EVENTS: Duration = Duration::from_secs(3);

/// How many containers are asked about at the same time.
const AT_ONCE: usize = 8;

/// What the engine cannot say.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Lines of the kernel that the engine runs on, about memory and crashes.
    pub kernel: Vec<String>,
    pub own_machine: bool,
}

/// For a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct WhyLine {
    pub id: String,
    pub cause: Cause,
    pub short: String,
    pub tone: Tone,
}

impl Engine {
    /// Why it stopped, does not start or is not reached; `None` when there is nothing to tell.
    pub async fn why(&self, container: &str, known: &Known) -> Result<Option<Why>, Error> {
        // The remedies are shown as what changes in the container: what everyone is given is no change.
        let usual = self.usual().await.unwrap_or_default();
        self.why_of(container, known, &usual).await
    }

    async fn why_of(&self, container: &str, known: &Known, usual: &Usual) -> Result<Option<Why>, Error> {
        let facts = self.facts(container, known, usual).await?;
        Ok(explain(&facts).map(|mut why| {
            why.lines = facts.log[facts.log.len().saturating_sub(SHOWN)..].to_vec();
            why
        }))
    }

    /// A line for each that has a story. One that cannot be asked has none.
    pub async fn why_lines(&self, containers: &[String], known: &Known) -> Vec<WhyLine> {
        // Each has what it needs: a future that borrows from a closure's parameters can be sent to no thread.
        let each = containers.iter().map(|id| {
            let (engine, known, id) = (self.clone(), known.clone(), id.clone());
            async move {
                let why = engine.why_of(&id, &known, &Usual::default()).await.ok()??;
                Some(WhyLine {
                    id,
                    cause: why.cause,
                    short: why.short,
                    tone: why.tone,
                })
            }
            .boxed()
        });
        let each: Vec<_> = each.collect();
        let lines: Vec<Option<WhyLine>> = futures::stream::iter(each).buffered(AT_ONCE).collect().await;
        lines.into_iter().flatten().collect()
    }

    /// Null when the image is gone.
    async fn raw_image(&self, inspect: &Value) -> Value {
        let id = text(&inspect["Image"]);
        let Ok(path) = name::image(&id).map(|image| format!("/images/{image}/json")) else {
            return Value::Null;
        };
        match self.client().await {
            Ok(client) => client
                .value(Call::get(path, Subject::Image(&id), "look at the image"))
                .await
                .unwrap_or_default(),
            Err(_) => Value::Null,
        }
    }

    async fn facts(&self, container: &str, known: &Known, usual: &Usual) -> Result<Facts, Error> {
        let inspect = self.raw_container(container).await?;
        let id = text(&inspect["Id"]);
        let image = self.raw_image(&inspect).await;
        let mut facts = of_inspect(&inspect, &image, usual);
        facts.kernel.clone_from(&known.kernel);
        facts.own_machine = known.own_machine;
        if let Link::Connected { info, .. } = &*self.link().borrow() {
            facts.engine_architecture.clone_from(&info.architecture);
            facts.engine_memory = info.memory;
        }
        let runs = facts.runs();
        if facts.state.is_none() || (!runs && facts.started.is_none() && facts.error.is_empty()) {
            return Ok(facts);
        }
        let (log, events, neighbours) = tokio::join!(
            self.last_lines(&id, facts.started),
            self.told(&id, facts.started, facts.finished),
            self.containers(false),
        );
        facts.log = log;
        let Told {
            signals,
            asked_at,
            out_of_memory,
        } = events;
        facts.signals = signals;
        facts.asked_at = asked_at;
        facts.oom_told = out_of_memory;
        facts.neighbours = neighbours.unwrap_or_default().into_iter().map(neighbour).collect();
        if runs && !facts.published.is_empty() {
            facts.listeners = self.listeners(&id).await.unwrap_or_default();
        }
        if wants_script(&facts) {
            facts.script = self.script(&id, &facts).await;
        }
        Ok(facts)
    }

    /// The last lines of its last run, without colours.
    async fn last_lines(&self, id: &str, started: Option<i64>) -> Vec<LogLine> {
        let Ok(logs) = self.logs(id, TAIL, false).await else {
            return Vec::new();
        };
        let chunks: Vec<_> = logs.filter_map(|chunk| std::future::ready(chunk.ok())).collect().await;
        chunks
            .into_iter()
            .flat_map(|chunk| chunk.lines)
            .filter(|line| {
                let of_this_run = |(at, started): (i64, i64)| at + BEFORE_START >= started;
                line.millis.zip(started).is_none_or(of_this_run)
            })
            .map(|mut line| {
                if let Some((end, _)) = line.text.char_indices().nth(LONGEST_LINE) {
                    line.text.truncate(end);
                }
                line.text = pattern!(r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[@-Z\\-_]")
                    .replace_all(&line.text, "")
                    .into_owned();
                line
            })
            .collect()
    }

    /// What the engine told of its last run.
    async fn told(&self, id: &str, started: Option<i64>, finished: Option<i64>) -> Told {
        let (Some(started), Some(finished)) = (started, finished.filter(|finished| Some(*finished) >= started)) else {
            return Told::default();
        };
        let filters = json!({ "type": ["container"], "container": [id] }).to_string();
        let call = Call::get("/events", Subject::Container(id), "tell what happened to it")
            .query("filters", &filters)
            .query("since", &(started / 1000).to_string())
            .query("until", &(finished / 1000 + 2).to_string())
            .within(EVENTS);
        let Ok(client) = self.client().await else {
            return Told::default();
        };
        let Ok(reply) = client.open(call).await else {
            return Told::default();
        };
        let mut body = BodyDataStream::new(reply.into_body());
        let mut bytes: Vec<u8> = Vec::new();
        let read = async {
            while let Some(Ok(part)) = body.next().await {
                bytes.extend_from_slice(&part);
            }
        };
        // What has come by then has been told.
        let _ = tokio::time::timeout(EVENTS, read).await;
        let mut told = Told::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Ok(event) = serde_json::from_slice::<wire::Event>(line) {
                told.hear(&event);
            }
        }
        told
    }

    /// The first line of the file that should have been run.
    async fn script(&self, id: &str, facts: &Facts) -> Option<Script> {
        let in_error = pattern!(r#"exec:? \\?"?([^\s":\\]+)"#);
        let said = facts.log.iter().rev().find_map(|line| in_error.captures(&line.text));
        let named = in_error.captures(&facts.error).or(said);
        let named = named.and_then(|found| found.get(1)).map(|path| path.as_str());
        let words = facts.command.iter().map(String::as_str);
        let candidates = named.into_iter().chain(words.flat_map(str::split_whitespace));
        for path in candidates
            .filter(|word| word.contains('/') || word.contains(".sh"))
            .take(4)
        {
            let whole = if path.starts_with('/') {
                path.to_owned()
            } else {
                let folder = facts.working_folder.trim_end_matches('/');
                format!("{folder}/{}", path.trim_start_matches("./"))
            };
            if let Some(first_line) = self.first_line(id, &whole).await {
                return Some(Script {
                    path: whole,
                    first_line,
                });
            }
        }
        None
    }

    async fn first_line(&self, id: &str, path: &str) -> Option<Vec<u8>> {
        let call = Call::get(
            format!("/containers/{}/archive", name::container(id).ok()?),
            Subject::Container(id),
            "read a file",
        )
        .query("path", path);
        let reply = self.client().await.ok()?.open(call).await.ok()?;
        let mut body = BodyDataStream::new(reply.into_body());
        let mut bytes: Vec<u8> = Vec::new();
        while bytes.len() < SCRIPT
            && let Some(Ok(part)) = body.next().await
        {
            bytes.extend_from_slice(&part);
        }
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entry = archive.entries().ok()?.next()?.ok()?;
        if !entry.header().entry_type().is_file() {
            return None;
        }
        let mut line = Vec::new();
        // A file that goes on beyond what was read ends with an error, after its beginning.
        let _ = entry.take(256).read_to_end(&mut line);
        line.truncate(line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len()));
        Some(line)
    }
}

/// What happened in one run.
#[derive(Default)]
struct Told {
    signals: Vec<i32>,
    asked_at: Option<i64>,
    out_of_memory: bool,
}

impl Told {
    fn hear(&mut self, event: &wire::Event) {
        match event.action.as_str() {
            // An earlier run ended within the same second.
            "start" => *self = Told::default(),
            "kill" => {
                let signal = event.actor.attributes.get("signal");
                let Some(signal) = signal.and_then(|signal| signal.parse::<i32>().ok()) else {
                    return;
                };
                if signal != KILL && self.asked_at.is_none() {
                    self.asked_at = Some(event.nanos / 1_000_000).filter(|at| *at > 0);
                }
                self.signals.push(signal);
            }
            "oom" => self.out_of_memory = true,
            _ => {}
        }
    }
}

fn wants_script(facts: &Facts) -> bool {
    let about_files = pattern!(r"(?i)no such file|not found|exec format error|\\r|\r");
    !facts.runs()
        && facts.exit_code != 0
        && (matches!(facts.exit_code, 126..=128 | 255)
            || about_files.is_match(&facts.error)
            || facts
                .log
                .iter()
                .rev()
                .take(10)
                .any(|line| about_files.is_match(&line.text)))
}

fn neighbour(container: crate::ContainerSummary) -> Neighbour {
    Neighbour {
        name: container.name,
        networks: container.networks,
        ports: container.ports.iter().map(|port| port.container).collect(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// Engines say the year one for "never".
fn millis(value: &Value) -> Option<i64> {
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(at.as_millisecond()).filter(|millis| *millis > 0)
}

fn of_inspect(inspect: &Value, image: &Value, usual: &Usual) -> Facts {
    let (state, config) = (&inspect["State"], &inspect["Config"]);
    let entrypoint = texts(&config["Entrypoint"]);
    let status = inventory::state(state["Status"].as_str().unwrap_or_default());
    let published = inspect["HostConfig"]["PortBindings"].as_object().into_iter().flatten();
    let current = &inspect["NetworkSettings"]["Ports"];
    let mut id = text(&inspect["Id"]);
    id.truncate(64);
    Facts {
        name: text(&inspect["Name"]).trim_start_matches('/').to_owned(),
        state: Some(status),
        exit_code: i32::try_from(state["ExitCode"].as_i64().unwrap_or_default()).unwrap_or(-1),
        oom_killed: state["OOMKilled"] == true,
        error: text(&state["Error"]),
        started: millis(&state["StartedAt"]),
        finished: millis(&state["FinishedAt"]).filter(|_| status != ContainerState::Running),
        restarts: inspect["RestartCount"]
            .as_u64()
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or_default(),
        entrypoint_words: entrypoint.len(),
        command: entrypoint.into_iter().chain(texts(&config["Cmd"])).collect(),
        environment: texts(&config["Env"])
            .iter()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        folders: inspect["Mounts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(mounted)
            .collect(),
        published: published
            .filter_map(|(port, _)| {
                let number = port.strip_suffix("/tcp")?.parse().ok()?;
                let host = current[port].get(0)?;
                Some((
                    number,
                    HostPort {
                        address: text(&host["HostIp"]),
                        port: host["HostPort"].as_str()?.parse().ok()?,
                    },
                ))
            })
            .collect(),
        networks: inspect["NetworkSettings"]["Networks"]
            .as_object()
            .into_iter()
            .flat_map(|networks| networks.keys().cloned())
            .collect(),
        image_architecture: image["Architecture"].as_str().map(str::to_owned),
        working_folder: text(&config["WorkingDir"]),
        spec: spec_of(inspect, image, usual).0,
        id,
        ..Facts::default()
    }
}

fn mounted(mount: &Value) -> Mounted {
    let folder = mount["Type"] == "bind";
    Mounted {
        source: text(&mount[if folder { "Source" } else { "Name" }]),
        target: text(&mount["Destination"]),
        folder,
        writable: mount["RW"] != false,
    }
}
