//! Our own mistakes, told to the person with a report to copy instead of a window that stops answering.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;

use crate::{App, Code, Problem};

/// From now on a panic anywhere in this process becomes a notice. What happened on a panic before still happens.
pub fn report_panics(app: &App) {
    let events = app.parts.events.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let report = report(panic, &Backtrace::force_capture());
        events.notice(Problem {
            code: Code::Panic,
            message: "Wherry made a mistake".into(),
            hint: Some("Your containers are not touched by it. Copy the report and send it to us.".into()),
            why: None,
            causes: vec![report],
            action: None,
        });
        before(panic);
    }));
}

fn report(panic: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    let message = panic.payload_as_str().unwrap_or("no message");
    let location = panic
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    format!(
        "Wherry {} on {} {}\n{message}\nat {location}\n\n{backtrace}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}
