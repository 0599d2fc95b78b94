//! The person's folders where their server cannot run: QEMU shares them itself.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Output;

use wherry_tests::images::busybox_tar;
use wherry_tests::machine::{Machine, START};
use wherry_tests::process::{output, run, signal, until};

const PERSON: u32 = 1002;

#[test]
fn qemu_shares_the_folders_where_their_server_cannot_run() {
    let machine = Machine::of_a_person(PERSON);
    let (project, other) = (machine.person().join("project"), machine.person().join("other"));
    machine.lacks_file_server();
    for folder in [&project, &other] {
        fs_err::create_dir_all(folder).expect("a folder");
    }
    fs_err::write(project.join("page"), "from the host").expect("a file");
    fs_err::write(other.join("it"), "from elsewhere").expect("a file");
    for path in [&project, &other, &project.join("page")] {
        chown(path, Some(PERSON), Some(PERSON)).expect("the person's");
    }
    machine.wherry(&["share", "add", project.to_str().expect("a path")]);
    machine.wherry(&["share", "remove", machine.person().to_str().expect("a path")]);
    machine.wherry(&START);
    assert!(machine.file_servers().is_empty() && machine.file_keepers().is_empty());
    let notes = machine.status()["notes"].to_string();
    assert!(notes.contains("QEMU itself shares them"), "{notes}");
    run(machine
        .docker()
        .arg("import")
        .arg(busybox_tar(machine.person()))
        .arg("busybox"));

    containers_and_the_person_have_the_same_files(&machine, &project);
    a_folder_more_comes_with_the_next_start(&machine, &project, &other);
    what_is_behind_the_machine_is_covered(&machine);
    only_a_machine_whose_folders_nobody_uses_is_suspended(&machine, &project);
    a_daemon_that_is_killed_is_followed_by_one_that_knows_the_folders(&machine, &project);
    machine.wherry(&["stop"]);
}

fn sh(machine: &Machine, folder: &Path, script: &str) -> Output {
    let volume = format!("{}:/work", folder.display());
    let script = format!("test ! -d /work || cd /work; {script}");
    output(
        machine
            .docker()
            .args(["run", "--rm", "--volume", &volume])
            .args(["busybox", "/bin/sh", "-ec", &script]),
    )
}

/// What it says, when it succeeds.
fn said(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn words(output: &Output) -> String {
    assert!(!output.status.success(), "it succeeds");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn containers_and_the_person_have_the_same_files(machine: &Machine, project: &Path) {
    let script = "cat page; mkdir -p below; echo new > below/file; chmod 755 below/file; mv below/file below/moved
        ln -s /etc/debian_version link; ln below/moved hard; stat -c %a below/moved";
    assert_eq!(said(&sh(machine, project, script)), "from the host755");
    for made in ["below", "below/moved", "hard"] {
        let made = fs_err::metadata(project.join(made)).expect("it is on the host");
        assert_eq!((made.uid(), made.gid(), made.mode() & 0o777), (PERSON, PERSON, 0o755));
    }
    words(&sh(machine, project, "cat link"));
    // QEMU, which has the person's rights, gives nothing to others.
    let given = words(&sh(machine, project, "chown 70:71 below/moved"));
    assert!(given.contains("Operation not permitted"), "{given}");
    fs_err::write(project.join("page"), "changed on the host").expect("a file");
    assert_eq!(said(&sh(machine, project, "cat page")), "changed on the host");
    assert_eq!(
        said(&sh(machine, &project.join("page"), "cat /work")),
        "changed on the host"
    );
}

fn a_folder_more_comes_with_the_next_start(machine: &Machine, project: &Path, other: &Path) {
    let path = other.to_str().expect("a path");
    let refused = words(&sh(machine, other, "cat it"));
    assert!(refused.contains("is not shared with the machine"), "{refused}");
    let added = words(&machine.try_wherry(&["share", "add", path]));
    assert!(added.contains("when the machine starts the next time"), "{added}");
    machine.wherry(&["stop"]);
    machine.wherry(&START);
    assert_eq!(said(&sh(machine, other, "cat it")), "from elsewhere");
    machine.wherry(&["share", "remove", path]);
    words(&sh(machine, other, "cat it"));
    said(&sh(machine, project, "cat page"));
    // What it lacks is what it was started with.
    machine.wherry(&["share", "add", path]);
    assert_eq!(said(&sh(machine, other, "cat it")), "from elsewhere");
}

fn what_is_behind_the_machine_is_covered(machine: &Machine) {
    let home = machine.person().to_str().expect("a path");
    words(&machine.try_wherry(&["share", "add", home]));
    machine.wherry(&["stop"]);
    machine.wherry(&START);
    let script =
        "ls -A w; find . -name docker.sock -o -name data.raw -o -name 'files*.sock'; touch w/x || echo refused";
    assert_eq!(said(&sh(machine, machine.person(), script)), "refused");
    machine.wherry(&["share", "remove", home]);
}

fn only_a_machine_whose_folders_nobody_uses_is_suspended(machine: &Machine, project: &Path) {
    let volume = format!("{}:/work", project.display());
    run(machine
        .docker()
        .args(["run", "--detach", "--name", "user", "--volume", &volume])
        .args(["busybox", "/bin/sleep", "3600"]));
    let refused = words(&machine.try_wherry(&["suspend"]));
    assert!(
        refused.contains("A container that runs uses a shared folder"),
        "{refused}"
    );
    run(machine.docker().args(["exec", "user", "/bin/cat", "/work/page"]));
    said(&sh(machine, project, "cat page"));
    // What a container has stays its own, whatever is shared meanwhile.
    let path = project.to_str().expect("a path");
    machine.wherry(&["share", "remove", path]);
    words(&machine.try_wherry(&["suspend"]));
    machine.wherry(&["share", "add", path]);
    run(machine.docker().args(["exec", "user", "/bin/cat", "/work/page"]));
    run(machine.docker().args(["rm", "--force", "user"]));
    machine.wherry(&["suspend"]);
    assert_eq!(machine.state(), "suspended");
    machine.wherry(&["start"]);
    let notes = machine.status()["notes"].to_string();
    assert!(!notes.contains("anew"), "{notes}");
    said(&sh(machine, project, "cat page"));
}

fn a_daemon_that_is_killed_is_followed_by_one_that_knows_the_folders(machine: &Machine, project: &Path) {
    let before = machine.pid();
    for daemon in machine.daemons() {
        signal(daemon, "KILL");
    }
    until("the daemon to end", || machine.daemons().is_empty().then_some(()));
    machine.wherry(&["start"]);
    assert_eq!(machine.pid(), before);
    said(&sh(machine, project, "cat page"));
}
