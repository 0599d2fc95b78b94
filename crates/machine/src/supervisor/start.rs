//! From a command to a machine that runs.

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::refusals::called_off;
use super::watching::{is_idle, until_it_answers};
use super::{Command, Event, Phase, Reply, Source, Task, Then, Up};
use crate::boot::{self, Ended, Live, Origin, Progress};
use crate::saved::{Found, Saved};
use crate::socket::EngineSocket;
use crate::spec::{self, Host};
use crate::{Spec, SpecChange, State, Step, StepReport, clock, disk};

impl Task {
    pub(super) fn start(&mut self, change: &SpecChange, reply: Reply) {
        let length = disk::length(&self.context.home.data_disk());
        let kept = self.kept_spec();
        let spec = match spec::apply(&kept, change, Host::read(), length) {
            Ok(spec) => spec,
            Err(failure) => {
                let _ = reply.send(Err(failure));
                return;
            }
        };
        match &mut self.phase {
            Phase::Stopped | Phase::Failed => match Saved::find(&self.context.home) {
                Found::Memory(saved) => self.begin(Origin::Saved { saved, spec }, vec![reply]),
                Found::Nothing | Found::Unusable(_) => self.begin(Origin::Nothing { spec }, vec![reply]),
            },
            Phase::Suspended { saved, .. } => {
                let saved = saved.clone();
                // Before the start, which keeps it, too, where the memory turns out to be of no use.
                self.keep_for_later(&spec);
                self.begin(Origin::Saved { saved, spec }, vec![reply]);
            }
            Phase::Suspending { deferred, .. } => deferred.push(Command::Start {
                change: change.clone(),
                reply,
            }),
            // A start from nothing keeps its own spec, and is not to be overtaken in that.
            Phase::Starting { deferred, .. } if spec != kept => deferred.push(Command::Start {
                change: change.clone(),
                reply,
            }),
            Phase::Starting { waiters, .. } => waiters.push(reply),
            Phase::Running(up) => {
                let (process, home, events) = (up.live.process.clone(), self.context.home.clone(), self.events.clone());
                let change = change.clone();
                tokio::spawn(async move {
                    let pid = process.pid;
                    until_it_answers(&process, &home).await;
                    let _ = events.send(Event::Answered { pid, change, reply }).await;
                });
            }
            Phase::Stopping { then, .. } => match then {
                Some(then) => {
                    then.change = change.clone();
                    then.waiters.push(reply);
                }
                None => {
                    *then = Some(Then {
                        change: change.clone(),
                        waiters: vec![reply],
                        mends: false,
                    });
                }
            },
        }
    }

    /// It runs already, and is given what it can have at once.
    pub(super) fn started_before(&mut self, up: Box<Up>, change: &SpecChange, reply: Reply) {
        let length = disk::length(&self.context.home.data_disk());
        let applied = spec::apply(&self.kept_spec(), change, Host::read(), length);
        let (session, pid) = (up.live.session.clone(), up.live.process.pid);
        let present = up.live.record.spec.disk_gib;
        self.phase = Phase::Running(up);
        match applied {
            Ok(spec) => {
                self.keep_for_later(&spec);
                if spec.disk_gib > present {
                    self.grow(session, pid, spec.disk_gib, vec![reply]);
                } else {
                    let _ = reply.send(Ok(()));
                }
            }
            Err(failure) => {
                let _ = reply.send(Err(failure));
            }
        }
    }

    pub(super) fn restart(&mut self, reply: Reply) {
        let change = SpecChange::default();
        match &mut self.phase {
            Phase::Stopped | Phase::Failed => self.start(&change, reply),
            Phase::Suspending { deferred, .. }
            | Phase::Starting {
                from: Source::Saved,
                deferred,
                ..
            } => deferred.push(Command::Restart { reply }),
            Phase::Suspended { .. } => self.wake(vec![Command::Restart { reply }]),
            Phase::Starting { .. } | Phase::Running(_) | Phase::Stopping { .. } => {
                self.stop(
                    None,
                    Some(Then {
                        change,
                        waiters: vec![reply],
                        mends: false,
                    }),
                );
            }
        }
    }

    /// Makes a suspended machine go on, and then does this with it.
    pub(super) fn wake(&mut self, then: Vec<Command>) {
        if let Phase::Suspended { saved, .. } = &self.phase {
            let (saved, spec) = (saved.clone(), self.kept_spec());
            self.begin(Origin::Saved { saved, spec }, Vec::new());
            if let Phase::Starting { deferred, .. } = &mut self.phase {
                deferred.extend(then);
            }
        }
    }

    /// Starts a boot; its outcome comes as an event.
    pub(super) fn begin(&mut self, origin: Origin, waiters: Vec<Reply>) {
        let socket = match std::mem::replace(&mut self.phase, Phase::Stopped) {
            // Whoever knocked there is to be let in.
            Phase::Suspended { socket, .. } | Phase::Suspending { socket, .. } => socket,
            Phase::Stopped | Phase::Starting { .. } | Phase::Running(_) | Phase::Stopping { .. } | Phase::Failed => {
                None
            }
        };
        self.begin_with(origin, socket, waiters);
    }

    pub(super) fn begin_with(&mut self, origin: Origin, socket: Option<EngineSocket>, waiters: Vec<Reply>) {
        let call_off = CancellationToken::new();
        let (progress, mut made) = mpsc::channel(16);
        let events = self.events.clone();
        let (spec, from) = match &origin {
            Origin::Nothing { spec } => (spec.clone(), Source::Nothing),
            Origin::Running { record } => (record.spec.clone(), Source::Running),
            Origin::Saved { saved, .. } => (saved.spec.clone(), Source::Saved),
        };
        tokio::spawn({
            let (context, call_off) = (self.context.clone(), call_off.clone());
            async move {
                let boot = async { boot::boot(&context, origin, socket, progress, call_off).await };
                let forward = async {
                    while let Some(progress) = made.recv().await {
                        let _ = events.send(Event::Progress(progress)).await;
                    }
                };
                // The boot holds the sender, so both end together and the outcome comes after all progress.
                let (outcome, ()) = tokio::join!(boot, forward);
                let _ = events.send(Event::Booted(Box::new(outcome))).await;
            }
        });
        self.phase = Phase::Starting {
            call_off,
            waiters,
            from,
            deferred: Vec::new(),
        };
        self.change(|status| {
            status.state = State::Starting { step: Step::Check };
            status.spec = spec;
            status.steps.clear();
            status.forwards.clear();
            status.network = None;
            status.notes.clear();
        });
    }

    pub(super) fn booted(&mut self, outcome: Result<Live, Ended>, from: Source, waiters: Vec<Reply>) {
        match outcome {
            Ok(live) => self.came_up(live, waiters),
            Err(Ended::Asleep(saved)) => {
                self.asleep(saved, None);
                let mut waiters = waiters.into_iter();
                if let Some(first) = waiters.next() {
                    self.start(&SpecChange::default(), first);
                    for waiter in waiters {
                        self.start(&SpecChange::default(), waiter);
                    }
                }
            }
            Err(Ended::Failed(failure)) if from == Source::Running && !waiters.is_empty() => {
                tracing::warn!(message = failure.message, causes = ?failure.causes, "starting anew");
                let spec = self.kept_spec();
                self.begin(Origin::Nothing { spec }, waiters);
                let note = format!("{}, so it was ended and a new one started.", failure.message);
                self.change(|status| status.notes.push(note));
            }
            Err(Ended::Failed(failure)) => self.fail(&failure, waiters),
            Err(Ended::CalledOff) => self.fail(&called_off(), waiters),
        }
    }

    pub(super) fn came_up(&mut self, live: Live, waiters: Vec<Reply>) {
        self.context.activity.touch();
        let report = live.reports.borrow().clone();
        let spec = live.record.spec.clone();
        let forwards = live.forwards.list();
        let network = live.told.shown();
        let mut up = Box::new(Up {
            live,
            measured: None,
            cpu: None,
            guards: Vec::new(),
        });
        tokio::spawn(self.context.doze.clone().keep(
            self.context.home.qmp(),
            self.context.activity.clone(),
            up.live.session.clone(),
            up.live.reports.clone(),
            is_idle,
        ));
        up.watch(&self.context, &self.events);
        let running = up.running();
        tracing::info!(running.pid, running.ready_in_millis, "the machine runs");
        self.change(|status| {
            status.state = State::Running { running };
            status.spec = spec;
            status.forwards = forwards;
            status.network = Some(network);
        });
        // Whatever was asked for while it slept; a machine that starts from nothing has it already.
        let kept = self.kept_spec();
        let lost_files = up.live.has_lost_files();
        let (wanted, larger) = (kept.disk_gib, kept.disk_gib > up.live.record.spec.disk_gib);
        self.say_later(&kept);
        let (session, pid) = (up.live.session.clone(), up.live.process.pid);
        match report {
            Some(report) => self.reported(up, report),
            None => self.phase = Phase::Running(up),
        }
        if lost_files && matches!(self.phase, Phase::Running(_)) {
            self.mend(waiters);
        } else if larger {
            self.grow(session, pid, wanted, waiters);
        } else {
            for waiter in waiters {
                let _ = waiter.send(Ok(()));
            }
        }
    }

    pub(super) fn progress(&mut self, progress: Progress) {
        let now = Instant::now();
        let took = clock::millis(now - self.step_began);
        if matches!(progress, Progress::Begin(_)) {
            self.step_began = now;
        }
        self.change(|status| match progress {
            Progress::Begin(step) => {
                status.state = State::Starting { step };
                status.steps.push(StepReport {
                    step,
                    millis: None,
                    detail: None,
                });
            }
            Progress::Done { detail } => {
                if let Some(report) = status.steps.last_mut() {
                    report.millis = Some(took);
                    report.detail = detail;
                }
            }
            Progress::Note(note) => status.notes.push(note),
            Progress::Anew => status.steps.clear(),
            Progress::Forwards => {}
        });
    }

    /// What the next start gets, which differs from what a running machine has once it was changed.
    pub(super) fn kept_spec(&self) -> Spec {
        spec::load(&self.context.home, Host::read())
            .map_or_else(|_| self.published.borrow().spec.clone(), |loaded| loaded.spec)
    }

    pub(super) fn keep_for_later(&self, spec: &Spec) {
        if *spec == self.kept_spec() {
            return;
        }
        if let Err(error) = spec::save(&self.context.home, spec) {
            tracing::warn!(%error, "the machine's settings are not kept");
            return;
        }
        self.say_later(spec);
    }

    pub(super) fn say_later(&self, spec: &Spec) {
        // A disk becomes larger at once.
        let now = Spec {
            disk_gib: spec.disk_gib,
            ..self.published.borrow().spec.clone()
        };
        if now != *spec {
            let note = "The change takes effect when the machine is started the next time.".to_owned();
            self.change(|status| status.notes.push(note));
        }
    }
}
