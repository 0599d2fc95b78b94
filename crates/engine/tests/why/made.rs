//! What a container was made of, read back from a real engine.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_container_was_made_of_is_read_back() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let folder = tempfile::tempdir_in(dockerd.folder()).expect("a folder");
    let mut made = spec(BUSYBOX, "read-back", &["sleep", "1000"]);
    made.ports = vec![PublishedPort {
        host_address: Some("127.0.0.1".into()),
        host_port: Some(18_080),
        container_port: 80,
        ..PublishedPort::default()
    }];
    made.mounts = vec![
        mount(folder.path(), "/data", true),
        RunMount {
            source: MountSource::Volume {
                name: Some("kept".into()),
            },
            target: "/kept".into(),
            read_only: false,
            options: Vec::new(),
        },
        RunMount {
            source: MountSource::Memory,
            target: "/fast".into(),
            read_only: false,
            options: vec!["size=1m".into()],
        },
    ];
    made.environment = vec![Variable {
        name: "GREETING".into(),
        value: "it's = here".into(),
    }];
    made.labels = vec![Variable {
        name: "team".into(),
        value: "shop".into(),
    }];
    made.memory = Some(64 << 20);
    made.cpus = Some(0.5);
    made.shm_size = Some(128 << 20);
    made.restart = Restart::OnFailure { retries: Some(3) };
    made.user = Some("0:0".into());
    made.working_directory = Some("/www".into());
    made.hostname = Some("reader".into());
    made.extra_hosts = vec!["db:192.168.1.5".into()];
    made.cap_add = vec!["CAP_NET_ADMIN".into()];
    made.init = true;
    made.stop_timeout = Some(3);
    made.entrypoint = Some("env".into());
    let id = engine.create(&made).await.expect("created");
    assert_eq!(engine.made_of(&id).await.expect("read back").spec, made);
    assert_eq!(
        engine.container(&id).await.expect("it is there").state,
        ContainerState::Created
    );
    engine.remove(&id, Removal::FORCED).await.expect("removed");
    let plain = spec(BUSYBOX, "read-back-plain", &["true"]);
    let id = engine.create(&plain).await.expect("created");
    assert_eq!(engine.made_of(&id).await.expect("read back").spec, plain);
    engine.remove(&id, Removal::FORCED).await.expect("removed");
}
