//! The command line: the stable interface that people, scripts and tests stand on. `wherry daemon` is the background
//! process that owns the machine.

mod arguments;
mod context;
mod credentials;
mod data;
mod doctor;
mod log;
mod output;
mod uninstall;

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use futures::{Stream, StreamExt};
use wherry_app::{App, Problem};
use wherry_machine::{Error, Home, Machine, SettingsChange, State, Status};

use crate::arguments::{Arguments, Command, Share};
use crate::data::Data;
use crate::output::{Progress, Words};

/// `wherry status` when the machine is not running.
const NOT_RUNNING: u8 = 3;

fn main() -> ExitCode {
    if credentials::is_asked() {
        return credentials::answer();
    }
    // Usage errors end here, with 2.
    let arguments = Arguments::parse();
    #[cfg(target_os = "linux")]
    if let Command::KeepFiles { device, control, spare } = &arguments.command {
        let keep = if *spare {
            wherry_share::stand_by
        } else {
            wherry_share::keep
        };
        return files(|| keep(device, control, wherry_share::WITHIN));
    }
    #[cfg(target_os = "linux")]
    if let Command::ServeFiles {
        device,
        control,
        follows,
        refuses,
    } = &arguments.command
    {
        let begins = match (*refuses, *follows) {
            (true, _) => wherry_share::Begins::Refuses {
                lasts: wherry_share::WITHIN,
            },
            (false, true) => wherry_share::Begins::Follows,
            (false, false) => wherry_share::Begins::First,
        };
        return files(|| wherry_share::serve(device, control, begins));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("Could not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run(arguments.command));
    // Whatever still waits on a blocking call must not keep the command from returning.
    runtime.shutdown_background();
    match ended {
        Ok(code) => code,
        Err(Ended::Problem(problem)) => {
            output::problem(&problem);
            ExitCode::FAILURE
        }
        Err(Ended::Machine(error)) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
        // Whoever read our output has enough: `wherry logs | head`.
        Err(Ended::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Ended::Output(error)) => {
            output::complain(&format!("Could not write: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// What it has to say goes to standard error, which the daemon has pointed to a log. No runtime is started for it: it
/// blocks in system calls.
#[cfg(target_os = "linux")]
fn files(serve: impl FnOnce() -> Result<(), wherry_share::Error>) -> ExitCode {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            output::complain(&format!("{error}{}", cause.unwrap_or_default()));
            ExitCode::FAILURE
        }
    }
}

enum Ended {
    Problem(Problem),
    Machine(Error),
    Output(std::io::Error),
}

impl From<Problem> for Ended {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Machine(error)
    }
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

async fn run(command: Command) -> Result<ExitCode, Ended> {
    if matches!(command, Command::Version) {
        output::line(&format!("wherry {}", env!("CARGO_PKG_VERSION")))?;
        return Ok(ExitCode::SUCCESS);
    }
    let home = Home::from_env()?;
    let program = std::env::current_exe()?;
    let machine = Machine::new(home.clone(), program.clone());
    match command {
        Command::Start { change, json } => {
            let mut progress = Progress::new(json);
            let started = machine.start_with(change.into(), |status| progress.show(status)).await;
            progress.end(started.as_ref().ok(), started.as_ref().err())?;
            report(started, json)
        }
        Command::Restart { engine: true, json } => {
            let restarted = machine.restart_engine().await;
            let mut progress = Progress::new(json);
            progress.end(restarted.as_ref().ok().filter(|_| json), restarted.as_ref().err())?;
            report(restarted, json)
        }
        Command::Restart { engine: false, json } => {
            let mut progress = Progress::new(json);
            let started = machine.restart_with(|status| progress.show(status)).await;
            progress.end(started.as_ref().ok(), started.as_ref().err())?;
            report(started, json)
        }
        Command::Stop => {
            machine.stop().await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Free { json } => {
            let freed = machine.free().await?;
            output::either(json, &freed, || vec![output::freed(freed)])?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Suspend => {
            let status = machine.suspend().await?;
            for note in &status.notes {
                output::complain(note);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Status { json } => {
            let status = machine.status().await?;
            output::either(json, &status, || Words::of(&status))?;
            Ok(if is_running(&status) {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(NOT_RUNNING)
            })
        }
        Command::Share { share } => self::share(&machine, share.unwrap_or(Share::List { json: false })).await,
        Command::Settings { json } => {
            let settings = machine.settings().await?;
            output::either(json, &settings, || output::settings(&settings))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Set(setting) => {
            let change = setting.change(|| {
                let mut line = String::new();
                std::io::stdin().read_line(&mut line)?;
                Ok(line.trim_end_matches(['\n', '\r']).to_owned())
            })?;
            match change {
                SettingsChange::InsecureRegistries { registries } => {
                    App::new(home, program)?.set_insecure_registries(registries).await?;
                }
                change => drop(machine.change_settings(change).await?),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Backup(backup) => Data::new(home, program, backup.json)?.backup(&backup).await,
        Command::Restore(restore) => Data::new(home, program, restore.json)?.restore(&restore).await,
        Command::Reset(reset) => Data::new(home, program, false)?.reset(&reset).await,
        Command::Uninstall(uninstall) => uninstall::uninstall(&home, &machine, &uninstall).await,
        Command::Logs { follow } => print(machine.logs(follow).await?).await,
        Command::Console => print(machine.console(true).await?).await,
        Command::DockerEnv => {
            output::line(&output::export(&home.docker_host()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Context {
            undo,
            fix_credentials,
            system_socket,
        } => {
            let docker = wherry_app::Docker::new(&home);
            context::context(&docker, undo, fix_credentials, system_socket).await
        }
        Command::Doctor { json, registry } => doctor::doctor(&App::new(home, program)?, registry, json).await,
        Command::Diagnose { output, registry } => doctor::diagnose(&App::new(home, program)?, &output, registry).await,
        Command::Daemon => daemon(home).await,
        // Both have returned by now.
        Command::Version => Ok(ExitCode::SUCCESS),
        #[cfg(target_os = "linux")]
        Command::KeepFiles { .. } | Command::ServeFiles { .. } => Ok(ExitCode::SUCCESS),
    }
}

async fn daemon(home: Home) -> Result<ExitCode, Ended> {
    log::begin(&home)?;
    let ended = wherry_machine::run_daemon(home).await;
    if let Err(error) = &ended {
        tracing::error!(%error, causes = ?error.causes(), "the daemon could not serve");
    }
    ended?;
    Ok(ExitCode::SUCCESS)
}

async fn share(machine: &Machine, share: Share) -> Result<ExitCode, Ended> {
    match share {
        Share::List { json } => {
            let folders = machine.settings().await?.folders;
            if json {
                output::json(&folders)?;
            } else {
                output::lines(folders.iter().map(|folder| folder.display().to_string()))?;
            }
        }
        Share::Add { folder } => {
            let path = absolute(&folder)?;
            machine.change_settings(SettingsChange::ShareFolder { path }).await?;
        }
        Share::Remove { folder } => {
            let path = absolute(&folder)?;
            machine.change_settings(SettingsChange::UnshareFolder { path }).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The whole path, as the person would write it: symbolic links in it stay, unless it leads up again.
fn absolute(folder: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(folder)?;
    if path.components().any(|part| part == Component::ParentDir) {
        return std::fs::canonicalize(path);
    }
    Ok(path.components().collect())
}

/// With `--json` the failure is said on standard output already.
fn report(started: Result<Status, Error>, json: bool) -> Result<ExitCode, Ended> {
    match started {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(_) if json => Ok(ExitCode::FAILURE),
        Err(error) => Err(error.into()),
    }
}

fn is_running(status: &Status) -> bool {
    match status.state {
        State::Running { .. } => true,
        State::Stopped
        | State::Starting { .. }
        | State::Suspending
        | State::Suspended { .. }
        | State::Stopping
        | State::Failed { .. } => false,
    }
}

/// Until there is no more, or Ctrl-C.
async fn print(lines: impl Stream<Item = String>) -> Result<ExitCode, Ended> {
    let mut lines = std::pin::pin!(lines);
    loop {
        tokio::select! {
            line = lines.next() => match line {
                Some(line) => output::line(&line)?,
                None => return Ok(ExitCode::SUCCESS),
            },
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
    }
}
