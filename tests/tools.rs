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
    kept("engine-trixie", |folder| {
        let tree = folder.join("tree.tar");
        run(Command::new("mmdebstrap")
            .args(["--variant=minbase", "--quiet", "--include=docker.io,iptables"])
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
