//! `wherry context`: the docker command in the person's terminal, pointed to the machine.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use wherry_app::{Ask, CONTEXT, Docker, DockerSetup, MissingHelper, SYSTEM_SOCKET};

use crate::{Ended, output};

pub(crate) async fn context(
    docker: &Docker,
    undo: bool,
    fix_credentials: bool,
    system_socket: bool,
) -> Result<ExitCode, Ended> {
    if undo {
        take_back(docker).await?;
    } else {
        select(docker, fix_credentials, system_socket).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn select(docker: &Docker, fix_credentials: bool, system_socket: bool) -> Result<(), Ended> {
    docker.select()?;
    let setup = docker.setup()?;
    output::line(&format!(
        "docker uses the context {CONTEXT} now, set in {}.",
        setup.config
    ))?;
    if !setup.missing_helpers.is_empty() {
        credentials(docker, &setup, fix_credentials)?;
    }
    if system_socket {
        docker.link_system_socket(ask()).await?;
        output::line(&format!("{SYSTEM_SOCKET} leads to the machine's engine."))?;
    }
    if setup.program.is_none() {
        output::complain("The docker command is not installed; programs that read its configuration find the engine.");
    }
    if let Some(by) = setup.overridden.filter(|_| !setup.ours) {
        output::complain(&format!(
            "{} is set to {} in this terminal, and wins over every context.\n  Hint: Take it away with: {}",
            by.variable,
            by.value,
            unset(&by.variable)
        ));
    }
    output::line("wherry context --undo puts everything back.")?;
    Ok(())
}

fn credentials(docker: &Docker, setup: &DockerSetup, fix: bool) -> Result<(), Ended> {
    let missing = named(&setup.missing_helpers);
    let why = "docker cannot pull while its configuration names it";
    let fix = fix || {
        io::stdin().is_terminal() && confirmed(&format!("{missing} is not installed; {why}. Take it out? [y/N] "))?
    };
    if !fix {
        output::complain(&format!(
            "{missing} is not installed; {why}.\n  Hint: Take it out with: wherry context --fix-credentials"
        ));
        return Ok(());
    }
    docker.drop_missing_helpers()?;
    output::line(&format!(
        "Took {missing} out of {}. Log in again where you were logged in.",
        setup.config
    ))?;
    Ok(())
}

async fn take_back(docker: &Docker) -> Result<(), Ended> {
    if docker.undo(ask()).await? {
        output::line("docker is as it was before.")?;
    } else {
        output::line("There is nothing to put back.")?;
    }
    Ok(())
}

/// Where there is a terminal, sudo can ask in it.
pub(crate) fn ask() -> Ask {
    if io::stdin().is_terminal() {
        Ask::Terminal
    } else {
        Ask::Nobody
    }
}

fn confirmed(question: &str) -> io::Result<bool> {
    let mut output = io::stdout().lock();
    output.write_all(question.as_bytes())?;
    output.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn named(helpers: &[MissingHelper]) -> String {
    let mut names: Vec<&str> = helpers.iter().map(|helper| helper.program.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

fn unset(variable: &str) -> String {
    if cfg!(windows) {
        format!("set {variable}=")
    } else {
        format!("unset {variable}")
    }
}
