//! The docker command on this computer: which engine it talks to, and changing that in its own configuration.
//!
//! That configuration is the person's. It is never written without a copy beside it, keys that are not understood stay
//! as they are, and what was changed is kept as [`Changes`], so that it can be taken back.

mod logins;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::discover::context_address;
pub(crate) use logins::{HelperLogin, OWN_HELPER, docker_key, registry_of_key};

/// The variables that win over the configuration, the strongest first.
const HOST: &str = "DOCKER_HOST";
const CONTEXT: &str = "DOCKER_CONTEXT";

const CURRENT_CONTEXT: &str = "currentContext";
const STORE: &str = "credsStore";
const HELPERS: &str = "credHelpers";

/// What the docker command calls the engine that it uses when nothing is set.
const DEFAULT_CONTEXT: &str = "default";

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("Could not find your home folder, where the docker command keeps its configuration")]
    NoFolder,
    #[error("Could not read {file}")]
    Unreadable { file: PathBuf, source: io::Error },
    /// It is left as it is: whoever wrote it may still want to mend it.
    #[error("{file} is not JSON that the docker command would understand")]
    NotJson { file: PathBuf, source: serde_json::Error },
    #[error("Could not write {file}")]
    Write { file: PathBuf, source: io::Error },
}

/// The docker command's configuration, and what of the surroundings decides what it does.
#[derive(Clone, Debug)]
pub struct DockerCommand {
    folder: PathBuf,
    programs: Vec<PathBuf>,
    variables: Vec<Override>,
}

/// A variable of the environment that wins over the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub variable: &'static str,
    pub value: String,
}

/// What the docker command does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Where the docker command is, when it is installed.
    pub program: Option<PathBuf>,
    pub config: PathBuf,
    /// The name of the context that is in use unless a variable says otherwise.
    pub context: String,
    /// Where the docker command connects to; `None` for a context that is not there.
    pub address: Option<String>,
    pub overridden: Option<Override>,
    pub missing_helpers: Vec<MissingHelper>,
}

/// A program that is to keep logins and is not installed: without it the docker command refuses to pull at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingHelper {
    /// `docker-credential-desktop`
    pub program: String,
    /// The registry it is for; `None` for all.
    pub registry: Option<String>,
}

/// What was changed in the docker command's configuration and how it was before. Kept by whoever changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Changes {
    /// One for each folder that `DOCKER_CONFIG` has named.
    configs: Vec<ConfigChange>,
    contexts: Vec<ContextChange>,
    /// Our link at the place where every docker client looks first.
    pub system_socket: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigChange {
    file: PathBuf,
    /// `None`: there was no file.
    copy: Option<PathBuf>,
    /// The SHA-256 of what we wrote. While the file is still that, taking back is putting the copy in its place.
    /// `None` once others have written between two changes of ours.
    written: Option<String>,
    keys: Vec<KeyChange>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeyChange {
    key: String,
    before: Option<Value>,
    after: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ContextChange {
    file: PathBuf,
    before: Option<String>,
    after: String,
}

/// `DOCKER_CONFIG`, else `~/.docker`.
pub(crate) fn docker_folder() -> Option<PathBuf> {
    match std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => etcetera::home_dir().ok().map(|home| home.join(".docker")),
    }
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl DockerCommand {
    pub fn of_this_user() -> Result<Self, ConfigError> {
        let variables = [HOST, CONTEXT].into_iter().filter_map(|variable| {
            let value = std::env::var(variable).ok().filter(|value| !value.is_empty())?;
            Some(Override { variable, value })
        });
        Ok(Self {
            folder: docker_folder().ok_or(ConfigError::NoFolder)?,
            programs: std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect(),
            variables: variables.collect(),
        })
    }

    /// The context that its configuration names.
    pub(crate) fn current_context(&self) -> Option<String> {
        match Config::read(&self.config()) {
            Ok(config) => config.text(CURRENT_CONTEXT),
            Err(error) => {
                tracing::warn!(%error, "the docker configuration cannot be used");
                None
            }
        }
    }

    /// Where its configuration is, or would be.
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("config.json")
    }

    fn config(&self) -> PathBuf {
        let file = self.config_file();
        // Through a link, as people who keep their configuration elsewhere have it: the link stays.
        file.canonicalize().unwrap_or(file)
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        let mut file = OsString::from(name);
        file.push(std::env::consts::EXE_SUFFIX);
        self.programs
            .iter()
            .map(|folder| folder.join(&file))
            .find(|path| path.is_file())
    }

    /// Looks; changes nothing.
    pub fn look(&self) -> Result<Setup, ConfigError> {
        let config = Config::read(&self.config())?;
        let overridden = self.variables.first().cloned();
        let context = config
            .text(CURRENT_CONTEXT)
            .unwrap_or_else(|| DEFAULT_CONTEXT.to_owned());
        Ok(Setup {
            program: self.program("docker"),
            config: self.config_file(),
            address: self.address(overridden.as_ref(), &context),
            context,
            overridden,
            missing_helpers: self.missing_helpers(&config),
        })
    }

    fn address(&self, overridden: Option<&Override>, context: &str) -> Option<String> {
        let name = match overridden {
            Some(Override { variable: HOST, value }) => return Some(value.clone()),
            Some(Override { value, .. }) => value,
            None => context,
        };
        if name == DEFAULT_CONTEXT {
            return Some(crate::discover::default_address());
        }
        context_address(&self.folder, name)
    }

    fn missing_helpers(&self, config: &Config) -> Vec<MissingHelper> {
        let missing = |helper: &str, registry: Option<&String>| {
            let program = format!("docker-credential-{helper}");
            self.program(&program).is_none().then(|| MissingHelper {
                program,
                registry: registry.cloned(),
            })
        };
        let store = config.text(STORE).and_then(|helper| missing(&helper, None));
        let by_registry = config.object(HELPERS).into_iter().flatten();
        let others = by_registry.filter_map(|(registry, helper)| missing(helper.as_str()?, Some(registry)));
        store.into_iter().chain(others).collect()
    }

    /// Makes the context, or corrects it, and selects it. `changes` learns how it was before.
    pub fn select(
        &self,
        name: &str,
        address: &str,
        description: &str,
        changes: &mut Changes,
    ) -> Result<(), ConfigError> {
        self.write_context(name, address, description, changes)?;
        self.change_config(changes, |config| {
            config.insert(CURRENT_CONTEXT.to_owned(), name.into());
        })
    }

    fn write_context(
        &self,
        name: &str,
        address: &str,
        description: &str,
        changes: &mut Changes,
    ) -> Result<(), ConfigError> {
        let file = context_file(&self.folder, name);
        let before = match fs_err::read_to_string(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(ConfigError::Unreadable { file, source }),
        };
        let after = serde_json::json!({
            "Name": name,
            "Metadata": { "Description": description },
            "Endpoints": { "docker": { "Host": address, "SkipTLSVerify": false } },
        })
        .to_string();
        if before.as_ref() == Some(&after) {
            return Ok(());
        }
        write_whole(&file, after.as_bytes())?;
        match changes.contexts.iter_mut().find(|change| change.file == file) {
            Some(earlier) => earlier.after = after,
            None => changes.contexts.push(ContextChange { file, before, after }),
        }
        Ok(())
    }

    /// Takes what names a helper that is not there out of the configuration, and says which.
    pub fn drop_missing_helpers(&self, changes: &mut Changes) -> Result<Vec<MissingHelper>, ConfigError> {
        let missing = self.missing_helpers(&Config::read(&self.config())?);
        if missing.is_empty() {
            return Ok(missing);
        }
        self.change_config(changes, |config| {
            for helper in &missing {
                match &helper.registry {
                    None => {
                        config.shift_remove(STORE);
                    }
                    Some(registry) => {
                        if let Some(Value::Object(helpers)) = config.get_mut(HELPERS) {
                            helpers.shift_remove(registry);
                        }
                    }
                }
            }
            if matches!(config.get(HELPERS), Some(Value::Object(helpers)) if helpers.is_empty()) {
                config.shift_remove(HELPERS);
            }
        })?;
        Ok(missing)
    }

    fn change_config(
        &self,
        changes: &mut Changes,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> Result<(), ConfigError> {
        let file = self.config();
        let mut config = Config::read(&file)?;
        let before = config.values.clone();
        change(&mut config.values);
        if config.values == before {
            return Ok(());
        }
        let text = config.text_in_its_style();
        let written = hex(&Sha256::digest(&text));
        if let Some(earlier) = changes.configs.iter_mut().find(|earlier| earlier.file == file) {
            let undisturbed = earlier.written == config.digest();
            write_whole(&file, &text)?;
            earlier.written = undisturbed.then_some(written);
            note_changed_keys(&mut earlier.keys, &before, &config.values);
            return Ok(());
        }
        let copy = config.copy(&file)?;
        write_whole(&file, &text)?;
        let mut keys = Vec::new();
        note_changed_keys(&mut keys, &before, &config.values);
        changes.configs.push(ConfigChange {
            file,
            copy,
            written: Some(written),
            keys,
        });
        Ok(())
    }

    /// Takes back what was changed here, and forgets it. What the person has changed since stays theirs.
    pub fn undo(changes: &mut Changes) -> Result<(), ConfigError> {
        while let Some(change) = changes.configs.last() {
            change.undo()?;
            changes.configs.pop();
        }
        while let Some(change) = changes.contexts.last() {
            change.undo()?;
            changes.contexts.pop();
        }
        Ok(())
    }
}

/// What the first change of a key found stays what it was before.
fn note_changed_keys(keys: &mut Vec<KeyChange>, before: &Map<String, Value>, after: &Map<String, Value>) {
    let all: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in all.into_iter().filter(|key| before.get(*key) != after.get(*key)) {
        match keys.iter_mut().find(|known| known.key == *key) {
            Some(known) => known.after = after.get(key).cloned(),
            None => keys.push(KeyChange {
                key: key.clone(),
                before: before.get(key).cloned(),
                after: after.get(key).cloned(),
            }),
        }
    }
}

impl ConfigChange {
    fn undo(&self) -> Result<(), ConfigError> {
        let mut config = Config::read(&self.file)?;
        if self.written.is_some() && self.written == config.digest() {
            return self.put_back();
        }
        for change in &self.keys {
            if config.values.get(&change.key) == change.after.as_ref() {
                match &change.before {
                    Some(value) => config.values.insert(change.key.clone(), value.clone()),
                    None => config.values.shift_remove(&change.key),
                };
            }
        }
        // The copy stays: it is the only whole record of how the file was.
        write_whole(&self.file, &config.text_in_its_style())
    }

    /// To the last byte.
    fn put_back(&self) -> Result<(), ConfigError> {
        let file = self.file.clone();
        match &self.copy {
            None => remove(&file),
            Some(copy) => {
                let text = fs_err::read(copy).map_err(|source| ConfigError::Unreadable {
                    file: copy.clone(),
                    source,
                })?;
                write_whole(&file, &text)?;
                remove(copy)
            }
        }
    }
}

impl ContextChange {
    fn undo(&self) -> Result<(), ConfigError> {
        let now = fs_err::read_to_string(&self.file).ok();
        if now.as_ref() != Some(&self.after) {
            return Ok(());
        }
        if let Some(before) = &self.before {
            return write_whole(&self.file, before.as_bytes());
        }
        remove(&self.file)?;
        // The folder has the context's hash for a name and held nothing else.
        if let Some(folder) = self.file.parent() {
            let _ = fs_err::remove_dir(folder);
        }
        Ok(())
    }
}

/// The configuration with everything it takes to write it back as the person had it.
struct Config {
    /// As it was read; `None` when there is no file.
    text: Option<String>,
    values: Map<String, Value>,
}

impl Config {
    fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = match fs_err::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self {
                    text: None,
                    values: Map::new(),
                });
            }
            Err(source) => {
                return Err(ConfigError::Unreadable {
                    file: file.to_owned(),
                    source,
                });
            }
        };
        // The docker command takes an empty file for an empty configuration.
        let values = if text.trim().is_empty() {
            Map::new()
        } else {
            serde_json::from_str(&text).map_err(|source| ConfigError::NotJson {
                file: file.to_owned(),
                source,
            })?
        };
        Ok(Self {
            text: Some(text),
            values,
        })
    }

    fn text(&self, key: &str) -> Option<String> {
        self.values
            .get(key)?
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }

    fn object(&self, key: &str) -> Option<&Map<String, Value>> {
        self.values.get(key)?.as_object()
    }

    fn digest(&self) -> Option<String> {
        self.text.as_ref().map(|text| hex(&Sha256::digest(text)))
    }

    /// A copy beside the file, as it was read.
    fn copy(&self, file: &Path) -> Result<Option<PathBuf>, ConfigError> {
        let Some(text) = &self.text else {
            return Ok(None);
        };
        let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
        let copy = file.with_file_name(format!("config.json.wherry-backup-{now}"));
        write_whole(&copy, text.as_bytes())?;
        Ok(Some(copy))
    }

    /// Indented as the file was; the docker command's own way is a tab.
    fn text_in_its_style(&self) -> Vec<u8> {
        let old = self.text.as_deref().unwrap_or_default();
        let indent = old
            .lines()
            .map(|line| &line[..line.len() - line.trim_start().len()])
            .find(|indent| !indent.is_empty())
            .unwrap_or("\t");
        let mut text = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
        // A map with text for keys, written to memory, cannot fail.
        let _ = self.values.serialize(&mut serializer);
        if old.ends_with('\n') {
            text.push(b'\n');
        }
        text
    }
}

/// Where the docker command keeps a context: below the SHA-256 of its name.
pub(crate) fn context_file(folder: &Path, name: &str) -> PathBuf {
    let digest = hex(&Sha256::digest(name));
    folder.join("contexts").join("meta").join(digest).join("meta.json")
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// In one step, with the rights that the file had; a new one is the person's alone, since it may come to hold logins.
pub(crate) fn write_whole(file: &Path, text: &[u8]) -> Result<(), ConfigError> {
    let write = || -> io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(text)?;
        if let Ok(metadata) = fs_err::metadata(file) {
            new.as_file().set_permissions(metadata.permissions())?;
        }
        new.as_file().sync_all()?;
        new.persist(file)?;
        Ok(())
    };
    write().map_err(|source| ConfigError::Write {
        file: file.to_owned(),
        source,
    })
}

fn remove(file: &Path) -> Result<(), ConfigError> {
    match fs_err::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ConfigError::Write {
            file: file.to_owned(),
            source: error,
        }),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "unix:///home/ada/wherry/docker.sock";

    struct Person {
        folder: tempfile::TempDir,
        docker: DockerCommand,
        changes: Changes,
    }

    /// A person with this configuration and a credential helper named `pass`.
    fn person(config: Option<&str>) -> Person {
        let folder = tempfile::tempdir().expect("a folder");
        let docker = DockerCommand {
            folder: folder.path().join("docker"),
            programs: vec![folder.path().join("programs")],
            variables: Vec::new(),
        };
        fs_err::create_dir_all(&docker.programs[0]).expect("a folder");
        let helper = format!("docker-credential-pass{}", std::env::consts::EXE_SUFFIX);
        fs_err::write(docker.programs[0].join(helper), "").expect("written");
        if let Some(config) = config {
            fs_err::create_dir_all(&docker.folder).expect("a folder");
            fs_err::write(docker.config(), config).expect("written");
        }
        Person {
            folder,
            docker,
            changes: Changes::default(),
        }
    }

    impl Person {
        fn select(&mut self) {
            self.docker
                .select("wherry", ADDRESS, "Wherry", &mut self.changes)
                .expect("selected");
        }

        fn undo(&mut self) {
            // As it would be read back from where it is kept.
            let kept = serde_json::to_string(&self.changes).expect("JSON");
            self.changes = serde_json::from_str(&kept).expect("JSON");
            DockerCommand::undo(&mut self.changes).expect("undone");
            assert!(self.changes.is_empty());
        }

        fn config(&self) -> String {
            fs_err::read_to_string(self.docker.config()).expect("a configuration")
        }

        /// The names of everything in the docker command's folder.
        fn files(&self) -> Vec<String> {
            let Ok(entries) = fs_err::read_dir(self.folder.path().join("docker")) else {
                return Vec::new();
            };
            let mut names: Vec<_> = entries
                .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn selecting_keeps_every_other_byte_and_undo_restores_the_file() {
        for style in [
            "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {}\n\t},\n\t\"unknown\": [\n\t\t1,\n\t\t2\n\t]\n}",
            "{\n  \"zebra\": 1,\n  \"auths\": {}\n}\n",
            "{\"auths\":{},\"currentContext\":\"colima\"}",
            "",
        ] {
            let mut person = person(Some(style));
            person.select();
            let looked = person.docker.look().expect("readable");
            assert_eq!(
                (looked.context.as_str(), looked.address.as_deref()),
                ("wherry", Some(ADDRESS))
            );
            let copies: Vec<_> = person
                .files()
                .into_iter()
                .filter(|name| name.starts_with("config.json.wherry-backup-"))
                .collect();
            assert_eq!(copies.len(), 1, "{copies:?}");
            person.undo();
            assert_eq!(person.config(), style);
            assert!(
                person.files().iter().all(|name| !name.contains("backup")),
                "{:?}",
                person.files()
            );
        }
    }

    #[test]
    fn what_is_written_looks_as_the_file_did() {
        let mut person = person(Some("{\n  \"zebra\": 1,\n  \"auths\": {}\n}\n"));
        person.select();
        assert_eq!(
            person.config(),
            "{\n  \"zebra\": 1,\n  \"auths\": {},\n  \"currentContext\": \"wherry\"\n}\n"
        );
    }

    #[test]
    fn without_a_configuration_undo_leaves_none() {
        let mut person = person(None);
        person.select();
        assert!(person.docker.config().exists());
        person.undo();
        assert!(!person.docker.config().exists());
        assert!(!context_file(&person.docker.folder, "wherry").exists());
    }

    #[test]
    fn what_the_person_changed_since_stays() {
        let mut person = person(Some(r#"{"auths":{}}"#));
        person.select();
        // docker login
        let edited = person.config().replace(
            "\"auths\": {}",
            "\"auths\": {\n\t\t\"ghcr.io\": {\n\t\t\t\"auth\": \"x\"\n\t\t}\n\t}",
        );
        fs_err::write(person.docker.config(), edited).expect("written");
        person.undo();
        let config: Value = serde_json::from_str(&person.config()).expect("JSON");
        assert_eq!(config, serde_json::json!({ "auths": { "ghcr.io": { "auth": "x" } } }));

        person.select();
        // docker context use colima
        fs_err::write(person.docker.config(), person.config().replace("wherry", "colima")).expect("written");
        person.undo();
        assert_eq!(person.docker.look().expect("readable").context, "colima");
    }

    #[test]
    fn another_s_context_of_our_name_comes_back() {
        let mut person = person(None);
        let file = context_file(&person.docker.folder, "wherry");
        fs_err::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs_err::write(&file, "theirs").expect("written");
        person.select();
        person
            .docker
            .select("wherry", "unix:///elsewhere", "Wherry", &mut person.changes)
            .expect("selected again");
        person.undo();
        assert_eq!(fs_err::read_to_string(&file).expect("there"), "theirs");
    }

    #[test]
    fn a_helper_that_is_not_installed_is_found_and_dropped() {
        let mut person = person(Some(
            r#"{"credsStore":"desktop","credHelpers":{"ghcr.io":"pass","gcr.io":"gcloud"},"auths":{"ghcr.io":{}}}"#,
        ));
        let missing = person.docker.look().expect("readable").missing_helpers;
        let names: Vec<_> = missing
            .iter()
            .map(|helper| (helper.program.as_str(), helper.registry.as_deref()))
            .collect();
        assert_eq!(
            names,
            [
                ("docker-credential-desktop", None),
                ("docker-credential-gcloud", Some("gcr.io"))
            ]
        );
        let before = person.config();
        person
            .docker
            .drop_missing_helpers(&mut person.changes)
            .expect("dropped");
        let config: Value = serde_json::from_str(&person.config()).expect("JSON");
        assert_eq!(
            config,
            serde_json::json!({ "credHelpers": { "ghcr.io": "pass" }, "auths": { "ghcr.io": {} } })
        );
        // Both kinds of change are one to take back, from one copy.
        person.select();
        person.undo();
        assert_eq!(person.config(), before);
    }

    #[test]
    fn a_broken_configuration_is_left_alone() {
        for broken in ["{\"auths\":", "[]", "null"] {
            let mut person = person(Some(broken));
            let error = person
                .docker
                .select("wherry", ADDRESS, "Wherry", &mut person.changes)
                .expect_err("refused");
            assert!(matches!(error, ConfigError::NotJson { .. }), "{error}");
            assert_eq!(person.config(), broken);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_and_the_rights_of_a_file_stay() {
        use std::os::unix::fs::PermissionsExt as _;
        let mut person = person(Some("{}"));
        let kept = person.folder.path().join("dotfiles.json");
        fs_err::rename(person.docker.folder.join("config.json"), &kept).expect("moved");
        fs_err::set_permissions(&kept, std::fs::Permissions::from_mode(0o640)).expect("set");
        fs_err::os::unix::fs::symlink(&kept, person.docker.folder.join("config.json")).expect("linked");
        person.select();
        let link = fs_err::symlink_metadata(person.docker.folder.join("config.json")).expect("there");
        assert!(link.is_symlink());
        let metadata = fs_err::metadata(&kept).expect("there");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
        person.undo();
        assert_eq!(fs_err::read_to_string(&kept).expect("there"), "{}");
    }
}
