//! Who has written how much of a room.

use crate::wire::bounds::PEER_ID_BYTES_MAX;
use crate::wire::sync::item::Item;
use alloc::vec::Vec;
use heapless::Vec as Bytes;

/// Authors of a room that have a share of their own, at most: their place in the table is one byte, and one is for all
/// others together.
pub const AUTHORS_MAX: usize = 254;
/// The place that all others share.
const OTHERS: u8 = 0;

/// An author, or all that have no place of their own.
#[derive(Debug, Clone, Default)]
pub struct Author {
    id: Bytes<u8, PEER_ID_BYTES_MAX, u8>,
    /// Messages held.
    pub messages: usize,
    /// Bytes of their bodies.
    pub bytes: usize,
    /// The newest that left for the author's share: older ones are refused.
    pub floor: Option<Item>,
}

/// The authors of a room.
#[derive(Debug)]
pub struct Authors(Vec<Author>);

impl Authors {
    /// Nobody yet, but the place for others.
    pub fn new() -> Self {
        Self(alloc::vec![Author::default()])
    }

    /// The place of an author, if they have one or one is free. `room_floor` frees those whose floor it has passed.
    pub fn place(&mut self, id: &[u8], room_floor: Option<Item>) -> u8 {
        let known = self.0.iter().skip(1).position(|author| author.id == id);
        if let Some(at) = known {
            return u8::try_from(at + 1).unwrap_or(OTHERS);
        }
        let Ok(id) = Bytes::from_slice(id) else { return OTHERS };
        let passed = |floor: Item| room_floor.is_some_and(|room| room <= floor);
        let free = |author: &Author| author.messages == 0 && author.floor.is_none_or(passed);
        let author = Author { id, ..Author::default() };
        if let Some((at, place)) = self.0.iter_mut().enumerate().skip(1).find(|(_, author)| free(author)) {
            *place = author;
            return u8::try_from(at).unwrap_or(OTHERS);
        }
        if self.0.len() > AUTHORS_MAX {
            return OTHERS;
        }
        self.0.push(author);
        u8::try_from(self.0.len() - 1).unwrap_or(OTHERS)
    }

    /// The author at a place.
    pub fn at(&mut self, place: u8) -> Option<&mut Author> {
        self.0.get_mut(usize::from(place))
    }

    /// Messages and bytes held of an author; of one without a place of their own, of all those together.
    pub fn held(&self, id: &[u8]) -> (usize, usize) {
        let author = self.0.iter().skip(1).find(|author| author.id == id).or_else(|| self.0.first());
        author.map_or((0, 0), |author| (author.messages, author.bytes))
    }

    /// Who has most beyond a share of so many messages and bytes, and how many messages they have.
    pub fn over_share(&self, messages: usize, bytes: usize) -> Option<(usize, u8)> {
        let over = self.0.iter().zip(0..).filter(|(author, _)| author.messages > messages || author.bytes > bytes);
        over.map(|(author, place)| (author.messages, place)).max()
    }

    /// Bytes of memory that the table takes.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Author>()
    }
}

impl Default for Authors {
    fn default() -> Self {
        Self::new()
    }
}
