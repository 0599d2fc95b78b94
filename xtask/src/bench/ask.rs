//! Runs inside a container and on this computer, compiled by the bench by itself: asks a name server for addresses.
//! One file without dependencies, because the container has nothing but this program.
//!
//! `cached SERVER NAME COUNT` and `missed SERVER NAME COUNT` print the median of milliseconds of an answer to the same
//! name, and to ones that nobody has asked for. `until SERVER NAME` prints `ready`, and `changed` once there is another
//! answer. The server may be `-`: the one of `/etc/resolv.conf`.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// A name server that says nothing for longer is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, server, name, rest @ ..] = &words[..] else { panic!("cached, missed or until; a server; a name") };
    let server = if server == "-" { configured() } else { server.clone() };
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect((server.as_str(), 53)).expect("an address");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let count: u16 = rest.first().map_or(1, |count| count.parse().expect("a number"));
    match what.as_str() {
        "cached" => {
            ask(&socket, 0, name);
            println!("{}", median((1..=count).map(|id| timed(|| ask(&socket, id, name)))));
        }
        "missed" => {
            let others = (1..=count).map(|id| timed(|| ask(&socket, id, &format!("n{id}-{name}"))));
            println!("{}", median(others));
        }
        "until" => {
            let before = ask(&socket, 0, name);
            println!("ready");
            for id in 1.. {
                if ask(&socket, id, name) != before {
                    println!("changed");
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        other => panic!("{other} is not known"),
    }
}

fn configured() -> String {
    let text = std::fs::read_to_string("/etc/resolv.conf").expect("readable");
    let server = text.lines().find_map(|line| line.strip_prefix("nameserver "));
    server.expect("a name server").trim().to_owned()
}

fn timed(ask: impl FnOnce() -> Vec<u8>) -> f64 {
    let begun = Instant::now();
    assert!(!ask().is_empty(), "an answer without an address");
    begun.elapsed().as_secs_f64() * 1000.0
}

fn median(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The last four bytes of the answer, which are the address of a name that has one.
fn ask(socket: &UdpSocket, id: u16, name: &str) -> Vec<u8> {
    let mut query = id.to_be_bytes().to_vec();
    // Recursion is wanted; one question.
    query.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.as_bytes());
    }
    // The end of the name; an address; on the internet.
    query.extend([0, 0, 1, 0, 1]);
    let mut answer = [0; 1500];
    loop {
        socket.send(&query).expect("sent");
        while let Ok(length) = socket.recv(&mut answer) {
            if answer[..2] == id.to_be_bytes() {
                let has_answer = answer[6..8] != [0, 0];
                return if has_answer { answer[length - 4..length].to_vec() } else { Vec::new() };
            }
        }
    }
}
