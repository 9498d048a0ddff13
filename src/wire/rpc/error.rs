//! What may be wrong with an RPC.

use core::convert::Infallible;

/// A part of an RPC that has a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The whole of it.
    Rpc,
    /// A message with all its fields.
    Message,
    /// An author's peer id, or one that is recommended.
    PeerId,
    /// A message's payload.
    Data,
    /// A sequence number.
    Seqno,
    /// A topic.
    Topic,
    /// A signature.
    Signature,
    /// A public key.
    Key,
    /// A message id.
    Id,
    /// A subscription.
    Subscription,
    /// A control message.
    Control,
}

impl core::fmt::Display for Piece {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Rpc => "RPC",
            Self::Message => "message",
            Self::PeerId => "peer id",
            Self::Data => "payload",
            Self::Seqno => "sequence number",
            Self::Topic => "topic",
            Self::Signature => "signature",
            Self::Key => "public key",
            Self::Id => "message id",
            Self::Subscription => "subscription",
            Self::Control => "control message",
        })
    }
}

/// Why bytes are not an RPC, or a part of it is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("the RPC is cut short")]
    Truncated,
    /// A number has more bytes than any.
    #[error("a number is longer than ten bytes")]
    BadNumber,
    /// A field has the number zero, a number too large, or a kind that is none (or the groups of old).
    #[error("a field is of no kind there is")]
    BadField,
    /// A field is of another kind than its number says.
    #[error("a field is of the wrong kind")]
    WrongKind,
    /// A part is over its bound. What follows it is read.
    #[error("a {0} is too long")]
    TooLong(Piece),
    /// There are more of them than may be in one RPC; for ids and peers: in one control message.
    #[error("there is one {0} too many")]
    TooMany(Piece),
}

impl From<micropb::DecodeError<Infallible>> for DecodeError {
    fn from(error: micropb::DecodeError<Infallible>) -> Self {
        match error {
            micropb::DecodeError::UnexpectedEof => Self::Truncated,
            micropb::DecodeError::VarIntLimit => Self::BadNumber,
            _ => Self::BadField,
        }
    }
}

/// Why a value cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The slice to write to is too short.
    #[error("no room for the RPC")]
    NoSpace,
    /// A part is over its bound.
    #[error("the {0} is too long")]
    TooLong(Piece),
}
