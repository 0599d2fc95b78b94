//! `WWW-Authenticate`, as far as registries use it (RFC 9110, section 11.6.1).

use std::collections::HashMap;

/// How a registry wants to be told who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    /// A token of another server's (<https://distribution.github.io/distribution/spec/auth/token/>).
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

impl Challenge {
    /// The first scheme of the headers that we have, Bearer before Basic.
    pub(crate) fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
        let mut basic = None;
        for header in headers {
            let header = header.trim();
            let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                let mut parameters = parameters(rest);
                if let Some(realm) = parameters.remove("realm") {
                    let service = parameters.remove("service");
                    return Some(Challenge::Bearer { realm, service });
                }
            } else if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
        }
        basic
    }
}

/// `realm="https://…",service="…"`. What does not fit is left out.
fn parameters(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = if let Some(quoted) = after.trim_start().strip_prefix('"') {
            quoted_value(quoted)
        } else {
            let (value, after) = after.split_once(',').unwrap_or((after, ""));
            (value.trim().to_owned(), after)
        };
        let name = name.trim().trim_start_matches(',').trim().to_ascii_lowercase();
        found.entry(name).or_insert(value);
        rest = after;
    }
    found
}

/// Up to the closing quotation mark, and what follows it.
fn quoted_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_registries_say_is_understood() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#;
        assert_eq!(
            Challenge::parse([hub].into_iter()),
            Some(Challenge::Bearer {
                realm: "https://auth.docker.io/token".into(),
                service: Some("registry.docker.io".into())
            })
        );
        for (said, known) in [
            (r#"Basic realm="Registry Realm""#, Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            ("Negotiate", None),
            ("Bearer", None),
            ("", None),
        ] {
            assert_eq!(Challenge::parse([said].into_iter()), known, "{said}");
        }
        let odd = r#"bearer service=gitlab , scope="repository:a,b:pull" , realm="https://x.example/a\"b""#;
        assert_eq!(
            Challenge::parse(["Basic realm=x", odd].into_iter()),
            Some(Challenge::Bearer {
                realm: "https://x.example/a\"b".into(),
                service: Some("gitlab".into())
            })
        );
    }

    proptest! {
        #[test]
        fn nothing_that_is_said_is_too_odd(text in ".{0,200}") {
            let _ = Challenge::parse([text.as_str(), &format!("Bearer {text}")].into_iter());
        }
    }
}
