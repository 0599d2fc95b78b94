//! The marks that we put on packets, for rules of the packet filter and of routes. All in one place: two of the same
//! number would take each other's ways.

/// The first packet of a connection to the host, which has connected.
pub(super) const OPEN: u32 = 0x5748_0001;
/// The same, which the host has refused.
pub(super) const REFUSED: u32 = 0x5748_0002;
/// A datagram that the host has answered: it is not to be taken for something new when it goes to the machine itself.
pub(super) const ANSWER: u32 = 0x5748_0003;
/// What a container answers to a client from elsewhere.
pub(super) const CLIENT: u32 = 0x5748_0004;
