//! What a spec makes against what the docker command makes of the same line.

mod support;

use serde_json::{Map, Value};
use support::{address, dockerd};
use wherry_engine::{Engine, Error, Invalid, Shell, command_line, paste};
use wherry_tests::engine::Engine as Dockerd;
use wherry_tests::images::busybox_tar;
use wherry_tests::process::run;

/// An image with a command, which no other test counts the names of.
const IMAGE: &str = "shell:1";

fn import(dockerd: &Dockerd) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(dockerd
        .docker()
        .args(["import", "-c", "CMD [\"sleep\", \"1000\"]"])
        .arg(busybox_tar(folder.path()))
        .arg(IMAGE));
}

/// What engine and docker command say differently of equal containers: names of this one, what only a terminal has,
/// and nothing said as nothing, as zero or as an empty list.
fn comparable(value: Value) -> Value {
    const OWN: [&str; 20] = [
        "Id",
        "Created",
        "State",
        "Hostname",
        "ResolvConfPath",
        "HostnamePath",
        "HostsPath",
        "LogPath",
        "AttachStdin",
        "AttachStdout",
        "AttachStderr",
        "StdinOnce",
        "ConsoleSize",
        "SandboxID",
        "SandboxKey",
        "ContainerIDFile",
        "GraphDriver",
        "Path",
        "Args",
        "ProcessLabel",
    ];
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty() || text == "no",
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    };
    match value {
        Value::Object(map) => {
            let kept: Map<String, Value> = map
                .into_iter()
                .filter(|(key, _)| !OWN.contains(&key.as_str()))
                .map(|(key, value)| (key, comparable(value)))
                .filter(|(key, value)| !(empty(value) || key == "MemorySwappiness" && *value == -1))
                .collect();
            Value::Object(kept)
        }
        Value::Array(list) => Value::Array(list.into_iter().map(comparable).collect()),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

fn inspect(dockerd: &Dockerd, name: &str) -> Value {
    let text = run(dockerd.docker().args(["inspect", name]));
    let mut list: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let mut container = list.remove(0);
    // A volume without a name has a new one in each container.
    if let Some(mounts) = container["Mounts"].as_array_mut() {
        for mount in mounts.iter_mut() {
            if mount["Name"].as_str().is_some_and(|name| name.len() == 64) {
                mount["Name"] = Value::Null;
                mount["Source"] = Value::Null;
            }
        }
        mounts.sort_by_key(|mount| mount["Destination"].to_string());
    }
    container["Name"] = Value::Null;
    // The docker command sends lists in the order of a map, and the order means nothing.
    let lists = container["HostConfig"]
        .as_object_mut()
        .into_iter()
        .flat_map(Map::values_mut);
    for list in lists.filter_map(Value::as_array_mut) {
        list.sort_by_key(ToString::to_string);
    }
    if let Some(variables) = container["Config"]["Env"].as_array_mut() {
        variables.sort_by_key(ToString::to_string);
    }
    comparable(container)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_makes_what_the_docker_command_makes() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    import(&dockerd);
    run(dockerd
        .docker()
        .args(["network", "create", "--subnet", "172.31.77.0/24", "front"]));
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().to_str().expect("text");
    fs_err::write(
        folder.path().join(".env"),
        "A=\"quoted\"\nB=x # y  \r\n  C= z\n#D=no\nPATH\nNOT_SET_ANYWHERE\n",
    )
    .expect("written");
    let lines = [
        "-itd --name=x1 -p8081:80 -p 127.0.0.1:5353:53/udp -p 9000 -p 7000-7002:7000-7002 -p 8000-8010:81 IMAGE",
        "--rm --init -e 'A=b c' -e EMPTY= --label a.b=c -l flag -h box --domainname example.org -u 1000:10 -w /app IMAGE sh -c 'echo $HOME'",
        "-v /tmp:/a -v /tmp:/b:ro -v named:/c -v /anonymous --tmpfs /run:size=64m --mount type=bind,src=/etc/hostname,dst=/e,readonly IMAGE",
        "-v ./sub:/a -v $(pwd)/sub:/b:ro --env-file .env IMAGE",
        "--mount type=volume,src=named,dst=/c,volume-nocopy IMAGE",
        "-m 64m --memory-reservation 32m --memory-swap -1 --cpus 0.5 --shm-size 128m --pids-limit 50 --ulimit nofile=1024:2048 --ulimit core=0 IMAGE",
        "--cpu-shares 512 --cpuset-cpus 0 --oom-score-adj 500 --blkio-weight 300 --device-read-bps /dev/zero:1mb IMAGE",
        "--restart on-failure:3 --stop-signal SIGINT --stop-timeout 20 IMAGE",
        "--restart unless-stopped --pull never IMAGE",
        "--health-cmd 'true || false' --health-interval 1m30s --health-timeout 5s --health-retries 2 --health-start-period 3s IMAGE",
        "--no-healthcheck --log-driver json-file --log-opt max-size=1m --log-opt max-file=2 IMAGE",
        "--network front --network-alias web --network-alias api --ip 172.31.77.10 IMAGE",
        "--network host --dns-search example.org IMAGE",
        "--network none --uts host --ipc host --pid host --cgroupns host IMAGE",
        "--dns 1.1.1.1 --dns-option ndots:2 --add-host db:192.168.1.5 --add-host host.docker.internal:host-gateway IMAGE",
        "--privileged --read-only --cap-add NET_ADMIN --cap-drop CHOWN --security-opt no-new-privileges --device /dev/fuse --device /dev/zero:/dev/x:r IMAGE",
        "--sysctl net.core.somaxconn=1024 --group-add 20 --userns host --runtime runc --expose 8000-8002/udp -P IMAGE",
        "--entrypoint sleep IMAGE 1000",
        "--entrypoint '' IMAGE true",
        "--gpus '\"device=0,1\",capabilities=utility' IMAGE",
        "--platform linux/amd64 --cgroup-parent /wherry --oom-kill-disable IMAGE",
    ];
    for (nth, line) in lines.iter().enumerate() {
        let line = format!("docker run {}", line.replace("IMAGE", IMAGE));
        let pasted = paste(&line, Some(Shell::Posix), here, "/root").expect("understood");
        let loud: Vec<_> = pasted
            .notes
            .iter()
            .filter(|note| note.kind != wherry_engine::PasteNoteKind::Harmless)
            .collect();
        assert!(loud.is_empty(), "{line}: {loud:?}");
        // And once more through the line that Wherry writes of it.
        let written = command_line(&pasted.spec, Shell::Posix, true).text;
        let (theirs, ours) = (format!("theirs-{nth}"), format!("ours-{nth}"));
        let script = |line: &str, name: &str| {
            let line = line
                .replacen("docker run", "", 1)
                .replacen(" -itd", " -it", 1)
                .replacen(" -d ", " ", 1);
            let line = line.replace("--name=x1", "").replace("--name x1", "");
            format!(
                "cd '{here}' && docker --host {} create --name {name} {line}",
                dockerd.address()
            )
        };
        run(std::process::Command::new("sh").arg("-c").arg(script(&line, &theirs)));
        let again = format!("again-{nth}");
        run(std::process::Command::new("sh").arg("-c").arg(script(&written, &again)));
        let mut spec = pasted.spec;
        spec.name = Some(ours.clone());
        engine
            .create(&spec)
            .await
            .unwrap_or_else(|error| panic!("{line}: {error:?}"));
        let expected = inspect(&dockerd, &theirs);
        if line.contains("type=volume") {
            pretty_equal(
                &line,
                &without_way(expected.clone()),
                &without_way(inspect(&dockerd, &ours)),
            );
        } else {
            pretty_equal(&line, &expected, &inspect(&dockerd, &ours));
        }
        pretty_equal(
            &written,
            &without_way(expected),
            &without_way(inspect(&dockerd, &again)),
        );
        let copy = format!("copy-{nth}");
        made_again(&engine, &dockerd, &line, &theirs, &copy).await;
        run(dockerd.docker().args(["rm", "-f", "-v", &theirs, &ours, &again, &copy]));
    }
    run(dockerd.docker().args(["network", "rm", "front"]));
    run(dockerd.docker().args(["volume", "rm", "named"]));
}

/// What is read from a container makes the same once more.
async fn made_again(engine: &Engine, dockerd: &Dockerd, line: &str, theirs: &str, copy: &str) {
    let made = engine.made_of(theirs).await.expect("read");
    assert_eq!(made.lost, Vec::<String>::new(), "{line}");
    let mut spec = made.spec.as_copy();
    spec.name = Some(copy.to_owned());
    for network in &mut spec.networks {
        network.ip = ip_of(&network.name, line);
    }
    engine
        .create(&spec)
        .await
        .unwrap_or_else(|error| panic!("{line}: {error:?}"));
    pretty_equal(
        &format!("again: {line}"),
        &without_way(inspect(dockerd, theirs)),
        &without_way(inspect(dockerd, copy)),
    );
}

/// A copy has no address of its own; nothing runs here, so two may have the same.
fn ip_of(network: &str, line: &str) -> Option<String> {
    (network == "front" && line.contains("--ip")).then(|| "172.31.77.10".to_owned())
}

/// `--mount type=volume` and `-v` ask for the same in two ways.
fn without_way(mut container: Value) -> Value {
    for way in ["Mounts", "Binds"] {
        container["HostConfig"][way] = Value::Null;
    }
    for mount in container["Mounts"].as_array_mut().into_iter().flatten() {
        mount["Mode"] = Value::Null;
    }
    container
}

fn pretty_equal(line: &str, theirs: &Value, ours: &Value) {
    for part in ["Config", "HostConfig", "NetworkSettings", "Mounts"] {
        let (theirs, ours) = (&theirs[part], &ours[part]);
        let differing: Vec<String> = match (theirs, ours) {
            (Value::Object(theirs), Value::Object(ours)) => theirs
                .keys()
                .chain(ours.keys())
                .filter(|key| theirs.get(*key) != ours.get(*key))
                .map(|key| format!("{key}: docker {:?}, wherry {:?}", theirs.get(key), ours.get(key)))
                .collect(),
            _ if theirs == ours => Vec::new(),
            _ => vec![format!("docker {theirs}, wherry {ours}")],
        };
        assert!(differing.is_empty(), "{line}\n{part}\n{}", differing.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_variables_that_docker_refuses_is_refused() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    import(&dockerd);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("odd.env");
    let path = file.to_str().expect("text").to_owned();
    for content in [
        "export A=b\n",
        "A=b\n=c\n",
        "A B=c\n",
        "A=\u{feff}x\nB=\u{a0}y\n",
        "\u{feff}A=b\n",
    ] {
        fs_err::write(&file, content).expect("written");
        let output = dockerd
            .docker()
            .args(["create", "--name", "theirs-env", "--env-file", &path, IMAGE])
            .output()
            .expect("docker runs");
        let line = format!("docker run --name ours-env --env-file {path} {IMAGE}");
        let spec = paste(&line, Some(Shell::Posix), "/", "/").expect("understood").spec;
        let ours = engine.create(&spec).await;
        assert_eq!(
            output.status.success(),
            ours.is_ok(),
            "{content:?}: {output:?} {ours:?}"
        );
        match ours {
            Ok(_) => {
                let env = |name: &str| run(dockerd.docker().args(["inspect", "-f", "{{json .Config.Env}}", name]));
                assert_eq!(env("theirs-env"), env("ours-env"), "{content:?}");
                run(dockerd.docker().args(["rm", "theirs-env", "ours-env"]));
            }
            Err(error) => assert!(matches!(error, Error::Invalid(Invalid::EnvFile { .. })), "{error:?}"),
        }
    }
}
