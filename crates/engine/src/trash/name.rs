//! What the trash writes into names. Nothing else of the engine's can be changed afterwards: labels of a container
//! and of a volume are what they were when it was made. So a name says all that is needed to bring a thing back, and
//! every Wherry that sees this engine sees the same trash.

use serde::{Deserialize, Serialize};

use crate::name::familiar;

/// What everything in the trash is called first.
pub(super) const PREFIX: &str = "wherry-trash";

/// Of an image's tag, in every registry and engine.
const LONGEST_TAG: usize = 128;

/// In the engine's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RestartPolicy {
    /// `always`; also empty for none.
    pub(super) name: String,
    pub(super) maximum_retry_count: u32,
}

impl RestartPolicy {
    const KNOWN: [&str; 4] = ["no", "always", "unless-stopped", "on-failure"];

    pub(super) fn never() -> RestartPolicy {
        RestartPolicy {
            name: "no".to_owned(),
            maximum_retry_count: 0,
        }
    }

    pub(super) fn is_never(&self) -> bool {
        !Self::KNOWN[1..].contains(&self.name.as_str())
    }

    /// As `docker update --restart` takes it.
    pub(super) fn text(&self) -> String {
        match self.maximum_retry_count {
            0 => self.name.clone(),
            retries => format!("{}:{retries}", self.name),
        }
    }
}

/// A container in the trash: `wherry-trash.1790000000000.running_on-failure_5.web`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContainerName {
    /// Unix milliseconds.
    pub(super) at: u64,
    pub(super) name: String,
    pub(super) was_running: bool,
    pub(super) restart: RestartPolicy,
    /// Its unnamed volumes go with it.
    pub(super) volumes: bool,
}

impl ContainerName {
    pub(crate) fn read(name: &str) -> Option<ContainerName> {
        let rest = name.strip_prefix(PREFIX)?.strip_prefix('.')?;
        let (at, rest) = rest.split_once('.')?;
        let (how, name) = rest.split_once('.')?;
        let mut words = how.split('_');
        let was_running = match words.next()? {
            "running" => true,
            "stopped" => false,
            _ => return None,
        };
        let policy = words.next().filter(|policy| RestartPolicy::KNOWN.contains(policy))?;
        let restart = RestartPolicy {
            name: policy.to_owned(),
            maximum_retry_count: words.next()?.parse().ok()?,
        };
        Some(ContainerName {
            at: at.parse().ok()?,
            name: Some(name).filter(|name| !name.is_empty())?.to_owned(),
            was_running,
            restart,
            volumes: words.next() == Some("volumes"),
        })
    }

    /// What it was called.
    pub(crate) fn name(self) -> String {
        self.name
    }

    pub(super) fn write(&self) -> String {
        let state = if self.was_running { "running" } else { "stopped" };
        let policy = if self.restart.is_never() {
            "no"
        } else {
            &self.restart.name
        };
        let retries = self.restart.maximum_retry_count;
        let volumes = if self.volumes { "_volumes" } else { "" };
        format!("{PREFIX}.{}.{state}_{policy}_{retries}{volumes}.{}", self.at, self.name)
    }
}

/// An image in the trash. Only its name is kept: the image is the engine's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageName {
    pub(super) at: u64,
    /// What it was called: by its tag, or by its digest when that is all it had. `None` for one that had no name.
    pub(super) reference: Option<String>,
}

impl ImageName {
    /// `nginx:wherry-trash.1790000000000.1.27`: in its own repository, because an engine forgets the digest by which a
    /// registry knows an image together with the last tag that it has there. One that was known by its digest alone is
    /// `nginx:wherry-trash.1790000000000_sha256.4f1c…`, and without a name `wherry-trash/u/4f1c09ab:1790000000000`.
    pub(crate) fn read(reference: &str) -> Option<ImageName> {
        if let Some(nameless) = reference.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix("/u/")) {
            let (_, at) = nameless.rsplit_once(':')?;
            return Some(ImageName {
                at: at.parse().ok()?,
                reference: None,
            });
        }
        let (repository, tag) = reference.rsplit_once(':')?;
        let (at, tag) = tag.strip_prefix(PREFIX)?.strip_prefix('.')?.split_once('.')?;
        if repository.is_empty() || tag.is_empty() {
            return None;
        }
        let (at, reference) = match at.split_once('_') {
            Some((at, algorithm)) => (at, format!("{repository}@{algorithm}:{tag}")),
            None => (at, format!("{repository}:{tag}")),
        };
        Some(ImageName {
            at: at.parse().ok()?,
            reference: Some(reference),
        })
    }

    /// What it was called, if anything.
    pub(crate) fn reference(self) -> Option<String> {
        self.reference
    }

    /// The digest, with its repository, when it had no tag.
    pub(super) fn digest(&self) -> Option<&str> {
        self.reference.as_deref().filter(|reference| reference.contains('@'))
    }

    /// `id` names one that has no name. `None`: its tag is so long that none of ours has room for it.
    pub(super) fn write(&self, id: &str) -> Option<String> {
        let at = self.at;
        let Some(reference) = &self.reference else {
            let short: String = id.trim_start_matches("sha256:").chars().take(12).collect();
            return Some(format!("{PREFIX}/u/{short}:{at}"));
        };
        let (repository, ours) = if let Some((repository, digest)) = reference.split_once('@') {
            let (algorithm, digits) = digest.split_once(':')?;
            (repository, format!("{PREFIX}.{at}_{algorithm}.{digits}"))
        } else {
            let (repository, tag) = reference
                .rsplit_once(':')
                .filter(|(_, tag)| !tag.contains('/'))
                .unwrap_or((reference, "latest"));
            (repository, format!("{PREFIX}.{at}.{tag}"))
        };
        (ours.len() <= LONGEST_TAG).then(|| format!("{repository}:{ours}"))
    }
}

/// Whether all names that an image has are the trash's. Its digests stay for as long as it has a tag in their
/// repository, so those beside a tag of ours are in the trash with it.
pub(crate) fn is_in_trash(tags: &[String], digests: &[String]) -> bool {
    let mut repositories = Vec::new();
    for tag in tags {
        match ImageName::read(tag) {
            Some(_) => repositories.extend(tag.rsplit_once(':').map(|(repository, _)| familiar(repository))),
            None => return false,
        }
    }
    let is_ours = |digest: &String| {
        let repository = digest.split_once('@').map_or("", |(repository, _)| repository);
        repository == "<none>" || repositories.contains(&familiar(repository))
    };
    !repositories.is_empty() && digests.iter().all(is_ours)
}

/// The mark beside a volume in the trash, itself an empty volume: a volume can neither be renamed nor labelled.
/// `wherry-trash.1790000000000.data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VolumeMark {
    pub(super) at: u64,
    pub(super) name: String,
}

impl VolumeMark {
    pub(crate) fn read(name: &str) -> Option<VolumeMark> {
        let (at, name) = name.strip_prefix(PREFIX)?.strip_prefix('.')?.split_once('.')?;
        Some(VolumeMark {
            at: at.parse().ok()?,
            name: Some(name).filter(|name| !name.is_empty())?.to_owned(),
        })
    }

    pub(super) fn write(&self) -> String {
        format!("{PREFIX}.{}.{}", self.at, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name;

    #[test]
    fn a_container_s_name_says_how_it_comes_back() {
        for (policy, maximum_retry_count, volumes, name) in [
            ("no", 0, false, "web"),
            ("always", 0, true, "a.b-c_d"),
            ("unless-stopped", 0, false, "wherry-trash.1.stopped_no_0.web"),
            ("on-failure", 5, true, "x"),
        ] {
            let restart = RestartPolicy {
                name: policy.to_owned(),
                maximum_retry_count,
            };
            let kept = ContainerName {
                at: 1_790_000_000_000,
                name: name.to_owned(),
                was_running: volumes,
                restart,
                volumes,
            };
            let written = kept.write();
            assert!(name::is_container_name(&written), "{written}");
            assert_eq!(ContainerName::read(&written), Some(kept));
        }
        for foreign in [
            "web",
            "wherry-trash",
            "wherry-trash.x",
            "wherry-trash.1.odd_no_0.web",
            "wherry-trash.1.stopped_odd_0.web",
            "wherry-trash.1.stopped_no_0.",
        ] {
            assert_eq!(ContainerName::read(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn an_image_s_name_says_what_it_was_called() {
        for reference in [
            "nginx:1.27",
            "localhost:5000/a/x:Some-Tag_1",
            "ghcr.io/mlflow/mlflow:v3",
            "wherry-trash/x:latest",
            "y:wherry-trash.3.z",
            &format!("localhost:5000/a/x@sha256:{}", "0f".repeat(32)),
        ] {
            let kept = ImageName {
                at: 17,
                reference: Some(reference.to_owned()),
            };
            let written = kept.write("").expect("room");
            assert!(name::image(&written).is_ok(), "{written}");
            assert_eq!(ImageName::read(&written), Some(kept));
        }
        let nameless = ImageName { at: 3, reference: None };
        let written = nameless.write("sha256:0123456789abcdef");
        assert_eq!(written.as_deref(), Some("wherry-trash/u/0123456789ab:3"));
        assert_eq!(ImageName::read("wherry-trash/u/0123456789ab:3"), Some(nameless));
        let long = ImageName {
            at: 1_790_000_000_000,
            reference: Some(format!("x:{}", "1".repeat(110))),
        };
        assert_eq!(long.write(""), None, "a tag has at most 128 characters");
        assert_eq!(ImageName::read("nginx:1.27"), None);
    }

    #[test]
    fn an_image_is_in_the_trash_when_nothing_else_names_it() {
        let is = |tags: &[&str], digests: &[&str]| {
            let owned = |names: &[&str]| names.iter().copied().map(str::to_owned).collect::<Vec<_>>();
            is_in_trash(&owned(tags), &owned(digests))
        };
        assert!(is(&["x:wherry-trash.17.1"], &[]));
        assert!(is(
            &["x:wherry-trash.17.1"],
            &["x@sha256:00", "docker.io/library/x@sha256:01"]
        ));
        assert!(is(
            &["x:wherry-trash.17_sha256.00", "wherry-trash/u/4f1c:3"],
            &["<none>@<none>"]
        ));
        assert!(!is(&["x:wherry-trash.17.1", "x:1"], &[]), "it has a tag");
        assert!(
            !is(&["x:wherry-trash.17.1"], &["y@sha256:00"]),
            "another registry's digest names it"
        );
        assert!(!is(&[], &["x@sha256:00"]) && !is(&[], &[]));
    }

    #[test]
    fn a_volume_s_mark_names_it() {
        let mark = VolumeMark {
            at: 5,
            name: "shop_data.old".to_owned(),
        };
        assert_eq!(VolumeMark::read(&mark.write()), Some(mark));
        assert_eq!(VolumeMark::read("data"), None);
    }
}
