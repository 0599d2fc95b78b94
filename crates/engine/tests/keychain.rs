//! The system's keychain for real: a Secret Service of the test's own, where a login is kept, found and forgotten.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use wherry_engine::{Kept, Login, LoginError, Logins, Secret, SystemKeychain};
use wherry_tests::process::{installed, output};

const REGISTRY: &str = "registry.wherry.test:5000";
const STEP: &str = "WHERRY_TEST_STEP";

/// Unlocks a keychain of its own, then runs the rest of the words in the same session.
const UNLOCKED: &str = r#"printf secret | gnome-keyring-daemon --unlock --components=secrets >"$HOME/keyring.log" 2>&1
exec "$@""#;

fn ada() -> Login {
    Login {
        user: "ada".into(),
        secret: Secret("s:cret".into()),
        is_token: false,
    }
}

fn logins(home: &Path) -> Logins {
    Logins::new(home.join("registries.json"), Arc::new(SystemKeychain))
}

/// What the helper that docker calls says has to be among the words.
fn helper(verb: &str, input: &str) -> String {
    let script = format!("printf %s '{input}' | docker-credential-secretservice {verb}");
    let output = output(Command::new("sh").args(["-c", &script]));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Does nothing in an ordinary run.
#[tokio::test]
async fn steps_in_this_process() {
    let Ok(step) = std::env::var(STEP) else { return };
    let home = std::path::PathBuf::from(std::env::var_os("HOME").expect("a home"));
    match step.as_str() {
        "own" => {
            let here = logins(&home);
            assert_eq!(
                here.places(REGISTRY).await.expect("places")[0],
                Kept::Keychain { terminal: false }
            );
            here.keep(REGISTRY, ada(), &Kept::Keychain { terminal: false })
                .await
                .expect("kept");
            // Another start of Wherry: nothing of it is in memory.
            let (login, kept) = logins(&home).find(REGISTRY).await.expect("it is found");
            assert_eq!(
                (login.user.as_str(), login.secret.0.as_str(), kept),
                ("ada", "s:cret", Kept::Keychain { terminal: false })
            );
            let remembered = fs_err::read_to_string(home.join("registries.json")).expect("the list");
            assert!(
                remembered.contains("ada") && !remembered.contains("s:cret"),
                "{remembered}"
            );
            here.forget(REGISTRY).await.expect("signed out");
            assert!(logins(&home).find(REGISTRY).await.is_none());
            // Not only forgotten by us: there is nothing left to be found by its name.
            here.keep(REGISTRY, ada(), &Kept::Session).await.expect("kept");
            fs_err::write(
                home.join("registries.json"),
                format!(r#"{{"registries":{{"{REGISTRY}":{{"keychainUser":"ada"}}}}}}"#),
            )
            .expect("written");
            assert!(
                logins(&home).find(REGISTRY).await.is_none(),
                "the keychain has it no more"
            );
        }
        "helper" => {
            let here = logins(&home);
            let place = Kept::Helper {
                program: "docker-credential-secretservice".into(),
            };
            assert_eq!(here.places(REGISTRY).await.expect("places")[0], place);
            here.keep(REGISTRY, ada(), &place).await.expect("kept");
            let said = helper("get", REGISTRY);
            assert!(
                said.contains(r#""Username":"ada""#) && said.contains(r#""Secret":"s:cret""#),
                "{said}"
            );
            let config = fs_err::read_to_string(home.join("docker/config.json")).expect("docker's configuration");
            assert!(!config.contains("s:cret"), "{config}");
            let (login, kept) = logins(&home).find(REGISTRY).await.expect("it is found");
            assert_eq!((login.secret.0.as_str(), kept), ("s:cret", place));
            here.forget(REGISTRY).await.expect("signed out");
            assert_eq!(helper("list", "").trim(), "{}");
        }
        // Nobody offers one here.
        "none" => {
            let here = logins(&home);
            assert_eq!(
                here.places(REGISTRY).await.expect("places"),
                [Kept::Session, Kept::ConfigFile]
            );
            let error = here
                .keep(REGISTRY, ada(), &Kept::Keychain { terminal: false })
                .await
                .expect_err("there is none");
            assert!(
                matches!(error, LoginError::NoKeychain { .. } | LoginError::Keychain { .. }),
                "{error:?}"
            );
            assert!(here.find(REGISTRY).await.is_none(), "half a login is none");
        }
        other => panic!("{other} is no step"),
    }
}

/// Runs a step in a process with a home, a configuration of docker and a session bus of its own.
fn step(name: &str, config: &str, keychain: bool) {
    let home = tempfile::tempdir().expect("a folder");
    fs_err::create_dir_all(home.path().join("docker")).expect("a folder");
    fs_err::write(home.path().join("docker/config.json"), config).expect("a configuration");
    let me = std::env::current_exe().expect("this test");
    let mut command = if keychain {
        let mut command = Command::new("dbus-run-session");
        command.args(["--", "sh", "-c", UNLOCKED, "sh"]).arg(me);
        command
    } else {
        let mut command = Command::new(me);
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/wherry-test");
        command
    };
    let output = output(
        command
            .args(["--exact", "--nocapture", "steps_in_this_process"])
            .env(STEP, name)
            .env("HOME", home.path())
            .env("XDG_DATA_HOME", home.path().join("data"))
            .env("XDG_RUNTIME_DIR", home.path())
            .env("DOCKER_CONFIG", home.path().join("docker"))
            .env_remove("DISPLAY"),
    );
    assert!(
        output.status.success(),
        "{name}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_login_is_in_the_keychain_until_it_is_forgotten() {
    wherry_tests::skip_unless!(
        ["dbus-run-session", "gnome-keyring-daemon"].into_iter().all(installed),
        "dbus or gnome-keyring is not installed"
    );
    step("own", "{}", true);
}

#[test]
fn a_login_with_docker_s_own_helper_is_one_for_the_terminal() {
    wherry_tests::skip_unless!(
        [
            "dbus-run-session",
            "gnome-keyring-daemon",
            "docker-credential-secretservice"
        ]
        .into_iter()
        .all(installed),
        "dbus, gnome-keyring or golang-docker-credential-helpers is not installed"
    );
    step("helper", r#"{"credsStore":"secretservice"}"#, true);
}

#[test]
fn without_a_keychain_other_places_are_offered() {
    step("none", "{}", false);
}
