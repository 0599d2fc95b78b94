//! Runs in a container, compiled by the bench by itself: tells the time. One file without dependencies, because the
//! container has nothing but this program.
//!
//! For each byte that a client sends at port 80, it is told the nanoseconds since 1970: sixteen bytes, big-endian.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    let listener = TcpListener::bind("0.0.0.0:80").expect("a port");
    for client in listener.incoming() {
        // It goes away when it has heard enough.
        let _ = tell(client.expect("a client"));
    }
}

fn tell(mut client: TcpStream) -> std::io::Result<()> {
    loop {
        client.read_exact(&mut [0])?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        client.write_all(&now.as_nanos().to_be_bytes())?;
    }
}
