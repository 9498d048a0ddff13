//! One room's messages, in their order.

use super::message::{Content, Inbound, Message, MessageId};
use crate::base::time::Now;
use crate::wire::frame::Frame;
use crate::wire::room::RoomName;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

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
    proof: Option<Box<Proof>>,
    received: Now,
    time_known: bool,
}

#[derive(Debug)]
struct Proof {
    seqno: u64,
    signature: Box<[u8]>,
    key: Box<[u8]>,
}

impl Kept {
    /// Copies what a message brings.
    pub fn new(inbound: &Inbound<'_>, received: Now, time_known: bool) -> Self {
        let proof = (!inbound.signature.is_empty() || !inbound.key.is_empty()).then(|| {
            Box::new(Proof { seqno: inbound.seqno, signature: inbound.signature.into(), key: inbound.key.into() })
        });
        Self { data: inbound.data.into(), proof, received, time_known }
    }

    /// Bytes of memory it takes, its place in the order included.
    pub fn bytes(&self) -> usize {
        let proof = self.proof.as_ref().map_or(0, |proof| size_of::<Proof>() + proof.signature.len() + proof.key.len());
        size_of::<(Place, Self)>() + self.data.len() + proof
    }

    fn view<'a>(&'a self, room: &'a RoomName, place: &'a Place) -> Option<Message<'a>> {
        let proof = self.proof.as_ref();
        let (seqno, signature, key): (u64, &[u8], &[u8]) =
            proof.map_or((0, &[], &[]), |proof| (proof.seqno, &proof.signature, &proof.key));
        Some(Message {
            room,
            id: place.id.clone(),
            stamp: place.stamp,
            time_known: self.time_known,
            content: Content::of(Frame::decode(&self.data).ok()?.body)?,
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

/// One room's messages.
#[derive(Debug, Default)]
pub struct Room {
    kept: BTreeMap<Place, Kept>,
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
        self.kept.contains_key(place)
    }

    /// The place of the message that leaves first.
    pub fn oldest(&self) -> Option<&Place> {
        self.kept.first_key_value().map(|(place, _)| place)
    }

    /// Keeps a message that is not kept yet.
    pub fn insert(&mut self, place: Place, kept: Kept) {
        self.bytes += kept.bytes();
        if let Some(old) = self.kept.insert(place, kept) {
            self.bytes -= old.bytes();
        }
    }

    /// Lets the oldest message go.
    pub fn evict_oldest(&mut self) -> Freed {
        let bytes = self.kept.pop_first().map_or(0, |(_, kept)| kept.bytes());
        self.bytes -= bytes;
        Freed { messages: usize::from(bytes > 0), bytes }
    }

    /// Lets every message go whose stamp is above `ceiling`.
    pub fn evict_beyond(&mut self, ceiling: u64) -> Freed {
        let mut freed = Freed::default();
        while let Some(last) = self.kept.last_entry().filter(|last| last.key().stamp > ceiling) {
            freed.messages += 1;
            freed.bytes += last.remove().bytes();
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
