//! The commands of what is done to images, and at registries.

use super::Click;
use crate::{App, ImageFile, ImageRef, ImageRemove, ImageSave, ImageTag, RegistryLogin, RegistryRef};

pub(crate) async fn pull(_app: &App, image: &ImageRef) -> Click {
    let reference = image.reference.trim();
    Click::new(
        format!("Pulled {reference}"),
        format!("Could not pull {reference}"),
        &["docker", "pull", reference],
    )
}

pub(crate) async fn push(_app: &App, image: &ImageRef) -> Click {
    let reference = image.reference.trim();
    Click::new(
        format!("Pushed {reference}"),
        format!("Could not push {reference}"),
        &["docker", "push", reference],
    )
}

pub(crate) async fn tag(_app: &App, tag: &ImageTag) -> Click {
    let (reference, target) = (tag.reference.trim(), tag.target.trim());
    Click::new(
        format!("Named {reference} {target}, too"),
        format!("Could not name it {target}"),
        &["docker", "tag", reference, target],
    )
}

pub(crate) async fn save_images(_app: &App, save: &ImageSave) -> Click {
    let mut words = vec!["docker", "save", "-o", &save.file];
    words.extend(save.references.iter().map(String::as_str));
    let images = save.references.join(", ");
    Click::new(
        format!("Saved {images} to a file"),
        format!("Could not save {images}"),
        &words,
    )
}

pub(crate) async fn load(_app: &App, load: &ImageFile) -> Click {
    Click::new(
        format!("Loaded {}", load.file),
        format!("Could not load {}", load.file),
        &match load.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => vec!["docker", "import", &load.file, name],
            None => vec!["docker", "load", "-i", &load.file],
        },
    )
}

pub(crate) async fn remove_image(_app: &App, image: &ImageRemove) -> Click {
    let reference = image.reference.trim();
    let words: &[&str] = if image.force {
        &["docker", "rmi", "-f", reference]
    } else {
        &["docker", "rmi", reference]
    };
    Click::new(
        format!("Removed the image {reference}"),
        format!("Could not remove {reference}"),
        words,
    )
}

pub(crate) async fn login(_app: &App, login: &RegistryLogin) -> Click {
    let mut words = vec!["docker", "login"];
    if !login.user.trim().is_empty() {
        words.extend(["-u", login.user.trim()]);
    }
    let address = address(&login.registry);
    words.extend(address.as_deref());
    Click::new(
        format!("Signed in to {}", login.registry),
        format!("Could not sign in to {}", login.registry),
        &words,
    )
}

pub(crate) async fn logout(_app: &App, registry: &RegistryRef) -> Click {
    let mut words = vec!["docker", "logout"];
    let address = address(&registry.registry);
    words.extend(address.as_deref());
    Click::new(
        format!("Signed out of {}", registry.registry),
        format!("Could not sign out of {}", registry.registry),
        &words,
    )
}

fn address(registry: &str) -> Option<String> {
    let address = wherry_engine::registry_address(registry).unwrap_or_else(|_| registry.to_owned());
    (address != wherry_engine::HUB).then_some(address)
}
