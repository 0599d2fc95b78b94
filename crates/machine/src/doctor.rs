//! Named checks of the machine and of what it stands on here. They look and change nothing, work with the machine
//! stopped as well, and each has a bound.

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::accelerator::{Failures, fallback_note};
use crate::backend::Backend as _;
use crate::backend::qemu::Qemu;
use crate::image::Image;
use crate::{Accelerator, DiskFill, Failure, Home, Machine, State, Status, disk, shares, system};

/// Reading the whole system image takes a second, and longer on a slow disk.
const LONGEST: Duration = Duration::from_secs(30);
/// A program that prints its version.
const VERSION: Duration = Duration::from_secs(10);
/// The agent answers within some milliseconds. A machine that is suspended or out of memory does not.
const AGENT: Duration = Duration::from_secs(5);

const GIB: u64 = 1 << 30;
/// Below this an image that is pulled may not fit any more.
const LITTLE_ROOM: u64 = 5 * GIB;
/// Certificates and tokens are refused by clocks that differ by more.
const CLOCK_OFF: i64 = 1000;
/// The oldest QEMU that keeps memory in one file.
const GOOD_QEMU: (u32, u32) = (8, 2);

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// For programs; stays the same whatever came of it.
    pub name: &'static str,
    /// What was found, in some words: "The data disk is clean".
    pub title: String,
    pub verdict: Verdict,
    /// A figure or a word beside it: "41 GB free".
    pub detail: Option<String>,
    /// Why it is not well, or why it was not looked at.
    pub why: Option<String>,
    pub remedy: Option<Remedy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Pass,
    /// Works, and will not for long or not as well as it could.
    Warn,
    Fail,
    /// Could not be looked at now.
    Skip,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    Start,
    Restart,
    /// Make room on the data disk.
    FreeSpace,
    /// Something that the person does, in a sentence.
    Advice(String),
}

impl Check {
    pub fn pass(name: &'static str, title: impl Into<String>) -> Self {
        Self::new(name, title, Verdict::Pass)
    }

    pub fn warn(name: &'static str, title: impl Into<String>) -> Self {
        Self::new(name, title, Verdict::Warn)
    }

    pub fn fail(name: &'static str, title: impl Into<String>) -> Self {
        Self::new(name, title, Verdict::Fail)
    }

    pub fn skip(name: &'static str, title: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(name, title, Verdict::Skip).why(why)
    }

    fn new(name: &'static str, title: impl Into<String>, verdict: Verdict) -> Self {
        Self {
            name,
            title: title.into(),
            verdict,
            detail: None,
            why: None,
            remedy: None,
        }
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    #[must_use]
    pub fn remedy(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(remedy);
        self
    }

    fn of_failure(name: &'static str, failure: &Failure) -> Self {
        let check = Self::fail(name, failure.message.clone());
        let check = if failure.causes.is_empty() {
            check
        } else {
            check.why(format!("{}.", failure.causes.join(". ").trim_end_matches('.')))
        };
        if failure.hint.is_empty() {
            check
        } else {
            check.remedy(Remedy::Advice(failure.hint.clone()))
        }
    }
}

/// What the agent answers to the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GuestAnswer {
    pub(crate) took_micros: u64,
    /// How far the guest's clock is ahead of this computer's, to within the time that the answer took.
    pub(crate) ahead_millis: i64,
}

/// Asks the guest, from the daemon.
pub(crate) async fn ask_guest(session: &wherry_link::Session) -> Option<GuestAnswer> {
    let (began, at) = (tokio::time::Instant::now(), crate::clock::unix_millis());
    let asked = session.ask::<_, wherry_link::Usage>(&wherry_link::HostRequest::Usage);
    let (usage, _) = tokio::time::timeout(AGENT, asked).await.ok()?.ok()?;
    let took = began.elapsed();
    let middle = at.saturating_add(crate::clock::millis(took) / 2);
    let difference = i64::try_from(usage.unix_millis).ok()? - i64::try_from(middle).ok()?;
    Some(GuestAnswer {
        took_micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        // What the answer itself took is no difference.
        ahead_millis: match i64::try_from(took.as_millis()).unwrap_or(i64::MAX) / 2 {
            slack if difference.abs() <= slack => 0,
            _ => difference,
        },
    })
}

impl Machine {
    /// Every check, all at once, in the order in which they are to be read.
    pub async fn examine(&self) -> Vec<Check> {
        let status = self.status().await;
        let mut checks = vec![self.agent(status.as_ref())];
        let guest = match &status {
            Ok(status) if is_running(status) => self.ask_guest().await.ok().flatten(),
            Ok(_) | Err(_) => None,
        };
        if let Ok(status) = &status
            && is_running(status)
        {
            checks = agent_and_clock(guest).into();
            checks.push(folders(status));
        } else {
            checks.push(Check::skip(
                "clock",
                "Clock of the machine",
                "The machine is not running.",
            ));
        }
        let spec = status
            .as_ref()
            .map_or_else(|_| crate::spec::peek(self.home()), |status| status.spec.clone());
        let (home, program) = (self.home().clone(), self.program().to_owned());
        let running = status.as_ref().ok().filter(|status| is_running(status)).cloned();
        let (qemu, accelerator, room, image, data, socket) = tokio::join!(
            bounded("qemu", "QEMU", qemu()),
            bounded("accelerator", "Hardware virtualization", {
                let (home, program, running) = (home.clone(), program.clone(), running.clone());
                aside(move || accelerator(&home, &program, spec.accelerator, running.as_ref()))
            }),
            bounded("diskSpace", "Disk space", {
                let home = home.clone();
                aside(move || room(&home))
            }),
            bounded("image", "System image", aside(move || image(&program))),
            bounded("dataDisk", "Data disk", {
                let (home, running) = (home.clone(), running.clone());
                aside(move || data_disk(&home, running.as_ref()))
            }),
            bounded("socket", "The engine's socket", socket(home, running.is_some())),
        );
        let ports = ports(running.as_ref());
        let mut all = vec![accelerator, qemu, image, data, room];
        all.append(&mut checks);
        all.extend([socket, ports]);
        all
    }

    /// With the machine running this is replaced by what the agent answered.
    fn agent(&self, status: Result<&Status, &crate::Error>) -> Check {
        const NAME: &str = "agent";
        match status {
            Err(error) => {
                let check = Check::fail(NAME, error.to_string());
                let causes = error.causes();
                let check = if causes.is_empty() {
                    check
                } else {
                    check.why(causes.join(": "))
                };
                match error.hint() {
                    Some(hint) => check.remedy(Remedy::Advice(hint)),
                    None => check.remedy(Remedy::Advice(format!(
                        "Its log is {}.",
                        self.home().daemon_log().display()
                    ))),
                }
            }
            Ok(status) => match &status.state {
                State::Failed { failure } => {
                    let check = Check::of_failure(NAME, failure);
                    Check {
                        why: Some(
                            [check.why.unwrap_or_default(), failure.hint.clone()]
                                .join(" ")
                                .trim()
                                .to_owned(),
                        ),
                        remedy: Some(Remedy::Start),
                        ..check
                    }
                }
                State::Stopped => {
                    Check::skip(NAME, "The machine's agent", "The machine is stopped.").remedy(Remedy::Start)
                }
                State::Starting { .. } => Check::skip(NAME, "The machine's agent", "The machine is starting."),
                State::Stopping => Check::skip(NAME, "The machine's agent", "The machine is stopping."),
                State::Suspending | State::Suspended { .. } => {
                    Check::skip(NAME, "The machine's agent", "The machine is asleep.").remedy(Remedy::Start)
                }
                State::Running { .. } => Check::pass(NAME, "The machine's agent answers"),
            },
        }
    }
}

/// Whether what containers have of this computer's folders can be read.
fn folders(status: &Status) -> Check {
    const NAME: &str = "folders";
    const TITLE: &str = "Shared folders";
    if status.notes.iter().any(|note| note == shares::GONE) {
        return Check::fail(NAME, TITLE)
            .why("Their server has ended, and containers that use them wait for it.")
            .remedy(Remedy::Restart);
    }
    if status.notes.iter().any(|note| note == shares::GIVEN_UP) {
        return Check::fail(NAME, TITLE)
            .why("Their server broke off several times. Containers find errors in their folders.")
            .remedy(Remedy::Restart);
    }
    if status.notes.iter().any(|note| note.starts_with(shares::BY_ITSELF)) {
        return Check::warn(NAME, TITLE)
            .why("Their server did not start, so that QEMU itself shares them, which can do less. The log of Wherry says why.")
            .remedy(Remedy::Restart);
    }
    if status.notes.iter().any(|note| note == shares::ANEW) {
        return Check::warn(NAME, TITLE)
            .why("Their server broke off and was started again. A container from before may find errors in its folder.")
            .remedy(Remedy::Restart);
    }
    Check::pass(NAME, TITLE)
}

fn is_running(status: &Status) -> bool {
    matches!(status.state, State::Running { .. })
}

/// A check that takes too long is told, and keeps no other waiting.
async fn bounded(name: &'static str, thing: &str, check: impl Future<Output = Check>) -> Check {
    match tokio::time::timeout(LONGEST, check).await {
        Ok(check) => check,
        Err(_) => Check::warn(name, format!("{thing}: no answer")).why(format!(
            "Looking at it took longer than {} s. The disk may be very busy, or broken.",
            LONGEST.as_secs()
        )),
    }
}

/// Looks at files, on a thread for that.
async fn aside(check: impl FnOnce() -> Check + Send + 'static) -> Check {
    match tokio::task::spawn_blocking(check).await {
        Ok(check) => check,
        Err(error) => Check::fail("doctor", "A check ended by a mistake of ours").why(error.to_string()),
    }
}

fn agent_and_clock(guest: Option<GuestAnswer>) -> [Check; 2] {
    let Some(answer) = guest else {
        return [
            Check::fail("agent", "The machine does not answer")
                .why(format!(
                    "Its agent said nothing for {} s. The machine may be out of memory.",
                    AGENT.as_secs()
                ))
                .remedy(Remedy::Restart),
            Check::skip("clock", "Clock of the machine", "The machine does not answer."),
        ];
    };
    let agent = Check::pass("agent", "The machine's agent answers").detail(millis(answer.took_micros));
    let off = answer.ahead_millis;
    let clock = if off.abs() < CLOCK_OFF {
        Check::pass("clock", "The machine's clock is right").detail(format!("{} ms off", off.abs()))
    } else {
        let way = if off > 0 { "ahead" } else { "behind" };
        Check::warn("clock", format!("The machine's clock is {} s {way}", off.abs() / 1000))
            .why(
                "Tokens and certificates may be refused as not yet valid. It is set every minute; when it stays like \
                 this, restart the machine.",
            )
            .remedy(Remedy::Restart)
    };
    [agent, clock]
}

/// "3 ms", "0.4 ms"
fn millis(micros: u64) -> String {
    if micros < 10_000 {
        format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
    } else {
        format!("{} ms", micros / 1000)
    }
}

async fn qemu() -> Check {
    const NAME: &str = "qemu";
    let program = match Qemu::program() {
        Ok(program) => program,
        Err(failure) => return Check::of_failure(NAME, &failure),
    };
    let mut command = tokio::process::Command::new(&program);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let said = match tokio::time::timeout(VERSION, command.output()).await {
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(Err(error)) => return does_not_run(&program, &error.to_string()),
        Err(_) => {
            return does_not_run(
                &program,
                &format!("It printed no version within {} s", VERSION.as_secs()),
            );
        }
    };
    judge_version(&program, &said)
}

fn does_not_run(program: &std::path::Path, why: &str) -> Check {
    let program = program.display();
    Check::fail("qemu", "QEMU does not run")
        .why(format!("{program}: {}.", why.trim_end_matches('.')))
        .remedy(Remedy::Advice("Install QEMU again.".into()))
}

/// "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)"
fn judge_version(program: &std::path::Path, said: &str) -> Check {
    let version = said
        .split_whitespace()
        .skip_while(|word| *word != "version")
        .nth(1)
        .unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    let (Some(Some(major)), Some(Some(minor))) = (numbers.next(), numbers.next()) else {
        return does_not_run(program, "What it says of its version is not understood");
    };
    let (good_major, good_minor) = GOOD_QEMU;
    if (major, minor) < GOOD_QEMU {
        return Check::warn("qemu", format!("QEMU {version} is old"))
            .why(format!(
                "The machine runs, but cannot be suspended by a QEMU before {good_major}.{good_minor}."
            ))
            .remedy(Remedy::Advice(
                "Update QEMU with what your system installs programs with.".into(),
            ));
    }
    Check::pass("qemu", "QEMU is installed").detail(version)
}

fn accelerator(home: &Home, program: &std::path::Path, wanted: Accelerator, running: Option<&Status>) -> Check {
    const NAME: &str = "accelerator";
    const SLOW: &str = "The machine runs by software emulation, which is slower";
    match wanted {
        Accelerator::Emulation => return Check::pass(NAME, "Software emulation, as you chose"),
        Accelerator::Auto => {}
    }
    if let Some((why, advice)) = system::accelerator_missing() {
        return Check::warn(NAME, SLOW).why(why).remedy(Remedy::Advice(advice.into()));
    }
    if let Ok(qemu) = Qemu::find(program)
        && let Some(why) = Failures::load(home, &qemu.facts().fingerprint).why(system::ACCELERATOR)
    {
        return Check::warn(NAME, SLOW)
            .why(fallback_note(system::ACCELERATOR, why))
            .remedy(Remedy::Advice(
                "Allow nested virtualization where this computer is itself a virtual machine.".into(),
            ));
    }
    match running.map(|status| &status.state) {
        Some(State::Running { running }) if running.accelerator == system::ACCELERATOR => {
            Check::pass(NAME, "Hardware virtualization works").detail(system::ACCELERATOR)
        }
        _ => Check::pass(NAME, "Hardware virtualization is there").detail(system::ACCELERATOR),
    }
}

fn room(home: &Home) -> Check {
    const NAME: &str = "diskSpace";
    if let Err(failure) = disk::check_room(home.root()) {
        return Check::of_failure(NAME, &failure);
    }
    match disk::available(home.root()) {
        Ok(free) if free < LITTLE_ROOM => Check::warn(NAME, "This computer's disk is nearly full")
            .detail(format!("{} free", size(free)))
            .why("The machine's disk grows as it is used. Without room it can no longer write, and containers stop.")
            .remedy(Remedy::FreeSpace),
        Ok(free) => Check::pass(NAME, "This computer's disk has room").detail(format!("{} free", size(free))),
        Err(error) => Check::warn(NAME, "Could not find out how much disk space is free").why(error.to_string()),
    }
}

fn image(program: &std::path::Path) -> Check {
    match Image::find(program).and_then(|image| image.verify()) {
        Ok(()) => Check::pass("image", "The system image is whole").detail("every byte checked"),
        Err(failure) => Check::of_failure("image", &failure),
    }
}

/// What is known of the data disk: from the guest that has it mounted, else from the file system's own notes.
fn data_disk(home: &Home, running: Option<&Status>) -> Check {
    const NAME: &str = "dataDisk";
    if let Some(State::Running { running }) = running.map(|status| &status.state) {
        let usage = &running.usage;
        let used = format!(
            "{} of {} used",
            size(usage.guest_disk_used),
            size(usage.guest_disk_total)
        );
        return mounted(running.disk, used);
    }
    let path = home.data_disk();
    match superblock(&path) {
        Ok(Superblock::Clean) => Check::pass(NAME, "The data disk is clean")
            .detail(format!("{} on this computer", size(disk::occupied(&path)))),
        Ok(Superblock::Absent | Superblock::Empty) => {
            Check::pass(NAME, "The data disk is made at the first start").detail("not yet")
        }
        Ok(Superblock::Unfinished) => Check::warn(NAME, "The data disk was not put away in order")
            .why("The machine was ended while it ran. The next start checks the disk and repairs it by itself.")
            .remedy(Remedy::Start),
        Ok(Superblock::Errors) => Check::warn(NAME, "The data disk has errors")
            .why("Linux found them while it ran. The next start checks the disk and repairs what it can.")
            .remedy(Remedy::Start),
        Ok(Superblock::Foreign) => Check::fail(NAME, "The data disk is not one of Wherry's")
            .why(format!(
                "{} holds something else. It is left as it is, and the machine does not start.",
                path.display()
            ))
            .remedy(Remedy::Advice("Move that file away; a new disk is made then.".into())),
        Err(error) => Check::fail(NAME, "The data disk cannot be read")
            .why(error.to_string())
            .remedy(Remedy::Advice("Look at the rights of that file.".into())),
    }
}

/// As the machine itself judges it: what it has for the engine alone is no room.
fn mounted(fill: DiskFill, used: String) -> Check {
    const NAME: &str = "dataDisk";
    match fill {
        DiskFill::Roomy => Check::pass(NAME, "The data disk is mounted and has room").detail(used),
        DiskFill::NearlyFull => full(Check::warn(NAME, "The machine's disk is nearly full"), used),
        DiskFill::Full => full(Check::fail(NAME, "The machine's disk is full"), used),
    }
}

fn full(check: Check, detail: String) -> Check {
    check
        .detail(detail)
        .why("When nothing more can be written, pulls and builds fail and containers that write stop.")
        .remedy(Remedy::FreeSpace)
}

#[derive(Debug, PartialEq, Eq)]
enum Superblock {
    Absent,
    /// Nothing was written there yet.
    Empty,
    Clean,
    /// The journal has to be played back.
    Unfinished,
    Errors,
    Foreign,
}

/// An ext4 superblock, at 1024 bytes: its magic number, its state and whether its journal is needed
/// (`Documentation/filesystems/ext4/super.rst` in Linux).
fn superblock(path: &std::path::Path) -> io::Result<Superblock> {
    const MAGIC: u16 = 0xEF53;
    const STATE_ERRORS: u16 = 2;
    const NEEDS_JOURNAL: u8 = 4;
    let mut start = [0; 2048];
    let mut file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Superblock::Absent),
        Err(error) => return Err(error),
    };
    if let Err(error) = file.read_exact(&mut start) {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => Ok(Superblock::Foreign),
            _ => Err(error),
        };
    }
    let block = &start[1024..];
    let number = |at: usize| u16::from_le_bytes([block[at], block[at + 1]]);
    Ok(if number(56) == MAGIC {
        match number(58) {
            state if state & STATE_ERRORS != 0 => Superblock::Errors,
            _ if block[96] & NEEDS_JOURNAL != 0 => Superblock::Unfinished,
            _ => Superblock::Clean,
        }
    } else if start.iter().all(|byte| *byte == 0) {
        Superblock::Empty
    } else {
        Superblock::Foreign
    })
}

/// The engine's socket is there while the machine runs, takes connections, and is nobody else's to use.
async fn socket(home: Home, running: bool) -> Check {
    const NAME: &str = "socket";
    let path = home.socket();
    if !running {
        return Check::skip(NAME, "The engine's socket", "The machine is not running.");
    }
    if let Some(open) = open_to_others(&[path.clone(), home.control(), home.root().to_owned()]) {
        return Check::fail(NAME, "Other users of this computer can reach the engine")
            .why(format!(
                "Who reaches the engine can do everything with it. {} is open to others.",
                open.display()
            ))
            .remedy(Remedy::Advice(format!("Close it: chmod go= {}", open.display())));
    }
    match system::connect(&path).await {
        Ok(_) => Check::pass(NAME, "The engine's socket is there").detail("yours alone"),
        Err(error) => Check::fail(NAME, "The engine's socket takes no connections")
            .why(format!("{}: {error}.", path.display()))
            .remedy(Remedy::Restart),
    }
}

#[cfg(unix)]
fn open_to_others(paths: &[PathBuf]) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    paths
        .iter()
        .find(|path| fs_err::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0))
        .cloned()
}

/// A pipe's rights are given when it is made; its name tells nothing.
#[cfg(not(unix))]
fn open_to_others(_paths: &[PathBuf]) -> Option<PathBuf> {
    None
}

/// Ports that containers publish and that do not work, and what this computer keeps for itself.
fn ports(running: Option<&Status>) -> Check {
    const NAME: &str = "ports";
    let forwards = running.map(|status| status.forwards.as_slice()).unwrap_or_default();
    let dead: Vec<String> = forwards
        .iter()
        .filter_map(|forward| Some(format!("{}: {}", forward.host, forward.dead.as_ref()?)))
        .collect();
    if !dead.is_empty() {
        return Check::fail(NAME, "Published ports do not work")
            .detail(format!("{} of {}", dead.len(), forwards.len()))
            .why(format!("{}.", dead.join("; ")))
            .remedy(Remedy::Advice(
                "Stop the program that holds the port. The container gets it by itself then.".into(),
            ));
    }
    let check = match forwards.len() {
        0 => Check::pass(NAME, "No published port is in trouble"),
        count => Check::pass(NAME, "Published ports are open").detail(format!("{count} of {count}")),
    };
    match system::reserved_ports() {
        Some(kept) => Check {
            why: Some(kept),
            ..check
        },
        None => check,
    }
}

/// "41.2 GB", as disks are sold.
fn size(bytes: u64) -> String {
    const MB: u64 = 1_000_000;
    if bytes < 1000 * MB {
        format!("{} MB", bytes / MB)
    } else {
        format!("{}.{} GB", bytes / (1000 * MB), bytes % (1000 * MB) / (100 * MB))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_version_of_qemu_is_understood() {
        let judge = |said| judge_version(Path::new("/usr/bin/qemu"), said);
        let good = judge("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright");
        assert_eq!((good.verdict, good.detail.as_deref()), (Verdict::Pass, Some("10.0.2")));
        let old = judge("QEMU emulator version 7.2.19 (Debian)");
        assert_eq!(old.verdict, Verdict::Warn);
        assert_eq!(judge("QEMU emulator version 8.2.0").verdict, Verdict::Pass);
        assert_eq!(judge("command not found").verdict, Verdict::Fail);
    }

    #[test]
    fn the_clock_is_judged_by_what_it_is_off() {
        let clock = |ahead_millis| {
            let [agent, clock] = agent_and_clock(Some(GuestAnswer {
                took_micros: 1234,
                ahead_millis,
            }));
            assert_eq!(agent.detail.as_deref(), Some("1.2 ms"));
            clock
        };
        assert_eq!(clock(-40).verdict, Verdict::Pass);
        let behind = clock(-41_000);
        assert_eq!(
            (behind.verdict, behind.title.as_str()),
            (Verdict::Warn, "The machine's clock is 41 s behind")
        );
        let [agent, clock] = agent_and_clock(None);
        assert_eq!((agent.verdict, agent.remedy), (Verdict::Fail, Some(Remedy::Restart)));
        assert_eq!(clock.verdict, Verdict::Skip);
    }

    #[test]
    fn what_a_stopped_disk_says_of_itself() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("data.raw");
        assert_eq!(superblock(&path)?, Superblock::Absent);
        let mut disk = vec![0; 4096];
        let write = |disk: &[u8]| -> io::Result<Superblock> {
            fs_err::write(&path, disk)?;
            superblock(&path)
        };
        assert_eq!(write(&disk)?, Superblock::Empty);
        disk[1024 + 56..1024 + 60].copy_from_slice(&[0x53, 0xEF, 1, 0]);
        assert_eq!(write(&disk)?, Superblock::Clean);
        disk[1024 + 96] = 4;
        assert_eq!(write(&disk)?, Superblock::Unfinished);
        disk[1024 + 58] = 3;
        assert_eq!(write(&disk)?, Superblock::Errors);
        assert_eq!(write(b"photographs")?, Superblock::Foreign);
        assert_eq!(write(&[7; 4096])?, Superblock::Foreign);
        Ok(())
    }

    #[test]
    fn a_disk_is_as_full_as_the_machine_says() {
        let check = |fill| mounted(fill, "1.9 GB of 2.0 GB used".into());
        assert_eq!(check(DiskFill::Roomy).verdict, Verdict::Pass);
        assert_eq!(check(DiskFill::NearlyFull).verdict, Verdict::Warn);
        let full = check(DiskFill::Full);
        assert_eq!((full.verdict, full.remedy), (Verdict::Fail, Some(Remedy::FreeSpace)));
    }

    #[test]
    fn sizes_read_as_on_the_disk_s_box() {
        assert_eq!(size(250_000_000), "250 MB");
        assert_eq!(size(41_250_000_000), "41.2 GB");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_socket_that_others_may_use_is_a_failure() -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::Builder::new().prefix("wd").tempdir_in("/tmp")?;
        let home = Home::at(folder.path().join("home"));
        home.create()?;
        assert_eq!(socket(home.clone(), false).await.verdict, Verdict::Skip);
        assert_eq!(
            socket(home.clone(), true).await.verdict,
            Verdict::Fail,
            "nobody listens"
        );
        let _listening = system::Listener::bind(&home.socket())?;
        assert_eq!(socket(home.clone(), true).await.verdict, Verdict::Pass);
        fs_err::set_permissions(home.socket(), std::fs::Permissions::from_mode(0o666))?;
        let open = socket(home, true).await;
        assert_eq!(open.verdict, Verdict::Fail);
        assert!(
            open.why
                .is_some_and(|why| why.contains("docker.sock is open to others"))
        );
        Ok(())
    }

    #[test]
    fn a_port_that_died_is_told_with_why() {
        let forward = |dead: Option<&str>| crate::Forward {
            host: ([127, 0, 0, 1], 8080).into(),
            container: ([172, 17, 0, 2], 80).into(),
            protocol: "tcp".into(),
            owner: None,
            dead: dead.map(str::to_owned),
        };
        let mut status = crate::client::without_daemon(&Home::at("/nonexistent"));
        status.forwards = vec![forward(None)];
        assert_eq!(ports(Some(&status)).verdict, Verdict::Pass);
        status.forwards.push(forward(Some("8080 is used by nginx (pid 4242)")));
        let check = ports(Some(&status));
        assert_eq!(
            (check.verdict, check.detail.as_deref()),
            (Verdict::Fail, Some("1 of 2"))
        );
        assert!(check.why.is_some_and(|why| why.contains("nginx")));
    }
}
