//! virtiofsd's file system, of which the guest sees the shared folders only, with owners that make sense to it.
//!
//! virtiofsd opens each name relative to a descriptor of its folder, never follows a symbolic link and never opens a
//! path of the guest's. What is added here: names are compared with the [`View`] first, and nothing ever changes an
//! owner on the host.

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use rustix::fs::{MemfdFlags, OFlags, RenameFlags};
use rustix::io::Errno;
use virtiofsd::filesystem::{
    Context, DirEntry, DirectoryIterator, Entry, Extensions, FileSystem, FsOptions, GetxattrReply, ListxattrReply,
    OpenOptions, ROOT_ID, SerializableFileSystem, SetattrValid, SetxattrFlags, ZeroCopyReader, ZeroCopyWriter,
};
use virtiofsd::fuse::{Attr, SetattrIn};
use virtiofsd::passthrough::PassthroughFs;
use virtiofsd::read_dir::ReadDir;
use virtiofsd::soft_idmap::Id;
use wherry_link::{FilesView, Raise, RefusedFolder};

use crate::ledger::{Known, Ledger, Opened};
use crate::numbers;
use crate::owner::{self, ATTRIBUTE, FOLDER, KIND, Owner, Person};
use crate::raise::{self, Moving, Raising};
use crate::view::{Access, Node, View};

type Handle = u64;

/// An owner's text is shorter.
const LONGEST_OWNER: u32 = 64;

const REGULAR: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const BLOCK_DEVICE: u32 = 0o060_000;
const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;
const GROUP_EXECUTES: u32 = 0o010;

/// A handle: one is the machine's, one the daemon's.
#[derive(Clone)]
pub(crate) struct Folders(Arc<Shared>);

pub(crate) struct Shared {
    files: PassthroughFs,
    person: Person,
    /// Nodes below this one, but for the root, are those of a server before.
    first: Node,
    /// Those of them that were found again.
    kept: HashSet<Node>,
    /// For whoever follows this server. None when it cannot be written any more. Locked for single lines.
    ledger: Mutex<Option<Ledger>>,
    /// Nothing is served: whatever the guest asks for is an error.
    refuses: bool,
    /// What the daemon asked for last. Locked while it is put into effect, so that two never mix.
    wanted: Mutex<FilesView>,
    /// Read by each request of the guest; written when the daemon asks for something else.
    view: RwLock<View>,
    /// Every folder that was found at a hidden path since the guest has mounted: it stays hidden, wherever it is moved,
    /// for as long as that path is. Locked while the view changes.
    once_hidden: Mutex<HashMap<PathBuf, HashSet<Node>>>,
    /// Whether the guest has mounted: before that there are no nodes.
    mounted: AtomicBool,
    /// The files that the guest knows, each with what is known of its owner. Locked for single lookups.
    owners: Mutex<HashMap<Node, Kept>>,
    /// Locked for a comparison.
    raising: Mutex<Raising>,
}

#[derive(Clone, Copy)]
enum Kept {
    /// What was read beside the file, valid while its change time stays the same.
    Read { changed: (u64, u32), owner: Option<Owner> },
    /// Of a kind that nothing can be kept beside (a link, a pipe, a socket): known for as long as the guest knows it.
    Here { owner: Owner },
}

impl Folders {
    pub(crate) fn new(files: PassthroughFs, person: Person, ledger: File) -> io::Result<Self> {
        let ledger = Ledger::begin(ledger)?;
        Ok(Self::beginning(files, person, 0, HashSet::new(), ledger, false))
    }

    /// Takes over from a server that died a guest that has mounted.
    pub(crate) fn following(files: PassthroughFs, person: Person, ledger: File, refuses: bool) -> io::Result<Self> {
        let first = numbers::first();
        let (ledger, known, opened) = Ledger::take_over(ledger)?;
        let mut known = if refuses { Vec::new() } else { numbers::leading(known) };
        if let Err(error) = take_over(&files, first, &known, &opened) {
            tracing::error!(%error, "what the guest has open is lost");
            known.clear();
            take_over(&files, first, &[], &[])?;
        }
        let kept = found_again(&files, &person, &known);
        tracing::info!(
            known = known.len(),
            found = kept.len(),
            open = opened.len(),
            "taken over"
        );
        let folders = Self::beginning(files, person, first, kept, ledger, refuses);
        folders.begin();
        Ok(folders)
    }

    fn beginning(
        files: PassthroughFs,
        person: Person,
        first: Node,
        kept: HashSet<Node>,
        ledger: Ledger,
        refuses: bool,
    ) -> Self {
        let mut view = View::default();
        view.gates.insert(ROOT_ID, HashSet::new());
        Self(Arc::new(Shared {
            files,
            person,
            first,
            kept,
            ledger: Mutex::new(Some(ledger)),
            refuses,
            wanted: Mutex::default(),
            view: RwLock::new(view),
            once_hidden: Mutex::default(),
            mounted: AtomicBool::new(false),
            owners: Mutex::default(),
            raising: Mutex::default(),
        }))
    }
}

/// A file in memory with this in it.
fn in_memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("state", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

fn take_over(files: &PassthroughFs, first: Node, known: &[Known], opened: &[Opened]) -> io::Result<()> {
    let state = numbers::state(first, known, opened).map_err(io::Error::other)?;
    files.deserialize_and_apply(in_memory(&state)?)
}

/// Those that are still the files that they were, in folders that are: the host may have put others under their names.
/// Each stands behind the folder that it is in.
fn found_again(files: &PassthroughFs, person: &Person, known: &[Known]) -> HashSet<Node> {
    let mut found = HashSet::from([ROOT_ID]);
    for known in known {
        let attributes = files.getattr(person.context(), known.node, None);
        // The number of one that was resumed with the machine is not written down.
        let same = attributes.is_ok_and(|(attributes, _)| known.number == 0 || attributes.ino == known.number);
        if same && found.contains(&known.parent) {
            found.insert(known.node);
        } else {
            // Or what has its name now would be given its number.
            files.forget(person.context(), known.node, u64::MAX);
        }
    }
    found
}

impl std::ops::Deref for Folders {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Shared {
    /// Shows these folders from now on and says which of them cannot be shown.
    pub(crate) fn show(&self, wanted: &FilesView) -> Vec<RefusedFolder> {
        let mut current = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if current.raiser != wanted.raiser {
            *self.raising() = Raising::by(wanted.raiser);
        }
        *current = wanted.clone();
        if self.mounted.load(Ordering::Acquire) {
            return self.put_into_effect(&current);
        }
        let missing = |path: &Path| match fs_err::metadata(path) {
            Ok(metadata) if metadata.is_dir() => None,
            Ok(_) => Some(format!("{} is not a folder", path.display())),
            Err(error) => Some(error.to_string()),
        };
        let refused = |path: &std::path::PathBuf| {
            missing(path).map(|why| RefusedFolder {
                path: path.clone(),
                why,
            })
        };
        current.folders.iter().filter_map(refused).collect()
    }

    fn begin(&self) {
        let current = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        self.owners().clear();
        self.once_hidden.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.mounted.store(true, Ordering::Release);
        for refused in self.put_into_effect(&current) {
            tracing::warn!(path = %refused.path.display(), why = refused.why, "a folder is not shown");
        }
    }

    fn put_into_effect(&self, wanted: &FilesView) -> Vec<RefusedFolder> {
        let mut view = View::default();
        let mut refused = Vec::new();
        // What lies below another shared folder is seen through that one.
        let outermost = wanted.folders.iter().filter(|folder| {
            let mut others = wanted.folders.iter();
            !others.any(|other| folder.starts_with(other) && *folder != other)
        });
        let mut whole = false;
        for folder in outermost {
            match self.walk(folder) {
                Ok(way) => {
                    whole |= way.is_empty();
                    let gates: Vec<_> = way.into_iter().map(|(parent, name, _)| (parent, name)).collect();
                    view.add_gates(&gates);
                }
                Err(error) => refused.push(RefusedFolder {
                    path: folder.clone(),
                    why: error.to_string(),
                }),
            }
        }
        if whole {
            view.gates.clear();
        } else {
            view.gates.entry(ROOT_ID).or_default();
        }
        let mut once_hidden = self.once_hidden.lock().unwrap_or_else(PoisonError::into_inner);
        once_hidden.retain(|path, _| wanted.hidden.contains(path));
        for hidden in &wanted.hidden {
            let (Some(parent), Some(name)) = (hidden.parent(), hidden.file_name()) else {
                continue;
            };
            let Ok(name) = CString::new(name.as_bytes()) else {
                continue;
            };
            if let Ok(way) = self.walk(parent) {
                view.fixed.extend(way.iter().map(|(_, _, node)| *node));
                let parent = way.last().map_or(ROOT_ID, |(_, _, node)| *node);
                let node = self.files.lookup(self.context(), parent, &name).ok();
                let node = node.map(|entry| entry.inode);
                once_hidden.entry(hidden.clone()).or_default().extend(node);
                view.hide(parent, name, node);
            }
        }
        view.hidden.extend(once_hidden.values().flatten());
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
        refused
    }

    /// The nodes from the root to a folder: each name with the node it was found in and its own. They are looked up
    /// and never given back, so that their numbers stay theirs.
    fn walk(&self, path: &Path) -> io::Result<Vec<(Node, CString, Node)>> {
        let mut way: Vec<(Node, CString, Node)> = Vec::new();
        for component in path.components() {
            match component {
                Component::RootDir => {}
                Component::Normal(name) => {
                    let name = CString::new(name.as_bytes())?;
                    let parent = way.last().map_or(ROOT_ID, |(_, _, node)| *node);
                    let entry = self.files.lookup(self.context(), parent, &name)?;
                    if entry.attr.mode & KIND != FOLDER {
                        return Err(io::ErrorKind::NotADirectory.into());
                    }
                    way.push((parent, name, entry.inode));
                }
                Component::Prefix(_) | Component::CurDir | Component::ParentDir => {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
            }
        }
        Ok(way)
    }

    fn context(&self) -> Context {
        self.person.context()
    }

    /// Writes into the ledger. Without it a server that follows knows nothing of what the guest has, and says so.
    fn note(&self, write: impl FnOnce(&mut Ledger) -> io::Result<()>) {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = ledger.as_mut().map(write) {
            tracing::error!(%error, "what the guest knows is not written down any more");
            if let Some(Err(error)) = ledger.take().map(|mut ledger| ledger.clear()) {
                tracing::error!(%error, "nor is that");
            }
        }
    }

    /// The guest is told of a file under this name.
    fn tell(&self, parent: Node, name: &CStr, entry: &Entry) {
        self.note(|ledger| ledger.met(&known(parent, name, entry)));
    }

    fn note_open(&self, node: Node, handle: Option<Handle>, flags: u32) {
        if let Some(handle) = handle {
            self.note(|ledger| ledger.opened(Opened { handle, node, flags }));
        }
    }

    /// A file has this name now, if it is there.
    fn note_moved(&self, parent: Node, name: &CStr) {
        if let Ok(entry) = self.files.lookup(self.context(), parent, name) {
            self.note(|ledger| ledger.moved(&known(parent, name, &entry)));
            self.files.forget(self.context(), entry.inode, 1);
        }
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, HashMap<Node, Kept>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn raising(&self) -> std::sync::MutexGuard<'_, Raising> {
        self.raising.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node is one of this server's.
    fn know(&self, node: Node) -> io::Result<()> {
        if self.refuses {
            return Err(Errno::IO.into());
        }
        if node != ROOT_ID && node < self.first && !self.kept.contains(&node) {
            return Err(Errno::STALE.into());
        }
        Ok(())
    }

    /// The guest may use this node.
    fn reach(&self, node: Node) -> io::Result<()> {
        self.know(node)?;
        if self.view().is_hidden(node) {
            return Err(Errno::NOENT.into());
        }
        Ok(())
    }

    /// The guest may change this node.
    fn touch(&self, node: Node) -> io::Result<()> {
        self.reach(node)?;
        if self.view().is_gate(node) {
            return Err(Errno::PERM.into());
        }
        Ok(())
    }

    /// The guest may make or remove this name.
    fn change(&self, parent: Node, name: &CStr) -> io::Result<()> {
        self.know(parent)?;
        match self.view().access(parent, name) {
            Access::Full => Ok(()),
            Access::Way | Access::None => Err(Errno::PERM.into()),
        }
    }

    /// The guest may move what has this name.
    fn move_away(&self, parent: Node, name: &CStr) -> io::Result<()> {
        if self.view().fixed.is_empty() {
            return Ok(());
        }
        let Ok(entry) = self.files.lookup(self.context(), parent, name) else {
            // There is nothing to move, which the move itself will say.
            return Ok(());
        };
        let fixed = self.view().is_fixed(entry.inode);
        self.files.forget(self.context(), entry.inode, 1);
        if fixed { Err(Errno::BUSY.into()) } else { Ok(()) }
    }

    /// Puts the owner that the guest is to see.
    fn dress(&self, node: Node, attributes: &mut Attr) {
        let owner = self.kept(node, attributes);
        if owner.is_none() && self.person.owns(attributes) {
            attributes.mode = owner::opened(attributes.mode);
        }
        let owner = owner.unwrap_or_else(|| self.person.shown(attributes));
        attributes.uid = owner.uid.into();
        attributes.gid = owner.gid.into();
    }

    fn kept(&self, node: Node, attributes: &Attr) -> Option<Owner> {
        let changed = (attributes.ctime, attributes.ctimensec);
        match self.owners().get(&node) {
            Some(Kept::Here { owner }) => return Some(*owner),
            Some(Kept::Read { changed: then, owner }) if *then == changed => return *owner,
            Some(Kept::Read { .. }) | None => {}
        }
        let may_differ = has_attributes(attributes) && self.person.owns(attributes);
        let read = may_differ.then(|| self.files.getxattr(self.context(), node, ATTRIBUTE, LONGEST_OWNER));
        let owner = match read {
            Some(Ok(GetxattrReply::Value(text))) => Owner::parse(&text),
            // There is none, or the file system or the file's mode does not let us look.
            Some(Ok(GetxattrReply::Count(_)) | Err(_)) | None => None,
        };
        self.owners().insert(node, Kept::Read { changed, owner });
        owner
    }

    /// Keeps an owner beside the file, or in memory where that cannot be. A file of somebody else on the host stays
    /// theirs: a `chown` never fails. Whether the owner is beside the file now.
    fn keep(&self, node: Node, attributes: &Attr, owner: Owner) -> bool {
        if !self.person.owns(attributes) {
            return false;
        }
        if !has_attributes(attributes) {
            self.owners().insert(node, Kept::Here { owner });
            return false;
        }
        let context = self.context();
        // A folder with a kept owner has the mode that it was given, and is not opened to everybody.
        let needless = owner == self.person.shown(attributes) && attributes.mode & KIND != FOLDER;
        let done = if needless {
            self.files.removexattr(context, node, ATTRIBUTE)
        } else {
            let text = owner.text();
            let flags = SetxattrFlags::empty();
            self.files.setxattr(context, node, ATTRIBUTE, text.as_bytes(), 0, flags)
        };
        self.owners().remove(&node);
        if let Err(error) = &done
            && error.raw_os_error() != Some(Errno::NODATA.raw_os_error())
        {
            tracing::debug!(%error, "an owner is not kept");
        }
        done.is_ok() && !needless
    }

    /// Something that the guest has just made: it belongs to whoever made it, and to the group of a folder that gives
    /// its group.
    fn made(&self, by: Context, parent: Node, name: &CStr, mut entry: Entry) -> Entry {
        self.tell(parent, name, &entry);
        let mut owner = Owner {
            uid: by.uid.into_inner(),
            gid: by.gid.into_inner(),
        };
        if let Ok((mut folder, _)) = self.files.getattr(self.context(), parent, None)
            && folder.mode & SET_GROUP != 0
        {
            self.dress(parent, &mut folder);
            owner.gid = folder.gid.into_inner();
        }
        if owner != self.person.shown(&entry.attr) || entry.attr.mode & KIND == FOLDER {
            let kept = self.keep(entry.inode, &entry.attr, owner);
            if let Ok((attributes, _)) = self.files.getattr(self.context(), entry.inode, None) {
                entry.attr = attributes;
                if kept {
                    // It need not be read to be known.
                    let changed = (attributes.ctime, attributes.ctimensec);
                    let owner = Some(owner);
                    self.owners().insert(entry.inode, Kept::Read { changed, owner });
                }
            }
        }
        self.dress(entry.inode, &mut entry.attr);
        entry
    }

    /// An owner is set, beside the file. As on any file system a program that ran as its owner no longer does.
    fn change_owner(&self, node: Node, asked: &SetattrIn, valid: SetattrValid) -> io::Result<()> {
        let (mut attributes, _) = self.files.getattr(self.context(), node, None)?;
        let plain = attributes;
        self.dress(node, &mut attributes);
        let owner = Owner {
            uid: if valid.contains(SetattrValid::UID) {
                asked.uid.into_inner()
            } else {
                attributes.uid.into_inner()
            },
            gid: if valid.contains(SetattrValid::GID) {
                asked.gid.into_inner()
            } else {
                attributes.gid.into_inner()
            },
        };
        self.keep(node, &plain, owner);
        let mut mode = plain.mode & !SET_USER;
        if mode & GROUP_EXECUTES != 0 {
            mode &= !SET_GROUP;
        }
        if plain.mode & KIND == REGULAR && mode != plain.mode && !valid.contains(SetattrValid::MODE) {
            let mut only_mode = *asked;
            only_mode.mode = mode & !KIND;
            self.files
                .setattr(self.context(), node, only_mode, None, SetattrValid::MODE)?;
        }
        Ok(())
    }

    /// A mode is set: from then on it is what the guest sees.
    fn keep_mode(&self, node: Node) -> io::Result<()> {
        let (attributes, _) = self.files.getattr(self.context(), node, None)?;
        if attributes.mode & KIND == FOLDER && self.kept(node, &attributes).is_none() {
            self.keep(node, &attributes, self.person.shown(&attributes));
        }
        Ok(())
    }

    /// What the host has made, for a guest that hears of it now.
    fn met(&self, context: Context, parent: Node, name: &CStr, kind: u32) -> io::Result<Entry> {
        let mut entry = self.files.lookup(self.context(), parent, name)?;
        if entry.attr.mode & KIND != kind || self.view().is_hidden(entry.inode) {
            self.files.forget(context, entry.inode, 1);
            return Err(Errno::NOENT.into());
        }
        self.tell(parent, name, &entry);
        self.dress(entry.inode, &mut entry.attr);
        Ok(entry)
    }

    /// What the guest hears of the two names of something that the host has moved: it is where it was.
    fn lookup_moved(&self, context: Context, (parent, name): (Node, &CStr), moving: &Moving) -> io::Result<Entry> {
        let (folder, target) = &moving.to;
        if (parent, name) == (*folder, target) {
            return Err(Errno::NOENT.into());
        }
        // Made anew meanwhile: the move that comes next is refused.
        if parent == moving.from && self.is_gone(parent, name).is_ok() {
            let mut entry = self.files.lookup(context, *folder, target)?;
            if self.view().is_hidden(entry.inode) {
                self.files.forget(context, entry.inode, 1);
                return Err(Errno::NOENT.into());
            }
            self.tell(*folder, target, &entry);
            self.dress(entry.inode, &mut entry.attr);
            return Ok(entry);
        }
        Err(Errno::NOENT.into())
    }

    /// Whether the host has no such name any more.
    fn is_gone(&self, parent: Node, name: &CStr) -> io::Result<()> {
        match self.files.lookup(self.context(), parent, name) {
            Ok(entry) => {
                self.files.forget(self.context(), entry.inode, 1);
                Err(Errno::EXIST.into())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How many files the guest knows, each of which is kept open.
    pub(crate) fn known(&self) -> usize {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.as_ref().map_or_else(|| self.owners().len(), Ledger::len)
    }

    fn forget_owner(&self, node: Node) {
        self.owners().remove(&node);
    }
}

/// A listing without the names that the guest may not see.
pub(crate) struct Listing {
    all: ReadDir<Vec<u8>>,
    shown: Shown,
}

enum Shown {
    All,
    Only(HashSet<CString>),
    Without(HashSet<CString>),
}

impl Shown {
    fn shows(&self, name: &CStr) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => matches!(name.to_bytes(), b"." | b"..") || names.contains(name),
            Self::Without(names) => !names.contains(name),
        }
    }
}

impl DirectoryIterator for Listing {
    fn next(&mut self) -> Option<DirEntry<'_>> {
        let (ino, offset, type_, name) = loop {
            let entry = self.all.next()?;
            if self.shown.shows(entry.name) {
                break (entry.ino, entry.offset, entry.type_, std::ptr::from_ref(entry.name));
            }
        };
        #[expect(
            unsafe_code,
            reason = "a loop that lends what it found is more than the borrow checker knows today"
        )]
        // SAFETY: the name lies in the buffer of `all`, which `self` lends for as long as the entry lives.
        let name = unsafe { &*name };
        Some(DirEntry {
            ino,
            offset,
            type_,
            name,
        })
    }
}

impl FileSystem for Folders {
    type Inode = Node;
    type Handle = Handle;
    type DirIter = Listing;

    fn init(&self, capable: FsOptions) -> io::Result<FsOptions> {
        self.mounted.store(false, Ordering::Release);
        let options = self.files.init(capable)?;
        self.note(Ledger::clear);
        self.begin();
        Ok(options)
    }

    fn destroy(&self) {
        self.mounted.store(false, Ordering::Release);
        self.files.destroy();
    }

    fn lookup(&self, context: Context, parent: Node, name: &CStr) -> io::Result<Entry> {
        self.know(parent)?;
        if self.view().access(parent, name) == Access::None {
            return Err(Errno::NOENT.into());
        }
        let (raise, moving) = {
            let mut raising = self.raising();
            raising.hears(context, parent, name);
            (raising.pretends(context, parent), raising.moving(context))
        };
        if let Some(moving) = moving {
            return self.lookup_moved(context, (parent, name), &moving);
        }
        let mut entry = match (self.files.lookup(context, parent, name), raise) {
            (Ok(entry), _) => entry,
            (Err(error), Some(Raise::RemovedFile | Raise::RemovedFolder))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(raise::gone(raise == Some(Raise::RemovedFolder)));
            }
            (Err(error), _) => return Err(error),
        };
        // One that the guest has met is not made once more: it may be using it.
        if raise == Some(Raise::Created) && !self.owners().contains_key(&entry.inode) {
            self.files.forget(context, entry.inode, 1);
            return Err(Errno::NOENT.into());
        }
        if self.view().is_hidden(entry.inode) {
            self.files.forget(context, entry.inode, 1);
            return Err(Errno::NOENT.into());
        }
        self.tell(parent, name, &entry);
        self.dress(entry.inode, &mut entry.attr);
        Ok(entry)
    }

    fn forget(&self, context: Context, node: Node, count: u64) {
        if raise::is_gone(node) {
            return;
        }
        self.forget_owner(node);
        self.note(|ledger| ledger.forgotten(node, count));
        self.files.forget(context, node, count);
    }

    fn batch_forget(&self, context: Context, mut requests: Vec<(Node, u64)>) {
        requests.retain(|(node, _)| !raise::is_gone(*node));
        for (node, count) in &requests {
            self.forget_owner(*node);
            self.note(|ledger| ledger.forgotten(*node, *count));
        }
        self.files.batch_forget(context, requests);
    }

    fn getattr(&self, context: Context, node: Node, handle: Option<Handle>) -> io::Result<(Attr, Duration)> {
        self.reach(node)?;
        let (mut attributes, valid) = self.files.getattr(context, node, handle)?;
        self.dress(node, &mut attributes);
        Ok((attributes, valid))
    }

    fn setattr(
        &self,
        context: Context,
        node: Node,
        asked: SetattrIn,
        handle: Option<Handle>,
        valid: SetattrValid,
    ) -> io::Result<(Attr, Duration)> {
        self.touch(node)?;
        let owner = SetattrValid::UID | SetattrValid::GID;
        if valid.intersects(owner) {
            self.change_owner(node, &asked, valid)?;
        }
        if valid.contains(SetattrValid::MODE) {
            self.keep_mode(node)?;
        }
        let rest = valid - owner;
        let (mut attributes, fresh) = if rest.is_empty() {
            self.files.getattr(context, node, handle)?
        } else {
            self.files.setattr(self.context(), node, asked, handle, rest)?
        };
        self.dress(node, &mut attributes);
        Ok((attributes, fresh))
    }

    fn readlink(&self, context: Context, node: Node) -> io::Result<Vec<u8>> {
        self.reach(node)?;
        self.files.readlink(context, node)
    }

    fn symlink(
        &self,
        context: Context,
        target: &CStr,
        parent: Node,
        name: &CStr,
        _extensions: Extensions,
    ) -> io::Result<Entry> {
        self.change(parent, name)?;
        let entry = self
            .files
            .symlink(self.context(), target, parent, name, Extensions::default())?;
        Ok(self.made(context, parent, name, entry))
    }

    fn mknod(
        &self,
        context: Context,
        parent: Node,
        name: &CStr,
        mode: u32,
        device: u32,
        umask: u32,
        _extensions: Extensions,
    ) -> io::Result<Entry> {
        self.change(parent, name)?;
        // Where the person is root the host would make it, and it would be the host's device.
        if matches!(mode & KIND, CHARACTER_DEVICE | BLOCK_DEVICE) {
            return Err(Errno::PERM.into());
        }
        let extensions = Extensions::default();
        let entry = self
            .files
            .mknod(self.context(), parent, name, mode, device, umask, extensions)?;
        Ok(self.made(context, parent, name, entry))
    }

    fn mkdir(
        &self,
        context: Context,
        parent: Node,
        name: &CStr,
        mode: u32,
        umask: u32,
        _extensions: Extensions,
    ) -> io::Result<Entry> {
        self.change(parent, name)?;
        if self.raising().pretends(context, parent).is_some() {
            return self.met(context, parent, name, FOLDER);
        }
        let entry = self
            .files
            .mkdir(self.context(), parent, name, mode, umask, Extensions::default())?;
        Ok(self.made(context, parent, name, entry))
    }

    fn unlink(&self, context: Context, parent: Node, name: &CStr) -> io::Result<()> {
        self.change(parent, name)?;
        if self.raising().pretends(context, parent).is_some() {
            return self.is_gone(parent, name);
        }
        self.files.unlink(context, parent, name)
    }

    fn rmdir(&self, context: Context, parent: Node, name: &CStr) -> io::Result<()> {
        self.change(parent, name)?;
        if self.raising().pretends(context, parent).is_some() {
            return self.is_gone(parent, name);
        }
        self.files.rmdir(context, parent, name)
    }

    fn rename(
        &self,
        context: Context,
        old_parent: Node,
        old_name: &CStr,
        new_parent: Node,
        new_name: &CStr,
        flags: u32,
    ) -> io::Result<()> {
        self.change(old_parent, old_name)?;
        self.change(new_parent, new_name)?;
        if self.raising().is_by(context) {
            return self.is_gone(old_parent, old_name);
        }
        self.move_away(old_parent, old_name)?;
        if flags & RenameFlags::EXCHANGE.bits() != 0 {
            self.move_away(new_parent, new_name)?;
        }
        self.files
            .rename(context, old_parent, old_name, new_parent, new_name, flags)?;
        self.note_moved(new_parent, new_name);
        if flags & RenameFlags::EXCHANGE.bits() != 0 {
            self.note_moved(old_parent, old_name);
        }
        Ok(())
    }

    fn link(&self, context: Context, node: Node, new_parent: Node, new_name: &CStr) -> io::Result<Entry> {
        self.reach(node)?;
        self.change(new_parent, new_name)?;
        let mut entry = self.files.link(context, node, new_parent, new_name)?;
        self.tell(new_parent, new_name, &entry);
        self.dress(entry.inode, &mut entry.attr);
        Ok(entry)
    }

    fn open(
        &self,
        context: Context,
        node: Node,
        kill_priv: bool,
        flags: u32,
    ) -> io::Result<(Option<Handle>, OpenOptions)> {
        self.reach(node)?;
        // To tell of a change no right to make one is needed, and the host is not to take it for one.
        let flags = if self.raising().is_by(context) {
            raise::OPEN
        } else {
            flags
        };
        let opened = self.files.open(context, node, kill_priv, flags)?;
        self.note_open(node, opened.0, flags);
        Ok(opened)
    }

    fn create(
        &self,
        context: Context,
        parent: Node,
        name: &CStr,
        mode: u32,
        kill_priv: bool,
        flags: u32,
        umask: u32,
        _extensions: Extensions,
    ) -> io::Result<(Entry, Option<Handle>, OpenOptions)> {
        const EXCLUSIVE: u32 = rustix::fs::OFlags::EXCL.bits();
        self.change(parent, name)?;
        if self.raising().pretends(context, parent).is_some() {
            let entry = self.met(context, parent, name, REGULAR)?;
            let (handle, options) = self.files.open(context, entry.inode, false, raise::OPEN)?;
            self.note_open(entry.inode, handle, raise::OPEN);
            return Ok((entry, handle, options));
        }
        // Only one that was made here gets an owner, so whether it was has to be known.
        let own = self.context();
        let created = self.files.create(
            own,
            parent,
            name,
            mode,
            kill_priv,
            flags | EXCLUSIVE,
            umask,
            Extensions::default(),
        );
        match created {
            Ok((entry, handle, options)) => {
                let entry = self.made(context, parent, name, entry);
                self.note_open(entry.inode, handle, flags);
                Ok((entry, handle, options))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && flags & EXCLUSIVE == 0 => {
                let entry = self.lookup(context, parent, name)?;
                match self.files.open(own, entry.inode, kill_priv, flags) {
                    Ok((handle, options)) => {
                        self.note_open(entry.inode, handle, flags);
                        Ok((entry, handle, options))
                    }
                    Err(error) => {
                        self.note(|ledger| ledger.forgotten(entry.inode, 1));
                        self.files.forget(own, entry.inode, 1);
                        Err(error)
                    }
                }
            }
            Err(error) => Err(error),
        }
    }

    fn read<W: ZeroCopyWriter>(
        &self,
        context: Context,
        node: Node,
        handle: Handle,
        writer: W,
        size: u32,
        offset: u64,
        lock_owner: Option<u64>,
        flags: u32,
    ) -> io::Result<usize> {
        self.know(node)?;
        self.files
            .read(context, node, handle, writer, size, offset, lock_owner, flags)
    }

    fn write<R: ZeroCopyReader>(
        &self,
        context: Context,
        node: Node,
        handle: Handle,
        reader: R,
        size: u32,
        offset: u64,
        lock_owner: Option<u64>,
        delayed_write: bool,
        kill_priv: bool,
        flags: u32,
    ) -> io::Result<usize> {
        self.know(node)?;
        self.files.write(
            context,
            node,
            handle,
            reader,
            size,
            offset,
            lock_owner,
            delayed_write,
            kill_priv,
            flags,
        )
    }

    fn flush(&self, context: Context, node: Node, handle: Handle, lock_owner: u64) -> io::Result<()> {
        self.know(node)?;
        self.files.flush(context, node, handle, lock_owner)
    }

    fn fsync(&self, context: Context, node: Node, datasync: bool, handle: Handle) -> io::Result<()> {
        self.know(node)?;
        self.files.fsync(context, node, datasync, handle)
    }

    fn fallocate(
        &self,
        context: Context,
        node: Node,
        handle: Handle,
        mode: u32,
        offset: u64,
        length: u64,
    ) -> io::Result<()> {
        if offset == Raise::OFFSET && self.raising().is_by(context) {
            return Ok(());
        }
        self.know(node)?;
        self.files.fallocate(context, node, handle, mode, offset, length)
    }

    fn release(
        &self,
        context: Context,
        node: Node,
        flags: u32,
        handle: Handle,
        flush: bool,
        flock_release: bool,
        lock_owner: Option<u64>,
    ) -> io::Result<()> {
        self.note(|ledger| ledger.closed(handle));
        self.files
            .release(context, node, flags, handle, flush, flock_release, lock_owner)
    }

    fn statfs(&self, context: Context, node: Node) -> io::Result<nix::libc::statvfs64> {
        self.know(node)?;
        self.files.statfs(context, node)
    }

    fn setxattr(
        &self,
        context: Context,
        node: Node,
        name: &CStr,
        value: &[u8],
        flags: u32,
        extra_flags: SetxattrFlags,
    ) -> io::Result<()> {
        self.touch(node)?;
        match attribute(name) {
            Attribute::Users => self.files.setxattr(context, node, name, value, flags, extra_flags),
            Attribute::Ours => Err(Errno::PERM.into()),
            Attribute::Hosts => Err(Errno::NOTSUP.into()),
        }
    }

    fn getxattr(&self, context: Context, node: Node, name: &CStr, size: u32) -> io::Result<GetxattrReply> {
        self.reach(node)?;
        if self.raising().says(context, node, name) {
            return Err(Errno::NODATA.into());
        }
        match attribute(name) {
            Attribute::Users => self.files.getxattr(context, node, name, size),
            Attribute::Ours => Err(Errno::NODATA.into()),
            Attribute::Hosts => Err(Errno::NOTSUP.into()),
        }
    }

    fn listxattr(&self, context: Context, node: Node, size: u32) -> io::Result<ListxattrReply> {
        self.reach(node)?;
        Ok(match self.files.listxattr(context, node, size)? {
            // The guest asks for at most that many bytes next; fewer may come.
            ListxattrReply::Count(count) => ListxattrReply::Count(count),
            ListxattrReply::Names(names) => ListxattrReply::Names(users_attributes(&names)),
        })
    }

    fn removexattr(&self, context: Context, node: Node, name: &CStr) -> io::Result<()> {
        self.touch(node)?;
        match attribute(name) {
            Attribute::Users => self.files.removexattr(context, node, name),
            Attribute::Ours => Err(Errno::NODATA.into()),
            Attribute::Hosts => Err(Errno::NOTSUP.into()),
        }
    }

    fn opendir(&self, context: Context, node: Node, flags: u32) -> io::Result<(Option<Handle>, OpenOptions)> {
        self.reach(node)?;
        let opened = self.files.opendir(context, node, flags)?;
        self.note_open(node, opened.0, flags | OFlags::DIRECTORY.bits());
        Ok(opened)
    }

    fn readdir(
        &self,
        context: Context,
        node: Node,
        handle: Handle,
        size: u32,
        offset: u64,
    ) -> io::Result<Self::DirIter> {
        self.know(node)?;
        let shown = {
            let view = self.view();
            match (view.gates.get(&node), view.hidden_names.get(&node)) {
                (Some(names), _) => Shown::Only(names.clone()),
                (None, Some(names)) => Shown::Without(names.clone()),
                (None, None) => Shown::All,
            }
        };
        Ok(Listing {
            all: self.files.readdir(context, node, handle, size, offset)?,
            shown,
        })
    }

    fn fsyncdir(&self, context: Context, node: Node, datasync: bool, handle: Handle) -> io::Result<()> {
        self.know(node)?;
        self.files.fsyncdir(context, node, datasync, handle)
    }

    fn releasedir(&self, context: Context, node: Node, flags: u32, handle: Handle) -> io::Result<()> {
        self.note(|ledger| ledger.closed(handle));
        self.files.releasedir(context, node, flags, handle)
    }

    fn lseek(&self, context: Context, node: Node, handle: Handle, offset: u64, whence: u32) -> io::Result<u64> {
        self.know(node)?;
        self.files.lseek(context, node, handle, offset, whence)
    }

    fn copyfilerange(
        &self,
        context: Context,
        from: Node,
        from_handle: Handle,
        from_offset: u64,
        to: Node,
        to_handle: Handle,
        to_offset: u64,
        length: u64,
        flags: u64,
    ) -> io::Result<usize> {
        self.know(from)?;
        self.know(to)?;
        self.files.copyfilerange(
            context,
            from,
            from_handle,
            from_offset,
            to,
            to_handle,
            to_offset,
            length,
            flags,
        )
    }

    fn syncfs(&self, context: Context, node: Node) -> io::Result<()> {
        self.reach(node)?;
        self.files.syncfs(context, node)
    }
}

impl SerializableFileSystem for Folders {
    fn prepare_serialization(&self, cancel: Arc<AtomicBool>) {
        self.files.prepare_serialization(cancel);
    }

    fn serialize(&self, pipe: File) -> io::Result<()> {
        self.files.serialize(pipe)
    }

    fn deserialize_and_apply(&self, mut pipe: File) -> io::Result<()> {
        let mut state = Vec::new();
        pipe.read_to_end(&mut state)?;
        self.files.deserialize_and_apply(in_memory(&state)?)?;
        self.note(|ledger| {
            ledger.clear()?;
            let (known, opened) = numbers::of_state(&state).map_err(io::Error::other)?;
            known.iter().try_for_each(|known| ledger.met(known))?;
            opened.into_iter().try_for_each(|opened| ledger.opened(opened))
        });
        self.begin();
        Ok(())
    }
}

/// Told of once.
fn known(parent: Node, name: &CStr, entry: &Entry) -> Known {
    Known {
        node: entry.inode,
        count: 1,
        parent,
        number: entry.attr.ino,
        name: name.to_bytes().into(),
    }
}

/// Whether an extended attribute of the person's can be beside it.
fn has_attributes(attributes: &Attr) -> bool {
    matches!(attributes.mode & KIND, FOLDER | REGULAR)
}

/// Whose an extended attribute is.
enum Attribute {
    Users,
    /// The owner that is kept.
    Ours,
    /// Those that mean something to the host's kernel.
    Hosts,
}

fn attribute(name: &CStr) -> Attribute {
    if name == ATTRIBUTE {
        Attribute::Ours
    } else if name.to_bytes().starts_with(b"user.") {
        Attribute::Users
    } else {
        Attribute::Hosts
    }
}

/// Names of attributes, each ended by a zero, without those that are none of the guest's business.
fn users_attributes(names: &[u8]) -> Vec<u8> {
    names
        .split_inclusive(|byte| *byte == 0)
        .filter_map(|name| CStr::from_bytes_with_nul(name).ok())
        .filter(|name| matches!(attribute(name), Attribute::Users))
        .flat_map(CStr::to_bytes_with_nul)
        .copied()
        .collect()
}

#[cfg(test)]
mod tests;
