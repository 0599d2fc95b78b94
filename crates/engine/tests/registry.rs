//! Registries asked directly: Debian's docker-registry with TLS, passwords and tokens.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;

use futures::StreamExt as _;
use wherry_engine::{Kept, Login, Logins, RegistryClient, RegistryError, Secret, SystemKeychain, Wants};
use wherry_tests::authority::Authority;
use wherry_tests::engine::Engine as Dockerd;
use wherry_tests::images::busybox_tar;
use wherry_tests::process::{installed, output, run};
use wherry_tests::registry::{Guests, Registry};
use wherry_tests::token::TokenServer;

const INSIDE: &str = "WHERRY_TEST_INSIDE";

fn ada(secret: &str) -> Login {
    Login {
        user: "ada".into(),
        secret: Secret(secret.into()),
        is_token: false,
    }
}

fn ask(registry: &str, login: Option<Login>) -> RegistryClient {
    let http = reqwest::Client::builder().no_proxy();
    RegistryClient::new(registry, false, login, http).expect("a client")
}

/// Runs one test of this file in a process of its own, where the environment is another.
fn inside(test: &str, variables: &[(&str, &str)]) {
    let me = std::env::current_exe().expect("this test");
    let output = output(
        Command::new(me)
            .args(["--exact", "--nocapture", test])
            .env(INSIDE, "1")
            .envs(variables.iter().copied()),
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn a_registry_with_passwords_takes_the_right_one_only() {
    wherry_tests::skip_unless!(installed("docker-registry"), "docker-registry is not installed");
    let folder = tempfile::tempdir().expect("a folder");
    let registry = Registry::serve_for(folder.path(), &Guests::Ada);
    let address = registry.address();
    let greeting = ask(&address, Some(ada("s:cret"))).sign_in().await.expect("signed in");
    assert_eq!((greeting.wants, greeting.encrypted), (Wants::Password, false));
    let error = ask(&address, Some(ada("wrong"))).sign_in().await.expect_err("refused");
    assert!(
        matches!(error, RegistryError::Unauthorized { login: true, .. }),
        "{error:?}"
    );
    let error = ask(&address, None).tags("a/b").await.expect_err("refused");
    assert!(
        matches!(error, RegistryError::Unauthorized { login: false, .. }),
        "{error:?}"
    );
    let error = ask(&address, Some(ada("s:cret")))
        .tags("a/b")
        .await
        .expect_err("not there");
    assert!(matches!(error, RegistryError::Missing { .. }), "{error:?}");
}

#[tokio::test]
async fn a_registry_with_tokens_gives_each_what_is_theirs() {
    wherry_tests::skip_unless!(installed("docker-registry"), "docker-registry is not installed");
    let folder = tempfile::tempdir().expect("a folder");
    let tokens = TokenServer::start();
    let registry = Registry::serve_for(folder.path(), &Guests::WithToken(&tokens));
    let address = registry.address();
    let greeting = ask(&address, Some(ada("s:cret"))).sign_in().await.expect("signed in");
    assert_eq!(greeting.wants, Wants::Token);
    let error = ask(&address, Some(ada("wrong"))).sign_in().await.expect_err("refused");
    assert!(
        matches!(error, RegistryError::Unauthorized { login: true, .. }),
        "{error:?}"
    );
    // A token without the right to it: the registry asks again who this is.
    let error = ask(&address, None).tags("private/x").await.expect_err("refused");
    assert!(
        matches!(error, RegistryError::Unauthorized { login: false, .. }),
        "{error:?}"
    );
    let error = ask(&address, Some(ada("s:cret")))
        .tags("private/x")
        .await
        .expect_err("nothing there");
    assert!(matches!(error, RegistryError::Missing { .. }), "{error:?}");
}

/// Does nothing in an ordinary run.
#[tokio::test]
async fn ask_over_tls_in_this_process() {
    let Ok(port) = std::env::var(INSIDE).and_then(|_| std::env::var("WHERRY_TEST_PORT")) else {
        return;
    };
    let port: u16 = port.parse().expect("a port");
    let registry = format!("registry.test:{port}");
    let http = || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        reqwest::Client::builder().no_proxy().resolve("registry.test", address)
    };
    let client = RegistryClient::new(&registry, false, Some(ada("s:cret")), http()).expect("a client");
    let result = client.sign_in().await;
    if std::env::var_os("WHERRY_TEST_TRUSTED").is_some() {
        assert!(result.expect("signed in").encrypted);
    } else {
        let error = result.expect_err("nobody vouches for it");
        assert!(matches!(error, RegistryError::NotTrusted { .. }), "{error:?}");
        let client = RegistryClient::new(&registry, true, Some(ada("s:cret")), http()).expect("a client");
        assert!(
            client
                .sign_in()
                .await
                .expect("nobody looks at its certificate")
                .encrypted
        );
    }
}

#[test]
fn a_registry_with_its_own_authority_is_trusted_when_docker_has_its_certificate() {
    wherry_tests::skip_unless!(installed("docker-registry"), "docker-registry is not installed");
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new("a university");
    let identity = authority.identify("registry.test", folder.path());
    let registry = Registry::serve_as_for(&folder.path().join("storage"), &identity, &Guests::Ada);
    let port = registry.port().to_string();
    let home = folder.path().join("home");
    let home_text = home.to_str().expect("a path");
    let test = "ask_over_tls_in_this_process";
    inside(test, &[("HOME", home_text), ("WHERRY_TEST_PORT", &port)]);
    let kept = home.join(format!(".docker/certs.d/registry.test:{port}"));
    fs_err::create_dir_all(&kept).expect("a folder");
    fs_err::write(kept.join("ca.crt"), authority.certificate()).expect("written");
    inside(
        test,
        &[
            ("HOME", home_text),
            ("WHERRY_TEST_PORT", &port),
            ("WHERRY_TEST_TRUSTED", "1"),
        ],
    );
}

/// Does nothing in an ordinary run.
#[tokio::test]
async fn push_and_pull_in_this_process() {
    let Ok(address) = std::env::var(INSIDE).and_then(|_| std::env::var("WHERRY_TEST_REGISTRY")) else {
        return;
    };
    let engine = wherry_engine::Engine::connect(
        wherry_engine::Address::parse(&std::env::var("WHERRY_TEST_ENGINE").expect("an engine")).expect("an address"),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let logins = Logins::new(folder.path().join("registries.json"), Arc::new(SystemKeychain));
    let image = format!("{address}/private/busybox:1");
    let pull = async |auth: Option<String>| -> Result<(), wherry_engine::Error> {
        let mut pull = std::pin::pin!(engine.pull(&image, auth).await?);
        while let Some(item) = pull.next().await {
            item?;
        }
        Ok(())
    };
    pull(logins.header(&address).await)
        .await
        .expect_err("nobody is signed in");
    logins
        .keep(&address, ada("s:cret"), &Kept::Session)
        .await
        .expect("kept");
    pull(logins.header(&address).await).await.expect("pulled as ada");
    let client = ask(&address, logins.find(&address).await.map(|(login, _)| login));
    assert_eq!(client.tags("private/busybox").await.expect("tags"), ["1"]);
    let found = client
        .image("private/busybox", "1", "linux/amd64")
        .await
        .expect("an image");
    assert!(found.fits && found.bytes > 0 && found.layers.len() == 1, "{found:?}");
    let local = engine.image(&image).await.expect("it is here");
    assert_eq!(found.platform, format!("{}/{}", local.os, local.architecture));
    let (digest, limit) = client.current("private/busybox", "1").await.expect("a digest");
    assert_eq!((digest, limit), (found.digest, None));

    // In the docker command's own configuration, so that it works in a terminal.
    logins
        .keep(&address, ada("s:cret"), &Kept::ConfigFile)
        .await
        .expect("kept");
    let known = logins.known().await.expect("listed");
    assert!(
        known
            .iter()
            .any(|known| known.login == Some(("ada".into(), Kept::ConfigFile))),
        "{known:?}"
    );
}

#[test]
fn a_login_here_is_one_for_the_engine_and_for_the_terminal() {
    wherry_tests::skip_unless!(wherry_tests::process::is_root(), "dockerd needs root");
    wherry_tests::skip_unless!(
        ["dockerd", "docker", "docker-registry"].into_iter().all(installed),
        "dockerd, docker or docker-registry is not installed"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let tokens = TokenServer::start();
    let registry = Registry::serve_for(&folder.path().join("storage"), &Guests::WithToken(&tokens));
    let address = registry.address();
    let config = folder.path().join("docker");
    // Without a login in its file the docker command would look for a keychain, which this computer may have.
    fs_err::create_dir(&config).expect("a folder");
    let elsewhere = r#"{"auths":{"registry.invalid":{"auth":"YWRhOmVsc2V3aGVyZQ=="}}}"#;
    fs_err::write(config.join("config.json"), elsewhere).expect("written");
    let image = format!("{address}/private/busybox:1");
    let dockerd = Dockerd::start(None);
    let docker = |arguments: &[&str]| {
        let mut docker = dockerd.docker();
        docker.args(arguments).env("DOCKER_CONFIG", &config);
        docker
    };
    let tar = busybox_tar(folder.path());
    run(&mut docker(&["import", tar.to_str().expect("a path"), &image]));
    let push = |ok: bool| {
        let output = output(&mut docker(&["push", &image]));
        assert_eq!(
            output.status.success(),
            ok,
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    push(false);
    run(&mut docker(&[
        "login",
        "--username",
        "ada",
        "--password",
        "s:cret",
        &address,
    ]));
    push(true);
    run(&mut docker(&["logout", &address]));
    run(&mut docker(&["rmi", &image]));
    inside(
        "push_and_pull_in_this_process",
        &[
            ("DOCKER_CONFIG", config.to_str().expect("a path")),
            ("WHERRY_TEST_REGISTRY", &address),
            ("WHERRY_TEST_ENGINE", &dockerd.address()),
        ],
    );
    // The terminal finds what was kept there.
    push(true);
}
