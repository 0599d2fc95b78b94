//! One HTTP request over a plain socket: what a person's browser does with a published port.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::process::until;

/// The whole answer to `GET /`, or `None` when nothing answers.
pub fn get(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET / HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}

/// Waits until the page contains `words`.
pub fn page_with(address: &str, words: &str) -> String {
    until(&format!("a page with {words:?} at {address}"), || {
        get(address).filter(|page| page.contains(words))
    })
}

/// Waits until nothing listens there.
pub fn refused(address: &str) {
    let address: SocketAddr = address.parse().expect("an address");
    until(&format!("{address} to be free"), || {
        TcpStream::connect(address).is_err().then_some(())
    });
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
