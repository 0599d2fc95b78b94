//! Who owns a file, as the guest sees it.
//!
//! On the host everything that a container writes belongs to the person: the server has no other rights. A container
//! that makes a file as root and then asks must hear that root owns it, or programs that check (git, ssh, databases)
//! refuse to go on, and `chown` must have an effect. So an owner that differs from the person is kept beside the file,
//! in an extended attribute, and shown to the guest alone.

use virtiofsd::filesystem::Context;
use virtiofsd::fuse::Attr;
use virtiofsd::soft_idmap::Id;

/// Where it is kept: `UID:GID`. Files of kinds that cannot have such an attribute belong to the person.
pub(crate) const ATTRIBUTE: &std::ffi::CStr = c"user.wherry.owner";

/// A container whose user is not root has this number more often than any other.
const USUAL: u32 = 1000;

/// `inode(7)`: the kind of a file in its mode.
pub(crate) const KIND: u32 = 0o170_000;
pub(crate) const FOLDER: u32 = 0o040_000;

/// The mode that the guest sees of what is the person's own.
///
/// Whatever the user inside, the server acts as the person; but it is the guest's kernel that decides who may, and
/// knows nobody else who is the person. So a folder that others may use is shown as one that they may write to as the
/// person does. One that is the person's alone (`.ssh`) stays that, and so do all files: some programs refuse a
/// configuration that everybody may write to (databases do), or a key (ssh).
pub(crate) fn opened(mode: u32) -> u32 {
    const PERSON_WRITES: u32 = 0o200;
    const OTHERS_ENTER: u32 = 0o011;
    if mode & KIND != FOLDER || mode & PERSON_WRITES == 0 {
        return mode;
    }
    mode | (mode & OTHERS_ENTER) << 1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Owner {
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (uid, gid) = std::str::from_utf8(text).ok()?.split_once(':')?;
        Some(Self {
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
        })
    }

    pub(crate) fn text(self) -> String {
        format!("{}:{}", self.uid, self.gid)
    }
}

/// The person on the host and in the guest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) host: Owner,
    pub(crate) guest: Owner,
}

impl Person {
    /// Whoever runs this. `docker run --user $(id -u)` works as with a native engine because the number stays the
    /// same; root's files are shown as the usual user's, because everybody in a container may then use them.
    pub(crate) fn here() -> Self {
        Self::of(Owner {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        })
    }

    pub(crate) fn of(host: Owner) -> Self {
        let shown = |id| if id == 0 { USUAL } else { id };
        let guest = Owner {
            uid: shown(host.uid),
            gid: shown(host.gid),
        };
        Self { host, guest }
    }

    /// In whose name the server acts on the host: always its own.
    pub(crate) fn context(&self) -> Context {
        Context {
            uid: self.host.uid.into(),
            gid: self.host.gid.into(),
            pid: 0,
        }
    }

    /// Whether the file is the person's, and may thus have another owner in the guest.
    pub(crate) fn owns(&self, attributes: &Attr) -> bool {
        attributes.uid.into_inner() == self.host.uid
    }

    /// What the guest sees of a file without a kept owner.
    pub(crate) fn shown(&self, attributes: &Attr) -> Owner {
        let (uid, gid) = (attributes.uid.into_inner(), attributes.gid.into_inner());
        Owner {
            uid: if uid == self.host.uid { self.guest.uid } else { uid },
            gid: if gid == self.host.gid { self.guest.gid } else { gid },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_person_keeps_their_number_unless_they_are_root() {
        let ada = Owner { uid: 1001, gid: 100 };
        assert_eq!(Person::of(ada).guest, ada);
        let root = Owner { uid: 0, gid: 0 };
        assert_eq!(Person::of(root).guest, Owner { uid: 1000, gid: 1000 });
    }

    #[test]
    fn a_folder_that_others_may_use_is_open_to_them_and_nothing_else_is() {
        for (mode, shown) in [
            (0o040_755, 0o040_777),
            (0o042_750, 0o042_770),
            (0o040_555, 0o040_555),
            (0o040_700, 0o040_700),
            (0o100_644, 0o100_644),
            (0o120_755, 0o120_755),
        ] {
            assert_eq!(opened(mode), shown, "{mode:o}");
        }
    }

    #[test]
    fn what_is_kept_is_read_again_and_nonsense_is_not() {
        let owner = Owner { uid: 999, gid: 0 };
        assert_eq!(Owner::parse(owner.text().as_bytes()), Some(owner));
        for nonsense in ["", "1", "1:", ":1", "a:b", "-1:0", "4294967296:0"] {
            assert_eq!(Owner::parse(nonsense.as_bytes()), None, "{nonsense}");
        }
    }
}
