//! The data disk while a machine runs, sleeps, or stands still; a system that is older than its host.

use std::sync::atomic::Ordering;

use super::*;
use crate::disk::length as length_of;

const GIB: u64 = 1 << 30;

impl Supervisor {
    async fn start_with_disk(&self, gib: u64) -> Result<(), Failure> {
        let change = SpecChange {
            disk_gib: Some(gib),
            ..SpecChange::default()
        };
        self.ask(|reply| Command::Start { change, reply }).await
    }

    fn disk_gib(&self) -> u64 {
        self.status().borrow().spec.disk_gib
    }
}

#[tokio::test]
async fn a_disk_becomes_larger_while_the_machine_runs_and_never_smaller() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    let pid = place.pid();
    let length = || length_of(&place.home.data_disk());
    assert_eq!((length(), supervisor.disk_gib()), (Some(2 * GIB), 2));

    // Whichever of two comes first, the larger one is what there is in the end.
    let (four, six) = tokio::join!(supervisor.start_with_disk(4), supervisor.start_with_disk(6));
    four.expect("at least four");
    six.expect("six");
    assert_eq!((length(), supervisor.disk_gib()), (Some(6 * GIB), 6));
    let refused = supervisor
        .start_with_disk(5)
        .await
        .expect_err("it would lose what is on it");
    assert_eq!(refused.code, FailureCode::SpecRefused);
    assert_eq!((length(), supervisor.disk_gib()), (Some(6 * GIB), 6));
    assert_eq!(place.pid(), pid, "it is the same machine");
    let notes = supervisor.status().borrow().notes.clone();
    assert!(notes.is_empty(), "nothing is left for the next start: {notes:?}");
    Ok(())
}

#[tokio::test]
async fn a_disk_that_is_to_be_larger_while_the_machine_sleeps_becomes_so_when_it_goes_on() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    supervisor.suspend().await.expect("it is suspended");
    supervisor.start_with_disk(3).await.expect("it goes on");
    let status = supervisor.status().borrow().clone();
    assert!(status.notes.is_empty(), "its memory was used: {:?}", status.notes);
    assert!(status.steps.iter().any(|step| {
        let detail = step.detail.as_deref().unwrap_or_default();
        detail.starts_with("Went on where it was")
    }));
    assert_eq!(status.spec.disk_gib, 3);
    assert_eq!(length_of(&place.home.data_disk()), Some(3 * GIB));

    // And again it fits the disk that it has.
    supervisor.suspend().await.expect("it is suspended");
    supervisor.start_with_disk(3).await.expect("it goes on");
    let notes = supervisor.status().borrow().notes.clone();
    assert!(notes.is_empty(), "its memory was used: {notes:?}");
    Ok(())
}

#[tokio::test]
async fn erasing_leaves_nothing_of_the_machine_s_memory_either() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    supervisor.suspend().await.expect("it is suspended");
    let memory = fs_err::read(place.home.saved())?;
    let refused = supervisor.ask(|reply| Command::Erase { reply }).await;
    assert_eq!(refused.expect_err("it sleeps").message, "The data disk is in use");
    supervisor.stop().await.expect("it stops");

    // Whatever any run may have left.
    let machine = place.home.machine();
    for name in ["memory.saved", "memory.saved.bad-1", "memory.new", "memory.spent"] {
        fs_err::write(machine.join(name), &memory)?;
    }
    supervisor.ask(|reply| Command::Erase { reply }).await.expect("erased");
    let left: Vec<String> = fs_err::read_dir(machine)?
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("memory") || name.starts_with("data"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

#[tokio::test]
async fn how_full_the_disk_is_stands_in_the_status_as_long_as_it_is_so() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    for (fill, shown) in [
        (wherry_link::Fill::NearlyFull, DiskFill::NearlyFull),
        (wherry_link::Fill::Full, DiskFill::Full),
        (wherry_link::Fill::Roomy, DiskFill::Roomy),
    ] {
        place.guest.reports.send_modify(|report| report.disk = fill);
        let seen = |status: &Status| is_running(status) && running(status).disk == shown;
        let status = supervisor.until(seen).await;
        let told: Vec<String> = shown.sentence().into_iter().map(str::to_owned).collect();
        assert_eq!(status.remarks(), told);
    }
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_finds_the_machine_standing_still_for_want_of_room_does_not_end_it() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    let pid = place.pid();
    drop(supervisor);
    let monitor = &place.guest.monitor;
    monitor.no_room.store(true, Ordering::SeqCst);
    monitor.running.store(false, Ordering::SeqCst);
    let supervisor = place.supervisor();
    supervisor.until(is_running).await;
    assert_eq!(place.pid(), pid, "it is the same machine");
    assert!(monitor.running.load(Ordering::SeqCst), "and goes on");
    Ok(())
}

#[tokio::test]
async fn who_finds_a_machine_standing_still_for_want_of_room_lets_it_stand() -> io::Result<()> {
    let place = Place::new()?;
    let supervisor = place.supervisor();
    supervisor.start().await.expect("it starts");
    let monitor = &place.guest.monitor;
    monitor.no_room.store(true, Ordering::SeqCst);
    monitor.running.store(false, Ordering::SeqCst);
    let found = crate::suspend::settle(&place.home).await.expect("the monitor answers");
    assert!(matches!(found, crate::suspend::Standing::Runs { note: None }));
    assert!(
        !monitor.running.load(Ordering::SeqCst),
        "it would stop at its next write"
    );
    Ok(())
}

#[tokio::test]
async fn a_start_during_which_this_computers_disk_fills_says_so_and_the_next_one_works() -> io::Result<()> {
    let place = Place::new()?;
    let fake = Fake::new();
    let room = fake.room.clone();
    let supervisor = place.supervisor_with(fake);
    // It stands still at the first write to its disk, so its engine never answers.
    place.guest.reports.send_replace(report(Stage::Disk));
    let monitor = &place.guest.monitor;
    monitor.no_room.store(true, Ordering::SeqCst);
    monitor.running.store(false, Ordering::SeqCst);
    room.store(7 << 20, Ordering::SeqCst);
    let failure = supervisor.start().await.expect_err("there is no room");
    assert_eq!(failure.code, FailureCode::NoDiskSpace);
    assert_eq!(
        failure.message,
        "This computer's disk became full while the machine was starting"
    );
    let folder = place.home.root().display();
    assert_eq!(
        failure.causes,
        [format!("7 MiB are free where {folder} is; starting takes 1024 MiB")]
    );
    assert!(Record::of_running(&place.home).is_none(), "nothing is left running");

    room.store(u64::MAX, Ordering::SeqCst);
    place.guest.reports.send_replace(ready());
    supervisor.start().await.expect("it starts");
    Ok(())
}

#[tokio::test]
async fn whatever_else_goes_wrong_on_a_full_disk_is_told_with_the_cause() -> io::Result<()> {
    let place = Place::new()?;
    let fake = Fake {
        ends_at_once: Some("tcg"),
        ..Fake::new()
    };
    fake.room.store(0, Ordering::SeqCst);
    let failure = place.supervisor_with(fake).start().await.expect_err("it ends");
    assert_eq!(failure.code, FailureCode::NoDiskSpace);
    assert!(failure.causes[0].starts_with("0 MiB are free"), "{failure:?}");
    assert!(failure.causes[1].contains("ended before Linux"), "{failure:?}");
    Ok(())
}

#[tokio::test]
async fn a_system_that_is_older_than_its_host_is_named_as_the_cause() -> io::Result<()> {
    let place = Place::new()?;
    place.guest.is_older.store(true, Ordering::SeqCst);
    let failure = place.supervisor().start().await.expect_err("it does not fit");
    assert_eq!(failure.message, "The machine's system does not fit this Wherry");
    assert!(failure.causes.concat().contains("did not understand"), "{failure:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_changed_while_the_machine_sleeps_or_starts_is_kept_whatever_becomes_of_its_memory() -> io::Result<()> {
    for fits in [true, false] {
        let place = Place::new()?;
        let supervisor = place.supervisor();
        supervisor.start().await.expect("it starts");
        supervisor.suspend().await.expect("it is suspended");
        if !fits {
            fs_err::write(place.home.data_disk(), "changed")?;
        }
        let change = SpecChange {
            memory_mib: Some(768),
            ..SpecChange::default()
        };
        supervisor
            .ask(|reply| Command::Start { change, reply })
            .await
            .expect("it goes on or starts anew");
        let kept = spec::load(&place.home, Host::read()).expect("readable").spec;
        assert_eq!(kept.memory_mib, 768);
        let status = supervisor.status().borrow().clone();
        assert_eq!(status.spec.memory_mib, if fits { 512 } else { 768 });
        let later = status.notes.iter().any(|note| note.contains("started the next time"));
        assert_eq!(later, fits, "{:?}", status.notes);
    }

    let place = Place::new()?;
    let supervisor = place.supervisor();
    let change = SpecChange {
        memory_mib: Some(768),
        ..SpecChange::default()
    };
    let changed = supervisor.ask(|reply| Command::Start { change, reply });
    let (started, changed) = tokio::join!(supervisor.start(), changed);
    started.expect("it starts");
    changed.expect("and is changed");
    let kept = spec::load(&place.home, Host::read()).expect("readable").spec;
    assert_eq!((kept.memory_mib, kept.disk_gib), (768, 2));
    Ok(())
}
