//! All that serves the person's folders is killed at once, and the daemon too: QEMU can be given no other server.

use std::path::Path;
use std::process::Command;

use wherry_tests::images::busybox_tar;
use wherry_tests::machine::{Machine, START};
use wherry_tests::process::{alive, run, until};

#[test]
fn containers_run_again_with_their_folders_when_all_that_serves_them_was_killed() {
    let machine = Machine::in_a_persons_home();
    let project = machine.person().join("project");
    fs_err::create_dir_all(&project).expect("a folder");
    fs_err::write(project.join("page"), "from the host").expect("a file");
    machine.wherry(&START);
    run(machine
        .docker()
        .arg("import")
        .arg(busybox_tar(machine.person()))
        .arg("busybox"));
    let start = |name: &str, options: &[&str], script: &str| {
        run(machine
            .docker()
            .args(["run", "--detach", "--name", name])
            .args(options)
            .args(["busybox", "/bin/sh", "-c", script]));
    };
    let folder = format!("{}:/work", project.display());
    // One is in the middle of a write at any moment; none has a restart policy but the third.
    let writes = |file: &str| format!("while echo more >> /work/{file}; do :; done");
    start(
        "user",
        &["--volume", &folder, "--volume", "kept:/kept"],
        &writes("busy"),
    );
    start("bystander", &[], "sleep 3600");
    let always = ["--restart", "always", "--volume", &folder];
    start("always", &always, &writes("always"));
    start("ended", &[], "true");
    let files = ["busy", "always"].map(|file| project.join(file));
    for file in &files {
        grows(file);
    }
    let kept = ["exec", "user", "/bin/sh", "-c", "echo kept > /kept/it"];
    run(machine.docker().args(kept));

    let before = machine.pid();
    let mut killed = until("a keeper and its spare", || {
        let keepers = machine.file_keepers();
        (keepers.len() == 2).then_some(keepers)
    });
    killed.extend(machine.daemons());
    run(Command::new("kill")
        .arg("-KILL")
        .args(killed.iter().map(u32::to_string)));
    until("them to end", || killed.iter().all(|pid| !alive(*pid)).then_some(()));
    until("the server to end with its keeper", || {
        machine.file_servers().is_empty().then_some(())
    });

    machine.wherry(&["start"]);
    let running = run(machine.docker().args(["ps", "--format", "{{.Names}}"]));
    let mut running: Vec<&str> = running.lines().collect();
    running.sort_unstable();
    assert_eq!(
        running,
        ["always", "bystander", "user"],
        "and not the one that had ended"
    );
    for file in &files {
        grows(file);
    }
    let read = ["exec", "user", "/bin/cat", "/work/page", "/kept/it"];
    assert_eq!(run(machine.docker().args(read)), "from the hostkept\n");
    assert_ne!(machine.pid(), before, "it is another machine process");
    let notes = machine.status()["notes"].to_string();
    assert!(
        notes.contains("was restarted because the server of the shared folders was killed"),
        "the person is told: {notes}"
    );
    assert!(
        !notes.contains("without an orderly power-off"),
        "it went down in order, although programs waited for their folder: {notes}"
    );
    machine.wherry(&["stop"]);
}

/// Somebody writes to it.
fn grows(file: &Path) {
    let length = || fs_err::metadata(file).map_or(0, |metadata| metadata.len());
    let before = length();
    until("a container that writes", || (length() > before).then_some(()));
}
