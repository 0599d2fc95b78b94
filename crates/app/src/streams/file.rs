use std::io;

use base64::Engine as _;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{SinkExt as _, StreamExt as _};

use crate::clicked::{self, Click};
use crate::commands::file::{about, new_file};
use crate::{App, FileUpload, Problem, UploadPiece, UploadProgress};

/// What came in and was not yet taken by the engine waits here, in pieces of the page's size.
const WAITING: usize = 4;

/// Writes a file piece by piece; tells how much the engine has taken, and ends when the file is there.
pub(crate) async fn upload(
    app: &App,
    upload: FileUpload,
    pieces: BoxStream<'static, UploadPiece>,
) -> Result<BoxStream<'static, Result<UploadProgress, Problem>>, Problem> {
    let engine = app.engine().await?;
    let (sender, content) = futures::channel::mpsc::channel::<io::Result<Bytes>>(WAITING);
    let path = upload.file.name.clone();
    let click = clicked::upload(app, &upload.file).await;
    let writes = tokio::spawn(async move {
        let file = new_file(&upload.file, 0o644);
        engine
            .write_file(&upload.file.container, &file, upload.size, content)
            .await
    });
    let state = Uploading {
        pieces,
        sender: Some(sender),
        writes: Some(writes),
        written: 0,
        size: upload.size,
        path,
        app: app.clone(),
        click: Some(click),
    };
    Ok(stream::unfold(state, |mut state| async move {
        let progress = state.next().await?;
        state.keep(progress.as_ref());
        Some((progress, state))
    })
    .boxed())
}

struct Uploading {
    pieces: BoxStream<'static, UploadPiece>,
    sender: Option<futures::channel::mpsc::Sender<io::Result<Bytes>>>,
    writes: Option<tokio::task::JoinHandle<Result<(), wherry_engine::Error>>>,
    written: u64,
    size: u64,
    path: String,
    app: App,
    /// Until it has ended.
    click: Option<Click>,
}

impl Uploading {
    /// For "What I clicked", once it has ended.
    fn keep(&mut self, progress: Result<&UploadProgress, &Problem>) {
        if self.writes.is_none()
            && let Some(click) = self.click.take()
        {
            self.app.parts.clicked.add(&self.app, click, progress.err(), None);
        }
    }

    async fn next(&mut self) -> Option<Result<UploadProgress, Problem>> {
        let writes = self.writes.as_mut()?;
        while self.written < self.size
            && let Some(sender) = &mut self.sender
        {
            let piece = tokio::select! {
                // The engine refused, or cannot go on.
                ended = &mut *writes => {
                    self.writes = None;
                    return Some(Err(self.ended(ended)));
                }
                piece = self.pieces.next() => piece,
            };
            // A page that leaves in the middle must not make half a file look whole.
            let bytes = match piece.map(|piece| base64::engine::general_purpose::STANDARD.decode(piece.data)) {
                Some(Ok(bytes)) if self.written + bytes.len() as u64 <= self.size => bytes,
                Some(Ok(_) | Err(_)) | None => {
                    let _ = sender.send(Err(io::ErrorKind::UnexpectedEof.into())).await;
                    break;
                }
            };
            self.written += bytes.len() as u64;
            if sender.send(Ok(bytes.into())).await.is_ok() && self.written < self.size {
                return Some(Ok(UploadProgress { written: self.written }));
            }
        }
        self.sender = None;
        let ended = self.writes.take()?.await;
        match ended {
            Ok(Ok(())) => Some(Ok(UploadProgress { written: self.written })),
            ended => Some(Err(self.ended(ended))),
        }
    }

    fn ended(&self, ended: Result<Result<(), wherry_engine::Error>, tokio::task::JoinError>) -> Problem {
        match ended {
            Ok(Err(error)) => about("write", &self.path, error),
            Ok(Ok(())) | Err(_) => Problem::plain(crate::Code::Other, format!("Could not write {}", self.path)),
        }
    }
}
