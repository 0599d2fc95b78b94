//! Linux, from nothing to its first word.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use wherry_link::Error as LinkError;

use super::failures::{io_failure, link_cause, started_again};
use super::{Boot, Met, Partial, Progress, connect, fingerprint};
use crate::accelerator::{self, Failures};
use crate::backend::{Attempt, Backend, Begin, Facts, Folders, Launch};
use crate::process::Process;
use crate::record::Record;
use crate::saved::{self, Found, Saved};
use crate::shares::{self, Files, Said};
use crate::subnet::Plan;
use crate::system::Makes;
use crate::{Failure, FailureCode, Spec, Step, disk, spec, system, tail};

/// How long a backend may take to say whether it serves folders itself.
const SERVES_FOLDERS: Duration = Duration::from_secs(5);

/// Why one attempt to bring up Linux did not end well.
pub(super) enum Silence {
    /// It may be the accelerator's fault: the guest said nothing, or the process ended before it did.
    NoSign { why: String, failure: Failure },
    /// It is not.
    Other(Failure),
}

impl Boot<'_> {
    pub(super) async fn bring_up(&self, spec: &Spec, partial: &mut Partial) -> Result<Met, Failure> {
        self.tell(Progress::Begin(Step::Check)).await;
        // A machine that starts anew writes to the data disk, and saved memory does not go with it after that.
        let unusable = match Saved::find(self.home()) {
            Found::Nothing => None,
            Found::Memory(_) => Some("it was to start anew".to_owned()),
            Found::Unusable(why) => Some(why),
        };
        if let Some(why) = unusable {
            let note = saved::set_aside(self.home(), &why);
            self.tell(Progress::Note(note)).await;
        }
        saved::clear_leftovers(self.home());
        let backend = (self.context.find_backend)()?;
        disk::check_room(self.home().root())?;
        let facts = backend.facts();
        let attempts = backend.attempts(spec.accelerator);
        self.tell(Progress::Done {
            detail: Some("Everything the machine needs is there.".into()),
        })
        .await;

        self.tell(Progress::Begin(Step::Disk)).await;
        self.home()
            .create()
            .map_err(|error| io_failure(Step::Disk, "Could not make the machine's folders", &error))?;
        spec::save(self.home(), spec)
            .map_err(|error| io_failure(Step::Disk, "Could not keep the machine's settings", &error))?;
        let (network, note) = self.plan_network().await?;
        if let Some(note) = note {
            self.tell(Progress::Note(note)).await;
        }
        let detail = {
            let (backend, home, spec) = (Arc::clone(&backend), self.home().clone(), spec.clone());
            tokio::task::spawn_blocking(move || backend.prepare(&home, &spec))
                .await
                .map_err(|error| {
                    io_failure(Step::Disk, "Could not prepare the data disk", &io::Error::other(error))
                })??
        };
        self.tell(Progress::Done { detail: Some(detail) }).await;

        self.tell(Progress::Begin(Step::Linux)).await;
        put_aside(&self.home().console_log());
        if let Some(note) = attempts.note {
            self.tell(Progress::Note(note)).await;
        }
        let mut failures = Failures::load(self.home(), &facts.fingerprint);
        let last = attempts.attempts.len().saturating_sub(1);
        for (index, attempt) in attempts.attempts.iter().enumerate() {
            if let Some(why) = failures.why(attempt.accelerator).filter(|_| index < last) {
                self.tell(Progress::Note(accelerator::fallback_note(attempt.accelerator, why)))
                    .await;
                continue;
            }
            let plan = (spec, &network);
            let mut outcome = self.attempt(&backend, &facts, plan, *attempt, partial).await;
            // Some of a thousand starts by emulation go wrong by themselves on a busy computer: an assertion of QEMU's own
            // fails, or the guest falls silent (docs/figures.md).
            if let Err(Silence::NoSign { why, failure }) = &outcome
                && !attempt.hardware
            {
                self.tell(Progress::Note(started_again(why, failure))).await;
                partial.kill(self.home()).await;
                outcome = self.attempt(&backend, &facts, plan, *attempt, partial).await;
            }
            match outcome {
                Ok(met) => {
                    let kind = if attempt.hardware {
                        "hardware virtualization"
                    } else {
                        "software emulation"
                    };
                    let detail = format!("Linux {} by {kind} ({}).", met.hello.kernel, attempt.accelerator);
                    self.tell(Progress::Done { detail: Some(detail) }).await;
                    return Ok(met);
                }
                Err(Silence::NoSign { why, failure }) => {
                    partial.kill(self.home()).await;
                    if index == last {
                        let backend = Arc::clone(&backend);
                        let found = tokio::task::spawn_blocking(move || backend.diagnose()).await;
                        return Err(found.ok().and_then(Result::err).unwrap_or(failure));
                    }
                    tracing::warn!(
                        accelerator = attempt.accelerator,
                        why,
                        "the accelerator did not run the machine"
                    );
                    self.tell(Progress::Note(accelerator::fallback_note(attempt.accelerator, &why)))
                        .await;
                    if let Err(error) = failures.remember(self.home(), attempt.accelerator, why) {
                        tracing::warn!(%error, "the accelerator's failure is not remembered");
                    }
                }
                Err(Silence::Other(failure)) => return Err(failure),
            }
        }
        Err(self.silence(Vec::new()))
    }

    /// Looks at this computer's routes.
    pub(super) async fn plan_network(&self) -> Result<(Plan, Option<String>), Failure> {
        let (home, wanted) = (self.home().clone(), self.context.settings.get().subnet);
        let made = tokio::task::spawn_blocking(move || Plan::make(&home, wanted));
        made.await
            .map_err(io::Error::other)
            .flatten()
            .map_err(|error| io_failure(Step::Disk, "Could not keep which networks the machine has", &error))
    }

    pub(super) async fn attempt(
        &self,
        backend: &Arc<dyn Backend>,
        facts: &Facts,
        (spec, network): (&Spec, &Plan),
        attempt: Attempt,
        partial: &mut Partial,
    ) -> Result<Met, Silence> {
        // Whatever this log says is to be about this attempt.
        put_aside(&self.home().process_log());
        let (files, own_folders) = self.find_folders(backend, partial).await;
        let folders = Folders::of(files.is_some(), own_folders.as_deref());
        let launch = backend.launch(self.home(), spec, network, attempt.accelerator, folders, Begin::Boot);
        let process = self.spawn(&launch).map_err(Silence::Other)?;
        partial.process = Some(process.clone());
        let record = Record {
            pid: process.pid,
            process_started: process.started,
            host_boot: system::boot_id(),
            spec: spec.clone(),
            backend: facts.name.into(),
            accelerator: attempt.accelerator.into(),
            fingerprint: fingerprint(facts, files.is_some()),
            network: network.clone(),
            own_folders,
            ready: None,
        };
        record
            .write(self.home())
            .map_err(|error| Silence::Other(io_failure(Step::Linux, "Could not note the machine's process", &error)))?;
        tracing::info!(
            pid = process.pid,
            accelerator = attempt.accelerator,
            "the machine's process runs"
        );

        let ended = || {
            let said = tail::last_lines(&self.home().process_log(), 3);
            tracing::warn!(?said, "the machine's process ended before Linux was up");
            let why = "its process ended before Linux was up".to_owned();
            let failure = Failure {
                code: FailureCode::Died,
                step: Some(Step::Linux),
                message: "The machine's process ended before Linux was up".into(),
                causes: said,
                hint: format!("Its own words are in {}.", self.home().process_log().display()),
                console: self.console(),
            };
            Silence::NoSign { why, failure }
        };
        let stream = tokio::select! {
            stream = connect(&launch.link, &process) => stream.map_err(|error| Silence::NoSign {
                why: error.to_string(),
                failure: self.silence(vec![error.to_string()]),
            })?,
            () = process.ended() => return Err(ended()),
        };
        let met = tokio::select! {
            met = self.meet(stream, attempt.first_word) => met,
            () = process.ended() => return Err(ended()),
        };
        let (session, incoming) = match met {
            Ok(met) => met,
            // The process ends and its sockets with it, in either order.
            Err(LinkError::Closed | LinkError::Io { .. }) => return Err(ended()),
            Err(error) => {
                let why = format!("no sign of life within {} s", attempt.first_word.as_secs());
                return Err(Silence::NoSign {
                    why,
                    failure: self.silence(vec![link_cause(&error)]),
                });
            }
        };
        partial.session = Some(session.clone());
        let hello = self.greet(&session, &process).await.map_err(Silence::Other)?;
        Ok(Met {
            process,
            session,
            incoming,
            hello,
            record,
            files,
        })
    }

    pub(super) fn spawn(&self, launch: &Launch) -> Result<Process, Failure> {
        Process::spawn(
            &launch.program,
            &launch.arguments,
            &self.home().process_log(),
            Makes::PlainFiles,
        )
        .map_err(|error| {
            let message = format!("Could not start {}", launch.program.display());
            Failure {
                message,
                ..io_failure(Step::Linux, "", &error)
            }
        })
    }

    /// Starts the process that serves the person's folders, or else finds those that the machine's own process is to
    /// serve. A machine without folders is still of use, so that one which gets none is a note.
    async fn find_folders(
        &self,
        backend: &Arc<dyn Backend>,
        partial: &mut Partial,
    ) -> (Option<(Files, mpsc::Receiver<Said>)>, Option<Vec<PathBuf>>) {
        let error = match self.serve_files(backend.as_ref(), partial).await {
            Ok(Some(files)) => return (Some(files), None),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        let asked = tokio::task::spawn_blocking({
            let backend = Arc::clone(backend);
            move || backend.serves_folders()
        });
        let serves_itself = matches!(timeout(SERVES_FOLDERS, asked).await, Ok(Ok(true)));
        if let Some(error) = error {
            tracing::warn!(%error, serves_itself, "the server of the shared folders does not run");
            let note = if serves_itself {
                format!("{} Why: {error}.", shares::BY_ITSELF)
            } else {
                format!("No folder of this computer is shared with the machine: {error}")
            };
            self.tell(Progress::Note(note)).await;
        }
        let own_folders = serves_itself.then(|| shares::sources(self.home(), &self.context.settings.get().folders));
        (None, own_folders)
    }

    /// Starts the process that serves the person's folders, where there is one.
    pub(super) async fn serve_files(
        &self,
        backend: &dyn Backend,
        partial: &mut Partial,
    ) -> io::Result<Option<(Files, mpsc::Receiver<Said>)>> {
        let Some(launch) = backend.files(self.home()) else {
            return Ok(None);
        };
        put_aside(&self.home().files_log());
        // Whoever still answers there is the server of the machine before.
        let _ = fs_err::remove_file(&launch.control);
        let started = async {
            let process = Process::spawn(
                &launch.program,
                &launch.arguments,
                &self.home().files_log(),
                Makes::Anything,
            )?;
            partial.files = Some(process.clone());
            // It ends with the machine, when nobody asks after it any more, and has to be reaped.
            let watched = process.clone();
            tokio::spawn(async move { watched.ended().await });
            tokio::select! {
                connected = Files::connect(&launch.control) => connected,
                () = process.ended() => {
                    let said = tail::last_lines(&self.home().files_log(), 1).concat();
                    Err(io::Error::other(format!("its server ended: {said}")))
                }
            }
        };
        started.await.map(Some)
    }
}

/// What a log says of the run before stays beside the new one.
pub(super) fn put_aside(log: &Path) {
    match fs_err::rename(log, log.with_extension("log.1")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::warn!(%error, "an old log stays"),
        Ok(()) | Err(_) => {}
    }
}
