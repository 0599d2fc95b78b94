//! Small programs of the benches for guests and containers that have nothing else.

use std::path::{Path, PathBuf};

use crate::{Error, process};

/// Compiles one file without dependencies to a program of this name in the folder, linked statically.
pub(super) fn compile(folder: &Path, name: &str, source: &str) -> Result<PathBuf, Error> {
    let (file, program) = (folder.join(format!("{name}.rs")), folder.join(name));
    fs_err::write(&file, source)?;
    let arguments = ["--edition", "2024", "-O", "-C", "target-feature=+crt-static", "-o"];
    process::run(process::command("rustc", arguments).arg(&program).arg(&file))?;
    Ok(program)
}

/// These files of the folder as a tar for `docker import`.
pub(super) fn pack(folder: &Path, files: &[&str]) -> Result<PathBuf, Error> {
    let image = folder.join("image.tar");
    let mut tar = process::command("tar", ["--create", "--file"]);
    process::run(tar.arg(&image).arg("--directory").arg(folder).args(files))?;
    Ok(image)
}
