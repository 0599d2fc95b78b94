//! What the browser tests and the benches run against: a registry as Docker Hub's mirror, a native engine that uses
//! it, and the UI served on that engine. Prints one JSON line and ends when its standard input does.

use std::io::Read as _;
use std::process::Command;

use serde_json::json;
use wherry_tests::authority::Authority;
use wherry_tests::engine::Engine;
use wherry_tests::hub;
use wherry_tests::images;
use wherry_tests::process::{Running, program, say};
use wherry_tests::registry::{Guests, Registry};
use wherry_tests::token::TokenServer;

fn main() {
    let storage = images::storage();
    let registry = Registry::serve(&storage);
    let home = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::with_toolkit(&registry.address(), home.path());
    let private = Registry::serve_for(&home.path().join("private"), &Guests::Ada);
    // Nobody on this computer trusts this authority.
    let authority = Authority::new("Example University Root CA");
    let local = authority.identify("127.0.0.1", home.path());
    let secure = Registry::serve_as_for(&home.path().join("secure"), &local, &Guests::Ada);
    let bridge = engine.bridge();
    let identity = authority.identify(&bridge, home.path());
    let tokens = TokenServer::start();
    let with_token = Registry::serve_for(&home.path().join("with-token"), &Guests::WithToken(&tokens));
    let ui = std::env::args().nth(1).unwrap_or_else(|| "ui/dist".to_owned());
    let mut serve = Running::start(
        Command::new(program("wherry-serve"))
            .args(["--ui", &ui, "--port", "0"])
            .env("WHERRY_HOME", home.path())
            // What is exported and downloaded goes to the person's own folder.
            .env("HOME", home.path())
            .env("WHERRY_HUB_SITE", hub::site())
            .env("DOCKER_HOST", engine.address())
            .env("DOCKER_CONFIG", home.path().join("docker")),
        &home.path().join("serve.log"),
    );
    let address = serve.line();
    say(&json!({
        "address": address,
        "docker": engine.address(),
        "registry": registry.address(),
        "private": private.address(),
        "secure": secure.address(),
        "withToken": with_token.address(),
        "bridge": bridge,
        "identity": { "certificate": identity.certificate, "key": identity.key },
        "home": home.path(),
        "busybox": images::busybox_tar(home.path()),
    })
    .to_string());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    serve.stop();
}
