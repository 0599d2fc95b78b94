//! Calls of the guest that only raise an event there: see [`wherry_link::Raise`].

use std::ffi::{CStr, CString};
use std::time::Duration;

use rustix::fs::OFlags;
use virtiofsd::filesystem::{Context, Entry};
use virtiofsd::fuse::Attr;
use wherry_link::Raise;

use crate::view::Node;

/// How a file is opened on the host when the guest opens it to tell of a change.
pub(crate) const OPEN: u32 = OFlags::RDONLY.union(OFlags::NONBLOCK).bits();

/// What stands for a name that the host has removed. virtiofsd counts its nodes from 1 and does not get this far.
const GONE: Node = 1 << 63;

const GONE_FILE: u32 = 0o100_600;
const GONE_FOLDER: u32 = 0o040_700;

/// What the guest's raising thread said last, and of which folder.
#[derive(Debug, Default)]
pub(crate) struct Raising {
    thread: Option<i32>,
    pretended: Option<(Node, Raise)>,
    /// The folder and the name where something was moved to.
    target: Option<(Node, CString)>,
}

/// What the guest is to believe of something that the host has moved.
#[derive(Debug)]
pub(crate) struct Moving {
    pub(crate) from: Node,
    pub(crate) to: (Node, CString),
}

impl Raising {
    pub(crate) fn by(thread: Option<i32>) -> Self {
        Self {
            thread: thread.filter(|thread| *thread > 0),
            pretended: None,
            target: None,
        }
    }

    pub(crate) fn is_by(&self, context: Context) -> bool {
        self.thread == Some(context.pid)
    }

    /// Whether the attribute was asked for to say something.
    pub(crate) fn says(&mut self, context: Context, folder: Node, attribute: &CStr) -> bool {
        let said = Raise::of_attribute(attribute.to_bytes()).filter(|_| self.is_by(context));
        match said {
            Some(Raise::Nothing) => (self.pretended, self.target) = (None, None),
            Some(what) => {
                self.pretended = Some((folder, what));
                if what != Raise::MovedFrom {
                    self.target = None;
                }
            }
            None => {}
        }
        said.is_some()
    }

    pub(crate) fn pretends(&self, context: Context, folder: Node) -> Option<Raise> {
        let (at, what) = self.pretended?;
        (self.is_by(context) && at == folder).then_some(what)
    }

    /// A name that the guest looks up: the one where something was moved to, if that is what was said.
    pub(crate) fn hears(&mut self, context: Context, parent: Node, name: &CStr) {
        if self.pretends(context, parent) == Some(Raise::MovedTo) {
            self.target = Some((parent, name.into()));
        }
    }

    pub(crate) fn moving(&self, context: Context) -> Option<Moving> {
        let (from, what) = self.pretended?;
        let to = self.target.clone()?;
        (self.is_by(context) && what == Raise::MovedFrom).then_some(Moving { from, to })
    }
}

pub(crate) fn is_gone(node: Node) -> bool {
    node >= GONE
}

/// A file or folder that the guest can remove, believing that it was there.
pub(crate) fn gone(folder: bool) -> Entry {
    let (inode, mode) = if folder {
        (GONE + 1, GONE_FOLDER)
    } else {
        (GONE, GONE_FILE)
    };
    Entry {
        inode,
        generation: 0,
        attr: Attr {
            ino: inode,
            mode,
            nlink: 1,
            ..Attr::default()
        },
        attr_timeout: Duration::from_secs(1),
        entry_timeout: Duration::ZERO,
    }
}
