//! The answers of the core: to the user's commands and to messages of others.

use super::clock::{Ahead, NoStamp};
use super::message::Message;
use crate::base::chars::is_hidden;
use crate::wire::bounds::NICK_BYTES_MAX;
use crate::wire::frame::{DecodeError, EncodeError, Part};

/// Why the user's command was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many rooms as the board allows are joined.
    #[error("no more than {0} rooms can be joined (rooms_max)")]
    RoomsMax(usize),
    /// The room is not joined.
    #[error("the room is not joined")]
    NotJoined,
    /// There is nothing to say.
    #[error("the text is empty")]
    EmptyText,
    /// A part is over its bound.
    #[error("the {0} is longer than {max} bytes", max = .0.bytes_max())]
    TooLong(Part),
    /// The nickname has a control, bidirectional or invisible character.
    #[error("a nickname must not contain the invisible character U+{:04X}", *.0 as u32)]
    HiddenInNick(char),
    /// The record's kind is empty or has something else than visible ASCII.
    #[error("a record's kind must be visible ASCII")]
    BadKind,
    /// The clocks of this machine are beyond what a stamp can hold.
    #[error("the clock is beyond what a message can hold")]
    Clock,
    /// Stamps, three in four milliseconds, ran as far ahead of the wall clock as others accept.
    #[error("more than 750 messages a second for minutes: wait until the clock catches up")]
    TooFast,
    /// The disk has not answered yet that the stamp is written down.
    #[error("the disk is slower than this: try again")]
    Unwritten,
    /// Our own peer id is empty or over its bound.
    #[error("the peer id has an unusable length")]
    PeerId,
}

impl From<NoStamp> for Refused {
    fn from(why: NoStamp) -> Self {
        match why {
            NoStamp::TooFast => Self::TooFast,
            NoStamp::Unwritten => Self::Unwritten,
        }
    }
}

impl From<EncodeError> for Refused {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::TooLong(part) => Self::TooLong(part),
            EncodeError::BadKind => Self::BadKind,
            EncodeError::StampTooLarge => Self::Clock,
            EncodeError::NoSpace => Self::TooLong(Part::Frame),
        }
    }
}

/// Why a message of others was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The room is not joined.
    #[error("the room is not joined")]
    NotJoined,
    /// The author's peer id is empty or over its bound.
    #[error("the author's peer id has an unusable length")]
    BadAuthor,
    /// The data is not a frame of ours.
    #[error(transparent)]
    Frame(#[from] DecodeError),
    /// The stamp lies too far in the future.
    #[error(transparent)]
    Ahead(#[from] Ahead),
}

/// What gossipsub is to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// Forward it.
    Accept,
    /// Forward it not; nobody is to blame.
    Ignore,
    /// Forward it not, and count it against the peer that brought it.
    Reject,
}

/// What became of a message of others.
// One lives at a time, on the stack: a box would be an allocation for each message.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// New and good: to be shown.
    Accepted(Message<'a>),
    /// Good, but for those who have the room's key.
    Sealed,
    /// Handled before.
    Duplicate,
    /// Not taken.
    Refused(Reason),
}

impl Verdict<'_> {
    /// What gossipsub is to do with the message.
    pub const fn acceptance(&self) -> Acceptance {
        match self {
            Self::Accepted(_) | Self::Sealed => Acceptance::Accept,
            Self::Duplicate | Self::Refused(Reason::NotJoined | Reason::Ahead(_)) => Acceptance::Ignore,
            Self::Refused(Reason::Frame(error)) if error.is_foreign() => Acceptance::Ignore,
            Self::Refused(Reason::Frame(_) | Reason::BadAuthor) => Acceptance::Reject,
        }
    }
}

/// Whether a nickname can be sent: bounded, nothing invisible in it; empty is allowed.
pub fn check_nick(nick: &str) -> Result<(), Refused> {
    if nick.len() > NICK_BYTES_MAX {
        return Err(Refused::TooLong(Part::Nick));
    }
    nick.chars().find(|c| is_hidden(*c)).map_or(Ok(()), |c| Err(Refused::HiddenInNick(c)))
}
