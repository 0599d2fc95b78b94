//! Docker Hub's own pages, as data: what its registry cannot say (a search, sizes without counting a pull).

use reqwest::Url;
use serde::{Deserialize, Deserializer, Serialize};
use ts_rs::TS;

use crate::registry::holdings::{is_platform, platform_name};
use crate::registry::{RegistryClient, RegistryError, RemoteImage};

/// Where Docker Hub is.
pub const HUB_SITE: &str = "https://hub.docker.com/";

const PAGE: usize = 50;

/// An image that Docker Hub knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FoundImage {
    /// As `docker pull` takes it: `postgres`, `bitnami/postgresql`.
    pub name: String,
    pub description: String,
    /// Made by Docker together with the project.
    pub official: bool,
    /// Docker knows who publishes it.
    pub verified: bool,
    pub stars: u64,
    /// In Hub's own words: "1B+".
    pub pulls: String,
}

/// A tag, with what is known of it without asking more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RemoteTag {
    pub name: String,
    /// To download, for the engine's platform.
    pub bytes: Option<u64>,
    /// When it came there, or where a registry does not say that, when it was built: Unix seconds.
    pub since: Option<i64>,
    pub platforms: Vec<String>,
}

/// Asks Docker Hub's site.
pub struct Hub {
    site: RegistryClient,
}

fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[derive(Deserialize)]
struct Search {
    #[serde(default, deserialize_with = "or_empty")]
    results: Vec<Hit>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Hit {
    #[serde(deserialize_with = "or_empty")]
    name: String,
    #[serde(deserialize_with = "or_empty")]
    slug: String,
    #[serde(deserialize_with = "or_empty")]
    short_description: String,
    #[serde(deserialize_with = "or_empty")]
    badge: String,
    #[serde(deserialize_with = "or_empty")]
    source: String,
    #[serde(deserialize_with = "or_empty")]
    star_count: u64,
    #[serde(deserialize_with = "or_empty")]
    rate_plans: Vec<RatePlan>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RatePlan {
    #[serde(deserialize_with = "or_empty")]
    repositories: Vec<RatedRepository>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RatedRepository {
    #[serde(deserialize_with = "or_empty")]
    pull_count: String,
}

#[derive(Deserialize)]
struct TagPage {
    #[serde(default, deserialize_with = "or_empty")]
    results: Vec<Tag>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tag {
    name: String,
    #[serde(deserialize_with = "or_empty")]
    digest: String,
    #[serde(deserialize_with = "or_empty")]
    last_updated: String,
    #[serde(deserialize_with = "or_empty")]
    images: Vec<TagImage>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TagImage {
    #[serde(deserialize_with = "or_empty")]
    os: String,
    #[serde(deserialize_with = "or_empty")]
    architecture: String,
    #[serde(deserialize_with = "or_empty")]
    variant: String,
    #[serde(deserialize_with = "or_empty")]
    size: u64,
}

impl TagImage {
    fn platform(&self) -> String {
        platform_name(&self.os, &self.architecture, &self.variant)
    }
}

impl Tag {
    /// Attestations are listed as images of no platform.
    fn real(&self) -> impl Iterator<Item = &TagImage> {
        self.images.iter().filter(|image| image.architecture != "unknown")
    }

    fn pushed(&self) -> Option<i64> {
        let time: jiff::Timestamp = self.last_updated.parse().ok()?;
        Some(time.as_second())
    }
}

impl Hub {
    /// `site` is [`HUB_SITE`], or what stands in for it.
    pub fn new(site: &str, http: reqwest::ClientBuilder) -> Result<Hub, RegistryError> {
        let base = Url::parse(site).map_err(|_| RegistryError::BadAddress {
            address: site.to_owned(),
        })?;
        Ok(Hub {
            site: RegistryClient::site("Docker Hub", base, http)?,
        })
    }

    pub async fn search(&self, query: &str) -> Result<Vec<FoundImage>, RegistryError> {
        let query = form_urlencoded::byte_serialize(query.as_bytes()).collect::<String>();
        let path = format!("api/search/v3/catalog/search?query={query}&type=image&from=0&size={PAGE}");
        let found: Search = self.site.value(&path, "", "application/json").await?;
        Ok(found.results.into_iter().filter_map(hit).collect())
    }

    /// The newest first. `repository` is `library/postgres`.
    pub async fn tags(&self, repository: &str, named: &str, platform: &str) -> Result<Vec<RemoteTag>, RegistryError> {
        let named = form_urlencoded::byte_serialize(named.as_bytes()).collect::<String>();
        let path = format!("v2/repositories/{repository}/tags?page_size=100&ordering=last_updated&name={named}");
        let page: TagPage = self.site.value(&path, "", "application/json").await?;
        Ok(page.results.into_iter().map(|tag| remote_tag(&tag, platform)).collect())
    }

    /// What a tag stands for, without its layers.
    pub async fn image(&self, repository: &str, tag: &str, platform: &str) -> Result<RemoteImage, RegistryError> {
        let path = format!("v2/repositories/{repository}/tags/{tag}");
        let found: Tag = self.site.value(&path, "", "application/json").await?;
        let platforms: Vec<String> = found.real().map(TagImage::platform).collect();
        let own = found.real().find(|image| is_platform(&image.platform(), platform));
        let Some(chosen) = own.or(found.real().next()) else {
            return Err(RegistryError::Missing {
                registry: self.site.name().to_owned(),
                what: format!("image named {}:{tag}", repository.trim_start_matches("library/")),
                said: "it has no images".into(),
            });
        };
        Ok(RemoteImage {
            digest: Some(found.digest.clone()).filter(|digest| !digest.is_empty()),
            platforms,
            platform: chosen.platform(),
            fits: own.is_some(),
            layers: Vec::new(),
            bytes: chosen.size,
            created: found.pushed().unwrap_or(0),
        })
    }
}

fn hit(hit: Hit) -> Option<FoundImage> {
    let name = if hit.slug.is_empty() { hit.name } else { hit.slug };
    let name = name.trim_start_matches("library/").to_owned();
    // What could not be pulled is no use to anybody.
    crate::name::Reference::parse(&name).ok()?;
    let pulls = hit.rate_plans.into_iter().flat_map(|plan| plan.repositories).next();
    Some(FoundImage {
        official: hit.badge == "official" || hit.source == "store" || hit.source == "official",
        verified: hit.badge == "verified_publisher" || hit.source == "verified_publisher",
        description: hit.short_description,
        stars: hit.star_count,
        pulls: pulls.map(|repository| repository.pull_count).unwrap_or_default(),
        name,
    })
}

fn remote_tag(tag: &Tag, platform: &str) -> RemoteTag {
    let own = tag.real().find(|image| is_platform(&image.platform(), platform));
    RemoteTag {
        name: tag.name.clone(),
        bytes: own.or(tag.real().next()).map(|image| image.size),
        since: tag.pushed(),
        platforms: tag.real().map(TagImage::platform).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_search_finds_is_marked_by_who_made_it() {
        let found: Search = serde_json::from_str(
            r#"{"total":3,"results":[
            {"name":"postgres","slug":"postgres","type":"image","short_description":"The PostgreSQL database","badge":"official",
             "star_count":14600,"source":"store","rate_plans":[{"id":"free","repositories":[{"name":"postgres","pull_count":"1B+"}]}]},
            {"name":"bitnami/postgresql","slug":"bitnami/postgresql","badge":"verified_publisher","short_description":null,"star_count":298},
            {"name":"<script>","slug":"<script>","badge":"none"}]}"#,
        )
        .expect("results");
        let found: Vec<FoundImage> = found.results.into_iter().filter_map(hit).collect();
        assert_eq!(found.len(), 2, "a name that cannot be pulled is left out");
        assert!(found[0].official && !found[0].verified && found[0].pulls == "1B+");
        assert!(found[1].verified && !found[1].official);
    }

    #[test]
    fn a_tag_says_its_size_for_the_engine() {
        let tag: Tag = serde_json::from_str(
            r#"{"name":"17","last_updated":"2026-11-01T10:00:00Z","digest":"sha256:ab","images":[
            {"os":"linux","architecture":"arm64","variant":"v8","size":10},{"os":"linux","architecture":"amd64","variant":null,"size":20},
            {"os":"unknown","architecture":"unknown","size":1}]}"#,
        )
        .expect("a tag");
        let tag = remote_tag(&tag, "linux/amd64");
        assert_eq!(
            (tag.bytes, tag.platforms.as_slice()),
            (Some(20), &["linux/arm64/v8".to_owned(), "linux/amd64".into()][..])
        );
        assert_eq!(tag.since, Some(1_793_527_200));
    }
}
