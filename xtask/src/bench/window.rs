//! How long the window takes, and how long an empty one would.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::figures::{Baseline, Figure, interleaved};
use crate::{Error, output, process, workspace};

/// Longer than any start that is worth a figure.
const PATIENCE: &str = "60";
const DISPLAY: &str = ":95";

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let empty = build_empty()?;
    let _display = Display::start()?;
    let ours = workspace::release_program("wherry-desktop");
    // The first start of each fills the caches of the webview and of the disk.
    appear(&ours)?;
    appear(&empty)?;
    let (ours, baseline) = interleaved(runs, &mut || appear(&ours), &mut || appear(&empty))?;
    Ok(vec![Figure {
        name: "process start to a window",
        unit: "s",
        runs: ours,
        baseline: Some(Baseline {
            what: "an empty Tauri window",
            runs: baseline,
        }),
        bar: "<= 1.3 x",
        note: None,
    }])
}

/// The smallest program with a Tauri window, built as ours is.
fn build_empty() -> Result<std::path::PathBuf, Error> {
    output::doing("Building an empty window");
    let arguments = [
        "build",
        "--release",
        "--manifest-path",
        "xtask/empty-window/Cargo.toml",
        "--target-dir",
    ];
    process::run(process::cargo(arguments).arg(workspace::target()))?;
    Ok(workspace::release_program("empty-window"))
}

/// Seconds from the start of the process to a window that is mapped.
fn appear(program: &Path) -> Result<f64, Error> {
    let home = std::env::temp_dir().join(format!("wherry-bench-window-{}", std::process::id()));
    fs_err::create_dir_all(&home)?;
    let begun = Instant::now();
    let mut command = on_display(program);
    // Nothing is there that it could find an engine or an earlier size in.
    command
        .env("HOME", &home)
        .env("WHERRY_HOME", home.join("wherry"))
        .env("XDG_DATA_HOME", home.join("data"));
    let started = Started(command.spawn().map_err(|source| Error::Start {
        program: program.display().to_string(),
        source,
    })?);
    let pid = started.0.id().to_string();
    let mut search = on_display(Path::new("timeout"));
    search
        .args([PATIENCE, "xdotool", "search", "--sync", "--onlyvisible", "--pid", &pid])
        .stdout(Stdio::null());
    process::run(&mut search)?;
    let took = begun.elapsed().as_secs_f64();
    drop(started);
    let _ = fs_err::remove_dir_all(&home);
    Ok(took)
}

fn on_display(program: &Path) -> Command {
    let mut command = process::command(program, [] as [&str; 0]);
    command.env("DISPLAY", DISPLAY).env_remove("WAYLAND_DISPLAY");
    command
}

struct Display(Child);

impl Display {
    fn start() -> Result<Self, Error> {
        let child = process::command("Xvfb", [DISPLAY, "-screen", "0", "1400x900x24", "-nolisten", "tcp"])
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| Error::Start {
                program: "Xvfb".to_owned(),
                source,
            })?;
        let display = Self(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !Path::new("/tmp/.X11-unix/X95").exists() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(display)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
