//! All rooms, bounded together.

use super::entry::{LogPlace, Place};
use super::room::{Left, Refused, Room};
use crate::base::meter::Meter;
use crate::wire::room::RoomName;
use crate::wire::sync::item::Item;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Which part of the bound is shared out among the rooms that can be joined: one half. Guess: enough for a quiet room to
/// stay readable, and a busy one still gets the other half.
const SHARED_OUT: usize = 2;
/// Which part of the bound one author may have in one room once everything is full: a quarter. Guess: one that floods
/// leaves three quarters. Where there is space, or everybody has more, it is no bound.
const AUTHOR_PART: usize = 4;

/// What the index may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Rooms joined at once.
    pub rooms_max: usize,
    /// Messages held over all rooms.
    pub messages_max: usize,
    /// Bytes of their bodies.
    pub bytes_max: usize,
    /// Messages known beyond those: 40 bytes each.
    pub known_max: usize,
}

/// The index of all rooms.
#[derive(Debug)]
pub struct Index {
    bounds: Bounds,
    rooms: BTreeMap<RoomName, Room>,
    messages: Meter,
    bytes: Meter,
    known: Meter,
}

impl Index {
    /// An empty one.
    pub const fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            rooms: BTreeMap::new(),
            messages: Meter::new(bounds.messages_max),
            bytes: Meter::new(bounds.bytes_max),
            known: Meter::new(bounds.known_max),
        }
    }

    /// Opens a room: false if it was open. Gives the bound if no more rooms can be opened.
    pub fn join(&mut self, room: &RoomName) -> Result<bool, usize> {
        if self.rooms.contains_key(room) {
            return Ok(false);
        }
        if self.rooms.len() >= self.bounds.rooms_max {
            return Err(self.bounds.rooms_max);
        }
        self.rooms.insert(room.clone(), Room::default());
        Ok(true)
    }

    /// Closes a room and forgets it: false if it was not open.
    pub fn leave(&mut self, room: &RoomName) -> bool {
        let left = self.rooms.remove(room).is_some();
        self.count();
        left
    }

    /// An open room.
    pub fn room(&self, name: &RoomName) -> Option<&Room> {
        self.rooms.get(name)
    }

    /// The open rooms by name.
    pub fn rooms(&self) -> impl Iterator<Item = (&RoomName, &Room)> {
        self.rooms.iter()
    }

    /// Keeps a message of `bytes` bytes, written by the peer with this id. Every message that has to leave for it is told:
    /// in the end that may be this one. What is refused for its author's floor is known from then on.
    pub fn insert(
        &mut self,
        room: &RoomName,
        author: &[u8],
        item: Item,
        bytes: u16,
        place: Place,
        mut left: impl FnMut(&RoomName, Left),
    ) -> Result<(), Refused> {
        let of_room = self.rooms.get_mut(room).ok_or(Refused::NotJoined)?;
        let inserted = of_room.insert(author, item, bytes, place);
        self.count();
        let mut drops = 0;
        while self.messages.length > self.messages.capacity || self.bytes.length > self.bytes.capacity {
            let Some((name, gone)) = self.evict() else { break };
            drops += 1;
            left(&name, gone);
            self.count();
        }
        for _ in 0..drops {
            self.messages.dropped();
        }
        while self.known.length > self.known.capacity {
            let fullest = self.rooms.values_mut().max_by_key(|room| room.known());
            if !fullest.is_some_and(Room::forget_oldest) {
                break;
            }
            self.known.dropped();
            self.count();
        }
        self.messages.note(self.messages.length);
        self.bytes.note(self.bytes.length);
        self.known.note(self.known.length);
        inserted?;
        match self.rooms.get(room).and_then(|room| room.find(&item)) {
            Some(entry) if entry.is_held() => Ok(()),
            Some(_) => Err(Refused::BelowAuthor),
            None => Err(Refused::BelowRoom),
        }
    }

    /// Says where the body of a message is by now; whether the message is held.
    pub fn set_place(&mut self, room: &RoomName, item: &Item, place: Place) -> bool {
        let set = self.rooms.get_mut(room).is_some_and(|room| room.set_place(item, place));
        self.count();
        set
    }

    /// The messages held whose bodies stand in this segment of the log, at most so many: what has to be written anew before
    /// the log comes round to it.
    pub fn in_segment(&self, segment: u32, count: usize) -> Vec<(RoomName, Item, LogPlace)> {
        let all = self.rooms.iter().flat_map(|(name, room)| room.entries().map(move |entry| (name, entry)));
        let there = all.filter_map(|(name, entry)| match entry.place() {
            Place::Log(at) if at.segment == segment => Some((name.clone(), entry.item(), at)),
            _ => None,
        });
        there.take(count).collect()
    }

    /// The log has come round: nothing before this segment is there any more. How many messages that took.
    pub fn forget_segments_before(&mut self, segment: u32) -> usize {
        let gone = |place: Place| matches!(place, Place::Log(at) if at.segment < segment);
        let mut count = 0;
        for room in self.rooms.values_mut() {
            let mut taken = Vec::new();
            room.evict_where(|entry| gone(entry.place()), &mut |left| taken.push(left.item));
            // Taken oldest first, as they stand.
            room.trim_front(|item| taken.binary_search_by(|other| item.cmp(other)).is_ok());
            count += taken.len();
        }
        self.count();
        count
    }

    /// Forgets every message whose stamp is above `ceiling`, as if it had never been.
    pub fn forget_beyond(&mut self, ceiling: u64, mut left: impl FnMut(&RoomName, Left)) {
        for (name, room) in &mut self.rooms {
            room.forget_beyond(ceiling, &mut |gone| left(name, gone));
        }
        self.count();
    }

    /// Messages held; drops are those that had to leave.
    pub const fn messages(&self) -> Meter {
        self.messages
    }

    /// Bytes of their bodies.
    pub const fn bytes(&self) -> Meter {
        self.bytes
    }

    /// Messages known beyond those; drops are those forgotten.
    pub const fn known(&self) -> Meter {
        self.known
    }

    /// Bytes of memory that the index takes.
    pub fn memory_bytes(&self) -> usize {
        self.rooms.values().map(Room::memory_bytes).sum()
    }

    fn count(&mut self) {
        self.messages.length = self.rooms.values().map(Room::messages).sum();
        self.bytes.length = self.rooms.values().map(Room::bytes).sum();
        self.known.length = self.rooms.values().map(Room::known).sum();
    }

    /// Lets one message go: of whoever has most beyond one author's share, or else the oldest of all.
    fn evict(&mut self) -> Option<(RoomName, Left)> {
        let Bounds { messages_max, bytes_max, .. } = self.bounds;
        let (messages, bytes) = (messages_max / AUTHOR_PART, bytes_max / AUTHOR_PART);
        let over =
            self.rooms.iter_mut().filter_map(|(name, room)| Some((room.over_share(messages, bytes)?, name, room)));
        if let Some(((_, author), name, room)) = over.max_by_key(|(most, ..)| *most) {
            return room.evict_of(author).map(|left| (name.clone(), left));
        }
        let shares = SHARED_OUT * self.bounds.rooms_max.max(1);
        let (messages, bytes) = (messages_max / shares, bytes_max / shares);
        let over = self.rooms.iter_mut().filter(|(_, room)| room.messages() > messages || room.bytes() > bytes);
        // The order of items is newest first.
        let (name, room) = over.max_by_key(|(_, room)| room.oldest())?;
        room.evict_oldest().map(|left| (name.clone(), left))
    }
}

#[cfg(test)]
mod tests;
