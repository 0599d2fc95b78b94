//! Into a file and out of it.

use super::refusals::not_now;
use super::{Command, Event, Phase, Reply, Task, Up};
use crate::boot::Origin;
use crate::cost::Cost;
use crate::record::Record;
use crate::saved::Saved;
use crate::socket::EngineSocket;
use crate::suspend::{self, NotSaved};
use crate::{Failure, State};

impl Task {
    /// With a reply somebody asked for it; otherwise it has been idle and is to wake by itself.
    pub(super) fn suspend(&mut self, reply: Option<Reply>) {
        let refuse = |reply: Option<Reply>, why: &str, hint: &str| {
            if let Some(reply) = reply {
                let _ = reply.send(Err(not_now(why, hint)));
            }
        };
        match std::mem::replace(&mut self.phase, Phase::Stopped) {
            Phase::Running(mut up) => {
                let wakes = reply.is_none();
                let socket = up.live.socket.take();
                if let Some(socket) = &socket {
                    socket.hold();
                }
                tracing::info!(wakes, "the machine is being suspended");
                let (home, events) = (self.context.home.clone(), self.events.clone());
                let settings = self.context.settings.clone();
                let doze = self.context.doze.clone();
                tokio::spawn(async move {
                    let pid = up.live.process.pid;
                    let memory = tokio::task::spawn_blocking(move || Cost::of(pid)).await.ok().flatten();
                    let memory = memory.map_or(0, |usage| usage.memory);
                    let _held = doze.hold().await;
                    let outcome = suspend::save(&home, &settings, &up.live, wakes, memory).await;
                    if outcome.is_ok()
                        && let Err(error) = Record::remove(&home)
                    {
                        tracing::warn!(%error, "the machine's record stays");
                    }
                    let _ = events.send(Event::Suspended(Box::new((up, outcome)))).await;
                });
                self.phase = Phase::Suspending {
                    socket,
                    waiters: reply.into_iter().collect(),
                    deferred: Vec::new(),
                };
                self.change(|status| status.state = State::Suspending);
            }
            Phase::Suspending {
                socket,
                mut waiters,
                deferred,
            } => {
                waiters.extend(reply);
                self.phase = Phase::Suspending {
                    socket,
                    waiters,
                    deferred,
                };
            }
            Phase::Suspended { saved, socket } => {
                // Who says so wants it to rest until it is started.
                let socket = socket.filter(|_| reply.is_none());
                self.asleep(saved, socket);
                if let Some(reply) = reply {
                    let _ = reply.send(Ok(()));
                }
            }
            Phase::Starting {
                call_off,
                waiters,
                from,
                deferred,
            } => {
                self.phase = Phase::Starting {
                    call_off,
                    waiters,
                    from,
                    deferred,
                };
                refuse(reply, "It is starting", "Suspend it once it runs.");
            }
            Phase::Stopping { waiters, then } => {
                self.phase = Phase::Stopping { waiters, then };
                refuse(reply, "It is stopping", "There is nothing to do.");
            }
            Phase::Stopped => refuse(reply, "It is not running", "Start it first (wherry start)."),
            Phase::Failed => {
                self.phase = Phase::Failed;
                refuse(reply, "It is not running", "Start it first (wherry start).");
            }
        }
    }

    /// What becomes of it when suspending it has ended, in one way or the other.
    pub(super) fn suspended(
        &mut self,
        mut up: Box<Up>,
        outcome: Result<Saved, NotSaved>,
        socket: Option<EngineSocket>,
        waiters: Vec<Reply>,
        deferred: Vec<Command>,
    ) {
        let answer = |waiters: Vec<Reply>, outcome: Result<(), Failure>| {
            for waiter in waiters {
                let _ = waiter.send(outcome.clone());
            }
        };
        match outcome {
            Ok(saved) => {
                tracing::info!(bytes = saved.memory.bytes, "the machine is suspended");
                drop(up);
                let socket = socket.filter(|_| saved.wakes);
                self.asleep(Box::new(saved), socket);
                answer(waiters, Ok(()));
            }
            Err(NotSaved::Never { why }) => {
                tracing::warn!(why, "the machine cannot be suspended");
                self.goes_on(up, socket);
                if !waiters.is_empty() {
                    self.note_when_stopped = Some(format!("The machine was stopped instead of suspended: {why}."));
                    for waiter in waiters {
                        self.stop(Some(waiter), None);
                    }
                }
            }
            Err(NotSaved::GoesOn(failure)) => {
                tracing::warn!(message = failure.message, causes = ?failure.causes, "the machine goes on");
                self.goes_on(up, socket);
                answer(waiters, Err(failure));
            }
            Err(NotSaved::LetGo(failure)) => {
                tracing::warn!(message = failure.message, causes = ?failure.causes, "the machine is taken up again");
                up.live.socket = None;
                let record = up.live.record.clone();
                drop(up);
                self.begin_with(Origin::Running { record }, socket, Vec::new());
                let note = format!("{}: {}.", failure.message, failure.causes.join("; "));
                self.change(|status| status.notes.push(note));
                answer(waiters, Err(failure));
            }
        }
        for command in deferred {
            self.command(command);
        }
    }

    /// It was not touched; its watchers may have said something meanwhile that was not heard.
    pub(super) fn goes_on(&mut self, mut up: Box<Up>, socket: Option<EngineSocket>) {
        if let Some(socket) = &socket {
            socket.lead_to(up.live.session.clone());
        }
        up.live.socket = socket;
        up.watch(&self.context, &self.events);
        let running = up.running();
        let report = up.live.reports.borrow().clone();
        self.change(|status| status.state = State::Running { running });
        match report {
            Some(report) => self.reported(up, report),
            None => self.phase = Phase::Running(up),
        }
    }

    /// From here on the machine is in the file.
    pub(super) fn asleep(&mut self, mut saved: Box<Saved>, socket: Option<EngineSocket>) {
        let socket = match socket {
            None if saved.wakes => match self.context.open_socket() {
                Ok(socket) => Some(socket),
                Err(error) => {
                    tracing::warn!(%error, "nobody can wake the machine through its socket");
                    None
                }
            },
            socket => socket,
        };
        saved.wakes = socket.is_some();
        let (since_millis, wakes, spec) = (saved.since_millis, saved.wakes, saved.spec.clone());
        self.phase = Phase::Suspended { saved, socket };
        self.change(|status| {
            status.state = State::Suspended { since_millis, wakes };
            status.spec = spec;
            status.steps.clear();
            status.forwards.clear();
        });
    }
}
