use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use tempfile::TempDir;
use virtiofsd::passthrough::{Config, MigrationOnError};

use super::*;

/// `shared` is shown, `shared/hidden` is not, and `beside` is next to it.
struct Bed {
    folder: TempDir,
    folders: Folders,
    ledger: File,
}

fn by(uid: u32, gid: u32) -> Context {
    Context {
        uid: uid.into(),
        gid: gid.into(),
        pid: 1,
    }
}

impl Bed {
    /// What the guest's kernel does at its mount has been done.
    fn mounted() -> io::Result<Self> {
        // The host's names of it have no symbolic links, as the daemon takes care of.
        let folder = tempfile::tempdir_in(fs_err::canonicalize(std::env::temp_dir())?)?;
        for made in ["shared/hidden", "shared/project", "beside"] {
            fs_err::create_dir_all(folder.path().join(made))?;
        }
        fs_err::write(folder.path().join("beside/secret"), "secret")?;
        fs_err::write(folder.path().join("shared/hidden/key"), "secret")?;
        fs_err::write(folder.path().join("shared/project/file"), "text")?;
        let config = Config {
            xattr: true,
            ..Config::default()
        };
        let ledger = tempfile::tempfile()?;
        let folders = Folders::new(PassthroughFs::new(config)?, Person::here(), ledger.try_clone()?)?;
        let bed = Self {
            folder,
            folders,
            ledger,
        };
        assert_eq!(bed.folders.show(&bed.view(&["shared"], &["shared/hidden"])), []);
        bed.folders.init(FsOptions::empty())?;
        Ok(bed)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn view(&self, folders: &[&str], hidden: &[&str]) -> FilesView {
        let paths = |names: &[&str]| names.iter().map(|name| self.path(name)).collect();
        FilesView {
            folders: paths(folders),
            hidden: paths(hidden),
            watched: Vec::new(),
            raiser: None,
        }
    }

    /// Looks a path up as the guest's kernel does: name by name.
    fn find(&self, below: &str) -> io::Result<Entry> {
        let mut entry: Option<Entry> = None;
        for component in self.path(below).components() {
            if let Component::Normal(name) = component {
                let parent = entry.map_or(ROOT_ID, |entry| entry.inode);
                let name = CString::new(name.as_bytes())?;
                entry = Some(self.folders.lookup(by(0, 0), parent, &name)?);
            }
        }
        entry.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, below: &str) -> io::Result<Vec<String>> {
        let node = self.find(below)?.inode;
        let (handle, _) = self.folders.opendir(by(0, 0), node, 0)?;
        let handle = handle.ok_or(io::ErrorKind::Other)?;
        let mut listing = self.folders.readdir(by(0, 0), node, handle, 64 * 1024, 0)?;
        let mut names = Vec::new();
        while let Some(entry) = listing.next() {
            names.push(entry.name.to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn make(&self, context: Context, folder: &str, name: &CStr) -> io::Result<Entry> {
        let parent = self.find(folder)?.inode;
        let write = rustix::fs::OFlags::WRONLY.bits();
        let extensions = Extensions::default();
        let (entry, _, _) = self
            .folders
            .create(context, parent, name, 0o644, false, write, 0o022, extensions)?;
        Ok(entry)
    }
}

fn owner(entry: &Entry) -> (u32, u32) {
    (entry.attr.uid.into_inner(), entry.attr.gid.into_inner())
}

fn errno<T>(outcome: io::Result<T>) -> Option<Errno> {
    outcome.err().and_then(|error| Errno::from_io_error(&error))
}

#[test]
fn the_guest_sees_the_shared_folder_and_the_way_to_it_and_nothing_else() -> io::Result<()> {
    let bed = Bed::mounted()?;
    assert!(bed.find("shared/project/file").is_ok());
    assert_eq!(errno(bed.find("beside")), Some(Errno::NOENT));
    assert_eq!(bed.list("")?, [".", "..", "shared"]);
    assert_eq!(bed.list("shared")?, [".", "..", "project"]);
    assert_eq!(errno(bed.find("shared/hidden")), Some(Errno::NOENT));
    for system in [c"etc", c"proc", c"dev"] {
        let looked = bed.folders.lookup(by(0, 0), ROOT_ID, system);
        assert_eq!(errno(looked), Some(Errno::NOENT), "{system:?}");
    }
    Ok(())
}

#[test]
fn nothing_is_made_or_removed_on_the_way_or_where_something_is_hidden() -> io::Result<()> {
    let bed = Bed::mounted()?;
    assert_eq!(errno(bed.make(by(0, 0), "", c"new")), Some(Errno::PERM));
    assert_eq!(errno(bed.make(by(0, 0), "shared", c"hidden")), Some(Errno::PERM));
    let way = bed.find("")?.inode;
    let shared = bed.find("shared")?.inode;
    let changes = [
        bed.folders.rmdir(by(0, 0), way, c"shared"),
        bed.folders.rename(by(0, 0), way, c"shared", shared, c"elsewhere", 0),
        bed.folders.rename(by(0, 0), shared, c"hidden", shared, c"seen", 0),
        bed.folders.rename(by(0, 0), shared, c"project", shared, c"hidden", 0),
        bed.folders.rmdir(by(0, 0), shared, c"hidden"),
        bed.folders.unlink(by(0, 0), shared, c"../beside/secret"),
    ];
    for change in changes {
        assert_eq!(errno(change), Some(Errno::PERM));
    }
    assert!(bed.path("shared/hidden/key").exists());
    Ok(())
}

#[test]
fn a_guest_that_was_taken_over_gets_no_further_by_numbers_and_dots() -> io::Result<()> {
    let bed = Bed::mounted()?;
    let shared = bed.find("shared")?.inode;
    for name in [c"..", c".", c"../beside", c"project/../../beside", c"/etc"] {
        assert_eq!(
            errno(bed.folders.lookup(by(0, 0), shared, name)),
            Some(Errno::NOENT),
            "{name:?}"
        );
    }
    // Numbers are given in order: the server looked the hidden folder up itself, so that it has one.
    for node in 1..100 {
        let found = bed.folders.lookup(by(0, 0), node, c"key");
        assert!(errno(found).is_some(), "node {node} leads to the key");
    }
    Ok(())
}

#[test]
fn what_is_hidden_stays_hidden_wherever_it_is_moved() -> io::Result<()> {
    let bed = Bed::mounted()?;
    let hidden = bed.view(&["shared"], &["shared/project/deep/hidden"]);
    fs_err::create_dir_all(bed.path("shared/project/deep/hidden"))?;
    fs_err::write(bed.path("shared/project/deep/hidden/key"), "secret")?;
    assert_eq!(bed.folders.show(&hidden), []);
    let shared = bed.find("shared")?.inode;
    let moved = bed
        .folders
        .rename(by(0, 0), shared, c"project", shared, c"elsewhere", 0);
    assert_eq!(errno(moved), Some(Errno::BUSY));
    fs_err::create_dir(bed.path("shared/other"))?;
    let exchange = RenameFlags::EXCHANGE.bits();
    let exchanged = bed
        .folders
        .rename(by(0, 0), shared, c"other", shared, c"project", exchange);
    assert_eq!(errno(exchanged), Some(Errno::BUSY));
    // The person may, and something else is made where it was.
    fs_err::rename(bed.path("shared/project"), bed.path("shared/elsewhere"))?;
    fs_err::create_dir_all(bed.path("shared/project/deep/hidden"))?;
    assert_eq!(bed.folders.show(&hidden), []);
    assert_eq!(errno(bed.find("shared/elsewhere/deep/hidden")), Some(Errno::NOENT));
    assert_eq!(errno(bed.find("shared/project/deep/hidden")), Some(Errno::NOENT));
    Ok(())
}

/// What a guest can ask for whose kernel was taken over: any name of any node, while the host swaps folders and links.
#[test]
fn a_hundred_thousand_hostile_requests_reach_nothing_outside() -> io::Result<()> {
    const NAMES: [&CStr; 12] = [
        c"..",
        c".",
        c"",
        c"/",
        c"../beside",
        c"../../beside/secret",
        c"project/../../beside",
        c"hidden",
        c"HIDDEN",
        c"swap",
        c"secret",
        c"key",
    ];
    let bed = Bed::mounted()?;
    let inode = |below: &str| fs_err::symlink_metadata(bed.path(below)).map(|metadata| metadata.ino());
    let outside = [
        inode("beside")?,
        inode("beside/secret")?,
        inode("shared/hidden")?,
        inode("shared/hidden/key")?,
    ];
    let shared = bed.find("shared")?.inode;
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                // The guest moves and removes these as well.
                let _ = fs_err::create_dir(bed.path("shared/folder"));
                let _ = symlink(bed.path("beside"), bed.path("shared/link"));
                for what in ["shared/folder", "shared/link"] {
                    let (what, swap) = (bed.path(what), bed.path("shared/swap"));
                    let _ = fs_err::rename(&what, &swap);
                    std::thread::yield_now();
                    let _ = fs_err::rename(&swap, &what);
                }
            }
        });
        let request = |number: u64, name: &CStr| -> Option<u64> {
            // The nodes of the way, of what is shared and hidden, and some that there never were.
            let node = number % (shared + 20);
            let context = by(0, 0);
            match number / 7 % 6 {
                0 | 1 => {
                    let entry = bed.folders.lookup(context, node, name).ok()?;
                    let below = bed.folders.lookup(context, entry.inode, c"secret").ok();
                    below.map_or(Some(entry.attr.ino), |below| Some(below.attr.ino))
                }
                2 => {
                    let (handle, _) = bed.folders.open(context, node, false, 0).ok()?;
                    let (attributes, _) = bed.folders.getattr(context, node, handle).ok()?;
                    Some(attributes.ino)
                }
                3 => bed.folders.unlink(context, node, name).ok().map(|()| 0),
                4 => bed
                    .folders
                    .rename(context, node, name, shared, c"mine", 0)
                    .ok()
                    .map(|()| 0),
                _ => bed
                    .folders
                    .link(context, node, shared, name)
                    .ok()
                    .map(|entry| entry.attr.ino),
            }
        };
        for number in 0..100_000_u64 {
            let name = NAMES[usize::try_from(number / 3).unwrap_or_default() % NAMES.len()];
            if let Some(reached) = request(number, name) {
                assert!(!outside.contains(&reached), "request {number}, {name:?}");
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs_err::read_to_string(bed.path("beside/secret"))?, "secret");
    assert_eq!(fs_err::read_to_string(bed.path("shared/hidden/key"))?, "secret");
    assert_eq!(fs_err::read_dir(bed.path("beside"))?.count(), 1);
    Ok(())
}

#[test]
fn a_symbolic_link_is_read_and_never_followed() -> io::Result<()> {
    let bed = Bed::mounted()?;
    symlink(bed.path("beside"), bed.path("shared/out"))?;
    let link = bed.find("shared/out")?;
    assert_eq!(link.attr.mode & KIND, 0o120_000);
    assert!(bed.folders.lookup(by(0, 0), link.inode, c"secret").is_err());
    assert!(bed.folders.open(by(0, 0), link.inode, false, 0).is_err());
    // A folder that is swapped for a link after it was looked up stays the folder that it was.
    let project = bed.find("shared/project")?.inode;
    fs_err::rename(bed.path("shared/project"), bed.path("shared/moved"))?;
    symlink(bed.path("beside"), bed.path("shared/project"))?;
    assert!(bed.folders.lookup(by(0, 0), project, c"file").is_ok());
    assert!(bed.folders.lookup(by(0, 0), project, c"secret").is_err());
    Ok(())
}

#[test]
fn what_a_container_makes_is_the_persons_on_the_host_and_its_makers_in_the_guest() -> io::Result<()> {
    let bed = Bed::mounted()?;
    let person = Person::here();
    for (name, uid, gid) in [("by-root", 0, 0), ("by-user", 1000, 1000), ("by-database", 999, 70)] {
        let entry = bed.make(by(uid, gid), "shared/project", &CString::new(name)?)?;
        assert_eq!(owner(&entry), (uid, gid));
        assert_eq!(owner(&bed.find(&format!("shared/project/{name}"))?), (uid, gid));
        let host = fs_err::metadata(bed.path("shared/project").join(name))?;
        assert_eq!((host.uid(), host.gid()), (person.host.uid, person.host.gid), "{name}");
    }
    let persons = bed.find("shared/project/file")?;
    assert_eq!(owner(&persons), (person.guest.uid, person.guest.gid));
    Ok(())
}

#[test]
fn a_folder_of_the_persons_is_everybodys_until_a_container_gives_it_a_mode() -> io::Result<()> {
    let bed = Bed::mounted()?;
    let mode = |below: &str| -> io::Result<u32> { Ok(bed.find(below)?.attr.mode & 0o7777) };
    fs_err::set_permissions(bed.path("shared/project"), std::fs::Permissions::from_mode(0o755))?;
    assert_eq!(mode("shared/project")?, 0o777);
    let node = bed.find("shared/project")?.inode;
    let asked = SetattrIn {
        mode: 0o755,
        ..SetattrIn::default()
    };
    let (attributes, _) = bed.folders.setattr(by(0, 0), node, asked, None, SetattrValid::MODE)?;
    assert_eq!(attributes.mode & 0o7777, 0o755);
    assert_eq!(mode("shared/project")?, 0o755, "it is remembered");
    // So has one that a container makes, whatever the user inside.
    let person = Person::here().guest;
    let entry = bed.folders.mkdir(
        by(person.uid, person.gid),
        node,
        c"made",
        0o755,
        0,
        Extensions::default(),
    )?;
    assert_eq!(entry.attr.mode & 0o7777, 0o755);
    assert_eq!(owner(&entry), (person.uid, person.gid));
    Ok(())
}

#[test]
fn chown_has_its_effect_in_the_guest_alone() -> io::Result<()> {
    let bed = Bed::mounted()?;
    let person = Person::here();
    let node = bed.find("shared/project/file")?.inode;
    let asked = SetattrIn {
        uid: 33.into(),
        gid: 44.into(),
        ..SetattrIn::default()
    };
    let (attributes, _) = bed
        .folders
        .setattr(by(0, 0), node, asked, None, SetattrValid::UID | SetattrValid::GID)?;
    assert_eq!((attributes.uid.into_inner(), attributes.gid.into_inner()), (33, 44));
    assert_eq!(owner(&bed.find("shared/project/file")?), (33, 44));
    let host = fs_err::metadata(bed.path("shared/project/file"))?;
    assert_eq!((host.uid(), host.gid()), (person.host.uid, person.host.gid));

    // The attribute that keeps it is nobody else's.
    let ours = [
        errno(bed.folders.getxattr(by(0, 0), node, ATTRIBUTE, 64)),
        errno(bed.folders.removexattr(by(0, 0), node, ATTRIBUTE)),
    ];
    assert_eq!(ours, [Some(Errno::NODATA), Some(Errno::NODATA)]);
    let set = bed
        .folders
        .setxattr(by(0, 0), node, ATTRIBUTE, b"0:0", 0, SetxattrFlags::empty());
    assert_eq!(errno(set), Some(Errno::PERM));
    let flags = SetxattrFlags::empty();
    bed.folders
        .setxattr(by(0, 0), node, c"user.colour", b"blue", 0, flags)?;
    let Ok(ListxattrReply::Names(names)) = bed.folders.listxattr(by(0, 0), node, 256) else {
        return Err(io::Error::other("no list"));
    };
    assert_eq!(names, b"user.colour\0");
    Ok(())
}

#[test]
fn what_nothing_can_be_kept_beside_has_an_owner_for_as_long_as_it_is_known() -> io::Result<()> {
    let bed = Bed::mounted()?;
    let parent = bed.find("shared/project")?.inode;
    let extensions = Extensions::default;
    let link = bed
        .folders
        .symlink(by(70, 71), c"file", parent, c"link", extensions())?;
    let pipe = bed
        .folders
        .mknod(by(70, 71), parent, c"pipe", 0o010_600, 0, 0, extensions())?;
    for (entry, name) in [(link, "link"), (pipe, "pipe")] {
        assert_eq!(owner(&entry), (70, 71), "{name}");
        let asked = SetattrIn {
            uid: 33.into(),
            ..SetattrIn::default()
        };
        bed.folders
            .setattr(by(0, 0), entry.inode, asked, None, SetattrValid::UID)?;
        assert_eq!(owner(&bed.find(&format!("shared/project/{name}"))?), (33, 71), "{name}");
        let host = fs_err::symlink_metadata(bed.path("shared/project").join(name))?;
        assert_eq!(host.uid(), Person::here().host.uid, "{name}");
    }
    Ok(())
}

#[test]
fn a_folder_that_gives_its_group_gives_it_to_what_is_made_in_it() -> io::Result<()> {
    let bed = Bed::mounted()?;
    let node = bed.find("shared/project")?.inode;
    let asked = SetattrIn {
        gid: 70.into(),
        mode: 0o2775,
        ..SetattrIn::default()
    };
    bed.folders
        .setattr(by(0, 0), node, asked, None, SetattrValid::GID | SetattrValid::MODE)?;
    assert_eq!(owner(&bed.make(by(5, 6), "shared/project", c"new")?), (5, 70));
    Ok(())
}

#[test]
fn chown_takes_a_programs_rights_away() -> io::Result<()> {
    let bed = Bed::mounted()?;
    let node = bed.find("shared/project/file")?.inode;
    let set = |asked: SetattrIn, valid| bed.folders.setattr(by(0, 0), node, asked, None, valid);
    let mode = SetattrIn {
        mode: 0o6755,
        ..SetattrIn::default()
    };
    let (attributes, _) = set(mode, SetattrValid::MODE)?;
    assert_eq!(attributes.mode & 0o7777, 0o6755);
    let (attributes, _) = set(SetattrIn::default(), SetattrValid::UID)?;
    assert_eq!(attributes.mode & 0o7777, 0o755);
    Ok(())
}

#[test]
fn a_device_is_never_made() -> io::Result<()> {
    let bed = Bed::mounted()?;
    let parent = bed.find("shared")?.inode;
    for kind in [CHARACTER_DEVICE, BLOCK_DEVICE] {
        let extensions = Extensions::default();
        let made = bed
            .folders
            .mknod(by(0, 0), parent, c"disk", kind | 0o666, 0x801, 0, extensions);
        assert_eq!(errno(made), Some(Errno::PERM));
    }
    Ok(())
}

#[test]
fn folders_come_and_go_while_the_guest_runs() -> io::Result<()> {
    let bed = Bed::mounted()?;
    assert_eq!(bed.folders.show(&bed.view(&["shared", "beside"], &[])), []);
    assert!(bed.find("beside/secret").is_ok());
    assert!(bed.find("shared/hidden/key").is_ok());
    let refused = bed
        .folders
        .show(&bed.view(&["shared", "nowhere", "shared/project/file"], &[]));
    let paths: Vec<_> = refused.iter().map(|refused| refused.path.clone()).collect();
    assert_eq!(
        paths,
        [bed.path("nowhere")],
        "what is below a shared folder is seen anyway"
    );
    assert_eq!(errno(bed.find("beside")), Some(Errno::NOENT));
    // The whole computer, should the person want that.
    let whole = FilesView {
        folders: vec!["/".into()],
        ..FilesView::default()
    };
    assert_eq!(bed.folders.show(&whole), []);
    assert!(bed.folders.lookup(by(0, 0), ROOT_ID, c"etc").is_ok());
    Ok(())
}

impl Bed {
    /// The server dies, and another one takes over with this ledger.
    fn follow(self, ledger: &File, refuses: bool) -> io::Result<Self> {
        let Self {
            folder,
            folders,
            ledger: before,
        } = self;
        drop(folders);
        let config = Config {
            xattr: true,
            migration_on_error: MigrationOnError::GuestError,
            ..Config::default()
        };
        let files = PassthroughFs::new(config)?;
        let folders = Folders::following(files, Person::here(), ledger.try_clone()?, refuses)?;
        let bed = Self {
            folder,
            folders,
            ledger: before,
        };
        assert_eq!(bed.folders.show(&bed.view(&["shared"], &["shared/hidden"])), []);
        Ok(bed)
    }

    fn is_stale(&self, node: Node) -> bool {
        errno(self.folders.getattr(by(0, 0), node, None)) == Some(Errno::STALE)
    }
}

#[test]
fn one_that_follows_another_takes_none_of_its_files_for_one_of_its_own() -> io::Result<()> {
    let bed = Bed::mounted()?;
    let before = bed.find("shared/project/file")?.inode;
    // As when the one before could write nothing down.
    let nothing = tempfile::tempfile()?;
    drop(crate::ledger::Ledger::begin(nothing.try_clone()?)?);
    let bed = bed.follow(&nothing, false)?;
    assert!(bed.is_stale(before), "a file of the one before");
    let parent = bed.folders.lookup(by(0, 0), before, c"file");
    assert_eq!(errno(parent), Some(Errno::STALE));
    // From the root on everything is found anew, under numbers that the one before cannot have given.
    let now = bed.find("shared/project/file")?.inode;
    assert!(now >= bed.folders.first && now > before, "{now}");
    assert_eq!(errno(bed.find("shared/hidden")), Some(Errno::NOENT));
    assert!(bed.make(by(0, 0), "shared/project", c"new").is_ok());
    Ok(())
}

#[test]
fn what_the_guest_has_goes_on_with_the_one_that_follows_and_what_is_not_there_does_not() -> io::Result<()> {
    let bed = Bed::mounted()?;
    for file in ["kept", "moved", "replaced", "removed", "forgotten"] {
        fs_err::write(bed.path("shared/project").join(file), file)?;
    }
    let node = |name: &str| bed.find(&format!("shared/project/{name}")).map(|entry| entry.inode);
    let project = bed.find("shared/project")?.inode;
    let [kept, moved, replaced, removed, forgotten] = [
        node("kept")?,
        node("moved")?,
        node("replaced")?,
        node("removed")?,
        node("forgotten")?,
    ];
    let (handle, _) = bed.folders.open(by(0, 0), kept, false, OFlags::RDWR.bits())?;
    let (listing, _) = bed.folders.opendir(by(0, 0), project, 0)?;
    let (closed, _) = bed.folders.open(by(0, 0), kept, false, OFlags::TRUNC.bits())?;
    let closed = closed.expect("a handle");
    fs_err::write(bed.path("shared/project/kept"), "kept")?;
    bed.folders.release(by(0, 0), kept, 0, closed, false, false, None)?;
    bed.folders
        .rename(by(0, 0), project, c"moved", project, c"elsewhere", 0)?;
    bed.folders.forget(by(0, 0), forgotten, 1);
    // The host's own doing.
    fs_err::write(bed.path("shared/new"), "another one")?;
    fs_err::rename(bed.path("shared/new"), bed.path("shared/project/replaced"))?;
    fs_err::remove_file(bed.path("shared/project/removed"))?;

    let ledger = bed.ledger.try_clone()?;
    // Twice: the second one reads what the first one has taken over. In between nothing is served at all.
    let bed = bed.follow(&ledger, false)?.follow(&ledger, true)?;
    assert_eq!(errno(bed.folders.getattr(by(0, 0), kept, None)), Some(Errno::IO));
    assert_eq!(errno(bed.folders.getattr(by(0, 0), ROOT_ID, None)), Some(Errno::IO));
    let bed = bed.follow(&ledger, false)?;
    for gone in [replaced, removed, forgotten] {
        assert!(bed.is_stale(gone), "{gone}");
    }
    let (attributes, _) = bed.folders.getattr(by(0, 0), kept, handle)?;
    assert_eq!(attributes.size, 4, "what is open is not emptied");
    assert!(
        bed.folders
            .fsync(by(0, 0), kept, false, handle.expect("a handle"))
            .is_ok()
    );
    assert!(
        bed.folders
            .fsyncdir(by(0, 0), project, false, listing.expect("a handle"))
            .is_ok()
    );
    assert!(
        bed.folders.fsync(by(0, 0), kept, false, closed).is_err(),
        "closed before"
    );
    let (attributes, _) = bed.folders.getattr(by(0, 0), moved, None)?;
    assert_eq!(
        attributes.ino,
        fs_err::metadata(bed.path("shared/project/elsewhere"))?.ino()
    );
    // A file is the one that it was, however it is found.
    assert_eq!(bed.folders.lookup(by(0, 0), project, c"kept")?.inode, kept);
    assert_eq!(bed.find("shared/project/kept")?.inode, kept);
    assert!(bed.find("shared/project/replaced")?.inode >= bed.folders.first);
    assert_eq!(errno(bed.find("shared/hidden")), Some(Errno::NOENT));
    Ok(())
}
