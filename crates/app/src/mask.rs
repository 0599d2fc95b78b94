//! Text without secrets, for a file that the person hands on. Too much hidden is a nuisance; too little is a leak.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

const HIDDEN: &str = "[hidden]";

/// Shorter words are seldom secrets by themselves, and often names.
const SHORTEST: usize = 20;
/// Bits a character. Words of a language and paths have less, what a generator made has more.
const RANDOM: f64 = 3.4;
/// As docker shortens what it numbers: enough to tell which one it is.
const SHORT_ID: usize = 12;

/// What a text became, and how often something was hidden in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Masked {
    pub(crate) text: String,
    pub(crate) hidden: usize,
}

#[expect(clippy::unwrap_used, reason = "patterns that do not change; the tests use every one")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

/// Also one that a log has broken off, to the end of its last line of base64.
static PRIVATE_KEY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?:[A-Za-z0-9+/=\s:,.-]|\\n|\\r)*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)",
    )
});

/// `https://ada:s3cret@host`
static USER_INFO: LazyLock<Regex> = LazyLock::new(|| pattern(r#"([A-Za-z][A-Za-z0-9+.-]*://)[^/\s"'<>\\]*@"#));

/// Headers that say who somebody is, with everything after them.
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)\b((?:proxy-)?authorization|x-registry-auth|x-registry-config|(?:set-)?cookie)(\\*["']?\s*[:=]\s*\[?)(\\*["']?)([^"'\r\n\\]+)"#,
    )
});

static SCHEME: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9+/=._~-]{6,}"));

/// A name that says that its value is a secret, and the value: in JSON, also quoted once more, in `KEY=value`, in
/// `key: value`, in `--option value`.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?ix)
        ( [A-Z0-9_.-]* (?: pass(?:word|wd|phrase|code)? | pwd | secret | token | api[_-]?key | access[_-]?key
          | private[_-]?key | signing[_-]?key | encryption[_-]?key | credential s? | auth | session[_-]?(?:id|key) )
          (?: [_.-][A-Z0-9_.-]* | s | [0-9]+ )? )
        ( \\*["']? \s* [=:] \s* | \s+ )
        ( \\+"(?:[^"\\]|\\[^"])*\\*" | "(?:[^"\\]|\\.)*" | '[^']*' | [^\s,;"'{}\[\]\\]+ )
        "#,
    )
});

/// Tokens whose makers mark them.
static MARKED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:gh[opsur]_[A-Za-z0-9]{10,}|github_pat_\w{10,}|glpat-[\w-]{10,}|dckr_(?:pat|oat)_[\w-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{12,}|xox[abeoprs]-[\w-]{8,}|sk[-_](?:live|test|proj|ant)[\w-]{8,}|npm_\w{16,}|pypi-[\w-]{16,}|hf_\w{16,}|AIza[\w-]{20,}|eyJ[\w-]{8,}(?:\.[\w-]*){0,2})",
    )
});

static WORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z0-9+/_=-]{20,}"));

/// Hides what looks like a secret. `home` is the person's folder, whose name says who they are.
pub(crate) fn mask(text: &str, home: Option<&str>) -> Masked {
    let mut hidden = 0;
    let mut text = text.to_owned();
    let mut replace = |pattern: &Regex, with: &dyn Fn(&Captures<'_>) -> Option<String>| {
        let replaced = pattern.replace_all(&text, |found: &Captures<'_>| match with(found) {
            Some(replacement) => {
                hidden += 1;
                replacement
            }
            None => found[0].to_owned(),
        });
        text = replaced.into_owned();
    };
    replace(&PRIVATE_KEY, &|_| Some("[private key]".to_owned()));
    replace(&USER_INFO, &|found| Some(format!("{}{HIDDEN}@", &found[1])));
    replace(&HEADER, &|found| {
        let done = found[2].ends_with('[') && &found[4] == "hidden]";
        (!done).then(|| format!("{}{}{}{HIDDEN}", &found[1], &found[2], &found[3]))
    });
    replace(&SCHEME, &|found| Some(format!("{}{}{HIDDEN}", &found[1], &found[2])));
    replace(&NAMED, &named);
    replace(&MARKED, &|_| Some(HIDDEN.to_owned()));
    replace(&WORD, &|found| word(&found[0]));
    if let Some(home) = home.filter(|home| home.len() > 1) {
        text = text.replace(home, "~");
    }
    Masked { text, hidden }
}

fn named(found: &Captures<'_>) -> Option<String> {
    let (name, between, value) = (&found[1], &found[2], &found[3]);
    // "token is missing" is a sentence; "--token abc" is not.
    if between.trim().is_empty() && !name.starts_with("--") {
        return None;
    }
    let inner = value.trim_matches(['\\', '"', '\'']);
    if matches!(inner, "" | "null" | "none" | "true" | "false" | "[hidden]" | "****") || inner.starts_with(HIDDEN) {
        return None;
    }
    let quotes = value.len() - value.trim_start_matches(['\\', '"', '\'']).len();
    let closing = value.len() - value.trim_end_matches(['\\', '"', '\'']).len();
    Some(format!(
        "{name}{between}{}{HIDDEN}{}",
        &value[..quotes],
        &value[value.len() - closing..]
    ))
}

/// What a word becomes that a generator made; `None` for others.
fn word(word: &str) -> Option<String> {
    // A path has parts that are looked at by themselves, unless it is base64, which may have this sign too.
    if word.starts_with('/') || (word.contains('/') && (word.split('/').any(is_container) || !is_random(word))) {
        let parts: Vec<_> = word.split('/').map(|part| (part, self::word(part))).collect();
        if !word.contains('/') || parts.iter().all(|(_, hidden)| hidden.is_none()) {
            return None;
        }
        let parts: Vec<String> = parts
            .into_iter()
            .map(|(part, hidden)| hidden.unwrap_or_else(|| part.to_owned()))
            .collect();
        return Some(parts.join("/"));
    }
    if word.len() < SHORTEST {
        return None;
    }
    // `spanID=0123456789abcdef`, `port_start=443`
    if let Some((name, number)) = word.split_once('=')
        && !number.is_empty()
        && is_hex(number)
        && !is_random(name)
    {
        return self::word(number).map(|number| format!("{name}={number}"));
    }
    if is_hex(word) {
        // Nobody can tell the checksum of an image from a key by its looks, so both lose their end.
        let has_letter = word.bytes().any(|byte| byte.is_ascii_alphabetic());
        return (has_letter && word.len() >= 32).then(|| format!("{}…", &word[..SHORT_ID]));
    }
    is_random(word).then(|| HIDDEN.to_owned())
}

fn is_random(word: &str) -> bool {
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    let digits = count(u8::is_ascii_digit);
    let (upper, lower) = (count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    let mixed = digits >= 2 && upper + lower >= 2 && digits * 12 >= word.len();
    // AWordOfAProgram has as many capitals as it has words.
    let jumping = upper * 5 > word.len() && lower * 5 > word.len();
    (mixed || jumping) && !is_uuid(word) && entropy(word) >= RANDOM
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A container's or an image's whole number. Base64 with slashes has no such part.
fn is_container(part: &str) -> bool {
    part.len() == 64 && is_hex(part)
}

fn is_uuid(word: &str) -> bool {
    let parts: Vec<usize> = word.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
}

/// Shannon's, in bits a character.
#[expect(clippy::cast_precision_loss, reason = "lengths of words")]
fn entropy(word: &str) -> f64 {
    let mut counts: HashMap<u8, usize> = HashMap::new();
    for byte in word.bytes() {
        *counts.entry(byte).or_default() += 1;
    }
    let length = word.len() as f64;
    counts
        .values()
        .map(|count| *count as f64 / length)
        .map(|share| -share * share.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        mask(text, Some("/home/ada")).text
    }

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        const SECRETS: &[&str] = &[
            "hunter2",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "c2VjcmV0OnBhc3N3b3Jk",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "dckr_pat_AbCdEfGhIjKlMnOpQrStUvWxYz0",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA",
            "xoxb-1234567890-abcdefghij",
            "p4ss w0rd",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ];
        for text in [
            "PGPASSWORD=hunter2 psql",
            "env DATABASE_URL=postgres://ada:hunter2@db:5432/app",
            r#"{"password":"hunter2","user":"ada"}"#,
            r#"msg="body {\"registryToken\":\"hunter2\"}" level=info"#,
            r#"{"password": "p4ss w0rd"}"#,
            "docker login --password hunter2 ghcr.io",
            "docker login --password=hunter2 ghcr.io",
            "MYSQL_ROOT_PASSWORD: hunter2",
            "api_key='hunter2'",
            "X-Registry-Auth: c2VjcmV0OnBhc3N3b3Jk",
            "Authorization: Basic c2VjcmV0OnBhc3N3b3Jk",
            r#"headers={"Authorization": ["Bearer hunter2hunter2"]}"#,
            "using bearer c2VjcmV0OnBhc3N3b3Jk for it",
            r#"{"auths":{"ghcr.io":{"auth":"c2VjcmV0OnBhc3N3b3Jk"}}}"#,
            "http_proxy=http://ada:hunter2@proxy:3128",
            "cloned with ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "logged in by dckr_pat_AbCdEfGhIjKlMnOpQrStUvWxYz0",
            "cookie: session=hunter2; theme=dark",
            "aws uses wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY today",
            "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N end",
            "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA\n-----END PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA\\n",
            "hook xoxb-1234567890-abcdefghij called",
            "seed 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ] {
            let seen = masked(text);
            for secret in SECRETS {
                assert!(!seen.contains(secret), "{secret} is left of {text:?}: {seen:?}");
            }
            assert!(mask(text, None).hidden > 0, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "Linux 6.12.57+deb13-amd64 by hardware virtualization (kvm).",
            "GET https://registry-1.docker.io/v2/library/nginx/manifests/latest",
            "/usr/lib/x86_64-linux-gnu/libseccomp.so.2.6.0",
            "2026-11-21T13:26:27.123456Z  INFO wherry_machine::daemon: the daemon serves release=\"0.1.0\"",
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "the token is missing",
            r#"{"hasPassword":true,"token":null}"#,
            "containerd-shim-runc-v2 started",
            "-device virtio-balloon-pci,free-page-reporting=on,deflate-on-oom=on",
            "[    0.412345] Kernel command line: console=ttyS0 quiet loglevel=4 root=/dev/vda",
            "level=info msg=\"Loading containers: done.\" author=moby",
            "returned error: context canceled\" spanID=5cbe3a7a0ad87d34 kind=1",
            "sudo sysctl -w net.ipv4.ip_unprivileged_port_start=443",
            "running.ready_in_millis=17920 running.uptime=20",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn ids_stay_recognizable_and_the_person_s_folder_does_not() {
        assert_eq!(
            masked("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            "sha256:9f86d081884c…"
        );
        assert_eq!(
            masked(
                "POST /v1.45/containers/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08/start \
                 traceID=c7de7d2ad8d4b3a9f38e13e4a2a6f5b1"
            ),
            "POST /v1.45/containers/9f86d081884c…/start traceID=c7de7d2ad8d4…"
        );
        assert_eq!(masked("/home/ada/code/app"), "~/code/app");
    }

    #[test]
    fn masked_json_is_json() {
        let text = r#"{"password": "a\"b", "auth": {"identitytoken": "x"}, "list": ["Bearer abcdefgh"], "n": 1}"#;
        let seen = masked(text);
        let value: serde_json::Value = serde_json::from_str(&seen).expect(&seen);
        assert_eq!(value["password"], HIDDEN);
        assert_eq!(value["n"], 1);
    }

    #[test]
    fn masking_twice_changes_nothing_more() {
        let once = masked("PASSWORD=hunter2 https://ada:x@host Authorization: Basic abcdefgh");
        assert_eq!(masked(&once), once);
    }
}
