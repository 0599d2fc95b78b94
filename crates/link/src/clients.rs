//! Which client of a port for datagrams is which flow.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use crate::datagram::{FLOWS, Flow};

/// Who is behind each flow, at the end where the clients are.
#[derive(Default)]
pub struct Clients {
    flows: HashMap<SocketAddr, Flow>,
    behind: BTreeMap<Flow, Client>,
    /// Counted up for ever, so that a late answer never reaches somebody else.
    last: Flow,
}

struct Client {
    address: SocketAddr,
    /// Something moved since this was last looked at.
    moved: bool,
}

impl Clients {
    /// The flow of this client, who is a new one when it is not known.
    pub fn flow(&mut self, address: SocketAddr) -> Flow {
        if let Some(flow) = self.flows.get(&address) {
            if let Some(client) = self.behind.get_mut(flow) {
                client.moved = true;
            }
            return *flow;
        }
        if self.behind.len() == FLOWS
            && let Some((_, oldest)) = self.behind.pop_first()
        {
            self.flows.remove(&oldest.address);
        }
        self.last = self.last.wrapping_add(1) & (Flow::MAX >> 1);
        self.flows.insert(address, self.last);
        self.behind.insert(self.last, Client { address, moved: true });
        self.last
    }

    /// Who is behind the flow, unless that has been forgotten.
    pub fn of(&mut self, flow: Flow) -> Option<SocketAddr> {
        let client = self.behind.get_mut(&flow)?;
        client.moved = true;
        Some(client.address)
    }

    /// Forgets the clients with whom nothing moved since the last time; whether none is left.
    pub fn forget_idle(&mut self) -> bool {
        self.behind.retain(|_, client| std::mem::take(&mut client.moved));
        let kept = &self.behind;
        self.flows.retain(|_, flow| kept.contains_key(flow));
        self.behind.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn a_client_keeps_its_flow_until_it_was_idle_for_a_whole_round() {
        let mut clients = Clients::default();
        let (first, second) = (clients.flow(client(1)), clients.flow(client(2)));
        assert_ne!(first, second);
        assert_eq!(clients.flow(client(1)), first);
        assert_eq!(clients.of(second), Some(client(2)));
        assert!(!clients.forget_idle());
        // An answer keeps a flow as a question does.
        assert_eq!(clients.of(second), Some(client(2)));
        assert!(!clients.forget_idle());
        assert_eq!(clients.of(first), None);
        assert_ne!(
            clients.flow(client(1)),
            first,
            "a late answer must not reach the next one"
        );
        assert!(!clients.forget_idle());
        assert!(clients.forget_idle());
    }

    #[test]
    fn too_many_clients_push_the_oldest_out() {
        let mut clients = Clients::default();
        let oldest = clients.flow(client(1));
        let next = clients.flow(client(2));
        for other in 0..FLOWS - 1 {
            clients.flow(client(u16::try_from(other + 3).expect("a port")));
        }
        assert_eq!(clients.of(oldest), None);
        assert_eq!(clients.of(next), Some(client(2)));
        assert_eq!(clients.flows.len(), FLOWS);
    }
}
