//! The core: takes inputs, dispatches them, and says when it wants to be asked again.

use super::context::Context;
use super::input::Input;
use super::membership;
use super::mesh::{self, next_of};
use super::messages::{Arrival, Messages, Recovery, Refusals};
use super::offenders::Departed;
use super::offers;
use super::output::{Output, Outputs};
use super::peer::{PeerIndex, Protocol};
use super::peers::{Allowance, Peer, Peers};
use super::queue::{Frame, Kind};
use super::settings::{
    BAD_MESSAGE, BEAT_MS, FORGIVEN_BELOW, GRAFT_TOO_SOON, MESH_CHANGE_ALL_MS, MESH_CHANGES_ALL_MAX, OFFENCE_HALF_MS,
    REPAIR_MS, Settings,
};
use super::topic::{Topic, TopicIndex, Topics};
use crate::base::{bucket::Bucket, hash::siphash, meter::Meter, random::Random};
use crate::wire::rpc::{Part, bounds::ID_BYTES_MAX};
use alloc::vec::Vec;
use core::time::Duration;

/// A node of gossip. Times are milliseconds since any fixed moment, and never go back.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    random: Random,
    peers: Peers,
    topics: Topics,
    messages: Messages,
    departed: Departed,
    out: Outputs,
    beat_at: Option<u64>,
    beats: u64,
    /// Back-offs that all peers together may cause.
    changes: Bucket,
}

impl Core {
    /// Nobody, no topic, no message.
    pub fn new(settings: Settings, now: u64) -> Self {
        let [seed, _] = settings.seed;
        Self {
            random: Random::new(seed),
            peers: Peers::default(),
            topics: Topics::new(settings.topics_max),
            messages: Messages::new(&settings, now),
            departed: Departed::new(),
            out: Outputs::new(),
            beat_at: None,
            beats: 0,
            changes: Bucket::new(
                MESH_CHANGES_ALL_MAX,
                1,
                Duration::from_millis(MESH_CHANGE_ALL_MS),
                Duration::from_millis(now),
            ),
            settings,
        }
    }

    /// Something happened. The outputs are to be taken afterwards.
    pub fn handle(&mut self, input: Input<'_>, now: u64) {
        match input {
            Input::Connected { peer, id, outbound, group } => self.on_connected(peer, id, outbound, group, now),
            Input::Speaks { peer, protocol } => {
                if let Some(known) = self.peers.find_mut(peer) {
                    known.protocol = Some(protocol);
                    self.greet(peer, now);
                }
            }
            Input::Reset { peer } => {
                let (messages, topics) = (&mut self.messages, &mut self.topics);
                let needs_beat = messages.on_reset(peer, topics, now);
                self.greet(peer, now);
                self.beat_if(needs_beat, now);
            }
            Input::Opened { peer } => self.on_opened(peer, now),
            Input::Disconnected { peer } => self.on_disconnected(peer, now),
            Input::Part { peer, part } => self.on_part(peer, part, now),
            Input::End { peer } => {
                let (_, topics, mut cx) = self.split(now);
                membership::on_end(peer, topics, &mut cx);
            }
            Input::Message { peer, topic, id, message } => {
                if self.peers.heard(peer).is_some() {
                    let (messages, topics, mut cx) = self.split(now);
                    messages.receive(peer, topic, id, message, topics, &mut cx);
                }
            }
            Input::Invalid { peer } => self.split(now).2.offend(peer, BAD_MESSAGE),
            Input::Subscribe { topic, name, by_content } => {
                let (_, topics, mut cx) = self.split(now);
                membership::join(topic, name, by_content, topics, &mut cx);
                self.tend_all(now);
            }
            Input::Unsubscribe { topic } => {
                let (messages, topics, mut cx) = self.split(now);
                membership::leave(topic, topics, &mut cx);
                messages.store.forget(topic);
            }
            Input::Publish { topic, id, message } => {
                let (messages, topics, mut cx) = self.split(now);
                let needs_beat = messages.publish(topic, id, message, topics, &mut cx);
                self.beat_if(needs_beat, now);
            }
            Input::Forward { peer, id, message } => {
                let (messages, _, mut cx) = self.split(now);
                messages.forward(peer, id, &message, &mut cx);
            }
            Input::Judged { key, verdict } => {
                let (messages, topics, mut cx) = self.split(now);
                let needs_beat = messages.judge(key, verdict, topics, &mut cx);
                self.beat_if(needs_beat, now);
            }
            Input::Dropped { peer, frame } => self.on_dropped(peer, &frame, now),
        }
    }

    /// Whether a message that a peer brought is to be checked and handed over ([`Input::Message`]): the one check whether
    /// it was here before. A message whose signature turns out to be bad is not remembered.
    pub fn wants(&mut self, peer: PeerIndex, topic: TopicIndex, id: &[u8], now: u64) -> bool {
        if self.peers.heard(peer).is_none() {
            self.messages.refused.offenders += 1;
            return false;
        }
        if self.topics.find(topic).is_none() || id.len() > ID_BYTES_MAX {
            return false;
        }
        self.messages.arrive(peer, topic, id, &mut self.topics, now) == Arrival::New && self.messages.take(now)
    }

    /// The joined topic of this name.
    pub fn topic_of(&self, name: &[u8]) -> Option<TopicIndex> {
        self.topics.named(name)
    }

    /// Whether a peer may connect: one that misbehaved may not until that is forgotten.
    pub fn admits(&self, id: &[u8], now: u64) -> bool {
        self.departed.offences(self.hash(id)).value(OFFENCE_HALF_MS, now) < FORGIVEN_BELOW
    }

    /// What to do next, if anything.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if it is.
    pub fn poll_timeout(&self) -> Option<u64> {
        [self.beat_at, self.messages.asked.next_due()].into_iter().flatten().min()
    }

    /// Does what is due. Afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn handle_timeout(&mut self, now: u64) {
        let (messages, _, mut cx) = self.split(now);
        messages.ask_again(&mut cx);
        if self.beat_at.is_some_and(|at| at <= now) {
            self.beat(now);
        }
    }

    /// The connected peers that are in a joined topic.
    pub fn members(&self, topic: TopicIndex) -> impl Iterator<Item = PeerIndex> {
        self.topics.find(topic).into_iter().flat_map(|topic| topic.members()).map(|member| member.peer)
    }

    /// Those of them that are in its mesh.
    pub fn mesh(&self, topic: TopicIndex) -> impl Iterator<Item = PeerIndex> {
        let members = self.topics.find(topic).into_iter().flat_map(|topic| topic.members());
        members.filter(|member| member.in_mesh).map(|member| member.peer)
    }

    /// What was not taken so far.
    pub fn refused(&self) -> Refusals {
        self.messages.refused
    }

    /// What was asked for so far, by us and of us.
    pub fn recovery(&self) -> Recovery {
        self.messages.recovery
    }

    /// Heartbeats so far.
    pub fn beats(&self) -> u64 {
        self.beats
    }

    /// How full each container is.
    pub fn meters(&self) -> [(&'static str, Meter); 13] {
        let [pending, kept, bytes] = self.messages.store.meters();
        let [peers, peer_topics, unwanted] = self.peers.meters();
        let [offenders, backoffs] = self.departed.meters();
        let members = self.topics.iter().map(|topic| topic.members().count()).max().unwrap_or_default();
        [
            ("messages waiting for a verdict", pending),
            ("messages kept", kept),
            ("bytes of messages kept", bytes),
            ("message ids seen", self.messages.seen.meter()),
            ("message ids by content", self.messages.seen.same()),
            ("messages asked for", self.messages.asked.meter()),
            ("outputs", self.out.meter()),
            ("topics", self.topics.meter()),
            ("peers", peers),
            ("members of a topic", Meter { length: members, ..peers }),
            ("topics of a peer", peer_topics),
            ("messages a peer does not want", unwanted),
            ("offenders that left", Meter { drops: backoffs.length as u64, ..offenders }),
        ]
    }

    /// What messages and meshes need beside each other.
    fn split(&mut self, now: u64) -> (&mut Messages, &mut Topics, Context<'_>) {
        let Self { settings, random, peers, topics, messages, departed, out, .. } = self;
        let Settings { mesh, seed, .. } = *settings;
        (messages, topics, Context { peers, departed, out, random, mesh, seed, now })
    }

    fn hash(&self, bytes: &[u8]) -> u64 {
        siphash(self.settings.seed, bytes)
    }

    fn beat_by(&mut self, at: u64) {
        self.beat_at = Some(self.beat_at.map_or(at, |planned| planned.min(at)));
    }

    fn beat_if(&mut self, is_needed: bool, now: u64) {
        if is_needed {
            self.beat_by(next_of(BEAT_MS, now));
        }
    }

    fn on_connected(&mut self, index: PeerIndex, id: &[u8], outbound: bool, group: u64, now: u64) {
        self.on_disconnected(index, now);
        let hash = self.hash(id);
        self.peers.insert(index, Peer::new(id, hash, outbound, group, self.departed.offences(hash), now));
    }

    fn on_disconnected(&mut self, index: PeerIndex, now: u64) {
        let Some(peer) = self.peers.remove(index) else { return };
        for topic in self.topics.iter_mut() {
            if let Some(member) = topic.remove(index) {
                self.departed.back_off(peer.hash, topic.hash, member.backoff_until, now);
            }
        }
        self.departed.note(peer.hash, peer.offences(), now);
        self.messages.on_gone(index, now);
        self.tend_all(now);
    }

    fn on_opened(&mut self, index: PeerIndex, now: u64) {
        let Some(peer) = self.peers.find_mut(index) else { return };
        peer.said_hello = false;
        peer.topics.iter_mut().for_each(|topic| topic.is_stale = true);
        // Go and js have forgotten ours.
        if peer.protocol.is_none() {
            return;
        }
        if peer.take(Allowance::Greeting, now) {
            self.greet(index, now);
        } else {
            peer.is_behind = true;
            self.beat_by(next_of(REPAIR_MS, now));
        }
    }

    /// Tells a peer all our topics, those left lately, and the places it has in their meshes, in one RPC: what is said in
    /// it counts also where only one has room.
    fn greet(&mut self, index: PeerIndex, now: u64) {
        let Some(peer) = self.peers.find_mut(index).filter(|peer| peer.is_reachable()) else { return };
        peer.is_behind = false;
        let names = self.topics.iter().map(|topic| Part::Subscription { is_in: true, topic: &topic.name });
        let has_place = |topic: &&Topic| topic.members().any(|member| member.peer == index && member.in_mesh);
        let places = self.topics.iter().filter(has_place).map(|topic| Part::Graft { topic: &topic.name });
        let left = self.topics.left(now).map(|topic| Part::Subscription { is_in: false, topic });
        let hello: Vec<Part<'_>> = names.chain(left).chain(places).collect();
        if !hello.is_empty() {
            self.out.say(index, Kind::Hello, &hello);
        }
        self.tend_all(now);
        self.beat_if(true, now);
    }

    /// Looks after every mesh.
    fn tend_all(&mut self, now: u64) {
        let (_, topics, mut cx) = self.split(now);
        let again = topics.iter_mut().filter_map(|topic| mesh::tend(topic, &mut cx)).min();
        again.into_iter().for_each(|at| self.beat_by(at));
    }

    fn on_part(&mut self, peer: PeerIndex, part: Part<'_>, now: u64) {
        if self.peers.heard(peer).is_none() {
            self.messages.refused.offenders += 1;
            return;
        }
        let topic_of = |name: &[u8]| self.topics.named(name);
        match part {
            Part::Subscription { is_in, topic } => {
                let (messages, topics, mut cx) = self.split(now);
                match membership::on_subscription(peer, topic, is_in, topics, &mut cx) {
                    Some(false) => {}
                    Some(true) => {
                        self.tend_all(now);
                        self.beat_if(true, now);
                    }
                    None => messages.refused.control += 1,
                }
            }
            Part::Message(_) => {}
            Part::IHave { topic, ids } => {
                let Some(topic) = topic_of(topic) else { return };
                let (messages, topics, mut cx) = self.split(now);
                offers::on_offer(messages, peer, topic, ids, topics, &mut cx);
            }
            Part::IWant { ids } => {
                let (messages, topics, mut cx) = self.split(now);
                offers::on_request(messages, peer, ids, topics, &mut cx);
            }
            Part::IDontWant { ids } => {
                let (messages, topics, mut cx) = self.split(now);
                offers::on_unwanted(messages, peer, ids, topics, &mut cx);
            }
            Part::Graft { topic } => self.on_change(peer, topic, now, mesh::on_graft),
            Part::Prune { topic, peers, backoff_s } => {
                self.on_change(peer, topic, now, |topic, peer, cx| mesh::on_prune(topic, peer, peers, backoff_s, cx));
            }
        }
    }

    /// A peer changes its place in a mesh, or ours.
    fn on_change(
        &mut self,
        peer: PeerIndex,
        name: &[u8],
        now: u64,
        change: impl FnOnce(&mut Topic, PeerIndex, &mut Context<'_>),
    ) {
        let Some(index) = self.topics.named(name) else { return };
        // Who goes on beyond its allowance pays for it; whoever comes when all have used up theirs does not.
        let is_allowed = self.split(now).2.take(peer, Allowance::MeshChange, 1) == 1;
        if !is_allowed {
            self.split(now).2.offend(peer, GRAFT_TOO_SOON);
        }
        let is_taken = is_allowed && self.changes.take(1, Duration::from_millis(now));
        let (messages, topics, mut cx) = self.split(now);
        if !is_taken {
            messages.refused.control += 1;
            return;
        }
        if let Some(topic) = topics.find_mut(index) {
            change(topic, peer, &mut cx);
            let again = mesh::tend(topic, &mut cx);
            again.into_iter().for_each(|at| self.beat_by(at));
        }
    }

    fn on_dropped(&mut self, index: PeerIndex, frame: &Frame, now: u64) {
        match (frame.key, frame.kind) {
            (Some(key), _) => {
                let needs_beat = self.messages.on_dropped(index, key, &mut self.topics);
                self.beat_if(needs_beat, now);
            }
            // It comes again at the next heartbeat that needs it.
            (None, Kind::Offer(_)) => {}
            (None, _) => {
                if let Some(peer) = self.peers.find_mut(index) {
                    peer.is_behind = true;
                    self.beat_by(next_of(REPAIR_MS, now));
                }
            }
        }
    }

    fn beat(&mut self, now: u64) {
        (self.beat_at, self.beats) = (None, self.beats + 1);
        let behind = self.peers.iter().filter(|(_, peer)| peer.is_behind && peer.protocol > Some(Protocol::None));
        let behind: Vec<PeerIndex> = behind.map(|(index, _)| index).collect();
        behind.into_iter().for_each(|peer| self.greet(peer, now));
        self.tend_all(now);
        let all: Vec<TopicIndex> = self.topics.iter().map(|topic| topic.index).collect();
        let (messages, topics, mut cx) = self.split(now);
        let mut again = false;
        for topic in all {
            again |= offers::offer(messages, topic, topics, &mut cx);
        }
        self.beat_if(again, now);
    }
}

#[cfg(test)]
mod tests;
