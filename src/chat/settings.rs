//! What a core may hold.

use crate::base::board::Limits;

/// Message ids remembered beyond the history, at least. Cost: 24 bytes each. Guess: a few seconds of a busy room.
pub const SEEN_MIN: usize = 1024;
/// Message ids remembered beyond the history, at most: 400 KiB of memory.
pub const SEEN_MAX: usize = 16 * 1024;

/// What a core may hold and what it has to know from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Rooms joined at once.
    pub rooms_max: usize,
    /// Messages kept over all rooms.
    pub history_messages_max: usize,
    /// Bytes of memory they may take.
    pub history_bytes_max: usize,
    /// Message ids remembered.
    pub seen_max: usize,
    /// When the program was built, in ms since 1970-01-01 UTC: no wall clock can be earlier.
    pub build_unix_ms: u64,
    /// Random, new at each start: the key under which message ids are hashed.
    pub seed: [u64; 2],
}

impl Settings {
    /// What a board allows.
    pub fn new(limits: &Limits, build_unix_ms: u64, seed: [u64; 2]) -> Self {
        let history_messages_max = usize::try_from(limits.history_messages_max).unwrap_or(usize::MAX);
        Self {
            rooms_max: usize::from(limits.rooms_max),
            history_messages_max,
            history_bytes_max: usize::try_from(limits.history_bytes_max).unwrap_or(usize::MAX),
            seen_max: history_messages_max.saturating_mul(2).clamp(SEEN_MIN, SEEN_MAX),
            build_unix_ms,
            seed,
        }
    }
}
