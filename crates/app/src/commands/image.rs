use futures::StreamExt as _;
use wherry_engine::{
    Error, FileDifferences, FoundImage, ImageDetail, ImageSize, ImageStep, ImageSummary, LayerFiles, PullProgress,
    RemoteTag, registry_of,
};

use crate::before_pull::{BeforePull, ImageQuery, PullQuestion, RemoteTags, TagNames, TagsRequest};
use crate::newer::{ImagesSeen, Newness};
use crate::pull;
use crate::saved::whole_path;
use crate::{
    App, Code, ImageFile, ImagePair, ImageRef, ImageRemove, ImageSave, ImageTag, Problem, Removed, TaskId, Work,
};

pub(crate) async fn list(app: &App) -> Result<Vec<ImageSummary>, Problem> {
    Ok(app.engine().await?.images().await?)
}

pub(crate) async fn get(app: &App, image: ImageRef) -> Result<ImageDetail, Problem> {
    Ok(app.engine().await?.image(image.reference.trim()).await?)
}

pub(crate) async fn history(app: &App, image: ImageRef) -> Result<Vec<ImageStep>, Problem> {
    Ok(app.engine().await?.image_history(image.reference.trim()).await?)
}

pub(crate) async fn files(app: &App, image: ImageRef) -> Result<Vec<LayerFiles>, Problem> {
    let files = app.engine().await?.image_files(image.reference.trim()).await;
    files.map_err(|error| Problem::from(error).during("Could not read the image's files"))
}

pub(crate) async fn compare(app: &App, pair: ImagePair) -> Result<FileDifferences, Problem> {
    let found = app
        .engine()
        .await?
        .compare_images(pair.before.trim(), pair.after.trim())
        .await;
    found.map_err(|error| Problem::from(error).during("Could not compare the files"))
}

pub(crate) async fn newness(app: &App, seen: ImagesSeen) -> Result<Vec<Newness>, Problem> {
    app.newness(seen).await
}

pub(crate) async fn sizes(app: &App) -> Result<Vec<ImageSize>, Problem> {
    Ok(app.engine().await?.image_sizes().await?)
}

pub(crate) async fn search(app: &App, query: ImageQuery) -> Result<Vec<FoundImage>, Problem> {
    app.search_images(query.query.trim()).await
}

pub(crate) async fn tags(app: &App, request: TagsRequest) -> Result<RemoteTags, Problem> {
    app.remote_tags(&request).await
}

pub(crate) async fn tag_details(app: &App, wanted: TagNames) -> Result<Vec<RemoteTag>, Problem> {
    app.tag_details(&wanted).await
}

pub(crate) async fn before_pull(app: &App, question: PullQuestion) -> Result<BeforePull, Problem> {
    app.before(&question).await
}

pub(crate) async fn pull(app: &App, image: ImageRef) -> Result<TaskId, Problem> {
    let reference = given(&image.reference)?;
    let engine = app.engine().await?;
    let about = Work::Pull {
        reference: reference.clone(),
    };
    let pulling = app.clone();
    Ok(app.parts.tasks.start(about, |progress, cancel| async move {
        pull::image(&pulling, &engine, &reference, None, &progress, &cancel)
            .await
            .map(|()| None)
    }))
}

pub(crate) async fn push(app: &App, image: ImageRef) -> Result<TaskId, Problem> {
    let reference = given(&image.reference)?;
    let engine = app.engine().await?;
    let logins = app.parts.logins.clone();
    let about = Work::Push {
        reference: reference.clone(),
    };
    let pushing = app.clone();
    Ok(app.parts.tasks.start(about, |progress, cancel| async move {
        let push = async {
            let auth = match registry_of(&reference) {
                Some(registry) => logins.header(&registry).await,
                None => None,
            };
            let mut push = std::pin::pin!(engine.push(&reference, auth).await?);
            while let Some(latest) = push.next().await {
                progress.set(latest?);
            }
            Ok::<(), Error>(())
        };
        match cancel.run_until_cancelled(push).await {
            Some(Ok(())) => {
                pushing.parts.newer.forget(&reference);
                Ok(None)
            }
            Some(Err(error)) => Err(Problem::from(error).during(format!("Could not push {reference}"))),
            None => Err(Problem::cancelled()),
        }
    }))
}

pub(crate) async fn tag(app: &App, tag: ImageTag) -> Result<(), Problem> {
    let target = given(&tag.target)?;
    let named = app.engine().await?.tag_image(&tag.reference, &target).await;
    named.map_err(|error| Problem::from(error).during(format!("Could not name it {target}")))
}

pub(crate) async fn remove(app: &App, image: ImageRemove) -> Result<Removed, Problem> {
    let engine = app.engine().await?;
    let removed = if image.forever {
        let gone = engine.remove_image(&image.reference, image.force).await;
        gone.map(|()| Vec::new())
    } else {
        engine.trash_image(&image.reference, image.force).await
    };
    let kept = removed.map_err(|error| Problem::from(error).during(format!("Could not remove {}", image.reference)))?;
    app.trash_changed();
    Ok(Removed { kept })
}

pub(crate) async fn save(app: &App, save: ImageSave) -> Result<TaskId, Problem> {
    let file = whole_path(&save.file)?;
    let engine = app.engine().await?;
    let about = Work::SaveImages {
        images: save.references.clone(),
        file: save.file.clone(),
    };
    Ok(app.parts.tasks.start(about, |progress, cancel| async move {
        let told = |bytes| progress.set(written(bytes));
        let saved = engine.save_images(&save.references, &file, told);
        match cancel.run_until_cancelled(saved).await {
            Some(Ok(())) => Ok(None),
            Some(Err(error)) => Err(Problem::from(error).during(format!("Could not save to {}", save.file))),
            None => Err(Problem::cancelled()),
        }
    }))
}

pub(crate) async fn load(app: &App, load: ImageFile) -> Result<TaskId, Problem> {
    let file = whole_path(&load.file)?;
    let name = load
        .name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    let engine = app.engine().await?;
    let about = Work::LoadImages {
        file: load.file.clone(),
    };
    let total = fs_err::metadata(&file).map_or(0, |file| file.len());
    Ok(app.parts.tasks.start(about, |progress, cancel| async move {
        let also = progress.clone();
        let told = move |bytes| {
            also.set(PullProgress {
                total_bytes: total,
                ..written(bytes)
            });
        };
        let taken = async {
            match &name {
                Some(name) => engine
                    .import_image(&file, name, told)
                    .await
                    .map(|()| vec![name.clone()]),
                None => engine.load_images(&file, told).await,
            }
        };
        match cancel.run_until_cancelled(taken).await {
            Some(Ok(names)) => {
                for name in names {
                    progress.note(format!("{name} is here."));
                }
                Ok(None)
            }
            Some(Err(error)) => Err(Problem::from(error).during(format!("Could not load {}", load.file))),
            None => Err(Problem::cancelled()),
        }
    }))
}

fn written(bytes: u64) -> PullProgress {
    PullProgress {
        done_bytes: bytes,
        ..PullProgress::default()
    }
}

fn given(reference: &str) -> Result<String, Problem> {
    let reference = reference.trim();
    if reference.is_empty() {
        return Err(Problem::plain(Code::Invalid, "An image is missing"));
    }
    Ok(reference.to_owned())
}
