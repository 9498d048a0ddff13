//! Hearing: what each protocol reports.

use super::{
    behaviour::BehaviourEvent,
    event::{Event, FoundBy},
    hello,
    limits::PROTOCOL_VERSION,
    meet::PING_FAILURES_MAX,
    peers::{
        address::{Scope, ip_of},
        without_peer,
    },
    state::Node,
};
use crate::{
    net::{mdns, ping},
    swarm::gossip,
};
use libp2p::{
    Multiaddr, PeerId, identify,
    kad::{self, GetProvidersOk, InboundRequest, QueryResult, store::RecordStore},
    multiaddr::Protocol,
};
use std::time::Instant;

/// Characters of an agent's name kept. Guess: the longest in use has 60.
const AGENT_CHARS_MAX: usize = 64;

/// Whether a stranger's address is one to dial: IP and TCP. Names are resolved only for addresses the user gave, for
/// each costs look-ups and may lead anywhere.
fn is_tcp(address: &Multiaddr) -> bool {
    let mut parts = address.iter().skip_while(|part| matches!(part, Protocol::Ip6zone(_)));
    matches!(parts.next(), Some(Protocol::Ip4(_) | Protocol::Ip6(_)))
        && matches!(parts.next(), Some(Protocol::Tcp(_)))
        && matches!(parts.next(), None | Some(Protocol::P2p(_)))
}

/// Whether an address that a peer claims can mean anything where the peer is: its own LAN is not ours, nor its host.
fn is_in_scope(address: &Multiaddr, remote: &Multiaddr) -> bool {
    let scope = |address| ip_of(address).map_or(Scope::World, Scope::of);
    scope(address) >= scope(remote)
}

/// Whether a protocol makes its speaker a neighbour: gossip, whatever its version, and what is our own. Who offers
/// floodsub alone is none until it names a room of ours.
fn is_shared(protocol: &str) -> bool {
    protocol.starts_with("/meshsub/") || protocol.starts_with("/stonechat/")
}

impl Node {
    /// Something one protocol reports.
    pub(super) fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        let now = Instant::now();
        match event {
            BehaviourEvent::Mdns(event) => self.on_mdns(event, now),
            BehaviourEvent::Identify(event) => self.on_identify(event, now),
            BehaviourEvent::Ping(event) => self.on_ping(event, now),
            BehaviourEvent::Dht(event) => self.on_dht(event, now),
            BehaviourEvent::Direct(event) => self.on_direct(event),
            BehaviourEvent::Hello(event) => self.on_hello_event(event),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Limits(never) => match never {},
        }
    }

    fn on_mdns(&mut self, event: mdns::Event, now: Instant) {
        match event {
            mdns::Event::Discovered(found) => {
                for (peer, address) in found {
                    if !self.on_found(peer, address, FoundBy::Mdns, now) && self.peers.on_afresh(&peer, now) {
                        self.strangers.forgive(self.peers.addresses(&peer));
                    }
                }
            }
            mdns::Event::Twin(address) => self.on_twin(&format!("at {address}"), now),
            mdns::Event::State => self.on_mdns_state(now),
            mdns::Event::Expired(gone) => {
                // A peer that moved expires at its former address only.
                let mdns = self.swarm.behaviour().mdns.as_ref();
                let is_gone = |peer: &PeerId| mdns.is_none_or(|it| it.addresses_of(peer).is_empty());
                let gone: Vec<PeerId> = gone.into_iter().map(|(peer, _)| peer).filter(is_gone).collect();
                gone.iter().for_each(|peer| self.peers.on_expired(peer));
            }
        }
    }

    /// A peer was found at an address. Whether that is new.
    pub(super) fn on_found(&mut self, peer: PeerId, address: Multiaddr, by: FoundBy, now: Instant) -> bool {
        let is_new = self.peers.note(peer, address.clone(), by, now);
        if is_new {
            let (peer, address) = (Some(peer.to_base58()), Some(without_peer(address).to_string()));
            self.emit(Event::Discovered { peer, address, by });
        }
        is_new
    }

    fn on_identify(&mut self, event: identify::Event, now: Instant) {
        let identify::Event::Received { peer_id, info, .. } = event else { return };
        if !info.protocols.contains(&hello::PROTOCOL) {
            self.on_stranger(peer_id);
        }
        let is_ours = info.protocol_version == PROTOCOL_VERSION;
        if !is_ours && info.protocols.iter().any(|protocol| gossip::is_gossip(protocol.as_ref())) {
            self.peers.note_speaker(&peer_id, now);
        }
        self.admission.on_identified(&peer_id, now);
        let Some(connected) = self.peers.connected_mut(&peer_id) else { return };
        connected.agent =
            crate::chat::sanitize::text(&info.agent_version).to_string().chars().take(AGENT_CHARS_MAX).collect();
        let (remote, found) = (connected.address.clone(), connected.found);
        let mut addresses: Vec<Multiaddr> = Vec::new();
        if connected.outbound {
            addresses.push(without_peer(connected.address.clone()));
        }
        let told = info.listen_addrs.into_iter().filter(is_tcp).map(without_peer);
        addresses.extend(told.filter(|address| is_in_scope(address, &remote)));
        addresses.truncate(usize::from(self.board.limits.addresses_per_peer_max));
        for address in addresses.iter().rev() {
            self.peers.note(peer_id, address.clone(), found, now);
        }
        let dht_protocols = self.swarm.behaviour().dht.protocol_names();
        let has_dht = info.protocols.iter().any(|p| dht_protocols.contains(p));
        let shares = has_dht || info.protocols.iter().any(|protocol| is_shared(protocol.as_ref()));
        self.on_protocols(&peer_id, shares);
        if !has_dht {
            return;
        }
        // What the peer claims, as far as it can mean anything where it is: bounded, and never by the DHT itself.
        let dht = &mut self.swarm.behaviour_mut().dht;
        dht.remove_peer(&peer_id);
        for address in addresses {
            dht.add_address(&peer_id, address);
        }
        self.admission.on_table(&peer_id);
        if self.dht_servers.insert(peer_id) {
            self.tell_addresses();
            let dht = &mut self.swarm.behaviour_mut().dht;
            if let Err(error) = dht.bootstrap() {
                log::debug!("joining the DHT: {error}");
            }
            self.rendezvous.on_server(now);
        }
    }

    /// A peer named its protocols. One that shares none was looked at once, and is not kept in mind.
    fn on_protocols(&mut self, peer: &PeerId, shares: bool) {
        if shares {
            self.peers.note_shares(peer, true);
        } else {
            log::info!("{peer} shares no protocol with us: it is left alone until it says something new of itself");
            self.peers.on_stranger(peer);
            self.remembered.forget(peer);
        }
        self.update_stage();
    }

    fn on_ping(&mut self, event: ping::Event, now: Instant) {
        let ping::Event { peer, connection, begun, is_fence, result } = event;
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        match &result {
            Ok(_) if is_fence => gossip.on_ping(connection, begun),
            Ok(_) | Err(ping::Failure::Unsupported) => {}
            Err(error) => {
                gossip.on_ping_failed(connection);
                log::debug!("ping of {peer}: {error}");
            }
        }
        if matches!(result, Err(ping::Failure::Timeout(_))) {
            self.count("connections closed: no answer to pings");
            self.swarm.close_connection(connection);
        }
        let Some(connected) = self.peers.connected_mut(&peer).filter(|c| c.connection == connection) else { return };
        match result {
            Ok(rtt) => {
                connected.rtt = Some(rtt);
                connected.ping_failures = 0;
                connected.adrift = false;
                self.on_alive(peer, begun, is_fence, now);
            }
            Err(ping::Failure::Io(_)) => {
                connected.ping_failures += 1;
                if connected.ping_failures >= PING_FAILURES_MAX {
                    self.count("connections closed: no answer to pings");
                    self.swarm.close_connection(connection);
                }
            }
            Err(ping::Failure::Unsupported) => self.outbox.on_no_ping(&peer, begun, now),
            Err(ping::Failure::Timeout(_)) => {}
        }
    }

    fn on_dht(&mut self, event: kad::Event, now: Instant) {
        match event {
            kad::Event::OutboundQueryProgressed { result: QueryResult::GetProviders(Ok(found)), .. } => {
                let GetProvidersOk::FoundProviders { key, providers } = found else { return };
                // Those that are new to us count: each server names the same ones first.
                let local = *self.swarm.local_peer_id();
                let is_new = |peer: &PeerId| *peer != local && self.peers.found_by(peer).is_none();
                let (new, known): (Vec<_>, Vec<_>) = providers.into_iter().partition(is_new);
                let taken = self.rendezvous.take(&key, new.len());
                for peer in known.into_iter().chain(new.into_iter().take(taken)) {
                    self.on_provider(peer, now);
                }
            }
            kad::Event::InboundRequest { request: InboundRequest::AddProvider { record: Some(mut record) } } => {
                let remote = self.peers.connected(&record.provider).map(|provider| provider.address.clone());
                let is_known = |address: &Multiaddr| remote.as_ref().is_none_or(|remote| is_in_scope(address, remote));
                record.addresses.retain(|address| is_tcp(address) && is_known(address));
                if record.addresses.is_empty() {
                    // rust-libp2p names none before somebody confirmed one. It is connected, and identify named some.
                    record.addresses.extend(self.peers.addresses(&record.provider).iter().rev().cloned());
                }
                record.addresses.truncate(usize::from(self.board.limits.addresses_per_peer_max));
                if self.swarm.behaviour_mut().dht.store_mut().add_provider(record).is_err() {
                    self.count("provider records refused: the store is full");
                }
            }
            _ => {}
        }
    }

    /// Somebody is in a room of ours. The DHT knows its addresses while the query lasts, so it is dialled now.
    fn on_provider(&mut self, peer: PeerId, now: Instant) {
        if peer == *self.swarm.local_peer_id() || self.peers.connected(&peer).is_some() {
            return;
        }
        let new = self.peers.addresses(&peer).is_empty();
        self.peers.note_wanted(peer, now);
        if new {
            self.emit(Event::Discovered { peer: Some(peer.to_base58()), address: None, by: FoundBy::Dht });
        }
    }

    fn on_gossip(&mut self, event: gossip::Event) {
        match event {
            gossip::Event::Message { topic, key, message, from, was_asked } => {
                let verdict = self.on_message(topic, &message, from, was_asked);
                if matches!(verdict, crate::gossip::Verdict::Accept) {
                    self.admission.on_first(&from, Instant::now());
                }
                self.swarm.behaviour_mut().gossip.judge(key, verdict);
            }
            gossip::Event::Repeated { from, stamp } => {
                let shown = self.holdback.on_repeated(&from, stamp, Instant::now());
                shown.into_iter().for_each(|event| self.emit(event));
            }
            gossip::Event::Greeted { peer } => self.admission.on_told(&peer),
            gossip::Event::Subscribed { peer, topic } => {
                if let Some(room) = self.topics.room(topic) {
                    self.admission.on_topic(&peer, room.as_str(), true);
                    self.on_subscribed(peer, &room);
                }
            }
            gossip::Event::Unsubscribed { peer, topic } => {
                if let Some(room) = self.topics.room(topic) {
                    self.admission.on_topic(&peer, room.as_str(), false);
                }
                self.on_member_left(peer, topic);
            }
            gossip::Event::Slow { peer } => {
                self.count("slow peers");
                self.outbox.on_slow(&peer, Instant::now());
                log::debug!("{peer} is too slow: a message for it was dropped");
            }
            gossip::Event::Suggested { peer, .. } => self.on_suggested(peer, Instant::now()),
        }
    }

    /// A peer with no place for us recommends another: if we know where that is, it is dialled.
    fn on_suggested(&mut self, peer: PeerId, now: Instant) {
        let is_known = !self.peers.addresses(&peer).is_empty() && self.peers.connected(&peer).is_none();
        if is_known && peer != *self.swarm.local_peer_id() {
            self.peers.note_wanted(peer, now);
        }
    }
}
