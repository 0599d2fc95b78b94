//! Running the programs that do the work, quietly: what they say goes to a log, and into the error when they fail.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Error;

/// How many lines of the log an error shows.
const TAIL: usize = 30;

/// Runs a program with its output in this log, written anew.
pub(super) fn run(command: &mut Command, log: &Path) -> Result<(), Error> {
    let file = fs_err::File::create(log)?.into_parts().0;
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .map_err(|source| start(command, source))?;
    if status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&fs_err::read(log)?).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    Err(Error::Failed {
        program: name(command),
        status,
        log: log.to_owned(),
        tail: lines[lines.len().saturating_sub(TAIL)..].join("\n"),
    })
}

/// What a program writes to standard output.
pub(super) fn read(command: &mut Command, log: &Path) -> Result<String, Error> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| start(command, source))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    fs_err::write(log, &output.stderr)?;
    Err(Error::Failed {
        program: name(command),
        status: output.status,
        log: log.to_owned(),
        tail: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn start(command: &Command, source: io::Error) -> Error {
    Error::Start {
        program: name(command),
        source,
    }
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(unix)]
pub(super) fn symlink(target: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<(), Error> {
    Ok(fs_err::os::unix::fs::symlink(target, path)?)
}

/// The image is only ever built on Linux: this is what the type check for Windows sees.
#[cfg(windows)]
pub(super) fn symlink(target: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<(), Error> {
    Ok(fs_err::os::windows::fs::symlink_dir(target, path)?)
}
