//! What a machine that runs is asked for.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use wherry_link::{HostRequest, Session};

use super::refusals::{no_engine_to_restart, not_restarted};
use super::{Event, Phase, Reply, Task, Up};
use crate::cost::Cost;
use crate::{Failure, State, Usage, disk, shares};

/// The engine's end, its start with many containers to take up, and the answer.
const ENGINE_RESTART: Duration = Duration::from_mins(5);
/// How long the guest may take to say what it uses before it is left out.
const USAGE: Duration = Duration::from_secs(1);
/// Usage that is as fresh as this is not asked for again, however many look.
const USAGE_FRESH: Duration = Duration::from_millis(1500);

impl Task {
    pub(super) fn measure(&mut self, reply: oneshot::Sender<()>) {
        let Phase::Running(up) = &self.phase else {
            let _ = reply.send(());
            return;
        };
        if up.measured.is_some_and(|measured| measured.elapsed() < USAGE_FRESH) {
            let _ = reply.send(());
            return;
        }
        let (session, process, before) = (up.live.session.clone(), up.live.process.clone(), up.cpu);
        let (home, events) = (self.context.home.clone(), self.events.clone());
        let wants_peace = self.context.doze.wants_peace();
        let before_rest = match &self.published.borrow().state {
            State::Running { running } => running.usage.clone(),
            State::Stopped
            | State::Starting { .. }
            | State::Suspending
            | State::Suspended { .. }
            | State::Stopping
            | State::Failed { .. } => Usage::default(),
        };
        tokio::spawn(async move {
            let guest = if wants_peace {
                // Nothing changes in it, and looking is no use of it.
                wherry_link::Usage {
                    memory_total: before_rest.guest_memory_total,
                    memory_used: before_rest.guest_memory_used,
                    disk_total: before_rest.guest_disk_total,
                    disk_used: before_rest.guest_disk_used,
                    unix_millis: 0,
                }
            } else {
                let guest = timeout(USAGE, session.ask::<_, wherry_link::Usage>(&HostRequest::Usage)).await;
                guest
                    .ok()
                    .and_then(Result::ok)
                    .map(|(usage, _)| usage)
                    .unwrap_or_default()
            };
            let pid = process.pid;
            let host = tokio::task::spawn_blocking(move || Cost::of(pid)).await.ok().flatten();
            let now = Instant::now();
            let cpu = host.as_ref().map(|host| (now, host.cpu_millis));
            let usage = Usage {
                guest_memory_used: guest.memory_used,
                guest_memory_total: guest.memory_total,
                guest_disk_used: guest.disk_used,
                guest_disk_total: guest.disk_total,
                host_memory: host.as_ref().map_or(0, |host| host.memory),
                host_disk: disk::occupied(&home.data_disk()),
                host_cpu_percent: host.map_or(0.0, |host| host.cpu_percent(now, before)),
            };
            let _ = events.send(Event::Measured { pid, usage, cpu, reply }).await;
        });
    }

    pub(super) fn measured(&mut self, mut up: Box<Up>, usage: Usage, cpu: Option<(Instant, u64)>) {
        up.measured = Some(Instant::now());
        up.cpu = cpu;
        self.phase = Phase::Running(up);
        self.change(|status| {
            if let State::Running { running } = &mut status.state {
                running.usage = usage;
            }
        });
    }

    /// Makes the data disk of the machine that runs larger; the outcome comes as an event.
    pub(super) fn grow(&self, session: Session, pid: u32, gib: u64, waiters: Vec<Reply>) {
        let (home, events) = (self.context.home.clone(), self.events.clone());
        tokio::spawn(async move {
            let grown = disk::grow_online(&home, &session, gib).await;
            let event = Event::Grown {
                pid,
                gib,
                grown,
                waiters,
            };
            let _ = events.send(event).await;
        });
    }

    pub(super) fn grown(&mut self, mut up: Box<Up>, gib: u64, grown: &Result<(), Failure>, waiters: Vec<Reply>) {
        match grown {
            Ok(()) => {
                let now = gib.max(up.live.record.spec.disk_gib);
                up.live.record.spec.disk_gib = now;
                if let Err(error) = up.live.record.write(&self.context.home) {
                    tracing::warn!(%error, "the machine's record has its disk's old size");
                }
                self.change(|status| status.spec.disk_gib = now);
            }
            Err(failure) => {
                tracing::warn!(message = failure.message, causes = ?failure.causes, "the disk has its old size");
                let note = format!("{}. {}", failure.message, failure.hint);
                self.change(|status| status.notes.push(note));
            }
        }
        self.phase = Phase::Running(up);
        for waiter in waiters {
            let _ = waiter.send(grown.clone());
        }
    }

    pub(super) fn restart_engine(&self, reply: Reply) {
        let Phase::Running(up) = &self.phase else {
            let _ = reply.send(Err(no_engine_to_restart()));
            return;
        };
        let session = up.live.session.clone();
        tokio::spawn(async move {
            let asked = timeout(ENGINE_RESTART, session.ask::<_, ()>(&HostRequest::RestartEngine)).await;
            let why = match asked {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("It did not answer within {} s", ENGINE_RESTART.as_secs())),
            };
            let hint = "Restart the whole machine; containers that restart by themselves come back.";
            let _ = reply.send(why.map_or(Ok(()), |why| Err(not_restarted(&why, hint))));
        });
    }

    pub(super) fn share(&self, reply: Reply) {
        let Phase::Running(up) = &self.phase else {
            // A machine is given what the settings say when it starts.
            let _ = reply.send(Ok(()));
            return;
        };
        let (home, settings) = (self.context.home.clone(), self.context.settings.clone());
        let (files, session) = (up.live.files.clone(), up.live.session.clone());
        let own = up.live.record.own_folders.clone();
        tokio::spawn(async move {
            let notes = shares::share(&home, &settings, files.as_ref(), own.as_deref(), &session).await;
            let _ = reply.send(match notes.split_first() {
                None if files.is_some() || own.is_some() => Ok(()),
                None => Err(shares::not_now()),
                Some((message, causes)) => Err(shares::not_all(message, causes, own.is_some())),
            });
        });
    }
}
