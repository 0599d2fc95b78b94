//! Who goes on in a keeper's place: a second keeper, which does nothing until the first one is gone, and, should both be
//! killed, whoever the daemon starts.
//!
//! QEMU has one connection for as long as it lives. Whoever is killed would take it along, so two processes hold it: the
//! keeper tells the spare all that QEMU says, and a spare that hears no more goes on in its place, with a spare of its
//! own. What the keeper had read and not yet told when it was killed is lost: some microseconds at QEMU's start, at a
//! suspend, and at nothing else.
//!
//! The daemon is no keeper: it only holds a connection to which the keeper says the same, and reads nothing of it. When
//! both keepers are gone it gives that connection, with all that was said and the open files that came along, to a new
//! spare.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::handed::Handed;
use crate::message::Message;

/// What QEMU has said, and what it waits to be answered.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    pub(crate) handed: Handed,
    pub(crate) asked: Option<Message>,
}

impl Talk {
    pub(crate) fn hear(&mut self, message: Message) {
        if message.wants_reply() {
            self.asked = Some(message.without_files());
        }
        self.handed.keep(message);
    }
}

/// What a keeper has that whoever follows needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) machine: &'a UnixStream,
    pub(crate) turn: Option<&'a OwnedFd>,
    pub(crate) ledger: &'a OwnedFd,
    pub(crate) begun: &'a [Instant],
    pub(crate) handed: &'a Handed,
}

/// What a spare that takes over begins with.
#[derive(Debug)]
pub(crate) struct Inherited {
    pub(crate) machine: UnixStream,
    /// The keeper's turn, which lasts for as long as either of the two has it. None when nobody has it any more.
    pub(crate) turn: Option<OwnedFd>,
    /// What the servers write down for each other.
    pub(crate) ledger: OwnedFd,
    /// When servers were started.
    pub(crate) begun: Vec<Instant>,
    pub(crate) talk: Talk,
}

/// The keeper's side of a connection to whoever may follow it.
#[derive(Debug)]
pub(crate) struct Channel(UnixStream);

impl Channel {
    /// To the daemon, which reads nothing: what it is told has to find room in the connection.
    pub(crate) fn to_heir(stream: UnixStream, kept: Kept) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // Without the turn: it would last for as long as the daemon has the connection.
        tell_all(&stream, Kept { turn: None, ..kept })?;
        Ok(Self(stream))
    }

    /// Before anybody else hears it. One that is not there any more is noticed by its end.
    pub(crate) fn tell(&self, message: &Message) -> io::Result<()> {
        // Whoever holds the file of a transfer keeps it from ending.
        if message.request() == Some(vhost::vhost_user::message::FrontendReq::SET_DEVICE_STATE_FD) {
            message.without_files().send(&self.0)
        } else {
            message.send(&self.0)
        }
    }

    pub(crate) fn answered(&self) -> io::Result<()> {
        answered().send(&self.0)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A second keeper.
#[derive(Debug)]
pub(crate) struct Spare {
    child: Child,
    pub(crate) channel: Channel,
}

impl Spare {
    /// Starts this command as one that knows all of this. Nothing may be asked and not answered.
    pub(crate) fn start(mut command: Command, kept: Kept) -> io::Result<Self> {
        let (channel, theirs) = UnixStream::pair()?;
        let child = command.stdin(Stdio::from(OwnedFd::from(theirs))).spawn()?;
        // Dropping the half-made one ends it.
        let spare = Self {
            child,
            channel: Channel(channel),
        };
        tell_all(&spare.channel.0, kept)?;
        Ok(spare)
    }
}

impl Drop for Spare {
    /// It is to take over from a keeper that was killed, not from one that has ended.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was asked last is answered.
fn answered() -> Message {
    Message::own(&[], Vec::new())
}

fn tell_all(channel: &UnixStream, kept: Kept) -> io::Result<()> {
    let ages = kept
        .begun
        .iter()
        .map(|begun| u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    let ages: Vec<u8> = ages.flat_map(u64::to_ne_bytes).collect();
    let mut files = vec![kept.machine.try_clone()?.into(), kept.ledger.try_clone()?];
    files.extend(kept.turn.map(OwnedFd::try_clone).transpose()?);
    Message::own(&ages, files).send(channel)?;
    for message in kept.handed.said() {
        message.send(channel)?;
    }
    answered().send(channel)
}

/// Listens to the keeper until it is gone. None when it was gone before it had told everything, or told nothing that
/// could be used.
pub(crate) fn listen(channel: &UnixStream) -> Option<Inherited> {
    let first = Message::receive(channel).ok().flatten()?;
    let now = Instant::now();
    let ages = first
        .payload()
        .chunks_exact(8)
        .filter_map(|age| age.try_into().ok())
        .map(u64::from_ne_bytes);
    let begun = ages
        .filter_map(|age| now.checked_sub(Duration::from_millis(age)))
        .collect();
    let mut files = first.files.into_iter();
    let (machine, ledger, turn) = (files.next()?, files.next()?, files.next());
    let mut talk = Talk::default();
    let mut whole = false;
    while let Ok(Some(message)) = Message::receive(channel) {
        if message.is_own() {
            talk.asked = None;
            whole = true;
        } else {
            talk.hear(message);
        }
    }
    whole.then(|| Inherited {
        machine: machine.into(),
        turn,
        ledger,
        begun,
        talk,
    })
}

#[cfg(test)]
mod tests {
    use vhost::vhost_user::message::FrontendReq;

    use super::*;

    const ANSWER_WANTED: u32 = 0x9;

    fn says(request: FrontendReq, payload: &[u8]) -> Message {
        Message::of(request, ANSWER_WANTED, payload, Vec::new())
    }

    #[test]
    fn a_spare_knows_what_was_said_before_and_since_and_what_is_not_answered() -> io::Result<()> {
        let (channel, theirs) = UnixStream::pair()?;
        let (machine, _qemu) = UnixStream::pair()?;
        let turn = OwnedFd::from(tempfile::tempfile()?);
        let mut handed = Handed::default();
        handed.keep(says(FrontendReq::SET_FEATURES, &7_u64.to_ne_bytes()));
        let kept = Kept {
            machine: &machine,
            turn: Some(&turn),
            ledger: &turn,
            begun: &[Instant::now()],
            handed: &handed,
        };
        tell_all(&channel, kept)?;
        says(FrontendReq::SET_PROTOCOL_FEATURES, &9_u64.to_ne_bytes()).send(&channel)?;
        answered().send(&channel)?;
        says(FrontendReq::SET_VRING_NUM, &[0; 8]).send(&channel)?;
        drop(channel);

        let inherited = listen(&theirs).expect("everything was told");
        assert!(inherited.turn.is_some(), "nobody else gets a turn meanwhile");
        assert_eq!(inherited.begun.len(), 1);
        let said: Vec<_> = inherited.talk.handed.said().filter_map(Message::request).collect();
        assert_eq!(
            said,
            [
                FrontendReq::SET_FEATURES,
                FrontendReq::SET_PROTOCOL_FEATURES,
                FrontendReq::SET_VRING_NUM
            ]
        );
        let asked = inherited.talk.asked.as_ref().and_then(Message::request);
        assert_eq!(asked, Some(FrontendReq::SET_VRING_NUM), "the last one waits");
        Ok(())
    }

    #[test]
    fn a_spare_that_was_told_half_of_it_does_not_take_over() -> io::Result<()> {
        let (channel, theirs) = UnixStream::pair()?;
        let (machine, _qemu) = UnixStream::pair()?;
        let turn = OwnedFd::from(tempfile::tempfile()?);
        Message::own(&[], vec![machine.try_clone()?.into(), turn.try_clone()?, turn]).send(&channel)?;
        says(FrontendReq::SET_FEATURES, &7_u64.to_ne_bytes()).send(&channel)?;
        drop(channel);
        assert!(listen(&theirs).is_none());
        Ok(())
    }

    #[test]
    fn an_heir_that_has_read_nothing_is_told_everything_once_the_keepers_are_gone() -> io::Result<()> {
        let (ours, heir) = UnixStream::pair()?;
        let (machine, mut qemu) = UnixStream::pair()?;
        let mut handed = Handed::default();
        handed.keep(says(FrontendReq::SET_FEATURES, &7_u64.to_ne_bytes()));
        let ledger = OwnedFd::from(tempfile::tempfile()?);
        let kept = Kept {
            machine: &machine,
            turn: Some(&ledger),
            ledger: &ledger,
            begun: &[],
            handed: &handed,
        };
        let channel = Channel::to_heir(ours, kept)?;
        // Many times what QEMU says in a machine's life.
        for _ in 0..50 {
            channel.tell(&says(FrontendReq::SET_PROTOCOL_FEATURES, &9_u64.to_ne_bytes()))?;
            channel.answered()?;
        }
        drop((channel, machine));
        let inherited = listen(&heir).expect("everything was told");
        assert!(inherited.turn.is_none());
        assert_eq!(inherited.talk.handed.said().count(), 2);
        io::Write::write_all(&mut &inherited.machine, b"x")?;
        let mut heard = [0];
        io::Read::read_exact(&mut qemu, &mut heard)?;
        assert_eq!(heard, *b"x", "QEMU is still connected");
        Ok(())
    }
}
