//! Names for the machine, as this computer resolves them: its hosts file, its resolver's servers and search domains.
//!
//! Everything is looked up at the moment it is asked for, so a VPN that comes up or a new line in the hosts file
//! counts at once. Where the system has no file that says all of it (macOS and Windows choose servers by domain),
//! addresses are asked of the system itself and only the rarer kinds of records of its servers.

mod hosts;
mod servers;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{
    DNSClass, Name, RData, Record, RecordType,
    rdata::{A, AAAA, CNAME, PTR},
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use wherry_link::Stream;

use crate::system;
use hosts::Hosts;
use servers::Servers;

/// Files to read instead of the system's own, for tests.
const RESOLVER_VARIABLE: &str = "WHERRY_RESOLV_CONF";
const HOSTS_VARIABLE: &str = "WHERRY_HOSTS";

/// How many questions may be asked at the same time. Further ones wait in the link.
const ASKING: usize = 128;

/// How long an answer from the hosts file, or from the system, which does not tell, may be kept.
const TTL: u32 = 5;

/// This computer's names.
#[derive(Debug)]
pub(crate) struct Names {
    servers: Watched<Servers>,
    hosts: Watched<Hosts>,
    /// Whether the system is asked for addresses, rather than the two files.
    by_system: bool,
}

impl Names {
    pub(crate) fn of_this_computer() -> Self {
        let given = |variable| std::env::var_os(variable).map(PathBuf::from);
        let (resolver, hosts) = (given(RESOLVER_VARIABLE), given(HOSTS_VARIABLE));
        Self {
            by_system: system::RESOLVES_BY_DOMAIN && resolver.is_none() && hosts.is_none(),
            servers: Watched::new(
                resolver.unwrap_or_else(|| PathBuf::from("/etc/resolv.conf")),
                Servers::parse,
            ),
            hosts: Watched::new(hosts.unwrap_or_else(|| PathBuf::from("/etc/hosts")), Hosts::parse),
        }
    }

    /// Answers the questions on this stream until it ends. `host` is what stands for this computer's loopback in the
    /// machine.
    pub(crate) async fn serve(self: Arc<Self>, stream: Stream, host: Ipv4Addr) {
        let (mut answers, mut questions) = Framed::new(stream, framing()).split();
        let (answered, mut ready) = mpsc::channel::<Bytes>(ASKING);
        let room = Arc::new(Semaphore::new(ASKING));
        let listen = async move {
            while let Some(Ok(question)) = questions.next().await {
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                    return;
                };
                let (names, answered) = (Arc::clone(&self), answered.clone());
                tokio::spawn(async move {
                    if let Some(answer) = names.answer(&question, host).await {
                        let _ = answered.send(answer.into()).await;
                    }
                    drop(permit);
                });
            }
        };
        let answer = async {
            while let Some(answer) = ready.recv().await {
                if answers.send(answer).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = listen => {}
            () = answer => {}
        }
    }

    /// The answer to this question; None when it is none.
    pub(crate) async fn answer(&self, bytes: &[u8], host: Ipv4Addr) -> Option<Vec<u8>> {
        let Ok(question) = Message::from_vec(bytes) else {
            let id = u16::from_be_bytes(*bytes.first_chunk()?);
            return Message::error_msg(id, OpCode::Query, ResponseCode::FormErr)
                .to_vec()
                .ok();
        };
        if question.metadata.message_type == MessageType::Response {
            return None;
        }
        let answer = match (question.metadata.op_code, question.queries.as_slice()) {
            (OpCode::Query, [query]) if query.query_class() == DNSClass::IN => match query.query_type() {
                RecordType::A | RecordType::AAAA => self.address(&question, query, host).await,
                RecordType::PTR => match self.hosts.now().name_of(query.name()) {
                    Some(name) => Answer::Made(named(&question, query, name)),
                    None => self.servers.now().ask(bytes).await.into(),
                },
                _ => self.servers.now().ask(bytes).await.into(),
            },
            (OpCode::Query, [_]) => self.servers.now().ask(bytes).await.into(),
            (OpCode::Query, _) => Answer::Made(reply(&question, ResponseCode::FormErr)),
            _ => Answer::Made(reply(&question, ResponseCode::NotImp)),
        };
        match answer {
            Answer::Raw(bytes) => Some(bytes),
            Answer::Made(message) => message.to_vec().ok(),
            Answer::None => reply(&question, ResponseCode::ServFail).to_vec().ok(),
        }
    }

    async fn address(&self, question: &Message, query: &Query, host: Ipv4Addr) -> Answer {
        if self.by_system {
            return by_system(question, query, host).await;
        }
        if let Some(addresses) = self.hosts.now().addresses_of(query.name()) {
            return Answer::Made(addressed(question, query, &addresses, host));
        }
        let servers = self.servers.now();
        // What is answered when no name of the list has an address: that the name as it was asked for does not exist,
        // unless one of them exists without an address of this kind.
        let mut failure = Answer::None;
        for name in servers.names(query.name()) {
            let as_asked = name == *query.name();
            let mut next = question.clone();
            next.queries = vec![Query::query(name, query.query_type())];
            let Some(raw) = next.to_vec().ok() else { continue };
            let Some(raw) = servers.ask(&raw).await else { continue };
            let Ok(answer) = Message::from_vec(&raw) else { continue };
            let found = match answer.metadata.response_code {
                ResponseCode::NoError if !answer.answers.is_empty() => Found::Addresses,
                ResponseCode::NoError => Found::Nothing,
                _ => Found::NoName,
            };
            match (found, as_asked) {
                (Found::Addresses, true) => return Answer::Raw(raw),
                (Found::Addresses, false) => return Answer::Made(alias(question, query, answer)),
                (Found::Nothing, true) => failure = Answer::Raw(raw),
                (Found::Nothing, false) => failure = Answer::Made(reply(question, ResponseCode::NoError)),
                (Found::NoName, true) if matches!(failure, Answer::None) => failure = Answer::Raw(raw),
                (Found::NoName, _) => {}
            }
        }
        failure
    }
}

enum Found {
    Addresses,
    Nothing,
    NoName,
}

enum Answer {
    /// As a server gave it.
    Raw(Vec<u8>),
    Made(Message),
    /// Nobody answered.
    None,
}

impl From<Option<Vec<u8>>> for Answer {
    fn from(answer: Option<Vec<u8>>) -> Self {
        answer.map_or(Self::None, Self::Raw)
    }
}

fn reply(question: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::error_msg(question.metadata.id, question.metadata.op_code, code);
    reply.metadata.recursion_desired = question.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.queries.clone_from(&question.queries);
    reply
}

/// These addresses, as far as they are of the kind that was asked for. This computer's loopback is another one in a
/// container, so a name that leads there leads to what stands for it.
fn addressed(question: &Message, query: &Query, addresses: &[IpAddr], host: Ipv4Addr) -> Message {
    let mut answer = reply(question, ResponseCode::NoError);
    let is_localhost = hosts::is_localhost(query.name());
    let mut given: Vec<IpAddr> = Vec::new();
    for address in addresses {
        let address = if address.is_loopback() && !is_localhost {
            IpAddr::V4(host)
        } else {
            *address
        };
        if !given.contains(&address) {
            given.push(address);
        }
    }
    for address in given {
        let data = match (address, query.query_type()) {
            (IpAddr::V4(address), RecordType::A) => RData::A(A(address)),
            (IpAddr::V6(address), RecordType::AAAA) => RData::AAAA(AAAA(address)),
            _ => continue,
        };
        answer.add_answer(Record::from_rdata(query.name().clone(), TTL, data));
    }
    answer
}

fn named(question: &Message, query: &Query, name: Name) -> Message {
    let mut answer = reply(question, ResponseCode::NoError);
    answer.add_answer(Record::from_rdata(query.name().clone(), TTL, RData::PTR(PTR(name))));
    answer
}

/// The answer for a name below a search domain, as one for the name that was asked for.
fn alias(question: &Message, query: &Query, found: Message) -> Message {
    let mut answer = reply(question, ResponseCode::NoError);
    let ttl = found.answers.iter().map(|record| record.ttl).min().unwrap_or(TTL);
    if let Some(real) = found.queries.first() {
        let data = RData::CNAME(CNAME(real.name().clone()));
        answer.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
    }
    answer.add_answers(found.answers);
    answer.edns = found.edns;
    answer
}

/// Asks the system, which knows its hosts file, its search domains and which server is for which domain.
async fn by_system(question: &Message, query: &Query, host: Ipv4Addr) -> Answer {
    let name = query.name().to_ascii();
    let found = tokio::net::lookup_host((name.trim_end_matches('.'), 0)).await;
    Answer::Made(match found {
        Ok(addresses) => {
            let addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
            addressed(question, query, &addresses, host)
        }
        // It does not say which of the two it was: that there is no such name, or that nobody could be asked.
        Err(_) => reply(question, ResponseCode::NXDomain),
    })
}

/// DNS messages as over TCP.
fn framing() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .length_field_type::<u16>()
        .max_frame_length(usize::from(u16::MAX))
        .new_codec()
}

/// What a file says, read again when the file is another one than before.
#[derive(Debug)]
struct Watched<T> {
    path: PathBuf,
    parse: fn(&str) -> T,
    /// Locked to compare and to replace.
    last: Mutex<Option<(Stamp, Arc<T>)>>,
}

/// A change that leaves all of these as they were is not noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs_err::metadata(path).ok()?;
        Some(Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
        })
    }
}

impl<T> Watched<T> {
    fn new(path: PathBuf, parse: fn(&str) -> T) -> Self {
        Self {
            path,
            parse,
            last: Mutex::new(None),
        }
    }

    /// A file that is not there says nothing.
    fn now(&self) -> Arc<T> {
        let Some(stamp) = Stamp::of(&self.path) else {
            return Arc::new((self.parse)(""));
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, value)) = last.as_ref()
            && *before == stamp
        {
            return Arc::clone(value);
        }
        let text = fs_err::read(&self.path).unwrap_or_default();
        let value = Arc::new((self.parse)(&String::from_utf8_lossy(&text)));
        *last = Some((stamp, Arc::clone(&value)));
        value
    }
}

#[cfg(test)]
mod tests;
