//! A container's service for tests of published ports: says back what it was sent.
//!
//! `echo [ADDRESS] tcp/PORT udp/PORT …`. TCP: once the client has closed its half. UDP: each datagram, behind the
//! address it came from.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::thread::Builder;

fn main() {
    let mut address = "0.0.0.0".to_owned();
    let mut threads = Vec::new();
    for argument in std::env::args().skip(1) {
        let (protocol, port) = match argument.split_once('/') {
            Some((protocol, port)) => (protocol.to_owned(), port.parse::<u16>().expect("a port")),
            None => {
                address = argument;
                continue;
            }
        };
        let address = address.clone();
        // A thousand connections are a thousand threads, in a machine with little memory.
        let small = || Builder::new().stack_size(64 << 10);
        let serve: Box<dyn FnOnce() + Send> = if protocol == "tcp" {
            let listener = TcpListener::bind((address, port)).expect("the port is free");
            Box::new(move || {
                for mut connection in listener.incoming().flatten() {
                    let answer = move || {
                        let mut all = Vec::new();
                        let _ = connection.read_to_end(&mut all);
                        let _ = connection.write_all(&all);
                    };
                    small().spawn(answer).expect("a thread");
                }
            })
        } else {
            let socket = UdpSocket::bind((address, port)).expect("the port is free");
            Box::new(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok((length, client)) = socket.recv_from(&mut buffer) {
                    let mut answer = format!("{client} ").into_bytes();
                    answer.extend_from_slice(&buffer[..length]);
                    let _ = socket.send_to(&answer, client);
                }
            })
        };
        threads.push(small().spawn(serve).expect("a thread"));
    }
    println!("ready");
    for thread in threads {
        let _ = thread.join();
    }
}
