//! Who may talk to what: from containers nothing reaches the engine, the agent or the forwarder, and on the host
//! nothing listens that the person did not publish. On the same machine: what the doctor says of one that runs.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use wherry_tests::machine::Machine;
use wherry_tests::process::output;
use wherry_tests::reach::{Doors, listening_of, nothing_in_a_container_reaches_a_control_surface};

#[test]
fn nothing_but_the_person_s_own_socket_controls_anything() {
    let machine = Machine::start();
    machine.import_busybox();
    let web = machine.web(&[]);
    nothing_in_a_container_reaches_a_control_surface(&machine, Doors::Some);
    on_the_host(&machine, &web);
    the_doctor_finds_it_well(&machine);
}

/// Our processes listen on what was published and on nothing else; sockets and folders are the person's alone.
fn on_the_host(machine: &Machine, web: &str) {
    let (_, port) = web.split_once(':').expect("an address");
    for listens in listening_of(machine) {
        assert_eq!(listens.to_string(), port, "only what was published listens");
    }
    let home = machine.path();
    for path in std::iter::once(home.to_owned()).chain(all_below(home)) {
        let Ok(metadata) = fs_err::symlink_metadata(&path) else {
            continue;
        };
        let mode = metadata.permissions().mode() & 0o777;
        if metadata.file_type().is_socket() {
            assert_eq!(mode, 0o600, "{} is the person's alone", path.display());
        }
        if metadata.is_file() && path.parent().is_some_and(|folder| folder.ends_with("machine")) {
            assert_eq!(mode, 0o600, "{} is the person's alone", path.display());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if metadata.is_dir() && (path == home || ["machine", "run", "logs"].contains(&&*name)) {
            assert_eq!(mode, 0o700, "{} is the person's alone", path.display());
        }
    }
}

/// What Wherry made; the unpacked image of the test is not looked at.
fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for name in ["machine", "run", "logs"] {
        let Ok(entries) = fs_err::read_dir(folder.join(name)) else {
            continue;
        };
        all.push(folder.join(name));
        all.extend(entries.flatten().map(|entry| entry.path()));
    }
    all.push(folder.join("docker.sock"));
    all
}

fn the_doctor_finds_it_well(machine: &Machine) {
    let settings = r#"{"engine":{"type":"machine"}}"#;
    fs_err::write(machine.path().join("settings.json"), settings).expect("settings");
    let registry = ["doctor", "--json", "--registry", "http://127.0.0.1:1"];
    let told = output(
        machine
            .command()
            .args(registry)
            .env("DOCKER_CONFIG", machine.path().join("docker")),
    );
    let examination: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let checks = examination["checks"].as_array().expect("checks");
    for name in [
        "engine", "qemu", "image", "dataDisk", "agent", "clock", "socket", "ports",
    ] {
        let check = checks.iter().find(|check| check["name"] == name).expect(name);
        assert_eq!(check["verdict"], "pass", "{check}");
    }
    assert_eq!(told.status.code(), Some(0), "{examination}");

    let bundle = machine.path().join("bundle.zip");
    let said = machine.wherry(&[
        "diagnose",
        "--registry",
        "http://127.0.0.1:1",
        "-o",
        &bundle.display().to_string(),
    ]);
    assert!(said.contains("logs/engine-and-agent.log"), "{said}");
    let mode = fs_err::metadata(&bundle).expect("a bundle").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
