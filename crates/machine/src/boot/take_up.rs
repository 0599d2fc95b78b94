//! Reaching the machine that a daemon before us left running.

use super::failures::link_cause;
use super::{Boot, Ended, Met, Partial, Progress, TAKE_UP, WITH_FOLDERS, connect};
use crate::process::Process;
use crate::record::Record;
use crate::shares;
use crate::suspend::{self, Standing};
use crate::{Failure, FailureCode, Step, host_disk, tail};

impl Boot<'_> {
    /// Reaches the machine that a daemon before us left running.
    pub(super) async fn take_up(&self, record: Record, partial: &mut Partial) -> Result<Met, Ended> {
        self.tell(Progress::Begin(Step::Linux)).await;
        let gone = || Failure {
            code: FailureCode::Died,
            step: Some(Step::Linux),
            message: format!("The machine's process {} has ended", record.pid),
            causes: tail::last_lines(&self.home().process_log(), 3),
            hint: "Start the machine again.".into(),
            console: self.console(),
        };
        let process = Process::take_up(&record).ok().flatten().ok_or_else(gone)?;
        partial.process = Some(process.clone());
        let silent = |cause: String| Failure {
            code: FailureCode::NoAnswer,
            step: Some(Step::Linux),
            message: format!("The machine in process {} did not answer", record.pid),
            causes: vec![cause],
            hint: "Start the machine again.".into(),
            console: self.console(),
        };
        match suspend::settle(self.home()).await {
            Ok(Standing::Runs { note }) => {
                if let Some(note) = note {
                    self.tell(Progress::Note(note)).await;
                }
            }
            Ok(Standing::Asleep(saved)) => return Err(Ended::Asleep(saved)),
            // Whether it answers on the link is what counts.
            Err(error) => tracing::warn!(
                error = suspend::causes(&error),
                "the monitor of the machine does not answer"
            ),
        }
        let (session, incoming, hello) = loop {
            let met = async {
                host_disk::until_it_runs(self.home()).await;
                let stream = connect(&self.home().link(), &process)
                    .await
                    .map_err(|error| silent(error.to_string()))?;
                let (session, incoming) = self
                    .meet(stream, TAKE_UP)
                    .await
                    .map_err(|error| silent(link_cause(&error)))?;
                partial.session = Some(session.clone());
                let hello = self.greet(&session, &process).await?;
                Ok::<_, Failure>((session, incoming, hello))
            };
            tokio::select! {
                met = met => break met?,
                // It went on, and its next write found no room either.
                () = host_disk::until_it_stands(self.home()) => {}
                () = process.ended() => return Err(gone().into()),
            }
        };
        self.tell(Progress::Done {
            detail: Some(format!("Found running in process {}.", record.pid)),
        })
        .await;
        let files = if record.fingerprint.ends_with(WITH_FOLDERS) {
            shares::find(self.home()).await
        } else {
            None
        };
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
