//! The package for Fedora, openSUSE and their relatives.

use std::env::consts::ARCH;
use std::path::{Path, PathBuf};

use super::{About, FILES, LINKS, PROGRAMS, VERSION};
use crate::{Error, process};

/// Counts what is packed of one version.
const RELEASE: &str = "1";

/// Makes `to/wherry-VERSION-RELEASE.ARCH.rpm` of the tree.
pub(super) fn pack(about: &About, tree: &Path, scratch: &Path, to: &Path) -> Result<PathBuf, Error> {
    let top = scratch.join("rpm");
    fs_err::create_dir_all(&top)?;
    let recipe = top.join("wherry.spec");
    fs_err::write(&recipe, spec(about))?;
    let mut rpmbuild = process::command("rpmbuild", ["-bb", "--quiet"]);
    for (name, value) in [("_topdir", &*top), ("_rpmdir", &top.join("made")), ("tree", tree)] {
        rpmbuild.arg("--define").arg(format!("{name} {}", value.display()));
    }
    process::run_aside(rpmbuild.arg(&recipe))?;
    let name = format!("wherry-{VERSION}-{RELEASE}.{ARCH}.rpm");
    let rpm = to.join(&name);
    fs_err::copy(top.join("made").join(ARCH).join(name), &rpm)?;
    Ok(rpm)
}

/// The format is that of rpmbuild(8). Nothing is to happen to what is packed: no stripping, no second package with
/// debug information, no links by build number.
fn spec(about: &About) -> String {
    let mut files = format!("/{PROGRAMS}\n%dir /usr/share/doc/wherry\n");
    for (path, _) in LINKS.iter().chain(FILES) {
        // A licence is installed even where documentation is not wanted.
        files += if path.ends_with("/LICENSE") { "%license /" } else { "/" };
        files += path;
        files += "\n";
    }
    format!(
        "%global debug_package %{{nil}}\n\
         %global __os_install_post %{{nil}}\n\
         %global _build_id_links none\n\
         %global _binary_payload w19.zstdio\n\
         Name: wherry\n\
         Version: {VERSION}\n\
         Release: {RELEASE}\n\
         Summary: {}\n\
         License: {}\n\
         URL: {}\n\
         Recommends: ca-certificates\n\
         Recommends: qemu-kvm\n\
         Recommends: libayatana-appindicator3.so.1()(64bit)\n\
         %description\n{}\n\
         %install\ncp -a %{{tree}}/usr %{{buildroot}}/\n\
         %files\n{files}",
        about.summary, about.license, about.homepage, about.description
    )
}
