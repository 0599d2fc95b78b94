//! Which proxy the engine's own connections go through: this computer's, one that the person set, or none.
//!
//! Passwords in addresses reach the file of settings and the machine, and nothing else: whatever is shown, answered or
//! logged has [`MASK`] in their place.

#[cfg(target_os = "linux")]
mod gnome;
#[cfg(not(target_os = "linux"))]
mod native;

use std::fmt;
use std::net::IpAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ts_rs::TS;
use url::Url;
use wherry_link::Secret;

#[cfg(target_os = "linux")]
use gnome as native;

/// What stands for a password that is not shown. Given back unchanged it means the password that is kept.
const MASK: &str = "***";

/// Where programs in the machine reach what listens on this computer's loopback.
const THIS_COMPUTER: &str = "host.docker.internal";

/// What the person chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ProxyChoice {
    /// The one in the environment of the background process, else the one in this computer's settings.
    #[default]
    System,
    Manual {
        http: Option<ProxyUrl>,
        https: Option<ProxyUrl>,
        /// What is reached without a proxy, separated by commas, as `NO_PROXY` writes it.
        #[serde(default)]
        except: String,
    },
    Off,
}

/// What the engine was told, without passwords.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ProxyInUse {
    pub source: ProxySource,
    pub http: Option<String>,
    pub https: Option<String>,
    pub except: String,
    /// Why a proxy that this computer has is not used.
    pub trouble: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ProxySource {
    /// `HTTP_PROXY` and its like.
    Environment,
    /// The network settings of this computer.
    Desktop,
    /// The person.
    Manual,
    /// There is none, or none is wanted.
    Nobody,
}

/// A proxy's address, which may hold a password. Showing it masks that.
#[derive(Clone, PartialEq, Eq, TS)]
#[ts(type = "string")]
pub struct ProxyUrl(Url);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProxyUrl {
    #[error("the address is empty")]
    Empty,
    #[error("a proxy's address begins with http://, https:// or socks5://")]
    Scheme,
    #[error("a proxy's address is a name and a port, as in http://proxy.example:3128")]
    NoHost,
    #[error("a proxy's address ends with its port")]
    Path,
    #[error("{0}")]
    Syntax(#[from] url::ParseError),
}

impl std::str::FromStr for ProxyUrl {
    type Err = BadProxyUrl;

    /// Without a scheme it is HTTP, as everywhere.
    fn from_str(text: &str) -> Result<Self, BadProxyUrl> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadProxyUrl::Empty);
        }
        let url = if text.contains("://") {
            Url::parse(text)?
        } else {
            Url::parse(&format!("http://{text}"))?
        };
        if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
            return Err(BadProxyUrl::Scheme);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(BadProxyUrl::NoHost);
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(BadProxyUrl::Path);
        }
        Ok(Self(url))
    }
}

impl<'de> Deserialize<'de> for ProxyUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// With its password: for the file of settings.
impl Serialize for ProxyUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.whole())
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.masked().whole())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl ProxyUrl {
    /// With its password.
    fn whole(&self) -> String {
        self.0.as_str().trim_end_matches('/').to_owned()
    }

    fn masked(&self) -> Self {
        let mut url = self.0.clone();
        if url.password().is_some() {
            // Only an address without a host takes no password.
            let _ = url.set_password(Some(MASK));
        }
        Self(url)
    }

    /// Name and port.
    pub fn endpoint(&self) -> (String, u16) {
        let host = self.0.host_str().unwrap_or_default();
        let port = self.0.port_or_known_default().unwrap_or(1080);
        (host.trim_matches(['[', ']']).to_owned(), port)
    }

    /// With its password: for who connects through it, never to be shown.
    pub fn secret(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it brings a password, which is then not the mask of one.
    pub fn has_password(&self) -> bool {
        self.0.password().is_some_and(|password| password != MASK)
    }

    /// The same with this password, when it has a user whose password it could be.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        if !self.0.username().is_empty() {
            // An address with a user takes one.
            let _ = self.0.set_password(Some(password));
        }
        self
    }

    /// What was masked is the password from before, as long as it goes to the same proxy.
    fn unmasked(self, before: Option<&Self>) -> Self {
        let kept = before.filter(|before| before.masked() == self);
        if self.0.password() == Some(MASK) {
            kept.cloned().unwrap_or(self)
        } else {
            self
        }
    }

    /// The same proxy as the machine reaches it: what listens on this computer's loopback is elsewhere there.
    fn seen_from_inside(&self) -> String {
        let mut inside = self.clone();
        let host = self.0.host_str().unwrap_or_default();
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let here = host == "localhost"
            || host.ends_with(".localhost")
            || address.is_some_and(|address| address.is_loopback() || address.is_unspecified());
        if here {
            // It has a host that can be replaced.
            let _ = inside.0.set_host(Some(THIS_COMPUTER));
        }
        inside.whole()
    }
}

impl ProxyChoice {
    /// For showing: no password.
    #[must_use]
    pub(crate) fn masked(&self) -> Self {
        self.map(|url, _| url.masked(), None)
    }

    /// A change as it is to be kept: where it has a masked password, the one from before.
    #[must_use]
    pub(crate) fn unmasked(&self, before: &Self) -> Self {
        self.map(ProxyUrl::unmasked, Some(before))
    }

    fn map(&self, change: impl Fn(ProxyUrl, Option<&ProxyUrl>) -> ProxyUrl, other: Option<&Self>) -> Self {
        let (other_http, other_https) = match other {
            Some(Self::Manual { http, https, .. }) => (http.as_ref(), https.as_ref()),
            Some(Self::System | Self::Off) | None => (None, None),
        };
        match self {
            Self::System => Self::System,
            Self::Off => Self::Off,
            Self::Manual { http, https, except } => Self::Manual {
                http: http.clone().map(|url| change(url, other_http)),
                https: https.clone().map(|url| change(url, other_https)),
                except: except.clone(),
            },
        }
    }
}

/// What is used now, with everything the engine needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    source: ProxySource,
    http: Option<ProxyUrl>,
    https: Option<ProxyUrl>,
    except: Vec<String>,
    trouble: Option<String>,
}

impl Resolved {
    fn nobody(trouble: Option<String>) -> Self {
        Self {
            source: ProxySource::Nobody,
            http: None,
            https: None,
            except: Vec::new(),
            trouble,
        }
    }

    /// For people.
    pub(crate) fn shown(&self) -> ProxyInUse {
        ProxyInUse {
            source: self.source,
            http: self.http.as_ref().map(ToString::to_string),
            https: self.https.as_ref().map(ToString::to_string),
            except: self.except.join(","),
            trouble: self.trouble.clone(),
        }
    }

    /// For the machine.
    pub(crate) fn told(&self) -> wherry_link::Proxy {
        let secret = |url: &Option<ProxyUrl>| url.as_ref().map(|url| Secret(url.seen_from_inside()));
        wherry_link::Proxy {
            http: secret(&self.http),
            https: secret(&self.https),
            except: self.except.join(","),
        }
    }
}

/// The proxy by which this computer reaches others, for programs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProxy {
    pub shown: ProxyInUse,
    pub http: Option<ProxyUrl>,
    pub https: Option<ProxyUrl>,
}

impl From<Resolved> for HostProxy {
    fn from(resolved: Resolved) -> Self {
        Self {
            shown: resolved.shown(),
            http: resolved.http,
            https: resolved.https,
        }
    }
}

/// Finds out what the choice means now.
pub(crate) async fn resolve(choice: &ProxyChoice) -> Resolved {
    match choice {
        ProxyChoice::Off => Resolved::nobody(None),
        ProxyChoice::Manual { http, https, except } => Resolved {
            source: if http.is_some() || https.is_some() {
                ProxySource::Manual
            } else {
                ProxySource::Nobody
            },
            http: http.clone(),
            https: https.clone(),
            except: listed(except),
            trouble: None,
        },
        ProxyChoice::System => match environment(|name| std::env::var(name).ok()) {
            Some(resolved) => resolved,
            None => desktop(native::read().await),
        },
    }
}

/// What this computer's own settings say, whichever system it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Desktop {
    http: Option<String>,
    https: Option<String>,
    except: Vec<String>,
    /// Another way of choosing a proxy is set.
    unsupported: Option<&'static str>,
}

fn desktop(found: Desktop) -> Resolved {
    if let Some(way) = found.unsupported {
        return Resolved::nobody(Some(format!(
            "This computer chooses its proxy by {way}, which the machine cannot follow. Set the proxy by hand."
        )));
    }
    resolved(
        ProxySource::Desktop,
        ("The HTTP proxy in this computer's settings", found.http),
        ("The HTTPS proxy in this computer's settings", found.https),
        found.except.iter().filter_map(|pattern| as_no_proxy(pattern)).collect(),
    )
    .unwrap_or_else(|| Resolved::nobody(None))
}

/// The variables that nearly every program follows, in either spelling.
fn environment(variable: impl Fn(&str) -> Option<String>) -> Option<Resolved> {
    let first = |names: [&'static str; 4]| {
        names
            .into_iter()
            .find_map(|name| Some((name, variable(name).filter(|value| !value.trim().is_empty())?)))
    };
    let named = |found: Option<(&'static str, String)>| match found {
        Some((name, value)) => (name, Some(value)),
        None => ("", None),
    };
    let except = first(["NO_PROXY", "no_proxy", "", ""]).map(|(_, value)| value);
    resolved(
        ProxySource::Environment,
        named(first(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])),
        named(first(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])),
        listed(&except.unwrap_or_default()),
    )
}

/// `None` when neither proxy is set. The addresses come with what to call them; they may hold passwords, so they are
/// not said.
fn resolved(
    source: ProxySource,
    http: (&str, Option<String>),
    https: (&str, Option<String>),
    except: Vec<String>,
) -> Option<Resolved> {
    let mut trouble = None;
    let mut parse = |(name, value): (&str, Option<String>)| {
        let url: Result<ProxyUrl, _> = value?.parse();
        url.map_err(|error| trouble = Some(format!("{name} cannot be used: {error}.")))
            .ok()
    };
    if http.1.is_none() && https.1.is_none() {
        return None;
    }
    let (http, https) = (parse(http), parse(https));
    let source = if http.is_some() || https.is_some() {
        source
    } else {
        ProxySource::Nobody
    };
    Some(Resolved {
        source,
        http,
        https,
        except,
        trouble,
    })
}

fn listed(except: &str) -> Vec<String> {
    let entries = except.split([',', ' ']).map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

/// An exception as systems write it (`*.example`, `192.168.*.*`, `169.254/16`, `<local>`) as `NO_PROXY` does; `None`
/// when that cannot say it.
fn as_no_proxy(pattern: &str) -> Option<String> {
    let pattern = pattern.trim();
    let (network, bits) = match pattern.split_once('/') {
        Some((network, bits)) => (network, Some(bits.parse::<u8>().ok()?)),
        None => (pattern, None),
    };
    let parts: Vec<&str> = network.split('.').collect();
    let numbers = parts.iter().take_while(|part| part.parse::<u8>().is_ok()).count();
    let stars = parts.iter().skip(numbers).all(|part| *part == "*");
    if network.contains(':') || (numbers > 0 && parts.len() <= 4 && stars) {
        if network.contains(':') || numbers == 4 {
            return Some(pattern.to_owned());
        }
        let mut octets = parts[..numbers].to_vec();
        octets.resize(4, "0");
        let bits = bits.map_or(numbers * 8, usize::from);
        return Some(format!("{}/{bits}", octets.join(".")));
    }
    let ending = pattern.strip_prefix('*').unwrap_or(pattern);
    let is_name = !ending.is_empty() && !ending.contains(['*', '?', '<', '>', '/', ',']);
    is_name.then(|| ending.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ProxyUrl {
        text.parse().expect("an address")
    }

    #[test]
    fn addresses_are_taken_as_people_write_them_and_never_shown_with_their_password() {
        for (text, whole, shown) in [
            ("proxy:3128", "http://proxy:3128", "http://proxy:3128"),
            (" http://proxy:3128/ ", "http://proxy:3128", "http://proxy:3128"),
            (
                "mira:s3cret@proxy:3128",
                "http://mira:s3cret@proxy:3128",
                "http://mira:***@proxy:3128",
            ),
            (
                "https://:s3cret@[::1]:8443",
                "https://:s3cret@[::1]:8443",
                "https://:***@[::1]:8443",
            ),
            (
                "socks5://mira:p%40ss@10.0.0.1:1080",
                "socks5://mira:p%40ss@10.0.0.1:1080",
                "socks5://mira:***@10.0.0.1:1080",
            ),
        ] {
            let url = url(text);
            assert_eq!(url.whole(), whole);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
        }
        for (text, error) in [
            ("", BadProxyUrl::Empty),
            ("ftp://proxy", BadProxyUrl::Scheme),
            ("http://proxy/path", BadProxyUrl::Path),
            ("socks5://", BadProxyUrl::NoHost),
        ] {
            assert_eq!(text.parse::<ProxyUrl>(), Err(error), "{text}");
        }
        assert!("http://proxy:port".parse::<ProxyUrl>().is_err());
    }

    #[test]
    fn a_masked_password_given_back_is_the_one_that_is_kept() {
        let manual = |text: &str| ProxyChoice::Manual {
            http: Some(url(text)),
            https: None,
            except: String::new(),
        };
        let kept = manual("http://mira:s3cret@proxy:3128");
        let shown = kept.masked();
        assert_eq!(shown, manual("http://mira:***@proxy:3128"));
        assert_eq!(shown.unmasked(&kept), kept);
        let elsewhere = manual("http://mira:***@other:3128");
        assert_eq!(
            elsewhere.unmasked(&kept),
            elsewhere,
            "it is not handed to another proxy"
        );
        let new = manual("http://mira:new@proxy:3128");
        assert_eq!(new.unmasked(&kept), new);
        assert_eq!(ProxyChoice::Off.unmasked(&kept), ProxyChoice::Off);
    }

    #[test]
    fn a_proxy_on_this_computers_loopback_is_elsewhere_inside() {
        for (outside, inside) in [
            ("http://127.0.0.1:3128", "http://host.docker.internal:3128"),
            (
                "http://mira:s3cret@localhost:3128",
                "http://mira:s3cret@host.docker.internal:3128",
            ),
            ("http://[::1]:3128", "http://host.docker.internal:3128"),
            ("socks5://127.0.0.1:1080", "socks5://host.docker.internal:1080"),
            ("http://192.168.1.5:3128", "http://192.168.1.5:3128"),
            ("http://proxy.example:3128", "http://proxy.example:3128"),
        ] {
            assert_eq!(url(outside).seen_from_inside(), inside);
        }
    }

    #[test]
    fn the_environment_is_read_in_either_spelling_and_what_is_wrong_is_said_without_its_value() {
        let with = |variables: &[(&str, &str)]| {
            environment(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(with(&[("NO_PROXY", "a")]), None);
        assert_eq!(with(&[("HTTP_PROXY", "")]), None);
        let found = with(&[("http_proxy", "one:1"), ("HTTPS_PROXY", "two:2"), ("no_proxy", "a, .b")]);
        let found = found.expect("a proxy").shown();
        assert_eq!(found.source, ProxySource::Environment);
        assert_eq!(found.http.as_deref(), Some("http://one:1"));
        assert_eq!(found.https.as_deref(), Some("http://two:2"));
        assert_eq!(found.except, "a,.b");
        let all = with(&[("ALL_PROXY", "socks5://all:1"), ("HTTP_PROXY", "one:1")]).expect("a proxy");
        assert_eq!(all.shown().http.as_deref(), Some("http://one:1"));
        assert_eq!(all.shown().https.as_deref(), Some("socks5://all:1"));
        let wrong = with(&[("HTTP_PROXY", "gopher://mira:s3cret@one")]).expect("said");
        assert_eq!(wrong.shown().source, ProxySource::Nobody);
        let trouble = wrong.shown().trouble.expect("a reason");
        assert!(trouble.starts_with("HTTP_PROXY cannot be used"), "{trouble}");
        assert!(!trouble.contains("s3cret"), "{trouble}");
    }

    #[test]
    fn exceptions_are_said_as_the_engine_reads_them() {
        for (pattern, expected) in [
            ("localhost", Some("localhost")),
            ("*.example", Some(".example")),
            (".example", Some(".example")),
            ("192.168.*.*", Some("192.168.0.0/16")),
            ("10.*", Some("10.0.0.0/8")),
            ("169.254/16", Some("169.254.0.0/16")),
            ("127.0.0.0/8", Some("127.0.0.0/8")),
            ("10.1.2.3", Some("10.1.2.3")),
            ("::1", Some("::1")),
            ("1.example", Some("1.example")),
            ("<local>", None),
            ("a*b", None),
            ("*", None),
        ] {
            assert_eq!(as_no_proxy(pattern).as_deref(), expected, "{pattern}");
        }
    }

    #[tokio::test]
    async fn what_the_person_chose_goes_before_this_computers_settings() {
        let off = resolve(&ProxyChoice::Off).await;
        assert_eq!(off.shown().source, ProxySource::Nobody);
        let manual = ProxyChoice::Manual {
            http: Some(url("mira:s3cret@localhost:3128")),
            https: None,
            except: "a b".into(),
        };
        let manual = resolve(&manual).await;
        assert_eq!(manual.shown().http.as_deref(), Some("http://mira:***@localhost:3128"));
        assert_eq!(
            manual.told().http,
            Some(Secret("http://mira:s3cret@host.docker.internal:3128".into()))
        );
        assert_eq!(manual.told().except, "a,b");
        assert!(!format!("{manual:?} {:?}", manual.told()).contains("s3cret"));
    }
}
