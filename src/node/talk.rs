//! Talking: rooms joined and left, lines and records said and heard.

use super::{
    authors::Authors,
    command::{Answer, Sent},
    event::{Event, MessageEvent, RecordEvent},
    handle::Refused,
    others,
    state::Node,
};
use crate::{
    chat::{
        clock::Ahead,
        message::{Content, Inbound, Message},
        verdict::{Acceptance, Reason, Verdict},
    },
    gossip::{self, Signed, TopicIndex},
    wire::{frame::Frame, room::RoomName, rpc::Strict},
};
use libp2p::PeerId;
use std::time::{Duration, Instant};

/// How long a peer is connected until all that it says comes from itself, too, and in order (milliseconds): before, others
/// may offer us what it said earlier. Guess: a few heartbeats.
const OWN_COPY_MS: u64 = 5_000;

/// A sentence for the user.
pub(super) fn refuse(error: impl std::fmt::Display) -> Refused {
    Refused(error.to_string())
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS[usize::from(nibble & 15)];
    let digits = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]);
    let mut text = Vec::with_capacity(2 * bytes.len());
    digits.for_each(|digit| text.push(digit));
    String::from_utf8(text).unwrap_or_default()
}

/// What lower- or upper-case hex says.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = Vec::with_capacity(pairs.len());
    for [high, low] in pairs {
        bytes.push(nibble(*high)? << 4 | nibble(*low)?);
    }
    rest.is_empty().then_some(bytes)
}

/// A wall time in words.
pub(super) fn rfc3339(unix_ms: u64) -> Option<String> {
    jiff::Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok().map(|time| time.to_string())
}

/// What gossip is to do with a message.
pub(super) fn acceptance(verdict: &Verdict<'_>) -> gossip::Verdict {
    match verdict.acceptance() {
        Acceptance::Accept => gossip::Verdict::Accept,
        Acceptance::Ignore => gossip::Verdict::Ignore,
        Acceptance::Reject => gossip::Verdict::Reject,
    }
}

/// A signed message as the core takes it.
fn inbound(message: &Signed) -> Inbound<'_> {
    let Strict { from, seqno, data, signature, key, .. } = message.strict();
    Inbound { from, seqno, data, signature, key }
}

/// A message as an event.
pub(super) fn event_of(message: &Message<'_>, authors: &mut Authors) -> Event {
    let from = authors.text(message.id.from());
    let time = message.unix_ms().and_then(rfc3339);
    let (room, id, stamp) = (message.room.as_str().to_owned(), message.id.to_string(), message.stamp);
    match &message.content {
        Content::Text { nick, text } => {
            let (nick, text) = (nick.as_str().to_owned(), text.to_string());
            let via = others::via(message.room).map(str::to_owned);
            Event::Message(MessageEvent { room, id, from, nick, text, stamp, time, via })
        }
        Content::Record { kind, bytes } => {
            Event::Record(RecordEvent { room, id, from, kind: (*kind).to_owned(), data: hex(bytes), stamp, time })
        }
    }
}

impl Node {
    /// The room a command means: the named one if joined, else the first.
    pub(super) fn room(&self, name: Option<&str>) -> Result<RoomName, Refused> {
        let Some(name) = name else {
            return self.rooms.first().cloned().ok_or_else(|| refuse("no room is joined; join one first"));
        };
        let joined = self.rooms.iter().find(|room| room.as_str() == name);
        joined.cloned().ok_or_else(|| refuse(format!("the room {name:?} is not joined; join it first")))
    }

    pub(super) fn join(&mut self, name: &str) -> Result<(), Refused> {
        let room = others::room_name(name).map_err(refuse)?;
        if self.rooms.contains(&room) {
            return Ok(());
        }
        let (topic, profile) = others::topic(&room);
        if let Some(same) = self.rooms.iter().find(|joined| others::topic(joined).0 == topic) {
            return Err(refuse(format!("{same} is the same room by another name: leave it first")));
        }
        self.core.command_join(&room).map_err(refuse)?;
        // Those who are in it already are told of as events.
        let topic = self.swarm.behaviour_mut().gossip.join(&topic, profile);
        self.topics.insert(topic, room.clone());
        for (namespace, key) in others::namespaces(&room) {
            self.rendezvous.join(&namespace, key, Instant::now());
        }
        self.rooms.push(room.clone());
        self.admission.on_own_topic(room.as_str(), true);
        self.on_joined_others(&room);
        self.update_stage();
        Ok(())
    }

    pub(super) fn leave(&mut self, name: &str) -> Result<(), Refused> {
        let room = self.room(Some(name))?;
        self.admission.on_own_topic(room.as_str(), false);
        if let Some(topic) = self.topics.remove(&room) {
            self.swarm.behaviour_mut().gossip.leave(topic);
        }
        self.core.command_leave(&room).map_err(refuse)?;
        self.rooms.retain(|joined| *joined != room);
        self.update_direct();
        for (namespace, key) in others::namespaces(&room) {
            // Two rooms can be looked for under one name.
            if !self.rooms.iter().any(|joined| others::namespaces(joined).iter().any(|(other, _)| *other == namespace))
            {
                self.swarm.behaviour_mut().dht.stop_providing(&key);
                self.rendezvous.leave(&namespace);
            }
        }
        self.outbox.forget(&room);
        let peers: Vec<PeerId> = self.peers.all_connected().map(|(peer, _)| *peer).collect();
        for peer in peers {
            if let Some(connected) = self.peers.connected_mut(&peer) {
                connected.rooms.remove(room.as_str());
            }
        }
        self.update_stage();
        Ok(())
    }

    pub(super) async fn send(&mut self, room: Option<&str>, text: &str) -> Result<Answer, Refused> {
        let room = self.room(room)?;
        if let Some(theirs) = others::of(&room) {
            return self.send_to_others(room, &theirs, text);
        }
        let now = self.now();
        let (stamp, frame) = self.core.compose_text(&room, &self.nick, text, now).map_err(refuse)?;
        self.publish(room, stamp, &frame).await
    }

    pub(super) async fn record(&mut self, room: Option<&str>, kind: &str, data: &str) -> Result<Answer, Refused> {
        let room = self.room(room)?;
        if room.is_others() {
            return Err(refuse(format!(
                "{room} is a room of other programs, and takes text only: records need one of ours"
            )));
        }
        let bytes = unhex(data).ok_or_else(|| refuse("the data of a record is hex: two digits a byte"))?;
        let now = self.now();
        let (stamp, frame) = self.core.compose_record(&room, kind, &bytes, now).map_err(refuse)?;
        self.publish(room, stamp, &frame).await
    }

    async fn publish(&mut self, room: RoomName, stamp: u64, frame: &[u8]) -> Result<Answer, Refused> {
        let sent = self.hand_out_or_keep(&room, stamp, frame)?;
        if self.requests.is_empty() {
            // The connections send it while we tell of it. Where more is to be said, it goes out together.
            smol::future::yield_now().await;
        }
        let now = self.now();
        let event = self.core.published(&room, frame, now).map(|message| event_of(&message, &mut self.authors));
        self.tell_sent(&room, event, sent)
    }

    /// Tells everyone of a message of ours.
    pub(super) fn tell_sent(&mut self, room: &RoomName, event: Option<Event>, sent: bool) -> Result<Answer, Refused> {
        let event = event.ok_or_else(|| refuse("the message is in the history already"))?;
        let (id, stamp) = match &event {
            Event::Message(message) => (message.id.clone(), message.stamp),
            Event::Record(record) => (record.id.clone(), record.stamp),
            _ => (String::new(), 0),
        };
        self.twin.on_own_line(stamp);
        self.emit(event);
        // Who has not said hello yet hears it as well.
        let peers = if sent { self.peers.in_room(room.as_str()).max(1) as u32 } else { 0 };
        let (waiting, away) = (self.outbox.waiting(room) as u32, self.outbox.away(room) as u32);
        Ok(Answer::Sent(Sent { id, peers, waiting, away }))
    }

    /// A peer is in a room of ours.
    pub(super) fn on_member(&mut self, peer: PeerId, room: &RoomName) {
        self.peers.note_shares(&peer, true);
        let Some(connected) = self.peers.connected_mut(&peer) else { return };
        if connected.rooms.insert(room.as_str().to_owned()) {
            self.emit(Event::Joined { peer: peer.to_base58(), room: room.as_str().to_owned() });
        }
        self.flush_outbox(Instant::now());
        self.update_stage();
    }

    /// A peer left a room of ours.
    pub(super) fn on_member_left(&mut self, peer: PeerId, topic: TopicIndex) {
        let Some(room) = self.topics.room(topic) else { return };
        self.greetings.forget_room(&peer, &room);
        let Some(connected) = self.peers.connected_mut(&peer) else { return };
        if connected.rooms.remove(room.as_str()) {
            self.emit(Event::Left { peer: peer.to_base58(), room: room.as_str().to_owned() });
        }
        self.outbox.on_left(&peer, &room, Instant::now());
        self.update_stage();
    }

    /// Whether all that a peer says in a room it says to us, too, for a while now: a peer of our kind that is connected.
    fn says_to_us(&self, peer: &PeerId, room: &RoomName, now: Instant) -> bool {
        let connected = self.peers.connected(peer).filter(|_| self.greetings.speaks(peer));
        connected.is_some_and(|it| {
            it.rooms.contains(room.as_str())
                && now.saturating_duration_since(it.since) >= Duration::from_millis(OWN_COPY_MS)
        })
    }

    /// A message came. What gossip is told decides whether it travels on and whether its bringer is penalised.
    pub(super) fn on_message(
        &mut self,
        topic: TopicIndex,
        message: &Signed,
        bringer: PeerId,
        was_asked: bool,
    ) -> gossip::Verdict {
        let Some(room) = self.topics.room(topic) else { return gossip::Verdict::Ignore };
        let inbound = inbound(message);
        let Ok(source) = PeerId::from_bytes(inbound.from) else { return gossip::Verdict::Reject };
        // What we said in an earlier run, or on another machine.
        if source == *self.swarm.local_peer_id() {
            self.on_own_heard(&room, inbound.data);
            return gossip::Verdict::Ignore;
        }
        if let Some(theirs) = others::of(&room) {
            return self.on_line(&room, &theirs, source, inbound);
        }
        // What an author says of itself comes in order, but not what it is asked for.
        let (is_own, now, at) = (source == bringer && !was_asked, self.now(), Instant::now());
        let verdict = self.core.handle_message(&room, inbound, now);
        let acceptance = acceptance(&verdict);
        match verdict {
            Verdict::Accepted(message) => {
                if let (Content::Text { nick, .. }, Some(connected)) =
                    (&message.content, self.peers.connected_mut(&source))
                {
                    connected.nick = nick.as_str().to_owned();
                }
                let (stamp, event) = (message.stamp, event_of(&message, &mut self.authors));
                if !is_own && self.says_to_us(&source, &room, at) {
                    self.holdback.on_overtaken(source);
                }
                let shown = self.holdback.on_line(&source, is_own, stamp, event, at);
                shown.into_iter().for_each(|event| self.hub.emit(event));
            }
            Verdict::Duplicate if is_own => {
                if let Ok(frame) = Frame::decode(message.strict().data) {
                    let shown = self.holdback.on_own(&source, frame.stamp, at);
                    shown.into_iter().for_each(|event| self.hub.emit(event));
                }
            }
            Verdict::Refused(reason) => {
                log::debug!("a message of {source} dropped in {room}: {reason}");
                if let Reason::Ahead(Ahead { by_ms }) = reason {
                    self.refuse_ahead(source, bringer, by_ms);
                }
            }
            Verdict::Sealed | Verdict::Duplicate => {}
        }
        acceptance
    }
}
