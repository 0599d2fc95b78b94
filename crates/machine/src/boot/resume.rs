//! Going on from the saved memory.

use std::io;

use super::failures::{io_failure, link_cause};
use super::linux::put_aside;
use super::{Boot, Met, Partial, Progress, TAKE_UP, connect, fingerprint};
use crate::backend::{Begin, Folders};
use crate::qmp::Qmp;
use crate::record::Record;
use crate::saved::{self, Saved};
use crate::{Failure, Step, shares, suspend, system};

/// Why a machine did not go on from its saved memory.
pub(super) enum NotResumed {
    /// It is not the memory's fault; another attempt may do.
    Failed(Failure),
    Unusable {
        why: String,
    },
    /// The memory was given to a machine that did not go on with it.
    Lost {
        why: String,
    },
}

impl From<Failure> for NotResumed {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Boot<'_> {
    /// Goes on from the saved memory.
    pub(super) async fn resume(&self, saved: &Saved, partial: &mut Partial) -> Result<Met, NotResumed> {
        self.tell(Progress::Begin(Step::Check)).await;
        let backend = (self.context.find_backend)()?;
        let facts = backend.facts();
        let had_files = saved.fingerprint == fingerprint(&facts, true);
        if let Some(why) = saved.misfit(self.home(), &fingerprint(&facts, had_files)) {
            return Err(NotResumed::Unusable { why });
        }
        self.tell(Progress::Done {
            detail: Some("What the machine has in memory fits.".into()),
        })
        .await;
        if let Some(warning) = saved.network.warning() {
            self.tell(Progress::Note(warning)).await;
        }

        self.tell(Progress::Begin(Step::Linux)).await;
        put_aside(&self.home().process_log());
        // A machine goes on with the devices that it has.
        let files = if had_files {
            let did_not_start = |error: Option<io::Error>| {
                let why = error.map_or(String::new(), |error| format!(" ({error})"));
                let why = format!("the server of the shared folders, which it uses, did not start{why}");
                NotResumed::Unusable { why }
            };
            let served = self.serve_files(&*backend, partial).await;
            let files = served.map_err(|error| did_not_start(Some(error)))?;
            Some(files.ok_or_else(|| did_not_start(None))?)
        } else {
            None
        };
        if let Some((files, _)) = &files {
            // Before the memory comes, which holds what the guest has open of them.
            shares::show(self.home(), &self.context.settings, files).await;
        }
        let folders = Folders::of(files.is_some(), saved.own_folders.as_deref());
        let (spec, network, begin) = (&saved.spec, &saved.network, Begin::Memory);
        let launch = backend.launch(self.home(), spec, network, &saved.accelerator, folders, begin);
        let process = self.spawn(&launch)?;
        partial.process = Some(process.clone());
        let record = Record {
            pid: process.pid,
            process_started: process.started,
            host_boot: system::boot_id(),
            spec: saved.spec.clone(),
            backend: saved.backend.clone(),
            accelerator: saved.accelerator.clone(),
            fingerprint: saved.fingerprint.clone(),
            network: saved.network.clone(),
            own_folders: saved.own_folders.clone(),
            ready: saved.ready,
        };
        record
            .write(self.home())
            .map_err(|error| io_failure(Step::Linux, "Could not note the machine's process", &error))?;
        // Read as a whole while QEMU reads it too; nothing takes a step before both are through.
        let verified = tokio::task::spawn_blocking({
            let (saved, home) = (saved.clone(), self.home().clone());
            move || saved.verify(&home)
        });
        let unusable = |why: String| NotResumed::Unusable { why };
        let stream = connect(&launch.link, &process)
            .await
            .map_err(|error| unusable(self.last_words(&error.to_string())))?;
        let monitor = connect(&self.home().qmp(), &process)
            .await
            .map_err(|error| unusable(self.last_words(&error.to_string())))?;
        let loaded = async {
            let mut qmp = Qmp::over(monitor).await?;
            suspend::load(self.home(), &mut qmp).await?;
            Ok(qmp)
        };
        let loaded = loaded.await;
        // What is wrong with the file says more than what QEMU makes of it.
        if let Some(why) = verified.await.unwrap_or_else(|error| Some(error.to_string())) {
            return Err(unusable(why));
        }
        let mut qmp = loaded.map_err(|error| unusable(self.last_words(&suspend::causes(&error))))?;
        Saved::spend(self.home()).map_err(|error| unusable(error.to_string()))?;

        let lost = |why: String| NotResumed::Lost { why };
        suspend::go_on(&mut qmp)
            .await
            .map_err(|error| lost(suspend::causes(&error)))?;
        drop(qmp);
        let (session, incoming) = tokio::select! {
            met = self.meet(stream, TAKE_UP) => met.map_err(|error| lost(link_cause(&error)))?,
            () = process.ended() => return Err(lost(self.last_words("its process ended"))),
        };
        partial.session = Some(session.clone());
        let hello = self
            .greet(&session, &process)
            .await
            .map_err(|failure| lost(failure.message))?;
        saved::clear_leftovers(self.home());
        let detail = format!("Went on where it was, with {} MiB of memory.", saved.memory.bytes >> 20);
        self.tell(Progress::Done { detail: Some(detail) }).await;
        Ok(Met {
            process,
            session,
            incoming,
            hello,
            record,
            files,
        })
    }
}
