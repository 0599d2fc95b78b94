use std::path::Path;

use gtk::gio;
use gtk::glib::VariantTy;
use gtk::prelude::ToVariant as _;
use tauri::image::Image;
use tauri::{Wry, include_image};

use crate::tray::Sail;
use crate::window::Frame;

pub(crate) const FRAME: Frame = Frame::Drawn;

/// Panels are dark here and light there, and nothing says which: a white sail with a dark line around it shows on both.
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

/// How long the session bus may take to say whether there is a tray.
const BUS_MILLIS: i32 = 1000;

/// Many graphics drivers show an empty window with WebKit's newer renderer. Who set the variable knows better.
pub(crate) fn prepare_environment() {
    const VARIABLE: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    if std::env::var_os(VARIABLE).is_none() {
        #[expect(unsafe_code, reason = "the only way to set what WebKit reads")]
        // SAFETY: the first thing in main, while there is no other thread that could read the environment.
        unsafe {
            std::env::set_var(VARIABLE, "1");
        }
    }
}

/// Why no window can be opened, when none can.
pub(crate) fn no_display() -> Option<&'static str> {
    // GTK itself is asked: DISPLAY may be set and nobody there.
    gtk::init()
        .err()
        .map(|_| "Wherry's window needs a graphical session. Without one, use the command wherry.")
}

/// The library that shows tray icons is found while running, and asking for a tray without it is a panic.
pub(crate) fn can_have_tray() -> bool {
    const NAMES: [&str; 2] = ["libayatana-appindicator3.so.1", "libappindicator3.so.1"];
    let found = NAMES.iter().any(|name| {
        #[expect(unsafe_code, reason = "loading a library runs its code")]
        // SAFETY: the very library that the tray is about to load in the same way; it does nothing when loaded.
        let library = unsafe { libloading::Library::new(name) };
        library.is_ok()
    });
    if !found {
        tracing::info!("there is no tray icon: {} is not installed", NAMES[0]);
    }
    found
}

/// Is there a tray that a person can see? Asked at each close: without one, a process without a window is lost.
pub(crate) fn tray_is_shown() -> bool {
    // Asking for a bus that nobody has started would start one.
    let has_bus = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
        || std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).join("bus").exists());
    has_bus && can_have_tray() && host_is_registered().unwrap_or(false)
}

/// <https://www.freedesktop.org/wiki/Specifications/StatusNotifierItem/StatusNotifierWatcher/>
fn host_is_registered() -> Option<bool> {
    let bus = gio::bus_get_sync(gio::BusType::Session, gio::Cancellable::NONE).ok()?;
    let answer = bus
        .call_sync(
            Some("org.kde.StatusNotifierWatcher"),
            "/StatusNotifierWatcher",
            "org.freedesktop.DBus.Properties",
            "Get",
            Some(&("org.kde.StatusNotifierWatcher", "IsStatusNotifierHostRegistered").to_variant()),
            Some(VariantTy::TUPLE),
            gio::DBusCallFlags::NO_AUTO_START,
            BUS_MILLIS,
            gio::Cancellable::NONE,
        )
        .ok()?;
    answer.child_value(0).as_variant()?.get::<bool>()
}
