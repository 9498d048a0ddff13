//! Meeting: connections made, replaced and lost; whom to dial and whom to let go.

use super::{
    event::{Event, FoundBy},
    peers::{self, Connected, ip_of},
    rendezvous::Due,
    state::Node,
    words::{root, sentence},
};
use crate::{net::interfaces, swarm::gossip::Voice};
use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    kad,
    swarm::{
        ConnectionId, DialError, ListenError, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// Pause between rounds of small duties: marks of peers, remembered peers, empty tables. Coarse, for each round
/// is a wake-up.
pub const HOUSEKEEPING_S: u64 = 30;
/// Pings in a row whose stream broke after which a connection is closed. Guess: two of them are bad luck.
pub const PING_FAILURES_MAX: u32 = 3;

/// Pause after an address was lost, for its successor often comes at once.
pub const ADRIFT_WAIT_MS: u64 = 100;

fn same_network(interface: &interfaces::Interface, ip: IpAddr) -> bool {
    let (ours, theirs, bits) = match (interface.ip, ip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    let host_bits = bits - u32::from(interface.prefix_len).min(bits);
    (ours ^ theirs).checked_shr(host_bits).unwrap_or(0) == 0
}

impl Node {
    /// Something the swarm reports that is not of one protocol.
    pub(super) fn on_swarm_event<T>(&mut self, event: SwarmEvent<T>) {
        let now = Instant::now();
        match event {
            SwarmEvent::NewListenAddr { address, .. } => self.on_listening(address, now),
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                log::info!("no longer listening on {address}");
                self.listening.retain(|a| *a != address);
                self.swarm.remove_external_address(&address);
                // With no address left a dial would only hold a place until the next one comes.
                let is_left = self.listening.iter().any(|a| !peers::is_loopback(a));
                let at = is_left.then(|| now + Duration::from_millis(ADRIFT_WAIT_MS));
                self.peers.on_address_lost(&address, at);
            }
            SwarmEvent::ListenerError { error, .. } => {
                self.count("listener errors");
                log::warn!("a listener had an error: {error}");
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                log::warn!("a listener closed ({reason:?}): {addresses:?}");
                self.listening.retain(|a| !addresses.contains(a));
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint, now);
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => self.on_disconnected(peer_id, now),
            SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => {
                let gossip = &self.swarm.behaviour().gossip;
                if gossip.is_second_choice(&peer_id) {
                    self.peers.on_connection_lost(&peer_id, connection_id, now);
                }
                if let Some((connection, endpoint)) = gossip.in_use(&peer_id)
                    && self.peers.on_another_in_use(&peer_id, connection, endpoint)
                {
                    self.on_moved(peer_id, now);
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error, .. } => {
                self.on_dial_failed(connection_id, peer_id, &error, now);
            }
            SwarmEvent::IncomingConnectionError { error, send_back_addr, .. } => {
                self.count("inbound connections failed");
                let reason = root(&error);
                log::debug!("an inbound connection of {send_back_addr} failed: {reason}");
                match error {
                    ListenError::LocalPeerId { address } => self.twin.on_reached_by_self(address, now),
                    _ => drop(self.on_unknown_key(&send_back_addr, &reason, false, now)),
                }
            }
            _ => {}
        }
    }

    fn on_listening(&mut self, address: Multiaddr, now: Instant) {
        log::info!("listening on {address}/p2p/{}", self.swarm.local_peer_id());
        if !peers::is_loopback(&address) {
            // The DHT hands out external addresses alone; on a LAN or in a lab these are the ones that work.
            self.swarm.add_external_address(address.clone());
            self.peers.on_address_gained(now);
            self.bootstrap.retry_all(now);
        }
        self.listening.push(address);
    }

    fn on_connected(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint, now: Instant) {
        self.dials.remove(&connection);
        let is_asked = self.on_asked_connected(peer, connection);
        if self.swarm.behaviour_mut().gossip.is_beside(connection) {
            self.peers.on_dialled(&peer);
            self.bootstrap.on_connected(peer, connection);
            return;
        }
        let address = endpoint.get_remote_address().clone();
        let local = match endpoint {
            ConnectedPoint::Listener { local_addr, .. } => Some(local_addr.clone()),
            ConnectedPoint::Dialer { .. } => None,
        };
        let connected = Connected {
            connection,
            address: address.clone(),
            local,
            outbound: endpoint.is_dialer(),
            found: FoundBy::Inbound,
            shares: None,
            since: now,
            agent: String::new(),
            nick: String::new(),
            rtt: None,
            ping_failures: 0,
            rooms: Default::default(),
            adrift: false,
            suspect: None,
            mute: None,
            speech: 0,
        };
        if endpoint.is_dialer() {
            let unix_ms = self.unix_ms().unwrap_or(0);
            self.remembered.note(peer, peers::without_peer(address.clone()), unix_ms);
        } else if let Some(ip) = ip_of(&address) {
            self.on_reached_from(ip);
        }
        if let Some(former) = self.peers.connected(&peer).map(|it| it.address.clone()) {
            self.on_replaced(peer, &former, &address, now);
        }
        let first = self.peers.on_connected(peer, connected);
        if self.bootstrap.on_connected(peer, connection) {
            let by = FoundBy::Bootstrap;
            self.peers.note(peer, peers::without_peer(address.clone()), by, now);
            if first {
                let (peer, address) = (Some(peer.to_base58()), Some(address.to_string()));
                self.emit(Event::Discovered { peer, address, by });
            }
            self.look_at_bootstrap(now);
        }
        let found = self.how_found(&peer, is_asked, endpoint.is_dialer());
        if let Some(connected) = self.peers.connected_mut(&peer).filter(|_| first || is_asked) {
            connected.found = found;
        }
        if !first {
            self.on_moved(peer, now);
        }
        if first {
            self.emit(Event::Connected { peer: peer.to_base58(), address: address.to_string() });
            self.greet(peer, endpoint.is_dialer(), now);
        }
        self.let_go();
        self.update_stage();
    }

    /// Somebody dialled us from another network: others can, too, so we serve the DHT.
    fn on_reached_from(&mut self, ip: IpAddr) {
        let dht = &mut self.swarm.behaviour_mut().dht;
        if dht.mode() == kad::Mode::Server || ip.is_loopback() {
            return;
        }
        let here = interfaces::list().unwrap_or_default();
        if !here.is_empty() && !here.iter().any(|interface| same_network(interface, ip)) {
            log::info!("reached from {ip}: serving the DHT from now on");
            dht.set_mode(Some(kad::Mode::Server));
        }
    }

    fn on_disconnected(&mut self, peer: PeerId, now: Instant) {
        let was_in_room = self.peers.connected(&peer).is_some_and(|c| !c.rooms.is_empty());
        self.peers.on_disconnected(&peer, was_in_room, self.peers.connected_count() <= self.low(), now);
        self.bootstrap.on_disconnected(&peer, now);
        if self.dht_servers.remove(&peer) && self.dht_servers.is_empty() {
            self.rendezvous.on_table_empty();
        }
        if was_in_room && self.wants_peers() {
            self.rendezvous.hurry(now);
        }
        self.on_gone(&peer);
        self.emit(Event::Disconnected { peer: peer.to_base58() });
        if was_in_room {
            self.holdback.on_lost(peer);
        }
        self.tell_unsent(&peer, now);
        self.update_stage();
    }

    fn on_dial_failed(&mut self, connection: ConnectionId, peer: Option<PeerId>, error: &DialError, now: Instant) {
        let reason = sentence(error);
        self.bootstrap.on_dial_failed(connection, &reason, now);
        self.look_at_bootstrap(now);
        self.on_asked_failed(connection, peer, &reason);
        self.look_at_dial(peer, error, now);
        let Some(peer) = self.dials.remove(&connection).or(peer) else { return };
        log::debug!("dialling {peer}: {reason}");
        if let DialError::WrongPeerId { obtained, address } = error {
            log::info!("{address} is {obtained} now, not {peer}");
        }
        if self.peers.connected(&peer).is_none() {
            self.remembered.miss(&peer);
        }
        self.peers.on_dial_failed(&peer, now);
    }

    pub(super) fn low(&self) -> usize {
        usize::from(self.board.limits.peers_low)
    }

    fn high(&self) -> usize {
        usize::from(self.board.limits.peers_high)
    }

    /// Whether a room of ours has fewer peers than the low mark.
    pub(super) fn wants_peers(&self) -> bool {
        self.rooms.iter().any(|room| self.peers.in_room(room.as_str()) < self.low())
    }

    /// Closes connections above the high mark.
    fn let_go(&mut self) {
        if self.peers.connected_count() <= self.high() {
            return;
        }
        for peer in self.peers.surplus(self.high(), &self.keep()) {
            self.count("peers let go");
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    /// Does what is due now: dials, look-ups, housekeeping.
    pub(super) fn do_due(&mut self, now: Instant) {
        for (at, address, peer) in self.bootstrap.due(now) {
            let options = match peer {
                Some(peer) if self.swarm.is_connected(&peer) => {
                    let connection = self.peers.connected(&peer).map(|c| c.connection);
                    if let Some(connection) = connection {
                        self.bootstrap.on_connected(peer, connection);
                    }
                    continue;
                }
                Some(peer) => {
                    let condition = PeerCondition::DisconnectedAndNotDialing;
                    DialOpts::peer_id(peer).condition(condition).addresses(vec![address]).build()
                }
                None => DialOpts::unknown_peer_id().address(address).build(),
            };
            let connection = options.connection_id();
            self.bootstrap.on_dialling(at, connection);
            if let Err(error) = self.swarm.dial(options) {
                self.bootstrap.on_refused(at, &sentence(&error), now);
                self.look_at_bootstrap(now);
            }
        }
        let room_for = self.high().saturating_sub(self.peers.connected_count() + self.dials.len());
        let room_for = room_for.min(usize::from(self.board.limits.connections_pending_max));
        for (peer, addresses) in self.peers.due(now, room_for) {
            self.dial_peer(peer, addresses, PeerCondition::DisconnectedAndNotDialing, now);
        }
        for (peer, addresses) in self.peers.due_suspects(now) {
            self.dial_peer(peer, addresses, PeerCondition::Always, now);
        }
        for peer in self.peers.due_mute(now) {
            match self.swarm.behaviour().gossip.voice(&peer, now) {
                Voice::InUse => self.peers.on_spoke(&peer),
                Voice::Elsewhere => {}
                Voice::None => {
                    if let Some(addresses) = self.peers.on_mute(&peer) {
                        self.count("connections made anew: the peer said nothing");
                        self.dial_peer(peer, addresses, PeerCondition::Always, now);
                    }
                }
            }
        }
        for due in self.rendezvous.due(now, self.wants_peers()) {
            let (Due::Provide(namespace) | Due::Find(namespace)) = &due;
            let Some(key) = self.rendezvous.key_of(namespace) else { continue };
            let dht = &mut self.swarm.behaviour_mut().dht;
            match due {
                Due::Provide(namespace) => {
                    if let Err(error) = dht.start_providing(key) {
                        log::warn!("announcing {namespace} in the DHT: {error}");
                    }
                }
                Due::Find(_) => {
                    dht.get_providers(key);
                }
            }
        }
        self.give_up_waiting(now);
        self.tell_news(now);
        self.do_outbox(now);
        let held = self.holdback.due(now);
        held.into_iter().for_each(|event| self.emit(event));
        self.answer_slow_dials(now);
        self.watch(now);
        if self.housekeeping <= now {
            self.housekeeping = now + Duration::from_secs(HOUSEKEEPING_S);
            self.let_go();
            self.outbox.trim(now);
            self.save(false);
            self.watch_slowly(now);
        }
    }

    fn dial_peer(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, condition: PeerCondition, now: Instant) {
        let options = DialOpts::peer_id(peer).condition(condition).addresses(addresses);
        let options = if self.peers.is_lost(&peer, now) {
            // Only where it was, and from a fresh port: it dials us as often, and when both leave from the ports they listen
            // on, the two dials become one connection that takes seconds to come about, or never does.
            options.allocate_new_port().build()
        } else {
            options.extend_addresses_through_behaviour().build()
        };
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(connection, peer);
            }
            Err(DialError::DialPeerConditionFalse(_)) => self.peers.on_dial_failed(&peer, now),
            Err(error) => {
                log::debug!("dialling {peer}: {}", sentence(&error));
                self.peers.on_dial_failed(&peer, now);
            }
        }
    }

    /// When [`Node::do_due`] has something to do next.
    pub(super) fn next_due(&self) -> Instant {
        let room = self.high() > self.peers.connected_count() + self.dials.len();
        let dials = self
            .peers
            .next_due()
            .filter(|_| room || self.peers.all_connected().any(|(_, c)| c.suspect.is_some() || c.mute.is_some()));
        let told = [self.watch_due(), self.asked_dials.next_due()].into_iter().flatten().min();
        let (greetings, disk) = (self.greetings.next_due(), self.reserve.next_due());
        let (waiting, held) = (self.outbox_due(), self.holdback.next_due());
        let all = [dials, self.bootstrap.next_due(), self.rendezvous.next_due(), waiting, held, told, greetings, disk];
        all.into_iter().flatten().fold(self.housekeeping, Instant::min)
    }
}
