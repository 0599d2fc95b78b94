//! Runs inside a container, compiled by the test by itself: knocks at every door that it can see, and prints what
//! answered. One file without dependencies, because the container has nothing but this program.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What an engine, our agent and our daemon would answer to.
const PROBES: [&str; 3] = [
    "GET /v1.41/info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "{\"type\":\"hello\",\"version\":1,\"unixMillis\":0}\n",
    "{\"version\":1,\"release\":\"0.1.0\",\"request\":{\"type\":\"status\"}}\n",
];
const UDP: [u16; 16] = [
    53, 67, 69, 111, 123, 137, 161, 500, 1900, 2375, 2376, 4243, 4789, 5353, 7946, 9323,
];
/// Of addresses outside the machine, where a scan of everything would knock at other people's doors.
const USUAL: [u16; 12] = [22, 53, 80, 111, 443, 2375, 2376, 2377, 4243, 5000, 9323, 10250];

/// Whoever is there answers at once; the link to the host may be busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many ports are knocked at at the same time.
const AT_ONCE: usize = 64;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut local: BTreeSet<IpAddr> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let mut outside = gateways();
    // `host.docker.internal`: behind it is the loopback of the computer that runs the test, with whatever listens there.
    let doors: Vec<u16> = read("/ports").lines().filter_map(|port| port.parse().ok()).collect();
    let hosts: Vec<IpAddr> = words.iter().filter_map(|word| word.strip_prefix("host=")?.parse().ok()).collect();
    for host in &hosts {
        println!("host {host}");
        let begun = Instant::now();
        let open = open_ports(*host, &doors);
        println!("took {:.1} s for {} ports of the host", begun.elapsed().as_secs_f64(), doors.len());
        for port in open {
            told(SocketAddr::new(*host, port));
        }
        outside.remove(host);
    }
    // Who is told addresses has none of its own that could be anybody else's.
    if local.is_empty() {
        local.extend(own_addresses().into_iter().filter(|address| !hosts.contains(address)));
    }
    let every: Vec<u16> = (1..=u16::MAX).collect();
    for address in &local {
        println!("local {address}");
        for port in open_ports(*address, &every) {
            told(SocketAddr::new(*address, port));
        }
    }
    for address in outside {
        if local.contains(&address) {
            continue;
        }
        println!("outside {address}");
        for port in open_ports(address, &USUAL) {
            told(SocketAddr::new(address, port));
        }
        local.insert(address);
    }
    for address in &local {
        udp(*address);
    }
    for line in read("/proc/net/unix").lines().skip(1) {
        if let Some(name) = line.split_whitespace().nth(7) {
            println!("unix {name}");
        }
    }
    sockets(Path::new("/"));
    vsock();
    println!("done");
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// "|-- 10.0.2.15 / /32 host LOCAL"
fn own_addresses() -> Vec<IpAddr> {
    let text = read("/proc/net/fib_trie");
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .filter(|pair| pair[1].contains("/32 host LOCAL"))
        .filter_map(|pair| pair[0].trim().trim_start_matches("|-- ").parse().ok())
        .collect()
}

/// The routers, and their neighbours where QEMU's user network has its own services.
fn gateways() -> BTreeSet<IpAddr> {
    read("/proc/net/route")
        .lines()
        .skip(1)
        .filter_map(|line| u32::from_str_radix(line.split_whitespace().nth(2)?, 16).ok())
        .filter(|gateway| *gateway != 0)
        .flat_map(|gateway| {
            let gateway = u32::from_le_bytes(gateway.to_be_bytes());
            (0..3).map(move |next| IpAddr::V4(Ipv4Addr::from(gateway + next)))
        })
        .collect()
}

fn open_ports(address: IpAddr, ports: &[u16]) -> Vec<u16> {
    let next = AtomicUsize::new(0);
    let open = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(ports.len()) {
            let small = std::thread::Builder::new().stack_size(64 << 10);
            let knock = || {
                loop {
                    let Some(port) = ports.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                    let to = SocketAddr::new(address, *port);
                    if TcpStream::connect_timeout(&to, PATIENCE).is_ok() {
                        open.lock().unwrap().push(*port);
                    }
                }
            };
            small.spawn_scoped(scope, knock).unwrap();
        }
    });
    open.into_inner().unwrap()
}

fn told(at: SocketAddr) {
    for probe in PROBES {
        println!("tcp {at} {}", ask(at, probe));
    }
}

fn ask(at: SocketAddr, probe: &str) -> String {
    let Ok(mut stream) = TcpStream::connect_timeout(&at, Duration::from_secs(2)) else {
        return "closed".into();
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(3)));
    let _ = stream.write_all(probe.as_bytes());
    let mut answer = [0; 2048];
    let length = stream.read(&mut answer).unwrap_or(0);
    format!("{:?}", String::from_utf8_lossy(&answer[..length]))
}

fn udp(address: IpAddr) {
    let Ok(socket) = UdpSocket::bind("0.0.0.0:0") else { return };
    let _ = socket.set_read_timeout(Some(Duration::from_millis(300)));
    for port in UDP {
        let _ = socket.send_to(PROBES[1].as_bytes(), (address, port));
    }
    let mut answer = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut answer) {
        println!("udp {from} {:?}", String::from_utf8_lossy(&answer[..length]));
    }
}

/// Sockets that the container can see as files.
fn sockets(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_socket() {
            println!("file {}", path.display());
        } else if kind.is_dir() && !path.starts_with("/proc") && !path.starts_with("/sys") {
            sockets(&path);
        }
    }
}

/// The kernel has virtio sockets for hosts that carry the link over them; here no such device is there.
fn vsock() {
    const VSOCK: i32 = 40;
    const STREAM: i32 = 1;
    unsafe extern "C" {
        fn socket(domain: i32, kind: i32, protocol: i32) -> i32;
        fn connect(socket: i32, address: *const u8, length: u32) -> i32;
        fn close(socket: i32) -> i32;
    }
    for cid in 0..4_u32 {
        for port in 1..=u32::from(u16::MAX) {
            // family, reserved, port, cid: `struct sockaddr_vm` in linux/vm_sockets.h.
            let mut address = [0; 16];
            address[0] = VSOCK as u8;
            address[4..8].copy_from_slice(&port.to_ne_bytes());
            address[8..12].copy_from_slice(&cid.to_ne_bytes());
            // SAFETY: the address is as long as it is said to be, and the socket is closed once.
            let answered = unsafe {
                let socket = socket(VSOCK, STREAM, 0);
                if socket < 0 {
                    return;
                }
                let answered = connect(socket, address.as_ptr(), 16) == 0;
                close(socket);
                answered
            };
            if answered {
                println!("vsock {cid} {port}");
            }
        }
    }
}
