//! A private registry that the person has logged in to with the docker command.
//!
//! Where the docker command keeps its logins is said by the environment, so each case runs in a process of its own.

mod support;

use std::process::Command;
use std::sync::Arc;

use futures::StreamExt as _;
use support::{BUSYBOX, address, dockerd};
use wherry_engine::{Engine, Error, Logins, SystemKeychain, registry_of};
use wherry_tests::process::{installed, output, run};
use wherry_tests::registry::{Guests, Registry};

/// base64 of `ada:s:cret`
const LOGIN: &str = "YWRhOnM6Y3JldA==";

const PULL: &str = "WHERRY_TEST_PULL";
const ENGINE: &str = "WHERRY_TEST_ENGINE";

/// The inside of the test below; does nothing in an ordinary run.
#[tokio::test]
async fn pull_in_this_process() {
    let (Ok(reference), Ok(engine)) = (std::env::var(PULL), std::env::var(ENGINE)) else {
        return;
    };
    let engine = Engine::connect(wherry_engine::Address::parse(&engine).expect("an address"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let logins = Logins::new(folder.path().join("registries.json"), Arc::new(SystemKeychain));
    let registry = registry_of(&reference).expect("a registry");
    let auth = logins.header(&registry).await;
    let mut pull = match engine.pull(&reference, auth).await {
        Ok(pull) => Box::pin(pull),
        Err(error) => {
            assert!(matches!(error, Error::ImageNotFound { .. }), "{error:?}");
            panic!("pull: {error}");
        }
    };
    while let Some(item) = pull.next().await {
        if let Err(error) = item {
            assert!(
                matches!(error, Error::ImageNotFound { .. } | Error::Refused { .. }),
                "{error:?}"
            );
            panic!("pull: {error}");
        }
    }
}

#[test]
fn a_private_image_comes_with_the_stored_login_and_not_without() {
    need_dockerd!();
    wherry_tests::skip_unless!(installed("docker-registry"), "docker-registry is not installed");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let server = Registry::serve_for(&path("storage"), &Guests::Ada);
    let registry = server.address();

    let config = |name: &str, text: String| {
        fs_err::create_dir_all(path(name)).expect("a folder");
        fs_err::write(path(name).join("config.json"), text).expect("written");
        path(name)
    };
    let nobody = config("nobody", "{}".into());
    let stored = config(
        "stored",
        format!(r#"{{"auths":{{"{registry}":{{"auth":"{LOGIN}"}}}}}}"#),
    );
    let helped = config("helped", format!(r#"{{"credHelpers":{{"{registry}":"wherrytest"}}}}"#));
    let program = path("docker-credential-wherrytest");
    fs_err::write(
        &program,
        format!(
            "#!/bin/sh\nread address\n[ \"$1 $address\" = 'get {registry}' ] || exit 1\n\
             echo '{{\"ServerURL\":\"{registry}\",\"Username\":\"ada\",\"Secret\":\"s:cret\"}}'\n"
        ),
    )
    .expect("written");
    run(Command::new("chmod").arg("+x").arg(&program));

    let dockerd = dockerd();
    let image = format!("{registry}/private/busybox:1");
    run(dockerd.docker().args(["tag", BUSYBOX, &image]));
    run(dockerd.docker().env("DOCKER_CONFIG", &stored).args(["push", &image]));
    run(dockerd.docker().args(["rmi", &image]));

    let search = format!(
        "{}:{}",
        folder.path().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let pull = |config: &std::path::Path| {
        let me = std::env::current_exe().expect("this test");
        output(
            Command::new(me)
                .args(["--exact", "pull_in_this_process"])
                .env("DOCKER_CONFIG", config)
                .env("PATH", &search)
                .env(PULL, &image)
                .env(ENGINE, address(&dockerd).to_string()),
        )
    };
    let refused = pull(&nobody);
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(
        !refused.status.success() && said.contains("or it is private"),
        "the registry asks who it is: {said}"
    );
    for config in [stored, helped] {
        let output = pull(&config);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        run(dockerd.docker().args(["rmi", &image]));
    }
}
