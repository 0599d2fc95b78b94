//! Names for containers, builds and the machine itself: the agent is their name server. It knows the host's own name
//! by itself and asks the host everything else, through the link.
//!
//! Answers are kept for a moment, as they came. What changes on the host (a VPN, a line in its hosts file) is
//! therefore seen within that moment, and nothing has to be told.

use std::{
    collections::HashMap,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{DNSClass, RData, Record, RecordType, rdata::A},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, mpsc, oneshot},
    time::{Instant, sleep, timeout},
};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use wherry_link::{GuestRequest, Stream};

use super::{Guest, log::say, network::Addresses};

const PORT: u16 = 53;

/// Names of the host, as Docker Desktop has them.
const HOST: [&str; 2] = ["host.docker.internal", "gateway.docker.internal"];
const HOST_TTL: u32 = 60;

/// How long an answer is kept at the most: less than the five seconds after which a change on the host is to be seen.
const KEPT: Duration = Duration::from_secs(4);
/// How many answers are kept.
const ANSWERS: usize = 1024;

/// How long the host may take. Whoever asked asks again after five seconds.
const PATIENCE: Duration = Duration::from_secs(8);
/// How many questions the host may be busy with at the same time; further ones over UDP are lost, as in any network
/// that is asked too much.
const ASKING: usize = 256;
/// How many connections over TCP there may be, and how long one may say nothing.
const CONNECTIONS: usize = 64;
const SILENCE: Duration = Duration::from_secs(10);

/// A longer answer is cut for a client that did not say how much it takes (RFC 1035), and none takes more over UDP
/// than what is usual.
const SHORT: u16 = 512;
const LONG: u16 = 4096;

#[derive(Debug, thiserror::Error)]
#[error("Could not listen for questions about names")]
pub(super) struct Error(#[from] io::Error);

/// Returns when questions may come.
pub(super) async fn serve(guest: &Arc<Guest>, addresses: Addresses) -> Result<(), Error> {
    let udp = UdpSocket::bind((addresses.name_server, PORT)).await?;
    let tcp = TcpListener::bind((addresses.name_server, PORT)).await?;
    let (host, asked) = mpsc::channel(ASKING);
    tokio::spawn(ask_hosts(Arc::clone(guest), addresses.host, asked));
    let names = Arc::new(Names {
        host_address: addresses.host,
        answers: Mutex::default(),
        host,
    });
    tokio::spawn(datagrams(Arc::clone(&names), Arc::new(udp)));
    tokio::spawn(connections(names, tcp));
    Ok(())
}

async fn datagrams(names: Arc<Names>, socket: Arc<UdpSocket>) {
    let room = Arc::new(Semaphore::new(ASKING));
    let mut buffer = vec![0; usize::from(LONG)];
    loop {
        // An error is about an earlier client that is gone.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        match names.known(&buffer[..length]) {
            Known::Answer { answer, room } => {
                let _ = socket.send_to(&cut(answer, room), client).await;
            }
            Known::Not(question) => {
                let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                    continue;
                };
                let (names, socket) = (Arc::clone(&names), Arc::clone(&socket));
                tokio::spawn(async move {
                    let room = question.room;
                    let _ = socket.send_to(&cut(names.ask(question).await, room), client).await;
                    drop(permit);
                });
            }
            Known::Nonsense => {}
        }
    }
}

async fn connections(names: Arc<Names>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((connection, _)) => {
                let names = Arc::clone(&names);
                tokio::spawn(async move {
                    let _ = converse(&names, connection).await;
                    drop(permit);
                });
            }
            Err(error) => {
                say!("names: {error}");
                // No descriptors left: that does not change at once.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One question after the other over TCP, where nothing is cut.
async fn converse(names: &Names, mut client: TcpStream) -> io::Result<()> {
    loop {
        let mut question = vec![0; usize::from(timeout(SILENCE, client.read_u16()).await??)];
        timeout(SILENCE, client.read_exact(&mut question)).await??;
        let answer = match names.known(&question) {
            Known::Answer { answer, .. } => answer,
            Known::Not(question) => names.ask(question).await,
            Known::Nonsense => return Ok(()),
        };
        let mut framed = BytesMut::with_capacity(answer.len() + 2);
        framed.extend_from_slice(&u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes());
        framed.extend_from_slice(&answer);
        timeout(SILENCE, client.write_all(&framed)).await??;
    }
}

struct Names {
    host_address: Ipv4Addr,
    /// Locked for single look-ups and changes.
    answers: Mutex<HashMap<Key, Kept>>,
    host: mpsc::Sender<Asked>,
}

/// What makes two questions the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    query: Query,
    signatures: bool,
    unchecked: bool,
    /// Whether the client understands EDNS: the answer's own part of it must not go to one that does not.
    extended: bool,
}

struct Kept {
    answer: Vec<u8>,
    until: Instant,
}

struct Question {
    bytes: Vec<u8>,
    message: Message,
    key: Key,
    /// How long an answer over UDP may be.
    room: usize,
}

enum Known {
    Answer {
        answer: Vec<u8>,
        room: usize,
    },
    /// The host has to be asked.
    Not(Box<Question>),
    /// Nothing to be answered.
    Nonsense,
}

impl Names {
    /// What can be answered without the host.
    fn known(&self, bytes: &[u8]) -> Known {
        let Ok(message) = Message::from_vec(bytes) else {
            // Whoever sends a header is told that the rest is not understood.
            return bytes.first_chunk().map_or(Known::Nonsense, |id| Known::Answer {
                answer: encoded(&Message::error_msg(
                    u16::from_be_bytes(*id),
                    OpCode::Query,
                    ResponseCode::FormErr,
                )),
                room: usize::from(SHORT),
            });
        };
        if message.metadata.message_type == MessageType::Response {
            return Known::Nonsense;
        }
        let room = message
            .edns
            .as_ref()
            .map_or(SHORT, |edns| edns.max_payload().clamp(SHORT, LONG));
        let room = usize::from(room);
        let answer = |answer: Message| Known::Answer {
            answer: encoded(&answer),
            room,
        };
        let query = match (message.metadata.op_code, message.queries.as_slice()) {
            (OpCode::Query, [query]) => query.clone(),
            (OpCode::Query, _) => return answer(reply(&message, ResponseCode::FormErr)),
            _ => return answer(reply(&message, ResponseCode::NotImp)),
        };
        if is_host(&query) {
            return answer(self.host(&message, &query));
        }
        if query.query_type() == RecordType::AAAA && !has_ipv6() {
            // An address that cannot be reached makes programs wait for it.
            return answer(reply(&message, ResponseCode::NoError));
        }
        let edns = message.edns.as_ref();
        let key = Key {
            query,
            signatures: edns.is_some_and(|edns| edns.flags().dnssec_ok),
            unchecked: message.metadata.checking_disabled,
            extended: edns.is_some(),
        };
        match self.kept(&key) {
            Some(answer) => Known::Answer {
                answer: addressed(answer, bytes),
                room,
            },
            None => Known::Not(Box::new(Question {
                bytes: bytes.to_vec(),
                message,
                key,
                room,
            })),
        }
    }

    fn host(&self, question: &Message, query: &Query) -> Message {
        let mut answer = reply(question, ResponseCode::NoError);
        if query.query_type() == RecordType::A {
            let address = RData::A(A(self.host_address));
            answer.add_answer(Record::from_rdata(query.name().clone(), HOST_TTL, address));
        }
        answer
    }

    fn kept(&self, key: &Key) -> Option<Vec<u8>> {
        let answers = self.answers();
        let kept = answers.get(key)?;
        (kept.until > Instant::now()).then(|| kept.answer.clone())
    }

    async fn ask(&self, question: Box<Question>) -> Vec<u8> {
        let (reply_to, answered) = oneshot::channel();
        let asked = Asked {
            question: Bytes::from(question.bytes.clone()),
            reply: reply_to,
        };
        let answer = async {
            self.host.send(asked).await.ok()?;
            answered.await.ok()
        };
        match timeout(PATIENCE, answer).await.ok().flatten() {
            Some(answer) => {
                self.keep(question.key, &answer);
                addressed(answer.to_vec(), &question.bytes)
            }
            None => encoded(&reply(&question.message, ResponseCode::ServFail)),
        }
    }

    fn keep(&self, key: Key, answer: &[u8]) {
        let Some(kept) = Message::from_vec(answer).ok().and_then(|answer| lifetime(&answer)) else {
            return;
        };
        let now = Instant::now();
        let mut answers = self.answers();
        if answers.len() >= ANSWERS {
            answers.retain(|_, kept| kept.until > now);
        }
        // Somebody asks for a thousand names in four seconds: whom that serves is not served by this.
        if answers.len() < ANSWERS {
            let (answer, until) = (answer.to_vec(), now + kept);
            answers.insert(key, Kept { answer, until });
        }
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_host(query: &Query) -> bool {
    let name = query.name().to_ascii();
    let name = name.strip_suffix('.').unwrap_or(&name);
    query.query_class() == DNSClass::IN && HOST.iter().any(|host| host.eq_ignore_ascii_case(name))
}

fn reply(question: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::error_msg(question.metadata.id, question.metadata.op_code, code);
    reply.metadata.recursion_desired = question.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.queries.clone_from(&question.queries);
    reply
}

fn encoded(message: &Message) -> Vec<u8> {
    // What was understood or made here can be written.
    message.to_vec().unwrap_or_default()
}

/// The answer with the id of the question and its name as it was spelled: some clients mix capitals in and compare.
fn addressed(mut answer: Vec<u8>, question: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    if let (Some(to), Some(from)) = (answer.get_mut(..2), question.get(..2)) {
        to.copy_from_slice(from);
    }
    let mut at = HEADER;
    while let Some(&length @ 1..=63) = question.get(at) {
        at += 1 + usize::from(length);
    }
    if let (Some(to), Some(from)) = (answer.get_mut(HEADER..at), question.get(HEADER..at))
        && to.eq_ignore_ascii_case(from)
    {
        to.copy_from_slice(from);
    }
    answer
}

/// Fits the answer into this many bytes; what is cut says so, and the client comes again over TCP.
fn cut(answer: Vec<u8>, room: usize) -> Vec<u8> {
    if answer.len() <= room {
        return answer;
    }
    Message::from_vec(&answer).map_or_else(|_| Vec::new(), |answer| encoded(&answer.truncate()))
}

/// How long this answer may be kept, if at all.
fn lifetime(answer: &Message) -> Option<Duration> {
    let seconds = match answer.metadata.response_code {
        ResponseCode::NoError if !answer.answers.is_empty() => answer.answers.iter().map(|record| record.ttl).min(),
        // That there is nothing is kept as long as the zone's SOA says (RFC 2308), or else very shortly.
        ResponseCode::NoError | ResponseCode::NXDomain => answer
            .authorities
            .iter()
            .find_map(|record| match &record.data {
                RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
                _ => None,
            })
            .or(Some(1)),
        _ => None,
    };
    let kept = Duration::from_secs(u64::from(seconds?)).min(KEPT);
    (!kept.is_zero() && !answer.metadata.truncation).then_some(kept)
}

/// Whether there is a way out of the machine over IPv6.
fn has_ipv6() -> bool {
    leads_out(&fs_err::read_to_string("/proc/net/ipv6_route").unwrap_or_default())
}

/// Destination, its prefix, source, its prefix, next hop, metric, two counters, flags, device. The kernel keeps a
/// default route that refuses at the loopback device.
fn leads_out(routes: &str) -> bool {
    routes.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        let default = words
            .next()
            .is_some_and(|address| address.bytes().all(|digit| digit == b'0'))
            && words.next() == Some("00");
        default && words.next_back().is_some_and(|device| device != "lo")
    })
}

/// A question for the host, and who waits for the answer.
struct Asked {
    question: Bytes,
    reply: oneshot::Sender<Bytes>,
}

/// Asks one host after the other. A question that waits while there is none goes to the next.
async fn ask_hosts(guest: Arc<Guest>, host: Ipv4Addr, mut asked: mpsc::Receiver<Asked>) {
    let mut sessions = guest.host.subscribe();
    loop {
        let Ok(session) = sessions.wait_for(Option::is_some).await.map(|session| session.clone()) else {
            return;
        };
        let Some(session) = session else { continue };
        match session.ask::<_, ()>(&GuestRequest::Resolve { host }).await {
            Ok(((), stream)) => relay(stream, &mut asked).await,
            Err(error) => say!("names: {error}"),
        }
        // The session is over or about to be. Not until it has changed is there anybody else to ask.
        if sessions.borrow().as_ref().is_some_and(|current| current.is(&session)) && sessions.changed().await.is_err() {
            return;
        }
    }
}

/// Carries questions and answers until either side ends.
async fn relay(stream: Stream, asked: &mut mpsc::Receiver<Asked>) {
    let (mut questions, mut answers) = Framed::new(stream, framing()).split();
    // Who waits for the answer with which id. Locked for single look-ups and changes.
    let waiting = Mutex::new(Waiting::default());
    let ask = async {
        while let Some(Asked { question, reply }) = asked.recv().await {
            let id = waiting.lock().unwrap_or_else(PoisonError::into_inner).enter(reply);
            let mut numbered = BytesMut::from(question);
            numbered[..2].copy_from_slice(&id.to_be_bytes());
            if questions.send(numbered.freeze()).await.is_err() {
                return;
            }
        }
    };
    let listen = async {
        while let Some(Ok(answer)) = answers.next().await {
            let Some(id) = answer.first_chunk().map(|id| u16::from_be_bytes(*id)) else {
                return;
            };
            let reply = waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .replies
                .remove(&id);
            if let Some(reply) = reply {
                let _ = reply.send(answer.freeze());
            }
        }
    };
    tokio::select! {
        () = ask => {}
        () = listen => {}
    }
}

fn framing() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .length_field_type::<u16>()
        .max_frame_length(usize::from(u16::MAX))
        .new_codec()
}

#[derive(Default)]
struct Waiting {
    next: u16,
    replies: HashMap<u16, oneshot::Sender<Bytes>>,
}

impl Waiting {
    /// Two that ask the host at the same time may have chosen the same id, so each gets one of ours.
    fn enter(&mut self, reply: oneshot::Sender<Bytes>) -> u16 {
        // Those whose patience ended.
        self.replies.retain(|_, reply| !reply.is_closed());
        while self.replies.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.replies.insert(id, reply);
        id
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::{op::Edns, rr::Name};

    use super::*;

    const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 65, 254);

    fn names(host: mpsc::Sender<Asked>) -> Names {
        Names {
            host_address: HOST_ADDRESS,
            answers: Mutex::default(),
            host,
        }
    }

    fn question(name: &str, kind: RecordType) -> Message {
        let mut question = Message::query();
        question.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
        question
    }

    fn bytes(message: &Message) -> Vec<u8> {
        message.to_vec().expect("a message")
    }

    /// What the name server answers by itself.
    fn answered(names: &Names, question: &[u8]) -> Option<Message> {
        match names.known(question) {
            Known::Answer { answer, .. } => Some(Message::from_vec(&answer).expect("one that can be read")),
            Known::Not(_) | Known::Nonsense => None,
        }
    }

    fn unknown(names: &Names, question: &Message) -> Box<Question> {
        match names.known(&bytes(question)) {
            Known::Not(question) => question,
            Known::Answer { .. } | Known::Nonsense => panic!("the host has to be asked"),
        }
    }

    #[tokio::test]
    async fn the_hosts_name_is_known_in_any_spelling() {
        let (host, _asked) = mpsc::channel(1);
        let names = names(host);
        for name in ["host.docker.internal.", "Gateway.Docker.INTERNAL."] {
            let asked = question(name, RecordType::A);
            let answer = answered(&names, &bytes(&asked)).expect("known");
            assert_eq!(answer.metadata.id, asked.metadata.id);
            assert_eq!(answer.answers[0].data, RData::A(A(HOST_ADDRESS)));
        }
        let other_kind = question("host.docker.internal.", RecordType::AAAA);
        let answer = answered(&names, &bytes(&other_kind)).expect("known");
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
        assert!(answer.answers.is_empty());
    }

    #[tokio::test]
    async fn nonsense_is_refused_or_dropped() {
        let (host, _asked) = mpsc::channel(1);
        let names = names(host);
        assert_eq!(answered(&names, &[]), None);
        assert_eq!(answered(&names, &bytes(&Message::response(1, OpCode::Query))), None);
        let refused = answered(&names, &[1, 2, 3]).expect("its id is known");
        assert_eq!(refused.metadata.id, 0x0102);
        assert_eq!(refused.metadata.response_code, ResponseCode::FormErr);
        let whole = bytes(&question("www.example.org.", RecordType::A));
        for length in 2..whole.len() {
            let refused = answered(&names, &whole[..length]).expect("its id is known");
            assert_eq!(refused.metadata.response_code, ResponseCode::FormErr, "{length} bytes");
        }
    }

    /// What a host would answer: one address, to be kept this long.
    fn address(question: &[u8], ttl: u32) -> Bytes {
        let asked = Message::from_vec(question).expect("a question");
        let mut answer = reply(&asked, ResponseCode::NoError);
        let name = asked.queries[0].name().clone();
        answer.add_answer(Record::from_rdata(name, ttl, RData::A(A::new(192, 0, 2, 1))));
        bytes(&answer).into()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_its_time_and_never_longer_than_ours() {
        let (host, mut asked) = mpsc::channel::<Asked>(8);
        let names = names(host);
        let asks = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = Arc::clone(&asks);
        tokio::spawn(async move {
            while let Some(Asked { question, reply }) = asked.recv().await {
                counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let short = Message::from_vec(&question).expect("a question").queries[0]
                    .name()
                    .num_labels()
                    == 1;
                let _ = reply.send(address(&question, if short { 1 } else { 300 }));
            }
        });
        let asks = || asks.load(std::sync::atomic::Ordering::Relaxed);
        let long = question("www.example.org.", RecordType::A);
        let first = names.ask(unknown(&names, &long)).await;
        assert_eq!(first[..2], long.metadata.id.to_be_bytes());
        let mixed = question("wWw.eXample.org.", RecordType::A);
        let kept = answered(&names, &bytes(&mixed)).expect("kept");
        assert_eq!(kept.metadata.id, mixed.metadata.id);
        assert_eq!(kept.queries[0].name().to_ascii(), "wWw.eXample.org.");
        unknown(&names, &question("www.example.org.", RecordType::MX));
        let mut extended = long.clone();
        extended.set_edns(Edns::new());
        unknown(&names, &extended);
        assert_eq!(asks(), 1);
        tokio::time::advance(KEPT).await;
        unknown(&names, &long);

        let short = question("short.", RecordType::A);
        names.ask(unknown(&names, &short)).await;
        assert!(answered(&names, &bytes(&short)).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        unknown(&names, &short);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_host_the_client_is_told_in_time() {
        let (host, _asked) = mpsc::channel(1);
        let names = names(host);
        let asked = question("www.example.org.", RecordType::A);
        let answer = names.ask(unknown(&names, &asked)).await;
        let answer = Message::from_vec(&answer).expect("one that can be read");
        assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
        unknown(&names, &asked);
    }

    #[test]
    fn a_long_answer_is_cut_and_says_so() {
        let asked = bytes(&question("www.example.org.", RecordType::A));
        let mut long = Message::from_vec(&address(&asked, 300)).expect("an answer");
        for last in 0..100 {
            let name = long.queries[0].name().clone();
            long.add_answer(Record::from_rdata(name, 300, RData::A(A::new(192, 0, 2, last))));
        }
        let long = bytes(&long);
        let short = cut(long.clone(), usize::from(SHORT));
        assert!(short.len() <= usize::from(SHORT));
        let short = Message::from_vec(&short).expect("one that can be read");
        assert!(short.metadata.truncation);
        assert_eq!(short.queries.len(), 1);
        assert_eq!(cut(long.clone(), usize::from(LONG)), long);
    }

    #[test]
    fn the_host_is_never_asked_twice_with_one_id() {
        let mut waiting = Waiting::default();
        let mut held = Vec::new();
        for _ in 0..300 {
            let (reply, answered) = oneshot::channel();
            held.push((waiting.enter(reply), answered));
        }
        waiting.next = 0;
        let (reply, _answered) = oneshot::channel();
        assert_eq!(waiting.enter(reply), 300);
        held.clear();
        waiting.next = 0;
        let (reply, _answered) = oneshot::channel();
        assert_eq!(waiting.enter(reply), 0, "those who gave up make room");
    }

    #[test]
    fn a_way_out_over_ipv6_is_a_default_route_of_a_card() {
        let zero = "0".repeat(32);
        let refused = format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n");
        let own = format!(
            "fe80{} 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001     eth0\n",
            "0".repeat(28)
        );
        let out = format!(
            "{zero} 00 {zero} 00 fe80{}2 00000400 00000000 00000000 00000003     eth0\n",
            "0".repeat(27)
        );
        assert!(!leads_out(""));
        assert!(!leads_out(&(refused.clone() + &own)));
        assert!(leads_out(&(refused + &own + &out)));
    }
}
