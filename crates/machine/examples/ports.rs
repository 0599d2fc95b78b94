//! What published ports cost, without a machine: the host's half in one process, the guest's half in another, a unix
//! socket between them as QEMU has it, and traffic from a third. `cargo xtask bench ports` measures with it.
//!
//! `ports FIGURE SECONDS` prints one line of JSON: the figure straight over loopback, and through both halves.

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "that is how the halves and the bench hear of it")]
mod linux {
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
    use std::path::PathBuf;
    use std::process::{Child, ChildStdin, Command, Stdio};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    use serde_json::json;
    use wherry_link::{HostRequest, Protocol, Publication, Session, Target, reach};
    use wherry_machine::Forwards;

    type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const LINK: Duration = Duration::from_secs(10);
    const PING: usize = 64;
    const DATAGRAM: usize = 1400;

    pub(super) fn main() -> Outcome {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match arguments[..] {
            ["guest", socket] => carried(guest(socket.into())),
            ["host", socket, protocol, port, container] => {
                let publication = Publication {
                    protocol: if protocol == "udp" {
                        Protocol::Udp
                    } else {
                        Protocol::Tcp
                    },
                    host_address: LOOPBACK,
                    host_port: port.parse()?,
                    container: container.parse()?,
                    owner: None,
                };
                carried(host(socket.into(), publication))
            }
            [figure, seconds] => measure(figure, Duration::from_secs_f64(seconds.parse()?)),
            _ => Err("ports FIGURE SECONDS".into()),
        }
    }

    /// Where the machine's halves have what they carry as well.
    fn carried(half: impl Future<Output = io::Result<()>> + Send + 'static) -> Outcome {
        let runtime = tokio::runtime::Runtime::new()?;
        Ok(runtime.block_on(wherry_link::carrier().spawn(half))??)
    }

    async fn guest(socket: PathBuf) -> io::Result<()> {
        let listener = tokio::net::UnixListener::bind(socket)?;
        println!("ready");
        let (stream, _) = listener.accept().await?;
        let (_session, mut incoming) = Session::guest(stream).await.map_err(io::Error::other)?;
        while let Some(mut stream) = incoming.next().await {
            tokio::spawn(async move {
                match stream.read_message().await {
                    Ok(Some(HostRequest::Connect {
                        target: Target::Tcp { address, client: _ },
                    })) => reach::tcp(stream, address, tokio::net::TcpStream::connect(address)).await,
                    Ok(Some(HostRequest::Connect {
                        target: Target::Udp { address },
                    })) => reach::udp(stream, &[address], &reach::any_socket).await,
                    _ => Ok(()),
                }
            });
        }
        Ok(())
    }

    async fn host(socket: PathBuf, publication: Publication) -> io::Result<()> {
        let stream = tokio::net::UnixStream::connect(socket).await?;
        let (session, _incoming) = Session::host(stream, LINK).await.map_err(io::Error::other)?;
        let forwards = Forwards::new(session);
        forwards.publish(publication).await.map_err(io::Error::other)?;
        println!("ready");
        // Until whoever measures lets go.
        let _ = tokio::io::AsyncReadExt::read_u8(&mut tokio::io::stdin()).await;
        Ok(())
    }

    /// Both halves. They end with this.
    struct Halves {
        socket: PathBuf,
        guest: Child,
        host: Child,
        input: Option<ChildStdin>,
        at: SocketAddr,
    }

    impl Halves {
        fn start(protocol: &str, container: SocketAddr) -> Outcome<Self> {
            let me = std::env::current_exe()?;
            let socket = std::env::temp_dir().join(format!("wherry-ports-{}", std::process::id()));
            let port = TcpListener::bind((LOOPBACK, 0))?.local_addr()?.port();
            let path = socket.to_string_lossy().into_owned();
            let spawn = |arguments: &[&str]| -> Outcome<Child> {
                let mut child = Command::new(&me)
                    .args(arguments)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()?;
                let output = child.stdout.take().ok_or("no output")?;
                BufReader::new(output).read_line(&mut String::new())?;
                Ok(child)
            };
            let guest = spawn(&["guest", &path])?;
            let mut host = spawn(&["host", &path, protocol, &port.to_string(), &container.to_string()])?;
            let input = host.stdin.take();
            Ok(Self {
                socket,
                guest,
                host,
                input,
                at: SocketAddr::new(LOOPBACK, port),
            })
        }

        /// The processor time of both so far, in seconds.
        fn spent(&self) -> f64 {
            [self.host.id(), self.guest.id()]
                .iter()
                .map(|pid| {
                    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
                    // utime and stime, in hundredths of a second.
                    [11, 12]
                        .iter()
                        .filter_map(|field| fields.get(*field)?.parse::<f64>().ok())
                        .sum::<f64>()
                        / 100.0
                })
                .sum()
        }
    }

    impl Drop for Halves {
        fn drop(&mut self) {
            drop(self.input.take());
            let _ = self.host.wait();
            let _ = self.guest.kill();
            let _ = self.guest.wait();
            let _ = fs_err::remove_file(&self.socket);
        }
    }

    fn measure(figure: &str, time: Duration) -> Outcome {
        let streams = |name: &str| {
            name.rsplit('-')
                .next()
                .and_then(|count| count.parse().ok())
                .unwrap_or(1)
        };
        let answer = match figure {
            name if name.starts_with("up-") => {
                let server = Streams::serve(false)?;
                let halves = Halves::start("tcp", server.at)?;
                let straight = server.run(server.at, streams(name), time)?;
                let before = halves.spent();
                let through = server.run(halves.at, streams(name), time)?;
                let cores = (halves.spent() - before) / time.as_secs_f64();
                json!({ "straight": straight.total, "through": through.total, "fairness": through.fairness, "cores": cores })
            }
            name if name.starts_with("down-") => {
                let server = Streams::serve(true)?;
                let halves = Halves::start("tcp", server.at)?;
                let straight = server.run(server.at, streams(name), time)?;
                let before = halves.spent();
                let through = server.run(halves.at, streams(name), time)?;
                let cores = (halves.spent() - before) / time.as_secs_f64();
                json!({ "straight": straight.total, "through": through.total, "fairness": through.fairness, "cores": cores })
            }
            "latency" => {
                let echo = echo()?;
                let halves = Halves::start("tcp", echo)?;
                let (straight, through) = (pings(echo, time)?, pings(halves.at, time)?);
                json!({ "straight": straight.0, "through": through.0, "straightP99": straight.1, "throughP99": through.1 })
            }
            "connections" => {
                let echo = echo()?;
                let halves = Halves::start("tcp", echo)?;
                let straight = connections(echo, time)?;
                let before = halves.spent();
                let through = connections(halves.at, time)?;
                let spent = halves.spent() - before;
                let per_core = through * time.as_secs_f64() / spent;
                json!({ "straight": straight, "through": through, "perCore": per_core })
            }
            name if name.starts_with("udp-") => {
                let rate = streams(name);
                let (at, counted) = sink()?;
                let halves = Halves::start("udp", at)?;
                let straight = datagrams(at, &counted, rate, time)?;
                let before = halves.spent();
                let dropped = [dropped(at), dropped(halves.at)];
                let through = datagrams(halves.at, &counted, rate, time)?;
                let cores = (halves.spent() - before) / time.as_secs_f64();
                let [full, unread] = [(at, dropped[0]), (halves.at, dropped[1])]
                    .map(|(at, before)| (self::dropped(at) - before) / time.as_secs_f64());
                json!({
                    "straight": straight.received, "through": through.received, "cores": cores,
                    "straightSent": straight.sent, "sent": through.sent, "full": full, "unread": unread,
                })
            }
            other => return Err(format!("no figure {other}").into()),
        };
        println!("{answer}");
        Ok(())
    }

    /// Streams as fast as they go, one thread at each end of each.
    struct Streams {
        at: SocketAddr,
    }

    struct Speed {
        /// Bytes a second of all.
        total: f64,
        /// The slowest, in parts of the mean.
        fairness: f64,
    }

    impl Streams {
        fn serve(sends: bool) -> Outcome<Self> {
            let listener = TcpListener::bind((LOOPBACK, 0))?;
            let at = listener.local_addr()?;
            std::thread::spawn(move || {
                for connection in listener.incoming().flatten() {
                    std::thread::spawn(move || {
                        // The first byte says which way it goes, so that both know.
                        if (&connection).write_all(&[u8::from(sends)]).is_ok() {
                            if sends {
                                write(&connection);
                            } else {
                                let mut count = 0;
                                read(&connection, |length| count += length);
                            }
                        }
                    });
                }
            });
            Ok(Self { at })
        }

        fn run(&self, at: SocketAddr, streams: usize, time: Duration) -> Outcome<Speed> {
            let _ = self;
            let stop = Arc::new(AtomicBool::new(false));
            let mut threads = Vec::new();
            for _ in 0..streams {
                let mut connection = TcpStream::connect(at)?;
                let mut way = [0];
                connection.read_exact(&mut way)?;
                let stop = Arc::clone(&stop);
                threads.push(std::thread::spawn(move || {
                    let mut buffer = vec![0_u8; 256 << 10];
                    let mut moved = 0_u64;
                    while !stop.load(Ordering::Relaxed) {
                        let length = if way == [1] {
                            connection.read(&mut buffer)
                        } else {
                            connection.write(&buffer)
                        };
                        match length {
                            Ok(length) if length > 0 => moved += length as u64,
                            _ => break,
                        }
                    }
                    moved
                }));
            }
            let begun = Instant::now();
            std::thread::sleep(time);
            stop.store(true, Ordering::Relaxed);
            let elapsed = begun.elapsed().as_secs_f64();
            let mut moved = Vec::new();
            for thread in threads {
                moved.push(float(thread.join().map_err(|_| "a stream broke")?));
            }
            let total: f64 = moved.iter().sum();
            let slowest = moved.iter().copied().fold(f64::INFINITY, f64::min);
            Ok(Speed {
                total: total / elapsed,
                fairness: slowest / (total / float(streams as u64)),
            })
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of one short run")]
    fn float(count: u64) -> f64 {
        count as f64
    }

    fn write(mut connection: &TcpStream) {
        let buffer = vec![7_u8; 256 << 10];
        while connection.write_all(&buffer).is_ok() {}
    }

    fn read(mut connection: &TcpStream, mut each: impl FnMut(usize)) {
        let mut buffer = vec![0_u8; 256 << 10];
        while let Ok(length) = connection.read(&mut buffer)
            && length > 0
        {
            each(length);
        }
    }

    fn echo() -> Outcome<SocketAddr> {
        let listener = TcpListener::bind((LOOPBACK, 0))?;
        let at = listener.local_addr()?;
        for _ in 0..4 {
            let listener = listener.try_clone()?;
            std::thread::spawn(move || {
                for mut connection in listener.incoming().flatten() {
                    let _ = connection.set_nodelay(true);
                    let mut ping = [0; PING];
                    while connection.read_exact(&mut ping).is_ok() && connection.write_all(&ping).is_ok() {}
                }
            });
        }
        Ok(at)
    }

    /// The median and the 99th percentile of a question and its answer, in microseconds.
    fn pings(at: SocketAddr, time: Duration) -> Outcome<(f64, f64)> {
        let mut connection = TcpStream::connect(at)?;
        connection.set_nodelay(true)?;
        let mut ping = [1; PING];
        let mut took = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < time {
            let asked = Instant::now();
            connection.write_all(&ping)?;
            connection.read_exact(&mut ping)?;
            took.push(asked.elapsed().as_secs_f64() * 1e6);
        }
        took.sort_by(f64::total_cmp);
        Ok((took[took.len() / 2], took[took.len() * 99 / 100]))
    }

    /// How many clients a second connect, ask, read the answer and close.
    fn connections(at: SocketAddr, time: Duration) -> Outcome<f64> {
        let begun = Instant::now();
        let mut threads = Vec::new();
        for _ in 0..4 {
            threads.push(std::thread::spawn(move || {
                let mut count = 0;
                while begun.elapsed() < time {
                    let mut ping = [1; PING];
                    let mut connection = TcpStream::connect(at)?;
                    connection.set_nodelay(true)?;
                    connection.write_all(&ping)?;
                    connection.read_exact(&mut ping)?;
                    count += 1;
                }
                Ok::<u64, std::io::Error>(count)
            }));
        }
        let mut all = 0;
        for thread in threads {
            all += thread.join().map_err(|_| "a client broke")??;
        }
        Ok(float(all) / begun.elapsed().as_secs_f64())
    }

    /// How many datagrams the socket at this port has dropped because it was full.
    fn dropped(at: SocketAddr) -> f64 {
        let sockets = fs_err::read_to_string("/proc/net/udp").unwrap_or_default();
        let port = format!(":{:04X}", at.port());
        let dropped = sockets.lines().find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let ours = fields.get(1)?.ends_with(&port);
            ours.then(|| fields.last()?.parse().ok())?
        });
        dropped.unwrap_or_default()
    }

    struct Counted {
        sent: f64,
        received: f64,
    }

    fn sink() -> Outcome<(SocketAddr, Arc<AtomicU64>)> {
        let socket = UdpSocket::bind((LOOPBACK, 0))?;
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20);
        let at = socket.local_addr()?;
        let counted = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&counted);
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while socket.recv(&mut buffer).is_ok() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok((at, counted))
    }

    /// Datagrams a second that were sent at this rate, and that arrived.
    fn datagrams(at: SocketAddr, counted: &AtomicU64, rate: usize, time: Duration) -> Outcome<Counted> {
        let socket = UdpSocket::bind((LOOPBACK, 0))?;
        socket.connect(at)?;
        let datagram = [3; DATAGRAM];
        let before = counted.load(Ordering::Relaxed);
        let begun = Instant::now();
        let mut sent = 0_u64;
        while begun.elapsed() < time {
            // As many as are due, at most 32 at once, as a sender with a clock has it.
            let due = begun.elapsed().as_secs_f64() * float(rate as u64);
            let mut burst = 0;
            while float(sent) < due && burst < 32 {
                let _ = socket.send(&datagram);
                sent += 1;
                burst += 1;
            }
        }
        let elapsed = begun.elapsed().as_secs_f64();
        // What is still under way arrives within this, or never.
        std::thread::sleep(Duration::from_millis(300));
        Ok(Counted {
            sent: float(sent) / elapsed,
            received: float(counted.load(Ordering::Relaxed) - before) / elapsed,
        })
    }
}
