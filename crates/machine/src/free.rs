//! Takes back from a running machine what it holds and does not need, and says how much that was here.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use wherry_link::{GivenBack, HostRequest, Session};

use crate::cost::Cost;
use crate::{Failure, FailureCode, Freed, disk};

/// How long the guest may take: it writes out what is not written yet, and looks through the whole disk.
const GIVES_BACK: Duration = Duration::from_mins(5);
/// The kernel in the guest reports free memory two seconds after it became free, some of it at a time. What is reported
/// is gone at once, and nothing but the process's size tells that.
const LOOK: Duration = Duration::from_millis(500);
const SETTLED_LOOKS: u32 = 6;
const LOOKS: u32 = 40;
/// Less is noise.
const NOISE: u64 = 1 << 20;

pub(crate) async fn free(pid: u32, session: Session, data_disk: PathBuf) -> Result<Freed, Failure> {
    let before = measured(pid, data_disk.clone()).await;
    match timeout(GIVES_BACK, session.ask::<_, GivenBack>(&HostRequest::GiveBack)).await {
        Ok(Ok((given, _))) => tracing::info!(memory = given.memory, disk = given.disk, "the guest gave back"),
        Ok(Err(error)) => return Err(unanswered(error.to_string())),
        Err(_) => return Err(unanswered(format!("No answer within {} s", GIVES_BACK.as_secs()))),
    }
    let mut least = measured(pid, data_disk.clone()).await;
    let mut settled = 0;
    for _ in 0..LOOKS {
        sleep(LOOK).await;
        let now = measured(pid, data_disk.clone()).await;
        settled = if now.memory + NOISE < least.memory {
            0
        } else {
            settled + 1
        };
        least = Held {
            memory: least.memory.min(now.memory),
            disk: least.disk.min(now.disk),
        };
        if settled == SETTLED_LOOKS {
            break;
        }
    }
    Ok(Freed {
        memory: before.memory.saturating_sub(least.memory),
        disk: before.disk.saturating_sub(least.disk),
    })
}

/// What the machine holds of this computer.
struct Held {
    memory: u64,
    disk: u64,
}

async fn measured(pid: u32, data_disk: PathBuf) -> Held {
    let measured = tokio::task::spawn_blocking(move || Held {
        memory: Cost::of(pid).map_or(0, |cost| cost.memory),
        disk: disk::occupied(&data_disk),
    });
    measured.await.unwrap_or(Held { memory: 0, disk: 0 })
}

fn unanswered(cause: String) -> Failure {
    Failure {
        code: FailureCode::NoAnswer,
        step: None,
        message: "The machine did not give anything back".into(),
        causes: vec![cause],
        hint: "It is busy or stuck. Try again; should that not help, restart it.".into(),
        console: Vec::new(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::fake::Guest;

    #[tokio::test]
    async fn what_came_back_is_measured_here() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = folder.path().join("data.raw");
        fs_err::write(&disk, vec![1; 8 << 20]).expect("a disk");
        let mut guest = Guest::new();
        let trimmed = disk.clone();
        guest.gives_back = std::sync::Arc::new(move || {
            fs_err::write(&trimmed, "").expect("trimmed");
        });
        let (session, _incoming) = guest.connected().await;
        let freed = free(std::process::id(), session, disk).await.expect("freed");
        assert_eq!(freed.disk >> 20, 8);
    }
}
