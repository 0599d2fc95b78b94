//! What containers use, over time: samples out of the engine's counters, and the last hour of them.
//!
//! Pure: who asks the engine, and when, is [`crate::Recorder`].

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::wire;

/// How far apart the samples are that are kept.
pub(crate) const KEPT_EVERY: Duration = Duration::from_secs(10);

/// How long they are kept.
const HOUR: u64 = 3_600_000;

/// Counters further apart say nothing about any moment in between: the machine slept, or the engine was away.
const LONGEST_SPAN: Duration = Duration::from_mins(1);

/// How many of the latest samples stand in a line: five minutes.
const RECENT: usize = 30;

/// As many characters of an id as people are shown.
const SHORT_ID: usize = 12;

/// What a container, or all of them, used at one moment. Rates are averages since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Milliseconds of Unix time.
    pub at: u64,
    /// Of one core: 100 is one core.
    pub cpu: f32,
    /// Bytes, without what the kernel only keeps as cache.
    pub memory: u64,
    /// What it may use; of a container without a limit, and of all together, what the engine has.
    pub memory_limit: u64,
    /// Received and sent, read and written: bytes a second.
    pub rx: u64,
    pub tx: u64,
    pub read: u64,
    pub write: u64,
    pub pids: u32,
}

impl Sample {
    fn add(&mut self, other: &Sample) {
        self.cpu += other.cpu;
        self.memory += other.memory;
        self.rx += other.rx;
        self.tx += other.tx;
        self.read += other.read;
        self.write += other.write;
        self.pids = self.pids.saturating_add(other.pids);
    }
}

/// Bytes since the container started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    pub rx: u64,
    pub tx: u64,
    pub read: u64,
    pub write: u64,
}

/// The last hour of one container. Samples are ten seconds apart; where it did not run there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ContainerHistory {
    pub samples: Vec<Sample>,
    /// Of a container that runs.
    pub totals: Option<Totals>,
}

/// One container at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ContainerLoad {
    pub id: String,
    pub sample: Sample,
    pub totals: Totals,
}

/// All running containers at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EngineLoad {
    pub total: Sample,
    pub containers: Vec<ContainerLoad>,
}

/// The last hour of everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EngineHistory {
    /// Ten seconds apart. Where the engine did not answer, or slept, there are none.
    pub total: Vec<Sample>,
    /// Every container that ran in this hour.
    pub containers: Vec<ContainerHour>,
}

/// One container's hour in a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ContainerHour {
    pub id: String,
    /// While it runs.
    pub now: Option<Sample>,
    /// Over the time in which it ran: 100 is one core.
    pub cpu_mean: f32,
    pub memory_most: u64,
    /// Bytes that went in and out in this hour, over the network and to and from disks.
    pub network: u64,
    pub disk: u64,
    /// The last five minutes, ten seconds apart, oldest first.
    pub recent_cpu: Vec<f32>,
    pub recent_memory: Vec<u64>,
}

/// What the engine counts for a container since it started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Counters {
    /// When the engine read them, by its own clock: nanoseconds.
    at: i128,
    cpu: Duration,
    memory: u64,
    memory_limit: u64,
    totals: Totals,
    pids: u32,
}

impl Counters {
    /// `None` for a container that does not run: engines then answer with zeros.
    pub(crate) fn of(stats: &wire::Stats) -> Option<Counters> {
        let at = stats.read.parse::<jiff::Timestamp>().ok()?.as_nanosecond();
        let mut totals = Totals::default();
        for network in stats.networks.values() {
            totals.rx += network.rx_bytes;
            totals.tx += network.tx_bytes;
        }
        for entry in &stats.disk.io_service_bytes_recursive {
            if entry.op.eq_ignore_ascii_case("read") {
                totals.read += entry.value;
            } else if entry.op.eq_ignore_ascii_case("write") {
                totals.write += entry.value;
            }
        }
        let counters = Counters {
            at,
            cpu: Duration::from_nanos(stats.cpu.cpu_usage.total_usage),
            memory: memory(&stats.memory),
            memory_limit: stats.memory.limit,
            totals,
            pids: u32::try_from(stats.pids.current).unwrap_or(u32::MAX),
        };
        (at > 0 && !counters.cpu.is_zero()).then_some(counters)
    }

    /// `None` when the container was started anew in between, or too much or no time went by.
    fn since(&self, before: &Counters, at: u64) -> Option<Sample> {
        let span = u64::try_from(self.at - before.at).ok().map(Duration::from_nanos)?;
        let cpu = self.cpu.checked_sub(before.cpu)?;
        if span.is_zero() || span > LONGEST_SPAN {
            return None;
        }
        // A network may be left while it runs, and takes its count with it.
        let rate = |now: u64, before: u64| per_second(now.saturating_sub(before), span);
        Some(Sample {
            at,
            cpu: 100.0 * cpu.as_secs_f32() / span.as_secs_f32(),
            memory: self.memory,
            memory_limit: self.memory_limit,
            rx: rate(self.totals.rx, before.totals.rx),
            tx: rate(self.totals.tx, before.totals.tx),
            read: rate(self.totals.read, before.totals.read),
            write: rate(self.totals.write, before.totals.write),
            pids: self.pids,
        })
    }
}

fn per_second(bytes: u64, span: Duration) -> u64 {
    let rate = u128::from(bytes) * 1_000_000_000 / span.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// As `docker stats` counts: the cache of files that nobody used lately is not a cost (`inactive_file` in cgroup v2,
/// `total_inactive_file` in v1).
fn memory(stats: &wire::MemoryStats) -> u64 {
    let cache = stats
        .stats
        .get("total_inactive_file")
        .or_else(|| stats.stats.get("inactive_file"));
    stats.usage.saturating_sub(cache.copied().unwrap_or(0))
}

/// Samples of the last hour, each kept for ten seconds.
#[derive(Debug, Default)]
struct Ring(VecDeque<Sample>);

impl Ring {
    fn push(&mut self, sample: Sample) {
        self.forget_before(sample.at.saturating_sub(HOUR));
        self.0.push_back(sample);
    }

    fn forget_before(&mut self, at: u64) {
        while self.0.front().is_some_and(|first| first.at < at) {
            self.0.pop_front();
        }
    }
}

#[derive(Debug, Default)]
struct Track {
    ring: Ring,
    /// At the last round, while it runs.
    last: Option<Counters>,
    now: Option<Sample>,
    /// When a sample was last kept: what is kept is the average since then, however often it was looked at meanwhile.
    kept: Option<Counters>,
}

/// The last hour of an engine's containers.
#[derive(Debug, Default)]
pub(crate) struct History {
    tracks: HashMap<String, Track>,
    total: Ring,
    kept_at: u64,
    /// Nothing runs, and that is known, since then.
    idle_since: Option<u64>,
    memory: u64,
}

/// What a round of questions brought.
#[derive(Debug, PartialEq)]
pub(crate) struct Round {
    pub(crate) load: EngineLoad,
    /// Some containers were seen for the first time, and have a rate only after the next round.
    pub(crate) has_new: bool,
}

impl History {
    /// How long until a sample is to be kept.
    pub(crate) fn until_kept(&self, now: u64) -> Duration {
        KEPT_EVERY.saturating_sub(Duration::from_millis(now.saturating_sub(self.kept_at)))
    }

    /// `memory` is what the engine has.
    pub(crate) fn round(&mut self, at: u64, memory: u64, answers: Vec<(String, Counters)>) -> Round {
        self.fill(at);
        self.memory = memory;
        let is_kept = at.saturating_sub(self.kept_at) >= millis(KEPT_EVERY) - millis(KEPT_EVERY) / 10;
        let mut load = EngineLoad {
            total: self.none(at),
            containers: Vec::new(),
        };
        let mut kept = self.none(at);
        let mut has_new = false;
        let mut has_kept = answers.is_empty();
        let running: HashSet<&str> = answers.iter().map(|(id, _)| id.as_str()).collect();
        for (id, track) in &mut self.tracks {
            if !running.contains(id.as_str()) {
                (track.last, track.now, track.kept) = (None, None, None);
            }
        }
        for (id, counters) in answers {
            let track = self.tracks.entry(id.clone()).or_default();
            let now = track.last.and_then(|last| counters.since(&last, at));
            track.last = Some(counters);
            track.now = now;
            match now {
                Some(sample) => {
                    load.total.add(&sample);
                    load.containers.push(ContainerLoad {
                        id,
                        sample,
                        totals: counters.totals,
                    });
                }
                None => has_new = true,
            }
            if is_kept {
                let sample = track.kept.and_then(|before| counters.since(&before, at));
                track.kept = Some(counters);
                if let Some(sample) = sample {
                    kept.add(&sample);
                    track.ring.push(sample);
                    has_kept = true;
                }
            }
        }
        if is_kept {
            self.kept_at = at;
            if has_kept {
                self.total.push(kept);
            }
        }
        self.tracks.retain(|_, track| {
            track.ring.forget_before(at.saturating_sub(HOUR));
            track.last.is_some() || !track.ring.0.is_empty()
        });
        self.idle_since = load.containers.is_empty().then_some(at).filter(|_| !has_new);
        Round { load, has_new }
    }

    /// The engine cannot be asked from now on: what comes is not known, and not nothing.
    pub(crate) fn interrupt(&mut self, at: u64) {
        self.fill(at);
        self.idle_since = None;
        for track in self.tracks.values_mut() {
            (track.last, track.now, track.kept) = (None, None, None);
        }
    }

    pub(crate) fn engine(&mut self, at: u64) -> EngineHistory {
        self.fill(at);
        self.total.forget_before(at.saturating_sub(HOUR));
        EngineHistory {
            total: self.total.0.iter().copied().collect(),
            containers: self.tracks.iter().map(|(id, track)| hour(id, track)).collect(),
        }
    }

    /// By its id or as much of it as lists show.
    pub(crate) fn container(&mut self, at: u64, id: &str) -> Option<ContainerHistory> {
        let track = match self.tracks.get_mut(id) {
            Some(track) => track,
            None if id.len() >= SHORT_ID => {
                let mut found = self.tracks.iter_mut().filter(|(full, _)| full.starts_with(id));
                found.next().map(|(_, track)| track)?
            }
            None => return None,
        };
        track.ring.forget_before(at.saturating_sub(HOUR));
        Some(ContainerHistory {
            samples: track.ring.0.iter().copied().collect(),
            totals: track.last.map(|counters| counters.totals),
        })
    }

    /// All containers at the last round; `None` before there was one.
    pub(crate) fn now(&self, at: u64) -> Option<Sample> {
        if self.idle_since.is_some() {
            return Some(self.none(at));
        }
        let mut total = self.none(at);
        let mut known = false;
        for sample in self.tracks.values().filter_map(|track| track.now.as_ref()) {
            total.add(sample);
            known = true;
        }
        known.then_some(total)
    }

    fn none(&self, at: u64) -> Sample {
        Sample {
            at,
            memory_limit: self.memory,
            ..Sample::default()
        }
    }

    /// While nothing runs nobody asks the engine, and the answer is known.
    fn fill(&mut self, until: u64) {
        let Some(since) = self.idle_since else { return };
        let step = millis(KEPT_EVERY);
        let mut at = self
            .total
            .0
            .back()
            .map_or(since, |last| since.max(last.at + step))
            .max(until.saturating_sub(HOUR));
        while at <= until {
            self.total.push(self.none(at));
            self.kept_at = at;
            at += step;
        }
        self.idle_since = Some(at);
    }
}

fn hour(id: &str, track: &Track) -> ContainerHour {
    let samples = &track.ring.0;
    let seconds = KEPT_EVERY.as_secs();
    #[expect(clippy::cast_precision_loss, reason = "an hour has 360 samples")]
    let count = samples.len().max(1) as f32;
    let recent = || samples.iter().skip(samples.len().saturating_sub(RECENT));
    ContainerHour {
        id: id.to_owned(),
        now: track.now,
        cpu_mean: samples.iter().map(|sample| sample.cpu).sum::<f32>() / count,
        memory_most: samples.iter().map(|sample| sample.memory).max().unwrap_or(0),
        network: samples.iter().map(|sample| (sample.rx + sample.tx) * seconds).sum(),
        disk: samples
            .iter()
            .map(|sample| (sample.read + sample.write) * seconds)
            .sum(),
        recent_cpu: recent().map(|sample| sample.cpu).collect(),
        recent_memory: recent().map(|sample| sample.memory).collect(),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: u64 = 10_000;

    /// Half a core, and a megabyte a second of everything, for `seconds`.
    fn counters(seconds: u64) -> Counters {
        let bytes = seconds * 1_000_000;
        Counters {
            at: i128::from(1_000 + seconds) * 1_000_000_000,
            cpu: Duration::from_millis(500 * seconds),
            memory: 64,
            memory_limit: 128,
            totals: Totals {
                rx: bytes,
                tx: bytes,
                read: bytes,
                write: bytes,
            },
            pids: 3,
        }
    }

    fn round(history: &mut History, seconds: u64, ids: &[&str]) -> Round {
        let answers = ids.iter().map(|id| ((*id).to_owned(), counters(seconds))).collect();
        history.round(seconds * 1000, 1024, answers)
    }

    #[test]
    fn counters_become_rates() {
        let mut history = History::default();
        assert!(round(&mut history, 100, &["a", "b"]).has_new);
        let seen = round(&mut history, 102, &["a", "b"]);
        assert!(!seen.has_new);
        let total = seen.load.total;
        assert_eq!(
            (total.rx, total.write, total.memory, total.pids),
            (2_000_000, 2_000_000, 128, 6)
        );
        assert_eq!((total.cpu.round(), total.memory_limit), (100.0, 1024));
        assert_eq!(seen.load.containers[0].totals.rx, 102_000_000);
        assert_eq!(history.now(102_000), Some(total));
    }

    #[test]
    fn one_in_ten_seconds_is_kept_however_often_somebody_looks() {
        let mut history = History::default();
        for seconds in (0..=3_600 * 2).step_by(2) {
            round(&mut history, seconds, &["a"]);
        }
        let kept = history.container(7_200_000, "a").expect("it runs").samples;
        assert_eq!(kept.len(), 361);
        assert!(kept.windows(2).all(|pair| pair[1].at - pair[0].at == STEP), "{kept:?}");
        assert!(kept.iter().all(|sample| sample.rx == 1_000_000));
        let engine = history.engine(7_200_000);
        assert_eq!(engine.total.len(), 361);
        let hour = &engine.containers[0];
        assert_eq!((hour.cpu_mean.round(), hour.network), (50.0, 361 * 20_000_000));
        assert_eq!(
            (hour.recent_cpu.len(), hour.recent_memory.as_slice()),
            (RECENT, &[64; RECENT][..])
        );
    }

    #[test]
    fn who_stops_looking_leaves_what_is_left_of_ten_seconds() {
        let mut history = History::default();
        for seconds in (0..=14).step_by(2) {
            round(&mut history, seconds, &["a"]);
        }
        // The last one that was kept was that of the tenth second.
        assert_eq!(history.until_kept(14_000), Duration::from_secs(6));
        assert_eq!(history.until_kept(40_000), Duration::ZERO);
    }

    #[test]
    fn a_container_that_starts_anew_or_was_not_seen_for_long_has_no_rate() {
        let before = counters(100);
        assert!(counters(50).since(&before, 0).is_none(), "started anew");
        assert!(before.since(&before, 0).is_none(), "no time");
        assert!(counters(100 + 61).since(&before, 0).is_none(), "too long");
        assert!(counters(100 + 60).since(&before, 0).is_some());
    }

    #[test]
    fn nothing_is_drawn_as_nothing_and_what_is_not_known_not_at_all() {
        let mut history = History::default();
        round(&mut history, 0, &[]);
        let idle = history.engine(60_000).total;
        assert_eq!(
            idle.iter().map(|sample| sample.at).collect::<Vec<_>>(),
            [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]
        );
        assert!(
            idle.iter()
                .all(|sample| sample.memory == 0 && sample.memory_limit == 1024)
        );
        assert_eq!(history.now(65_000).map(|sample| sample.memory), Some(0));
        history.interrupt(65_000);
        assert_eq!(history.engine(600_000).total.len(), 7, "the machine sleeps");
        assert_eq!(history.now(600_000), None);
        round(&mut history, 700, &["a"]);
        round(&mut history, 701, &["a"]);
        round(&mut history, 710, &["a"]);
        assert_eq!(history.engine(710_000).total.len(), 8);
        assert_eq!(history.engine(5_000_000).total.len(), 0, "an hour later");
    }

    #[test]
    fn a_stopped_container_is_kept_for_its_hour() {
        let mut history = History::default();
        for seconds in (0..=20).step_by(10) {
            round(&mut history, seconds, &["a", "b"]);
        }
        round(&mut history, 30, &["b"]);
        let engine = history.engine(30_000);
        let gone = engine.containers.iter().find(|hour| hour.id == "a").expect("kept");
        assert_eq!((gone.now, gone.memory_most), (None, 64));
        assert_eq!(history.container(30_000, "a").expect("kept").totals, None);
        round(&mut history, 3_700, &["b"]);
        assert!(history.engine(3_700_000).containers.iter().all(|hour| hour.id != "a"));
    }

    #[test]
    fn the_engine_s_answer_is_read() {
        let stats = |json: &str| serde_json::from_str::<wire::Stats>(json).expect("stats");
        let read = stats(
            r#"{"read":"2026-11-21T15:00:00.5Z","pids_stats":{"current":4},
            "networks":{"eth0":{"rx_bytes":10,"tx_bytes":1},"eth1":{"rx_bytes":5,"tx_bytes":2}},
            "blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":7},{"op":"write","value":8},{"op":"Total","value":15}]},
            "memory_stats":{"usage":100,"limit":500,"stats":{"total_inactive_file":40,"inactive_file":1}},
            "cpu_stats":{"cpu_usage":{"total_usage":1000}}}"#,
        );
        let counters = Counters::of(&read).expect("it runs");
        assert_eq!((counters.memory, counters.memory_limit, counters.pids), (60, 500, 4));
        assert_eq!(
            counters.totals,
            Totals {
                rx: 15,
                tx: 3,
                read: 7,
                write: 8
            }
        );
        let stopped = stats(
            r#"{"read":"0001-01-01T00:00:00Z","pids_stats":{},"blkio_stats":{"io_service_bytes_recursive":null}}"#,
        );
        assert_eq!(Counters::of(&stopped), None);
    }
}
