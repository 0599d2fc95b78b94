//! The spec in each of its forms, and back.

use std::collections::BTreeSet;

use proptest::prelude::*;
use wherry_tests::process::{installed, run};

use super::*;
use crate::{Protocol, Variable};

fn port(address: Option<&str>, host: Option<u16>, container: u16, protocol: Protocol) -> PublishedPort {
    PublishedPort {
        host_address: address.map(Into::into),
        host_port: host,
        container_port: container,
        protocol,
        ..PublishedPort::default()
    }
}

fn variable(name: &str, value: &str) -> Variable {
    Variable {
        name: name.into(),
        value: value.into(),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn mount(source: MountSource, target: &str, read_only: bool, options: &[&str]) -> RunMount {
    RunMount {
        source,
        target: target.into(),
        read_only,
        options: words(options),
    }
}

fn folder(path: &str, must_exist: bool) -> MountSource {
    MountSource::Folder {
        path: path.into(),
        must_exist,
    }
}

fn rare(flag: &str, value: &str) -> RareFlag {
    RareFlag {
        flag: flag.into(),
        value: value.into(),
    }
}

#[expect(clippy::too_many_lines, reason = "every field once")]
fn everything() -> RunSpec {
    RunSpec {
        image: "python:3.13-slim".into(),
        name: Some("my-site".into()),
        platform: Some("linux/amd64".into()),
        pull: PullPolicy::Always,
        entrypoint: Some("python".into()),
        command: words(&["-c", "print('hello')"]),
        working_directory: Some("/app".into()),
        user: Some("1000:1000".into()),
        interactive: true,
        terminal: true,
        init: true,
        remove_when_stopped: false,
        restart: Restart::OnFailure { retries: Some(3) },
        stop_signal: Some("SIGINT".into()),
        stop_timeout: Some(30),
        ports: vec![
            port(None, Some(8080), 80, Protocol::Tcp),
            port(Some("127.0.0.1"), Some(5353), 53, Protocol::Udp),
            port(Some("::1"), None, 443, Protocol::Tcp),
            PublishedPort {
                host_port: Some(7000),
                host_last: Some(7002),
                container_port: 7000,
                container_last: Some(7002),
                ..PublishedPort::default()
            },
        ],
        publish_all: true,
        mounts: vec![
            mount(folder("/home/ada/my site", false), "/app", true, &["z"]),
            mount(folder("/etc/app.conf", true), "/etc/app.conf", true, &["rslave"]),
            mount(
                MountSource::Volume {
                    name: Some("data".into()),
                },
                "/data",
                false,
                &[],
            ),
            mount(MountSource::Volume { name: None }, "/cache", false, &[]),
            mount(MountSource::Memory, "/run", false, &["size=64m"]),
        ],
        environment: vec![
            variable("TZ", "Europe/London"),
            variable("GREETING", "it's $HOME \"here\""),
            variable("API_TOKEN", "hunter2"),
        ],
        env_files: words(&["/home/ada/.env"]),
        labels: vec![variable("com.example.owner", "ada")],
        memory: Some(512 << 20),
        cpus: Some(1.5),
        shm_size: Some(1 << 30),
        gpus: Some(Gpus {
            which: WhichGpus::Devices {
                ids: words(&["0", "1"]),
            },
            driver: None,
            capabilities: vec![],
        }),
        ulimits: vec![Ulimit {
            name: "nofile".into(),
            soft: 1024,
            hard: 2048,
        }],
        health: HealthSetting::Own {
            check: HealthCheck {
                command: Some("curl -f localhost || exit 1".into()),
                interval_millis: 90_000,
                timeout_millis: 500,
                start_period_millis: 10_000,
                start_interval_millis: 2000,
                retries: 3,
            },
        },
        log_driver: Some("json-file".into()),
        log_options: vec![variable("max-size", "10m")],
        networks: vec![
            RunNetwork {
                name: "front".into(),
                aliases: words(&["web"]),
                ip: Some("172.30.0.5".into()),
                ip6: None,
            },
            RunNetwork {
                name: "back".into(),
                aliases: words(&["api"]),
                ..RunNetwork::default()
            },
        ],
        hostname: Some("box".into()),
        dns: words(&["1.1.1.1"]),
        extra_hosts: words(&["db:192.168.1.5", "host.docker.internal:host-gateway"]),
        privileged: true,
        read_only: true,
        cap_add: words(&["NET_ADMIN"]),
        cap_drop: words(&["ALL"]),
        security_options: words(&["no-new-privileges"]),
        devices: vec![
            RunDevice {
                host: "/dev/fuse".into(),
                container: None,
                permissions: None,
            },
            RunDevice {
                host: "nvidia.com/gpu=all".into(),
                container: None,
                permissions: None,
            },
        ],
        sysctls: vec![variable("net.core.somaxconn", "1024")],
        rare: vec![
            rare("pids-limit", "200"),
            rare("oom-kill-disable", "true"),
            rare("expose", "9000"),
        ],
    }
}

#[test]
fn the_line_says_everything_the_request_says() {
    insta::assert_json_snapshot!("line", command_line(&everything(), Shell::Posix, false));
    let mut body = serde_json::to_value(body(&everything(), &[]).expect("valid")).expect("JSON");
    body.sort_all_objects();
    insta::assert_json_snapshot!("request", body);
    for shell in [Shell::PowerShell, Shell::Cmd] {
        insta::assert_snapshot!(command_line(&everything(), shell, true).text);
    }
}

#[test]
fn compose_says_what_it_can() {
    let mut spec = everything();
    spec.environment.push(variable("YES", "no"));
    spec.environment.push(variable("NUMBER", "1.0"));
    let (file, missing) = compose_file(&spec, false);
    insta::assert_snapshot!(format!("{file}# not here: {}", missing.join(", ")));
    let simple = RunSpec {
        image: "ghcr.io/ada/My-App:1".into(),
        remove_when_stopped: true,
        ..RunSpec::default()
    };
    let (file, missing) = compose_file(&simple, true);
    insta::assert_snapshot!(format!("{file}# not here: {}", missing.join(", ")));
}

#[test]
fn the_shortest_line_is_short() {
    let spec = RunSpec {
        image: "nginx".into(),
        name: Some(" ".into()),
        ..RunSpec::default()
    };
    assert_eq!(command_line(&spec, Shell::Posix, true).text, "docker run -d nginx");
    assert_eq!(
        command_line(&RunSpec::default(), Shell::Posix, true).text,
        "docker run -d"
    );
}

#[test]
fn every_mistake_is_told_in_a_sentence() {
    let with = |change: fn(&mut RunSpec)| {
        let mut spec = RunSpec {
            image: "nginx".into(),
            ..RunSpec::default()
        };
        change(&mut spec);
        validate(&spec).expect_err("a mistake").to_string()
    };
    let said = [
        with(|spec| spec.image = " ".into()),
        with(|spec| spec.image = "Not an image".into()),
        with(|spec| spec.name = Some("-x".into())),
        with(|spec| spec.name = Some("x".into())),
        with(|spec| spec.name = Some("grüße".into())),
        with(|spec| spec.ports = vec![port(None, Some(80), 0, Protocol::Tcp)]),
        with(|spec| spec.ports = vec![port(None, Some(0), 80, Protocol::Tcp)]),
        with(|spec| spec.ports = vec![port(Some("here"), None, 80, Protocol::Tcp)]),
        with(|spec| {
            spec.ports = vec![
                port(None, Some(80), 80, Protocol::Tcp),
                port(Some("127.0.0.1"), Some(80), 81, Protocol::Tcp),
            ];
        }),
        with(|spec| {
            spec.ports = vec![PublishedPort {
                host_port: Some(1),
                container_port: 1,
                container_last: Some(3),
                ..PublishedPort::default()
            }];
        }),
        with(|spec| spec.environment = vec![variable("", "x")]),
        with(|spec| spec.environment = vec![variable("A=B", "x")]),
        with(|spec| spec.command = vec!["a\0b".into()]),
        with(|spec| spec.mounts = vec![mount(folder("/srv", false), "app", false, &[])]),
        with(|spec| spec.mounts = vec![mount(folder("./srv", false), "/app", false, &[])]),
        with(|spec| {
            spec.mounts = vec![mount(
                MountSource::Volume {
                    name: Some("a/b".into()),
                },
                "/app",
                false,
                &[],
            )];
        }),
        with(|spec| {
            spec.mounts = vec![
                mount(folder("/a", false), "/app", false, &[]),
                mount(folder("/b", false), "/app", false, &[]),
            ];
        }),
        with(|spec| {
            spec.remove_when_stopped = true;
            spec.restart = Restart::Always;
        }),
        with(|spec| spec.dns = vec!["dns".into()]),
        with(|spec| spec.extra_hosts = vec!["db".into()]),
        with(|spec| spec.networks = vec![RunNetwork::default()]),
        with(|spec| spec.cpus = Some(-1.0)),
        with(|spec| spec.rare = vec![rare("pids-limit", "many")]),
        with(|spec| spec.rare = vec![rare("no-such", "1")]),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn one_port_may_be_published_for_both_protocols() {
    let ports = vec![
        port(None, Some(53), 53, Protocol::Tcp),
        port(None, Some(53), 53, Protocol::Udp),
    ];
    assert_eq!(
        validate(&RunSpec {
            image: "dns".into(),
            ports,
            ..RunSpec::default()
        }),
        Ok(())
    );
}

fn pasted(line: &str) -> Pasted {
    paste(line, None, "/home/ada/my app", "/home/ada").unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// What a tutorial's line becomes, written again.
fn again(line: &str) -> String {
    let pasted = pasted(line);
    let mut text = command_line(&pasted.spec, Shell::Posix, true).text;
    for note in &pasted.notes {
        text = format!("{text}\n    {:?} {}: {}", note.kind, note.part, note.sentence);
    }
    text
}

#[test]
fn lines_of_tutorials_are_understood() {
    let lines = [
        "docker run -itd --name=web -p80:80 nginx",
        "$ sudo docker container run --rm -it -v $(pwd):/app -w /app node:22 npm \\\n  run   build",
        "docker run -d \\ \n  -e 'A=b c' \\\n  -e \"B=$HOME/x\" \\\n  --mount type=bind,src=\"$(pwd)\"/conf,dst=/etc/conf,readonly \\\n  postgres:17",
        "podman run --pod mine --replace -v ./data:/data:Z -v ~/x:/x -v cache:/cache redis",
        "docker run -v ${PWD}:/app -v `pwd`/b:/b -u $(id -u):$(id -g) --network host alpine sh -c 'echo $HOME; ls' && echo done",
        "docker run -v %cd%:/app ^\n  -e NAME=x ^\n  node",
        "PS C:\\app> docker run -v ${PWD}:/app `\n  -e \"A=`\"b`\"\" -e 'it''s=1' node",
        "docker run -v C:\\Users\\ada:/app -p 127.0.0.1:8000-8002:8000-8002/tcp node",
        "docker run --gpus '\"device=0,1\"' --shm-size=1g --ulimit memlock=-1 nvcr.io/nvidia/pytorch:24.01-py3",
        "docker run --wat --cidfile /tmp/x --health-cmd 'true' --health-interval=1m30s --restart on-failure:5 -e TOKEN nginx",
        "docker --context prod run --network=name=front,alias=web --ip 10.0.0.2 --memory 1.5g --pids-limit 100 -P nginx > out.log 2>&1",
        "docker pull nginx\ndocker run --tmpfs /run:size=64m,ro --memory lots --expose 9000/udp nginx # the server",
        "# start it\ndocker run -d \\\n  -p 80:80 \\ # the site\n  nginx",
        "```sh\n# docker create –name web –p 80:80 -e “A=b c” -e ‘B=\"c\"’ -e C=don’t\u{a0}nginx\n```",
        "docker run --device /dev/ttyUSB0:/dev/x:rw --device=/dev/fuse --read-only=false --init=true -dp 3000:3000 -- app --port=1",
    ];
    let said: Vec<String> = lines
        .iter()
        .map(|line| format!("{line}\n =>\n{}", again(line)))
        .collect();
    insta::assert_snapshot!(said.join("\n\n"));
    assert!(pasted("docker run -v $(pwd):/app x").uses_folder);
    assert!(pasted("docker run --env-file .env x").uses_folder);
    assert!(!pasted("docker run -v /srv:/app x").uses_folder);
}

#[test]
fn what_is_no_docker_run_line_is_told() {
    for (line, error) in [
        ("", PasteError::NotRun),
        ("docker ps", PasteError::NotRun),
        ("echo docker run x", PasteError::NotRun),
        ("docker compose run web", PasteError::NotRun),
        ("docker run -d", PasteError::NoImage),
        ("docker run -e 'A=b nginx", PasteError::OpenQuote),
    ] {
        assert_eq!(paste(line, None, "/", "/"), Err(error), "{line}");
    }
}

/// The one table of flags against the docker command that is installed.
#[test]
fn every_flag_of_the_docker_command_is_known() {
    wherry_tests::skip_unless!(installed("docker"), "docker is not installed");
    let help = run(std::process::Command::new("docker").args(["run", "--help"]));
    let mut theirs = BTreeSet::new();
    for line in help.lines() {
        let Some((flags, rest)) = line.split_once("--") else {
            continue;
        };
        let short = flags.trim().strip_prefix('-').and_then(|flags| flags.chars().next());
        if !flags.trim().is_empty() && short.is_none() {
            continue;
        }
        let mut words = rest.splitn(2, ' ');
        let name = words.next().unwrap_or_default();
        // The kind of a value is one blank away from the name; what the flag is for, several.
        let is_switch = words.next().is_none_or(|kind| kind.starts_with(' '));
        theirs.insert((name.to_owned(), short, is_switch));
    }
    assert!(theirs.len() > 90, "{theirs:?}");
    let ours: BTreeSet<_> = flags::FLAGS
        .iter()
        .map(|flag| (flag.long.to_owned(), flag.short, flag.is_switch))
        .collect();
    let missing: Vec<_> = theirs.difference(&ours).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Text as people and their clipboards have it, and worse.
fn any_text() -> impl Strategy<Value = String> {
    // The end of a line as Windows writes it becomes an ordinary one, whatever it stands in.
    prop_oneof![
        "[a-z]{1,8}",
        "[^\0\r]{0,12}",
        "[ '\"$`^%!&|<>\\\\~#;=,:-]{1,6}",
        "C:\\\\[a-z]{1,4}"
    ]
}

fn plain() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9_.-]{1,8}"
}

fn path() -> impl Strategy<Value = String> {
    any_text().prop_map(|text| format!("/{}", text.replace(['\n', '\r'], "")))
}

fn target() -> impl Strategy<Value = String> {
    "/[a-z ]{1,6}/[a-z0-9$]{1,6}"
}

fn given<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(strategy)
}

fn some_of<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    proptest::collection::vec(strategy, 0..3)
}

fn any_port() -> impl Strategy<Value = PublishedPort> {
    let address = prop_oneof![
        Just(None),
        Just(Some("127.0.0.1".to_owned())),
        Just(Some("::1".to_owned()))
    ];
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    (address, given(1..60000_u16), 1..60000_u16, 0..4_u16, protocol).prop_map(
        |(host_address, host_port, container_port, more, protocol)| PublishedPort {
            host_address,
            host_port,
            host_last: host_port.filter(|_| more > 0).map(|port| port + more),
            container_port,
            container_last: (more > 0).then_some(container_port + more),
            protocol,
        },
    )
}

fn any_mount() -> impl Strategy<Value = RunMount> {
    let source = prop_oneof![
        (path(), any::<bool>()).prop_map(|(path, must_exist)| MountSource::Folder { path, must_exist }),
        given(plain()).prop_map(|name| MountSource::Volume { name }),
        Just(MountSource::Memory),
    ];
    (source, target(), any::<bool>()).prop_map(|(source, target, read_only)| {
        // A colon in a path can only be said by --mount, which wants the folder to be there.
        let source = match source {
            MountSource::Folder { path, must_exist } => MountSource::Folder {
                must_exist: must_exist || path.contains(':'),
                path,
            },
            other @ (MountSource::Volume { .. } | MountSource::Memory) => other,
        };
        RunMount {
            source,
            target,
            read_only,
            options: Vec::new(),
        }
    })
}

fn any_variable() -> impl Strategy<Value = Variable> {
    ("[a-zA-Z_.-]{1,6}", any_text()).prop_map(|(name, value)| Variable { name, value })
}

fn any_restart() -> impl Strategy<Value = Restart> {
    prop_oneof![
        Just(Restart::No),
        Just(Restart::Always),
        Just(Restart::UnlessStopped),
        given(1..9_u32).prop_map(|retries| Restart::OnFailure { retries }),
    ]
}

fn any_health() -> impl Strategy<Value = HealthSetting> {
    prop_oneof![
        Just(HealthSetting::Image),
        Just(HealthSetting::Off),
        (any_text(), 1..10_000_000_u64, 0..5_u32).prop_map(|(command, interval_millis, retries)| HealthSetting::Own {
            check: HealthCheck {
                command: Some(format!("x{command}x")),
                interval_millis,
                retries,
                ..HealthCheck::default()
            }
        }),
    ]
}

fn any_gpus() -> impl Strategy<Value = Gpus> {
    let which = prop_oneof![
        Just(WhichGpus::All),
        (1..9_u32).prop_map(|count| WhichGpus::Count { count }),
        proptest::collection::vec("[0-9]", 1..3).prop_map(|ids| WhichGpus::Devices { ids }),
    ];
    (which, given(Just("nvidia".to_owned())), some_of("[a-z]{2,5}")).prop_map(|(which, driver, capabilities)| Gpus {
        which,
        driver,
        capabilities,
    })
}

fn any_spec() -> impl Strategy<Value = RunSpec> {
    let life = (
        any_restart(),
        given(plain()),
        given(any_text()),
        some_of(any_text()),
        any::<[bool; 6]>(),
    );
    let reach = (
        some_of(any_port()),
        some_of(any_mount()),
        some_of(any_variable()),
        some_of(path()),
        some_of(plain()),
    );
    let limits = (
        given(0..u64::from(u32::MAX)),
        given((1..800_u32).prop_map(|n| f64::from(n) / 100.0)),
        given(any_gpus()),
        any_health(),
    );
    let rest = (
        some_of(any_variable()),
        some_of(any_variable()),
        given(plain()),
        some_of(any_text()),
        given(-1..90_i64),
    );
    (life, reach, limits, rest).prop_map(|(life, reach, limits, rest)| {
        let (restart, name, entrypoint, command, [interactive, terminal, init, privileged, read_only, publish_all]) =
            life;
        let (ports, mounts, environment, env_files, networks) = reach;
        let (memory, cpus, gpus, health) = limits;
        let (labels, sysctls, hostname, cap_add, stop_timeout) = rest;
        RunSpec {
            image: "nginx:1.27".into(),
            name,
            entrypoint: entrypoint.map(|word| word.trim().to_owned()),
            command,
            interactive,
            terminal,
            init,
            privileged,
            read_only,
            publish_all,
            restart,
            stop_timeout,
            ports,
            mounts,
            environment,
            env_files,
            labels,
            memory,
            cpus,
            shm_size: memory,
            gpus,
            health,
            hostname,
            networks: networks
                .into_iter()
                .map(|name| RunNetwork {
                    aliases: vec![format!("{name}-alias")],
                    name,
                    ..RunNetwork::default()
                })
                .collect(),
            cap_add,
            sysctls,
            rare: vec![rare("pids-limit", "5"), rare("cpu-shares", "7")],
            ..RunSpec::default()
        }
    })
}

proptest! {
    /// Whatever the form makes, its line makes again, in each shell.
    #[test]
    fn a_line_read_back_is_the_same_spec(spec in any_spec()) {
        let fitting = Shell::ALL.into_iter().filter(|shell| not_in_this_shell(&spec, *shell).is_none());
        for shell in fitting {
            let line = command_line(&spec, shell, true).text;
            let pasted = paste(&line, Some(shell), "/here", "/home/ada");
            let pasted = pasted.map_err(|error| TestCaseError::fail(format!("{error}: {line}")))?;
            prop_assert_eq!(&pasted.notes, &[], "{}", line);
            prop_assert_eq!(&pasted.spec, &spec, "{:?}: {}", shell, line);
        }
    }

    /// Whatever is pasted, there is an answer and no panic.
    #[test]
    fn any_text_may_be_pasted(rest in ".{0,200}", folder in "[^\0]{0,20}") {
        for shell in Shell::ALL {
            let _ = paste(&rest, Some(shell), &folder, "/home/ada");
            let _ = paste(&format!("docker run {rest}"), Some(shell), &folder, "/home/ada");
        }
        let _ = paste(&rest, None, &folder, "/home/ada");
    }

    #[test]
    fn any_file_of_variables_may_be_looked_at(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[A-B =\"'#$\\{\\}\n\r\\\\:-]{0,60}") {
        for content in [bytes.as_slice(), text.as_bytes()] {
            let _ = crate::view_env_file("x", content, &|_| None);
        }
    }
}
