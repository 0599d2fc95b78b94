//! What the kernel says about programs that it ended, for the log: a host has no other way to tell a container's own
//! limit from the machine's memory.

use std::io::ErrorKind;

use fs_err::os::unix::fs::OpenOptionsExt as _;

use super::{
    log::{self, say},
    readiness::readable,
};

/// The longest message, with room.
const LONGEST: usize = 8 << 10;

/// For as long as the guest runs.
pub(super) async fn listen() {
    if let Err(error) = follow().await {
        say!("cannot read what the kernel says: {error}");
    }
}

async fn follow() -> std::io::Result<()> {
    let messages = fs_err::OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open("/dev/kmsg")?;
    let (messages, _) = messages.into_parts();
    let messages = readable(messages.into())?;
    let mut message = vec![0; LONGEST];
    loop {
        let mut ready = messages.readable().await?;
        match ready.try_io(|messages| Ok(rustix::io::read(messages.get_ref(), &mut message)?)) {
            Ok(Ok(length)) => {
                let text = String::from_utf8_lossy(&message[..length]);
                if let Some(told) = told(&text) {
                    log::append("kernel", told, false);
                }
            }
            // It was overwritten before it was read: the next one is there.
            Ok(Err(error)) if error.kind() == ErrorKind::BrokenPipe => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
    }
}

/// `6,1234,5678901,-;oom-kill:constraint=…`, when it is about a program that was ended.
fn told(message: &str) -> Option<&str> {
    let (_, text) = message.split_once(';')?;
    let text = text.lines().next()?;
    (text.contains("oom-kill:") || text.contains("segfault at")).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ends_of_programs_are_told() {
        assert_eq!(
            told("6,514,9,-;oom-kill:constraint=CONSTRAINT_MEMCG,task=tail,pid=7\n SUBSYSTEM=x\n"),
            Some("oom-kill:constraint=CONSTRAINT_MEMCG,task=tail,pid=7")
        );
        assert_eq!(told("6,514,9,-;eth0: link up"), None);
        assert_eq!(told("nothing"), None);
    }
}
