//! Everything the agent does, and the order it does it in.

mod again;
mod api;
mod authorize;
mod binds;
mod children;
mod client;
mod clock;
mod configured;
mod datagrams;
mod disk;
mod dns;
mod engine;
mod giveback;
mod handed;
mod host;
mod kernel;
mod link;
mod listeners;
mod log;
mod mark;
mod memory;
mod mount;
mod netlink;
mod network;
mod power;
mod processors;
mod proxy;
mod publish;
mod queue;
mod raise;
mod readiness;
mod rest;
mod serve;
mod share;
mod status;

use std::{
    collections::BTreeSet,
    io::Write,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
};
use tokio_util::sync::CancellationToken;
use wherry_link::{GuestFailure, Session, Stage};

use children::Children;
use client::Clients;
use configured::Configured;
use log::say;
use publish::Publications;
use raise::Raiser;
use share::Shares;
use status::Status;

/// What the parts of the agent share.
struct Guest {
    status: Status,
    children: Children,
    publications: Publications,
    clients: Clients,
    configured: Configured,
    /// The disk, the network and all else that the engine needs are there.
    prepared: CancellationToken,
    /// dockerd is to start anew, its containers going on.
    restart_engine: Notify,
    shares: Shares,
    /// The paths that running containers have.
    binds: watch::Sender<BTreeSet<PathBuf>>,
    raiser: Raiser,
    /// The session with the host, while there is one.
    host: watch::Sender<Option<Session>>,
    /// Where everything runs that does not only carry bytes.
    runtime: Handle,
    /// Somebody wants the machine to power off.
    power_off: CancellationToken,
}

impl Guest {
    /// The session with the host, waiting for one when there is none: a daemon that was restarted comes soon.
    async fn session(&self) -> Option<Session> {
        let mut host = self.host.subscribe();
        host.wait_for(Option::is_some).await.ok()?.clone()
    }
}

pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if rustix::process::getpid().is_init() {
        init();
        // Only when the kernel refused to power off, and a kernel whose first program ends panics.
        loop {
            std::thread::park();
        }
    }
    if proxy::wanted(&arguments) {
        return proxy::main(&arguments);
    }
    let _ = writeln!(
        std::io::stderr(),
        "wherry-agent is the first program of the Wherry machine and dockerd's proxy."
    );
    ExitCode::from(2)
}

fn init() {
    std::panic::set_hook(Box::new(|panic| say!("panic: {panic}")));
    // The kernel has mounted /dev.
    log::open_console();
    say!("version {}", env!("CARGO_PKG_VERSION"));
    let mounted = mount::all();
    // A panic in a task ends that task. One here, or no runtime at all, leaves nobody who could do anything.
    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map(|runtime| {
                runtime.block_on(run(mounted));
                // A thread may be waiting for a file of the host that nobody serves any more.
                runtime.shutdown_background();
            })
    }));
    match ran {
        Ok(Ok(())) => {}
        Ok(Err(error)) => say!("could not start: {error}"),
        Err(_) => say!("cannot go on"),
    }
    power::off_now();
}

async fn run(mounted: Result<(), mount::Error>) {
    let guest = Arc::new(Guest {
        status: Status::new(),
        children: Children::default(),
        publications: Publications::default(),
        clients: Clients::default(),
        configured: Configured::at(mount::RUN),
        prepared: CancellationToken::new(),
        restart_engine: Notify::new(),
        shares: Shares::default(),
        binds: watch::Sender::default(),
        raiser: Raiser::begin(Path::new(share::TREE)),
        host: watch::Sender::new(None),
        runtime: Handle::current(),
        power_off: CancellationToken::new(),
    });
    let processors = tokio::task::spawn_blocking(processors::bring_up);
    tokio::spawn(reap(Arc::clone(&guest)));
    tokio::spawn(rest::watch(Arc::clone(&guest)));
    tokio::spawn(kernel::listen());
    // Before the engine: containers with a restart policy publish their ports as soon as it runs.
    wherry_link::carrier().spawn(link::keep(Arc::clone(&guest)));
    mount::limits();
    let engine = mounted.is_ok().then(|| {
        let guest = Arc::clone(&guest);
        tokio::spawn(async move {
            // The engine's programs count them once, when they begin.
            if let Err(error) = processors.await {
                say!("processors: {error}");
            }
            engine::start(&guest)
        })
    });
    // Beside the engine, which waits for what it needs of it.
    let prepared = prepare(&guest, mounted).await;
    let mut running = match engine {
        Some(engine) => engine.await.ok(),
        None => None,
    };
    match prepared {
        Ok(()) => {
            guest.prepared.cancel();
            tokio::spawn(giveback::keep());
            tokio::spawn(disk::watch(Arc::clone(&guest)));
        }
        Err(cause) => {
            guest.status.fail(cause);
            if let Some(running) = running.take() {
                running.stop().await;
            }
        }
    }
    wanted_off(&guest).await;
    power::off(&guest, running).await;
}

async fn prepare(guest: &Arc<Guest>, mounted: Result<(), mount::Error>) -> Result<(), GuestFailure> {
    mounted.map_err(|error| failure(&error))?;
    let addresses = network::addresses().map_err(|error| failure(&error))?;
    network::up(addresses).map_err(|error| failure(&error))?;
    publish::listen(guest).map_err(|error| failure(&error))?;
    tokio::spawn(listeners::keep(Arc::clone(guest)));
    dns::serve(guest, addresses).await.map_err(|error| failure(&error))?;
    // The packet filter takes as long as a disk that is in order.
    let (host, disk) = tokio::join!(host::serve(guest, addresses), disk::mount(guest));
    disk?;
    if let Err(error) = host {
        // The engine is of use without it.
        say!("{}", chain(&error));
    }
    authorize::listen(guest).map_err(|error| failure(&error))?;
    tokio::spawn(binds::keep(Arc::clone(guest)));
    tokio::spawn(client::keep_v6(Arc::clone(guest)));
    guest.status.enter(Stage::Engine);
    mount::identity();
    engine::prepare().map_err(|error| failure(&error))
}

fn failure(error: &dyn std::error::Error) -> GuestFailure {
    GuestFailure::System { message: chain(error) }
}

/// The error and all its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    message
}

/// Process 1 inherits every process whose parent died and has to take their exit codes.
async fn reap(guest: Arc<Guest>) {
    let mut ended = match signal(SignalKind::child()) {
        Ok(ended) => ended,
        Err(error) => return say!("cannot see processes end: {error}"),
    };
    loop {
        guest.children.reap();
        ended.recv().await;
    }
}

/// The host asks over the link. The signals are what the kernel and tools send to process 1 for the same.
async fn wanted_off(guest: &Guest) {
    let terminate = async {
        if let Ok(mut signal) = signal(SignalKind::terminate()) {
            signal.recv().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let interrupt = async {
        if let Ok(mut signal) = signal(SignalKind::interrupt()) {
            signal.recv().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = guest.power_off.cancelled() => {}
        () = terminate => {}
        () = interrupt => {}
    }
}
