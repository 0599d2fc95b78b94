//! A proxy as companies have it: it wants a name and a password, knows hosts that nobody else knows, and notes who
//! went where.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _, copy};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// `mira` and [`PASSWORD`], as `Proxy-Authorization` writes them.
const CREDENTIALS: &str = "Basic bWlyYTpzM2NyZXQ=";

pub const USER: &str = "mira";
pub const PASSWORD: &str = "s3cret";

pub struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Listens on loopback until the test ends. `hosts` says where a `HOST:PORT` really is; whatever is asked for by
    /// plain HTTP it answers itself.
    pub fn start(hosts: &[(&str, String)]) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let hosts: HashMap<String, String> = hosts
            .iter()
            .map(|(host, real)| ((*host).to_owned(), real.clone()))
            .collect();
        let (hosts, notes) = (Arc::new(hosts), Arc::clone(&asked));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (hosts, notes) = (Arc::clone(&hosts), Arc::clone(&notes));
                // A client that leaves in the middle concerns nobody else.
                std::thread::spawn(move || serve(client, &hosts, &notes));
            }
        });
        Proxy { address, asked }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was asked for so far, such as `CONNECT registry.example:443`, and forgets it.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn serve(client: TcpStream, hosts: &HashMap<String, String>, notes: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut answer = client;
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut known = false;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or_default();
        known |= name.eq_ignore_ascii_case("proxy-authorization") && value.trim() == CREDENTIALS;
    }
    let (method, rest) = request.split_once(' ').unwrap_or_default();
    let target = rest.split(' ').next().unwrap_or_default();
    let note = format!("{method} {target}");
    if !known {
        return answer.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    }
    notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    if method != "CONNECT" {
        let page = format!("{target} by way of the proxy\n");
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            page.len()
        );
        return answer.write_all((head + &page).as_bytes());
    }
    let Some(server) = hosts.get(target).and_then(|real| TcpStream::connect(real).ok()) else {
        return answer.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    };
    answer.write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n")?;
    let (mut up, mut down) = (server.try_clone()?, server);
    let there = std::thread::spawn(move || {
        let copied = copy(&mut reader, &mut up);
        let _ = up.shutdown(Shutdown::Write);
        copied
    });
    copy(&mut down, &mut answer)?;
    let _ = answer.shutdown(Shutdown::Write);
    let _ = there.join();
    Ok(())
}
