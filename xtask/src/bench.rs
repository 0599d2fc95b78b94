//! Figures, each beside a baseline that was measured in the same run: machines are shared and noisy, so a time by
//! itself says little.

mod bare;
mod boot;
mod figures;
#[cfg(target_os = "linux")]
mod forward;
mod giveback;
mod image;
#[cfg(unix)]
mod inotify;
mod list;
mod logs;
mod machine;
mod names;
mod native;
mod page;
mod ports;
mod program;
#[cfg(unix)]
mod published;
mod resume;
#[cfg(unix)]
mod shares;
mod socket;
mod window;

use std::time::Instant;

use serde_json::json;

use crate::deps::Need;
use crate::{Error, deps, guest, output, process, programs, workspace};
use figures::{Conditions, Figure};

struct Bench {
    name: &'static str,
    about: &'static str,
    needs: &'static [Need],
    /// The packages whose programs it runs, built as they are released.
    packages: &'static [&'static str],
    /// Whether it boots the machine.
    machine: bool,
    measure: fn(runs: u32) -> Result<Vec<Figure>, Error>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "boot",
        about: "wherry start to an engine that answers; the same kernel and engine started bare",
        needs: &[Need::Machine, Need::Image],
        packages: &["wherry"],
        machine: true,
        measure: boot::measure,
    },
    Bench {
        name: "resume",
        about: "wherry start of a suspended machine to the first API answer; the same machine cold",
        needs: &[Need::Machine, Need::Image, Need::Engine],
        packages: &["wherry"],
        machine: true,
        measure: resume::measure,
    },
    Bench {
        name: "kernel",
        about: "kernel to the first program, by the guest's own clock",
        needs: &[Need::Machine, Need::Image],
        packages: &["wherry"],
        machine: true,
        measure: machine::kernel,
    },
    Bench {
        name: "memory",
        about: "the guest's memory with an idle engine",
        needs: &[Need::Machine, Need::Image],
        packages: &["wherry"],
        machine: true,
        measure: machine::memory,
    },
    Bench {
        name: "giveback",
        about: "memory and disk on this computer after a container used and freed them; before",
        needs: &[Need::Machine, Need::Image, Need::Engine],
        packages: &["wherry"],
        machine: true,
        measure: giveback::back,
    },
    Bench {
        name: "idle",
        about: "what an idle machine costs: part of a core, wake-ups",
        needs: &[Need::Machine, Need::Image],
        packages: &["wherry"],
        machine: true,
        measure: giveback::idle,
    },
    Bench {
        name: "image",
        about: "the system image, compressed",
        needs: &[Need::Image],
        packages: &[],
        machine: true,
        measure: image::measure,
    },
    Bench {
        name: "socket",
        about: "GET /_ping through the machine's socket",
        needs: &[Need::Machine, Need::Image, Need::Engine],
        packages: &["wherry", "wherry-tests", "wherry-serve"],
        machine: true,
        measure: socket::measure,
    },
    Bench {
        name: "names",
        about: "how long a container waits for a name, and how soon it hears of a change",
        needs: &[Need::Machine, Need::Image, Need::Engine],
        packages: &["wherry"],
        machine: true,
        measure: names::measure,
    },
    #[cfg(unix)]
    Bench {
        name: "shares",
        about: "shared folders beside plain virtiofsd",
        needs: &[Need::Machine, Need::Image, Need::PlainFiles],
        packages: &["wherry"],
        machine: true,
        measure: shares::measure,
    },
    #[cfg(unix)]
    Bench {
        name: "inotify",
        about: "how soon a container hears of a change on this computer, and what watching costs",
        needs: &[Need::Machine, Need::Image, Need::Engine],
        packages: &["wherry"],
        machine: true,
        measure: inotify::measure,
    },
    Bench {
        name: "ports",
        about: "published ports through our own code; straight over loopback",
        needs: &[],
        packages: &[],
        machine: false,
        measure: ports::measure,
    },
    #[cfg(target_os = "linux")]
    Bench {
        name: "forward",
        about: "a published port of the machine; QEMU's hostfwd and passt into the same guest",
        needs: &[Need::Machine, Need::Image, Need::Engine, Need::Peers],
        packages: &["wherry"],
        machine: true,
        measure: forward::measure,
    },
    #[cfg(unix)]
    Bench {
        name: "published",
        about: "a container's port: from its start to its answer, from its stop to the refusal",
        needs: &[Need::Machine, Need::Image, Need::Engine],
        packages: &["wherry"],
        machine: true,
        measure: published::measure,
    },
    Bench {
        name: "list",
        about: "the list command with 1,000 containers; the raw API call",
        needs: &[Need::Engine],
        packages: &["wherry-tests", "wherry-serve"],
        machine: false,
        measure: list::measure,
    },
    Bench {
        name: "logs",
        about: "a gigabyte of a log taken in, jumped about in, searched; the same bytes only read",
        needs: &[],
        packages: &[],
        machine: false,
        measure: logs::measure,
    },
    Bench {
        name: "view",
        about: "frames of a log while its container prints as fast as it can; of an empty page",
        needs: &[Need::Engine, Need::Browser],
        packages: &["wherry-tests", "wherry-serve"],
        machine: false,
        measure: page::view,
    },
    Bench {
        name: "terminal",
        about: "echo of a key, Ctrl C in a flood, a long file; straight at the engine's socket",
        needs: &[Need::Engine, Need::Browser],
        packages: &["wherry-tests", "wherry-serve"],
        machine: false,
        measure: page::terminal,
    },
    Bench {
        name: "window",
        about: "process start to a window; an empty Tauri window",
        needs: &[Need::Display],
        packages: &["wherry-desktop"],
        machine: false,
        measure: window::measure,
    },
];

/// The packages with the interface in them.
const SHOWS: [&str; 2] = ["wherry-desktop", "wherry-serve"];

/// The names of all figures and what each is about.
pub(crate) fn list() {
    for bench in BENCHES {
        output::line(format!("{:9} {}", bench.name, bench.about));
    }
}

/// Measures these figures, or all of them, each this many times.
pub(crate) fn run(names: &[String], runs: u32) -> Result<(), Error> {
    let benches = chosen(names)?;
    let mut needs = vec![Need::Interface, Need::Window];
    needs.extend(benches.iter().flat_map(|bench| bench.needs));
    deps::install(&needs)?;
    // Only those: the window alone takes as long as all the others.
    let mut packages: Vec<&str> = benches.iter().flat_map(|bench| bench.packages).copied().collect();
    packages.sort_unstable();
    packages.dedup();
    if packages.iter().any(|package| SHOWS.contains(package)) {
        programs::interface()?;
    }
    if !packages.is_empty() {
        output::doing("Building the release");
        programs::release(&packages)?;
    }
    if benches.iter().any(|bench| bench.machine) {
        guest::build(guest::Arch::host())?;
    }

    let mut reports = Vec::new();
    let mut broken = 0;
    for bench in benches {
        output::doing(format!("{}: {}", bench.name, bench.about));
        let begun = Instant::now();
        let conditions = Conditions::now();
        match (bench.measure)(runs) {
            Ok(figures) => {
                output::line(figures::table(&figures));
                output::line(format!("{conditions}, {runs} runs in {} s", begun.elapsed().as_secs()));
                let figures: Vec<_> = figures.iter().map(Figure::to_json).collect();
                reports.push(json!({ "bench": bench.name, "figures": figures, "conditions": conditions.to_json() }));
            }
            // A figure that could not be taken says nothing about the others.
            Err(error) => {
                output::error(&error);
                reports.push(json!({ "bench": bench.name, "error": error.to_string() }));
                broken += 1;
            }
        }
    }
    let text = serde_json::to_string_pretty(&reports).map_err(|source| Error::Garbled {
        what: "the report".to_owned(),
        source,
    })?;
    let path = workspace::scratch().join("bench.json");
    fs_err::create_dir_all(workspace::scratch())?;
    fs_err::write(&path, &text)?;
    output::line(format!("\n{text}"));
    output::doing(format!("Also in {}", path.display()));
    if broken == 0 { Ok(()) } else { Err(Error::NotAllPassed) }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Bench>, Error> {
    if let Some(name) = names
        .iter()
        .find(|name| BENCHES.iter().all(|bench| bench.name != **name))
    {
        let known: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        return Err(Error::Unknown {
            what: "figure",
            name: name.clone(),
            known: known.join(", "),
        });
    }
    Ok(BENCHES
        .iter()
        .filter(|bench| names.is_empty() || names.iter().any(|name| name == bench.name))
        .collect())
}

/// Times that curl took for each of these requests, in milliseconds. One curl, and so one connection, for all of
/// them: what it takes to start a program is not in the figure.
fn curl(arguments: &[&str], url: &str, requests: usize) -> Result<Vec<f64>, Error> {
    let mut curl = process::command(
        "curl",
        ["--silent", "--show-error", "--fail", "--write-out", "%{time_total}\n"],
    );
    curl.args(arguments);
    for _ in 0..requests {
        curl.args(["--output", NOWHERE, url]);
    }
    let times = process::capture(&mut curl)?;
    Ok(times
        .lines()
        .filter_map(|line| line.parse::<f64>().ok())
        .map(|seconds| seconds * 1000.0)
        .collect())
}

const NOWHERE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };
