//! The commands of what leaves the trash, and of what is reclaimed.

use wherry_engine::{ReclaimRequest, TrashId, TrashItem};

use super::Click;
use crate::App;

pub(crate) fn restored(item: &TrashItem) -> Click {
    Click::several(
        format!("Restored {}", item.name),
        format!("Could not restore {}", item.name),
        item.restoring_words(),
    )
}

pub(crate) fn deleted(item: &TrashItem) -> Click {
    Click::several(
        format!("Deleted {} for good", item.name),
        format!("Could not delete {}", item.name),
        item.deleting_words(),
    )
}

pub(crate) async fn reclaim(_app: &App, request: &ReclaimRequest) -> Click {
    let ReclaimRequest {
        containers,
        images,
        volumes,
        build_cache,
        trash,
        keep: _,
    } = request;
    let mut trashed = [Vec::new(), Vec::new(), Vec::new()];
    for id in trash {
        match id {
            TrashId::Container(id) => trashed[0].push(id.get(..12).unwrap_or(id).to_owned()),
            TrashId::Image(name) => trashed[1].push(name.clone()),
            TrashId::Volume(name) => trashed[2].push(name.clone()),
        }
    }
    let [trashed_containers, trashed_images, trashed_volumes] = trashed;
    let commands: Vec<Vec<String>> = [
        (&["rm"][..], containers),
        (&["rmi"], images),
        (&["volume", "rm"], volumes),
        (&["rm"], &trashed_containers),
        (&["rmi"], &trashed_images),
        (&["volume", "rm"], &trashed_volumes),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(verb, names)| {
        let words = ["docker"].iter().chain(verb).map(|word| (*word).to_owned());
        words.chain(names.iter().cloned()).collect()
    })
    .chain(build_cache.then(|| {
        ["docker", "builder", "prune", "--all", "--force"]
            .map(str::to_owned)
            .to_vec()
    }))
    .collect();
    Click::several(
        "Reclaimed disk space".to_owned(),
        "Could not reclaim disk space".to_owned(),
        commands,
    )
}
