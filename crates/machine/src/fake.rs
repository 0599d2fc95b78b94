//! A machine for tests: a process that does nothing, and a guest in this process that speaks the link.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use wherry_link::{
    Configuration, GivenBack, Hello, HostRequest, Incoming, Publication, Report, Session, Stage, Stream, Target, Usage,
    reach,
};

use crate::activity::Activity;
use crate::backend::{Attempt, Attempts, Backend, Begin, Facts, FilesLaunch, Folders, Launch};
use crate::boot::{Context, FindBackend};
use crate::doze::Doze;
use crate::record::Record;
use crate::subnet::Plan;
use crate::{Accelerator, Failure, Home, Spec, disk, settings};

/// The guest's half, with what it would know.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) reports: Arc<watch::Sender<Report>>,
    pub(crate) publications: Arc<Mutex<Vec<Publication>>>,
    /// What it was told of this computer last, with the certificates.
    pub(crate) configured: Arc<Mutex<Option<Configured>>>,
    /// Whether its containers stand still.
    pub(crate) rests: Arc<AtomicBool>,
    pub(crate) monitor: Arc<Monitor>,
    /// Whether it was told at its end that its containers are to run again.
    pub(crate) runs_again: Arc<AtomicBool>,
    /// Whether it is of before it could be told of this computer.
    pub(crate) is_older: Arc<AtomicBool>,
    /// The home whose machine's process ends when this guest powers off.
    home: Option<Home>,
    /// What happens when this guest is asked to give back what it does not need.
    pub(crate) gives_back: Arc<dyn Fn() + Send + Sync>,
}

/// What a host says of itself, with its certificates.
pub(crate) type Configured = (Configuration, Vec<String>);

/// What QEMU's monitor would say of its machine.
pub(crate) struct Monitor {
    pub(crate) version: Mutex<[u32; 3]>,
    pub(crate) running: AtomicBool,
    /// It stands still, because this computer's disk had no room for a write.
    pub(crate) no_room: AtomicBool,
    /// The memory cannot be written, as on a full disk.
    pub(crate) cannot_save: AtomicBool,
    /// The daemon is to be lost once the memory is saved: the monitor never answers to `quit`.
    pub(crate) never_quits: AtomicBool,
}

/// What the memory of the machine is.
pub(crate) const MEMORY: &[u8] = b"the containers as they are";

pub(crate) fn report(stage: Stage) -> Report {
    Report {
        stage,
        at_millis: 0,
        engine_restarts: 0,
        engine_outdated: false,
        busy: false,
        disk: wherry_link::Fill::default(),
        notes: Vec::new(),
    }
}

pub(crate) fn ready() -> Report {
    report(Stage::Ready {
        engine: "26.1.5".into(),
        api: "1.45".into(),
    })
}

impl Guest {
    pub(crate) fn new() -> Self {
        Self {
            reports: Arc::new(watch::Sender::new(ready())),
            publications: Arc::new(Mutex::new(Vec::new())),
            configured: Arc::default(),
            rests: Arc::default(),
            monitor: Arc::new(Monitor {
                version: Mutex::new([10, 0, 2]),
                running: AtomicBool::new(true),
                no_room: AtomicBool::default(),
                cannot_save: AtomicBool::default(),
                never_quits: AtomicBool::default(),
            }),
            is_older: Arc::default(),
            runs_again: Arc::default(),
            home: None,
            gives_back: Arc::new(|| ()),
        }
    }

    /// The host's session with a guest over a pipe in memory.
    pub(crate) async fn connected(self) -> (Session, Incoming) {
        let (host, guest) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            if let Ok((session, incoming)) = Session::guest(guest).await {
                self.answer(session, incoming).await;
            }
        });
        Session::host(host, Duration::from_mins(1))
            .await
            .expect("the guest answers")
    }

    /// Answers at the home's link, as a serial port does: for one host after the other, in one stream each.
    pub(crate) fn listen(mut self, home: &Home) -> io::Result<()> {
        self.home = Some(home.clone());
        let monitor = UnixListener::bind(home.qmp())?;
        tokio::spawn({
            let (guest, home) = (self.clone(), home.clone());
            async move {
                // One client after the other, as QEMU's.
                while let Ok((stream, _)) = monitor.accept().await {
                    let _ = guest.monitor.answer(&home, stream).await;
                }
            }
        });
        let listener = UnixListener::bind(home.link())?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let guest = self.clone();
                tokio::spawn(async move {
                    if let Ok((session, incoming)) = Session::guest(stream).await {
                        guest.answer(session, incoming).await;
                    }
                });
            }
        });
        Ok(())
    }

    async fn answer(self, session: Session, mut incoming: Incoming) {
        while let Some(stream) = incoming.next().await {
            let guest = self.clone();
            tokio::spawn(async move { guest.reply(stream).await });
        }
        drop(session);
    }

    fn configure(&self, configuration: &Configuration, authorities: Vec<String>) {
        let before = {
            let mut known = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
            known.replace((configuration.clone(), authorities))
        };
        let outdated = before.is_some_and(|(before, _)| before != *configuration);
        self.reports.send_modify(|report| report.engine_outdated |= outdated);
    }

    async fn reply(self, mut stream: Stream) -> Result<(), wherry_link::Error> {
        let Some(request) = stream.read_message::<HostRequest>().await? else {
            return Ok(());
        };
        match request {
            HostRequest::Hello { .. } => {
                self.rests.store(false, Ordering::SeqCst);
                let value = Hello {
                    version: wherry_link::VERSION,
                    agent: "fake".into(),
                    kernel: "6.12-fake".into(),
                    boot_id: "boot".into(),
                    uptime_millis: 1,
                };
                stream.accept(value).await
            }
            HostRequest::Configure { .. } if self.is_older.load(Ordering::SeqCst) => Ok(()),
            HostRequest::Configure { configuration } => {
                let mut authorities = Vec::new();
                for _ in 0..configuration.authorities.count {
                    authorities.extend(stream.read_message().await?);
                }
                self.configure(&configuration, authorities);
                stream.accept(()).await
            }
            HostRequest::RestartEngine => {
                self.reports.send_modify(|report| report.engine_outdated = false);
                stream.accept(()).await
            }
            HostRequest::Watch => {
                stream.accept(()).await?;
                let mut reports = self.reports.subscribe();
                reports.mark_changed();
                while reports.changed().await.is_ok() {
                    let report = reports.borrow_and_update().clone();
                    stream.write_message(&report).await?;
                }
                Ok(())
            }
            HostRequest::Usage => {
                let value = Usage {
                    memory_total: 4,
                    memory_used: 3,
                    disk_total: 2,
                    disk_used: 1,
                    unix_millis: 0,
                };
                stream.accept(value).await
            }
            HostRequest::Rest => {
                self.rests.store(true, Ordering::SeqCst);
                stream.accept(()).await
            }
            HostRequest::GiveBack => {
                (self.gives_back)();
                stream.accept(GivenBack::default()).await
            }
            HostRequest::SetClock { .. }
            | HostRequest::GrowDisk { .. }
            | HostRequest::Share { .. }
            | HostRequest::LetFoldersGo
            | HostRequest::Changed { .. }
            | HostRequest::ForgetFiles
            | HostRequest::Binds => stream.accept(()).await,
            HostRequest::Publications => {
                let value = self.publications.lock().unwrap_or_else(PoisonError::into_inner).clone();
                stream.accept(value).await
            }
            HostRequest::PowerOff { run_again } => {
                self.runs_again.store(run_again, Ordering::SeqCst);
                stream.accept(()).await?;
                if let Some(record) = self.home.as_ref().and_then(Record::of_running) {
                    kill(record.pid);
                }
                Ok(())
            }
            HostRequest::Logs { follow } => {
                stream.accept(()).await?;
                stream.write_message(&"the engine listens").await?;
                if follow {
                    // Until the host closes.
                    let _ = stream.read_message::<()>().await;
                }
                Ok(())
            }
            // Whatever is said to this engine it says back.
            HostRequest::Connect { target: Target::Engine } => {
                stream.accept(()).await?;
                let (mut reader, mut writer) = tokio::io::split(stream);
                tokio::io::copy(&mut reader, &mut writer).await?;
                tokio::io::AsyncWriteExt::shutdown(&mut writer).await?;
                Ok(())
            }
            HostRequest::Connect {
                target: Target::Tcp { address, client: _ },
            } => reach::tcp(stream, address, TcpStream::connect(address)).await,
            HostRequest::Connect {
                target: Target::Udp { address },
            } => reach::udp(stream, &[address], &reach::any_socket).await,
        }
    }
}

impl Monitor {
    async fn answer(&self, home: &Home, stream: UnixStream) -> io::Result<()> {
        let (hears, mut says) = stream.into_split();
        let mut hears = BufReader::new(hears).lines();
        let [major, minor, micro] = *self.version.lock().unwrap_or_else(PoisonError::into_inner);
        let greeting = json!({ "QMP": {
            "version": { "qemu": { "major": major, "minor": minor, "micro": micro }, "package": "" },
            "capabilities": [],
        }});
        says.write_all(format!("{greeting}\n").as_bytes()).await?;
        while let Some(line) = hears.next_line().await? {
            let asked: Value = serde_json::from_str(&line)?;
            let (mut answer, mut status) = (json!({ "return": {} }), None);
            match asked["execute"].as_str().unwrap_or_default() {
                "query-status" => {
                    let running = self.running.load(Ordering::SeqCst);
                    let status = match (running, self.no_room.load(Ordering::SeqCst)) {
                        (true, _) => "running",
                        (false, true) => "io-error",
                        (false, false) => "paused",
                    };
                    answer = json!({ "return": { "running": running, "status": status } });
                }
                "block_resize" => {
                    let size = asked["arguments"]["size"].as_u64().unwrap_or_default();
                    let disk = fs_err::OpenOptions::new().write(true).open(home.data_disk())?;
                    disk.set_len(size)?;
                }
                "query-migrate" => answer = json!({ "return": { "error-desc": "No space left on device" } }),
                "stop" => self.running.store(false, Ordering::SeqCst),
                "cont" => {
                    self.running.store(true, Ordering::SeqCst);
                    self.no_room.store(false, Ordering::SeqCst);
                }
                "migrate" if self.cannot_save.load(Ordering::SeqCst) => status = Some("failed"),
                "migrate" => {
                    let mut file = fs_err::OpenOptions::new().write(true).open(home.saved_unfinished())?;
                    io::Seek::seek(&mut file, io::SeekFrom::Start(crate::saved::MEMORY_AT))?;
                    io::Write::write_all(&mut file, MEMORY)?;
                    status = Some("completed");
                }
                "migrate-incoming" => {
                    self.running.store(false, Ordering::SeqCst);
                    let whole = fs_err::read(home.saved())?;
                    status = Some(if whole.ends_with(MEMORY) { "completed" } else { "failed" });
                }
                "quit" if self.never_quits.load(Ordering::SeqCst) => std::future::pending().await,
                "quit" => {
                    if let Some(record) = Record::of_running(home) {
                        kill(record.pid);
                    }
                }
                _ => {}
            }
            says.write_all(format!("{answer}\n").as_bytes()).await?;
            if let Some(status) = status {
                let event = json!({ "event": "MIGRATION", "data": { "status": status } });
                says.write_all(format!("{event}\n").as_bytes()).await?;
            }
        }
        Ok(())
    }
}

/// Ends a process of ours as an operator would.
pub(crate) fn kill(pid: u32) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .expect("a process id");
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

#[derive(Clone)]
pub(crate) enum Wrong {
    Crashes,
    /// The guest never says a word here.
    Silent(PathBuf),
}

/// A backend whose process sleeps. What runs by which accelerator, and what ends at once, is the test's choice.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) attempts: Vec<Attempt>,
    /// The accelerator whose process ends at once, as QEMU does when the hardware refuses it.
    pub(crate) ends_at_once: Option<&'static str>,
    /// What is wrong with the first process, and where it is noted that it was; the next one goes on.
    pub(crate) wrong_once: Option<(Wrong, PathBuf)>,
    /// The accelerator whose guest never says a word, and where it does not.
    pub(crate) silent: Option<(&'static str, PathBuf)>,
    /// How long what the settings call a minute is.
    pub(crate) minute: Duration,
    pub(crate) fingerprint: &'static str,
    /// What serves folders, by its path.
    pub(crate) files: Option<&'static str>,
    /// How much of this computer's disk is free while the machine starts.
    pub(crate) room: Arc<AtomicU64>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let attempt = Attempt {
            accelerator: "tcg",
            hardware: false,
            first_word: Duration::from_mins(1),
        };
        Self {
            attempts: vec![attempt],
            ends_at_once: None,
            wrong_once: None,
            silent: None,
            minute: Duration::from_mins(1),
            fingerprint: "fake 1",
            files: None,
            room: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }

    pub(crate) fn context(self, home: &Home) -> Context {
        let fake = self.clone();
        let find_backend: FindBackend = Arc::new(move || Ok(Arc::new(fake.clone()) as Arc<dyn Backend>));
        Context {
            home: home.clone(),
            find_backend,
            settings: settings::Store::open(home).0,
            activity: Activity::new(),
            doze: Doze::new(),
            minute: self.minute,
            room: Arc::new(move |_| self.room.load(Ordering::SeqCst)),
        }
    }
}

impl Backend for Fake {
    fn facts(&self) -> Facts {
        Facts {
            name: "fake",
            fingerprint: self.fingerprint.into(),
        }
    }

    fn attempts(&self, _accelerator: Accelerator) -> Attempts {
        Attempts {
            attempts: self.attempts.clone(),
            note: None,
        }
    }

    fn prepare(&self, home: &Home, spec: &Spec) -> Result<String, Failure> {
        disk::prepare(&home.data_disk(), spec.disk_gib)
    }

    fn files(&self, home: &Home) -> Option<FilesLaunch> {
        self.files.map(|program| FilesLaunch {
            program: program.into(),
            arguments: Vec::new(),
            control: home.files_control(),
        })
    }

    fn serves_folders(&self) -> bool {
        false
    }

    fn launch(
        &self,
        home: &Home,
        _spec: &Spec,
        _network: &Plan,
        accelerator: &str,
        _folders: Folders<'_>,
        _begin: Begin,
    ) -> Launch {
        let once = self
            .wrong_once
            .as_ref()
            .filter(|(_, note)| fs_err::File::create_new(note).is_ok());
        let silent = match (once, &self.silent) {
            (Some((Wrong::Silent(link), _)), _) => Some(link),
            (_, Some((silent, link))) if *silent == accelerator => Some(link),
            _ => None,
        };
        // A process that ends at once has no time to listen.
        let (script, link) = if let Some((Wrong::Crashes, _)) = once {
            (
                "echo an assertion failed; kill -ABRT $$",
                home.run().join("nobody.sock"),
            )
        } else if self.ends_at_once == Some(accelerator) {
            (
                "echo the hardware is not for us; exit 1",
                home.run().join("nobody.sock"),
            )
        } else {
            ("exec sleep 600", silent.cloned().unwrap_or_else(|| home.link()))
        };
        Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            link,
        }
    }

    fn diagnose(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Where a service answers, for tests that publish it.
pub(crate) fn published(host: SocketAddr, container: SocketAddr) -> Publication {
    Publication {
        protocol: wherry_link::Protocol::Tcp,
        host_address: host.ip(),
        host_port: host.port(),
        container,
        owner: None,
    }
}
