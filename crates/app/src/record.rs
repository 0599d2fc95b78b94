//! The last hour of the engine in use is kept while Wherry runs, whether a window is open or not.

use std::path::PathBuf;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wherry_engine::Recorder;

use crate::engines::Current;

pub(crate) fn begin(
    current: watch::Receiver<Option<Current>>,
    folder: PathBuf,
    end: &CancellationToken,
) -> watch::Receiver<Option<Recorder>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(end.clone().run_until_cancelled_owned(follow(current, folder, sender)));
    receiver
}

async fn follow(
    mut current: watch::Receiver<Option<Current>>,
    folder: PathBuf,
    recorder: watch::Sender<Option<Recorder>>,
) {
    loop {
        let used = current
            .borrow_and_update()
            .as_ref()
            .and_then(|current| current.used.clone());
        recorder.send_if_modified(|recorder| {
            let engine = used.map(|used| used.engine);
            let is_same = match (&*recorder, &engine) {
                (Some(recorder), Some(engine)) => recorder.engine().is(engine),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            if !is_same {
                *recorder = engine.map(|engine| {
                    let name = engine
                        .address()
                        .to_string()
                        .replace(|sign: char| !sign.is_ascii_alphanumeric(), "-");
                    engine.keep_last_use(&folder.join(format!("{name}.json")));
                    Recorder::begin(engine)
                });
            }
            !is_same
        });
        if current.changed().await.is_err() {
            return;
        }
    }
}
