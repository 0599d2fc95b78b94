//! An engine with one container per kind of log: its name says how many lines it has and how long each is.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Lines that are made once and then sent over and over.
pub(crate) const ROUND: usize = 10_000;

/// What the name of a container ends with whose every line has colours.
pub(crate) const COLOURED: &str = "coloured";

/// In the last line of each round.
pub(crate) const RARE: &str = "Payment refused";

/// Ends with its standard input.
pub(crate) fn run(socket: &Path) -> Result<(), Box<dyn Error>> {
    let listener = UnixListener::bind(socket)?;
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Whoever had enough closes the connection.
            std::thread::spawn(move || drop(answer(&client)));
        }
    });
    let mut end = String::new();
    std::io::stdin().read_line(&mut end)?;
    Ok(())
}

fn answer(client: &UnixStream) -> std::io::Result<()> {
    let mut request = BufReader::new(client).lines();
    let first = request.next().transpose()?.unwrap_or_default();
    for line in request {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && !part.starts_with("v1"))
        .collect();
    match parts[..] {
        ["containers", name, "logs"] => {
            let mut numbers = name.split('-').filter_map(|number| number.parse().ok());
            let (lines, length) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            let coloured = name.ends_with(COLOURED);
            let round: Vec<Vec<u8>> = (0..ROUND).map(|number| piece(number, length, coloured)).collect();
            log(client, lines, &round)
        }
        ["containers", name, "json"] => json(client, &format!(r#"{{"Id":"{name}","Config":{{"Tty":false}}}}"#)),
        ["events"] => {
            write!(&mut &*client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            // Nothing ever happens.
            std::io::copy(&mut &*client, &mut std::io::sink()).map(drop)
        }
        ["version"] => json(
            client,
            r#"{"Version":"28.0.0","ApiVersion":"1.48","MinAPIVersion":"1.24","Os":"linux","Arch":"amd64"}"#,
        ),
        _ => json(client, "{}"),
    }
}

fn json(mut client: &UnixStream, text: &str) -> std::io::Result<()> {
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
}

/// Each line is a piece of its own, as dockerd sends them.
fn log(mut client: &UnixStream, lines: usize, round: &[Vec<u8>]) -> std::io::Result<()> {
    write!(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let mut left = lines;
    let mut buffer = Vec::with_capacity(256 << 10);
    while left > 0 {
        for piece in round.iter().take(left) {
            buffer.extend_from_slice(piece);
            if buffer.len() > 128 << 10 {
                client.write_all(&buffer)?;
                buffer.clear();
            }
        }
        left -= left.min(ROUND);
    }
    client.write_all(&buffer)?;
    client.write_all(b"0\r\n\r\n")
}

fn piece(number: usize, length: usize, coloured: bool) -> Vec<u8> {
    let text = text(number, length, coloured);
    let text = format!("2026-11-21T09:30:{:02}.{number:09}Z {text}\n", number / 1000);
    let size = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut piece = format!("{:x}\r\n", text.len() + 8).into_bytes();
    piece.extend_from_slice(&[1, 0, 0, 0]);
    piece.extend_from_slice(&size);
    piece.extend_from_slice(text.as_bytes());
    piece.extend_from_slice(b"\r\n");
    piece
}

/// As servers write them.
fn text(number: usize, length: usize, coloured: bool) -> String {
    let level = ["INFO", "INFO", "DEBUG", "INFO", "WARN"][number % 5];
    let (on, off) = if coloured { ("\x1b[32m", "\x1b[0m") } else { ("", "") };
    let what = if number + 1 == ROUND { RARE } else { "request handled" };
    let mut text = format!(
        "{on}{level}{off} [worker-{}] {on}{what}{off}: GET /api/v1/orders/{number}?page={} ",
        number % 7,
        number % 97
    );
    while text.len() < length {
        text.push_str("status=200 bytes=18231 user=someone@example.com ");
    }
    text.truncate(length);
    text
}
