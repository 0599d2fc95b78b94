//! Clients of docker that Debian 12 has no package of. They are fetched once and kept in the cache folder, named by
//! what they are, like the images.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::images::cache;
use crate::process::run;

/// The docker command's compose plugin, from Debian 13.
pub fn compose() -> PathBuf {
    const PLUGIN: &str = "usr/libexec/docker/cli-plugins/docker-compose";
    kept("docker-compose-trixie", |folder| {
        let tree = folder.join("tree.tar");
        run(Command::new("mmdebstrap")
            .args(["--variant=extract", "--quiet", "--include=docker-compose", "trixie"])
            .arg(&tree));
        run(Command::new("tar")
            .arg("--directory")
            .arg(folder)
            .arg("--extract")
            .arg("--file")
            .arg(&tree)
            .arg(format!("./{PLUGIN}")));
        fs_err::remove_file(tree).expect("the tree goes");
    })
    .join(PLUGIN)
}

/// Debian 13 with the engine of the machine's image.
pub(crate) fn debian_with_engine() -> PathBuf {
    kept("engine-procps-trixie", |folder| {
        let tree = folder.join("tree.tar");
        run(Command::new("mmdebstrap")
            .args(["--variant=minbase", "--quiet", "--include=docker.io,iptables,procps"])
            .args([
                "--aptopt=APT::Install-Recommends \"false\"",
                "--aptopt=Acquire::Languages \"none\"",
            ])
            .arg("trixie")
            .arg(&tree));
        run(Command::new("tar")
            .arg("--directory")
            .arg(folder)
            .arg("--extract")
            .arg("--file")
            .arg(&tree));
        fs_err::remove_file(tree).expect("the tar goes");
    })
}

/// A Python that has these packages, as pip names them with their versions.
pub fn python(packages: &[&str]) -> PathBuf {
    kept(&format!("python-{}", packages.join("-")), |folder| {
        // Its programs name the folder that they were made in, so only its interpreter is used.
        run(Command::new("python3").args(["-m", "venv", "--copies"]).arg(folder));
        run(Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(packages));
    })
    .join("bin/python")
}

/// A program from crates.io that runs in any container: it needs no library.
pub fn crates_program(name: &str, version: &str) -> PathBuf {
    kept(&format!("{name}-{version}"), |folder| {
        let target = folder.join("target");
        run(Command::new("cargo")
            .args(["install", "--quiet", "--locked", name, "--version", version])
            // Named, so that what is run while it is built is not built like this.
            .arg("--target")
            .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
            .arg("--target-dir")
            .arg(&target)
            .arg("--root")
            .arg(folder)
            .env("RUSTFLAGS", "-C target-feature=+crt-static")
            .current_dir(folder));
        fs_err::remove_dir_all(target).expect("what it was built from goes");
    })
    .join("bin")
    .join(name)
}

/// A folder with Debian 13's tree and these packages: its `usr` over the `usr` of a container is quicker than an image.
pub fn tree(packages: &str) -> PathBuf {
    kept(&format!("tree-{}", packages.replace(',', "-")), |folder| {
        let tar = folder.join("tree.tar");
        run(Command::new("mmdebstrap")
            .args(["--variant=minbase", "--quiet"])
            .args([
                "--dpkgopt=path-exclude=/usr/share/doc/*",
                "--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*",
            ])
            .args([
                "--aptopt=APT::Install-Recommends \"false\"",
                "--aptopt=Acquire::Languages \"none\"",
            ])
            .arg(format!("--include={packages}"))
            .arg("trixie")
            .arg(&tar));
        run(Command::new("tar")
            .arg("--directory")
            .arg(folder)
            .arg("--extract")
            .arg("--file")
            .arg(&tar)
            .arg("./usr"));
        fs_err::remove_file(tar).expect("the tar goes");
    })
}

/// The folder of this name, made by `make` unless it is there.
pub(crate) fn kept(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let cache = cache().join("test-tools");
    fs_err::create_dir_all(&cache).expect("the cache folder");
    let turn = fs_err::File::create(cache.join("lock")).expect("a lock file");
    turn.file().lock().expect("the lock");
    let folder = cache.join(name);
    if !folder.is_dir() {
        let making = tempfile::tempdir_in(&cache).expect("a folder in the cache");
        make(making.path());
        fs_err::rename(making.keep(), &folder).expect("the folder takes its name");
    }
    folder
}
