//! A second keeper, which does nothing until the first one is gone.
//!
//! QEMU has one connection for as long as it lives. Whoever is killed would take it along, so two processes hold it: the
//! keeper tells the spare all that QEMU says, and a spare that hears no more goes on in its place, with a spare of its
//! own. What the keeper had read and not yet told when it was killed is lost: some microseconds at QEMU's start, at a
//! suspend, and at nothing else.

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

/// What a spare that takes over begins with.
#[derive(Debug)]
pub(crate) struct Inherited {
    pub(crate) machine: UnixStream,
    /// The keeper's turn, which lasts for as long as either of the two has it.
    pub(crate) turn: OwnedFd,
    /// When servers were started.
    pub(crate) begun: Vec<Instant>,
    pub(crate) talk: Talk,
}

/// The keeper's side.
#[derive(Debug)]
pub(crate) struct Spare {
    child: Child,
    channel: UnixStream,
}

impl Spare {
    /// Starts this command as one that knows all of this. Nothing may be asked and not answered.
    pub(crate) fn start(
        mut command: Command,
        machine: &UnixStream,
        turn: &OwnedFd,
        begun: &[Instant],
        handed: &Handed,
    ) -> io::Result<Self> {
        let (channel, theirs) = UnixStream::pair()?;
        let child = command.stdin(Stdio::from(OwnedFd::from(theirs))).spawn()?;
        // Dropping the half-made one ends it.
        let spare = Self { child, channel };
        spare.begin(machine, turn, begun, handed)?;
        Ok(spare)
    }

    fn begin(&self, machine: &UnixStream, turn: &OwnedFd, begun: &[Instant], handed: &Handed) -> io::Result<()> {
        tell_all(&self.channel, machine, turn, begun, handed)
    }

    /// Before anybody else hears it. A spare that is gone is noticed by its end.
    pub(crate) fn tell(&self, message: &Message) {
        // Whoever holds the file of a transfer keeps it from ending.
        let told = if message.request() == Some(vhost::vhost_user::message::FrontendReq::SET_DEVICE_STATE_FD) {
            message.without_files().send(&self.channel)
        } else {
            message.send(&self.channel)
        };
        ignore(told);
    }

    pub(crate) fn answered(&self) {
        ignore(answered().send(&self.channel));
    }
}

impl AsFd for Spare {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl Drop for Spare {
    /// It is to take over from a keeper that was killed, not from one that has ended.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ignore(told: io::Result<()>) {
    if let Err(error) = told {
        tracing::debug!(%error, "the spare keeper is not told");
    }
}

/// What was asked last is answered.
fn answered() -> Message {
    Message::own(&[], Vec::new())
}

fn tell_all(
    channel: &UnixStream,
    machine: &UnixStream,
    turn: &OwnedFd,
    begun: &[Instant],
    handed: &Handed,
) -> io::Result<()> {
    let ages = begun
        .iter()
        .map(|begun| u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    let ages: Vec<u8> = ages.flat_map(u64::to_ne_bytes).collect();
    Message::own(&ages, vec![machine.try_clone()?.into(), turn.try_clone()?]).send(channel)?;
    for message in handed.said() {
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
    let [machine, turn]: [OwnedFd; 2] = first.files.try_into().ok()?;
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
        tell_all(&channel, &machine, &turn, &[Instant::now()], &handed)?;
        says(FrontendReq::SET_PROTOCOL_FEATURES, &9_u64.to_ne_bytes()).send(&channel)?;
        answered().send(&channel)?;
        says(FrontendReq::SET_VRING_NUM, &[0; 8]).send(&channel)?;
        drop(channel);

        let inherited = listen(&theirs).expect("everything was told");
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
        Message::own(&[], vec![machine.try_clone()?.into(), turn]).send(&channel)?;
        says(FrontendReq::SET_FEATURES, &7_u64.to_ne_bytes()).send(&channel)?;
        drop(channel);
        assert!(listen(&theirs).is_none());
        Ok(())
    }
}
