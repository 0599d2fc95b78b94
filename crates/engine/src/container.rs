//! What is done to containers.

use std::time::Duration;

use http_body_util::BodyExt as _;

use crate::error::Subject;
use crate::transport::Call;
use crate::{Engine, Error, Invalid, RunSpec, env_file_for_run, name, run, wire};

/// How long an engine may take to remove a container that has stopped.
const GONE: Duration = Duration::from_mins(1);

/// How a container is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Although it runs.
    pub force: bool,
    /// With its volumes that have no name of their own.
    pub volumes: bool,
}

impl Removal {
    pub const FORCED: Removal = Removal {
        force: true,
        volumes: false,
    };
}

impl Engine {
    /// One that runs already is left as it is.
    pub async fn start(&self, container: &str) -> Result<(), Error> {
        self.change(container, "start", "start the container").await
    }

    /// Its program is asked to end, and killed when it does not within the time the container allows (10 s).
    pub async fn stop(&self, container: &str) -> Result<(), Error> {
        self.change(container, "stop", "stop the container").await
    }

    pub async fn restart(&self, container: &str) -> Result<(), Error> {
        self.change(container, "restart", "restart the container").await
    }

    pub async fn remove(&self, container: &str, removal: Removal) -> Result<(), Error> {
        let path = format!("/containers/{}", name::container(container)?);
        let call = Call::delete(path, Subject::Container(container), "remove the container")
            .query("force", if removal.force { "1" } else { "0" })
            .query("v", if removal.volumes { "1" } else { "0" });
        self.client().await?.done(call).await
    }

    /// Until it is not there any more: the engine removes some by itself, a moment after they have stopped.
    pub async fn gone(&self, container: &str) -> Result<(), Error> {
        let mut changes = self.changes();
        let look = async {
            loop {
                match self.container_name(container).await {
                    Ok(_) => {}
                    Err(Error::NotFound { .. }) => return Ok(()),
                    Err(error) => return Err(error),
                }
                // Too many changes to count them are changes too.
                let _ = changes.recv().await;
            }
        };
        tokio::time::timeout(GONE, look).await.unwrap_or(Err(Error::Silent {
            doing: "remove the container",
            after: GONE,
        }))
    }

    /// The code with which it will end next. It is being waited for once this has returned, so that one that the engine
    /// removes at its end is not missed; the future that comes back is done when it has ended.
    pub async fn next_end(&self, container: &str) -> Result<impl Future<Output = Option<i64>> + Send + use<>, Error> {
        let path = format!("/containers/{}/wait", name::container(container)?);
        let call =
            Call::post(path, Subject::Container(container), "wait for the container").query("condition", "next-exit");
        let reply = self.client().await?.open(call).await?;
        Ok(async move {
            let body = reply.into_body().collect().await.ok()?.to_bytes();
            let ended: wire::Ended = serde_json::from_slice(&body).ok()?;
            Some(ended.status_code)
        })
    }

    /// Makes a container and does not start it: its id. The spec's files of variables are read now.
    pub async fn create(&self, spec: &RunSpec) -> Result<String, Error> {
        let mut from_files = Vec::new();
        for file in &spec.env_files {
            let refused = |why: String| Invalid::EnvFile {
                file: file.clone(),
                why,
            };
            let bytes = fs_err::tokio::read(file)
                .await
                .map_err(|error| refused(error.to_string()))?;
            let read = env_file_for_run(&bytes)
                .map_err(|refusal| refused(format!("{}, in line {}", refusal.why, refusal.line)))?;
            from_files.extend(read);
        }
        let body = run::body(spec, &from_files)?;
        let mut call = Call::post(
            "/containers/create",
            Subject::Image(&spec.image),
            "create the container",
        )
        .json(&body);
        if let Some(name) = run::given_name(spec) {
            call = call.query("name", name);
        }
        if let Some(platform) = spec.platform() {
            call = call.query("platform", platform);
        }
        let created: wire::Created = self.client().await?.value(call).await?;
        Ok(created.id)
    }

    async fn change(&self, container: &str, verb: &str, doing: &'static str) -> Result<(), Error> {
        let path = format!("/containers/{}/{verb}", name::container(container)?);
        self.client()
            .await?
            .done(Call::post(path, Subject::Container(container), doing))
            .await
    }
}
