//! What containers no longer use comes back to this computer by itself.

use std::os::unix::fs::MetadataExt as _;

use wherry_tests::images::busybox_tar;
use wherry_tests::machine::Machine;
use wherry_tests::process::{run, until};

const MIB: u64 = 1 << 20;
/// What a container writes, reads and holds in memory.
const USED: u64 = 256;

/// The resident memory of the machine's process, in MiB.
fn memory(machine: &Machine) -> u64 {
    let status = fs_err::read_to_string(format!("/proc/{}/status", machine.pid())).expect("the process is there");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|kib| kib.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.expect("it has memory") / 1024
}

/// What the data disk's file occupies, in MiB.
fn disk(machine: &Machine) -> u64 {
    let file = fs_err::metadata(machine.path().join("machine/data.raw")).expect("the data disk");
    file.blocks() * 512 / MIB
}

#[test]
fn memory_and_disk_that_are_no_longer_used_come_back_by_themselves() {
    let machine = Machine::start();
    run(machine
        .docker()
        .arg("import")
        .arg(busybox_tar(machine.path()))
        .arg("busybox"));
    let in_container = |script: &str| {
        run(machine
            .docker()
            .args([
                "run",
                "--rm",
                "--volume",
                "work:/work",
                "busybox",
                "/bin/busybox",
                "sh",
                "-c",
            ])
            .arg(script))
    };
    in_container("true");
    let (memory_before, disk_before) = (memory(&machine), disk(&machine));

    // A program's own memory, a file, and the cache of that file.
    in_container(&format!(
        "busybox=/bin/busybox
         $busybox dd if=/dev/zero of=/dev/null bs={USED}M count=1
         $busybox yes | $busybox head -c {} > /work/file
         /bin/cat /work/file > /dev/null",
        USED * MIB
    ));
    let (memory_used, disk_used) = (memory(&machine), disk(&machine));
    assert!(
        memory_used > memory_before + USED / 2,
        "{memory_before} MiB, then {memory_used} MiB"
    );
    assert!(
        disk_used >= disk_before + USED,
        "{disk_before} MiB, then {disk_used} MiB"
    );
    until("the cache to be given back although the file is still there", || {
        (memory(&machine) < memory_before + (memory_used - memory_before) / 2).then_some(())
    });
    assert!(disk(&machine) >= disk_before + USED, "what is not removed stays");

    in_container("/bin/busybox rm /work/file");
    until("the blocks of the removed file to be given back", || {
        (disk(&machine) <= disk_before + USED / 4).then_some(())
    });

    // The same at once, when the person asks for it.
    in_container(&format!(
        "/bin/busybox yes | /bin/busybox head -c {} > /work/file; /bin/busybox rm /work/file",
        USED * MIB
    ));
    let freed: serde_json::Value = serde_json::from_str(&machine.wherry(&["free", "--json"])).expect("JSON");
    assert!(
        freed["memory"].is_u64() && freed["disk"].is_u64(),
        "it says how much: {freed}"
    );
    assert!(disk(&machine) <= disk_before + USED / 4, "{freed}");

    machine.wherry(&["stop"]);
    let nothing = machine.wherry(&["free", "--json"]);
    assert_eq!(
        nothing.trim(),
        r#"{"memory":0,"disk":0}"#,
        "a stopped machine holds nothing"
    );
}
