//! Registries asked directly: Debian's docker-registry with TLS, passwords and tokens.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use futures::StreamExt as _;
use tempfile::TempDir;
use wherry_engine::{Kept, Login, Logins, RegistryClient, RegistryError, Secret, SystemKeychain, Wants};
use wherry_tests::authority::{Authority, Identity};
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
    let Ok(registry) = std::env::var(INSIDE).and_then(|_| std::env::var("WHERRY_TEST_REGISTRY")) else {
        return;
    };
    let (host, port) = registry.split_once(':').expect("a host and a port");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().expect("a port")));
    let http = || reqwest::Client::builder().no_proxy().resolve(host, address);
    let client = RegistryClient::new(&registry, false, Some(ada("s:cret")), http()).expect("a client");
    let result = client.sign_in().await;
    let Ok(reason) = std::env::var("WHERRY_TEST_REFUSED") else {
        assert!(result.expect("signed in").encrypted);
        return;
    };
    let error = result.expect_err("nobody vouches for it");
    assert!(matches!(error, RegistryError::NotTrusted { .. }), "{error:?}");
    let error: &dyn std::error::Error = &error;
    let deepest = std::iter::successors(Some(error), |error| error.source()).last();
    let words = deepest.map(ToString::to_string).unwrap_or_default();
    assert!(words.contains(&reason), "{words}");
    let client = RegistryClient::new(&registry, true, Some(ada("s:cret")), http()).expect("a client");
    let greeting = client.sign_in().await.expect("nobody looks at its certificate");
    assert!(greeting.encrypted);
}

/// A person's home, and a registry with TLS.
struct Trusting {
    folder: TempDir,
    registry: Registry,
}

impl Trusting {
    fn new(made_in: impl FnOnce(&Path) -> Identity) -> Trusting {
        let folder = tempfile::tempdir().expect("a folder");
        let identity = made_in(folder.path());
        let registry = Registry::serve_as_for(&folder.path().join("storage"), &identity, &Guests::Ada);
        Trusting { folder, registry }
    }

    /// Puts a certificate where docker looks for those of this host.
    fn keep(&self, host: &str, certificate: &str) {
        let port = self.registry.port();
        let kept = self.folder.path().join(format!("home/.docker/certs.d/{host}:{port}"));
        fs_err::create_dir_all(&kept).expect("a folder");
        fs_err::write(kept.join("ca.crt"), certificate).expect("written");
    }

    fn ask(&self, host: &str, refused: Option<&str>) {
        self.ask_where(host, &[], refused);
    }

    /// The same where the system trusts nothing but this certificate.
    fn ask_on_system(&self, certificate: &str, host: &str, refused: Option<&str>) {
        let file = self.folder.path().join("system.pem");
        fs_err::write(&file, certificate).expect("written");
        self.ask_where(host, &[("SSL_CERT_FILE", file.to_str().expect("a path"))], refused);
    }

    fn ask_where(&self, host: &str, variables: &[(&str, &str)], refused: Option<&str>) {
        let home = self.folder.path().join("home");
        let address = format!("{host}:{}", self.registry.port());
        let mut all = vec![
            ("HOME", home.to_str().expect("a path")),
            ("WHERRY_TEST_REGISTRY", &address),
        ];
        all.extend(variables);
        all.extend(refused.map(|words| ("WHERRY_TEST_REFUSED", words)));
        inside("ask_over_tls_in_this_process", &all);
    }
}

#[test]
fn a_registry_with_its_own_authority_is_trusted_when_docker_has_its_certificate() {
    wherry_tests::skip_unless!(installed("docker-registry"), "docker-registry is not installed");
    let authority = Authority::new("a university");
    let trusting = Trusting::new(|folder| authority.identify("registry.test", folder));
    trusting.ask("registry.test", Some("UnknownIssuer"));
    trusting.keep("registry.test", authority.certificate());
    trusting.ask("registry.test", None);
    // What is kept comes on top of what the system trusts.
    trusting.keep("registry.test", Authority::new("another").certificate());
    trusting.ask("registry.test", Some("UnknownIssuer"));
    trusting.ask_on_system(authority.certificate(), "registry.test", None);
}

#[test]
fn a_certificate_that_vouches_for_itself_is_trusted_when_docker_has_that_very_one() {
    wherry_tests::skip_unless!(
        ["docker-registry", "openssl"].into_iter().all(installed),
        "docker-registry or openssl is not installed"
    );
    let mut own = String::new();
    let trusting = Trusting::new(|folder| {
        let identity = Identity::self_signed("registry.test", folder);
        own = fs_err::read_to_string(&identity.certificate).expect("a certificate");
        identity
    });
    trusting.ask("registry.test", Some("CaUsedAsEndEntity"));

    let elsewhere = tempfile::tempdir().expect("a folder");
    let another = Identity::self_signed("registry.test", elsewhere.path()).certificate;
    trusting.keep(
        "registry.test",
        &fs_err::read_to_string(another).expect("a certificate"),
    );
    trusting.ask("registry.test", Some("CaUsedAsEndEntity"));
    trusting.ask_on_system(&own, "registry.test", Some("CaUsedAsEndEntity"));

    trusting.keep("registry.test", &own);
    trusting.ask("registry.test", None);
    // What is kept for one registry is for no other.
    trusting.ask("other.test", Some("CaUsedAsEndEntity"));
    trusting.keep("other.test", &own);
    trusting.ask("other.test", Some("certificate not valid for name \"other.test\""));
}

#[test]
fn a_certificate_that_vouches_for_itself_has_its_time() {
    wherry_tests::skip_unless!(installed("docker-registry"), "docker-registry is not installed");
    let mut own = String::new();
    let trusting = Trusting::new(|folder| {
        let identity = Identity::self_signed_and_expired("registry.test", folder);
        own = fs_err::read_to_string(&identity.certificate).expect("a certificate");
        identity
    });
    trusting.keep("registry.test", &own);
    trusting.ask("registry.test", Some("certificate expired"));
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
