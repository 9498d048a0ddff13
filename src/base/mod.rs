//! Floor 0. Stands on: nothing.
//!
//! Boards and limits, time, numbers given once, bounded queues, meters, a token bucket, chance from a seed. No operating
//! system, no allocator, no clock, no log.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]

pub mod board;
pub mod bucket;
pub mod chars;
pub mod hash;
pub mod meter;
pub mod queue;
pub mod random;

pub mod backoff;
pub mod sequence;
pub mod time;
