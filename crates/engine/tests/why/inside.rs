//! Servers that really listen only inside their container, and what is told of them.

use std::path::PathBuf;

use super::*;

/// Starts it, and waits until it listens.
async fn told(engine: &Engine, spec: &RunSpec) -> (String, Why) {
    let id = engine.create(spec).await.expect("created");
    engine.start(&id).await.expect("started");
    let mut story = None;
    for _ in 0..600 {
        story = engine.why(&id, &Known::default()).await.expect("facts");
        if story.is_some() {
            break;
        }
        let state = engine.container(&id).await.expect("it is there").state;
        assert_eq!(state, ContainerState::Running, "{:?} has ended", spec.name);
        tokio::task::yield_now().await;
    }
    let story = story.unwrap_or_else(|| panic!("{:?} listens inside only", spec.name));
    assert_eq!(story.cause, Cause::OnlyInside, "{story:#?}");
    (id, story)
}

fn published(mut spec: RunSpec) -> RunSpec {
    spec.ports = vec![PublishedPort {
        host_address: Some("127.0.0.1".into()),
        container_port: 8000,
        ..PublishedPort::default()
    }];
    spec
}

/// Node of this computer, in a container: its program and the libraries of the system.
fn with_node(mut spec: RunSpec, more: &Path) -> RunSpec {
    let found = run(Command::new("sh").args(["-c", "command -v node"]));
    let node: PathBuf = fs_err::canonicalize(found.trim()).expect("node is installed");
    let mounted = |path: &str| (PathBuf::from(path), path.to_owned());
    let mut sources = vec![
        (node, "/opt/node".to_owned()),
        (more.to_owned(), more.display().to_string()),
    ];
    sources.extend(["/usr/lib", "/lib", "/lib64"].map(mounted));
    spec.mounts = sources
        .iter()
        .filter(|(source, _)| source.exists())
        .map(|(source, target)| mount(&fs_err::canonicalize(source).expect("it exists"), target, true))
        .collect();
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_without_a_rule_of_their_own_are_told_too() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    for (name, words) in [
        ("in-httpd", &["httpd", "-f", "-p", "127.0.0.1:8000"][..]),
        (
            "in-shell",
            &["sh", "-c", "while :; do httpd -f -p 127.0.0.1:8000; done"],
        ),
    ] {
        let (id, story) = told(&engine, &published(spec(BUSYBOX, name, words))).await;
        assert_eq!(story.fixes[0].button, "Change the command", "{story:#?}");
        assert_eq!(form(&story), Some(&engine.made_of(&id).await.expect("made of").spec));
        engine.remove(&id, Removal::FORCED).await.expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_node_are_told_and_the_remedy_works() {
    need_dockerd!();
    wherry_tests::skip_unless!(wherry_tests::process::installed("node"), "node is not installed");
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui");
    let ui = fs_err::canonicalize(ui).expect("the interface");
    let vite = ui.join("node_modules/vite/bin/vite.js");
    wherry_tests::skip_unless!(vite.is_file(), "the interface's packages are not installed");
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));

    let server = "require('http').createServer((_, answer) => answer.end('hello')).listen(8000, 'localhost')";
    let own = with_node(spec(BUSYBOX, "in-node", &["/opt/node", "-e", server]), &ui);
    let (id, story) = told(&engine, &published(own)).await;
    assert_eq!(story.fixes[0].button, "Change the command");
    engine.remove(&id, Removal::FORCED).await.expect("removed");

    let page = tempfile::tempdir_in(dockerd.folder()).expect("a folder");
    fs_err::write(page.path().join("index.html"), "served by Vite").expect("a page");
    let line = format!("cd /page && exec /opt/node {} --port 8000 --strictPort", vite.display());
    let mut vite = with_node(spec(BUSYBOX, "in-vite", &["sh", "-c", &line]), &ui);
    vite.mounts.push(mount(page.path(), "/page", false));
    let (id, story) = told(&engine, &published(vite)).await;
    assert_eq!(story.fixes[0].title, "Start Vite for everybody", "{story:#?}");
    let changed = form(&story).expect("a form").clone();
    assert!(changed.command[2].ends_with("--host 0.0.0.0"), "{:?}", changed.command);
    engine.remove(&id, Removal::FORCED).await.expect("removed");
    let id = engine.create(&changed).await.expect("created");
    engine.start(&id).await.expect("started");
    let port = engine.container(&id).await.expect("it runs").ports[0]
        .host
        .as_ref()
        .expect("published")
        .port;
    wherry_tests::fetch::page_with(&format!("127.0.0.1:{port}"), "served by Vite");
    engine.remove(&id, Removal::FORCED).await.expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_listens_only_inside_is_told_and_the_remedy_works() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let python = python(&dockerd);
    let mut inside = spec(
        &python,
        "py-inside",
        &["python3", "-m", "http.server", "8000", "--bind", "127.0.0.1"],
    );
    inside.ports = vec![PublishedPort {
        host_address: Some("127.0.0.1".into()),
        container_port: 8000,
        ..PublishedPort::default()
    }];
    let (id, story) = told(&engine, &inside).await;
    assert!(says(&story, "Listens on 127.0.0.1:8000"));
    let changed = form(&story).expect("a form").clone();
    assert_eq!(changed.command.last().map(String::as_str), Some("0.0.0.0"));
    engine.remove(&id, Removal::FORCED).await.expect("removed");

    let id = engine.create(&changed).await.expect("created");
    engine.start(&id).await.expect("started");
    let port = engine.container(&id).await.expect("it runs").ports[0]
        .host
        .as_ref()
        .expect("published")
        .port;
    wherry_tests::fetch::page_with(&format!("127.0.0.1:{port}"), "Directory listing");
    assert_eq!(
        engine.why(&id, &Known::default()).await.expect("facts"),
        None,
        "now it answers"
    );
    engine.remove(&id, Removal::FORCED).await.expect("removed");
}
