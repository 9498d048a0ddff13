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
//! Numbers, tags and the skipping of what is unknown are micropb's; which fields there are is written here, for no
//! generator makes an iterator over parts that borrows and counts. Compared on 2026-11-28, each reading and writing this
//! whole RPC (bytes of program over one that copies its input: x86-64, opt-level z, fat LTO, panic = abort):
//!
//! | crate | no allocator | borrows | bounds | parts in order | kept | bytes |
//! | --- | --- | --- | --- | --- | --- | ---: |
//! | micropb 0.7.0, primitives alone | yes | yes | ours, while reading | yes | yes | 9,447 |
//! | quick-protobuf 0.8.1 | no (`Vec` for what repeats) | yes | none | no | last release 2022 | 17,140 |
//! | prost 0.14.6, derived | no | no | none | no | yes | 22,889 |
//! | femtopb 0.9.0, derived | yes | yes | none; goes over the bytes once more for each field that repeats | no | yes | 27,688 |
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

mod frame;

pub use error::{DecodeError, EncodeError, Piece};
pub use frame::{Head, Rpcs};
pub use list::List;
pub use message::{Message, SIGNED_PREFIX, Strict};
pub use part::{Part, Parts, encode_frame, frame_len};
