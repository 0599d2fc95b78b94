//! One byte stream becomes many, and the messages that host and guest exchange over them.
//!
//! Knows nothing of machines, engines or windows: it is given something to read from and write to.
//!
//! From the bottom: [`preamble`] makes both sides agree where a session begins, [`wire`] cuts the bytes into
//! chunks that carry the session's key, yamux makes streams of them, [`session`] drives it, and [`message`] is
//! what the streams say first.

pub mod batch;
mod carrier;
mod clients;
mod datagram;
mod error;
mod files;
mod message;
mod preamble;
mod raise;
pub mod reach;
mod session;
mod splice;
mod stream;
mod wire;

pub use carrier::carrier;
pub use clients::Clients;
pub use datagram::{Datagrams, FLOW_IDLE, FLOWS, Flow, LONGEST_DATAGRAM, Outbox, Run};
pub use error::Error;
pub use files::{FilesAnswer, FilesView, RefusedFolder};
pub use message::{
    Authorities, Binds, Change, ChangeKind, Configuration, Fill, Folder, GivenBack, GuestFailure, GuestRequest, Hello,
    HostRequest, PORT_NAME, Protocol, Proxy, Publication, RegistryFile, Reply, Report, SHARES_TAG, Secret, Source,
    Stage, Target, Usage, VERSION,
};
pub use raise::Raise;
pub use session::{Incoming, Session};
pub use splice::splice;
pub use stream::Stream;
