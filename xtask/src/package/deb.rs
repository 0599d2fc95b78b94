//! The package for Debian and Ubuntu.

use std::path::{Path, PathBuf};

use super::{About, MAINTAINER, PROGRAMS, VERSION};
use crate::guest::Arch;
use crate::{Error, process};

/// Makes `to/wherry_VERSION_ARCH.deb` of the tree, which gets a folder `DEBIAN`.
pub(super) fn pack(about: &About, tree: &Path, scratch: &Path, to: &Path) -> Result<PathBuf, Error> {
    let arch = Arch::host();
    let information = tree.join("DEBIAN");
    fs_err::create_dir_all(&information)?;
    let kilobytes = size(&tree.join("usr"))?.div_ceil(1024);
    let libraries = libraries(scratch)?;
    fs_err::write(information.join("control"), control(about, arch, kilobytes, &libraries))?;
    let deb = to.join(format!("wherry_{VERSION}_{}.deb", arch.debian()));
    let mut dpkg = process::command("dpkg-deb", ["--root-owner-group", "--build"]);
    process::run_aside(dpkg.arg(tree).arg(&deb))?;
    Ok(deb)
}

/// The format is deb-control(5).
fn control(about: &About, arch: Arch, kilobytes: u64, libraries: &str) -> String {
    let qemu = match arch {
        Arch::X86_64 => "qemu-system-x86",
        Arch::Aarch64 => "qemu-system-arm",
    };
    // The window looks for the tray's library when it starts and does without: no tool finds that in the program.
    format!(
        "Package: wherry\n\
         Version: {VERSION}\n\
         Architecture: {}\n\
         Maintainer: {MAINTAINER}\n\
         Installed-Size: {kilobytes}\n\
         Depends: {libraries}\n\
         Recommends: ca-certificates, {qemu}, libayatana-appindicator3-1 | libappindicator3-1\n\
         Section: admin\n\
         Priority: optional\n\
         Homepage: {}\n\
         Description: {}\n {}\n",
        arch.debian(),
        about.homepage,
        about.summary,
        about.description
    )
}

/// The packages of the libraries that the programs are linked to, with the versions that have what they use of them.
fn libraries(scratch: &Path) -> Result<String, Error> {
    // It reads which package it is for, and would otherwise ask for the source that it is built from.
    fs_err::write(
        scratch.join("debian/control"),
        "Source: wherry\n\nPackage: wherry\nArchitecture: any\n",
    )?;
    let programs = ["wherry", "wherry-desktop"].map(|name| format!("debian/wherry/{PROGRAMS}/{name}"));
    let mut shlibdeps = process::command("dpkg-shlibdeps", ["-O"]);
    let answer = process::capture(shlibdeps.args(programs).current_dir(scratch))?;
    answer
        .lines()
        .find_map(|line| line.strip_prefix("shlibs:Depends="))
        .map(str::to_owned)
        .ok_or_else(|| Error::Missing {
            what: "What dpkg-shlibdeps finds out about the programs".to_owned(),
            hint: format!("It said: {}", answer.trim()),
        })
}

fn size(folder: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            size(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(bytes)
}
