//! The numbers of a server that follows one that died. The guest still knows files by the numbers of that one, and none
//! of them may come to mean another file: so each server begins where none before it can have got.
//!
//! virtiofsd sets its counters in one way only: by taking over the state of a server on another computer, which is
//! what is made here. It holds nothing but the root and the counters.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use virtiofsd::filesystem::ROOT_ID;

use crate::view::Node;

/// As virtiofsd counts it when the guest mounts.
const ROOT_COUNT: u64 = 2;

/// The first number of a server that is started now: the time, with room for two million of each millisecond. A count of
/// the servers would begin anew when the machine was suspended, the numbers in its memory do not.
pub(crate) fn first() -> Node {
    const EACH: u64 = 1 << 21;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default() * EACH
}

/// virtiofsd's `device_state::serialized`, version 1, as it reads it.
#[derive(Serialize)]
enum State {
    V1(Counters),
}

#[derive(Serialize)]
struct Counters {
    inodes: Vec<Inode>,
    next_inode: u64,
    handles: Vec<()>,
    next_handle: u64,
    /// What was agreed with the guest: to write back late, to announce mounts, access control lists, groups.
    negotiated: [bool; 4],
}

#[derive(Serialize)]
struct Inode {
    id: u64,
    count: u64,
    location: Location,
    file_handle: Option<()>,
}

#[derive(Serialize)]
enum Location {
    Root,
}

/// As one that has its own numbers begin there takes it over.
pub(crate) fn state(first: Node) -> Result<Vec<u8>, postcard::Error> {
    let root = Inode {
        id: ROOT_ID,
        count: ROOT_COUNT,
        location: Location::Root,
        file_handle: None,
    };
    let state = State::V1(Counters {
        inodes: vec![root],
        next_inode: first,
        handles: Vec::new(),
        next_handle: first,
        negotiated: [false, false, false, true],
    });
    postcard::to_allocvec(&state)
}
