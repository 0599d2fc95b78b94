//! containerd and dockerd: started together, watched, started again when they die, and stopped in order.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    mem::MaybeUninit,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::{
    fs::inotify,
    process::{Pid, Signal, WaitStatus, kill_process},
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixStream, unix::pipe},
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use wherry_link::{GuestFailure, Proxy, Secret, Stage};

use super::{
    Guest, again, authorize, chain,
    children::{Child, ending},
    handed::Handed,
    log,
    mount::RUN,
    network,
    readiness::readable,
};

/// The engine's API.
pub(super) const SOCKET: &str = "/run/docker.sock";

/// Where dockerd keeps which images there are.
const IMAGES: &str = "/data/docker/image/overlay2";

const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";

/// Deaths further back are forgotten.
const MEMORY: Duration = Duration::from_mins(1);

/// With this many within [`MEMORY`] it is given up.
const TOO_MANY: usize = 5;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// How many of its last lines explain a death.
const TAIL: usize = 20;

/// A longer line comes in parts.
const LONGEST_LINE: u64 = 64 * 1024;

/// What the engine says of itself is some kilobytes.
const LONGEST_ANSWER: u64 = 1024 * 1024;

/// How long dockerd may take to read its settings anew.
const RELOAD: Duration = Duration::from_secs(10);

/// How long dockerd gives the containers to stop, beyond what each was given itself.
const SHUTDOWN: u32 = 15;

#[derive(Debug, thiserror::Error)]
#[error("Could not write the engine's settings")]
pub(super) struct Settings(#[from] io::Error);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Containerd,
    Dockerd,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Dockerd => "dockerd",
        }
    }

    fn settings(self) -> PathBuf {
        match self {
            Self::Containerd => Path::new(RUN).join("containerd.toml"),
            Self::Dockerd => Path::new(RUN).join("docker/daemon.json"),
        }
    }

    fn command(self) -> Command {
        let mut command = Command::new(self.name());
        let option = match self {
            Self::Containerd => "--config",
            Self::Dockerd => "--config-file",
        };
        command.arg(option).arg(self.settings());
        command
    }

    /// What one that died leaves behind and the next one, or whoever waits for it, would stumble over.
    fn leftovers(self) -> &'static [&'static str] {
        match self {
            Self::Containerd => &[CONTAINERD_SOCKET],
            Self::Dockerd => &[SOCKET, "/run/docker.pid"],
        }
    }

    /// How long it may take to end when asked to.
    fn patience(self) -> Duration {
        match self {
            Self::Containerd => Duration::from_secs(5),
            Self::Dockerd => Duration::from_secs(30),
        }
    }
}

/// The running engine.
pub(super) struct Running {
    dockerd: Supervised,
    containerd: Supervised,
}

struct Supervised {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Containers first (dockerd stops them), then what they ran on.
    pub(super) async fn stop(self) {
        for program in [self.dockerd, self.containerd] {
            program.stop.cancel();
            let _ = program.task.await;
        }
    }
}

/// They run up to where they read their settings, which come once the guest is prepared.
pub(super) fn start(guest: &Arc<Guest>) -> Running {
    let containerd_died = Arc::<Notify>::default();
    let supervised = |program| {
        let stop = CancellationToken::new();
        Supervised {
            task: tokio::spawn(supervise(
                Arc::clone(guest),
                program,
                Arc::clone(&containerd_died),
                stop.clone(),
            )),
            stop,
        }
    };
    let containerd = supervised(Program::Containerd);
    Running {
        dockerd: supervised(Program::Dockerd),
        containerd,
    }
}

/// What they need on the data disk.
pub(super) fn prepare() -> Result<(), Settings> {
    fs_err::create_dir_all("/run/containerd")?;
    written_through("/data/docker/containers")?;
    // The folders below, which dockerd fills file by file during a pull, are made first, so that they do not inherit it.
    for below in ["distribution", "imagedb", "layerdb"] {
        fs_err::create_dir_all(format!("{IMAGES}/{below}"))?;
    }
    written_through(IMAGES)?;
    fs_err::create_dir_all("/data/containerd")?;
    Ok(())
}

/// Makes a folder in which creating and renaming reach the disk before they return.
///
/// dockerd writes what a container is, and which images there are, to a new file, syncs the file and renames it, but
/// leaves the rename to the file system. A machine that loses power within its commit interval would then forget that
/// a container was started or that an image came.
fn written_through(folder: &str) -> std::io::Result<()> {
    fs_err::create_dir_all(folder)?;
    let folder = fs_err::File::open(folder)?;
    let flags = rustix::fs::ioctl_getflags(&folder)?;
    rustix::fs::ioctl_setflags(&folder, flags | rustix::fs::IFlags::DIRSYNC)?;
    Ok(())
}

/// Without what Docker does not use: each plugin costs time at every start.
fn containerd_settings() -> String {
    format!(
        r#"version = 2
root = "/data/containerd"
state = "/run/containerd"
oom_score = -500
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing",
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[debug]
level = "warn"

[grpc]
address = "{CONTAINERD_SOCKET}"
"#
    )
}

/// What Docker Desktop has, and limits for the logs: without them one chatty container fills the disk.
fn dockerd_settings(proxy: &Proxy, insecure: &[String], containers: Containers) -> io::Result<String> {
    let host = network::addresses().map_err(io::Error::other)?.host;
    let url = |secret: &Option<Secret>| secret.as_ref().map(|Secret(url)| url.clone()).unwrap_or_default();
    let mut settings = serde_json::json!({
        "hosts": [format!("unix://{SOCKET}")],
        "group": "root",
        "containerd": CONTAINERD_SOCKET,
        "data-root": "/data/docker",
        "exec-root": "/run/docker",
        "pidfile": "/run/docker.pid",
        "storage-driver": "overlay2",
        // What `--add-host NAME:host-gateway` means.
        "host-gateway-ip": host,
        // Away from what the host has routes to.
        "default-address-pools": network::pools(),
        // Networks with IPv6 are kept apart from each other as those with IPv4 are. In this version it counts only
        // with the other setting.
        "ip6tables": true,
        "experimental": true,
        "userland-proxy": true,
        "userland-proxy-path": "/sbin/wherry-agent",
        "authorization-plugins": [authorize::NAME],
        // There without any, too: one that is told anew forgets those only that a list leaves out.
        "insecure-registries": insecure,
        "live-restore": containers == Containers::GoOn,
        "shutdown-timeout": SHUTDOWN,
        "log-driver": "json-file",
        "log-opts": { "max-size": "20m", "max-file": "5" },
        "features": { "buildkit": true },
        "builder": { "gc": { "enabled": true, "defaultKeepStorage": "20GB" } },
        "proxies": {
            "http-proxy": url(&proxy.http),
            "https-proxy": url(&proxy.https),
            "no-proxy": proxy.except,
        },
    });
    if let Some(mtu) = network::short_mtu() {
        // Of the network that containers are in by default, and of all that are made from now on.
        settings["mtu"] = mtu.into();
        settings["default-network-opts"] =
            serde_json::json!({ "bridge": { "com.docker.network.driver.mtu": mtu.to_string() } });
    }
    Ok(settings.to_string())
}

/// What becomes of containers when dockerd ends.
///
/// It could let them go on always, but then it would not stop them when the machine powers off, and it could not be
/// part of a swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Containers {
    End,
    GoOn,
}

/// Keeps one program running until it is stopped or given up.
async fn supervise(guest: Arc<Guest>, program: Program, containerd_died: Arc<Notify>, stop: CancellationToken) {
    let mut deaths = Deaths::default();
    let mut containers = Containers::End;
    loop {
        let death = match run(&guest, program, containers, &containerd_died, &stop).await {
            Ended::Stopped => return,
            Ended::Restart { containers: then } => {
                containers = then;
                continue;
            }
            Ended::Died(death) => death,
        };
        guest.status.enter(Stage::EngineDied { message: death.message });
        match program {
            Program::Containerd => containerd_died.notify_one(),
            Program::Dockerd => {}
        }
        let Some(delay) = deaths.next(Instant::now()) else {
            let output = death.output;
            return guest.status.fail(GuestFailure::EngineKeepsDying { output });
        };
        tokio::select! {
            () = sleep(delay) => {}
            () = stop.cancelled() => return,
        }
    }
}

struct Death {
    message: String,
    output: String,
}

enum Ended {
    Stopped,
    Died(Death),
    /// It is to start anew at once, and take up the containers that went on.
    Restart {
        containers: Containers,
    },
}

/// Runs it until it ends.
async fn run(
    guest: &Arc<Guest>,
    program: Program,
    containers: Containers,
    containerd_died: &Notify,
    stop: &CancellationToken,
) -> Ended {
    for leftover in program.leftovers() {
        let _ = fs_err::remove_file(leftover);
    }
    let settings = match Handed::at(&program.settings()) {
        Ok(settings) => settings,
        Err(error) => return not_started(program, &Settings(error)),
    };
    let name = program.name();
    let (mut child, output) = match guest.children.start(&mut program.command()) {
        Ok(started) => started,
        Err(error) => return not_started(program, &error),
    };
    child.is_engine();
    let tail = Arc::new(Mutex::new(VecDeque::new()));
    let reading = tokio::spawn(read(name, output, Arc::clone(&tail)));
    let engine = tokio::select! {
        status = child.ended() => return died(name, status, reading, &tail).await,
        () = stop.cancelled() => {
            // It has not begun anything.
            child.signal(Signal::KILL);
            let _ = timeout(Duration::from_secs(1), child.ended()).await;
            return Ended::Stopped;
        }
        handed = hand(guest, program, containers, settings) => match handed {
            Ok(settings) => Dockerd {
                pid: child.pid,
                settings,
                guest,
            },
            Err(error) => {
                child.signal(Signal::KILL);
                let _ = timeout(Duration::from_secs(1), child.ended()).await;
                return not_started(program, &Settings(error));
            }
        },
    };
    guest.status.outdated(guest.configured.outdated());
    let asked = tokio::select! {
        status = child.ended() => Asked::Nothing { status },
        () = stop.cancelled() => Asked::Stop,
        () = containerd_died.notified(), if program == Program::Dockerd => Asked::StartAnew,
        () = announce(guest, program, &engine, containers) => tokio::select! {
            status = child.ended() => Asked::Nothing { status },
            () = stop.cancelled() => Asked::Stop,
            () = containerd_died.notified(), if program == Program::Dockerd => Asked::StartAnew,
            () = guest.restart_engine.notified(), if program == Program::Dockerd => Asked::Restart,
            never = engine.follow(), if program == Program::Dockerd => match never {},
        },
    };
    let status = match asked {
        Asked::Nothing { status } => status,
        Asked::Stop => {
            if containers == Containers::GoOn {
                engine.set(Containers::End).await;
            }
            end(&mut child, program).await;
            return Ended::Stopped;
        }
        Asked::Restart => {
            guest.status.enter(Stage::Engine);
            let containers = if in_a_swarm() {
                Containers::End
            } else {
                engine.set(Containers::GoOn).await
            };
            end(&mut child, program).await;
            return Ended::Restart { containers };
        }
        Asked::StartAnew => {
            // Not asked to end, which it does only after containerd has answered it.
            child.signal(Signal::KILL);
            let _ = timeout(Duration::from_secs(1), child.ended()).await;
            let containers = if in_a_swarm() {
                Containers::End
            } else {
                Containers::GoOn
            };
            return Ended::Restart { containers };
        }
    };
    died(name, status, reading, &tail).await
}

/// Gives it its settings once they are known, and returns those that are the host's.
async fn hand(guest: &Guest, program: Program, containers: Containers, settings: Handed) -> io::Result<Given> {
    guest.prepared.cancelled().await;
    match program {
        Program::Containerd => {
            settings.over(&containerd_settings()).await?;
            Ok(Given::default())
        }
        Program::Dockerd => {
            // Containers that start with the engine may have folders of the host.
            let ((), configured) = tokio::join!(guest.shares.told(), guest.configured.for_engine());
            let proxy = configured?.proxy;
            let insecure = guest.configured.insecure_registries();
            settings.over(&dockerd_settings(&proxy, &insecure, containers)?).await?;
            Ok(Given { proxy, insecure })
        }
    }
}

async fn died(
    name: &str,
    status: Option<WaitStatus>,
    reading: JoinHandle<()>,
    tail: &Mutex<VecDeque<String>>,
) -> Ended {
    // Its last words may still be in the pipe, which containers' processes may hold open for ever.
    let _ = timeout(Duration::from_millis(200), reading).await;
    let lines: Vec<String> = tail.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
    Ended::Died(Death {
        message: format!("{name} {}", ending(status)),
        output: lines.join("\n"),
    })
}

/// Why a program is to end.
enum Asked {
    /// It ended by itself.
    Nothing {
        status: Option<WaitStatus>,
    },
    Stop,
    Restart,
    /// containerd has died. What containers do until there is a new one is told to nobody: dockerd would take one that
    /// has ended for running, and let whoever waits for it wait for ever. It asks containerd only when it starts.
    StartAnew,
}

fn not_started(program: Program, error: &dyn std::error::Error) -> Ended {
    let message = format!("{} could not be started: {}", program.name(), chain(error));
    Ended::Died(Death {
        output: message.clone(),
        message,
    })
}

async fn end(child: &mut Child, program: Program) {
    child.signal(Signal::TERM);
    if timeout(program.patience(), child.ended()).await.is_err() {
        log::say!("{} does not end", program.name());
        child.signal(Signal::KILL);
        let _ = timeout(Duration::from_secs(1), child.ended()).await;
    }
}

/// A dockerd that runs, and what it was started with.
struct Dockerd<'a> {
    pid: Pid,
    settings: Given,
    guest: &'a Guest,
}

/// What it was given of the host's.
#[derive(Default)]
struct Given {
    proxy: Proxy,
    insecure: Vec<String>,
}

impl Dockerd<'_> {
    /// Tells it which registries it may ask without encryption, whenever they are others than it knows.
    async fn follow(&self) -> Infallible {
        let mut it_knows = self.settings.insecure.clone();
        loop {
            it_knows = self.guest.configured.insecure_other_than(&it_knows).await;
            match self.write(&it_knows, Containers::End) {
                Ok(()) => {
                    let _ = kill_process(self.pid, Signal::HUP);
                }
                Err(error) => log::say!("dockerd was not told of its registries: {error}"),
            }
        }
    }

    fn write(&self, insecure: &[String], containers: Containers) -> io::Result<()> {
        let text = dockerd_settings(&self.settings.proxy, insecure, containers)?;
        fs_err::write(Program::Dockerd.settings(), text)
    }

    /// Tells it what shall become of containers when it ends, and returns what it will do then.
    async fn set(&self, containers: Containers) -> Containers {
        let told = self.write(&self.guest.configured.insecure_registries(), containers);
        let _ = kill_process(self.pid, Signal::HUP);
        let obeys = async {
            loop {
                let said = match UnixStream::connect(SOCKET).await {
                    Ok(engine) => get::<Info>(engine, "/info").await,
                    Err(error) => Err(error),
                };
                if said.is_ok_and(|info| info.live_restore == (containers == Containers::GoOn)) {
                    return;
                }
                // It reads its settings anew at the signal, and nothing tells when it has.
                sleep(Duration::from_millis(20)).await;
            }
        };
        match (told, timeout(RELOAD, obeys).await) {
            (Ok(()), Ok(())) => containers,
            (told, _) => {
                log::say!("dockerd did not take over its settings: {told:?}");
                match containers {
                    Containers::End => Containers::GoOn,
                    Containers::GoOn => Containers::End,
                }
            }
        }
    }
}

/// A swarm's manager or worker refuses to leave its containers alone.
fn in_a_swarm() -> bool {
    Path::new("/data/docker/swarm/docker-state.json").exists()
}

/// Says that the engine answers, once it does.
async fn announce(guest: &Arc<Guest>, program: Program, engine: &Dockerd<'_>, containers: Containers) {
    match program {
        // dockerd answers after it, and starts anew when it does.
        Program::Containerd => return,
        Program::Dockerd => {}
    }
    let version = loop {
        match version(answering(SOCKET).await).await {
            Ok(version) => break version,
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    };
    if containers == Containers::GoOn {
        // It has taken up those that went on. From here on it stops them when it ends, as ever.
        engine.set(Containers::End).await;
    }
    again::start(guest).await;
    guest.status.enter(Stage::Ready {
        engine: version.engine,
        api: version.api,
    });
}

/// Waits until somebody listens at the socket.
pub(super) async fn answering(socket: &str) -> UnixStream {
    loop {
        if let Err(error) = appears(Path::new(socket)).await {
            log::say!("cannot watch for {socket}: {error}");
        }
        if let Ok(stream) = UnixStream::connect(socket).await {
            return stream;
        }
        // It is there and not listened to yet.
        sleep(Duration::from_millis(5)).await;
    }
}

async fn appears(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(
        &watch,
        folder,
        inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO,
    )?;
    let watch = readable(watch)?;
    // Watched before it is looked for, so that it cannot appear in between.
    while !path.exists() {
        let mut ready = watch.readable().await?;
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut events = inotify::Reader::new(watch.get_ref(), &mut buffer);
        while events.next().is_ok() {}
        ready.clear_ready();
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Version {
    engine: String,
    api: String,
}

impl Version {
    /// From the head of any answer. `/version` says it too, but starts runc and docker-init for that.
    fn of(head: &str) -> Option<Self> {
        let field = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        // `Docker/26.1.5 (linux)`
        let engine = field("Server")?.strip_prefix("Docker/")?.split(' ').next()?;
        Some(Self {
            engine: engine.to_owned(),
            api: field("Api-Version")?.to_owned(),
        })
    }
}

#[derive(Debug, Deserialize)]
struct Info {
    #[serde(rename = "LiveRestoreEnabled")]
    live_restore: bool,
}

async fn version(engine: UnixStream) -> io::Result<Version> {
    let answer = ask(engine, "/_ping").await?;
    let (head, _) = parts(&answer)?;
    Version::of(head).ok_or(io::ErrorKind::InvalidData.into())
}

async fn get<T: DeserializeOwned>(engine: UnixStream, path: &str) -> io::Result<T> {
    let answer = ask(engine, path).await?;
    Ok(serde_json::from_str(parts(&answer)?.1)?)
}

/// Asks the engine. It accepts connections before it serves, so this waits for it.
async fn ask(mut engine: UnixStream, path: &str) -> io::Result<Vec<u8>> {
    // HTTP/1.0, so that the answer ends with the connection and comes in one piece.
    engine
        .write_all(format!("GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n").as_bytes())
        .await?;
    let mut answer = Vec::new();
    engine.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Head and body of an answer that says yes.
fn parts(answer: &[u8]) -> io::Result<(&str, &str)> {
    let answer = std::str::from_utf8(answer).map_err(io::Error::other)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    if head.split(' ').nth(1) != Some("200") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((head, body))
}

/// Takes a program's output line by line.
async fn read(name: &'static str, output: pipe::Receiver, tail: Arc<Mutex<VecDeque<String>>>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut output).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        log::append(name, line, is_important(line));
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line.to_owned());
    }
}

/// Their lines say how important they are; one that does not is a stack trace.
fn is_important(line: &str) -> bool {
    !(line.contains("level=info") || line.contains("level=debug"))
}

/// When it died lately.
#[derive(Default)]
struct Deaths {
    at: VecDeque<Instant>,
}

impl Deaths {
    /// How long to wait before the next start; None when it is hopeless.
    fn next(&mut self, now: Instant) -> Option<Duration> {
        while self.at.front().is_some_and(|at| now.duration_since(*at) > MEMORY) {
            self.at.pop_front();
        }
        let before = u32::try_from(self.at.len()).unwrap_or(u32::MAX);
        self.at.push_back(now);
        if self.at.len() >= TOO_MANY {
            return None;
        }
        Some(
            FIRST_DELAY
                .saturating_mul(2_u32.saturating_pow(before))
                .min(LONGEST_DELAY),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_deaths_within_a_minute_are_too_many_and_the_waits_double() {
        let start = Instant::now();
        let mut deaths = Deaths::default();
        let delays: Vec<_> = (0..5)
            .map(|second| deaths.next(start + Duration::from_secs(second)))
            .collect();
        let millis = |millis| Some(Duration::from_millis(millis));
        assert_eq!(delays, [millis(100), millis(200), millis(400), millis(800), None]);
        let mut deaths = Deaths::default();
        for minute in 0..20 {
            assert_eq!(
                deaths.next(start + MEMORY * minute + Duration::from_secs(u64::from(minute))),
                millis(100)
            );
        }
    }

    #[test]
    fn the_engines_answer() -> io::Result<()> {
        let answer = b"HTTP/1.0 200 OK\r\nApi-Version: 1.45\r\nServer: Docker/26.1.5+dfsg1 (linux)\r\n\r\nOK";
        let (head, body) = parts(answer)?;
        let expected = Version {
            engine: "26.1.5+dfsg1".into(),
            api: "1.45".into(),
        };
        assert_eq!((Version::of(head), body), (Some(expected), "OK"));
        assert_eq!(Version::of("HTTP/1.0 200 OK\r\nServer: nginx"), None);
        assert!(parts(b"HTTP/1.0 503 Service Unavailable\r\n\r\n").is_err());
        assert!(parts(b"HTTP/1.0 200 OK\r\n").is_err());
        Ok(())
    }

    #[tokio::test]
    async fn a_socket_is_noticed_when_it_appears() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("docker.sock");
        let socket = path.to_string_lossy().into_owned();
        let waiting = tokio::spawn(async move { answering(&socket).await });
        tokio::task::yield_now().await;
        fs_err::write(folder.path().join("something else"), "")?;
        let listener = tokio::net::UnixListener::bind(&path)?;
        let _client = timeout(Duration::from_secs(5), waiting).await??;
        listener.accept().await?;
        Ok(())
    }

    #[test]
    fn only_information_is_kept_from_the_console() {
        assert!(!is_important(
            r#"time="2026-11-21T10:00:00Z" level=info msg="Starting up""#
        ));
        assert!(is_important(
            r#"time="2026-11-21T10:00:00Z" level=warning msg="no swap limit""#
        ));
        assert!(is_important("panic: runtime error"));
    }
}
