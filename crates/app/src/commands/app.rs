use crate::{About, App, Platform, Problem};

pub(crate) async fn about(app: &App) -> Result<About, Problem> {
    let platform = if cfg!(target_os = "macos") {
        Platform::Mac
    } else if cfg!(windows) {
        Platform::Windows
    } else {
        Platform::Linux
    };
    Ok(About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        platform,
        home: app.parts.home.root().display().to_string(),
    })
}
