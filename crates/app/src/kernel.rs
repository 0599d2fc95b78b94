//! What the kernel that an engine runs on says about memory that ran out and programs that crashed: the machine's, or
//! this computer's own for an engine that runs on it.

use futures::StreamExt as _;
use wherry_engine::{Engine, EngineOrigin, Known};

use crate::{App, port};

/// How the agent marks what its kernel says.
const GUEST: &str = "kernel: ";

/// What the engine in use cannot say of its containers.
pub(crate) async fn known(app: &App, engine: &Engine) -> Known {
    let current = app.parts.engines.current().await;
    let own_machine = current.used.is_some_and(|used| used.origin == EngineOrigin::Machine);
    let kernel = if own_machine {
        of_machine(app).await
    } else if port::is_local(engine) {
        tokio::task::spawn_blocking(of_this_computer).await.unwrap_or_default()
    } else {
        Vec::new()
    };
    Known { kernel, own_machine }
}

async fn of_machine(app: &App) -> Vec<String> {
    match app.parts.machine.logs(false).await {
        Ok(lines) => {
            lines
                .filter_map(|line| std::future::ready(line.split_once(GUEST).map(|(_, told)| told.to_owned())))
                .collect()
                .await
        }
        Err(error) => {
            tracing::debug!(%error, "the machine's log was not to be had");
            Vec::new()
        }
    }
}

/// Each read of `/dev/kmsg` gives one message, `priority,number,time,flags;text`, and none when all were read. Not
/// everybody may read it; then the engine's words have to do.
#[cfg(target_os = "linux")]
fn of_this_computer() -> Vec<String> {
    use std::io::{ErrorKind, Read as _};
    use std::os::unix::fs::OpenOptionsExt as _;

    /// As Linux has it for every processor that engines run on.
    const O_NONBLOCK: i32 = 0o4000;
    /// The longest message, in the kernel's own words (`PRINTKRB_RECORD_MAX`), with room.
    const LONGEST: usize = 8 << 10;

    let mut options = fs_err::OpenOptions::new();
    options.read(true);
    options.options_mut().custom_flags(O_NONBLOCK);
    let Ok(mut messages) = options.open("/dev/kmsg") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut message = vec![0; LONGEST];
    loop {
        match messages.read(&mut message) {
            Ok(0) => return found,
            Ok(length) => {
                let text = String::from_utf8_lossy(&message[..length]);
                let told = text.split_once(';').and_then(|(_, text)| text.lines().next());
                found.extend(told.filter(|text| is_about_an_end(text)).map(str::to_owned));
            }
            // It was overwritten before it was read: the next one is there.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(_) => return found,
        }
    }
}

#[cfg(target_os = "linux")]
fn is_about_an_end(text: &str) -> bool {
    text.contains("oom-kill:") || text.contains("segfault at")
}

#[cfg(not(target_os = "linux"))]
fn of_this_computer() -> Vec<String> {
    Vec::new()
}
