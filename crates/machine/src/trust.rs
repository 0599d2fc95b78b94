//! Whom this computer trusts: its certificate authorities, and what it keeps for single registries.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wherry_link::{RegistryFile, Secret};

/// Beyond this a folder holds something other than a few certificates, and it would not fit into one message.
const LONGEST_REGISTRY_FILES: usize = 512 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trust {
    /// Each as PEM, in an order that says nothing.
    pub(crate) authorities: Vec<String>,
    pub(crate) registry_files: Vec<RegistryFile>,
    /// What could not be read, for the log.
    pub(crate) troubles: Vec<String>,
}

/// Reads some hundred files, so not on a thread that others wait for.
pub(crate) fn read() -> Trust {
    let found = rustls_native_certs::load_native_certs();
    let mut troubles: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
    // Folders give their files in any order; what has not changed is to look the same every time.
    let authorities: BTreeSet<String> = found.certs.iter().map(|certificate| pem(certificate)).collect();
    let registry_files = registry_files(&registry_folders(), &mut troubles);
    Trust {
        authorities: authorities.into_iter().collect(),
        registry_files,
        troubles,
    }
}

/// Docker's own, and the one in which its desktop applications let people keep theirs.
fn registry_folders() -> Vec<PathBuf> {
    let own = etcetera::home_dir().map(|home| home.join(".docker/certs.d")).ok();
    [PathBuf::from("/etc/docker/certs.d")].into_iter().chain(own).collect()
}

/// RFC 7468.
fn pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// What Docker's clients expect at `/etc/docker/certs.d/HOST:PORT/{*.crt,*.cert,*.key}`. A folder further back in the
/// list has the last word.
fn registry_files(folders: &[PathBuf], troubles: &mut Vec<String>) -> Vec<RegistryFile> {
    let mut found: Vec<RegistryFile> = Vec::new();
    let mut length = 0;
    for path in folders.iter().flat_map(|folder| files_below(folder)) {
        let name = |path: Option<&Path>| Some(path?.file_name()?.to_str()?.to_owned());
        let (Some(registry), Some(name)) = (name(path.parent()), name(Some(&path))) else {
            continue;
        };
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                troubles.push(error.to_string());
                continue;
            }
        };
        length += text.len();
        if length > LONGEST_REGISTRY_FILES {
            troubles.push(format!("{} and what follows it is too long", path.display()));
            break;
        }
        found.retain(|file| (&file.registry, &file.name) != (&registry, &name));
        found.push(RegistryFile {
            registry,
            name,
            text: Secret(text),
        });
    }
    found
}

/// The files of each registry's folder, sorted.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = fs_err::read_dir(folder)
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        paths.sort();
        paths
    };
    let is_ours = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("crt" | "cert" | "key")) && path.is_file()
    };
    let registries = entries(folder);
    registries
        .iter()
        .flat_map(|registry| entries(registry))
        .filter(is_ours)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_becomes_lines_of_64_characters() {
        let text = pem(&[0; 100]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.first(), Some(&"-----BEGIN CERTIFICATE-----"));
        assert_eq!(lines.last(), Some(&"-----END CERTIFICATE-----"));
        assert_eq!(lines[1].len(), 64);
        assert_eq!(
            STANDARD.decode(lines[1..lines.len() - 1].concat()).ok(),
            Some(vec![0; 100])
        );
    }

    #[test]
    fn files_of_registries_are_found_and_the_persons_own_win() -> std::io::Result<()> {
        let place = tempfile::tempdir()?;
        let (system, own) = (place.path().join("system"), place.path().join("own"));
        for (folder, file, text) in [
            (&system, "one:5000/ca.crt", "system's"),
            (&system, "one:5000/client.key", "key"),
            (&system, "one:5000/notes.txt", "no"),
            (&own, "one:5000/ca.crt", "own"),
            (&own, "two/ca.crt", "two"),
        ] {
            let path = folder.join(file);
            fs_err::create_dir_all(path.parent().expect("a folder"))?;
            fs_err::write(path, text)?;
        }
        let mut troubles = Vec::new();
        let files = registry_files(&[system, own, place.path().join("none")], &mut troubles);
        let found: Vec<_> = files
            .iter()
            .map(|file| (file.registry.as_str(), file.name.as_str(), file.text.0.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("one:5000", "client.key", "key"),
                ("one:5000", "ca.crt", "own"),
                ("two", "ca.crt", "two")
            ]
        );
        assert!(troubles.is_empty());
        Ok(())
    }
}
