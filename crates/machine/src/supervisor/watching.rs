//! What watches a machine that runs: whatever happens to it comes as an event.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use wherry_link::{HostRequest, Report, Session, Stage};

use super::{Event, MINUTE, PROCESS_ENDS_WITH_LINK, Up};
use crate::activity::Activity;
use crate::boot::Context;
use crate::host_disk::{self, HostDisk};
use crate::process::Process;
use crate::qmp::Qmp;
use crate::{Home, Settings, clock, file, network, shares};

/// How long the monitor of a machine that runs may take to answer, and one that does not may take to end.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// When the console's log is longer, its older half goes.
const LONGEST_CONSOLE: u64 = 8 << 20;

impl Up {
    /// From here on whatever happens to it comes as an event.
    pub(super) fn watch(&mut self, context: &Context, events: &mpsc::Sender<Event>) {
        let (live, pid) = (&self.live, self.live.process.pid);
        let guards = vec![
            tokio::spawn(watch_process(
                live.process.clone(),
                live.session.clone(),
                context.home.clone(),
                events.clone(),
            ))
            .abort_handle(),
            tokio::spawn(watch_host_disk(pid, context.home.clone(), events.clone())).abort_handle(),
            tokio::spawn(watch_reports(pid, live.reports.clone(), events.clone())).abort_handle(),
            tokio::spawn(tell_what_changes(
                pid,
                live.session.clone(),
                context.settings.watch(),
                live.told.clone(),
                events.clone(),
            ))
            .abort_handle(),
            tokio::spawn(watch_forwards(pid, live.forwards.clone(), events.clone())).abort_handle(),
            tokio::spawn(every_minute(
                live.session.clone(),
                context.home.console_log(),
                context.doze.stands(),
            ))
            .abort_handle(),
            tokio::spawn(watch_doze(pid, context.doze.stands(), events.clone())).abort_handle(),
            tokio::spawn(watch_files(
                live.process.clone(),
                live.files.clone(),
                live.session.clone(),
                context.clone(),
                events.clone(),
            ))
            .abort_handle(),
            tokio::spawn(watch_idleness(
                pid,
                context.activity.clone(),
                live.reports.clone(),
                context.settings.watch(),
                context.minute,
                events.clone(),
            ))
            .abort_handle(),
        ];
        for guard in std::mem::replace(&mut self.guards, guards) {
            guard.abort();
        }
    }
}

/// Returns when the machine's process has ended, has shown that it lives, or does neither, and whether it has shown it.
/// One that is being killed is there for as long as its memory takes to go, and says nothing any more.
pub(super) async fn until_it_answers(process: &Process, home: &Home) -> bool {
    let monitor = home.qmp();
    let answers = tokio::select! {
        answered = timeout(SIGN_OF_LIFE, Qmp::connect(&monitor)) => matches!(answered, Ok(Ok(_))),
        () = process.ended() => return false,
    };
    if !answers {
        let _ = timeout(SIGN_OF_LIFE, process.ended()).await;
    }
    answers
}

pub(super) async fn watch_process(process: Process, session: Session, home: Home, events: mpsc::Sender<Event>) {
    let pid = process.pid;
    let event = tokio::select! {
        () = process.ended() => Event::Exited { pid },
        () = session.closed() => {
            let alone = async {
                tokio::time::sleep(PROCESS_ENDS_WITH_LINK).await;
                host_disk::until_it_runs(&home).await;
            };
            tokio::select! {
                () = process.ended() => Event::Exited { pid },
                () = alone => Event::LinkLost { pid },
            }
        }
    };
    let _ = events.send(event).await;
}

pub(super) async fn watch_host_disk(pid: u32, home: Home, events: mpsc::Sender<Event>) {
    let mut disk = HostDisk::new(home);
    loop {
        let room = disk.changed().await;
        let _ = events.send(Event::HostDisk { pid, room }).await;
    }
}

pub(super) async fn watch_reports(pid: u32, mut reports: watch::Receiver<Option<Report>>, events: mpsc::Sender<Event>) {
    while reports.changed().await.is_ok() {
        let report = reports.borrow_and_update().clone();
        if let Some(report) = report {
            let _ = events.send(Event::Reported { pid, report }).await;
        }
    }
}

pub(super) async fn tell_what_changes(
    pid: u32,
    session: Session,
    settings: watch::Receiver<Settings>,
    told: network::Seen,
    events: mpsc::Sender<Event>,
) {
    let (changes, mut news) = mpsc::channel(1);
    let pass_on = async {
        while let Some(network) = news.recv().await {
            let _ = events.send(Event::Told { pid, network }).await;
        }
    };
    tokio::join!(network::follow(session, settings, told, changes), pass_on);
}

pub(super) async fn watch_forwards(pid: u32, forwards: crate::forward::Forwards, events: mpsc::Sender<Event>) {
    loop {
        forwards.changed().await;
        let _ = events.send(Event::Forwards { pid }).await;
    }
}

/// Tells when the server of the shared folders has ended and the machine goes on.
pub(super) async fn watch_files(
    process: Process,
    files: Option<shares::Files>,
    session: Session,
    context: Context,
    events: mpsc::Sender<Event>,
) {
    let Some(mut files) = files else {
        return;
    };
    let pid = process.pid;
    let mut estate = shares::Estate::default();
    loop {
        estate.renew(&context.home).await;
        files.ended().await;
        // It ends with the machine too, whose end is told otherwise.
        if timeout(PROCESS_ENDS_WITH_LINK, session.closed()).await.is_ok() {
            return;
        }
        let (home, settings) = (&context.home, &context.settings);
        let mut shared = shares::share_anew(home, settings, &session, None).await;
        if shared.is_none()
            && let Some(keeper) = pass_on(&mut estate, &context)
        {
            tracing::error!("both keepers of the files were killed; another one is started");
            shared = shares::share_anew(home, settings, &session, Some(&keeper)).await;
        }
        let Some((next, notes)) = shared else {
            // A machine that is on its way out has none either.
            while !until_it_answers(&process, &context.home).await {
                if process.has_ended() {
                    return;
                }
            }
            // One that stands still for want of room could not write out what it has.
            host_disk::until_it_runs(&context.home).await;
            let _ = events.send(Event::FilesGone { pid }).await;
            return;
        };
        files = next.clone();
        let _ = events
            .send(Event::FilesAnew {
                pid,
                files: next,
                notes,
            })
            .await;
    }
}

pub(super) fn pass_on(estate: &mut shares::Estate, context: &Context) -> Option<Process> {
    let launch = (context.find_backend)().ok()?.files(&context.home)?;
    estate.pass_on(&context.home, &launch)
}

pub(super) async fn listen_for_knocks(activity: Activity, events: mpsc::Sender<Event>) {
    loop {
        activity.knocked().await;
        if events.send(Event::Knocked).await.is_err() {
            return;
        }
    }
}

/// Tells when nothing has run in the machine and nobody has asked it anything for as long as the settings say.
pub(super) async fn watch_idleness(
    pid: u32,
    activity: Activity,
    mut reports: watch::Receiver<Option<Report>>,
    mut settings: watch::Receiver<Settings>,
    minute: Duration,
    events: mpsc::Sender<Event>,
) {
    let mut said = None;
    loop {
        let limit = settings.borrow_and_update().sleep_after_minutes;
        let idle = reports.borrow_and_update().as_ref().is_some_and(is_idle);
        if !idle {
            activity.touch();
        }
        let deadline = limit.filter(|_| idle).map(|limit| {
            let since = said.map_or(activity.last(), |said| activity.last().max(said));
            since + minute * limit.get()
        });
        let due = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {
                // It may have been used while this slept.
                let passed = limit.is_some_and(|limit| activity.last() + minute * limit.get() <= Instant::now());
                if passed {
                    // Where suspending fails, it is tried again after as long a time.
                    said = Some(Instant::now());
                    let _ = events.send(Event::Idle { pid }).await;
                }
            }
            changed = settings.changed() => if changed.is_err() { return },
            changed = reports.changed() => {
                if changed.is_err() {
                    return;
                }
                // What has just ended counts as use until now.
                activity.touch();
            }
        }
    }
}

pub(super) fn is_idle(report: &Report) -> bool {
    match report.stage {
        Stage::Ready { .. } => !report.busy,
        Stage::Disk | Stage::Engine | Stage::EngineDied { .. } | Stage::Failed { .. } | Stage::PoweringOff => false,
    }
}

pub(super) async fn watch_doze(pid: u32, mut stands: watch::Receiver<bool>, events: mpsc::Sender<Event>) {
    while stands.changed().await.is_ok() {
        let rests = *stands.borrow_and_update();
        let _ = events.send(Event::Rests { pid, rests }).await;
    }
}

pub(super) async fn every_minute(session: Session, console: std::path::PathBuf, stands: watch::Receiver<bool>) {
    loop {
        tokio::time::sleep(MINUTE).await;
        // It is set when it goes on.
        if *stands.borrow() {
            continue;
        }
        let set = HostRequest::SetClock {
            unix_millis: clock::unix_millis(),
        };
        if let Ok(Err(error)) = timeout(MINUTE, session.ask::<_, ()>(&set)).await {
            tracing::debug!(%error, "the guest's clock was not compared");
        }
        if let Err(error) = file::shorten(&console, LONGEST_CONSOLE) {
            tracing::debug!(%error, "the console's log was not shortened");
        }
    }
}
