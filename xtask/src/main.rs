//! Every command for working on Wherry: `cargo xtask --help`.
//!
//! Each installs what it needs first, can be repeated at any time, and is quick when there is nothing to do.

mod bench;
mod check;
mod cross;
mod deps;
mod error;
mod guest;
mod output;
mod package;
mod process;
mod programs;
mod report;
mod run;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::deps::Need;
use crate::error::Error;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Everything for working on Wherry")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build Wherry for debugging and open its window.
    Run,
    /// Run the tests, all of them or these stages.
    Test {
        /// Stages to run; `--list` shows them.
        names: Vec<String>,
        /// Only show the names of the stages.
        #[arg(long)]
        list: bool,
    },
    /// Build the release of everything into `dist`, runnable in place.
    Build,
    /// Build the release and make a deb and an rpm of it, in `dist`.
    Package,
    /// Serve the interface to a browser, on a real engine.
    Serve {
        /// The port on loopback; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Build the machine's image.
    Guest {
        /// The processor that it is for.
        #[arg(long, value_enum, default_value_t = guest::Arch::host())]
        arch: guest::Arch,
        /// Take the newest Debian packages instead of the pinned ones, and pin those.
        #[arg(long)]
        update: bool,
        /// Also make the second image, from which the tests upgrade.
        #[arg(long, conflicts_with = "update")]
        another: bool,
    },
    /// Check format, lints, types and the generated file.
    Check,
    /// Write the interface's types from the command table.
    Types,
    /// Measure, beside a baseline.
    Bench {
        /// Figures to measure; `--list` shows them.
        names: Vec<String>,
        /// Only show the names of the figures.
        #[arg(long)]
        list: bool,
        /// How often each is measured.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(5..))]
        runs: u32,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run => run::run(),
        Command::Test { list: true, .. } => {
            test::list();
            Ok(())
        }
        Command::Test { names, .. } => test::run(&names),
        Command::Build => run::build().map(drop),
        Command::Package => package::run(),
        Command::Serve { port } => run::serve(port),
        Command::Guest { arch, update, another } => image(arch, update, another),
        Command::Check => check(),
        Command::Types => types(),
        Command::Bench { list: true, .. } => {
            bench::list();
            Ok(())
        }
        Command::Bench { names, runs, .. } => bench::run(&names, runs),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::NotAllPassed) => ExitCode::FAILURE,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn image(arch: guest::Arch, update: bool, another: bool) -> Result<(), Error> {
    deps::install(if arch == guest::Arch::host() {
        &[Need::Image]
    } else {
        &[Need::Image, Need::ImageArm64]
    })?;
    let folder = if update {
        guest::update(arch)?
    } else if another {
        guest::build_another(arch)?
    } else {
        guest::build(arch)?
    };
    output::line(folder.display().to_string());
    Ok(())
}

fn check() -> Result<(), Error> {
    deps::install(&[Need::Interface, Need::Window])?;
    programs::interface()?;
    let tally = check::all(&workspace::scratch().join("logs/check.log"));
    if tally.failed.is_empty() {
        return Ok(());
    }
    for name in &tally.failed {
        output::line(format!("failed: {name}"));
    }
    Err(Error::NotAllPassed)
}

fn types() -> Result<(), Error> {
    deps::install(&[Need::Interface, Need::Window])?;
    let path = programs::generated();
    let current = programs::types()?;
    if !fs_err::read_to_string(&path).is_ok_and(|old| old == current) {
        fs_err::write(&path, current)?;
        output::line("ui/src/lib/api/generated.ts has changed.");
    }
    Ok(())
}
