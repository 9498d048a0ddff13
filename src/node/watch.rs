//! Watching: signs that something is wrong are gathered here and become troubles.

use super::{
    bootstrap::UNREACHABLE_FAILURES_MIN,
    event::FoundBy,
    lonely::Looked,
    peers::{ip_of, is_loopback, without_peer},
    refusals::{self, Change},
    state::Node,
    troubles::Code,
    words,
};
use crate::{
    net::{
        holder::{Of, holders},
        interfaces::{self, INTERFACES_MAX},
        mdns,
    },
    wire::{frame::Frame, room::RoomName},
};
use libp2p::{Multiaddr, PeerId, TransportError, multiaddr::Protocol, swarm::DialError};
use std::{
    io,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Milliseconds after which a peer whose key is not known here is taken to have left. It may try for as long as it lives.
pub const KEY_QUIET_MS: u64 = 600_000;

fn place_of(address: &Multiaddr) -> Option<(IpAddr, u16)> {
    let port = address.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    Some((ip_of(address)?, port?))
}

/// Whether an address is of a network that is not everybody's.
fn is_near(address: &Multiaddr) -> bool {
    match ip_of(address) {
        Some(IpAddr::V4(ip)) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        Some(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
        None => false,
    }
}

impl Node {
    /// When there is something to be watched at a certain time.
    pub(super) fn watch_due(&self) -> Option<Instant> {
        [self.lonely.next_due(), self.twin.next_due()].into_iter().flatten().min()
    }

    /// Looks at what can be seen at any time.
    pub(super) fn watch(&mut self, now: Instant) {
        self.look_at_disk(now);
        if self.lonely.due(now) {
            let sentence = self.looked(now).sentence();
            self.trouble(Code::NobodyFound, "", &sentence, now);
        }
        if let Some(address) = self.twin.due(now) {
            self.on_twin(&format!("at {address}"), now);
        }
    }

    /// A message came that is signed by us: from an earlier run, or of another program with our identity.
    pub(super) fn on_own_heard(&mut self, room: &RoomName, data: &[u8]) {
        self.count("gossip: messages signed by us");
        let stamp = Frame::decode(data).ok().map(|frame| frame.stamp);
        if !room.is_others() && stamp.is_some_and(|stamp| self.twin.is_foreign(stamp)) {
            self.on_twin("where its lines come from", Instant::now());
        }
    }

    /// Looks at what is looked at now and then.
    pub(super) fn watch_slowly(&mut self, now: Instant) {
        if self.lonely.is_told() {
            let sentence = self.looked(now).sentence();
            self.trouble(Code::NobodyFound, "", &sentence, now);
        }
        if self.twin.take_over(now) {
            self.trouble_over(Code::IdentityTwice, "", now);
        }
        for peer in self.changes.take_settled(now) {
            self.trouble_over(Code::PeerTwice, &peer.to_base58(), now);
        }
        self.look_at_addresses(now);
        self.look_at_limits(now);
        let quiet = Duration::from_millis(KEY_QUIET_MS);
        let gone: Vec<String> = self
            .unknown_keys
            .extract_if(.., |(_, at)| now.saturating_duration_since(*at) >= quiet)
            .map(|(it, _)| it)
            .collect();
        gone.iter().for_each(|subject| self.trouble_over(Code::KeyUnsupported, subject, now));
    }

    /// There are so many neighbours now.
    pub(super) fn on_neighbours(&mut self, count: usize, now: Instant) {
        if !self.is_bootstrap && self.lonely.on_neighbours(count, now) {
            self.trouble_over(Code::NobodyFound, "", now);
        }
    }

    fn looked(&self, now: Instant) -> Looked {
        let mdns = self.swarm.behaviour().mdns.as_ref();
        let counters = mdns.map(|mdns| mdns.counters()).unwrap_or_default();
        Looked {
            seconds: self.lonely.seconds(now),
            has_network: self.listening.iter().any(|address| !is_loopback(address))
                || interfaces::list().is_ok_and(|all| all.iter().any(|it| !it.ip.is_loopback())),
            interfaces: mdns
                .map(|mdns| mdns.interfaces().into_iter().filter(|(_, open)| *open > 0).map(|(it, _)| it).collect()),
            sent: counters.packets_sent,
            heard: counters.packets_of_others,
            bootstrap: self.bootstrap.peers_given(),
            known: self.peers.unreached(),
        }
    }

    /// A dial failed: whether it reached ourselves, or a key that is not known.
    pub(super) fn look_at_dial(&mut self, peer: Option<PeerId>, error: &DialError, now: Instant) {
        let local = *self.swarm.local_peer_id();
        match error {
            DialError::LocalPeerId { address } => self.twin.on_dialled_self(address.clone(), now),
            DialError::WrongPeerId { obtained, address } if *obtained == local => {
                self.twin.on_dialled_self(address.clone(), now);
            }
            DialError::Transport(failures) => {
                let reasons = failures.iter().filter_map(|(address, error)| match error {
                    TransportError::Other(error) => Some((address.clone(), words::root(error))),
                    TransportError::MultiaddrNotSupported(_) => None,
                });
                let reasons: Vec<_> = reasons.collect();
                for (address, reason) in reasons {
                    if self.on_unknown_key(&address, &reason, true, now) {
                        peer.iter().for_each(|peer| self.peers.on_stranger(peer));
                    }
                }
            }
            _ => {}
        }
    }

    /// Another program runs under this peer's identity.
    pub(super) fn on_twin(&mut self, place: &str, now: Instant) {
        self.twin.on_sign(now);
        let sentence = format!(
            "another program runs under this peer's identity, {place}: a copied card or directory? Both are deaf to each \
             other and take each other's connections. On one of the two end the peer, remove identity.key from its \
             directory and start it again: it makes itself another identity"
        );
        self.trouble(Code::IdentityTwice, "", &sentence, now);
    }

    /// A connection of a peer took the place of another one.
    pub(super) fn on_replaced(&mut self, peer: PeerId, from: &Multiaddr, to: &Multiaddr, now: Instant) {
        let (Some(from), Some(to)) = (place_of(from), place_of(to)) else { return };
        let named = |(ip, port)| if from.0 == to.0 { format!("{ip} port {port}") } else { format!("{ip}") };
        if let Some([one, other]) = self.changes.on_replaced(peer, from, to, now) {
            let sentence = format!(
                "{peer} runs twice, at {} and at {}: a copied card or directory? Who meets both hears only one at a time. \
                 On one of the two identity.key must go",
                named(one),
                named(other)
            );
            self.trouble(Code::PeerTwice, &peer.to_base58(), &sentence, now);
        }
    }

    /// A dial failed, or a connection that came in. Told where it is one that somebody here waits for.
    pub(super) fn on_unknown_key(&mut self, address: &Multiaddr, reason: &str, is_wanted: bool, now: Instant) -> bool {
        let Some(kind) = words::kind_of_key(reason).filter(|_| is_wanted || is_near(address)) else { return false };
        let subject = ip_of(address).map_or_else(|| address.to_string(), |ip| ip.to_string());
        let sentence = format!(
            "the peer at {} cannot be talked with: its identity is a key of the kind {kind}, and only Ed25519 and RSA are \
             known here; give it a key of another kind",
            without_peer(address.clone())
        );
        self.trouble(Code::KeyUnsupported, &subject, &sentence, now);
        if self.troubles.list().iter().any(|it| it.code == Code::KeyUnsupported && it.subject == subject) {
            self.unknown_keys.retain(|(known, _)| *known != subject);
            self.unknown_keys.push((subject, now));
        }
        true
    }

    /// Whether each bootstrap node can be reached.
    pub(super) fn look_at_bootstrap(&mut self, now: Instant) {
        for (address, failures, reason) in self.bootstrap.reached() {
            match failures {
                0 => self.trouble_over(Code::BootstrapUnreachable, &address, now),
                UNREACHABLE_FAILURES_MIN.. => {
                    let helps = words::helps(&reason);
                    let sentence = format!(
                        "the bootstrap node {address} cannot be reached ({reason}): {helps}; it is tried again twice a minute"
                    );
                    self.trouble(Code::BootstrapUnreachable, &address, &sentence, now);
                }
                _ => {}
            }
        }
    }

    /// How multicast DNS stands has changed.
    pub(super) fn on_mdns_state(&mut self, now: Instant) {
        let Some(state) = self.swarm.behaviour().mdns.as_ref().map(mdns::Behaviour::state) else { return };
        let is_held = |it: &&mdns::Failing| it.kind == io::ErrorKind::AddrInUse;
        if state.failing.iter().any(|it| is_held(&it)) {
            let holders = holders(Of::Udp, mdns::PORT);
            let who = if holders.is_empty() { "another program".into() } else { holders.join(", ") };
            let sentence = format!(
                "{who} keeps UDP port {} for itself, so that nobody is found by multicast DNS, nor finds this peer: end it, \
                 or have it share the port (SO_REUSEADDR); it is tried again every few seconds",
                mdns::PORT
            );
            self.trouble(Code::MdnsPortHeld, "", &sentence, now);
        } else {
            self.trouble_over(Code::MdnsPortHeld, "", now);
        }
        let others: Vec<_> = state.failing.iter().filter(|it| !is_held(it)).collect();
        for it in &others {
            let sentence = format!(
                "multicast DNS cannot be spoken on {} ({}): see whether a firewall or a sandbox forbids it; it is tried again",
                it.interface, it.error
            );
            self.trouble(Code::MdnsFails, &it.interface, &sentence, now);
        }
        let told: Vec<String> = self.troubles.subjects(Code::MdnsFails);
        for interface in told.iter().filter(|told| !others.iter().any(|it| it.interface == **told)) {
            self.trouble_over(Code::MdnsFails, interface, now);
        }
        self.look_at_addresses(now);
    }

    /// Whether all addresses and interfaces of this host are looked at.
    fn look_at_addresses(&mut self, now: Instant) {
        let state = self.swarm.behaviour().mdns.as_ref().map(mdns::Behaviour::state).unwrap_or_default();
        let left_out = state.addresses_left_out.max(self.tcp.counts().addresses_left_out);
        let mut sentences = Vec::new();
        if left_out > 0 {
            sentences.push(format!(
                "this host has {} addresses, and the {INTERFACES_MAX} best are looked at",
                INTERFACES_MAX + left_out
            ));
        }
        // Bridges of containers, which come last, are no loss.
        let missed = state.interfaces_left_out.iter().filter(|name| interfaces::leads_out(name));
        let missed: Vec<&str> = missed.map(String::as_str).collect();
        if !missed.is_empty() {
            sentences.push(format!("multicast DNS is not spoken on {}, for there are too many", missed.join(", ")));
        }
        if sentences.is_empty() {
            return self.trouble_over(Code::AddressesCut, "", now);
        }
        let sentence = format!(
            "{}; those with a default route come first, then hardware, then bridges and tunnels: take away what is not \
             needed, if a network is missing in `stonechat status`",
            sentences.join("; ")
        );
        self.trouble(Code::AddressesCut, "", &sentence, now);
    }

    /// How often each limit that is watched has refused something.
    pub(super) fn refused_counts(&self) -> [(refusals::Limit, u64); 11] {
        let (crowd, tcp) = (&self.swarm.behaviour().limits, self.tcp.counts());
        let counted = |name: &str| self.counts.get(name).copied().unwrap_or(0);
        let inbound = counted("peers let go: every place for those who come is taken");
        // A bootstrap node keeps no more than its mark.
        let full = counted("peers let go: every place is taken");
        let (all, above_mark) = if self.is_bootstrap { (0, full) } else { (full, 0) };
        let mdns = self.swarm.behaviour().mdns.as_ref().map(|mdns| mdns.counters()).unwrap_or_default();
        [
            (refusals::PENDING, crowd.refused(refusals::PENDING.name)),
            (refusals::INBOUND, crowd.refused(refusals::INBOUND.name) + inbound),
            (refusals::CONNECTIONS, crowd.refused(refusals::CONNECTIONS.name) + all),
            (refusals::PEERS, counted("peers let go: no room in common") + above_mark),
            (refusals::ACCEPTS, tcp.refused_total as u64),
            (refusals::ACCEPTS_OF_ADDRESS, tcp.refused_address as u64),
            (refusals::OUTBOX_LINES, counted("outbox full: lines")),
            (refusals::OUTBOX_SIZE, counted("outbox full: bytes")),
            (refusals::CONTROL, self.hub.turned_away()),
            (refusals::RECORDS, counted("provider records refused: the store is full")),
            (refusals::FOUND, mdns.peers_refused),
        ]
    }

    /// Whether a limit keeps refusing.
    fn look_at_limits(&mut self, now: Instant) {
        for (limit, count) in self.refused_counts() {
            match self.refusals.look(&limit, count) {
                Change::Refuses(times) => {
                    let mut all = self.board.limits_list();
                    let value = all.find(|(name, ..)| *name == limit.name).map_or(0, |(_, value, _)| value);
                    let is_place = [refusals::INBOUND, refusals::CONNECTIONS, refusals::PEERS].contains(&limit);
                    let who = if is_place { self.crowding() } else { String::new() };
                    let (name, helps) = (limit.name, limit.helps);
                    let sentence = format!("{name} ({value}) refused {times} times in half a minute: {helps}{who}");
                    self.trouble(Code::LimitRefuses, limit.name, &sentence, now);
                }
                Change::Over => self.trouble_over(Code::LimitRefuses, limit.name, now),
                Change::None => {}
            }
        }
    }

    /// How a peer that is connected now was found.
    pub(super) fn how_found(&self, peer: &PeerId, is_asked: bool, is_outbound: bool) -> FoundBy {
        match self.peers.found_by(peer) {
            _ if is_asked => FoundBy::Dialled,
            _ if self.bootstrap.contains(peer) => FoundBy::Bootstrap,
            Some(by) => by,
            None if is_outbound => FoundBy::Dialled,
            None => FoundBy::Inbound,
        }
    }
}
