//! Servers that really listen only inside their container, and what is told of them.

use super::*;

/// Starts it, and waits until it listens.
async fn told(engine: &Engine, spec: &RunSpec) -> (String, Why) {
    let id = engine.create(spec).await.expect("created");
    engine.start(&id).await.expect("started");
    let story = tokio::time::timeout(wherry_tests::PATIENCE, async {
        loop {
            if let Some(story) = engine.why(&id, &Known::default()).await.expect("facts") {
                break story;
            }
            let state = engine.container(&id).await.expect("it is there").state;
            assert_eq!(state, ContainerState::Running, "{:?} has ended", spec.name);
            tokio::task::yield_now().await;
        }
    });
    let story = story
        .await
        .unwrap_or_else(|_| panic!("{:?} listens inside only", spec.name));
    assert_eq!(story.cause, Cause::OnlyInside, "{story:#?}");
    (id, story)
}

/// The story with this remedy: some listen before they print who they are.
async fn known_by_its_words(engine: &Engine, id: &str, mut story: Why, title: &str) -> Why {
    let known = tokio::time::timeout(wherry_tests::PATIENCE, async {
        while story.fixes[0].title != title {
            let again = engine.why(id, &Known::default()).await.expect("facts");
            story = again.expect("it still listens inside only");
        }
    });
    assert!(known.await.is_ok(), "it never says who it is");
    story
}

/// What the first remedy makes of it answers with this page. The container itself goes.
async fn remedied(engine: &Engine, id: &str, story: &Why, page: &str) -> RunSpec {
    let changed = form(story).expect("a form").clone();
    engine.remove(id, Removal::FORCED).await.expect("removed");
    let id = engine.create(&changed).await.expect("created");
    engine.start(&id).await.expect("started");
    let ports = engine.container(&id).await.expect("it runs").ports;
    let port = ports[0].host.as_ref().expect("published").port;
    wherry_tests::fetch::page_with(&format!("127.0.0.1:{port}"), page);
    assert_eq!(
        engine.why(&id, &Known::default()).await.expect("facts"),
        None,
        "now it answers"
    );
    engine.remove(&id, Removal::FORCED).await.expect("removed");
    changed
}

fn published(mut spec: RunSpec) -> RunSpec {
    spec.ports = vec![PublishedPort {
        host_address: Some("127.0.0.1".into()),
        container_port: 8000,
        ..PublishedPort::default()
    }];
    spec
}

/// With what programs of this computer need in a container, the libraries of the system, and a folder where it is here.
fn with_libraries(mut spec: RunSpec, more: &Path) -> RunSpec {
    let folders = [Path::new("/usr/lib"), Path::new("/lib"), Path::new("/lib64"), more];
    spec.mounts = folders
        .iter()
        .filter(|folder| folder.exists())
        .map(|folder| {
            let source = fs_err::canonicalize(folder).expect("it exists");
            mount(&source, &folder.display().to_string(), true)
        })
        .collect();
    spec
}

/// Node of this computer, in a container.
fn with_node(spec: RunSpec, more: &Path) -> RunSpec {
    let found = run(Command::new("sh").args(["-c", "command -v node"]));
    let node = fs_err::canonicalize(found.trim()).expect("node is installed");
    let mut spec = with_libraries(spec, more);
    spec.mounts.push(mount(&node, "/opt/node", true));
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
    let changed = remedied(&engine, &id, &story, "served by Vite").await;
    assert!(changed.command[2].ends_with("--host 0.0.0.0"), "{:?}", changed.command);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_listens_only_inside_is_told_and_the_remedy_works() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let python = python(&dockerd);
    let words = ["python3", "-m", "http.server", "8000", "--bind", "127.0.0.1"];
    let (id, story) = told(&engine, &published(spec(&python, "py-inside", &words))).await;
    assert!(says(&story, "Listens on 127.0.0.1:8000"));
    let changed = remedied(&engine, &id, &story, "Directory listing").await;
    assert_eq!(changed.command.last().map(String::as_str), Some("0.0.0.0"));
}

/// The servers of Python's tutorials as their packages are, each told by its own rule.
#[tokio::test(flavor = "multi_thread")]
async fn servers_of_python_packages_are_told_and_the_remedy_works() {
    need_dockerd!();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let python = wherry_tests::tools::python(&["flask==3.1.2", "uvicorn==0.38.0"]);
    let packages = python.ancestors().nth(2).expect("the folder of the packages");
    let code = tempfile::tempdir_in(dockerd.folder()).expect("a folder");
    for (name, text) in [("flasks.py", FLASK), ("asgi.py", ASGI)] {
        fs_err::write(code.path().join(name), text).expect("a program");
    }
    let python = python.display().to_string();
    let ran = |name: &str, words: &[&str]| {
        let mut spec = with_libraries(spec(BUSYBOX, name, words), packages);
        spec.mounts.push(mount(code.path(), "/code", true));
        spec.working_directory = Some("/code".into());
        published(spec)
    };
    for (name, words, title, end) in [
        (
            "in-flask",
            &[&python, "-m", "flask", "--app", "flasks", "run", "--port", "8000"][..],
            "Start Flask for everybody",
            "--host=0.0.0.0",
        ),
        (
            "in-uvicorn",
            &[&python, "-m", "uvicorn", "asgi:app", "--port", "8000"],
            "Start uvicorn for everybody",
            "0.0.0.0",
        ),
    ] {
        let (id, story) = told(&engine, &ran(name, words)).await;
        assert_eq!(story.fixes[0].title, title, "{story:#?}");
        let changed = remedied(&engine, &id, &story, "served by Python").await;
        assert_eq!(changed.command.last().map(String::as_str), Some(end));
    }
    // Started by a script of the person's own, they are known by what they print, and only the code says where.
    for (name, file, line) in [
        ("in-flask-code", "flasks.py", "Tell Flask in its code"),
        ("in-uvicorn-code", "asgi.py", "Tell uvicorn in its code"),
    ] {
        let (id, story) = told(&engine, &ran(name, &[&python, "-u", file])).await;
        let story = known_by_its_words(&engine, &id, story, line).await;
        assert_eq!(story.fixes[0].title, line, "{story:#?}");
        engine.remove(&id, Removal::FORCED).await.expect("removed");
    }
}

/// What people show data with. The packages of all but the first weigh hundreds of megabytes each: they are part of the
/// long form, `cargo xtask test why`.
#[tokio::test(flavor = "multi_thread")]
async fn servers_of_notebooks_are_told_and_the_remedy_works() {
    need_dockerd!();
    let token = "--IdentityProvider.token=";
    let servers = [
        (
            "in-jupyter",
            "jupyter-server==2.21.1",
            &[
                "-m",
                "jupyter_server",
                "--allow-root",
                "--no-browser",
                "--port=8000",
                token,
            ][..],
            "Start Jupyter for everybody",
            "--ip=0.0.0.0",
            "Server: TornadoServer",
        ),
        (
            "in-streamlit",
            "streamlit==1.67.0",
            &[
                "-m",
                "streamlit",
                "run",
                "lit.py",
                "--server.port=8000",
                "--server.address=127.0.0.1",
                "--server.headless=true",
            ],
            "Start Streamlit for everybody",
            "--server.address=0.0.0.0",
            "<title>Streamlit</title>",
        ),
        (
            "in-gradio",
            "gradio==6.31.0",
            &["-u", "radio.py"],
            "Start Gradio for everybody",
            "GRADIO_SERVER_NAME=0.0.0.0",
            "gradio",
        ),
    ];
    let count = if wherry_tests::long() { servers.len() } else { 1 };
    // Before the engine is taken, which tests share.
    let servers: Vec<_> = servers
        .into_iter()
        .take(count)
        .map(|server| (wherry_tests::tools::python(&[server.1]), server))
        .collect();
    let dockerd = dockerd();
    let engine = Engine::connect(address(&dockerd));
    let code = tempfile::tempdir_in(dockerd.folder()).expect("a folder");
    for (name, text) in [("lit.py", STREAMLIT), ("radio.py", GRADIO)] {
        fs_err::write(code.path().join(name), text).expect("a program");
    }
    for (python, (name, package, words, title, told_by, page)) in servers {
        let packages = python.ancestors().nth(2).expect("the folder of the packages");
        let python = python.display().to_string();
        let words: Vec<&str> = std::iter::once(python.as_str()).chain(words.iter().copied()).collect();
        let mut spec = with_libraries(spec(BUSYBOX, name, &words), packages);
        spec.mounts.push(mount(code.path(), "/code", true));
        spec.working_directory = Some("/code".into());
        spec.mounts.push(RunMount {
            source: MountSource::Memory,
            target: "/tmp".into(),
            read_only: false,
            options: Vec::new(),
        });
        // A folder for what they remember; and nobody is to be told of the test.
        for (name, value) in [
            ("HOME", "/tmp"),
            ("GRADIO_ANALYTICS_ENABLED", "False"),
            ("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "false"),
        ] {
            spec.environment.push(Variable {
                name: name.into(),
                value: value.into(),
            });
        }
        let (id, story) = told(&engine, &published(spec)).await;
        let story = known_by_its_words(&engine, &id, story, title).await;
        assert_eq!(story.fixes[0].title, title, "{story:#?}");
        assert_eq!(story.fixes[0].note, told_by);
        remedied(&engine, &id, &story, page).await;
        wherry_tests::process::say(&format!(
            "{package}: \u{201c}{}\u{201d}, {}: {told_by}",
            story.headline, story.fixes[0].title
        ));
    }
}

const STREAMLIT: &str = "import streamlit\nstreamlit.write('served by Streamlit')\n";

const GRADIO: &str = r#"
import gradio
gradio.Interface(lambda text: text, "text", "text").launch(server_port=8000)
"#;

const FLASK: &str = r#"
import flask
app = flask.Flask(__name__)
@app.route("/")
def page():
    return "served by Python"
if __name__ == "__main__":
    app.run(port=8000)
"#;

const ASGI: &str = r#"
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"served by Python"})
if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, port=8000)
"#;
