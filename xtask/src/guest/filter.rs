//! The command of the packet filter, built from source: small, and linked to no library.
//!
//! dockerd calls it about 150 times at each start and some six times for each published port, one after the other, so
//! what one call costs is what counts. Debian's spends more than half of it on finding and linking its libraries and
//! extensions; guest/README.md has the figures.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::packages::{Package, Packages};
use super::recipe::Recipe;
use super::{Arch, Cache, Error, hash, json, tool};
use crate::output;

/// What it is called in the image.
pub(super) const PROGRAM: &str = "xtables-legacy-multi";

/// Raised when the same sources would give another program.
const FORMAT: &str = "1";

/// What rules can say. dockerd, swarm and the agent are the only ones to call it (containers bring their own), and each
/// extension has to be set up at each call: those that they use, and what belongs to them.
const MATCHES_AND_TARGETS: &str = "addrtype bpf CHECKSUM comment connmark CONNMARK conntrack CT ipvs limit LOG mark \
    MARK multiport NAT NFLOG NFQUEUE physdev policy sctp socket standard statistic tcp TCPMSS u32 udp";
const OF_IPV4: &str = "icmp REJECT";
const OF_IPV6: &str = "icmp6 REJECT";

pub(super) struct Filter {
    folder: PathBuf,
}

impl Filter {
    pub(super) fn program(&self) -> PathBuf {
        self.folder.join(PROGRAM)
    }

    /// The packages that it was made from.
    pub(super) fn packages(&self) -> Result<Vec<Package>, Error> {
        let text = fs_err::read_to_string(self.folder.join("packages.json"))?;
        Ok(serde_json::from_str(&text).map_err(std::io::Error::from)?)
    }
}

/// The hash of everything that it comes from.
pub(super) fn key(recipe: &Recipe) -> String {
    let names = recipe.filter();
    let sums = recipe
        .pinned
        .iter()
        .filter(|package| names.contains(&package.name.as_str()));
    hash(
        [FORMAT, MATCHES_AND_TARGETS, OF_IPV4, OF_IPV6]
            .into_iter()
            .chain(sums.map(|package| package.sha256.as_str())),
    )
}

pub(super) fn ensure(cache: &Cache, recipe: &Recipe, arch: Arch) -> Result<Filter, Error> {
    let filter = Filter {
        folder: cache.folder(&format!("filter-{}", arch.name()), &key(recipe)),
    };
    if filter.folder.is_dir() {
        return Ok(filter);
    }
    let fetched = Packages::open(cache, arch).fetch(&recipe.filter(), &recipe.pinned)?;
    let log = cache.log("filter", arch);
    output::doing(format!("Building the packet filter's command for {}", arch.name()));
    cache.make(&filter.folder, |folder| {
        let work = folder.join("work");
        let build = Build {
            source: work.join("source"),
            libraries: work.join("libraries"),
            arch,
            log: &log,
        };
        fs_err::create_dir_all(&build.source)?;
        for (package, file) in &fetched {
            if package.is_source() {
                let mut tar = Command::new("tar");
                tar.arg("-xf").arg(file).arg("--strip-components=1").arg("-C");
                tool::run(tar.arg(&build.source), &log)?;
            } else {
                tool::run(Command::new("dpkg-deb").arg("-x").arg(file).arg(&build.libraries), &log)?;
            }
        }
        build.make(&folder.join(PROGRAM))?;
        fs_err::remove_dir_all(work)?;
        let packages: Vec<&Package> = fetched.iter().map(|(package, _)| package).collect();
        fs_err::write(folder.join("packages.json"), json(&packages)?)?;
        Ok(())
    })?;
    Ok(filter)
}

struct Build<'a> {
    source: PathBuf,
    /// The C library and the kernel's headers, unpacked.
    libraries: PathBuf,
    arch: Arch,
    log: &'a Path,
}

impl Build<'_> {
    fn make(&self, program: &Path) -> Result<(), Error> {
        let compiler = self.compiler()?;
        let mut configure = Command::new("./configure");
        configure.current_dir(&self.source).args([
            &format!("--host={}", self.arch.triplet()),
            "--disable-nftables",
            "--disable-connlabel",
            "--disable-libipq",
            "--disable-shared",
            "--enable-static",
            "--disable-dependency-tracking",
        ]);
        // Nothing of what this computer happens to have gets in.
        configure.env("PKG_CONFIG", "false").env("CC", compiler);
        let flags = "-O2 -fno-pie -ffunction-sections -fdata-sections";
        configure.env(
            "CFLAGS",
            match self.arch {
                Arch::X86_64 => flags.to_owned(),
                // These would be compiled as calls that ask the C library in a way that only another one answers.
                Arch::Aarch64 => format!("{flags} -mno-outline-atomics"),
            },
        );
        configure.env("LDFLAGS", "-static -no-pie -Wl,--gc-sections");
        tool::run(&mut configure, self.log)?;
        let all: &[&str] = &[];
        for (folder, arguments) in [
            ("libiptc", all),
            ("libxtables", all),
            (
                "extensions",
                &[
                    "libext.a",
                    "libext4.a",
                    "libext6.a",
                    &format!("pfx_build_mod={MATCHES_AND_TARGETS}"),
                    &format!("pf4_build_mod={OF_IPV4}"),
                    &format!("pf6_build_mod={OF_IPV6}"),
                ],
            ),
            // libtool takes `-static` for itself.
            ("iptables", &[PROGRAM, "LDFLAGS=-all-static -no-pie -Wl,--gc-sections"]),
        ] {
            let mut make = Command::new("make");
            make.arg("-C").arg(self.source.join(folder)).args(arguments);
            tool::run(&mut make, self.log)?;
        }
        let mut strip = Command::new(format!("{}strip", self.arch.tools()));
        strip.arg("-o").arg(program);
        tool::run(strip.arg(self.source.join("iptables").join(PROGRAM)), self.log)
    }

    /// The C compiler with musl instead of the C library that it comes with. musl, because it sets up next to nothing
    /// when a program starts.
    fn compiler(&self) -> Result<String, Error> {
        let compiler = format!("{}gcc", self.arch.tools());
        let mut question = Command::new(&compiler);
        let own = tool::read(question.arg("-print-file-name=include"), self.log)?;
        let own = own.trim();
        let (triplet, libraries) = (self.arch.triplet(), self.libraries.join("usr").display().to_string());
        let musl = triplet.replace("gnu", "musl");
        Ok(format!(
            "{compiler} -nostdinc -isystem {libraries}/include/{musl} -isystem {own} \
             -idirafter {libraries}/include -idirafter {libraries}/include/{triplet} -B {libraries}/lib/{musl}/"
        ))
    }
}
