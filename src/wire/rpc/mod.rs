//! Floor 1. Stands on: base.
//!
//! gossipsub's RPC: what two peers say to each other of rooms and messages, in protobuf.
//!
//! Reading borrows from the bytes: [`Parts`] goes through an RPC once, part by part in the order in which they lie, and
//! checks every bound on the way ([`bounds`]). Unknown fields are skipped, such as the extensions of gossipsub 1.3 or
//! py-libp2p's field 4. Writing goes into the caller's bytes, fields in the order of their numbers as every
//! implementation does, so that what is signed ([`Message::encode_signed`]) is the same byte for byte everywhere.
//!
//! On a stream each RPC has its length before it (base 128): [`encode_frame`].
//!
//! # Whose protobuf
//!
//! Numbers, tags and their skipping are micropb's; which fields there are is written here, for no generator makes an
//! iterator over parts that borrows and counts. Compared on 2026-11-28, each for this RPC (bytes of program: x86-64,
//! opt-level z, fat LTO, over a program that copies its input; reading everything and writing it back):
//!
//! PLACE
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]

pub mod bounds;

mod error;
mod field;

mod list;
mod message;

mod part;

pub use error::{DecodeError, EncodeError, Piece};
pub use list::List;
pub use message::{Message, SIGNED_PREFIX, Strict};
pub use part::{Part, Parts, encode_frame, frame_len};
