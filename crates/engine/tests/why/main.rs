//! Containers that really die, each in its own way, and the story that is told of them.

mod inside;
mod made;
mod rare;
#[path = "../support/mod.rs"]
mod support;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use support::{BUSYBOX, address, dockerd};
use wherry_engine::{
    Cause, ContainerState, Engine, Known, MountSource, PublishedPort, Remedy, Removal, Restart, RunMount, RunSpec,
    Variable, Why,
};
use wherry_tests::engine::Engine as Dockerd;
use wherry_tests::images;
use wherry_tests::process::{run, until};
use wherry_tests::registry::Registry;

fn spec(image: &str, name: &str, command: &[&str]) -> RunSpec {
    RunSpec {
        image: image.into(),
        name: Some(name.into()),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        ..RunSpec::default()
    }
}

fn mount(source: &Path, target: &str, read_only: bool) -> RunMount {
    RunMount {
        source: MountSource::Folder {
            path: source.display().to_string(),
            must_exist: false,
        },
        target: target.into(),
        read_only,
        options: Vec::new(),
    }
}

/// Starts it, as far as it can be started, and waits until it has ended.
async fn die(dockerd: &Dockerd, engine: &Engine, spec: &RunSpec) -> String {
    let id = engine.create(spec).await.expect("created");
    if engine.start(&id).await.is_ok() && spec.restart == Restart::No {
        run(dockerd.docker().args(["wait", &id]));
    }
    id
}

async fn why(engine: &Engine, id: &str) -> Why {
    let known = Known::default();
    engine.why(id, &known).await.expect("facts").expect("a story")
}

fn says(why: &Why, text: &str) -> bool {
    why.evidence.iter().any(|one| one.text.contains(text))
}

fn form(why: &Why) -> Option<&RunSpec> {
    why.fixes.iter().find_map(|fix| fix.remedy.form())
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs_err::write(&path, text).expect("a file");
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("rights");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_start_that_fails_has_its_story() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let folder = tempfile::tempdir_in(dockerd.folder()).expect("a folder");
    write(folder.path(), "windows.sh", "#!/bin/sh\r\necho hello\r\n");
    write(folder.path(), "bash.sh", "#!/bin/bash\necho hello\n");
    write(folder.path(), "plain.sh", "echo hello\n");
    let script = |name: &str| {
        let mut spec = spec(BUSYBOX, &format!("why-{name}"), &[&format!("/s/{name}.sh")]);
        spec.mounts = vec![mount(folder.path(), "/s", false)];
        spec
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut port = spec(BUSYBOX, "why-port", &["sleep", "100"]);
    port.ports = vec![PublishedPort {
        host_address: Some("127.0.0.1".into()),
        host_port: Some(listener.local_addr().expect("an address").port()),
        container_port: 80,
        ..PublishedPort::default()
    }];
    let mut over = spec(BUSYBOX, "why-mount", &["true"]);
    over.mounts = vec![mount(folder.path(), "/www/index.html", false)];
    let foreign = foreign_image(&dockerd, folder.path());
    for (spec, cause, evidence) in [
        (
            spec(BUSYBOX, "why-typo", &["slep", "100"]),
            Cause::CommandNotFound,
            "slep",
        ),
        (
            spec(BUSYBOX, "why-shell-typo", &["sh", "-c", "slep 100"]),
            Cause::CommandNotFound,
            "slep",
        ),
        (
            spec(BUSYBOX, "why-rights", &["/www/index.html"]),
            Cause::NotExecutable,
            "permission denied",
        ),
        (script("windows"), Cause::WindowsLineEnds, "#!/bin/sh\\r"),
        (script("bash"), Cause::NoInterpreter, "#!/bin/bash"),
        (script("plain"), Cause::NoInterpreterLine, "exec format error"),
        (
            spec(&foreign, "why-processor", &["/bin/busybox", "true"]),
            Cause::WrongCpu,
            "Image: linux/arm64",
        ),
        (port, Cause::PortTaken, "address already in use"),
        (over, Cause::MountFailed, "not a directory"),
    ] {
        let id = die(&dockerd, &engine, &spec).await;
        let why = why(&engine, &id).await;
        assert_eq!(why.cause, cause, "{:?}: {why:#?}", spec.name);
        assert!(says(&why, evidence), "{evidence}: {:?}", why.evidence);
        engine.remove(&id, Removal::FORCED).await.expect("removed");
    }
}

/// A program and an image for arm64.
fn foreign_image(dockerd: &Dockerd, folder: &Path) -> String {
    let script = r#"
set -e
mkdir -p foreign/bin saved
cp -L "$1" foreign/bin/busybox
# The machine that an ELF file is for stands in its bytes 18 and 19; 0xb7 is aarch64.
printf '\267\000' | dd of=foreign/bin/busybox bs=1 seek=18 conv=notrunc 2>/dev/null
tar -C foreign -c . | docker --host "$2" import - foreign-here
docker --host "$2" save foreign-here | tar -C saved -x
sed -i 's/"architecture":"amd64"/"architecture":"arm64"/; s/"variant":"[^"]*",*//' saved/*.json
tar -C saved -c . | docker --host "$2" load
"#;
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).is_file())
        .expect("busybox-static is installed");
    let mut command = Command::new("sh");
    command
        .current_dir(folder)
        .args(["-c", script, "sh", busybox, &dockerd.address()]);
    run(&mut command);
    "foreign-here".into()
}

/// What the list says of one that ran out of memory, and whose second run somebody kills.
async fn out_of_memory_until_it_starts_again(dockerd: &Dockerd, engine: &Engine, id: &str) {
    let listed = async |wanted: bool| {
        let mut changes = engine.changes();
        loop {
            let all = engine.containers(true).await.expect("a list");
            let found = all.into_iter().find(|container| container.id == id).expect("listed");
            if found.out_of_memory == wanted {
                return found;
            }
            let another = tokio::time::timeout(wherry_tests::PATIENCE, changes.recv()).await;
            another.expect("the list changes").expect("the engine is there");
        }
    };
    // An older engine may hear of the end before it hears of the memory, and then never says it.
    let told = run(dockerd
        .docker()
        .args(["inspect", "--format", "{{.State.OOMKilled}}", id]));
    assert_eq!(listed(told.trim() == "true").await.exit_code, Some(137));
    engine.start(id).await.expect("started");
    assert_eq!(listed(false).await.state, ContainerState::Running);
    run(dockerd.docker().args(["kill", id]));
    run(dockerd.docker().args(["wait", id]));
    let killed = listed(false).await;
    assert_eq!((killed.state, killed.exit_code), (ContainerState::Exited, Some(137)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_by_a_signal_has_its_story() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));

    let once = "test -e /again && exec sleep 1000; touch /again; exec busybox tail /dev/zero";
    let mut limit = spec(BUSYBOX, "why-memory", &["sh", "-c", once]);
    limit.memory = Some(16 << 20);
    let id = die(&dockerd, &engine, &limit).await;
    let story = why(&engine, &id).await;
    assert_eq!(story.cause, Cause::MemoryLimit, "{story:#?}");
    assert!(says(&story, "Memory limit: 16 MB"), "{:?}", story.evidence);
    assert_eq!(form(&story).and_then(|spec| spec.memory), Some(256 << 20));
    out_of_memory_until_it_starts_again(&dockerd, &engine, &id).await;

    let deaf = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"];
    let mut slow = spec(BUSYBOX, "why-slow", &deaf);
    slow.stop_timeout = Some(1);
    let id = engine.create(&slow).await.expect("created");
    engine.start(&id).await.expect("started");
    until("it to be deaf", || {
        run(dockerd.docker().args(["logs", &id]))
            .contains("ready")
            .then_some(())
    });
    engine.stop(&id).await.expect("stopped");
    let story = why(&engine, &id).await;
    assert_eq!(story.cause, Cause::StopTimedOut, "{story:#?}");
    assert!(story.story.contains("had 1 second for"), "{}", story.story);

    engine.start(&id).await.expect("started");
    run(dockerd.docker().args(["kill", &id]));
    run(dockerd.docker().args(["wait", &id]));
    assert_eq!(why(&engine, &id).await.cause, Cause::Killed);

    // A program that hears of it and ends by itself, and one that has an interrupt sent by hand.
    for (name, code, signal, cause) in [
        ("why-asked", 143, "TERM", Cause::Stopped),
        ("why-interrupted", 130, "INT", Cause::Interrupted),
    ] {
        let line = format!("trap 'exit {code}' {signal}; echo ready; while :; do sleep 0.1; done");
        let id = engine
            .create(&spec(BUSYBOX, name, &["sh", "-c", &line]))
            .await
            .expect("created");
        engine.start(&id).await.expect("started");
        until("it to listen", || {
            run(dockerd.docker().args(["logs", &id]))
                .contains("ready")
                .then_some(())
        });
        run(dockerd.docker().args(["kill", "--signal", signal, &id]));
        run(dockerd.docker().args(["wait", &id]));
        assert_eq!(why(&engine, &id).await.cause, cause, "{signal}");
    }

    for (signal, cause) in [
        ("SEGV", Cause::MemoryFault),
        ("ILL", Cause::WrongInstruction),
        ("ABRT", Cause::Aborted),
        ("BUS", Cause::SharedMemory),
    ] {
        // The first program of a container is not killed by its own signals: a shell has it done to a child.
        let line = format!("sh -c 'kill -{signal} $$'; exit $?");
        let id = die(
            &dockerd,
            &engine,
            &spec(BUSYBOX, &format!("why-{signal}"), &["sh", "-c", &line]),
        )
        .await;
        assert_eq!(why(&engine, &id).await.cause, cause, "{signal}");
    }
    for (name, words, cause) in [
        ("why-done", &["true"][..], Cause::Finished),
        ("why-shell", &["sh"], Cause::NobodyTypes),
        ("why-background", &["sh", "-c", "sleep 100 &"], Cause::InBackground),
        (
            "why-error",
            &["sh", "-c", "echo 'fatal: no cake' >&2; exit 3"],
            Cause::Failed,
        ),
    ] {
        let id = die(&dockerd, &engine, &spec(BUSYBOX, name, words)).await;
        let story = why(&engine, &id).await;
        assert_eq!(story.cause, cause, "{story:#?}");
        assert_eq!(story.cause == Cause::Failed, says(&story, "no cake"));
    }

    let mut again = spec(BUSYBOX, "why-again", &["sh", "-c", "exit 3"]);
    again.restart = Restart::Always;
    let id = die(&dockerd, &engine, &again).await;
    let mut looped = None;
    for _ in 0..600 {
        let story = engine.why(&id, &Known::default()).await.expect("facts");
        looped = story.filter(|story| story.headline.contains("again and again"));
        if looped.is_some() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let looped = looped.expect("it is started again and again");
    assert!(matches!(looped.fixes.last().map(|fix| &fix.remedy), Some(Remedy::Stop)));
    let lines = engine.why_lines(&[id.clone(), "gone".into()], &Known::default()).await;
    assert!(lines.iter().all(|line| line.id == id), "one that is gone has no line");
    engine.remove(&id, Removal::FORCED).await.expect("removed");
}

fn python(dockerd: &Dockerd) -> String {
    let registry = Registry::serve(&images::storage());
    let python = format!("{}/library/python:3.13-slim", registry.address());
    run(dockerd.docker().args(["pull", &python]));
    python
}

/// As clients of today do: what Python itself says of a refused connection names no port.
fn asks_localhost(python: &str) -> RunSpec {
    let code = "import os, socket
host, port = os.environ['OLLAMA_URL'][7:].split(':')
try: socket.create_connection((host, port))
except OSError as error: raise SystemExit(f'Could not connect to {host}:{port}: {error}')";
    let mut spec = spec(python, "py-localhost", &["python3", "-c", code]);
    spec.environment = vec![Variable {
        name: "OLLAMA_URL".into(),
        value: "http://localhost:11434".into(),
    }];
    spec
}

const FILLS_SHARED_MEMORY: &str = "import mmap, os\nf = os.open('/dev/shm/x', os.O_RDWR | os.O_CREAT)\nos.ftruncate(f, 200 << 20)\nm = mmap.mmap(f, 200 << 20)\nfor at in range(0, 200 << 20, 4096): m[at] = 1";

#[tokio::test(flavor = "multi_thread")]
async fn programs_of_python_say_what_they_lack() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let python = python(&dockerd);
    let folder = tempfile::tempdir_in(dockerd.folder()).expect("a folder");
    let code = |name: &str, code: &str| spec(&python, name, &["python3", "-c", code]);

    let mut denied = code("py-rights", "open('/data/x', 'w')");
    denied.user = Some("1000".into());
    denied.mounts = vec![mount(folder.path(), "/data", false)];
    let mut read_only = code("py-read-only", "open('/data/x', 'w')");
    read_only.mounts = vec![mount(folder.path(), "/data", true)];
    run(dockerd.docker().args([
        "volume",
        "create",
        "--driver",
        "local",
        "--opt",
        "type=tmpfs",
        "--opt",
        "device=tmpfs",
        "--opt",
        "o=size=1m",
        "small",
    ]));
    let mut full = code("py-full", "open('/data/x', 'wb').write(bytes(5_000_000))");
    full.mounts = vec![RunMount {
        source: MountSource::Volume {
            name: Some("small".into()),
        },
        target: "/data".into(),
        read_only: false,
        options: Vec::new(),
    }];
    for (spec, cause, evidence) in [
        (
            code("py-module", "import flask"),
            Cause::ModuleMissing,
            "No module named 'flask'",
        ),
        (
            spec(&python, "py-file", &["python3", "main.py"]),
            Cause::FileMissing,
            "can't open file",
        ),
        (
            code("py-data", "open('/data.csv')"),
            Cause::FileMissing,
            "FileNotFoundError",
        ),
        (
            code("py-variable", "import os; os.environ['API_URL']"),
            Cause::VariableMissing,
            "KeyError: 'API_URL'",
        ),
        (denied, Cause::NotAllowedInFolder, "Permission denied: '/data/x'"),
        (read_only, Cause::ReadOnly, "Read-only file system"),
        (full, Cause::DiskFull, "No space left on device"),
        (asks_localhost(&python), Cause::NeedsHostName, "localhost:11434: [Errno"),
        (
            code(
                "py-name",
                "import urllib.request; urllib.request.urlopen('http://db.invalid/')",
            ),
            Cause::NameNotFound,
            "Name or service not known",
        ),
        (
            code(
                "py-twice",
                "import socket\nfor _ in range(2): socket.socket().bind(('', 8000)) if _ else (s := socket.socket()).bind(('', 8000))",
            ),
            Cause::PortTakenInside,
            "Address already in use",
        ),
        (
            code("py-shm", FILLS_SHARED_MEMORY),
            Cause::SharedMemory,
            "/dev/shm: 64 MB",
        ),
        (
            code("py-segfault", "import ctypes; ctypes.string_at(0)"),
            Cause::MemoryFault,
            "Exit code 139",
        ),
        (
            code("py-error", "raise ValueError('the cake is a lie')"),
            Cause::Failed,
            "ValueError: the cake is a lie",
        ),
        (spec(&python, "py-alone", &[]), Cause::NobodyTypes, "Command: python3"),
    ] {
        let id = die(&dockerd, &engine, &spec).await;
        let why = why(&engine, &id).await;
        assert_eq!(why.cause, cause, "{:?}: {why:#?}", spec.name);
        assert!(says(&why, evidence), "{evidence}: {:?}", why.evidence);
        engine.remove(&id, Removal::FORCED).await.expect("removed");
    }
}
