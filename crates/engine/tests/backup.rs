//! A backup and its way back, against a real dockerd.

mod support;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use support::{BUSYBOX, address, dockerd};
use tokio_util::sync::CancellationToken;
use wherry_engine::{BackupError, BackupProgress, BackupRequest, Engine, Error, Existing, RestoreRequest};
use wherry_tests::engine::Engine as Dockerd;
use wherry_tests::process::{output, run};

/// What only a few programs make right: names, links, modes, owners, times, holes, more than one layer of folders.
const ODD_FILES: &str = r#"
cd /v && mkdir -p "a/b c/ü" empty && echo one > "a/b c/ü/it's" && ln "a/b c/ü/it's" hard && ln -s a/b\ c soft
ln -s /etc/passwd outside && ln -s ../../.. up && busybox chown 1234:5678 hard && busybox chmod 4751 hard
busybox chmod 1777 empty && busybox touch -d 2001-02-03T04:05:06 hard && busybox mkfifo pipe
busybox dd if=/dev/zero of=sparse bs=1 count=1 seek=5000000 2>/dev/null
echo x > "$(busybox printf 'new\nline')" && echo y > "$(busybox printf 'n%0250d' 7)" && busybox chown 77:88 . && busybox chmod 2750 .
"#;

/// Everything about each file of a volume.
const DESCRIBE: &str = r"cd /v && busybox find . -exec busybox stat -c '%n|%F|%a|%u:%g|%s|%h|%N' {} \; | busybox sort
busybox find . -type f -exec busybox sha256sum {} \; | busybox sort; busybox stat -c %Y hard";

fn docker(dockerd: &Dockerd, arguments: &[&str]) -> String {
    run(dockerd.docker().args(arguments))
}

fn in_volume(dockerd: &Dockerd, volume: &str, script: &str) -> String {
    let mount = format!("{volume}:/v");
    let arguments = [
        "run",
        "--rm",
        "--network",
        "none",
        "--volume",
        &mount,
        BUSYBOX,
        "sh",
        "-c",
        script,
    ];
    docker(dockerd, &arguments)
}

fn inspect(dockerd: &Dockerd, container: &str) -> Value {
    let text = docker(dockerd, &["inspect", container]);
    serde_json::from_str::<Value>(&text).expect("JSON")[0].clone()
}

fn forget_everything(dockerd: &Dockerd) {
    for container in docker(dockerd, &["ps", "--all", "--quiet"]).lines() {
        docker(dockerd, &["rm", "--force", "--volumes", container]);
    }
    docker(dockerd, &["network", "prune", "--force"]);
    for volume in docker(dockerd, &["volume", "ls", "--quiet"]).lines() {
        docker(dockerd, &["volume", "rm", volume]);
    }
    for image in docker(dockerd, &["images", "--quiet", "--no-trunc"]).lines() {
        let _ = output(dockerd.docker().args(["rmi", "--force", image]));
    }
}

/// All that is ours and should not be there afterwards.
fn leftovers(dockerd: &Dockerd) -> String {
    let containers = docker(dockerd, &["ps", "--all", "--format", "{{.Names}} {{.Labels}}"]);
    let images = docker(dockerd, &["images", "--format", "{{.Repository}}"]);
    containers
        .lines()
        .chain(images.lines())
        .filter(|line| line.contains("wherry"))
        .collect()
}

fn quiet() -> BackupProgress {
    Arc::new(|_| ())
}

fn backup_to(file: &Path) -> BackupRequest {
    BackupRequest {
        file: file.to_owned(),
        settings: Some(json!({ "theme": "dark" })),
        pause: true,
        owner: "test".into(),
    }
}

fn restore_from(file: &Path, existing: Existing) -> RestoreRequest {
    RestoreRequest {
        file: file.to_owned(),
        existing,
        start: true,
        owner: "test".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_saved_comes_back_as_it_was() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("everything.tar");
    fill(&dockerd);
    let files = in_volume(&dockerd, "odd", DESCRIBE);
    let before = [inspect(&dockerd, "db"), inspect(&dockerd, "api")];
    save(&dockerd, &engine, &file).await;
    over_what_is_there(&dockerd, &engine, &file, &files).await;
    forget_everything(&dockerd);
    on_an_empty_engine(&dockerd, &engine, &file, &files, &before).await;
    called_off(&dockerd, &engine, &file).await;
}

fn fill(dockerd: &Dockerd) {
    docker(dockerd, &["volume", "create", "--label", "of=shop", "odd"]);
    in_volume(dockerd, "odd", ODD_FILES);
    docker(dockerd, &["volume", "create", "empty"]);
    docker(
        dockerd,
        &[
            "network",
            "create",
            "--subnet",
            "10.77.0.0/24",
            "--label",
            "of=shop",
            "back",
        ],
    );
    docker(dockerd, &["network", "create", "front"]);
    docker(dockerd, &["tag", BUSYBOX, "shop/api:2"]);
    let db = [
        "run",
        "--detach",
        "--name",
        "db",
        "--network",
        "back",
        "--ip",
        "10.77.0.9",
        "--volume",
        "odd:/data:ro",
        "--volume",
        "/cache",
        "--restart",
        "unless-stopped",
        "--env",
        "SECRET=it's",
        "--label",
        "of=shop",
        "--memory",
        "64m",
        "--hostname",
        "database",
        BUSYBOX,
        "sleep",
        "1000",
    ];
    docker(dockerd, &db);
    docker(dockerd, &["exec", "db", "sh", "-c", "echo kept > /cache/file"]);
    let api = [
        "create",
        "--name",
        "api",
        "--network",
        "front",
        "--network-alias",
        "web",
        "--publish",
        "127.0.0.1::80",
        "--health-cmd",
        "true",
        "--read-only",
        "--tmpfs",
        "/tmp",
        "--cap-drop",
        "NET_RAW",
        "shop/api:2",
        "httpd",
        "-f",
    ];
    docker(dockerd, &api);
    docker(dockerd, &["network", "connect", "back", "api"]);
    docker(
        dockerd,
        &[
            "create",
            "--name",
            "aside",
            "--network",
            "container:db",
            BUSYBOX,
            "true",
        ],
    );
}

async fn save(dockerd: &Dockerd, engine: &Engine, file: &Path) {
    let none = CancellationToken::new();
    let report = engine
        .back_up(&backup_to(file), &quiet(), &none)
        .await
        .expect("a backup");
    assert_eq!(
        inspect(dockerd, "db")["State"]["Status"],
        "running",
        "nothing stays paused"
    );
    assert_eq!(leftovers(dockerd), "");
    let manifest = report.manifest;
    assert_eq!(
        (
            manifest.volumes.len(),
            manifest.containers.len(),
            manifest.networks.len()
        ),
        (3, 3, 2)
    );
    assert_eq!(report.file_bytes, fs_err::metadata(file).expect("the file").len());
    assert_eq!(
        wherry_engine::verify_backup(file, quiet()).await.expect("whole"),
        manifest
    );
    // A person gets at it without us.
    let listed = run(std::process::Command::new("tar").arg("-tf").arg(file));
    assert!(
        listed.starts_with("README.txt\nsettings.json\n") && listed.contains("volumes/odd.tar.zst"),
        "{listed}"
    );
}

/// Nothing is touched unasked.
async fn over_what_is_there(dockerd: &Dockerd, engine: &Engine, file: &Path, files: &str) {
    let none = CancellationToken::new();
    let refused = engine
        .restore(&restore_from(file, Existing::Refuse), &quiet(), &none)
        .await;
    match refused {
        Err(Error::Backup(BackupError::Exists { names })) => {
            for name in ["Volume odd", "Container api"] {
                assert!(names.contains(&name.to_owned()), "{names:?}");
            }
        }
        other => panic!("{other:?}"),
    }
    in_volume(dockerd, "odd", "echo changed > /v/hard");
    docker(dockerd, &["rm", "api"]);
    let kept = engine
        .restore(&restore_from(file, Existing::Keep), &quiet(), &none)
        .await
        .expect("the rest");
    assert_eq!((kept.containers, kept.volumes), (1, 0), "{kept:?}");
    assert_eq!(in_volume(dockerd, "odd", "busybox cat /v/hard").trim(), "changed");
    let replaced = engine
        .restore(&restore_from(file, Existing::Replace), &quiet(), &none)
        .await
        .expect("replaced");
    assert_eq!((replaced.containers, replaced.volumes), (3, 3), "{replaced:?}");
    assert_eq!(in_volume(dockerd, "odd", DESCRIBE), files);
}

async fn on_an_empty_engine(dockerd: &Dockerd, engine: &Engine, file: &Path, files: &str, before: &[Value; 2]) {
    let none = CancellationToken::new();
    let restored = engine
        .restore(&restore_from(file, Existing::Refuse), &quiet(), &none)
        .await
        .expect("restored");
    assert_eq!(restored.settings, Some(json!({ "theme": "dark" })));
    assert_eq!(restored.notes, Vec::<String>::new());
    assert_eq!(leftovers(dockerd), "");
    assert_eq!(in_volume(dockerd, "odd", DESCRIBE), files, "every file as it was");
    assert_eq!(
        docker(dockerd, &["volume", "inspect", "--format", "{{.Labels.of}}", "odd"]).trim(),
        "shop"
    );
    assert_eq!(
        docker(dockerd, &["exec", "db", "cat", "/cache/file"]).trim(),
        "kept",
        "a volume without a name too"
    );
    let after = [inspect(dockerd, "db"), inspect(dockerd, "api")];
    for (before, after) in before.iter().zip(&after) {
        for place in [
            "/Name",
            "/Config/Env",
            "/Config/Cmd",
            "/Config/Labels",
            "/Config/Image",
            "/Config/Healthcheck",
            "/HostConfig/RestartPolicy",
            "/HostConfig/Memory",
            "/HostConfig/PortBindings",
            "/HostConfig/NetworkMode",
            "/HostConfig/ReadonlyRootfs",
            "/HostConfig/Tmpfs",
            "/HostConfig/CapDrop",
        ] {
            assert_eq!(before.pointer(place), after.pointer(place), "{place}");
        }
        let networks = |container: &Value| -> Vec<String> {
            let all = container["NetworkSettings"]["Networks"].as_object().expect("networks");
            all.keys().cloned().collect()
        };
        assert_eq!(networks(before), networks(after));
    }
    assert_eq!(after[0]["Config"]["Hostname"], "database");
    assert_eq!(
        after[0]["NetworkSettings"]["Networks"]["back"]["IPAddress"],
        "10.77.0.9"
    );
    assert_eq!(after[0]["State"]["Status"], "running");
    assert_eq!(
        after[1]["Config"]["Hostname"],
        after[1]["Id"].as_str().expect("an id")[..12]
    );
    docker(dockerd, &["start", "api", "aside"]);
}

/// No file, no trace in the engine, the old file as it was.
async fn called_off(dockerd: &Dockerd, engine: &Engine, file: &Path) {
    let folder = file.parent().expect("a folder");
    let length = fs_err::metadata(file).expect("the file").len();
    for at in [1, 2, 5, 20] {
        let called_off = CancellationToken::new();
        let (token, count) = (called_off.clone(), std::sync::atomic::AtomicUsize::new(0));
        let tell: BackupProgress = Arc::new(move |_| {
            if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == at {
                token.cancel();
            }
        });
        let result = engine.back_up(&backup_to(file), &tell, &called_off).await;
        assert!(matches!(result, Err(Error::Backup(BackupError::GivenUp))), "{result:?}");
        assert_eq!(leftovers(dockerd), "");
        let names: Vec<_> = fs_err::read_dir(folder).expect("a folder").flatten().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        assert_eq!(fs_err::metadata(file).expect("the file").len(), length);
    }
    assert_eq!(
        inspect(dockerd, "db")["State"]["Status"],
        "running",
        "nothing stays paused"
    );

    // Something else's file is not written over.
    let letter = folder.join("letter.txt");
    fs_err::write(&letter, "dear all").expect("a letter");
    let result = engine
        .back_up(&backup_to(&letter), &quiet(), &CancellationToken::new())
        .await;
    assert!(
        matches!(result, Err(Error::Backup(BackupError::NotOurs { .. }))),
        "{result:?}"
    );
    assert_eq!(fs_err::read(&letter).expect("the letter"), b"dear all");
}
