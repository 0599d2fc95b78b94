//! The person's folders in containers.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use wherry_tests::images::busybox_tar;
use wherry_tests::machine::{Machine, START};
use wherry_tests::process::{Running, output, program, run, signal};

#[test]
fn the_persons_folders_are_in_containers_as_they_are_on_the_host() {
    let machine = Machine::in_a_persons_home();
    let home = machine.person();
    let project = home.join("projéct");
    fs_err::create_dir_all(&project).expect("a folder");
    fs_err::write(project.join("page"), "from the host").expect("a file");
    machine.wherry(&START);
    run(machine.docker().arg("import").arg(busybox_tar(home)).arg("busybox"));
    let sh = |user: &str, volume: &str, script: &str| {
        run(machine
            .docker()
            .args(["run", "--rm", "--user", user, "--volume", volume])
            .args(["busybox", "/bin/sh", "-c", script]))
    };
    let at = |inside: &str| format!("{}:{inside}", project.display());

    // Whatever the user inside is, what it writes is the person's, and it finds its own files to be its own.
    let script = "set -e; test \"$(cat page)\" = 'from the host'; mkdir -p $(id -u); echo new > $(id -u)/file;
        chown 70:71 $(id -u)/file || test $(id -u) != 0; chmod 600 $(id -u)/file; ls -lnd $(id -u)";
    for user in ["0:0", "1000:1000"] {
        let listed = sh(
            user,
            &format!("{}:/work", project.display()),
            &format!("cd /work; {script}"),
        );
        let (uid, _) = user.split_once(':').expect("a user and a group");
        let words: Vec<&str> = listed.split_whitespace().collect();
        assert_eq!(words.get(2), Some(&uid), "{listed}");
        let made = fs_err::metadata(project.join(uid).join("file")).expect("it is on the host");
        let person = fs_err::metadata(home).expect("the person's folder");
        assert_eq!((made.uid(), made.gid()), (person.uid(), person.gid()));
        assert_eq!(made.mode() & 0o777, 0o600);
    }

    // A single file, and a folder that is made because a container is given it.
    let file = project.join("page");
    assert_eq!(
        sh("0", &format!("{}:/page:ro", file.display()), "cat /page"),
        "from the host"
    );
    sh(
        "0",
        &format!("{}:/made", project.join("made").display()),
        "echo yes > /made/it",
    );
    assert_eq!(
        fs_err::read_to_string(project.join("made/it")).expect("it is there"),
        "yes\n"
    );

    // A link in it leads somewhere inside the container, not on the host.
    std::os::unix::fs::symlink("/etc/debian_version", project.join("link")).expect("a link");
    let read = output(machine.docker().args(["run", "--rm", "--volume", &at("/work")]).args([
        "busybox",
        "/bin/cat",
        "/work/link",
    ]));
    assert!(!read.status.success(), "the host's file is read through a link");

    what_is_behind_the_machine_is_in_no_container(&machine);

    changes_on_the_host_are_told(&machine, &project);
    folders_come_and_go(&machine);
    a_server_that_dies_is_followed_by_another(&machine, &project);
    a_keeper_that_dies_is_followed_by_its_spare(&machine, &project);
    both_keepers_that_die_are_followed_by_another(&machine, &project);
    servers_that_die_again_and_again_leave_errors_and_nothing_that_waits(&machine, &project);

    // The machine's files are served by nobody once it is stopped.
    machine.wherry(&["stop"]);
    assert!(!machine.path().join("run/files-control.sock").exists());
}

/// The tests run as root; people do not. What they own containers may write to, whatever the user inside.
#[test]
fn a_person_who_is_not_root_and_containers_write_to_the_same_folders() {
    const PERSON: u32 = 1001;
    let machine = Machine::of_a_person(PERSON);
    let project = machine.person().join("project");
    fs_err::create_dir_all(project.join("below")).expect("a folder");
    fs_err::write(project.join("page"), "from the host").expect("a file");
    for path in ["", "below", "page"] {
        chown(project.join(path), Some(PERSON), Some(PERSON)).expect("the person's");
    }
    for path in ["", "below"] {
        fs_err::set_permissions(project.join(path), std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    machine.wherry(&START);
    run(machine
        .docker()
        .arg("import")
        .arg(busybox_tar(machine.person()))
        .arg("busybox"));
    let sh = |user: &str, script: &str| {
        let volume = format!("{}:/work", project.display());
        let docker = ["run", "--rm", "--user", user, "--volume", &volume, "--workdir", "/work"];
        run(machine
            .docker()
            .args(docker)
            .args(["busybox", "/bin/sh", "-ec", script]))
    };
    let script = "me=$(id -u); test \"$(cat page)\" = 'from the host'
        echo new > $me; echo new > below/$me; mkdir folder-$me; echo in > folder-$me/it
        chmod 640 $me; mv below/$me below/moved-$me; ls -lnd . $me folder-$me";
    for user in [0, 999, 1000, PERSON] {
        let listed = sh(&format!("{user}:{user}"), script);
        let of = |line: usize| -> Vec<&str> {
            listed
                .lines()
                .nth(line)
                .unwrap_or_default()
                .split_whitespace()
                .collect()
        };
        let number = user.to_string();
        assert_eq!(of(0)[2], PERSON.to_string(), "{listed}");
        assert_eq!((of(1)[0], of(1)[2]), ("-rw-r-----", number.as_str()), "{listed}");
        assert_eq!((of(2)[0], of(2)[2]), ("drwxr-xr-x", number.as_str()), "{listed}");
        for made in [
            number.clone(),
            format!("below/moved-{user}"),
            format!("folder-{user}/it"),
        ] {
            let made = fs_err::metadata(project.join(&made)).expect(&made);
            assert_eq!((made.uid(), made.gid()), (PERSON, PERSON), "the person's");
        }
    }
    // Owners and modes that containers set last longer than they do.
    sh("0:0", "chown 70:71 0; chmod 755 .");
    let listed = sh("0:0", "ls -lnd . 0");
    let words: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0][0], "drwxr-xr-x", "{listed}");
    assert_eq!((words[1][2], words[1][3]), ("70", "71"), "{listed}");
    machine.wherry(&["stop"]);
}

/// What inotify says in a container of what is done on the host, and of what the container does itself.
fn changes_on_the_host_are_told(machine: &Machine, project: &Path) {
    let tools = machine.person().join("tools");
    fs_err::create_dir(&tools).expect("a folder");
    let run_it = with_libraries("inotify", &tools);
    let mut watcher = machine.docker();
    watcher.args(["run", "--rm", "--name", "watcher"]);
    watcher.arg("--volume").arg(format!("{}:/tools", tools.display()));
    watcher.arg("--volume").arg(format!("{}:/work", project.display()));
    fs_err::create_dir_all(project.join("below/deep")).expect("a folder");
    watcher
        .arg("busybox")
        .args(run_it)
        .args(["/work", "/work/below", "/work/below/deep"]);
    let mut watcher = Running::start(&mut watcher, &machine.path().join("watcher.log"));
    assert_eq!(watcher.line(), "watching");
    let mut until = |wanted: &str| {
        let mut before = Vec::new();
        loop {
            let line = watcher.line();
            if line == wanted {
                return before;
            }
            before.push(line);
        }
    };
    let sh = |script: &str| run(Command::new("sh").args(["-ec", script]).current_dir(project));
    // The server watches a folder a moment after the container has it; from the first event on it is known to.
    wherry_tests::process::until("the folder to be watched", || {
        sh("echo 1 > first; rm first");
        let log = || output(machine.docker().args(["logs", "watcher"])).stdout;
        String::from_utf8_lossy(&log()).contains("delete first").then_some(())
    });
    for (script, events) in [
        ("echo 1 > new", &["create new", "modify new", "close new"][..]),
        ("echo 2 >> new", &["modify new", "close new"]),
        ("mv new moved", &["from new", "to moved"]),
        ("rm moved", &["delete moved"]),
        // As editors save: the name that a program looks at has another file.
        ("echo 1 > .saved", &["close .saved"]),
        ("mv .saved page", &["from .saved", "to page"]),
        ("echo 2 >> page", &["modify page", "close page"]),
        ("mv page below/page", &["from page", "to page"]),
        ("mv below/page page", &["from page", "to page"]),
        // A folder, which a program goes on to watch under its new name, with those below it.
        ("mv below aside", &["from below", "to aside"]),
        ("echo 1 > aside/child", &["create child"]),
        ("echo 1 > aside/deep/inner", &["create inner"]),
        ("mv aside/deep deep", &["from deep", "to deep"]),
        ("echo 2 >> deep/inner", &["modify inner"]),
        // To and from where nothing is shared, it is removed and made.
        ("mv aside/child ../child", &["delete child"]),
        ("mv ../child child", &["create child"]),
        ("mkdir folder", &["create folder"]),
        ("rmdir folder", &["delete folder"]),
    ] {
        sh(script);
        for event in events {
            until(event);
        }
    }
    // Its own changes are told once, as ever.
    let own = ["exec", "watcher", "/bin/sh", "-c", "echo 1 > /work/own; rm /work/own"];
    run(machine.docker().args(own));
    sh("echo 1 > last");
    until("create own");
    let between = until("create last");
    let count = |event: &str| between.iter().filter(|line| *line == event).count();
    assert_eq!((count("create own"), count("delete own")), (0, 1), "{between:?}");
    run(machine.docker().args(["kill", "watcher"]));
}

/// Copies a program of ours and the libraries it is linked to; how to run it where the folder is `/tools`.
fn with_libraries(name: &str, tools: &Path) -> Vec<String> {
    let program = program(name);
    let libraries = run(Command::new("ldd").arg(&program));
    let paths = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    let mut loader = String::new();
    for path in paths.map(Path::new).chain([program.as_path()]) {
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        fs_err::copy(path, tools.join(&file)).expect("a copy");
        if file.starts_with("ld-") {
            loader = format!("/tools/{file}");
        }
    }
    vec![
        loader,
        "--library-path".into(),
        "/tools".into(),
        format!("/tools/{name}"),
    ]
}

fn folders_come_and_go(machine: &Machine) {
    let other = tempfile::Builder::new()
        .prefix("wo")
        .tempdir_in("/tmp")
        .expect("a folder");
    let other = other.path();
    fs_err::write(other.join("it"), "from elsewhere\n").expect("a file");
    let path = other.to_str().expect("a path");
    let read = |machine: &Machine| {
        let volume = format!("{path}:/other");
        output(
            machine
                .docker()
                .args(["run", "--rm", "--volume", &volume, "busybox", "/bin/cat", "/other/it"]),
        )
    };
    let not_yet = read(machine);
    let words = String::from_utf8_lossy(&not_yet.stderr).into_owned();
    let sentence = format!(
        "{path} is not shared with the machine. Share it in Settings > File sharing, or with: wherry share add"
    );
    assert!(!not_yet.status.success() && words.contains(&sentence), "{words}");
    machine.wherry(&["share", "add", path]);
    assert_eq!(String::from_utf8_lossy(&read(machine).stdout), "from elsewhere\n");
    assert!(machine.wherry(&["share", "list"]).contains(path));
    machine.wherry(&["share", "remove", path]);
    assert!(!read(machine).status.success(), "it is shared no longer");
    assert!(!machine.wherry(&["share"]).contains(path));

    // One within another stays when that one comes and goes.
    let inner = other.join("inner");
    fs_err::create_dir(&inner).expect("a folder");
    fs_err::rename(other.join("it"), inner.join("it")).expect("moved");
    let inner = inner.to_str().expect("a path");
    let read_inner = || {
        let volume = format!("{inner}:/other");
        let docker = ["run", "--rm", "--volume", &volume, "busybox", "/bin/cat", "/other/it"];
        run(machine.docker().args(docker))
    };
    machine.wherry(&["share", "add", inner]);
    for change in ["add", "remove"] {
        machine.wherry(&["share", change, path]);
        assert_eq!(read_inner(), "from elsewhere\n", "after {change}");
    }
    machine.wherry(&["share", "remove", inner]);

    let home = machine.path().to_str().expect("a path");
    for (refused, why) in [
        ("/usr", "its own system"),
        (home, "no container may reach"),
        ("/nowhere", "nothing at this path"),
    ] {
        let answer = machine.try_wherry(&["share", "add", refused]);
        let words = String::from_utf8_lossy(&answer.stderr).into_owned();
        assert!(!answer.status.success() && words.contains(why), "{refused}: {words}");
    }
}

/// Whether it was using a folder or not, a container notices nothing, and what is started from then on has its folders.
fn a_server_that_dies_is_followed_by_another(machine: &Machine, project: &Path) {
    let volume = format!("{}:/work", project.display());
    let start = |name: &str, options: &[&str]| {
        let common = ["run", "--detach", "--name", name];
        run(machine
            .docker()
            .args(common)
            .args(options)
            .args(["busybox", "/bin/sleep", "3600"]));
    };
    start("user", &["--volume", &volume]);
    start("bystander", &[]);
    let user = |script: &str| output(machine.docker().args(["exec", "user", "/bin/sh", "-c", script]));
    assert!(user("ls /work").status.success());
    // Requests are under way when it dies, by name and to a file that is open.
    for (busy, file) in [
        ("while echo more >> /work/busy; do :; done", "busy"),
        (
            "cd /work; mkdir held; cd held; exec 3> open; while echo more >&3; do :; done",
            "held/open",
        ),
    ] {
        let exec = ["exec", "--detach", "user", "/bin/sh", "-c", busy];
        run(machine.docker().args(exec));
        grows(&project.join(file));
    }

    let servers = machine.file_servers();
    let [server] = servers[..] else {
        panic!("one server of files: {servers:?}");
    };
    signal(server, "KILL");
    wherry_tests::process::until("another server", || {
        let now = machine.file_servers();
        (now.len() == 1 && now != servers).then_some(())
    });
    let listed = user("ls /work");
    let words = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(listed.status.success(), "{words}");
    for file in ["busy", "held/open"] {
        grows(&project.join(file));
    }
    run(machine.docker().args(["exec", "bystander", "/bin/true"]));

    wherry_tests::process::until("the person to be told", || {
        let notes = machine.status()["notes"].to_string();
        notes.contains("was started again").then_some(())
    });
    run(machine.docker().args(["restart", "--time", "0", "user"]));
    let again = user("cat /work/busy > /dev/null && echo yes > /work/again");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(
        fs_err::read_to_string(project.join("again")).expect("it is there"),
        "yes\n"
    );
    run(machine.docker().args(["rm", "--force", "user", "bystander"]));
}

/// Somebody writes to it.
fn grows(file: &Path) {
    let length = || fs_err::metadata(file).map_or(0, |metadata| metadata.len());
    let before = length();
    wherry_tests::process::until("a container that writes", || (length() > before).then_some(()));
}

/// The whole way to the files but QEMU itself is killed, and comes back.
fn a_keeper_that_dies_is_followed_by_its_spare(machine: &Machine, project: &Path) {
    use_folder(machine, project);
    // A spare that dies is replaced, too.
    for spare in [true, false] {
        let (keepers, servers) = wherry_tests::process::until("a keeper and its spare", || {
            let (keepers, servers) = (machine.file_keepers(), machine.file_servers());
            (keepers.len() == 2 && servers.len() == 1).then_some((keepers, servers))
        });
        let is_spare = |pid: &&u32| {
            let arguments = fs_err::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            arguments.split('\0').any(|word| word == "--spare") == spare
        };
        let killed = *keepers.iter().find(is_spare).expect("one of the two");
        signal(killed, "KILL");
        wherry_tests::process::until("another pair", || {
            let now = machine.file_keepers();
            (now.len() == 2 && !now.contains(&killed)).then_some(())
        });
        let listed = user(machine, "ls /work");
        if spare {
            assert_eq!(machine.file_servers(), servers, "nobody noticed");
        }
        let words = String::from_utf8_lossy(&listed.stderr).into_owned();
        assert!(listed.status.success(), "{words}");
    }
    wherry_tests::process::until("the daemon to have the next server", || {
        let ran = output(
            machine
                .docker()
                .args(["run", "--rm", "--volume", &format!("{}:/work", project.display())])
                .args(["busybox", "/bin/cat", "/work/again"]),
        );
        (ran.stdout == b"yes\n").then_some(())
    });
    run(machine.docker().args(["rm", "--force", "user"]));
}

/// Of the way to the files nothing is left but QEMU's end, and the daemon.
fn both_keepers_that_die_are_followed_by_another(machine: &Machine, project: &Path) {
    use_folder(machine, project);
    let before = wherry_tests::process::until("a keeper and its spare", || {
        let keepers = machine.file_keepers();
        (keepers.len() == 2).then_some(keepers)
    });
    let mut kill = Command::new("kill");
    run(kill.arg("-KILL").args(before.iter().map(u32::to_string)));
    wherry_tests::process::until("another pair", || {
        let now = machine.file_keepers();
        (now.len() == 2 && now.iter().all(|keeper| !before.contains(keeper))).then_some(())
    });
    let listed = user(machine, "ls /work");
    let words = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(listed.status.success(), "{words}");
    run(machine.docker().args(["rm", "--force", "user"]));
}

/// Whatever it is that they die of, programs are told, and so is the person.
fn servers_that_die_again_and_again_leave_errors_and_nothing_that_waits(machine: &Machine, project: &Path) {
    use_folder(machine, project);
    let refuses = |pid: u32| {
        let arguments = fs_err::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        arguments.split('\0').any(|word| word == "--refuses")
    };
    wherry_tests::process::until("a server that refuses everything", || {
        let servers = machine.file_servers();
        if servers.iter().any(|server| refuses(*server)) {
            return Some(());
        }
        // The one that was killed last may still be on its way out.
        output(
            Command::new("kill")
                .arg("-KILL")
                .args(servers.iter().map(u32::to_string)),
        );
        None
    });
    let listed = user(machine, "ls /work");
    let words = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(
        !listed.status.success() && words.contains("Input/output error"),
        "{words}"
    );
    wherry_tests::process::until("the person to be told", || {
        let notes = machine.status()["notes"].to_string();
        notes.contains("restart the machine").then_some(())
    });
    run(machine.docker().args(["rm", "--force", "user"]));
}

/// A container named `user` with the folder.
fn use_folder(machine: &Machine, project: &Path) {
    run(machine
        .docker()
        .args(["run", "--detach", "--name", "user"])
        .args(["--volume", &format!("{}:/work", project.display())])
        .args(["busybox", "/bin/sleep", "3600"]));
}

fn user(machine: &Machine, script: &str) -> std::process::Output {
    output(machine.docker().args(["exec", "user", "/bin/sh", "-c", script]))
}

/// The folder with the engine's socket and the data disk lies in the person's home, and a container that has the home
/// does not have it.
fn what_is_behind_the_machine_is_in_no_container(machine: &Machine) {
    // Everything that the host shows is here; a container may have the machine's whole root.
    let script =
        "find /machine/run/wherry/shares /machine/tmp -name docker.sock -o -name data.raw -o -name 'files*.sock'";
    let found = run(machine
        .docker()
        .args(["run", "--rm", "--privileged", "--volume", "/:/machine", "busybox"])
        .args(["/bin/sh", "-c", script]));
    assert_eq!(found, "");
}
