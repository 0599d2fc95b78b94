//! What happened in an engine lately, from its own events.

use std::collections::{HashSet, VecDeque};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::backup::OWNER;
use crate::partial::held_for;
use crate::trash::{ContainerName, ImageName, trashed};
use crate::{name, wire};

/// How many are remembered. A container that crashes all day makes three a minute.
const REMEMBERED: usize = 500;

/// The engine says that memory ran out, and then that the program ended. More than this apart are two stories.
const SAME_STORY: u64 = 10_000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Happening {
    /// Milliseconds of Unix time.
    pub at: u64,
    pub what: Happened,
    /// Of the container or the image.
    pub id: String,
    /// As people know it: a container's name, an image's reference.
    pub name: String,
    /// The compose project of the container.
    pub project: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Happened {
    Started,
    /// Its program ended, by itself or because it was told to.
    Ended {
        exit_code: i32,
    },
    OutOfMemory,
    Paused,
    Unpaused,
    Renamed {
        before: String,
    },
    Removed,
    /// Out of the trash.
    Restored,
    Healthy,
    Unhealthy,
    ImagePulled,
    ImagePushed,
    /// From a file.
    ImageLoaded,
    ImageTagged,
    ImageRemoved,
}

/// Of events, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Images that only hold layers of a pull. An event has its image's labels as long as there is the image.
    holders: HashSet<String>,
}

impl Reader {
    /// `None` for what is nobody's business: the steps in between, and Wherry's own helpers.
    pub(crate) fn read(&mut self, event: &wire::Event) -> Option<Happening> {
        if event.kind == "image" {
            if held_for(&event.actor.attributes).is_some() {
                self.holders.insert(event.actor.id.clone());
                return None;
            }
            if event.action == "delete" && self.holders.remove(&event.actor.id) {
                return None;
            }
        }
        Happening::of(event)
    }
}

impl Happening {
    fn of(event: &wire::Event) -> Option<Happening> {
        let attributes = &event.actor.attributes;
        let attribute = |name: &str| attributes.get(name).map(String::as_str);
        if attributes.contains_key(OWNER) {
            return None;
        }
        let what = match (event.kind.as_str(), event.action.as_str()) {
            ("container", "start") => Happened::Started,
            ("container", "die") => Happened::Ended {
                exit_code: attribute("exitCode").and_then(|code| code.parse().ok()).unwrap_or(0),
            },
            ("container", "oom") => Happened::OutOfMemory,
            ("container", "pause") => Happened::Paused,
            ("container", "unpause") => Happened::Unpaused,
            ("container", "rename") if attribute("name").is_some_and(|name| trashed(name).is_some()) => {
                Happened::Removed
            }
            ("container", "rename") if attribute("oldName").is_some_and(|name| trashed(name).is_some()) => {
                Happened::Restored
            }
            ("container", "rename") => Happened::Renamed {
                before: attribute("oldName")
                    .unwrap_or_default()
                    .trim_start_matches('/')
                    .to_owned(),
            },
            // Told when it went into the trash.
            ("container", "destroy" | "remove") if attribute("name").is_some_and(|name| trashed(name).is_some()) => {
                return None;
            }
            // Podman says "remove".
            ("container", "destroy" | "remove") => Happened::Removed,
            ("container", "health_status: healthy") => Happened::Healthy,
            ("container", "health_status: unhealthy") => Happened::Unhealthy,
            ("image", "pull") => Happened::ImagePulled,
            ("image", "push") => Happened::ImagePushed,
            ("image", "load" | "import") => Happened::ImageLoaded,
            ("image", "tag") if attribute("name").is_some_and(|name| ImageName::read(name).is_some()) => {
                Happened::ImageRemoved
            }
            ("image", "tag") => Happened::ImageTagged,
            ("image", "delete") => Happened::ImageRemoved,
            _ => return None,
        };
        let id = event.actor.id.clone();
        let name = match event.kind.as_str() {
            // The name of a pull lacks the tag, which stands in the id; after a removal there is only an id.
            "image" if event.action == "pull" || event.action == "push" => name::familiar(&id),
            "image" => {
                let name = attribute("name").unwrap_or(&id);
                let kept = ImageName::read(name).and_then(ImageName::reference);
                name::familiar(kept.as_deref().unwrap_or(name))
            }
            _ => {
                let name = attribute("name").unwrap_or(&id);
                trashed(name).map_or_else(|| name.to_owned(), ContainerName::name)
            }
        };
        let at = if event.nanos > 0 {
            event.nanos / 1_000_000
        } else {
            event.seconds * 1000
        };
        Some(Happening {
            at: u64::try_from(at).unwrap_or(0),
            what,
            id,
            name,
            project: attribute(crate::inventory::PROJECT).map(str::to_owned),
        })
    }
}

/// The latest, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Happenings(VecDeque<Happening>);

impl Happenings {
    /// Events come again when the connection is made again: what is known is not added twice.
    pub(crate) fn add(&mut self, new: Happening) {
        let place = self
            .0
            .iter()
            .rposition(|known| known.at <= new.at)
            .map_or(0, |place| place + 1);
        let mut before = self
            .0
            .range(..place)
            .rev()
            .take_while(|known| known.at + SAME_STORY >= new.at);
        let is_known = |known: &Happening| {
            *known == new
                || (known.id == new.id
                    && known.what == Happened::OutOfMemory
                    && matches!(new.what, Happened::Ended { .. }))
        };
        if before.any(is_known) {
            return;
        }
        self.0.insert(place, new);
        if self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
    }

    pub(crate) fn latest_first(&self) -> Vec<Happening> {
        self.0.iter().rev().cloned().collect()
    }

    /// When the last one was: milliseconds of Unix time.
    pub(crate) fn last_at(&self) -> Option<u64> {
        self.0.back().map(|last| last.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happening(json: &str) -> Option<Happening> {
        Reader::default().read(&serde_json::from_str(json).expect("an event"))
    }

    fn ended(at: u64, id: &str) -> Happening {
        Happening {
            at,
            what: Happened::Ended { exit_code: 137 },
            id: id.into(),
            name: id.into(),
            project: None,
        }
    }

    fn out_of_memory(at: u64, id: &str) -> Happening {
        Happening {
            what: Happened::OutOfMemory,
            ..ended(at, id)
        }
    }

    #[test]
    fn events_are_told_with_the_names_people_know() {
        let died = happening(
            r#"{"Type":"container","Action":"die","Actor":{"ID":"3fa2","Attributes":{"exitCode":"137","image":"busybox",
            "name":"trainer","com.docker.compose.project":"shop"}},"time":1700000000,"timeNano":1700000000123456789}"#,
        )
        .expect("told");
        assert_eq!((died.name.as_str(), died.at), ("trainer", 1_700_000_000_123));
        assert_eq!(died.what, Happened::Ended { exit_code: 137 });
        assert_eq!(died.project.as_deref(), Some("shop"));
        let pulled = happening(
            r#"{"Type":"image","Action":"pull","Actor":{"ID":"docker.io/library/nginx:1.27","Attributes":{"name":"nginx"}},"time":1}"#,
        )
        .expect("told");
        assert_eq!((pulled.name.as_str(), pulled.at), ("nginx:1.27", 1000));
        for nothing in [
            r#"{"Type":"container","Action":"exec_create: sh","Actor":{"ID":"a"}}"#,
            r#"{"Type":"container","Action":"create","Actor":null}"#,
            r#"{"Type":"container","Action":"start","Actor":{"ID":"a","Attributes":{"app.wherry.backup":"x"}}}"#,
            "{}",
        ] {
            assert_eq!(happening(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_trash_is_told_as_what_it_means() {
        let rename = |name: &str, before: &str| {
            let event = format!(
                r#"{{"Type":"container","Action":"rename","Actor":{{"ID":"a","Attributes":{{"name":"{name}","oldName":"{before}"}}}}}}"#
            );
            happening(&event).map(|told| (told.what, told.name))
        };
        let ours = "wherry-trash.17.running_always_0.web";
        assert_eq!(rename(ours, "/web"), Some((Happened::Removed, "web".into())));
        assert_eq!(
            rename("web", &format!("/{ours}")),
            Some((Happened::Restored, "web".into()))
        );
        let gone = format!(
            r#"{{"Type":"container","Action":"destroy","Actor":{{"ID":"a","Attributes":{{"name":"{ours}"}}}}}}"#
        );
        assert_eq!(happening(&gone), None);
        let image =
            r#"{"Type":"image","Action":"tag","Actor":{"ID":"a","Attributes":{"name":"nginx:wherry-trash.17.1.27"}}}"#;
        let told = happening(image).expect("told");
        assert_eq!((told.what, told.name.as_str()), (Happened::ImageRemoved, "nginx:1.27"));
    }

    #[test]
    fn what_only_holds_layers_is_nobodys_business() {
        let mut reader = Reader::default();
        let mut told = |action: &str, id: &str, attributes: serde_json::Value| {
            let event = serde_json::json!({ "Type": "image", "Action": action, "Actor": { "ID": id, "Attributes": attributes } });
            let event = serde_json::from_value(event).expect("an event");
            reader.read(&event).map(|told| told.what)
        };
        let labels = serde_json::json!({ "name": "sha256:1", "app.wherry.pull": "python:3.13" });
        assert_eq!(told("load", "sha256:1", labels), None);
        let gone = |id: &str| serde_json::json!({ "name": id });
        assert_eq!(told("delete", "sha256:1", gone("sha256:1")), None);
        assert_eq!(
            told("delete", "sha256:2", gone("sha256:2")),
            Some(Happened::ImageRemoved)
        );
    }

    #[test]
    fn what_is_heard_twice_happened_once() {
        let mut all = Happenings::default();
        for new in [
            ended(10, "a"),
            ended(20, "b"),
            ended(10, "a"),
            ended(20, "b"),
            ended(15, "c"),
        ] {
            all.add(new);
        }
        let ids: Vec<String> = all.latest_first().into_iter().map(|each| each.id).collect();
        assert_eq!(ids, ["b", "c", "a"]);
        assert_eq!(all.last_at(), Some(20));
    }

    #[test]
    fn memory_that_ran_out_is_why_it_ended() {
        let mut all = Happenings::default();
        all.add(out_of_memory(1000, "a"));
        all.add(ended(1200, "b"));
        all.add(ended(1500, "a"));
        all.add(ended(90_000, "a"));
        let whats: Vec<(String, bool)> = all
            .latest_first()
            .into_iter()
            .map(|each| (each.id, each.what == Happened::OutOfMemory))
            .collect();
        assert_eq!(whats, [("a".into(), false), ("b".into(), false), ("a".into(), true)]);
    }

    #[test]
    fn a_crash_loop_does_not_fill_the_memory() {
        let mut all = Happenings::default();
        for at in 0..2_000 {
            all.add(ended(at, "a"));
        }
        assert_eq!((all.latest_first().len(), all.last_at()), (REMEMBERED, Some(1_999)));
    }
}
