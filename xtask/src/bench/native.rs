//! The suites' own testbed: a native engine, and the interface's server on it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde::Deserialize;

use crate::{Error, process, workspace};

pub(super) struct Native {
    child: Child,
    pub(super) place: Place,
}

/// What the testbed says of itself.
#[derive(Deserialize)]
pub(super) struct Place {
    /// Of the server, with its token.
    pub(super) address: String,
    /// As `DOCKER_HOST` writes it.
    pub(super) docker: String,
    /// An image as a tar for `docker import`.
    pub(super) busybox: String,
}

impl Native {
    pub(super) fn start() -> Result<Self, Error> {
        let mut child = process::command(workspace::release_program("testbed"), ["ui/dist"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| Error::Start {
                program: "testbed".to_owned(),
                source,
            })?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let place = serde_json::from_str(&line).map_err(|source| Error::Garbled {
            what: "the testbed".to_owned(),
            source,
        })?;
        Ok(Self { child, place })
    }

    /// The path of the engine's socket.
    pub(super) fn socket(&self) -> &str {
        self.place.docker.trim_start_matches("unix://")
    }
}

impl Drop for Native {
    /// It ends with its standard input.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
