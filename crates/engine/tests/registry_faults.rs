//! What a registry must never say, said by a server made for it: each has its own kind, and nothing hangs.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wherry_engine::{RegistryClient, RegistryError};

/// A server that answers `/v2/` well and everything else with these bytes; `endless` goes on for ever.
async fn serve(head: &'static str, endless: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.windows(4).any(|four| four == b"\r\n\r\n") {
                    // Whoever begins with TLS (0x16) is let go.
                    if stream.read_buf(&mut request).await.unwrap_or(0) == 0 || request[0] == 0x16 {
                        return;
                    }
                }
                let text = String::from_utf8_lossy(&request).into_owned();
                if text.starts_with("GET /v2/ ") {
                    let well = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
                    let _ = stream.write_all(well.as_bytes()).await;
                    return;
                }
                let _ = stream.write_all(head.as_bytes()).await;
                while endless && stream.write_all(&[b' '; 4096]).await.is_ok() {}
            });
        }
    });
    address
}

async fn trouble(head: &'static str, endless: bool) -> RegistryError {
    let address = serve(head, endless).await;
    let http = reqwest::Client::builder().no_proxy();
    let client = RegistryClient::new(&address, false, None, http).expect("a client");
    let asked = tokio::time::timeout(Duration::from_mins(1), client.tags("a/b"));
    asked
        .await
        .expect("it does not hang")
        .expect_err("no registry says that")
}

const DENIED: &str = r#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#;

#[tokio::test]
async fn every_odd_answer_of_a_registry_is_an_error_of_its_own() {
    let error = trouble("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", false).await;
    assert!(
        matches!(error, RegistryError::Unauthorized { login: false, .. }),
        "{error:?}"
    );
    let head = "HTTP/1.1 403 Forbidden\r\nContent-Length: 54\r\n\r\n{\"errors\":[{\"code\":\"DENIED\",\"message\":\"not for you\"}]}";
    assert_eq!(DENIED.len(), 54);
    let error = trouble(head, false).await;
    assert!(
        matches!(&error, RegistryError::Forbidden { said, .. } if said == "not for you"),
        "{error:?}"
    );
    let error = trouble("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false).await;
    assert!(matches!(error, RegistryError::Missing { .. }), "{error:?}");
    for (head, waits) in [
        (
            "HTTP/1.1 429 Too Many\r\nRetry-After: 720\r\nContent-Length: 0\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 429 Too Many\r\nRetry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 429 Too Many\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n",
            false,
        ),
        ("HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n", false),
    ] {
        let error = trouble(head, false).await;
        assert!(
            matches!(&error, RegistryError::TooMany { until, .. } if until.is_some() == waits),
            "{error:?}"
        );
    }
    for head in [
        "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 502 X\r\nContent-Length: 6\r\n\r\n<html>",
        "HTTP/1.1 503 X\r\nContent-Length: 100\r\n\r\ncut",
    ] {
        let error = trouble(head, false).await;
        assert!(matches!(error, RegistryError::Failing { .. }), "{error:?}");
    }
    let error = trouble("HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n", false).await;
    assert!(matches!(error, RegistryError::Odd { status: 418, .. }), "{error:?}");
    let error = trouble("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"tags\":[", false).await;
    assert!(matches!(error, RegistryError::BrokenOff { .. }), "{error:?}");
    let error = trouble("", false).await;
    assert!(matches!(error, RegistryError::BrokenOff { .. }), "{error:?}");
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"tags\":\"all\"",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ] {
        let error = trouble(head, false).await;
        assert!(matches!(error, RegistryError::Garbled { .. }), "{error:?}");
    }
    let error = trouble("HTTP/1.1 200 OK\r\n\r\n{\"tags\":[", true).await;
    assert!(matches!(error, RegistryError::Endless { .. }), "{error:?}");
    let around =
        "HTTP/1.1 307 X\r\nLocation: /v2/a/b/tags/list?again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let error = trouble(around, false).await;
    assert!(matches!(error, RegistryError::Redirects { .. }), "{error:?}");
}

#[tokio::test]
async fn a_password_goes_nowhere_that_others_could_read() {
    let registry = serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false).await;
    let nobody = RegistryClient::new(
        "registry.wherry.invalid",
        false,
        None,
        reqwest::Client::builder().no_proxy(),
    )
    .expect("a client");
    let error = nobody.greet().await.expect_err("there is none");
    assert!(
        matches!(
            error,
            RegistryError::NoSuchHost { .. } | RegistryError::Unreachable { .. }
        ),
        "{error:?}"
    );
    // One on this computer may be without TLS, which is said.
    let here = RegistryClient::new(&registry, false, None, reqwest::Client::builder().no_proxy()).expect("a client");
    assert!(!here.greet().await.expect("it answers").encrypted);
}
