//! The docker command in the person's terminal, pointed to Wherry's own machine and back.

use std::path::{Path, PathBuf};

use wherry_engine::system_socket::{self, Ask, SYSTEM_SOCKET, SystemSocket};
use wherry_engine::{Changes, DockerCommand};
use wherry_machine::Home;

use crate::{Code, DockerOverride, DockerSetup, MissingHelper, Problem, SystemSocketState};

/// What the docker command calls our engine.
pub const CONTEXT: &str = "wherry";

const DESCRIPTION: &str = "Wherry's own machine";

/// What the docker command does, and the changes to it. Cheap to make.
#[derive(Clone, Debug)]
pub struct Docker {
    /// Where it is kept what was changed.
    record: PathBuf,
    socket: PathBuf,
    address: String,
}

impl Docker {
    pub fn new(home: &Home) -> Self {
        Self {
            record: home.root().join("docker-command.json"),
            socket: home.socket(),
            address: home.docker_host(),
        }
    }

    /// Looks; changes nothing.
    pub fn setup(&self) -> Result<DockerSetup, Problem> {
        let setup = DockerCommand::of_this_user()?.look()?;
        let system_socket = match system_socket::look(Path::new(SYSTEM_SOCKET), &self.socket) {
            SystemSocket::Free => SystemSocketState::Free,
            SystemSocket::Ours => SystemSocketState::Ours,
            SystemSocket::Taken { by } => SystemSocketState::Taken { by },
            SystemSocket::Unavailable => SystemSocketState::Unavailable,
        };
        let through_link =
            system_socket == SystemSocketState::Ours && setup.address == Some(format!("unix://{SYSTEM_SOCKET}"));
        Ok(DockerSetup {
            program: setup.program.map(|path| path.display().to_string()),
            config: setup.config.display().to_string(),
            context: setup.context,
            ours: through_link || setup.address.as_ref() == Some(&self.address),
            address: setup.address,
            overridden: setup.overridden.map(|by| DockerOverride {
                variable: by.variable.to_owned(),
                value: by.value,
            }),
            missing_helpers: setup
                .missing_helpers
                .into_iter()
                .map(|helper| MissingHelper {
                    program: helper.program,
                    registry: helper.registry,
                })
                .collect(),
            system_socket,
            changed: !self.changes()?.is_empty(),
        })
    }

    /// Makes the context `wherry` and selects it.
    pub fn select(&self) -> Result<(), Problem> {
        let mut changes = self.changes()?;
        let outcome = DockerCommand::of_this_user()?.select(CONTEXT, &self.address, DESCRIPTION, &mut changes);
        // Also what was done before a failure is to be taken back one day.
        self.keep(&changes)?;
        Ok(outcome?)
    }

    /// Takes credential helpers that are not installed out of the docker command's configuration; says which.
    pub fn drop_missing_helpers(&self) -> Result<Vec<MissingHelper>, Problem> {
        let mut changes = self.changes()?;
        let dropped = DockerCommand::of_this_user()?.drop_missing_helpers(&mut changes)?;
        self.keep(&changes)?;
        let told = dropped.into_iter().map(|helper| MissingHelper {
            program: helper.program,
            registry: helper.registry,
        });
        Ok(told.collect())
    }

    /// Links the place where every docker client looks to our socket.
    pub async fn link_system_socket(&self, ask: Ask) -> Result<(), Problem> {
        let at = Path::new(SYSTEM_SOCKET);
        system_socket::link(at, &self.socket, ask).await?;
        let mut changes = self.changes()?;
        changes.system_socket = Some(at.to_owned());
        self.keep(&changes)
    }

    /// Takes everything back that was changed here. Says whether there was anything.
    pub async fn undo(&self, ask: Ask) -> Result<bool, Problem> {
        // It would ask a program that may soon be gone. Logins stay in the keychain.
        let asked_us = DockerCommand::of_this_user()?.drop_own_helper()?;
        let mut changes = self.changes()?;
        if changes.is_empty() {
            return Ok(asked_us);
        }
        let outcome = DockerCommand::undo(&mut changes);
        self.keep(&changes)?;
        outcome?;
        if let Some(at) = &changes.system_socket {
            system_socket::unlink(at, &self.socket, ask).await?;
            changes.system_socket = None;
        }
        self.keep(&changes)?;
        Ok(true)
    }

    fn changes(&self) -> Result<Changes, Problem> {
        let text = match fs_err::read(&self.record) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Changes::default()),
            Err(error) => return Err(self.unusable(&error)),
        };
        serde_json::from_slice(&text).map_err(|error| self.unusable(&error))
    }

    fn keep(&self, changes: &Changes) -> Result<(), Problem> {
        let written = if changes.is_empty() {
            match fs_err::remove_file(&self.record) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        } else {
            crate::settings::write(&self.record, changes)
        };
        written.map_err(|error| self.unusable(&error))
    }

    fn unusable(&self, error: &dyn std::error::Error) -> Problem {
        Problem {
            hint: Some(format!(
                "It is kept in {}. Without that file Wherry takes the docker command as it is now for how you had it.",
                self.record.display()
            )),
            causes: vec![error.to_string()],
            ..Problem::plain(
                Code::Other,
                "What Wherry changed in the docker command's configuration is not known",
            )
        }
    }
}
