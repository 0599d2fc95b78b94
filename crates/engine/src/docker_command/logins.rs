//! The logins that `docker login` has stored and that it finds: in the docker command's configuration, or behind one
//! of its credential helpers (`github.com/docker/docker-credential-helpers`).

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{Config, ConfigError, DockerCommand, HELPERS, STORE, write_whole};
use crate::registry::{HUB, Login, LoginError, Secret};

const AUTHS: &str = "auths";

/// How Docker Hub is named in the configuration, since its first version.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A helper may have to unlock a key ring, which asks the person.
const HELPER: Duration = Duration::from_secs(30);

/// A helper answers this for an identity token instead of a password.
const TOKEN_USER: &str = "<token>";

/// The helper that this program is itself: what it keeps is in the keychain.
pub(crate) const OWN_HELPER: &str = "wherry";

/// What a helper takes and gives.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HelperLogin {
    #[serde(rename = "ServerURL", default)]
    pub(crate) address: String,
    username: String,
    secret: String,
}

impl HelperLogin {
    pub(crate) fn of(registry: &str, login: &Login) -> HelperLogin {
        HelperLogin {
            address: docker_key(registry).to_owned(),
            username: if login.is_token {
                TOKEN_USER.to_owned()
            } else {
                login.user.clone()
            },
            secret: login.secret.0.clone(),
        }
    }
}

impl From<HelperLogin> for Login {
    fn from(given: HelperLogin) -> Login {
        let is_token = given.username == TOKEN_USER;
        Login {
            user: if is_token { String::new() } else { given.username },
            secret: Secret(given.secret),
            is_token,
        }
    }
}

/// Where the docker command has a login of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredLogin {
    /// As we name it: `docker.io`, `ghcr.io`.
    pub(crate) registry: String,
    pub(crate) user: String,
    /// `None`: readable in its configuration.
    pub(crate) helper: Option<String>,
}

/// How docker's configuration names a registry.
pub(crate) fn docker_key(registry: &str) -> &str {
    if registry == HUB { HUB_KEY } else { registry }
}

/// The registry of a key of docker's configuration. Older versions wrote addresses with a scheme.
pub(crate) fn registry_of_key(key: &str) -> String {
    let bare = key.trim_start_matches("https://").trim_start_matches("http://");
    let host = bare.split('/').next().unwrap_or(bare);
    if matches!(host, "index.docker.io" | "registry-1.docker.io" | "docker.io") {
        HUB.to_owned()
    } else {
        host.to_owned()
    }
}

impl DockerCommand {
    /// The helper that keeps the login of this registry, whether it is installed or not: `pass`.
    fn helper_name(config: &Config, registry: &str) -> Option<String> {
        let own = config.object(HELPERS).and_then(|helpers| {
            let found = helpers.get(docker_key(registry)).or_else(|| helpers.get(registry))?;
            found.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
        });
        own.or_else(|| config.text(STORE))
    }

    /// The helper that would keep a login at this registry, when one is set and installed.
    pub(crate) fn helper_for(&self, registry: &str) -> Result<Option<String>, ConfigError> {
        let name = Self::helper_name(&Config::read(&self.config())?, registry);
        Ok(name.filter(|name| self.helper_program(name).is_some()))
    }

    /// The docker command would find us, if it were told to ask us.
    pub(crate) fn finds_own_helper(&self) -> bool {
        self.helper_program(OWN_HELPER).is_some()
    }

    /// The docker command asks us for its login at this registry.
    pub(crate) fn asks_own_helper(&self, registry: &str) -> Result<bool, ConfigError> {
        Ok(Self::helper_name(&Config::read(&self.config())?, registry).as_deref() == Some(OWN_HELPER))
    }

    /// Lets the docker command ask us for its login at this registry, with a copy of its configuration beside it, or no
    /// longer.
    pub(crate) fn ask_own_helper(&self, registry: &str, ask: bool) -> Result<(), ConfigError> {
        if self.asks_own_helper(registry)? == ask {
            return Ok(());
        }
        let file = self.config();
        let mut config = Config::read(&file)?;
        if !ask {
            return self.forget_own_helper(|key| registry_of_key(key) == registry).map(drop);
        }
        config.copy(&file)?;
        let helpers = config
            .values
            .entry(HELPERS)
            .or_insert_with(|| Value::Object(Map::new()));
        if !helpers.is_object() {
            *helpers = Value::Object(Map::new());
        }
        helpers[docker_key(registry)] = OWN_HELPER.into();
        write_whole(&file, &config.text_in_its_style())
    }

    /// Takes us out of the configuration wherever we are in it. Says whether we were.
    pub fn drop_own_helper(&self) -> Result<bool, ConfigError> {
        self.forget_own_helper(|_| true)
    }

    fn forget_own_helper(&self, of: impl Fn(&str) -> bool) -> Result<bool, ConfigError> {
        let file = self.config();
        let mut config = Config::read(&file)?;
        let Some(Value::Object(helpers)) = config.values.get_mut(HELPERS) else {
            return Ok(false);
        };
        let before = helpers.len();
        helpers.retain(|key, name| !(of(key) && name.as_str() == Some(OWN_HELPER)));
        if helpers.len() == before {
            return Ok(false);
        }
        if helpers.is_empty() {
            config.values.shift_remove(HELPERS);
        }
        write_whole(&file, &config.text_in_its_style())?;
        Ok(true)
    }

    fn helper_program(&self, name: &str) -> Option<PathBuf> {
        self.program(&format!("docker-credential-{name}"))
    }

    /// Who the person is to this registry. A helper that fails is a warning: a public image needs nobody.
    pub(crate) async fn login(&self, registry: &str) -> Option<Login> {
        let config = match Config::read(&self.config()) {
            Ok(config) => config,
            Err(error) => {
                tracing::warn!(%error, "the docker configuration cannot be used");
                return None;
            }
        };
        if let Some(helper) = Self::helper_name(&config, registry) {
            match self.helper_get(&helper, registry).await {
                Ok(Some(login)) => return Some(login),
                Ok(None) => {}
                Err(error) => tracing::warn!(helper, %error, "the credential helper did not answer"),
            }
        }
        stored(&config, registry)
    }

    /// Every login that is known without asking a registry.
    pub(crate) async fn logins(&self) -> Result<Vec<StoredLogin>, ConfigError> {
        let config = Config::read(&self.config())?;
        let mut found: Vec<StoredLogin> = Vec::new();
        let mut helpers: Vec<String> = config.text(STORE).into_iter().collect();
        for (registry, name) in config.object(HELPERS).into_iter().flatten() {
            // What we keep ourselves is known without a process.
            let is_new = |name: &&str| *name != OWN_HELPER && !helpers.iter().any(|known| known == name);
            if let Some(name) = name.as_str().filter(is_new) {
                tracing::trace!(registry, name, "a helper of its own");
                helpers.push(name.to_owned());
            }
        }
        for helper in helpers {
            match self.helper_list(&helper).await {
                Ok(list) => found.extend(list.into_iter().map(|(key, user)| StoredLogin {
                    registry: registry_of_key(&key),
                    user: if user == TOKEN_USER { String::new() } else { user },
                    helper: Some(helper.clone()),
                })),
                Err(error) => tracing::warn!(helper, %error, "the credential helper did not answer"),
            }
        }
        for key in config.object(AUTHS).into_iter().flatten().map(|(key, _)| key) {
            let registry = registry_of_key(key);
            if found.iter().any(|known| known.registry == registry) {
                continue;
            }
            if let Some(login) = stored(&config, &registry) {
                found.push(StoredLogin {
                    registry,
                    user: login.user,
                    helper: None,
                });
            }
        }
        Ok(found)
    }

    /// Gives a login to the helper that is set for this registry, as `docker login` does.
    pub(crate) async fn store_with_helper(&self, registry: &str, login: &Login) -> Result<(), LoginError> {
        let helper = self.helper_for(registry)?.ok_or(LoginError::NoHelper)?;
        let given = serde_json::to_vec(&HelperLogin::of(registry, login)).unwrap_or_default();
        self.ask_helper(&helper, "store", &given).await.map(drop)
    }

    /// Writes a login into the configuration, where everybody who can read the file can read it.
    pub(crate) fn store_in_config(&self, registry: &str, login: &Login) -> Result<(), ConfigError> {
        let file = self.config();
        let mut config = Config::read(&file)?;
        config.copy(&file)?;
        let auths = config.values.entry(AUTHS).or_insert_with(|| Value::Object(Map::new()));
        if !auths.is_object() {
            *auths = Value::Object(Map::new());
        }
        let auth = STANDARD.encode(format!("{}:{}", login.user, login.secret.0));
        auths[docker_key(registry)] = serde_json::json!({ "auth": auth });
        write_whole(&file, &config.text_in_its_style())
    }

    /// Forgets the login wherever the docker command has it, as `docker logout` does. No copy is made of what is to be
    /// forgotten.
    pub(crate) async fn forget_login(&self, registry: &str) -> Result<(), LoginError> {
        let file = self.config();
        let mut config = Config::read(&file)?;
        if let Some(helper) = Self::helper_name(&config, registry)
            && self.helper_program(&helper).is_some()
            && self.helper_get(&helper, registry).await?.is_some()
        {
            self.ask_helper(&helper, "erase", docker_key(registry).as_bytes())
                .await?;
        }
        let Some(Value::Object(auths)) = config.values.get_mut(AUTHS) else {
            return Ok(());
        };
        let before = auths.len();
        auths.retain(|key, _| registry_of_key(key) != registry);
        if auths.len() != before {
            write_whole(&file, &config.text_in_its_style())?;
        }
        Ok(())
    }

    async fn helper_get(&self, helper: &str, registry: &str) -> Result<Option<Login>, LoginError> {
        let answer = match self.ask_helper(helper, "get", docker_key(registry).as_bytes()).await {
            Ok(answer) => answer,
            // "credentials not found in native keychain": the person is not logged in there.
            Err(LoginError::Helper { said, .. }) if said.contains("not found") || said.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        };
        let answer: HelperLogin = serde_json::from_slice(&answer).map_err(|error| LoginError::Helper {
            program: format!("docker-credential-{helper}"),
            said: error.to_string(),
        })?;
        if answer.secret.is_empty() {
            return Ok(None);
        }
        Ok(Some(answer.into()))
    }

    async fn helper_list(&self, helper: &str) -> Result<std::collections::BTreeMap<String, String>, LoginError> {
        let answer = self.ask_helper(helper, "list", b"").await?;
        serde_json::from_slice(&answer).map_err(|error| LoginError::Helper {
            program: format!("docker-credential-{helper}"),
            said: error.to_string(),
        })
    }

    async fn ask_helper(&self, helper: &str, question: &str, input: &[u8]) -> Result<Vec<u8>, LoginError> {
        let program = format!("docker-credential-{helper}");
        let failed = |said: String| LoginError::Helper {
            program: program.clone(),
            said,
        };
        let path = self
            .program(&program)
            .ok_or_else(|| failed("it is not installed".to_owned()))?;
        let ask = async {
            let mut child = Command::new(path)
                .arg(question)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                // One that reads nothing has its own answer to give.
                let _ = stdin.write_all(input).await;
            }
            child.wait_with_output().await
        };
        let output = tokio::time::timeout(HELPER, ask)
            .await
            .map_err(|_| failed(format!("it did not answer within {} s", HELPER.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        // Helpers say what went wrong on standard output.
        let said = [output.stdout, output.stderr].concat();
        Err(failed(
            String::from_utf8_lossy(&said).trim().chars().take(300).collect(),
        ))
    }
}

fn stored(config: &Config, registry: &str) -> Option<Login> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Stored {
        auth: String,
        identitytoken: String,
    }
    let auths = config.object(AUTHS)?;
    let key = docker_key(registry);
    let exact = auths.get(key);
    let entry = exact.or_else(|| {
        let other = auths.iter().find(|(key, _)| registry_of_key(key) == registry);
        other.map(|(_, value)| value)
    })?;
    let stored = Stored::deserialize(entry).ok()?;
    let plain = STANDARD.decode(stored.auth.trim()).ok();
    let plain = plain.and_then(|plain| String::from_utf8(plain).ok());
    let (user, secret) = match plain.as_deref().and_then(|plain| plain.split_once(':')) {
        Some((user, secret)) => (user.to_owned(), secret.trim_end_matches('\0').to_owned()),
        None => (String::new(), String::new()),
    };
    if !stored.identitytoken.is_empty() {
        return Some(Login {
            user,
            secret: Secret(stored.identitytoken),
            is_token: true,
        });
    }
    // With a helper the entry is there and empty.
    (!secret.is_empty()).then_some(Login {
        user,
        secret: Secret(secret),
        is_token: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docker(config: &str) -> (tempfile::TempDir, DockerCommand) {
        let folder = tempfile::tempdir().expect("a folder");
        let docker = DockerCommand {
            folder: folder.path().join("docker"),
            programs: vec![folder.path().to_owned()],
            variables: Vec::new(),
        };
        fs_err::create_dir_all(&docker.folder).expect("a folder");
        fs_err::write(docker.config(), config).expect("written");
        (folder, docker)
    }

    fn ada() -> Login {
        Login {
            user: "ada".into(),
            secret: Secret("s:cret".into()),
            is_token: false,
        }
    }

    #[tokio::test]
    async fn a_stored_login_is_found_under_every_name_it_may_have() {
        let login = STANDARD.encode("ada:s:cret");
        for (key, registry) in [
            (HUB_KEY, HUB),
            ("localhost:5000", "localhost:5000"),
            ("https://ghcr.io", "ghcr.io"),
            ("https://ghcr.io/v1/", "ghcr.io"),
        ] {
            let (_folder, docker) = docker(&format!(r#"{{"auths":{{"{key}":{{"auth":"{login}"}}}}}}"#));
            assert_eq!(docker.login(registry).await, Some(ada()), "{registry}");
            let all = docker.logins().await.expect("readable");
            assert_eq!((all[0].registry.as_str(), all[0].user.as_str()), (registry, "ada"));
        }
        for none in [
            r#"{"auths":{"ghcr.io":{}}}"#,
            r#"{"auths":{"ghcr.io":{"auth":"%"}}}"#,
            r#"{"auths":{"ghcr.io":7}}"#,
            "{}",
        ] {
            let (_folder, docker) = docker(none);
            assert_eq!(docker.login("ghcr.io").await, None, "{none}");
        }
    }

    #[tokio::test]
    async fn a_login_in_the_configuration_comes_and_goes_and_leaves_the_rest() {
        let before = "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {\n\t\t\t\"auth\": \"eDp5\"\n\t\t}\n\t},\n\t\"other\": 1\n}";
        let (_folder, docker) = docker(before);
        docker.store_in_config(HUB, &ada()).expect("written");
        assert_eq!(docker.login(HUB).await, Some(ada()));
        assert_eq!(docker.login("ghcr.io").await.map(|login| login.user), Some("x".into()));
        let copies = fs_err::read_dir(&docker.folder).expect("a folder").count();
        assert_eq!(copies, 2, "the file as it was is beside it");
        docker.forget_login(HUB).await.expect("forgotten");
        assert_eq!(fs_err::read_to_string(docker.config()).expect("text"), before);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_helper_keeps_lists_and_forgets() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, docker) = docker(r#"{"credsStore":"box"}"#);
        assert_eq!(
            docker.helper_for("ghcr.io").expect("readable"),
            None,
            "it is not installed"
        );
        let kept = folder.path().join("kept");
        let program = folder.path().join("docker-credential-box");
        let script = format!(
            "#!/bin/sh\nkept='{}'\ncase $1 in\nstore) cat >\"$kept\";;\n\
             get) cat \"$kept\" 2>/dev/null || {{ echo 'credentials not found in native keychain'; exit 1; }};;\n\
             erase) rm \"$kept\";;\nlist) [ -f \"$kept\" ] && echo '{{\"ghcr.io\":\"ada\"}}' || echo '{{}}';;\nesac\n",
            kept.display()
        );
        fs_err::write(&program, script).expect("written");
        fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
        assert_eq!(docker.helper_for("ghcr.io").expect("readable").as_deref(), Some("box"));
        assert_eq!(docker.login("ghcr.io").await, None);
        docker.store_with_helper("ghcr.io", &ada()).await.expect("stored");
        assert_eq!(docker.login("ghcr.io").await, Some(ada()));
        let all = docker.logins().await.expect("readable");
        assert_eq!(
            all,
            [StoredLogin {
                registry: "ghcr.io".into(),
                user: "ada".into(),
                helper: Some("box".into())
            }]
        );
        docker.forget_login("ghcr.io").await.expect("forgotten");
        assert_eq!(docker.login("ghcr.io").await, None);
        assert_eq!(
            fs_err::read_to_string(docker.config()).expect("text"),
            r#"{"credsStore":"box"}"#,
            "what a helper keeps changes no configuration"
        );
    }
}
