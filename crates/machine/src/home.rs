//! Where everything of one Wherry lives. Two homes never touch each other.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::{Error, system};

/// The environment variable that names the home's folder.
pub const HOME_VARIABLE: &str = "WHERRY_HOME";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// `WHERRY_HOME`, or `wherry` in the folder where this platform's programs keep their data.
    pub fn from_env() -> Result<Self, Error> {
        match std::env::var_os(HOME_VARIABLE)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
        {
            Some(path) if path.is_absolute() => Ok(Self::at(path)),
            Some(path) => Err(Error::RelativeHome { path }),
            None => {
                let folders = etcetera::choose_base_strategy().map_err(|source| Error::NoDataFolder { source })?;
                Ok(Self::at(folders.data_dir().join("wherry")))
            }
        }
    }

    /// The home at this absolute path. Nothing is created.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The engine's socket: `docker.sock` in the root, or a short path where that would be longer than a socket's
    /// path may be, or the name of a pipe on Windows.
    pub fn socket(&self) -> PathBuf {
        system::endpoint(&self.root, "docker.sock")
    }

    /// What `DOCKER_HOST` must say to reach the engine.
    pub fn docker_host(&self) -> String {
        system::docker_host(&self.socket())
    }

    /// The settings of the app.
    pub fn settings(&self) -> PathBuf {
        self.root.join("settings.json")
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub fn daemon_log(&self) -> PathBuf {
        self.logs().join("daemon.log")
    }

    /// What the guest wrote to its serial port: kernel, agent and engine.
    pub fn console_log(&self) -> PathBuf {
        self.logs().join("console.log")
    }

    /// What QEMU itself had to say.
    pub(crate) fn process_log(&self) -> PathBuf {
        self.logs().join("machine.log")
    }

    pub(crate) fn machine(&self) -> PathBuf {
        self.root.join("machine")
    }

    pub(crate) fn data_disk(&self) -> PathBuf {
        self.machine().join("data.raw")
    }

    pub(crate) fn spec(&self) -> PathBuf {
        self.machine().join("spec.json")
    }

    /// What the person decided about the machine beside its spec.
    pub(crate) fn machine_settings(&self) -> PathBuf {
        self.machine().join("settings.json")
    }

    /// The memory of a suspended machine.
    pub(crate) fn saved(&self) -> PathBuf {
        self.machine().join("memory.saved")
    }

    /// Where it is written until it is whole.
    pub(crate) fn saved_unfinished(&self) -> PathBuf {
        self.machine().join("memory.new")
    }

    /// What it is called once a machine goes on from it.
    pub(crate) fn saved_spent(&self) -> PathBuf {
        self.machine().join("memory.spent")
    }

    /// Which networks the machine and its containers have.
    pub(crate) fn network(&self) -> PathBuf {
        self.machine().join("network.json")
    }

    /// Which accelerators did not work here.
    pub(crate) fn accelerators(&self) -> PathBuf {
        self.machine().join("accelerator.json")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.run().join("daemon.lock")
    }

    /// Which process the machine is, for a daemon that finds it running.
    pub(crate) fn record(&self) -> PathBuf {
        self.run().join("machine.json")
    }

    pub(crate) fn control(&self) -> PathBuf {
        system::endpoint(&self.root, "run/control.sock")
    }

    pub(crate) fn link(&self) -> PathBuf {
        system::endpoint(&self.root, "run/link.sock")
    }

    /// Where QEMU finds the server of the person's folders.
    pub(crate) fn files_device(&self) -> PathBuf {
        system::endpoint(&self.root, "run/files.sock")
    }

    /// What is locked for as long as anybody keeps that server's connection to QEMU.
    pub(crate) fn files_turn(&self) -> PathBuf {
        let mut turn = self.files_device().into_os_string();
        turn.push(".lock");
        turn.into()
    }

    /// Where that server takes what it is to show.
    pub(crate) fn files_control(&self) -> PathBuf {
        system::endpoint(&self.root, "run/files-control.sock")
    }

    /// Where whoever keeps that server's connection to QEMU hands over what the next one needs.
    pub(crate) fn files_heir(&self) -> PathBuf {
        self.files_device().with_extension("heir")
    }

    /// What that server had to say.
    pub(crate) fn files_log(&self) -> PathBuf {
        self.logs().join("files.log")
    }

    pub(crate) fn qmp(&self) -> PathBuf {
        system::endpoint(&self.root, "run/qmp.sock")
    }

    /// Makes the home's own folder, open to nobody else.
    pub fn create_root(&self) -> std::io::Result<()> {
        system::create_private_folder(&self.root)
    }

    /// Makes the folders, each open to nobody else.
    pub(crate) fn create(&self) -> std::io::Result<()> {
        for folder in [self.root.clone(), self.machine(), self.run(), self.logs()] {
            system::create_private_folder(&folder)?;
        }
        for endpoint in [self.socket(), self.control()] {
            if let Some(folder) = endpoint.parent().filter(|_| system::ENDPOINTS_ARE_FILES) {
                system::create_private_folder(folder)?;
            }
        }
        Ok(())
    }
}
