//! What happens to a machine when this computer's own disk is full.
//!
//! QEMU stops the machine at the first write that finds no room, before the guest hears of it, and goes on where it
//! was once it is told to. So nothing is lost, but a machine that stands still answers nobody: the person is warned
//! before, told when it stands, and it goes on by itself when there is room again.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::qmp::{self, Qmp};
use crate::{Home, HostRoom};

const MIB: u64 = 1 << 20;

/// Below this a person should know; a machine writes that much in a minute.
const LITTLE: u64 = 2048 * MIB;
/// Below this the machine may stand still already, and QEMU is asked.
const NONE: u64 = 512 * MIB;
/// With less than this it would stop again at once.
const ENOUGH: u64 = 64 * MIB;

const LOOK: Duration = Duration::from_secs(10);
/// While there is next to no room.
const LOOK_CLOSELY: Duration = Duration::from_secs(2);

/// Looks after a machine while this computer's disk fills.
pub(crate) struct HostDisk {
    home: Home,
    said: HostRoom,
    /// Whether it stood still at the last look.
    stood: bool,
}

impl HostDisk {
    pub(crate) fn new(home: Home) -> Self {
        Self {
            home,
            said: HostRoom::default(),
            stood: false,
        }
    }

    /// How it is from now on. Returns when that changes, and lets the machine go on when there is room.
    pub(crate) async fn changed(&mut self) -> HostRoom {
        loop {
            let free = free(self.home.root());
            self.stood = (free < NONE || self.stood) && stood_still(&self.home, free).await;
            let room = if self.stood && free < ENOUGH {
                HostRoom::StandsStill
            } else if free < LITTLE {
                HostRoom::NearlyFull
            } else {
                HostRoom::Roomy
            };
            if room != self.said {
                tracing::info!(free, ?room, "this computer's disk");
                self.said = room;
                return room;
            }
            tokio::time::sleep(if free < NONE || self.stood { LOOK_CLOSELY } else { LOOK }).await;
        }
    }
}

/// Returns at once, unless the machine stands still: then when it goes on. One that stands cannot answer, and is not
/// to be given up for it.
pub(crate) async fn until_it_runs(home: &Home) {
    while stood_still(home, free(home.root())).await {
        tokio::time::sleep(LOOK_CLOSELY).await;
    }
}

/// Returns when the machine stands still.
pub(crate) async fn until_it_stands(home: &Home) {
    loop {
        tokio::time::sleep(LOOK_CLOSELY).await;
        if stood_still(home, free(home.root())).await {
            return;
        }
    }
}

/// Returns when the machine stands still and there is no room that would make it go on. `room` says how much there is.
pub(crate) async fn until_it_is_full(home: &Home, room: &(dyn Fn(&Path) -> u64 + Sync)) {
    loop {
        tokio::time::sleep(LOOK_CLOSELY).await;
        // While there is room nobody is asked.
        let free = room(home.root());
        if free < NONE && stood_still(home, free).await && free < ENOUGH {
            return;
        }
    }
}

/// Whether this is the reason for whatever did not work.
pub(crate) fn is_full(free: u64) -> bool {
    free < ENOUGH
}

/// Whether the machine was found standing still for an error of a disk. Where there is room again it is told to go on.
/// Several writes may have failed at once, and each stops it again: so it is to be looked at until it was found running.
async fn stood_still(home: &Home, free: u64) -> bool {
    let looked = async {
        let mut qmp = Qmp::connect(&home.qmp()).await?;
        let stands = qmp.is_stopped_by_a_disk().await?;
        if stands && free >= ENOUGH {
            qmp.execute::<serde_json::Value>("cont", json!({})).await?;
        }
        Ok::<_, qmp::Error>(stands)
    };
    looked.await.unwrap_or_else(|error| {
        tracing::debug!(error = %error, "it is not known whether the machine stands still");
        false
    })
}

pub(crate) fn free(folder: &Path) -> u64 {
    // What cannot be measured is not warned of.
    fs4::available_space(folder).unwrap_or(u64::MAX)
}
