//! Suspending, falling asleep, waking.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use wherry_tests::machine::Machine;
use wherry_tests::process::{run, until};

/// Counts aloud over one TCP connection, with the time of day, and writes down what comes back.
const COUNTS: &str = "i=0; while :; do i=$((i+1)); echo $i $(date +%s); sleep 0.2; done | nc server 9000 > /heard";

#[test]
fn containers_and_their_connections_go_on_where_they_were_and_a_sleeping_machine_wakes_when_it_is_used() {
    let machine = Machine::start();
    machine.import_busybox();
    machine.wherry(&["set", "sleep-after", "off"]);
    run(machine.docker().args(["network", "create", "talk"]));
    let container = |name: &str, command: &str| {
        run(machine
            .docker()
            .args(["run", "--detach", "--name", name, "--network", "talk"])
            .args(["busybox", "/bin/sh", "-c", command]));
    };
    container("server", "nc -l -p 9000 -e cat");
    container("client", COUNTS);
    until("a number came back", || heard(&machine).len().checked_sub(3));

    machine.wherry(&["suspend"]);
    let suspended = now();
    assert_eq!(machine.state(), "suspended");
    assert!(machine.processes("qemu-system-x86_64").is_empty(), "nothing of it runs");
    assert!(!machine.socket().exists());
    // A clock that stood still for less than a second would not be noticed.
    until("some seconds have passed", || (now() > suspended + 3).then_some(()));
    let resumed = now();
    machine.wherry(&["start"]);
    let before = heard(&machine).len();
    until("it went on counting", || heard(&machine).len().checked_sub(before + 5));
    let heard = heard(&machine);
    for (index, (number, _)) in heard.iter().enumerate() {
        assert_eq!(*number, index as u64 + 1, "one process counts, over one connection");
    }
    let while_away = heard.iter().filter(|(_, time)| (suspended + 1..resumed).contains(time));
    assert_eq!(while_away.count(), 0, "no container saw the clock before it was right");
    let inside: u64 = run(machine.docker().args(["exec", "client", "/bin/sh", "-c", "date +%s"]))
        .trim()
        .parse()
        .expect("a time");
    assert!(now().abs_diff(inside) <= 2, "the clock is right");
    assert!(
        !machine.path().join("machine/memory.saved").exists(),
        "memory is used once"
    );

    // The container keeps it awake; without it the machine first stands still, and goes on at the first question.
    run(machine.docker().args(["rm", "--force", "client", "server"]));
    until("it is at rest", || {
        let running = machine.status()["state"]["running"].clone();
        (running["rests"] == Value::Bool(true)).then_some(())
    });
    let at_rest = now();
    // Longer than between two beats of the link.
    until("some seconds have passed", || (now() > at_rest + 20).then_some(()));
    assert_eq!(machine.status()["state"]["running"]["rests"], Value::Bool(true));
    let images = run(machine.docker().args(["images", "--quiet", "busybox"]));
    assert!(!images.trim().is_empty(), "it answers");
    assert_eq!(machine.status()["state"]["running"]["rests"], Value::Bool(false));
    let before = now();
    let inside = run(machine
        .docker()
        .args(["run", "--rm", "busybox", "/bin/sh", "-c", "date +%s"]));
    let inside: u64 = inside.trim().parse().expect("a time");
    assert!(
        (before - 1..=now() + 1).contains(&inside),
        "its clock does not stand still: {inside} is not between {before} and now"
    );
    machine.wherry(&["set", "sleep-after", "1m"]);
    let asleep = until("it is asleep", || {
        let state = machine.status()["state"].clone();
        (state["type"] == "suspended").then_some(state)
    });
    assert_eq!(asleep["wakes"], Value::Bool(true));
    assert!(machine.processes("qemu-system-x86_64").is_empty());
    run(machine.docker().args(["ps"]));
    assert_eq!(machine.state(), "running", "docker ps has woken it");

    // One bit of its memory flips on the disk: it is set aside and named, and the machine boots.
    machine.wherry(&["suspend"]);
    let saved = machine.path().join("machine/memory.saved");
    let mut memory = fs_err::read(&saved).expect("its memory");
    let middle = memory.len() / 2;
    memory[middle] ^= 4;
    fs_err::write(&saved, memory).expect("written");
    machine.wherry(&["start"]);
    let status = machine.status();
    assert_eq!(status["state"]["type"], "running");
    let notes = status["notes"].to_string();
    assert!(
        notes.contains("its checksum is wrong") && notes.contains("memory.saved.bad-"),
        "{notes}"
    );
    assert!(
        run(machine.docker().args(["network", "ls"])).contains("talk"),
        "what was on the disk is there"
    );
}

/// Each number and the time at which it was said.
fn heard(machine: &Machine) -> Vec<(u64, u64)> {
    let text = run(machine.docker().args(["exec", "client", "cat", "/heard"]));
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    // The last one may be half a line.
    lines.retain(|line| line.ends_with('\n'));
    lines
        .into_iter()
        .filter_map(|line| {
            let (number, time) = line.trim().split_once(' ')?;
            Some((number.parse().ok()?, time.parse().ok()?))
        })
        .collect()
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
