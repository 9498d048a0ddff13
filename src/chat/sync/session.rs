//! One comparison with one peer about one room, as the side that asks: from the first request to the last page.
//!
//! Memory: the next request and one page of differences, both bounded by the frame's limit.

use super::compare::{self, CompareError, Opening};
use super::page::Page;
use super::view::{Items, View};
use crate::wire::bounds::{SYNC_FRAME_BYTES_MAX, SYNC_FRAME_BYTES_MIN};
use crate::wire::room::Topic;
use crate::wire::sync::error::{DecodeError, NoRoom};
use crate::wire::sync::frame::{Question, Refusal, Request, Response};
use crate::wire::sync::item::SessionKey;
use crate::wire::sync::range::RangesWriter;
use alloc::vec::Vec;

/// Rounds in a row that bring nothing, at most: a history of a million messages is split down to single ones in seven,
/// and frames of the smallest limit take some more. A peer that goes on splitting for ever is left.
pub const BARREN_ROUNDS_MAX: u8 = 16;
/// Rounds of a comparison, at most: some 250,000 messages in the smallest frames.
pub const ROUNDS_MAX: u16 = 1024;

/// Why a comparison ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The response cannot be read.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// The response does not fit the question.
    #[error("{0}")]
    Compare(#[from] CompareError),
    /// The response is of another kind than the request.
    #[error("the response answers another question")]
    NoAnswer,
    /// It does not come to an end.
    #[error("the comparison does not come to an end")]
    Endless,
    /// The peer refuses.
    #[error("the peer refuses: {0:?}")]
    Refused(Refusal),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    topic: Topic,
    key: SessionKey,
    limit: usize,
    since: u64,
    request: Vec<u8>,
    rounds: u16,
    barren: u8,
}

impl Session {
    /// Begins a comparison. The key must be random. `limit` is what a frame may have, within what the protocol knows;
    /// `since` is where the peer's history began when it was last asked, 0 if that is not known.
    pub fn begin<I: Items + ?Sized>(
        items: &I,
        topic: &Topic,
        key: SessionKey,
        limit: usize,
        since: u64,
        opening: Opening,
    ) -> Result<Self, NoRoom> {
        let limit = limit.clamp(SYNC_FRAME_BYTES_MIN, SYNC_FRAME_BYTES_MAX);
        let since = since.max(items.since());
        let mut session = Self { topic: topic.clone(), key, limit, since, request: Vec::new(), rounds: 0, barren: 0 };
        let view = View::new(items, since, key);
        session.write(items.since(), |writer| compare::open(&view, opening, writer))?;
        Ok(session)
    }

    /// The room's topic.
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }

    /// What to ask about, for fetching what a page names.
    pub fn question(&self) -> Question<'_> {
        Question { topic: self.topic.as_str(), key: self.key, limit: self.limit }
    }

    /// The stamp from which on both histories go.
    pub const fn since(&self) -> u64 {
        self.since
    }

    /// The request to send next; empty once the comparison is over.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Rounds so far.
    pub const fn rounds(&self) -> u16 {
        self.rounds
    }

    /// Takes the response to the request. The page may be empty; whether the comparison goes on, [`Session::request`] says.
    pub fn handle_response<I: Items + ?Sized>(&mut self, items: &I, bytes: &[u8]) -> Result<Page, SessionError> {
        self.request.clear();
        let (since, ranges) = match Response::decode(bytes)? {
            Response::Compared { since, ranges } => (since, ranges),
            Response::Refused(refusal) => return Err(SessionError::Refused(refusal)),
            _ => return Err(SessionError::NoAnswer),
        };
        self.since = self.since.max(since).max(items.since());
        let view = View::new(items, self.since, self.key);
        let mut page = Page::default();
        let mut goes_on = false;
        self.write(items.since(), |writer| {
            let used = compare::advance(&view, ranges, &mut page, writer)?;
            goes_on = used.is_some();
            Ok::<_, CompareError>(used.unwrap_or_default())
        })?;
        if !goes_on {
            self.request.clear();
        }
        self.rounds += 1;
        self.barren = if page.is_empty() { self.barren + 1 } else { 0 };
        if goes_on && (self.barren >= BARREN_ROUNDS_MAX || self.rounds >= ROUNDS_MAX) {
            return Err(SessionError::Endless);
        }
        Ok(page)
    }

    fn write<E: From<NoRoom>>(
        &mut self,
        since: u64,
        ranges: impl FnOnce(RangesWriter<'_>) -> Result<usize, E>,
    ) -> Result<(), E> {
        let mut frame = core::mem::take(&mut self.request);
        frame.resize(self.limit, 0);
        let begun = Request::begin_compare(&mut frame, &self.question(), since)?;
        let used = ranges(RangesWriter::new(&mut frame, begun))?;
        frame.truncate(used);
        frame.shrink_to_fit();
        self.request = frame;
        Ok(())
    }
}

/// Answers a comparison into `out`: the bytes of the response, and whether both sides have the same.
pub fn answer<I: Items + ?Sized>(
    items: &I,
    request: &Request<'_>,
    out: &mut [u8],
) -> Result<(usize, bool), CompareError> {
    let Request::Compare { question, since, ranges } = *request else { return Err(CompareError::NoAnswer) };
    let view = View::new(items, since.max(items.since()), question.key);
    let out = out.get_mut(..question.limit).ok_or(NoRoom)?;
    let begun = Response::begin_compared(out, items.since())?;
    let used = compare::answer(&view, ranges, RangesWriter::new(out, begun))?;
    // One byte says that nothing is to be said.
    Ok((used, used == begun + 1))
}
