//! What may happen to a network, and how it stands.

use super::{Link, Net, id_of};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use stonechat::node::peers::address::{Network, Scope};
use stonechat::node::peers::dialer::Target;
use stonechat::node::peers::seam::Input;
use stonechat::node::peers::source::{Announcer, Source, Teller};

/// Milliseconds until a dead link is noticed.
const DEAD_LINK_MS: u64 = 40_000;

impl Net {
    /// Ends a node: politely or by kill, so that its kernel says it to others; or by a power cut, which says nothing.
    pub fn stop(&mut self, node: usize, is_power_cut: bool) {
        self.nodes[node].overlay = None;
        for link in std::mem::take(&mut self.of[node]) {
            let other = self.links[&link].other(node);
            let wait = if is_power_cut { DEAD_LINK_MS } else { self.latency() };
            self.end_later(wait, other, link);
        }
    }

    /// Puts nodes into groups that do not reach each other. Links between them are noticed to be dead later.
    pub fn part(&mut self, group_of: impl Fn(usize) -> u32) {
        (0..self.nodes.len()).for_each(|node| self.nodes[node].group = group_of(node));
        let is_cut = |it: &Link| group_of(it.dialer) != group_of(it.listener);
        let cut: Vec<u64> = self.links.iter().filter(|(_, it)| is_cut(it)).map(|(link, _)| *link).collect();
        for link in cut {
            for node in [self.links[&link].dialer, self.links[&link].listener] {
                let wait = DEAD_LINK_MS + self.random.below(5_000);
                self.end_later(wait, node, link);
            }
        }
    }

    /// All reach each other again, and hear of each other.
    pub fn join_halves(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.group = 0);
        (0..self.nodes.len())
            .filter(|node| self.nodes[*node].overlay.is_some())
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|node| self.announce(node));
    }

    /// A line is said and handed on by everybody; who brings it first is credited.
    pub fn say(&mut self, node: usize) {
        let mut heard = BTreeSet::from([node]);
        let mut under_way = BinaryHeap::from([Reverse((0, node, node))]);
        let now = self.now();
        while let Some(Reverse((ms, from, to))) = under_way.pop() {
            if from != to && !heard.insert(to) {
                continue;
            }
            if let Some(overlay) = &mut self.nodes[to].overlay {
                overlay.handle(Input::First(id_of(from)), now);
                for link in self.of[to].clone() {
                    let it = self.links[&link];
                    let next = if it.dialer == to { it.listener } else { it.dialer };
                    under_way.push(Reverse((ms + self.latency(), to, next)));
                }
            }
        }
        heard.into_iter().for_each(|node| self.turn(node));
    }

    /// A node without manners connects to another, whatever came of it before.
    pub fn intrude(&mut self, node: usize, other: usize) {
        if self.between(node, other) == 0 && self.nodes[other].overlay.is_some() && self.is_let_in(other) {
            let address = self.address(other);
            self.connect(node, other, Target::Peer(id_of(other)), address);
        }
    }

    /// The connected components of those who are in a room.
    pub fn components(&self) -> Vec<BTreeSet<usize>> {
        let is_in = |node: &usize| self.nodes[*node].overlay.is_some() && !self.nodes[*node].setup.topics.is_empty();
        let mut left: BTreeSet<usize> = (0..self.nodes.len()).filter(is_in).collect();
        let mut components = Vec::new();
        while let Some(first) = left.pop_first() {
            let (mut component, mut next) = (BTreeSet::from([first]), vec![first]);
            while let Some(node) = next.pop() {
                for link in self.of[node].iter().filter(|link| !self.links[link].is_aside) {
                    let other = self.links[link].other(node);
                    if self.of[other].contains(link) && left.remove(&other) {
                        component.insert(other);
                        next.push(other);
                    }
                }
            }
            components.push(component);
        }
        components.sort_by_key(|component| Reverse(component.len()));
        components
    }

    /// A node met somebody of its room within the time it may take.
    pub fn met_in_time(&self, node: usize) {
        let it = &self.nodes[node];
        let met = it.met_ms.unwrap_or_else(|| panic!("seed {}: node {node} met nobody", self.seed));
        let took = met - it.started_ms;
        assert!(took <= super::super::MET_MS, "seed {}: node {node} met somebody after {took} ms", self.seed);
    }

    /// Peers that a node has a connection to.
    pub fn degree(&self, node: usize) -> usize {
        self.of[node].len()
    }

    /// mDNS: all of the LAN hear of this one, and it of them.
    pub fn announce(&mut self, node: usize) {
        let Some(lan) = self.nodes[node].setup.lan.filter(|_| self.is_lan_talking) else { return };
        let group = self.nodes[node].group;
        let others: Vec<usize> = (0..self.nodes.len())
            .filter(|other| {
                let it = &self.nodes[*other];
                *other != node && it.overlay.is_some() && it.setup.lan == Some(lan) && it.group == group
            })
            .collect();
        for other in others {
            for (one, heard) in [(node, other), (other, node)] {
                let wait = 20 + self.random.below(100);
                let found = self.found(heard);
                self.send(one, wait, found);
            }
        }
    }

    pub(super) fn found(&self, node: usize) -> Input {
        let ip = self.nodes[node].setup.ip.into();
        let teller = Teller { announcer: Announcer::Host(Network::of(ip)), scope: Scope::of(ip) };
        Input::Found {
            peer: id_of(node),
            address: Some(self.address(node)),
            source: Source::Mdns,
            teller,
            on_link: true,
        }
    }
}
