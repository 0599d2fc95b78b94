//! The thread that carries bytes.
//!
//! What a connection says passes through several tasks before it is on the link. Where each may run on a thread of its
//! own, waking that thread costs more than what the task does there: a connection that asks one question takes half
//! the processor time with one thread for all of them. Besides, nothing that waits for a disk or computes runs here.

use std::future::pending;
use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle};

/// The runtime of that thread, which is started by the first who asks. What is to be quick has its sockets made and its
/// tasks spawned there.
pub fn carrier() -> Handle {
    static CARRIER: OnceLock<Option<Handle>> = OnceLock::new();
    let carrier = CARRIER.get_or_init(|| {
        let started = start();
        if let Err(error) = &started {
            tracing::warn!(%error, "there is no thread for what is carried");
        }
        started.ok()
    });
    // Slower, but it goes.
    carrier.clone().unwrap_or_else(Handle::current)
}

fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("carrier".into())
        .spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(handle)
}
