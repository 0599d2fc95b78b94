//! The virtio-serial port that leads to the host, and one session after another on it.

use std::{
    fs::File,
    io::{self, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, epoll, poll},
    fs::OFlags,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, unix::AsyncFd};
use wherry_link::{PORT_NAME, Session};

use super::{Guest, log::say, readiness::readable, serve};

/// Answers one host after another for as long as the machine runs.
pub(super) async fn keep(guest: Arc<Guest>) {
    let port = match find().await {
        Ok(port) => port,
        Err(error) => return say!("cannot open the link: {error}"),
    };
    loop {
        port.host_there().await;
        match Session::guest(port.clone()).await {
            Ok((session, mut incoming)) => {
                while let Some(stream) = incoming.next().await {
                    tokio::spawn(serve::answer(Arc::clone(&guest), session.clone(), stream));
                }
                session.closed().await;
                guest.host.send_replace(None);
            }
            Err(wherry_link::Error::Closed) => {}
            Err(error) => {
                say!("the link: {error}");
                // An error that comes back at once must not keep a processor busy.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// The device learns its name from the host a moment after it appears, and nothing tells when.
async fn find() -> io::Result<Port> {
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(device) = named(Path::new("/sys/class/virtio-ports")) {
            return Port::open(&device);
        }
        tokio::time::sleep(pause).await;
        // A machine that was given no such port must not keep looking this often.
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

fn named(ports: &Path) -> Option<PathBuf> {
    fs_err::read_dir(ports).ok()?.filter_map(Result::ok).find_map(|port| {
        let name = fs_err::read_to_string(port.path().join("name")).ok()?;
        (name.trim() == PORT_NAME).then(|| Path::new("/dev").join(port.file_name()))
    })
}

/// A virtio-serial port.
///
/// Without a host on the other side it is readable for ever (with nothing to read) and hung up, which tokio takes
/// for final. So its edges are collected by an epoll instance of its own, which stays quiet until something
/// changes, and tokio watches that one.
#[derive(Clone)]
struct Port {
    file: Arc<File>,
    edges: Arc<AsyncFd<OwnedFd>>,
    /// Held for a few instructions: reading and writing are polled by the same task.
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy)]
struct State {
    reading: Side,
    writing: Side,
}

#[derive(Clone, Copy)]
struct Side {
    /// As far as is known, it would not block.
    able: bool,
    /// Somebody was told to wait until it is.
    waits: bool,
}

#[derive(Clone, Copy)]
enum Direction {
    Read,
    Write,
}

impl Port {
    fn open(device: &Path) -> io::Result<Self> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let file = File::options()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(device)?;
        Self::new(file)
    }

    fn new(file: File) -> io::Result<Self> {
        let fresh = Side {
            able: true,
            waits: false,
        };
        let edges = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wanted = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&edges, &file, epoll::EventData::new_u64(0), wanted)?;
        Ok(Self {
            file: Arc::new(file),
            edges: Arc::new(readable(edges)?),
            state: Arc::new(Mutex::new(State {
                reading: fresh,
                writing: fresh,
            })),
        })
    }

    /// Waits until a host is connected to the other side.
    async fn host_there(&self) {
        while self.hung_up() {
            let Ok(mut ready) = self.edges.readable().await else {
                return;
            };
            if !self.take_edges() {
                ready.clear_ready();
            }
        }
    }

    fn hung_up(&self) -> bool {
        let mut one = [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut one, Some(&now)).is_ok() && one[0].revents().contains(PollFlags::HUP)
    }

    /// Whether anything changed since it was last asked.
    fn take_edges(&self) -> bool {
        let mut events = [MaybeUninit::<epoll::Event>::uninit(); 2];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(epoll::wait(self.edges.get_ref(), &mut events, Some(&now)), Ok((events, _)) if !events.is_empty())
    }

    fn attempt<T>(
        &self,
        context: &mut Context<'_>,
        direction: Direction,
        mut attempt: impl FnMut(&File) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { reading, writing } = &mut *state;
        let (ours, other) = match direction {
            Direction::Read => (reading, writing),
            Direction::Write => (writing, reading),
        };
        loop {
            if ours.able {
                ours.waits = false;
                match attempt(&self.file) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => ours.able = false,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    done => return Poll::Ready(done),
                }
                continue;
            }
            ours.waits = true;
            let mut ready = ready!(self.edges.poll_read_ready(context))?;
            if self.take_edges() {
                ours.able = true;
                other.able = true;
                // The edge may be meant for the other direction, whose turn it may not be any more.
                if other.waits {
                    context.waker().wake_by_ref();
                }
            } else {
                ready.clear_ready();
            }
        }
    }
}

impl AsyncRead for Port {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = ready!(self.attempt(context, Direction::Read, |mut file| {
            file.read(buffer.initialize_unfilled())
        }))?;
        buffer.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Port {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.attempt(context, Direction::Write, |mut file| file.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use wherry_link::{HostRequest, Reply};

    use super::*;

    #[test]
    fn the_port_is_found_by_its_name() -> io::Result<()> {
        let ports = tempfile::tempdir()?;
        for (device, name) in [
            ("vport1p1", "org.qemu.guest_agent.0\n"),
            ("vport1p2", "org.wherry.link\n"),
        ] {
            fs_err::create_dir(ports.path().join(device))?;
            fs_err::write(ports.path().join(device).join("name"), name)?;
        }
        // The console's port has none.
        fs_err::create_dir(ports.path().join("vport0p0"))?;
        assert_eq!(named(ports.path()), Some(PathBuf::from("/dev/vport1p2")));
        Ok(())
    }

    /// A socket has the edges of a port, except that it never comes back.
    #[tokio::test]
    async fn both_directions_make_progress_through_one_set_of_edges() -> Result<(), Box<dyn std::error::Error>> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        let port = Port::new(File::from(OwnedFd::from(ours)))?;
        let host = Session::host(tokio::net::UnixStream::from_std(theirs)?, Duration::from_secs(5));
        let (guest, host) = tokio::join!(Session::guest(port), host);
        let ((_guest, mut incoming), (host, _)) = (guest?, host?);
        tokio::spawn(async move {
            while let Some(mut stream) = incoming.next().await {
                tokio::spawn(async move {
                    let _: Option<HostRequest> = stream.read_message().await.ok().flatten();
                    let _ = stream.write_message(&Reply::Ok { value: () }).await;
                    let (mut reader, mut writer) = tokio::io::split(stream);
                    let _ = tokio::io::copy(&mut reader, &mut writer).await;
                });
            }
        });
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let ((), stream) = host.ask(&HostRequest::Usage).await?;
            all.spawn(async move {
                let bytes = vec![5; 8_000_000];
                let mut answer = vec![0; bytes.len()];
                let (mut reader, mut writer) = tokio::io::split(stream);
                tokio::try_join!(writer.write_all(&bytes), reader.read_exact(&mut answer)).map(|_| answer == bytes)
            });
        }
        let echoed = tokio::time::timeout(Duration::from_mins(1), all.join_all()).await?;
        for one in echoed {
            assert!(one?);
        }
        Ok(())
    }
}
