//! What can go wrong on the link.

use std::{io, time::Duration};

/// Why something on the link did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answered the preamble: the guest is not up yet, hangs, or something else is at the other end.
    #[error("The guest did not answer within {} seconds", after.as_secs_f32())]
    NoAnswer { after: Duration },
    /// The session is over: the other side left, was replaced or has been silent for too long.
    #[error("The link to the other side is closed")]
    Closed,
    #[error("The link broke")]
    Io {
        #[from]
        source: io::Error,
    },
    /// The other side understood and said no. The message is a sentence for the person.
    #[error("{message}")]
    Refused { message: String },
    #[error("Could not understand a message on the link")]
    Message {
        #[from]
        source: serde_json::Error,
    },
    #[error("A message on the link is longer than {limit} bytes")]
    TooLong { limit: usize },
    /// The stream ended in the middle of a message.
    #[error("A message on the link was cut short")]
    Cut,
}
