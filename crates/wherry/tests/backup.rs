//! `wherry backup` and `wherry restore` as a person uses them, and killed in the middle, against a real dockerd.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use wherry_tests::engine::Engine as Dockerd;
use wherry_tests::images::busybox_tar;
use wherry_tests::process::{output, run, until};

struct Bed {
    dockerd: Dockerd,
    home: TempDir,
}

impl Bed {
    fn new() -> Bed {
        let dockerd = Dockerd::start(None);
        let home = tempfile::Builder::new()
            .prefix("wh")
            .tempdir_in("/tmp")
            .expect("a temporary folder");
        Bed { dockerd, home }
    }

    fn wherry(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wherry"));
        command
            .args(arguments)
            .current_dir(self.home.path())
            .env("WHERRY_HOME", self.home.path().join("home"))
            .env("DOCKER_HOST", self.dockerd.address());
        command
    }

    fn docker(&self, arguments: &[&str]) -> String {
        run(self.dockerd.docker().args(arguments))
    }

    fn fill(&self) {
        let tar = busybox_tar(self.home.path());
        run(self.dockerd.docker().arg("import").arg(tar).arg("busybox:1"));
        for volume in ["one", "two"] {
            self.in_volume(
                volume,
                "busybox dd if=/dev/urandom of=/v/big bs=1M count=2 2>/dev/null; echo small > /v/small",
            );
        }
        let container = [
            "run",
            "--detach",
            "--name",
            "web",
            "--volume",
            "one:/data",
            "busybox:1",
            "sleep",
            "1000",
        ];
        self.docker(&container);
        self.docker(&["network", "create", "back"]);
        self.docker(&[
            "create",
            "--name",
            "job",
            "--network",
            "back",
            "--volume",
            "two:/data",
            "busybox:1",
            "true",
        ]);
        self.docker(&["network", "connect", "back", "web"]);
    }

    fn in_volume(&self, volume: &str, script: &str) -> String {
        let mount = format!("{volume}:/v");
        self.docker(&[
            "run",
            "--rm",
            "--network",
            "none",
            "--volume",
            &mount,
            "busybox:1",
            "sh",
            "-c",
            script,
        ])
    }

    /// The sums of all files, and what there is.
    fn state(&self) -> String {
        let sums = ["one", "two"].map(|volume| self.in_volume(volume, "cd /v && busybox sha256sum *"));
        let containers = self.docker(&["ps", "--all", "--format", "{{.Names}} {{.Networks}} {{.Mounts}}"]);
        let mut containers: Vec<String> = containers
            .lines()
            .map(|line| {
                let mut words: Vec<&str> = line.split([' ', ',']).collect();
                words.sort_unstable();
                words.join(" ")
            })
            .collect();
        containers.sort_unstable();
        format!("{}{}{}", sums[0], sums[1], containers.join("\n"))
    }

    fn forget_everything(&self) {
        for container in self.docker(&["ps", "--all", "--quiet"]).lines() {
            self.docker(&["rm", "--force", container]);
        }
        self.docker(&["network", "prune", "--force"]);
        self.docker(&["volume", "rm", "one", "two"]);
    }

    fn leftovers(&self) -> Vec<String> {
        let containers = self.docker(&["ps", "--all", "--format", "{{.Names}} {{.Labels}}"]);
        let images = self.docker(&["images", "--format", "{{.Repository}}"]);
        let paused = self.docker(&["ps", "--filter", "status=paused", "--format", "{{.Names}} is paused"]);
        let ours = containers
            .lines()
            .chain(images.lines())
            .filter(|line| line.contains("wherry"));
        ours.chain(paused.lines()).map(str::to_owned).collect()
    }
}

/// Started, and told of by its lines on standard error.
fn begin(mut command: Command) -> (Child, impl Iterator<Item = String>) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
    (child, lines.map_while(Result::ok))
}

fn kill(mut child: Child) {
    let _ = child.kill();
    child.wait().expect("it ends");
}

fn part(file: &Path) -> PathBuf {
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    file.with_file_name(format!(".{name}.part"))
}

macro_rules! need_dockerd {
    () => {
        wherry_tests::skip_unless!(wherry_tests::process::is_root(), "dockerd needs root");
        wherry_tests::skip_unless!(
            wherry_tests::process::installed("dockerd") && wherry_tests::process::installed("docker"),
            "dockerd or docker is not installed"
        );
    };
}

#[test]
fn killed_anywhere_it_leaves_nothing_half_made() {
    need_dockerd!();
    let bed = Bed::new();
    bed.fill();
    let before = bed.state();
    let file = bed.home.path().join("everything.tar");
    let name = file.to_str().expect("a path");

    // A backup killed at each thing it begins, and at some lengths of the file: no file of that name.
    let mut steps = 1;
    loop {
        let (child, lines) = begin(bed.wherry(&["backup", name]));
        let told = lines.take(steps).count();
        kill(child);
        if told < steps {
            break;
        }
        assert!(!file.exists(), "killed at step {steps}");
        steps += 2;
    }
    assert!(steps > 4, "an image, two volumes and the end: {steps}");
    let _ = fs_err::remove_file(&file);
    for length in [1, 1_000_000, 3_000_000] {
        let (child, lines) = begin(bed.wherry(&["backup", name]));
        until("the file to grow", || {
            let grown = fs_err::metadata(part(&file)).is_ok_and(|part| part.len() >= length);
            (grown || file.exists()).then_some(())
        });
        kill(child);
        drop(lines);
        assert!(!file.exists(), "killed at {length} bytes");
    }
    run(&mut bed.wherry(&["backup", name]));
    assert_eq!(
        bed.leftovers(),
        Vec::<String>::new(),
        "the next one takes back what they left"
    );
    assert!(!part(&file).exists());
    assert_eq!(bed.state(), before, "and nothing of the person's was touched");
    let whole = run(&mut bed.wherry(&["backup", "--verify", "everything.tar"]));
    assert!(whole.starts_with("Whole: 1 image, 2 volumes"), "{whole}");

    // A restore killed at each thing it begins: the next one goes on, and has no half of anything.
    for step in (1..).step_by(2) {
        bed.forget_everything();
        let (child, lines) = begin(bed.wherry(&["restore", name]));
        let told = lines.take(step).count();
        kill(child);
        if told < step {
            break;
        }
        run(&mut bed.wherry(&["restore", "--keep", name]));
        assert_eq!(bed.state(), before, "killed at step {step}");
        assert_eq!(bed.leftovers(), Vec::<String>::new(), "killed at step {step}");
    }
}

#[test]
fn it_says_what_there_is_and_what_is_wrong() {
    need_dockerd!();
    let bed = Bed::new();
    bed.fill();
    let file = bed.home.path().join("b.tar");
    let json = run(&mut bed.wherry(&["backup", "--json", "b.tar"]));
    let told: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (
            &told["images"],
            &told["volumes"],
            &told["containers"],
            &told["networks"]
        ),
        (&1.into(), &2.into(), &2.into(), &1.into())
    );
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs_err::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds what containers' environments hold");
    }
    let refused = output(&mut bed.wherry(&["restore", "b.tar"]));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(words.contains("Container web") && words.contains("--keep"), "{words}");
    let replaced = run(&mut bed.wherry(&["restore", "--replace", "--start", "b.tar"]));
    assert_eq!(replaced.trim(), "Restored 2 volumes, 2 containers");
    assert!(bed.docker(&["ps"]).contains("web"), "it ran before");

    let mut bytes = fs_err::read(&file).expect("the file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs_err::write(&file, bytes).expect("written");
    let before = bed.state();
    for arguments in [&["backup", "--verify", "b.tar"][..], &["restore", "--replace", "b.tar"]] {
        let refused = output(&mut bed.wherry(arguments));
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(words.contains("damaged"), "{words}");
    }
    assert_eq!(bed.state(), before, "a damaged file changes nothing");
}
