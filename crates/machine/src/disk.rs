//! The data disk: everything the person owns in the machine. Made once, grown, never shrunk, removed only when the
//! person says so.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use wherry_link::{HostRequest, Session};

use crate::qmp::Qmp;
use crate::{Failure, FailureCode, Home, Step, file, saved, system};

/// How QEMU knows the data disk.
pub(crate) const DRIVE: &str = "data";

/// Growing writes some blocks for each gibibyte, which under emulation and load takes its time.
const GROW: Duration = Duration::from_mins(2);

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// A start writes file system structures, logs and the engine's own state. Less than this ends in an engine that
/// cannot write, which is harder to understand than a refusal.
const NEEDED: u64 = GIB;

/// The length of the data disk, `None` before the first start.
pub(crate) fn length(path: &Path) -> Option<u64> {
    fs_err::metadata(path).ok().map(|metadata| metadata.len())
}

/// Bytes that it occupies on this computer.
pub(crate) fn occupied(path: &Path) -> u64 {
    fs_err::metadata(path).map_or(0, |metadata| system::occupied(&metadata))
}

/// Bytes that are free where this folder is or will be.
pub(crate) fn available(folder: &Path) -> io::Result<u64> {
    fs4::available_space(folder.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(folder))
}

/// Whether there is room to start. `folder` need not be there yet. Writes nothing.
pub(crate) fn check_room(folder: &Path) -> Result<(), Failure> {
    let free = available(folder).map_err(|error| Failure {
        code: FailureCode::Io,
        step: Some(Step::Check),
        message: "Could not find out how much disk space is free".into(),
        causes: vec![format!("{}: {error}", folder.display())],
        hint: "Choose another folder with WHERRY_HOME.".into(),
        console: Vec::new(),
    })?;
    if free >= NEEDED {
        return Ok(());
    }
    Err(no_room(folder, Step::Check, free))
}

fn no_room(folder: &Path, step: Step, free: u64) -> Failure {
    Failure {
        code: FailureCode::NoDiskSpace,
        step: Some(step),
        message: "There is not enough disk space to start the machine".into(),
        causes: vec![format!(
            "{} MiB are free where {} is; starting takes {} MiB",
            free / MIB,
            folder.display(),
            NEEDED / MIB
        )],
        hint: "Free some space, or choose a folder on another disk with WHERRY_HOME.".into(),
        console: Vec::new(),
    }
}

/// The disk became full while the machine was starting. What went wrong because of that is said last.
pub(crate) fn became_full(folder: &Path, step: Step, free: u64, then: Option<Failure>) -> Failure {
    let mut failure = no_room(folder, step, free);
    failure.message = "This computer's disk became full while the machine was starting".into();
    if let Some(Failure { message, causes, .. }) = then {
        failure.causes.push(message);
        failure.causes.extend(causes);
    }
    failure
}

/// Beside a disk that is not known to have been formatted. Nobody has ever had it, so nobody has anything on it.
fn blank(path: &Path) -> PathBuf {
    path.with_extension("blank")
}

/// The guest has formatted the disk, or found it so: from now on it is the person's.
pub(crate) fn formatted(path: &Path) -> io::Result<()> {
    let blank = blank(path);
    if !blank.exists() {
        return Ok(());
    }
    file::remove(&blank)?;
    path.parent().map_or(Ok(()), system::sync_folder)
}

/// Makes the disk, or makes it larger, and says what there is. The file is sparse: it occupies what was written.
pub(crate) fn prepare(path: &Path, gib: u64) -> Result<String, Failure> {
    let wanted = gib.saturating_mul(GIB);
    let failed = |doing: &str, error: &io::Error| Failure {
        code: FailureCode::Io,
        step: Some(Step::Disk),
        message: format!("Could not {doing} the data disk"),
        causes: vec![error.to_string()],
        hint: "Look at the rights and the free space of that folder, or choose another one with WHERRY_HOME.".into(),
        console: Vec::new(),
    };
    // What is on it is at most half of a file system, which the guest would not touch.
    if blank(path).exists() {
        file::remove(path).map_err(|error| failed("make", &error))?;
    }
    match length(path) {
        None => {
            create(path, wanted).map_err(|error| failed("make", &error))?;
            Ok(format!("Made. {gib} GB at most; it takes only what is used."))
        }
        Some(present) if present < wanted => {
            grow(path, wanted).map_err(|error| failed("enlarge", &error))?;
            Ok(format!(
                "Enlarged to {gib} GB at most, {} MB in use.",
                occupied(path) / MIB
            ))
        }
        // The spec was checked against shrinking; a longer file is simply used as it is.
        Some(present) => Ok(format!(
            "{} GB at most, {} MB in use.",
            present.div_ceil(GIB),
            occupied(path) / MIB
        )),
    }
}

/// In one step, so that a half-made disk is never taken for the person's data.
fn create(path: &Path, length: u64) -> io::Result<()> {
    let temporary = path.with_extension("new");
    file::remove(&temporary)?;
    file::write_whole(&blank(path), b"")?;
    system::create_private_file(&temporary)?;
    let file = fs_err::OpenOptions::new().write(true).open(&temporary)?;
    file.set_len(length)?;
    file.sync_all()?;
    drop(file);
    fs_err::rename(&temporary, path)
}

/// Makes the disk of a machine that runs larger: first the file, by QEMU, then what the guest has on it.
pub(crate) async fn grow_online(home: &Home, session: &Session, gib: u64) -> Result<(), Failure> {
    let bytes = gib.saturating_mul(GIB);
    let failed = |error: &dyn std::error::Error| Failure {
        code: FailureCode::Io,
        step: None,
        message: "The data disk could not become larger while the machine runs".into(),
        causes: std::iter::successors(Some(error), |error| error.source())
            .map(ToString::to_string)
            .collect(),
        hint: "It becomes so at the next start: wherry restart. Nothing on it is touched.".into(),
        console: Vec::new(),
    };
    let mut qmp = Qmp::connect(&home.qmp()).await.map_err(|error| failed(&error))?;
    // Two may have asked for a larger disk, and the larger one come first. QEMU would make it smaller again, with what
    // is on it. Nobody else is at the monitor now.
    if length(&home.data_disk()).is_none_or(|present| present < bytes) {
        qmp.execute::<serde_json::Value>("block_resize", json!({ "device": DRIVE, "size": bytes }))
            .await
            .map_err(|error| failed(&error))?;
    }
    drop(qmp);
    let asked = timeout(GROW, session.ask::<_, ()>(&HostRequest::GrowDisk { bytes })).await;
    match asked {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

/// Removes what the person has in the machine, and what it had in memory, which is of no use without the disk and holds
/// the person's data, too. The person was asked.
pub(crate) fn remove(home: &Home) -> io::Result<()> {
    saved::remove(home)?;
    file::remove(&home.data_disk())?;
    file::remove(&blank(&home.data_disk()))
}

fn grow(path: &Path, length: u64) -> io::Result<()> {
    let file = fs_err::OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_sparse_grown_and_never_shrunk() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("data.raw");
        assert_eq!(
            prepare(&path, 2).expect("made"),
            "Made. 2 GB at most; it takes only what is used."
        );
        assert!(occupied(&path) < MIB);
        formatted(&path)?;
        fs_err::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|mut file| io::Write::write_all(&mut file, b"mine"))?;
        prepare(&path, 3).expect("grown");
        assert_eq!(length(&path), Some(3 * GIB));
        prepare(&path, 2).expect("left");
        assert_eq!(length(&path), Some(3 * GIB));
        let mut start = [0; 4];
        io::Read::read_exact(&mut fs_err::File::open(&path)?, &mut start)?;
        assert_eq!(&start, b"mine");
        Ok(())
    }

    #[test]
    fn a_disk_that_was_never_formatted_is_made_anew_and_no_other_one() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("data.raw");
        let write = |bytes: &[u8]| {
            fs_err::OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|mut file| io::Write::write_all(&mut file, bytes))
        };
        let begins = || {
            let mut start = [0; 4];
            io::Read::read_exact(&mut fs_err::File::open(&path)?, &mut start)?;
            Ok::<_, io::Error>(start)
        };
        prepare(&path, 2).expect("made");
        write(b"half")?;
        prepare(&path, 2).expect("made again");
        assert_eq!(begins()?, [0; 4], "what a format had begun is gone");
        formatted(&path)?;
        write(b"mine")?;
        prepare(&path, 2).expect("left");
        assert_eq!(&begins()?, b"mine");
        formatted(&path)
    }

    #[test]
    fn a_folder_that_is_not_there_is_no_obstacle_to_measuring_room() {
        check_room(&std::env::temp_dir().join("absent/also-absent")).expect("the folder above it is measured");
    }
}
