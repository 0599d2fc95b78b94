//! Wherry's window, its tray, and nothing else: what they show and do is the app's.
//!
//! The machine belongs to a process of its own, so that this one may be closed, updated or killed at any time.

#![windows_subsystem = "windows"]

mod choose;
mod commands;
mod instance;
mod log;
mod system;
mod tray;
mod window;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tauri::{Manager as _, RunEvent};
use tauri_plugin_window_state::StateFlags;
use wherry_app::{App, Home, Problem};

use crate::instance::{Claim, Turn};
use crate::window::Closing;

const HELP: &str = "\
Wherry's window. Its commands are in the program wherry.

Options:
  -V, --version  Print the version
  -h, --help     Print this help
";

fn main() -> ExitCode {
    system::prepare_environment();
    match std::env::args().nth(1).as_deref() {
        Some("--version" | "-V") => say(&format!("wherry-desktop {}\n", env!("CARGO_PKG_VERSION"))),
        Some("--help" | "-h") => say(HELP),
        // Desktops and drivers pass things of their own.
        Some(_) | None => match run() {
            Ok(code) => code,
            Err(error) => {
                tracing::error!(%error, "Wherry could not start");
                complain(&error.to_string())
            }
        },
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    if let Some(reason) = system::no_display() {
        return Ok(complain(reason));
    }
    let home = Home::from_env()?;
    let turn = match tauri::async_runtime::block_on(async { instance::claim(home.root()) })? {
        Claim::First(turn) => turn,
        // The other one has been asked to show its window.
        Claim::Second => return Ok(ExitCode::SUCCESS),
    };
    log::begin(&home.logs())?;
    let program = command_line()?;
    let app = tauri::async_runtime::block_on(async { App::new(home.clone(), program) }).map_err(sentence)?;
    wherry_app::report_panics(&app);
    desktop(home, app, turn)?;
    Ok(ExitCode::SUCCESS)
}

fn desktop(home: Home, app: App, turn: Turn) -> tauri::Result<()> {
    let remembered = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;
    // An absolute name, so that each home remembers its own window.
    let window_file = home.root().join("window.json").to_string_lossy().into_owned();
    let run_folder = home.root().join("run");
    let desktop = tauri::Builder::default()
        .plugin(
            tauri_plugin_opener::Builder::new()
                .open_js_links_on_click(false)
                .build(),
        )
        .plugin(tauri_plugin_dialog::init())
        .plugin(
            tauri_plugin_window_state::Builder::new()
                .with_filename(window_file)
                .with_state_flags(remembered)
                .build(),
        )
        .manage(app)
        .manage(home)
        .manage(commands::Streams::default())
        .manage(Closing::default())
        .invoke_handler(tauri::generate_handler![
            commands::call,
            commands::open,
            commands::more,
            commands::say,
            commands::close,
            choose::choose
        ])
        .setup(move |handle| {
            let handle = handle.handle().clone();
            window::show(&handle);
            if system::can_have_tray()
                && let Err(error) = tray::begin(&handle, &run_folder)
            {
                tracing::warn!(%error, "there is no tray icon");
            }
            tauri::async_runtime::spawn(show_when_asked(handle, turn));
            Ok(())
        })
        .build(tauri::generate_context!())?;

    desktop.run(move |handle, event| match event {
        // Without a code it is the last window that went, and the tray stays, unless the person said Quit.
        RunEvent::ExitRequested { code: None, api, .. }
            if !handle.state::<Closing>().is_quit() && tray::exists(handle) && system::tray_is_shown() =>
        {
            window::remember(handle, remembered);
            api.prevent_exit();
        }
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => window::show(handle),
        _ => {}
    });
    Ok(())
}

/// A second start does not open a second window of the same home: it asks this one to come forward.
async fn show_when_asked(handle: tauri::AppHandle, mut turn: Turn) {
    while turn.asked().await {
        window::show(&handle);
    }
}

/// The program `wherry`, which becomes the machine's daemon: it is installed and built beside this one.
fn command_line() -> std::io::Result<PathBuf> {
    let beside = std::env::current_exe()?;
    Ok(beside
        .parent()
        .unwrap_or(Path::new("."))
        .join(format!("wherry{}", std::env::consts::EXE_SUFFIX)))
}

fn sentence(problem: Problem) -> String {
    [problem.message]
        .into_iter()
        .chain(problem.causes)
        .chain(problem.hint)
        .collect::<Vec<_>>()
        .join("\n")
}

fn say(text: &str) -> ExitCode {
    // Nobody may be reading.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn complain(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::FAILURE
}
