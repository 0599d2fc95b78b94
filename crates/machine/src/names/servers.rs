//! The servers that this computer asks, and the names it tries.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::Name;
use resolv_conf::{Config, ScopedIp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};

use crate::system;

const PORT: u16 = 53;

/// How long one server is waited for before the next is asked as well.
const NEXT: Duration = Duration::from_secs(1);
/// How long one server is listened to at all.
const LISTEN: Duration = Duration::from_secs(4);
/// How often each is asked when nobody answers: a datagram may be lost.
const ROUNDS: usize = 2;

/// The longest answer there is.
const LONGEST: usize = 65_535;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Servers {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) search: Vec<Name>,
    /// A name with fewer dots is first looked for below the search domains.
    pub(super) dots: usize,
}

impl Servers {
    /// `resolv.conf`, or what the system says where there is none.
    pub(super) fn parse(text: &str) -> Self {
        // What is not understood is passed over, as the system does.
        let (config, _) = Config::parse_with_errors(text.as_bytes());
        let mut addresses: Vec<SocketAddr> = config.nameservers.iter().filter_map(address).collect();
        if addresses.is_empty() {
            addresses = system::name_servers()
                .into_iter()
                .map(|server| SocketAddr::new(server, PORT))
                .collect();
        }
        let search = config
            .get_last_search_or_domain()
            .filter_map(|domain| {
                let mut name = Name::from_utf8(domain).ok().filter(|name| !name.is_root())?;
                name.set_fqdn(true);
                Some(name)
            })
            .collect();
        Self {
            addresses,
            search,
            dots: usize::try_from(config.ndots).unwrap_or(1),
        }
    }

    /// The names that this one may mean, in the order in which this computer tries them.
    pub(super) fn names(&self, name: &Name) -> Vec<Name> {
        let below = self.search.iter().filter_map(|domain| {
            let mut relative = name.clone();
            relative.set_fqdn(false);
            relative.append_domain(domain).ok()
        });
        // The root has no labels, a name of one label no dot.
        if usize::from(name.num_labels()) > self.dots {
            std::iter::once(name.clone()).chain(below).collect()
        } else {
            below.chain(std::iter::once(name.clone())).collect()
        }
    }

    /// The first answer that says something, or what was said instead; None when nobody answers.
    pub(super) async fn ask(&self, question: &[u8]) -> Option<Vec<u8>> {
        let mut next = self.addresses.repeat(ROUNDS).into_iter().peekable();
        let mut asked = FuturesUnordered::new();
        let mut refusal = None;
        asked.push(ask(next.next()?, question));
        loop {
            let more = next.peek().is_some();
            tokio::select! {
                Some(answer) = asked.next() => match answer {
                    Ok((code, answer)) => match code {
                        ResponseCode::NoError | ResponseCode::NXDomain => return Some(answer),
                        _ => refusal = Some(answer),
                    },
                    Err(error) => tracing::debug!(%error, "a name server did not answer"),
                },
                () = sleep(NEXT), if more => {}
                else => return refusal,
            }
            if let Some(server) = next.next() {
                asked.push(ask(server, question));
            }
        }
    }
}

fn address(server: &ScopedIp) -> Option<SocketAddr> {
    match server {
        ScopedIp::V4(address) => Some(SocketAddr::new(IpAddr::V4(*address), PORT)),
        ScopedIp::V6(address, None) => Some(SocketAddr::new(IpAddr::V6(*address), PORT)),
        ScopedIp::V6(address, Some(scope)) => {
            let scope = scope.parse().ok().or_else(|| system::interface(scope))?;
            Some(SocketAddr::V6(SocketAddrV6::new(*address, PORT, 0, scope)))
        }
    }
}

async fn ask(server: SocketAddr, question: &[u8]) -> io::Result<(ResponseCode, Vec<u8>)> {
    timeout(LISTEN, async {
        // An id of its own, so that nobody can guess it: containers choose theirs as they like.
        let id: [u8; 2] = rand::random();
        let mut own = question.to_vec();
        own.get_mut(..2)
            .ok_or(io::ErrorKind::InvalidInput)?
            .copy_from_slice(&id);
        let asked = Message::from_vec(&own).map_err(io::Error::other)?;
        let (mut message, mut answer) = over_udp(server, &own, &asked).await?;
        if message.metadata.truncation {
            (message, answer) = over_tcp(server, &own, &asked).await?;
        }
        answer[..2].copy_from_slice(&question[..2]);
        Ok((message.metadata.response_code, answer))
    })
    .await?
}

async fn over_udp(server: SocketAddr, question: &[u8], asked: &Message) -> io::Result<(Message, Vec<u8>)> {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut answer = Vec::with_capacity(LONGEST);
    loop {
        answer.clear();
        socket.recv_buf(&mut answer).await?;
        if let Some(message) = answer_to(asked, &answer) {
            return Ok((message, answer));
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &[u8], asked: &Message) -> io::Result<(Message, Vec<u8>)> {
    let mut connection = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    connection
        .write_all(&[&length.to_be_bytes(), question].concat())
        .await?;
    let mut answer = vec![0; usize::from(connection.read_u16().await?)];
    connection.read_exact(&mut answer).await?;
    let message = answer_to(asked, &answer).ok_or(io::ErrorKind::InvalidData)?;
    Ok((message, answer))
}

/// What was received, when it is an answer to this question.
fn answer_to(asked: &Message, answer: &[u8]) -> Option<Message> {
    let answer = Message::from_vec(answer).ok()?;
    let fits = answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == asked.metadata.id
        // A server that could not read the question repeats none.
        && (answer.queries.is_empty() || answer.queries == asked.queries);
    fits.then_some(answer)
}
