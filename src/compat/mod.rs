//! Floor 2. Stands on: base, wire.
//!
//! The rooms of other chat programs, each chosen by the room's name: which topic it is, what its messages look like,
//! what gossipsub calls them there, and where its people are looked for. It reads no clock, draws no randomness, keeps
//! nothing and awaits nothing; no input makes it panic.
//!
//! | room's name | whose | topic | payload |
//! | --- | --- | --- | --- |
//! | `uc:` | universal-connectivity | `universal-connectivity` | text |
//! | `go-chat:ROOM` | go-libp2p's example `pubsub/chat` | `chat-room:ROOM` | JSON ([`json`]) |
//! | `text:TOPIC` | any program that sends lines | `TOPIC` | text, with the line's end where they send it |
//!
//! After a `+` may stand whose message ids hold in the room ([`profile`]): `uc+js:`, `text+py:news`.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]

pub mod bounds;
pub mod json;
pub mod profile;

pub mod room;
