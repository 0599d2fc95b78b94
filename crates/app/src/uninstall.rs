//! Wherry leaves this computer: what it has put elsewhere goes, and what it keeps goes only when the person says so.

use std::io;
use std::sync::Arc;

use wherry_engine::{Logins, SystemKeychain};
use wherry_machine::Home;

use crate::Problem;

/// What Wherry makes in its folder, which may be one that the person has chosen and has other things in.
const MADE: [&str; 13] = [
    "backup.lock",
    "clicked.jsonl",
    "docker-command.json",
    "docker.sock",
    "logs",
    "machine",
    "registries.json",
    "registries.lock",
    "run",
    "set-aside",
    "settings.json",
    "webview",
    "window.json",
];

/// Takes out of this computer's keychain what is there for Wherry alone. Returned are the registries.
pub async fn forget_logins(home: &Home) -> Result<Vec<String>, Problem> {
    let logins = Logins::new(home.root().join("registries.json"), Arc::new(SystemKeychain));
    Ok(logins.forget_keychain().await?)
}

/// Removes everything that Wherry has made in its folder, and the folder when nothing else is in it. Says whether it is
/// gone.
pub fn remove_home(home: &Home) -> io::Result<bool> {
    for name in MADE {
        let path = home.root().join(name);
        let removed = match fs_err::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => fs_err::remove_dir_all(&path),
            Ok(_) => fs_err::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    match fs_err::remove_dir(home.root()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_wherrys_stays() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().join("home");
        fs_err::create_dir_all(root.join("machine"))?;
        for name in ["settings.json", "machine/data.raw", "letter.txt"] {
            fs_err::write(root.join(name), "mine")?;
        }
        let home = Home::at(&root);
        assert!(!remove_home(&home)?, "somebody else's file is in it");
        let left: Vec<_> = fs_err::read_dir(&root)?
            .filter_map(Result::ok)
            .map(|entry| entry.file_name())
            .collect();
        assert_eq!(left, ["letter.txt"]);
        fs_err::remove_file(root.join("letter.txt"))?;
        assert!(remove_home(&home)?);
        assert!(!root.exists());
        assert!(remove_home(&home)?, "there is nothing any more");
        Ok(())
    }
}
