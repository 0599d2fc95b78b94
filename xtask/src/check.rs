//! Format, lints, types, and whether the generated file is current.

use std::path::Path;

use crate::report::Tally;
use crate::{Error, deps, output, process, programs, workspace};

/// Everything that can be said about the sources without running them. The interface must have been built: the
/// window's program embeds it.
pub(crate) fn all(log: &Path) -> Tally {
    let mut tally = Tally::default();
    let steps: [(&str, Step); 5] = [
        ("format (cargo fmt)", format),
        ("lints (clippy)", lints),
        ("the generated types are current (cargo xtask types)", current),
        ("types of the interface (svelte-check)", interface),
        ("types of the browser tests (tsc)", browser_tests),
    ];
    for (name, step) in steps {
        output::doing(name);
        tally.add(match step(log) {
            Ok(Found::Good) => Tally::pass(),
            Ok(Found::Bad) => Tally::fail(name),
            Ok(Found::Absent(reason)) => Tally::skip(name, reason),
            // Each says something of its own, so the others are still worth running.
            Err(error) => {
                output::error(&error);
                Tally::fail(name)
            }
        });
    }
    tally
}

type Step = fn(&Path) -> Result<Found, Error>;

/// What a step found.
enum Found {
    Good,
    Bad,
    /// The Rust toolchain here comes without the tool.
    Absent(&'static str),
}

impl Found {
    fn by(success: bool) -> Self {
        if success { Self::Good } else { Self::Bad }
    }
}

fn format(log: &Path) -> Result<Found, Error> {
    if !answers("fmt") {
        return Ok(Found::Absent("this Rust toolchain has no rustfmt"));
    }
    Ok(Found::by(
        process::watch(&mut process::cargo(["fmt", "--all", "--check"]), log)?.success,
    ))
}

fn lints(log: &Path) -> Result<Found, Error> {
    if !answers("clippy") {
        return Ok(Found::Absent("this Rust toolchain has no clippy"));
    }
    let arguments = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    Ok(Found::by(process::watch(&mut process::cargo(arguments), log)?.success))
}

/// Whether cargo has the command. Rustup puts a program of that name into place even when its component is absent.
fn answers(command: &str) -> bool {
    process::cargo([command, "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

fn current(_: &Path) -> Result<Found, Error> {
    let current = fs_err::read_to_string(programs::generated())? == programs::types()?;
    if !current {
        output::line("ui/src/lib/api/generated.ts is not what the command table says: run `cargo xtask types`.");
    }
    Ok(Found::by(current))
}

fn interface(log: &Path) -> Result<Found, Error> {
    deps::npm("ui")?;
    let mut npm = process::command("npm", ["run", "--silent", "check"]);
    Ok(Found::by(
        process::watch(npm.current_dir(workspace::root().join("ui")), log)?.success,
    ))
}

fn browser_tests(log: &Path) -> Result<Found, Error> {
    deps::npm("tests/e2e")?;
    let mut npx = process::command("npx", ["tsc", "--noEmit"]);
    Ok(Found::by(
        process::watch(npx.current_dir(workspace::root().join("tests/e2e")), log)?.success,
    ))
}
