//! A login in this computer's keychain is one for the terminal, too: the real docker command, a registry that asks who
//! one is, and a Secret Service of the test's own.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use wherry_app::{App, Home};
use wherry_tests::engine::Engine;
use wherry_tests::images::busybox_tar;
use wherry_tests::process::{installed, is_root, output, run};
use wherry_tests::registry::{Guests, Registry};

const STEP: &str = "WHERRY_TEST_REGISTRY";

/// Unlocks a keychain of its own, then runs the rest of the words in the same session.
const UNLOCKED: &str = r#"printf secret | gnome-keyring-daemon --unlock --components=secrets >"$HOME/keyring.log" 2>&1
exec "$@""#;

/// The configuration as the person had it.
const CONFIG: &str = "{\n\t\"auths\": {},\n\t\"detachKeys\": \"ctrl-x\"\n}";

struct Terminal {
    app: App,
    registry: String,
    image: String,
    config: PathBuf,
}

impl Terminal {
    async fn call(&self, name: &str, params: Value) -> Value {
        let json = self.app.call(name, params).await.expect(name);
        serde_json::from_str(&json).expect("JSON")
    }

    async fn sign_in(&self, place: &Value) {
        let login = json!({ "registry": self.registry, "user": "ada", "secret": "s:cret", "place": place });
        self.call("registry.login", login).await;
    }

    /// Who the page says is signed in, and where that is kept.
    async fn signed_in(&self) -> Option<(Value, Value)> {
        let list = self.call("registry.list", Value::Null).await;
        let all = list["registries"].as_array().expect("registries");
        let entry = all.iter().find(|entry| entry["address"] == *self.registry)?;
        Some((entry["user"].clone(), entry["kept"].clone()))
    }

    fn may_push(&self) -> bool {
        let pushed = output(Command::new("docker").args(["push", "--quiet", &self.image]));
        let said = String::from_utf8_lossy(&pushed.stderr);
        assert!(
            pushed.status.success() || said.contains("no basic auth credentials"),
            "{said}"
        );
        pushed.status.success()
    }

    fn config(&self) -> String {
        fs_err::read_to_string(&self.config).expect("docker's configuration")
    }
}

/// Does nothing in an ordinary run.
#[tokio::test]
async fn in_a_session_with_a_keychain() {
    let Ok(registry) = std::env::var(STEP) else { return };
    let home = PathBuf::from(std::env::var_os("HOME").expect("a home"));
    let wherry = home.join("wherry");
    fs_err::create_dir_all(&wherry).expect("a folder");
    let settings =
        json!({ "engine": { "type": "address", "address": std::env::var("DOCKER_HOST").expect("an engine") } });
    fs_err::write(wherry.join("settings.json"), settings.to_string()).expect("settings");
    let here = Terminal {
        app: App::new(Home::at(&wherry), wherry.join("no-program")).expect("an app"),
        image: format!("{registry}/ada/busybox:1"),
        config: home.join("docker/config.json"),
        registry,
    };
    assert!(!here.may_push(), "nobody is signed in");
    let look = here.call("registry.look", json!({ "registry": here.registry })).await;
    let place = look["places"][0].clone();
    assert_eq!(place, json!({ "type": "keychain", "terminal": true }), "{look}");

    here.sign_in(&place).await;
    assert!(here.may_push(), "a login here works there");
    assert_eq!(here.signed_in().await, Some((json!("ada"), place.clone())));
    assert!(!here.config().contains("s:cret"), "{}", here.config());
    let copies = fs_err::read_dir(home.join("docker")).expect("docker's folder");
    let copies: Vec<String> = copies
        .filter_map(|entry| fs_err::read_to_string(entry.ok()?.path()).ok())
        .filter(|text| text == CONFIG)
        .collect();
    assert_eq!(copies.len(), 1, "the configuration as it was is beside it");

    // Out in the terminal is out here, and in there is in here.
    run(Command::new("docker").args(["logout", &here.registry]));
    assert!(!here.may_push());
    assert_eq!(here.signed_in().await, None);
    let login = format!(
        "printf s:cret | docker login --username ada --password-stdin {}",
        here.registry
    );
    run(Command::new("sh").args(["-c", &login]));
    assert_eq!(here.signed_in().await, Some((json!("ada"), place.clone())));
    assert!(!here.config().contains("s:cret") && here.may_push());

    here.call("registry.logout", json!({ "registry": here.registry })).await;
    assert!(!here.may_push());
    assert_eq!(here.config(), CONFIG, "nothing is left");

    // Somebody who leaves Wherry leaves no question for it behind.
    here.sign_in(&place).await;
    run(Command::new(env!("CARGO_BIN_EXE_wherry"))
        .args(["context", "--undo"])
        .env("WHERRY_HOME", &wherry));
    assert_eq!(here.config(), CONFIG);
}

fn link(folder: &Path) {
    let program = folder.join("docker-credential-wherry");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_wherry"), program).expect("linked");
}

#[test]
fn a_login_in_the_keychain_is_good_for_the_docker_command() {
    wherry_tests::skip_unless!(is_root(), "dockerd needs root");
    wherry_tests::skip_unless!(
        [
            "dockerd",
            "docker",
            "docker-registry",
            "dbus-run-session",
            "gnome-keyring-daemon"
        ]
        .into_iter()
        .all(installed),
        "dockerd, docker-registry, dbus or gnome-keyring is not installed"
    );
    let home = tempfile::tempdir().expect("a folder");
    for folder in ["docker", "bin", "registry"] {
        fs_err::create_dir_all(home.path().join(folder)).expect("a folder");
    }
    fs_err::write(home.path().join("docker/config.json"), CONFIG).expect("a configuration");
    link(&home.path().join("bin"));
    let registry = Registry::serve_for(&home.path().join("registry"), &Guests::Ada);
    let engine = Engine::start(None);
    let image = format!("{}/ada/busybox:1", registry.address());
    run(engine.docker().arg("import").arg(busybox_tar(home.path())).arg(&image));

    let path = std::env::var("PATH").unwrap_or_default();
    let ended = output(
        Command::new("dbus-run-session")
            .args(["--", "sh", "-c", UNLOCKED, "sh"])
            .arg(std::env::current_exe().expect("this test"))
            .args(["--exact", "--nocapture", "in_a_session_with_a_keychain"])
            .env(STEP, registry.address())
            .env("HOME", home.path())
            .env("PATH", format!("{}:{path}", home.path().join("bin").display()))
            .env("XDG_DATA_HOME", home.path().join("data"))
            .env("XDG_RUNTIME_DIR", home.path())
            .env("WHERRY_HOME", home.path().join("wherry"))
            .env("DOCKER_CONFIG", home.path().join("docker"))
            .env("DOCKER_HOST", engine.address())
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DISPLAY"),
    );
    assert!(
        ended.status.success(),
        "{}{}",
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr)
    );
}
