//! A real machine in a home of its own, used through the `wherry` command as a person would.

#[cfg(unix)]
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::engine::docker;
use crate::fetch::{free_port, page_with};
use crate::images::{PAGE, busybox_tar};
use crate::process::{alive, output, program, run, say, signal};

pub struct Machine {
    folder: TempDir,
    home: PathBuf,
    /// Whoever it belongs to, when that is not who runs the test.
    person: Option<u32>,
}

impl Machine {
    /// A home without a machine. Nothing runs yet.
    pub fn home() -> Machine {
        Machine::below("")
    }

    /// One that lies in the person's home, as it usually does: its commands are given that as `HOME`.
    pub fn in_a_persons_home() -> Machine {
        Machine::below("w")
    }

    fn below(name: &str) -> Machine {
        // Short: the path of a socket has at most 104 bytes.
        let folder = tempfile::Builder::new()
            .prefix("wh")
            .tempdir_in("/tmp")
            .expect("a temporary folder");
        let home = match name {
            "" => folder.path().to_owned(),
            name => folder.path().join(name),
        };
        Machine {
            folder,
            home,
            person: None,
        }
    }

    /// One in the home of a person with this number, as whom its commands run: this needs root. The program and the
    /// system image are put where they may be read.
    #[cfg(unix)]
    pub fn of_a_person(number: u32) -> Machine {
        let mut machine = Machine::below("w");
        machine.person = Some(number);
        let share = |from: &Path, to: &Path| {
            fs_err::create_dir_all(to.parent().expect("a folder")).expect("a folder");
            // A copy where they are on different disks.
            if fs_err::hard_link(from, to).is_err() {
                fs_err::copy(from, to).expect("a copy");
            }
        };
        let shared = program("wherry");
        share(&shared, &machine.own_program());
        // Beside the program, where an installed one has it.
        let image = Path::new("guest").join(std::env::consts::ARCH);
        let (from, to) = (shared.ancestors().skip(1), machine.person().join("program"));
        let from = from.map(|folder| folder.join(&image)).find(|folder| folder.is_dir());
        for file in fs_err::read_dir(from.expect("a system image")).expect("a folder") {
            let file = file.expect("a file").path();
            share(&file, &to.join(&image).join(file.file_name().expect("a name")));
        }
        chown(machine.person(), Some(number), Some(number)).expect("changed");
        fs_err::set_permissions(machine.person(), std::fs::Permissions::from_mode(0o755)).expect("changed");
        machine
    }

    fn own_program(&self) -> PathBuf {
        self.person().join("program/wherry")
    }

    /// The person's home, when it is in one.
    pub fn person(&self) -> &Path {
        self.folder.path()
    }

    /// A small machine that runs. It is emulated, because a test must not depend on the host's virtualization.
    pub fn start() -> Machine {
        let machine = Machine::home();
        machine.wherry(&START);
        machine
    }

    pub fn path(&self) -> &Path {
        &self.home
    }

    pub fn socket(&self) -> PathBuf {
        self.path().join("docker.sock")
    }

    /// The `wherry` command in this home.
    pub fn command(&self) -> Command {
        let mut command = match self.person {
            Some(person) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={person}"), format!("--regid={person}")]);
                command.arg("--clear-groups").arg(self.own_program());
                command
            }
            None => Command::new(program("wherry")),
        };
        command.env("WHERRY_HOME", self.path());
        if self.path() != self.person() {
            command.env("HOME", self.person());
        }
        command
    }

    /// Runs `wherry …`, which must succeed.
    pub fn wherry(&self, arguments: &[&str]) -> String {
        run(self.command().args(arguments))
    }

    /// Runs `wherry …`, whatever comes of it.
    pub fn try_wherry(&self, arguments: &[&str]) -> Output {
        output(self.command().args(arguments))
    }

    /// `wherry status --json`
    pub fn status(&self) -> Value {
        let output = self.try_wherry(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!(
                "status is not JSON ({error}): {}",
                String::from_utf8_lossy(&output.stdout)
            )
        })
    }

    /// The state's name: `running`, `stopped`, `failed`.
    pub fn state(&self) -> String {
        self.status()["state"]["type"].as_str().unwrap_or_default().to_owned()
    }

    /// The id of the QEMU process.
    pub fn pid(&self) -> u32 {
        let status = self.status();
        let pid = status["state"]["running"]["pid"].as_u64();
        pid.and_then(|pid| u32::try_from(pid).ok())
            .unwrap_or_else(|| panic!("no machine runs: {status}"))
    }

    /// Ids of all processes of this home: the daemon, the file server, QEMU.
    pub fn processes(&self, program: &str) -> Vec<u32> {
        let home = self.path().to_string_lossy().into_owned();
        let Ok(entries) = fs_err::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| alive(*pid))
            .filter(|pid| {
                let read = |file: &str| fs_err::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                let arguments = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
                let environment = String::from_utf8_lossy(&read("environ")).into_owned();
                let first = arguments.split(' ').next().unwrap_or_default();
                first.ends_with(program)
                    && (arguments.contains(&home) || environment.contains(&format!("WHERRY_HOME={home}")))
            })
            .collect()
    }

    /// The daemon, or none.
    pub fn daemons(&self) -> Vec<u32> {
        self.wherries("daemon")
    }

    /// What serves the person's folders now.
    pub fn file_servers(&self) -> Vec<u32> {
        self.wherries("serve-files")
    }

    /// What keeps their connection to QEMU, and the spare of that.
    pub fn file_keepers(&self) -> Vec<u32> {
        self.wherries("keep-files")
    }

    /// The processes of the one program that do this.
    fn wherries(&self, command: &str) -> Vec<u32> {
        let mut processes = self.processes("wherry");
        processes.retain(|pid| {
            let arguments = fs_err::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            arguments.split('\0').nth(1) == Some(command)
        });
        processes
    }

    /// Keeps the server of the person's folders from starting: where it is to listen there is something else, which it
    /// cannot replace. QEMU shares them itself then.
    #[cfg(unix)]
    pub fn lacks_file_server(&self) {
        let place = self.path().join("run/files.sock");
        fs_err::create_dir_all(&place).expect("a folder");
        for made in place.ancestors().take(3) {
            chown(made, self.person, self.person).expect("changed");
        }
    }

    /// The docker command against this machine's socket.
    pub fn docker(&self) -> Command {
        docker(&self.socket())
    }

    /// Gives the engine the image `busybox`.
    pub fn import_busybox(&self) {
        run(self.docker().arg("import").arg(busybox_tar(self.path())).arg("busybox"));
    }

    /// A container named `web` with these options of `docker run`, whose page is seen at the address that comes back.
    pub fn web(&self, options: &[&str]) -> String {
        let port = free_port();
        let published = format!("{port}:80");
        run(self
            .docker()
            .args(["run", "--detach", "--name", "web", "--publish", &published])
            .args(options)
            .args(["busybox", "/bin/httpd", "-f", "-h", "/www"]));
        let at = format!("127.0.0.1:{port}");
        page_with(&at, PAGE);
        at
    }
}

/// How every suite starts a machine.
pub const START: [&str; 7] = ["start", "--cpus", "2", "--memory", "1g", "--disk", "8g"];

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.try_wherry(&["stop"]);
        if std::thread::panicking() {
            for file in ["logs/daemon.log", "machine/console.log"] {
                if let Ok(text) = fs_err::read_to_string(self.path().join(file)) {
                    let lines: Vec<&str> = text.lines().collect();
                    say(&format!(
                        "--- {file}\n{}",
                        lines[lines.len().saturating_sub(60)..].join("\n")
                    ));
                }
            }
        }
        for program in ["wherry", "qemu-system-x86_64"] {
            for pid in self.processes(program) {
                signal(pid, "KILL");
            }
        }
    }
}
