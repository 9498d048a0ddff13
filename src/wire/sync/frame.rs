//! Requests and responses.

use super::super::bounds::{
    STAMP_MAX, SYNC_FRAME_BYTES_MAX, SYNC_FRAME_BYTES_MIN, SYNC_MESSAGE_BYTES_MAX, SYNC_TAG_BYTES,
};
use super::super::room::TOPIC_BYTES_MAX;
use super::error::{DecodeError, NoRoom};
use super::item::{Item, SessionKey, Tag, Tags};
use super::range::{Ranges, read_bound, tags};
use serde::{Deserialize, Serialize};

/// What every question about a room begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// The room's topic in gossipsub.
    pub topic: &'a str,
    /// The key of the session.
    pub key: SessionKey,
    /// Bytes that the response may have, from [`SYNC_FRAME_BYTES_MIN`] to [`SYNC_FRAME_BYTES_MAX`].
    pub limit: usize,
}

/// Between two bounds: those before `upper` are not meant, nor are `lower` and what follows it. `None` has no end there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub upper: Option<Item>,
    /// Where it ends.
    pub lower: Option<Item>,
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Which messages does one of us lack?
    Compare {
        /// About what.
        question: Question<'a>,
        /// The stamp at which the sender's history begins.
        since: u64,
        /// What it has.
        ranges: Ranges<'a>,
    },
    /// Send these messages.
    Fetch {
        /// About what.
        question: Question<'a>,
        /// Where they stand.
        span: Span,
        /// Which, the most wanted first.
        tags: Tags<'a>,
    },
    /// Here are messages that you lack.
    Give {
        /// The room's topic.
        topic: &'a str,
        /// Them.
        messages: Messages<'a>,
    },
}

/// A response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Response<'a> {
    /// To `Compare`.
    Compared {
        /// The stamp at which the sender's history begins.
        since: u64,
        /// What it has, or lacks.
        ranges: Ranges<'a>,
    },
    /// To `Fetch`.
    Messages {
        /// How many of the tags are answered, from the first on: with a message here, or with none because it is gone.
        answered: u16,
        /// The messages.
        messages: Messages<'a>,
    },
    /// To `Give`.
    Taken {
        /// How many messages were looked at, from the first on.
        looked_at: u16,
        /// How many of them were refused.
        refused: u16,
    },
    /// To any.
    Refused(Refusal),
}

/// Why a peer does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// It is not in that room.
    UnknownRoom,
    /// It has answered much lately.
    Busy,
}

/// Signed messages as they stand in a frame, checked when it was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Messages<'a>(&'a [u8]);

impl<'a> Messages<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (message, after) = postcard::take_from_bytes::<&[u8]>(rest)?;
            if message.is_empty() || message.len() > SYNC_MESSAGE_BYTES_MAX {
                return Err(DecodeError::BadMessage);
            }
            rest = after;
        }
        Ok(Self(bytes))
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (message, rest) = postcard::take_from_bytes(self.0).ok()?;
        self.0 = rest;
        Some(message)
    }
}

const COMPARE: u8 = 0;
const FETCH: u8 = 1;
const GIVE: u8 = 2;

const COMPARED: u8 = 0;
const MESSAGES: u8 = 1;
const TAKEN: u8 = 2;
const REFUSED: u8 = 3;

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    topic: &'a str,
    key: [[u8; 8]; 2],
    limit: u32,
}

impl<'a> Head<'a> {
    fn new(question: &Question<'a>) -> Self {
        let Question { topic, key, limit } = *question;
        Self { topic, key: key.0.map(u64::to_le_bytes), limit: u32::try_from(limit).unwrap_or(u32::MAX) }
    }

    fn question(self) -> Result<Question<'a>, DecodeError> {
        let limit = usize::try_from(self.limit).map_err(|_| DecodeError::TooLarge)?;
        if !(SYNC_FRAME_BYTES_MIN..=SYNC_FRAME_BYTES_MAX).contains(&limit) {
            return Err(DecodeError::TooLarge);
        }
        Ok(Question { topic: topic(self.topic)?, key: SessionKey(self.key.map(u64::from_le_bytes)), limit })
    }
}

fn topic(topic: &str) -> Result<&str, DecodeError> {
    if topic.is_empty() || topic.len() > TOPIC_BYTES_MAX { Err(DecodeError::BadTopic) } else { Ok(topic) }
}

fn stamp(stamp: u64) -> Result<u64, DecodeError> {
    if stamp > STAMP_MAX { Err(DecodeError::TooLarge) } else { Ok(stamp) }
}

fn split_kind(bytes: &[u8]) -> Result<(u8, &[u8]), DecodeError> {
    if bytes.len() > SYNC_FRAME_BYTES_MAX {
        return Err(DecodeError::FrameTooLong);
    }
    bytes.split_first().map(|(kind, rest)| (*kind, rest)).ok_or(DecodeError::Truncated)
}

impl<'a> Request<'a> {
    /// Reads exactly one request.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (kind, rest) = split_kind(bytes)?;
        match kind {
            COMPARE => {
                let ((head, since), rest) = postcard::take_from_bytes::<(Head<'_>, u64)>(rest)?;
                let (question, since) = (head.question()?, stamp(since)?);
                Ok(Self::Compare { question, since, ranges: Ranges::decode(rest)? })
            }
            FETCH => {
                let (head, rest) = postcard::take_from_bytes::<Head<'_>>(rest)?;
                let question = head.question()?;
                let (upper, rest) = read_span_bound(rest, STAMP_MAX)?;
                let (lower, rest) = read_span_bound(rest, upper.map_or(STAMP_MAX, |upper| upper.stamp))?;
                if let (Some(upper), Some(lower)) = (upper, lower)
                    && lower <= upper
                {
                    return Err(DecodeError::OutOfOrder);
                }
                let (list, rest) = postcard::take_from_bytes::<&[u8]>(rest)?;
                match tags(list)? {
                    tags if tags.is_empty() => Err(DecodeError::BadTags),
                    _ if !rest.is_empty() => Err(DecodeError::Trailing),
                    tags => Ok(Self::Fetch { question, span: Span { upper, lower }, tags }),
                }
            }
            GIVE => {
                let (room, rest) = postcard::take_from_bytes(rest)?;
                Ok(Self::Give { topic: topic(room)?, messages: Messages::decode(rest)? })
            }
            _ => Err(DecodeError::UnknownKind),
        }
    }

    /// Begins a `Compare`; its ranges follow. Bytes written.
    pub fn begin_compare(out: &mut [u8], question: &Question<'_>, since: u64) -> Result<usize, NoRoom> {
        put(out, 0, &(COMPARE, Head::new(question), since))
    }

    /// Writes a `Fetch`. Bytes written.
    pub fn fetch(
        out: &mut [u8],
        question: &Question<'_>,
        span: Span,
        tags: impl ExactSizeIterator<Item = Tag>,
    ) -> Result<usize, NoRoom> {
        let mut used = put(out, 0, &(FETCH, Head::new(question)))?;
        used = put_span_bound(out, used, span.upper, STAMP_MAX)?;
        used = put_span_bound(out, used, span.lower, span.upper.map_or(STAMP_MAX, |upper| upper.stamp))?;
        used = put(out, used, &u32::try_from(tags.len() * SYNC_TAG_BYTES).map_err(|_| NoRoom)?)?;
        for tag in tags {
            used = put(out, used, &tag.to_bytes())?;
        }
        Ok(used)
    }

    /// Begins a `Give`; [`put_message`] adds to it. Bytes written.
    pub fn begin_give(out: &mut [u8], topic: &str) -> Result<usize, NoRoom> {
        put(out, 0, &(GIVE, topic))
    }
}

impl<'a> Response<'a> {
    /// Reads exactly one response.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (kind, rest) = split_kind(bytes)?;
        let (response, rest): (_, &[u8]) = match kind {
            COMPARED => {
                let (since, rest) = postcard::take_from_bytes(rest)?;
                (Self::Compared { since: stamp(since)?, ranges: Ranges::decode(rest)? }, &[])
            }
            MESSAGES => {
                let (answered, rest) = postcard::take_from_bytes(rest)?;
                (Self::Messages { answered, messages: Messages::decode(rest)? }, &[])
            }
            TAKEN => {
                let ((looked_at, refused), rest) = postcard::take_from_bytes(rest)?;
                if refused > looked_at {
                    return Err(DecodeError::TooLarge);
                }
                (Self::Taken { looked_at, refused }, rest)
            }
            REFUSED => {
                let (refusal, rest) = postcard::take_from_bytes(rest)?;
                (Self::Refused(refusal), rest)
            }
            _ => return Err(DecodeError::UnknownKind),
        };
        if rest.is_empty() { Ok(response) } else { Err(DecodeError::Trailing) }
    }

    /// Begins a `Compared`; its ranges follow. Bytes written.
    pub fn begin_compared(out: &mut [u8], since: u64) -> Result<usize, NoRoom> {
        put(out, 0, &(COMPARED, since))
    }

    /// Begins a `Messages`; [`put_message`] adds to it. Bytes written.
    pub fn begin_messages(out: &mut [u8], answered: u16) -> Result<usize, NoRoom> {
        put(out, 0, &(MESSAGES, answered))
    }

    /// Writes a `Taken`. Bytes written.
    pub fn taken(out: &mut [u8], looked_at: u16, refused: u16) -> Result<usize, NoRoom> {
        put(out, 0, &(TAKEN, looked_at, refused))
    }

    /// Writes a `Refused`. Bytes written.
    pub fn refused(out: &mut [u8], refusal: Refusal) -> Result<usize, NoRoom> {
        put(out, 0, &(REFUSED, refusal))
    }
}

/// Adds a message to a frame of which `used` bytes are taken. Bytes taken then; as before if it does not fit.
pub fn put_message(out: &mut [u8], used: usize, message: &[u8]) -> Result<usize, NoRoom> {
    if message.is_empty() || message.len() > SYNC_MESSAGE_BYTES_MAX {
        return Err(NoRoom);
    }
    let at = put(out, used, &u32::try_from(message.len()).map_err(|_| NoRoom)?)?;
    let end = at + message.len();
    out.get_mut(at..end).ok_or(NoRoom)?.copy_from_slice(message);
    Ok(end)
}

fn read_span_bound(bytes: &[u8], above: u64) -> Result<(Option<Item>, &[u8]), DecodeError> {
    match bytes.split_first() {
        None => Err(DecodeError::Truncated),
        Some((0, rest)) => Ok((None, rest)),
        Some((1, rest)) => read_bound(rest, above).map(|(bound, rest)| (Some(bound), rest)),
        Some(_) => Err(DecodeError::UnknownKind),
    }
}

fn put_span_bound(out: &mut [u8], used: usize, bound: Option<Item>, above: u64) -> Result<usize, NoRoom> {
    match bound {
        None => put(out, used, &0_u8),
        Some(bound) => {
            let length = bound.hash.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let hash = bound.hash.get(..length).unwrap_or_default();
            put(out, used, &(1_u8, above.saturating_sub(bound.stamp), hash))
        }
    }
}

fn put(out: &mut [u8], used: usize, part: &impl Serialize) -> Result<usize, NoRoom> {
    let free = out.get_mut(used..).ok_or(NoRoom)?;
    Ok(used + postcard::to_slice(part, free).map_err(|_| NoRoom)?.len())
}
