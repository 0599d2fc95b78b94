//! Published ports, and who holds a taken one. One machine, looked at from many sides.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use wherry_tests::fetch::{free_port, page_with, refused};
use wherry_tests::images::busybox_tar;
use wherry_tests::machine::Machine;
use wherry_tests::process::{output, run, say, until};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOOPBACK6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// How long one question waits for its answer before it is asked again: a datagram may be lost.
const ANSWER: Duration = Duration::from_secs(5);

#[test]
fn a_published_port_answers_while_its_container_runs_and_no_longer() {
    let machine = Machine::start();
    run(machine
        .docker()
        .arg("import")
        .arg(busybox_tar(machine.path()))
        .arg("busybox"));
    run(machine
        .docker()
        .args(["import", "--change", "EXPOSE 7000/tcp 7001/udp"])
        .arg(echo_tar(machine.path()))
        .arg("echo"));

    starts_stops_and_names_the_holder(&machine);
    every_kind_of_publication(&machine);
    a_port_that_the_engine_chooses_is_one_that_is_free_here(&machine);
    a_hundred_ports_and_a_thousand_connections(&machine);
    a_container_sees_who_its_client_is(&machine);
    the_machines_own_network(&machine);
    the_ingress_of_a_swarm(&machine);
    a_port_of_a_container_that_runs_waits_until_it_is_free(&machine);
}

fn starts_stops_and_names_the_holder(machine: &Machine) {
    let port = free_port();
    let at = format!("127.0.0.1:{port}");
    let publish = format!("{port}:80");
    run(machine
        .docker()
        .args(["run", "--detach", "--name", "web", "--publish", &publish, "busybox"])
        .args(["/bin/httpd", "-f", "-v", "-h", "/www"]));
    page_with(&at, "served by wherry's test");
    let forwards = machine.status()["forwards"].to_string();
    assert!(forwards.contains(&port.to_string()), "the status lists it: {forwards}");

    // Taken by a container: the engine itself says so. Taken by another program: we say by whom.
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = holder.local_addr().expect("its address").port();
    let refusal = output(machine.docker().args([
        "run",
        "--rm",
        "--publish",
        &format!("127.0.0.1:{taken}:80"),
        "busybox",
        "/bin/true",
    ]));
    let words = String::from_utf8_lossy(&refusal.stderr).into_owned();
    assert!(!refusal.status.success(), "a taken port fails the start");
    assert!(
        words.contains(&format!("{taken} is used by")),
        "it says who holds the port: {words}"
    );
    assert!(
        words.contains(&std::process::id().to_string()),
        "by its process id: {words}"
    );

    run(machine.docker().args(["stop", "--time", "1", "web"]));
    refused(&at);
    run(machine.docker().args(["start", "web"]));
    page_with(&at, "served by wherry's test");
    run(machine.docker().args(["rm", "--force", "web"]));
    refused(&at);
}

fn every_kind_of_publication(machine: &Machine) {
    let [every, local, only6, range] = [free_port(), free_port(), free_port(), free_ports(3)];
    let published = [
        format!("--publish={every}:7000/tcp"),
        format!("--publish={every}:7001/udp"),
        format!("--publish=127.0.0.1:{local}:7000"),
        format!("--publish=[::1]:{only6}:7001/udp"),
        format!("--publish={range}-{}:8000-8002", range + 2),
    ];
    let listening = ["tcp/7000", "udp/7001", "tcp/8000", "tcp/8001", "tcp/8002"];
    run_echo(machine, "echo", &published, &listening);
    for address in [LOOPBACK, LOOPBACK6] {
        echoes((address, every).into());
        says_back((address, every).into());
    }
    echoes((LOOPBACK, local).into());
    assert!(
        TcpStream::connect((LOOPBACK6, local)).is_err(),
        "127.0.0.1 is one address"
    );
    says_back((LOOPBACK6, only6).into());
    for port in range..range + 3 {
        echoes((LOOPBACK, port).into());
    }

    // Each client is one to the container too, and keeps what is its own.
    let clients: Vec<_> = (0..20).map(|_| asker(LOOPBACK, (LOOPBACK, every).into())).collect();
    let seen: BTreeSet<_> = clients.iter().map(|client| ask(client, b"who am I")).collect();
    assert_eq!(seen.len(), clients.len());

    run(machine.docker().args(["rm", "--force", "echo"]));
    refused(&format!("127.0.0.1:{every}"));
    until("the datagrams' port to be free", || {
        UdpSocket::bind((LOOPBACK, every)).ok()
    });
}

fn a_port_that_the_engine_chooses_is_one_that_is_free_here(machine: &Machine) {
    let published = |name: &str, port: &str| -> u16 {
        let text = run(machine.docker().args(["port", name, port]));
        let port = text.lines().next().and_then(|line| line.rsplit(':').next());
        port.and_then(|port| port.trim().parse().ok()).expect("a port")
    };
    let echo = |name: &str| run_echo(machine, name, &["--publish-all"], &["tcp/7000", "udp/7001"]);
    echo("first");
    let first = published("first", "7000/tcp");
    echoes((LOOPBACK, first).into());
    says_back((LOOPBACK, published("first", "7001/udp")).into());
    // The engine counts up. What comes next is taken here, which the machine cannot see; where it is not free, it is
    // taken already.
    let taken: Vec<_> = (first + 1..=first + 3)
        .map(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
        .collect();
    echo("second");
    let second = published("second", "7000/tcp");
    assert!(!(first..=first + 3).contains(&second), "{second}");
    echoes((LOOPBACK, second).into());
    drop(taken);
    run(machine.docker().args(["rm", "--force", "first", "second"]));
}

fn a_hundred_ports_and_a_thousand_connections(machine: &Machine) {
    let first = free_ports(100);
    let ports = first..first + 100;
    let published = format!("--publish=127.0.0.1:{first}-{}:9000-9099", first + 99);
    let listening: Vec<String> = (9000..9100).map(|port| format!("tcp/{port}")).collect();
    run_echo(machine, "many", &[published], &listening);
    for port in ports.clone() {
        answers((LOOPBACK, port).into());
    }
    let mut connections: Vec<_> = ports
        .clone()
        .flat_map(|port| (0..10).map(move |_| TcpStream::connect((LOOPBACK, port)).expect("a connection")))
        .collect();
    // All of them are open and have spoken before the first one is answered.
    for (number, connection) in connections.iter_mut().enumerate() {
        connection.write_all(&number.to_be_bytes()).expect("a question");
    }
    for (number, mut connection) in connections.into_iter().enumerate() {
        connection.shutdown(Shutdown::Write).expect("half a close");
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).expect("an answer");
        assert_eq!(answer, number.to_be_bytes(), "connection {number}");
    }
    run(machine.docker().args(["rm", "--force", "many"]));
    for port in ports {
        refused(&format!("127.0.0.1:{port}"));
    }
}

/// Whose address is this computer's own in its network is a client like any other in that network.
fn a_container_sees_who_its_client_is(machine: &Machine) {
    run(machine.docker().args(["network", "create", "--ipv6", "six"]));
    let [port, port6] = [free_port(), free_port()];
    let web = |network: &str, port: u16| {
        run(machine
            .docker()
            .args(["run", "--detach", "--name", network, "--network", network])
            .args(["--publish", &format!("{port}:80"), "busybox"])
            .args(["/bin/httpd", "-f", "-vv", "-h", "/www"]));
    };
    web("bridge", port);
    web("six", port6);
    let seen = |name: &str, client: &str| {
        let log = || {
            let log = output(machine.docker().args(["logs", name]));
            String::from_utf8_lossy(&log.stderr).into_owned()
        };
        until(&format!("{name} to see {client}"), || {
            log().contains(client).then_some(())
        });
    };
    let own = own_address((Ipv4Addr::new(198, 51, 100, 1), 9).into()).expect("this computer has a network");
    for (name, port) in [("bridge", port), ("six", port6)] {
        page_with(&format!("{own}:{port}"), "served by wherry's test");
        seen(name, &own.to_string());
    }
    // Many at once, one after the other, and both directions.
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| page_with(&format!("{own}:{port}"), "served by wherry's test"));
        }
    });
    let datagrams = free_port();
    let published = format!("--publish={datagrams}:7001/udp");
    run_echo(machine, "echo", &[published], &["udp/7001"]);
    let said = ask(&asker(own, (own, datagrams).into()), b"who?");
    assert!(said.contains(&format!("{own}:")), "datagrams as well: {said}");
    run(machine.docker().args(["rm", "--force", "echo"]));
    // This computer itself is what it was: the gateway.
    page_with(&format!("127.0.0.1:{port}"), "served by wherry's test");
    let gateway = [
        "network",
        "inspect",
        "bridge",
        "--format",
        "{{(index .IPAM.Config 0).Gateway}}",
    ];
    seen("bridge", run(machine.docker().args(gateway)).trim());
    match own_address((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9).into()) {
        Some(own) => {
            page_with(&format!("[{own}]:{port6}"), "served by wherry's test");
            seen("six", &own.to_string());
        }
        None => say("not tried with IPv6: this computer has no network of it"),
    }
    run(machine.docker().args(["rm", "--force", "bridge", "six"]));
    run(machine.docker().args(["network", "rm", "six"]));
}

/// The address with which this computer would go there.
fn own_address(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn the_machines_own_network(machine: &Machine) {
    let every = free_ports(4);
    let (local, datagrams, taken) = (every + 1, every + 2, every + 3);
    let run_on_host = |name: &str, listening: &[&str]| run_echo(machine, name, &["--network=host"], listening);
    let id = run_on_host("every", &[&format!("tcp/{every}"), &format!("udp/{datagrams}")]);
    run_on_host("local", &["127.0.0.1", &format!("tcp/{local}")]);
    listens((LOOPBACK, every).into());
    echoes((LOOPBACK, every).into());
    listens((LOOPBACK, local).into());
    echoes((LOOPBACK, local).into());
    says_back((LOOPBACK, datagrams).into());
    let forwards = || machine.status()["forwards"].as_array().cloned().unwrap_or_default();
    let forward = |port: u16| {
        let ends = format!(":{port}");
        forwards()
            .into_iter()
            .find(|forward| forward["host"].as_str().is_some_and(|host| host.ends_with(&ends)))
    };
    assert_eq!(forward(every).expect("a forward")["owner"], id.trim());

    // Nothing of the machine itself is published: only what these two listen at.
    let all = forwards();
    assert_eq!(all.len(), 3, "{all:?}");

    // A port that is taken here comes to life as soon as it is free.
    let holder = TcpListener::bind((Ipv4Addr::UNSPECIFIED, taken)).expect("free");
    run_on_host("waits", &[&format!("tcp/{taken}")]);
    let dead = until("the dead port to be shown", || {
        forward(taken)?["dead"].as_str().map(str::to_owned)
    });
    assert!(dead.contains(&std::process::id().to_string()), "{dead}");
    drop(holder);
    until("the port to come to life", || {
        forward(taken)?["dead"].is_null().then_some(())
    });
    echoes((LOOPBACK, taken).into());

    run(machine.docker().args(["rm", "--force", "every", "local", "waits"]));
    for port in [every, local, taken] {
        refused(&format!("127.0.0.1:{port}"));
    }
}

fn the_ingress_of_a_swarm(machine: &Machine) {
    let port = free_ports(1);
    run(machine
        .docker()
        .args(["swarm", "init", "--advertise-addr", "127.0.0.1"]));
    run(machine
        .docker()
        .args(["service", "create", "--detach", "--publish", &format!("{port}:7000")])
        .args(["echo", "/bin/echo", "tcp/7000"]));
    listens((LOOPBACK, port).into());
    answers((LOOPBACK, port).into());
    // The ports by which swarm's engines talk to each other stay in the machine.
    let forwards = machine.status()["forwards"].as_array().cloned().unwrap_or_default();
    assert_eq!(forwards.len(), 1, "{forwards:?}");
    run(machine.docker().args(["swarm", "leave", "--force"]));
    refused(&format!("127.0.0.1:{port}"));
}

fn a_port_of_a_container_that_runs_waits_until_it_is_free(machine: &Machine) {
    let port = free_port();
    let options = ["--restart=always".to_owned(), format!("--publish={port}:7000")];
    run_echo(machine, "stays", &options, &["tcp/7000"]);
    echoes((LOOPBACK, port).into());
    machine.wherry(&["stop"]);
    let holder = TcpListener::bind((LOOPBACK, port)).expect("free while the machine is stopped");
    machine.wherry(&["start"]);
    let status = machine.status();
    let forwards = status["forwards"].to_string();
    assert!(
        forwards.contains(&format!("{port} is used by")),
        "it runs, and its port is shown as dead: {forwards}"
    );
    drop(holder);
    listens((LOOPBACK, port).into());
    echoes((LOOPBACK, port).into());
}

/// Runs the service that says back what it hears, and returns its container's id.
fn run_echo<T: AsRef<OsStr>, U: AsRef<OsStr>>(machine: &Machine, name: &str, options: &[T], listening: &[U]) -> String {
    run(machine
        .docker()
        .args(["run", "--detach", "--name", name])
        .args(options)
        .args(["echo", "/bin/echo"])
        .args(listening))
}

/// Waits until the container's program listens, which is later than its port is there.
fn answers(at: SocketAddr) {
    until(&format!("{at} to answer"), || {
        let mut connection = TcpStream::connect(at).ok()?;
        connection.write_all(b"?").ok()?;
        connection.shutdown(Shutdown::Write).ok()?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).ok()?;
        (answer == b"?").then_some(())
    });
}

/// Says something, closes its half, and hears all of it.
fn echoes(at: SocketAddr) {
    answers(at);
    let said = vec![7; 300_000];
    let mut connection = TcpStream::connect(at).unwrap_or_else(|error| panic!("{at}: {error}"));
    let mut reader = connection.try_clone().expect("the same connection");
    let heard = std::thread::spawn(move || {
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).map(|_| heard)
    });
    connection.write_all(&said).expect("it listens");
    connection.shutdown(Shutdown::Write).expect("half a close");
    let heard = heard
        .join()
        .expect("a reader")
        .unwrap_or_else(|error| panic!("{at}: {error}"));
    assert!(heard == said, "{at} said {} bytes", heard.len());
}

/// Waits until somebody listens there.
fn listens(at: SocketAddr) {
    until(&format!("{at} to listen"), || TcpStream::connect(at).ok());
}

fn asker(from: IpAddr, at: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((from, 0)).expect("a port");
    socket.connect(at).expect("an address");
    socket.set_read_timeout(Some(ANSWER)).expect("a bound");
    socket
}

/// Asks until it is answered, and returns whom the container saw.
fn ask(socket: &UdpSocket, question: &[u8]) -> String {
    until("a datagram's answer", || {
        socket.send(question).ok()?;
        let mut buffer = vec![0; 1 << 16];
        let length = socket.recv(&mut buffer).ok()?;
        let mut answer = buffer[..length].splitn(2, |byte| *byte == b' ');
        let from = String::from_utf8_lossy(answer.next()?).into_owned();
        (answer.next()? == question).then_some(from)
    })
}

fn says_back(at: SocketAddr) {
    let socket = asker(if at.is_ipv4() { LOOPBACK } else { LOOPBACK6 }, at);
    for size in [1, 1400, 9000, 60_000] {
        ask(&socket, &vec![3; size]);
    }
}

/// The first of so many ports that are free now, one after the other, below those that systems choose from.
fn free_ports(count: u16) -> u16 {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
    // Somewhere else for each run, as several may run at once.
    let begin = 10_000 + u16::try_from(std::process::id() % 10_000).expect("small");
    (begin..32_000)
        .step_by(usize::from(count))
        .find(|first| (*first..first + count).all(free))
        .expect("free ports")
}

/// A service that says back what it hears: see `echo.rs`.
fn echo_tar(folder: &Path) -> std::path::PathBuf {
    let root = folder.join("echo");
    fs_err::create_dir_all(root.join("bin")).expect("a folder");
    run(Command::new("rustc")
        .args(["--edition", "2024", "-O", "-C", "target-feature=+crt-static", "-o"])
        .arg(root.join("bin/echo"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/guest/echo.rs")));
    let tar = folder.join("echo.tar");
    run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg("."));
    tar
}
