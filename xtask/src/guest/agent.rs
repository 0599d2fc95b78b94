//! The agent, linked statically: it is the first program of a root that it shares no library with.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Arch, Error, tool};
use crate::{process, workspace};

pub(super) fn build(arch: Arch) -> Result<PathBuf, Error> {
    let scratch = workspace::scratch();
    fs_err::create_dir_all(&scratch)?;
    let log = scratch.join("agent.log");
    let target = arch.rust_target();
    let mut cargo = toolchain(target, &log)?;
    // A folder of its own: other flags and maybe another compiler, and no waiting for the builds of everything else.
    let folder = workspace::target().join("agent");
    cargo.args([
        "build",
        "--release",
        "--package",
        "wherry-agent",
        "--bin",
        "wherry-agent",
    ]);
    cargo.args(["--target", target, "--target-dir"]).arg(&folder);
    cargo
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    if arch != Arch::host() {
        let variable = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"));
        cargo.env(variable, format!("{}-gcc", arch.triplet()));
    }
    tool::run(&mut cargo, &log)?;
    Ok(folder.join(target).join("release/wherry-agent"))
}

/// A cargo that can build for this target.
fn toolchain(target: &'static str, log: &Path) -> Result<Command, Error> {
    let mut question = process::command("rustc", ["--print", "target-libdir", "--target", target]);
    if Path::new(tool::read(&mut question, log)?.trim()).is_dir() {
        return Ok(process::cargo([]));
    }
    // Debian's toolchain comes with the source of its own standard library; building that takes an unstable switch.
    let mut question = process::command("/usr/bin/rustc", ["--print", "sysroot"]);
    let there = tool::read(&mut question, log)
        .is_ok_and(|sysroot| Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library").is_dir());
    if !there {
        return Err(Error::NoStandardLibrary { target });
    }
    let mut cargo = process::command("/usr/bin/cargo", ["-Zbuild-std=std,panic_abort"]);
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    Ok(cargo)
}
