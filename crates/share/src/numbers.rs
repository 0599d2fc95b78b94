//! The numbers of a server that follows one that died. The guest still knows files by the numbers of that one: those
//! that the [`ledger`](crate::ledger) can find again keep theirs, and no number may come to mean another file, so what is
//! new begins where none before it can have got.
//!
//! virtiofsd takes numbers in one way only: as the state of a server on another computer, which is what is made here.

use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use virtiofsd::filesystem::ROOT_ID;

use crate::ledger::{Known, Opened};
use crate::view::Node;

/// As virtiofsd counts it when the guest mounts.
const ROOT_COUNT: u64 = 2;

/// `open(2)`: nothing is made, emptied or waited for when a file is opened once more. The kernel's numbers for x86-64 and
/// arm64 are the same.
const NOT_AGAIN: u32 = 0o100 | 0o200 | 0o1000;
const NO_WAIT: u32 = 0o4000;

/// The first number of a server that is started now: the time, with room for two million of each millisecond. A count of
/// the servers would begin anew when the machine was suspended, the numbers in its memory do not.
pub(crate) fn first() -> Node {
    const EACH: u64 = 1 << 21;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default() * EACH
}

/// virtiofsd's `device_state::serialized`, as it reads and writes it.
#[derive(Serialize, Deserialize)]
enum State {
    V1(Numbers),
    V2(Numbers, HashMap<u64, String>),
}

#[derive(Serialize, Deserialize)]
struct Numbers {
    inodes: Vec<Inode>,
    next_inode: u64,
    handles: Vec<Handle>,
    next_handle: u64,
    /// What was agreed with the guest: to write back late, to announce mounts, access control lists, groups.
    negotiated: [bool; 4],
}

#[derive(Serialize, Deserialize)]
struct Inode {
    id: u64,
    /// With one for each inode whose location is in this one.
    count: u64,
    location: Location,
    file_handle: Option<()>,
}

#[derive(Serialize, Deserialize)]
enum Location {
    Root,
    Path { parent: u64, name: String },
    Invalid,
    FullPath { name: String },
}

#[derive(Serialize, Deserialize)]
struct Handle {
    id: u64,
    inode: u64,
    source: Source,
}

#[derive(Serialize, Deserialize)]
enum Source {
    Open { flags: i32 },
}

/// What of a ledger leads somewhere from the root, each folder before what is in it.
pub(crate) fn leading(mut known: Vec<Known>) -> Vec<Known> {
    let parents: HashMap<Node, Node> = known.iter().map(|known| (known.node, known.parent)).collect();
    // How many names it is from the root; none where that is not reached.
    let mut depths: HashMap<Node, Option<u32>> = HashMap::from([(ROOT_ID, Some(0))]);
    for node in parents.keys() {
        let mut way = vec![*node];
        let mut on_way = HashSet::from([*node]);
        let mut reached = loop {
            let last = way.last().copied().unwrap_or(ROOT_ID);
            if let Some(depth) = depths.get(&last) {
                way.pop();
                break *depth;
            }
            match parents.get(&last) {
                Some(parent) if on_way.insert(*parent) => way.push(*parent),
                // A folder is below itself, or in one that the guest has forgotten.
                Some(_) | None => break None,
            }
        };
        while let Some(node) = way.pop() {
            reached = reached.map(|depth| depth + 1);
            depths.insert(node, reached);
        }
    }
    let depth = |known: &Known| depths.get(&known.node).copied().flatten();
    known.retain(|known| known.node != ROOT_ID && depth(known).is_some() && std::str::from_utf8(&known.name).is_ok());
    known.sort_by_key(depth);
    known
}

/// As one that has these files and whose own numbers begin there takes it over.
pub(crate) fn state(first: Node, known: &[Known], opened: &[Opened]) -> Result<Vec<u8>, postcard::Error> {
    let mut within: HashMap<Node, u64> = HashMap::new();
    for known in known {
        *within.entry(known.parent).or_default() += 1;
    }
    let counted = |node: Node, count: u64| count + within.get(&node).copied().unwrap_or_default();
    let root = Inode {
        id: ROOT_ID,
        count: counted(ROOT_ID, ROOT_COUNT),
        location: Location::Root,
        file_handle: None,
    };
    // virtiofsd takes the first one and goes on from the end.
    let inodes = known.iter().rev().map(|known| Inode {
        id: known.node,
        count: counted(known.node, known.count),
        location: Location::Path {
            parent: known.parent,
            name: String::from_utf8_lossy(&known.name).into_owned(),
        },
        file_handle: None,
    });
    let there: HashSet<Node> = known.iter().map(|known| known.node).chain([ROOT_ID]).collect();
    let handles = opened.iter().filter(|opened| there.contains(&opened.node));
    let state = State::V1(Numbers {
        inodes: std::iter::once(root).chain(inodes).collect(),
        next_inode: first,
        handles: handles
            .map(|opened| Handle {
                id: opened.handle,
                inode: opened.node,
                source: Source::Open {
                    flags: (opened.flags & !NOT_AGAIN | NO_WAIT).cast_signed(),
                },
            })
            .collect(),
        next_handle: first,
        negotiated: [false, false, false, true],
    });
    postcard::to_allocvec(&state)
}

/// What the server of a machine that was suspended has known, without the files' numbers on the host.
pub(crate) fn of_state(state: &[u8]) -> Result<(Vec<Known>, Vec<Opened>), postcard::Error> {
    let (State::V1(numbers) | State::V2(numbers, _)) = postcard::from_bytes(state)?;
    let mut within: HashMap<Node, u64> = HashMap::new();
    for inode in &numbers.inodes {
        if let Location::Path { parent, .. } = &inode.location {
            *within.entry(*parent).or_default() += 1;
        }
    }
    let known = numbers.inodes.into_iter().filter_map(|inode| {
        let Location::Path { parent, name } = inode.location else {
            return None;
        };
        let inside = within.get(&inode.id).copied().unwrap_or_default();
        Some(Known {
            node: inode.id,
            count: inode.count.saturating_sub(inside),
            parent,
            number: 0,
            name: name.into_bytes(),
        })
    });
    let opened = numbers.handles.into_iter().map(|handle| {
        let Source::Open { flags } = handle.source;
        Opened {
            handle: handle.id,
            node: handle.inode,
            flags: flags.cast_unsigned(),
        }
    });
    Ok((known.collect(), opened.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(node: Node, parent: Node, name: &[u8]) -> Known {
        Known {
            node,
            count: 1,
            parent,
            number: 0,
            name: name.into(),
        }
    }

    #[test]
    fn only_what_leads_to_the_root_is_taken_over_and_folders_come_first() {
        let all = vec![
            known(5, 4, b"deep"),
            known(4, 1, b"folder"),
            known(6, 99, b"in one that is forgotten"),
            known(7, 8, b"in a ring"),
            known(8, 7, b"in a ring"),
            known(9, 1, b"no \xff text"),
            known(10, 7, b"below a ring"),
        ];
        let nodes: Vec<Node> = leading(all).iter().map(|known| known.node).collect();
        assert_eq!(nodes, [4, 5]);
    }

    #[test]
    fn what_is_handed_over_is_read_again() -> Result<(), postcard::Error> {
        let all = [known(4, 1, b"folder"), known(5, 4, b"deep")];
        let opened = [
            Opened {
                handle: 3,
                node: 5,
                flags: 0o1101,
            },
            Opened {
                handle: 4,
                node: 77,
                flags: 0,
            },
        ];
        let (mut again, handles) = of_state(&state(1000, &all, &opened)?)?;
        again.reverse();
        assert_eq!(again, all, "each as often as before");
        let one = Opened {
            handle: 3,
            node: 5,
            flags: 0o4001,
        };
        assert_eq!(handles, [one], "emptied by nobody, and of a file that is there");
        Ok(())
    }
}
