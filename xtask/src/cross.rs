//! Type checks for the systems that this one is not: whatever compiles only here is found out on the same day.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::report::Tally;
use crate::{Error, process, workspace};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Windows,
    MacOs,
}

impl System {
    fn target(self) -> &'static str {
        match self {
            Self::Windows => "x86_64-pc-windows-gnu",
            Self::MacOs => "aarch64-apple-darwin",
        }
    }
}

/// Checks the whole workspace for that system.
pub(crate) fn check(system: System, log: &Path) -> Result<Tally, Error> {
    let name = format!("type check for {}", system.target());
    let Some(mut cargo) = toolchain(system) else {
        return Ok(Tally::skip(
            name,
            "no Rust toolchain here has the standard library for it (Debian's rust-web-src, or `rustup target add`)",
        ));
    };
    // No C compiler has the headers of the other systems, and a check links nothing: empty objects will do.
    let stubs = Stubs::write()?;
    cargo.env("CC_aarch64_apple_darwin", &stubs.compiler);
    cargo.env("CXX_aarch64_apple_darwin", &stubs.compiler);
    cargo.env("AR_aarch64_apple_darwin", &stubs.archiver);
    if workspace::find_program("x86_64-w64-mingw32-gcc").is_none() {
        cargo.env("CC_x86_64_pc_windows_gnu", &stubs.compiler);
        cargo.env("AR_x86_64_pc_windows_gnu", &stubs.archiver);
    }
    cargo.args(["check", "--workspace", "--target", system.target(), "--target-dir"]);
    cargo.arg(workspace::target().join("cross"));
    let ended = process::watch(&mut cargo, log)?;
    Ok(if ended.success {
        Tally::pass()
    } else {
        Tally::fail(name)
    })
}

/// A cargo that can check for that system, if there is one.
fn toolchain(system: System) -> Option<Command> {
    let mut question = process::command("rustc", ["--print", "target-libdir", "--target", system.target()]);
    let library = process::capture(&mut question).ok()?;
    if Path::new(library.trim()).is_dir() {
        return Some(process::cargo([]));
    }
    // Debian's toolchain comes with the source of its own standard library. Building that takes a switch which is
    // not stable; nothing that we ship is built this way.
    let sysroot = process::capture(&mut process::command("/usr/bin/rustc", ["--print", "sysroot"])).ok()?;
    if !Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library").is_dir() {
        return None;
    }
    let mut cargo = process::command("/usr/bin/cargo", ["-Zbuild-std"]);
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    Some(cargo)
}

/// A C compiler and an archiver that make empty files.
struct Stubs {
    compiler: PathBuf,
    archiver: PathBuf,
}

impl Stubs {
    fn write() -> Result<Self, Error> {
        let folder = workspace::scratch().join("stubs");
        fs_err::create_dir_all(&folder)?;
        let stubs = Self {
            compiler: folder.join("cc"),
            archiver: folder.join("ar"),
        };
        write_script(
            &stubs.compiler,
            "while [ $# -gt 0 ]; do\n  case $1 in -o) shift; : > \"$1\" ;; esac\n  shift\ndone\n",
        )?;
        write_script(
            &stubs.archiver,
            "for argument; do\n  case $argument in *.a) : > \"$argument\" ;; esac\ndone\n",
        )?;
        Ok(stubs)
    }
}

fn write_script(path: &Path, body: &str) -> Result<(), Error> {
    fs_err::write(path, format!("#!/bin/sh\n{body}"))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
