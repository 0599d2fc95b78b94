//! The long work that is under way, and how the last of it ended.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;
use wherry_engine::PullProgress;

use crate::events::Events;
use crate::{Event, Outcome, Problem, Task, TaskId, Work};

/// Progress more often than this is not seen, only paid for.
const PROGRESS: Duration = Duration::from_millis(100);

/// How many ended tasks are remembered.
const ENDED: usize = 20;

#[derive(Clone)]
pub(crate) struct Tasks {
    /// Oldest first. Locked only to look or to change an entry.
    entries: Arc<Mutex<VecDeque<Entry>>>,
    next: Arc<AtomicU64>,
    events: Events,
    end: CancellationToken,
}

struct Entry {
    task: Task,
    cancel: CancellationToken,
}

/// How work tells how far it is.
#[derive(Clone)]
pub(crate) struct Progress {
    latest: Arc<Mutex<Latest>>,
}

/// What was told since the task was last shown.
#[derive(Default)]
struct Latest {
    progress: Option<PullProgress>,
    step: Option<String>,
    notes: Vec<String>,
}

impl Latest {
    fn is_empty(&self) -> bool {
        self.progress.is_none() && self.step.is_none() && self.notes.is_empty()
    }

    fn show(self, task: &mut Task) {
        task.progress = self.progress.or(task.progress.take());
        task.step = self.step.or(task.step.take());
        task.notes.extend(self.notes);
    }
}

impl Progress {
    pub(crate) fn set(&self, progress: PullProgress) {
        lock(&self.latest).progress = Some(progress);
    }

    pub(crate) fn step(&self, step: String) {
        lock(&self.latest).step = Some(step);
    }

    pub(crate) fn note(&self, note: String) {
        lock(&self.latest).notes.push(note);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds these locks can leave half a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tasks {
    pub(crate) fn new(events: Events, end: CancellationToken) -> Tasks {
        Tasks {
            entries: Arc::default(),
            next: Arc::default(),
            events,
            end,
        }
    }

    /// Starts work that ends with the id of the container it made, if it makes one. `work` looks at the token where
    /// it can stop without leaving something half made.
    pub(crate) fn start<F>(&self, about: Work, work: impl FnOnce(Progress, CancellationToken) -> F) -> TaskId
    where
        F: Future<Output = Result<Option<String>, Problem>> + Send + 'static,
    {
        let id = TaskId(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let cancel = self.end.child_token();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let task = Task {
            id: id.clone(),
            work: about,
            started_millis: u64::try_from(started.as_millis()).unwrap_or(0),
            progress: None,
            step: None,
            notes: Vec::new(),
            outcome: Outcome::Working,
        };
        lock(&self.entries).push_back(Entry {
            task: task.clone(),
            cancel: cancel.clone(),
        });
        self.events.send(Event::Task { task });
        let progress = Progress { latest: Arc::default() };
        let work = work(progress.clone(), cancel.clone());
        tokio::spawn(self.clone().follow(id.clone(), work, progress, cancel));
        id
    }

    async fn follow(
        self,
        id: TaskId,
        work: impl Future<Output = Result<Option<String>, Problem>> + Send,
        progress: Progress,
        cancel: CancellationToken,
    ) {
        let mut tick = tokio::time::interval(PROGRESS);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut work = std::pin::pin!(work);
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                _ = tick.tick() => {
                    let latest = std::mem::take(&mut *lock(&progress.latest));
                    if !latest.is_empty() {
                        self.change(&id, |task| latest.show(task));
                    }
                }
            }
        };
        let latest = std::mem::take(&mut *lock(&progress.latest));
        let outcome = match result {
            Ok(container) => Outcome::Done { container },
            Err(_) if cancel.is_cancelled() => Outcome::Cancelled,
            Err(problem) => Outcome::Failed { problem },
        };
        self.change(&id, |task| {
            latest.show(task);
            task.outcome = outcome;
        });
        self.forget_oldest();
    }

    fn change(&self, id: &TaskId, change: impl FnOnce(&mut Task)) {
        let changed = {
            let mut entries = lock(&self.entries);
            let Some(entry) = entries.iter_mut().find(|entry| entry.task.id == *id) else {
                return;
            };
            change(&mut entry.task);
            entry.task.clone()
        };
        self.events.send(Event::Task { task: changed });
    }

    fn forget_oldest(&self) {
        let mut entries = lock(&self.entries);
        let ended = |entry: &Entry| !matches!(entry.task.outcome, Outcome::Working);
        let mut too_many = entries
            .iter()
            .filter(|entry| ended(entry))
            .count()
            .saturating_sub(ENDED);
        entries.retain(|entry| {
            let forget = too_many > 0 && ended(entry);
            too_many -= usize::from(forget);
            !forget
        });
    }

    /// Newest first.
    pub(crate) fn list(&self) -> Vec<Task> {
        lock(&self.entries)
            .iter()
            .rev()
            .map(|entry| entry.task.clone())
            .collect()
    }

    /// `false` when there is no such task.
    pub(crate) fn cancel(&self, id: &TaskId) -> bool {
        let entries = lock(&self.entries);
        let entry = entries.iter().find(|entry| entry.task.id == *id);
        entry.inspect(|entry| entry.cancel.cancel()).is_some()
    }

    /// One that is still working stays.
    pub(crate) fn dismiss(&self, id: &TaskId) {
        lock(&self.entries).retain(|entry| entry.task.id != *id || matches!(entry.task.outcome, Outcome::Working));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> (Tasks, tokio::sync::broadcast::Receiver<Event>) {
        let events = Events::default();
        let receiver = events.subscribe();
        (Tasks::new(events, CancellationToken::new()), receiver)
    }

    async fn ended(receiver: &mut tokio::sync::broadcast::Receiver<Event>) -> Task {
        loop {
            if let Ok(Event::Task { task }) = receiver.recv().await
                && task.outcome != Outcome::Working
            {
                return task;
            }
        }
    }

    fn pull() -> Work {
        Work::Pull {
            reference: "python".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_told_ten_times_a_second_and_the_last_one_always() {
        let (tasks, mut receiver) = tasks();
        tasks.start(pull(), |progress, _| async move {
            for done in 1..=1000 {
                progress.set(PullProgress {
                    done_bytes: done,
                    ..PullProgress::default()
                });
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(None)
        });
        let mut told = 0;
        let last = loop {
            let Ok(Event::Task { task }) = receiver.recv().await else {
                panic!("only tasks are told")
            };
            told += 1;
            if task.outcome != Outcome::Working {
                break task;
            }
        };
        assert!((5..=15).contains(&told), "{told}");
        assert_eq!(last.progress.map(|progress| progress.done_bytes), Some(1000));
    }

    #[tokio::test]
    async fn a_cancelled_task_says_so_and_can_be_dismissed() {
        let (tasks, mut receiver) = tasks();
        let id = tasks.start(pull(), |_, cancel| async move {
            cancel.cancelled().await;
            Err(Problem::cancelled())
        });
        tasks.dismiss(&id);
        assert_eq!(tasks.list().len(), 1, "work that goes on is not forgotten");
        assert!(tasks.cancel(&id));
        assert_eq!(ended(&mut receiver).await.outcome, Outcome::Cancelled);
        tasks.dismiss(&id);
        assert_eq!(tasks.list(), []);
        assert!(!tasks.cancel(&id));
    }

    #[tokio::test]
    async fn only_some_ended_tasks_are_remembered() {
        let (tasks, mut receiver) = tasks();
        for _ in 0..ENDED + 5 {
            tasks.start(pull(), |_, _| async { Ok(None) });
            ended(&mut receiver).await;
        }
        // Forgetting follows telling.
        tokio::task::yield_now().await;
        assert!(tasks.list().len() <= ENDED + 1);
    }
}
