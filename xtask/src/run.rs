//! The commands that start Wherry for a person, and the release build.

use std::env;
use std::path::{Path, PathBuf};

use crate::deps::Need;
use crate::{Error, deps, guest, output, process, programs, workspace};

/// Builds for debugging, which is quicker to build again after a change, and opens the window.
pub(crate) fn run() -> Result<(), Error> {
    if !has_display() {
        return Err(Error::NoDisplay);
    }
    deps::install(&[Need::Interface, Need::Window])?;
    programs::interface()?;
    output::doing("Building Wherry (for debugging; `cargo xtask build` makes the release)");
    programs::debug(&["wherry", "wherry-desktop"])?;
    engine()?;
    output::doing("Opening the window");
    process::run(&mut process::command(
        workspace::debug_program("wherry-desktop"),
        [] as [&str; 0],
    ))
}

/// The interface in a browser, on a real engine. The one line on standard output is the address with its token.
pub(crate) fn serve(port: u16) -> Result<(), Error> {
    deps::install(&[Need::Interface, Need::Window])?;
    let dist = programs::interface()?;
    programs::debug(&["wherry", "wherry-serve"])?;
    engine()?;
    let mut serve = process::command(
        workspace::debug_program("wherry-serve"),
        ["--port", &port.to_string(), "--ui"],
    );
    process::run(serve.arg(dist))
}

/// The release build of everything, runnable in place in `dist`, whose path this gives.
pub(crate) fn build() -> Result<PathBuf, Error> {
    deps::install(&[Need::Interface, Need::Window, Need::Image])?;
    programs::interface()?;
    output::doing("Building the release");
    process::run(&mut process::cargo([
        "build",
        "--release",
        "--bin",
        "wherry",
        "--bin",
        "wherry-desktop",
    ]))?;
    let image = guest::build(guest::Arch::host())?;

    let dist = workspace::root().join("dist");
    let beside = dist.join("guest").join(env::consts::ARCH);
    fs_err::create_dir_all(&beside)?;
    for name in ["wherry", "wherry-desktop"] {
        let program = workspace::release_program(name);
        place(&program, &dist)?;
    }
    for entry in fs_err::read_dir(&image)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            place(&entry.path(), &beside)?;
        }
    }
    output::doing("Built");
    for path in [dist.join("wherry"), dist.join("wherry-desktop"), beside] {
        output::line(
            path.strip_prefix(workspace::root())
                .unwrap_or(&path)
                .display()
                .to_string(),
        );
    }
    Ok(dist)
}

/// Copies a file into a folder. What stands there is replaced and not written into: it may be running.
fn place(file: &Path, folder: &Path) -> Result<(), Error> {
    let Some(name) = file.file_name() else { return Ok(()) };
    let new = folder.join(format!(".{}.new", name.to_string_lossy()));
    fs_err::copy(file, &new)?;
    fs_err::rename(new, folder.join(name))?;
    Ok(())
}

fn has_display() -> bool {
    !cfg!(target_os = "linux") || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| filled(name).is_some())
}

fn filled(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Starts Wherry's own machine where no other engine answers.
fn engine() -> Result<(), Error> {
    if let Some(engine) = native_engine() {
        output::doing(format!("Wherry will use the engine at {}", engine.display()));
        return Ok(());
    }
    output::doing("No engine answers on this computer, so Wherry's own machine is started");
    deps::install(&[Need::Machine, Need::Image])?;
    guest::build(guest::Arch::host())?;
    // Its steps go to standard error: what `serve` prints is one address.
    process::run(&mut process::command(workspace::debug_program("wherry"), ["start"]))
}

/// The socket of an engine that answers, in the places where Wherry looks.
fn native_engine() -> Option<PathBuf> {
    let context = workspace::find_program("docker").and_then(|docker| {
        let question = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"];
        process::capture(&mut process::command(docker, question)).ok()
    });
    let named = [env::var("DOCKER_HOST").ok(), context];
    let named = named
        .into_iter()
        .flatten()
        .filter_map(|address| address.trim().strip_prefix("unix://").map(PathBuf::from));
    let usual = [PathBuf::from("/var/run/docker.sock")].into_iter();
    let own = filled("XDG_RUNTIME_DIR").map(PathBuf::from).into_iter();
    let own = own.flat_map(|folder| [folder.join("docker.sock"), folder.join("podman/podman.sock")]);
    named.chain(usual).chain(own).find(|path| answers(path))
}

#[cfg(unix)]
fn answers(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}

#[cfg(not(unix))]
fn answers(_: &Path) -> bool {
    false
}
