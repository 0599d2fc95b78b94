use tauri::image::Image;
use tauri::{TitleBarStyle, Wry, include_image};

use crate::tray::Sail;
use crate::window::Frame;

pub(crate) const FRAME: Frame = Frame::Overlay;

/// The menu bar colours the shape itself.
pub(crate) fn sail(sail: Sail) -> Image<'static> {
    match sail {
        Sail::Up => include_image!("../icons/tray-running-template.png"),
        Sail::HalfUp => include_image!("../icons/tray-starting-template.png"),
        Sail::Furled => include_image!("../icons/tray-stopped-template.png"),
        Sail::Marked => include_image!("../icons/tray-error-template.png"),
    }
}

pub(crate) const SAIL_IS_TEMPLATE: bool = true;

type Builder<'a> = tauri::WebviewWindowBuilder<'a, Wry, tauri::AppHandle>;

pub(crate) fn with_frame(window: Builder<'_>) -> Builder<'_> {
    window.title_bar_style(TitleBarStyle::Overlay).hidden_title(true)
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
