//! Against a real dockerd.

mod support;

use std::net::TcpListener;
use std::pin::pin;

use futures::{Stream, StreamExt as _};
use support::{BUSYBOX, address, dockerd};
use wherry_engine::{
    Change, ContainerState, Engine, Error, Happened, Link, LogChunk, LogLine, LogSource, PublishedPort, ReclaimRequest,
    Recorder, Removal, RunSpec, Variable,
};
use wherry_tests::images::busybox_tar;
use wherry_tests::process::{run, until};
use wherry_tests::registry::Registry;

fn spec(name: &str, command: &[&str]) -> RunSpec {
    RunSpec {
        image: BUSYBOX.into(),
        name: Some(name.into()),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        ..RunSpec::default()
    }
}

fn published(host: Option<u16>) -> PublishedPort {
    PublishedPort {
        host_address: Some("127.0.0.1".into()),
        host_port: host,
        container_port: 80,
        ..PublishedPort::default()
    }
}

async fn started(engine: &Engine, spec: &RunSpec) -> String {
    let id = engine.create(spec).await.expect("created");
    engine.start(&id).await.expect("started");
    id
}

async fn lines(logs: impl Stream<Item = Result<LogChunk, Error>>) -> Vec<LogLine> {
    let mut logs = pin!(logs);
    let mut lines = Vec::new();
    while let Some(chunk) = logs.next().await {
        lines.extend(chunk.expect("a chunk").lines);
    }
    lines
}

fn texts(lines: &[LogLine], source: LogSource) -> Vec<&str> {
    lines
        .iter()
        .filter(|line| line.source == source)
        .map(|line| line.text.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_made_seen_stopped_and_removed() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let mut spec = spec("web", &["httpd", "-f", "-p", "80", "-h", "/www"]);
    spec.ports = vec![published(None)];
    spec.environment = vec![Variable {
        name: "GREETING".into(),
        value: "it's here".into(),
    }];
    let id = started(&engine, &spec).await;

    let listed = engine.containers(false).await.expect("a list");
    let web = listed
        .iter()
        .find(|container| container.id == id)
        .expect("it is listed");
    assert_eq!(
        (web.name.as_str(), web.image.as_str(), web.state),
        ("web", BUSYBOX, ContainerState::Running)
    );
    let [port] = web.ports.as_slice() else {
        panic!("one port: {:?}", web.ports)
    };
    let host = port.host.as_ref().expect("published");
    assert_eq!((port.container, host.address.as_str()), (80, "127.0.0.1"));
    // A container that is started is not yet one whose server listens.
    wherry_tests::fetch::page_with(&format!("127.0.0.1:{}", host.port), "served by wherry's test");
    assert_eq!(engine.container("web").await.expect("by name").id, id);
    assert_eq!(
        engine.container_name(&id[..12]).await.expect("by the start of its id"),
        "web"
    );

    let images = engine.images().await.expect("images");
    let image = images
        .iter()
        .find(|image| image.references.iter().any(|reference| reference == BUSYBOX))
        .expect("its image");
    assert!(image.used_by.contains(&"web".to_owned()) && image.size > 0 && image.created > 0);
    assert_eq!(engine.image(BUSYBOX).await.expect("its image").id, image.id);
    assert!(
        matches!(engine.remove("web", Removal::default()).await, Err(Error::InUse { .. })),
        "it runs"
    );
    assert!(
        matches!(engine.remove_image(BUSYBOX, false).await, Err(Error::InUse { .. })),
        "web uses it"
    );
    assert!(matches!(engine.create(&spec).await, Err(Error::NameTaken { name: Some(name), .. }) if name == "web"));

    assert!(engine.disk_usage().await.expect("usage").images > 0);

    engine.start("web").await.expect("one that runs may be started");
    run(dockerd.docker().args(["kill", "--signal", "KILL", "web"]));
    engine.stop("web").await.expect("one that has stopped may be stopped");
    let web = engine.container("web").await.expect("it is there");
    assert_eq!((web.state, web.exit_code), (ContainerState::Exited, Some(137)));
    engine.restart("web").await.expect("restarted");
    engine
        .remove("web", Removal::FORCED)
        .await
        .expect("removed although it runs");
    assert!(matches!(engine.start("web").await, Err(Error::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_told_whoever_has_it() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = listener.local_addr().expect("an address").port();
    let mut first = spec("taken-by-us", &["sleep", "1000"]);
    first.ports = vec![published(Some(taken))];
    let id = engine.create(&first).await.expect("created");
    assert!(matches!(engine.start(&id).await, Err(Error::PortTaken { port, .. }) if port == taken));
    drop(listener);
    engine.start(&id).await.expect("now it is free");
    let mut second = spec("taken-by-a-container", &["sleep", "1000"]);
    second.ports = vec![published(Some(taken))];
    let other = engine.create(&second).await.expect("created");
    assert!(matches!(engine.start(&other).await, Err(Error::PortTaken { port, .. }) if port == taken));
    for id in [id, other] {
        engine.remove(&id, Removal::FORCED).await.expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_has_both_outputs_and_follows_to_the_end() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let script = "echo one; echo two >&2; cat; echo last";
    // Its end is in our hands: it waits for the end of its input.
    run(dockerd
        .docker()
        .args(["create", "--name", "talk", "-i", BUSYBOX, "sh", "-c", script]));
    engine.start("talk").await.expect("started");
    let mut follow = Box::pin(engine.logs("talk", 100, true).await.expect("a log"));
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend(follow.next().await.expect("it goes on").expect("a chunk").lines);
    }
    assert_eq!(texts(&seen, LogSource::Stdout), ["one"]);
    assert_eq!(texts(&seen, LogSource::Stderr), ["two"]);
    assert!(seen.iter().all(|line| line.millis.is_some()));
    run(dockerd.docker().args(["kill", "talk"]));
    assert_eq!(lines(follow).await.len(), 0, "it ends with the container");
    let tail = lines(engine.logs("talk", 1, false).await.expect("a log")).await;
    assert_eq!(tail.len(), 1);
    engine.remove("talk", Removal::FORCED).await.expect("removed");
    assert!(matches!(
        engine.logs("talk", 1, false).await,
        Err(Error::NotFound { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_long_lines_and_one_of_a_terminal() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let long = "i=0; while [ $i -lt 17 ]; do x=$x$x; [ $i = 0 ] && x=abcdefgh; i=$((i+1)); done; echo $x; echo end";
    run(dockerd
        .docker()
        .args(["run", "--name", "long", BUSYBOX, "sh", "-c", long]));
    let lines_of_long = lines(engine.logs("long", 100, false).await.expect("a log")).await;
    let lengths: Vec<usize> = texts(&lines_of_long, LogSource::Stdout)
        .iter()
        .map(|text| text.len())
        .collect();
    assert_eq!(lengths, [8 << 16, "end".len()], "half a megabyte arrives as one line");

    run(dockerd.docker().args([
        "run",
        "-d",
        "-t",
        "--name",
        "terminal",
        BUSYBOX,
        "sh",
        "-c",
        "echo red; echo blue >&2",
    ]));
    let terminal = lines(engine.logs("terminal", 100, true).await.expect("a log")).await;
    assert_eq!(texts(&terminal, LogSource::Terminal), ["red", "blue"]);
    for name in ["long", "terminal"] {
        engine.remove(name, Removal::FORCED).await.expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_do_is_told() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let mut changes = engine.changes();
    let mut link = engine.link();
    let connected = link
        .wait_for(|link| matches!(link, Link::Connected { .. }))
        .await
        .expect("connected")
        .clone();
    let Link::Connected { info, .. } = connected else {
        panic!("connected")
    };
    assert_eq!(info.product, "Docker");
    assert!(info.cpus > 0 && info.memory > 0 && !info.version.is_empty(), "{info:?}");
    run(dockerd.docker().args(["create", "--name", "by-hand", BUSYBOX, "true"]));
    let mut told = std::collections::BTreeSet::new();
    while told.len() < Change::ALL.len() {
        told.insert(changes.recv().await.expect("a change"));
    }
    run(dockerd.docker().args(["rm", "by-hand"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_pulled_with_progress_or_told_not_to_be_there() {
    need_dockerd!();
    wherry_tests::skip_unless!(
        wherry_tests::process::installed("docker-registry"),
        "docker-registry is not installed"
    );
    let dockerd = dockerd();
    let storage = tempfile::tempdir().expect("a temporary folder");
    let registry = Registry::serve(storage.path());
    let name = format!("{}/tools/busybox", registry.address());
    // An image of its own: a name more or less of the other tests' image would be seen there.
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(dockerd
        .docker()
        .arg("import")
        .arg(busybox_tar(folder.path()))
        .arg(&name));
    let pushed = run(dockerd.docker().args(["push", &name]));
    let digest = pushed
        .split_whitespace()
        .find(|word| word.starts_with("sha256:"))
        .expect("a digest")
        .to_owned();
    run(dockerd.docker().args(["rmi", &name]));
    let engine = Engine::connect(address(&dockerd));
    for reference in [name.clone(), format!("{name}:latest"), format!("{name}@{digest}")] {
        let mut pull = pin!(engine.pull(&reference, None).await.expect("it begins"));
        while let Some(progress) = pull.next().await {
            let progress = progress.expect("progress");
            assert!(progress.done_bytes <= progress.total_bytes, "{progress:?}");
        }
        engine.image(&reference).await.expect("it is here");
    }
    let missing = format!("{}/nobody/nothing:1", registry.address());
    let error = match engine.pull(&missing, None).await {
        Err(error) => error,
        Ok(pull) => {
            let mut last = None;
            let mut pull = pin!(pull);
            while let Some(item) = pull.next().await {
                last = item.err();
            }
            last.expect("an error ends it")
        }
    };
    assert!(
        matches!(&error, Error::ImageNotFound { reference, .. } if *reference == missing),
        "{error:?}"
    );
    assert!(matches!(
        engine
            .create(&RunSpec {
                image: missing.clone(),
                ..RunSpec::default()
            })
            .await,
        Err(Error::ImageNotFound { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_containers_use_and_what_happened_is_kept() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    // Before anybody listens: the engine is asked for it afterwards.
    let early = started(&engine, &spec("early", &["true"])).await;
    run(dockerd.docker().args(["wait", "early"]));
    let recorder = Recorder::begin(engine.clone());
    let mut live = pin!(recorder.live());
    let busy = started(
        &engine,
        &spec(
            "busy",
            &[
                "sh",
                "-c",
                "dd if=/dev/zero of=/file bs=1M count=8 conv=fsync; while true; do true; done",
            ],
        ),
    )
    .await;
    let load = loop {
        let load = live.next().await.expect("the recorder goes on");
        if let Some(found) = load
            .containers
            .iter()
            .find(|found| found.id == busy && found.sample.cpu > 1.0)
        {
            break found.clone();
        }
    };
    assert!(
        load.sample.memory > 0 && load.sample.memory_limit > load.sample.memory && load.sample.pids > 0,
        "{load:?}"
    );
    let known = recorder.container(&busy[..12]).expect("it runs");
    assert!(known.totals.is_some());
    let total = recorder.total().await.expect("a total");
    assert!(total.cpu > 1.0 && total.memory >= load.sample.memory, "{total:?}");
    assert!(
        recorder
            .history()
            .containers
            .iter()
            .any(|hour| hour.id == busy && hour.now.is_some())
    );

    engine.remove("busy", Removal::FORCED).await.expect("removed");
    while live
        .next()
        .await
        .expect("the recorder goes on")
        .containers
        .iter()
        .any(|found| found.id == busy)
    {}
    let told = |id: &str| {
        let mut told: Vec<Happened> = recorder
            .happenings()
            .into_iter()
            .filter(|happening| happening.id == id)
            .map(|happening| happening.what)
            .collect();
        told.reverse();
        told
    };
    // Events come over a connection of their own.
    let whole = [Happened::Started, Happened::Ended { exit_code: 137 }, Happened::Removed];
    until("the end of busy", || (told(&busy) == whole).then_some(()));
    let whole = [Happened::Started, Happened::Ended { exit_code: 0 }];
    until("the story of early", || (told(&early) == whole).then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_what_is_named_is_reclaimed() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    started(
        &engine,
        &spec("finished", &["sh", "-c", "head -c 3000000 /dev/zero > /file"]),
    )
    .await;
    run(dockerd.docker().args(["wait", "finished"]));
    run(dockerd.docker().args(["volume", "create", "spare"]));
    // Two names of one image that no container has; other tests' image is not it.
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(dockerd
        .docker()
        .arg("import")
        .arg(busybox_tar(folder.path()))
        .arg("unused:1"));
    run(dockerd.docker().args(["tag", "unused:1", "unused:2"]));

    let found = engine.reclaimable().await.expect("a list");
    let finished = found
        .containers
        .iter()
        .find(|item| item.name == "finished")
        .expect("it is listed");
    assert!(
        finished.size >= 3_000_000
            && finished
                .status
                .as_ref()
                .is_some_and(|status| status.contains("Exited (0)"))
    );
    let unused = found
        .images
        .iter()
        .find(|item| item.name == "unused:1")
        .expect("it is listed");
    let mut names = unused.remove.clone();
    names.sort();
    assert_eq!(names, ["unused:1", "unused:2"]);
    assert!(found.volumes.iter().any(|item| item.name == "spare"));
    assert!(
        !found.images.iter().any(|item| item.name == BUSYBOX),
        "a container has it"
    );

    let request = ReclaimRequest {
        containers: vec!["finished".into(), "nobody".into()],
        images: unused.remove.clone(),
        ..ReclaimRequest::default()
    };
    let reclaimed = engine.reclaim(&request).await.expect("reclaimed");
    let left: Vec<&str> = reclaimed.left.iter().map(|left| left.name.as_str()).collect();
    assert_eq!(left, ["nobody"], "{reclaimed:?}");
    let found = engine.reclaimable().await.expect("a list");
    assert!(!found.containers.iter().any(|item| item.name == "finished"));
    assert!(!found.images.iter().any(|item| item.name.starts_with("unused")));
    assert!(
        found.volumes.iter().any(|item| item.name == "spare"),
        "it was not named"
    );
}
