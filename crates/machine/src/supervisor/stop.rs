//! The end of a machine, and of what is on its disk.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use wherry_link::HostRequest;

use super::refusals::tell_called_off;
use super::{Command, Event, PROCESS_ENDS_WITH_LINK, Phase, Reply, Source, Task, Then};
use crate::boot::Live;
use crate::record::Record;
use crate::spec::{self, Host};
use crate::{Failure, FailureCode, SpecChange, State, disk, shares};

/// Containers have ten seconds each to stop, at the same time; then the engine and the disks. Under emulation and
/// load all of it takes longer.
const POWER_OFF: Duration = Duration::from_secs(90);
/// How long the guest may take to say that it has heard it.
const POWER_OFF_HEARD: Duration = Duration::from_secs(10);
/// A machine that lost the server of its folders so soon after the last time is not restarted by itself.
const MENDED_LATELY: Duration = Duration::from_mins(10);

impl Task {
    pub(super) fn stop(&mut self, reply: Option<Reply>, then: Option<Then>) {
        match std::mem::replace(&mut self.phase, Phase::Stopped) {
            // Its containers are to end in order, which they can only when it goes on.
            suspended @ Phase::Suspended { .. } => {
                self.phase = suspended;
                self.wake(reply.into_iter().map(|reply| Command::Stop { reply }).collect());
            }
            Phase::Suspending {
                socket,
                waiters,
                mut deferred,
            } => {
                deferred.extend(reply.map(|reply| Command::Stop { reply }));
                self.phase = Phase::Suspending {
                    socket,
                    waiters,
                    deferred,
                };
            }
            Phase::Starting {
                call_off,
                waiters,
                from: Source::Saved,
                mut deferred,
            } => {
                deferred.extend(reply.map(|reply| Command::Stop { reply }));
                self.phase = Phase::Starting {
                    call_off,
                    waiters,
                    from: Source::Saved,
                    deferred,
                };
            }
            Phase::Stopped => {
                if let Some(reply) = reply {
                    let _ = reply.send(Ok(()));
                }
            }
            Phase::Failed => {
                self.change(|status| status.state = State::Stopped);
                if let Some(reply) = reply {
                    let _ = reply.send(Ok(()));
                }
            }
            Phase::Starting {
                call_off,
                waiters,
                deferred,
                from: Source::Nothing | Source::Running,
            } => {
                call_off.cancel();
                tell_called_off(
                    waiters
                        .into_iter()
                        .chain(deferred.into_iter().filter_map(Command::reply)),
                );
                self.phase = Phase::Stopping {
                    waiters: reply.into_iter().collect(),
                    then,
                };
                self.change(|status| status.state = State::Stopping);
            }
            Phase::Running(mut up) => {
                let run_again = then.as_ref().is_some_and(|then| then.mends);
                // New clients are to find nobody from now on; those that are there see the engine stop.
                up.live.socket = None;
                let (home, events) = (self.context.home.clone(), self.events.clone());
                tokio::spawn(async move {
                    let note = shut_down(&up.live, run_again).await;
                    up.live.forwards.release_all().await;
                    if let Err(error) = Record::remove(&home) {
                        tracing::warn!(%error, "the machine's record stays");
                    }
                    drop(up);
                    let _ = events.send(Event::Stopped { note }).await;
                });
                self.phase = Phase::Stopping {
                    waiters: reply.into_iter().collect(),
                    then,
                };
                self.change(|status| status.state = State::Stopping);
            }
            Phase::Stopping {
                mut waiters,
                then: before,
            } => {
                waiters.extend(reply);
                // The last word counts: a stop after a start that was still to come calls that off.
                let then = match (before, then) {
                    (Some(before), None) => {
                        tell_called_off(before.waiters);
                        None
                    }
                    (Some(before), Some(mut then)) => {
                        then.waiters.extend(before.waiters);
                        then.change = before.change;
                        then.mends |= before.mends;
                        Some(then)
                    }
                    (None, then) => then,
                };
                self.phase = Phase::Stopping { waiters, then };
            }
        }
    }

    pub(super) fn stopped(&mut self, note: Option<String>, waiters: Vec<Reply>, then: Option<Then>) {
        tracing::info!("the machine is stopped");
        self.phase = Phase::Stopped;
        let kept = self.kept_spec();
        let why = self.note_when_stopped.take();
        self.change(|status| {
            status.state = State::Stopped;
            status.spec = kept;
            status.steps.clear();
            status.forwards.clear();
            status.network = None;
            status.notes = note.iter().cloned().chain(why).collect();
        });
        for waiter in waiters {
            let _ = waiter.send(Ok(()));
        }
        if let Some(Then { change, waiters, mends }) = then {
            let mut waiters = waiters.into_iter();
            if let Some(first) = waiters.next() {
                self.start(&change, first);
                for waiter in waiters {
                    self.start(&SpecChange::default(), waiter);
                }
            }
            if mends {
                self.change(|status| {
                    shares::note(&mut status.notes, shares::MENDED);
                    status.notes.extend(note);
                });
            }
        }
    }

    /// Restarts a machine that runs and whose file server is gone for good: nothing else gives its containers their
    /// folders back. What goes wrong again soon is left to the person.
    pub(super) fn mend(&mut self, mut waiters: Vec<Reply>) {
        let lately = self.mended.is_some_and(|mended| mended.elapsed() < MENDED_LATELY);
        let is_kept = shares::is_kept(&self.context.home);
        tracing::error!(lately, is_kept, "the server of the shared folders is gone");
        if lately || is_kept {
            self.change(|status| shares::note(&mut status.notes, shares::GONE));
            for waiter in waiters {
                let _ = waiter.send(Ok(()));
            }
            return;
        }
        self.mended = Some(Instant::now());
        if waiters.is_empty() {
            // It starts for whoever waits; now nobody does.
            let (nobody, _) = oneshot::channel();
            waiters.push(nobody);
        }
        let then = Then {
            change: SpecChange::default(),
            waiters,
            mends: true,
        };
        self.stop(None, Some(then));
        self.change(|status| shares::note(&mut status.notes, shares::MENDING));
    }

    pub(super) fn reset_spec(&mut self) -> Result<(), Failure> {
        let spec = spec::first(Host::read(), disk::length(&self.context.home.data_disk()));
        spec::save(&self.context.home, &spec).map_err(|error| Failure {
            code: FailureCode::Io,
            step: None,
            message: "Could not save the machine's size".into(),
            causes: vec![error.to_string()],
            hint: "See whether the disk is full or the file belongs to somebody else.".into(),
            console: Vec::new(),
        })?;
        match self.phase {
            Phase::Stopped | Phase::Failed => self.change(|status| status.spec = spec),
            Phase::Starting { .. }
            | Phase::Running(_)
            | Phase::Suspending { .. }
            | Phase::Suspended { .. }
            | Phase::Stopping { .. } => self.say_later(&spec),
        }
        Ok(())
    }

    pub(super) fn erase(&mut self) -> Result<(), Failure> {
        let failure = |message: &str, cause: String, hint: &str| Failure {
            code: FailureCode::Io,
            step: None,
            message: message.into(),
            causes: vec![cause],
            hint: hint.into(),
            console: Vec::new(),
        };
        match self.phase {
            Phase::Stopped | Phase::Failed => {}
            Phase::Starting { .. }
            | Phase::Running(_)
            | Phase::Suspending { .. }
            | Phase::Suspended { .. }
            | Phase::Stopping { .. } => {
                return Err(failure(
                    "The data disk is in use",
                    "The machine was started in the meantime.".into(),
                    "Nothing was removed. Try it again.",
                ));
            }
        }
        disk::remove(&self.context.home).map_err(|error| {
            failure(
                "Could not remove the data disk",
                error.to_string(),
                "See to whom that file belongs.",
            )
        })?;
        self.phase = Phase::Stopped;
        self.change(|status| {
            status.state = State::Stopped;
            status.notes.clear();
        });
        Ok(())
    }
}

/// Powers the machine off in order, or ends its process when it does not go by itself.
pub(super) async fn shut_down(live: &Live, run_again: bool) -> Option<String> {
    let request = HostRequest::PowerOff { run_again };
    let asked = timeout(POWER_OFF_HEARD, live.session.ask::<_, ()>(&request)).await;
    let why = match asked {
        Ok(Ok(_)) => match timeout(POWER_OFF, live.process.ended()).await {
            Ok(()) => return None,
            Err(_) => format!("it had not powered off after {} s", POWER_OFF.as_secs()),
        },
        Ok(Err(error)) => {
            // It may be gone already, which is what was wanted.
            if timeout(PROCESS_ENDS_WITH_LINK, live.process.ended()).await.is_ok() {
                return None;
            }
            error.to_string()
        }
        Err(_) => "it did not hear the request to power off".to_owned(),
    };
    tracing::warn!(why, "the machine's process is ended");
    live.process.kill().await;
    Some(format!(
        "The machine was ended without an orderly power-off: {why}. Its disk is checked at the next start."
    ))
}
