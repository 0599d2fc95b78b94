//! One registry, asked over HTTP as the distribution specification says.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OnceCell};
use ts_rs::TS;

use crate::registry::challenge::Challenge;
use crate::registry::{HUB, Login, RegistryError, is_on_this_computer, trust};

/// A registry far away, through a slow proxy.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);

/// What is asked for is a page of text. The largest manifests in the world have some hundred kilobytes.
const LARGEST_ANSWER: usize = 8 << 20;

/// More than this of an error is not for people.
const LONGEST_MESSAGE: usize = 300;

/// Where the images of Docker Hub are.
const HUB_HOST: &str = "registry-1.docker.io";

/// Asks a registry as one person, or as nobody.
pub struct RegistryClient {
    registry: String,
    http: reqwest::Client,
    /// Where it may be, the safest first.
    bases: Vec<Url>,
    login: Option<Login>,
    greeting: OnceCell<Greeted>,
    /// What to send for each scope.
    tokens: Mutex<HashMap<String, HeaderValue>>,
}

struct Greeted {
    base: Url,
    challenge: Option<Challenge>,
    took: Duration,
}

/// What a registry is like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Greeting {
    pub wants: Wants,
    /// Over TLS.
    pub encrypted: bool,
    pub millis: u64,
}

/// Whom a registry wants to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Wants {
    /// It asks nobody who they are.
    Nobody,
    Password,
    /// A token, which another server gives for a password.
    Token,
}

/// An answer with what its head says.
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl RegistryClient {
    /// `http` brings the proxy along. A registry that is `insecure` is asked without TLS, too, and its certificate is
    /// not looked at, which is what the engine does with those it is told about.
    pub fn new(
        registry: &str,
        insecure: bool,
        login: Option<Login>,
        http: reqwest::ClientBuilder,
    ) -> Result<RegistryClient, RegistryError> {
        let insecure = insecure || is_on_this_computer(registry);
        let host = if registry == HUB { HUB_HOST } else { registry };
        let bad = || RegistryError::BadAddress {
            address: registry.to_owned(),
        };
        let schemes: &[&str] = if insecure { &["https", "http"] } else { &["https"] };
        let bases = schemes
            .iter()
            .map(|scheme| Url::parse(&format!("{scheme}://{host}/v2/")).map_err(|_| bad()))
            .collect::<Result<Vec<Url>, _>>()?;
        let kept = if insecure { None } else { trust::of(registry)? };
        let http = bounded(http).tls_danger_accept_invalid_certs(insecure);
        let http = match kept {
            Some(tls) => http.tls_backend_preconfigured(tls),
            None => http,
        };
        let http = http.build().map_err(|source| RegistryError::Client {
            registry: registry.to_owned(),
            source,
        })?;
        Ok(RegistryClient {
            registry: registry.to_owned(),
            http,
            bases,
            login,
            greeting: OnceCell::new(),
            tokens: Mutex::default(),
        })
    }

    /// A site that is no registry and asks nobody who they are.
    pub(crate) fn site(name: &str, base: Url, http: reqwest::ClientBuilder) -> Result<RegistryClient, RegistryError> {
        let http = bounded(http).build().map_err(|source| RegistryError::Client {
            registry: name.to_owned(),
            source,
        })?;
        Ok(RegistryClient {
            registry: name.to_owned(),
            http,
            bases: Vec::new(),
            login: None,
            greeting: OnceCell::new_with(Some(Greeted {
                base,
                challenge: None,
                took: Duration::ZERO,
            })),
            tokens: Mutex::default(),
        })
    }

    pub fn has_login(&self) -> bool {
        self.login.is_some()
    }

    pub fn name(&self) -> &str {
        &self.registry
    }

    /// Asks what it is like, not yet who we are.
    pub async fn greet(&self) -> Result<Greeting, RegistryError> {
        let greeted = self.greeted().await?;
        Ok(Greeting {
            wants: match greeted.challenge {
                None => Wants::Nobody,
                Some(Challenge::Basic) => Wants::Password,
                Some(Challenge::Bearer { .. }) => Wants::Token,
            },
            encrypted: greeted.base.scheme() == "https",
            millis: u64::try_from(greeted.took.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Whether it accepts the login.
    pub async fn sign_in(&self) -> Result<Greeting, RegistryError> {
        let greeting = self.greet().await?;
        self.get("", "", "").await?;
        Ok(greeting)
    }

    async fn greeted(&self) -> Result<&Greeted, RegistryError> {
        self.greeting.get_or_try_init(|| self.find()).await
    }

    async fn find(&self) -> Result<Greeted, RegistryError> {
        let mut failure = None;
        for base in &self.bases {
            let began = Instant::now();
            match self.http.get(base.clone()).send().await {
                Ok(response) => {
                    let took = began.elapsed();
                    let challenge = challenge_of(&response);
                    let status = response.status();
                    if status.is_success() || (status == StatusCode::UNAUTHORIZED && challenge.is_some()) {
                        return Ok(Greeted {
                            base: base.clone(),
                            challenge,
                            took,
                        });
                    }
                    return Err(self.refused(response, "/v2/").await);
                }
                // What is said about TLS says more than that nobody listens without.
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(match failure {
            Some(error) => self.unanswered(error),
            None => RegistryError::BadAddress {
                address: self.registry.clone(),
            },
        })
    }

    /// Asks for `path` below `/v2/`. `scope` is what a token is to be good for: `repository:library/python:pull`.
    pub(crate) async fn get(&self, path: &str, scope: &str, accept: &str) -> Result<Answer, RegistryError> {
        self.ask(reqwest::Method::GET, path, scope, accept).await
    }

    /// The same without a body. Docker Hub counts no pull for it.
    pub(crate) async fn head(&self, path: &str, scope: &str, accept: &str) -> Result<Answer, RegistryError> {
        self.ask(reqwest::Method::HEAD, path, scope, accept).await
    }

    async fn ask(
        &self,
        method: reqwest::Method,
        path: &str,
        scope: &str,
        accept: &str,
    ) -> Result<Answer, RegistryError> {
        let greeted = self.greeted().await?;
        let url = greeted.base.join(path).map_err(|_| RegistryError::BadAddress {
            address: self.registry.clone(),
        })?;
        let mut request = self.http.request(method, url);
        if !accept.is_empty() {
            request = request.header(ACCEPT, accept);
        }
        if let Some(challenge) = &greeted.challenge
            && let Some(authorization) = self.authorization(greeted, challenge, scope).await?
        {
            request = request.header(AUTHORIZATION, authorization);
        }
        let response = request.send().await.map_err(|error| self.unanswered(error))?;
        if !response.status().is_success() {
            return Err(self.refused(response, path).await);
        }
        let headers = response.headers().clone();
        let body = self.body(response).await?;
        Ok(Answer { headers, body })
    }

    pub(crate) async fn value<T: DeserializeOwned>(
        &self,
        path: &str,
        scope: &str,
        accept: &str,
    ) -> Result<T, RegistryError> {
        let answer = self.get(path, scope, accept).await?;
        self.parse(&answer.body)
    }

    pub(crate) fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, RegistryError> {
        serde_json::from_slice(body).map_err(|source| RegistryError::Garbled {
            registry: self.registry.clone(),
            source,
        })
    }

    async fn authorization(
        &self,
        greeted: &Greeted,
        challenge: &Challenge,
        scope: &str,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let (realm, service) = match challenge {
            Challenge::Basic => return Ok(self.login.as_ref().map(basic)),
            Challenge::Bearer { realm, service } => (realm, service.as_deref()),
        };
        let mut tokens = self.tokens.lock().await;
        if let Some(token) = tokens.get(scope) {
            return Ok(Some(token.clone()));
        }
        let token = self.token(&greeted.base, realm, service, scope).await?;
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| RegistryError::Odd {
            registry: self.registry.clone(),
            status: 200,
            said: "a token that no header can carry".into(),
        })?;
        header.set_sensitive(true);
        tokens.insert(scope.to_owned(), header.clone());
        Ok(Some(header))
    }

    async fn token(
        &self,
        base: &Url,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Result<String, RegistryError> {
        #[derive(Deserialize)]
        struct Token {
            #[serde(default)]
            token: String,
            #[serde(default)]
            access_token: String,
        }
        let unsafe_realm = || RegistryError::UnsafeRealm {
            registry: self.registry.clone(),
            realm: realm.chars().take(LONGEST_MESSAGE).collect(),
        };
        let url = Url::parse(realm).map_err(|_| unsafe_realm())?;
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && base.scheme() == "http");
        if !is_safe {
            return Err(unsafe_realm());
        }
        let mut parameters: Vec<(&str, &str)> = Vec::new();
        parameters.extend(service.map(|service| ("service", service)));
        if !scope.is_empty() {
            parameters.push(("scope", scope));
        }
        let request = match &self.login {
            Some(login) if login.is_token => {
                parameters.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", "wherry"),
                    ("refresh_token", &login.secret.0),
                ]);
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(&parameters);
                self.http
                    .post(url)
                    .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form.finish())
            }
            login => {
                let mut url = url;
                if let Some(login) = login {
                    parameters.push(("account", &login.user));
                }
                url.query_pairs_mut().extend_pairs(&parameters);
                match login {
                    Some(login) => self.http.get(url).header(AUTHORIZATION, basic(login)),
                    None => self.http.get(url),
                }
            }
        };
        let response = request.send().await.map_err(|error| self.unanswered(error))?;
        if !response.status().is_success() {
            return Err(self.refused(response, "token").await);
        }
        let body = self.body(response).await?;
        let token: Token = self.parse(&body)?;
        Ok(if token.token.is_empty() {
            token.access_token
        } else {
            token.token
        })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, RegistryError> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.unanswered(error))? {
            if body.len() + piece.len() > LARGEST_ANSWER {
                return Err(RegistryError::Endless {
                    registry: self.registry.clone(),
                });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// An answer that is a refusal.
    async fn refused(&self, response: Response, what: &str) -> RegistryError {
        let registry = self.registry.clone();
        let status = response.status();
        let until = retry_after(response.headers(), Timestamp::now());
        let login = self.login.is_some();
        // Whatever the body is, the status says enough.
        let said = words(&self.body(response).await.unwrap_or_default(), status);
        match status.as_u16() {
            401 => RegistryError::Unauthorized { registry, login, said },
            403 => RegistryError::Forbidden { registry, login, said },
            404 => RegistryError::Missing {
                registry,
                what: named(what),
                said,
            },
            429 => RegistryError::TooMany {
                registry,
                login,
                until,
                said,
            },
            status @ 500..=599 => RegistryError::Failing { registry, status, said },
            status => RegistryError::Odd { registry, status, said },
        }
    }

    /// No answer, or half of one.
    fn unanswered(&self, source: reqwest::Error) -> RegistryError {
        let registry = self.registry.clone();
        // The address may carry what is nobody's business.
        let source = source.without_url();
        let words = deepest(&source).to_lowercase();
        let says = |any: &[&str]| any.iter().any(|part| words.contains(part));
        if source.is_redirect() {
            RegistryError::Redirects { registry, source }
        } else if source.is_timeout() {
            RegistryError::Silent { registry, source }
        } else if says(&["certificate", "unknownissuer", "notvalidforname"]) {
            RegistryError::NotTrusted { registry, source }
        } else if says(&[
            "corrupt message",
            "invalidcontenttype",
            "unexpected eof during handshake",
        ]) {
            RegistryError::PlainHttp { registry, source }
        } else if says(&[
            "lookup",
            "resolve",
            "name or service not known",
            "nodename nor servname",
            "no such host",
        ]) {
            RegistryError::NoSuchHost { registry, source }
        } else if source.is_connect() {
            RegistryError::Unreachable { registry, source }
        } else {
            RegistryError::BrokenOff { registry, source }
        }
    }
}

/// What is missing, in words: `library/python/manifests/3.99` is "python:3.99".
fn named(path: &str) -> String {
    // Docker Hub's own site: `v2/repositories/library/python/tags/3.13` or `…/tags?name=3`.
    if let Some((repository, tag)) = path
        .strip_prefix("v2/repositories/")
        .and_then(|rest| rest.split_once("/tags"))
    {
        let tag = tag.strip_prefix('/').map(|tag| format!(":{tag}")).unwrap_or_default();
        return image(&format!("docker.io/{repository}{tag}"));
    }
    if let Some((repository, version)) = path.split_once("/manifests/") {
        let joined = if version.contains(':') { "@" } else { ":" };
        return image(&format!("docker.io/{repository}{joined}{version}"));
    }
    match path.split_once("/tags/") {
        Some((repository, _)) => image(&format!("docker.io/{repository}")),
        None => "such page, so it may be no registry".to_owned(),
    }
}

fn image(reference: &str) -> String {
    format!("image named {}", crate::name::familiar(reference))
}

/// Nothing is waited for without end.
fn bounded(http: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    http.connect_timeout(CONNECT)
        .timeout(ANSWER)
        .redirect(reqwest::redirect::Policy::limited(5))
        .user_agent(concat!("Wherry/", env!("CARGO_PKG_VERSION")))
}

fn basic(login: &Login) -> HeaderValue {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", login.user, login.secret.0));
    // Base64 is fit for a header.
    let mut value = HeaderValue::try_from(format!("Basic {text}")).unwrap_or(HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

fn challenge_of(response: &Response) -> Option<Challenge> {
    let headers = response.headers().get_all(WWW_AUTHENTICATE);
    Challenge::parse(headers.iter().filter_map(|value| value.to_str().ok()))
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = said.parse::<u32>() {
        return now.checked_add(SignedDuration::from_secs(i64::from(seconds))).ok();
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(said);
    date.ok().filter(|date| *date > now)
}

/// What a refusal says: `{"errors":[{"code":"DENIED","message":"…"}]}`, the `details` of a token server, or a page.
fn words(body: &[u8], status: StatusCode) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Refusal {
        errors: Vec<RefusalEntry>,
        details: String,
        message: String,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct RefusalEntry {
        code: String,
        message: String,
    }
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let first = refusal.errors.into_iter().next();
    let said = match first {
        Some(entry) if entry.message.is_empty() => entry.code,
        Some(entry) => entry.message,
        None if !refusal.details.is_empty() => refusal.details,
        None => refusal.message,
    };
    let text = if said.trim().is_empty() {
        status.to_string()
    } else {
        said
    };
    text.trim().chars().take(LONGEST_MESSAGE).collect()
}

/// The innermost reason, which is what the system or the other side said.
fn deepest(error: &reqwest::Error) -> String {
    let error: &dyn std::error::Error = error;
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn what_is_missing_is_called_as_people_write_it() {
        for (path, words) in [
            ("library/python/manifests/3.13", "image named python:3.13"),
            ("ada/site/tags/list", "image named ada/site"),
            (
                "v2/repositories/library/pyth/tags?page_size=100&name=",
                "image named pyth",
            ),
            ("v2/repositories/ada/site/tags/1.0", "image named ada/site:1.0"),
            ("", "such page, so it may be no registry"),
        ] {
            assert_eq!(named(path), words, "{path}");
        }
    }
}
