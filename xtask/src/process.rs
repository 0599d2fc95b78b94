//! Running other programs: shown as they go, kept in a log, bounded in time.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Error, workspace};

/// How long one program of a test stage may take. A hanging suite ends as a failure, not as a job that never ends.
const LIMIT: Duration = Duration::from_mins(40);

/// The same for a long form: hundreds of rounds of machines under emulation.
const LONG_LIMIT: Duration = Duration::from_hours(8);

/// How often a bounded program is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);

/// A command of `program` with these arguments, run from the repository's folder, without standard input.
pub(crate) fn command<I, S>(program: impl AsRef<std::ffi::OsStr>, arguments: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(workspace::root())
        .stdin(Stdio::null());
    command
}

/// The cargo that runs xtask.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
}

/// Runs a command with our own output and input, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|source| start(command, source))?;
    succeeded(command, status)
}

/// As [`run`], with the command's output on our standard error: what we print ourselves may be read by a program.
pub(crate) fn run_aside(command: &mut Command) -> Result<(), Error> {
    run(command.stdout(io::stderr()))
}

/// Runs a command and returns what it wrote to standard output; its standard error is ours.
pub(crate) fn capture(command: &mut Command) -> Result<String, Error> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| start(command, source))?;
    succeeded(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a program did whose output was shown and kept.
pub(crate) struct Ended {
    pub(crate) success: bool,
    /// Standard output and standard error, in the order in which their lines came.
    pub(crate) text: String,
}

/// Runs a command, shows what it says line by line, and adds it to the log.
pub(crate) fn watch(command: &mut Command, log: &Path) -> Result<Ended, Error> {
    watch_for(LIMIT, command, log)
}

/// [`watch`] for what may take hours.
pub(crate) fn watch_long(command: &mut Command, log: &Path) -> Result<Ended, Error> {
    watch_for(LONG_LIMIT, command, log)
}

fn watch_for(limit: Duration, command: &mut Command, log: &Path) -> Result<Ended, Error> {
    if let Some(folder) = log.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let file = fs_err::OpenOptions::new().create(true).append(true).open(log)?;
    let kept = Arc::new(Mutex::new(Kept {
        file,
        text: String::new(),
    }));
    // At a terminal Ctrl-C must reach everything that was started; elsewhere a group of its own makes it possible to
    // end everything when the time is over.
    let grouped = !io::stdin().is_terminal();
    if grouped {
        group::lead(command);
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| start(command, source))?;
    let readers = [
        child.stdout.take().map(|stdout| keep(stdout, kept.clone())),
        child.stderr.take().map(|stderr| keep(stderr, kept.clone())),
    ];
    let status = wait(&mut child, command, grouped, limit)?;
    // A process that was left behind may hold the pipe open for ever, so what comes after the end is not waited for
    // any longer than it takes to read what is already there.
    let deadline = Instant::now() + Duration::from_secs(5);
    for reader in readers.into_iter().flatten() {
        while !reader.is_finished() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }
    let text = kept
        .lock()
        .map(|mut kept| std::mem::take(&mut kept.text))
        .unwrap_or_default();
    Ok(Ended {
        success: status.success(),
        text,
    })
}

fn wait(child: &mut Child, command: &Command, grouped: bool, limit: Duration) -> Result<ExitStatus, Error> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if grouped && Instant::now() > deadline {
            group::end(child);
            child.wait()?;
            return Err(Error::TooLong {
                command: Shown(command).to_string(),
                minutes: limit.as_secs() / 60,
            });
        }
        thread::sleep(POLL);
    }
}

struct Kept {
    file: fs_err::File,
    text: String,
}

fn keep(stream: impl Read + Send + 'static, kept: Arc<Mutex<Kept>>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        loop {
            line.clear();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line);
            crate::output::line(text.trim_end_matches('\n'));
            if let Ok(mut kept) = kept.lock() {
                let _ = kept.file.write_all(text.as_bytes());
                kept.text.push_str(&text);
            }
        }
    })
}

/// A program that goes on beside us, its output in a log.
pub(crate) struct Background {
    child: Child,
    shown: String,
    log: PathBuf,
    started: Instant,
    grouped: bool,
}

impl Background {
    pub(crate) fn start(command: &mut Command, log: PathBuf) -> Result<Self, Error> {
        if let Some(folder) = log.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let file = fs_err::File::create(&log)?.into_parts().0;
        let grouped = !io::stdin().is_terminal();
        if grouped {
            group::lead(command);
        }
        let child = command
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .map_err(|source| start(command, source))?;
        Ok(Self {
            child,
            shown: Shown(command).to_string(),
            log,
            started: Instant::now(),
            grouped,
        })
    }

    /// Waits for its end. When it failed, what it said is shown.
    pub(crate) fn finish(mut self) -> Result<Duration, Error> {
        let status = self.child.wait()?;
        let took = self.started.elapsed();
        if status.success() {
            return Ok(took);
        }
        if let Ok(text) = fs_err::read_to_string(&self.log) {
            let lines: Vec<&str> = text.lines().collect();
            crate::output::line(lines[lines.len().saturating_sub(60)..].join("\n"));
        }
        Err(Error::Failed {
            command: self.shown.clone(),
            status: status.to_string(),
        })
    }
}

impl Drop for Background {
    /// Nothing that we started goes on without us.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            if self.grouped {
                group::end(&mut self.child);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn start(command: &Command, source: io::Error) -> Error {
    Error::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    }
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        command: Shown(command).to_string(),
        status: status.to_string(),
    })
}

/// A command as a person would type it, without the folder of its program.
pub(crate) struct Shown<'a>(pub(crate) &'a Command);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = Path::new(self.0.get_program());
        write!(
            formatter,
            "{}",
            program.file_name().unwrap_or(self.0.get_program()).to_string_lossy()
        )?;
        for argument in self.0.get_args() {
            write!(formatter, " {}", argument.to_string_lossy())?;
        }
        Ok(())
    }
}

#[cfg(unix)]
mod group {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command};

    pub(super) fn lead(command: &mut Command) {
        command.process_group(0);
    }

    pub(super) fn end(child: &mut Child) {
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    }
}

#[cfg(not(unix))]
mod group {
    use std::process::{Child, Command};

    pub(super) fn lead(_: &mut Command) {}

    pub(super) fn end(child: &mut Child) {
        let _ = child.kill();
    }
}
