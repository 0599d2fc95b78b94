//! `wherry-serve`: prints one address with its token and answers there until it is told to stop.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use wherry_app::{App, Home, Problem};
use wherry_serve::Server;

/// The UI in a browser, for tests and development
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The folder of the built UI
    #[arg(long, value_name = "DIR", default_value = "ui/dist")]
    ui: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .init();
    match serve(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let home = Home::from_env()?;
    // Cargo puts every program of the workspace into one folder, and so does a build of it all.
    let beside = std::env::current_exe()?;
    let program = beside
        .parent()
        .unwrap_or(Path::new("."))
        .join(format!("wherry{}", std::env::consts::EXE_SUFFIX));
    let app = App::new(home, program).map_err(sentence)?;
    wherry_app::report_panics(&app);
    let server = Server::bind(app, arguments.port, arguments.ui).await?;

    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", server.url())?;
    output.flush()?;
    drop(output);

    let end = CancellationToken::new();
    tokio::spawn({
        let end = end.clone();
        async move {
            told_to_stop().await;
            end.cancel();
        }
    });
    Ok(server.run(end).await?)
}

fn sentence(problem: Problem) -> String {
    [problem.message]
        .into_iter()
        .chain(problem.causes)
        .chain(problem.hint)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(unix)]
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(windows)]
async fn told_to_stop() {
    drop(tokio::signal::ctrl_c().await);
}
