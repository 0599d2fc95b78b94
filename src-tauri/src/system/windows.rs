use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;

use tauri::image::Image;
use tauri::{Wry, include_image};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeServer, ServerOptions};

use crate::tray::Sail;
use crate::window::Frame;

pub(crate) const FRAME: Frame = Frame::Drawn;

/// The taskbar is dark or light by the person's choice: a white sail with a dark line around it shows on both.
pub(crate) fn sail(sail: Sail) -> Image<'static> {
    match sail {
        Sail::Up => include_image!("../icons/tray-running.png"),
        Sail::HalfUp => include_image!("../icons/tray-starting.png"),
        Sail::Furled => include_image!("../icons/tray-stopped.png"),
        Sail::Marked => include_image!("../icons/tray-error.png"),
    }
}

pub(crate) const SAIL_IS_TEMPLATE: bool = false;

type Builder<'a> = tauri::WebviewWindowBuilder<'a, Wry, tauri::AppHandle>;

pub(crate) fn with_frame(window: Builder<'_>) -> Builder<'_> {
    window.decorations(false)
}

pub(crate) fn prepare_environment() {}

pub(crate) fn no_display() -> Option<&'static str> {
    None
}

pub(crate) fn can_have_tray() -> bool {
    true
}

pub(crate) fn tray_is_shown() -> bool {
    true
}

/// The pipe of a home: whoever made its first end has the home, and a later start that connects asks for the window.
pub(crate) struct Turn {
    name: String,
    pipe: NamedPipeServer,
}

impl Turn {
    /// Waits for the next start that asks for the window; `false` when none can come any more.
    pub(crate) async fn asked(&mut self) -> bool {
        if self.pipe.connect().await.is_err() {
            return false;
        }
        // The next end first: while there is one, the name stays taken.
        let Ok(next) = ServerOptions::new().create(&self.name) else {
            return false;
        };
        self.pipe = next;
        true
    }
}

/// `None`: another process has this home and was asked to show its window. Called inside the runtime.
pub(crate) fn claim(home: &Path) -> io::Result<Option<Turn>> {
    /// Another process has made the first end of the pipe.
    const ACCESS_DENIED: i32 = 5;
    /// All its ends are being used: somebody else is asking at this moment, which asks for us too.
    const PIPE_BUSY: i32 = 231;

    let mut hasher = DefaultHasher::new();
    home.hash(&mut hasher);
    let name = format!(r"\\.\pipe\wherry-desktop-{:016x}", hasher.finish());
    match ServerOptions::new().first_pipe_instance(true).create(&name) {
        Ok(pipe) => Ok(Some(Turn { name, pipe })),
        Err(error) if error.raw_os_error() == Some(ACCESS_DENIED) => match ClientOptions::new().open(&name) {
            Ok(_) => Ok(None),
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => Ok(None),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}
