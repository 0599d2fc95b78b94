//! Runs in the guest, compiled by the bench by itself: takes and gives bytes as fast as they go. One file without
//! dependencies, because the guest has nothing but this program.
//!
//! `endpoint PORT ADDRESS…` listens at all of them. A client's first byte says what it wants:
//! `<` to be given bytes for as long as it reads, `>` to be told how many it sent once it has ended its half.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

const PIECE: usize = 256 << 10;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, addresses @ ..] = &words[..] else { panic!("endpoint PORT ADDRESS…") };
    let listeners: Vec<TcpListener> = addresses
        .iter()
        .map(|address| TcpListener::bind(format!("{address}:{port}")).expect("an address of this machine"))
        .collect();
    let threads: Vec<_> = listeners.into_iter().map(|listener| thread::spawn(move || accept(&listener))).collect();
    for thread in threads {
        thread.join().expect("it never ends");
    }
}

fn accept(listener: &TcpListener) {
    for client in listener.incoming() {
        let client = client.expect("a client");
        // One that goes away in the middle is what ends most of them.
        thread::spawn(move || drop(serve(client)));
    }
}

fn serve(mut client: TcpStream) -> std::io::Result<()> {
    let mut piece = vec![7; PIECE];
    let mut wanted = [0];
    client.read_exact(&mut wanted)?;
    match wanted[0] {
        b'<' => loop {
            client.write_all(&piece)?;
        },
        _ => {
            let mut taken = 0_u64;
            loop {
                match client.read(&mut piece)? {
                    0 => return client.write_all(&taken.to_be_bytes()),
                    length => taken += length as u64,
                }
            }
        }
    }
}
