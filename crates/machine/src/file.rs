//! Files that are either as they were or as they shall be, whenever the computer stops.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::system;

/// Replaces the file with these bytes, in one step. Only its owner may read it, whatever it was before: there may be a
/// password in it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    remove(&temporary)?;
    let written = write_new(&temporary, bytes).and_then(|()| fs_err::rename(&temporary, path));
    if written.is_err() {
        // On a full disk half of it would stay.
        let _ = remove(&temporary);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    system::create_private_file(path)?;
    let mut file = fs_err::OpenOptions::new().write(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Keeps a file that cannot be used beside its place, under the name returned: the person may want to see it.
pub(crate) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".bad-{}", crate::clock::unix_millis() / 1000));
    let aside = path.with_file_name(name);
    fs_err::rename(path, &aside)?;
    Ok(aside)
}

/// Removes the file; one that is not there is as good as removed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Drops the older half of a log that has become longer than this. Whoever appends to it goes on undisturbed.
pub(crate) fn shorten(path: &Path, longest: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs_err::OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    if length <= longest {
        return Ok(());
    }
    file.seek(SeekFrom::Start(length - longest / 2))?;
    let mut kept = Vec::new();
    file.read_to_end(&mut kept)?;
    file.set_len(0)?;
    // A writer in append mode may be in between; its line stands before ours then, which harms nobody.
    let mut file = fs_err::OpenOptions::new().append(true).open(path)?;
    file.write_all(&kept)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_written_is_its_owner_s_alone() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("settings.json");
        fs_err::write(&path, "a")?;
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
        write_whole(&path, b"a password")?;
        assert_eq!(fs_err::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs_err::read(&path)?, b"a password");
        Ok(())
    }
}
