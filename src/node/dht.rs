//! Kademlia that answers for itself.
//!
//! go-libp2p-kad-dht asks a new server for the server's own id and takes an empty answer for a broken server. libp2p-kad
//! 0.49 answers from its table, in which it never is itself, so that a lone bootstrap node is no DHT for go. Here who asks
//! for our id is answered with ourselves first, as go does; all else is libp2p-kad's.

use super::peers::address::{Scope, ip_of};
use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    kad::{self, ConnectionType, KBucketKey, KadPeer, store::MemoryStore},
    swarm::{
        ConnectionDenied, ConnectionId, ExternalAddresses, FromSwarm, ListenAddresses, NetworkBehaviour, NotifyHandler,
        THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::{Deref, DerefMut},
    task::{Context, Poll},
};

type Inner = kad::Behaviour<MemoryStore>;
type Answer = THandlerInEvent<Inner>;
type Asked = THandlerOutEvent<Inner>;

/// Peers in an answer. Source: Kademlia's k.
pub const DHT_ANSWER_PEERS_MAX: usize = 20;
/// Addresses of ourselves in an answer. Guess: a board has two to five.
pub const DHT_OWN_ADDRESSES_MAX: usize = 8;

/// libp2p's Kademlia, and what it lacks. What it has is reached through it.
pub struct Behaviour {
    inner: Inner,
    local: PeerId,
    listening: ListenAddresses,
    external: ExternalAddresses,
    answers: VecDeque<ToSwarm<kad::Event, Answer>>,
    /// From how far each connection comes.
    scopes: BTreeMap<ConnectionId, Scope>,
    /// Who asked since the last look.
    served: BTreeSet<PeerId>,
}

impl Behaviour {
    /// Around a behaviour that was made for this peer.
    pub fn new(inner: Inner, local: PeerId) -> Self {
        let (listening, external) = (ListenAddresses::default(), ExternalAddresses::default());
        Behaviour {
            inner,
            local,
            listening,
            external,
            answers: VecDeque::new(),
            scopes: BTreeMap::new(),
            served: BTreeSet::new(),
        }
    }

    /// Who asked us for something since the last time, and was answered. Only connected peers ask.
    pub fn take_served(&mut self) -> BTreeSet<PeerId> {
        std::mem::take(&mut self.served)
    }

    /// Ourselves, at what somebody can dial who comes from so far.
    fn own_entry(&self, from: Scope) -> KadPeer {
        let mut multiaddrs: Vec<Multiaddr> = self.external.iter().chain(self.listening.iter()).cloned().collect();
        multiaddrs.sort();
        multiaddrs.dedup();
        multiaddrs.retain(|address| ip_of(address).map_or(Scope::World, Scope::of) >= from);
        multiaddrs.truncate(DHT_OWN_ADDRESSES_MAX);
        KadPeer { node_id: self.local, multiaddrs, connection_ty: ConnectionType::Connected }
    }
}

impl Deref for Behaviour {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Behaviour {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = THandler<Inner>;
    type ToSwarm = kad::Event;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(connection, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(connection, peer, address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::ConnectionEstablished(it) => {
                let scope = ip_of(it.endpoint.get_remote_address()).map_or(Scope::World, Scope::of);
                self.scopes.insert(it.connection_id, scope);
            }
            FromSwarm::ConnectionClosed(it) => drop(self.scopes.remove(&it.connection_id)),
            _ => {}
        }
        self.listening.on_swarm_event(&event);
        self.external.on_swarm_event(&event);
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: Asked) {
        if matches!(event, Asked::FindNodeReq { .. } | Asked::GetProvidersReq { .. } | Asked::AddProvider { .. }) {
            self.served.insert(peer);
        }
        match event {
            Asked::FindNodeReq { key, request_id } if key == self.local.to_bytes() => {
                let mut closer_peers =
                    vec![self.own_entry(self.scopes.get(&connection).copied().unwrap_or(Scope::World))];
                let near = self.inner.find_closest_local_peers(&KBucketKey::new(key), &peer).collect::<Vec<_>>();
                closer_peers.extend(near.into_iter().take(DHT_ANSWER_PEERS_MAX - 1));
                self.answers.push_back(ToSwarm::NotifyHandler {
                    peer_id: peer,
                    handler: NotifyHandler::One(connection),
                    event: Answer::FindNodeRes { closer_peers, request_id },
                });
            }
            event => self.inner.on_connection_handler_event(peer, connection, event),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<kad::Event, Answer>> {
        match self.answers.pop_front() {
            Some(answer) => Poll::Ready(answer),
            None => self.inner.poll(cx),
        }
    }
}
