//! Floor 2. Stands on: base, wire.
//!
//! The index of a bounded history: which messages of which room are kept, in their order, how much of it is whose, and
//! where each body is. Bodies are elsewhere: in the log, or in memory. 40 bytes a message.
//!
//! What leaves when everything together is full, by number or by bytes:
//!
//! - **Of an author who has more than a quarter of the bound in one room:** their oldest message there; of several the one
//!   who has most. What is older of theirs is refused from then on: the author's *floor*. So somebody who floods, be it
//!   with backdated messages, takes the place of at most a quarter of the others' messages, the oldest; N such authors of
//!   at most N quarters, and no faster than their neighbours' shares of catch-up let them. Authors beyond the 254th of a
//!   room have one share together.
//! - **If nobody has:** the oldest message of all, in a room that has more than its share. Half of the bound is shared out
//!   evenly among the rooms that can be joined, so a quiet room loses nothing to a busy one. What is older than what
//!   left is refused from then on: the room's floor. It rises too where the oldest of all happens to be a flooder's.
//! - **What left stays known,** up to a bound of its own: it is compared as if it were there, so that it is neither
//!   offered again nor asked for again and again.

pub mod entry;

pub mod authors;

pub mod room;

pub mod rooms;
