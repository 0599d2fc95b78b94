//! The one window. Closing it destroys the webview and gives its memory back; the tray or a second start makes it anew.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tauri::webview::PageLoadEvent;
use tauri::{AppHandle, Manager as _, WebviewUrl, WebviewWindowBuilder, WindowEvent};
use tauri_plugin_window_state::{AppHandleExt as _, StateFlags};
use wherry_app::Home;

use crate::commands::Streams;
use crate::system;

const LABEL: &str = "main";

/// What the window is asked to close for. The page may hold a close request to ask the person first, so what came of it
/// shows only when the window is gone.
#[derive(Default)]
pub(crate) struct Closing(Mutex<Wish>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wish {
    #[default]
    Close,
    /// The next request to close is made for it.
    QuitNext,
    Quit,
}

impl Closing {
    fn wish(&self) -> MutexGuard<'_, Wish> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn quit_next(&self) {
        *self.wish() = Wish::QuitNext;
    }

    /// One that was held and then left alone is followed by another or by none: each is for itself.
    fn requested(&self) {
        let mut wish = self.wish();
        *wish = match *wish {
            Wish::QuitNext => Wish::Quit,
            Wish::Close | Wish::Quit => Wish::Close,
        };
    }

    /// Whether the process ends with its window, although the tray is there.
    pub(crate) fn is_quit(&self) -> bool {
        *self.wish() == Wish::Quit
    }
}

/// Ends the process. A window is closed as the person closes it, so that text which is not saved is asked about.
pub(crate) fn quit(handle: &AppHandle) {
    let Some(window) = handle.get_webview_window(LABEL) else {
        handle.exit(0);
        return;
    };
    handle.state::<Closing>().quit_next();
    if let Err(error) = window.close() {
        tracing::warn!(%error, "the window could not be asked to close");
        handle.exit(0);
    }
}

/// Brings the window forward, or makes it.
///
/// On a thread of its own making: a window made inside one of the main loop's own events hangs on Windows.
pub(crate) fn show(handle: &AppHandle) {
    let handle = handle.clone();
    tauri::async_runtime::spawn(async move {
        let shown = match handle.get_webview_window(LABEL) {
            Some(window) => {
                // Minimized, hidden, behind others: each may be the case and each may fail alone.
                window.unminimize().and(window.show()).and(window.set_focus())
            }
            None => create(&handle),
        };
        if let Err(error) = shown {
            tracing::error!(%error, "the window could not be shown");
        }
    });
}

fn create(handle: &AppHandle) -> tauri::Result<()> {
    let streams = handle.state::<Streams>().inner().clone();
    let window = WebviewWindowBuilder::new(handle, LABEL, WebviewUrl::default())
        .title("Wherry")
        .inner_size(1200.0, 780.0)
        .min_inner_size(800.0, 560.0)
        // The page takes what is dropped on it by itself.
        .disable_drag_drop_handler()
        // What the page itself stores, and the engine's caches: of this home alone.
        .data_directory(handle.state::<Home>().root().join("webview"))
        .initialization_script(system::FRAME.script())
        // The page never leaves itself: links go to the person's browser.
        .on_navigation(|url| url.scheme() == "tauri" || url.host_str() == Some("tauri.localhost"))
        .on_page_load({
            let streams = streams.clone();
            move |_, load| match load.event() {
                PageLoadEvent::Started => streams.close_all(LABEL),
                PageLoadEvent::Finished => {}
            }
        });
    let window = system::with_frame(window).build()?;
    let events = handle.clone();
    window.on_window_event(move |event| match event {
        WindowEvent::CloseRequested { .. } => events.state::<Closing>().requested(),
        WindowEvent::Destroyed => streams.close_all(LABEL),
        _ => {}
    });
    Ok(())
}

/// Writes size and place now: with the tray the process may live on for weeks and then be killed.
pub(crate) fn remember(handle: &AppHandle, what: StateFlags) {
    if let Err(error) = handle.save_window_state(what) {
        tracing::warn!(%error, "the window's size and place could not be saved");
    }
}

/// Who draws the window's buttons, told to the page before its first script.
#[derive(Clone, Copy)]
pub(crate) enum Frame {
    /// The page, in its toolbar.
    #[cfg(not(target_os = "macos"))]
    Drawn,
    /// The system, over the left end of the toolbar.
    #[cfg(target_os = "macos")]
    Overlay,
}

impl Frame {
    fn script(self) -> &'static str {
        match self {
            #[cfg(not(target_os = "macos"))]
            Frame::Drawn => r#"window.__WHERRY__ = { frame: "drawn" };"#,
            #[cfg(target_os = "macos")]
            Frame::Overlay => r#"window.__WHERRY__ = { frame: "overlay" };"#,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_was_not_left_for_quitting_is_closed_alone_later() {
        let closing = Closing::default();
        closing.requested();
        assert!(!closing.is_quit(), "the person closes the window");
        closing.quit_next();
        assert!(!closing.is_quit(), "nothing was asked of the window yet");
        closing.requested();
        assert!(closing.is_quit());
        // The person stays with the text that is not saved, and closes the window later.
        closing.requested();
        assert!(!closing.is_quit());
    }
}
