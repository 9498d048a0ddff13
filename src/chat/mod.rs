//! Floor 2. Stands on: base, wire.
//!
//! The sans-io core of a room: accepts, deduplicates, orders, keeps a bounded history, sanitises text. It reads
//! no clock, draws no randomness, logs nothing and awaits nothing.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]

pub mod stamps;
pub mod told;

pub mod clock;
pub mod sanitize;
pub mod seen;
pub mod settings;

pub mod message;

pub mod room;
pub mod verdict;

pub mod history;

pub mod sync;

pub mod index;

pub mod core;
