use wherry_engine::system_socket::Ask;

use crate::docker::Docker;
use crate::{App, Code, DockerSetup, Problem};

pub(crate) async fn setup(app: &App) -> Result<DockerSetup, Problem> {
    change(app, |_| Ok(())).await
}

pub(crate) async fn select(app: &App) -> Result<DockerSetup, Problem> {
    change(app, Docker::select).await
}

pub(crate) async fn mend(app: &App) -> Result<DockerSetup, Problem> {
    change(app, |docker| docker.drop_missing_helpers().map(drop)).await
}

pub(crate) async fn link(app: &App) -> Result<DockerSetup, Problem> {
    Docker::new(&app.parts.home).link_system_socket(Ask::Window).await?;
    setup(app).await
}

pub(crate) async fn undo(app: &App) -> Result<DockerSetup, Problem> {
    Docker::new(&app.parts.home).undo(Ask::Window).await?;
    setup(app).await
}

/// Files are written to disk with a wait for the disk, which is no work for a thread that serves others.
async fn change(
    app: &App,
    change: impl FnOnce(&Docker) -> Result<(), Problem> + Send + 'static,
) -> Result<DockerSetup, Problem> {
    let docker = Docker::new(&app.parts.home);
    let changed = tokio::task::spawn_blocking(move || {
        change(&docker)?;
        docker.setup()
    });
    changed.await.map_err(|error| Problem {
        causes: vec![error.to_string()],
        ..Problem::plain(Code::Other, "Could not look at the docker command's configuration")
    })?
}
