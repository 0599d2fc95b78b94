//! Whatever is killed at whatever moment: the engine answers again, what was finished is still there, and nothing is
//! left behind. `cargo xtask test faults` does it 200 times, `cargo xtask test` a few times.

mod place;
mod work;
mod writers;

use std::process::Command;
use std::time::Duration;

use fastrand::Rng;
use place::{Place, bounded};
use wherry_tests::long;
use wherry_tests::machine::Machine;
use wherry_tests::process::{alive, output, run, say, signal, until};
use work::{Done, Work};

/// How often something is killed, when the person says so.
const ROUNDS: &str = "WHERRY_FAULT_ROUNDS";
const FEW_ROUNDS: u32 = 6;
const MANY_ROUNDS: u32 = 200;
/// How often QEMU is killed under somebody who has every line synced.
const WRITERS: &str = "WHERRY_FAULT_WRITERS";
const FEW_WRITERS: u32 = 1;
const MANY_WRITERS: u32 = 50;
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
    let rounds = |variable, few, many| {
        let usual = if long() { many } else { few };
        number(variable).map_or(usual, |rounds| u32::try_from(rounds).expect("a count"))
    };
    let (writers, rounds) = (
        rounds(WRITERS, FEW_WRITERS, MANY_WRITERS),
        rounds(ROUNDS, FEW_ROUNDS, MANY_ROUNDS),
    );
    let seed = number(SEED).unwrap_or_else(|| u64::from(std::process::id()));
    say(&format!("{SEED}={seed}, {rounds} rounds, {writers} writers"));
    let mut random = Rng::with_seed(seed);

    let place = Place::new();
    let machine = &place.machine;
    let mut done = Done::default();
    // Every victim comes up equally often, with work that is chosen by chance.
    for round in 0..rounds {
        let victim = VICTIMS[round as usize % VICTIMS.len()];
        let work = Work::ALL[random.usize(..Work::ALL.len())];
        let delay = LONGEST_DELAY.mul_f64(random.f64());
        say(&format!(
            "round {}: {victim:?} during {work:?}, after {delay:?}",
            round + 1
        ));
        work.prepare(&place, round);
        std::thread::scope(|scope| {
            let working = scope.spawn(|| work.begin(&place, round));
            // The moment of the kill is what the round is about; nothing waits for it.
            std::thread::sleep(delay);
            kill(machine, victim);
            if !work.is_of_the_machine() {
                recover(machine);
            }
            done.add(
                working
                    .join()
                    .expect("the work ends by itself once the engine is back or gone"),
                &place,
            );
        });
        recover(machine);
        done.check(machine);
        assert_one_of_each(machine);
    }
    done.check_images(machine);
    assert_whole_backup(&place);
    writers::killed(machine, writers, &mut random);
    machine.wherry(&["stop"]);
    assert_nothing_left(machine);
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
    let ended = bounded(machine.docker().args(["exec", "killer", "/bin/sh", "-c", line])).status;
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
    // A spare is started beside the keeper, not before it.
    until(
        "one file server, who keeps its connection, and that one's spare",
        || (machine.processes("wherry").len() == 4).then_some(()),
    );
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

/// What a killed one left in the engine is gone after the next.
fn assert_whole_backup(place: &Place) {
    let file = place.machine.person().join("last.tar");
    run(place.wherry().arg("backup").arg(&file));
    place.check_backup(&file, true);
    for listed in [&["ps", "--all"][..], &["image", "ls"]] {
        let mut left = place.machine.docker();
        left.args(listed)
            .args(["--quiet", "--filter", "label=app.wherry.backup"]);
        assert_eq!(run(&mut left), "", "nothing of a backup is left in the engine");
    }
}
