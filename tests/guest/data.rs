//! The person's data: a disk that fills, grows and is erased only when told; another system; a full host.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use wherry_tests::machine::Machine;
use wherry_tests::process::{is_root, output, run, signal, until};

const SMALL: [&str; 7] = ["start", "--cpus", "2", "--memory", "1g", "--disk", "2g"];

/// What a shell in a container says that has this volume at `/v`.
fn in_volume(machine: &Machine, volume: &str, script: &str) -> String {
    run(&mut shell(machine, volume, script))
}

fn shell(machine: &Machine, volume: &str, script: &str) -> Command {
    let mount = format!("{volume}:/v");
    let mut docker = machine.docker();
    docker.args(["run", "--rm", "--network", "none", "--volume", &mount]);
    docker.args(["busybox", "sh", "-c", script]);
    docker
}

/// Makes a container that stays.
fn sleeper(machine: &Machine, name: &str) {
    run(machine
        .docker()
        .args(["run", "--detach", "--name", name, "busybox", "sleep", "100000"]));
}

/// How full its disk is, and this computer's.
fn room(machine: &Machine) -> (String, String) {
    let running = machine.status()["state"]["running"].clone();
    let word = |name: &str| running[name].as_str().unwrap_or_default().to_owned();
    (word("disk"), word("hostRoom"))
}

fn disk_total(status: &Value) -> u64 {
    status["state"]["running"]["usage"]["guestDiskTotal"]
        .as_u64()
        .unwrap_or_default()
}

/// The other image that `cargo xtask guest --another` makes.
fn another_image() -> PathBuf {
    let program = wherry_tests::process::program("wherry");
    let name = format!("guest/{}.another", std::env::consts::ARCH);
    program
        .ancestors()
        .map(|folder| folder.join(&name))
        .find(|folder| folder.is_dir())
        .expect("the other image is made: run `cargo xtask guest --another`")
}

#[test]
fn a_full_disk_is_told_another_system_takes_it_up_and_it_is_erased_only_when_told() {
    let machine = Machine::home();
    machine.wherry(&SMALL);
    machine.import_busybox();
    in_volume(&machine, "kept", "echo mine > /v/file");
    sleeper(&machine, "on");
    sleeper(&machine, "off");
    run(machine.docker().args(["stop", "--time", "0", "off"]));

    fill(&machine);
    on_a_full_disk_the_engine_goes_on(&machine);
    let another = another_system_finds_everything(&machine);
    with_room_again(&machine, &another);
    larger_while_it_runs_and_while_it_sleeps(&machine, &another);

    // Whatever happened to it, it is whole.
    machine.wherry(&["stop"]);
    let disk = machine.path().join("machine/data.raw");
    run(Command::new("e2fsck").args(["-f", "-n"]).arg(&disk));
    let asked = machine.try_wherry(&["reset", "--data"]);
    assert!(!asked.status.success() && disk.exists(), "nobody is there to be asked");
    machine.wherry(&["reset", "--data", "--yes-delete-everything"]);
    let left: Vec<String> = fs_err::read_dir(machine.path().join("machine"))
        .expect("its folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("data.") || name.starts_with("memory."))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Warned before, and again; then there is no room for anything.
fn fill(machine: &Machine) {
    let total = disk_total(&machine.status());
    let fill = |percent: u64| {
        let script = format!("busybox fallocate -l {} /v/ballast", total / 100 * percent);
        in_volume(machine, "ballast", &script);
    };
    fill(91);
    until("the first warning", || (room(machine).0 == "nearlyFull").then_some(()));
    assert!(machine.wherry(&["status"]).contains("more than 90 % full"));
    fill(96);
    until("the second warning", || (room(machine).0 == "full").then_some(()));
    assert!(machine.wherry(&["status"]).contains("The machine's disk is full"));
    let script = "for size in 64k 1k; do busybox dd if=/dev/zero of=/v/more bs=$size oflag=append conv=notrunc; done; \
                  while echo more >> /v/more; do :; done 2>/dev/null; true";
    in_volume(machine, "ballast", script);
    let one_more = output(&mut shell(
        machine,
        "ballast",
        "busybox dd if=/dev/zero of=/v/one-more bs=64k count=1",
    ));
    assert!(!one_more.status.success(), "the disk is full");
}

/// Containers are listed, made, ended and removed with what the engine has kept for itself.
fn on_a_full_disk_the_engine_goes_on(machine: &Machine) {
    let ps = run(machine.docker().args(["ps", "--format", "{{.Names}}"]));
    assert_eq!(ps.trim(), "on", "the engine answers");
    run(machine.docker().args(["container", "prune", "--force"]));
    run(machine.docker().args(["rm", "--force", "on"]));
    assert_eq!(run(machine.docker().args(["ps", "--all", "--quiet"])), "");
    sleeper(machine, "on");
    run(machine.docker().args(["system", "prune", "--force"]));
    assert_eq!(in_volume(machine, "kept", "cat /v/file").trim(), "mine");
}

/// An upgrade, with the disk as full as it is: another image, fresh settings, the same data; what the old system had in
/// memory is of no use to the new one.
fn another_system_finds_everything(machine: &Machine) -> PathBuf {
    let name = || run(machine.docker().args(["info", "--format", "{{.OperatingSystem}}"]));
    let before = name();
    let images = || run(machine.docker().args(["image", "ls", "--no-trunc", "--quiet"]));
    let kept = images();
    machine.wherry(&["reset", "--settings"]);
    machine.wherry(&["suspend"]);
    assert!(machine.path().join("machine/memory.saved").exists());
    until("the daemon to leave", || machine.daemons().is_empty().then_some(()));
    let another = another_image();
    run(&mut with(
        machine,
        &another,
        &["start", "--cpus", "2", "--memory", "1g"],
    ));
    let after = name();
    assert!(after.contains("another") && after != before, "{before} {after}");
    let notes = machine.status()["notes"].to_string();
    assert!(
        notes.contains("the machine's system has changed since") && notes.contains("memory.saved.bad-"),
        "{notes}"
    );
    assert_eq!(room(machine).0, "full");
    assert_eq!(images(), kept);
    let containers = run(machine.docker().args(["ps", "--all", "--format", "{{.Names}}"]));
    assert_eq!(containers.trim(), "on");
    assert_eq!(in_volume(machine, "kept", "cat /v/file").trim(), "mine");
    another
}

fn with_room_again(machine: &Machine, another: &Path) {
    run(machine.docker().args(["volume", "rm", "ballast"]));
    until("the warning to go", || (room(machine).0 == "roomy").then_some(()));
    let status = run(&mut with(machine, another, &["status"]));
    assert!(!status.contains("full"), "{status}");
    run(machine.docker().args(["start", "on"]));
}

/// The container does not notice.
fn larger_while_it_runs_and_while_it_sleeps(machine: &Machine, another: &Path) {
    let started = ["inspect", "--format", "{{.State.StartedAt}} {{.State.Running}}", "on"];
    let since = run(machine.docker().args(started));
    let larger = |size: &str, gib: u64| {
        run(&mut with(machine, another, &["start", "--disk", size]));
        assert_eq!(machine.status()["spec"]["diskGib"], gib);
        until("the file system to be seen larger", || {
            (disk_total(&machine.status()) > (gib << 30) / 10 * 9).then_some(())
        });
        assert_eq!(run(machine.docker().args(started)), since);
        assert_eq!(in_volume(machine, "kept", "cat /v/file").trim(), "mine");
    };
    larger("4g", 4);
    let refused = output(&mut with(machine, another, &["start", "--disk", "3g"]));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && words.contains("cannot shrink") && words.contains("wherry backup"),
        "{words}"
    );
    run(&mut with(machine, another, &["suspend"]));
    larger("6g", 6);
}

fn with(machine: &Machine, image: &Path, arguments: &[&str]) -> Command {
    let mut command = machine.command();
    command.args(arguments).env("WHERRY_GUEST", image);
    command
}

/// A file system of its own that a test can fill.
struct Small {
    at: PathBuf,
}

impl Small {
    fn at(folder: &Path, megabytes: u64) -> Small {
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=0700"), "none"])
            .arg(folder));
        Small { at: folder.to_owned() }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = output(Command::new("umount").arg(&self.at));
        let _ = fs_err::remove_dir(&self.at);
    }
}

#[test]
fn a_full_host_stops_the_machine_and_nothing_is_lost() {
    wherry_tests::skip_unless!(is_root(), "mounting a small file system needs root");
    let folder = Machine::home();
    let small = Small::at(folder.path(), 1400);
    machine_on_a_full_host(&folder);
    // The machine goes before what it is on.
    drop(folder);
    drop(small);
}

fn machine_on_a_full_host(machine: &Machine) {
    machine.wherry(&SMALL);
    machine.import_busybox();
    assert_eq!(
        room(machine).1,
        "nearlyFull",
        "there is less than a machine writes in a minute"
    );
    let ballast = machine.path().join("ballast");
    let free = free_bytes(machine.path());
    run(Command::new("fallocate")
        .arg("-l")
        .arg((free - (100 << 20)).to_string())
        .arg(&ballast));
    // More than there is room for on the host, and far less than on the machine's disk.
    let script = "busybox dd if=/dev/urandom of=/v/big bs=1M count=250 conv=fsync 2>/dev/null && \
                  busybox sha256sum /v/big > /v/sum";
    run(machine
        .docker()
        .args(["run", "--detach", "--name", "writes", "--network", "none"])
        .args(["--volume", "big:/v", "busybox", "sh", "-c", script]));
    let pid = machine.pid();
    until("the person to be told", || {
        (room(machine).1 == "standsStill").then_some(())
    });
    assert!(
        machine
            .wherry(&["status"])
            .contains("The machine stands still, because")
    );

    // Another daemon finds it so, waits with it, and does not take it for dead.
    for daemon in machine.daemons() {
        signal(daemon, "KILL");
        until("the daemon to be gone", || machine.daemons().is_empty().then_some(()));
    }
    let mut start = machine
        .command()
        .arg("start")
        .stdout(Stdio::null())
        .spawn()
        .expect("wherry starts");
    // It does not let it go on before there is room.
    let log = machine.path().join("logs/daemon.log");
    until("another daemon to find it", || {
        let said = fs_err::read_to_string(&log).unwrap_or_default();
        said.contains("a machine runs already").then_some(())
    });
    fs_err::remove_file(&ballast).expect("room is made");
    assert!(start.wait().expect("it ends").success());
    assert_eq!(machine.pid(), pid, "it is the same machine");
    assert_eq!(run(machine.docker().args(["wait", "writes"])).trim(), "0");
    assert!(in_volume(machine, "big", "busybox sha256sum -c /v/sum").contains("OK"));
    assert_ne!(room(machine).1, "standsStill");
}

fn free_bytes(folder: &Path) -> u64 {
    let said = run(Command::new("stat")
        .args(["--file-system", "--format", "%a %S"])
        .arg(folder));
    let numbers: Vec<u64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    numbers.iter().product()
}
