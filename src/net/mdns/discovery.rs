//! The whole of discovery without sockets and clock: interfaces, packets and time go in, packets and events come out.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use libp2p::{Multiaddr, PeerId};

use super::{
    address::Listener,
    cache::Cache,
    event::Event,
    limits::{Config, ConfigError, Counters, OUTGOING_PACKETS_MAX, OWN_TTL_S, PORT, millis},
    link::Link,
    message::{Packet, decode},
    place::{Place, places},
    responder::{Asked, Own},
    schedule::Due,
};
use crate::net::interfaces::Interface;

/// A packet to send on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub link: u32,
    /// `None`: to all, over IPv4 and IPv6.
    pub to: Option<SocketAddr>,
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Discovery {
    own: Own,
    config: Config,
    cache: Cache,
    links: Vec<Link>,
    interfaces: Vec<Interface>,
    listening: Vec<Multiaddr>,
    outgoing: VecDeque<Outgoing>,
    random: fastrand::Rng,
    counters: Counters,
    /// Interfaces that found no place.
    left_out: Vec<String>,
    has_left: bool,
}

impl Discovery {
    pub(super) fn new(config: Config, peer: PeerId, mut random: fastrand::Rng) -> Result<Self, ConfigError> {
        let limits = [
            ("peers_max", config.peers_max),
            ("addresses_per_peer_max", config.addresses_per_peer_max),
            ("found_bytes_max", config.found_bytes_max),
            ("packets_per_second_max", config.packets_per_second_max as usize),
            ("interfaces_max", config.interfaces_max),
        ];
        if let Some((name, _)) = limits.into_iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Zero(name));
        }
        Ok(Discovery {
            own: Own::new(&config, peer, &mut random)?,
            cache: Cache::new(&config, random.fork()),
            config,
            links: Vec::new(),
            interfaces: Vec::new(),
            listening: Vec::new(),
            outgoing: VecDeque::new(),
            random,
            counters: Counters::default(),
            left_out: Vec::new(),
            has_left: false,
        })
    }

    /// Whether a peer is connected: then others do not take its place.
    pub(super) fn note_met(&mut self, peer: PeerId, is_met: bool) {
        self.cache.note_met(peer, is_met);
    }

    pub(super) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The interfaces spoken on.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.links.iter().map(|it| &it.place)
    }

    /// The names of the interfaces not spoken on, for there are too many.
    pub(super) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            addresses_unusable: self.cache.counters.addresses_unusable,
            addresses_refused: self.cache.counters.addresses_refused,
            peers_refused: self.cache.counters.peers_refused,
            names_refused: self.cache.counters.names_refused,
            ..self.counters
        }
    }

    pub(super) fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// Looks and is found under one service name more.
    pub(super) fn add_service(&mut self, name: &str, now: Instant) -> Result<(), ConfigError> {
        if self.own.add(name)? {
            for link in &mut self.links {
                link.schedule.restart_queries(now);
                if link.is_announced {
                    link.schedule.announce_change(now);
                }
            }
        }
        Ok(())
    }

    /// The addresses of the host now.
    pub(super) fn handle_interfaces(&mut self, interfaces: &[Interface], now: Instant) {
        self.interfaces = interfaces.to_vec();
        self.update_links(now);
    }

    /// We can be dialled there from now on.
    pub(super) fn handle_listening(&mut self, address: &Multiaddr, now: Instant) {
        if !self.listening.contains(address) {
            self.listening.push(address.clone());
            self.update_links(now);
        }
    }

    /// We can no longer be dialled there.
    pub(super) fn handle_listening_ended(&mut self, address: &Multiaddr, now: Instant) {
        self.listening.retain(|it| it != address);
        self.update_links(now);
    }

    /// An interface can be heard, or heard again.
    pub(super) fn handle_opened(&mut self, index: u32, now: Instant) {
        if let Some(link) = self.links.iter_mut().find(|it| it.place.index == index) {
            link.schedule.restart_queries(now);
            if !link.addresses.is_empty() && link.is_announced {
                link.schedule.announce_change(now);
            }
        }
    }

    /// Brings the links in line with interfaces and listeners.
    fn update_links(&mut self, now: Instant) {
        if self.has_left {
            return;
        }
        let mut places = places(&self.interfaces, &self.listening, self.config.ipv6);
        let left_out = places.split_off(self.config.interfaces_max.min(places.len()));
        self.counters.interfaces_refused += left_out.len() as u64;
        self.left_out = left_out.into_iter().map(|it| it.name).collect();
        let is_same = |a: &Place, b: &Place| a.index == b.index && a.name == b.name;
        for gone in self.links.extract_if(.., |link| !places.iter().any(|it| is_same(it, &link.place))) {
            self.cache.forget_link(gone.place.index);
        }
        for place in places {
            let at = self.links.iter().position(|link| is_same(&place, &link.place));
            let at = at.unwrap_or_else(|| {
                self.links.push(Link::new(place.clone(), self.config.packets_per_second_max, now));
                self.links.len() - 1
            });
            let link = &mut self.links[at];
            if !place.ips.iter().all(|it| link.place.ips.contains(it)) {
                link.schedule.restart_queries(now);
            }
            link.place = place;
            let addresses = link.place.own_addresses(&self.listening);
            if addresses == link.addresses {
                continue;
            }
            link.forget_answers();
            link.retracts |= link.is_announced;
            let was_empty = std::mem::replace(&mut link.addresses, addresses).is_empty();
            if link.addresses.is_empty() {
                link.schedule.silence();
                self.retract(at);
            } else if was_empty && !link.retracts {
                link.schedule.introduce(now);
            } else {
                link.schedule.announce_change(now);
            }
        }
    }

    /// Whether a packet may be read from an interface now; else when.
    pub(super) fn may_read(&mut self, index: u32, now: Instant) -> Result<(), Instant> {
        match self.links.iter_mut().find(|it| it.place.index == index) {
            Some(link) => link.check_reading(now),
            None => Err(now + millis(super::limits::BUCKET_PAUSE_MS)),
        }
    }

    /// A packet came in on an interface.
    pub(super) fn handle_packet(&mut self, index: u32, from: SocketAddr, bytes: &[u8], now: Instant) {
        self.counters.packets_received += 1;
        let Some(at) = self.links.iter().position(|it| it.place.index == index) else { return };
        if self.has_left || !self.links[at].reading.take(1, now) {
            return;
        }
        if !self.links[at].place.is_on_link(from.ip()) {
            self.counters.packets_off_link += 1;
            return;
        }
        let is_own_host = from.ip().is_loopback() || self.links.iter().any(|it| it.place.has(from.ip()));
        self.counters.packets_of_others += u64::from(!is_own_host);
        let packet = match decode(bytes) {
            Ok(packet) => packet,
            Err(error) => {
                log::trace!("mdns: a packet from {from}: {error}");
                self.counters.packets_malformed += 1;
                return;
            }
        };
        if packet.is_response {
            let listener = Listener {
                zone: &self.links[at].place.name,
                is_own_host,
                sender: from.ip(),
                networks: &self.links[at].place.ips,
                listening: &self.listening,
            };
            if self.cache.handle_response(index, &listener, &packet, &self.own, now) {
                self.links[at].schedule.ask_soon(now);
            }
        } else {
            self.handle_query(at, from, &packet, now);
        }
    }

    fn handle_query(&mut self, at: usize, from: SocketAddr, packet: &Packet, now: Instant) {
        if self.links[at].addresses.is_empty() || self.own.is_claimed(packet) {
            return;
        }
        if packet.questions.is_empty() {
            for asked in (0..self.own.services().len()).map(Asked::Service) {
                if self.own.is_known(asked, packet) && self.links[at].forget_answer(asked, from) {
                    self.counters.answers_known += 1;
                }
            }
        }
        let mut done = Vec::new();
        for question in &packet.questions {
            for asked in self.own.asked(question) {
                if done.contains(&asked) {
                    continue;
                }
                done.push(asked);
                if self.own.is_known(asked, packet) {
                    self.counters.answers_known += 1;
                    continue;
                }
                // A plain DNS client (RFC 6762 §6.7) hears its answer only so. But rust-libp2p asks from such a port
                // too and hears only what is sent to all.
                let is_legacy = from.port() != PORT;
                let link = &mut self.links[at];
                if (is_legacy || question.wants_unicast) && link.unicast.take(1, now) {
                    let answers = match is_legacy {
                        true => vec![self.own.legacy_answer(asked, &link.addresses, packet.id, question)],
                        false => self.own.answers(asked, &link.addresses),
                    };
                    self.counters.answers_sent += answers.len() as u64;
                    answers.into_iter().for_each(|bytes| self.send(at, Some(from), bytes));
                }
                // Who wants its own answer takes one from all others if they have not heard it for long (§5.4).
                let quarter = millis(u64::from(OWN_TTL_S) * 1_000 / 4);
                let link = &mut self.links[at];
                let is_fresh = link.answered_at(asked).is_some_and(|at| now.saturating_duration_since(at) < quarter);
                if !(question.wants_unicast && is_fresh) {
                    let truncated_by = packet.is_truncated.then_some(from);
                    link.answer_soon(asked, truncated_by, &mut self.random, now);
                }
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.has_left {
            return None;
        }
        self.links.iter().map(Link::next).chain(self.cache.next()).min()
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.has_left {
            return;
        }
        for index in self.cache.handle_timeout(now) {
            if let Some(link) = self.links.iter_mut().find(|it| it.place.index == index) {
                link.schedule.ask_soon(now);
            }
        }
        for at in 0..self.links.len() {
            while let Some(due) = self.links[at].schedule.poll_due(&mut self.random, now) {
                for service in 0..self.own.services().len() {
                    match due {
                        Due::Query => self.send_query(at, service, now),
                        Due::Probe => self.send(at, None, self.own.probe(service, &self.links[at].addresses)),
                        Due::Announce => self.announce(at, service, now),
                    }
                }
            }
            while let Some(asked) = self.links[at].due_answer(now) {
                self.answer(at, asked, now);
            }
        }
    }

    fn send_query(&mut self, at: usize, service: usize, now: Instant) {
        let known = self.cache.known_answers(self.links[at].place.index, service, now);
        let bytes = self.own.query(service, known);
        self.counters.queries_sent += 1;
        self.send(at, None, bytes);
    }

    fn announce(&mut self, at: usize, service: usize, now: Instant) {
        if self.links[at].retracts {
            self.retract(at);
        }
        self.answer(at, Asked::Service(service), now);
    }

    fn answer(&mut self, at: usize, asked: Asked, now: Instant) {
        let link = &mut self.links[at];
        link.mark_answered(asked, now);
        link.is_announced |= matches!(asked, Asked::Service(_));
        let answers = self.own.answers(asked, &link.addresses);
        self.counters.answers_sent += answers.len() as u64;
        answers.into_iter().for_each(|bytes| self.send(at, None, bytes));
    }

    /// Takes back what was announced on a link.
    fn retract(&mut self, at: usize) {
        let link = &mut self.links[at];
        link.retracts = false;
        if std::mem::take(&mut link.is_announced) {
            for service in 0..self.own.services().len() {
                let bytes = self.own.goodbye(service);
                self.send(at, None, bytes);
            }
        }
    }

    /// Takes leave on all interfaces; nothing happens after that.
    pub(super) fn leave(&mut self) {
        if !self.has_left {
            (0..self.links.len()).for_each(|at| self.retract(at));
        }
        self.has_left = true;
    }

    fn send(&mut self, at: usize, to: Option<SocketAddr>, bytes: Vec<u8>) {
        if bytes.is_empty() || self.outgoing.len() >= OUTGOING_PACKETS_MAX {
            self.counters.packets_unsent += 1;
            return;
        }
        self.outgoing.push_back(Outgoing { link: self.links[at].place.index, to, bytes });
    }

    /// The next packet to send; take all after each call.
    pub(super) fn poll_outgoing(&mut self) -> Option<Outgoing> {
        self.outgoing.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.cache.poll_event()
    }
}

#[cfg(test)]
mod tests;
