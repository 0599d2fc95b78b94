//! Gives back to the host what the machine holds and does not need: file caches while nothing happens, and the blocks
//! of removed files.
//!
//! Memory that is free goes back by itself, through the balloon's free page reporting. A cache is not free, and what is
//! in it the host has in its own cache too, so keeping it here makes a quiet computer pay twice.

use std::{io, time::Duration};

use rustix::{fs::syncfs, ioctl};
use tokio::task::spawn_blocking;
use wherry_link::GivenBack;

use super::{
    disk::{self, DATA},
    log::say,
    memory::Memory,
    mount::GROUPS,
};

/// How often it is looked whether there is something to give back. A look costs less than a millisecond, and an idle
/// machine has to stay idle.
const LOOK: Duration = Duration::from_secs(5);

/// A machine whose processors worked for less of a look than this, all together, and whose programs waited less for
/// the disk, is quiet.
const QUIET: Duration = Duration::from_millis(500);

/// What removed files held at least, for their blocks to be given back.
const WORTH_TRIMMING: u64 = 16 << 20;

/// Looks without load before the disk is trimmed. The first tells that removing has come to an end.
const BEFORE_TRIMMING: u32 = 2;

/// A machine that is never quiet trims after this many looks all the same.
const PATIENCE: u32 = 60;

/// Free pieces below this many bytes stay as they are: they are filled again soon.
const SMALLEST_PIECE: u64 = 64 << 10;

/// Less cache than this stays. It is what the engine reads for the next container.
const WORTH_DROPPING: u64 = 64 << 20;

/// Quiet looks before the caches go: without containers nobody misses them, with containers they are wanted when
/// work goes on after a short pause.
const BEFORE_DROPPING: u32 = 2;
const BEFORE_DROPPING_FROM_CONTAINERS: u32 = 12;

/// Free memory is reported to the host in pieces of this order (128 KiB) and larger. The kernel's own choice, 2 MiB,
/// leaves much of what is free where it is.
const REPORTED_ORDER: &str = "5";

/// Looks after the machine for as long as it runs.
pub(super) async fn keep() {
    if let Err(error) = fs_err::write(
        "/sys/module/page_reporting/parameters/page_reporting_order",
        REPORTED_ORDER,
    ) {
        say!("free memory goes back in large pieces only: {error}");
    }
    let mut policy = Policy::default();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let wanted = match Look::now() {
            Ok(look) => policy.next(look),
            Err(error) => return say!("nothing is given back by itself: {error}"),
        };
        if wanted.trim {
            in_background("trimming the data disk", trim).await;
        }
        if wanted.drop_caches {
            in_background("dropping caches", || drop_caches(Caches::Files)).await;
        }
    }
}

/// Gives back whatever can be, now.
pub(super) async fn everything() -> GivenBack {
    let free = Memory::now().free;
    let disk = in_background("trimming the data disk", trim).await.unwrap_or_default();
    in_background("dropping caches", || drop_caches(Caches::All)).await;
    // Scattered free pages become pieces that are large enough to be reported.
    in_background("compacting memory", || {
        fs_err::write("/proc/sys/vm/compact_memory", "1")
    })
    .await;
    GivenBack {
        memory: Memory::now().free.saturating_sub(free),
        disk,
    }
}

/// These calls take as long as there is much to do, and the link is served by the same threads.
async fn in_background<T: Send + 'static>(
    doing: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Option<T> {
    match spawn_blocking(work).await.map_err(io::Error::from).flatten() {
        Ok(done) => Some(done),
        Err(error) => {
            say!("{doing}: {error}");
            None
        }
    }
}

/// What the machine does and holds at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    /// What all processors have worked since the start, together.
    worked: Duration,
    /// How long some program has waited for a disk since the start.
    waited: Duration,
    /// Cache that could be dropped.
    cached: u64,
    disk_used: u64,
    containers: bool,
}

impl Look {
    fn now() -> io::Result<Self> {
        let micros = |micros| Duration::from_micros(micros);
        Ok(Self {
            worked: micros(number_after(
                &fs_err::read_to_string(format!("{GROUPS}/cpu.stat"))?,
                "usage_usec ",
            )),
            waited: micros(number_after(&fs_err::read_to_string("/proc/pressure/io")?, "total=")),
            cached: Memory::now().cached,
            disk_used: disk::usage().1,
            // dockerd makes the group when the first container starts.
            containers: fs_err::read_to_string(format!("{GROUPS}/docker/cgroup.events"))
                .is_ok_and(|events| number_after(&events, "populated ") == 1),
        })
    }
}

/// The first number that follows these words.
fn number_after(text: &str, words: &str) -> u64 {
    let digits = text.split_once(words).map_or("", |(_, rest)| rest);
    let end = digits.find(|character: char| !character.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())].parse().unwrap_or(0)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    trim: bool,
    drop_caches: bool,
}

/// Decides when to give back what.
#[derive(Debug, Default)]
struct Policy {
    before: Option<Look>,
    /// Quiet looks in a row.
    quiet: u32,
    /// The most that was in use on the disk since it was trimmed; None until it has been trimmed once, because what
    /// was removed before the last stop may still be held.
    most: Option<u64>,
    /// Looks since there is something to trim.
    untrimmed: u32,
}

impl Policy {
    fn next(&mut self, look: Look) -> Wanted {
        let Some(before) = self.before.replace(look) else {
            return Wanted::default();
        };
        let is_quiet =
            look.worked.saturating_sub(before.worked) < QUIET && look.waited.saturating_sub(before.waited) < QUIET;
        self.quiet = if is_quiet { self.quiet.saturating_add(1) } else { 0 };
        Wanted {
            trim: self.trim(look),
            drop_caches: self.drop_caches(look),
        }
    }

    fn trim(&mut self, look: Look) -> bool {
        let is_worth_it = match &mut self.most {
            None => true,
            Some(most) => {
                *most = (*most).max(look.disk_used);
                *most - look.disk_used >= WORTH_TRIMMING
            }
        };
        self.untrimmed = if is_worth_it { self.untrimmed + 1 } else { 0 };
        let now = is_worth_it && (self.quiet >= BEFORE_TRIMMING || self.untrimmed >= PATIENCE);
        if now {
            self.most = Some(look.disk_used);
            self.untrimmed = 0;
        }
        now
    }

    fn drop_caches(&self, look: Look) -> bool {
        let wait = if look.containers {
            BEFORE_DROPPING_FROM_CONTAINERS
        } else {
            BEFORE_DROPPING
        };
        self.quiet >= wait && look.cached >= WORTH_DROPPING
    }
}

/// Tells the host which blocks hold nothing, and returns how many bytes that are.
#[expect(unsafe_code, reason = "there is no safe wrapper for this call")]
fn trim() -> io::Result<u64> {
    /// `FITRIM` of the kernel's include/uapi/linux/fs.h.
    const FITRIM: ioctl::Opcode = ioctl::opcode::read_write::<Range>(b'X', 121);

    #[repr(C)]
    struct Range {
        start: u64,
        length: u64,
        smallest: u64,
    }

    let folder = fs_err::File::open(DATA)?;
    // What was removed is free only once the journal says so.
    syncfs(&folder)?;
    let mut range = Range {
        start: 0,
        length: u64::MAX,
        smallest: SMALLEST_PIECE,
    };
    // SAFETY: the call reads and writes one `struct fstrim_range`, which `Range` is laid out as.
    unsafe { ioctl::ioctl(folder.file(), ioctl::Updater::<FITRIM, Range>::new(&mut range)) }?;
    Ok(range.length)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caches {
    /// Contents of files.
    Files,
    /// Names and attributes of files too, which take longer to come back.
    All,
}

/// What programs have mapped, thus the engine itself, stays.
fn drop_caches(which: Caches) -> io::Result<()> {
    const CONTROL: &str = "/proc/sys/vm/drop_caches";
    // The kernel would tell the console about each of them.
    const SILENTLY: &str = "4";

    // What is not written yet cannot be dropped.
    syncfs(fs_err::File::open(DATA)?)?;
    fs_err::write(CONTROL, SILENTLY)?;
    let which = match which {
        Caches::Files => "1",
        Caches::All => "3",
    };
    fs_err::write(CONTROL, which)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A machine that looks like this at every look.
    struct Machine {
        policy: Policy,
        look: Look,
    }

    impl Machine {
        /// One that has been trimmed after its start.
        fn trimmed() -> Self {
            let mut machine = Self {
                policy: Policy::default(),
                look: Look::default(),
            };
            assert!(machine.looks(5, Duration::ZERO).trim);
            machine
        }

        /// What is wanted at any of so many looks, in each of which the processors work so long.
        fn looks(&mut self, looks: u32, work: Duration) -> Wanted {
            (0..looks).fold(Wanted::default(), |wanted, _| {
                self.look.worked += work;
                let next = self.policy.next(self.look);
                Wanted {
                    trim: wanted.trim || next.trim,
                    drop_caches: wanted.drop_caches || next.drop_caches,
                }
            })
        }
    }

    const BUSY: Duration = Duration::from_secs(2);

    #[test]
    fn an_idle_machine_is_left_alone() {
        assert_eq!(Machine::trimmed().looks(1000, Duration::ZERO), Wanted::default());
    }

    #[test]
    fn removed_files_are_trimmed_once_and_not_under_load() {
        let mut machine = Machine::trimmed();
        machine.look.disk_used = 2048 * MIB;
        assert!(!machine.looks(10, Duration::ZERO).trim, "nothing was removed");
        machine.look.disk_used = 0;
        assert!(!machine.looks(10, BUSY).trim, "it is at work");
        assert!(machine.looks(2, Duration::ZERO).trim);
        assert!(!machine.looks(100, Duration::ZERO).trim, "once is enough");
    }

    #[test]
    fn a_machine_that_is_never_quiet_trims_too() {
        let mut machine = Machine::trimmed();
        machine.look.disk_used = 2048 * MIB;
        machine.looks(1, BUSY);
        machine.look.disk_used = 0;
        assert!(machine.looks(PATIENCE, BUSY).trim);
    }

    #[test]
    fn caches_go_when_it_is_quiet_and_later_while_containers_run() {
        let mut machine = Machine::trimmed();
        machine.look.cached = 1024 * MIB;
        machine.looks(1, BUSY);
        assert!(machine.looks(BEFORE_DROPPING, Duration::ZERO).drop_caches);

        machine.look.containers = true;
        machine.looks(1, BUSY);
        assert!(
            !machine
                .looks(BEFORE_DROPPING_FROM_CONTAINERS - 1, Duration::ZERO)
                .drop_caches
        );
        assert!(machine.looks(1, Duration::ZERO).drop_caches);
        machine.looks(1, BUSY);
        assert!(!machine.looks(1000, BUSY).drop_caches, "work is not disturbed");
    }

    #[test]
    fn waiting_for_the_disk_is_work_too() {
        let mut machine = Machine::trimmed();
        machine.look.cached = 1024 * MIB;
        for _ in 0..20 {
            machine.look.waited += BUSY;
            assert!(!machine.policy.next(machine.look).drop_caches);
        }
    }

    #[test]
    fn numbers_are_found_in_the_kernels_words() {
        let pressure = "some avg10=0.00 avg60=0.12 avg300=0.05 total=16391\nfull avg10=0.00 total=1\n";
        assert_eq!(number_after(pressure, "total="), 16391);
        assert_eq!(number_after("populated 1\nfrozen 0\n", "populated "), 1);
        assert_eq!(number_after("", "total="), 0);
    }
}
