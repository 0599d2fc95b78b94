//! What is removed comes back as it was, against a real dockerd.

mod support;

use support::{BUSYBOX, address, dockerd};
use wherry_engine::{Engine, Error, ReclaimRequest, Removal, Restart, RunSpec, TrashId, TrashLimits};
use wherry_tests::process::run;
use wherry_tests::registry::Registry;

fn named(items: &[wherry_engine::TrashItem]) -> Vec<&str> {
    let mut names: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn docker(dockerd: &wherry_tests::engine::Engine, args: &[&str]) -> String {
    run(dockerd.docker().args(args)).trim().to_owned()
}

/// One after the other: emptying the trash empties all of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_comes_back_until_it_is_gone_for_good() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    each_kind_comes_back(&dockerd, &engine).await;
    what_is_too_old_or_not_wanted_is_gone(&dockerd, &engine).await;
    what_was_broken_off_hides_nothing(&dockerd, &engine).await;
    an_image_keeps_the_digest_that_it_was_pulled_by(&dockerd, &engine).await;
}

async fn each_kind_comes_back(dockerd: &wherry_tests::engine::Engine, engine: &Engine) {
    let spec = RunSpec {
        image: BUSYBOX.into(),
        name: Some("shop_web.1".into()),
        restart: Restart::OnFailure { retries: Some(5) },
        command: vec!["sleep".into(), "1000".into()],
        ..RunSpec::default()
    };
    let id = engine.create(&spec).await.expect("created");
    engine.start(&id).await.expect("started");
    docker(dockerd, &["exec", "shop_web.1", "sh", "-c", "echo kept >/note"]);
    assert!(
        matches!(
            engine.trash_container(&id, Removal::default()).await,
            Err(Error::InUse { .. })
        ),
        "it runs"
    );
    let kept = engine.trash_container(&id, Removal::FORCED).await.expect("removed");
    assert_eq!(kept, Some(TrashId::Container(id.clone())));
    assert!(
        !engine
            .containers(true)
            .await
            .expect("a list")
            .iter()
            .any(|found| found.id == id)
    );
    let policy = [
        "inspect",
        "--format",
        "{{.HostConfig.RestartPolicy.Name}} {{.State.Running}}",
        &id,
    ];
    assert_eq!(docker(dockerd, &policy), "no false", "nothing starts it by itself");

    // Somebody takes its name meanwhile.
    docker(dockerd, &["create", "--name", "shop_web.1", BUSYBOX, "true"]);
    let back = engine
        .restore_trashed(&TrashId::Container(id.clone()))
        .await
        .expect("back");
    assert_eq!((back.name.as_str(), back.not_started), ("shop_web.1-restored", None));
    let how = "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}} {{.State.Running}}";
    assert_eq!(docker(dockerd, &["inspect", "--format", how, &id]), "on-failure 5 true");
    assert_eq!(docker(dockerd, &["exec", &id, "cat", "/note"]), "kept");
    docker(dockerd, &["rm", "--force", "shop_web.1", &id]);

    // An image: a name goes, and comes back.
    docker(dockerd, &["tag", BUSYBOX, "localhost:5000/team/kept:One"]);
    let kept = engine
        .trash_image("localhost:5000/team/kept:One", false)
        .await
        .expect("removed");
    let references = |images: Vec<wherry_engine::ImageSummary>| -> Vec<String> {
        images.into_iter().flat_map(|image| image.references).collect()
    };
    let listed = references(engine.images().await.expect("a list"));
    assert!(
        !listed
            .iter()
            .any(|name| name.contains("kept") || name.contains("trash")),
        "{listed:?}"
    );
    let back = engine.restore_trashed(&kept[0]).await.expect("back");
    assert_eq!(back.name, "localhost:5000/team/kept:One");
    let listed = references(engine.images().await.expect("a list"));
    assert!(
        listed.contains(&"localhost:5000/team/kept:One".to_owned()),
        "{listed:?}"
    );
    docker(dockerd, &["rmi", "localhost:5000/team/kept:One"]);

    // A volume: it cannot be renamed, so it is hidden.
    docker(dockerd, &["volume", "create", "data_1"]);
    docker(
        dockerd,
        &["create", "--name", "user", "-v", "data_1:/d", BUSYBOX, "true"],
    );
    assert!(matches!(engine.trash_volume("data_1").await, Err(Error::InUse { .. })));
    docker(dockerd, &["rm", "user"]);
    let kept = engine.trash_volume("data_1").await.expect("removed");
    let found = engine.reclaimable().await.expect("a list");
    assert!(
        !found.volumes.iter().any(|item| item.name.contains("data_1")),
        "{:?}",
        found.volumes
    );
    assert!(found.trash.iter().any(|item| item.name == "data_1"));
    engine.restore_trashed(&kept).await.expect("back");
    assert!(
        engine
            .reclaimable()
            .await
            .expect("a list")
            .volumes
            .iter()
            .any(|item| item.name == "data_1")
    );
    docker(dockerd, &["volume", "rm", "data_1"]);
}

async fn what_is_too_old_or_not_wanted_is_gone(dockerd: &wherry_tests::engine::Engine, engine: &Engine) {
    for name in ["going", "staying"] {
        docker(
            dockerd,
            &["create", "--restart", "unless-stopped", "--name", name, BUSYBOX, "true"],
        );
    }
    docker(dockerd, &["volume", "create", "going-data"]);
    let commit = docker(dockerd, &["commit", "going"]);
    docker(dockerd, &["tag", &commit, "going:1"]);
    docker(dockerd, &["tag", &commit, "going:2"]);
    let request = ReclaimRequest {
        containers: vec!["going".into()],
        images: vec!["going:1".into(), "going:2".into()],
        volumes: vec!["going-data".into()],
        keep: true,
        ..ReclaimRequest::default()
    };
    let reclaimed = engine.reclaim(&request).await.expect("kept");
    assert_eq!((reclaimed.kept.len(), reclaimed.left), (4, vec![]));
    let ours: Vec<_> = engine
        .trash(true)
        .await
        .expect("a list")
        .into_iter()
        .filter(|item| item.name.starts_with("going"))
        .collect();
    assert_eq!(named(&ours), ["going", "going-data", "going:1", "going:2"]);
    assert!(
        ours.iter()
            .all(|item| item.bytes.is_some() && item.at > 1_700_000_000_000)
    );

    // Taken up by somebody else, as `docker compose up` does: it is itself again.
    let id = reclaimed.kept.iter().find_map(|kept| match kept {
        TrashId::Container(id) => Some(id.clone()),
        TrashId::Image(_) | TrashId::Volume(_) => None,
    });
    let id = id.expect("the container");
    engine.give_back(&id).await.expect("given back");
    assert_eq!(engine.container_name(&id).await.expect("a name"), "going");
    let policy = ["inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", &id];
    assert_eq!(docker(dockerd, &policy), "unless-stopped");
    engine.trash_container(&id, Removal::default()).await.expect("removed");

    let nothing_is_old = TrashLimits {
        oldest: 1,
        bytes: u64::MAX,
    };
    assert_eq!(engine.shrink_trash(nothing_is_old).await.expect("looked after"), 0);
    let everything = TrashLimits {
        oldest: u64::MAX,
        bytes: 0,
    };
    assert_eq!(engine.shrink_trash(everything).await.expect("emptied"), 4);
    assert_eq!(named(&engine.trash(false).await.expect("a list")), Vec::<&str>::new());
    let left = docker(dockerd, &["ps", "--all", "--format", "{{.Names}}"]);
    assert!(
        left.lines().any(|name| name == "staying") && !left.contains("going"),
        "{left}"
    );
    assert!(!docker(dockerd, &["images", "--format", "{{.Repository}}:{{.Tag}}"]).contains("trash"));
    let volumes = docker(dockerd, &["volume", "ls", "--quiet"]);
    assert!(!volumes.contains("going") && !volumes.contains("trash"), "{volumes}");
    docker(dockerd, &["rm", "staying"]);
}

/// Each state that a program which is killed between two steps leaves behind, made by hand.
async fn what_was_broken_off_hides_nothing(dockerd: &wherry_tests::engine::Engine, engine: &Engine) {
    let restore = async |name: &str| {
        let items = engine.trash(false).await.expect("a list");
        let item = items.into_iter().find(|item| item.name == name).expect("in the trash");
        engine.restore_trashed(&item.id).await.expect("back")
    };
    // Renamed, and its restart policy not taken yet; and the other way around on the way back.
    for policy in ["always", "no"] {
        docker(
            dockerd,
            &["create", "--restart", policy, "--name", "half", BUSYBOX, "true"],
        );
        docker(dockerd, &["rename", "half", "wherry-trash.17.stopped_always_0.half"]);
        assert_eq!(restore("half").await.name, "half");
        let how = ["inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", "half"];
        assert_eq!(docker(dockerd, &how), "always");
        docker(dockerd, &["rm", "half"]);
    }

    // Both names: it is still in the list, and nothing is lost when ours goes.
    docker(dockerd, &["tag", BUSYBOX, "half:1"]);
    docker(dockerd, &["tag", BUSYBOX, "half:wherry-trash.17.1"]);
    let images = engine.images().await.expect("a list");
    let references: Vec<&String> = images.iter().flat_map(|image| &image.references).collect();
    assert!(references.iter().any(|name| *name == "half:1"), "{references:?}");
    assert!(!references.iter().any(|name| name.contains("trash")), "{references:?}");
    assert_eq!(restore("half:1").await.name, "half:1");
    docker(dockerd, &["rmi", "half:1"]);

    // A mark whose volume is gone, and one of a volume that somebody made anew since: it is theirs.
    for name in ["wherry-trash.17.gone", "wherry-trash.17.anew", "anew"] {
        docker(dockerd, &["volume", "create", name]);
    }
    assert_eq!(named(&engine.trash(false).await.expect("a list")), Vec::<&str>::new());
    let found = engine.reclaimable().await.expect("a list");
    assert!(
        found.volumes.iter().any(|item| item.name == "anew"),
        "{:?}",
        found.volumes
    );
    engine
        .delete_trashed(&TrashId::Volume("anew".to_owned()))
        .await
        .expect("nothing to do");
    let nothing_is_old = TrashLimits {
        oldest: 1,
        bytes: u64::MAX,
    };
    engine.shrink_trash(nothing_is_old).await.expect("looked after");
    assert_eq!(
        docker(dockerd, &["volume", "ls", "--quiet"]),
        "anew",
        "the marks are gone"
    );
    docker(dockerd, &["volume", "rm", "anew"]);

    // The unnamed volume of a container comes back with it, and goes with it.
    docker(dockerd, &["create", "--name", "holds", "-v", "/data", BUSYBOX, "true"]);
    let volume = docker(dockerd, &["volume", "ls", "--quiet"]);
    let removal = Removal {
        volumes: true,
        ..Removal::default()
    };
    let kept = engine
        .trash_container("holds", removal)
        .await
        .expect("removed")
        .expect("kept");
    assert_eq!(
        docker(dockerd, &["volume", "ls", "--quiet"]),
        volume,
        "it waits with its container"
    );
    engine.delete_trashed(&kept).await.expect("gone");
    assert_eq!(docker(dockerd, &["volume", "ls", "--quiet"]), "");
}

/// The engine gives nobody a digest but by a pull, and forgets it with the last tag of its repository.
async fn an_image_keeps_the_digest_that_it_was_pulled_by(dockerd: &wherry_tests::engine::Engine, engine: &Engine) {
    wherry_tests::skip_unless!(
        wherry_tests::process::installed("docker-registry"),
        "docker-registry is not installed"
    );
    let storage = tempfile::tempdir().expect("a temporary folder");
    let registry = Registry::serve(storage.path());
    let name = format!("{}/tools/pinned", registry.address());
    docker(dockerd, &["create", "--name", "pinned", BUSYBOX, "true"]);
    docker(dockerd, &["commit", "pinned", &name]);
    docker(dockerd, &["rm", "pinned"]);
    let pushed = docker(dockerd, &["push", &name]);
    let digest = pushed.split_whitespace().find(|word| word.starts_with("sha256:"));
    let pinned = format!("{name}@{}", digest.expect("a digest"));
    docker(dockerd, &["rmi", &name]);
    docker(dockerd, &["pull", "--quiet", &pinned]);
    drop(registry);

    let id = engine.image(&pinned).await.expect("it is here").id;
    let is_listed = async || {
        engine
            .images()
            .await
            .expect("a list")
            .iter()
            .any(|image| image.id == id)
    };
    let is_unused = async || {
        let found = engine.reclaimable().await.expect("a list");
        found.images.iter().any(|image| image.id == id)
    };
    assert!(is_listed().await && is_unused().await);
    for reference in [&id, &pinned] {
        let kept = engine.trash_image(reference, false).await.expect("removed");
        assert!(!is_listed().await && !is_unused().await, "{reference}");
        let items = engine.trash(true).await.expect("a list");
        assert_eq!(named(&items), [pinned.as_str()]);
        assert_eq!(items[0].id, kept[0]);
        let again = items[0].comes_back_as.clone().expect("another name");
        assert!(again.starts_with(&format!("{name}:restored-")), "{again}");
        let back = engine.restore_trashed(&kept[0]).await.expect("back");
        assert_eq!((&back.name, back.lost_digest), (&again, None));
        assert_eq!(engine.image(&pinned).await.expect("by its digest").id, id);
        assert!(is_listed().await);
        // By its digest alone again, with nobody to pull it from: a name that goes to another image leaves it.
        docker(dockerd, &["tag", BUSYBOX, &again]);
        docker(dockerd, &["rmi", &again]);
    }

    // Somebody makes the engine forget it while it is in the trash.
    let kept = engine.trash_image(&id, false).await.expect("removed");
    docker(dockerd, &["rmi", &pinned]);
    let back = engine.restore_trashed(&kept[0]).await.expect("back");
    assert_eq!(back.lost_digest.as_ref(), Some(&pinned));
    let kept = engine.trash_image(&back.name, false).await.expect("removed");
    engine.delete_trashed(&kept[0]).await.expect("gone");
    assert!(matches!(
        engine.image(&id).await,
        Err(Error::ImageNotFound { .. } | Error::NotFound { .. })
    ));
}
