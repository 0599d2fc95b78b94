//! What the guest knows by number, written down where it outlives the server: each file with its name in the folder it
//! is in, and each that is open.
//!
//! It is a file in memory that the keeper has made and gives to each server. A line of it is written by one call before
//! the guest hears of what it says, and never crosses a page, so that a server that is killed leaves no half of one. It
//! is not trusted to be right: names change on the host as well, so whoever takes over compares what it finds.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::FileExt;

use crate::view::Node;

/// A file that the guest knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) node: Node,
    /// How often the guest was told of it and has not forgotten it.
    pub(crate) count: u64,
    pub(crate) parent: Node,
    /// The file's number on the host.
    pub(crate) number: u64,
    pub(crate) name: Vec<u8>,
}

/// A file that is open in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) handle: u64,
    pub(crate) node: Node,
    pub(crate) flags: u32,
}

/// Most names fit.
const SHORT: usize = 64;
/// The longest name has 255 bytes.
const LONG: usize = 512;
const OPENED: usize = 32;

/// Node, count, parent, number and the length of the name come before the name.
const HEAD: usize = 33;
const COUNT: u64 = 8;

/// How many lines each part has, at the file's beginning.
const LENGTHS: [u64; 3] = [0, 8, 16];

/// Lines of one size, from one place of the file on. The file has holes between them.
#[derive(Debug)]
struct Part {
    at: u64,
    line: usize,
    /// Where it is kept how many there are.
    length_at: u64,
    lines: u64,
    free: Vec<u64>,
}

impl Part {
    const fn nth(nth: usize, line: usize) -> Self {
        Self {
            at: (nth as u64 + 1) << 40,
            line,
            length_at: LENGTHS[nth],
            lines: 0,
            free: Vec::new(),
        }
    }

    fn place(&self, line: u64) -> u64 {
        self.at + line * self.line as u64
    }

    /// Writes a line where there is room.
    fn add(&mut self, file: &File, bytes: &[u8]) -> io::Result<u64> {
        if let Some(line) = self.free.pop() {
            file.write_all_at(bytes, self.place(line))?;
            return Ok(line);
        }
        let line = self.lines;
        file.write_all_at(bytes, self.place(line))?;
        self.lines += 1;
        file.write_all_at(&self.lines.to_ne_bytes(), self.length_at)?;
        Ok(line)
    }

    fn remove(&mut self, file: &File, line: u64) -> io::Result<()> {
        file.write_all_at(&[0; 16], self.place(line))?;
        self.free.push(line);
        Ok(())
    }

    /// Every line, whatever is on it.
    fn read(&mut self, file: &File, mut each: impl FnMut(u64, &[u8])) -> io::Result<()> {
        const AT_ONCE: u64 = 1024;
        let mut length = [0; 8];
        file.read_exact_at(&mut length, self.length_at)?;
        self.lines = u64::from_ne_bytes(length);
        let mut piece = vec![0; self.line * usize::try_from(AT_ONCE).unwrap_or_default()];
        for first in (0..self.lines).step_by(usize::try_from(AT_ONCE).unwrap_or_default()) {
            let lines = AT_ONCE.min(self.lines - first);
            let piece = &mut piece[..self.line * usize::try_from(lines).unwrap_or_default()];
            file.read_exact_at(piece, self.place(first))?;
            for (line, bytes) in (first..).zip(piece.chunks_exact(self.line)) {
                each(line, bytes);
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
struct Placed {
    long: bool,
    line: u64,
    count: u64,
    /// Of its name, to see whether it has another one.
    hash: u64,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    file: File,
    short: Part,
    long: Part,
    opened: Part,
    nodes: HashMap<Node, Placed>,
    handles: HashMap<u64, u64>,
}

fn hash(known: &Known) -> u64 {
    let mut hasher = DefaultHasher::new();
    (known.parent, &known.name).hash(&mut hasher);
    hasher.finish()
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    u64::from_ne_bytes(bytes.unwrap_or_default())
}

impl Ledger {
    fn empty(file: File) -> Self {
        Self {
            file,
            short: Part::nth(0, SHORT),
            long: Part::nth(1, LONG),
            opened: Part::nth(2, OPENED),
            nodes: HashMap::new(),
            handles: HashMap::new(),
        }
    }

    /// One in which nothing is written.
    pub(crate) fn begin(file: File) -> io::Result<Self> {
        let mut ledger = Self::empty(file);
        ledger.clear()?;
        Ok(ledger)
    }

    /// One that another server has written, and what is in it.
    pub(crate) fn take_over(file: File) -> io::Result<(Self, Vec<Known>, Vec<Opened>)> {
        let mut ledger = Self::empty(file);
        let (mut known, mut opened) = (Vec::new(), Vec::new());
        let Ledger {
            file,
            short,
            long,
            opened: handles,
            nodes,
            handles: places,
        } = &mut ledger;
        for (part, is_long) in [(short, false), (long, true)] {
            let mut free = Vec::new();
            part.read(file, |line, bytes| {
                let (node, count) = (number(bytes, 0), number(bytes, 8));
                // Below the root nobody has its number. A node that was given a longer name may be here twice.
                if count == 0 || nodes.contains_key(&node) {
                    free.push(line);
                    return;
                }
                let length = usize::from(bytes[HEAD - 1]);
                let found = Known {
                    node,
                    count,
                    parent: number(bytes, 16),
                    number: number(bytes, 24),
                    name: bytes.get(HEAD..HEAD + length).unwrap_or_default().to_vec(),
                };
                let (long, hash) = (is_long, hash(&found));
                nodes.insert(
                    node,
                    Placed {
                        long,
                        line,
                        count,
                        hash,
                    },
                );
                known.push(found);
            })?;
            part.free = free;
        }
        let mut free = Vec::new();
        handles.read(file, |line, bytes| {
            let (node, handle) = (number(bytes, 0), number(bytes, 8));
            if node == 0 {
                free.push(line);
                return;
            }
            places.insert(handle, line);
            let flags = u32::try_from(number(bytes, 16)).unwrap_or_default();
            opened.push(Opened { handle, node, flags });
        })?;
        handles.free = free;
        Ok((ledger, known, opened))
    }

    /// The guest has mounted anew.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        // What it has of memory goes back.
        self.file.set_len(0)?;
        self.file.set_len(self.opened.at << 1)?;
        for part in [&mut self.short, &mut self.long, &mut self.opened] {
            part.lines = 0;
            part.free.clear();
        }
        self.nodes.clear();
        self.handles.clear();
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The guest is told of a file under this name.
    pub(crate) fn met(&mut self, known: &Known) -> io::Result<()> {
        let Some(placed) = self.nodes.get_mut(&known.node) else {
            let placed = self.write(known)?;
            self.nodes.insert(known.node, placed);
            return Ok(());
        };
        placed.count += known.count;
        let placed = *placed;
        if placed.hash != hash(known) {
            return self.moved(known);
        }
        self.file
            .write_all_at(&placed.count.to_ne_bytes(), self.place(placed) + COUNT)
    }

    /// It has this name now.
    pub(crate) fn moved(&mut self, known: &Known) -> io::Result<()> {
        let Some(placed) = self.nodes.get(&known.node).copied() else {
            return Ok(());
        };
        let count = placed.count;
        let now = self.write(&Known { count, ..known.clone() })?;
        self.nodes.insert(known.node, now);
        self.remove(placed)
    }

    /// The guest has forgotten it so many times.
    pub(crate) fn forgotten(&mut self, node: Node, times: u64) -> io::Result<()> {
        let Some(placed) = self.nodes.get_mut(&node) else {
            return Ok(());
        };
        placed.count = placed.count.saturating_sub(times);
        let placed = *placed;
        if placed.count == 0 {
            self.nodes.remove(&node);
            return self.remove(placed);
        }
        self.file
            .write_all_at(&placed.count.to_ne_bytes(), self.place(placed) + COUNT)
    }

    pub(crate) fn opened(&mut self, opened: Opened) -> io::Result<()> {
        let mut line = [0; OPENED];
        line[..8].copy_from_slice(&opened.node.to_ne_bytes());
        line[8..16].copy_from_slice(&opened.handle.to_ne_bytes());
        line[16..24].copy_from_slice(&u64::from(opened.flags).to_ne_bytes());
        let line = self.opened.add(&self.file, &line)?;
        self.handles.insert(opened.handle, line);
        Ok(())
    }

    pub(crate) fn closed(&mut self, handle: u64) -> io::Result<()> {
        match self.handles.remove(&handle) {
            Some(line) => self.opened.remove(&self.file, line),
            None => Ok(()),
        }
    }

    fn place(&self, placed: Placed) -> u64 {
        if placed.long { &self.long } else { &self.short }.place(placed.line)
    }

    fn write(&mut self, known: &Known) -> io::Result<Placed> {
        let length = u8::try_from(known.name.len()).map_err(|_| io::ErrorKind::InvalidFilename)?;
        let long = HEAD + known.name.len() > SHORT;
        let mut line = Vec::with_capacity(HEAD + known.name.len());
        for field in [known.node, known.count, known.parent, known.number] {
            line.extend(field.to_ne_bytes());
        }
        line.push(length);
        line.extend(&known.name);
        let part = if long { &mut self.long } else { &mut self.short };
        let line = part.add(&self.file, &line)?;
        let (count, hash) = (known.count, hash(known));
        Ok(Placed {
            long,
            line,
            count,
            hash,
        })
    }

    fn remove(&mut self, placed: Placed) -> io::Result<()> {
        let part = if placed.long { &mut self.long } else { &mut self.short };
        part.remove(&self.file, placed.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(node: Node, parent: Node, name: &str) -> Known {
        Known {
            node,
            count: 1,
            parent,
            number: node + 1000,
            name: name.into(),
        }
    }

    #[test]
    fn whoever_comes_next_reads_what_is_known_and_open_now() -> io::Result<()> {
        let file = tempfile::tempfile()?;
        let mut ledger = Ledger::begin(file.try_clone()?)?;
        let long = "n".repeat(255);
        for (node, name) in [(2, "folder"), (3, "file"), (4, long.as_str()), (5, "gone")] {
            ledger.met(&known(node, 1, name))?;
        }
        ledger.met(&known(3, 1, "file"))?;
        ledger.forgotten(5, 1)?;
        ledger.moved(&known(2, 4, "moved"))?;
        // Under another name than before.
        ledger.met(&known(4, 1, "short"))?;
        ledger.met(&known(4, 1, &long))?;
        ledger.moved(&known(9, 4, "never met"))?;
        ledger.opened(Opened {
            handle: 7,
            node: 3,
            flags: 2,
        })?;
        ledger.opened(Opened {
            handle: 8,
            node: 3,
            flags: 0,
        })?;
        ledger.closed(8)?;

        let (mut next, mut now, opened) = Ledger::take_over(file.try_clone()?)?;
        now.sort_by_key(|known| known.node);
        let file_twice = Known {
            count: 2,
            ..known(3, 1, "file")
        };
        let long = Known {
            count: 3,
            ..known(4, 1, &long)
        };
        assert_eq!(now, [known(2, 4, "moved"), file_twice, long]);
        assert_eq!(
            opened,
            [Opened {
                handle: 7,
                node: 3,
                flags: 2
            }]
        );
        // It goes on where the one before was: what is free is used again.
        next.forgotten(3, 2)?;
        next.met(&known(6, 1, "another"))?;
        next.closed(7)?;
        let (again, now, opened) = Ledger::take_over(file.try_clone()?)?;
        assert_eq!((now.len(), opened.len(), again.len()), (3, 0, 3));
        next.clear()?;
        let (_, now, opened) = Ledger::take_over(file)?;
        assert_eq!((now.len(), opened.len()), (0, 0));
        Ok(())
    }
}
