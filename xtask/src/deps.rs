//! Installs what is missing. What is there already costs one question to the package manager and nothing else.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Error, output, process, workspace};

/// What a package is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Node, and what else the interface is built with.
    Interface,
    /// The window is linked against the system's webview, the server of shared folders against libcap-ng.
    Window,
    /// The machine runs under QEMU.
    Machine,
    /// The machine's image is put together from Debian packages and a kernel of our own.
    Image,
    /// The same for arm64, from another processor.
    ImageArm64,
    /// Images for containers, a registry that serves them, a native engine to compare with.
    Engine,
    /// The file server that ours is made of, as it comes.
    PlainFiles,
    /// Another way into a virtual machine.
    Peers,
    /// A browser for the interface's tests, and fonts that make its pages look the same everywhere.
    Browser,
    /// A display that nobody sees, and a hand for the window on it.
    Display,
    /// The standard library's source and a linker for Windows.
    OtherSystems,
    /// The deb and the rpm are made by the tools of those distributions.
    Package,
}

/// A package of Debian and Ubuntu.
struct Package {
    name: &'static str,
    /// A program that makes the package needless, wherever it came from.
    unless: Option<&'static str>,
}

const fn package(name: &'static str) -> Package {
    Package { name, unless: None }
}

const fn program(name: &'static str, program: &'static str) -> Package {
    Package {
        name,
        unless: Some(program),
    }
}

fn packages(need: Need) -> &'static [Package] {
    const INTERFACE: &[Package] = &[program("nodejs", "node"), program("npm", "npm")];
    const WINDOW: &[Package] = &[
        program("build-essential", "cc"),
        program("pkg-config", "pkg-config"),
        package("libwebkit2gtk-4.1-dev"),
        package("libayatana-appindicator3-dev"),
        package("librsvg2-dev"),
        package("libgtk-3-dev"),
        package("libdbus-1-dev"),
        package("libcap-ng-dev"),
    ];
    const MACHINE: &[Package] = if cfg!(target_arch = "aarch64") {
        &[program("qemu-system-arm", "qemu-system-aarch64")]
    } else {
        &[program("qemu-system-x86", "qemu-system-x86_64")]
    };
    const IMAGE: &[Package] = &[
        program("build-essential", "cc"),
        program("flex", "flex"),
        program("bison", "bison"),
        program("bc", "bc"),
        program("xz-utils", "xz"),
        program("zstd", "zstd"),
        package("libelf-dev"),
        package("debian-archive-keyring"),
    ];
    const IMAGE_ARM64: &[Package] = &[
        program("gcc-aarch64-linux-gnu", "aarch64-linux-gnu-gcc"),
        package("libc6-dev-arm64-cross"),
        package("rustc-web"),
        package("cargo-web"),
        package("rust-web-src"),
    ];
    const ENGINE: &[Package] = &[
        program("docker.io", "dockerd"),
        program("docker-cli", "docker"),
        program("docker-registry", "docker-registry"),
        program("iptables", "iptables"),
        program("mmdebstrap", "mmdebstrap"),
        package("debian-archive-keyring"),
        package("busybox-static"),
        package("python3-venv"),
        program("e2fsprogs", "mkfs.ext4"),
        program("curl", "curl"),
        program("openssl", "openssl"),
        // A keychain, and docker's own way into it.
        program("dbus-daemon", "dbus-run-session"),
        program("gnome-keyring", "gnome-keyring-daemon"),
        program("golang-docker-credential-helpers", "docker-credential-secretservice"),
    ];
    const PLAIN_FILES: &[Package] = &[package("libcap-ng-dev"), package("libseccomp-dev")];
    const PEERS: &[Package] = &[program("passt", "passt")];
    const BROWSER: &[Package] = &[
        program("chromium", "chromium"),
        package("fonts-inter"),
        package("fonts-noto-core"),
        package("fonts-noto-mono"),
    ];
    const DISPLAY: &[Package] = &[
        program("xvfb", "Xvfb"),
        program("xdotool", "xdotool"),
        program("dbus-daemon", "dbus-daemon"),
        program("imagemagick", "import"),
        program("webkit2gtk-driver", "WebKitWebDriver"),
        package("fonts-inter"),
    ];
    const OTHER_SYSTEMS: &[Package] = &[
        program("gcc-mingw-w64-x86-64", "x86_64-w64-mingw32-gcc"),
        package("rustc-web"),
        package("cargo-web"),
        package("rust-web-src"),
    ];
    const PACKAGE: &[Package] = &[program("dpkg-dev", "dpkg-shlibdeps"), program("rpm", "rpmbuild")];
    match need {
        Need::Interface => INTERFACE,
        Need::Window => WINDOW,
        Need::Machine => MACHINE,
        Need::Image => IMAGE,
        Need::ImageArm64 => IMAGE_ARM64,
        Need::Engine => ENGINE,
        Need::PlainFiles => PLAIN_FILES,
        Need::Peers => PEERS,
        Need::Browser => BROWSER,
        Need::Display => DISPLAY,
        Need::OtherSystems => OTHER_SYSTEMS,
        Need::Package => PACKAGE,
    }
}

/// The system whose package manager is asked.
#[derive(Debug, PartialEq, Eq)]
enum System {
    Debian { codename: String },
    Ubuntu,
    Other,
}

impl System {
    fn here() -> Self {
        fs_err::read_to_string("/etc/os-release").map_or(Self::Other, |text| Self::from_os_release(&text))
    }

    /// The format is os-release(5).
    fn from_os_release(text: &str) -> Self {
        let value = |name: &str| {
            text.lines().find_map(|line| {
                line.strip_prefix(name)?
                    .strip_prefix('=')
                    .map(|value| value.trim_matches('"').to_owned())
            })
        };
        match value("ID").as_deref() {
            Some("debian") => Self::Debian {
                codename: value("VERSION_CODENAME").unwrap_or_default(),
            },
            Some("ubuntu") => Self::Ubuntu,
            _ => Self::Other,
        }
    }

    /// Whether the system has the package at all.
    fn has(&self, package: &str) -> bool {
        match self {
            // Debian 12 has the client in docker.io.
            Self::Debian { codename } => package != "docker-cli" || codename != "bookworm",
            // The client is in docker.io, and the compilers that Debian keeps for its browsers are Debian's alone.
            Self::Ubuntu => {
                package != "docker-cli" && !packages(Need::OtherSystems)[1..].iter().any(|web| web.name == package)
            }
            Self::Other => true,
        }
    }
}

/// Debian 12's own QEMU 7.2 cannot suspend a machine with shares, and next to a newer qemu-utils it cannot even be
/// installed.
const BACKPORTS: &str = "/etc/apt/sources.list.d/wherry-backports.sources";
const BACKPORTS_SOURCE: &str = "\
Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
";
const FROM_BACKPORTS: &[&str] = &["qemu-system-x86", "qemu-system-arm"];

/// Makes sure that everything for these needs is there.
pub(crate) fn install(needs: &[Need]) -> Result<(), Error> {
    let system = System::here();
    // The webview is part of the other systems, and what tests Linux programs runs on Linux.
    let here = |need: &Need| cfg!(target_os = "linux") || matches!(need, Need::Interface | Need::Machine);
    let needs: Vec<Need> = needs.iter().copied().filter(here).collect();
    let missing = missing(&system, &needs)?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.into_iter().collect();
    if system == System::Other {
        return Err(Error::Missing {
            what: "Something that this needs".to_owned(),
            hint: format!(
                "Install what your system calls these packages of Debian, then try again: {}.",
                names.join(" ")
            ),
        });
    }
    output::doing(format!("Installing Debian packages: {}", names.join(" ")));
    let (newer, usual): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| {
        system
            == System::Debian {
                codename: "bookworm".to_owned(),
            }
            && FROM_BACKPORTS.contains(name)
    });
    if !newer.is_empty() && !has_backports()? {
        output::line(format!(
            "{} comes from Debian's backports; {BACKPORTS} will say:\n{BACKPORTS_SOURCE}",
            newer.join(" ")
        ));
        write_as_root(Path::new(BACKPORTS), BACKPORTS_SOURCE)?;
    }
    // The lists of a fresh machine may be older than what the mirrors still have. A mirror that cannot be reached
    // matters only if one of the packages is on it, and then installing says so.
    if let Err(error) = apt(&["update", "--quiet"]) {
        output::line(format!("Could not bring the package lists up to date: {error}"));
    }
    let options = ["install", "--yes", "--quiet", "--no-install-recommends"];
    if !newer.is_empty() {
        apt(&[&options[..], &["--target-release", "bookworm-backports"], &newer].concat())?;
    }
    if !usual.is_empty() {
        apt(&[&options[..], &usual].concat())?;
    }
    Ok(())
}

fn missing(system: &System, needs: &[Need]) -> Result<BTreeSet<&'static str>, Error> {
    let wanted: BTreeSet<&'static str> = needs
        .iter()
        .flat_map(|need| packages(*need))
        .filter(|package| package.unless.is_none_or(|program| !has_program(program)))
        .filter(|package| system.has(package.name))
        .map(|package| package.name)
        .collect();
    // Elsewhere only programs can be looked for: what is a library there is found out by the build.
    if *system == System::Other {
        let programs: BTreeSet<&str> = needs
            .iter()
            .flat_map(|need| packages(*need))
            .filter(|package| package.unless.is_some())
            .map(|package| package.name)
            .collect();
        return Ok(wanted.into_iter().filter(|name| programs.contains(name)).collect());
    }
    if wanted.is_empty() {
        return Ok(wanted);
    }
    let mut query = process::command(
        "dpkg-query",
        ["--show", "--showformat=${Package} ${db:Status-Status}\n"],
    );
    query.args(&wanted).stderr(Stdio::null());
    // It fails when it does not know one of the names; what it says about the others holds.
    let answer = query.output().map_err(|source| Error::Start {
        program: "dpkg-query".to_owned(),
        source,
    })?;
    let installed = installed(&String::from_utf8_lossy(&answer.stdout));
    Ok(wanted.into_iter().filter(|name| !installed.contains(*name)).collect())
}

/// Programs for the administrator are not in everybody's `PATH`.
fn has_program(name: &str) -> bool {
    workspace::find_program(name).is_some()
        || ["/usr/sbin", "/sbin"]
            .iter()
            .any(|folder| Path::new(folder).join(name).is_file())
}

fn installed(answer: &str) -> BTreeSet<String> {
    answer
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .map(str::to_owned)
        .collect()
}

fn has_backports() -> Result<bool, Error> {
    let policy = process::capture(&mut process::command("apt-cache", ["policy"]))?;
    Ok(policy.contains("bookworm-backports"))
}

fn apt(arguments: &[&str]) -> Result<(), Error> {
    process::run_aside(
        as_root("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn write_as_root(path: &Path, text: &str) -> Result<(), Error> {
    let mut tee = as_root("tee");
    let mut child = tee
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|source| Error::Start {
            program: "tee".to_owned(),
            source,
        })?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        command: process::Shown(&tee).to_string(),
        status: status.to_string(),
    })
}

/// The program as root: as it is when we are root, else through sudo, which may ask for the password only where
/// somebody can type it.
fn as_root(program: &str) -> Command {
    let root = process::capture(&mut process::command("id", ["-u"])).is_ok_and(|id| id.trim() == "0");
    if root {
        return process::command(program, [] as [&str; 0]);
    }
    let mut sudo = process::command("sudo", [] as [&str; 0]);
    if std::io::stdin().is_terminal() {
        sudo.stdin(Stdio::inherit());
    } else {
        sudo.arg("--non-interactive");
    }
    // sudo drops the environment, apt-get must still not ask anything.
    sudo.args(["env", "DEBIAN_FRONTEND=noninteractive", program]);
    sudo
}

/// The first Node that Vite and the tests run on.
const NODE: u32 = 20;

/// Installs the npm packages of a folder, unless they are those of its lock file already.
pub(crate) fn npm(folder: &str) -> Result<(), Error> {
    let folder = workspace::root().join(folder);
    let lock = fs_err::read_to_string(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if fs_err::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let version = process::capture(&mut process::command("node", ["--version"]))?;
    if major(&version).is_none_or(|major| major < NODE) {
        return Err(Error::Missing {
            what: format!("Node {NODE}"),
            hint: format!(
                "This is Node {}. Install a newer one, for example from nodejs.org.",
                version.trim()
            ),
        });
    }
    output::doing(format!(
        "Installing the npm packages of {}",
        folder.strip_prefix(workspace::root()).unwrap_or(&folder).display()
    ));
    let mut npm = process::command("npm", ["ci", "--no-audit", "--no-fund"]);
    // The browser is the system's.
    process::run_aside(npm.current_dir(&folder).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))?;
    fs_err::write(stamp, lock)?;
    Ok(())
}

fn major(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_read_from_os_release() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        assert_eq!(
            System::from_os_release(debian),
            System::Debian {
                codename: "bookworm".into()
            }
        );
        assert_eq!(System::from_os_release("ID_LIKE=debian\nID=ubuntu\n"), System::Ubuntu);
        assert_eq!(System::from_os_release("ID=fedora\n"), System::Other);
    }

    #[test]
    fn a_removed_package_that_left_its_configuration_is_not_installed() {
        let answer = "flex installed\nbison config-files\nqemu-system-x86 installed\n";
        assert_eq!(
            installed(answer),
            BTreeSet::from(["flex".to_owned(), "qemu-system-x86".to_owned()])
        );
    }

    #[test]
    fn ubuntu_is_not_asked_for_compilers_that_only_debian_has() {
        assert!(!System::Ubuntu.has("rustc-web"));
        assert!(System::Ubuntu.has("gcc-mingw-w64-x86-64"));
        assert!(
            !System::Debian {
                codename: "bookworm".into()
            }
            .has("docker-cli")
        );
        assert!(
            System::Debian {
                codename: "trixie".into()
            }
            .has("docker-cli")
        );
    }

    #[test]
    fn node_versions_are_compared_by_their_first_number() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("nonsense"), None);
    }
}
