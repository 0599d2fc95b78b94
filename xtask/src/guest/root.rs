//! The read-only root: exactly the files that the recipe names, and the libraries that they link to.
//!
//! Packages are unpacked, not installed: no maintainer script runs, and no package database, shell, login or set-uid
//! program comes along.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::packages::{Package, Packages};
use super::recipe::{self, Recipe, Step};
use super::{Arch, Cache, Error, filter, fixed, hash, hash_file, json, tool};
use crate::output;

/// The file system's options. What the engine is started from is packed with lz4, which costs little to
/// read; what is read later or seldom is packed tighter with zstd. guest/README.md has the figures.
const OPTIONS: [&str; 5] = [
    "-zlz4hc,9:zstd,6",
    "-C262144",
    "-T0",
    "--all-root",
    "-U77686572-7279-4000-8000-000000000001",
];

/// Size of a compressed piece, number of the compression in `-z`, the files as a regular expression. The first
/// matching line counts.
const HINTS: &str = "\
262144 1 ^usr/libexec/docker/cli-plugins/
262144 1 ^usr/bin/docker$
65536 1 ^usr/bin/containerd-shim-runc-v2$
65536 1 ^usr/sbin/runc$
65536 0 .
";

/// Where the command line of the kernel says that the first program is (`/sbin` is a link).
const AGENT: &str = "usr/sbin/wherry-agent";

/// The hash of everything that the root, without the agent, comes from.
pub(super) fn key(recipe: &Recipe) -> Result<String, Error> {
    let mut parts = vec![
        recipe.text.clone(),
        OPTIONS.join(" "),
        HINTS.to_owned(),
        filter::key(recipe),
    ];
    parts.extend(
        recipe
            .pinned
            .iter()
            .filter(|package| package.name != recipe.kernel)
            .map(|package| package.sha256.clone()),
    );
    let files = recipe::folder().join("files");
    for path in below(&files)? {
        parts.push(path.strip_prefix(&files).unwrap_or(&path).display().to_string());
        parts.push(hash_file(&path)?);
    }
    Ok(hash(parts.iter().map(String::as_str)))
}

/// The folder with `tree` and `packages.json`.
pub(super) fn ensure(cache: &Cache, recipe: &Recipe, arch: Arch, key: &str) -> Result<PathBuf, Error> {
    let root = cache.folder(&format!("root-{}", arch.name()), key);
    if root.is_dir() {
        return Ok(root);
    }
    let debs = Packages::open(cache, arch).fetch(&recipe.taken(), &recipe.pinned)?;
    let filter = filter::ensure(cache, recipe, arch)?;
    output::doing(format!("Putting the root together for {}", arch.name()));
    let log = cache.log("root", arch);
    cache.make(&root, |folder| {
        let pool = folder.join("pool");
        fs_err::create_dir(&pool)?;
        for (package, deb) in &debs {
            let place = pool.join(&package.name);
            tool::run(Command::new("dpkg-deb").arg("-x").arg(deb).arg(place), &log)?;
        }
        let tree = Tree {
            path: folder.join("tree"),
            pool: pool.clone(),
            packages: debs.iter().map(|(package, _)| package.name.clone()).collect(),
            libraries: Path::new("usr/lib").join(arch.triplet()),
        };
        let own = recipe::folder().join("files");
        for path in below(&own)? {
            tree.copy(&path, path.strip_prefix(&own).unwrap_or(&path))?;
        }
        for step in &recipe.steps {
            tree.apply(step)?;
        }
        tree.copy(&filter.program(), &Path::new("usr/sbin").join(filter::PROGRAM))?;
        tree.link_closure(&log)?;
        // Whatever the umask of the person who builds it.
        tool::run(Command::new("chmod").args(["-R", "u=rwX,go=rX"]).arg(&tree.path), &log)?;
        fs_err::remove_dir_all(pool)?;
        let mut packages: Vec<Package> = debs.into_iter().map(|(package, _)| package).collect();
        packages.extend(filter.packages()?);
        fs_err::write(folder.join("packages.json"), json(&packages)?)?;
        Ok(())
    })?;
    Ok(root)
}

/// Adds the agent and makes the file system. Returns the packages that the root is made of.
pub(super) fn pack(cache: &Cache, arch: Arch, root: &Path, agent: &Path, image: &Path) -> Result<Vec<Package>, Error> {
    let tree = root.join("tree");
    fs_err::copy(agent, tree.join(AGENT))?;
    make(cache, arch, &tree, image)?;
    let packages = fs_err::read_to_string(root.join("packages.json"))?;
    Ok(serde_json::from_str(&packages).map_err(std::io::Error::from)?)
}

/// Makes the file system of a root that was packed before, with another name of the system in it.
pub(super) fn repack(cache: &Cache, arch: Arch, root: &Path, name: &str, image: &Path) -> Result<(), Error> {
    let tree = image.with_extension("tree");
    // Links to the same files: the one that is to differ is written anew.
    let log = cache.log("another", arch);
    tool::run(Command::new("cp").arg("-al").arg(root.join("tree")).arg(&tree), &log)?;
    let release = tree.join("etc/os-release");
    let text = fs_err::read_to_string(&release)?;
    fs_err::remove_file(&release)?;
    let lines = text.lines().map(|line| match line.split_once('=') {
        Some(("PRETTY_NAME", _)) => format!("PRETTY_NAME=\"{name}\"\n"),
        Some(_) | None => format!("{line}\n"),
    });
    fs_err::write(&release, lines.collect::<String>())?;
    make(cache, arch, &tree, image)?;
    fs_err::remove_dir_all(tree)?;
    Ok(())
}

fn make(cache: &Cache, arch: Arch, tree: &Path, image: &Path) -> Result<(), Error> {
    let hints = image.with_extension("hints");
    fs_err::write(&hints, HINTS)?;
    let mut mkfs = mkfs(cache)?;
    mkfs.arg("--quiet").args(OPTIONS);
    mkfs.arg(format!("--compress-hints={}", hints.display()));
    mkfs.arg(format!("--workers={}", std::thread::available_parallelism()?));
    tool::run(mkfs.arg(image).arg(tree), &cache.log("erofs", arch))?;
    fs_err::remove_file(hints)?;
    Ok(())
}

/// Debian 13's `mkfs.erofs`, whatever the host is: an older one knows neither threads nor zstd, and another one would
/// make another image. It runs where it was unpacked, through the loader of its own C library.
fn mkfs(cache: &Cache) -> Result<Command, Error> {
    let arch = Arch::host();
    let _lock = cache.lock("tools")?;
    let recipe = Recipe::read(arch)?;
    let tools: Vec<&str> = recipe.tools.iter().map(String::as_str).collect();
    let debs = Packages::open(cache, arch).fetch(&tools, &recipe.pinned)?;
    let folder = cache.folder("tools", &hash(debs.iter().map(|(package, _)| package.sha256.as_str())));
    if !folder.is_dir() {
        cache.make(&folder, |folder| {
            for (_, deb) in &debs {
                tool::run(
                    Command::new("dpkg-deb").arg("-x").arg(deb).arg(folder),
                    &cache.log("tools", arch),
                )?;
            }
            Ok(())
        })?;
    }
    let libraries = folder.join("usr/lib").join(arch.triplet());
    let loader = match arch {
        Arch::X86_64 => "ld-linux-x86-64.so.2",
        Arch::Aarch64 => "ld-linux-aarch64.so.1",
    };
    let mut mkfs = Command::new(libraries.join(loader));
    mkfs.arg("--library-path")
        .arg(&libraries)
        .arg(folder.join("usr/bin/mkfs.erofs"));
    Ok(mkfs)
}

/// The tree as it grows, and the unpacked packages beside it.
struct Tree {
    path: PathBuf,
    pool: PathBuf,
    packages: Vec<String>,
    libraries: PathBuf,
}

impl Tree {
    fn apply(&self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Take { package, files } => {
                for pattern in files {
                    for file in self.matching(package, pattern)? {
                        let place = file.strip_prefix(self.pool.join(package)).unwrap_or(&file);
                        self.copy(&file, place)?;
                    }
                }
            }
            Step::Join { target, package, files } => {
                let mut whole = Vec::new();
                for file in self.matching(package, files)? {
                    whole.extend(fs_err::read(file)?);
                }
                fs_err::write(self.place(target)?, whole)?;
            }
            Step::Link { path, target } => tool::symlink(target, self.place(path)?)?,
            Step::Folder { path } => fs_err::create_dir_all(self.path.join(path))?,
            Step::Bind { path } => {
                let place = self.path.join(path);
                let mut bytes = fs_err::read(&place)?;
                fixed::at_one_address(&mut bytes).map_err(|why| Error::Unbindable {
                    program: path.clone(),
                    why,
                })?;
                fs_err::write(place, bytes)?;
            }
        }
        Ok(())
    }

    /// Where this goes, its folder made.
    fn place(&self, path: impl AsRef<Path>) -> Result<PathBuf, Error> {
        let path = self.path.join(path);
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        Ok(path)
    }

    /// A file, or a link as a link.
    fn copy(&self, from: &Path, to: &Path) -> Result<(), Error> {
        let place = self.place(to)?;
        if from.is_symlink() {
            return tool::symlink(fs_err::read_link(from)?, place);
        }
        fs_err::copy(from, place)?;
        Ok(())
    }

    /// The files of a package that a pattern with at most one `*`, in its last part, stands for; sorted.
    fn matching(&self, package: &str, pattern: &str) -> Result<Vec<PathBuf>, Error> {
        let whole = self.pool.join(package).join(pattern);
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let found = match (name.split_once('*'), whole.parent()) {
            (Some((start, end)), Some(folder)) if folder.is_dir() => {
                let mut found = Vec::new();
                for entry in fs_err::read_dir(folder)? {
                    let entry = entry?;
                    let name = entry.file_name();
                    if fits(&name.to_string_lossy(), start, end) {
                        found.push(entry.path());
                    }
                }
                found.sort_unstable();
                found
            }
            (None, _) if whole.is_symlink() || whole.is_file() => vec![whole],
            _ => Vec::new(),
        };
        if found.is_empty() {
            return Err(Error::NoFile {
                package: package.to_owned(),
                file: pattern.to_owned(),
            });
        }
        Ok(found)
    }

    /// Adds the libraries that programs link to, those that these link to, and the loader.
    fn link_closure(&self, log: &Path) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<PathBuf> = below(&self.path)?;
        while let Some(file) = open.pop() {
            if file.is_symlink() || !is_elf(&file)? {
                continue;
            }
            let text = tool::read(
                Command::new("readelf")
                    .args(["--wide", "--program-headers", "--dynamic"])
                    .arg(&file),
                log,
            )?;
            for wanted in linked(&text, &self.libraries) {
                if !seen.insert(wanted.clone()) || self.path.join(&wanted).is_file() {
                    continue;
                }
                let there = self
                    .packages
                    .iter()
                    .map(|package| self.pool.join(package).join(&wanted));
                // The loader is also a library of the C library, by the name under which it is there already.
                let loader = |name: &OsStr| {
                    seen.iter()
                        .any(|path| path.file_name() == Some(name) && path.starts_with("usr/lib64"))
                };
                let Some(library) = there.into_iter().find(|path| path.is_file()) else {
                    if wanted.file_name().is_some_and(loader) {
                        continue;
                    }
                    return Err(Error::NoLibrary {
                        library: wanted.display().to_string(),
                        wanted_by: file.strip_prefix(&self.path).unwrap_or(&file).to_owned(),
                    });
                };
                // The file itself under the name that is asked for, not Debian's chain of links.
                let place = self.place(&wanted)?;
                fs_err::copy(fs_err::canonicalize(library)?, &place)?;
                open.push(place);
            }
        }
        Ok(())
    }
}

fn fits(name: &str, start: &str, end: &str) -> bool {
    name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
}

/// What `readelf` says that a file needs, as places in the tree.
fn linked(text: &str, libraries: &Path) -> Vec<PathBuf> {
    let needed = text
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0));
    let loader = text.lines().filter_map(|line| {
        let path = line.split_once("program interpreter: ")?.1.trim_end_matches(']');
        Some(Path::new("usr").join(path.trim_start_matches('/')))
    });
    // The loader first: the C library asks for it too, by its bare name.
    loader.chain(needed.map(|name| libraries.join(name))).collect()
}

fn is_elf(path: &Path) -> Result<bool, Error> {
    let mut start = Vec::new();
    fs_err::File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(start == b"\x7fELF")
}

/// Every file and link below a folder, sorted.
fn below(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readelf_says_is_understood() {
        let text = "\
      [Requesting program interpreter: /lib64/ld-linux-x86-64.so.2]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
 0x000000000000000c (INIT)               0x1000
";
        let libraries = Path::new("usr/lib/x86_64-linux-gnu");
        assert_eq!(
            linked(text, libraries),
            [
                Path::new("usr/lib64/ld-linux-x86-64.so.2"),
                &libraries.join("libc.so.6")
            ]
        );
    }

    #[test]
    fn a_star_stands_for_anything_but_not_for_an_overlap() {
        assert!(fits("libxt_mark.so", "libxt_", ".so"));
        assert!(!fits("aa", "aa", "a"));
    }
}
