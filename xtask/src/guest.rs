//! Builds the machine's system image out of `guest/`: a kernel of our own, a read-only root from Debian packages, the
//! agent as its first program.
//!
//! Needs apt and dpkg-deb, and no privileges: packages are unpacked, not installed. What is built lies below the
//! person's cache folder, under the hash of what it was built from, so that every checkout shares it:
//!
//! - `kernel-…`: minutes of compiling; changes with the kernel's source and configuration;
//! - `filter-…`: half a minute of compiling; changes with the packet filter's source and the C library;
//! - `root-…`: the tree without the agent; changes with the recipe and the packages;
//! - `x86_64-…`, `aarch64-…`: the image; changes with either, and with the agent.

mod agent;
mod filter;
mod fixed;
mod kernel;
mod packages;
mod recipe;
mod root;
mod tool;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{output, workspace};
use packages::{Package, Packages};
use recipe::Recipe;

/// Raised when the same recipe would give another image: the layout of the folder, the file system's options.
const FORMAT: u32 = 2;

const ROOT: &str = "root.erofs";
const MANIFEST: &str = "manifest.json";

/// What the system of the second image calls itself.
const ANOTHER: &str = "Wherry (another one)";

/// How many images of one architecture stay in the cache. Each change of the agent makes one of some 120 MB.
const KEPT: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arch {
    #[value(name = "x86_64")]
    X86_64,
    #[value(name = "aarch64")]
    Aarch64,
}

impl Arch {
    pub(crate) fn host() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::Aarch64
        } else {
            Self::X86_64
        }
    }

    /// As Rust, QEMU and `uname -m` say it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    pub(crate) fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// As the kernel's Makefile says it.
    fn linux(self) -> &'static str {
        match self {
            Self::X86_64 => "x86",
            Self::Aarch64 => "arm64",
        }
    }

    /// The folder of the libraries, and the prefix of a cross compiler.
    fn triplet(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-linux-gnu",
            Self::Aarch64 => "aarch64-linux-gnu",
        }
    }

    /// What the names of the tools begin with that compile for it here.
    fn tools(self) -> String {
        if self == Self::host() {
            String::new()
        } else {
            format!("{}-", self.triplet())
        }
    }

    fn rust_target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// QEMU takes an ELF file for x86-64 (PVH) and an `Image` for arm64, both uncompressed.
    fn kernel(self) -> &'static str {
        match self {
            Self::X86_64 => "vmlinux",
            Self::Aarch64 => "Image",
        }
    }

    /// What an image consists of.
    pub(crate) fn image(self) -> [&'static str; 3] {
        [self.kernel(), ROOT, MANIFEST]
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The path stands in the source, which comes from `fs_err`.
    #[error("Could not read or write a file")]
    File(#[from] io::Error),
    #[error("{} line {line}: {what}", path.display())]
    Syntax {
        path: PathBuf,
        line: usize,
        what: &'static str,
    },
    #[error("Could not start {program}")]
    Start { program: String, source: io::Error },
    #[error("{program} failed ({status}); the end of {}:\n{tail}", log.display())]
    Failed {
        program: String,
        status: ExitStatus,
        log: PathBuf,
        tail: String,
    },
    #[error("Debian's mirror has no package {name} for {arch}")]
    Unavailable { name: String, arch: &'static str },
    #[error("{name} has the checksum {found}, not {expected}")]
    Checksum {
        name: String,
        expected: String,
        found: String,
    },
    #[error("Package {package} has no file {file}")]
    NoFile { package: String, file: String },
    #[error("{library} is in none of the packages; {wanted_by} links to it")]
    NoLibrary { library: String, wanted_by: PathBuf },
    #[error("Could not bind {program} to an address: {why}")]
    Unbindable { program: String, why: &'static str },
    #[error("The kernel did not take {option}")]
    KernelOption { option: String },
    #[error("There is no Rust standard library for {target}")]
    NoStandardLibrary { target: &'static str },
}

impl Error {
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Start { .. } => {
                Some("Building the image needs Debian or Ubuntu; `cargo xtask guest` installs the rest.")
            }
            Self::Unavailable { .. } | Self::NoFile { .. } => {
                Some("Debian may have renamed it: change guest/recipe, then run `cargo xtask guest --update`.")
            }
            Self::Checksum { .. } => Some(
                "A version never changes its content on Debian's mirror: something between here and there is wrong.",
            ),
            Self::NoLibrary { .. } => {
                Some("Add the package that has it to guest/recipe, then run `cargo xtask guest --update`.")
            }
            Self::Unbindable { .. } => {
                Some("The package may build it otherwise now: look whether guest/recipe still has to bind it.")
            }
            Self::KernelOption { .. } => {
                Some("It was renamed, or what it depends on is not set: change guest/kernel.config.")
            }
            Self::NoStandardLibrary { .. } => {
                Some("Use `rustup target add`, or install Debian's rustc-web, cargo-web and rust-web-src.")
            }
            Self::File(_) | Self::Syntax { .. } | Self::Failed { .. } => None,
        }
    }
}

/// What an image is made of, for people, for `wherry version`, and for finding out what a security notice touches.
#[derive(Serialize)]
struct Manifest<'a> {
    format: u32,
    arch: &'static str,
    agent: &'a str,
    agent_sha256: &'a str,
    kernel: String,
    kernel_source: &'a Package,
    packages: &'a [Package],
    /// What the machine compares before it blames anything else for a start that fails.
    files: BTreeMap<&'static str, File>,
}

#[derive(Serialize)]
struct File {
    size: u64,
    sha256: String,
}

/// The folder with `vmlinux` or `Image`, `root.erofs` and `manifest.json`, also found as `target/guest/<arch>`.
pub(crate) fn build(arch: Arch) -> Result<PathBuf, Error> {
    let recipe = Recipe::read(arch)?;
    let agent = agent::build(arch)?;
    let agent_hash = hash_file(&agent)?;
    let cache = Cache::open()?;
    let kernel_key = kernel::key(&recipe, arch)?;
    let root_key = root::key(&recipe)?;
    let hash = hash([FORMAT.to_string().as_str(), &kernel_key, &root_key, &agent_hash]);
    let image = cache.folder(arch.name(), &hash);
    if !image.is_dir() {
        let _lock = cache.lock(arch.name())?;
        if !image.is_dir() {
            let root = root::ensure(&cache, &recipe, arch, &root_key)?;
            let kernel = kernel::ensure(&cache, &recipe, arch, &kernel_key)?;
            output::doing("Packing the image");
            cache.make(&image, |folder| {
                let taken = root::pack(&cache, arch, &root, &agent, &folder.join(ROOT))?;
                fs_err::copy(kernel.path(arch), folder.join(arch.kernel()))?;
                let files = files(folder, arch)?;
                let manifest = Manifest {
                    format: FORMAT,
                    arch: arch.name(),
                    agent: env!("CARGO_PKG_VERSION"),
                    agent_sha256: &agent_hash,
                    kernel: kernel.release()?,
                    kernel_source: &kernel.source()?,
                    packages: &taken,
                    files,
                };
                fs_err::write(folder.join(MANIFEST), json(&manifest)?)?;
                Ok(())
            })?;
        }
        cache.forget_old(arch)?;
    }
    // The youngest stay: being used makes young.
    fs_err::File::open(&image)?.file().set_modified(SystemTime::now())?;
    link(&image, arch.name())?;
    Ok(image)
}

/// A second image, `target/guest/<arch>.another`, which differs from the first one in the name that its system gives
/// itself: for tests of an upgrade.
pub(crate) fn build_another(arch: Arch) -> Result<PathBuf, Error> {
    let first = build(arch)?;
    let recipe = Recipe::read(arch)?;
    let cache = Cache::open()?;
    let root_key = root::key(&recipe)?;
    let another = PathBuf::from(format!("{}.another", first.display()));
    if !another.is_dir() {
        let _lock = cache.lock(arch.name())?;
        if !another.is_dir() {
            let root = root::ensure(&cache, &recipe, arch, &root_key)?;
            output::doing("Packing another image");
            cache.make(&another, |folder| {
                root::repack(&cache, arch, &root, ANOTHER, &folder.join(ROOT))?;
                fs_err::copy(first.join(arch.kernel()), folder.join(arch.kernel()))?;
                let manifest = fs_err::read(first.join(MANIFEST))?;
                let mut manifest: serde_json::Value = serde_json::from_slice(&manifest).map_err(io::Error::from)?;
                manifest["files"] = serde_json::to_value(files(folder, arch)?).map_err(io::Error::from)?;
                fs_err::write(folder.join(MANIFEST), json(&manifest)?)?;
                Ok(())
            })?;
        }
    }
    link(&another, &format!("{}.another", arch.name()))?;
    Ok(another)
}

fn files(folder: &Path, arch: Arch) -> Result<BTreeMap<&'static str, File>, Error> {
    let mut files = BTreeMap::new();
    for name in [ROOT, arch.kernel()] {
        let path = folder.join(name);
        let size = fs_err::metadata(&path)?.len();
        let sha256 = hash_file(&path)?;
        files.insert(name, File { size, sha256 });
    }
    Ok(files)
}

/// Writes `packages.<arch>.lock` anew, with what Debian has today.
pub(crate) fn update(arch: Arch) -> Result<PathBuf, Error> {
    let recipe = Recipe::read(arch)?;
    let cache = Cache::open()?;
    let _lock = cache.lock(arch.name())?;
    let newest = Packages::open(&cache, arch).newest(&recipe.names())?;
    let path = recipe::lock_path(arch);
    fs_err::write(&path, packages::lock_text(&newest))?;
    Ok(path)
}

fn link(image: &Path, name: &str) -> Result<(), Error> {
    let folder = workspace::target().join("guest");
    fs_err::create_dir_all(&folder)?;
    let place = folder.join(name);
    if fs_err::read_link(&place).is_ok_and(|old| old == image) {
        return Ok(());
    }
    // Renamed into place, so that a build beside us never sees it missing.
    let fresh = folder.join(format!("{name}.{}", std::process::id()));
    tool::symlink(image, &fresh)?;
    fs_err::rename(fresh, place)?;
    Ok(())
}

/// The folder that all checkouts share.
struct Cache {
    path: PathBuf,
}

impl Cache {
    fn open() -> Result<Self, Error> {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
            .unwrap_or_else(workspace::target);
        let path = base.join("wherry/guest");
        fs_err::create_dir_all(&path)?;
        Ok(Self { path })
    }

    fn folder(&self, what: &str, hash: &str) -> PathBuf {
        self.path.join(format!("{what}-{}", &hash[..16]))
    }

    /// One build at a time: the second one finds what the first one made.
    fn lock(&self, what: &str) -> Result<fs_err::File, Error> {
        let file = fs_err::File::create(self.path.join(format!("{what}.lock")))?;
        if file.try_lock().is_err() {
            output::doing(format!("Waiting for another build of the image ({what})"));
            file.lock()?;
        }
        Ok(file)
    }

    /// Makes a folder as a whole or not at all. Needs a lock.
    fn make(&self, folder: &Path, fill: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let fresh = self.path.join(format!("new.{name}"));
        if fresh.exists() {
            fs_err::remove_dir_all(&fresh)?;
        }
        fs_err::create_dir_all(&fresh)?;
        let filled = fill(&fresh);
        if filled.is_err() {
            let _ = fs_err::remove_dir_all(&fresh);
            return filled;
        }
        fs_err::rename(fresh, folder)?;
        Ok(())
    }

    fn log(&self, name: &str, arch: Arch) -> PathBuf {
        self.path.join(format!("{name}-{}.log", arch.name()))
    }

    /// Removes the images that were not used for the longest time. One younger than a day stays in any case: another
    /// checkout, or a machine that runs, may stand on it.
    fn forget_old(&self, arch: Arch) -> Result<(), Error> {
        let mut images = Vec::new();
        for entry in fs_err::read_dir(&self.path)? {
            let entry = entry?;
            let ours = entry
                .file_name()
                .to_string_lossy()
                .starts_with(&format!("{}-", arch.name()));
            if ours {
                images.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        images.sort_unstable_by(|left, right| right.cmp(left));
        for (used, path) in images.into_iter().skip(KEPT) {
            if used.elapsed().is_ok_and(|age| age > Duration::from_hours(24)) {
                fs_err::remove_dir_all(path)?;
            }
        }
        Ok(())
    }
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    let mut text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
    text.push('\n');
    Ok(text)
}

/// The hash of these parts; where one ends and the next begins counts.
fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    format!("{:x}", hasher.finalize())
}

fn hash_file(path: &Path) -> Result<String, Error> {
    let mut hasher = Sha256::new();
    io::copy(&mut fs_err::File::open(path)?, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}
