//! `docker-credential-wherry`: this program under another name, by which the docker command asks it for the logins that
//! are in this computer's keychain.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use wherry_app::HelperError;
use wherry_machine::Home;

use crate::output;

const NAME: &str = "docker-credential-wherry";

/// A login is some kilobytes at most.
const LONGEST: u64 = 1 << 20;

/// Whether it was called by that name.
pub(crate) fn is_asked() -> bool {
    let called = std::env::args_os().next().unwrap_or_default();
    Path::new(&called).file_stem() == Some(OsStr::new(NAME))
}

/// Errors go to standard output, as the docker command expects of its helpers.
pub(crate) fn answer() -> ExitCode {
    let said = match asked() {
        Ok(said) => said,
        Err(error) => {
            // A closed pipe is the docker command's business.
            let _ = output::line(&with_causes(&*error));
            return ExitCode::FAILURE;
        }
    };
    if said.is_empty() || output::line(&said).is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn asked() -> Result<String, Box<dyn std::error::Error>> {
    let question = std::env::args().nth(1).unwrap_or_default();
    let mut input = String::new();
    if matches!(question.as_str(), "get" | "store" | "erase") {
        std::io::stdin().take(LONGEST).read_to_string(&mut input)?;
    }
    let home = Home::from_env()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer: Result<String, HelperError> = runtime.block_on(wherry_app::answer_docker(&home, &question, &input));
    runtime.shutdown_background();
    Ok(answer?)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let words: Vec<String> = std::iter::once(error.to_string())
        .chain(causes.map(ToString::to_string))
        .collect();
    words.join(": ")
}
