//! What the suites below `tests/` stand on: a real engine, a real registry, a real machine, a real home each.
//!
//! Everything is started by the test that needs it and ended when its handle is dropped. Waiting is for events
//! (a line, a connection), bounded by [`PATIENCE`]; the bound is there so that a hang has a name.

pub mod authority;
pub mod docker_py;
pub mod engine;
pub mod fetch;
pub mod hub;
pub mod images;
pub mod machine;
pub mod process;
pub mod proxy;
pub mod reach;
pub mod registry;
pub mod serve;
pub mod soak;
pub mod token;
pub mod tools;

use std::time::Duration;

/// How long anything may take before it counts as hung. Generous: emulated machines share two cores with a compiler.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// Whether the suite was asked for by name and is to run in its long form.
pub fn long() -> bool {
    std::env::var_os("WHERRY_LONG").is_some()
}

/// Ends a test that this machine cannot run, by name and with the reason. Never in CI: there everything that the
/// suites need is installed, and a missing piece is a failure.
#[macro_export]
macro_rules! skip_unless {
    ($condition:expr, $reason:expr) => {
        if let Err(reason) = $crate::need($condition, $reason) {
            $crate::process::say(&format!(
                "SKIP {}: {reason}",
                std::thread::current().name().unwrap_or("test")
            ));
            return;
        }
    };
}

/// `Err(reason)` when the condition does not hold outside of CI.
pub fn need(condition: bool, reason: &str) -> Result<(), String> {
    if condition {
        return Ok(());
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "CI must be able to run this: {reason}"
    );
    Err(reason.to_owned())
}
