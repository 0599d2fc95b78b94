//! What can be reached from inside of containers: every address, port and socket that they can see is tried, and no
//! control surface answers.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::machine::Machine;
use crate::process::{run, say};

/// Which ports of the host's loopback are tried. One that refuses costs a question through the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doors {
    /// Others each time, and those where our own processes listen.
    Some,
    All,
}

/// How many are some.
const SOME: usize = 2000;

/// What only an engine, our agent or our daemon would say.
const CONTROL: [&str; 6] = [
    "Api-Version",
    "ServerVersion",
    "OperatingSystem",
    "\\\"type\\\":\\\"ok\\\"",
    "\\\"type\\\":\\\"refused\\\"",
    "\\\"type\\\":\\\"status\\\"",
];

/// Tried from the host network of the machine, and as any other container.
pub fn nothing_in_a_container_reaches_a_control_surface(machine: &Machine, doors: Doors) {
    let scan = scanner(machine.path());
    // The test listens on the host's loopback as somebody who is to be found.
    let found = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let found = found.local_addr().expect("its address").port();
    let host = host_address(machine);
    let ports = machine.path().join("ports");
    fs_err::write(&ports, tried(machine, doors, found)).expect("written");
    let inside_of = [scan.as_path(), &ports];
    let on_host = [format!("host={host}")];

    let inside = scan_from(machine, inside_of, &["--network", "host"], &on_host);
    let addresses: Vec<&str> = inside.lines().filter_map(|line| line.strip_prefix("local ")).collect();
    assert!(addresses.len() >= 3, "loopback, the network and the bridge: {inside}");
    assert!(
        !inside.lines().any(|line| line.starts_with("unix @")),
        "an abstract socket is open to every container on the host network: {inside}"
    );
    // The other one is told the addresses of the first.
    let of_machine = addresses.into_iter().filter(|address| !address.starts_with("127."));
    let mut knocks: Vec<String> = of_machine.map(str::to_owned).collect();
    knocks.extend(on_host);
    let ordinary = scan_from(machine, inside_of, &[], &knocks);

    for (from, seen) in [("the host network", &inside), ("an ordinary container", &ordinary)] {
        assert!(
            seen.contains(&format!("tcp {host}:{found} ")),
            "from {from}, the scan sees the host's loopback: {seen}"
        );
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
            if line.starts_with("took ") {
                say(&format!("from {from}: {line}"));
            }
        }
    }
    // The scan sees what there is to see.
    assert!(
        ordinary.contains("HTTP/1.1 404"),
        "the web container was found: {ordinary}"
    );
}

/// The ports of the host, a line each. Where others are known to listen nobody is disturbed.
fn tried(machine: &Machine, doors: Doors, found: u16) -> String {
    let mut known = listening_of(machine);
    known.insert(found);
    let others = listening(|_| true);
    let mut ports: Vec<u16> = (1..=u16::MAX)
        .filter(|port| !others.contains(port) && !known.contains(port))
        .collect();
    if doors == Doors::Some {
        fastrand::shuffle(&mut ports);
        ports.truncate(SOME);
    }
    ports.extend(known);
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    ports.join("\n")
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

/// The ports of this computer where our processes listen.
pub fn listening_of(machine: &Machine) -> BTreeSet<u16> {
    let sockets: BTreeSet<String> = machine
        .processes("wherry")
        .into_iter()
        .chain([machine.pid()])
        .flat_map(sockets_of)
        .collect();
    listening(|inode| sockets.contains(inode))
}

/// The ports of this computer where somebody listens whose socket has one of these numbers.
fn listening(whose: impl Fn(&str) -> bool) -> BTreeSet<u16> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs_err::read_to_string(table).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    lines
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (_, port) = words.get(1)?.rsplit_once(':')?;
            let listens = *words.get(3)? == "0A" && whose(words.get(9)?);
            listens.then(|| u16::from_str_radix(port, 16).ok())?
        })
        .collect()
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

fn scanner(folder: &Path) -> PathBuf {
    let (source, program) = (folder.join("scan.rs"), folder.join("scan"));
    fs_err::write(&source, include_str!("reach/scan.rs")).expect("written");
    run(Command::new("rustc")
        .args(["--edition", "2024", "-O", "-C", "target-feature=+crt-static", "-o"])
        .arg(&program)
        .arg(&source));
    program
}

fn scan_from(machine: &Machine, files: [&Path; 2], options: &[&str], words: &[String]) -> String {
    run(machine
        .docker()
        .args(["create", "--name", "scan"])
        .args(options)
        .args(["busybox", "/scan"])
        .args(words));
    for file in files {
        run(machine.docker().arg("cp").arg(file).arg("scan:/"));
    }
    let seen = run(machine.docker().args(["start", "--attach", "scan"]));
    run(machine.docker().args(["rm", "scan"]));
    assert!(seen.trim_end().ends_with("done"), "the scan came to its end: {seen}");
    seen
}
