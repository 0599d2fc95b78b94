//! Ends that few people see, with containers that really end so. Only one story has none here: memory of the whole
//! machine that runs out would take the tests with it, so `tests/guest/faults.rs` has a machine for that.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn ends_that_few_people_see_have_their_stories() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let python = python(&dockerd);

    // Old engines let everybody have every port: what newer kernels and rootless engines refuse is refused by setting.
    let mut port = spec(BUSYBOX, "rare-port", &["httpd", "-f", "-p", "80"]);
    port.user = Some("1000".into());
    port.sysctls = vec![Variable {
        name: "net.ipv4.ip_unprivileged_port_start".into(),
        value: "1024".into(),
    }];
    let closed = tempfile::tempdir_in(dockerd.folder()).expect("a folder");
    let mut folder = spec(BUSYBOX, "rare-folder", &["true"]);
    folder.working_directory = Some("/closed/work".into());
    folder.mounts = vec![mount(closed.path(), "/closed", true)];
    let library = "import ctypes; ctypes.CDLL('libGL.so.1')";
    let mut refused = spec(BUSYBOX, "rare-refused", &["true"]);
    refused.sysctls = vec![Variable {
        name: "net.ipv4.no_such_setting".into(),
        value: "1".into(),
    }];
    for (spec, cause, evidence) in [
        (port, Cause::PortNotAllowed, "ermission denied"),
        (folder, Cause::NoWorkingFolder, "mkdir /closed/work"),
        (
            spec(&python, "rare-library", &["python3", "-c", library]),
            Cause::LibraryMissing,
            "libGL.so.1",
        ),
        (refused, Cause::EngineRefused, "no_such_setting"),
    ] {
        let id = die(&dockerd, &engine, &spec).await;
        let why = why(&engine, &id).await;
        assert_eq!(why.cause, cause, "{:?}: {why:#?}", spec.name);
        assert!(says(&why, evidence), "{evidence}: {:?}", why.evidence);
        engine.remove(&id, Removal::FORCED).await.expect("removed");
    }

    // The neighbour that it looks for has the port, on the same network.
    run(dockerd.docker().args(["network", "create", "rare-net"]));
    let on_net = |mut spec: RunSpec| {
        spec.networks = vec![wherry_engine::RunNetwork {
            name: "rare-net".into(),
            ..wherry_engine::RunNetwork::default()
        }];
        spec
    };
    let mut neighbour = on_net(spec(BUSYBOX, "rare-db", &["sleep", "1000"]));
    neighbour.ports = vec![PublishedPort {
        host_address: Some("127.0.0.1".into()),
        container_port: 11434,
        ..PublishedPort::default()
    }];
    let db = engine.create(&neighbour).await.expect("created");
    engine.start(&db).await.expect("started");
    let id = die(&dockerd, &engine, &on_net(asks_localhost(&python))).await;
    let story = why(&engine, &id).await;
    assert_eq!(story.cause, Cause::NeedsContainerName, "{story:#?}");
    for id in [id, db] {
        engine.remove(&id, Removal::FORCED).await.expect("removed");
    }
    run(dockerd.docker().args(["network", "rm", "rare-net"]));
}
