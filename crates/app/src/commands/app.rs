use crate::{About, App, Bundle, DiagnoseRequest, DoctorRequest, Examination, Platform, Problem};

pub(crate) async fn diagnose(app: &App, request: DiagnoseRequest) -> Result<Bundle, Problem> {
    app.diagnose(request).await
}

pub(crate) async fn doctor(app: &App, request: DoctorRequest) -> Result<Examination, Problem> {
    app.examine(request).await
}

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
