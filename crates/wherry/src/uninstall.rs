//! `wherry uninstall`: what the removal of a package cannot know of.

use std::process::ExitCode;

use wherry_app::{Docker, Home, Problem};
use wherry_machine::Machine;

use crate::arguments::Uninstall;
use crate::context::ask;
use crate::data::is_sure;
use crate::{Ended, output};

pub(crate) async fn uninstall(home: &Home, machine: &Machine, uninstall: &Uninstall) -> Result<ExitCode, Ended> {
    // Asked before anything is changed.
    if uninstall.data && !uninstall.yes_delete_everything && !is_sure()? {
        return Ok(ExitCode::FAILURE);
    }
    // Nothing else while it runs: its programs are about to go.
    if uninstall.data {
        machine.erase().await?;
    } else {
        machine.stop().await?;
    }
    output::line("The machine is stopped.")?;
    // What fails is told, and keeps nothing else from being put back.
    let mut whole = true;
    match Docker::new(home).undo(ask()).await {
        Ok(true) => output::line("The docker command is as it was before Wherry.")?,
        Ok(false) => {}
        Err(problem) => whole = told(&problem),
    }
    match wherry_app::forget_logins(home).await {
        Ok(registries) if registries.is_empty() => {}
        Ok(registries) => output::line(&format!(
            "This computer's keychain has no login of Wherry's any more ({}).",
            registries.join(", ")
        ))?,
        Err(problem) => whole = told(&problem),
    }
    let folder = home.root().display();
    if uninstall.data {
        // It would write to what is being removed.
        machine.until_alone().await?;
        if wherry_app::remove_home(home)? {
            output::line(&format!(
                "{folder} is removed, with everything that was in the machine."
            ))?;
        } else {
            output::line(&format!(
                "Everything that was in the machine is removed. {folder} stays: there are files in it that are not \
                 Wherry's."
            ))?;
        }
    } else if home.root().exists() {
        output::line(&format!(
            "Images, containers, volumes and settings stay in {folder}, for when Wherry is installed again. To remove \
             them as well: wherry uninstall --data"
        ))?;
    }
    if whole {
        output::line("Wherry's programs can be removed now.")?;
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(problem: &Problem) -> bool {
    output::problem(problem);
    false
}
