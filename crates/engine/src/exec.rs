//! Programs run inside containers: with a terminal, or for what they print.

use futures::StreamExt as _;
use http_body_util::BodyDataStream;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::json;

use crate::error::Subject;
use crate::transport::Call;
use crate::{Engine, Error, name, wire};

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    pub columns: u16,
    pub rows: u16,
}

/// A program to run with a terminal.
#[derive(Clone, Debug, Default)]
pub struct Exec {
    pub command: Vec<String>,
    /// `None`: whoever the container's own program runs as.
    pub user: Option<String>,
    /// `NAME=value`
    pub environment: Vec<String>,
}

/// A terminal's connection. Dropping it lets go; the program inside may go on.
pub struct Attached {
    /// Of the exec, or of the container itself.
    pub id: String,
    pub stream: TokioIo<Upgraded>,
}

/// How a program that was run with a terminal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecEnd {
    Running,
    Ended { code: Option<i64> },
}

/// What a program printed, as far as it was wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub code: Option<i64>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// There was more than was wanted.
    pub cut: bool,
}

impl Engine {
    /// Runs a program with a terminal of its own.
    pub async fn exec(&self, container: &str, exec: &Exec, size: TerminalSize) -> Result<Attached, Error> {
        let client = self.client().await?;
        let body = json!({
            "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": true,
            "Cmd": exec.command,
            "User": exec.user.as_deref().unwrap_or_default(),
            "Env": exec.environment,
        });
        let id = self.create_exec(container, &body).await?;
        let call = Call::post(
            format!("/exec/{id}/start"),
            Subject::Container(container),
            "run the program",
        )
        .json(&json!({ "Detach": false, "Tty": true }));
        let stream = client.upgrade(call).await?;
        // The engine waits until the program runs, and a program that cannot run says so in the terminal.
        if let Err(error) = self.resize_exec(&id, size).await {
            tracing::debug!(%error, "the terminal has not got its size");
        }
        Ok(Attached { id, stream })
    }

    /// The container's own terminal.
    pub async fn attach(&self, container: &str, size: TerminalSize) -> Result<Attached, Error> {
        let attached = self.attach_to_created(container).await?;
        // A program draws its prompt anew when the size changes, which shows the person where they are.
        if let Err(error) = self.resize_container(container, size).await {
            tracing::debug!(%error, "the terminal has not got its size");
        }
        Ok(attached)
    }

    /// The terminal of a container that does not run yet: what it says from its first word on.
    pub async fn attach_to_created(&self, container: &str) -> Result<Attached, Error> {
        let path = format!("/containers/{}/attach", name::container(container)?);
        let call = Call::post(path, Subject::Container(container), "attach to the container")
            .query("stream", "1")
            .query("stdin", "1")
            .query("stdout", "1")
            .query("stderr", "1");
        let stream = self.client().await?.upgrade(call).await?;
        Ok(Attached {
            id: container.to_owned(),
            stream,
        })
    }

    pub async fn resize_exec(&self, exec: &str, size: TerminalSize) -> Result<(), Error> {
        self.resize(format!("/exec/{}/resize", name::container(exec)?), size)
            .await
    }

    pub async fn resize_container(&self, container: &str, size: TerminalSize) -> Result<(), Error> {
        self.resize(format!("/containers/{}/resize", name::container(container)?), size)
            .await
    }

    async fn resize(&self, path: String, size: TerminalSize) -> Result<(), Error> {
        let call = Call::post(path, Subject::Engine, "resize the terminal")
            .query("w", &size.columns.to_string())
            .query("h", &size.rows.to_string());
        self.client().await?.done(call).await
    }

    pub async fn exec_end(&self, exec: &str) -> Result<ExecEnd, Error> {
        let path = format!("/exec/{}/json", name::container(exec)?);
        let call = Call::get(path, Subject::Engine, "look at the program");
        let found: wire::ExecInspect = self.client().await?.value(call).await?;
        Ok(if found.running {
            ExecEnd::Running
        } else {
            ExecEnd::Ended { code: found.exit_code }
        })
    }

    /// Runs a program to its end, or until it has printed `limit` bytes.
    pub async fn output(
        &self,
        container: &str,
        command: &[&str],
        user: Option<&str>,
        limit: usize,
    ) -> Result<Output, Error> {
        let body = json!({
            "AttachStdout": true, "AttachStderr": true, "Tty": false,
            "Cmd": command,
            "User": user.unwrap_or_default(),
        });
        let id = self.create_exec(container, &body).await?;
        let call = Call::post(
            format!("/exec/{id}/start"),
            Subject::Container(container),
            "run the program",
        )
        .json(&json!({ "Detach": false, "Tty": false }));
        let body = self.client().await?.open(call).await?.into_body();
        let mut output = collect(BodyDataStream::new(body), limit).await?;
        if let ExecEnd::Ended { code } = self.exec_end(&id).await? {
            output.code = code;
        }
        Ok(output)
    }

    async fn create_exec(&self, container: &str, body: &serde_json::Value) -> Result<String, Error> {
        let path = format!("/containers/{}/exec", name::container(container)?);
        let call = Call::post(path, Subject::Container(container), "prepare the program").json(body);
        let created: wire::Created = self.client().await?.value(call).await?;
        name::container(&created.id).map(str::to_owned)
    }
}

/// Standard output and error from the engine's frames, `[source, 0, 0, 0, length (4 bytes, big endian)]` and bytes:
/// see the API's documentation of `ContainerAttach`.
async fn collect(mut body: BodyDataStream<hyper::body::Incoming>, limit: usize) -> Result<Output, Error> {
    let mut output = Output::default();
    let mut waiting: Vec<u8> = Vec::new();
    while let Some(bytes) = body.next().await {
        waiting.extend_from_slice(&bytes.map_err(|source| Error::BrokenOff { source: source.into() })?);
        while let Some((header, rest)) = waiting.split_first_chunk::<8>() {
            let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
            let Some(text) = rest.get(..length) else { break };
            if header[0] == 1 {
                output.stdout.extend_from_slice(text);
            } else {
                output.stderr.extend_from_slice(text);
            }
            waiting.drain(..8 + length);
        }
        if output.stdout.len() + output.stderr.len() + waiting.len() > limit {
            output.cut = true;
            output.stdout.truncate(limit);
            output.stderr.truncate(limit);
            break;
        }
    }
    Ok(output)
}
