//! Both packages, made of small files that stand in for the release, and asked by the distributions' own tools.

use std::env::consts::ARCH;
use std::path::Path;
use std::process::Command;

use wherry_tests::process::{installed, run};
use wherry_tests::skip_unless;

use super::*;

/// What a person gets. The links are followed by the paths that they lead to.
fn expected() -> Vec<String> {
    let [kernel, root, manifest] = Arch::host().image();
    let mut lines: Vec<String> = [
        "-rwxr-xr-x /usr/lib/wherry/wherry",
        "-rwxr-xr-x /usr/lib/wherry/wherry-desktop",
        "-rw-r--r-- /usr/share/applications/wherry-desktop.desktop",
        "-rw-r--r-- /usr/share/doc/wherry/LICENSE",
        "-rw-r--r-- /usr/share/doc/wherry/copyright",
        "-rw-r--r-- /usr/share/icons/hicolor/128x128/apps/wherry.png",
        "-rw-r--r-- /usr/share/icons/hicolor/256x256/apps/wherry.png",
        "-rw-r--r-- /usr/share/icons/hicolor/32x32/apps/wherry.png",
        "-rw-r--r-- /usr/share/icons/hicolor/512x512/apps/wherry.png",
        "-rw-r--r-- /usr/share/icons/hicolor/scalable/apps/wherry.svg",
        "lrwxrwxrwx /usr/bin/docker-credential-wherry -> ../lib/wherry/wherry",
        "lrwxrwxrwx /usr/bin/wherry -> ../lib/wherry/wherry",
        "lrwxrwxrwx /usr/bin/wherry-desktop -> ../lib/wherry/wherry-desktop",
    ]
    .map(str::to_owned)
    .into();
    lines.extend([kernel, root, manifest].map(|name| format!("-rw-r--r-- /usr/lib/wherry/guest/{ARCH}/{name}")));
    lines.sort();
    lines
}

/// Lines as `ls -l` writes them, without folders, and without what is between the mode and the path.
fn files(listing: &str) -> Vec<String> {
    let mut files: Vec<String> = listing
        .lines()
        .filter(|line| !line.starts_with('d'))
        .map(|line| {
            let (mode, rest) = line.split_once(' ').expect("a mode");
            assert!(rest.trim_start().contains("root"), "{line} belongs to root");
            let path = rest.find('/').map(|at| &rest[at..]).expect("a path");
            // The owner and the group of dpkg-deb stand with a slash between them, the path begins with a dot.
            let path = path.find("./usr").map_or(path, |at| &path[at + 1..]);
            format!("{mode} {path}")
        })
        .collect();
    files.sort();
    files
}

/// A folder like `dist`, whose programs are one that every Linux has: it is linked to the C library.
fn stand_in(folder: &Path) {
    for name in ["wherry", "wherry-desktop"] {
        fs_err::copy("/bin/true", folder.join(name)).expect("a program");
    }
    let image = folder.join("guest").join(ARCH);
    fs_err::create_dir_all(&image).expect("a folder");
    for name in Arch::host().image() {
        fs_err::write(image.join(name), name).expect("a file");
    }
}

#[test]
fn both_packages_have_each_file_and_nothing_that_runs_when_they_come_or_go() {
    for tool in ["dpkg-deb", "dpkg-shlibdeps", "rpmbuild", "rpm"] {
        skip_unless!(
            installed(tool),
            &format!("{tool} is not installed; `cargo xtask test unit` does it")
        );
    }
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("from");
    let to = folder.path().join("to");
    fs_err::create_dir_all(&from).expect("a folder");
    fs_err::create_dir_all(&to).expect("a folder");
    stand_in(&from);
    let [deb, rpm] = make(&from, &folder.path().join("scratch"), &to).expect("both packages");

    let dpkg = |question: &str| run(Command::new("dpkg-deb").arg(question).arg(&deb));
    assert_eq!(files(&dpkg("--contents")), expected(), "the deb");
    let control = dpkg("--field");
    assert!(control.contains(&format!("Version: {VERSION}\n")), "{control}");
    assert!(control.contains("Maintainer: The Wherry authors\n"), "{control}");
    assert!(
        control.contains("Depends: libc6"),
        "libraries are found in the programs: {control}"
    );
    let information = folder.path().join("information");
    run(Command::new("dpkg-deb").arg("--control").arg(&deb).arg(&information));
    assert_eq!(names(&information), ["control"], "no script");

    let ask = |question: &[&str]| run(Command::new("rpm").args(question).arg("--package").arg(&rpm));
    let listing = ask(&["-q", "--list", "--verbose"]);
    assert_eq!(files(&listing), expected(), "the rpm");
    // An rpm takes away only the folders that it names.
    for folder in ["/usr/lib/wherry", "/usr/share/doc/wherry"] {
        assert!(listing.contains(&format!(" {folder}\n")), "{folder}: {listing}");
    }
    assert_eq!(ask(&["-q", "--scripts"]), "", "no script");
    let requires = ask(&["-q", "--requires"]);
    assert!(
        requires.contains("libc.so.6"),
        "libraries are found in the programs: {requires}"
    );
}

#[test]
fn each_program_stands_beside_the_others_and_the_image_whatever_link_it_is_called_by() {
    let folder = tempfile::tempdir().expect("a folder");
    stand_in(folder.path());
    let tree = folder.path().join("tree");
    lay_out(folder.path(), &tree).expect("laid out");
    assert_eq!(
        names(&tree.join("usr/bin")),
        ["docker-credential-wherry", "wherry", "wherry-desktop"]
    );
    for (link, _) in LINKS {
        let program = tree.join(link).canonicalize().expect("the link leads to a program");
        let beside = program.parent().expect("a folder");
        assert!(beside.join("wherry").is_file(), "{link}: the daemon");
        let image = beside.join("guest").join(ARCH);
        assert!(image.join("manifest.json").is_file(), "{link}: the system image");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs_err::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
