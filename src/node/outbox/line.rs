//! One line of ours, and how far it has come.

use std::time::Instant;

/// Memory of a line besides its bytes (bytes): its place in the list, which doubles as it grows, and the allocator's own.
pub const LINE_BYTES: usize = 112;

/// A line of ours.
#[derive(Debug)]
pub struct Line {
    /// Its stamp.
    pub stamp: u64,
    /// What is handed to gossipsub.
    pub data: Box<[u8]>,
    /// When it was handed out last; until then when it was stamped.
    pub(super) at: Instant,
    /// Whether it was handed out: then somebody may have it.
    pub(super) is_handed: bool,
    /// Whether somebody surely has it.
    pub(super) has_arrived: bool,
}

impl Line {
    /// A line that waits.
    pub(super) fn new(stamp: u64, data: &[u8], now: Instant) -> Self {
        Line { stamp, data: data.into(), at: now, is_handed: false, has_arrived: false }
    }

    /// The memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.data.len() + LINE_BYTES
    }

    /// Whether it was handed out, the last time before this.
    pub(super) fn was_handed_before(&self, time: Instant) -> bool {
        self.is_handed && self.at < time
    }
}
