//! Programs under test: found, started, read and ended.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Instant;

use crate::PATIENCE;

/// A line on standard output, past the test runner's capture.
pub fn say(line: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}");
}

/// A program of this workspace, built beside the running test.
pub fn program(name: &str) -> PathBuf {
    let me = std::env::current_exe().expect("the running program has a path");
    let folder = me
        .ancestors()
        .skip(1)
        .find(|folder| folder.join(name).is_file())
        .unwrap_or_else(|| panic!("{name} is not built: run `cargo build --workspace` first"));
    folder.join(name)
}

/// Whether a program is on the PATH.
pub fn installed(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}

/// Whether the tests run as root, which a native engine needs.
pub fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Runs to its end; panics with everything it printed when it fails.
pub fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs to its end, whatever the end.
pub fn output(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} did not start: {error}"))
}

/// Sends a signal by name.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// Whether a process with this id is there and not a zombie.
pub fn alive(pid: u32) -> bool {
    fs_err::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| !rest.trim_start().starts_with('Z'))
    })
}

/// A running program that is ended with its handle.
pub struct Running {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
    name: String,
}

impl Running {
    /// Starts it with its standard output read by us and its standard error in `log`.
    pub fn start(command: &mut Command, log: &Path) -> Running {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = fs_err::File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("the log can be written");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.into_parts().0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} did not start: {error}"));
        let output = child.stdout.take().map(BufReader::new);
        Running { child, output, name }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its standard output.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        if let Some(output) = &mut self.output {
            output.read_line(&mut line).expect("its output is text");
        }
        assert!(!line.is_empty(), "{} ended before it said anything", self.name);
        line.trim_end().to_owned()
    }

    /// Ends it and waits until it is gone.
    pub fn stop(&mut self) {
        signal(self.child.id(), "TERM");
        let _ = self.child.wait();
    }

    /// Ends its standard input and waits for its own end.
    pub fn finish(&mut self) {
        self.child.stdin.take();
        let _ = self.child.wait();
    }

    /// Waits for its own end.
    pub fn wait(&mut self) {
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// Asks until the answer is there. For what offers no event to wait for: another process's port or file.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::yield_now();
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
}
