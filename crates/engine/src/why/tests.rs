use super::*;
use crate::{Protocol, Variable};

const ID: &str = "b80e21d97c05b80e21d97c05b80e21d97c05b80e21d97c05b80e21d97c05b80e";

fn exited(code: i32) -> Facts {
    Facts {
        name: "trainer".into(),
        state: Some(ContainerState::Exited),
        exit_code: code,
        started: Some(1_000),
        finished: Some(3_000),
        command: vec!["python".into(), "train.py".into()],
        engine_architecture: "amd64".into(),
        image_architecture: Some("amd64".into()),
        engine_memory: 6 << 30,
        id: ID.into(),
        networks: vec!["bridge".into()],
        ..Facts::default()
    }
}

fn printed(code: i32, lines: &[&str]) -> Facts {
    Facts {
        log: lines.iter().map(|text| line(text)).collect(),
        ..exited(code)
    }
}

fn line(text: &str) -> LogLine {
    LogLine {
        source: crate::LogSource::Stderr,
        millis: None,
        text: text.to_owned(),
    }
}

fn told(facts: &Facts) -> Why {
    explain(facts).expect("a story")
}

/// The spec that the first button opens the form with.
fn first_spec(why: &Why) -> &RunSpec {
    why.fixes.iter().find_map(|fix| fix.remedy.form()).expect("a form")
}

#[test]
fn three_stories_of_137() {
    let mut limit = exited(137);
    limit.oom_killed = true;
    limit.spec.memory = Some(512 << 20);
    let why = told(&limit);
    assert_eq!(why.cause, Cause::MemoryLimit);
    assert_eq!(why.headline, "trainer ran out of memory and was stopped");
    assert!(why.story.contains("It was allowed 512 MB"), "{}", why.story);
    assert_eq!(first_spec(&why).memory, Some(1 << 30));

    let mut machine = exited(137);
    machine.kernel = vec![format!(
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset={ID},mems_allowed=0,global_oom,task_memcg=/docker/{ID},task=python3,pid=812,uid=0"
    )];
    let why = told(&machine);
    assert_eq!(why.cause, Cause::MachineMemory);
    assert!(
        why.story.contains("6 GB") && why.story.contains("python3"),
        "{}",
        why.story
    );

    // An engine on the second version of control groups says so in this case, too.
    machine.oom_killed = true;
    assert_eq!(told(&machine).cause, Cause::MachineMemory);
    machine.spec.memory = Some(1 << 30);
    assert_eq!(told(&machine).cause, Cause::MachineMemory, "the kernel knows better");

    let mut stop = exited(137);
    stop.signals = vec![15, 9];
    let why = told(&stop);
    assert_eq!(why.cause, Cause::StopTimedOut);
    assert!(
        why.story.contains("10 seconds") && why.tone == Tone::Plain,
        "{}",
        why.story
    );
    stop.signals = vec![9];
    assert_eq!(told(&stop).cause, Cause::Killed);
    stop.kernel = machine.kernel;
    assert_eq!(
        told(&stop).cause,
        Cause::Killed,
        "an earlier run's memory is another story"
    );
}

#[test]
fn a_worker_that_ran_out_of_memory_is_told_though_the_exit_code_is_another() {
    let mut facts = exited(1);
    facts.oom_killed = true;
    facts.spec.memory = Some(64 << 20);
    assert_eq!(told(&facts).cause, Cause::MemoryLimit);
}

#[test]
fn starts_that_fail() {
    let created = |code: i32, error: &str| Facts {
        state: Some(ContainerState::Created),
        error: error.to_owned(),
        started: None,
        finished: None,
        ..exited(code)
    };
    for (code, error, cause) in [
        (
            127,
            r#"failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "pyhton": executable file not found in $PATH: unknown"#,
            Cause::CommandNotFound,
        ),
        (
            127,
            "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: open /proc/sys/net/ipv4/no_such_setting: no such file or directory: unknown",
            Cause::EngineRefused,
        ),
        (
            126,
            r#"OCI runtime create failed: runc create failed: unable to start container process: exec: "/app/run.sh": permission denied: unknown"#,
            Cause::NotExecutable,
        ),
        (
            128,
            "driver failed programming external connectivity on endpoint web: Bind for 0.0.0.0:8080 failed: port is already allocated",
            Cause::PortTaken,
        ),
        (
            127,
            r#"OCI runtime create failed: error mounting "/home/ada/.env" to rootfs at "/app/.env": not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?"#,
            Cause::MountFailed,
        ),
        (
            126,
            r#"OCI runtime create failed: runc create failed: chdir to cwd ("/nope") set in config.json failed: permission denied"#,
            Cause::NoWorkingFolder,
        ),
        (
            125,
            "could not select device driver \"nvidia\" with capabilities: [[gpu]]",
            Cause::EngineRefused,
        ),
    ] {
        assert_eq!(told(&created(code, error)).cause, cause, "{error}");
    }
    let mut one_word = created(
        127,
        r#"exec: "python app.py": executable file not found in $PATH: unknown"#,
    );
    one_word.command = vec!["python app.py".into()];
    assert_eq!(first_spec(&told(&one_word)).command, ["python", "app.py"]);
    assert_eq!(
        explain(&created(0, "")),
        None,
        "one that was never started has no story"
    );
}

#[test]
fn another_processor_and_scripts_that_cannot_be_read() {
    let mut facts = printed(1, &["exec /usr/local/bin/app: exec format error"]);
    facts.image_architecture = Some("arm64".into());
    let why = told(&facts);
    assert_eq!(why.cause, Cause::WrongCpu);
    assert_eq!(first_spec(&why).platform.as_deref(), Some("linux/amd64"));
    facts.image_architecture = Some("amd64".into());
    facts.command = vec!["/app/run.sh".into()];
    assert_eq!(told(&facts).cause, Cause::NoInterpreterLine);

    let script = |first: &[u8]| {
        let mut facts = printed(127, &["exec /app/run.sh: no such file or directory"]);
        facts.script = Some(Script {
            path: "/app/run.sh".into(),
            first_line: first.to_vec(),
        });
        facts.command = vec!["/app/run.sh".into()];
        told(&facts)
    };
    let why = script(b"#!/bin/sh\r");
    assert_eq!(why.cause, Cause::WindowsLineEnds);
    assert!(
        why.evidence.iter().any(|one| one.text.contains("#!/bin/sh\\r")),
        "{:?}",
        why.evidence
    );
    let why = script(b"#!/usr/bin/env bash");
    assert_eq!(
        (why.cause, why.headline.as_str()),
        (
            Cause::NoInterpreter,
            "/app/run.sh needs bash, which the image does not have"
        )
    );
    for line in [
        "/usr/bin/env: 'bash\\r': No such file or directory",
        "/bin/sh^M: bad interpreter: No such file or directory",
        "./run.sh: line 2: $'\\r': command not found",
    ] {
        assert_eq!(told(&printed(127, &[line])).cause, Cause::WindowsLineEnds, "{line}");
    }
}

#[test]
fn what_programs_print_tells_what_is_missing() {
    for (code, line, cause) in [
        (1, "ModuleNotFoundError: No module named 'cv2'", Cause::ModuleMissing),
        (1, "/usr/bin/python3: No module named flask", Cause::ModuleMissing),
        (1, "Error: Cannot find module 'express'", Cause::ModuleMissing),
        (1, "Error: Cannot find module '/app/server.js'", Cause::FileMissing),
        (
            2,
            "python: can't open file '/app/main.py': [Errno 2] No such file or directory",
            Cause::FileMissing,
        ),
        (
            1,
            "FileNotFoundError: [Errno 2] No such file or directory: 'data.csv'",
            Cause::FileMissing,
        ),
        (
            1,
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            Cause::LibraryMissing,
        ),
        (1, "OSError: [Errno 28] No space left on device", Cause::DiskFull),
        (
            1,
            "RuntimeError: DataLoader worker (pid 41) is killed by signal: Bus error.",
            Cause::SharedMemory,
        ),
        (
            1,
            "ERROR:  could not resize shared memory segment \"/PostgreSQL.1\": No space left on device",
            Cause::SharedMemory,
        ),
        (1, "OSError: [Errno 98] Address already in use", Cause::PortTakenInside),
        (
            1,
            "Error: listen EADDRINUSE: address already in use :::3000",
            Cause::PortTakenInside,
        ),
        (
            1,
            "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)",
            Cause::PortNotAllowed,
        ),
        (
            1,
            "Error: Database is uninitialized and superuser password is not specified.",
            Cause::Failed,
        ),
        (
            1,
            "       You must specify POSTGRES_PASSWORD to a non-empty value for the",
            Cause::VariableMissing,
        ),
        (1, "KeyError: 'OPENAI_API_KEY'", Cause::VariableMissing),
        (
            1,
            "Error: OPENAI_API_KEY environment variable is not set",
            Cause::VariableMissing,
        ),
        (1, "Error: getaddrinfo ENOTFOUND db", Cause::NameNotFound),
        (
            2,
            "psycopg2.OperationalError: could not translate host name \"db\" to address: Name or service not known",
            Cause::NameNotFound,
        ),
        (1, "ValueError: the cake is a lie", Cause::Failed),
        (139, "", Cause::MemoryFault),
        (132, "", Cause::WrongInstruction),
        (134, "", Cause::Aborted),
        (135, "", Cause::SharedMemory),
        (143, "", Cause::Stopped),
        (130, "", Cause::Interrupted),
        (0, "done", Cause::Finished),
        (0, "ModuleNotFoundError: No module named 'x'", Cause::Finished),
    ] {
        let why = told(&printed(code, &["Starting", line]));
        assert_eq!(why.cause, cause, "{code}: {line}");
        let quoted = line.is_empty() || code == 0 || why.evidence.iter().any(|one| one.text == line.trim_end());
        assert!(quoted, "{line} is quoted: {:?}", why.evidence);
        assert!(!why.evidence.is_empty() && !why.headline.is_empty() && !why.story.is_empty());
    }
    let why = told(&printed(1, &["ModuleNotFoundError: No module named 'cv2'"]));
    assert!(
        why.fixes
            .iter()
            .any(|fix| matches!(&fix.remedy, Remedy::Copy { text } if text == "opencv-python-headless"))
    );
    let spec_of = |line: &str| first_spec(&told(&printed(1, &[line]))).clone();
    assert_eq!(
        spec_of("KeyError: 'OPENAI_API_KEY'").environment,
        [Variable {
            name: "OPENAI_API_KEY".into(),
            value: String::new()
        }]
    );
    assert_eq!(spec_of("Bus error (core dumped)").shm_size, Some(1 << 30));
}

#[test]
fn a_folder_over_the_program_is_named() {
    let mut facts = printed(
        2,
        &["python: can't open file '/app/main.py': [Errno 2] No such file or directory"],
    );
    facts.folders = vec![Mounted {
        source: "/home/ada/shop".into(),
        target: "/app".into(),
        folder: true,
        writable: true,
    }];
    let why = told(&facts);
    assert!(why.story.contains("/home/ada/shop"), "{}", why.story);
    facts.log = vec![line("PermissionError: [Errno 13] Permission denied: '/app/out.txt'")];
    let why = told(&facts);
    assert_eq!(why.cause, Cause::NotAllowedInFolder);
    facts.folders[0].writable = false;
    facts.log = vec![line("touch: /app/out.txt: Read-only file system")];
    assert_eq!(told(&facts).cause, Cause::ReadOnly);
}

#[test]
fn localhost_is_the_container_itself() {
    let refused = "requests.exceptions.ConnectionError: HTTPConnectionPool(host='localhost', port=11434): Max retries exceeded (Caused by NewConnectionError: [Errno 111] Connection refused)";
    for line in [
        "Error: connect ECONNREFUSED 127.0.0.1:11434",
        "connection to server at \"localhost\" (127.0.0.1), port 11434 failed: Connection refused",
        "dial tcp 127.0.0.1:11434: connect: connection refused",
        "curl: (7) Failed to connect to localhost port 11434 after 0 ms: Connection refused",
    ] {
        assert_eq!(told(&printed(1, &[line])).cause, Cause::NeedsHostName, "{line}");
    }
    let mut facts = printed(1, &[refused]);
    facts
        .log
        .push(line("dial tcp 127.0.0.1:11434: connect: connection refused"));
    facts.environment = vec![
        ("OLLAMA_URL".into(), "http://localhost:11434".into()),
        ("OTHER".into(), "http://localhost:5000".into()),
    ];
    let why = told(&facts);
    let spec = first_spec(&why);
    assert_eq!(
        spec.environment,
        [Variable {
            name: "OLLAMA_URL".into(),
            value: "http://host.docker.internal:11434".into()
        }]
    );
    assert_eq!(spec.extra_hosts, ["host.docker.internal:host-gateway"]);
    facts.own_machine = true;
    assert!(
        first_spec(&told(&facts)).extra_hosts.is_empty(),
        "the machine knows the name"
    );

    facts.networks = vec!["shop".into()];
    facts.neighbours = vec![Neighbour {
        name: "ollama".into(),
        networks: vec!["shop".into()],
        ports: vec![11434],
    }];
    let why = told(&facts);
    assert_eq!(why.cause, Cause::NeedsContainerName);
    assert_eq!(first_spec(&why).environment[0].value, "http://ollama:11434");
}

#[test]
fn a_name_on_another_network() {
    let mut facts = printed(1, &["Error: getaddrinfo ENOTFOUND db"]);
    facts.neighbours = vec![Neighbour {
        name: "db".into(),
        networks: vec!["shop".into()],
        ports: vec![5432],
    }];
    assert_eq!(first_spec(&told(&facts)).networks[0].name, "shop");
}

#[test]
fn nothing_stays_in_the_foreground() {
    let runs = |words: &[&str]| {
        let mut facts = exited(0);
        facts.command = words.iter().map(|word| (*word).to_owned()).collect();
        told(&facts)
    };
    assert_eq!(runs(&["bash"]).cause, Cause::NobodyTypes);
    assert_eq!(runs(&["docker-entrypoint.sh", "node"]).cause, Cause::NobodyTypes);
    assert!(first_spec(&runs(&["python3"])).terminal);
    assert_eq!(runs(&["python3", "job.py"]).cause, Cause::Finished);
    assert_eq!(first_spec(&runs(&["nginx"])).command, ["nginx", "-g", "daemon off;"]);
    assert_eq!(runs(&["nginx", "-g", "daemon off;"]).cause, Cause::Finished);
    assert_eq!(runs(&["sh", "-c", "service ssh start"]).cause, Cause::InBackground);
}

#[test]
fn a_crash_loop_says_how_often_and_why() {
    let mut facts = printed(1, &["ModuleNotFoundError: No module named 'flask'"]);
    facts.state = Some(ContainerState::Restarting);
    facts.restarts = 7;
    let why = told(&facts);
    assert_eq!(why.headline, "trainer stops and is started again, again and again");
    assert!(
        why.story.starts_with("Module flask is missing, 7 times so far."),
        "{}",
        why.story
    );
    assert!(matches!(why.fixes.last().map(|fix| &fix.remedy), Some(Remedy::Stop)));
}

/// Command, what it printed, and the form's command or variable that answers for everybody.
#[test]
fn servers_that_listen_only_inside() {
    let listens = |words: &[&str], entrypoint: usize, prints: &str| {
        let mut facts = printed(0, &[prints]);
        facts.state = Some(ContainerState::Running);
        facts.command = words.iter().map(|word| (*word).to_owned()).collect();
        facts.entrypoint_words = entrypoint;
        facts.published = vec![(
            8000,
            HostPort {
                address: "0.0.0.0".into(),
                port: 3000,
            },
        )];
        facts.listeners = Some(vec![Listener {
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            port: 8000,
            protocol: Protocol::Tcp,
        }]);
        facts
    };
    for (words, entrypoint, command) in [
        (&["uvicorn", "main:app"][..], 0, "uvicorn main:app --host 0.0.0.0"),
        (
            &["uvicorn", "main:app", "--host", "127.0.0.1"],
            0,
            "uvicorn main:app --host 0.0.0.0",
        ),
        (
            &["python", "-m", "uvicorn", "main:app", "--host=localhost"],
            0,
            "python -m uvicorn main:app --host 0.0.0.0",
        ),
        (&["flask", "run"], 0, "flask run --host=0.0.0.0"),
        (
            &["streamlit", "run", "app.py"],
            1,
            "run app.py --server.address=0.0.0.0",
        ),
        (&["jupyter", "lab", "--ip=127.0.0.1"], 0, "jupyter lab --ip=0.0.0.0"),
        (&["npm", "run", "vite"], 0, "npm run vite -- --host 0.0.0.0"),
        (
            &["sh", "-c", "vite --port 8000"],
            0,
            "sh -c vite --port 8000 --host 0.0.0.0",
        ),
        (
            &["gunicorn", "-b", "127.0.0.1:8000", "app:app"],
            0,
            "gunicorn --bind 0.0.0.0:8000 app:app",
        ),
        (
            &["python", "manage.py", "runserver"],
            0,
            "python manage.py runserver 0.0.0.0:8000",
        ),
        (
            &["python", "-m", "http.server", "8000", "--bind", "127.0.0.1"],
            0,
            "python -m http.server 8000 --bind 0.0.0.0",
        ),
        (&["fastapi", "dev", "main.py"], 0, "fastapi dev main.py --host 0.0.0.0"),
        (&["next", "dev"], 0, "next dev --hostname 0.0.0.0"),
    ] {
        let why = told(&listens(words, entrypoint, "listening"));
        assert_eq!(why.cause, Cause::OnlyInside);
        assert_eq!(first_spec(&why).command.join(" "), command);
    }
    let gradio = told(&listens(
        &["python", "app.py"],
        0,
        "* Running on local URL:  http://127.0.0.1:8000",
    ));
    assert_eq!(first_spec(&gradio).environment[0].name, "GRADIO_SERVER_NAME");
    let code = told(&listens(&["python", "app.py"], 0, " * Serving Flask app 'app'"));
    assert!(matches!(&code.fixes[0].remedy, Remedy::Copy { text } if text == "app.run(host=\"0.0.0.0\")"));

    let mut fine = listens(&["uvicorn", "main:app"], 0, "");
    fine.listeners.get_or_insert_default().push(Listener {
        address: std::net::Ipv4Addr::UNSPECIFIED.into(),
        port: 8000,
        protocol: Protocol::Tcp,
    });
    assert_eq!(explain(&fine), None);
    fine.listeners = None;
    assert_eq!(explain(&fine), None, "an image without cat tells nothing");
}

#[test]
fn endless_words_are_cut() {
    let why = told(&printed(1, &[&format!("ValueError: {}", "x".repeat(100_000))]));
    assert!(why.evidence.iter().all(|one| one.text.len() < 2_000));
}
