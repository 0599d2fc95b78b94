//! Answers what the host asks.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::broadcast::error::RecvError,
    time::timeout,
};
use wherry_link::{
    Binds, Configuration, Error, Hello, HostRequest, Session, Stage, Stream, Target, Usage, VERSION, reach, splice,
};

use super::{Guest, again, clock, disk, engine, giveback, log, memory::Memory, rest, share};

/// How long a stream may be open without a request.
const REQUEST: Duration = Duration::from_secs(10);

/// Answers one stream. Whatever goes wrong on it ends it and concerns nobody else.
pub(super) async fn answer(guest: Arc<Guest>, session: Session, mut stream: Stream) {
    match timeout(REQUEST, stream.read_message()).await {
        Ok(Ok(Some(request))) => {
            let carries = matches!(request, HostRequest::Connect { .. });
            let runtime = guest.runtime.clone();
            let served = async move { serve(&guest, session, stream, request).await };
            // All but that may wait for a disk, and whatever is carried would wait for it.
            if carries {
                let _ = served.await;
            } else {
                runtime.spawn(served);
            }
        }
        // A host that is newer than this asks for what only a newer system can do.
        Ok(Err(Error::Message { source })) => {
            let _ = stream
                .refuse(&format!(
                    "The machine's system does not know what it was asked for: {source}"
                ))
                .await;
        }
        Ok(Ok(None) | Err(_)) | Err(_) => {}
    }
}

async fn serve(guest: &Guest, session: Session, mut stream: Stream, request: HostRequest) -> Result<(), Error> {
    match request {
        HostRequest::Hello {
            version: _,
            unix_millis,
        } => {
            // Before anything else: after a rest everything stands still until the clock is right.
            rest::wake(unix_millis);
            // The host judges the version, so that there is one place that explains it.
            stream.accept(hello()).await?;
            guest.host.send_replace(Some(session));
        }
        HostRequest::Configure { configuration } => return configure(guest, stream, configuration).await,
        HostRequest::RestartEngine => {
            if !guest.status.ready() {
                return stream.refuse("The engine is not running yet.").await;
            }
            return restart_engine(guest, stream).await;
        }
        HostRequest::Connect { target } => return connect(guest, stream, target).await,
        HostRequest::Watch => return watch(guest, stream).await,
        HostRequest::Usage => stream.accept(usage()).await?,
        HostRequest::GiveBack => stream.accept(giveback::everything().await).await?,
        HostRequest::SetClock { unix_millis } => {
            set_clock(unix_millis);
            stream.accept(()).await?;
        }
        HostRequest::Publications => stream.accept(guest.publications.list()).await?,
        HostRequest::Rest => match rest::freeze().await {
            Ok(()) => stream.accept(()).await?,
            Err(error) => {
                rest::wake(clock::unix_millis());
                return stream
                    .refuse(&format!("The containers do not stand still: {error}"))
                    .await;
            }
        },
        HostRequest::Share { folders, anew } => match guest.shares.set(&folders, anew) {
            Ok(()) => stream.accept(()).await?,
            Err(message) => return stream.refuse(&message).await,
        },
        HostRequest::LetFoldersGo => match guest.shares.let_go() {
            Ok(()) => stream.accept(()).await?,
            Err(message) => return stream.refuse(&message).await,
        },
        HostRequest::Changed { changes } => {
            guest.raiser.raise(changes);
            stream.accept(()).await?;
        }
        HostRequest::Binds => return binds(guest, stream).await,
        HostRequest::ForgetFiles => {
            // Written to by a thread that may wait: the kernel answers once it has gone through all it keeps.
            tokio::task::spawn_blocking(share::forget_files);
            stream.accept(()).await?;
        }
        HostRequest::GrowDisk { bytes } => match disk::grow_to(bytes).await {
            Ok(()) => stream.accept(()).await?,
            Err(error) => {
                return stream
                    .refuse(&format!("The data disk could not be grown: {error}"))
                    .await;
            }
        },
        HostRequest::PowerOff { run_again } => {
            stream.accept(()).await?;
            if run_again {
                again::note().await;
            }
            guest.power_off.cancel();
        }
        HostRequest::Logs { follow } => return logs(stream, follow).await,
    }
    Ok(stream.shutdown().await?)
}

async fn configure(guest: &Guest, mut stream: Stream, configuration: Configuration) -> Result<(), Error> {
    let mut authorities = Vec::new();
    for _ in 0..configuration.authorities.count {
        let Some(certificate) = stream.read_message().await? else {
            return Ok(());
        };
        authorities.push(certificate);
    }
    let count = authorities.len();
    match guest.configured.take(configuration, authorities) {
        Ok(()) => {
            log::say!("the host has said whom it trusts ({count} authorities) and which proxy it uses");
            guest.status.outdated(guest.configured.outdated());
            stream.accept(()).await?;
            Ok(stream.shutdown().await?)
        }
        Err(error) => {
            log::say!("{error}");
            stream
                .refuse(&format!(
                    "The machine could not take over this computer's settings: {error}"
                ))
                .await
        }
    }
}

async fn restart_engine(guest: &Guest, mut stream: Stream) -> Result<(), Error> {
    let mut reports = guest.status.watch();
    let before = reports.borrow().at_millis;
    guest.restart_engine.notify_one();
    let settled = reports.wait_for(|report| match report.stage {
        // Not the readiness from before: that of the engine that was started since.
        Stage::Ready { .. } => report.at_millis > before,
        Stage::Failed { .. } | Stage::PoweringOff => true,
        Stage::Disk | Stage::Engine | Stage::EngineDied { .. } => false,
    });
    let answers = matches!(settled.await, Ok(report) if matches!(report.stage, Stage::Ready { .. }));
    if answers {
        stream.accept(()).await?;
        Ok(stream.shutdown().await?)
    } else {
        stream.refuse("The engine did not come back.").await
    }
}

async fn connect(guest: &Guest, stream: Stream, target: Target) -> Result<(), Error> {
    match target {
        Target::Engine => connect_engine(guest, stream).await,
        Target::Tcp { address, client } => reach::tcp(stream, address, guest.clients.dial(client, address)).await,
        Target::Udp { address } => {
            let socket = |client, container| guest.clients.socket(client, container);
            reach::udp(stream, &[address], &socket).await
        }
    }
}

async fn connect_engine(guest: &Guest, mut stream: Stream) -> Result<(), Error> {
    match UnixStream::connect(engine::SOCKET).await {
        Ok(engine) => {
            stream.accept(()).await?;
            splice(stream, engine).await?;
            Ok(())
        }
        Err(error) if guest.status.ready() => stream.refuse(&format!("The engine does not answer: {error}")).await,
        Err(_) => stream.refuse("The engine is not running yet.").await,
    }
}

async fn watch(guest: &Guest, mut stream: Stream) -> Result<(), Error> {
    stream.accept(()).await?;
    let mut reports = guest.status.watch();
    loop {
        tokio::select! {
            changed = reports.changed() => if changed.is_err() { return Ok(()) },
            // The host has nothing more to say: what ends this is that it lets go.
            _ = stream.read_u8() => return Ok(()),
        }
        let report = reports.borrow_and_update().clone();
        stream.write_message(&report).await?;
    }
}

async fn binds(guest: &Guest, mut stream: Stream) -> Result<(), Error> {
    stream.accept(()).await?;
    let mut binds = guest.binds.subscribe();
    binds.mark_changed();
    loop {
        tokio::select! {
            changed = binds.changed() => if changed.is_err() { return Ok(()) },
            _ = stream.read_u8() => return Ok(()),
        }
        let paths = binds.borrow_and_update().iter().cloned().collect();
        let raiser = guest.raiser.thread;
        stream.write_message(&Binds { paths, raiser }).await?;
    }
}

async fn logs(mut stream: Stream, follow: bool) -> Result<(), Error> {
    let (lines, mut more) = log::follow();
    stream.accept(()).await?;
    for line in lines {
        stream.write_message(&line).await?;
    }
    if !follow {
        return Ok(stream.shutdown().await?);
    }
    loop {
        let line = tokio::select! {
            line = more.recv() => line,
            _ = stream.read_u8() => return Ok(()),
        };
        match line {
            Ok(line) => stream.write_message(&line).await?,
            Err(RecvError::Lagged(lines)) => stream.write_message(&format!("({lines} lines lost)")).await?,
            Err(RecvError::Closed) => return Ok(stream.shutdown().await?),
        }
    }
}

fn set_clock(unix_millis: u64) {
    if let Err(error) = clock::set(unix_millis) {
        log::say!("could not set the clock: {error}");
    }
}

fn hello() -> Hello {
    let read = |path| fs_err::read_to_string(path).unwrap_or_default().trim().to_owned();
    Hello {
        version: VERSION,
        agent: env!("CARGO_PKG_VERSION").into(),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        boot_id: read("/proc/sys/kernel/random/boot_id"),
        uptime_millis: clock::uptime_millis(),
    }
}

fn usage() -> Usage {
    let memory = Memory::now();
    let (disk_total, disk_used) = disk::usage();
    Usage {
        memory_total: memory.total,
        memory_used: memory.used(),
        disk_total,
        disk_used,
        unix_millis: clock::unix_millis(),
    }
}
