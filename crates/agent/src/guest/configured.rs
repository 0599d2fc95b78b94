//! What the host says of itself, as far as the engine has to know it: whom it trusts, which proxy it uses.

use std::{
    fs::DirBuilder,
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use fs_err::os::unix::fs::OpenOptionsExt as _;
use tokio::sync::watch;
use wherry_link::{Configuration, Proxy, RegistryFile};

/// Every program of the machine finds it through `/etc/ssl/certs`.
const AUTHORITIES: &str = "certificates.pem";

/// The list that came with the image.
const IMAGES_AUTHORITIES: &str = "/usr/share/ca-certificates/mozilla.crt";

/// dockerd looks here at each request to a registry: `/etc/docker` leads to it.
const REGISTRY_FILES: &str = "docker/certs.d";

/// What the engine reads when it starts and never again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AtStart {
    authorities: Vec<String>,
    complete: bool,
    pub(super) proxy: Proxy,
}

#[derive(Default)]
struct Known {
    registry_files: Vec<RegistryFile>,
    /// Those that the engine may ask without encryption. It reads them again when it is told to.
    insecure_registries: Vec<String>,
    /// As the host said it last.
    said: Option<AtStart>,
    /// What the engine that runs was started with.
    engine_has: Option<AtStart>,
}

pub(super) struct Configured {
    /// Where it is written down.
    folder: PathBuf,
    known: watch::Sender<Known>,
}

impl Configured {
    pub(super) fn at(folder: &str) -> Self {
        Self {
            folder: folder.into(),
            known: watch::Sender::default(),
        }
    }

    /// What can take effect at once does; the rest waits for the engine's next start.
    pub(super) fn take(&self, configuration: Configuration, authorities: Vec<String>) -> io::Result<()> {
        let files = configuration.registry_files;
        if self.known.borrow().registry_files != files {
            write_registry_files(&self.folder.join(REGISTRY_FILES), &files)?;
        }
        self.known.send_modify(|known| {
            known.registry_files = files;
            known.insecure_registries = configuration.insecure_registries;
            known.said = Some(AtStart {
                authorities,
                complete: configuration.authorities.complete,
                proxy: configuration.proxy,
            });
        });
        Ok(())
    }

    pub(super) fn insecure_registries(&self) -> Vec<String> {
        self.known.borrow().insecure_registries.clone()
    }

    /// Waits until they are others than these.
    pub(super) async fn insecure_other_than(&self, those: &[String]) -> Vec<String> {
        let mut known = self.known.subscribe();
        let others = known.wait_for(|known| known.insecure_registries != those).await;
        let others = others.map(|known| known.insecure_registries.clone());
        match others {
            Ok(others) => others,
            // Whoever would tell is gone.
            Err(_) => std::future::pending().await,
        }
    }

    /// The engine that runs was started with something else.
    pub(super) fn outdated(&self) -> bool {
        let known = self.known.borrow();
        known.engine_has.is_some() && known.engine_has != known.said
    }

    /// Waits for the host's word, for as long as that takes: without a host nobody could reach the engine. Then
    /// writes down what an engine that starts now reads.
    pub(super) async fn for_engine(&self) -> io::Result<AtStart> {
        let mut known = self.known.subscribe();
        let said = known.wait_for(|known| known.said.is_some()).await;
        let said = said.ok().and_then(|known| known.said.clone()).unwrap_or_default();
        fs_err::write(
            self.folder.join(AUTHORITIES),
            trusted(&said, &fs_err::read_to_string(IMAGES_AUTHORITIES)?),
        )?;
        self.known.send_modify(|known| known.engine_has = Some(said.clone()));
        Ok(said)
    }
}

/// A host that names nobody has no list of its own: then the image's is better than none.
fn trusted(said: &AtStart, images: &str) -> String {
    let mut all = said.authorities.join("\n");
    if !said.complete || said.authorities.is_empty() {
        all.push('\n');
        all.push_str(images);
    }
    all
}

fn write_registry_files(folder: &Path, files: &[RegistryFile]) -> io::Result<()> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    for file in files {
        // They come from the host, but a path is only ever built from what is certainly one name.
        if !is_name(&file.registry) || !is_name(&file.name) {
            return Err(io::Error::other(format!(
                "{}/{} is no file of a registry",
                file.registry, file.name
            )));
        }
        let folder = folder.join(&file.registry);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut options = fs_err::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options
            .open(folder.join(&file.name))?
            .write_all(file.text.0.as_bytes())?;
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use wherry_link::{Authorities, Secret};

    use super::*;

    fn configuration(proxy: &str) -> Configuration {
        Configuration {
            authorities: Authorities {
                count: 1,
                complete: true,
            },
            proxy: Proxy {
                http: Some(Secret(proxy.into())),
                ..Proxy::default()
            },
            registry_files: Vec::new(),
            insecure_registries: Vec::new(),
        }
    }

    #[test]
    fn the_images_list_counts_unless_the_host_names_everyone() {
        let said = |authorities: &[&str], complete| AtStart {
            authorities: authorities.iter().map(|&one| one.to_owned()).collect(),
            complete,
            proxy: Proxy::default(),
        };
        assert_eq!(trusted(&said(&["ours"], true), "image"), "ours");
        assert_eq!(trusted(&said(&["ours"], false), "image"), "ours\nimage");
        assert_eq!(trusted(&said(&[], true), "image"), "\nimage");
    }

    #[test]
    fn an_engine_is_outdated_once_the_host_says_something_else() -> io::Result<()> {
        let configured = Configured::at("/nonexistent");
        configured.take(configuration("http://one"), vec!["a".into()])?;
        assert!(!configured.outdated(), "no engine runs");
        configured
            .known
            .send_modify(|known| known.engine_has = known.said.clone());
        assert!(!configured.outdated());
        configured.take(configuration("http://two"), vec!["a".into()])?;
        assert!(configured.outdated());
        configured.take(configuration("http://one"), vec!["b".into()])?;
        assert!(configured.outdated());
        configured.take(configuration("http://one"), vec!["a".into()])?;
        assert!(!configured.outdated(), "it is as it was again");
        Ok(())
    }

    #[tokio::test]
    async fn other_insecure_registries_are_told_and_do_not_make_an_engine_outdated() -> io::Result<()> {
        let configured = Configured::at("/nonexistent");
        configured.take(configuration("http://one"), Vec::new())?;
        configured
            .known
            .send_modify(|known| known.engine_has = known.said.clone());
        let told = configured.insecure_other_than(&[]);
        let said = Configuration {
            insecure_registries: vec!["box:5000".into()],
            ..configuration("http://one")
        };
        let (told, taken) = tokio::join!(told, async { configured.take(said, Vec::new()) });
        taken?;
        assert_eq!(told, ["box:5000"]);
        assert_eq!(configured.insecure_registries(), told);
        assert!(!configured.outdated(), "it reads them again when it is told to");
        Ok(())
    }

    #[test]
    fn files_of_registries_are_replaced_and_readable_by_nobody_else() -> io::Result<()> {
        let place = tempfile::tempdir()?;
        let folder = place.path().join("certs.d");
        let file = |registry: &str, name: &str| RegistryFile {
            registry: registry.into(),
            name: name.into(),
            text: Secret("text".into()),
        };
        write_registry_files(&folder, &[file("one:5000", "ca.crt"), file("two", "client.key")])?;
        let key = folder.join("two/client.key");
        assert_eq!(fs_err::metadata(&key)?.permissions().mode() & 0o777, 0o600);
        write_registry_files(&folder, &[file("one:5000", "ca.crt")])?;
        assert!(!key.exists());
        assert_eq!(fs_err::read_to_string(folder.join("one:5000/ca.crt"))?, "text");
        for (registry, name) in [("..", "ca.crt"), ("one", "../ca.crt"), ("", "ca.crt"), ("one", "a/b")] {
            assert!(write_registry_files(&folder, &[file(registry, name)]).is_err());
        }
        Ok(())
    }
}
