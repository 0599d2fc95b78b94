//! What a machine is given: the defaults for this host, what is kept on disk, and what is refused.

use std::io;

use crate::{Accelerator, Failure, FailureCode, Home, Spec, SpecChange, Step, file};

/// Linux and the engine need this much to be of use.
const LEAST_MEMORY_MIB: u64 = 512;
/// What `disk` may be at the least: images of any use do not fit in less.
const LEAST_DISK_GIB: u64 = 2;
/// ext4's own limit with our block size.
const MOST_DISK_GIB: u64 = 16 * 1024;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What this computer has to give.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host {
    pub(crate) cpus: u32,
    pub(crate) memory_mib: u64,
}

impl Host {
    pub(crate) fn read() -> Self {
        let memory = sysinfo::System::new().map_or(0, |mut system| {
            system.refresh_memory();
            system.total_memory()
        });
        Self {
            cpus: std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1)),
            memory_mib: memory / MIB,
        }
    }

    /// Half the cores and about a third of the memory run a database, a service and a notebook together and leave
    /// the computer quick. The disk grows as needed, so its size is only a limit.
    pub(crate) fn default_spec(self) -> Spec {
        Spec {
            cpus: (self.cpus / 2).clamp(1, 8),
            memory_mib: (self.memory_mib / 3 / 512 * 512)
                .clamp(1024, 8192)
                .min(self.memory_mib.max(LEAST_MEMORY_MIB)),
            disk_gib: 60,
            accelerator: Accelerator::Auto,
        }
    }
}

/// The spec that the home keeps, and a note when the file was there and could not be read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) spec: Spec,
    pub(crate) note: Option<String>,
}

/// Reads the kept spec. A broken file is moved aside, never overwritten: the person may want to see it.
pub(crate) fn load(home: &Home, host: Host) -> io::Result<Loaded> {
    let path = home.spec();
    let text = match fs_err::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Loaded {
                spec: host.default_spec(),
                note: None,
            });
        }
        Err(error) => return Err(error),
    };
    match serde_json::from_slice(&text) {
        Ok(spec) => Ok(Loaded { spec, note: None }),
        Err(error) => {
            let aside = file::set_aside(&path)?;
            let note = format!(
                "The machine's size could not be read ({error}). The defaults are used; the file is kept as {}.",
                aside.display()
            );
            Ok(Loaded {
                spec: host.default_spec(),
                note: Some(note),
            })
        }
    }
}

/// What a machine is given that nobody has changed. A disk that is there keeps its size: it is not a setting only.
pub(crate) fn first(host: Host, disk: Option<u64>) -> Spec {
    let first = host.default_spec();
    Spec {
        disk_gib: disk.map_or(first.disk_gib, |length| length.div_ceil(GIB)),
        ..first
    }
}

/// The kept spec for showing it: touches nothing.
pub(crate) fn peek(home: &Home) -> Spec {
    fs_err::read(home.spec())
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_else(|| Host::read().default_spec())
}

pub(crate) fn save(home: &Home, spec: &Spec) -> io::Result<()> {
    file::write_whole(&home.spec(), &serde_json::to_vec_pretty(spec)?)
}

/// The spec with the change, or why this computer refuses it. `disk` is the length of the data disk now.
pub(crate) fn apply(spec: &Spec, change: &SpecChange, host: Host, disk: Option<u64>) -> Result<Spec, Failure> {
    let wanted = Spec {
        cpus: change.cpus.unwrap_or(spec.cpus),
        memory_mib: change.memory_mib.unwrap_or(spec.memory_mib),
        disk_gib: change.disk_gib.unwrap_or(spec.disk_gib),
        accelerator: change.accelerator.unwrap_or(spec.accelerator),
    };
    let Host { cpus, memory_mib } = host;
    if wanted.cpus == 0 || wanted.cpus > cpus {
        return Err(refused(
            format!(
                "The machine cannot have {}",
                counted(u64::from(wanted.cpus), "CPU", "CPUs")
            ),
            format!("This computer has {cpus}."),
            format!("Choose between 1 and {cpus}."),
        ));
    }
    if wanted.memory_mib < LEAST_MEMORY_MIB {
        return Err(refused(
            format!("{} of memory are too little", mib(wanted.memory_mib)),
            format!("Linux and the engine need at least {}.", mib(LEAST_MEMORY_MIB)),
            format!("Choose between {} and {}.", mib(LEAST_MEMORY_MIB), mib(memory_mib)),
        ));
    }
    if wanted.memory_mib > memory_mib {
        return Err(refused(
            format!("The machine cannot have {} of memory", mib(wanted.memory_mib)),
            format!("This computer has {} in all.", mib(memory_mib)),
            format!("Choose between {} and {}.", mib(LEAST_MEMORY_MIB), mib(memory_mib)),
        ));
    }
    if !(LEAST_DISK_GIB..=MOST_DISK_GIB).contains(&wanted.disk_gib) {
        return Err(refused(
            format!("The data disk cannot have {} GiB", wanted.disk_gib),
            format!("It can have {LEAST_DISK_GIB} to {MOST_DISK_GIB} GiB."),
            "Choose a size in between; the file takes only what is used.".into(),
        ));
    }
    if let Some(present) = disk.filter(|present| *present > wanted.disk_gib.saturating_mul(GIB)) {
        return Err(refused(
            format!("The data disk cannot shrink to {} GiB", wanted.disk_gib),
            format!("It has {} GiB, and what is on it could be lost.", present.div_ceil(GIB)),
            "Keep its size: the file takes only what is used. For a smaller one, make a backup (wherry backup), remove \
             everything (wherry reset --data), start with the new size and restore the backup."
                .into(),
        ));
    }
    Ok(wanted)
}

fn refused(message: String, cause: String, hint: String) -> Failure {
    Failure {
        code: FailureCode::SpecRefused,
        step: Some(Step::Check),
        message,
        causes: vec![cause],
        hint,
        console: Vec::new(),
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// "512 MiB", "2 GiB", "1.5 GiB"
fn mib(mib: u64) -> String {
    if mib < 1024 {
        return format!("{mib} MiB");
    }
    // One decimal place is enough to choose by.
    match (mib % 1024) * 10 / 1024 {
        0 => format!("{} GiB", mib / 1024),
        tenths => format!("{}.{tenths} GiB", mib / 1024),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Host = Host {
        cpus: 8,
        memory_mib: 16 * 1024,
    };

    fn change() -> SpecChange {
        SpecChange::default()
    }

    #[test]
    fn the_defaults_leave_room_for_the_person() {
        let spec = HOST.default_spec();
        assert_eq!((spec.cpus, spec.memory_mib, spec.disk_gib), (4, 5120, 60));
        let small = Host {
            cpus: 1,
            memory_mib: 900,
        }
        .default_spec();
        assert_eq!((small.cpus, small.memory_mib), (1, 900));
    }

    #[test]
    fn what_this_computer_does_not_have_is_refused() {
        let spec = HOST.default_spec();
        let refuse = |change: SpecChange| {
            apply(&spec, &change, HOST, Some(60 * GIB))
                .expect_err("must be refused")
                .message
        };
        assert_eq!(
            refuse(SpecChange {
                cpus: Some(0),
                ..change()
            }),
            "The machine cannot have 0 CPUs"
        );
        assert_eq!(
            refuse(SpecChange {
                cpus: Some(9),
                ..change()
            }),
            "The machine cannot have 9 CPUs"
        );
        assert_eq!(
            refuse(SpecChange {
                memory_mib: Some(511),
                ..change()
            }),
            "511 MiB of memory are too little"
        );
        assert_eq!(
            refuse(SpecChange {
                memory_mib: Some(16 * 1024 + 512),
                ..change()
            }),
            "The machine cannot have 16.5 GiB of memory"
        );
        assert_eq!(
            refuse(SpecChange {
                disk_gib: Some(59),
                ..change()
            }),
            "The data disk cannot shrink to 59 GiB"
        );
        assert_eq!(
            refuse(SpecChange {
                disk_gib: Some(1),
                ..change()
            }),
            "The data disk cannot have 1 GiB"
        );
        assert_eq!(
            refuse(SpecChange {
                disk_gib: Some(u64::MAX),
                ..change()
            }),
            format!("The data disk cannot have {} GiB", u64::MAX)
        );
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let spec = HOST.default_spec();
        let changed = apply(
            &spec,
            &SpecChange {
                cpus: Some(2),
                ..change()
            },
            HOST,
            None,
        )
        .expect("fits");
        assert_eq!(changed, Spec { cpus: 2, ..spec });
    }

    #[test]
    fn a_broken_file_is_kept_aside_and_named() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let home = Home::at(folder.path());
        home.create()?;
        fs_err::write(home.spec(), "{\"cpus\":")?;
        let loaded = load(&home, HOST)?;
        assert_eq!(loaded.spec, HOST.default_spec());
        let note = loaded.note.expect("a note");
        let kept = fs_err::read_dir(home.machine())?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().contains(".bad-"))
            .expect("the file is kept");
        assert!(note.contains(&*kept.to_string_lossy()), "{note}");
        assert_eq!(fs_err::read_to_string(kept)?, "{\"cpus\":");
        assert!(
            load(&home, HOST)?.note.is_none(),
            "the second time there is nothing to say"
        );
        Ok(())
    }

    #[test]
    fn what_is_saved_is_loaded() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let home = Home::at(folder.path());
        home.create()?;
        let spec = Spec {
            cpus: 3,
            ..HOST.default_spec()
        };
        save(&home, &spec)?;
        assert_eq!(load(&home, HOST)?.spec, spec);
        assert_eq!(peek(&home), spec);
        Ok(())
    }
}
