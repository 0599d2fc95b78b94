//! Saving the memory of a machine that runs, and giving it to a new process: what is said to QEMU and in which order.
//!
//! At every moment at most one of these holds: a process runs the machine, or a file from which it can go on has its
//! name (see [`crate::saved`]). Whoever finds a process and a file after a crash knows what to do: see [`settle`].

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use wherry_link::{Error as LinkError, HostRequest};

use crate::boot::Live;
use crate::control::RELEASE;
use crate::qmp::{self, Qmp, Version};
use crate::saved::{self, DiskState, Found, MEMORY_AT, Memory, Saved};
use crate::{Failure, FailureCode, Home, clock, settings, shares};

/// Memory goes to a file by itself (`file:`) from here on. Older ones can only pipe it through a shell.
const SAVES_TO_FILES: Version = Version {
    major: 8,
    minor: 2,
    micro: 0,
};
/// Each page has its own place in the file (`mapped-ram`) from here on: pages that are zero are not in it, and loading it
/// does not touch them.
const SAVES_SPARSELY: Version = Version {
    major: 9,
    minor: 0,
    micro: 0,
};
/// How long the guest may take to write what it holds to the disk.
const REST: Duration = Duration::from_mins(1);
/// How long the memory may take to or from a disk: many GiB on a slow one.
const MOVE: Duration = Duration::from_mins(10);
/// How long QEMU may take to end when it is asked to.
const QUIT: Duration = Duration::from_secs(5);
/// Without a limit it is moved at 128 MiB/s, for the sake of a network that is not there.
const BYTES_PER_SECOND: u64 = 64 << 30;
/// What is to stay free on this computer's disk beside the saved memory.
const ROOM: u64 = 256 << 20;

/// Why a machine was not suspended.
#[derive(Debug)]
pub(crate) enum NotSaved {
    /// It never can be, with this QEMU. It goes on undisturbed.
    Never { why: String },
    /// It goes on undisturbed.
    GoesOn(Failure),
    /// It stood still already and was told to go on; whoever wants it has to take it up anew.
    LetGo(Failure),
}

/// Saves the machine's memory and ends its process.
pub(crate) async fn save(
    home: &Home,
    settings: &settings::Store,
    live: &Live,
    wakes: bool,
    memory: u64,
) -> Result<Saved, NotSaved> {
    let goes_on = |cause: String| NotSaved::GoesOn(failure(vec![cause]));
    let mut qmp = Qmp::connect(&home.qmp())
        .await
        .map_err(|error| goes_on(causes(&error)))?;
    let version = qmp.version();
    if version < SAVES_TO_FILES {
        let why = format!("QEMU {version} cannot save a machine's memory; QEMU {SAVES_TO_FILES} or newer can");
        return Err(NotSaved::Never { why });
    }
    room(home, memory).map_err(NotSaved::GoesOn)?;
    let own = live.record.own_folders.as_deref();
    let mut requests = vec![HostRequest::Rest];
    if own.is_some() {
        // QEMU saves no guest that has a folder of its own.
        requests.insert(0, HostRequest::LetFoldersGo);
    }
    for request in requests {
        match timeout(REST, live.session.ask::<_, ()>(&request)).await {
            Ok(Ok(_)) => {}
            Ok(Err(LinkError::Refused { message })) => {
                if own.is_some() {
                    shares::share(home, settings, None, own, &live.session).await;
                }
                return Err(goes_on(message));
            }
            Ok(Err(error)) => return Err(NotSaved::LetGo(failure(vec![error.to_string()]))),
            Err(_) => {
                let why = format!("The machine did not come to rest within {} s", REST.as_secs());
                return Err(NotSaved::LetGo(failure(vec![why])));
            }
        }
    }
    match write(home, live, wakes, &mut qmp).await {
        Ok(saved) => {
            // From here on the file is the machine.
            live.forwards.release_all().await;
            end(live, &mut qmp).await;
            Ok(saved)
        }
        Err(cause) => {
            drop(qmp);
            tracing::warn!(cause, "the machine's memory was not saved");
            if let Err(error) = let_go(home).await {
                tracing::warn!(%error, "the machine does not go on");
            }
            Err(NotSaved::LetGo(failure(vec![cause])))
        }
    }
}

async fn write(home: &Home, live: &Live, wakes: bool, qmp: &mut Qmp) -> Result<Saved, String> {
    let told = |error: qmp::Error| causes(&error);
    let file = saved::begin(home).map_err(|error| error.to_string())?;
    qmp.execute::<Value>("stop", json!({})).await.map_err(told)?;
    prepare(qmp).await.map_err(told)?;
    qmp.execute::<Value>("migrate", json!({ "uri": uri(&file) }))
        .await
        .map_err(told)?;
    moved(qmp).await.map_err(told)?;
    let saved = Saved {
        release: RELEASE.into(),
        fingerprint: live.record.fingerprint.clone(),
        backend_version: qmp.version().to_string(),
        backend: live.record.backend.clone(),
        accelerator: live.record.accelerator.clone(),
        spec: live.record.spec.clone(),
        network: live.record.network.clone(),
        own_folders: live.record.own_folders.clone(),
        boot_id: live.hello.boot_id.clone(),
        ready: live.record.ready,
        data_disk: DiskState::of(&home.data_disk()).map_err(|error| error.to_string())?,
        since_millis: clock::unix_millis(),
        wakes,
        memory: Memory::default(),
    };
    let home = home.clone();
    let sealed = tokio::task::spawn_blocking(move || saved.seal(&home)).await;
    sealed
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

async fn end(live: &Live, qmp: &mut Qmp) {
    // It may be gone before it has answered.
    let _ = qmp.execute::<Value>("quit", json!({})).await;
    if timeout(QUIT, live.process.ended()).await.is_err() {
        live.process.kill().await;
    }
}

/// Makes a machine that stands still go on, whatever was being done with it. One that a write has stopped for want of
/// room goes on when there is room: before, it would come as far as its next write, and be met and lost again.
async fn let_go(home: &Home) -> Result<(), qmp::Error> {
    let mut qmp = Qmp::connect(&home.qmp()).await?;
    // There may be nothing to cancel.
    let _ = qmp.execute::<Value>("migrate_cancel", json!({})).await;
    saved::clear_leftovers(home);
    if qmp.is_stopped_by_a_disk().await? {
        return Ok(());
    }
    qmp.execute::<Value>("cont", json!({})).await.map(drop)
}

/// Gives the saved memory to the process that waits for it. The machine stands still after that.
pub(crate) async fn load(home: &Home, qmp: &mut Qmp) -> Result<(), qmp::Error> {
    prepare(qmp).await?;
    qmp.execute::<Value>("migrate-incoming", json!({ "uri": uri(&home.saved()) }))
        .await?;
    moved(qmp).await
}

pub(crate) async fn go_on(qmp: &mut Qmp) -> Result<(), qmp::Error> {
    qmp.execute::<Value>("cont", json!({})).await.map(drop)
}

/// What a machine's process is found to be.
pub(crate) enum Standing {
    /// It runs the machine.
    Runs { note: Option<String> },
    /// It does not: the machine is in the file.
    Asleep(Box<Saved>),
}

/// Finds out what a process is doing whose daemon was killed, and makes one of the two of it.
pub(crate) async fn settle(home: &Home) -> Result<Standing, qmp::Error> {
    #[derive(Deserialize)]
    struct Status {
        running: bool,
    }
    let mut qmp = Qmp::connect(&home.qmp()).await?;
    let Status { running } = qmp.execute("query-status", json!({})).await?;
    drop(qmp);
    match (running, Saved::find(home)) {
        (true, Found::Nothing) => Ok(Standing::Runs { note: None }),
        // It cannot be, and must not do harm if it is.
        (true, Found::Memory(_) | Found::Unusable(_)) => Ok(Standing::Runs {
            note: Some(saved::set_aside(home, "the machine has gone on without it")),
        }),
        // The daemon went between sealing the file and ending the process, or before the file was spent.
        (false, Found::Memory(saved)) => Ok(Standing::Asleep(saved)),
        // It went before the file was whole, or after it was spent: the memory is in the process alone.
        (false, Found::Nothing | Found::Unusable(_)) => {
            let_go(home).await?;
            Ok(Standing::Runs { note: None })
        }
    }
}

async fn prepare(qmp: &mut Qmp) -> Result<(), qmp::Error> {
    let mut capabilities = vec![json!({ "capability": "events", "state": true })];
    if qmp.version() >= SAVES_SPARSELY {
        capabilities.push(json!({ "capability": "mapped-ram", "state": true }));
    }
    let capabilities = json!({ "capabilities": capabilities });
    qmp.execute::<Value>("migrate-set-capabilities", capabilities).await?;
    let limits = json!({ "max-bandwidth": BYTES_PER_SECOND });
    qmp.execute::<Value>("migrate-set-parameters", limits).await?;
    Ok(())
}

/// Waits until all memory is where it shall be.
async fn moved(qmp: &mut Qmp) -> Result<(), qmp::Error> {
    let failed = |reason: String| qmp::Error::Refused {
        command: "the move of the memory",
        reason,
    };
    let done = timeout(MOVE, async {
        loop {
            let event = qmp.event().await?;
            if event.name != "MIGRATION" {
                continue;
            }
            match event.data["status"].as_str() {
                Some("completed") => return Ok(true),
                Some("failed" | "cancelled") => return Ok(false),
                Some(_) | None => {}
            }
        }
    })
    .await;
    match done {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => {
            let about: Value = qmp.execute("query-migrate", json!({})).await?;
            Err(failed(about["error-desc"].as_str().unwrap_or("it failed").to_owned()))
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(failed(format!("it took longer than {} min", MOVE.as_secs() / 60))),
    }
}

fn uri(file: &std::path::Path) -> String {
    format!("file:{},offset={MEMORY_AT:#x}", file.display())
}

fn room(home: &Home, memory: u64) -> Result<(), Failure> {
    const MIB: u64 = 1 << 20;
    let free = fs4::available_space(home.machine()).unwrap_or(u64::MAX);
    if free >= memory.saturating_add(ROOM) {
        return Ok(());
    }
    Err(Failure {
        code: FailureCode::NoDiskSpace,
        hint: "Free some space on this computer's disk.".into(),
        ..failure(vec![format!(
            "Its memory takes up to {} MiB, and {} MiB are free at {}",
            memory / MIB,
            free / MIB,
            home.machine().display()
        )])
    })
}

fn failure(causes: Vec<String>) -> Failure {
    Failure {
        code: FailureCode::CannotSuspend,
        step: None,
        message: "The machine could not be suspended".into(),
        causes,
        hint: "It goes on running. Its logs (wherry logs) may say more.".into(),
        console: Vec::new(),
    }
}

/// The whole chain of causes in one line.
pub(crate) fn causes(error: &qmp::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
