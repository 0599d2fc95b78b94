//! Builds what is in the repository: the interface and the Rust programs.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Deserialize;

use crate::{Error, deps, output, process, workspace};

/// Builds the interface into `ui/dist`, unless nothing that it is made of has changed.
pub(crate) fn interface() -> Result<PathBuf, Error> {
    deps::npm("ui")?;
    let folder = workspace::root().join("ui");
    let dist = folder.join("dist");
    let stamp = workspace::scratch().join("interface.stamp");
    let state = fingerprint(&folder)?;
    let current = fs_err::read_to_string(&stamp).is_ok_and(|built| built == state);
    if current && dist.join("index.html").is_file() {
        return Ok(dist);
    }
    output::doing("Building the interface");
    process::run_aside(process::command("npm", ["run", "--silent", "build"]).current_dir(&folder))?;
    fs_err::create_dir_all(workspace::scratch())?;
    fs_err::write(stamp, state)?;
    Ok(dist)
}

/// Names, sizes and times of everything below a folder that is not made from the rest.
fn fingerprint(folder: &Path) -> Result<String, Error> {
    let mut lines = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if ["node_modules", "dist"].iter().any(|made| name == *made) || name.to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let metadata = fs_err::metadata(entry.path())?;
            let changed = metadata
                .modified()?
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_nanos();
            lines.push(format!("{} {} {changed}", entry.path().display(), metadata.len()));
        }
    }
    lines.sort();
    Ok(lines.join("\n"))
}

/// What one compilation made.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Profile {
    test: bool,
}

/// A program that runs tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestProgram {
    /// The folder of its package, which tests are run in.
    pub(crate) folder: PathBuf,
    pub(crate) package: String,
    /// The file below `tests/`, or the crate whose unit tests it holds.
    pub(crate) name: String,
    /// Whether it is a file of its own and not a crate's unit tests.
    pub(crate) suite: bool,
    pub(crate) path: PathBuf,
}

/// Builds every target of the workspace in one go: features are the union over all of them, so that asking for a part
/// of it afterwards builds nothing a second time.
pub(crate) fn everything() -> Result<Vec<TestProgram>, Error> {
    let arguments = [
        "build",
        "--workspace",
        "--all-targets",
        "--message-format=json-render-diagnostics",
    ];
    let messages = process::capture(&mut process::cargo(arguments))?;
    Ok(test_programs(&messages))
}

fn test_programs(messages: &str) -> Vec<TestProgram> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter_map(|message| {
            let target = message.target?;
            let folder = message.manifest_path?.parent()?.to_owned();
            if message.reason != "compiler-artifact" || !message.profile?.test {
                return None;
            }
            Some(TestProgram {
                package: folder.file_name()?.to_string_lossy().into_owned(),
                suite: target.kind.iter().any(|kind| kind == "test"),
                name: target.name,
                path: message.executable?,
                folder,
            })
        })
        .collect()
}

/// Builds these programs for debugging. The example comes along because cargo then chooses the same features as for
/// [`everything`], whose tests switch some on, and so shares every compiled crate with it.
pub(crate) fn debug(names: &[&str]) -> Result<(), Error> {
    let mut cargo = process::cargo(["build", "--workspace", "--example", "types"]);
    for name in names {
        cargo.args(["--bin", name]);
    }
    process::run(&mut cargo)
}

/// Builds the programs of these packages as they are released.
pub(crate) fn release(packages: &[&str]) -> Result<(), Error> {
    let mut cargo = process::cargo(["build", "--release", "--bins"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    process::run(&mut cargo)
}

/// The TypeScript side of the command table, as the sources say it now.
pub(crate) fn types() -> Result<String, Error> {
    debug(&[])?;
    process::capture(&mut process::command(
        workspace::debug_program("examples/types"),
        [] as [&str; 0],
    ))
}

/// Where the interface expects it.
pub(crate) fn generated() -> PathBuf {
    workspace::root().join("ui/src/lib/api/generated.ts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_taken_from_what_cargo_says() {
        let messages = r#"
{"reason":"compiler-artifact","manifest_path":"/w/crates/link/Cargo.toml","target":{"name":"wherry_link","kind":["lib"]},"profile":{"test":true},"executable":"/t/link-1"}
{"reason":"compiler-artifact","manifest_path":"/w/crates/link/Cargo.toml","target":{"name":"wherry_link","kind":["lib"]},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","manifest_path":"/w/tests/Cargo.toml","target":{"name":"guest","kind":["test"]},"profile":{"test":true},"executable":"/t/guest-1"}
{"reason":"build-finished","success":true}
"#;
        let programs = test_programs(messages);
        assert_eq!(programs.len(), 2);
        assert_eq!((programs[0].package.as_str(), programs[0].suite), ("link", false));
        assert_eq!((programs[1].name.as_str(), programs[1].suite), ("guest", true));
    }
}
