//! What goes between the core and the peers: inputs from what they say, outputs into their queues and to whoever asks.

use super::event::{Counts, Event, PublishError};
use super::handler::Said;
use super::line::held;
use super::peers::{Peer, Peers};
use super::signature::{SignError, Signer};
use super::topics::{Id, Topics, is_by_content};
use crate::compat::profile::Profile;
use crate::gossip::{self, Core, Input, Kind, Output, PeerIndex, Protocol, Settings, Signed, TopicIndex};
use crate::wire::frame::Frame;
use crate::wire::rpc::{DecodeError, Message, Part, Parts, Strict};
use libp2p::{PeerId, identity::Keypair, swarm::ConnectionId};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The core and what is around it.
pub(super) struct Exchange {
    pub core: Core,
    pub peers: Peers,
    pub events: VecDeque<Event>,
    /// Those whose connections are to be closed.
    pub banned: Vec<PeerId>,
    pub counts: Counts,
    signer: Signer,
    topics: Topics,
    start: Instant,
    /// The answer to what was published last.
    published: Option<Result<usize, gossip::PublishError>>,
}

impl Exchange {
    pub fn new(keypair: Keypair, settings: Settings, now: Instant) -> Self {
        Self {
            core: Core::new(settings, 0),
            peers: Peers::default(),
            events: VecDeque::new(),
            banned: Vec::new(),
            counts: Counts::default(),
            signer: Signer::new(keypair),
            topics: Topics::default(),
            start: now,
            published: None,
        }
    }

    /// Joins a topic, in which messages are named in this way. Who is in it comes as events.
    pub fn join(&mut self, name: &str, profile: Profile) -> TopicIndex {
        let topic = self.topics.join(name, profile);
        self.tell(Input::Subscribe { topic, name: name.as_bytes(), by_content: is_by_content(profile) });
        topic
    }

    /// Leaves a topic.
    pub fn leave(&mut self, topic: TopicIndex) {
        self.tell(Input::Unsubscribe { topic });
        self.topics.leave(topic);
    }

    /// Signs a message of ours. An author gives a number once.
    pub fn sign(&mut self, topic: TopicIndex, seqno: u64, data: &[u8]) -> Result<Signed, SignError> {
        self.signer.sign(self.topics.name(topic).unwrap_or_default().as_bytes(), seqno, data)
    }

    /// Hands a message of ours to all who are in its topic, or once more to those whom it did not reach: to how many it
    /// goes now.
    pub fn publish(&mut self, topic: TopicIndex, message: &Signed) -> Result<usize, PublishError> {
        let id = self.id(topic, message).ok_or(gossip::PublishError::NotJoined)?;
        let bytes = message.frame().len();
        let members = self.core.members(topic).filter_map(|index| self.peers.find(index));
        let mut full = None;
        for peer in members.filter(|peer| peer.protocol != Some(Protocol::None)) {
            full = Some(full.unwrap_or(true) && !held(&peer.queue).has_room(bytes));
        }
        if full.ok_or(PublishError::Nobody)? {
            return Err(PublishError::Full);
        }
        self.tell(Input::Publish { topic, id: &id, message: message.clone() });
        Ok(self.published.take().unwrap_or(Err(gossip::PublishError::NotJoined))?)
    }

    /// Hands one message to one peer.
    pub fn forward(&mut self, peer: &PeerId, topic: TopicIndex, message: &Signed) {
        if let (Some(peer), Some(id)) = (self.peers.index(peer), self.id(topic, message)) {
            self.tell(Input::Forward { peer, id: &id, message: message.clone() });
        }
    }

    /// Whether a peer is in a joined topic.
    pub fn is_member(&self, peer: &PeerId, topic: TopicIndex) -> bool {
        self.peers.index(peer).is_some_and(|index| self.core.members(topic).any(|member| member == index))
    }

    /// When the core wants to be asked again.
    pub fn next_due(&self) -> Option<Instant> {
        self.core.poll_timeout().map(|ms| self.start + Duration::from_millis(ms))
    }

    /// Does what is due. False if nothing is.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let now = self.ms(now);
        let is_due = self.core.poll_timeout().is_some_and(|at| at <= now);
        if is_due {
            self.core.handle_timeout(now);
            self.take_outputs(now);
        }
        is_due
    }

    fn id(&self, topic: TopicIndex, message: &Signed) -> Option<Id> {
        self.topics.id(topic, &message.strict())
    }

    /// The core's time.
    pub fn ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    /// Tells the core, and does what it asks for.
    pub fn tell(&mut self, input: Input<'_>) {
        let now = self.ms(Instant::now());
        self.core.handle(input, now);
        self.take_outputs(now);
    }

    /// Does what the core asks for.
    fn take_outputs(&mut self, now: u64) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Send { peer: index, frame } => {
                    let Some(peer) = self.peers.find(index) else { continue };
                    let dropped = held(&peer.queue).push(frame);
                    peer.wake();
                    if let Some(frame) = dropped {
                        if frame.kind == Kind::Own {
                            self.events.push_back(Event::Slow { peer: peer.id });
                        }
                        self.core.handle(Input::Dropped { peer: index, frame }, now);
                    }
                }
                Output::Deliver { from, topic, key, message, was_asked } => {
                    let Some(from) = self.peers.find(from).map(|peer| peer.id) else { continue };
                    self.events.push_back(Event::Message { from, topic, key, message, was_asked });
                }
                Output::Published { result, .. } => self.published = Some(result),
                Output::Subscribed { peer, topic } => {
                    let peer = self.peers.find(peer).map(|peer| peer.id);
                    self.events.extend(peer.map(|peer| Event::Subscribed { peer, topic }));
                }
                Output::Unsubscribed { peer, topic } => {
                    let peer = self.peers.find(peer).map(|peer| peer.id);
                    self.events.extend(peer.map(|peer| Event::Unsubscribed { peer, topic }));
                }
                Output::Ban { peer } => {
                    if let Some(peer) = self.peers.find(peer) {
                        log::info!("{} is shown out: what it sent was not what the protocol says", peer.id);
                        self.banned.push(peer.id);
                    }
                }
                Output::Suggested { topic, id } => {
                    let peer = PeerId::from_bytes(&id).ok();
                    self.events.extend(peer.map(|peer| Event::Suggested { peer, topic }));
                }
            }
        }
    }

    /// Our stream to a peer is a new one: our topics are the first on it.
    pub fn on_new_stream(&mut self, index: PeerIndex, protocol: Protocol) {
        let Some(peer) = self.peers.find_mut(index) else { return };
        let before = peer.protocol.replace(protocol);
        if before != Some(protocol) {
            self.tell(Input::Speaks { peer: index, protocol });
        }
        if before.is_some() {
            self.tell(Input::Reset { peer: index });
        }
        self.peers.find(index).into_iter().for_each(Peer::on_greeted);
    }

    /// A peer said something on a connection.
    pub fn on_said(&mut self, peer: PeerIndex, connection: ConnectionId, said: &Said) {
        let (batch, is_first) = (&said.0.batch, said.0.is_first);
        let Some(known) = self.peers.find_mut(peer) else { return };
        if is_first && std::mem::replace(&mut known.has_spoken, true) {
            self.tell(Input::Opened { peer });
        }
        let mut names_topics = false;
        for rpc in batch.rpcs() {
            for part in Parts::new(rpc) {
                names_topics |= matches!(part, Ok(Part::Subscription { .. }));
                match part {
                    Ok(Part::Message(message)) => self.on_message(peer, &message),
                    Ok(part) => self.tell(Input::Part { peer, part }),
                    Err(DecodeError::TooLong(_) | DecodeError::TooMany(_)) => self.counts.malformed += 1,
                    Err(_) => {
                        self.counts.malformed += 1;
                        self.tell(Input::Invalid { peer });
                    }
                }
            }
            self.tell(Input::End { peer });
        }
        if is_first && names_topics {
            let peer = self.peers.find(peer).map(|peer| peer.id);
            self.events.extend(peer.map(|peer| Event::Greeted { peer }));
        }
        if let Some(line) = self.peers.find(peer).and_then(|peer| peer.line(connection)) {
            line.on_handled(batch.bytes());
        }
    }

    fn on_message(&mut self, peer: PeerIndex, message: &Message<'_>) {
        let Some(topic) = message.topic.and_then(|name| self.core.topic_of(name)) else { return };
        let strict = message.strict();
        if let Some(strict) = &strict {
            let Some(id) = self.topics.id(topic, strict) else { return };
            if !self.core.wants(peer, topic, &id, self.ms(Instant::now())) {
                return self.on_duplicate(peer, strict);
            }
            if self.signer.is_signed(message)
                && let Ok(message) = Signed::new(message)
            {
                return self.tell(Input::Message { peer, topic, id: &id, message });
            }
        }
        self.counts.unsigned += 1;
        if self.topics.is_ours(topic) {
            self.tell(Input::Invalid { peer });
        }
    }
    /// Who held a line back that others brought first waits for its author's own copy.
    fn on_duplicate(&mut self, peer: PeerIndex, message: &Strict<'_>) {
        let Some(from) = self.peers.find(peer).map(|peer| peer.id) else { return };
        // Most duplicates are of others: those cost no allocation.
        if PeerId::from_bytes(message.from).is_ok_and(|author| author == from)
            && let Ok(frame) = Frame::decode(message.data)
        {
            self.events.push_back(Event::Repeated { from, stamp: frame.stamp });
        }
    }
}
