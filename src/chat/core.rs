//! The core: what the user asks and what the network brings, given to the parts that know. It only dispatches.
//!
//! One author can send as much as their connections let through: there is no bound per author here. A bound that
//! each peer applied by its own clock would make their histories differ, and one low enough to matter would stop
//! programs that exchange records. What a flood can take is bounded by the bytes read from each connection and by
//! the share of the history that other rooms keep.

use super::clock::Clock;
use super::history::History;
use super::message::{Content, ID_BYTES_MAX, Inbound, Line, Message, MessageId};
use super::room::{Kept, Place};
use super::seen::Seen;
use super::settings::Settings;
use super::verdict::{Reason, Refused, Verdict, check_nick};
use crate::base::meter::{Count, Meter};
use crate::base::time::Now;
use crate::wire::bounds::{ROOM_BYTES_MAX, TEXT_BYTES_MAX};
use crate::wire::frame::{Body, Frame, FrameBytes, Part};
use crate::wire::room::RoomName;

#[derive(Debug, Default)]
struct Counters {
    accepted: Count,
    published: Count,
    sealed: Count,
    duplicate: Count,
    not_joined: Count,
    malformed: Count,
    foreign: Count,
    ahead: Count,
    ahead_evicted: Count,
}

/// The rooms of one node.
#[derive(Debug)]
pub struct Core {
    own: MessageId,
    clock: Clock,
    synchronised: bool,
    seen: Seen,
    history: History,
    counters: Counters,
}

impl Core {
    /// A core in no room, for the node with that peer id (multihash bytes).
    pub fn new(settings: Settings, own_peer: &[u8]) -> Result<Self, Refused> {
        let Settings { rooms_max, history_messages_max, history_bytes_max, seen_max, build_unix_ms, seed } = settings;
        Ok(Self {
            own: MessageId::new(own_peer, 0).ok_or(Refused::PeerId)?,
            clock: Clock::new(build_unix_ms),
            synchronised: false,
            seen: Seen::new(seen_max, seed),
            history: History::new(rooms_max, history_messages_max, history_bytes_max),
            counters: Counters::default(),
        })
    }

    /// Joins a room: false if it is joined already.
    pub fn command_join(&mut self, room: &RoomName) -> Result<bool, Refused> {
        self.history.join(room).map_err(Refused::RoomsMax)
    }

    /// Leaves a room and forgets its messages.
    pub fn command_leave(&mut self, room: &RoomName) -> Result<(), Refused> {
        if self.history.leave(room) { Ok(()) } else { Err(Refused::NotJoined) }
    }

    /// Stamps and encodes a line of chat. Once gossipsub has sent it, [`Core::published`] keeps it.
    pub fn compose_text(
        &mut self,
        room: &RoomName,
        nick: &str,
        text: &str,
        now: Now,
    ) -> Result<(u64, FrameBytes), Refused> {
        check_nick(nick)?;
        if text.is_empty() {
            return Err(Refused::EmptyText);
        }
        self.compose(room, Body::Text { nick, text }, now)
    }

    /// Stamps and encodes a record. Once gossipsub has sent it, [`Core::published`] keeps it.
    pub fn compose_record(
        &mut self,
        room: &RoomName,
        kind: &str,
        bytes: &[u8],
        now: Now,
    ) -> Result<(u64, FrameBytes), Refused> {
        self.compose(room, Body::Record { kind, bytes }, now)
    }

    /// Keeps a message of our own. `None` if the room was left since, or the message is kept already.
    pub fn published<'a>(&mut self, room: &'a RoomName, frame: &'a [u8], now: Now) -> Option<Message<'a>> {
        let Frame { stamp, body } = Frame::decode(frame).ok()?;
        let id = MessageId::new(self.own.from(), stamp)?;
        self.history.room(room)?;
        let place = Place { stamp, id };
        // `from` is not read again: the id holds it.
        match self.keep(room, place, body, Inbound::new(&[], frame), now) {
            Verdict::Accepted(message) => {
                self.counters.published.tick();
                Some(message)
            }
            _ => None,
        }
    }

    /// Judges a message that gossipsub brought, and keeps it if it is new and good.
    pub fn handle_message<'a>(&mut self, room: &'a RoomName, inbound: Inbound<'a>, now: Now) -> Verdict<'a> {
        self.note_time(now);
        let verdict = match self.judge(room, &inbound, now) {
            Ok(None) => Verdict::Duplicate,
            Ok(Some((place, body))) => self.keep(room, place, body, inbound, now),
            Err(reason) => Verdict::Refused(reason),
        };
        self.count(&verdict);
        verdict
    }

    /// Checks a line for a room of other programs and stamps it: the stamp is its id here and does not travel. Once
    /// gossipsub has sent it, [`Core::published_to_others`] keeps it.
    pub fn compose_for_others(&mut self, room: &RoomName, text: &str, now: Now) -> Result<u64, Refused> {
        self.note_time(now);
        match text.len() {
            0 => Err(Refused::EmptyText),
            1..=TEXT_BYTES_MAX if !self.is_joined(room) => Err(Refused::NotJoined),
            1..=TEXT_BYTES_MAX => Ok(self.clock.stamp(now)?),
            _ => Err(Refused::TooLong(Part::Text)),
        }
    }

    /// Keeps a line of our own in a room of other programs. `None` if the room was left since, or it is kept already.
    pub fn published_to_others<'a>(
        &mut self,
        room: &'a RoomName,
        stamp: u64,
        data: &'a [u8],
        line: Line<'a>,
        now: Now,
    ) -> Option<Message<'a>> {
        let id = MessageId::new(self.own.from(), stamp)?;
        self.history.room(room)?;
        match self.keep_line(room, id, line, Inbound::new(&[], data), now) {
            Verdict::Accepted(message) => {
                self.counters.published.tick();
                Some(message)
            }
            _ => None,
        }
    }

    /// Keeps a message that gossipsub brought into a room of other programs, if it is new. It has no stamp: its place
    /// is its arrival, and its id is its author and gossipsub's sequence number.
    pub fn handle_line<'a>(
        &mut self,
        room: &'a RoomName,
        inbound: Inbound<'a>,
        line: Line<'a>,
        now: Now,
    ) -> Verdict<'a> {
        self.note_time(now);
        let verdict = match (self.is_joined(room), MessageId::new(inbound.from, inbound.seqno)) {
            (false, _) => Verdict::Refused(Reason::NotJoined),
            (_, None) => Verdict::Refused(Reason::BadAuthor),
            (true, Some(id)) => self.keep_line(room, id, line, inbound, now),
        };
        self.count(&verdict);
        verdict
    }

    /// Whether a message of ours, said at `said_ms` of our monotonic clock, has a stamp that has turned out to be wrong.
    pub fn is_off(&self, frame: &[u8], said_ms: u64, now: Now) -> bool {
        Frame::decode(frame).is_ok_and(|frame| self.clock.is_off(frame.stamp, said_ms, now))
    }

    /// Stamps a message of ours anew that nobody has but ourselves, and keeps it in the place of the former one. Gives
    /// the former id and the new frame.
    pub fn restamp(&mut self, room: &RoomName, frame: &[u8], now: Now) -> Result<(MessageId, FrameBytes), Refused> {
        let Frame { stamp: former, body } = Frame::decode(frame).map_err(|_| Refused::BadKind)?;
        let (stamp, anew) = self.compose(room, body, now)?;
        let id = |stamp| MessageId::new(self.own.from(), stamp).ok_or(Refused::PeerId);
        let (former, id) = (Place { stamp: former, id: id(former)? }, id(stamp)?);
        self.history.remove(room, &former);
        self.keep(room, Place { stamp, id }, body, Inbound::new(&[], &anew), now);
        Ok((former.id, anew))
    }

    /// The clock: what time it is, what others said of it, which stamps are given.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The clock, to tell it what others say and what the disk has taken.
    pub const fn clock_mut(&mut self) -> &mut Clock {
        &mut self.clock
    }

    /// The last `count` messages of a room, oldest first; none if it is not joined.
    pub fn history(&self, room: &RoomName, count: usize) -> impl Iterator<Item = Message<'_>> {
        self.history.last(room, count)
    }

    /// The kept message of a room with that id.
    pub fn find(&self, room: &RoomName, id: &MessageId) -> Option<Message<'_>> {
        self.history.find(room, id)
    }

    /// The joined rooms by name, with the number of messages kept of each.
    pub fn rooms(&self) -> impl Iterator<Item = (&RoomName, usize)> {
        self.history.rooms().map(|(name, room)| (name, room.messages()))
    }

    /// Whether a room is joined.
    pub fn is_joined(&self, room: &RoomName) -> bool {
        self.history.room(room).is_some()
    }

    /// Messages kept of a room.
    pub fn messages(&self, room: &RoomName) -> usize {
        self.history.room(room).map_or(0, super::room::Room::messages)
    }

    /// What happened how often, by name.
    pub fn counters(&self) -> [(&'static str, u64); 9] {
        let Counters { accepted, published, sealed, duplicate, .. } = &self.counters;
        let Counters { not_joined, malformed, foreign, ahead, ahead_evicted, .. } = &self.counters;
        [
            ("messages accepted", accepted.value()),
            ("messages published", published.value()),
            ("messages sealed, no key", sealed.value()),
            ("messages dropped: duplicate", duplicate.value()),
            ("messages dropped: room not joined", not_joined.value()),
            ("messages dropped: malformed", malformed.value()),
            ("messages dropped: other version", foreign.value()),
            ("messages dropped: stamp too far ahead", ahead.value()),
            ("messages forgotten: stamp too far ahead once the time was known", ahead_evicted.value()),
        ]
    }

    /// How full the bounded parts are, by the name of their limit.
    pub fn meters(&self) -> [(&'static str, Meter); 3] {
        [
            ("history_messages_max", self.history.messages()),
            ("history_bytes_max", self.history.bytes()),
            ("seen_max", self.seen.meter()),
        ]
    }

    fn count(&mut self, verdict: &Verdict<'_>) {
        let counters = &mut self.counters;
        match verdict {
            Verdict::Accepted(_) => &mut counters.accepted,
            Verdict::Sealed => &mut counters.sealed,
            Verdict::Duplicate => &mut counters.duplicate,
            Verdict::Refused(Reason::NotJoined) => &mut counters.not_joined,
            Verdict::Refused(Reason::Frame(error)) if error.is_foreign() => &mut counters.foreign,
            Verdict::Refused(Reason::Frame(_) | Reason::BadAuthor) => &mut counters.malformed,
            Verdict::Refused(Reason::Ahead(_)) => &mut counters.ahead,
        }
        .tick();
    }

    fn compose(&mut self, room: &RoomName, body: Body<'_>, now: Now) -> Result<(u64, FrameBytes), Refused> {
        self.note_time(now);
        if !self.is_joined(room) {
            return Err(Refused::NotJoined);
        }
        let stamp = self.clock.stamp(now)?;
        Ok((stamp, Frame { stamp, body }.to_bytes()?))
    }

    /// Where a good message belongs; `None` if it was handled before.
    fn judge<'a>(
        &mut self,
        room: &RoomName,
        inbound: &Inbound<'a>,
        now: Now,
    ) -> Result<Option<(Place, Body<'a>)>, Reason> {
        let kept = self.history.room(room).ok_or(Reason::NotJoined)?;
        let Frame { stamp, body } = Frame::decode(inbound.data)?;
        let id = MessageId::new(inbound.from, stamp).ok_or(Reason::BadAuthor)?;
        if self.seen.contains(&id.to_bytes()) {
            return Ok(None);
        }
        let place = Place { stamp, id };
        if kept.contains(&place) {
            return Ok(None);
        }
        self.clock.accept(stamp, now)?;
        Ok(Some((place, body)))
    }

    fn keep<'a>(
        &mut self,
        room: &'a RoomName,
        place: Place,
        body: Body<'a>,
        inbound: Inbound<'a>,
        now: Now,
    ) -> Verdict<'a> {
        let Inbound { data, seqno, signature, key, .. } = inbound;
        let Place { stamp, id } = place.clone();
        let time_known = self.clock.is_wall_time(stamp);
        let new = self.seen.insert(&id.to_bytes());
        let Some(content) = Content::of(body) else { return Verdict::Sealed };
        if !new || !self.history.insert(room, place, Kept::new(&inbound, None, now, time_known)) {
            return Verdict::Duplicate;
        }
        Verdict::Accepted(Message { room, id, stamp, time_known, content, received: now, data, seqno, signature, key })
    }

    fn keep_line<'a>(
        &mut self,
        room: &'a RoomName,
        id: MessageId,
        line: Line<'a>,
        inbound: Inbound<'a>,
        now: Now,
    ) -> Verdict<'a> {
        let Inbound { data, seqno, signature, key, .. } = inbound;
        // With the room: sequence numbers of others may be anything, also what is a stamp elsewhere.
        let mut seen = heapless::Vec::<u8, { ID_BYTES_MAX + ROOM_BYTES_MAX }>::new();
        // Both always fit: the capacity is their sum.
        let _ = seen.extend_from_slice(&id.to_bytes());
        let _ = seen.extend_from_slice(room.as_str().as_bytes());
        if !self.seen.insert(&seen) {
            return Verdict::Duplicate;
        }
        let stamp = self.clock.arrival(now);
        let time_known = self.clock.is_wall_time(stamp);
        let place = Place { stamp, id };
        if !self.history.insert(room, place, Kept::new(&inbound, Some(line), now, time_known)) {
            return Verdict::Duplicate;
        }
        let content = Content::of_line(line);
        Verdict::Accepted(Message { room, id, stamp, time_known, content, received: now, data, seqno, signature, key })
    }

    /// Once our own clock is vouched for, what was believed without it and cannot be true is let go: it would be the
    /// newest for years and never leave.
    fn note_time(&mut self, now: Now) {
        if now.is_synchronised() && !self.synchronised {
            self.clock.on_synchronised(now);
            let evicted = self.history.evict_beyond(self.clock.ceiling(now));
            self.counters.ahead_evicted.add(evicted as u64);
        }
        self.synchronised = now.is_synchronised();
    }
}

#[cfg(test)]
mod tests;
