//! What a command is answered that cannot be done now.

use super::Reply;
use crate::{Failure, FailureCode};

pub(crate) fn no_engine_to_restart() -> Failure {
    not_restarted("No machine runs", "Start it; its engine then knows everything.")
}

pub(super) fn not_restarted(why: &str, hint: &str) -> Failure {
    Failure {
        code: FailureCode::EngineFailed,
        step: None,
        message: "The engine was not restarted".into(),
        causes: vec![why.into()],
        hint: hint.into(),
        console: Vec::new(),
    }
}

pub(super) fn not_now(why: &str, hint: &str) -> Failure {
    Failure {
        code: FailureCode::CannotSuspend,
        step: None,
        message: "The machine could not be suspended".into(),
        causes: vec![why.into()],
        hint: hint.into(),
        console: Vec::new(),
    }
}

pub(super) fn called_off() -> Failure {
    Failure {
        code: FailureCode::Died,
        step: None,
        message: "The start was called off".into(),
        causes: vec!["The machine was asked to stop before it was up".into()],
        hint: "Start it again when you want it.".into(),
        console: Vec::new(),
    }
}

pub(super) fn tell_called_off(waiters: impl IntoIterator<Item = Reply>) {
    for waiter in waiters {
        let _ = waiter.send(Err(called_off()));
    }
}
