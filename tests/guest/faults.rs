//! What happens when something is killed, missing or damaged. The person loses nothing and is told why.

use wherry_tests::fetch::{page_with, refused};
use wherry_tests::images::PAGE;
use wherry_tests::machine::{Machine, START};
use wherry_tests::process::{alive, run, signal, until};

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
