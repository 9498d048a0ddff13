//! What the sessions work on: the caller's rooms and their messages.

use super::view::Items;
use crate::wire::sync::item::Item;
use alloc::vec::Vec;

/// The rooms and their messages.
pub trait Library {
    /// The index of a room.
    type Items: Items + ?Sized;

    /// The index of the room with this topic, if it is joined.
    fn items(&self, topic: &str) -> Option<&Self::Items>;

    /// Appends the signed bytes of a message to `out`; whether they are there. Called at most as often as messages fit into
    /// a frame, for each request or response.
    fn message(&mut self, topic: &str, item: &Item, out: &mut Vec<u8>) -> bool;
}
