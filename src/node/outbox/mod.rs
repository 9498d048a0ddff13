//! Floor 5. Stands on: base, wire, net.
//!
//! Lines of ours until they have arrived: those that wait, because nobody is in their room or nobody there reads as fast as
//! we talk, and those handed out that somebody may not have.
//!
//! A line has arrived at a peer when something shows that the peer lives, and what shows it was asked for after the line was
//! handed out on the same connection. When a connection dies, what was handed out since counts as unsent for that peer: it is
//! said again when the peer is back in the room, in order. It is the same frame, so that whoever had it counts it once. In
//! the rooms of other programs a line said again would be another one, so there it is kept only until it is handed out.
//!
//! A line never overtakes another one of its room. What is full refuses; what nobody has is never dropped unseen. Nothing here
//! reads a clock or sends anything.

mod line;
mod marks;
mod reader;
mod spool;

pub use self::{
    line::{LINE_BYTES, Line},
    marks::{MARK_MS, MARKS_MAX},
    reader::{AWAY_MS_MAX, CATCH_UP_MS, CATCH_UP_MS_MAX, HOLD_UP_MS_MAX, TRUST_MS},
    spool::{RECENT_MAX, RECENT_MS, REPEAT_DELAY_MS, REUNION_MS_MAX, SLOW_MS, TOGETHER_MS},
};
use self::{reader::Standing, spool::Spool};
use super::command::{Owed, Queue};
use crate::{
    base::{board::Limits, meter::Meter},
    wire::{bounds::FRAME_BYTES_MAX, room::RoomName},
};
use libp2p::PeerId;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Milliseconds after which lines are tried again that everyone present was too slow for.
pub const OUTBOX_RETRY_MS: u64 = 250;
/// Lines of one room handed out in one turn (lines), so that the connections can send them before the next. Guess: half
/// of the shortest queue of a connection.
pub const OUTBOX_TURN_LINES_MAX: usize = 64;
/// Pause before the next turn (milliseconds). Guess: a signature takes a small board one.
pub const OUTBOX_TURN_MS: u64 = 20;
/// How long after a line was handed out a ping begins that shows whether it arrived (milliseconds): under steady traffic one
/// ping serves all lines of that time. Guess: cheap, and a few seconds are all that is ever uncertain.
pub const PROBE_MS: u64 = 2_000;
/// Of what a connection's queue holds, one part in this many may be lines of ours that may not have arrived. The rest is for
/// what others say and we hand on.
pub const UNDER_WAY_SHARE: u64 = 2;

/// Why a line cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// So many lines are kept that nobody has.
    #[error("{0} lines wait already (outbox_lines_max)")]
    Lines(u32),
    /// So many bytes.
    #[error("{0} bytes wait already (outbox_bytes_max)")]
    Bytes(u32),
}

/// The lines, by room.
#[derive(Debug)]
pub struct Outbox {
    rooms: BTreeMap<RoomName, Spool>,
    lines_max: u32,
    bytes_max: u32,
    under_way_max: u64,
    /// Lines that wait in the room where most do.
    waiting: Meter,
    given_up: u64,
    said_again: u64,
    /// When lines are tried next that everyone present was too slow for.
    retry: Instant,
}

impl Outbox {
    /// Nothing was said yet. The limits are for each room.
    pub fn new(limits: &Limits, now: Instant) -> Self {
        Outbox {
            rooms: BTreeMap::new(),
            lines_max: limits.outbox_lines_max,
            bytes_max: limits.outbox_bytes_max.max(FRAME_BYTES_MAX as u32 + LINE_BYTES as u32),
            under_way_max: (u64::from(limits.gossip_queue_messages_max) / UNDER_WAY_SHARE).max(1),
            waiting: Meter::new(limits.outbox_lines_max as usize),
            given_up: 0,
            said_again: 0,
            retry: now,
        }
    }

    /// Adds a line to a room: it waits.
    pub fn push(&mut self, room: &RoomName, stamp: u64, data: &[u8], now: Instant) -> Result<(), Full> {
        let bytes = data.len() + LINE_BYTES;
        let spool = self.rooms.entry(room.clone()).or_default();
        spool.trim(now);
        loop {
            let full = match () {
                () if spool.len() >= self.lines_max as usize => Full::Lines(self.lines_max),
                () if spool.bytes() + bytes > self.bytes_max as usize => Full::Bytes(self.bytes_max),
                () => break,
            };
            match spool.evict() {
                Some(is_owed) => self.given_up += u64::from(is_owed),
                None => {
                    self.waiting.dropped();
                    return Err(full);
                }
            }
        }
        spool.push(stamp, data, now);
        self.retry = now + Duration::from_millis(OUTBOX_RETRY_MS);
        self.note_waiting();
        Ok(())
    }

    /// Takes back the line that was added last.
    pub fn take_back(&mut self, room: &RoomName) {
        self.spool(room, Spool::pop_back);
    }

    /// Forgets a room.
    pub fn forget(&mut self, room: &RoomName) {
        self.rooms.remove(room);
        self.note_waiting();
    }

    /// Forgets what everybody has, and those who do not come back.
    pub fn trim(&mut self, now: Instant) {
        self.rooms.values_mut().for_each(|spool| spool.trim(now));
    }

    /// The line of a room to hand out now, if it is not to wait.
    pub fn next(&mut self, room: &RoomName, now: Instant) -> Option<&Line> {
        self.rooms.get_mut(room)?.next(self.under_way_max, now)
    }

    /// That line was handed out to everyone who is in the room.
    pub fn on_handed(&mut self, room: &RoomName, now: Instant) {
        let Some(spool) = self.rooms.get_mut(room) else { return };
        self.said_again += u64::from(spool.on_handed(now));
        if room.is_others() {
            spool.forget_handed();
        }
        self.note_waiting();
    }

    /// That line can never be handed out.
    pub fn on_refused(&mut self, room: &RoomName, now: Instant) {
        self.spool(room, |spool| spool.on_refused(now));
    }

    /// Changes lines that nobody can have, by room and the oldest first, given when each was stamped. Where `change` gives
    /// nothing they stay.
    pub fn change(
        &mut self,
        now: Instant,
        mut change: impl FnMut(&RoomName, &[u8], Instant) -> Option<(u64, Box<[u8]>)>,
    ) {
        for (room, spool) in &mut self.rooms {
            spool.change(now, |data, stamped| change(room, data, stamped));
        }
    }

    /// Whether `is` holds for a line that nobody can have.
    pub fn any(&self, is: impl Fn(&RoomName, &[u8], Instant) -> bool) -> bool {
        self.rooms.iter().any(|(room, spool)| spool.unsaid().any(|(data, stamped)| is(room, data, stamped)))
    }

    /// Rooms that lines wait for. They are tried now, and next after a while.
    pub fn start_round(&mut self, now: Instant) -> Vec<RoomName> {
        self.retry = now + Duration::from_millis(OUTBOX_RETRY_MS);
        self.rooms.iter().filter(|(_, spool)| spool.waiting() > 0).map(|(room, _)| room.clone()).collect()
    }

    /// There was more to hand out than one turn takes.
    pub fn go_on_soon(&mut self, now: Instant) {
        self.retry = now + Duration::from_millis(OUTBOX_TURN_MS);
    }

    /// When something is to be done. Lines for an empty room wait for somebody to come instead.
    pub fn next_due(&self, is_peopled: impl Fn(&RoomName) -> bool) -> Option<Instant> {
        let waits = |(room, spool): (&RoomName, &Spool)| {
            let retry = (spool.waiting() > 0 && is_peopled(room)).then_some(self.retry);
            spool.reunion_due().or(retry).into_iter().chain(spool.repeat_due()).chain(spool.trust_due()).min()
        };
        self.rooms.iter().filter_map(waits).min()
    }

    /// A peer is in a room, on a connection on which it was not before.
    pub fn on_entered(&mut self, peer: PeerId, room: &RoomName, now: Instant) {
        if !room.is_others() {
            self.rooms.entry(room.clone()).or_default().on_entered(peer, now);
            self.note_waiting();
        }
    }

    /// A peer has left a room.
    pub fn on_left(&mut self, peer: &PeerId, room: &RoomName, now: Instant) {
        self.spool(room, |spool| spool.on_left(peer, now));
    }

    /// A peer's connection died: the stamps of what may not have arrived, by room.
    pub fn on_lost(&mut self, peer: &PeerId, now: Instant) -> Vec<(RoomName, Vec<u64>)> {
        let lost = self.rooms.iter_mut().map(|(room, spool)| (room.clone(), spool.on_lost(peer, now)));
        let lost = lost.filter(|(_, stamps)| !stamps.is_empty()).collect();
        self.note_waiting();
        lost
    }

    /// A peer lives, and has what was handed out before this time. Whether something is to be said again.
    pub fn on_confirmed(&mut self, peer: &PeerId, before: Instant, now: Instant) -> bool {
        let mut is_again = false;
        self.rooms.values_mut().for_each(|spool| is_again |= spool.on_confirmed(peer, before, now));
        self.note_waiting();
        is_again
    }

    /// A peer lives, and that says nothing of what it has.
    pub fn on_answered(&mut self, peer: &PeerId) {
        self.rooms.values_mut().for_each(|spool| spool.on_answered(peer));
    }

    /// Some of what was handed out was dropped, for a peer is too slow.
    pub fn on_slow(&mut self, peer: &PeerId, now: Instant) {
        self.rooms.values_mut().for_each(|spool| spool.on_slow(peer, now));
    }

    /// A peer knows no ping: it is believed to have what was handed out before `begun`, after a while.
    pub fn on_no_ping(&mut self, peer: &PeerId, begun: Instant, now: Instant) {
        self.rooms.values_mut().for_each(|spool| spool.on_no_ping(peer, begun, now));
    }

    /// Does what it is time for, but for lines: those who came are to be told what was said last, and those without ping have
    /// what they were handed. Whether there is something to say again.
    pub fn do_due(&mut self, now: Instant) -> bool {
        let mut is_again = false;
        for spool in self.rooms.values_mut() {
            spool.end_reunion(now);
            is_again |= spool.repeat(now) | spool.trust(now);
        }
        self.note_waiting();
        is_again
    }

    /// Whom to ask for a sign of life, each with the time at which to do so.
    pub fn probes(&mut self, now: Instant) -> Vec<(PeerId, Instant)> {
        let (soon, many) = (now + Duration::from_millis(PROBE_MS), self.under_way_max.div_ceil(2));
        self.rooms.values_mut().flat_map(|spool| spool.probes(soon, many, now)).collect()
    }

    /// Lines that wait for a room.
    pub fn waiting(&self, room: &RoomName) -> usize {
        self.rooms.get(room).map_or(0, Spool::waiting)
    }

    /// Lines of a room that are kept.
    pub fn kept(&self, room: &RoomName) -> usize {
        self.rooms.get(room).map_or(0, Spool::len)
    }

    /// Peers of a room whose connection died and who are to get lines when they are back.
    pub fn away(&self, room: &RoomName) -> usize {
        let is_away = |standing, lines| matches!(standing, Standing::Away(_)) && lines > 0;
        let owed = self.rooms.get(room).into_iter().flat_map(Spool::owed);
        owed.filter(|(_, reader, lines)| is_away(reader.standing, *lines)).count()
    }

    /// Which lines wait, and for whom.
    pub fn owed(&self) -> Vec<Owed> {
        let mut all = Vec::new();
        for (room, spool) in &self.rooms {
            let mut note = |peer: Option<&PeerId>, lines| {
                let (room, peer) = (room.as_str().to_owned(), peer.map(|peer| peer.to_base58()));
                all.push(Owed { room, peer, lines });
            };
            if spool.waiting() > 0 {
                note(None, spool.waiting() as u32);
            }
            for (peer, reader, lines) in spool.owed() {
                if !reader.keeps_up() && lines > 0 {
                    note(Some(peer), lines as u32);
                }
            }
        }
        all
    }

    /// Lines that somebody did not get, because the room was full of later ones.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Lines handed out more than once, each time counted.
    pub fn said_again(&self) -> u64 {
        self.said_again
    }

    /// As a line of `status --tasks`.
    pub fn describe(&self) -> Queue {
        Queue {
            name: "outbox".into(),
            from: "node".into(),
            to: "node".into(),
            overflow: "refuse".into(),
            length: self.waiting.length as u32,
            capacity: self.waiting.capacity as u32,
            high_water: self.waiting.high_water as u32,
            drops: self.waiting.drops,
        }
    }

    fn spool(&mut self, room: &RoomName, change: impl FnOnce(&mut Spool)) {
        if let Some(spool) = self.rooms.get_mut(room) {
            change(spool);
            self.note_waiting();
        }
    }

    fn note_waiting(&mut self) {
        self.waiting.note(self.rooms.values().map(Spool::waiting).max().unwrap_or(0));
    }
}

#[cfg(test)]
mod tests;
