//! How the agent tells the file server that a call is made only so that the guest's kernel raises an event.
//!
//! The server is told the number of the one thread that makes such calls, which the kernel sends along with each and
//! which no other thread of the guest can have. What the next call of that thread in a folder pretends, the thread says
//! before by asking for an attribute of the folder that no file has.

/// What a call pretends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raise {
    /// A name that the host has made: as long as the guest has not met it, it is not there yet.
    Created,
    /// A name that the host has removed: it is still there, to be removed.
    RemovedFile,
    RemovedFolder,
    /// The name that is looked up next is where the host has moved something. Nothing is pretended of it yet.
    MovedTo,
    /// A name from which the host has moved that: it is still there, to be moved, and there is nothing where it goes.
    MovedFrom,
    /// Calls mean again what they are.
    Nothing,
}

impl Raise {
    /// Of the one allocation that has no effect: no file reaches that far.
    pub const OFFSET: u64 = i64::MAX.cast_unsigned() - 1;

    const ALL: [Self; 6] = [
        Self::Created,
        Self::RemovedFile,
        Self::RemovedFolder,
        Self::MovedTo,
        Self::MovedFrom,
        Self::Nothing,
    ];

    /// The attribute that is asked for.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Created => "wherry.created",
            Self::RemovedFile => "wherry.removed-file",
            Self::RemovedFolder => "wherry.removed-folder",
            Self::MovedTo => "wherry.moved-to",
            Self::MovedFrom => "wherry.moved-from",
            Self::Nothing => "wherry.nothing",
        }
    }

    pub fn of_attribute(attribute: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|raise| raise.attribute().as_bytes() == attribute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_an_attribute_of_its_own_and_others_mean_nothing() {
        for raise in Raise::ALL {
            assert_eq!(Raise::of_attribute(raise.attribute().as_bytes()), Some(raise));
        }
        assert_eq!(Raise::of_attribute(b"user.wherry.created"), None);
    }
}
