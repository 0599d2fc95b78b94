//! Whether a published port works, looked at from both ends: who listens inside the container, whether the port is
//! carried to this computer, and whether a connection made here is kept.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use ts_rs::TS;
use wherry_engine::{ContainerState, ContainerSummary, Engine, Error, HostPort, Listener, Port, Protocol};
use wherry_machine::Forward;

use crate::port;

/// How long a connection to this computer itself may take.
const CONNECT: Duration = Duration::from_secs(2);

/// Who carries a port takes the connection first and lets go of it when nobody is behind: so long is waited for that.
const KEPT: Duration = Duration::from_millis(400);

/// A published or exposed port with what was found out about it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PortLamps {
    pub port: u16,
    pub protocol: Protocol,
    /// Where it is published; `None` when it is only exposed.
    pub host: Option<HostPort>,
    pub listens: Lamp,
    pub forwarded: Lamp,
    pub answers: Lamp,
    /// A program listens, and only to the container itself: `127.0.0.1` or `::1`.
    pub only_itself: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Lamp {
    pub light: Light,
    /// "Listens inside"
    pub words: String,
    /// "on 0.0.0.0"
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Light {
    Ok,
    /// Works, but not for everybody who might want it.
    Limited,
    Fails,
    /// There is nothing to look at.
    Off,
}

fn lamp(light: Light, words: &str, detail: impl Into<String>) -> Lamp {
    Lamp {
        light,
        words: words.to_owned(),
        detail: detail.into(),
    }
}

/// Of every port of the container, published ones first.
pub(crate) async fn look(
    engine: &Engine,
    container: &ContainerSummary,
    forwards: &[Forward],
) -> Result<Vec<PortLamps>, Error> {
    let listeners = match container.state {
        ContainerState::Running => engine.listeners(&container.id).await?,
        ContainerState::Created
        | ContainerState::Paused
        | ContainerState::Restarting
        | ContainerState::Removing
        | ContainerState::Exited
        | ContainerState::Dead => None,
    };
    let local = port::is_local(engine);
    let lamps = container
        .ports
        .iter()
        .map(|port| look_at(container, port, listeners.as_deref(), forwards, local));
    let mut lamps = futures::future::join_all(lamps).await;
    lamps.sort_by_key(|lamps| (lamps.host.is_none(), lamps.port));
    Ok(lamps)
}

async fn look_at(
    container: &ContainerSummary,
    port: &Port,
    listeners: Option<&[Listener]>,
    forwards: &[Forward],
    local: bool,
) -> PortLamps {
    let running = container.state == ContainerState::Running;
    let heard = listeners.map(|listeners| {
        listeners
            .iter()
            .filter(|listener| (listener.port, listener.protocol) == (port.container, port.protocol))
            .map(|listener| listener.address)
            .collect::<Vec<IpAddr>>()
    });
    let only_itself = heard
        .as_ref()
        .is_some_and(|heard| !heard.is_empty() && heard.iter().all(IpAddr::is_loopback));
    let listens = match &heard {
        _ if !running => lamp(Light::Off, "Not running", "nothing can listen"),
        None => lamp(Light::Off, "Cannot be seen", "the image has no program to look with"),
        Some(heard) if heard.is_empty() => {
            lamp(Light::Off, "Nothing listens yet", format!("on port {}", port.container))
        }
        Some(heard) => {
            let addresses: Vec<String> = heard.iter().map(ToString::to_string).collect();
            let detail = format!("on {}", addresses.join(" and "));
            if only_itself {
                lamp(Light::Limited, "Listens inside, but only to itself", detail)
            } else {
                lamp(Light::Ok, "Listens inside", detail)
            }
        }
    };
    let Some(host) = &port.host else {
        return PortLamps {
            port: port.container,
            protocol: port.protocol,
            host: None,
            listens,
            forwarded: lamp(Light::Off, "Not published", "only other containers reach it"),
            answers: lamp(Light::Off, "Not reachable here", "publish it when you run the image"),
            only_itself,
        };
    };
    let dead = forwards
        .iter()
        .find(|forward| forward.host.port() == host.port && forward.protocol.eq_ignore_ascii_case(word(port.protocol)))
        .and_then(|forward| forward.dead.clone());
    let forwarded = match &dead {
        Some(why) => lamp(Light::Fails, "Not forwarded", why.clone()),
        None if running => lamp(
            Light::Ok,
            "Forwarded",
            format!("{}:{} to {}", host.address, host.port, container.name),
        ),
        None => lamp(Light::Off, "Not forwarded", "while it does not run"),
    };
    let nobody = heard.as_ref().is_some_and(Vec::is_empty);
    let answers = if !running || dead.is_some() {
        lamp(Light::Off, "No answer, as expected", "nothing to reach")
    } else if !local {
        lamp(Light::Off, "Not asked", "the engine is on another computer")
    } else {
        match port.protocol {
            Protocol::Tcp => match keeps(host).await {
                Ok(()) if nobody => lamp(Light::Ok, "Answers here", "another program may answer"),
                Ok(()) => lamp(Light::Ok, "Answers here", "a connection stays open"),
                Err(why) if nobody => lamp(Light::Off, "No answer, as expected", why),
                Err(why) => lamp(Light::Fails, "No answer here", why),
            },
            Protocol::Udp | Protocol::Sctp => lamp(Light::Off, "Cannot be asked", "only TCP says whether it is there"),
        }
    };
    PortLamps {
        port: port.container,
        protocol: port.protocol,
        host: Some(host.clone()),
        listens,
        forwarded,
        answers,
        only_itself,
    }
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

/// Whether a connection to that port of this computer is made and kept, else why not.
async fn keeps(host: &HostPort) -> Result<(), &'static str> {
    let address = match host.address.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Ok(IpAddr::V6(address)) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        Ok(address) => address,
        Err(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let connect = TcpStream::connect(SocketAddr::new(address, host.port));
    let mut stream = match tokio::time::timeout(CONNECT, connect).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(_)) => return Err("connection refused"),
        Err(_) => return Err("no connection within 2 s"),
    };
    match tokio::time::timeout(KEPT, stream.read(&mut [0; 1])).await {
        // It waits for us to speak, or has spoken itself.
        Err(_) | Ok(Ok(1..)) => Ok(()),
        Ok(Ok(0) | Err(_)) => Err("connection closed at once"),
    }
}
