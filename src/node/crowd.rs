//! How many connections there may be, in all and of each sort.
//!
//! Not libp2p-connection-limits 0.7.0, which keeps a place for every peer that was ever connected: whoever comes again and
//! again under new names fills any memory.

use super::peers::{
    address::{Network, ip_of},
    places::admission_places,
};
use crate::base::board::Limits;
use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, DialFailure, FromSwarm, ListenFailure, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
        behaviour::{ConnectionClosed, ConnectionEstablished},
        dummy,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    task::{Context, Poll},
};

/// Connections of one peer: the standing one, the one that replaces it, and one more in crossed dials.
pub const CONNECTIONS_PER_PEER_MAX: usize = 3;

/// A connection too many.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {most} connections already, {what} ({name})")]
pub struct TooMany {
    name: &'static str,
    what: &'static str,
    most: usize,
}

/// The connections there are.
#[derive(Debug)]
pub struct Behaviour {
    pending_max: usize,
    /// Those who may stay, and newcomers.
    inbound_max: usize,
    outbound_max: usize,
    all_max: usize,
    pending_inbound: BTreeSet<ConnectionId>,
    pending_outbound: BTreeSet<ConnectionId>,
    inbound: BTreeSet<ConnectionId>,
    outbound: BTreeSet<ConnectionId>,
    peers: BTreeMap<PeerId, usize>,
    /// Connections that others made and whose peers were not judged yet.
    newcomers: BTreeMap<ConnectionId, (PeerId, Option<Network>)>,
    /// Connections kept free for newcomers when all other places are taken.
    spare: usize,
    /// Connections of others refused, by limit.
    refused: BTreeMap<&'static str, u64>,
}

fn check(count: usize, most: usize, name: &'static str, what: &'static str) -> Result<(), ConnectionDenied> {
    if count < most { Ok(()) } else { Err(ConnectionDenied::new(TooMany { name, what, most })) }
}

impl Behaviour {
    /// What a board allows.
    pub fn new(limits: &Limits) -> Self {
        let spare = admission_places(limits.connections_max);
        Behaviour {
            pending_max: limits.connections_pending_max.into(),
            inbound_max: limits.connections_max.min(limits.connections_inbound_max.saturating_add(spare)).into(),
            outbound_max: limits.connections_outbound_max.into(),
            all_max: limits.connections_max.into(),
            pending_inbound: BTreeSet::new(),
            pending_outbound: BTreeSet::new(),
            inbound: BTreeSet::new(),
            outbound: BTreeSet::new(),
            peers: BTreeMap::new(),
            newcomers: BTreeMap::new(),
            spare: spare.into(),
            refused: BTreeMap::new(),
        }
    }

    /// Handshakes under way, in the direction that has more.
    pub fn pending(&self) -> usize {
        self.pending_inbound.len().max(self.pending_outbound.len())
    }

    /// How many dials may begin now.
    pub fn room_for_dials(&self) -> usize {
        let free = self.outbound_max.min(self.all_max.saturating_sub(self.inbound.len()));
        let room = free.saturating_sub(self.outbound.len() + self.pending_outbound.len());
        room.min(self.pending_max.saturating_sub(self.pending_outbound.len()))
    }

    /// How many connections of others a limit refused.
    pub fn refused(&self, limit: &str) -> u64 {
        self.refused.get(limit).copied().unwrap_or(0)
    }

    /// A peer was judged and may stay: it stands no longer on a place for newcomers.
    pub fn settle(&mut self, settled: &PeerId) {
        self.newcomers.retain(|_, (peer, _)| peer != settled);
    }

    /// When only the places for newcomers are left, one address may hold all but one of them: it cannot keep others out
    /// by coming again and again.
    fn check_newcomer(&self, peer: &PeerId, network: Option<Network>) -> Result<(), ConnectionDenied> {
        let all = self.inbound.len() + self.outbound.len();
        let is_full = all + self.spare >= self.all_max || self.inbound.len() + self.spare >= self.inbound_max;
        let of_network = self.newcomers.values().filter(|(_, other)| *other == network).count();
        if !is_full || self.peers.contains_key(peer) {
            return Ok(());
        }
        let what = "and others of this address have just come";
        check(of_network, self.spare.saturating_sub(1).max(1), "places for newcomers", what)
    }

    /// Counts what is refused of others.
    fn note<T>(&mut self, limit: &'static str, result: Result<T, ConnectionDenied>) -> Result<T, ConnectionDenied> {
        if result.is_err() {
            *self.refused.entry(limit).or_default() += 1;
        }
        result
    }

    fn check_peer(&self, peer: &PeerId) -> Result<(), ConnectionDenied> {
        let of_peer = self.peers.get(peer).copied().unwrap_or(0);
        check(of_peer, CONNECTIONS_PER_PEER_MAX, "connections of one peer", "all with this one")
    }

    fn check_all(&self) -> Result<(), ConnectionDenied> {
        check(self.inbound.len() + self.outbound.len(), self.all_max, "connections_max", "in all")
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let pending =
            check(self.pending_inbound.len(), self.pending_max, "connections_pending_max", "in their handshake");
        self.note("connections_pending_max", pending)?;
        self.pending_inbound.insert(connection);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending_inbound.remove(&connection);
        let inbound = check(self.inbound.len(), self.inbound_max, "connections_inbound_max", "inbound");
        self.note("connections_inbound_max", inbound)?;
        self.check_peer(&peer)?;
        let all = self.check_all();
        self.note("connections_max", all)?;
        let newcomer = self.check_newcomer(&peer, ip_of(remote).map(Network::of));
        self.note("connections_inbound_max", newcomer)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        _: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        check(self.pending_outbound.len(), self.pending_max, "connections_pending_max", "in their handshake")?;
        self.pending_outbound.insert(connection);
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending_outbound.remove(&connection);
        check(self.outbound.len(), self.outbound_max, "connections_outbound_max", "outbound")?;
        self.check_peer(&peer)?;
        self.check_all()?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, endpoint, connection_id, .. }) => {
                let side = if endpoint.is_listener() { &mut self.inbound } else { &mut self.outbound };
                side.insert(connection_id);
                if endpoint.is_listener() && !self.peers.contains_key(&peer_id) {
                    let network = ip_of(endpoint.get_remote_address()).map(Network::of);
                    self.newcomers.insert(connection_id, (peer_id, network));
                }
                *self.peers.entry(peer_id).or_default() += 1;
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, remaining_established, .. }) => {
                self.inbound.remove(&connection_id);
                self.outbound.remove(&connection_id);
                self.newcomers.remove(&connection_id);
                match remaining_established {
                    0 => self.peers.remove(&peer_id),
                    remaining => self.peers.insert(peer_id, remaining),
                };
            }
            FromSwarm::DialFailure(DialFailure { connection_id, .. }) => {
                self.pending_outbound.remove(&connection_id);
            }
            FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.pending_inbound.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::board;
    use libp2p::core::ConnectedPoint;

    /// Somebody who comes from an address of his own.
    fn listener(host: usize) -> ConnectedPoint {
        let address: Multiaddr = format!("/ip4/192.0.{}.{}/tcp/4470", host >> 8 & 0xff, host & 0xff).parse().unwrap();
        ConnectedPoint::Listener { local_addr: address.clone(), send_back_addr: address }
    }

    fn connect(crowd: &mut Behaviour, peer_id: PeerId, number: usize) -> Result<(), ConnectionDenied> {
        connect_from(crowd, peer_id, number, number)
    }

    fn connect_from(
        crowd: &mut Behaviour,
        peer_id: PeerId,
        number: usize,
        host: usize,
    ) -> Result<(), ConnectionDenied> {
        let (connection_id, endpoint) = (ConnectionId::new_unchecked(number), &listener(host));
        let address = endpoint.get_remote_address();
        crowd.handle_pending_inbound_connection(connection_id, address, address)?;
        crowd.handle_established_inbound_connection(connection_id, peer_id, address, address)?;
        let (failed_addresses, other_established) = (&[][..], 0);
        let event = ConnectionEstablished { peer_id, connection_id, endpoint, failed_addresses, other_established };
        crowd.on_swarm_event(FromSwarm::ConnectionEstablished(event));
        Ok(())
    }

    fn close(crowd: &mut Behaviour, peer_id: PeerId, number: usize, remaining_established: usize) {
        let (connection_id, endpoint) = (ConnectionId::new_unchecked(number), &listener(number));
        let event = ConnectionClosed { peer_id, connection_id, endpoint, cause: None, remaining_established };
        crowd.on_swarm_event(FromSwarm::ConnectionClosed(event));
    }

    fn tiny() -> (Behaviour, usize) {
        let limits = &board::find("tiny").unwrap().limits;
        let crowd = Behaviour::new(limits);
        let most = crowd.inbound_max;
        assert_eq!(most, usize::from(limits.connections_inbound_max) + crowd.spare);
        (crowd, most)
    }

    #[test]
    fn there_are_so_many_and_of_one_peer_fewer() {
        let (mut crowd, most) = tiny();
        let one = PeerId::random();
        assert!((0..CONNECTIONS_PER_PEER_MAX).all(|number| connect(&mut crowd, one, number).is_ok()));
        assert!(connect(&mut crowd, one, 99).is_err());
        close(&mut crowd, one, 0, CONNECTIONS_PER_PEER_MAX - 1);
        assert!(connect(&mut crowd, one, 100).is_ok());
        let rest = (CONNECTIONS_PER_PEER_MAX..most).map(|number| (PeerId::random(), 200 + number));
        assert!(rest.into_iter().all(|(peer, number)| connect(&mut crowd, peer, number).is_ok()));
        let error = connect(&mut crowd, PeerId::random(), 300).unwrap_err().downcast::<TooMany>().unwrap();
        assert_eq!(
            error.to_string(),
            format!("there are {most} connections already, inbound (connections_inbound_max)")
        );
    }

    #[test]
    fn nothing_is_kept_of_who_left() {
        let (mut crowd, most) = tiny();
        for number in 0..10 * most {
            let peer = PeerId::random();
            connect(&mut crowd, peer, number).unwrap();
            close(&mut crowd, peer, number, 0);
        }
        let Behaviour { pending_inbound, pending_outbound, inbound, outbound, peers, newcomers, .. } = crowd;
        assert!(pending_inbound.is_empty() && pending_outbound.is_empty() && inbound.is_empty() && outbound.is_empty());
        assert!(peers.is_empty() && newcomers.is_empty());
    }

    #[test]
    fn one_address_does_not_hold_every_place_for_newcomers() {
        let (mut crowd, most) = tiny();
        let (host, spare) = (7, crowd.spare);
        let mut strangers = Vec::new();
        while strangers.len() < most - spare {
            let stranger = PeerId::random();
            connect_from(&mut crowd, stranger, strangers.len(), host).unwrap();
            strangers.push(stranger);
        }
        assert!(connect_from(&mut crowd, PeerId::random(), 100, host).is_err(), "none of them was judged yet");
        strangers.iter().for_each(|stranger| crowd.settle(stranger));
        assert!(connect_from(&mut crowd, PeerId::random(), 101, host).is_ok());
        assert!(connect_from(&mut crowd, PeerId::random(), 102, host).is_err());
        assert!(connect_from(&mut crowd, PeerId::random(), 103, host + 1).is_ok(), "the last one is for others");
    }
}
