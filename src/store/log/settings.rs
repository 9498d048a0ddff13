//! What the log may take, and when it syncs.

use super::format::{RECORD_BYTES_MAX, RECORD_HEAD_BYTES, RECORDS_AT, SEAL_BYTES, room_for};

/// Bytes of a segment, at least: it must hold the largest record.
pub const SEGMENT_BYTES_MIN: u32 = 8 * 1024;
/// Segments of a ring, at least: one is written while the oldest is given up.
pub const SEGMENTS_MIN: u32 = 2;
/// Records in the queue, at most: fewer than the numbers that are skipped at a start.
pub const QUEUE_RECORDS_MAX: usize = 64 * 1024;
/// Numbers skipped at each start, so that none is given twice: more than records can have been lost, be it all of the
/// queue or all of a segment.
pub const NUMBER_STEP: u64 = 1 << 32;
/// Milliseconds between the first record that is written and the sync that stores it, unless the board or the user
/// says otherwise: what a power cut may take. Guess: a sync on a card costs a few tenths of a second of its time.
pub const SYNC_INTERVAL_MS: u32 = 2_000;

const _: () = assert!(NUMBER_STEP > QUEUE_RECORDS_MAX as u64 && NUMBER_STEP > (u32::MAX / RECORD_HEAD_BYTES) as u64);
const _: () = assert!(RECORDS_AT + room_for(RECORD_BYTES_MAX as u32) + SEAL_BYTES <= SEGMENT_BYTES_MIN);

/// What the log may take, and when it syncs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of one segment; rounded down to whole sectors, at least [`SEGMENT_BYTES_MIN`].
    pub segment_bytes: u32,
    /// Segments kept, at least [`SEGMENTS_MIN`].
    pub segments: u32,
    /// Records that are accepted and not stored yet, at most.
    pub queue_records: usize,
    /// Bytes of those, at most.
    pub queue_bytes: usize,
    /// Milliseconds until what is written gets stored; 0 stores each group of records before it takes the next.
    pub sync_ms: u32,
    /// Random, new at each start: from it each life of a segment gets its salt.
    pub seed: [u64; 2],
}

impl Settings {
    /// Eight segments of 1 MiB and a queue of 256 KiB.
    pub const fn new(seed: [u64; 2]) -> Self {
        Self {
            segment_bytes: 1024 * 1024,
            segments: 8,
            queue_records: 1024,
            queue_bytes: 256 * 1024,
            sync_ms: SYNC_INTERVAL_MS,
            seed,
        }
    }

    /// The same within what the format needs.
    pub(super) fn clamped(&self) -> Self {
        Self {
            segment_bytes: (self.segment_bytes & !511).max(SEGMENT_BYTES_MIN),
            segments: self.segments.max(SEGMENTS_MIN),
            queue_records: self.queue_records.clamp(1, QUEUE_RECORDS_MAX),
            queue_bytes: self.queue_bytes.max(room_for(RECORD_BYTES_MAX as u32) as usize),
            ..self.clone()
        }
    }
}
