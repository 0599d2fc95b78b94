//! The Linux packages: one tree of files, which dpkg-deb makes a deb of and rpmbuild an rpm.
//!
//! Not by Tauri's bundler: it copies the programs into `/usr/bin`, where they have no image beside them, and wants the
//! libraries that they need as a list. The distributions' own tools read libraries and versions from the programs.

mod deb;
mod rpm;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::deps::Need;
use crate::guest::Arch;
use crate::{Error, deps, output, run, workspace};

/// The folder of the programs and, beside them, of the system image: that is where they look for each other.
const PROGRAMS: &str = "usr/lib/wherry";

/// What a terminal finds. The third is how the docker command asks `wherry` for logins.
const LINKS: &[(&str, &str)] = &[
    ("usr/bin/wherry", "../lib/wherry/wherry"),
    ("usr/bin/wherry-desktop", "../lib/wherry/wherry-desktop"),
    ("usr/bin/docker-credential-wherry", "../lib/wherry/wherry"),
];

/// Where files of the repository go.
const FILES: &[(&str, &str)] = &[
    (
        "usr/share/applications/wherry-desktop.desktop",
        "installers/linux/wherry-desktop.desktop",
    ),
    ("usr/share/icons/hicolor/32x32/apps/wherry.png", "icons/32x32.png"),
    ("usr/share/icons/hicolor/128x128/apps/wherry.png", "icons/128x128.png"),
    (
        "usr/share/icons/hicolor/256x256/apps/wherry.png",
        "icons/128x128@2x.png",
    ),
    ("usr/share/icons/hicolor/512x512/apps/wherry.png", "icons/icon.png"),
    ("usr/share/icons/hicolor/scalable/apps/wherry.svg", "icons/wherry.svg"),
    ("usr/share/doc/wherry/copyright", "installers/linux/copyright"),
    ("usr/share/doc/wherry/LICENSE", "LICENSE"),
];

/// Builds the release and makes both packages of it, in `dist`.
pub(crate) fn run() -> Result<(), Error> {
    if !cfg!(target_os = "linux") {
        return Err(Error::Missing {
            what: "What the packages are made with".to_owned(),
            hint: "They are for Linux and made there: dpkg-deb and rpmbuild belong to it.".to_owned(),
        });
    }
    deps::install(&[Need::Package])?;
    let dist = run::build()?;
    for package in make(&dist, &workspace::scratch().join("package"), &dist)? {
        let megabytes = fs_err::metadata(&package)?.len().div_ceil(1_000_000);
        let shown = package.strip_prefix(workspace::root()).unwrap_or(&package);
        output::line(format!("{} ({megabytes} MB)", shown.display()));
    }
    Ok(())
}

/// Makes both packages of a folder that is laid out as `dist`, in `to`. What is in `scratch` goes.
fn make(from: &Path, scratch: &Path, to: &Path) -> Result<[PathBuf; 2], Error> {
    if scratch.exists() {
        fs_err::remove_dir_all(scratch)?;
    }
    let about = About::read()?;
    // The place where Debian's tools expect what becomes a package.
    let tree = scratch.join("debian/wherry");
    lay_out(from, &tree)?;
    output::doing("Packing the rpm");
    let rpm = rpm::pack(&about, &tree, scratch, to)?;
    output::doing("Packing the deb");
    let deb = deb::pack(&about, &tree, scratch, to)?;
    fs_err::remove_dir_all(scratch)?;
    Ok([deb, rpm])
}

/// The files as they will be on a person's computer.
fn lay_out(from: &Path, tree: &Path) -> Result<(), Error> {
    for name in ["wherry", "wherry-desktop"] {
        place(&from.join(name), &tree.join(PROGRAMS).join(name), 0o755)?;
    }
    let arch = Arch::host();
    let image = Path::new("guest").join(arch.name());
    for name in arch.image() {
        place(
            &from.join(&image).join(name),
            &tree.join(PROGRAMS).join(&image).join(name),
            0o644,
        )?;
    }
    for (path, file) in FILES {
        place(&workspace::root().join(file), &tree.join(path), 0o644)?;
    }
    for (path, target) in LINKS {
        let path = tree.join(path);
        make_folder(&path)?;
        system::link(target, &path)?;
    }
    system::open_folders(tree)
}

fn place(file: &Path, path: &Path, mode: u32) -> Result<(), Error> {
    make_folder(path)?;
    fs_err::copy(file, path)?;
    system::set_mode(path, mode)
}

fn make_folder(path: &Path) -> Result<(), Error> {
    Ok(fs_err::create_dir_all(path.parent().unwrap_or(path))?)
}

/// What the packages say about themselves, from where the other systems' installers have it, too.
struct About {
    summary: String,
    description: String,
    homepage: String,
    license: String,
}

impl About {
    fn read() -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Configuration {
            bundle: Bundle,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Bundle {
            short_description: String,
            long_description: String,
            homepage: String,
            license: String,
        }
        let path = workspace::root().join("src-tauri/tauri.conf.json");
        let configuration: Configuration =
            serde_json::from_slice(&fs_err::read(&path)?).map_err(|source| Error::Garbled {
                what: path.display().to_string(),
                source,
            })?;
        let bundle = configuration.bundle;
        Ok(Self {
            summary: bundle.short_description,
            description: bundle.long_description,
            homepage: bundle.homepage,
            license: bundle.license,
        })
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
const MAINTAINER: &str = env!("CARGO_PKG_AUTHORS");

#[cfg(unix)]
mod system {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use crate::Error;

    pub(super) fn link(target: &str, path: &Path) -> Result<(), Error> {
        Ok(fs_err::os::unix::fs::symlink(target, path)?)
    }

    pub(super) fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
        Ok(fs_err::set_permissions(path, Permissions::from_mode(mode))?)
    }

    /// Whatever this person's umask is, everybody may look into the folders of a package.
    pub(super) fn open_folders(folder: &Path) -> Result<(), Error> {
        set_mode(folder, 0o755)?;
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open_folders(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// No package is made elsewhere: this is what the type check for Windows sees.
#[cfg(not(unix))]
mod system {
    use std::path::Path;

    use crate::Error;

    pub(super) fn link(_: &str, _: &Path) -> Result<(), Error> {
        Ok(())
    }

    pub(super) fn set_mode(_: &Path, _: u32) -> Result<(), Error> {
        Ok(())
    }

    pub(super) fn open_folders(_: &Path) -> Result<(), Error> {
        Ok(())
    }
}
