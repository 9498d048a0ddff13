//! Connections: how they come to stand and end, and who answers where.

use super::{Event, Link, Net, id_of};
use std::net::IpAddr;
use stonechat::node::peers::address::{ConnectionId, Multiaddr, PeerId, ip_of, socket_of};
use stonechat::node::peers::connections::Arrival;
use stonechat::node::peers::dialer::{Failure, Target};
use stonechat::node::peers::places::admission_places;
use stonechat::node::peers::seam::Input;

/// Milliseconds for which a second connection of two dials that crossed stands.
const LINGER_MS: u64 = 4_000;

impl Net {
    /// A node learns later that a link is gone.
    pub(super) fn end_later(&mut self, wait: u64, node: usize, link: u64) {
        let run = self.nodes[node].run;
        self.later(wait, Event::Ended(node, run, link));
    }

    /// A link ends for one of its nodes, which is told.
    pub(super) fn end(&mut self, node: usize, link: u64) {
        if !self.of[node].remove(&link) {
            return;
        }
        let it = self.links[&link];
        let other = it.other(node);
        if !self.of[other].contains(&link) {
            self.links.remove(&link);
        }
        let left = self.of[node].iter().filter(|link| self.links[link].other(node) == other).count();
        let connection = ConnectionId::new_unchecked(link as usize);
        self.tell(node, Input::Closed { peer: id_of(other), connection, left, in_use: None, is_ours: false });
    }

    pub(super) fn between(&self, one: usize, other: usize) -> usize {
        self.of[one].intersection(&self.of[other]).count()
    }

    /// Who answers at an address, seen from a node.
    pub(super) fn listener(&self, from: usize, address: &Multiaddr) -> Option<usize> {
        let socket = socket_of(address)?;
        let other = *self.places.get(&(socket.ip(), socket.port()))?;
        let (us, them) = (&self.nodes[from], &self.nodes[other]);
        let same_home = us.setup.behind == them.setup.behind;
        (them.overlay.is_some() && us.group == them.group && (them.setup.behind.is_none() || same_home))
            .then_some(other)
    }

    pub(super) fn on_dialled(&mut self, node: usize, target: Target, peer: Option<PeerId>, addresses: Vec<Multiaddr>) {
        let mut wrong = None;
        let mut reached = None;
        for address in addresses {
            match self.listener(node, &address) {
                Some(other) if peer.is_none_or(|peer| peer == id_of(other)) => reached = Some((other, address)),
                Some(_) => wrong = Some(address),
                None => {}
            }
        }
        // Whoever has no place free hangs up before it says who it is.
        let is_let_in = |other: usize| other != node && self.is_let_in(other);
        let Some((other, address)) = reached.filter(|(other, _)| is_let_in(*other)) else {
            self.checks.on_remote_failure(node, target);
            let error = String::from("nobody answers, or it has no place");
            self.send(node, 0, Input::DialFailed { target, failure: Failure::Remote, wrong, error });
            return;
        };
        if self.of[node].len() >= usize::from(self.nodes[node].setup.board.limits.connections_max) {
            let error = String::from("every place was taken meanwhile");
            self.send(node, 0, Input::DialFailed { target, failure: Failure::LocalLimit, wrong: None, error });
            return;
        }
        if peer.is_some() && self.between(node, other) > 0 && self.random.below(2) == 0 {
            // As libp2p says it where the other's dial was quicker.
            let error = String::from("already connected");
            self.send(node, 0, Input::DialFailed { target, failure: Failure::AlreadyDialling, wrong: None, error });
            return;
        }
        self.connect(node, other, target, address);
    }

    pub(super) fn on_drop(&mut self, one: usize, other: usize) {
        // What the rude do is their affair.
        if [one, other].iter().all(|node| self.nodes[*node].overlay.is_some()) {
            self.checks.on_drop(self.seed, one, other, self.now_ms);
        }
    }

    pub(super) fn connect(&mut self, node: usize, other: usize, target: Target, address: Multiaddr) {
        self.serial += 1;
        let (link, is_aside) = (self.serial, self.between(node, other) > 0);
        let arrival = |ip: IpAddr, is_outbound| Arrival {
            connection: ConnectionId::new_unchecked(link as usize),
            ip: Some(ip),
            local: None,
            is_outbound,
            is_in_use: !is_aside,
            keeps_topics: false,
            is_given: false,
            is_explored: false,
        };
        let there = ip_of(&address).expect("an IP address");
        let outside = self.nodes[node].setup.behind.filter(|router| self.nodes[other].setup.behind != Some(*router));
        let here = IpAddr::from(outside.unwrap_or(self.nodes[node].setup.ip));
        let input =
            Input::Connected { peer: id_of(other), dialled: Some((target, address)), arrival: arrival(there, true) };
        self.links.insert(link, Link { dialer: node, listener: other, is_aside });
        self.of[node].insert(link);
        self.of[other].insert(link);
        self.send(other, 0, Input::Connected { peer: id_of(node), dialled: None, arrival: arrival(here, false) });
        self.send(node, 0, input);
        if is_aside {
            self.end_later(LINGER_MS, node, link);
            self.end_later(LINGER_MS + 1, other, link);
            return;
        }
        for (one, two) in [(node, other), (other, node)] {
            let wait = self.latency();
            let listen = vec![self.address(two)];
            self.send(one, wait, Input::Identified { peer: id_of(two), listen, recommends: true, is_speaker: false });
            for topic in self.nodes[two].setup.topics.clone() {
                self.send(one, wait + 1, Input::Subscribed(id_of(two), topic));
            }
        }
    }

    /// Whether the limits of a node's swarm allow another inbound connection.
    pub(super) fn is_let_in(&self, node: usize) -> bool {
        let limits = &self.nodes[node].setup.board.limits;
        let inbound = self.of[node].iter().filter(|link| self.links[link].listener == node).count();
        let most = usize::from(limits.connections_inbound_max + admission_places(limits.connections_max));
        self.of[node].len() < usize::from(limits.connections_max) && inbound < most
    }
}
