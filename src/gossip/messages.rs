//! Messages: taken once, handed on, offered, asked for.

use super::asked::Asked;
use super::context::Context;
use super::input::Verdict;
use super::message::{Key, Signed};
use super::output::{Output, PublishError};
use super::peer::{PeerIndex, PeerSet, Protocol};
use super::peers::Allowance;
use super::queue::{Frame, Kind};
use super::seen::Seen;
use super::settings::{BAD_MESSAGE, LOST_MS, Settings, TAKEN_MAX, UNWANTED_BYTES_MIN};
use super::store::{Entry, Store};
use super::topic::{TopicIndex, Topics};
use crate::base::{bucket::Bucket, hash::siphash};
use crate::wire::rpc::{List, Part, bounds::ID_BYTES_MAX};
use core::time::Duration;

/// What was not taken so far, by its reason.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Refusals {
    /// Messages that were here before.
    pub seen: u64,
    /// Messages above the number that is taken in a moment.
    pub too_many: u64,
    /// Everything of peers that misbehaved.
    pub offenders: u64,
    /// Control messages, ids in them and subscriptions that ask too much.
    pub control: u64,
}

/// What went by offers and requests instead of the mesh.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Messages that we asked for, each as often as we did.
    pub asked: u64,
    /// Messages that others asked us for and were sent.
    pub given: u64,
}

/// Whether a message is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    New,
    Known,
}

/// How one peer gets a message.
enum Way {
    Send,
    Offer,
    /// At the next heartbeats.
    Later,
}

/// All messages.
#[derive(Debug)]
pub(super) struct Messages {
    key: [u64; 2],
    pub store: Store,
    pub seen: Seen,
    pub asked: Asked,
    taken: Bucket,
    pub refused: Refusals,
    pub recovery: Recovery,
}

impl Messages {
    pub(super) fn new(settings: &Settings, now: u64) -> Self {
        let at = Duration::from_millis(now);
        Self {
            key: settings.seed,
            store: Store::new(settings.store_messages_max, settings.store_bytes_max),
            seen: Seen::new(settings.seen_max),
            asked: Asked::new(),
            taken: Bucket::new(TAKEN_MAX, TAKEN_MAX, Duration::from_millis(100), at),
            refused: Refusals::default(),
            recovery: Recovery::default(),
        }
    }

    pub(super) fn key(&self, id: &[u8]) -> Key {
        Key(siphash(self.key, id))
    }

    /// A peer brought a message: the one check whether it was here before. If it was, the peer has it, and shows that it
    /// takes part.
    pub(super) fn arrive(
        &mut self,
        peer: PeerIndex,
        topic: TopicIndex,
        id: &[u8],
        topics: &mut Topics,
        now: u64,
    ) -> Arrival {
        let key = self.key(id);
        let by_content = topics.find(topic).is_some_and(|topic| topic.by_content);
        if !self.seen.contains(key, by_content, now) {
            return Arrival::New;
        }
        self.refused.seen += 1;
        if let Some(entry) = self.store.find(key).filter(|entry| entry.topic == topic)
            && entry.has.insert(peer)
            && let Some(member) = topics.member(topic, peer)
        {
            member.on_sign_of_life();
            if entry.sent.contains(peer) {
                member.on_crossed();
            }
        }
        Arrival::Known
    }

    /// Whether a new message may be looked at now: there may be too many.
    pub(super) fn take(&mut self, now: u64) -> bool {
        let taken = self.taken.take(1, Duration::from_millis(now));
        self.refused.too_many += u64::from(!taken);
        taken
    }

    /// A message with a good signature.
    pub(super) fn receive(
        &mut self,
        peer: PeerIndex,
        topic: TopicIndex,
        id: &[u8],
        message: Signed,
        topics: &mut Topics,
        cx: &mut Context<'_>,
    ) {
        if topics.find(topic).is_none()
            || id.len() > ID_BYTES_MAX
            || self.arrive(peer, topic, id, topics, cx.now) == Arrival::Known
        {
            return;
        }
        let mut entry = self.entry(topic, id, message.clone(), cx);
        entry.has.insert(peer);
        entry.from = Some(peer);
        self.seen.insert(entry.key, topics.find(topic).is_some_and(|topic| topic.by_content), cx.now);
        let was_asked = self.asked.on_arrived(entry.key);
        if message.bytes().len() >= UNWANTED_BYTES_MIN {
            let ids = [id];
            for member in topics.find(topic).into_iter().flat_map(|topic| topic.members()) {
                let knows = cx.peers.find(member.peer).and_then(|peer| peer.protocol) == Some(Protocol::V12);
                if member.in_mesh && knows && !entry.has.contains(member.peer) {
                    cx.out.say(member.peer, Kind::Control, &[Part::IDontWant { ids: List::ids(&ids) }]);
                }
            }
        }
        let key = entry.key;
        self.store.await_verdict(entry, cx.now);
        cx.out.push(Output::Deliver { from: peer, topic, key, message, was_asked });
    }

    /// A message as it is kept; its author and whoever said so have it.
    fn entry(&self, topic: TopicIndex, id: &[u8], message: Signed, cx: &Context<'_>) -> Entry {
        let (key, mut has) = (self.key(id), PeerSet::default());
        let from = message.strict().from;
        for (index, peer) in cx.peers.iter().filter(|(_, peer)| *peer.id == *from || peer.has_unwanted(key)) {
            let _ = (has.insert(index), peer);
        }
        let author = siphash(self.key, from) as u32;
        let sent = PeerSet::default();
        Entry {
            key,
            serial: 0,
            topic,
            id: id.into(),
            message,
            author,
            is_own: false,
            from: None,
            has,
            sent,
            at: cx.now,
        }
    }

    /// What is to become of a message that was delivered. True if a heartbeat is needed.
    pub(super) fn judge(&mut self, key: Key, verdict: Verdict, topics: &mut Topics, cx: &mut Context<'_>) -> bool {
        let Some(mut entry) = self.store.take_pending(key) else { return false };
        let from = entry.from.take();
        match verdict {
            Verdict::Ignore => false,
            Verdict::Reject => {
                from.into_iter().for_each(|from| cx.offend(from, BAD_MESSAGE));
                false
            }
            Verdict::Accept => {
                if let Some(member) = from.and_then(|from| topics.member(entry.topic, from)) {
                    member.on_first(cx.now);
                    member.on_sign_of_life();
                }
                self.spread(entry, Kind::Forwarded, topics, cx).1
            }
        }
    }

    /// Says something of our own. True if a heartbeat is needed.
    pub(super) fn publish(
        &mut self,
        topic: TopicIndex,
        id: &[u8],
        message: Signed,
        topics: &mut Topics,
        cx: &mut Context<'_>,
    ) -> bool {
        let key = self.key(id);
        let by_content = topics.find(topic).map(|topic| topic.by_content);
        let refused = match by_content {
            None => Some(PublishError::NotJoined),
            Some(true) if self.seen.contains(key, true, cx.now) => Some(PublishError::Duplicate),
            Some(_) => None,
        };
        if let Some(why) = refused {
            cx.out.push(Output::Published { topic, result: Err(why) });
            return false;
        }
        // What is said again goes to those whom it did not reach.
        let kept = if by_content == Some(false) { self.store.take(key) } else { None };
        let entry = kept.unwrap_or_else(|| self.entry(topic, id, message, cx));
        self.seen.insert(key, by_content == Some(true), cx.now);
        let (reached, needs_beat) = self.spread(Entry { from: None, is_own: true, ..entry }, Kind::Own, topics, cx);
        cx.out.push(Output::Published { topic, result: Ok(reached) });
        needs_beat
    }

    /// Keeps a message and hands it on to everybody in its topic who may lack it, each in its way. Says to how many it is
    /// sent, and whether a heartbeat is needed for the others.
    fn spread(&mut self, mut entry: Entry, kind: Kind, topics: &mut Topics, cx: &mut Context<'_>) -> (usize, bool) {
        let (mut reached, mut needs_beat) = (0, false);
        let serial = self.store.next_serial();
        let Some(topic) = topics.find_mut(entry.topic) else { return (0, false) };
        let frame = frame_of(&entry, kind);
        let is_long = entry.message.bytes().len() >= UNWANTED_BYTES_MIN;
        let (name, members) = topic.split();
        for member in members {
            let index = member.peer;
            let Some(peer) = cx.peers.find_mut(index).filter(|peer| peer.is_reachable()) else { continue };
            if entry.has.contains(index) || entry.sent.contains(index) {
                continue;
            }
            // An offer costs as much as a short message.
            let is_one_too_many = is_long && member.is_crossing();
            let is_asked = !member.in_mesh || member.is_unproven() || is_one_too_many;
            let is_offered = cx.mesh.is_earned && is_asked && !member.is_idle;
            let protocol = peer.protocol;
            let way = match protocol {
                Some(Protocol::Floodsub) => Way::Send,
                _ if kind == Kind::Own && cx.mesh.is_flooding => Way::Send,
                None => Way::Later,
                Some(_) if is_offered && peer.take(Allowance::SingleOffer, cx.now) => Way::Offer,
                Some(_) if member.in_mesh => Way::Send,
                Some(_) => Way::Later,
            };
            match way {
                Way::Send => {
                    entry.sent.insert(index);
                    member.on_sent(cx.now);
                    reached += 1;
                    // That a line of ours was lost on the first link of all, nobody else could make up for.
                    needs_beat |= entry.is_own && cx.mesh.is_earned;
                    cx.out.push(Output::Send { peer: index, frame: frame.clone() });
                }
                Way::Offer => {
                    member.on_offered(cx.now);
                    member.on_missed(serial);
                    let ids = [&*entry.id];
                    let offer = Part::IHave { topic: name, ids: List::ids(&ids) };
                    cx.out.say(index, Kind::Control, &[offer]);
                    needs_beat = true;
                }
                Way::Later => needs_beat = true,
            }
        }
        self.store.keep(entry, cx.now);
        (reached, needs_beat)
    }

    /// Hands one message to one peer.
    pub(super) fn forward(&mut self, peer: PeerIndex, id: &[u8], message: &Signed, cx: &mut Context<'_>) {
        let key = self.key(id);
        if cx.peers.find(peer).is_none_or(|peer| !peer.is_reachable()) {
            return;
        }
        if let Some(entry) = self.store.find(key) {
            entry.sent.insert(peer);
        }
        let author = siphash(self.key, message.strict().from) as u32;
        let frame = Frame { bytes: message.frame().clone(), kind: Kind::Forwarded, key: Some(key), author };
        cx.out.push(Output::Send { peer, frame });
    }

    /// What went out lately may not have reached a peer. True if a heartbeat is needed.
    pub(super) fn on_reset(&mut self, peer: PeerIndex, topics: &mut Topics, now: u64) -> bool {
        let mut needs_beat = false;
        for entry in self.store.iter_mut().filter(|entry| now < entry.at + LOST_MS) {
            entry.sent.remove(peer);
            if let Some(member) = topics.member(entry.topic, peer).filter(|_| !entry.is_pending()) {
                member.on_missed(entry.serial);
                needs_beat = true;
            }
        }
        needs_beat
    }

    /// A message did not get into a peer's queue. True if a heartbeat is needed.
    pub(super) fn on_dropped(&mut self, peer: PeerIndex, key: Key, topics: &mut Topics) -> bool {
        let Some(entry) = self.store.find(key) else { return false };
        entry.sent.remove(peer);
        let member = topics.member(entry.topic, peer).filter(|_| !entry.is_pending());
        member.map(|member| member.on_missed(entry.serial)).is_some()
    }

    /// A peer is gone: its number may be another one's.
    pub(super) fn on_gone(&mut self, peer: PeerIndex, now: u64) {
        for entry in self.store.iter_mut() {
            entry.has.remove(peer);
            entry.sent.remove(peer);
            entry.from = entry.from.filter(|from| *from != peer);
        }
        self.asked.on_gone(peer, now);
    }

    /// Somebody else is asked for what did not come.
    pub(super) fn ask_again(&mut self, cx: &mut Context<'_>) {
        while let Some((peer, id)) = self.asked.pop_due(cx.now) {
            self.recovery.asked += 1;
            let ids = [id];
            cx.out.say(peer, Kind::Control, &[Part::IWant { ids: List::ids(&ids) }]);
        }
    }
}

/// A message to be sent.
pub(super) fn frame_of(entry: &Entry, kind: Kind) -> Frame {
    Frame { bytes: entry.message.frame().clone(), kind, key: Some(entry.key), author: entry.author }
}
