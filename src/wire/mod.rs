//! Floor 1. Stands on: base.
//!
//! Bytes to values and back, and the protocol's own bounds. No operating system, no allocator.
//!
//! # What travels
//!
//! This page is the specification. `tests/vectors/` holds it as bytes.
//!
//! ## A room
//!
//! A room's name is 1 to 64 bytes of UTF-8 without white space, control, bidirectional or invisible characters
//! and without `:` (kept for the rooms of other programs). Names are compared byte by byte: case counts, nothing
//! is normalised.
//!
//! The room's gossipsub topic is the text `stonechat/1/` followed by the name. Its namespace in the DHT is the
//! same text; peers of the room are the providers of the multihash `12 20 ‖ sha256(namespace)`.
//!
//! ## A message
//!
//! A message is one gossipsub message, signed by its author (StrictSign: `from`, `seqno`, `signature`). gossipsub's id for
//! it is `from ‖ seqno`, the specification's. Ours is `from ‖ stamp`: the bytes of the author's peer id, then the stamp as
//! 8 bytes, big-endian; an author gives no stamp twice, and a line published anew keeps its id. Its `data`
//! is one frame. Messages of a room are ordered by (stamp, id).
//!
//! ## A frame
//!
//! At most 2176 bytes, in the encoding of postcard 1:
//!
//! | part | bytes | meaning |
//! | --- | --- | --- |
//! | version | 1 | `01`; any other first byte belongs to another version |
//! | stamp | varint, 1 to 6 | hybrid logical clock in milliseconds, below 2^42 |
//! | kind | 1 | which body follows: `00` text, `01` sealed, `02` record |
//! | body | the rest | two strings, each a varint length in bytes and then that many bytes |
//!
//! | body | first string | second string |
//! | --- | --- | --- |
//! | text | nickname, UTF-8, at most 32 bytes, may be empty | text, UTF-8, at most 1024 bytes |
//! | sealed | nonce, at most 24 bytes | ciphertext, at most 2112 bytes (reserved: peers without the key forward it) |
//! | record | kind, 1 to 32 bytes of visible ASCII (`21` to `7e`), such as `ledger/block` | payload, at most 2048 bytes |
//!
//! A varint is little-endian base 128: seven bits a byte, the highest bit set on every byte but the last. It must
//! be the shortest that holds the value, so that a message has one encoding only. The frame ends where its body
//! ends: anything after is an error.
//!
//! ```text
//! 01 d2 09 00 03 61 6e 6e 02 68 69
//! │  │     │  │  └ "ann"  │  └ "hi"
//! │  │     │  └ 3 bytes   └ 2 bytes
//! │  │     └ text
//! │  └ stamp 1234
//! └ version 1
//! ```
//!
//! The time of a message: a stamp at or after the day the reading program was built is a wall time (milliseconds
//! since 1970-01-01 UTC); a smaller one comes from a peer that did not know the time and only gives the order.
//!
//! ## A hello
//!
//! Peers tell each other what time it is on the protocol `/stonechat/hello/1.0.0`: who dialled asks, each stream carries
//! one request and one answer, and whoever's time or nickname changed asks again. Both are at most 127 bytes in the
//! encoding of postcard 1, with one byte before them that holds their length:
//!
//! | part | bytes | meaning |
//! | --- | --- | --- |
//! | kind | 1 | `00` hello, a request or an answer; `01` refused, a request; `02` noted, the answer to that |
//! | of a hello: time | 1 to 7 | `00`: not known; or `01` and milliseconds since 1970-01-01 UTC, below 2^42, as a varint |
//! | level | 1 | how far the time is vouched for: `00` by nobody, `01` by the sender's own clock, which something keeps synchronised, n + 1 by a peer that said n; at most `08`, and `00` where it is not known |
//! | nickname | 1 to 33 | UTF-8, at most 32 bytes, may be empty |
//! | version | 1 to 33 | of the program; UTF-8, at most 32 bytes, may be empty |
//! | of a refusal: author | 2 to 65 | the peer id whose message was refused, 1 to 64 bytes |
//! | how far | 1 to 6 | milliseconds by which its stamp was ahead of the refusing peer's clock, below 2^42, as a varint |
//!
//! ```text
//! 00 01 80 d8 c1 a2 8c 34 01 03 61 6e 6e 05 30 2e 31 2e 30
//! │  │  │                 │  └ 3 bytes   └ 5 bytes, "0.1.0"
//! │  │  │                 └ level 1: its clock is synchronised
//! │  └──┴ the time is known: 2026-09-21T13:33:20Z
//! └ hello
//! ```
//!
//! Only a peer whose own clock is synchronised refuses a message for its stamp: one more than ten minutes ahead is
//! neither shown nor forwarded, and its author is told, by way of the peer that brought it if need be. Everybody else
//! takes any stamp that is at most ten years after the day the program was built.
//!
//! ## Catch-up
//!
//! How two peers find out which messages of a room one of them lacks stands in [`sync`].
//!
//! ## What breaks the rules
//!
//! A receiver penalises the sender of a frame that breaks these rules. It does not penalise, and does not
//! forward, a frame of another version. A new kind of body is a new version, used for that kind only: peers of
//! this version go on reading the rest.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]

pub mod bounds;
pub mod frame;
pub mod hello;
pub mod room;
pub mod rpc;

pub mod sync;
