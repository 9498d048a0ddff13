//! Ranges: written one after another into a frame, and read from it.

use super::super::bounds::{STAMP_MAX, SYNC_HASH_BYTES, SYNC_TAG_BYTES, SYNC_TAGS_MAX};
use super::error::{DecodeError, NoRoom};
use super::item::{Item, Print, Tag, Tags};
use serde::{Deserialize, Serialize};

/// Added to the kind of the range that ends where the history does.
const LAST: u8 = 128;
const SAME: u8 = 0;
const PRINT: u8 = 1;
const LIST: u8 = 2;
const DIFFERENCE: u8 = 3;

/// Bytes of a print of all the rest: kind, number, sum. Kept free in every frame, so that it can always be ended.
pub const REST_BYTES_MAX: usize = 1 + 5 + 8;
/// Bytes of the kind and the bound of a range: kind, distance, hash and its length.
pub const HEAD_BYTES_MAX: usize = 1 + 6 + 1 + SYNC_HASH_BYTES;

/// What is said of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Nothing more to say.
    Same,
    /// What the sender has there.
    Print(Print),
    /// What the sender has there, each.
    List(Tags<'a>),
    /// Of the other's list: what the sender lacks, and what it has beyond it.
    Difference {
        /// What the sender lacks.
        lacks: Tags<'a>,
        /// What it has beyond the list.
        extra: Tags<'a>,
    },
}

/// A range, from the end of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range<'a> {
    /// Where it ends: before this bound; `None` where the history does.
    pub end: Option<Item>,
    /// What is said of it.
    pub body: Body<'a>,
}

#[derive(Serialize, Deserialize)]
struct Bound<'a> {
    down: u64,
    #[serde(borrow)]
    hash: &'a [u8],
}

/// Reads a bound whose distance counts from `above`; the bound, and the bytes after it.
pub(super) fn read_bound(bytes: &[u8], above: u64) -> Result<(Item, &[u8]), DecodeError> {
    let (Bound { down, hash }, rest) = postcard::take_from_bytes::<Bound<'_>>(bytes)?;
    let mut bound = Item::before(above.checked_sub(down).ok_or(DecodeError::TooLarge)?);
    if hash.last() == Some(&0) {
        return Err(DecodeError::BadHash);
    }
    bound.hash.get_mut(..hash.len()).ok_or(DecodeError::BadHash)?.copy_from_slice(hash);
    Ok((bound, rest))
}

/// Bytes that are tags.
pub(super) fn tags(bytes: &[u8]) -> Result<Tags<'_>, DecodeError> {
    match bytes.as_chunks() {
        (tags, []) if tags.len() <= SYNC_TAGS_MAX => Ok(Tags(tags)),
        _ => Err(DecodeError::BadTags),
    }
}

/// The ranges of a frame, checked when it was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranges<'a> {
    bytes: &'a [u8],
    above: Item,
    ended: bool,
}

impl<'a> Ranges<'a> {
    /// Reads the ranges that fill these bytes.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let ranges = Self { bytes, above: Item::before(STAMP_MAX), ended: false };
        let mut reader = ranges;
        let mut first = true;
        while !reader.ended {
            let above = reader.above;
            let range = reader.read()?;
            // The first may begin and end at the very top.
            if range.end.is_some_and(|end| if first { end < above } else { end <= above }) {
                return Err(DecodeError::OutOfOrder);
            }
            first = false;
        }
        if reader.bytes.is_empty() { Ok(ranges) } else { Err(DecodeError::Trailing) }
    }

    fn read(&mut self) -> Result<Range<'a>, DecodeError> {
        let (kind, mut rest) = self.bytes.split_first().ok_or(DecodeError::Truncated)?;
        let end = if *kind & LAST == 0 {
            let (end, after) = read_bound(rest, self.above.stamp)?;
            (self.above, rest) = (end, after);
            Some(end)
        } else {
            self.ended = true;
            None
        };
        let (body, after) = match kind & !LAST {
            SAME => (Body::Same, rest),
            PRINT => {
                let ((count, sum), after) = postcard::take_from_bytes::<(u32, [u8; 8])>(rest)?;
                (Body::Print(Print { count, sum: u64::from_le_bytes(sum) }), after)
            }
            LIST => {
                let (list, after) = postcard::take_from_bytes::<&[u8]>(rest)?;
                (Body::List(tags(list)?), after)
            }
            DIFFERENCE => {
                let ((lacks, extra), after) = postcard::take_from_bytes::<(&[u8], &[u8])>(rest)?;
                (Body::Difference { lacks: tags(lacks)?, extra: tags(extra)? }, after)
            }
            _ => return Err(DecodeError::UnknownKind),
        };
        self.bytes = after;
        Ok(Range { end, body })
    }
}

impl<'a> Iterator for Ranges<'a> {
    type Item = Range<'a>;

    fn next(&mut self) -> Option<Range<'a>> {
        if self.ended { None } else { self.read().ok() }
    }
}

/// Writes ranges behind what stands in a frame already. Neighbours of which there is nothing to say become one.
#[derive(Debug)]
pub struct RangesWriter<'b> {
    frame: &'b mut [u8],
    used: usize,
    above: u64,
    /// The end of what was skipped and not written yet.
    same: Option<Item>,
    /// The last range is written.
    ended: bool,
}

impl<'b> RangesWriter<'b> {
    /// Writes into `frame`, of which `used` bytes are taken.
    pub const fn new(frame: &'b mut [u8], used: usize) -> Self {
        Self { frame, used, above: STAMP_MAX, same: None, ended: false }
    }

    /// Bytes that a further range may take with its kind and bound.
    pub fn room(&self) -> usize {
        let skipped = if self.same.is_some() { HEAD_BYTES_MAX } else { 0 };
        self.frame.len().saturating_sub(self.used + REST_BYTES_MAX + skipped)
    }

    /// Tags that there is room for in a further range, in one list of it or in two together.
    pub fn tags_max(&self) -> usize {
        // Each of two lengths takes up to three bytes.
        self.room().saturating_sub(HEAD_BYTES_MAX + 6) / SYNC_TAG_BYTES
    }

    /// Nothing is to be said up to this bound, which is below the one before; `None` ends the frame, here and below.
    pub fn same(&mut self, end: Option<Item>) {
        if end.is_some() {
            self.same = end;
        }
    }

    /// A print up to this bound.
    pub fn print(&mut self, end: Option<Item>, print: Print) -> Result<(), NoRoom> {
        self.begin(end, PRINT, REST_BYTES_MAX)?;
        self.put(&(print.count, print.sum.to_le_bytes()))
    }

    /// A list up to this bound.
    pub fn list(&mut self, end: Option<Item>, tags: impl ExactSizeIterator<Item = Tag>) -> Result<(), NoRoom> {
        self.begin(end, LIST, 3 + tags.len() * SYNC_TAG_BYTES)?;
        self.tags(tags)
    }

    /// A difference up to this bound.
    pub fn difference(
        &mut self,
        end: Option<Item>,
        lacks: impl ExactSizeIterator<Item = Tag>,
        extra: impl ExactSizeIterator<Item = Tag>,
    ) -> Result<(), NoRoom> {
        self.begin(end, DIFFERENCE, 6 + (lacks.len() + extra.len()) * SYNC_TAG_BYTES)?;
        self.tags(lacks)?;
        self.tags(extra)
    }

    /// Ends the frame: a print of all that was not spoken of, or nothing if there is nothing to say. Bytes of the frame.
    pub fn finish(mut self, rest: Option<Print>) -> Result<usize, NoRoom> {
        match rest {
            _ if self.ended => {}
            None => self.put(&(LAST | SAME))?,
            Some(print) => {
                self.flush()?;
                self.put(&(LAST | PRINT, print.count, print.sum.to_le_bytes()))?;
            }
        }
        Ok(self.used)
    }

    fn begin(&mut self, end: Option<Item>, kind: u8, body: usize) -> Result<(), NoRoom> {
        if self.ended || self.room() < HEAD_BYTES_MAX + body {
            return Err(NoRoom);
        }
        self.flush()?;
        match end {
            Some(end) => {
                self.put(&kind)?;
                self.bound(end)
            }
            None => {
                self.ended = true;
                self.put(&(LAST | kind))
            }
        }
    }

    fn flush(&mut self) -> Result<(), NoRoom> {
        let Some(end) = self.same.take() else { return Ok(()) };
        self.put(&SAME)?;
        self.bound(end)
    }

    fn bound(&mut self, end: Item) -> Result<(), NoRoom> {
        let length = end.hash.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let hash = end.hash.get(..length).unwrap_or_default();
        let down = self.above.saturating_sub(end.stamp);
        self.above = end.stamp;
        self.put(&Bound { down, hash })
    }

    fn tags(&mut self, tags: impl ExactSizeIterator<Item = Tag>) -> Result<(), NoRoom> {
        let length = u32::try_from(tags.len() * SYNC_TAG_BYTES).map_err(|_| NoRoom)?;
        self.put(&length)?;
        for tag in tags {
            self.put(&tag.to_bytes())?;
        }
        Ok(())
    }

    fn put(&mut self, part: &impl Serialize) -> Result<(), NoRoom> {
        let free = self.frame.get_mut(self.used..).ok_or(NoRoom)?;
        self.used += postcard::to_slice(part, free).map_err(|_| NoRoom)?.len();
        Ok(())
    }
}
