use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_proto::op::Edns;
use hickory_proto::rr::rdata::{SOA, TXT};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::timeout;

use super::*;

const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 65, 254);

/// A name server of a zone of our own, on both transports.
struct Server {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Server {
    async fn start() -> Self {
        let (udp, tcp) = loop {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let address = tcp.local_addr().expect("its address");
            if let Ok(udp) = UdpSocket::bind(address).await {
                break (udp, tcp);
            }
        };
        let port = tcp.local_addr().expect("its address").port();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            while let Ok((length, client)) = udp.recv_from(&mut buffer).await {
                counted.fetch_add(1, Ordering::Relaxed);
                let question = Message::from_vec(&buffer[..length]).expect("a question");
                let mut answer = zone(&question);
                let room = question.edns.as_ref().map_or(512, Edns::max_payload);
                if answer.to_vec().expect("an answer").len() > usize::from(room) {
                    answer = answer.truncate();
                }
                let answer = answer.to_vec().expect("an answer");
                // What somebody else might send: another id.
                let mut forged = answer.clone();
                forged[0] ^= 0xff;
                let _ = udp.send_to(&forged, client).await;
                let _ = udp.send_to(&answer, client).await;
            }
        });
        tokio::spawn(async move {
            while let Ok((mut client, _)) = tcp.accept().await {
                let mut question = vec![0; usize::from(client.read_u16().await.expect("a length"))];
                client.read_exact(&mut question).await.expect("a question");
                let question = Message::from_vec(&question).expect("a question");
                let answer = zone(&question).to_vec().expect("an answer");
                let length = u16::try_from(answer.len()).expect("not too long");
                let answer = [&length.to_be_bytes(), &answer[..]].concat();
                client.write_all(&answer).await.expect("it listens");
            }
        });
        Self { port, asked }
    }
}

fn zone(question: &Message) -> Message {
    let query = question.queries.first().expect("a question");
    let mut answer = reply(question, ResponseCode::NoError);
    answer.edns.clone_from(&question.edns);
    let mut add = |data| {
        answer.add_answer(Record::from_rdata(query.name().clone(), 300, data));
    };
    match (query.name().to_ascii().as_str(), query.query_type()) {
        ("www.example.org.", RecordType::A) => add(RData::A(A::new(192, 0, 2, 1))),
        ("intranet.corp.example.", RecordType::A) => add(RData::A(A::new(10, 1, 2, 3))),
        ("www.example.org." | "intranet.corp.example.", _) => {}
        ("long.example.org.", RecordType::TXT) => {
            for number in 0..40 {
                add(RData::TXT(TXT::new(vec![format!("{number}: {}", "x".repeat(100))])));
            }
        }
        ("refused.example.org.", _) => answer.metadata.response_code = ResponseCode::Refused,
        _ => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            let name = |name: &str| Name::from_ascii(name).expect("a name");
            let soa = SOA::new(name("example.org."), name("root.example.org."), 1, 2, 3, 4, 5);
            answer.add_authority(Record::from_rdata(name("example.org."), 60, RData::SOA(soa)));
        }
    }
    answer
}

/// Names with files of their own. Where a file of servers has a port, it stands in a comment.
struct Files {
    folder: tempfile::TempDir,
    names: Names,
}

impl Files {
    fn new(servers: &str, hosts: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (servers_file, hosts_file) = (folder.path().join("resolv.conf"), folder.path().join("hosts"));
        fs_err::write(&servers_file, servers).expect("a file");
        fs_err::write(&hosts_file, hosts).expect("a file");
        let names = Names {
            servers: Watched::new(servers_file, with_port),
            hosts: Watched::new(hosts_file, Hosts::parse),
            by_system: false,
        };
        Self { folder, names }
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Message {
        let mut question = Message::query();
        question.metadata.recursion_desired = true;
        question.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
        let bytes = question.to_vec().expect("a question");
        let answer = self.names.answer(&bytes, HOST).await.expect("an answer");
        let answer = Message::from_vec(&answer).expect("one that can be read");
        assert_eq!(answer.metadata.id, question.metadata.id);
        assert_eq!(answer.queries, question.queries);
        answer
    }

    async fn addresses(&self, name: &str) -> (ResponseCode, Vec<String>) {
        let answer = self.ask(name, RecordType::A).await;
        (
            answer.metadata.response_code,
            answer.answers.iter().map(|record| record.data.to_string()).collect(),
        )
    }
}

fn with_port(text: &str) -> Servers {
    let mut servers = Servers::parse(text);
    let ports = text
        .lines()
        .filter_map(|line| line.strip_prefix("# port ")?.parse().ok());
    for (server, port) in servers.addresses.iter_mut().zip(ports) {
        server.set_port(port);
    }
    servers
}

fn found(addresses: &[&str]) -> (ResponseCode, Vec<String>) {
    let addresses = addresses.iter().map(|&address| address.to_owned()).collect();
    (ResponseCode::NoError, addresses)
}

#[tokio::test]
async fn a_name_is_asked_of_the_servers_and_looked_for_below_the_search_domains() {
    let server = Server::start().await;
    let port = server.port;
    let conf = format!("nameserver 127.0.0.1\n# port {port}\nsearch else.example corp.example\n");
    let files = Files::new(&conf, "");
    assert_eq!(files.addresses("www.example.org.").await, found(&["192.0.2.1"]));
    assert_eq!(server.asked.load(Ordering::Relaxed), 1, "nothing else is tried first");
    assert_eq!(
        files.addresses("intranet.").await,
        found(&["intranet.corp.example.", "10.1.2.3"]),
        "the answer says which name it is"
    );
    let other_kind = files.ask("intranet.", RecordType::AAAA).await;
    assert_eq!(
        other_kind.metadata.response_code,
        ResponseCode::NoError,
        "the name exists"
    );
    assert!(other_kind.answers.is_empty());
    let (code, _) = files.addresses("nobody.").await;
    assert_eq!(code, ResponseCode::NXDomain);
    let (code, _) = files.addresses("refused.example.org.").await;
    assert_eq!(code, ResponseCode::Refused, "what the server says is handed on");
    // Another kind of record is not searched for.
    let before = server.asked.load(Ordering::Relaxed);
    files.ask("intranet.", RecordType::MX).await;
    assert_eq!(server.asked.load(Ordering::Relaxed), before + 1);
}

#[tokio::test]
async fn an_answer_too_long_for_a_datagram_comes_whole() {
    let server = Server::start().await;
    let files = Files::new(&format!("nameserver 127.0.0.1\n# port {}\n", server.port), "");
    let answer = files.ask("long.example.org.", RecordType::TXT).await;
    assert_eq!(answer.answers.len(), 40);
    assert!(!answer.metadata.truncation);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for_alone() {
    let server = Server::start().await;
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let silent_port = silent.local_addr().expect("its address").port();
    let gone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let gone_port = gone.local_addr().expect("its address").port();
    drop(gone);
    let conf = "nameserver 127.0.0.1\n".repeat(3);
    let conf = format!(
        "{conf}# port {gone_port}\n# port {silent_port}\n# port {}\n",
        server.port
    );
    let files = Files::new(&conf, "");
    let answer = timeout(Duration::from_secs(20), files.addresses("www.example.org.")).await;
    assert_eq!(answer, Ok(found(&["192.0.2.1"])));
}

#[tokio::test]
async fn the_hosts_file_comes_first_and_loopback_in_it_means_the_host() {
    let hosts =
        "127.0.0.1 localhost app.test # mine\n::1 localhost app.test\n10.9.8.7 db.corp DB2.corp\nnonsense here\n";
    // No server answers: what is in the file needs none.
    let files = Files::new("nameserver 127.0.0.1\n# port 1\n", hosts);
    assert_eq!(files.addresses("app.test.").await, found(&["192.168.65.254"]));
    assert_eq!(files.addresses("localhost.").await, found(&["127.0.0.1"]));
    assert_eq!(files.addresses("dB2.Corp.").await, found(&["10.9.8.7"]));
    let other_kind = files.ask("db.corp.", RecordType::AAAA).await;
    assert_eq!(other_kind.metadata.response_code, ResponseCode::NoError);
    assert!(other_kind.answers.is_empty());
    let name = files.ask("7.8.9.10.in-addr.arpa.", RecordType::PTR).await;
    assert_eq!(name.answers[0].data.to_string(), "db.corp.");
    let (code, _) = files.addresses("nobody.test.").await;
    assert_eq!(code, ResponseCode::ServFail, "nobody can be asked");
}

#[tokio::test]
async fn a_change_counts_at_once() {
    let server = Server::start().await;
    let files = Files::new("nameserver 127.0.0.1\n# port 1\n", "10.0.0.1 one.test\n");
    assert_eq!(files.addresses("one.test.").await, found(&["10.0.0.1"]));
    fs_err::write(files.folder.path().join("hosts"), "10.0.0.22 one.test two.test\n").expect("written");
    assert_eq!(files.addresses("one.test.").await, found(&["10.0.0.22"]));
    assert_eq!(files.addresses("two.test.").await, found(&["10.0.0.22"]));
    let conf = format!("nameserver 127.0.0.1\n# port {}\n", server.port);
    fs_err::write(files.folder.path().join("resolv.conf"), conf).expect("written");
    assert_eq!(files.addresses("www.example.org.").await, found(&["192.0.2.1"]));
    fs_err::remove_file(files.folder.path().join("hosts")).expect("removed");
    let (code, _) = files.addresses("two.test.").await;
    assert_eq!(code, ResponseCode::NXDomain);
}

#[tokio::test]
async fn garbage_is_answered_or_dropped_and_harms_nobody() {
    let files = Files::new("nameserver 127.0.0.1\n# port 1\n", "");
    assert_eq!(files.names.answer(&[], HOST).await, None);
    assert_eq!(files.names.answer(&[1], HOST).await, None);
    let answer = files
        .names
        .answer(&[1, 2, 3, 4, 5, 6, 7], HOST)
        .await
        .expect("an answer");
    let answer = Message::from_vec(&answer).expect("one that can be read");
    assert_eq!(answer.metadata.id, 0x0102);
    assert_eq!(answer.metadata.response_code, ResponseCode::FormErr);
    let empty = Message::query().to_vec().expect("a message without a question");
    let answer = files.names.answer(&empty, HOST).await.expect("an answer");
    let answer = Message::from_vec(&answer).expect("one that can be read");
    assert_eq!(answer.metadata.response_code, ResponseCode::FormErr);
    let response = Message::response(7, OpCode::Query).to_vec().expect("a response");
    assert_eq!(
        files.names.answer(&response, HOST).await,
        None,
        "no two of us talk for ever"
    );
}

#[tokio::test]
async fn many_questions_on_one_stream_are_answered_in_any_order() -> Result<(), wherry_link::Error> {
    use wherry_link::{GuestRequest, Reply, Session};
    let server = Server::start().await;
    let files = Files::new(&format!("nameserver 127.0.0.1\n# port {}\n", server.port), "");
    let names = Arc::new(files.names);
    let (host, guest) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let (session, mut incoming) = Session::host(host, Duration::from_mins(1)).await.expect("a guest");
        let mut stream = incoming.next().await.expect("a stream");
        let Ok(Some(GuestRequest::Resolve { host })) = stream.read_message().await else {
            return;
        };
        stream
            .write_message(&Reply::Ok { value: () })
            .await
            .expect("the guest listens");
        names.serve(stream, host).await;
        drop(session);
    });
    let (session, _incoming) = Session::guest(guest).await?;
    let ((), stream) = session.ask::<_, ()>(&GuestRequest::Resolve { host: HOST }).await?;
    let (mut questions, mut answers) = Framed::new(stream, framing()).split::<Bytes>();
    let count: u16 = 1000;
    let ask = async {
        for id in 0..count {
            let mut question = Message::query();
            question.metadata.id = id;
            question.add_query(Query::query(
                Name::from_ascii("www.example.org.").expect("a name"),
                RecordType::A,
            ));
            questions
                .send(question.to_vec().expect("a question").into())
                .await
                .expect("the host listens");
        }
    };
    let listen = async {
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < usize::from(count) {
            let answer = answers.next().await.expect("an answer").expect("a whole one");
            let answer = Message::from_vec(&answer).expect("one that can be read");
            assert_eq!(answer.answers.len(), 1);
            assert!(seen.insert(answer.metadata.id), "each once");
        }
    };
    tokio::join!(ask, listen);
    Ok(())
}

#[test]
fn what_the_resolvers_file_says() {
    let conf = "# by hand\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions ndots:2 timeout:1 odd\n\
                search corp.example eu.corp.example\n";
    let servers = Servers::parse(conf);
    let addresses: Vec<String> = servers.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["192.0.2.53:53", "[2001:db8::53]:53"]);
    let names = |name: &str| -> Vec<String> {
        let name = Name::from_ascii(name).expect("a name");
        servers.names(&name).iter().map(Name::to_ascii).collect()
    };
    let below = |name: &str| [format!("{name}.corp.example."), format!("{name}.eu.corp.example.")];
    assert_eq!(names("a.b.")[..2], below("a.b"));
    assert_eq!(names("a.b.")[2], "a.b.");
    assert_eq!(names("a.b.c.")[0], "a.b.c.");
    assert_eq!(names("a.b.c.")[1..], below("a.b.c"));
}
