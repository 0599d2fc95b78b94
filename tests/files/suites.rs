//! What is expected of any file system.

use wherry_tests::process::{Running, output, run, say};
use wherry_tests::{long, tools};

use crate::{Bed, CONTAINERS};

/// Long enough that each kind of operation meets each other one.
const OPERATIONS: (&str, &str) = ("1000", "100000");
const ROWS: (u32, u32) = (50, 1000);

/// The last words of those tests of pjdfstest that make a device file: no container makes one on the person's computer.
const DEVICES: [&str; 2] = ["::char", "::block"];

/// What of pjdfstest runs in the short form: calls whose answer depends on us most.
const MOST_TELLING: [&str; 3] = ["rename", "link", "chown"];

pub(crate) fn what_programs_rely_on_holds(bed: &Bed) {
    let said = run(&mut bed.exec("one", &["python3", "/tools/semantics.py", "all", "/work"]));
    let (held, failed): (Vec<&str>, Vec<&str>) = said.lines().partition(|line| line.starts_with("ok "));
    let known = |line: &&&str| {
        let name = line.strip_prefix("failed ").and_then(|line| line.split_once(": "));
        name.is_some_and(|(name, _)| bed.lacks.contains(&name))
    };
    let (known, failed): (Vec<&str>, Vec<&str>) = failed.iter().partition(known);
    assert!(failed.is_empty(), "{failed:#?}");
    let (held, known) = (held.len(), known.len());
    say(&format!(
        "{held} things that programs rely on hold, {known} are known not to"
    ));
}

pub(crate) fn two_containers_lock_each_other_out(bed: &Bed) {
    for kind in ["flock", "lockf"] {
        let file = format!("/work/lock-{kind}");
        let exec =
            |container: &str, what: &str| bed.exec(container, &["python3", "/tools/semantics.py", what, kind, &file]);
        let log = bed.machine.path().join("lock.log");
        let mut holder = Running::start(&mut exec("one", "hold"), &log);
        assert_eq!(holder.line(), "held");
        assert_eq!(run(&mut exec("two", "try")).trim(), "taken", "{kind}");
        holder.finish();
        assert_eq!(run(&mut exec("two", "try")).trim(), "free", "{kind}");
    }
}

/// In the mode that shares memory between its users (WAL).
pub(crate) fn two_containers_write_one_database(bed: &Bed) {
    let rows = if long() { ROWS.1 } else { ROWS.0 };
    let write = |container: &str, who: &str, rows: u32| {
        let words = [
            "python3",
            "/tools/semantics.py",
            "write",
            "/work/database",
            who,
            &rows.to_string(),
        ];
        assert_eq!(run(&mut bed.exec(container, &words)).trim(), "ok");
    };
    write("one", "maker", 0);
    std::thread::scope(|scope| {
        for container in CONTAINERS {
            scope.spawn(move || write(container, container, rows));
        }
    });
    let count = ["python3", "/tools/semantics.py", "count", "/work/database"];
    assert_eq!(run(&mut bed.exec("two", &count)).trim(), format!("{} ok wal", 2 * rows));
}

pub(crate) fn git_works(bed: &Bed) {
    if long() {
        assert_eq!(
            run(&mut bed.exec("one", &["/bin/sh", "/tools/git.sh", "/work"])).trim(),
            "3"
        );
    }
}

/// Apple's file system exerciser, with every operation that it has.
pub(crate) fn random_writes_are_read_back(bed: &Bed) {
    bed.give(&tools::crates_program("fsx", "0.3.2"));
    if bed.lacks.contains(&"holes are punched") {
        let settings = bed.machine.person().join("tools/fsx.toml");
        let text = fs_err::read_to_string(&settings).expect("its settings");
        fs_err::write(&settings, text.replace("punch_hole = 3\n", "")).expect("written");
    }
    let operations = if long() { OPERATIONS.1 } else { OPERATIONS.0 };
    run(&mut bed.exec(
        "one",
        &[
            "/tools/fsx",
            "-f",
            "/tools/fsx.toml",
            "-N",
            operations,
            "-P",
            "/work",
            "/work/exercised",
        ],
    ));
    say(&format!("fsx: {operations} operations"));
}

/// pjdfstest, which is what FreeBSD and others hold their file systems to.
pub(crate) fn posix_is_kept_but_for_devices(bed: &Bed) {
    bed.give(&tools::crates_program("pjdfstest", "0.2.2"));
    let mut words = vec!["/tools/pjdfstest", "-c", "/tools/pjdfstest.toml", "-p", "/work"];
    if !long() {
        words.push("--");
        words.extend(MOST_TELLING);
    }
    let ended = output(&mut bed.exec("one", &words));
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let outcome = |word: &str| -> Vec<String> {
        let lines = said.lines().filter_map(|line| line.strip_suffix(word));
        lines.map(|name| name.trim().to_owned()).collect()
    };
    let (passed, skipped) = (outcome(" ok"), outcome(" skipped"));
    let (devices, failed): (Vec<_>, Vec<_>) = outcome(" FAILED")
        .into_iter()
        .partition(|name| DEVICES.iter().any(|kind| name.ends_with(kind)));
    let (known, failed): (Vec<_>, Vec<_>) = failed.into_iter().partition(|name| bed.lacks.contains(&name.as_str()));
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(passed.len() > 50, "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    let (passed, skipped, devices, known) = (passed.len(), skipped.len(), devices.len(), known.len());
    say(&format!(
        "pjdfstest: {passed} passed, {devices} need a device file, {skipped} skipped, {known} are known to fail"
    ));
}
