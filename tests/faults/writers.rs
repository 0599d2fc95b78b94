//! Power fails under somebody who has every line synced before saying that it is written.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use fastrand::Rng;
use wherry_tests::machine::Machine;
use wherry_tests::process::{output, run, say};

use crate::work::{kept, writes};
use crate::{Victim, kill, recover};

/// The kill comes after at most so many acknowledged lines.
const MOST_LINES: usize = 60;

/// Kills QEMU this often. No line that was acknowledged is lost, and the file system is clean each time.
pub(crate) fn killed(machine: &Machine, times: u32, random: &mut Rng) {
    let mut acknowledged = BTreeSet::new();
    for time in 1..=times {
        let mut writer = writes(machine, &format!("synced-{time}"), 100_000)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker starts");
        let mut lines = BufReader::new(writer.stdout.take().expect("its output")).lines();
        let enough = random.usize(1..=MOST_LINES);
        acknowledged.extend(
            lines
                .by_ref()
                .take(enough)
                .map(|line| line.expect("its output is text")),
        );
        kill(machine, Victim::Machine);
        // What was on its way when the machine ended was acknowledged too.
        acknowledged.extend(lines.map_while(Result::ok));
        let _ = writer.wait();
        assert_file_system_is_clean(machine);
        recover(machine);
        let kept = kept(machine);
        let lost: Vec<&String> = acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "written, synced and lost: {lost:?}");
        say(&format!(
            "writer {time}: killed after {} lines in all",
            acknowledged.len()
        ));
    }
}

/// As the machine finds it at its next start: the journal is played back and files that only a process had are freed,
/// and nothing is left to repair.
fn assert_file_system_is_clean(machine: &Machine) {
    let copy = machine.person().join("copy.raw");
    run(Command::new("cp")
        .arg("--sparse=always")
        .arg(machine.path().join("machine/data.raw"))
        .arg(&copy));
    let prepared = output(Command::new("e2fsck").arg("-p").arg(&copy));
    assert!(
        matches!(prepared.status.code(), Some(0 | 1)),
        "the file system is damaged: {}",
        String::from_utf8_lossy(&prepared.stdout)
    );
    run(Command::new("e2fsck").args(["-f", "-n"]).arg(&copy));
    fs_err::remove_file(&copy).expect("the copy goes");
}
