//! Which containers ran out of memory. An engine's list does not say it, and 137 is also the end of one that somebody
//! has killed; so those that ended like that are looked at, once for each end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::{StreamExt as _, stream};

use crate::{ContainerState, ContainerSummary, Engine};

/// 128 + 9: whoever is killed, by whomever.
const KILLED: i32 = 137;

/// How many are looked at at the same time.
const AT_ONCE: usize = 8;

/// Whether each that has ended so ran out of memory, by its id.
#[derive(Debug, Default)]
pub(crate) struct Ends(Mutex<HashMap<String, bool>>);

impl Ends {
    fn known(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It starts again, or is gone.
    pub(crate) fn forget(&self, container: &str) {
        self.known().remove(container);
    }

    /// Nobody has told what happened meanwhile.
    pub(crate) fn forget_all(&self) {
        self.known().clear();
    }
}

impl Engine {
    /// Marks those that ran out of memory.
    pub(crate) async fn mark_out_of_memory(&self, containers: &mut [ContainerSummary]) {
        let killed = |container: &&mut ContainerSummary| {
            container.state == ContainerState::Exited && container.exit_code == Some(KILLED)
        };
        stream::iter(containers.iter_mut().filter(killed))
            .for_each_concurrent(AT_ONCE, async |container| {
                container.out_of_memory = self.ran_out_of_memory(&container.id).await;
            })
            .await;
    }

    async fn ran_out_of_memory(&self, container: &str) -> bool {
        if let Some(known) = self.ends().known().get(container) {
            return *known;
        }
        // One that cannot be looked at is going, or starts: the next list says what became of it.
        let Ok(inspect) = self.inspect_container(container).await else {
            return false;
        };
        if !inspect.state.running {
            self.ends().known().insert(inspect.id, inspect.state.oom_killed);
        }
        inspect.state.oom_killed
    }
}
