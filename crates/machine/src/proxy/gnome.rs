//! GNOME's settings, which most desktops on Linux share, asked of its own program.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;
use url::Url;

use super::Desktop;

/// It takes some 20 ms. A session whose settings service hangs must not keep the machine from starting.
const ASKED: Duration = Duration::from_secs(2);

pub(super) async fn read() -> Desktop {
    let mut command = Command::new("gsettings");
    command
        .args(["list-recursively", "org.gnome.system.proxy"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match timeout(ASKED, command.output()).await {
        Ok(Ok(output)) if output.status.success() => parse(&String::from_utf8_lossy(&output.stdout)),
        // There is no such program, or no such settings: then they say nothing.
        Ok(Ok(_) | Err(_)) | Err(_) => Desktop::default(),
    }
}

/// Lines such as `org.gnome.system.proxy.http host 'proxy.example'`.
fn parse(text: &str) -> Desktop {
    let settings: HashMap<String, &str> = text
        .lines()
        .filter_map(|line| {
            let (schema, rest) = line.split_once(' ')?;
            let (key, value) = rest.split_once(' ')?;
            let below = schema.strip_prefix("org.gnome.system.proxy")?.trim_start_matches('.');
            Some((format!("{below}/{key}"), value.trim()))
        })
        .collect();
    let text_of = |key: &str| {
        settings
            .get(key)
            .map(|value| value.trim_matches('\'').replace("\\'", "'"))
            .filter(|value| !value.is_empty())
    };
    let is_true = |key: &str| settings.get(key).is_some_and(|value| *value == "true");
    match text_of("/mode").as_deref() {
        Some("manual") => {}
        Some("auto") => {
            return Desktop {
                unsupported: Some("a script"),
                ..Desktop::default()
            };
        }
        Some(_) | None => return Desktop::default(),
    }
    let address = |below: &str, scheme: &str| {
        let host = text_of(&format!("{below}/host"))?;
        let port: u16 = settings
            .get(&format!("{below}/port"))
            .and_then(|port| port.parse().ok())?;
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let mut url = Url::parse(&format!("{scheme}://{host}")).ok()?;
        // The address has a host, so all of these can be set.
        let _ = url.set_port((port != 0).then_some(port));
        if below == "http" && is_true("http/use-authentication") {
            let _ = url.set_username(&text_of("http/authentication-user").unwrap_or_default());
            let _ = url.set_password(text_of("http/authentication-password").as_deref());
        }
        Some(url.into())
    };
    let http = address("http", "http");
    let socks = address("socks", "socks5");
    let https = if is_true("/use-same-proxy") { http.clone() } else { None };
    let https = https.or_else(|| address("https", "http"));
    let except = settings.get("/ignore-hosts").copied().unwrap_or_default();
    let except = except.trim_matches(['[', ']']).split(',');
    Desktop {
        http: http.or_else(|| socks.clone()),
        https: https.or(socks),
        except: except.map(|one| one.trim().trim_matches('\'').to_owned()).collect(),
        unsupported: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = "\
org.gnome.system.proxy autoconfig-url ''
org.gnome.system.proxy ignore-hosts ['localhost', '127.0.0.0/8', '::1', '*.example']
org.gnome.system.proxy mode 'MODE'
org.gnome.system.proxy use-same-proxy false
org.gnome.system.proxy.ftp host ''
org.gnome.system.proxy.ftp port 0
org.gnome.system.proxy.http authentication-password 's3:cret'
org.gnome.system.proxy.http authentication-user 'mira'
org.gnome.system.proxy.http enabled false
org.gnome.system.proxy.http host '127.0.0.1'
org.gnome.system.proxy.http port 3128
org.gnome.system.proxy.http use-authentication true
org.gnome.system.proxy.https host ''
org.gnome.system.proxy.https port 0
org.gnome.system.proxy.socks host 'socks.example'
org.gnome.system.proxy.socks port 1080
";

    #[test]
    fn a_manual_proxy_is_read_with_its_exceptions() {
        let found = parse(&SETTINGS.replace("MODE", "manual"));
        assert_eq!(found.http.as_deref(), Some("http://mira:s3%3Acret@127.0.0.1:3128/"));
        assert_eq!(found.https.as_deref(), Some("socks5://socks.example:1080"));
        assert_eq!(found.except, ["localhost", "127.0.0.0/8", "::1", "*.example"]);
    }

    #[test]
    fn no_proxy_is_none_and_a_script_is_said() {
        assert_eq!(parse(&SETTINGS.replace("MODE", "none")), Desktop::default());
        assert_eq!(parse(""), Desktop::default());
        assert_eq!(parse(&SETTINGS.replace("MODE", "auto")).unsupported, Some("a script"));
    }
}
