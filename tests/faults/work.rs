//! What is going on when something is killed, and what of it the person was told is done.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use wherry_tests::machine::Machine;
use wherry_tests::process::run;

use crate::bounded;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// An image comes in, layer and all, as at the end of a pull.
    Load,
    Build,
    /// A container writes line after line and has each of them synced.
    Write,
    /// A container is created, started and stopped.
    Stop,
}

impl Work {
    pub(crate) const ALL: [Work; 4] = [Work::Load, Work::Build, Work::Write, Work::Stop];

    /// Goes on until it is done or cut off, and says what it was told is done.
    pub(crate) fn begin(self, machine: &Machine, round: u32) -> Acknowledged {
        match self {
            Work::Load => {
                let name = format!("loaded:{round}");
                let content = format!("content of round {round}\n").repeat(40_000);
                let folder = machine.path().join(format!("load-{round}"));
                fs_err::create_dir_all(&folder).expect("a folder");
                fs_err::write(folder.join("content"), &content).expect("a file");
                let tar = folder.with_extension("tar");
                run(Command::new("tar")
                    .arg("-C")
                    .arg(&folder)
                    .arg("-cf")
                    .arg(&tar)
                    .arg("content"));
                let imported = bounded(machine.docker().arg("import").arg(&tar).arg(&name));
                fs_err::remove_dir_all(&folder).expect("the folder goes");
                fs_err::remove_file(&tar).expect("the tar goes");
                Acknowledged::image(&imported, name, "/content", content)
            }
            Work::Build => {
                let name = format!("built:{round}");
                let context = machine.path().join(format!("build-{round}"));
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
            Work::Write => {
                let line = format!(
                    "for n in $(seq 1 40); do echo {round}-$n | busybox dd of=/kept/lines oflag=append conv=notrunc,fsync 2>/dev/null && echo {round}-$n; done"
                );
                let mut write = machine.docker();
                write.args([
                    "run",
                    "--rm",
                    "--volume",
                    "kept:/kept",
                    "busybox",
                    "/bin/sh",
                    "-c",
                    &line,
                ]);
                let said = bounded(&mut write).stdout;
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
        }
    }
}

/// What the person was told is done.
pub(crate) enum Acknowledged {
    Nothing,
    Image(Image),
    Lines { lines: Vec<String> },
    Container { name: String, stopped: bool },
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
        let container = format!("reader-{}", name.replace(':', "-"));
        run(machine.docker().args(["create", "--name", &container, name, "/none"]));
        let copy = machine.path().join("copy");
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
    pub(crate) fn add(&mut self, acknowledged: Acknowledged) {
        match acknowledged {
            Acknowledged::Nothing => {}
            Acknowledged::Image(image) => self.images.push(image),
            Acknowledged::Lines { lines } => self.lines.extend(lines),
            Acknowledged::Container { name, stopped } => {
                self.containers.insert(name, stopped);
            }
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
            let mut cat = machine.docker();
            let kept = run(cat.args(["run", "--rm", "--volume", "kept:/kept", "busybox", "cat", "/kept/lines"]));
            let kept: BTreeSet<&str> = kept.lines().collect();
            let lost: Vec<&String> = self.lines.iter().filter(|line| !kept.contains(line.as_str())).collect();
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
