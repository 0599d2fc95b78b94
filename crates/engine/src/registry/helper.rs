//! Wherry as a credential helper of the docker command's: a login that is in this computer's keychain is one for the
//! terminal, too (`github.com/docker/docker-credential-helpers`).

use std::collections::BTreeMap;

use super::{Kept, LoginError, Logins};
use crate::docker_command::{HelperLogin, docker_key, registry_of_key};

#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// In these words: the docker command goes on without a login only where it finds them.
    #[error("credentials not found in native keychain")]
    NotFound,
    #[error("{question} is no question for a credential helper; get, store, erase, list and version are")]
    Unknown { question: String },
    #[error("This is not how the docker command gives a login")]
    Garbled { source: serde_json::Error },
    #[error(transparent)]
    Login(#[from] LoginError),
}

impl Logins {
    /// The answer to what the docker command asks its helper.
    pub async fn as_helper(&self, question: &str, input: &str) -> Result<String, HelperError> {
        match question {
            "get" => {
                let registry = registry_of_key(input.trim());
                let login = self.in_keychain(&registry).await?.ok_or(HelperError::NotFound)?;
                Ok(json(&HelperLogin::of(&registry, &login)))
            }
            "store" => {
                let given: HelperLogin =
                    serde_json::from_str(input).map_err(|source| HelperError::Garbled { source })?;
                let registry = registry_of_key(&given.address);
                self.keep_in_keychain(&registry, given.into()).await?;
                Ok(String::new())
            }
            "erase" => {
                self.forget_own(&registry_of_key(input.trim())).await?;
                Ok(String::new())
            }
            "list" => {
                let known = self.known_in_keychain().into_iter();
                let list: BTreeMap<String, String> = known
                    .map(|(registry, user)| (docker_key(&registry).to_owned(), user))
                    .collect();
                Ok(json(&list))
            }
            "version" => Ok(env!("CARGO_PKG_VERSION").to_owned()),
            other => Err(HelperError::Unknown {
                question: other.to_owned(),
            }),
        }
    }

    /// Where a login is that the docker command has, too.
    pub(super) fn kept_by_helper(name: &str) -> Kept {
        if name == crate::docker_command::OWN_HELPER {
            Kept::Keychain { terminal: true }
        } else {
            Kept::Helper {
                program: format!("docker-credential-{name}"),
            }
        }
    }
}

/// Text in a struct or a map cannot fail to be JSON.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
