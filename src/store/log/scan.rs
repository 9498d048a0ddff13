//! Reading a segment from its beginning to its end, past whatever is damaged in it.

use super::super::disk::DiskFile;
use super::format::{
    ALIGN_BYTES, HEAD_BYTES, HeadError, RECORD_BYTES_MAX, RECORD_HEAD_BYTES, RECORDS_AT, RecordHead, SECTOR_BYTES,
    SegmentHead, room_for,
};
use std::io;

/// Bytes of a segment held in memory at once.
const WINDOW_BYTES: usize = 64 * 1024;
/// Bytes that one unreadable place of a card costs: what a card reads at once. Guess.
const BLOCK_BYTES: usize = 4096;

/// Reads both places for a head and takes the later one; which place that is, counted in sectors.
pub fn read_head<F: DiskFile>(file: &F) -> io::Result<Result<(SegmentHead, u32), HeadError>> {
    let mut found: Result<(SegmentHead, u32), _> = Err(HeadError::Empty);
    for place in 0..2 {
        let mut bytes = [0; HEAD_BYTES];
        let read = file.read_at(&mut bytes, u64::from(place * SECTOR_BYTES))?;
        found = match (found, SegmentHead::decode(&bytes[..read])) {
            (Err(HeadError::Version(version)), _) | (_, Err(HeadError::Version(version))) => {
                Err(HeadError::Version(version))
            }
            (Ok((old, _)), Ok(new)) if new.segment > old.segment => Ok((new, place)),
            (Ok(old), _) => Ok(old),
            (Err(_), Ok(new)) => Ok((new, place)),
            (Err(HeadError::Empty), Err(error)) => Err(error),
            (Err(error), Err(_)) => Err(error),
        };
    }
    Ok(found)
}

/// What stands next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A record.
    Record {
        /// Its number.
        number: u64,
        /// Where it begins in the file.
        offset: u32,
        /// Its body.
        body: &'a [u8],
    },
    /// Bytes between two records that are none.
    Damaged {
        /// Where they begin.
        offset: u32,
        /// How many.
        bytes: u32,
    },
    /// No more records.
    End {
        /// Behind the last one.
        offset: u32,
        /// Whether the segment says itself that this is its end.
        sealed: bool,
    },
}

/// Goes through a segment. Memory: one window.
pub struct Scanner<'a, F> {
    file: &'a F,
    head: SegmentHead,
    at: u32,
    last: u64,
    window: Vec<u8>,
    window_at: u32,
    unreadable: u32,
}

impl<'a, F: DiskFile> Scanner<'a, F> {
    /// Begins at the first record of a segment with that head.
    pub fn new(file: &'a F, head: SegmentHead) -> Self {
        let last = head.first - 1;
        Self { file, head, at: RECORDS_AT, last, window: Vec::new(), window_at: 0, unreadable: 0 }
    }

    /// The number of the last record found; the one before the segment's first, if none was.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Bytes that the card refused to read.
    pub const fn unreadable(&self) -> u32 {
        self.unreadable
    }

    /// Whether something stands at the end of the records that looks like the beginning of one more.
    pub fn is_torn(&mut self) -> bool {
        let (at, last) = (self.at, self.last);
        self.bytes(at, RECORD_HEAD_BYTES).and_then(RecordHead::decode).is_some_and(|head| head.number == last + 1)
    }

    /// What stands next. After the end comes the end again.
    pub fn advance(&mut self) -> Found<'_> {
        let begin = self.at;
        let mut at = begin;
        let head = loop {
            match self.head_at(at) {
                Some(head) => break head,
                None if at + RECORD_HEAD_BYTES <= self.head.bytes => at += ALIGN_BYTES,
                None => return Found::End { offset: begin, sealed: false },
            }
        };
        if at > begin {
            self.at = at;
            return Found::Damaged { offset: begin, bytes: at - begin };
        }
        if head.is_seal() {
            return Found::End { offset: at, sealed: true };
        }
        self.at += room_for(head.body_bytes());
        self.last = head.number;
        let body = self.bytes(at + RECORD_HEAD_BYTES, head.body_bytes()).unwrap_or_default();
        Found::Record { number: head.number, offset: at, body }
    }

    /// The head at this place, if a whole record or a seal of this life stands here.
    fn head_at(&mut self, at: u32) -> Option<RecordHead> {
        let (salt, last) = (self.head.salt, self.last);
        let head = RecordHead::decode(self.bytes(at, RECORD_HEAD_BYTES)?)?;
        let in_order = if head.is_seal() { head.number >= last } else { head.number > last };
        if !in_order {
            return None;
        }
        let body = self.bytes(at + RECORD_HEAD_BYTES, head.body_bytes())?;
        head.matches(salt, body).then_some(head)
    }

    /// So many bytes of the segment; nothing beyond its end. What the file lacks or the card does not read is zeros.
    fn bytes(&mut self, at: u32, length: u32) -> Option<&[u8]> {
        if at.checked_add(length)? > self.head.bytes {
            return None;
        }
        let end = self.window_at as usize + self.window.len();
        if at < self.window_at || (at + length) as usize > end {
            self.load(at);
        }
        let from = (at - self.window_at) as usize;
        self.window.get(from..from + length as usize)
    }

    fn load(&mut self, at: u32) {
        const { assert!(WINDOW_BYTES >= RECORD_BYTES_MAX + RECORD_HEAD_BYTES as usize) };
        let length = WINDOW_BYTES.min((self.head.bytes - at) as usize);
        self.window.clear();
        self.window.resize(length, 0);
        self.window_at = at;
        if self.file.read_at(&mut self.window, at.into()).is_ok() {
            return;
        }
        // Somewhere in there: block by block.
        self.window.fill(0);
        for (place, block) in self.window.chunks_mut(BLOCK_BYTES).enumerate() {
            if self.file.read_at(block, u64::from(at) + (place * BLOCK_BYTES) as u64).is_err() {
                block.fill(0);
                self.unreadable = self.unreadable.saturating_add(block.len() as u32);
            }
        }
    }
}
