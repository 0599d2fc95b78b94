//! Whether a registry has a newer image of the same name. Asked only for what somebody sees, a few at a time, and
//! remembered; a registry that does not answer, or asks for less, is left alone for a while.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use ts_rs::TS;
use wherry_engine::{Engine, ImageName, RegistryError};

use crate::{App, Problem};

/// How many registries are asked at once.
const AT_ONCE: usize = 3;

/// More than a window shows at once is nobody's question.
const MOST: usize = 100;

/// A tag moves a few times a month.
const KNOWN_FOR: Duration = Duration::from_hours(6);

/// A registry that could not be asked. After a 429 that says when, until then.
const LEFT_ALONE: Duration = Duration::from_mins(30);

/// Longer than this a registry says nothing that somebody still waits for.
const PATIENCE: Duration = Duration::from_secs(15);

/// Images as somebody sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImagesSeen {
    pub images: Vec<ImageSeen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ImageSeen {
    /// With a tag: `python:3.12`.
    pub reference: String,
    /// The image here: that of the name, or the one that a container was made from.
    pub id: String,
}

/// What a registry says of one. Images that no registry knows are not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Newness {
    pub image: ImageSeen,
    pub newer: bool,
    /// Unix milliseconds, when the registry was looked at.
    pub looked_at: u64,
}

#[derive(Default)]
struct Looks {
    /// By reference.
    found: HashMap<String, Look>,
    /// Registries that are left alone until then.
    resting: HashMap<String, Instant>,
}

#[derive(Clone)]
struct Look {
    at: Instant,
    at_millis: u64,
    /// What the registry has.
    digest: String,
    /// What was here then. Whoever pulls it meanwhile has something that this look does not know.
    here: Vec<String>,
}

pub(crate) struct Newer {
    /// Locked to look and to note, never while somebody is asked.
    looks: Mutex<Looks>,
    asking: Semaphore,
}

impl Default for Newer {
    fn default() -> Newer {
        Newer {
            looks: Mutex::default(),
            asking: Semaphore::new(AT_ONCE),
        }
    }
}

impl Newer {
    fn lock(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, reference: &str, here: &[String]) -> Option<Look> {
        let looks = self.lock();
        let look = looks.found.get(reference)?;
        (look.at.elapsed() < KNOWN_FOR && look.here == here).then(|| look.clone())
    }

    fn is_resting(&self, registry: &str) -> bool {
        let mut looks = self.lock();
        looks.resting.retain(|_, until| *until > Instant::now());
        looks.resting.contains_key(registry)
    }

    fn rest(&self, registry: &str, error: &RegistryError) {
        let until = match error {
            RegistryError::TooMany { until: Some(until), .. } => {
                let millis = until.as_millisecond() - jiff_now();
                Duration::from_millis(u64::try_from(millis).unwrap_or(0)).max(LEFT_ALONE)
            }
            _ => LEFT_ALONE,
        };
        self.lock().resting.insert(registry.to_owned(), Instant::now() + until);
    }

    /// What was just pushed is asked for anew.
    pub(crate) fn forget(&self, reference: &str) {
        self.lock().found.remove(reference);
    }
}

fn jiff_now() -> i64 {
    i64::try_from(millis()).unwrap_or(i64::MAX)
}

fn millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

impl App {
    pub(crate) async fn newness(&self, seen: ImagesSeen) -> Result<Vec<Newness>, Problem> {
        let engine = self.engine().await?;
        let digests = digests(&engine).await?;
        let asked = seen.images.into_iter().take(MOST).filter_map(|image| {
            let name = ImageName::parse(&image.reference)
                .ok()
                .filter(|name| !name.is_digest())?;
            let here = of_repository(digests.get(&image.id)?, &name);
            (!here.is_empty()).then_some((image, name, here))
        });
        let asked: Vec<_> = asked.collect();
        let told = futures::stream::iter(asked)
            .map(|(image, name, here)| self.look(image, name, here))
            .buffered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        Ok(told.into_iter().flatten().collect())
    }

    async fn look(&self, image: ImageSeen, name: ImageName, here: Vec<String>) -> Option<Newness> {
        let newer = &self.parts.newer;
        let look = if let Some(look) = newer.known(&image.reference, &here) {
            look
        } else {
            // Of all windows together.
            let _asking = newer.asking.acquire().await.ok()?;
            if newer.is_resting(&name.registry) {
                return None;
            }
            let look = Look {
                at: Instant::now(),
                digest: self.digest_now(&name).await?,
                at_millis: millis(),
                here: here.clone(),
            };
            newer.lock().found.insert(image.reference.clone(), look.clone());
            look
        };
        Some(Newness {
            newer: !here.contains(&look.digest),
            image,
            looked_at: look.at_millis,
        })
    }

    /// A mirror first, as the engine pulls.
    async fn digest_now(&self, name: &ImageName) -> Option<String> {
        for client in self.mirrors(name).await {
            let answer = tokio::time::timeout(PATIENCE, client.current(&name.path, &name.version)).await;
            if let Ok(Ok((Some(digest), _))) = answer {
                return Some(digest);
            }
        }
        let client = self.registry_as_person(&name.registry).await.ok()?;
        match tokio::time::timeout(PATIENCE, client.current(&name.path, &name.version)).await {
            Ok(Ok((digest, _))) => digest,
            // It answers, and has no such image: that one alone is nobody's fault.
            Ok(Err(RegistryError::Missing { .. })) => None,
            Ok(Err(error)) => {
                tracing::debug!(%error, registry = name.registry, "not asked again for a while");
                self.parts.newer.rest(&name.registry, &error);
                None
            }
            Err(_) => {
                self.parts
                    .newer
                    .lock()
                    .resting
                    .insert(name.registry.clone(), Instant::now() + LEFT_ALONE);
                None
            }
        }
    }
}

/// By image id: the digests by which registries know it, `repository@sha256:…`.
async fn digests(engine: &Engine) -> Result<HashMap<String, Vec<String>>, Problem> {
    let images = engine.images().await?;
    Ok(images.into_iter().map(|image| (image.id, image.digests)).collect())
}

/// Those that this very repository gave out.
fn of_repository(digests: &[String], name: &ImageName) -> Vec<String> {
    let mut found: Vec<String> = digests
        .iter()
        .filter_map(|known| {
            let (_, digest) = known.split_once('@')?;
            let from = ImageName::parse(known).ok()?;
            (from.registry == name.registry && from.path == name.path).then(|| digest.to_owned())
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_repository_s_own_digests_count() {
        let digests = [
            "python@sha256:aa",
            "docker.io/library/python@sha256:bb",
            "ghcr.io/x/python@sha256:cc",
        ];
        let digests = digests.map(str::to_owned);
        let of = |reference: &str| of_repository(&digests, &ImageName::parse(reference).expect("a name")).len();
        assert_eq!(of("python:3.12"), 2);
        assert_eq!(of("ghcr.io/x/python:3.12"), 1);
        assert_eq!(
            of("ghcr.io/y/python:3.12"),
            0,
            "nobody is asked for what came from elsewhere"
        );
    }

    #[test]
    fn a_look_is_forgotten_when_another_image_came() {
        let newer = Newer::default();
        let look = Look {
            at: Instant::now(),
            at_millis: 1,
            digest: "sha256:new".to_owned(),
            here: vec!["sha256:old".to_owned()],
        };
        newer.lock().found.insert("x:1".to_owned(), look);
        assert!(newer.known("x:1", &["sha256:old".to_owned()]).is_some());
        assert!(newer.known("x:1", &["sha256:pulled".to_owned()]).is_none());
        newer.forget("x:1");
        assert!(newer.known("x:1", &["sha256:old".to_owned()]).is_none());
    }

    #[test]
    fn a_registry_that_asks_for_less_is_left_alone() {
        let newer = Newer::default();
        let error = RegistryError::TooMany {
            registry: "docker.io".to_owned(),
            login: false,
            until: None,
            said: String::new(),
        };
        newer.rest("docker.io", &error);
        assert!(newer.is_resting("docker.io"));
        assert!(!newer.is_resting("ghcr.io"));
    }

    #[tokio::test]
    async fn after_a_429_nobody_asks_again() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let registry = listener.local_addr().expect("an address");
        let (heard, asked) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                heard.send_modify(|times| *times += 1);
                let _ = stream.read(&mut [0; 4096]).await;
                let refusal = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(refusal).await;
            }
        });
        let folder = tempfile::tempdir().expect("a folder");
        let app = App::new(wherry_machine::Home::at(folder.path()), "no-program".into()).expect("an app");
        let look = async |tag: &str| {
            let reference = format!("{registry}/x:{tag}");
            let name = ImageName::parse(&reference).expect("a name");
            let image = ImageSeen {
                reference,
                id: String::new(),
            };
            app.look(image, name, vec!["sha256:here".to_owned()]).await
        };
        assert_eq!(look("1").await, None);
        let times = *asked.borrow();
        assert!(times > 0, "it was asked once");
        assert_eq!((look("1").await, look("2").await), (None, None));
        assert_eq!(*asked.borrow(), times, "and then left alone");
    }
}
