//! Dialling the peers that are known, and what comes of it.

use super::{
    event::FoundBy,
    peers::backoff_local,
    state::Node,
    strangers::{NamedBy, host_of, is_ours},
    words::sentence,
};
use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use std::time::Instant;

impl Node {
    /// How many dials may begin now: until there are as many peers as are looked for, and as far as there are places for
    /// handshakes.
    pub(super) fn room_for_dials(&self) -> usize {
        let wanted = self.admission.goal().saturating_sub(self.peers.connected_count() + self.dials.len());
        wanted.min(self.swarm.behaviour().limits.room_for_dials())
    }

    /// Dials those who are due, as long as there is room. Who has to wait does not take it from others.
    pub(super) fn dial_due(&mut self, now: Instant) {
        loop {
            let due = self.peers.due(now, self.room_for_dials());
            if due.is_empty() {
                return;
            }
            for (peer, addresses) in due {
                let may_dial = match self.named_by(&peer, &addresses, now) {
                    Some(named_by) => self.strangers.may_dial(peer, addresses, named_by, now),
                    None => Ok(addresses),
                };
                match may_dial {
                    Ok(addresses) => self.dial_peer(peer, addresses, PeerCondition::DisconnectedAndNotDialing, now),
                    Err(until) => self.peers.on_dial_put_off(&peer, until),
                }
            }
        }
    }

    /// On whose account a peer is dialled; none for those whom the user named, whom we remember, or whom we lost a moment
    /// ago.
    fn named_by(&self, peer: &PeerId, addresses: &[Multiaddr], now: Instant) -> Option<NamedBy> {
        if self.peers.is_lost(peer, now) || self.bootstrap.contains(peer) {
            return None;
        }
        match self.peers.found_by(peer)? {
            FoundBy::Bootstrap | FoundBy::Remembered | FoundBy::Dialled => None,
            FoundBy::Dht => Some(NamedBy::LookUp),
            FoundBy::Inbound => Some(NamedBy::Itself),
            FoundBy::Mdns => {
                let mdns = self.swarm.behaviour().mdns.as_ref();
                let sender = mdns.and_then(|mdns| mdns.sender_of(peer)).or_else(|| host_of(addresses));
                // Whoever runs programs on this host need not have us dial for them.
                sender.filter(|ip| !ip.is_loopback()).map(NamedBy::Host)
            }
        }
    }

    pub(super) fn dial_peer(
        &mut self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        condition: PeerCondition,
        now: Instant,
    ) {
        // What mDNS brought is dialled where it may be now; of others the DHT may know more.
        let is_complete = self.peers.found_by(&peer) == Some(FoundBy::Mdns) && !addresses.is_empty();
        let options = DialOpts::peer_id(peer).condition(condition).addresses(addresses);
        let options = if self.peers.is_lost(&peer, now) {
            // Only where it was, and from a fresh port: it dials us as often, and when both leave from the ports they listen
            // on, the two dials become one connection that takes seconds to come about, or never does.
            options.allocate_new_port().build()
        } else if is_complete {
            options.build()
        } else {
            options.extend_addresses_through_behaviour().build()
        };
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(connection, peer);
            }
            Err(error) => {
                log::debug!("dialling {peer}: {}", sentence(&error));
                self.on_peer_not_reached(peer, &error, now);
            }
        }
    }

    /// A dial failed that had begun.
    pub(super) fn on_dial_failed(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        error: &DialError,
        now: Instant,
    ) {
        let reason = sentence(error);
        if is_ours(error) {
            self.bootstrap.put_off(connection, now);
        } else {
            self.bootstrap.on_dial_failed(connection, &reason, now);
        }
        self.look_at_bootstrap(now);
        self.on_asked_failed(connection, peer, &reason);
        self.look_at_dial(peer, error, now);
        let Some(peer) = self.dials.remove(&connection).or(peer) else { return };
        log::debug!("dialling {peer}: {reason}");
        if let DialError::WrongPeerId { obtained, address } = error {
            log::info!("{address} is {obtained} now, not {peer}");
        }
        self.on_peer_not_reached(peer, error, now);
    }

    /// What is booked of a dial that made no connection: nothing, if a limit of our own is to blame.
    fn on_peer_not_reached(&mut self, peer: PeerId, error: &DialError, now: Instant) {
        self.strangers.on_failed(Some(&peer), error, now);
        if is_ours(error) {
            self.count("dials put off: no place of our own");
            return self.peers.on_dial_put_off(&peer, now + backoff_local());
        }
        if self.peers.connected(&peer).is_none() {
            self.remembered.miss(&peer);
        }
        self.peers.on_dial_failed(&peer, now);
    }
}
