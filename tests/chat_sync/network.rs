//! Nodes that catch up with each other, in virtual time, over links that take time and get cut.

use crate::pair::Set;
use crate::random::Random;
use sha2::{Digest, Sha256};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use stonechat::chat::sync::exchange::EndReason;
use stonechat::chat::sync::library::Library;
use stonechat::chat::sync::policy::{Finish, Policy};
use stonechat::chat::sync::sessions::{BeginError, Input, Limits, Output, Sessions};
use stonechat::wire::room::Topic;
use stonechat::wire::sync::item::{Item, SessionKey};

pub type PeerId = usize;

/// What every good message begins with: it stands for a signature.
pub const SIGNED: u8 = 0x5a;

/// A message of that stamp; `what` makes it another than the rest.
pub fn message(stamp: u64, what: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![SIGNED];
    bytes.extend(stamp.to_le_bytes());
    bytes.extend(what.to_le_bytes());
    bytes.resize(17 + length, what as u8);
    bytes
}

pub fn item_of(message: &[u8]) -> Option<Item> {
    let (signed, rest) = message.split_first()?;
    let stamp = u64::from_le_bytes(*rest.first_chunk()?);
    let hash = *Sha256::digest(message).first_chunk()?;
    (*signed == SIGNED).then_some(Item { stamp, hash })
}

/// The rooms of a node.
#[derive(Default, Clone)]
pub struct Rooms {
    pub index: BTreeMap<String, Set>,
    pub bodies: BTreeMap<Item, Vec<u8>>,
}

impl Rooms {
    /// Keeps a message; whether it is good and new, or why not.
    pub fn keep(&mut self, topic: &str, message: &[u8]) -> Result<bool, ()> {
        let item = item_of(message).ok_or(())?;
        let set = self.index.get_mut(topic).ok_or(())?;
        if item.stamp < set.since || self.bodies.contains_key(&item) {
            return Ok(false);
        }
        let at = set.items.partition_point(|kept| *kept < item);
        set.items.insert(at, item);
        self.bodies.insert(item, message.to_vec());
        Ok(true)
    }
}

impl Library for Rooms {
    type Items = Set;

    fn items(&self, topic: &str) -> Option<&Set> {
        self.index.get(topic)
    }

    fn message(&mut self, _topic: &str, item: &Item, out: &mut Vec<u8>) -> bool {
        self.bodies.get(item).is_some_and(|body| {
            out.extend_from_slice(body);
            true
        })
    }
}

pub struct Node {
    pub rooms: Rooms,
    pub sessions: Sessions<PeerId>,
    pub policy: Policy<PeerId>,
    /// Sessions of ours that ended, with how many messages they moved, and what came of them.
    pub ended: Vec<(PeerId, u64, Result<u64, String>)>,
    pub misbehaved: Vec<PeerId>,
    pub delivered: u64,
    pub doubled: u64,
    pub begun: u64,
}

type UnderWay = (u64, u64, PeerId, PeerId, Frame, Vec<u8>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Frame {
    Request(u64),
    Response,
    Lost,
}

pub struct Network {
    pub random: Random,
    pub now: u64,
    pub nodes: Vec<Node>,
    pub links: BTreeSet<(PeerId, PeerId)>,
    pub bytes: u64,
    pub frames: u64,
    /// How long a frame takes at most, in ms.
    pub delay_ms: u64,
    pub loss_percent: u64,
    topic: Topic,
    numbers: u64,
    /// Frames under way: when they arrive, from whom, to whom.
    under_way: BinaryHeap<Reverse<UnderWay>>,
}

impl Network {
    pub fn new(seed: u64, count: usize, limits: Limits) -> Self {
        let topic = crate::pair::topic();
        let nodes = (0..count)
            .map(|n| {
                let mut rooms = Rooms::default();
                rooms.index.insert(topic.to_string(), Set::default());
                let (sessions, policy) = (Sessions::new(n, limits), Policy::new(64, [seed, n as u64]));
                let (ended, misbehaved) = (Vec::new(), Vec::new());
                Node { rooms, sessions, policy, ended, misbehaved, delivered: 0, doubled: 0, begun: 0 }
            })
            .collect();
        let (links, under_way) = (BTreeSet::new(), BinaryHeap::new());
        let random = Random::new(seed);
        Self {
            random,
            now: 1_000,
            nodes,
            links,
            bytes: 0,
            frames: 0,
            delay_ms: 20,
            loss_percent: 0,
            topic,
            numbers: 0,
            under_way,
        }
    }

    pub fn topic(&self) -> Topic {
        self.topic.clone()
    }

    pub fn say(&mut self, node: PeerId, stamp: u64, length: usize) {
        self.numbers += 1;
        let message = message(stamp, self.numbers, length);
        assert_eq!(self.nodes[node].rooms.keep(&self.topic, &message), Ok(true));
        self.nodes[node].policy.said(&self.topic, self.now);
    }

    pub fn connect(&mut self, a: PeerId, b: PeerId) {
        self.links.insert((a.min(b), a.max(b)));
        let now = self.now;
        assert!(self.nodes[a].policy.met(b, &self.topic, now));
        assert!(self.nodes[b].policy.met(a, &self.topic, now));
    }

    pub fn cut(&mut self, a: PeerId, b: PeerId) {
        self.links.remove(&(a.min(b), a.max(b)));
        for (node, peer) in [(a, b), (b, a)] {
            self.nodes[node].policy.parted(peer);
            self.handle(node, Input::Gone { peer });
        }
    }

    pub fn handle(&mut self, node: PeerId, input: Input<'_, PeerId>) {
        let now = self.now;
        let it = &mut self.nodes[node];
        let _ = it.sessions.handle(input, &mut it.rooms, now);
        self.drain(node);
    }

    fn send(&mut self, from: PeerId, to: PeerId, frame: Frame, bytes: Vec<u8>) {
        self.bytes += bytes.len() as u64;
        self.frames += 1;
        let lost = self.random.percent(self.loss_percent);
        let frame = if lost { Frame::Lost } else { frame };
        let at = self.now + 1 + self.random.below(self.delay_ms);
        self.under_way.push(Reverse((at, self.frames, from, to, frame, bytes)));
    }

    fn drain(&mut self, node: PeerId) {
        while let Some(output) = self.nodes[node].sessions.poll_output() {
            match output {
                Output::Request { peer, bytes } => {
                    self.numbers += 1;
                    self.send(node, peer, Frame::Request(self.numbers), bytes);
                }
                Output::Response { peer, bytes, .. } => self.send(node, peer, Frame::Response, bytes),
                Output::Deliver { peer, id, topic, messages } => {
                    let (mut refused, mut new) = (0, 0);
                    let it = &mut self.nodes[node];
                    for message in &messages {
                        match it.rooms.keep(&topic, message) {
                            Ok(true) => new += 1,
                            Ok(false) => it.doubled += 1,
                            Err(()) => refused += 1,
                        }
                    }
                    it.delivered += new;
                    if new > 0 {
                        it.policy.brought(peer, &topic, self.now);
                    }
                    self.handle(node, Input::Judged { peer, id, refused });
                }
                Output::Ended { peer, topic, end, fetched, given } => {
                    let it = &mut self.nodes[node];
                    let moved = fetched + given > 0;
                    let finish = match &end {
                        Ok(_) => Finish::Whole { differed: moved },
                        Err(EndReason::Yielded) => Finish::Elsewhere,
                        Err(_) => Finish::Failed { moved },
                    };
                    it.policy.ended(peer, &topic, finish, self.now);
                    it.ended.push((peer, fetched + given, end.map_err(|why| why.to_string())));
                }
                Output::Same { topic, .. } => self.nodes[node].policy.same(&topic, self.now),
                Output::Misbehaved { peer } => self.nodes[node].misbehaved.push(peer),
            }
        }
    }

    /// Lets so much time pass.
    pub fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        loop {
            for node in 0..self.nodes.len() {
                while let Some(due) = self.nodes[node].policy.poll(self.now) {
                    let key = SessionKey([self.random.next(), self.random.next()]);
                    let begin = Input::Begin { peer: due.peer, topic: due.topic.clone(), opening: due.opening, key };
                    let it = &mut self.nodes[node];
                    it.begun += 1;
                    match it.sessions.handle(begin, &mut it.rooms, self.now) {
                        Ok(()) => {}
                        Err(BeginError::NotJoined) => panic!("it is joined"),
                        Err(BeginError::Barred | BeginError::NoRoom) => {
                            it.policy.ended(due.peer, &due.topic, Finish::Failed { moved: false }, self.now);
                        }
                        Err(BeginError::UnderWay | BeginError::SessionsMax(_)) => {
                            it.policy.ended(due.peer, &due.topic, Finish::Elsewhere, self.now);
                        }
                    }
                    self.drain(node);
                }
                self.nodes[node].sessions.handle_timeout(self.now);
                self.drain(node);
                assert!(self.nodes[node].sessions.poll_timeout().is_none_or(|next| next > self.now));
            }
            let timers = self.nodes.iter().flat_map(|node| [node.sessions.poll_timeout(), node.policy.poll_timeout()]);
            let timer = timers.flatten().min().unwrap_or(u64::MAX);
            let frame = self.under_way.peek().map_or(u64::MAX, |next| next.0.0);
            let next = timer.min(frame);
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            if frame <= self.now {
                let Reverse((_, _, from, to, frame, bytes)) = self.under_way.pop().unwrap();
                self.arrive(from, to, frame, &bytes);
            }
        }
        self.now = until;
    }

    fn arrive(&mut self, from: PeerId, to: PeerId, frame: Frame, bytes: &[u8]) {
        if !self.links.contains(&(from.min(to), from.max(to))) {
            return;
        }
        match frame {
            Frame::Request(id) => self.handle(to, Input::Request { peer: from, id, bytes }),
            Frame::Response => self.handle(to, Input::Response { peer: from, bytes }),
            // The transport notices on one side or the other.
            Frame::Lost => {
                self.handle(from, Input::Failed { peer: to });
                self.handle(to, Input::Failed { peer: from });
            }
        }
    }

    /// The messages of a node.
    pub fn items(&self, node: PeerId) -> &[Item] {
        &self.nodes[node].rooms.index[self.topic.as_str()].items
    }

    pub fn all_equal(&self) -> bool {
        (1..self.nodes.len()).all(|node| self.items(node) == self.items(0))
    }
}
