//! What a person could have typed to bring a thing back, or to be rid of it.

use super::name::{ContainerName, ImageName, VolumeMark};
use super::{TrashId, TrashItem};
use crate::{Shell, shell_line};

/// The words of one command.
type Words = Vec<String>;

fn docker(words: &[&str]) -> Words {
    std::iter::once("docker")
        .chain(words.iter().copied())
        .map(str::to_owned)
        .collect()
}

/// Of what is in the trash under this name.
pub(super) fn restoring(id: &TrashId, kept_as: &str) -> Vec<Words> {
    match id {
        TrashId::Container(_) => ContainerName::read(kept_as).map_or_else(Vec::new, |kept| {
            let mut lines = Vec::new();
            if !kept.restart.is_never() {
                lines.push(docker(&["update", "--restart", &kept.restart.text(), kept_as]));
            }
            lines.push(docker(&["rename", kept_as, &kept.name]));
            if kept.was_running {
                lines.push(docker(&["start", &kept.name]));
            }
            lines
        }),
        TrashId::Image(_) => {
            let name = super::moves::image_name(ImageName::read(kept_as), kept_as);
            vec![docker(&["tag", kept_as, &name]), docker(&["rmi", kept_as])]
        }
        // The volume itself never went: what names it does.
        TrashId::Volume(_) => vec![docker(&["volume", "rm", kept_as])],
    }
}

pub(super) fn deleting(id: &TrashId, kept_as: &str) -> Vec<Words> {
    match id {
        TrashId::Container(_) if ContainerName::read(kept_as).is_some_and(|kept| kept.volumes) => {
            vec![docker(&["rm", "--volumes", kept_as])]
        }
        TrashId::Container(_) => vec![docker(&["rm", kept_as])],
        TrashId::Image(_) => vec![docker(&["rmi", kept_as])],
        TrashId::Volume(volume) => vec![docker(&["volume", "rm", volume, kept_as])],
    }
}

impl TrashItem {
    pub(super) fn new(id: TrashId, kept_as: String, name: String, at: u64) -> TrashItem {
        let comes_back_as = match &id {
            TrashId::Image(_) => Some(super::moves::image_name(ImageName::read(&kept_as), &kept_as)),
            TrashId::Container(_) | TrashId::Volume(_) => None,
        };
        TrashItem {
            comes_back_as: comes_back_as.filter(|again| *again != name),
            restoring: line(&restoring(&id, &kept_as)),
            deleting: line(&deleting(&id, &kept_as)),
            id,
            kept_as,
            name,
            at,
            image: None,
            bytes: None,
        }
    }

    /// Each command apart.
    pub fn restoring_words(&self) -> Vec<Words> {
        restoring(&self.id, &self.kept_as)
    }

    pub fn deleting_words(&self) -> Vec<Words> {
        deleting(&self.id, &self.kept_as)
    }
}

fn line(commands: &[Words]) -> String {
    let lines: Vec<String> = commands.iter().map(|words| shell_line(words, Shell::Posix)).collect();
    lines.join(" && ")
}

impl VolumeMark {
    pub(super) fn item(self) -> TrashItem {
        let kept_as = self.write();
        TrashItem::new(TrashId::Volume(self.name.clone()), kept_as, self.name, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_commands() {
        let lines = |id: TrashId, kept_as: &str| {
            let item = TrashItem::new(id, kept_as.to_owned(), String::new(), 0);
            (item.restoring, item.deleting)
        };
        let container = |kept_as: &str| lines(TrashId::Container("4f1c".into()), kept_as);
        let (back, gone) = container("wherry-trash.17.running_on-failure_5_volumes.web");
        assert_eq!(
            back,
            "docker update --restart on-failure:5 wherry-trash.17.running_on-failure_5_volumes.web && \
             docker rename wherry-trash.17.running_on-failure_5_volumes.web web && docker start web"
        );
        assert_eq!(
            gone,
            "docker rm --volumes wherry-trash.17.running_on-failure_5_volumes.web"
        );
        let (back, gone) = container("wherry-trash.17.stopped_no_0.web");
        assert_eq!(back, "docker rename wherry-trash.17.stopped_no_0.web web");
        assert_eq!(gone, "docker rm wherry-trash.17.stopped_no_0.web");
        let image = |kept_as: &str| lines(TrashId::Image(kept_as.to_owned()), kept_as);
        let (back, gone) = image("localhost:5000/x:wherry-trash.17.1");
        assert_eq!(
            back,
            "docker tag localhost:5000/x:wherry-trash.17.1 localhost:5000/x:1 && \
             docker rmi localhost:5000/x:wherry-trash.17.1"
        );
        assert_eq!(gone, "docker rmi localhost:5000/x:wherry-trash.17.1");
        let by_digest = format!("localhost:5000/x:wherry-trash.17_sha256.{}", "0f".repeat(32));
        assert_eq!(
            image(&by_digest).0,
            format!("docker tag {by_digest} localhost:5000/x:restored-0f0f0f0f0f0f && docker rmi {by_digest}"),
            "the engine would forget its digest with its last tag"
        );
        assert_eq!(
            image("wherry-trash/u/0123456789ab:3").0,
            "docker tag wherry-trash/u/0123456789ab:3 restored:0123456789ab && \
             docker rmi wherry-trash/u/0123456789ab:3"
        );
        assert_eq!(
            lines(TrashId::Volume("data".into()), "wherry-trash.17.data"),
            (
                "docker volume rm wherry-trash.17.data".to_owned(),
                "docker volume rm data wherry-trash.17.data".to_owned()
            )
        );
    }
}
