//! What is going on when something is killed, and what of it the person was told is done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Output};

use wherry_tests::machine::Machine;
use wherry_tests::process::run;

use crate::place::{Place, bounded, content};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// An image comes in from a tar.
    Load,
    Build,
    /// An image comes from a registry.
    Pull,
    /// A container writes line after line and has each of them synced.
    Write,
    /// A container is created, started and stopped.
    Stop,
    Suspend,
    Resume,
    Backup,
}

impl Work {
    pub(crate) const ALL: [Work; 8] = [
        Work::Load,
        Work::Build,
        Work::Pull,
        Work::Write,
        Work::Stop,
        Work::Suspend,
        Work::Resume,
        Work::Backup,
    ];

    /// What has to be there before it begins.
    pub(crate) fn prepare(self, place: &Place, round: u32) {
        match self {
            Work::Pull => place.publish(&place.name(round), &content(round)),
            Work::Resume => drop(place.machine.wherry(&["suspend"])),
            Work::Load | Work::Build | Work::Write | Work::Stop | Work::Suspend | Work::Backup => {}
        }
    }

    /// Whether it is about the machine as a whole: then nobody starts it before the work has ended.
    pub(crate) fn is_of_the_machine(self) -> bool {
        match self {
            Work::Suspend | Work::Resume => true,
            Work::Load | Work::Build | Work::Pull | Work::Write | Work::Stop | Work::Backup => false,
        }
    }

    /// Goes on until it is done or cut off, and says what it was told is done.
    pub(crate) fn begin(self, place: &Place, round: u32) -> Acknowledged {
        let machine = &place.machine;
        match self {
            Work::Load => {
                let name = format!("loaded:{round}");
                let content = format!("content of round {round}\n").repeat(40_000);
                let mut imported = None;
                place.import(&name, &content, &mut |command| imported = Some(bounded(command)));
                let imported = imported.expect("it was tried");
                Acknowledged::image(&imported, name, "/content", content)
            }
            Work::Build => build(place, round),
            Work::Pull => {
                let name = place.name(round);
                let pulled = bounded(machine.docker().args(["pull", "--quiet", &name]));
                Acknowledged::image(&pulled, name, "/content", content(round))
            }
            Work::Write => {
                let said = bounded(&mut writes(machine, &round.to_string(), 40)).stdout;
                let lines = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
                Acknowledged::Lines { lines }
            }
            Work::Stop => {
                let name = format!("stopped-{round}");
                let mut create = machine.docker();
                create.args(["create", "--name", &name, "busybox", "/bin/sleep", "1000"]);
                if !bounded(&mut create).status.success() {
                    return Acknowledged::Nothing;
                }
                let started = bounded(machine.docker().args(["start", &name])).status.success();
                let stopped = started
                    && bounded(machine.docker().args(["stop", "--time", "1", &name]))
                        .status
                        .success();
                Acknowledged::Container { name, stopped }
            }
            Work::Suspend => {
                bounded(machine.command().arg("suspend"));
                Acknowledged::Nothing
            }
            Work::Resume => {
                bounded(machine.command().arg("start"));
                Acknowledged::Nothing
            }
            Work::Backup => {
                let file = machine.person().join(format!("backup-{round}.tar"));
                let made = bounded(place.wherry().arg("backup").arg(&file)).status.success();
                Acknowledged::Backup { file, made }
            }
        }
    }
}

fn build(place: &Place, round: u32) -> Acknowledged {
    let machine = &place.machine;
    let name = format!("built:{round}");
    let context = machine.person().join(format!("build-{round}"));
    fs_err::create_dir_all(&context).expect("a folder");
    let dockerfile = format!(
        "FROM busybox\nRUN [\"/bin/sh\", \"-c\", \"seq {round} 100000 > /counted\"]\nRUN [\"/bin/sh\", \"-c\", \"cat /counted > /copied\"]\n"
    );
    fs_err::write(context.join("Dockerfile"), dockerfile).expect("a Dockerfile");
    let built = bounded(
        machine
            .docker()
            .args(["build", "--quiet", "--tag", &name])
            .arg(&context),
    );
    fs_err::remove_dir_all(&context).expect("the folder goes");
    let counted: Vec<String> = (round..=100_000).map(|number| number.to_string()).collect();
    let counted = counted.join("\n") + "\n";
    Acknowledged::image(&built, name, "/copied", counted)
}

/// A container that writes so many lines, has each of them synced and then says it.
pub(crate) fn writes(machine: &Machine, name: &str, lines: u32) -> Command {
    let script = format!(
        "for n in $(seq 1 {lines}); do echo {name}-$n | busybox dd of=/kept/lines oflag=append conv=notrunc,fsync 2>/dev/null && echo {name}-$n; done"
    );
    let mut write = machine.docker();
    write.args(["run", "--rm", "--volume", "kept:/kept", "busybox", "/bin/sh", "-c"]);
    write.arg(script);
    write
}

/// What was written there, by line.
pub(crate) fn kept(machine: &Machine) -> BTreeSet<String> {
    let mut cat = machine.docker();
    let kept = run(cat.args(["run", "--rm", "--volume", "kept:/kept", "busybox", "cat", "/kept/lines"]));
    kept.lines().map(str::to_owned).collect()
}

/// What the person was told is done.
pub(crate) enum Acknowledged {
    Nothing,
    Image(Image),
    Lines { lines: Vec<String> },
    Container { name: String, stopped: bool },
    Backup { file: PathBuf, made: bool },
}

impl Acknowledged {
    fn image(output: &Output, name: String, file: &'static str, content: String) -> Acknowledged {
        if output.status.success() {
            Acknowledged::Image(Image { name, file, content })
        } else {
            Acknowledged::Nothing
        }
    }
}

/// An image with one file in it that is looked at.
pub(crate) struct Image {
    name: String,
    file: &'static str,
    content: String,
}

impl Image {
    fn check(&self, machine: &Machine) {
        let Image { name, file, content } = self;
        let container = format!("reader-{}", name.replace([':', '/'], "-"));
        run(machine.docker().args(["create", "--name", &container, name, "/none"]));
        let copy = machine.person().join("copy");
        run(machine.docker().arg("cp").arg(format!("{container}:{file}")).arg(&copy));
        let read = fs_err::read(&copy).expect("what was copied");
        assert!(
            read == content.as_bytes(),
            "{name}: {file} has {} bytes, and not the {} that were written; the first that differs is {:?}",
            read.len(),
            content.len(),
            read.iter()
                .zip(content.bytes())
                .position(|(read, written)| *read != written)
        );
        fs_err::remove_file(&copy).expect("it goes");
        run(machine.docker().args(["rm", &container]));
    }
}

/// All that was done in all rounds.
#[derive(Default)]
pub(crate) struct Done {
    images: Vec<Image>,
    lines: BTreeSet<String>,
    /// Names, and whether they were stopped by somebody.
    containers: BTreeMap<String, bool>,
}

impl Done {
    pub(crate) fn add(&mut self, acknowledged: Acknowledged, place: &Place) {
        match acknowledged {
            Acknowledged::Nothing => {}
            Acknowledged::Image(image) => self.images.push(image),
            Acknowledged::Lines { lines } => self.lines.extend(lines),
            Acknowledged::Container { name, stopped } => {
                self.containers.insert(name, stopped);
            }
            Acknowledged::Backup { file, made } => place.check_backup(&file, made),
        }
    }

    /// Every image at the end of all rounds, with what is in it.
    pub(crate) fn check_images(&self, machine: &Machine) {
        for image in &self.images {
            image.check(machine);
        }
    }

    /// The newest image with what is in it, and every name, line and container of before.
    pub(crate) fn check(&self, machine: &Machine) {
        let format = "{{.Repository}}:{{.Tag}}";
        let images = run(machine.docker().args(["image", "ls", "--format", format]));
        let images: BTreeSet<&str> = images.lines().collect();
        for Image { name, .. } in &self.images {
            assert!(images.contains(name.as_str()), "{name} is lost; there are {images:?}");
        }
        // What came last is what a kill can have cut off.
        if let Some(image) = self.images.last() {
            image.check(machine);
        }
        if !self.lines.is_empty() {
            let kept = kept(machine);
            let lost: Vec<&String> = self.lines.difference(&kept).collect();
            assert!(lost.is_empty(), "written, synced and lost: {lost:?}");
        }
        let format = "{{.Names}} {{.State}}";
        let containers = run(machine.docker().args(["ps", "--all", "--format", format]));
        let containers: BTreeMap<&str, &str> = containers.lines().filter_map(|line| line.split_once(' ')).collect();
        for (name, stopped) in &self.containers {
            let state = containers.get(name.as_str());
            assert!(state.is_some(), "{name} is lost; there are {containers:?}");
            assert!(
                !stopped || state == Some(&"exited"),
                "{name} was stopped and is {state:?}"
            );
        }
    }
}
