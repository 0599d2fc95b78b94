//! Where logins are kept and found: what `docker login` has stored, this computer's keychain, or this session.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::docker_command::{ConfigError, DockerCommand, OWN_HELPER};
use crate::registry::remembered::ListFile;
use crate::registry::{HUB, Keychain, Login};

/// The person may be asked to unlock it.
const KEYCHAIN: Duration = Duration::from_mins(1);

#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("This computer has no keychain that can be used")]
    NoKeychain { said: String },
    #[error("The keychain did not do it")]
    Keychain { source: keyring::Error },
    #[error("The keychain did not answer within {} s", KEYCHAIN.as_secs())]
    KeychainSilent,
    #[error("No credential helper is set up for the docker command")]
    NoHelper,
    #[error("{program} did not do it")]
    Helper { program: String, said: String },
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Where a login is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Kept {
    /// With a credential helper of the docker command's: `program` is `docker-credential-pass`.
    Helper { program: String },
    /// In this computer's keychain: for Wherry alone, or for the docker command, too, which then asks us for it.
    Keychain { terminal: bool },
    /// In memory, until Wherry quits.
    Session,
    /// Readable, in the docker command's configuration.
    ConfigFile,
}

/// A registry that the person has a login at, or has added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRegistry {
    pub address: String,
    /// The person has added it: it is listed without a login, too.
    pub added: bool,
    /// Whom it knows, and where that is kept.
    pub login: Option<(String, Kept)>,
}

/// The logins of this person. Cheap to clone.
#[derive(Clone)]
pub struct Logins {
    list: ListFile,
    keychain: Arc<dyn Keychain>,
    /// Locked for a look or one change.
    session: Arc<Mutex<HashMap<String, Login>>>,
}

impl Logins {
    /// `file` remembers what the keychain holds, and which registries were added.
    pub fn new(file: PathBuf, keychain: Arc<dyn Keychain>) -> Logins {
        Logins {
            list: ListFile::new(file),
            keychain,
            session: Arc::default(),
        }
    }

    /// Who the person is to this registry: what they have said here comes before what the docker command knows.
    pub async fn find(&self, registry: &str) -> Option<(Login, Kept)> {
        if let Some(login) = self.session().get(registry) {
            return Some((login.clone(), Kept::Session));
        }
        if self.remembers_keychain(registry) {
            match self.in_keychain(registry).await {
                Ok(Some(login)) => return Some((login, Self::in_keychain_for(registry))),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, registry, "the keychain did not give the login"),
            }
        }
        let docker = DockerCommand::of_this_user().ok()?;
        let login = docker.login(registry).await?;
        let kept = match docker.helper_for(registry) {
            Ok(Some(helper)) => Self::kept_by_helper(&helper),
            Ok(None) | Err(_) => Kept::ConfigFile,
        };
        Some((login, kept))
    }

    /// The header for the engine, if the person has a login there.
    pub async fn header(&self, registry: &str) -> Option<String> {
        let (login, _) = self.find(registry).await?;
        Some(login.header(registry))
    }

    /// Where a login at this registry could be kept, the best first.
    pub async fn places(&self, registry: &str) -> Result<Vec<Kept>, LoginError> {
        let docker = DockerCommand::of_this_user()?;
        let helper = docker.helper_for(registry)?.filter(|name| name != OWN_HELPER);
        let helper = helper.map(|name| Self::kept_by_helper(&name));
        // The helper is the system's keychain on most computers, and the docker command knows it too.
        let keychain = self.keychain(Keychain::check).await.is_ok();
        let has_helper = helper.is_some();
        let mut places: Vec<Kept> = helper.into_iter().collect();
        places.extend(keychain.then(|| Kept::Keychain {
            terminal: docker.finds_own_helper(),
        }));
        places.push(Kept::Session);
        if !has_helper {
            // With a helper set, the docker command would not look there.
            places.push(Kept::ConfigFile);
        }
        Ok(places)
    }

    /// Keeps a login, in one place only.
    pub async fn keep(&self, registry: &str, login: Login, place: &Kept) -> Result<(), LoginError> {
        match place {
            Kept::Helper { .. } => {
                self.leave_keychain(registry).await?;
                DockerCommand::of_this_user()?
                    .store_with_helper(registry, &login)
                    .await?;
                self.session().remove(registry);
            }
            Kept::ConfigFile => {
                self.leave_keychain(registry).await?;
                DockerCommand::of_this_user()?.store_in_config(registry, &login)?;
                self.session().remove(registry);
            }
            Kept::Keychain { terminal } => {
                self.keep_in_keychain(registry, login).await?;
                DockerCommand::of_this_user()?.ask_own_helper(registry, *terminal)?;
            }
            Kept::Session => {
                self.leave_keychain(registry).await?;
                self.session().insert(registry.to_owned(), login);
            }
        }
        Ok(())
    }

    /// Signs out: nobody finds the login any more, the docker command neither.
    pub async fn forget(&self, registry: &str) -> Result<(), LoginError> {
        self.leave_keychain(registry).await?;
        DockerCommand::of_this_user()?.forget_login(registry).await
    }

    /// Signs out wherever the keychain has the login, which Wherry alone reads there. Returned are the registries.
    pub async fn forget_keychain(&self) -> Result<Vec<String>, LoginError> {
        let known = self.known_in_keychain();
        for (registry, _) in &known {
            self.leave_keychain(registry).await?;
        }
        Ok(known.into_iter().map(|(registry, _)| registry).collect())
    }

    /// Keeps it there and nowhere else of ours.
    pub(super) async fn keep_in_keychain(&self, registry: &str, login: Login) -> Result<(), LoginError> {
        let user = login.user.clone();
        let asked = registry.to_owned();
        self.keychain(move |keychain| keychain.set(&asked, &login)).await?;
        self.session().remove(registry);
        let remembered = self.list.change(registry, |known| known.keychain_user = Some(user));
        Ok(remembered.await?)
    }

    pub(super) async fn in_keychain(&self, registry: &str) -> Result<Option<Login>, LoginError> {
        let asked = registry.to_owned();
        self.keychain(move |keychain| keychain.get(&asked)).await
    }

    /// The registries that the keychain has a login for, each with its user.
    pub(super) fn known_in_keychain(&self) -> Vec<(String, String)> {
        let known = self.list.all().into_iter();
        known
            .filter_map(|(registry, known)| Some((registry, known.keychain_user?)))
            .collect()
    }

    /// Who reads it there.
    fn in_keychain_for(registry: &str) -> Kept {
        let docker = DockerCommand::of_this_user();
        let terminal = docker.and_then(|docker| docker.asks_own_helper(registry));
        Kept::Keychain {
            terminal: terminal.unwrap_or(false),
        }
    }

    /// Forgets what is in memory and in the keychain, and does not have the docker command ask for it there any more.
    async fn leave_keychain(&self, registry: &str) -> Result<(), LoginError> {
        let docker = DockerCommand::of_this_user()?;
        self.forget_own(registry).await?;
        Ok(docker.ask_own_helper(registry, false)?)
    }

    pub(super) async fn forget_own(&self, registry: &str) -> Result<(), LoginError> {
        self.session().remove(registry);
        let docker = DockerCommand::of_this_user()?;
        if self.remembers_keychain(registry) || docker.asks_own_helper(registry)? {
            let asked = registry.to_owned();
            self.keychain(move |keychain| keychain.remove(&asked)).await?;
            self.list.change(registry, |known| known.keychain_user = None).await?;
        }
        Ok(())
    }

    /// Lists the registry even without a login, or no longer.
    pub async fn set_added(&self, registry: &str, added: bool) -> Result<(), LoginError> {
        Ok(self.list.change(registry, move |known| known.added = added).await?)
    }

    /// Every registry that is worth a line: Docker Hub, those with a login, those that were added.
    pub async fn known(&self) -> Result<Vec<KnownRegistry>, LoginError> {
        let mut all: BTreeMap<String, KnownRegistry> = BTreeMap::new();
        let entry = |all: &mut BTreeMap<String, KnownRegistry>, address: &str, login: Option<(String, Kept)>| {
            let known = all.entry(address.to_owned()).or_insert_with(|| KnownRegistry {
                address: address.to_owned(),
                added: false,
                login: None,
            });
            known.login = known.login.take().or(login);
        };
        for (address, login) in self.session().iter() {
            entry(&mut all, address, Some((login.user.clone(), Kept::Session)));
        }
        for (address, known) in self.list.all() {
            let login = known.keychain_user.map(|user| (user, Self::in_keychain_for(&address)));
            entry(&mut all, &address, login);
            if let Some(listed) = all.get_mut(&address) {
                listed.added = known.added;
            }
        }
        for stored in DockerCommand::of_this_user()?.logins().await? {
            let kept = match stored.helper {
                Some(name) => Self::kept_by_helper(&name),
                None => Kept::ConfigFile,
            };
            entry(&mut all, &stored.registry, Some((stored.user, kept)));
        }
        entry(&mut all, HUB, None);
        let mut list: Vec<KnownRegistry> = all
            .into_values()
            .filter(|known| known.added || known.login.is_some() || known.address == HUB)
            .collect();
        list.sort_by_key(|known| known.address != HUB);
        Ok(list)
    }

    fn session(&self) -> MutexGuard<'_, HashMap<String, Login>> {
        // Nothing that holds this lock can leave half a change.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembers_keychain(&self, registry: &str) -> bool {
        self.list.of(registry).keychain_user.is_some()
    }

    async fn keychain<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Keychain) -> Result<T, LoginError> + Send + 'static,
    ) -> Result<T, LoginError> {
        let keychain = self.keychain.clone();
        let asked = tokio::task::spawn_blocking(move || ask(keychain.as_ref()));
        match tokio::time::timeout(KEYCHAIN, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(LoginError::KeychainSilent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Secret;

    #[derive(Default)]
    struct Drawer {
        kept: Mutex<HashMap<String, Login>>,
        missing: bool,
    }

    impl Keychain for Drawer {
        fn check(&self) -> Result<(), LoginError> {
            if self.missing {
                return Err(LoginError::NoKeychain { said: "none".into() });
            }
            Ok(())
        }

        fn get(&self, registry: &str) -> Result<Option<Login>, LoginError> {
            Ok(self.kept.lock().expect("unpoisoned").get(registry).cloned())
        }

        fn set(&self, registry: &str, login: &Login) -> Result<(), LoginError> {
            self.kept
                .lock()
                .expect("unpoisoned")
                .insert(registry.into(), login.clone());
            Ok(())
        }

        fn remove(&self, registry: &str) -> Result<(), LoginError> {
            self.kept.lock().expect("unpoisoned").remove(registry);
            Ok(())
        }
    }

    fn ada() -> Login {
        Login {
            user: "ada".into(),
            secret: Secret("s:cret".into()),
            is_token: false,
        }
    }

    // The docker command's own configuration is the business of its tests: these registries are in nobody's.
    const REGISTRY: &str = "registry.wherry.invalid";

    #[tokio::test]
    async fn a_login_is_in_the_keychain_or_in_the_session_and_in_one_place_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("registries.json");
        let logins = Logins::new(file.clone(), Arc::new(Drawer::default()));
        assert_eq!(logins.find(REGISTRY).await, None);

        logins
            .keep(REGISTRY, ada(), &Kept::Keychain { terminal: false })
            .await
            .expect("kept");
        assert_eq!(
            logins.find(REGISTRY).await,
            Some((ada(), Kept::Keychain { terminal: false }))
        );
        let text = fs_err::read_to_string(&file).expect("a file");
        assert!(text.contains("ada") && !text.contains("cret"), "{text}");

        logins.keep(REGISTRY, ada(), &Kept::Session).await.expect("kept");
        assert_eq!(logins.find(REGISTRY).await, Some((ada(), Kept::Session)));
        let asked = logins.keychain(|keychain| keychain.get(REGISTRY)).await.expect("asked");
        assert_eq!(asked, None, "it is in one place only");

        logins.forget(REGISTRY).await.expect("forgotten");
        assert_eq!(logins.find(REGISTRY).await, None);
    }

    #[tokio::test]
    async fn what_was_added_is_listed_and_the_hub_always() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("registries.json");
        let logins = Logins::new(file, Arc::new(Drawer::default()));
        logins.set_added(REGISTRY, true).await.expect("added");
        let known = logins.known().await.expect("listed");
        assert_eq!(known[0].address, HUB);
        assert!(
            known
                .iter()
                .any(|known| known.address == REGISTRY && known.login.is_none())
        );
        logins.set_added(REGISTRY, false).await.expect("removed");
        let known = logins.known().await.expect("listed");
        assert!(known.iter().all(|known| known.address != REGISTRY));
    }

    #[tokio::test]
    async fn without_a_keychain_none_is_offered() {
        let folder = tempfile::tempdir().expect("a folder");
        let keychain = Drawer {
            missing: true,
            ..Drawer::default()
        };
        let logins = Logins::new(folder.path().join("registries.json"), Arc::new(keychain));
        let places = logins.places(REGISTRY).await.expect("places");
        assert!(
            places.contains(&Kept::Session) && !places.contains(&Kept::Keychain { terminal: false }),
            "{places:?}"
        );
    }
}
