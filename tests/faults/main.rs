//! Whatever is killed at whatever moment: the engine answers again, what was finished is still there, and nothing is
//! left behind. `cargo xtask test faults` does it 200 times, `cargo xtask test` a few times.

mod work;

use std::process::{Command, Stdio};
use std::time::Duration;

use fastrand::Rng;
use wherry_tests::images::busybox_tar;
use wherry_tests::machine::Machine;
use wherry_tests::process::{alive, output, run, say, signal, until};
use wherry_tests::{PATIENCE, long};
use work::{Done, Work};

/// How often something is killed, when the person says so.
const ROUNDS: &str = "WHERRY_FAULT_ROUNDS";
const FEW_ROUNDS: u32 = 5;
const MANY_ROUNDS: u32 = 200;
/// The number that a run prints first; with it the same things are killed in the same order.
const SEED: &str = "WHERRY_FAULT_SEED";
/// Long enough that a kill meets the beginning, the middle and the end of the work.
const LONGEST_DELAY: Duration = Duration::from_millis(2500);

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Daemon,
    Machine,
    /// The agent is the guest's first program, which Linux lets nobody kill; its end is the kernel's end.
    Kernel,
    /// The attempt to kill the agent from inside, which must change nothing.
    Agent,
    Dockerd,
    Containerd,
}

/// Those of the short form first. containerd is killed in the long form only: a container that ends in the second
/// before the next containerd is up is taken for running by dockerd, and whoever waits for it waits on. That is a fault
/// which the long form finds.
const VICTIMS: [Victim; 6] = [
    Victim::Machine,
    Victim::Dockerd,
    Victim::Daemon,
    Victim::Kernel,
    Victim::Agent,
    Victim::Containerd,
];

#[test]
fn nothing_is_lost_whatever_is_killed() {
    let (usual, victims) = if long() {
        (MANY_ROUNDS, &VICTIMS[..])
    } else {
        (FEW_ROUNDS, &VICTIMS[..5])
    };
    let rounds = number(ROUNDS).map_or(usual, |rounds| u32::try_from(rounds).expect("a count"));
    let seed = number(SEED).unwrap_or_else(|| u64::from(std::process::id()));
    say(&format!("{SEED}={seed}, {rounds} rounds"));
    let mut random = Rng::with_seed(seed);

    let machine = Machine::start();
    run(machine
        .docker()
        .arg("import")
        .arg(busybox_tar(machine.path()))
        .arg("busybox"));
    run(machine.docker().args([
        "run",
        "--detach",
        "--name",
        "killer",
        "--restart",
        "always",
        "--privileged",
        "--pid",
        "host",
        "busybox",
        "/bin/sleep",
        "100000000",
    ]));
    let mut done = Done::default();
    // Every victim and every kind of work comes up equally often, each pair in an order of its own.
    for round in 0..rounds {
        let victim = victims[round as usize % victims.len()];
        let work = Work::ALL[random.usize(..Work::ALL.len())];
        let delay = LONGEST_DELAY.mul_f64(random.f64());
        say(&format!(
            "round {}: {victim:?} during {work:?}, after {delay:?}",
            round + 1
        ));
        std::thread::scope(|scope| {
            let working = scope.spawn(|| work.begin(&machine, round));
            // The moment of the kill is what the round is about; nothing waits for it.
            std::thread::sleep(delay);
            kill(&machine, victim);
            recover(&machine);
            done.add(
                working
                    .join()
                    .expect("the work ends by itself once the engine is back or gone"),
            );
        });
        done.check(&machine);
        assert_one_of_each(&machine);
    }
    done.check_images(&machine);
    machine.wherry(&["stop"]);
    assert_nothing_left(&machine);
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}

fn kill(machine: &Machine, victim: Victim) {
    match victim {
        Victim::Daemon => kill_on_host(&machine.daemons()),
        Victim::Machine => kill_on_host(&machine.processes("qemu-system-x86_64")),
        Victim::Kernel => kill_inside(machine, "echo c > /proc/sysrq-trigger"),
        Victim::Agent => kill_inside(machine, "kill -9 1"),
        Victim::Dockerd => kill_inside(machine, "kill -9 $(busybox pidof dockerd)"),
        Victim::Containerd => kill_inside(machine, "kill -9 $(busybox pidof containerd)"),
    }
}

fn kill_on_host(victims: &[u32]) {
    for pid in victims {
        signal(*pid, "KILL");
        until("it to end", || (!alive(*pid)).then_some(()));
    }
}

/// The command that kills may not come back from it.
fn kill_inside(machine: &Machine, line: &str) {
    let mut exec = machine.docker();
    let ended = exec
        .args(["exec", "killer", "/bin/sh", "-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the docker command starts");
    if !ended.success() {
        say(&format!("  the command that kills ended with {ended}"));
    }
}

/// What a person does: start it again if it does not run. It must work the first time.
fn recover(machine: &Machine) {
    until("the engine", || {
        let mut version = machine.docker();
        if output(version.args(["version", "--format", "{{.Server.Version}}"]))
            .status
            .success()
        {
            return Some(());
        }
        // While it is coming up again by itself, `start` waits with it.
        let started = machine.try_wherry(&["start"]);
        assert!(
            started.status.success(),
            "the next start works: {}",
            String::from_utf8_lossy(&started.stderr)
        );
        None
    });
    // Its restart policy brings it back, a moment after the engine.
    until("the killer", || {
        let mut inspect = machine.docker();
        let state = output(inspect.args(["inspect", "--format", "{{.State.Running}}", "killer"]));
        (state.stdout.trim_ascii() == b"true").then_some(())
    });
}

fn assert_one_of_each(machine: &Machine) {
    assert_eq!(machine.daemons().len(), 1, "one daemon");
    assert_eq!(machine.processes("wherry").len(), 2, "and one file server");
    assert_eq!(machine.processes("qemu-system-x86_64").len(), 1, "one machine");
}

fn assert_nothing_left(machine: &Machine) {
    // The daemon leaves by itself when there is nothing to do and nobody connected.
    until("the daemon to leave", || {
        machine.processes("wherry").is_empty().then_some(())
    });
    assert!(machine.processes("qemu-system-x86_64").is_empty());
    let sockets = run(Command::new("find").arg(machine.path()).args(["-type", "s"]));
    assert_eq!(sockets, "", "no stale socket");
    let disk = machine.path().join("machine/data.raw");
    run(Command::new("e2fsck").args(["-f", "-n"]).arg(&disk));
}

/// A command of the work that outlives [`PATIENCE`] hangs, which is a fault of its own.
fn bounded(command: &mut Command) -> std::process::Output {
    let mut with_bound = Command::new("timeout");
    with_bound
        .arg(PATIENCE.as_secs().to_string())
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => with_bound.env(name, value),
            None => with_bound.env_remove(name),
        };
    }
    let output = output(&mut with_bound);
    assert_ne!(output.status.code(), Some(124), "it hangs: {command:?}");
    output
}
