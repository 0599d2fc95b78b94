//! The machine's kernel: Debian's source, `allnoconfig`, and the options of `guest/kernel*.config`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::packages::{Package, Packages};
use super::recipe::{self, Recipe};
use super::{Arch, Cache, Error, hash, json, tool};
use crate::output;

pub(super) struct Kernel {
    folder: PathBuf,
}

impl Kernel {
    pub(super) fn path(&self, arch: Arch) -> PathBuf {
        self.folder.join(arch.kernel())
    }

    /// As `uname -r` says it.
    pub(super) fn release(&self) -> Result<String, Error> {
        Ok(fs_err::read_to_string(self.folder.join("release"))?.trim().to_owned())
    }

    pub(super) fn source(&self) -> Result<Package, Error> {
        let text = fs_err::read_to_string(self.folder.join("source.json"))?;
        Ok(serde_json::from_str(&text).map_err(std::io::Error::from)?)
    }
}

/// The hash of everything that the kernel comes from.
pub(super) fn key(recipe: &Recipe, arch: Arch) -> Result<String, Error> {
    let options = options(arch)?;
    let source = recipe.pinned.iter().find(|package| package.name == recipe.kernel);
    Ok(hash(
        [recipe.kernel.as_str(), source.map_or("", |package| &package.sha256)]
            .into_iter()
            .chain(options.lines().filter_map(Wanted::of).map(|wanted| wanted.line)),
    ))
}

pub(super) fn ensure(cache: &Cache, recipe: &Recipe, arch: Arch, key: &str) -> Result<Kernel, Error> {
    let kernel = Kernel {
        folder: cache.folder(&format!("kernel-{}", arch.name()), key),
    };
    if kernel.folder.is_dir() {
        return Ok(kernel);
    }
    let sources = Packages::open(cache, arch).fetch(&[recipe.kernel.as_str()], &recipe.pinned)?;
    let log = cache.log("kernel", arch);
    output::doing(format!(
        "Building the kernel for {}, which takes some minutes the first time; its log is {}",
        arch.name(),
        log.display()
    ));
    cache.make(&kernel.folder, |folder| {
        for (package, deb) in &sources {
            let work = folder.join("work");
            let build = Build {
                source: work.join("source"),
                output: work.join("output"),
                version: &package.version,
                arch,
                log: &log,
            };
            unpack(&work, &build, deb)?;
            build.make(folder)?;
            fs_err::remove_dir_all(work)?;
            fs_err::write(folder.join("source.json"), json(package)?)?;
        }
        Ok(())
    })?;
    Ok(kernel)
}

fn unpack(work: &Path, build: &Build<'_>, deb: &Path) -> Result<(), Error> {
    let unpacked = work.join("package");
    fs_err::create_dir_all(&unpacked)?;
    tool::run(Command::new("dpkg-deb").arg("-x").arg(deb).arg(&unpacked), build.log)?;
    fs_err::create_dir_all(&build.source)?;
    for entry in fs_err::read_dir(unpacked.join("usr/src"))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".tar.xz") {
            let mut tar = Command::new("tar");
            tar.arg("-xf")
                .arg(path)
                .arg("--strip-components=1")
                .arg("-C")
                .arg(&build.source);
            tool::run(&mut tar, build.log)?;
        }
    }
    Ok(fs_err::remove_dir_all(unpacked)?)
}

struct Build<'a> {
    source: PathBuf,
    output: PathBuf,
    version: &'a str,
    arch: Arch,
    log: &'a Path,
}

impl Build<'_> {
    fn make(&self, folder: &Path) -> Result<(), Error> {
        let wanted = options(self.arch)?;
        fs_err::create_dir_all(&self.output)?;
        let options = self.output.join("wherry.config");
        fs_err::write(&options, &wanted)?;
        tool::run(
            self.command().env("KCONFIG_ALLCONFIG", &options).arg("allnoconfig"),
            self.log,
        )?;
        let config = fs_err::read_to_string(self.output.join(".config"))?;
        if let Some(option) = refused(&wanted, &config) {
            return Err(Error::KernelOption {
                option: option.to_owned(),
            });
        }
        let built = match self.arch {
            Arch::X86_64 => "vmlinux",
            Arch::Aarch64 => "arch/arm64/boot/Image",
        };
        let target = self.arch.kernel();
        let jobs = std::thread::available_parallelism()?;
        tool::run(self.command().arg(format!("-j{jobs}")).arg(target), self.log)?;
        let place = folder.join(target);
        match self.arch {
            // The symbol table is a tenth of it, and QEMU reads all of it at each start.
            Arch::X86_64 => {
                let mut strip = Command::new(format!("{}strip", self.arch.tools()));
                tool::run(strip.arg("-o").arg(place).arg(self.output.join(built)), self.log)?;
            }
            Arch::Aarch64 => {
                fs_err::copy(self.output.join(built), place)?;
            }
        }
        fs_err::copy(
            self.output.join("include/config/kernel.release"),
            folder.join("release"),
        )?;
        fs_err::write(folder.join("config"), config)?;
        Ok(())
    }

    fn command(&self) -> Command {
        // Others want to go on working meanwhile.
        let mut make = Command::new("nice");
        make.args(["-n", "5", "make", "--silent", "-C"]).arg(&self.source);
        make.arg(format!("O={}", self.output.display()));
        make.arg(format!("ARCH={}", self.arch.linux()));
        make.arg(format!("CROSS_COMPILE={}", self.arch.tools()));
        // Nothing of the time and place of the build gets in.
        make.env("KBUILD_BUILD_TIMESTAMP", format!("Debian {}", self.version));
        make.env("KBUILD_BUILD_USER", "wherry")
            .env("KBUILD_BUILD_HOST", "wherry");
        make
    }
}

/// The options for this architecture, one after the other.
fn options(arch: Arch) -> Result<String, Error> {
    let folder = recipe::folder();
    let common = fs_err::read_to_string(folder.join("kernel.config"))?;
    let own = fs_err::read_to_string(folder.join(format!("kernel.{}.config", arch.name())))?;
    Ok(format!("{common}\n{own}"))
}

/// A line of a configuration that says something.
struct Wanted<'a> {
    line: &'a str,
    name: &'a str,
    on: bool,
}

impl<'a> Wanted<'a> {
    fn of(line: &'a str) -> Option<Self> {
        if let Some((name, _)) = line.split_once('=').filter(|(name, _)| name.starts_with("CONFIG_")) {
            return Some(Self { line, name, on: true });
        }
        let name = line.strip_prefix("# ")?.strip_suffix(" is not set")?;
        name.starts_with("CONFIG_").then_some(Self { line, name, on: false })
    }
}

/// The first option that came out otherwise. Kconfig says nothing when it drops one whose dependencies are missing.
fn refused<'a>(wanted: &'a str, config: &str) -> Option<&'a str> {
    let got: Vec<Wanted<'_>> = config.lines().filter_map(Wanted::of).collect();
    wanted.lines().filter_map(Wanted::of).find_map(|wanted| {
        let there = got.iter().find(|got| got.name == wanted.name);
        let fine = if wanted.on {
            there.is_some_and(|got| got.line == wanted.line)
        } else {
            there.is_none_or(|got| !got.on)
        };
        (!fine).then_some(wanted.line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_was_dropped_is_noticed() {
        let config = "CONFIG_EROFS_FS=y\n# CONFIG_MODULES is not set\nCONFIG_KEXEC=y\nCONFIG_HZ=100\n";
        assert_eq!(
            refused(
                "# why\nCONFIG_EROFS_FS=y\n# CONFIG_MODULES is not set\n# CONFIG_GONE is not set\n",
                config
            ),
            None
        );
        assert_eq!(refused("CONFIG_OVERLAY_FS=y\n", config), Some("CONFIG_OVERLAY_FS=y"));
        assert_eq!(refused("CONFIG_HZ=250\n", config), Some("CONFIG_HZ=250"));
        assert_eq!(
            refused("# CONFIG_KEXEC is not set\n", config),
            Some("# CONFIG_KEXEC is not set")
        );
    }
}
