//! Who may talk to what: from containers nothing reaches the engine, the agent or the forwarder, and on the host
//! nothing listens that the person did not publish. On the same machine: what the doctor says of one that runs.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use wherry_tests::machine::Machine;
use wherry_tests::process::{output, run};

/// What only an engine, our agent or our daemon would say.
const CONTROL: [&str; 6] = [
    "Api-Version",
    "ServerVersion",
    "OperatingSystem",
    "\\\"type\\\":\\\"ok\\\"",
    "\\\"type\\\":\\\"refused\\\"",
    "\\\"type\\\":\\\"status\\\"",
];

#[test]
fn nothing_but_the_person_s_own_socket_controls_anything() {
    let machine = Machine::start();
    machine.import_busybox();
    let web = machine.web(&[]);
    let scan = scanner(machine.path());

    // On the host network of the machine, then as any other container, which is told the addresses of the first.
    let inside = scan_from(&machine, &scan, &["--network", "host"], &[]);
    let addresses: Vec<&str> = inside.lines().filter_map(|line| line.strip_prefix("local ")).collect();
    assert!(addresses.len() >= 3, "loopback, the network and the bridge: {inside}");
    assert!(
        !inside.lines().any(|line| line.starts_with("unix @")),
        "an abstract socket is open to every container on the host network: {inside}"
    );
    let of_machine: Vec<&str> = addresses
        .into_iter()
        .filter(|address| !address.starts_with("127."))
        .collect();
    // And at the host's loopback, where the test listens as somebody who was found.
    let (host, found) = (
        host_address(&machine),
        TcpListener::bind(("127.0.0.1", 0)).expect("a port"),
    );
    let found = found.local_addr().expect("its address").port();
    let mut knocks: Vec<String> = of_machine.into_iter().map(str::to_owned).collect();
    knocks.push(format!("host={host}"));
    knocks.extend(
        listening()
            .into_iter()
            .filter(|port| *port != found)
            .map(|port| format!("not={port}")),
    );
    let knocks: Vec<&str> = knocks.iter().map(String::as_str).collect();
    let ordinary = scan_from(&machine, &scan, &[], &knocks);
    assert!(
        ordinary.contains(&format!("tcp {host}:{found} ")),
        "the scan sees the host's loopback: {ordinary}"
    );
    for (from, seen) in [("the host network", &inside), ("an ordinary container", &ordinary)] {
        for line in seen.lines() {
            assert!(
                !CONTROL.iter().any(|words| line.contains(words)),
                "from {from}, a control surface answers: {line}"
            );
            assert!(!line.starts_with("file "), "from {from}, a socket can be seen: {line}");
            assert_ne!(
                line, "vsock",
                "from {from}, there is a way to the host beside the network"
            );
        }
    }
    // The scan sees what there is to see.
    assert!(
        ordinary.contains("HTTP/1.1 404"),
        "the web container was found: {ordinary}"
    );

    on_the_host(&machine, &web);
    the_doctor_finds_it_well(&machine);
}

/// `host.docker.internal`, as the machine has it.
fn host_address(machine: &Machine) -> Ipv4Addr {
    let plan = fs_err::read(machine.path().join("machine/network.json")).expect("what was decided");
    let plan: Value = serde_json::from_slice(&plan).expect("JSON");
    let network = plan["machine"]
        .as_str()
        .and_then(|network| network.strip_suffix("0/24"));
    let network = network.expect("a network of 256 addresses");
    format!("{network}254").parse().expect("an address")
}

/// The ports of this computer where somebody listens.
fn listening() -> BTreeSet<u16> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs_err::read_to_string(table).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    lines
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (_, port) = words.get(1)?.rsplit_once(':')?;
            (*words.get(3)? == "0A").then(|| u16::from_str_radix(port, 16).ok())?
        })
        .collect()
}

fn scanner(folder: &Path) -> PathBuf {
    let (source, program) = (folder.join("scan.rs"), folder.join("scan"));
    fs_err::write(&source, include_str!("scan.rs")).expect("written");
    run(Command::new("rustc")
        .args(["--edition", "2024", "-O", "-C", "target-feature=+crt-static", "-o"])
        .arg(&program)
        .arg(&source));
    program
}

fn scan_from(machine: &Machine, scan: &Path, options: &[&str], addresses: &[&str]) -> String {
    run(machine
        .docker()
        .args(["create", "--name", "scan"])
        .args(options)
        .args(["busybox", "/scan"])
        .args(addresses));
    run(machine.docker().arg("cp").arg(scan).arg("scan:/scan"));
    let seen = run(machine.docker().args(["start", "--attach", "scan"]));
    run(machine.docker().args(["rm", "scan"]));
    assert!(seen.trim_end().ends_with("done"), "the scan came to its end: {seen}");
    seen
}

/// Our processes listen on what was published and on nothing else; sockets and folders are the person's alone.
fn on_the_host(machine: &Machine, web: &str) {
    let (_, port) = web.split_once(':').expect("an address");
    let sockets: BTreeSet<String> = machine
        .processes("wherry")
        .into_iter()
        .chain([machine.pid()])
        .flat_map(sockets_of)
        .collect();
    for table in ["tcp", "tcp6"] {
        let text = fs_err::read_to_string(format!("/proc/net/{table}")).expect("readable");
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (words[1], words[3], words[9]);
            if state != "0A" || !sockets.contains(inode) {
                continue;
            }
            let (_, listens) = local.rsplit_once(':').expect("a port");
            let listens = u16::from_str_radix(listens, 16).expect("a number");
            assert_eq!(listens.to_string(), port, "only what was published listens: {line}");
        }
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

fn sockets_of(pid: u32) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| fs_err::read_link(entry.path()).ok())
        .filter_map(|target| {
            let target = target.to_string_lossy().into_owned();
            Some(target.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
        })
        .collect()
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
