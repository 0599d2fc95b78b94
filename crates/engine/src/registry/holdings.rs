//! What a registry has: tags, and what stands behind one of them.

use reqwest::header::{HeaderMap, LINK};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::registry::{RegistryClient, RegistryError};

const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// How many tags are read at most. Beyond that nobody reads a list, and a search by name still finds the image.
const MOST_TAGS: usize = 5000;
const PAGE: usize = 1000;

/// An image as a registry has it, for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RemoteImage {
    /// Of what the tag names: the list of platforms, where there is one.
    pub digest: Option<String>,
    /// `linux/amd64`, `linux/arm64/v8`; those that the registry has this image for.
    pub platforms: Vec<String>,
    /// The one that is described here: the engine's own, or the only one there is.
    pub platform: String,
    /// The platform is the engine's own.
    pub fits: bool,
    pub layers: Vec<RemoteLayer>,
    /// Of all layers as they are downloaded.
    pub bytes: u64,
    /// Unix seconds; 0 where the image does not say.
    pub created: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RemoteLayer {
    pub digest: String,
    pub bytes: u64,
    /// Of the layer unpacked, by which an engine knows it.
    pub diff_id: Option<String>,
}

/// How many pulls a registry allows, as Docker Hub says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    pub allowed: u64,
    pub left: u64,
    /// For how long that many are allowed.
    pub window_seconds: u64,
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    manifests: Vec<Listed>,
    #[serde(default)]
    config: Option<Blob>,
    #[serde(default)]
    layers: Vec<Blob>,
}

#[derive(Deserialize)]
struct Listed {
    digest: String,
    #[serde(default)]
    platform: Platform,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Platform {
    os: String,
    architecture: String,
    variant: String,
}

#[derive(Deserialize)]
struct Blob {
    digest: String,
    #[serde(default)]
    size: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    created: Option<String>,
    os: String,
    architecture: String,
    variant: String,
    rootfs: RootFs,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RootFs {
    diff_ids: Vec<String>,
}

impl Platform {
    fn name(&self) -> String {
        platform_name(&self.os, &self.architecture, &self.variant)
    }
}

pub(crate) fn platform_name(os: &str, architecture: &str, variant: &str) -> String {
    let joined = [os, architecture, variant];
    let parts: Vec<&str> = joined.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

/// Images of a platform run on another one when all but the variant is the same: `linux/arm64/v8` is `linux/arm64`.
pub(crate) fn is_platform(image: &str, engine: &str) -> bool {
    let bare = |name: &str| name.splitn(3, '/').take(2).map(str::to_owned).collect::<Vec<_>>();
    bare(image) == bare(engine)
}

impl RegistryClient {
    /// Tags in the registry's own order. `repository` is a name without registry and tag: `library/python`.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, RegistryError> {
        let scope = format!("repository:{repository}:pull");
        let mut found = Vec::new();
        let mut path = format!("{repository}/tags/list?n={PAGE}");
        loop {
            let answer = self.get(&path, &scope, "application/json").await?;
            let page: Tags = self.parse(&answer.body)?;
            let tags = page.tags.unwrap_or_default();
            let got = tags.len();
            found.extend(tags);
            match next_page(&answer.headers) {
                Some(next) if got > 0 && found.len() < MOST_TAGS => path = next,
                Some(_) | None => return Ok(found),
            }
        }
    }

    /// What the tag or digest stands for, on `platform` (`linux/amd64`). Docker Hub counts this as a pull.
    pub async fn image(&self, repository: &str, version: &str, platform: &str) -> Result<RemoteImage, RegistryError> {
        let scope = format!("repository:{repository}:pull");
        let accept = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST].join(", ");
        let path = format!("{repository}/manifests/{version}");
        let answer = self.get(&path, &scope, &accept).await?;
        let digest = header(&answer.headers, "docker-content-digest");
        let mut manifest: Manifest = self.parse(&answer.body)?;
        // Attestations are listed as images of no platform.
        let listed = |manifest: &Manifest| -> Vec<String> {
            let names = manifest.manifests.iter().map(|listed| listed.platform.name());
            names.filter(|name| !name.starts_with("unknown")).collect()
        };
        let mut platforms = listed(&manifest);
        if !manifest.manifests.is_empty() {
            let own = manifest
                .manifests
                .iter()
                .find(|listed| is_platform(&listed.platform.name(), platform));
            let Some(chosen) = own.or(manifest.manifests.first()) else {
                return Err(self.nothing(repository, version));
            };
            let path = format!("{repository}/manifests/{}", chosen.digest);
            manifest = self.value(&path, &scope, &accept).await?;
        }
        let Some(config) = &manifest.config else {
            return Err(self.nothing(repository, version));
        };
        let config: Config = self
            .value(&format!("{repository}/blobs/{}", config.digest), &scope, "")
            .await?;
        let described = platform_name(&config.os, &config.architecture, &config.variant);
        if platforms.is_empty() {
            platforms.push(described.clone());
        }
        let diff_ids = config.rootfs.diff_ids;
        let layers: Vec<RemoteLayer> = manifest
            .layers
            .into_iter()
            .enumerate()
            .map(|(at, layer)| RemoteLayer {
                digest: layer.digest,
                bytes: layer.size,
                diff_id: diff_ids.get(at).cloned(),
            })
            .collect();
        Ok(RemoteImage {
            digest,
            platforms,
            fits: is_platform(&described, platform),
            platform: described,
            bytes: layers.iter().map(|layer| layer.bytes).sum(),
            layers,
            created: created(config.created.as_deref()),
        })
    }

    /// The digest that a tag stands for now, and how many pulls are left where the registry says so. No pull is
    /// counted for it.
    pub async fn current(
        &self,
        repository: &str,
        version: &str,
    ) -> Result<(Option<String>, Option<Limit>), RegistryError> {
        let scope = format!("repository:{repository}:pull");
        let accept = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST].join(", ");
        let answer = self
            .head(&format!("{repository}/manifests/{version}"), &scope, &accept)
            .await?;
        Ok((header(&answer.headers, "docker-content-digest"), limit(&answer.headers)))
    }

    fn nothing(&self, repository: &str, version: &str) -> RegistryError {
        RegistryError::Missing {
            registry: self.name().to_owned(),
            what: format!("image named {repository}:{version}"),
            said: "it is no image".into(),
        }
    }
}

fn created(text: Option<&str>) -> i64 {
    text.and_then(|text| text.parse::<jiff::Timestamp>().ok())
        .map_or(0, jiff::Timestamp::as_second)
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 97;w=21600`
fn limit(headers: &HeaderMap) -> Option<Limit> {
    let read = |name: &str| {
        let text = header(headers, name)?;
        let (count, rest) = text.split_once(';').unwrap_or((&text, ""));
        let window = rest.split(';').find_map(|part| part.trim().strip_prefix("w="));
        Some((
            count.trim().parse::<u64>().ok()?,
            window.and_then(|window| window.trim().parse().ok()).unwrap_or(0),
        ))
    };
    let (allowed, window) = read("ratelimit-limit")?;
    let (left, _) = read("ratelimit-remaining")?;
    Some(Limit {
        allowed,
        left,
        window_seconds: window,
    })
}

/// `</v2/library/python/tags/list?last=3.9&n=1000>; rel="next"`, as a path below `/v2/`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    if !rest.contains("next") {
        return None;
    }
    let path = match target.find("/v2/") {
        Some(at) => &target[at + "/v2/".len()..],
        None => target,
    };
    // Never to somewhere else.
    (!path.contains("://") && !path.starts_with('/')).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn docker_hub_says_how_many_pulls_are_left() {
        let said = headers(&[
            ("ratelimit-limit", "100;w=21600"),
            ("ratelimit-remaining", "97;w=21600"),
        ]);
        let left = limit(&said).expect("a limit");
        assert_eq!((left.allowed, left.left, left.window_seconds), (100, 97, 21600));
        assert_eq!(limit(&headers(&[("ratelimit-limit", "many")])), None);
    }

    #[test]
    fn the_next_page_is_the_same_registry_s() {
        for (link, next) in [
            (
                "</v2/a/tags/list?last=x&n=1000>; rel=\"next\"",
                Some("a/tags/list?last=x&n=1000"),
            ),
            (
                "<https://r.example/v2/a/tags/list?last=x>; rel=next",
                Some("a/tags/list?last=x"),
            ),
            ("<https://evil.example/steal>; rel=next", None),
            ("<//evil.example/steal>; rel=next", None),
            ("</v2/a/tags/list>; rel=\"prev\"", None),
            ("nonsense", None),
        ] {
            assert_eq!(next_page(&headers(&[("link", link)])).as_deref(), next, "{link}");
        }
    }

    #[test]
    fn a_platform_fits_whatever_its_variant() {
        assert!(is_platform("linux/arm64/v8", "linux/arm64"));
        assert!(!is_platform("linux/arm/v7", "linux/arm64"));
        assert!(!is_platform("windows/amd64", "linux/amd64"));
    }
}
