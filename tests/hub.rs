//! What stands in for Docker Hub's site: a search that finds two images, and the tags of postgres.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

/// Goes on until the process ends. Its address, as `WHERRY_HUB_SITE` takes it.
pub fn site() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(&stream);
        }
    });
    address
}

fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
    }
    let (status, body) = if request.contains("/api/search/") {
        let found = json!({ "results": [
            { "slug": "python", "short_description": "Python is a language <b>that lets you work</b>", "badge": "official",
              "star_count": 9000, "rate_plans": [{ "repositories": [{ "pull_count": "1B+" }] }] },
            { "slug": "bitnami/python", "short_description": "Bitnami's Python", "badge": "verified_publisher" },
        ] });
        ("200 OK", found)
    } else if request.contains("/v2/repositories/library/postgres/tags?") {
        let image =
            |architecture: &str, os: &str, size: u64| json!({ "os": os, "architecture": architecture, "size": size });
        let tags = json!({ "results": [
            { "name": "17", "last_updated": "2026-11-01T10:00:00Z", "digest": "sha256:17",
              "images": [image("amd64", "linux", 160_000_000), image("arm64", "linux", 158_000_000)] },
            { "name": "latest", "last_updated": "2026-11-01T10:00:00Z", "digest": "sha256:17",
              "images": [image("amd64", "linux", 160_000_000)] },
            { "name": "windowsservercore", "last_updated": "2022-11-01T10:00:00Z", "digest": "sha256:10",
              "images": [image("amd64", "windows", 2_100_000_000)] },
        ] });
        ("200 OK", tags)
    } else {
        ("404 Not Found", json!({ "message": "object not found" }))
    };
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
