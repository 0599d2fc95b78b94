use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use wherry_engine::{
    CommandLine, ContainerHistory, ContainerSummary, Engine, Error, LineChange, MadeOf, Pasted, Processes, PullPolicy,
    RareChoice, Removal, RunSpec, Why, WhyLine,
};

use crate::explain::{container_name, failed, verb};
use crate::kernel;
use crate::preflight::{self, Preflight};
use crate::pull;
use crate::recreate::Recreate;
use crate::tasks::Progress;
use crate::{
    App, Code, ContainerAct, ContainerExport, ContainerList, ContainerRef, ContainerRefs, ContainerRemove, LogSave,
    MadeOfRequest, PortLamps, Problem, ProcessSignal, RawJson, RecreateRequest, Removed, RunAsText, RunPaste,
    RunRequest, RunText, Saved, SpecPair, TaskId, Work,
};

pub(crate) async fn list(app: &App, list: ContainerList) -> Result<Vec<ContainerSummary>, Problem> {
    let engine = app.engine().await?;
    let containers = engine.containers(list.all).await?;
    app.take_back_what_runs(&engine, &containers);
    Ok(containers)
}

pub(crate) async fn get(app: &App, container: ContainerRef) -> Result<ContainerSummary, Problem> {
    Ok(app.engine().await?.container(&container.id).await?)
}

pub(crate) async fn start(app: &App, container: ContainerRef) -> Result<(), Problem> {
    let engine = app.engine().await?;
    let result = engine.start(&container.id).await;
    explained(&engine, "start", &container.id, result).await
}

pub(crate) async fn stop(app: &App, container: ContainerRef) -> Result<(), Problem> {
    let engine = app.engine().await?;
    let result = engine.stop(&container.id).await;
    explained(&engine, "stop", &container.id, result).await
}

pub(crate) async fn restart(app: &App, container: ContainerRef) -> Result<(), Problem> {
    let engine = app.engine().await?;
    let result = engine.restart(&container.id).await;
    explained(&engine, "restart", &container.id, result).await
}

pub(crate) async fn remove(app: &App, container: ContainerRemove) -> Result<Removed, Problem> {
    let engine = app.engine().await?;
    let removal = Removal {
        force: container.force,
        volumes: container.volumes,
    };
    let result = if container.forever {
        engine.remove(&container.id, removal).await.map(|()| None)
    } else {
        engine.trash_container(&container.id, removal).await
    };
    let kept = explained(&engine, "remove", &container.id, result).await?;
    app.trash_changed();
    Ok(Removed {
        kept: kept.into_iter().collect(),
    })
}

pub(crate) async fn history(app: &App, container: ContainerRef) -> Result<ContainerHistory, Problem> {
    let recorder = app.recorder().await?;
    if let Some(history) = recorder.container(&container.id) {
        return Ok(history);
    }
    // A name, or one that has not run in this hour. Only an engine that is there is asked.
    recorder.engine().answers().await?;
    let id = recorder.engine().container(&container.id).await?.id;
    Ok(recorder.container(&id).unwrap_or_default())
}

pub(crate) async fn act(app: &App, act: ContainerAct) -> Result<(), Problem> {
    let engine = app.engine().await?;
    let result = engine.act(&act.id, &act.action).await;
    explained(&engine, verb(&act.action), &act.id, result).await
}

pub(crate) async fn line(_app: &App, act: ContainerAct) -> Result<CommandLine, Problem> {
    Ok(wherry_engine::action_line(&act.id, &act.action))
}

pub(crate) async fn inspect(app: &App, container: ContainerRef) -> Result<RawJson, Problem> {
    let json = app.engine().await?.raw_container(&container.id).await?;
    Ok(RawJson { json: json.to_string() })
}

pub(crate) async fn ports(app: &App, container: ContainerRef) -> Result<Vec<PortLamps>, Problem> {
    let engine = app.engine().await?;
    let container = engine.container(&container.id).await?;
    let forwards = app.parts.machine_status.borrow().forwards.clone();
    Ok(crate::lamps::look(&engine, &container, &forwards).await?)
}

pub(crate) async fn processes(app: &App, container: ContainerRef) -> Result<Processes, Problem> {
    Ok(app.engine().await?.processes(&container.id).await?)
}

pub(crate) async fn signal(app: &App, signal: ProcessSignal) -> Result<(), Problem> {
    let sent = app
        .engine()
        .await?
        .kill_process(&signal.id, signal.pid, &signal.signal)
        .await;
    sent.map_err(|error| Problem::from(error).during(format!("Could not end process {}", signal.pid)))
}

pub(crate) async fn export(app: &App, container: ContainerExport) -> Result<Saved, Problem> {
    let engine = app.engine().await?;
    let failed = |error| Problem::from(error).during("Could not export the container");
    let download = engine.export(&container.id).await.map_err(failed)?;
    let saving = crate::saved::Saving::begin(&download.name, container.to.as_deref())?;
    download.into_file(saving.file()?).await.map_err(failed)?;
    saving.done()
}

pub(crate) async fn why(app: &App, container: ContainerRef) -> Result<Option<Why>, Problem> {
    let engine = app.engine().await?;
    let known = kernel::known(app, &engine).await;
    Ok(engine.why(&container.id, &known).await?)
}

pub(crate) async fn why_lines(app: &App, containers: ContainerRefs) -> Result<Vec<WhyLine>, Problem> {
    let engine = app.engine().await?;
    let known = kernel::known(app, &engine).await;
    Ok(engine.why_lines(&containers.ids, &known).await)
}

pub(crate) async fn save_log(app: &App, wanted: LogSave) -> Result<Saved, Problem> {
    let engine = app.engine().await?;
    let failed = |error| Problem::from(error).during(format!("Could not save the log of {}", wanted.title));
    let mut saving = crate::saved::Saving::begin(&format!("{}.log", wanted.title), wanted.to.as_deref())?;
    let mut text = std::pin::pin!(
        engine
            .log_text(&wanted.log, wanted.names.clone())
            .await
            .map_err(failed)?
    );
    while let Some(part) = text.next().await {
        saving.write(part.map_err(failed)?.as_bytes())?;
    }
    saving.done()
}

async fn explained<T>(engine: &Engine, verb: &str, id: &str, result: Result<T, Error>) -> Result<T, Problem> {
    match result {
        Ok(done) => Ok(done),
        Err(error) => {
            let name = container_name(engine, id).await;
            Err(failed(engine, verb, &name, error, &[]).await)
        }
    }
}

pub(crate) async fn command(_app: &App, wanted: RunAsText) -> Result<RunText, Problem> {
    let RunAsText { spec, shell, secrets } = wanted;
    let (compose, compose_misses) = wherry_engine::compose_file(&spec, secrets);
    Ok(RunText {
        command: wherry_engine::command_line(&spec, shell, secrets),
        continuation: shell.continuation().to_owned(),
        obstacle: wherry_engine::not_in_this_shell(&spec, shell).map(str::to_owned),
        compose,
        compose_misses,
    })
}

pub(crate) async fn paste(_app: &App, line: RunPaste) -> Result<Pasted, Problem> {
    let home = etcetera::home_dir().map_or_else(|_| "/".to_owned(), |home| home.display().to_string());
    let folder = line
        .folder
        .as_deref()
        .map(str::trim)
        .filter(|folder| !folder.is_empty())
        .unwrap_or(&home);
    wherry_engine::paste(&line.line, line.shell, folder, &home)
        .map_err(|error| Problem::plain(Code::Invalid, error.to_string()))
}

pub(crate) async fn preflight(app: &App, request: RunRequest) -> Result<Preflight, Problem> {
    preflight::look(app, &request.spec).await
}

pub(crate) async fn rare_flags(_app: &App) -> Result<Vec<RareChoice>, Problem> {
    Ok(wherry_engine::rare_flags())
}

pub(crate) async fn made_of(app: &App, request: MadeOfRequest) -> Result<MadeOf, Problem> {
    let made = app.engine().await?.made_of(&request.id).await?;
    Ok(if request.copy {
        MadeOf {
            spec: made.spec.as_copy(),
            ..made
        }
    } else {
        made
    })
}

pub(crate) async fn changes(_app: &App, pair: SpecPair) -> Result<Vec<LineChange>, Problem> {
    Ok(wherry_engine::spec_changes(&pair.before, &pair.after))
}

/// Mistakes in the form are told at once; everything else is the task's outcome.
pub(crate) async fn recreate(app: &App, request: RecreateRequest) -> Result<TaskId, Problem> {
    let RecreateRequest { id, spec } = request;
    wherry_engine::validate(&spec).map_err(Error::from)?;
    let engine = app.engine().await?;
    let old = engine.made_of(&id).await.map_err(|error| match error {
        Error::NotFound { .. } => Problem {
            hint: Some("Run the image to make a new one: its volumes and its image are still here.".to_owned()),
            ..Problem::plain(Code::NotFound, "The container to be replaced was deleted meanwhile")
        },
        error => error.into(),
    })?;
    let about = Work::Recreate { name: old.name.clone() };
    let app = app.clone();
    Ok(app.parts.tasks.clone().start(about, |progress, cancel| {
        Recreate {
            app,
            engine,
            old,
            spec,
            progress,
            cancel,
        }
        .run()
    }))
}

/// Mistakes in the form are told at once; everything else is the task's outcome.
pub(crate) async fn run(app: &App, request: RunRequest) -> Result<TaskId, Problem> {
    let spec = request.spec;
    wherry_engine::validate(&spec).map_err(Error::from)?;
    let engine = app.engine().await?;
    let running = app.clone();
    let about = Work::Run {
        image: spec.image.clone(),
        name: spec.name.clone(),
    };
    Ok(app.parts.tasks.start(about, |progress, cancel| {
        run_container(running, engine, spec, progress, cancel)
    }))
}

async fn run_container(
    app: App,
    engine: Engine,
    spec: RunSpec,
    progress: Progress,
    cancel: CancellationToken,
) -> Result<Option<String>, Problem> {
    let name = spec
        .name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .unwrap_or(spec.image.trim());
    let id = create(&app, &engine, &spec, name, &progress, &cancel).await?;
    let mut terminal = None;
    let started = async {
        if cancel.is_cancelled() {
            return Ok(false);
        }
        if spec.terminal && spec.interactive {
            terminal = Some(app.parts.terminals.await_start(&engine, &id).await?);
        }
        engine.start(&id).await.map(|()| true)
    }
    .await;
    let problem = match started {
        Ok(true) => return Ok(Some(id)),
        Ok(false) => Problem::cancelled(),
        Err(error) => failed(&engine, "run", name, error, &spec.ports).await,
    };
    if let Some(terminal) = terminal {
        app.parts.terminals.close(terminal).await;
    }
    // Nobody asked for a container that does not run. With --rm the engine has removed it already.
    if let Err(error) = engine.remove(&id, Removal::FORCED).await {
        tracing::debug!(%error, id, "the container that did not start stays");
    }
    Err(problem)
}

/// Pulls the image as the spec says. `name` is what the container is called in what goes wrong.
pub(crate) async fn create(
    app: &App,
    engine: &Engine,
    spec: &RunSpec,
    name: &str,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<String, Problem> {
    let image = spec.image.trim();
    if spec.pull == PullPolicy::Always {
        pull::image(app, engine, image, spec.platform(), progress, cancel).await?;
    }
    let id = match engine.create(spec).await {
        Err(Error::ImageNotFound { .. }) if spec.pull == PullPolicy::Missing => {
            pull::image(app, engine, image, spec.platform(), progress, cancel).await?;
            engine.create(spec).await
        }
        result => result,
    };
    match id {
        Ok(id) => Ok(id),
        Err(error) => Err(failed(engine, "run", name, error, &spec.ports).await),
    }
}
