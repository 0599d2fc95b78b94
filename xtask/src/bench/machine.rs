//! A machine in a home of its own, and the figures that it tells of itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::figures::Figure;
use crate::{Error, process, workspace};

/// How long the guest is left alone before its memory is read: what the engine needed for starting has been given
/// back by then.
const SETTLE: Duration = Duration::from_secs(15);

/// What every figure of the machine is taken with. Emulation, because that is what every computer can do.
const SPEC: [&str; 6] = ["--cpus", "2", "--memory", "2g", "--disk", "8g"];

/// How many homes have been made.
static HOMES: AtomicUsize = AtomicUsize::new(0);

pub(super) struct Machine {
    home: PathBuf,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Machine {
    /// A home whose machine has run once, so that its disk is formatted. Nothing runs.
    pub(super) fn prepared() -> Result<Self, Error> {
        Self::prepared_with(&[])
    }

    /// The same, its daemon being given these files by the variables' names.
    pub(super) fn prepared_with(environment: &[(&'static str, &Path)]) -> Result<Self, Error> {
        // Short: the path of a socket has at most 104 bytes. Never used before: the daemon of an earlier bench stays
        // for some seconds.
        let nth = HOMES.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("wherry-bench-{}-{nth}", std::process::id()));
        fs_err::create_dir_all(&home)?;
        let environment = environment.iter().map(|(name, file)| (*name, file.to_path_buf()));
        let machine = Self {
            home,
            environment: environment.collect(),
        };
        machine.start()?;
        machine.stop()?;
        Ok(machine)
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.home.join("docker.sock")
    }

    fn wherry(&self, arguments: &[&str]) -> Command {
        let mut command = process::command(workspace::release_program("wherry"), arguments);
        command.env("WHERRY_HOME", &self.home);
        command.envs(self.environment.iter().map(|(name, file)| (name, file)));
        command
    }

    /// Seconds from the start of `wherry start` to its end, when the engine answers.
    pub(super) fn start(&self) -> Result<f64, Error> {
        let begun = Instant::now();
        process::capture(self.wherry(&["start"]).args(SPEC))?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// It is not suspended while it is measured at rest.
    pub(super) fn stay(&self) -> Result<(), Error> {
        process::capture(&mut self.wherry(&["set", "sleep-after", "off"])).map(|_| ())
    }

    pub(super) fn share(&self, folder: &Path) -> Result<(), Error> {
        process::capture(self.wherry(&["share", "add"]).arg(folder)).map(|_| ())
    }

    pub(super) fn stop(&self) -> Result<(), Error> {
        process::capture(&mut self.wherry(&["stop"])).map(|_| ())
    }

    pub(super) fn suspend(&self) -> Result<(), Error> {
        process::capture(&mut self.wherry(&["suspend"])).map(|_| ())
    }

    pub(super) fn status(&self) -> Result<Value, Error> {
        let text = process::capture(&mut self.wherry(&["status", "--json"]))?;
        serde_json::from_str(&text).map_err(|source| Error::Garbled {
            what: "wherry status".to_owned(),
            source,
        })
    }

    /// `tcg` for emulation, and what else the running machine says of itself.
    pub(super) fn conditions(status: &Value) -> String {
        let running = &status["state"]["running"];
        let said = |name: &str| running[name].as_str().unwrap_or("unknown").to_owned();
        format!(
            "accelerator {}, kernel {}, engine {}",
            said("accelerator"),
            said("kernel"),
            said("engineVersion")
        )
    }

    fn console(&self) -> Result<String, Error> {
        Ok(fs_err::read_to_string(self.home.join("logs/console.log"))?)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.stop();
        let _ = fs_err::remove_dir_all(&self.home);
    }
}

pub(super) fn kernel(runs: u32) -> Result<Vec<Figure>, Error> {
    let machine = Machine::prepared()?;
    let mut times = Vec::new();
    let mut note = None;
    for _ in 0..runs {
        let before = machine.console()?.len();
        machine.start()?;
        let console = machine.console()?;
        times.extend(first_word(console.get(before..).unwrap_or(&console)));
        note = Some(Machine::conditions(&machine.status()?));
        machine.stop()?;
    }
    Ok(vec![Figure {
        name: "kernel to first program",
        unit: "s",
        runs: times,
        baseline: None,
        bar: "<= 1.3 s emulated",
        note,
    }])
}

/// The guest's clock, in seconds since its kernel started, at the first line that the agent wrote to the console.
fn first_word(console: &str) -> Option<f64> {
    console.lines().find_map(|line| {
        let (clock, rest) = line.strip_prefix('[')?.split_once(']')?;
        rest.trim_start()
            .starts_with("wherry-agent: ")
            .then(|| clock.trim().parse().ok())?
    })
}

pub(super) fn memory(runs: u32) -> Result<Vec<Figure>, Error> {
    let machine = Machine::prepared()?;
    let mut used = Vec::new();
    let mut host = Vec::new();
    let mut note = None;
    for _ in 0..runs {
        machine.start()?;
        std::thread::sleep(SETTLE);
        let status = machine.status()?;
        let usage = &status["state"]["running"]["usage"];
        used.extend(mebibytes(&usage["guestMemoryUsed"]));
        host.extend(mebibytes(&usage["hostMemory"]));
        note = Some(Machine::conditions(&status));
        machine.stop()?;
    }
    Ok(vec![
        Figure {
            name: "guest memory, engine idle",
            unit: "MiB",
            runs: used,
            baseline: None,
            bar: "<= 80 MB",
            note,
        },
        Figure {
            name: "the machine's memory on the host",
            unit: "MiB",
            runs: host,
            baseline: None,
            bar: "-",
            note: None,
        },
    ])
}

/// Bytes as mebibytes.
#[expect(
    clippy::cast_precision_loss,
    reason = "no computer has so much memory that a byte more or less shows"
)]
pub(super) fn mebibytes(bytes: &Value) -> Option<f64> {
    bytes.as_u64().map(|bytes| bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_the_agents() {
        let console = "SeaBIOS\r\n[    0.812345] kernel: virtio\r\n[    1.204] wherry-agent: version 0.1.0\r\n[    1.3] wherry-agent: disk\r\n";
        assert_eq!(first_word(console), Some(1.204));
        assert_eq!(first_word("nothing"), None);
    }
}
