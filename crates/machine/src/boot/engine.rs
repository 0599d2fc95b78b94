//! Everything from the guest's first word on, until the engine answers.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use wherry_link::{Error as LinkError, HostRequest, Publication, Report, Session, Stage};

use super::failures::{io_failure, link_cause};
use super::{Boot, HELLO, Live, Met, Progress, lost_files};
use crate::forward::Forwards;
use crate::process::Process;
use crate::record::{Ready, Record};
use crate::shares::{self, Files};
use crate::socket::EngineSocket;
use crate::{Failure, Step, clock, disk, network};

/// Checking and repairing a large disk after a crash takes minutes.
const DATA: Duration = Duration::from_mins(20);
/// containerd and dockerd, with many containers to take up, on a busy computer without hardware virtualization.
const ENGINE: Duration = Duration::from_mins(5);

impl Boot<'_> {
    /// Everything from the guest's first word on; the same for a machine that was taken up.
    pub(super) async fn bring_up_engine(
        &self,
        met: Met,
        told: network::Seen,
        socket: Option<EngineSocket>,
    ) -> Result<Live, Failure> {
        let Met {
            process,
            session,
            incoming,
            hello,
            mut record,
            files,
        } = met;
        let taken_up = record.ready.is_some();
        let forwards = Forwards::new(session.clone());
        tokio::spawn({
            let forwards = forwards.clone();
            async move { forwards.serve(incoming).await }
        });
        self.tell(Progress::Begin(Step::Data)).await;
        let (files, said) = files.unzip();
        let folders = self.context.settings.get().folders;
        self.share(files.as_ref(), &record, &session).await;
        if let (Some(files), Some(said)) = (&files, said) {
            shares::follow(files, said, &session);
        }
        let mut reports = match watch_reports(&session).await {
            Ok(reports) => reports,
            Err(error) => return Err(self.no_exchange(&session, &error).await),
        };

        let data = self.report(&mut reports, &process, Step::Data, DATA, |stage| match stage {
            Stage::Disk => false,
            Stage::Engine
            | Stage::Ready { .. }
            | Stage::EngineDied { .. }
            | Stage::Failed { .. }
            | Stage::PoweringOff => true,
        });
        let report = data.await?;
        disk::formatted(&self.home().data_disk())
            .map_err(|error| io_failure(Step::Data, "Could not note that the data disk is formatted", &error))?;
        self.tell(Progress::Done {
            detail: report.notes.first().cloned(),
        })
        .await;

        self.tell(Progress::Begin(Step::Engine)).await;
        let ready = self.report(&mut reports, &process, Step::Engine, ENGINE, |stage| match stage {
            // An engine that died is being started again by the agent, which says so when it gives up.
            Stage::Disk | Stage::Engine | Stage::EngineDied { .. } => false,
            Stage::Ready { .. } | Stage::Failed { .. } | Stage::PoweringOff => true,
        });
        let report = ready.await?;
        let detail = match &report.stage {
            Stage::Ready { engine, api } => Some(format!("Docker {engine}, API {api}.")),
            Stage::Disk | Stage::Engine | Stage::EngineDied { .. } | Stage::Failed { .. } | Stage::PoweringOff => None,
        };
        self.tell(Progress::Done { detail }).await;

        self.tell(Progress::Begin(Step::Connect)).await;
        // The guest of a machine that was just started asks for its ports by itself.
        if taken_up {
            let asked = timeout(HELLO, session.ask::<_, Vec<Publication>>(&HostRequest::Publications)).await;
            match asked {
                Ok(Ok((publications, _))) => {
                    for publication in publications {
                        forwards.keep(publication).await;
                    }
                }
                Ok(Err(error)) => return Err(self.silence(vec![link_cause(&error)])),
                Err(_) => return Err(self.silence(vec!["It did not say which ports are published".into()])),
            }
        }
        // Changes made during a start are not asked for again once the machine runs.
        if self.context.settings.get().folders != folders {
            self.share(files.as_ref(), &record, &session).await;
        }
        self.tell(Progress::Forwards).await;
        let socket = match socket {
            Some(socket) => socket,
            None => self
                .context
                .open_socket()
                .map_err(|error| io_failure(Step::Connect, "Could not open the engine's socket", &error))?,
        };
        socket.lead_to(session.clone());
        record.ready.get_or_insert(Ready {
            since_millis: clock::unix_millis(),
            in_millis: clock::millis(self.began.elapsed()),
        });
        record
            .write(self.home())
            .map_err(|error| io_failure(Step::Connect, "Could not note the machine's process", &error))?;
        self.tell(Progress::Done {
            detail: Some(format!("The engine's socket is {}.", self.home().socket().display())),
        })
        .await;
        Ok(Live {
            process,
            session,
            hello,
            forwards,
            reports,
            record,
            told,
            socket: Some(socket),
            files,
        })
    }

    /// Waits until the guest reports a stage that this is for.
    pub(super) async fn report(
        &self,
        reports: &mut watch::Receiver<Option<Report>>,
        process: &Process,
        step: Step,
        within: Duration,
        reached: impl Fn(&Stage) -> bool,
    ) -> Result<Report, Failure> {
        let arrived = reports.wait_for(|report| report.as_ref().is_some_and(|report| reached(&report.stage)));
        let report = tokio::select! {
            arrived = timeout(within, arrived) => match arrived {
                Ok(Ok(report)) => report.clone(),
                // The link ended: with the process, or the guest went down.
                Ok(Err(_)) => return Err(self.died(step)),
                Err(_) => return Err(self.too_long(step, within)),
            },
            () = process.ended() => return Err(self.died(step)),
        };
        match report {
            Some(Report {
                stage: Stage::Failed { cause },
                ..
            }) => Err(self.guest_failure(step, cause)),
            Some(Report {
                stage: Stage::PoweringOff,
                ..
            })
            | None => Err(self.died(step)),
            Some(report) => Ok(report),
        }
    }

    async fn share(&self, files: Option<&Files>, record: &Record, session: &Session) {
        // Whoever looks at them then waits for ever, the guest's agent too.
        if lost_files(record, files.is_some()) {
            return;
        }
        let own = record.own_folders.as_deref();
        for note in shares::share(self.home(), &self.context.settings, files, own, session).await {
            self.tell(Progress::Note(note)).await;
        }
    }
}

/// Follows the guest's reports. The receiver sees the end of the sender when the link ends.
pub(super) async fn watch_reports(session: &Session) -> Result<watch::Receiver<Option<Report>>, LinkError> {
    let asked = timeout(HELLO, session.ask::<_, ()>(&HostRequest::Watch)).await;
    let ((), mut stream) = asked.map_err(|_| LinkError::NoAnswer { after: HELLO })??;
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                report = stream.read_message::<Report>() => match report {
                    Ok(Some(report)) => {
                        tracing::info!(?report, "the guest reports");
                        sender.send_replace(Some(report));
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::debug!(%error, "no more reports");
                        return;
                    }
                },
                () = sender.closed() => return,
            }
        }
    });
    Ok(receiver)
}
