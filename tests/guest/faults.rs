//! What happens when something is killed, missing or damaged. The person loses nothing and is told why.

use serde_json::json;
use wherry_tests::fetch::{page_with, refused};
use wherry_tests::images::PAGE;
use wherry_tests::machine::{Machine, START};
use wherry_tests::process::{alive, output, run, signal, until};
use wherry_tests::serve::Serve;

#[test]
fn killed_daemon_and_killed_machine_lose_nothing() {
    let machine = Machine::start();
    machine.import_busybox();
    let at = machine.web(&["--restart", "always"]);

    let qemu = machine.pid();
    let daemons = machine.daemons();
    assert_eq!(daemons.len(), 1, "one daemon");
    signal(daemons[0], "KILL");
    until("the daemon to end", || (!alive(daemons[0])).then_some(()));
    machine.wherry(&["start"]);
    assert_eq!(machine.pid(), qemu, "the next start finds the machine that runs");
    assert_eq!(
        machine.processes("qemu-system-x86_64"),
        [qemu],
        "and starts no second one"
    );
    page_with(&at, PAGE);

    signal(qemu, "KILL");
    until("the state to say so", || (machine.state() == "failed").then_some(()));
    refused(&at);
    machine.wherry(&["start"]);
    assert_ne!(machine.pid(), qemu);
    page_with(&at, PAGE);
    assert!(
        run(machine.docker().args(["ps"])).contains("web"),
        "its container is back by its restart policy"
    );
    the_machines_memory_runs_out(&machine);
    page_with(&at, PAGE);
}

/// A container without a limit that wants more than there is: the machine's kernel ends it, and nobody else.
fn the_machines_memory_runs_out(machine: &Machine) {
    let hungry = [
        "run",
        "--name",
        "hungry",
        "busybox",
        "/bin/busybox",
        "tail",
        "/dev/zero",
    ];
    assert_eq!(output(machine.docker().args(hungry)).status.code(), Some(137));
    let why = Serve::of(machine).call("container.why", &json!({ "id": "hungry" }));
    assert_eq!(why["cause"], "machineMemory", "{why}");
    let evidence = why["evidence"].to_string();
    assert!(
        evidence.contains("global_oom") && evidence.contains("task=busybox"),
        "{why}"
    );
    let fixes = why["fixes"].to_string();
    assert!(fixes.contains("resources"), "the machine can be given more: {why}");
}

#[test]
fn a_damaged_data_disk_is_explained_and_left_alone() {
    let machine = Machine::home();
    let disk = machine.path().join("machine/data.raw");
    fs_err::create_dir_all(machine.path().join("machine")).expect("a folder");
    let foreign = b"this is somebody else's disk".repeat(100_000);
    fs_err::write(&disk, &foreign).expect("a disk");
    fs_err::File::options()
        .write(true)
        .open(&disk)
        .and_then(|file| file.set_len(8 << 30))
        .expect("its size");
    let failed = machine.try_wherry(&START);
    assert!(!failed.status.success());
    let words = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(words.to_lowercase().contains("data disk"), "{words}");
    let kept = fs_err::read(&disk).expect("the disk is still there");
    assert!(kept.starts_with(&foreign), "what it holds is untouched");
}
