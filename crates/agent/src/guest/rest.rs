//! Whether anything runs in the machine but us, and holding it still while the machine's memory is saved.
//!
//! Everything that is not the agent lives in control groups below the root: the engine in its own, containers and the
//! steps of builds in those the engine makes. A group tells by itself whether a process is left in it, and can be
//! frozen whole.

use std::{
    collections::BTreeMap,
    io,
    io::{Read, Write},
    mem::MaybeUninit,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rustix::fs::inotify;
use tokio::time::timeout;

use super::{
    Guest, clock,
    log::say,
    mount::{AGENT_GROUP, ENGINE_GROUP, GROUPS},
    readiness::readable,
};

/// How long processes may take to stand still. One that waits for a disk stops the moment it has waited, before it
/// does anything else; so there is no harm in going on without it.
const STILL: Duration = Duration::from_secs(2);

/// How much of the host's randomness the kernel is given after a rest.
const RANDOMNESS: usize = 32;

/// Every group at the top but the agent's own.
fn groups() -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(GROUPS) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name() != AGENT_GROUP && entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// What a group says of itself: `populated` and `frozen`, each 0 or 1.
fn says(group: &std::path::Path, word: &str) -> bool {
    let events = fs_err::read_to_string(group.join("cgroup.events")).unwrap_or_default();
    is_set(&events, word)
}

fn is_set(events: &str, word: &str) -> bool {
    events
        .lines()
        .any(|line| line.strip_prefix(word).is_some_and(|value| value.trim() == "1"))
}

/// Follows whether containers or builds run, for as long as the machine does.
pub(super) async fn watch(guest: Arc<Guest>) {
    if let Err(error) = follow(&guest).await {
        // Without knowing it, the machine counts as busy and is never put to sleep.
        say!("cannot see what runs: {error}");
        guest.status.set_busy(true);
    }
}

async fn follow(guest: &Guest) -> io::Result<()> {
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, GROUPS, inotify::WatchFlags::CREATE)?;
    let watch = readable(watch)?;
    let mut watched: BTreeMap<PathBuf, i32> = BTreeMap::new();
    loop {
        let groups: Vec<PathBuf> = groups()
            .into_iter()
            .filter(|group| !group.ends_with(ENGINE_GROUP))
            .collect();
        watched.retain(|group, _| groups.contains(group));
        for group in &groups {
            if !watched.contains_key(group) {
                let events = inotify::add_watch(
                    watch.get_ref(),
                    group.join("cgroup.events"),
                    inotify::WatchFlags::MODIFY,
                );
                // One that is gone again is not looked at in the next round either.
                if let Ok(events) = events {
                    watched.insert(group.clone(), events);
                }
            }
        }
        // Looked at after it is watched, so that nothing falls between.
        guest
            .status
            .set_busy(groups.iter().any(|group| says(group, "populated")));
        let mut ready = watch.readable().await?;
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut events = inotify::Reader::new(watch.get_ref(), &mut buffer);
        while events.next().is_ok() {}
        ready.clear_ready();
    }
}

/// Stops containers and engine where they are and writes what they have written to the disk.
pub(super) async fn freeze() -> io::Result<()> {
    let groups = groups();
    for group in &groups {
        fs_err::write(group.join("cgroup.freeze"), "1")?;
    }
    if timeout(STILL, still(&groups)).await.is_err() {
        say!("some processes do not stand still yet");
    }
    tokio::task::spawn_blocking(rustix::fs::sync).await?;
    Ok(())
}

async fn still(groups: &[PathBuf]) -> io::Result<()> {
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    for group in groups {
        inotify::add_watch(&watch, group.join("cgroup.events"), inotify::WatchFlags::MODIFY)?;
    }
    let watch = readable(watch)?;
    while !groups.iter().all(|group| says(group, "frozen")) {
        let mut ready = watch.readable().await?;
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut events = inotify::Reader::new(watch.get_ref(), &mut buffer);
        while events.next().is_ok() {}
        ready.clear_ready();
    }
    Ok(())
}

/// Sets the clock, and only then lets go what stood still.
pub(super) fn wake(unix_millis: u64) {
    if let Err(error) = clock::set(unix_millis) {
        say!("could not set the clock: {error}");
    }
    let frozen: Vec<PathBuf> = groups().into_iter().filter(|group| asked_to_rest(group)).collect();
    if frozen.is_empty() {
        return;
    }
    if let Err(error) = stir() {
        say!("randomness: {error}");
    }
    for group in frozen {
        if let Err(error) = fs_err::write(group.join("cgroup.freeze"), "0") {
            say!("{error}");
        }
    }
}

fn asked_to_rest(group: &std::path::Path) -> bool {
    fs_err::read_to_string(group.join("cgroup.freeze")).is_ok_and(|value| value.trim() == "1")
}

/// What the kernel knew of chance lay in a file; it is mixed with what the host gives now.
fn stir() -> io::Result<()> {
    let mut fresh = [0; RANDOMNESS];
    fs_err::File::open("/dev/hwrng")?.read_exact(&mut fresh)?;
    fs_err::OpenOptions::new()
        .write(true)
        .open("/dev/urandom")?
        .write_all(&fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_says_what_is_in_it() {
        let events = "populated 1\nfrozen 0\n";
        assert!(is_set(events, "populated"));
        assert!(!is_set(events, "frozen"));
        assert!(!is_set("", "populated"));
    }
}
