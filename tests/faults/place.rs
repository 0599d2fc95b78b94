//! The machine, and the registry on this computer that it pulls from.

use std::path::Path;
use std::process::{Command, Output};

use fastrand::Rng;
use wherry_tests::PATIENCE;
use wherry_tests::authority::Authority;
use wherry_tests::images::busybox_tar;
use wherry_tests::machine::{Machine, START};
use wherry_tests::process::{output, run};
use wherry_tests::registry::Registry;

/// Where the machine reaches what listens on this computer's loopback.
const HOST: &str = "host.docker.internal";

pub(crate) struct Place {
    pub(crate) machine: Machine,
    registry: Registry,
}

impl Place {
    pub(crate) fn new() -> Place {
        let machine = Machine::in_a_persons_home();
        let person = machine.person();
        let authority = Authority::new("The test's own");
        let registry = Registry::serve_as(&person.join("storage"), &authority.identify(HOST, person));
        let place = Place { machine, registry };
        let trusted = place.machine.person().join(".docker/certs.d").join(place.address());
        fs_err::create_dir_all(&trusted).expect("a folder");
        fs_err::write(trusted.join("ca.crt"), authority.certificate()).expect("written");

        let machine = &place.machine;
        machine.wherry(&START);
        // Who falls asleep by itself wakes at the next command, which is not what is looked at here.
        machine.wherry(&["set", "sleep-after", "off"]);
        run(machine
            .docker()
            .arg("import")
            .arg(busybox_tar(machine.person()))
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
        place
    }

    fn address(&self) -> String {
        self.registry.address().replace("127.0.0.1", HOST)
    }

    /// What an image of this round is called in the registry.
    pub(crate) fn name(&self, round: u32) -> String {
        format!("{}/pulled:{round}", self.address())
    }

    /// Puts an image with this content into the registry. The engine forgets it.
    pub(crate) fn publish(&self, name: &str, content: &str) {
        self.import(name, content, &mut |command| {
            run(command);
        });
        run(self.machine.docker().args(["push", "--quiet", name]));
        run(self.machine.docker().args(["image", "rm", name]));
    }

    /// Gives the engine an image with this content, by the way that is given.
    pub(crate) fn import(&self, name: &str, content: &str, by: &mut dyn FnMut(&mut Command)) {
        let folder = tempfile::tempdir_in(self.machine.person()).expect("a folder");
        fs_err::write(folder.path().join("content"), content).expect("a file");
        let tar = folder.path().join("image.tar");
        run(Command::new("tar")
            .arg("-C")
            .arg(folder.path())
            .arg("-cf")
            .arg(&tar)
            .arg("content"));
        by(self.machine.docker().arg("import").arg(&tar).arg(name));
    }

    /// Whether a backup that was reported to be made is whole; one that was not is not there.
    pub(crate) fn check_backup(&self, file: &Path, made: bool) {
        assert_eq!(file.exists(), made, "a backup is there when it is whole, and only then");
        if made {
            run(self.wherry().args(["backup", "--verify"]).arg(file));
            fs_err::remove_file(file).expect("it goes");
        }
    }

    /// The command, with the machine's engine as the one that it works with.
    pub(crate) fn wherry(&self) -> Command {
        let mut command = self.machine.command();
        command.env("DOCKER_HOST", format!("unix://{}", self.machine.socket().display()));
        command
    }
}

/// Text that does not get smaller on the way, the same each time.
pub(crate) fn content(round: u32) -> String {
    let mut random = Rng::with_seed(u64::from(round));
    std::iter::repeat_with(|| random.alphanumeric())
        .take(2_000_000)
        .collect()
}

/// A command of the work that outlives [`PATIENCE`] hangs, which is a fault of its own.
pub(crate) fn bounded(command: &mut Command) -> Output {
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
