//! The same things done over and over: what Wherry's processes hold does not grow with how often.

use std::collections::BTreeMap;

use crate::fetch::get;
use crate::images::PAGE;
use crate::machine::Machine;
use crate::process::{run, say, until};

/// How often.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Connections to a published port.
    pub connections: u32,
    /// Commands in a container.
    pub execs: u32,
    /// Containers with a published port that are made, started and removed.
    pub containers: u32,
}

/// Done before it is measured, so that caches and pools have what they keep.
const FIRST: Amount = Amount {
    connections: 200,
    execs: 3,
    containers: 2,
};

/// How much a process may take more than before, in KiB: an allocator does not give everything back.
const MORE_MEMORY: u64 = 16 * 1024;
/// Threads of a pool come when there is work, so that the second round may have some more at once than the first.
const MORE_THREADS: u64 = 4;

/// What a process holds: open descriptors, threads, memory in KiB.
#[derive(Clone, Copy, Debug)]
struct Held {
    descriptors: u64,
    threads: u64,
    memory: u64,
}

/// Does it, and sees that afterwards as much is held as before.
pub fn soak(machine: &Machine, amount: Amount) {
    let address = machine.web(&[]);
    run(machine.docker().args([
        "run",
        "--detach",
        "--name",
        "inside",
        "--privileged",
        "--pid",
        "host",
        "busybox",
        "/bin/sleep",
        "100000000",
    ]));
    work(machine, &address, FIRST);
    let before = held(machine);
    work(machine, &address, amount);
    // A connection that was closed here is closed on the way and in the machine a moment later.
    let after = until("every descriptor of the work to be closed", || {
        let now = held(machine);
        before
            .iter()
            .all(|(name, before)| now[name].descriptors <= before.descriptors)
            .then_some(now)
    });
    say(&format!("{amount:?}"));
    for (name, before) in &before {
        let after = after[name];
        say(&format!("{name}: {before:?} before, {after:?} after"));
        assert!(
            after.threads <= before.threads + MORE_THREADS,
            "{name} has more threads than before"
        );
        assert!(
            after.memory <= before.memory + MORE_MEMORY,
            "{name} takes more memory than before"
        );
    }
}

fn work(machine: &Machine, address: &str, amount: Amount) {
    for _ in 0..amount.connections {
        let page = get(address).unwrap_or_default();
        assert!(page.contains(PAGE), "the page is served each time: {page}");
    }
    for number in 0..amount.execs {
        let said = number.to_string();
        let mut exec = machine.docker();
        assert_eq!(run(exec.args(["exec", "web", "/bin/echo", &said])).trim(), said);
    }
    for _ in 0..amount.containers {
        let mut once = machine.docker();
        run(once.args(["run", "--rm", "--publish", "127.0.0.1::80", "busybox", "/bin/true"]));
    }
}

fn held(machine: &Machine) -> BTreeMap<&'static str, Held> {
    let mut held = BTreeMap::from([("daemon", on_host(machine.daemons()[0]))]);
    let mut keepers = machine.file_keepers().into_iter();
    held.extend(keepers.next().map(|pid| ("file server's keeper", on_host(pid))));
    held.extend(keepers.next().map(|pid| ("its spare", on_host(pid))));
    let mut servers = machine.file_servers().into_iter();
    held.extend(servers.next().map(|pid| ("file server", on_host(pid))));
    held.insert("agent", in_machine(machine));
    held
}

fn on_host(pid: u32) -> Held {
    let count = |folder: &str| {
        let entries = fs_err::read_dir(format!("/proc/{pid}/{folder}")).expect("it runs");
        entries.count() as u64
    };
    Held {
        descriptors: count("fd"),
        threads: count("task"),
        memory: memory(&fs_err::read_to_string(format!("/proc/{pid}/status")).expect("it runs")),
    }
}

/// The agent is the machine's first process.
fn in_machine(machine: &Machine) -> Held {
    let look = "ls /proc/1/fd | busybox wc -l; ls /proc/1/task | busybox wc -l; cat /proc/1/status";
    let said = run(machine.docker().args(["exec", "inside", "/bin/sh", "-c", look]));
    let mut lines = said.lines();
    let mut number = || {
        lines
            .next()
            .and_then(|line| line.trim().parse().ok())
            .expect("a number")
    };
    Held {
        descriptors: number(),
        threads: number(),
        memory: memory(&said),
    }
}

/// `VmRSS` of proc(5)'s `status`.
fn memory(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok())
        .expect("VmRSS")
}
