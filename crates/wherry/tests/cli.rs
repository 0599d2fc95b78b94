//! The command line through the real program, as far as it goes without a machine.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A home of its own, no image but the one a test names, and only this `PATH`.
fn wherry(home: &Path, path: &str, arguments: &[&str]) -> Output {
    command(home, path, arguments).output().expect("the program runs")
}

fn command(home: &Path, path: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wherry"));
    command
        .args(arguments)
        .env("WHERRY_HOME", home)
        .env("WHERRY_GUEST", home.join("no-guest"))
        .env("PATH", path);
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ends by itself")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A `PATH` whose QEMU is there and never needs to run.
fn path_with_qemu(folder: &Path) -> String {
    let name = if cfg!(target_arch = "aarch64") {
        "qemu-system-aarch64"
    } else {
        "qemu-system-x86_64"
    };
    std::fs::write(folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)), "").expect("written");
    folder.to_string_lossy().into_owned()
}

#[test]
fn a_setting_is_changed_and_shown_without_a_machine() {
    let home = folder();
    let shown = |arguments: &[&str]| {
        let output = wherry(home.path(), "", arguments);
        assert_eq!(code(&output), 0, "{}", complained(&output));
        said(&output)
    };
    let settings = shown(&["settings"]);
    assert!(
        settings.starts_with(concat!(
            "sleep-after         5m\n",
            "proxy               system\n",
            "subnet              auto\n",
            "insecure-registries none\n"
        )),
        "{settings}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = std::fs::canonicalize(folder.path()).expect("its path");
    shown(&["share", "add", &path.display().to_string()]);
    assert!(shown(&["settings"]).contains(&*path.to_string_lossy()));
    assert!(shown(&["share"]).contains(&*path.to_string_lossy()));
    shown(&["share", "remove", &path.display().to_string()]);
    assert!(!shown(&["share", "list", "--json"]).contains(&*path.to_string_lossy()));
    assert_eq!(code(&wherry(home.path(), "", &["share", "remove", "/nowhere"])), 1);
    assert_eq!(shown(&["set", "sleep-after", "2h"]), "");
    assert!(shown(&["settings"]).starts_with("sleep-after         120m\n"));
    shown(&["set", "sleep-after", "off"]);
    shown(&["set", "subnet", "10.99.0.0/16"]);
    assert!(shown(&["settings"]).contains("\nsubnet              10.99.0.0/16\n"));
    shown(&["set", "subnet", "auto"]);
    shown(&["set", "insecure-registries", "Box:5000,10.1.2.3/8"]);
    assert!(shown(&["settings"]).contains("\ninsecure-registries box:5000,10.0.0.0/8\n"));
    shown(&["set", "insecure-registries", "none"]);
    assert_eq!(
        code(&wherry(home.path(), "", &["set", "insecure-registries", "http://box"])),
        2
    );
    assert_eq!(code(&wherry(home.path(), "", &["set", "subnet", "8.8.0.0/16"])), 2);
    assert!(shown(&["settings", "--json"]).starts_with("{\"sleepAfterMinutes\":null,"));
    assert_eq!(code(&wherry(home.path(), "", &["set", "sleep-after", "0m"])), 2);
}

#[test]
fn a_proxys_password_comes_from_standard_input_and_is_never_shown() {
    let home = folder();
    let set = |arguments: &[&str]| {
        let mut child = command(home.path(), "", arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("wherry starts");
        let mut input = child.stdin.take().expect("piped");
        // A command that refuses its arguments has ended before it reads.
        let _ = input.write_all(b"s3cret\n");
        drop(input);
        child.wait_with_output().expect("it ends")
    };
    let address = "http://mira@proxy.example:3128";
    let done = set(&["set", "proxy", address, "--except", "a,b", "--password-stdin"]);
    assert_eq!(code(&done), 0, "{}", complained(&done));
    for shown in [&["settings"][..], &["settings", "--json"], &["status", "--json"]] {
        let shown = said(&wherry(home.path(), "", shown));
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let shown = said(&wherry(home.path(), "", &["settings"]));
    let line = "proxy               http://mira:***@proxy.example:3128 --except a,b\n";
    assert!(shown.contains(line), "{shown}");
    let kept = || std::fs::read_to_string(home.path().join("machine/settings.json")).expect("kept");
    assert!(kept().contains("mira:s3cret@"));
    let log = std::fs::read_to_string(home.path().join("logs/daemon.log")).expect("a log");
    assert!(!log.contains("s3cret"), "{log}");

    let refused = set(&["set", "proxy", "http://mira:s3cret@proxy.example:3128"]);
    assert_eq!(code(&refused), 2);
    assert!(
        complained(&refused).contains("--password-stdin"),
        "{}",
        complained(&refused)
    );
    assert_eq!(code(&set(&["set", "proxy", "ftp://proxy.example"])), 2);
    assert_eq!(code(&set(&["set", "proxy", "off", "--except", "a"])), 1);
    assert_eq!(code(&set(&["set", "proxy", "off"])), 0);
    assert!(!kept().contains("s3cret"));
}

#[test]
fn what_is_not_understood_is_a_usage_error() {
    let home = folder();
    for arguments in [
        &["frobnicate"][..],
        &["start", "--memory", "much"],
        &["start", "--memory", "2048"],
        &["start", "--cpus", "two"],
        &["stop", "now"],
        &[],
    ] {
        let output = wherry(home.path(), "", arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(said(&output).is_empty());
    }
    let output = wherry(home.path(), "", &["start", "--memory", "2 apples"]);
    assert!(
        complained(&output).contains("apples is no unit; use m, g or t"),
        "{}",
        complained(&output)
    );
}

#[test]
fn help_tells_the_commands_and_the_exit_codes_and_keeps_the_daemon_to_itself() {
    let home = folder();
    let help = said(&wherry(home.path(), "", &["--help"]));
    for word in [
        "start",
        "stop",
        "restart",
        "status",
        "logs",
        "console",
        "docker-env",
        "context",
        "doctor",
        "diagnose",
        "version",
        "Exit codes",
    ] {
        assert!(help.contains(word), "{word} is missing in:\n{help}");
    }
    assert!(!help.contains("  daemon"), "{help}");
}

#[test]
fn a_stopped_machine_says_so_and_starts_nothing() {
    let home = folder();
    let output = wherry(home.path(), "", &["status"]);
    assert_eq!(code(&output), 3);
    assert!(said(&output).starts_with("State        stopped\n"), "{}", said(&output));

    let output = wherry(home.path(), "", &["status", "--json"]);
    assert_eq!(code(&output), 3);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    assert_eq!(status["state"]["type"], "stopped");
    assert_eq!(status["spec"]["diskGib"], 60);

    assert_eq!(code(&wherry(home.path(), "", &["stop"])), 0);
    assert_eq!(
        std::fs::read_dir(home.path()).expect("readable").count(),
        0,
        "looking leaves nothing behind"
    );
}

#[test]
fn without_qemu_the_hint_says_how_to_get_it() {
    let home = folder();
    let output = wherry(home.path(), "", &["start"]);
    assert_eq!(code(&output), 1);
    let words = complained(&output);
    assert!(
        words.starts_with("QEMU, which runs the machine, is not installed\n"),
        "{words}"
    );
    assert!(words.contains("Hint: Install"), "{words}");
    assert_eq!(
        std::fs::read_dir(home.path()).expect("readable").count(),
        0,
        "and nothing was written"
    );
}

#[test]
fn without_an_image_it_says_where_it_looked() {
    let (home, programs) = (folder(), folder());
    let output = wherry(home.path(), &path_with_qemu(programs.path()), &["start", "--json"]);
    assert_eq!(code(&output), 1);
    let last = said(&output).lines().last().map(ToOwned::to_owned).expect("an outcome");
    let outcome: serde_json::Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!(outcome["outcome"], "failed");
    assert_eq!(outcome["failure"]["code"], "imageMissing");
    assert!(
        outcome["failure"]["causes"][0]
            .as_str()
            .is_some_and(|cause| cause.ends_with("no-guest")),
        "{outcome}"
    );
}

#[test]
fn memory_that_is_not_there_is_refused_and_nothing_changes() {
    let home = folder();
    for (size, words) in [
        ("100m", "100 MiB of memory are too little"),
        ("1000t", "The machine cannot have 1024000 GiB of memory"),
    ] {
        let output = wherry(home.path(), "", &["start", "--memory", size]);
        assert_eq!(code(&output), 1);
        assert!(complained(&output).starts_with(words), "{}", complained(&output));
    }
    assert_eq!(std::fs::read_dir(home.path()).expect("readable").count(), 0);
}

#[test]
fn docker_env_prints_what_a_shell_takes() {
    let home = folder();
    let output = wherry(home.path(), "", &["docker-env"]);
    assert_eq!(code(&output), 0);
    if cfg!(unix) {
        assert_eq!(
            said(&output),
            format!("export DOCKER_HOST=unix://{}/docker.sock\n", home.path().display())
        );
    } else {
        assert!(
            said(&output).starts_with("set DOCKER_HOST=npipe://"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn version_is_one_line() {
    let home = folder();
    let output = wherry(home.path(), "", &["version"]);
    assert_eq!(
        (code(&output), said(&output)),
        (0, format!("wherry {}\n", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn a_home_must_be_an_absolute_path() {
    let output = wherry(Path::new("here"), "", &["status"]);
    assert_eq!(code(&output), 1);
    assert!(
        complained(&output).contains("not an absolute path"),
        "{}",
        complained(&output)
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_with_what_is_free() {
    let (place, programs) = (folder(), folder());
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
        .arg(place.path())
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        skip(
            "a_full_disk_is_told_with_what_is_free",
            "mounting a small file system takes root",
        );
        return;
    }
    // An image that is whole at first sight, elsewhere: only the room is missing.
    let image = programs.path().join("guest");
    std::fs::create_dir(&image).expect("made");
    for name in ["vmlinux", "Image", "root.erofs"] {
        // What makes an erofs file system of it: the magic number in the superblock.
        let mut bytes = vec![0; 4096];
        bytes[1024..1028].copy_from_slice(&0xE0F5_E1E2_u32.to_le_bytes());
        std::fs::write(image.join(name), bytes).expect("written");
    }
    std::fs::write(image.join("manifest.json"), "{}").expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_wherry"))
        .arg("start")
        .env("WHERRY_HOME", place.path().join("home"))
        .env("WHERRY_GUEST", &image)
        .env("PATH", path_with_qemu(programs.path()))
        .output()
        .expect("the program runs");
    let left = place.path().join("home").exists();
    let unmounted = Command::new("umount").arg(place.path()).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    assert_eq!(code(&output), 1);
    let words = complained(&output);
    assert!(
        words.starts_with("There is not enough disk space to start the machine\n"),
        "{words}"
    );
    assert!(words.contains("16 MiB are free"), "{words}");
    assert!(!left, "nothing was written");
}

#[cfg(target_os = "linux")]
fn skip(test: &str, why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}
