//! Meeting: connections made, replaced and lost; whom to dial and whom to let go.

use super::{
    event::{Event, FoundBy},
    peers::{self, Connected, ip_of},
    rendezvous::Due,
    state::Node,
    strangers::is_ours,
    words::{root, sentence},
};
use crate::{net::interfaces, swarm::gossip::Voice};
use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    kad,
    swarm::{
        ConnectionId, ListenError, SwarmEvent,
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
                self.on_unheard(&address, now);
            }
            SwarmEvent::ListenerError { error, .. } => {
                self.count("listener errors");
                log::warn!("a listener had an error: {error}");
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                log::warn!("a listener closed ({reason:?}): {addresses:?}");
                addresses.iter().for_each(|address| self.on_unheard(address, now));
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
                if let Some((connection, endpoint)) = gossip.in_use(&peer_id) {
                    self.admission.on_in_use(&peer_id, connection, endpoint);
                    if self.peers.on_another_in_use(&peer_id, connection, endpoint) {
                        self.on_moved(peer_id, now);
                    }
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
        self.here = None;
        if !peers::is_loopback(&address) {
            self.strangers.forgive_all();
            self.peers.on_address_gained(now);
            self.bootstrap.retry_all(now);
        }
        self.listening.push(address);
        self.tell_addresses();
    }

    /// We no longer listen at an address.
    fn on_unheard(&mut self, address: &Multiaddr, now: Instant) {
        self.here = None;
        self.listening.retain(|other| other != address);
        self.tell_addresses();
        // With no address left a dial would only hold a place until the next one comes.
        let is_left = self.listening.iter().any(|a| !peers::is_loopback(a));
        let at = is_left.then(|| now + Duration::from_millis(ADRIFT_WAIT_MS));
        self.peers.on_address_lost(address, at);
    }

    fn on_connected(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint, now: Instant) {
        self.dials.remove(&connection);
        self.strangers.on_connected(&peer, endpoint.get_remote_address());
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
        let is_given = self.bootstrap.on_connected(peer, connection);
        self.admission.on_connected(peer, connection, endpoint, is_given || is_asked, now);
        if is_given {
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
            self.confirm_later(peer, now);
            self.on_moved(peer, now);
        }
        if first {
            self.emit(Event::Connected { peer: peer.to_base58(), address: address.to_string() });
            self.greet(peer, endpoint.is_dialer(), now);
        }
        self.update_stage();
    }

    /// Somebody dialled us from another network: others can, too, so we serve the DHT.
    fn on_reached_from(&mut self, ip: IpAddr) {
        let dht = &mut self.swarm.behaviour_mut().dht;
        if dht.mode() == kad::Mode::Server || ip.is_loopback() {
            return;
        }
        // Listed once for each change of our addresses: that reads a dozen files.
        let here = self.here.get_or_insert_with(|| interfaces::list().unwrap_or_default());
        if !here.is_empty() && !here.iter().any(|interface| same_network(interface, ip)) {
            log::info!("reached from {ip}: serving the DHT from now on");
            dht.set_mode(Some(kad::Mode::Server));
        }
    }

    fn on_disconnected(&mut self, peer: PeerId, now: Instant) {
        let was_in_room = self.peers.connected(&peer).is_some_and(|c| !c.rooms.is_empty());
        let lived = self.peers.connected(&peer).map(|c| now.saturating_duration_since(c.since)).unwrap_or_default();
        let is_let_go = self.admission.on_gone(&peer);
        self.unconfirmed.remove(&peer);
        let rest = self.peers.on_ended(&peer, lived, is_let_go);
        // A bootstrap node is dialled by its own schedule.
        let again = was_in_room || (self.peers.connected_count() <= self.low() && !self.bootstrap.contains(&peer));
        self.peers.on_disconnected(&peer, was_in_room && rest.is_none(), again, now);
        rest.into_iter().for_each(|rest| self.peers.put_off(&peer, now + rest));
        self.bootstrap.on_disconnected(&peer, lived, self.peers.neighbours() > 0, now);
        if self.peers.neighbours() == 0 {
            self.bootstrap.hurry(&peer, now);
        }
        if self.dht_servers.remove(&peer) {
            self.tell_addresses();
            if self.dht_servers.is_empty() {
                self.rendezvous.on_table_empty();
            }
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

    pub(super) fn low(&self) -> usize {
        usize::from(self.board.limits.peers_low)
    }

    /// Whether a room of ours has fewer peers than the low mark.
    pub(super) fn wants_peers(&self) -> bool {
        self.rooms.iter().any(|room| self.peers.in_room(room.as_str()) < self.low())
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
            match self.swarm.dial(options) {
                Err(error) if is_ours(&error) => self.bootstrap.put_off(connection, now),
                Err(error) => {
                    self.bootstrap.on_refused(at, &sentence(&error), now);
                    self.look_at_bootstrap(now);
                }
                Ok(()) => {}
            }
        }
        self.dial_due(now);
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
        self.confirm_rooms(now);
        self.judge(now);
        self.watch(now);
        if self.housekeeping <= now {
            self.housekeeping = now + Duration::from_secs(HOUSEKEEPING_S);
            self.outbox.trim(now);
            self.save(false);
            self.watch_slowly(now);
        }
    }

    /// When [`Node::do_due`] has something to do next.
    pub(super) fn next_due(&self) -> Instant {
        // Without room for dials nothing is due that needs one.
        let dials = self.peers.next_due(self.room_for_dials() > 0);
        let told = [
            self.watch_due(),
            self.admission.next_due(),
            self.unconfirmed.values().min().copied(),
            self.asked_dials.next_due(),
        ]
        .into_iter()
        .flatten()
        .min();
        let (greetings, disk) = (self.greetings.next_due(), self.reserve.next_due());
        let (waiting, held) = (self.outbox_due(), self.holdback.next_due());
        let all = [dials, self.bootstrap.next_due(), self.rendezvous.next_due(), waiting, held, told, greetings, disk];
        all.into_iter().flatten().fold(self.housekeeping, Instant::min)
    }
}
