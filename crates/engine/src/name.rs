//! Names of containers and images: which we put into a request, and how people read them.

use crate::Error;

/// A container's name or id, checked so that it is one part of a path.
pub(crate) fn container(name: &str) -> Result<&str, Error> {
    part("a container", name)
}

/// `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, as the engine says.
pub(crate) fn is_container_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "_.-".contains(character))
}

/// A volume's name. The engine has the same rule for them as for containers.
pub(crate) fn volume(name: &str) -> Result<&str, Error> {
    part("a volume", name)
}

/// A network's name, which the engine leaves freer: here it has to be one part of a path.
pub(crate) fn network(name: &str) -> Result<&str, Error> {
    part("a network", name)
}

fn part<'a>(kind: &'static str, name: &'a str) -> Result<&'a str, Error> {
    if is_container_name(name) {
        Ok(name)
    } else {
        Err(Error::BadName {
            kind,
            name: name.to_owned(),
        })
    }
}

/// An image's reference or id, checked so that it stays in its path.
pub(crate) fn image(reference: &str) -> Result<&str, Error> {
    let fits = reference.starts_with(|first: char| first.is_ascii_alphanumeric())
        && reference
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "_.-/:@[]".contains(character))
        && reference
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    if fits {
        Ok(reference)
    } else {
        Err(Error::BadName {
            kind: "an image",
            name: reference.to_owned(),
        })
    }
}

/// A reference in its three parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// `docker.io`, `ghcr.io`, `localhost:5000`
    pub(crate) registry: &'a str,
    /// As it was written, without tag and digest.
    pub(crate) repository: &'a str,
    /// The tag, or the digest with its algorithm. `python` means `python:latest`.
    pub(crate) version: &'a str,
}

pub const HUB: &str = "docker.io";

impl<'a> Reference<'a> {
    /// The rules of `github.com/distribution/reference`.
    pub(crate) fn parse(text: &'a str) -> Result<Reference<'a>, Error> {
        image(text)?;
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let last_part = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name[last_part..].split_once(':') {
            Some((last, tag)) => (&name[..last_part + last.len()], Some(tag)),
            None => (name, None),
        };
        let registry = match repository.split_once('/') {
            Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
            Some(_) | None => HUB,
        };
        let version = digest.or(tag).unwrap_or("latest");
        if repository.is_empty() || version.is_empty() {
            return Err(Error::BadName {
                kind: "an image",
                name: text.to_owned(),
            });
        }
        Ok(Reference {
            registry,
            repository,
            version,
        })
    }
}

/// How the docker command shows a reference: `docker.io/library/python:3.13` is `python:3.13`.
pub(crate) fn familiar(reference: &str) -> String {
    let short = reference
        .strip_prefix("docker.io/library/")
        .or_else(|| reference.strip_prefix("index.docker.io/library/"))
        .or_else(|| reference.strip_prefix("docker.io/"))
        .or_else(|| reference.strip_prefix("index.docker.io/"));
    match short {
        Some(short) => short.to_owned(),
        // An image without a name is shown by the start of its id.
        None => match reference.strip_prefix("sha256:") {
            Some(id) if id.len() == 64 => id[..12].to_owned(),
            _ => reference.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_comes_apart_as_the_docker_command_takes_it_apart() {
        let digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        for (text, registry, repository, version) in [
            ("python", HUB, "python", "latest"),
            ("python:3.13-slim", HUB, "python", "3.13-slim"),
            ("library/python", HUB, "library/python", "latest"),
            ("localhost/x", "localhost", "localhost/x", "latest"),
            ("localhost:5000/x", "localhost:5000", "localhost:5000/x", "latest"),
            ("localhost:5000/a/x:1", "localhost:5000", "localhost:5000/a/x", "1"),
            ("ghcr.io/mlflow/mlflow:v3", "ghcr.io", "ghcr.io/mlflow/mlflow", "v3"),
            (&format!("python:3.13@{digest}"), HUB, "python", digest),
            (&format!("ghcr.io/a/b@{digest}"), "ghcr.io", "ghcr.io/a/b", digest),
        ] {
            assert_eq!(
                Reference::parse(text).expect(text),
                Reference {
                    registry,
                    repository,
                    version
                },
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_leaves_its_path() {
        for text in [
            "",
            "../containers/json",
            "a/../../b",
            "a?force=1",
            "a#b",
            "-v",
            "a b",
            "a//b",
            "/a",
            "a:",
            "a@",
        ] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
        for text in ["", "../x", "a/b", "a?b", "-x", "ä"] {
            assert!(container(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_hub_s_own_prefix_is_not_shown() {
        assert_eq!(familiar("docker.io/library/python:3.13"), "python:3.13");
        assert_eq!(familiar("docker.io/ollama/ollama"), "ollama/ollama");
        assert_eq!(familiar("localhost:5000/x"), "localhost:5000/x");
        assert_eq!(familiar(&format!("sha256:{}", "a".repeat(64))), "aaaaaaaaaaaa");
    }
}
