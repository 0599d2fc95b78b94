//! Shared folders as file systems: what programs rely on holds, and nothing beside them is reached.
//! `cargo xtask test files` runs the suites in full, `cargo xtask test` a part of them. docs/shares.md says what passes.

mod attack;
mod suites;

use std::path::PathBuf;
use std::process::Command;

use wherry_tests::images::bare_tar;
use wherry_tests::machine::{Machine, START};
use wherry_tests::process::run;
use wherry_tests::{long, tools};

/// Two containers that have the same folder of the person's, and Debian's programs.
struct Bed {
    machine: Machine,
    project: PathBuf,
    /// Where the machine has all that the host shows, below the path of a container that has the machine's whole root.
    tree: &'static str,
    /// What of this does not hold there; docs/shares.md says why.
    lacks: &'static [&'static str],
}

/// What Linux's 9p client and QEMU's server do not do.
const LACKS_BY_QEMU: &[&str] = &[
    "rename over a file that is open",
    "rename without replacing",
    "rename exchanging",
    "sparse files",
    "holes are punched",
    "files that are removed while they are open",
    "times",
    "a user may do with their own what others may not",
    "link::link_count_max",
    "mkdir::uid_gid_eq_euid_egid",
    "mkfifo::uid_gid_eq_euid_egid",
    "mknod::uid_gid_eq_euid_egid",
    "open::uid_gid_eq_euid_egid",
    "utimensat::subsecond",
];

const CONTAINERS: [&str; 2] = ["one", "two"];

impl Bed {
    fn new() -> Bed {
        Bed::of(Machine::in_a_persons_home(), "/machine/run/wherry/shares", &[])
    }

    /// With folders that QEMU itself shares.
    fn by_qemu() -> Bed {
        let machine = Machine::in_a_persons_home();
        machine.lacks_file_server();
        Bed::of(machine, "/machine", LACKS_BY_QEMU)
    }

    fn of(machine: Machine, tree: &'static str, lacks: &'static [&'static str]) -> Bed {
        let programs = tools::tree("git,python3");
        let project = machine.person().join("project");
        let scripts = machine.person().join("tools");
        for folder in [&project, &scripts] {
            fs_err::create_dir_all(folder).expect("a folder");
        }
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("files");
        for file in ["semantics.py", "attack.py", "git.sh", "fsx.toml", "pjdfstest.toml"] {
            fs_err::copy(source.join(file), scripts.join(file)).expect("a copy");
        }
        machine.wherry(&["share", "add", programs.to_str().expect("a path")]);
        machine.wherry(&START);
        run(machine
            .docker()
            .arg("import")
            .arg(bare_tar(machine.person()))
            .arg("bare"));
        for name in CONTAINERS {
            run(machine
                .docker()
                .args(["run", "--detach", "--name", name, "--privileged"])
                .arg("--volume")
                .arg(format!("{}:/usr:ro", programs.join("usr").display()))
                .arg("--volume")
                .arg(format!("{}:/work", project.display()))
                .arg("--volume")
                .arg(format!("{}:/tools", scripts.display()))
                .args(["--volume", "/:/machine", "bare", "/bin/sleep", "1000000"]));
        }
        Bed {
            machine,
            project,
            tree,
            lacks,
        }
    }

    fn exec(&self, container: &str, words: &[&str]) -> Command {
        let mut command = self.machine.docker();
        command.args(["exec", "--interactive", container]).args(words);
        command
    }

    /// A program for the containers, at `/tools`.
    fn give(&self, program: &std::path::Path) {
        let name = program.file_name().expect("a name");
        fs_err::copy(program, self.machine.person().join("tools").join(name)).expect("a copy");
    }
}

#[test]
fn folders_behave_as_on_any_file_system_and_lead_nowhere_else() {
    let bed = Bed::new();
    suites::what_programs_rely_on_holds(&bed);
    suites::two_containers_lock_each_other_out(&bed);
    suites::two_containers_write_one_database(&bed);
    suites::git_works(&bed);
    suites::random_writes_are_read_back(&bed);
    suites::posix_is_kept_but_for_devices(&bed);
    attack::nothing_outside_is_reached(&bed);
    bed.machine.wherry(&["stop"]);
}

#[test]
fn folders_that_qemu_shares_itself_behave_but_for_what_is_known_and_lead_nowhere_else() {
    let bed = Bed::by_qemu();
    suites::what_programs_rely_on_holds(&bed);
    suites::two_containers_lock_each_other_out(&bed);
    suites::two_containers_write_one_database(&bed);
    suites::git_works(&bed);
    suites::random_writes_are_read_back(&bed);
    if long() {
        suites::posix_is_kept_but_for_devices(&bed);
    }
    attack::nothing_outside_is_reached(&bed);
    bed.machine.wherry(&["stop"]);
}
