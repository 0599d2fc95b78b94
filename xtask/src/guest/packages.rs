//! Debian packages: pinned by `packages.<arch>.lock`, fetched by an apt of our own that neither reads nor changes what
//! the system's apt knows, kept in the cache by their checksum.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::{Arch, Cache, Error, hash_file, tool};
use crate::output;

/// What apt reads, but for the kind of package at the beginning of each line.
const MIRRORS: [&str; 3] = [
    "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main",
    "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie-updates main",
    "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security trixie-security main",
];

/// Before the name of a package whose source is meant, as its authors publish it.
const SOURCE: &str = "source:";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) sha256: String,
}

impl Package {
    pub(super) fn is_source(&self) -> bool {
        self.name.starts_with(SOURCE)
    }
}

pub(super) struct Packages<'a> {
    cache: &'a Cache,
    arch: Arch,
    log: PathBuf,
}

impl<'a> Packages<'a> {
    pub(super) fn open(cache: &'a Cache, arch: Arch) -> Self {
        Self {
            cache,
            arch,
            log: cache.log("packages", arch),
        }
    }

    /// The files of these packages, at their pinned versions. Where Debian no longer has one (it keeps the newest
    /// only), the newest is taken and a warning says so: a point release must not stop everybody's builds.
    pub(super) fn fetch(&self, names: &[&str], pinned: &[Package]) -> Result<Vec<(Package, PathBuf)>, Error> {
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        for name in names {
            let pin = pinned.iter().find(|package| package.name == *name);
            match pin.map(|package| (package, self.place(package))) {
                Some((package, path)) if path.is_file() => {
                    found.insert(*name, (package.clone(), path));
                }
                _ => missing.push(*name),
            }
        }
        if !missing.is_empty() {
            for package in self.download(&missing, pinned)? {
                let path = self.place(&package);
                if let Some(name) = missing.iter().find(|name| **name == package.name) {
                    found.insert(*name, (package, path));
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// These packages as Debian has them today, in the order of their names.
    pub(super) fn newest(&self, names: &[&str]) -> Result<Vec<Package>, Error> {
        let _lock = self.refresh()?;
        let versions = self.versions(names)?;
        let wanted = choose(names, &[], &versions).map_err(|name| self.unavailable(name))?;
        let offered = self.offered(&wanted)?;
        Ok(offered.into_iter().map(|(package, _)| package).collect())
    }

    fn download(&self, names: &[&str], pinned: &[Package]) -> Result<Vec<Package>, Error> {
        output::doing(format!(
            "Fetching {} Debian packages for {}",
            names.len(),
            self.arch.name()
        ));
        let _lock = self.refresh()?;
        let versions = self.versions(names)?;
        let wanted = choose(names, pinned, &versions).map_err(|name| self.unavailable(name))?;
        let offered = self.offered(&wanted)?;
        for (package, _) in &offered {
            match pinned.iter().find(|pin| pin.name == package.name) {
                Some(pin) if pin.version != package.version => output::warning(format!(
                    "Debian no longer has {} {}: the image gets {}. `cargo xtask guest --update` makes that the pinned one.",
                    pin.name, pin.version, package.version
                )),
                Some(pin) if pin.sha256 != package.sha256 => {
                    return Err(Error::Checksum {
                        name: package.name.clone(),
                        expected: pin.sha256.clone(),
                        found: package.sha256.clone(),
                    });
                }
                Some(_) => {}
                None => output::warning(format!(
                    "{} is not pinned: run `cargo xtask guest --update`.",
                    package.name
                )),
            }
        }
        fs_err::create_dir_all(self.cache.path.join("debs"))?;
        let fresh = self.root().join("debs");
        fs_err::create_dir_all(&fresh)?;
        for mut download in self.downloads(&wanted) {
            download.current_dir(&fresh);
            tool::run(&mut download, &self.log)?;
        }
        for (package, file) in &offered {
            let path = fresh.join(file);
            let found = hash_file(&path)?;
            if found != package.sha256 {
                return Err(Error::Checksum {
                    name: package.name.clone(),
                    expected: package.sha256.clone(),
                    found,
                });
            }
            fs_err::rename(path, self.place(package))?;
        }
        Ok(offered.into_iter().map(|(package, _)| package).collect())
    }

    fn place(&self, package: &Package) -> PathBuf {
        self.cache.path.join("debs").join(format!(
            "{}_{}.deb",
            package.name.replace(':', "-"),
            &package.sha256[..16]
        ))
    }

    fn unavailable(&self, name: &str) -> Error {
        Error::Unavailable {
            name: name.to_owned(),
            arch: self.arch.debian(),
        }
    }

    /// Fetches the package lists, which apt checks against Debian's signature, and keeps other builds from them: one
    /// for arm64 takes its tools from the host's packages.
    fn refresh(&self) -> Result<fs_err::File, Error> {
        let root = self.root();
        let lock = self.cache.lock(&format!("apt-{}", self.arch.name()))?;
        for folder in ["state/lists/partial", "cache/archives/partial", "none"] {
            fs_err::create_dir_all(root.join(folder))?;
        }
        fs_err::write(root.join("status"), "")?;
        let sources: String = MIRRORS
            .map(|mirror| format!("deb {mirror}\ndeb-src {mirror}\n"))
            .concat();
        fs_err::write(root.join("sources.list"), sources)?;
        fs_err::write(root.join("apt.conf"), configuration(&root, self.arch))?;
        tool::run(
            self.apt("apt-get").args(["--quiet", "update", "--error-on=any"]),
            &self.log,
        )?;
        Ok(lock)
    }

    /// Every version that there is, the newest first.
    fn versions(&self, names: &[&str]) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let names = names.iter().map(|name| name.trim_start_matches(SOURCE));
        let text = tool::read(self.apt("apt-cache").arg("madison").args(names), &self.log)?;
        let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let mut cells = line.split('|').map(str::trim);
            if let (Some(name), Some(version), Some(place)) = (cells.next(), cells.next(), cells.next()) {
                let kind = if place.ends_with(" Sources") { SOURCE } else { "" };
                versions
                    .entry(format!("{kind}{name}"))
                    .or_default()
                    .push(version.to_owned());
            }
        }
        Ok(versions)
    }

    /// Checksum and file name of each `name=version`, from the signed lists.
    fn offered(&self, wanted: &[String]) -> Result<Vec<(Package, String)>, Error> {
        let mut offered: BTreeMap<String, (Package, String)> = BTreeMap::new();
        for mut question in self.downloads(wanted) {
            let text = tool::read(question.arg("--print-uris"), &self.log)?;
            offered.extend(
                text.lines()
                    .filter_map(|line| of_address(line, wanted))
                    .map(|found| (found.0.name.clone(), found)),
            );
        }
        match wanted
            .iter()
            .filter_map(|spec| spec.split('=').next())
            .find(|name| !offered.contains_key(*name))
        {
            Some(name) => Err(self.unavailable(name)),
            None => Ok(offered.into_values().collect()),
        }
    }

    /// What fetches each `name=version` into the folder that it is run in: one for packages, one for sources, of which
    /// Debian's own changes stay away.
    fn downloads(&self, wanted: &[String]) -> Vec<Command> {
        let (sources, packages): (Vec<&String>, Vec<&String>) =
            wanted.iter().partition(|spec| spec.starts_with(SOURCE));
        let mut downloads = Vec::new();
        if !packages.is_empty() {
            let mut download = self.apt("apt-get");
            download.args(["--quiet", "download"]).args(packages);
            downloads.push(download);
        }
        if !sources.is_empty() {
            let mut download = self.apt("apt-get");
            download.args(["--quiet", "--download-only", "--tar-only", "source"]);
            download.args(sources.into_iter().map(|spec| spec.trim_start_matches(SOURCE)));
            downloads.push(download);
        }
        downloads
    }

    fn root(&self) -> PathBuf {
        self.cache.path.join(format!("apt-{}", self.arch.name()))
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.root().join("apt.conf"))
            .env("LC_ALL", "C");
        command
    }
}

/// A package and its file, of what `apt-get --print-uris` says:
/// `'http://…/tini_0.19.0-3_amd64.deb' tini_0.19.0-3_amd64.deb 280384 SHA256:…`.
fn of_address(line: &str, wanted: &[String]) -> Option<(Package, String)> {
    let mut words = line.split_whitespace().skip(1);
    let (file, _size, sum) = (words.next()?, words.next()?, words.next()?);
    let (name, _) = file.split_once('_')?;
    let kind = if file.contains(".orig.tar.") { SOURCE } else { "" };
    let name = format!("{kind}{name}");
    let version = wanted
        .iter()
        .find_map(|spec| spec.strip_prefix(name.as_str())?.strip_prefix('='))?;
    let package = Package {
        version: version.to_owned(),
        sha256: sum.strip_prefix("SHA256:")?.to_owned(),
        name,
    };
    Some((package, file.to_owned()))
}

/// `name=version` of each: the pinned version while it is to be had, else the newest. Fails with the name of one that
/// has none.
fn choose<'a>(
    names: &[&'a str],
    pinned: &[Package],
    versions: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<String>, &'a str> {
    names
        .iter()
        .map(|name| {
            let there = versions.get(*name).ok_or(*name)?;
            let pin = pinned
                .iter()
                .find(|package| package.name == *name)
                .map(|package| &package.version);
            let version = pin
                .filter(|version| there.contains(version))
                .or(there.first())
                .ok_or(*name)?;
            Ok(format!("{name}={version}"))
        })
        .collect()
}

/// An apt that lives in this folder and nowhere else, and needs no root. See apt.conf(5).
fn configuration(root: &Path, arch: Arch) -> String {
    let root = root.display();
    let arch = arch.debian();
    format!(
        r#"APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Etc "{root}/none";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::parts "{root}/none";
Dir::Etc::preferencesparts "{root}/none";
"#
    )
}

pub(super) fn lock_text(packages: &[Package]) -> String {
    let mut text = String::from("# Written by `cargo xtask guest --update`: package, version, SHA-256.\n");
    for package in packages {
        let _ = writeln!(text, "{} {} {}", package.name, package.version, package.sha256);
    }
    text
}

pub(super) fn parse_lock(text: &str) -> Result<Vec<Package>, (usize, &'static str)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.starts_with('#'))
        .map(|(index, line)| match line.split(' ').collect::<Vec<_>>().as_slice() {
            [name, version, sha256] if sha256.len() == 64 => Ok(Package {
                name: (*name).to_owned(),
                version: (*version).to_owned(),
                sha256: (*sha256).to_owned(),
            }),
            _ => Err((index + 1, "not a package, its version and its SHA-256")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_reads_back_as_it_was_written() {
        let packages = [Package {
            name: "zlib1g".into(),
            version: "1:1.3.dfsg+really1.3.1-1".into(),
            sha256: "0".repeat(64),
        }];
        assert_eq!(parse_lock(&lock_text(&packages)), Ok(packages.to_vec()));
        assert!(
            parse_lock("zlib1g 1:1.3\n").is_err(),
            "a line cut short is not a package"
        );
    }

    #[test]
    fn a_source_is_told_from_the_package_of_the_same_name() {
        let wanted = ["iptables=1.8.11-2".to_owned(), "source:iptables=1.8.11-2".to_owned()];
        let said = |file: &str| {
            let line = format!("'http://mirror/{file}' {file} 1000 SHA256:{}", "0".repeat(64));
            of_address(&line, &wanted).map(|(package, _)| package.name)
        };
        assert_eq!(said("iptables_1.8.11-2_amd64.deb").as_deref(), Some("iptables"));
        assert_eq!(said("iptables_1.8.11.orig.tar.xz").as_deref(), Some("source:iptables"));
        assert_eq!(said("tini_0.19.0-3_amd64.deb"), None, "nobody asked for it");
        assert_eq!(of_address("Reading package lists...", &wanted), None);
    }

    #[test]
    fn the_pinned_version_is_taken_while_there_is_one() {
        let pinned = [Package {
            name: "tini".into(),
            version: "1".into(),
            sha256: String::new(),
        }];
        let there = |versions: &[&str]| {
            BTreeMap::from([(
                "tini".to_owned(),
                versions.iter().map(ToString::to_string).collect::<Vec<_>>(),
            )])
        };
        assert_eq!(
            choose(&["tini"], &pinned, &there(&["2", "1"])),
            Ok(vec!["tini=1".into()])
        );
        assert_eq!(
            choose(&["tini"], &pinned, &there(&["3", "2"])),
            Ok(vec!["tini=3".into()])
        );
        assert_eq!(choose(&["tini"], &pinned, &BTreeMap::new()), Err("tini"));
    }
}
