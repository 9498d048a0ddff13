//! What is kept of a message.

use crate::wire::sync::item::Item;

/// Where a body stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPlace {
    /// In which segment.
    pub segment: u32,
    /// Where in it.
    pub offset: u32,
}

/// Where the body of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In memory: it waits for the disk, or there is none.
    Memory,
    /// In the log.
    Log(LogPlace),
    /// Nowhere any more; the message is only known to have been.
    Gone,
}

/// A message. 40 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    item: Item,
    log: LogPlace,
    bytes: u16,
    author: u8,
    kind: u8,
}

const MEMORY: u8 = 0;
const LOG: u8 = 1;
const GONE: u8 = 2;

const _: () = assert!(size_of::<Entry>() <= 40);

impl Entry {
    pub(super) fn new(item: Item, bytes: u16, author: u8, place: Place) -> Self {
        let mut entry = Self { item, log: LogPlace { segment: 0, offset: 0 }, bytes, author, kind: MEMORY };
        entry.set_place(place);
        entry
    }

    /// What it is known by.
    pub const fn item(&self) -> Item {
        self.item
    }

    /// Bytes of its body.
    pub const fn bytes(&self) -> u16 {
        self.bytes
    }

    /// Whose it is, as a place in the room's table.
    pub(super) const fn author(&self) -> u8 {
        self.author
    }

    /// Where its body is.
    pub const fn place(&self) -> Place {
        match self.kind {
            MEMORY => Place::Memory,
            LOG => Place::Log(self.log),
            _ => Place::Gone,
        }
    }

    /// Whether its body is somewhere.
    pub const fn is_held(&self) -> bool {
        self.kind != GONE
    }

    pub(super) fn set_place(&mut self, place: Place) {
        match place {
            Place::Memory => self.kind = MEMORY,
            Place::Log(at) => (self.kind, self.log) = (LOG, at),
            Place::Gone => self.kind = GONE,
        }
    }
}
