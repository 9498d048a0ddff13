//! The messages of all rooms, bounded together by count and by bytes of memory.
//!
//! The oldest by (stamp, id) leaves first, whichever room it is in, but half of the bound is shared out evenly:
//! a room that holds no more than its share loses nothing to a busier one.

use super::message::{Message, MessageId};
use super::room::{Freed, Kept, Place, Room};
use crate::base::meter::Meter;
use crate::wire::room::RoomName;
use alloc::collections::BTreeMap;

/// Which part of the bound is shared out among the rooms that can be joined: one half. Guess: enough for a quiet
/// room to stay readable, and a busy one still gets the other half.
const SHARED_OUT: usize = 2;

/// All messages kept.
#[derive(Debug)]
pub struct History {
    rooms: BTreeMap<RoomName, Room>,
    rooms_max: usize,
    messages: Meter,
    bytes: Meter,
}

impl History {
    /// An empty history with its three bounds.
    pub const fn new(rooms_max: usize, messages_max: usize, bytes_max: usize) -> Self {
        Self { rooms: BTreeMap::new(), rooms_max, messages: Meter::new(messages_max), bytes: Meter::new(bytes_max) }
    }

    /// Opens a room: false if it was open. Gives the bound if no more rooms can be opened.
    pub fn join(&mut self, room: &RoomName) -> Result<bool, usize> {
        if self.rooms.contains_key(room) {
            return Ok(false);
        }
        if self.rooms.len() >= self.rooms_max {
            return Err(self.rooms_max);
        }
        self.rooms.insert(room.clone(), Room::default());
        Ok(true)
    }

    /// Closes a room and lets its messages go: false if it was not open.
    pub fn leave(&mut self, room: &RoomName) -> bool {
        let Some(room) = self.rooms.remove(room) else { return false };
        self.note_freed(Freed { messages: room.messages(), bytes: room.bytes() });
        true
    }

    /// The open rooms, by name.
    pub fn rooms(&self) -> impl Iterator<Item = (&RoomName, &Room)> {
        self.rooms.iter()
    }

    /// An open room.
    pub fn room(&self, name: &RoomName) -> Option<&Room> {
        self.rooms.get(name)
    }

    /// Keeps a message of an open room; false if it is kept already. It leaves at once if it is the oldest of a
    /// full history.
    pub fn insert(&mut self, room: &RoomName, place: Place, kept: Kept) -> bool {
        let Some(room) = self.rooms.get_mut(room) else { return false };
        if room.contains(&place) {
            return false;
        }
        self.messages.length += 1;
        self.bytes.length += kept.bytes();
        room.insert(place, kept);
        while self.messages.length > self.messages.capacity || self.bytes.length > self.bytes.capacity {
            let freed = self.evict_oldest();
            if freed.messages == 0 {
                break;
            }
            self.messages.dropped();
            self.note_freed(freed);
        }
        self.messages.note(self.messages.length);
        self.bytes.note(self.bytes.length);
        true
    }

    /// Lets one message go: false if it was not kept.
    pub fn remove(&mut self, room: &RoomName, place: &Place) -> bool {
        let freed = self.rooms.get_mut(room).map_or(Freed::default(), |room| room.remove(place));
        self.note_freed(freed);
        freed.messages > 0
    }

    /// Lets every message go whose stamp is above `ceiling`; how many those were.
    pub fn evict_beyond(&mut self, ceiling: u64) -> usize {
        let mut all = Freed::default();
        for room in self.rooms.values_mut() {
            let freed = room.evict_beyond(ceiling);
            all.messages += freed.messages;
            all.bytes += freed.bytes;
        }
        self.note_freed(all);
        all.messages
    }

    /// The last `count` messages of a room, oldest first.
    pub fn last<'a>(&'a self, room: &RoomName, count: usize) -> impl Iterator<Item = Message<'a>> {
        self.rooms.get_key_value(room).into_iter().flat_map(move |(name, room)| room.last(name, count))
    }

    /// The message of a room with that id.
    pub fn find(&self, room: &RoomName, id: &MessageId) -> Option<Message<'_>> {
        let (name, room) = self.rooms.get_key_value(room)?;
        room.find(name, id)
    }

    /// Messages kept over all rooms; drops are those let go for newer ones.
    pub const fn messages(&self) -> Meter {
        self.messages
    }

    /// Bytes of memory they take.
    pub const fn bytes(&self) -> Meter {
        self.bytes
    }

    fn note_freed(&mut self, freed: Freed) {
        self.messages.length = self.messages.length.saturating_sub(freed.messages);
        self.bytes.length = self.bytes.length.saturating_sub(freed.bytes);
    }

    fn evict_oldest(&mut self) -> Freed {
        let shares = SHARED_OUT * self.rooms_max.max(1);
        let (messages, bytes) = (self.messages.capacity / shares, self.bytes.capacity / shares);
        self.rooms
            .values_mut()
            .filter(|room| room.messages() > messages || room.bytes() > bytes)
            .min_by(|left, right| left.oldest().cmp(&right.oldest()))
            .map_or(Freed::default(), Room::evict_oldest)
    }
}

#[cfg(test)]
mod tests;
