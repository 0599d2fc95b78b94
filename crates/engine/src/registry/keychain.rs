//! The system's place for secrets: Keychain on macOS, Credential Manager on Windows, the Secret Service on Linux.

use crate::registry::{Login, LoginError};

/// Under which name the system shows our entries.
const SERVICE: &str = "Wherry registry";

/// Every call may wait for the person to unlock it, so they belong on a thread that may wait.
pub trait Keychain: Send + Sync + 'static {
    /// Why there is none on this computer.
    fn check(&self) -> Result<(), LoginError>;
    fn get(&self, registry: &str) -> Result<Option<Login>, LoginError>;
    fn set(&self, registry: &str, login: &Login) -> Result<(), LoginError>;
    fn remove(&self, registry: &str) -> Result<(), LoginError>;
}

#[derive(Debug)]
pub struct SystemKeychain;

impl SystemKeychain {
    fn entry(registry: &str) -> Result<keyring::Entry, LoginError> {
        keyring::Entry::new(SERVICE, registry).map_err(|source| LoginError::Keychain { source })
    }
}

impl Keychain for SystemKeychain {
    fn check(&self) -> Result<(), LoginError> {
        match keyring::Entry::store_status() {
            Ok(()) => Ok(()),
            Err(error) => Err(LoginError::NoKeychain {
                said: error.to_string(),
            }),
        }
    }

    fn get(&self, registry: &str) -> Result<Option<Login>, LoginError> {
        match Self::entry(registry)?.get_password() {
            Ok(text) => Ok(serde_json::from_str(&text).ok()),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(source) => Err(LoginError::Keychain { source }),
        }
    }

    fn set(&self, registry: &str, login: &Login) -> Result<(), LoginError> {
        // Text in a struct cannot fail to be JSON.
        let text = serde_json::to_string(login).unwrap_or_default();
        Self::entry(registry)?
            .set_password(&text)
            .map_err(|source| LoginError::Keychain { source })
    }

    fn remove(&self, registry: &str) -> Result<(), LoginError> {
        match Self::entry(registry)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(source) => Err(LoginError::Keychain { source }),
        }
    }
}
