//! How far the guest has come, for whoever watches.

use tokio::sync::watch;
use wherry_link::{Fill, GuestFailure, Report, Stage};

use super::{clock, log::say};

pub(super) struct Status {
    report: watch::Sender<Report>,
}

impl Status {
    pub(super) fn new() -> Self {
        Self {
            report: watch::Sender::new(Report {
                stage: Stage::Disk,
                at_millis: clock::uptime_millis(),
                engine_restarts: 0,
                engine_outdated: false,
                busy: false,
                disk: Fill::default(),
                notes: Vec::new(),
            }),
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Report> {
        let mut report = self.report.subscribe();
        report.mark_changed();
        report
    }

    pub(super) fn ready(&self) -> bool {
        matches!(self.report.borrow().stage, Stage::Ready { .. })
    }

    /// The way down is one-way: an engine that dies while the machine powers off is no news.
    pub(super) fn enter(&self, stage: Stage) {
        self.report.send_if_modified(|report| {
            if report.stage == stage || report.stage == Stage::PoweringOff {
                return false;
            }
            say!("{}", describe(&stage));
            report.at_millis = clock::uptime_millis();
            if matches!(stage, Stage::EngineDied { .. }) {
                report.engine_restarts += 1;
            }
            report.stage = stage;
            true
        });
    }

    /// Whether containers or builds run.
    pub(super) fn set_busy(&self, busy: bool) {
        self.report
            .send_if_modified(|report| std::mem::replace(&mut report.busy, busy) != busy);
    }

    pub(super) fn fail(&self, cause: GuestFailure) {
        self.enter(Stage::Failed { cause });
    }

    pub(super) fn outdated(&self, outdated: bool) {
        self.report.send_if_modified(|report| {
            let changed = report.engine_outdated != outdated;
            report.engine_outdated = outdated;
            changed
        });
    }

    pub(super) fn fill(&self) -> Fill {
        self.report.borrow().disk
    }

    pub(super) fn filled(&self, fill: Fill) {
        self.report.send_if_modified(|report| {
            let changed = report.disk != fill;
            if changed {
                say!("the data disk: {fill:?}");
            }
            report.disk = fill;
            changed
        });
    }

    pub(super) fn note(&self, note: String) {
        say!("note: {note}");
        self.report.send_modify(|report| report.notes.push(note));
    }
}

fn describe(stage: &Stage) -> String {
    match stage {
        Stage::Disk => "preparing the data disk".into(),
        Stage::Engine => "starting the engine".into(),
        Stage::Ready { engine, api } => format!("the engine answers: {engine}, API {api}"),
        Stage::EngineDied { message } => format!("the engine died: {message}"),
        Stage::Failed { cause } => match cause {
            GuestFailure::DiskMissing => "cannot go on: there is no data disk".into(),
            GuestFailure::DiskCorrupt { output } => format!("cannot go on: the data disk: {output}"),
            GuestFailure::EngineKeepsDying { .. } => "cannot go on: the engine keeps dying".into(),
            GuestFailure::System { message } => format!("cannot go on: {message}"),
        },
        Stage::PoweringOff => "powering off".into(),
    }
}
