//! How much has to be downloaded to have a machine.

use std::process::Stdio;

use super::figures::Figure;
use super::machine::mebibytes;
use crate::{Error, guest, process};

pub(super) fn measure(_: u32) -> Result<Vec<Figure>, Error> {
    let folder = guest::build(guest::Arch::host())?;
    let mut plain = 0;
    let mut files = Vec::new();
    for entry in fs_err::read_dir(&folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            plain += entry.metadata()?.len();
            files.push(entry.path());
        }
    }
    // As an installer would: one archive of everything, as small as it gets.
    let mut tar = process::command("tar", ["--create", "--file=-"]);
    for path in &files {
        tar.arg("--directory").arg(&folder).args(path.file_name());
    }
    let mut tar = tar.stdout(Stdio::piped()).spawn().map_err(|source| Error::Start {
        program: "tar".to_owned(),
        source,
    })?;
    let mut zstd = process::command("zstd", ["-19", "--threads=0", "--quiet", "--stdout"]);
    if let Some(archive) = tar.stdout.take() {
        zstd.stdin(archive);
    }
    let packed = zstd
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| Error::Start {
            program: "zstd".to_owned(),
            source,
        })?
        .stdout
        .len();
    let status = tar.wait()?;
    if !status.success() {
        return Err(Error::Failed {
            command: "tar".to_owned(),
            status: status.to_string(),
        });
    }
    let alone = |name, bytes: u64, bar| Figure {
        name,
        unit: "MiB",
        runs: mebibytes(&bytes.into()).into_iter().collect(),
        baseline: None,
        bar,
        note: None,
    };
    Ok(vec![
        alone("system image, compressed", packed as u64, "<= 120 MB"),
        alone("system image, on disk", plain, "-"),
    ])
}
