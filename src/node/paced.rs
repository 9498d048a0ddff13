//! libp2p-gossipsub with a heartbeat that runs when it is told to, and a cache of messages that is bounded by number.
//!
//! libp2p-gossipsub 0.50.1 resets its heartbeat's timer and does not poll it again, so that on a quiet node it sleeps for
//! good; under load it shifts its caches by time alone, however many messages are in them. Its timers are polled here
//! without a waker, and only when a heartbeat is wanted.

use super::others::FORGET_TOPIC;
use libp2p::{
    PeerId,
    gossipsub::{self, MessageAcceptance, MessageId, RawMessage, TopicHash},
    swarm::{NetworkBehaviour, THandlerInEvent, THandlerOutEvent, ToSwarm},
};
use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// Milliseconds between gossipsub's heartbeats at least, under load. Guess: a tenth of the usual.
pub const GOSSIP_HEARTBEAT_MS: u64 = 100;
/// Heartbeats after which a message leaves gossipsub's cache; in all but the last it is offered.
pub const GOSSIP_HISTORY: usize = 3;
/// Messages after which the next heartbeat runs without being told to: what was offered is then followed by more.
pub const GOSSIP_HEARTBEAT_MESSAGES: u32 = 256;
/// Whole messages in gossipsub's cache. Cost: some 700 bytes, at most 3 KiB each. Guess: as many as fit in the offers of
/// some heartbeats.
pub const GOSSIP_CACHED_MAX: usize = 256;

/// The same of those that are there only to be known.
pub const KNOWN_MAX: usize = 64;

/// The author of what we make up ourselves, and nobody's key.
const NOBODY: [u8; 3] = [0, 1, 0];

/// gossipsub as it is used here.
pub type Inner = gossipsub::Behaviour<gossipsub::IdentityTransform, gossipsub::MaxCountSubscriptionFilter<TopicBounds>>;

/// What a connection reports. Its type has no other name outside of libp2p-gossipsub.
pub type FromHandler = THandlerOutEvent<Inner>;

/// What gossipsub tells the swarm.
pub type Report = ToSwarm<gossipsub::Event, THandlerInEvent<Inner>>;

/// Which topics a remote may subscribe to: any, if the name is short enough to be remembered.
#[derive(Debug, Clone, Copy)]
pub struct TopicBounds {
    /// Longest topic in bytes.
    pub topic_bytes_max: usize,
}

impl gossipsub::TopicSubscriptionFilter for TopicBounds {
    fn can_subscribe(&mut self, topic: &gossipsub::TopicHash) -> bool {
        topic.as_str().len() <= self.topic_bytes_max
    }
}

/// gossipsub and its heartbeat.
pub struct Paced {
    inner: Inner,
    nobody: Option<PeerId>,
    /// Whether gossipsub may have something to report, and whether the end of that is marked.
    is_stirred: bool,
    is_marked: bool,
    /// Heartbeats at most, when the last one could run, and messages since then.
    beats: u64,
    beat_at: Instant,
    messages: u32,
    /// What is in gossipsub's cache since which heartbeat.
    cached: VecDeque<(u64, MessageId)>,
    /// And what is there only to be known.
    known: VecDeque<(u64, MessageId)>,
}

impl Paced {
    /// Takes a configured gossipsub.
    pub fn new(mut inner: Inner, now: Instant) -> Self {
        let nobody = PeerId::from_bytes(&NOBODY).ok();
        nobody.iter().for_each(|nobody| inner.blacklist_peer(nobody));
        Paced {
            inner,
            nobody,
            is_stirred: true,
            is_marked: false,
            beats: 0,
            beat_at: now,
            messages: 0,
            cached: VecDeque::new(),
            known: VecDeque::new(),
        }
    }

    /// gossipsub, to ask.
    pub fn inner(&self) -> &Inner {
        &self.inner
    }

    /// gossipsub, to do something.
    pub fn inner_mut(&mut self) -> &mut Inner {
        self.is_stirred = true;
        &mut self.inner
    }

    /// Lets the heartbeat run.
    pub fn beat(&mut self) {
        (self.beats, self.beat_at, self.messages) = (self.beats + 1, Instant::now(), 0);
        // It does when there is nothing to report.
        let _ = self.inner_mut().poll(&mut Context::from_waker(Waker::noop()));
    }

    /// What gossipsub has to report. Behind all of it something is put that we know again, and there we stop: beyond its
    /// reports its heartbeat would run.
    pub fn poll(&mut self) -> Poll<Report> {
        loop {
            if !self.is_marked && !self.is_stirred {
                if self.messages < GOSSIP_HEARTBEAT_MESSAGES
                    || self.beat_at.elapsed() < Duration::from_millis(GOSSIP_HEARTBEAT_MS)
                {
                    return Poll::Pending;
                }
                self.beat();
            }
            if !self.is_marked {
                let Some(nobody) = self.nobody else { return Poll::Pending };
                (self.is_stirred, self.is_marked) = (false, true);
                self.inner.add_explicit_peer(&nobody);
                self.inner.remove_explicit_peer(&nobody);
            }
            match self.inner.poll(&mut Context::from_waker(Waker::noop())) {
                // It dials whoever it is told to keep, and nobody else.
                Poll::Ready(ToSwarm::Dial { .. }) | Poll::Pending => self.is_marked = false,
                report => return report,
            }
        }
    }

    /// A message is in gossipsub's cache. The first leaves when there are too many.
    pub fn on_cached(&mut self, id: MessageId) {
        evict(&mut self.cached, GOSSIP_CACHED_MAX, self.beats, &mut self.inner, self.nobody);
        self.cached.push_back((self.beats, id));
    }

    /// So many messages are given to gossipsub.
    pub fn count(&mut self, messages: usize) {
        self.messages = self.messages.saturating_add(u32::try_from(messages).unwrap_or(u32::MAX));
    }

    /// What makes gossipsub wait no more for a message that it asked for: one with its id, from somebody who is not
    /// listened to. Without scoring it would wait for ever.
    pub fn forget(&self, id: MessageId) -> RawMessage {
        made_up(self.nobody, id)
    }

    /// What makes gossipsub know a message for a moment, so that it does not ask for it: one with its id, in a topic that
    /// nobody is in.
    pub fn know(&mut self, id: MessageId) -> RawMessage {
        // Where the message itself is in the cache it stays, and nothing comes beside it.
        if !self.cached.iter().any(|(_, cached)| *cached == id) {
            evict(&mut self.known, KNOWN_MAX, self.beats, &mut self.inner, self.nobody);
            self.known.push_back((self.beats, id.clone()));
        }
        made_up(None, id)
    }
}

/// Makes room in gossipsub's cache for one more. What was put there so many heartbeats ago has left it.
fn evict(cached: &mut VecDeque<(u64, MessageId)>, most: usize, beats: u64, inner: &mut Inner, nobody: Option<PeerId>) {
    while cached.front().is_some_and(|(since, _)| beats - since >= GOSSIP_HISTORY as u64) {
        cached.pop_front();
    }
    if cached.len() >= most
        && let (Some((_, id)), Some(nobody)) = (cached.pop_front(), nobody)
    {
        // What is ignored leaves the cache, and was handed on before.
        inner.report_message_validation_result(&id, &nobody, MessageAcceptance::Ignore);
    }
}

/// A message of ours to gossipsub alone.
fn made_up(source: Option<PeerId>, id: MessageId) -> RawMessage {
    let topic = TopicHash::from_raw(FORGET_TOPIC);
    RawMessage { source, data: id.0, sequence_number: None, topic, signature: None, key: None, validated: false }
}
