//! Starting, stopping, coming back.

use std::process::Stdio;

use wherry_tests::machine::{Machine, START};
use wherry_tests::process::run;

#[test]
fn what_the_person_has_survives_a_stop() {
    let machine = Machine::start();
    let status = machine.status();
    assert_eq!(status["state"]["type"], "running");
    assert_eq!(status["spec"]["cpus"], 2);
    assert!(
        machine
            .wherry(&["docker-env"])
            .contains(&machine.socket().display().to_string())
    );
    machine.import_busybox();
    run(machine.docker().args(["volume", "create", "kept"]));
    let write = [
        "run",
        "--name",
        "once",
        "--volume",
        "kept:/data",
        "busybox",
        "/bin/sh",
        "-c",
        "echo saved > /data/it",
    ];
    run(machine.docker().args(write));

    machine.wherry(&["stop"]);
    assert_eq!(machine.state(), "stopped");
    assert!(!machine.socket().exists(), "a stopped machine has no socket");
    assert!(
        machine.processes("qemu-system-x86_64").is_empty(),
        "a stopped machine has no process"
    );

    // A larger disk is given at a start; nothing on it is lost.
    machine.wherry(&["start", "--disk", "9g"]);
    let seen = run(machine.docker().args([
        "run",
        "--rm",
        "--volume",
        "kept:/data",
        "busybox",
        "/bin/cat",
        "/data/it",
    ]));
    assert_eq!(seen.trim(), "saved");
    assert!(run(machine.docker().args(["ps", "--all"])).contains("once"));
    let total = machine.status()["state"]["running"]["usage"]["guestDiskTotal"]
        .as_u64()
        .unwrap_or_default();
    assert!(
        total > 8 * 1024 * 1024 * 1024,
        "the file system grew with its disk: {total}"
    );
}

#[test]
fn two_starts_at_once_make_one_machine() {
    let machine = Machine::home();
    let mut starts: Vec<_> = (0..2)
        .map(|_| {
            let mut command = machine.command();
            command
                .args(START)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().expect("wherry starts")
        })
        .collect();
    for start in &mut starts {
        assert!(start.wait().expect("it ends").success(), "both starts succeed");
    }
    assert_eq!(machine.processes("qemu-system-x86_64").len(), 1);
}
