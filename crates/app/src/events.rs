//! Who tells the UI, and how a window that comes late or is slow never shows what is old.

use std::sync::{Arc, Mutex};

use tokio::sync::broadcast;

use crate::{Event, Problem, Topic};

/// How many events may wait for a slow window. One that is slower is told to fetch everything again.
const BACKLOG: usize = 256;

/// Notices that nobody has seen yet are kept for the first window, up to this many.
const KEPT_NOTICES: usize = 16;

#[derive(Clone)]
pub(crate) struct Events {
    sender: broadcast::Sender<Event>,
    /// Locked only to add or to take.
    unseen: Arc<Mutex<Vec<Problem>>>,
}

impl Default for Events {
    fn default() -> Self {
        Events {
            sender: broadcast::Sender::new(BACKLOG),
            unseen: Arc::default(),
        }
    }
}

impl Events {
    pub(crate) fn send(&self, event: Event) {
        // Without a window there is nobody to tell.
        let _ = self.sender.send(event);
    }

    pub(crate) fn changed(&self, topic: Topic) {
        self.send(Event::Changed { topic });
    }

    /// A problem that no call can return.
    pub(crate) fn notice(&self, problem: Problem) {
        if self
            .sender
            .send(Event::Notice {
                problem: problem.clone(),
            })
            .is_err()
            && let Ok(mut unseen) = self.unseen.lock()
            && unseen.len() < KEPT_NOTICES
        {
            unseen.push(problem);
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }

    pub(crate) fn take_unseen(&self) -> Vec<Problem> {
        self.unseen
            .lock()
            .map(|mut unseen| std::mem::take(&mut *unseen))
            .unwrap_or_default()
    }
}
