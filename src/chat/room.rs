//! One room's messages, in their order.

use super::message::{Content, Inbound, Line, Message, MessageId};
use crate::base::time::Now;
use crate::wire::frame::Frame;
use crate::wire::room::RoomName;
use alloc::boxed::Box;
use alloc::collections::VecDeque;

/// Where a message stands in its room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its stamp, first.
    pub stamp: u64,
    /// Its id, among equal stamps.
    pub id: MessageId,
}

/// What is kept of a message: everything needed to hand it on, signed as it was.
#[derive(Debug)]
pub struct Kept {
    data: Box<[u8]>,
    /// One allocation for what most messages do not have.
    beside: Option<Box<Beside>>,
    received: Now,
    time_known: bool,
}

#[derive(Debug)]
struct Beside {
    seqno: u64,
    signature: Box<[u8]>,
    key: Box<[u8]>,
    /// Nickname and text, if the data is no frame.
    line: Option<(Box<str>, Box<str>)>,
}

impl Beside {
    fn bytes(&self) -> usize {
        let line = self.line.as_ref().map_or(0, |(nick, text)| nick.len() + text.len());
        size_of::<Self>() + self.signature.len() + self.key.len() + line
    }
}

impl Kept {
    /// Copies what a message brings, and what it says if it is another program's.
    pub fn new(inbound: &Inbound<'_>, line: Option<Line<'_>>, received: Now, time_known: bool) -> Self {
        let Inbound { data, seqno, signature, key, .. } = *inbound;
        let beside = (!signature.is_empty() || !key.is_empty() || line.is_some()).then(|| {
            let line = line.map(|line| (line.nick.into(), line.text.into()));
            Box::new(Beside { seqno, signature: signature.into(), key: key.into(), line })
        });
        Self { data: data.into(), beside, received, time_known }
    }

    /// Bytes of memory it takes, its place in the order included.
    pub fn bytes(&self) -> usize {
        size_of::<(Place, Self)>() + self.data.len() + self.beside.as_ref().map_or(0, |beside| beside.bytes())
    }

    fn view<'a>(&'a self, room: &'a RoomName, place: &'a Place) -> Option<Message<'a>> {
        let beside = self.beside.as_deref();
        let (seqno, signature, key): (u64, &[u8], &[u8]) =
            beside.map_or((0, &[], &[]), |beside| (beside.seqno, &beside.signature, &beside.key));
        let content = match beside.and_then(|beside| beside.line.as_ref()) {
            Some((nick, text)) => Content::of_line(Line { nick, text }),
            None => Content::of(Frame::decode(&self.data).ok()?.body)?,
        };
        Some(Message {
            room,
            id: place.id,
            stamp: place.stamp,
            time_known: self.time_known,
            content,
            received: self.received,
            data: &self.data,
            seqno,
            signature,
            key,
        })
    }
}

/// What a change took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// Messages.
    pub messages: usize,
    /// Their bytes of memory.
    pub bytes: usize,
}

/// One room's messages, in their order. Nearly all come at its end, and the first leaves: a ring takes half the memory of
/// a tree, whose nodes stay half empty that way.
#[derive(Debug, Default)]
pub struct Room {
    kept: VecDeque<(Place, Kept)>,
    bytes: usize,
}

impl Room {
    /// Messages kept.
    pub fn messages(&self) -> usize {
        self.kept.len()
    }

    /// Bytes of memory they take.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the message is kept.
    pub fn contains(&self, place: &Place) -> bool {
        self.find_place(place).is_ok()
    }

    /// The place of the message that leaves first.
    pub fn oldest(&self) -> Option<&Place> {
        self.kept.front().map(|(place, _)| place)
    }

    /// Where a message stands, or would stand: most often at the end.
    fn find_place(&self, place: &Place) -> Result<usize, usize> {
        match self.kept.back() {
            Some((last, _)) if last < place => Err(self.kept.len()),
            _ => self.kept.binary_search_by(|(kept, _)| kept.cmp(place)),
        }
    }

    /// Keeps a message that is not kept yet.
    pub fn insert(&mut self, place: Place, kept: Kept) {
        // It is kept already where its place is taken.
        if let Err(at) = self.find_place(&place) {
            self.bytes += kept.bytes();
            if self.kept.len() == self.kept.capacity() {
                // By a quarter, not to twice as much: what is kept is bounded, and most of it never used otherwise.
                self.kept.reserve_exact(16 + self.kept.len() / 4);
            }
            self.kept.insert(at, (place, kept));
        }
    }

    /// Lets one message go.
    pub fn remove(&mut self, place: &Place) -> Freed {
        let Ok(at) = self.find_place(place) else { return Freed::default() };
        let bytes = self.kept.remove(at).map_or(0, |(_, kept)| kept.bytes());
        self.bytes -= bytes;
        Freed { messages: usize::from(bytes > 0), bytes }
    }

    /// Lets the oldest message go.
    pub fn evict_oldest(&mut self) -> Freed {
        let bytes = self.kept.pop_front().map_or(0, |(_, kept)| kept.bytes());
        self.bytes -= bytes;
        Freed { messages: usize::from(bytes > 0), bytes }
    }

    /// Lets every message go whose stamp is above `ceiling`.
    pub fn evict_beyond(&mut self, ceiling: u64) -> Freed {
        let mut freed = Freed::default();
        while self.kept.back().is_some_and(|(place, _)| place.stamp > ceiling) {
            freed.messages += 1;
            freed.bytes += self.kept.pop_back().map_or(0, |(_, kept)| kept.bytes());
        }
        self.bytes -= freed.bytes;
        freed
    }

    /// The last `count` messages, oldest first.
    pub fn last<'a>(&'a self, name: &'a RoomName, count: usize) -> impl Iterator<Item = Message<'a>> {
        let skip = self.kept.len().saturating_sub(count);
        self.kept.iter().skip(skip).filter_map(|(place, kept)| kept.view(name, place))
    }

    /// The message with that id. Looks through the whole room.
    pub fn find<'a>(&'a self, name: &'a RoomName, id: &MessageId) -> Option<Message<'a>> {
        self.kept.iter().rev().find(|(place, _)| place.id == *id).and_then(|(place, kept)| kept.view(name, place))
    }
}
