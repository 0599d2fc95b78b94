use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use wherry_link::{GuestFailure, Secret, Stage};

use super::*;
use crate::backend::Attempt;
use crate::fake::{Fake, Guest, Wrong, kill, published, ready, report};
use crate::{FailureCode, Home, ProxyChoice, SettingsChange, Step, ports, system};

mod disk;

/// What a broken test waits for at most; none of these is reached by one that passes.
const PATIENCE: Duration = Duration::from_mins(1);

struct Place {
    _folder: tempfile::TempDir,
    home: Home,
    guest: Guest,
}

impl Place {
    fn new() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let home = Home::at(folder.path());
        home.create()?;
        let guest = Guest::new();
        guest.clone().listen(&home)?;
        Ok(Self {
            _folder: folder,
            home,
            guest,
        })
    }

    fn supervisor(&self) -> Supervisor {
        self.supervisor_with(Fake::new())
    }

    fn supervisor_with(&self, fake: Fake) -> Supervisor {
        Supervisor::begin(fake.context(&self.home), None)
    }

    fn pid(&self) -> u32 {
        Record::of_running(&self.home).expect("a machine runs").pid
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(record) = Record::of_running(&self.home) {
            kill(record.pid);
        }
    }
}

impl Supervisor {
    async fn ask(&self, command: impl FnOnce(Reply) -> Command) -> Result<(), Failure> {
        let (reply, outcome) = oneshot::channel();
        self.send(command(reply)).await;
        timeout(PATIENCE, outcome)
            .await
            .expect("an answer")
            .expect("the supervisor lives")
    }

    async fn start(&self) -> Result<(), Failure> {
        self.ask(|reply| Command::Start { change: small(), reply }).await
    }

    async fn stop(&self) -> Result<(), Failure> {
        self.ask(|reply| Command::Stop { reply }).await
    }

    async fn suspend(&self) -> Result<(), Failure> {
        self.ask(|reply| Command::Suspend { reply }).await
    }

    async fn until(&self, wanted: impl Fn(&Status) -> bool) -> Status {
        let mut status: watch::Receiver<Status> = self.status();
        let reached = timeout(PATIENCE, status.wait_for(wanted)).await;
        reached.expect("reached in time").expect("the supervisor lives").clone()
    }
}

/// What every computer that builds this has.
fn small() -> SpecChange {
    SpecChange {
        cpus: Some(1),
        memory_mib: Some(512),
        disk_gib: Some(2),
        accelerator: None,
    }
}

fn running(status: &Status) -> &Running {
    match &status.state {
        State::Running { running } => running,
        other => panic!("it is {other:?}"),
    }
}

fn is_running(status: &Status) -> bool {
    matches!(status.state, State::Running { .. })
}

fn failure(status: &Status) -> &Failure {
    match &status.state {
        State::Failed { failure } => failure,
        other => panic!("it is {other:?}"),
    }
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    listener.local_addr().expect("address")
}

#[tokio::test]
async fn the_guest_is_told_of_this_computer_at_the_start_and_of_each_change() -> io::Result<()> {
    let place = Place::new()?;
    let context = Fake::new().context(&place.home);
    let settings = context.settings.clone();
    let set = |proxy| settings.change(&SettingsChange::Proxy { proxy }).expect("kept");
    let manual = |http: &str| ProxyChoice::Manual {
        http: http.parse().ok(),
        https: None,
        except: "a".into(),
    };
    let told = |guest: &Guest| {
        let configured = guest.configured.lock().expect("nobody panicked").clone();
        configured.expect("it was told")
    };
    set(manual("http://mira:s3cret@127.0.0.1:3128"));
    let supervisor = Supervisor::begin(context, None);
    supervisor.start().await.expect("it starts");
    let status = supervisor.until(|status| status.network.is_some()).await;
    let network = status.network.clone().expect("known");
    assert_eq!(network.proxy.http.as_deref(), Some("http://mira:***@127.0.0.1:3128"));
    assert!(!network.engine_outdated);
    let (configuration, authorities) = told(&place.guest);
    assert_eq!(
        configuration.proxy.http,
        Some(Secret("http://mira:s3cret@host.docker.internal:3128".into()))
    );
    assert_eq!(authorities.len(), network.authorities);
    assert!(!serde_json::to_string(&status)?.contains("s3cret"));

    set(ProxyChoice::Off);
    let outdated = |status: &Status| {
        let network = status.network.as_ref();
        network.is_some_and(|network| network.engine_outdated && network.proxy.http.is_none())
    };
    supervisor.until(outdated).await;
    assert_eq!(told(&place.guest).0.proxy.http, None);
    supervisor
        .ask(|reply| Command::RestartEngine { reply })
        .await
        .expect("restarted");
    supervisor
        .until(|status| status.network.as_ref().is_some_and(|network| !network.engine_outdated))
        .await;
    supervisor.stop().await.expect("it stops");
    assert_eq!(supervisor.status().borrow().network, None);
    let refused = supervisor.ask(|reply| Command::RestartEngine { reply }).await;
    assert_eq!(refused.expect_err("nothing runs").code, FailureCode::EngineFailed);
    Ok(())
}

/// The kernel and the supervisor learn of it at their own time.
#[tokio::test]
async fn a_start_after_the_process_was_killed_is_a_start_anew() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    let pid = place.pid();
    kill(pid);
    // Nothing else runs meanwhile: whoever waits for the process's end has not been told.
    while crate::record::process_started(pid).is_some() {
        std::thread::yield_now();
    }
    supervisor.start().await.expect("it starts again");
    let status = supervisor.status().borrow().clone();
    assert_ne!(running(&status).pid, pid, "it is another machine");
    assert_eq!(running(&status).pid, place.pid());
    Ok(())
}

#[tokio::test]
async fn a_start_goes_through_its_steps_and_the_socket_reaches_the_engine() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    assert!(!place.home.socket().exists());
    supervisor.start().await.expect("it starts");
    let status = supervisor.measured().await;
    let steps: Vec<Step> = status.steps.iter().map(|report| report.step).collect();
    assert_eq!(
        steps,
        [
            Step::Check,
            Step::Disk,
            Step::Linux,
            Step::Data,
            Step::Engine,
            Step::Connect
        ]
    );
    assert!(
        status.steps.iter().all(|report| report.millis.is_some()),
        "{:?}",
        status.steps
    );
    let running = running(&status);
    assert_eq!(
        (running.engine_version.as_str(), running.api_version.as_str()),
        ("26.1.5", "1.45")
    );
    assert_eq!((running.accelerator.as_str(), running.pid), ("tcg", place.pid()));
    assert_eq!(running.usage.guest_memory_used, 3);

    let mut client = system::connect(&place.home.socket()).await?;
    client.write_all(b"hello").await?;
    client.shutdown().await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    assert_eq!(answer, "hello");

    supervisor.stop().await.expect("it stops");
    assert_eq!(supervisor.status().borrow().state, State::Stopped);
    assert!(!place.home.socket().exists());
    assert_eq!(Record::read(&place.home)?, None);
    Ok(())
}

#[tokio::test]
async fn two_starts_at_once_make_one_machine() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    let (one, other) = tokio::join!(supervisor.start(), supervisor.start());
    one.and(other).expect("both start");
    let pid = place.pid();
    supervisor.start().await.expect("it runs already");
    assert_eq!(place.pid(), pid);
    Ok(())
}

#[tokio::test]
async fn a_start_while_stopping_starts_again_after_it() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    let first = place.pid();
    let (stopped, started) = tokio::join!(supervisor.stop(), supervisor.start());
    stopped.expect("it stops");
    started.expect("it starts again");
    assert_ne!(place.pid(), first);
    supervisor
        .ask(|reply| Command::Restart { reply })
        .await
        .expect("it restarts");
    assert!(is_running(&supervisor.status().borrow()));
    Ok(())
}

#[tokio::test]
async fn a_stop_during_a_start_calls_it_off() -> io::Result<()> {
    let place = Place::new()?;
    place.guest.reports.send_replace(report(Stage::Engine));
    let supervisor = place.supervisor();
    let start = supervisor.start();
    let stop = async {
        supervisor
            .until(|status| status.state == State::Starting { step: Step::Engine })
            .await;
        supervisor.stop().await
    };
    let (started, stopped) = tokio::join!(start, stop);
    assert_eq!(started.expect_err("called off").message, "The start was called off");
    stopped.expect("it stops");
    assert_eq!(Record::of_running(&place.home), None);
    assert_eq!(supervisor.status().borrow().state, State::Stopped);
    Ok(())
}

#[tokio::test]
async fn a_machine_that_dies_is_seen_and_a_start_recovers() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    let host = free_address();
    kill(place.pid());
    let status = supervisor
        .until(|status| matches!(status.state, State::Failed { .. }))
        .await;
    assert_eq!(failure(&status).code, FailureCode::Died);
    assert!(!place.home.socket().exists());
    assert!(ports::is_free(host.ip(), host.port()));
    supervisor.start().await.expect("it recovers");
    assert!(place.home.socket().exists());
    Ok(())
}

#[tokio::test]
async fn the_next_supervisor_takes_up_the_machine_and_its_ports() -> io::Result<()> {
    let place = Place::new()?;
    // As two daemons: the tasks of the first end with its runtime, as they would with its process.
    let home = place.home.clone();
    let first = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let supervisor = Supervisor::begin(Fake::new().context(&home), None);
            supervisor.start().await.expect("it starts");
            let status = supervisor.status().borrow().clone();
            running(&status).clone()
        })
    });
    let first = tokio::task::spawn_blocking(|| first.join())
        .await?
        .expect("the first daemon");

    let (free, taken) = (free_address(), std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
    let service = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let container = service.local_addr()?;
    place
        .guest
        .publications
        .lock()
        .expect("not poisoned")
        .extend([published(free, container), published(taken.local_addr()?, container)]);

    let supervisor = place.supervisor();
    let status = supervisor.until(is_running).await;
    let second = running(&status);
    assert_eq!(
        (second.pid, second.since_millis),
        (first.pid, first.since_millis),
        "the same machine goes on"
    );
    assert_eq!(status.forwards.len(), 2);
    let dead: Vec<SocketAddr> = status
        .forwards
        .iter()
        .filter(|forward| forward.dead.is_some())
        .map(|forward| forward.host)
        .collect();
    assert_eq!(dead, [taken.local_addr()?]);
    let (connected, accepted) = tokio::join!(tokio::net::TcpStream::connect(free), service.accept());
    connected?;
    accepted?;
    assert!(place.home.socket().exists());

    kill(second.pid);
    let status = supervisor
        .until(|status| matches!(status.state, State::Failed { .. }))
        .await;
    assert_eq!(
        failure(&status).code,
        FailureCode::Died,
        "one that was taken up is watched as well"
    );
    assert!(status.forwards.is_empty());
    Ok(())
}

#[tokio::test]
async fn hardware_that_does_not_run_the_machine_is_left_and_remembered() -> io::Result<()> {
    let place = Place::new()?;
    let attempt = |accelerator, hardware| Attempt {
        accelerator,
        hardware,
        first_word: PATIENCE,
    };
    let fake = Fake {
        attempts: vec![attempt("kvm", true), attempt("tcg", false)],
        ends_at_once: Some("kvm"),
        ..Fake::new()
    };
    let supervisor = place.supervisor_with(fake.clone());
    supervisor.start().await.expect("it starts by emulation");
    let status = supervisor.status().borrow().clone();
    assert_eq!(running(&status).accelerator, "tcg");
    assert!(
        status.notes.iter().any(|note| note.contains("software emulation")),
        "{:?}",
        status.notes
    );
    supervisor.stop().await.expect("it stops");
    let remembered = crate::accelerator::Failures::load(&place.home, "fake 1");
    assert_eq!(remembered.why("kvm"), Some("its process ended before Linux was up"));

    supervisor.start().await.expect("it starts");
    let status = supervisor.status().borrow().clone();
    assert!(
        status.notes.iter().any(|note| note.contains("software emulation")),
        "{:?}",
        status.notes
    );
    Ok(())
}

#[tokio::test]
async fn what_two_attempts_meet_is_told_once() -> io::Result<()> {
    let place = Place::new()?;
    let fake = Fake {
        wrong_once: Some((Wrong::Crashes, place.home.root().join("crashed"))),
        files: Some("/bin/false"),
        ..Fake::new()
    };
    let supervisor = place.supervisor_with(fake);
    supervisor.start().await.expect("it starts");
    let notes = supervisor.status().borrow().notes.clone();
    let told = notes
        .iter()
        .filter(|note| note.starts_with("No folder of this computer"));
    assert_eq!(told.count(), 1, "{notes:?}");
    Ok(())
}

#[tokio::test]
async fn an_emulator_that_crashes_before_linux_is_up_is_started_a_second_time() -> io::Result<()> {
    let place = Place::new()?;
    let fake = Fake {
        wrong_once: Some((Wrong::Crashes, place.home.root().join("crashed"))),
        ..Fake::new()
    };
    let supervisor = place.supervisor_with(fake);
    supervisor.start().await.expect("it starts");
    let status = supervisor.status().borrow().clone();
    assert!(
        status.notes.iter().any(|note| note.contains("an assertion failed")),
        "{:?}",
        status.notes
    );
    supervisor.stop().await.expect("it stops");

    let fake = Fake {
        ends_at_once: Some("tcg"),
        ..Fake::new()
    };
    let failure = place
        .supervisor_with(fake)
        .start()
        .await
        .expect_err("it ends each time");
    assert_eq!(failure.code, FailureCode::Died);
    assert_eq!(Record::of_running(&place.home), None, "nothing goes on");
    Ok(())
}

#[tokio::test]
async fn an_emulated_guest_that_never_says_a_word_is_started_a_second_time() -> io::Result<()> {
    let place = Place::new()?;
    let link = place.home.root().join("silent.sock");
    // Connections wait here for ever.
    let _listener = tokio::net::UnixListener::bind(&link)?;
    let attempt = Attempt {
        accelerator: "tcg",
        hardware: false,
        first_word: Duration::from_secs(1),
    };
    let fake = Fake {
        attempts: vec![attempt],
        wrong_once: Some((Wrong::Silent(link.clone()), place.home.root().join("silent"))),
        ..Fake::new()
    };
    let supervisor = place.supervisor_with(fake);
    supervisor.start().await.expect("it starts");
    let told = "The machine was started a second time: no sign of life within 1 s.";
    let notes = supervisor.status().borrow().notes.clone();
    assert!(notes.iter().any(|note| note == told), "{notes:?}");
    supervisor.stop().await.expect("it stops");

    let fake = Fake {
        attempts: vec![attempt],
        silent: Some(("tcg", link)),
        ..Fake::new()
    };
    let failure = place
        .supervisor_with(fake)
        .start()
        .await
        .expect_err("it is silent each time");
    assert_eq!(failure.code, FailureCode::NoAnswer);
    assert_eq!(Record::of_running(&place.home), None, "nothing goes on");
    Ok(())
}

#[tokio::test]
async fn hardware_whose_guest_never_says_a_word_is_given_up_and_its_process_ended() -> io::Result<()> {
    let place = Place::new()?;
    let link = place.home.root().join("silent.sock");
    // Connections wait here for ever.
    let _listener = tokio::net::UnixListener::bind(&link)?;
    let attempt = |accelerator, hardware, first_word| Attempt {
        accelerator,
        hardware,
        first_word,
    };
    let fake = Fake {
        attempts: vec![
            attempt("kvm", true, Duration::from_secs(1)),
            attempt("tcg", false, PATIENCE),
        ],
        silent: Some(("kvm", link)),
        ..Fake::new()
    };
    let supervisor = place.supervisor_with(fake);
    supervisor.start().await.expect("it starts by emulation");
    assert_eq!(running(&supervisor.status().borrow()).accelerator, "tcg");
    let remembered = crate::accelerator::Failures::load(&place.home, "fake 1");
    assert_eq!(remembered.why("kvm"), Some("no sign of life within 1 s"));
    Ok(())
}

#[tokio::test]
async fn a_damaged_data_disk_has_its_own_explanation() -> io::Result<()> {
    let place = Place::new()?;
    let cause = GuestFailure::DiskCorrupt {
        output: "e2fsck: no superblock".into(),
    };
    place.guest.reports.send_replace(report(Stage::Failed { cause }));
    let supervisor = place.supervisor();
    let failure = supervisor.start().await.expect_err("it cannot");
    assert_eq!(
        (failure.code, failure.step),
        (FailureCode::DataDiskCorrupt, Some(Step::Data))
    );
    assert_eq!(failure.causes, ["e2fsck: no superblock"]);
    assert!(failure.hint.contains("data.raw"), "{}", failure.hint);
    assert_eq!(Record::of_running(&place.home), None, "nothing goes on");
    place.guest.reports.send_replace(ready());
    supervisor.start().await.expect("once it is repaired it starts");
    Ok(())
}

#[tokio::test]
async fn a_refused_spec_changes_nothing() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    let change = SpecChange {
        memory_mib: Some(1),
        ..SpecChange::default()
    };
    let failure = supervisor
        .ask(|reply| Command::Start { change, reply })
        .await
        .expect_err("refused");
    assert_eq!(failure.code, FailureCode::SpecRefused);
    assert!(!place.home.spec().exists());
    assert!(!place.home.data_disk().exists());
    assert_eq!(supervisor.status().borrow().state, State::Stopped);
    Ok(())
}

#[tokio::test]
async fn an_engine_that_dies_is_counted_and_the_machine_runs_on() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    place.guest.reports.send_replace(report(Stage::EngineDied {
        message: "killed".into(),
    }));
    place.guest.reports.send_replace(Report {
        engine_restarts: 1,
        ..ready()
    });
    let status = supervisor
        .until(|status| matches!(&status.state, State::Running { running } if running.engine_restarts == 1))
        .await;
    assert_eq!(running(&status).engine_version, "26.1.5");
    Ok(())
}

#[tokio::test]
async fn only_a_machine_that_is_stopped_is_erased() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    let disk = place.home.data_disk();
    supervisor.start().await.expect("starts");
    let refused = supervisor.ask(|reply| Command::Erase { reply }).await;
    assert_eq!(refused.expect_err("it runs").message, "The data disk is in use");
    assert!(disk.exists());
    supervisor.stop().await.expect("stops");
    assert!(disk.exists(), "a stop removes nothing");

    // Settings and size become what they were at first; the disk is data and keeps its size.
    supervisor
        .ask(|reply| Command::ResetSpec { reply })
        .await
        .expect("reset");
    let spec = supervisor.status().borrow().spec.clone();
    let first = Host::read().default_spec();
    assert_eq!((spec.cpus, spec.memory_mib), (first.cpus, first.memory_mib));
    assert_eq!(spec.disk_gib, 2, "the disk there is");
    assert!(disk.exists());

    supervisor.ask(|reply| Command::Erase { reply }).await.expect("erased");
    assert!(!disk.exists());
    supervisor
        .ask(|reply| Command::Erase { reply })
        .await
        .expect("there is nothing to erase");
    Ok(())
}

fn is_suspended(status: &Status) -> bool {
    matches!(status.state, State::Suspended { .. })
}

/// A conversation with the engine, which says everything back.
async fn echo(home: &Home) -> io::Result<String> {
    let mut client = system::connect(&home.socket()).await?;
    client.write_all(b"hello").await?;
    client.shutdown().await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_suspended_machine_goes_on_as_the_same_machine_with_its_ports() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    let first = running(&supervisor.status().borrow()).clone();
    let (free, taken) = (free_address(), std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
    place
        .guest
        .publications
        .lock()
        .expect("not poisoned")
        .extend([published(free, free), published(taken.local_addr()?, free)]);

    supervisor.suspend().await.expect("it is suspended");
    supervisor.suspend().await.expect("it is so already");
    let status = supervisor.status().borrow().clone();
    assert!(
        matches!(status.state, State::Suspended { wakes: false, .. }),
        "{:?}",
        status.state
    );
    assert_eq!(Record::read(&place.home)?, None, "nothing of it runs");
    assert!(!place.home.socket().exists(), "who suspends it wants it to rest");
    assert!(place.home.saved().exists());

    supervisor.start().await.expect("it goes on");
    let status = supervisor.status().borrow().clone();
    let second = running(&status);
    assert_ne!(first.pid, second.pid);
    assert_eq!(first.since_millis, second.since_millis, "it is the same machine");
    assert!(!place.guest.rests.load(std::sync::atomic::Ordering::SeqCst));
    assert!(!place.home.saved().exists(), "memory is used once");
    assert!(!place.home.saved_spent().exists());
    let dead: Vec<bool> = status.forwards.iter().map(|forward| forward.dead.is_some()).collect();
    assert_eq!(dead.len(), 2);
    assert_eq!(
        dead.iter().filter(|dead| **dead).count(),
        1,
        "a port that was taken meanwhile is shown, not lost"
    );
    assert_eq!(echo(&place.home).await?, "hello");
    Ok(())
}

#[tokio::test]
async fn a_machine_that_nobody_uses_falls_asleep_and_the_first_request_wakes_it() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor_with(Fake {
        minute: Duration::from_millis(20),
        ..Fake::new()
    });
    let busy = Report { busy: true, ..ready() };
    place.guest.reports.send_replace(busy);
    supervisor.start().await.expect("it starts");
    // A client that only listens keeps nothing awake.
    let _listener = system::connect(&place.home.socket()).await?;
    place.guest.reports.send_replace(ready());
    let status = supervisor.until(is_suspended).await;
    assert!(matches!(status.state, State::Suspended { wakes: true, .. }));
    assert_eq!(Record::of_running(&place.home), None);

    place.guest.reports.send_replace(Report { busy: true, ..ready() });
    assert_eq!(echo(&place.home).await?, "hello", "it takes a little longer");
    assert!(is_running(&supervisor.status().borrow()));
    Ok(())
}

#[tokio::test]
async fn a_program_that_knocks_while_a_person_suspends_the_machine_does_not_wake_it() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    let (suspended, _) = tokio::join!(supervisor.suspend(), async {
        supervisor.until(|status| status.state == State::Suspending).await;
        // Whether it is still listened to depends on how fast the other is.
        echo(&place.home).await
    });
    suspended.expect("suspended");
    let state = supervisor.status().borrow().state.clone();
    assert!(matches!(state, State::Suspended { wakes: false, .. }), "{state:?}");
    Ok(())
}

#[tokio::test]
async fn what_was_asked_while_it_was_being_suspended_is_done_after_it() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    let (suspended, started) = tokio::join!(supervisor.suspend(), supervisor.start());
    suspended.expect("suspended");
    started.expect("started again");
    assert!(is_running(&supervisor.status().borrow()));
    let (suspended, stopped) = tokio::join!(supervisor.suspend(), supervisor.stop());
    suspended.expect("suspended");
    stopped.expect("stopped in order");
    assert_eq!(supervisor.status().borrow().state, State::Stopped);
    assert!(!place.home.saved().exists());
    Ok(())
}

#[tokio::test]
async fn a_suspended_machine_is_stopped_in_order_and_restarted_anew() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    for restart in [false, true] {
        supervisor.start().await.expect("it starts");
        supervisor.suspend().await.expect("it is suspended");
        if restart {
            supervisor
                .ask(|reply| Command::Restart { reply })
                .await
                .expect("it restarts");
            assert!(is_running(&supervisor.status().borrow()));
        } else {
            supervisor.stop().await.expect("it stops");
            assert_eq!(supervisor.status().borrow().state, State::Stopped);
        }
        assert!(!place.home.saved().exists());
    }
    Ok(())
}

#[tokio::test]
async fn a_daemon_finds_the_machine_suspended() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    supervisor.suspend().await.expect("it is suspended");
    drop(supervisor);
    let supervisor = place.supervisor();
    assert!(is_suspended(&supervisor.status().borrow()) || is_suspended(&supervisor.until(is_suspended).await));
    supervisor.start().await.expect("it goes on");
    Ok(())
}

#[tokio::test]
async fn memory_that_does_not_fit_is_set_aside_and_named_and_the_machine_starts_anew() -> io::Result<()> {
    enum Harm {
        Fingerprint,
        Folders,
        Memory,
        Head,
        Disk,
    }
    for harm in [Harm::Fingerprint, Harm::Folders, Harm::Memory, Harm::Head, Harm::Disk] {
        let place = Place::new()?;
        let mut before = Fake::new();
        if matches!(harm, Harm::Folders) {
            before.fingerprint = "fake 1 with folders";
        }
        let supervisor = place.supervisor_with(before);
        supervisor.start().await.expect("it starts");
        let since = running(&supervisor.status().borrow()).since_millis;
        supervisor.suspend().await.expect("it is suspended");
        drop(supervisor);
        let mut fake = Fake::new();
        let mut memory = fs_err::read(place.home.saved())?;
        let last = memory.len() - 1;
        let why = match harm {
            Harm::Fingerprint => {
                fake.fingerprint = "fake 2";
                "has changed since"
            }
            // This one has nothing that serves them.
            Harm::Folders => "the server of the shared folders, which it uses, did not start",
            Harm::Memory => {
                memory[last] ^= 1;
                "checksum is wrong"
            }
            Harm::Head => {
                memory[40] ^= 1;
                "checksum"
            }
            Harm::Disk => {
                fs_err::OpenOptions::new()
                    .write(true)
                    .open(place.home.data_disk())?
                    .set_modified(std::time::SystemTime::now())?;
                "the data disk has changed"
            }
        };
        fs_err::write(place.home.saved(), memory)?;
        let supervisor = place.supervisor_with(fake);
        supervisor.start().await.expect("it starts anew");
        let status = supervisor.status().borrow().clone();
        assert!(running(&status).since_millis >= since);
        let note = status.notes.iter().find(|note| note.contains(why));
        let note = note.unwrap_or_else(|| panic!("no note says {why}: {:?}", status.notes));
        assert!(note.contains("memory.saved.bad-"), "{note}");
        assert!(!place.home.saved().exists());
        supervisor.stop().await.expect("it stops");
    }
    Ok(())
}

#[tokio::test]
async fn a_machine_whose_memory_cannot_be_saved_goes_on() -> io::Result<()> {
    let place = Place::new()?;
    place
        .guest
        .monitor
        .cannot_save
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    let pid = place.pid();
    let failure = supervisor.suspend().await.expect_err("it cannot be");
    assert_eq!(failure.code, FailureCode::CannotSuspend);
    assert!(failure.causes[0].contains("No space left"), "{failure:?}");
    let status = supervisor.until(is_running).await;
    assert_eq!(running(&status).pid, pid, "the same process goes on");
    assert!(!place.guest.rests.load(std::sync::atomic::Ordering::SeqCst));
    assert!(place.guest.monitor.running.load(std::sync::atomic::Ordering::SeqCst));
    assert!(!place.home.saved_unfinished().exists());
    assert_eq!(echo(&place.home).await?, "hello");
    Ok(())
}

#[tokio::test]
async fn a_qemu_that_cannot_save_memory_is_stopped_instead_and_that_is_said() -> io::Result<()> {
    let place = Place::new()?;
    *place.guest.monitor.version.lock().expect("not poisoned") = [7, 2, 19];
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    supervisor.suspend().await.expect("it is stopped");
    let status = supervisor.status().borrow().clone();
    assert_eq!(status.state, State::Stopped);
    assert!(
        status.notes[0].contains("QEMU 7.2.19 cannot save"),
        "{:?}",
        status.notes
    );
    let refused = supervisor.suspend().await.expect_err("it does not run");
    assert_eq!(refused.causes, ["It is not running"]);
    Ok(())
}

/// The daemon is killed at each point at which a process and a file are both there.
#[tokio::test]
async fn whatever_a_killed_daemon_left_of_a_suspension_nothing_is_lost() -> io::Result<()> {
    use std::sync::atomic::Ordering::SeqCst;
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    let record = Record::of_running(&place.home).expect("it runs");
    supervisor.suspend().await.expect("it is suspended");
    drop(supervisor);
    let sealed = fs_err::read(place.home.saved())?;
    let process = || -> io::Result<()> {
        let child = std::process::Command::new("/bin/sleep").arg("600").spawn()?;
        let started = crate::record::process_started(child.id()).expect("it runs");
        Record {
            pid: child.id(),
            process_started: started,
            ..record.clone()
        }
        .write(&place.home)
    };

    // After the file had its name, before the process ended: the file is the machine.
    process()?;
    place.guest.monitor.running.store(false, SeqCst);
    let supervisor = place.supervisor();
    supervisor.until(is_suspended).await;
    assert_eq!(Record::of_running(&place.home), None, "its process is ended");
    drop(supervisor);

    // Before the file was whole, or after it was spent: the process is the machine.
    for leftover in [place.home.saved_unfinished(), place.home.saved_spent()] {
        crate::file::remove(&place.home.saved())?;
        fs_err::write(&leftover, &sealed)?;
        process()?;
        place.guest.monitor.running.store(false, SeqCst);
        let supervisor = place.supervisor();
        supervisor.until(is_running).await;
        assert!(place.guest.monitor.running.load(SeqCst), "it was told to go on");
        assert!(!leftover.exists());
        supervisor.stop().await.expect("it stops");
    }

    // The computer went down while it was resumed: the memory may have been used, and is not used again.
    fs_err::write(place.home.saved_spent(), &sealed)?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts anew");
    assert!(!place.home.saved_spent().exists());
    Ok(())
}

#[tokio::test]
async fn a_machine_whose_files_nobody_serves_any_more_is_restarted_with_its_containers() -> io::Result<()> {
    let place = Place::new()?;
    let home = place.home.clone();
    let daemon = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let supervisor = Supervisor::begin(Fake::new().context(&home), None);
            supervisor.start().await.expect("it starts");
        });
    });
    tokio::task::spawn_blocking(|| daemon.join())
        .await?
        .expect("the first daemon");
    // It had folders; whoever served them was killed, and the daemon too.
    let mut record = Record::of_running(&place.home).expect("a machine runs");
    record.fingerprint += boot::WITH_FOLDERS;
    record.write(&place.home)?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it runs again");
    let status = supervisor.status().borrow().clone();
    assert_ne!(running(&status).pid, record.pid);
    assert!(
        place.guest.runs_again.load(Ordering::SeqCst),
        "its containers run again"
    );
    assert!(
        status.notes.contains(&shares::MENDED.to_owned()),
        "the person is told: {:?}",
        status.notes
    );
    supervisor.stop().await.expect("it stops");
    assert!(
        !place.guest.runs_again.load(Ordering::SeqCst),
        "the person wants them stopped"
    );
    Ok(())
}

#[tokio::test]
async fn a_machine_that_loses_its_files_again_and_again_is_left_to_the_person() -> io::Result<()> {
    let place = Place::new()?;
    let mut fake = Fake::new();
    // As if whoever serves them were killed at each start.
    fake.fingerprint = "fake with folders";
    assert!(fake.fingerprint.ends_with(boot::WITH_FOLDERS));
    let supervisor = place.supervisor_with(fake);
    supervisor.start().await.expect("it runs");
    let status = supervisor.status().borrow().clone();
    assert!(is_running(&status));
    assert!(place.guest.runs_again.load(Ordering::SeqCst), "it was restarted once");
    let told = |note: &str| status.notes.iter().any(|told| told == note);
    assert!(told(shares::GONE) && !told(shares::MENDED), "{:?}", status.notes);
    supervisor.stop().await.expect("it stops");
    Ok(())
}
