//! QEMU's monitor (QMP): one JSON object a line, on a socket that serves one client after another. So a connection is
//! made for what is to be done and dropped after it; whoever comes meanwhile waits for its greeting.
//!
//! Written here because it is little: the crates for it bring every type of QEMU's schema, and an event that is newer
//! than they are ends their stream.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::time::timeout;

use crate::system;

/// How long QEMU may take to greet: whoever is connected before us is done by then.
const GREETING: Duration = Duration::from_secs(30);
/// How long QEMU may take to answer a command. What takes longer (a migration) is told by events.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest line that is read. No answer that is asked for here comes near it.
const LONGEST_LINE: u64 = 4 << 20;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("QEMU's monitor could not be reached")]
    Connect(#[source] io::Error),
    #[error("QEMU's monitor broke off")]
    Io(#[source] io::Error),
    #[error("QEMU's monitor was closed")]
    Closed,
    #[error("QEMU's monitor said something that is not understood")]
    Garbled(#[source] serde_json::Error),
    #[error("QEMU did not carry out {command}: {reason}")]
    Refused { command: &'static str, reason: String },
    #[error("QEMU did not answer to {command} within {} s", .after.as_secs())]
    Silent { command: &'static str, after: Duration },
}

/// A connection to the monitor of one QEMU.
pub(crate) struct Qmp {
    answers: BufReader<ReadHalf<system::Stream>>,
    requests: WriteHalf<system::Stream>,
    version: Version,
    /// What happened while an answer was waited for.
    events: Vec<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) micro: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

/// Something that QEMU tells without being asked.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "event")]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) data: Value,
}

#[derive(Deserialize)]
struct Greeting {
    #[serde(rename = "QMP")]
    qmp: GreetingBody,
}

#[derive(Deserialize)]
struct GreetingBody {
    version: VersionBody,
}

#[derive(Deserialize)]
struct VersionBody {
    qemu: Version,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Return {
        #[serde(rename = "return")]
        value: Value,
    },
    Error {
        error: Refusal,
    },
    Event(Event),
}

#[derive(Deserialize)]
struct Refusal {
    desc: String,
}

impl Qmp {
    /// Connects and agrees on how to talk.
    pub(crate) async fn connect(monitor: &Path) -> Result<Self, Error> {
        Self::over(system::connect(monitor).await.map_err(Error::Connect)?).await
    }

    /// Agrees on how to talk.
    pub(crate) async fn over(stream: system::Stream) -> Result<Self, Error> {
        let (answers, requests) = tokio::io::split(stream);
        let mut answers = BufReader::new(answers);
        let greeting = timeout(GREETING, read::<Greeting>(&mut answers)).await;
        let greeting = greeting.map_err(|_| Error::Silent {
            command: "a connection",
            after: GREETING,
        })??;
        let mut qmp = Self {
            answers,
            requests,
            version: greeting.qmp.version.qemu,
            events: Vec::new(),
        };
        qmp.execute::<Value>("qmp_capabilities", json!({})).await?;
        Ok(qmp)
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Whether a write of the machine stopped it, which a disk did not take.
    pub(crate) async fn is_stopped_by_a_disk(&mut self) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Status {
            status: String,
        }
        let found: Status = self.execute("query-status", json!({})).await?;
        Ok(found.status == "io-error")
    }

    /// Gives one command and returns its answer.
    pub(crate) async fn execute<T: DeserializeOwned>(
        &mut self,
        command: &'static str,
        arguments: impl Serialize,
    ) -> Result<T, Error> {
        let mut line =
            serde_json::to_vec(&json!({ "execute": command, "arguments": arguments })).map_err(Error::Garbled)?;
        line.push(b'\n');
        let answered = timeout(ANSWER, async {
            self.requests.write_all(&line).await.map_err(Error::Io)?;
            self.requests.flush().await.map_err(Error::Io)?;
            loop {
                match read(&mut self.answers).await? {
                    Line::Return { value } => return serde_json::from_value(value).map_err(Error::Garbled),
                    Line::Error { error } => {
                        return Err(Error::Refused {
                            command,
                            reason: error.desc,
                        });
                    }
                    Line::Event(event) => self.events.push(event),
                }
            }
        })
        .await;
        answered.map_err(|_| Error::Silent { command, after: ANSWER })?
    }

    /// The next thing that happens, or that happened while an answer was waited for. The caller bounds the wait.
    pub(crate) async fn event(&mut self) -> Result<Event, Error> {
        if !self.events.is_empty() {
            return Ok(self.events.remove(0));
        }
        loop {
            // An answer that nobody waits for is one that came too late.
            if let Line::Event(event) = read(&mut self.answers).await? {
                return Ok(event);
            }
        }
    }
}

async fn read<T: DeserializeOwned>(answers: &mut BufReader<ReadHalf<system::Stream>>) -> Result<T, Error> {
    let mut line = Vec::new();
    let read = answers.take(LONGEST_LINE).read_until(b'\n', &mut line).await;
    if read.map_err(Error::Io)? == 0 {
        return Err(Error::Closed);
    }
    serde_json::from_slice(&line).map_err(Error::Garbled)
}

#[cfg(all(test, unix))]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    const GREETS: &str =
        r#"{"QMP":{"version":{"qemu":{"micro":2,"minor":0,"major":10},"package":"Debian"},"capabilities":["oob"]}}"#;

    /// A monitor that greets with the first of these lines and answers with the others.
    async fn monitor(says: &'static [&'static str]) -> io::Result<(tempfile::TempDir, Result<Qmp, Error>)> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("qmp.sock");
        let listener = UnixListener::bind(&path)?;
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await?;
            let (hears, mut speaks) = stream.into_split();
            let mut hears = BufReader::new(hears).lines();
            for (index, line) in says.iter().enumerate() {
                if index > 0 {
                    hears.next_line().await?;
                }
                speaks.write_all(line.as_bytes()).await?;
                speaks.write_all(b"\r\n").await?;
            }
            Ok::<_, io::Error>(())
        });
        let qmp = Qmp::connect(&path).await;
        Ok((folder, qmp))
    }

    #[tokio::test]
    async fn a_command_has_its_answer_and_events_in_between_are_kept() -> io::Result<()> {
        let (_folder, qmp) = monitor(&[
            GREETS,
            r#"{"return":{}}"#,
            "{\"timestamp\":{},\"event\":\"MIGRATION\",\"data\":{\"status\":\"active\"}}\r\n{\"return\":{\"status\":\"paused\"}}",
            r#"{"error":{"class":"GenericError","desc":"No balloon device"}}"#,
        ])
        .await?;
        let mut qmp = qmp.expect("connected");
        assert_eq!(qmp.version().to_string(), "10.0.2");
        let status: Value = qmp.execute("query-status", json!({})).await.expect("an answer");
        assert_eq!(status["status"], "paused");
        let event = qmp.event().await.expect("it happened");
        assert_eq!(
            (event.name.as_str(), &event.data["status"]),
            ("MIGRATION", &json!("active"))
        );
        let refused = qmp.execute::<Value>("balloon", json!({ "value": 1 })).await;
        assert_eq!(
            refused.expect_err("refused").to_string(),
            "QEMU did not carry out balloon: No balloon device"
        );
        assert!(matches!(qmp.event().await, Err(Error::Closed)));
        Ok(())
    }

    #[tokio::test]
    async fn something_else_at_its_place_is_told_from_it() -> io::Result<()> {
        let (_folder, qmp) = monitor(&["HTTP/1.1 400 Bad Request"]).await?;
        assert!(matches!(qmp.err(), Some(Error::Garbled(_))));
        assert!(matches!(
            Qmp::connect(Path::new("/nonexistent/qmp.sock")).await.err(),
            Some(Error::Connect(_))
        ));
        Ok(())
    }
}
