//! What follows when servers of files die of what they are asked for, with real processes: one that refuses everything
//! for a while, and after that one that serves, with all that the guest has.

#![cfg(target_os = "linux")]

#[path = "keeper/guest.rs"]
mod guest;

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use guest::{Answer, Guest};
use wherry_link::{FilesAnswer, FilesView};

/// What a broken test waits for at most.
const PATIENCE: Duration = Duration::from_mins(2);
/// `EIO`
const REFUSED: i32 = -5;

#[test]
fn after_the_refusal_a_server_follows_that_has_what_the_guest_knew() -> io::Result<()> {
    let place = tempfile::tempdir()?;
    let folder = fs_err::canonicalize(place.path())?;
    fs_err::write(folder.join("page"), "from the host")?;
    let keeper = Keeper::start(&folder)?;
    let mut guest = Guest::connect(&folder.join("files.sock"))?;
    let (_daemon, answer) = keeper.show();
    assert!(matches!(answer, FilesAnswer::Served { .. }), "{answer:?}");
    guest.mount()?;
    let page = guest.find(&folder.join("page"))?;
    let (open, closed) = (guest.open(page)?, guest.open(page)?);

    // Whatever takes over dies as soon as it is there.
    let refuses = until("a server that refuses everything", || {
        let server = keeper.server()?;
        if server.has("--refuses") {
            return Some(server);
        }
        server.kill();
        None
    });
    assert_eq!(guest.attributes(page)?, Answer::Error(REFUSED), "nobody waits");
    guest.close(page, closed)?;
    let (daemon, answer) = keeper.show();
    assert!(matches!(answer, FilesAnswer::GivenUp), "{answer:?}");
    // It ends by itself.
    assert_eq!(daemon.lines().count(), 0);

    let serves = until("one that serves", || {
        keeper.server().filter(|now| now.pid != refuses.pid)
    });
    assert!(serves.has("--follows") && !serves.has("--refuses"));
    let (_daemon, answer) = keeper.show();
    assert!(matches!(answer, FilesAnswer::Served { .. }), "{answer:?}");
    assert!(matches!(guest.attributes(page)?, Answer::Done(_)), "it knows the file");
    assert_eq!(
        guest.read(page, open)?,
        Answer::Done(b"from the host".to_vec()),
        "it has it open"
    );
    assert!(
        matches!(guest.read(page, closed)?, Answer::Error(_)),
        "what was closed meanwhile is closed"
    );

    // The deaths of before are forgotten: one more is followed by one that serves.
    serves.kill();
    let next = until("another", || keeper.server().filter(|now| now.pid != serves.pid));
    assert!(!next.has("--refuses"));
    let (_daemon, answer) = keeper.show();
    assert!(matches!(answer, FilesAnswer::Served { .. }), "{answer:?}");
    assert_eq!(guest.read(page, open)?, Answer::Done(b"from the host".to_vec()));
    Ok(())
}

/// A keeper with its server, as the daemon starts it.
struct Keeper {
    process: Child,
    folder: PathBuf,
}

impl Keeper {
    fn start(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new(program());
        command.arg("keep-files").arg("--device").arg(folder.join("files.sock"));
        let process = command.arg("--control").arg(folder.join("control.sock")).spawn()?;
        Ok(Self {
            process,
            folder: folder.into(),
        })
    }

    /// The server that is there now, if one is.
    fn server(&self) -> Option<Server> {
        let keeper = self.process.id();
        let children = fs_err::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).ok()?;
        let mut servers = children
            .split_whitespace()
            .filter_map(|pid| Server::of(pid.parse().ok()?));
        servers.next_back()
    }

    /// Has the folder shown, as the daemon has. The server that is asked may die meanwhile.
    fn show(&self) -> (BufReader<UnixStream>, FilesAnswer) {
        let view = FilesView {
            folders: vec![self.folder.clone()],
            ..FilesView::default()
        };
        let ask = || {
            let mut daemon = UnixStream::connect(self.folder.join("control.sock")).ok()?;
            let line = serde_json::to_string(&view).ok()?;
            writeln!(daemon, "{line}").ok()?;
            let mut daemon = BufReader::new(daemon);
            let mut answer = String::new();
            daemon.read_line(&mut answer).ok()?;
            Some((daemon, serde_json::from_str(&answer).ok()?))
        };
        until("an answer to the daemon", ask)
    }
}

impl Drop for Keeper {
    /// Its spare ends with the guest's connection.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Server {
    pid: i32,
    words: Vec<String>,
}

impl Server {
    fn of(pid: i32) -> Option<Self> {
        let line = fs_err::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let words: Vec<String> = line.split('\0').map(str::to_owned).collect();
        let server = Self { pid, words };
        server.has("serve-files").then_some(server)
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|said| said == word)
    }

    fn kill(&self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// The example that cargo builds beside this test.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let built = test.ancestors().nth(2).unwrap_or(&test);
    let program = built.join("examples/keeper");
    assert!(
        program.is_file(),
        "the keeper is not built: run `cargo build -p wherry-share --examples` first"
    );
    program
}

fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
