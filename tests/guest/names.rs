//! Names and the host: what a container finds as it is found on this computer, on every kind of network and in builds.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::thread;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record, RecordType, rdata::A};
use wherry_tests::fetch::{free_port, page_with};
use wherry_tests::images::{PAGE, busybox_tar};
use wherry_tests::machine::{Machine, START};
use wherry_tests::process::{is_root, output, run, until};
use wherry_tests::skip_unless;

/// Where this computer's resolver is said to ask.
const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(127, 85, 0, 53);

/// Where the machine is told to be, instead of where it would choose to be.
const SUBNET: &str = "10.231.0.0/16";

#[test]
fn containers_find_what_this_computer_finds_and_reach_its_loopback() {
    skip_unless!(is_root(), "only root may answer on port 53");
    serve_names(UdpSocket::bind((NAME_SERVER, 53)).expect("port 53"));
    let (v4, v6) = (serve(Ipv4Addr::LOCALHOST.into()), serve(Ipv6Addr::LOCALHOST.into()));

    let machine = Machine::home();
    let (resolver, hosts) = (machine.path().join("resolv.conf"), machine.path().join("hosts"));
    fs_err::write(&resolver, format!("nameserver {NAME_SERVER}\nsearch corp.test\n")).expect("a file");
    fs_err::write(&hosts, "127.0.0.1 localhost app.test\n10.11.12.13 db.test\n").expect("a file");
    for arguments in [&["set", "subnet", SUBNET][..], &START] {
        run(machine
            .command()
            .args(arguments)
            .env("WHERRY_RESOLV_CONF", &resolver)
            .env("WHERRY_HOSTS", &hosts));
    }
    run(machine
        .docker()
        .arg("import")
        .arg(busybox_tar(machine.path()))
        .arg("busybox"));
    run(machine.docker().args(["network", "create", "own"]));

    let nobody = free_port();
    let (own_v4, own_v6) = (
        name_server(Ipv4Addr::LOCALHOST.into()),
        name_server(Ipv6Addr::LOCALHOST.into()),
    );
    // What each asks, and what is printed when it went well. `nc` sends its input, closes its half and reads on.
    let asks = format!(
        "for at in host.docker.internal:{v4} gateway.docker.internal:{v6} app.test:{v4}; do \
           echo hello | nc -w 20 ${{at%:*}} ${{at#*:}}; \
         done; \
         nc -w 20 host.docker.internal {nobody} < /bin/busybox 2>&1; \
         for port in {own_v4} {own_v6}; do \
           nslookup -type=a -port=$port www.names.test host.docker.internal | grep Address: | tail -n 1; \
         done; \
         for name in db.test www.names.test intranet; do nslookup $name | grep Address: | tail -n 1; done; \
         nslookup nobody.test 2>&1 | grep -o NXDOMAIN | head -n 1"
    );
    let expected = [
        "heard: hello",
        "heard: hello",
        "heard: hello",
        "Connection refused",
        "192.0.2.7",
        "192.0.2.7",
        "10.11.12.13",
        "192.0.2.7",
        "192.0.2.8",
        "NXDOMAIN",
    ];
    let check = |where_: &str, said: &str| {
        let mut rest = said;
        for words in expected {
            let Some((_, after)) = rest.split_once(words) else {
                panic!("{where_}: {words:?} is missing in\n{said}");
            };
            rest = after;
        }
    };
    for network in ["bridge", "own", "host"] {
        let script = ["busybox", "/bin/sh", "-c", &asks];
        check(
            network,
            &run(machine
                .docker()
                .args(["run", "--rm", "--network", network])
                .args(script)),
        );
    }
    let folder = machine.path().join("build");
    fs_err::create_dir(&folder).expect("a folder");
    let step = serde_json::json!(["/bin/sh", "-c", asks]);
    fs_err::write(folder.join("Dockerfile"), format!("FROM busybox\nRUN {step}\n")).expect("a file");
    let mut build = machine.docker();
    build
        .env("DOCKER_BUILDKIT", "0")
        .args(["build", "--no-cache"])
        .arg(&folder);
    check("a build", &run(&mut build));

    let gateway = format!("echo hello | nc -w 20 given {v4}; nc -w 5 10.231.0.2 {v4} < /bin/busybox; echo closed");
    let said = run(machine
        .docker()
        .args(["run", "--rm", "--add-host", "given:host-gateway", "busybox"])
        .args(["/bin/sh", "-c", &gateway]));
    assert_eq!(
        said, "heard: hello\nclosed\n",
        "by --add-host, and not by QEMU's own way"
    );

    a_change_counts_at_once(&machine, &hosts);
    networks(&machine);
}

/// A name that comes to this computer's hosts file is found by a container that runs already.
fn a_change_counts_at_once(machine: &Machine, hosts: &Path) {
    run(machine
        .docker()
        .args(["run", "--detach", "--name", "stays", "busybox", "/bin/sleep", "600"]));
    let looked_up = || {
        let mut look = machine.docker();
        look.args([
            "exec",
            "stays",
            "/bin/sh",
            "-c",
            "nslookup later.test | grep Address: | tail -n 1",
        ]);
        run(&mut look)
    };
    assert!(!looked_up().contains("10.20.30.40"));
    fs_err::write(hosts, "10.20.30.40 later.test\n").expect("a file");
    until("a name that was added on the host", || {
        looked_up().contains("10.20.30.40").then_some(())
    });
}

/// A network with IPv6, whose server listens at no other address, and what every network has of the host's.
fn networks(machine: &Machine) {
    let subnets = "{{range .IPAM.Config}}{{.Subnet}} {{end}}";
    let own = run(machine
        .docker()
        .args(["network", "inspect", "own", "--format", subnets]));
    assert!(own.starts_with("10.231."), "{own}");
    let plan = fs_err::read(machine.path().join("machine/network.json")).expect("what was decided");
    let plan: serde_json::Value = serde_json::from_slice(&plan).expect("JSON");
    let longest = format!("{}\n", plan["mtu"]);
    for network in ["bridge", "own"] {
        let read = ["busybox", "/bin/cat", "/sys/class/net/eth0/mtu"];
        let has = run(machine.docker().args(["run", "--rm", "--network", network]).args(read));
        assert_eq!(has, longest, "{network}");
    }

    run(machine.docker().args(["network", "create", "--ipv6", "usual"]));
    let usual = run(machine
        .docker()
        .args(["network", "inspect", "usual", "--format", subnets]));
    assert!(usual.contains(" fd57:"), "one is chosen: {usual}");
    let subnet = ["--ipv6", "--subnet", "fd00:77::/64"];
    run(machine.docker().args(["network", "create"]).args(subnet).arg("six"));
    let port = free_port();
    run(machine
        .docker()
        .args(["run", "--detach", "--name", "six", "--network", "six"])
        .args(["--ip6", "fd00:77::80", "--publish", &format!("[::1]:{port}:80")])
        .args(["busybox", "/bin/httpd", "-f", "-h", "/www", "-p", "[fd00:77::80]:80"]));
    page_with(&format!("[::1]:{port}"), PAGE);
    let asks = ["/bin/wget", "-q", "-O", "-", "http://[fd00:77::80]/"];
    let page = run(machine
        .docker()
        .args(["run", "--rm", "--network", "six", "busybox"])
        .args(asks));
    assert!(page.contains(PAGE), "from its neighbour: {page}");
    let mut apart = machine.docker();
    apart.args(["run", "--rm", "--network", "usual", "busybox"]).args([
        "/bin/wget",
        "-q",
        "-T",
        "3",
        "-O",
        "-",
        "http://[fd00:77::80]/",
    ]);
    assert!(!output(&mut apart).status.success(), "another network is another world");
}

/// A service that says what it heard once its client has said everything. Returns its port.
fn serve(address: IpAddr) -> u16 {
    let listener = TcpListener::bind((address, 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            thread::spawn(move || {
                let mut heard = String::new();
                let _ = connection.read_to_string(&mut heard);
                let _ = write!(connection, "heard: {heard}");
            });
        }
    });
    port
}

/// One at a port of its own, which is the datagrams' part of what listens on this computer's loopback.
fn name_server(address: IpAddr) -> u16 {
    let socket = UdpSocket::bind((address, 0)).expect("a port");
    let port = socket.local_addr().expect("its address").port();
    serve_names(socket);
    port
}

/// A name server that knows two names.
fn serve_names(socket: UdpSocket) {
    thread::spawn(move || {
        let mut buffer = [0; 512];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).expect("a question");
            let question = Message::from_vec(&buffer[..length]).expect("a question that can be read");
            let query = question.queries.first().expect("a name");
            let address = match query.name().to_ascii().as_str() {
                "www.names.test." => Some(A::new(192, 0, 2, 7)),
                "intranet.corp.test." => Some(A::new(192, 0, 2, 8)),
                _ => None,
            };
            let code = if address.is_some() {
                ResponseCode::NoError
            } else {
                ResponseCode::NXDomain
            };
            let mut answer = Message::error_msg(question.metadata.id, question.metadata.op_code, code);
            answer.add_query(query.clone());
            if let Some(address) = address.filter(|_| query.query_type() == RecordType::A) {
                answer.add_answer(Record::from_rdata(query.name().clone(), 300, RData::A(address)));
            }
            let answer = answer.to_vec().expect("an answer");
            let _ = socket.send_to(&answer, client);
        }
    });
}
