//! The frame: what stands in the `data` of one gossipsub message.

use super::bounds::{
    CIPHERTEXT_BYTES_MAX, FRAME_BYTES_MAX, KIND_BYTES_MAX, NICK_BYTES_MAX, NONCE_BYTES_MAX, RECORD_BYTES_MAX,
    STAMP_MAX, TEXT_BYTES_MAX,
};
use core::fmt;
use heapless::Vec;
use serde::{Deserialize, Serialize, Serializer};

/// The version this program speaks: the first byte of every frame.
pub const VERSION: u8 = 1;

/// An encoded frame.
pub type FrameBytes = Vec<u8, FRAME_BYTES_MAX>;

/// A stamped body. Borrows its strings from the bytes it was decoded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame<'a> {
    /// Hybrid logical clock in milliseconds, at most [`STAMP_MAX`].
    pub stamp: u64,
    /// What is said.
    #[serde(borrow)]
    pub body: Body<'a>,
}

/// What a frame says. The order of the variants and of their fields is the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body<'a> {
    /// A line of chat.
    Text {
        /// The author's nickname, at most [`NICK_BYTES_MAX`] bytes; may be empty.
        nick: &'a str,
        /// The text, at most [`TEXT_BYTES_MAX`] bytes.
        text: &'a str,
    },
    /// Reserved: a body for those who have the room's key.
    Sealed {
        /// The nonce, at most [`NONCE_BYTES_MAX`] bytes.
        #[serde(serialize_with = "as_bytes")]
        nonce: &'a [u8],
        /// The ciphertext, at most [`CIPHERTEXT_BYTES_MAX`] bytes.
        #[serde(serialize_with = "as_bytes")]
        ciphertext: &'a [u8],
    },
    /// A record of a program.
    Record {
        /// What the payload is: 1 to [`KIND_BYTES_MAX`] bytes of visible ASCII.
        kind: &'a str,
        /// The payload, at most [`RECORD_BYTES_MAX`] bytes.
        #[serde(serialize_with = "as_bytes")]
        bytes: &'a [u8],
    },
}

/// One write instead of one for each byte; the encoding is the same.
fn as_bytes<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// A part of a frame that has a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The whole frame.
    Frame,
    /// A nickname.
    Nick,
    /// A text.
    Text,
    /// A sealed body's nonce.
    Nonce,
    /// A sealed body's ciphertext.
    Ciphertext,
    /// A record's kind.
    Kind,
    /// A record's payload.
    Record,
}

impl Part {
    /// The most bytes it may have.
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Frame => FRAME_BYTES_MAX,
            Self::Nick => NICK_BYTES_MAX,
            Self::Text => TEXT_BYTES_MAX,
            Self::Nonce => NONCE_BYTES_MAX,
            Self::Ciphertext => CIPHERTEXT_BYTES_MAX,
            Self::Kind => KIND_BYTES_MAX,
            Self::Record => RECORD_BYTES_MAX,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frame => "frame",
            Self::Nick => "nickname",
            Self::Text => "text",
            Self::Nonce => "nonce",
            Self::Ciphertext => "ciphertext",
            Self::Kind => "record's kind",
            Self::Record => "record",
        })
    }
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The first byte names another version.
    #[error("the frame is of version {0}, not {VERSION}")]
    Version(u8),
    /// The body is of a kind this version does not know.
    #[error("the frame's body is of an unknown kind")]
    UnknownBody,
    /// A part is over its bound.
    #[error("the {0} is longer than {max} bytes", max = .0.bytes_max())]
    TooLong(Part),
    /// The stamp is beyond [`STAMP_MAX`].
    #[error("the stamp is too large")]
    StampTooLarge,
    /// The bytes end inside the frame.
    #[error("the frame is cut short")]
    Truncated,
    /// A string that must be UTF-8 is not.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A record's kind is empty or has something else than visible ASCII.
    #[error("a record's kind must be visible ASCII")]
    BadKind,
    /// A number is written with more bytes than it needs, or with too many bits.
    #[error("a number is not in its shortest form")]
    NotShortest,
    /// Bytes follow the body.
    #[error("bytes follow the frame")]
    Trailing,
}

impl DecodeError {
    /// Whether a peer of a later version may have written this in good faith.
    pub const fn is_foreign(&self) -> bool {
        matches!(self, Self::Version(_))
    }
}

/// Why a value cannot be written as a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A part is over its bound.
    #[error("the {0} is longer than {max} bytes", max = .0.bytes_max())]
    TooLong(Part),
    /// A record's kind is empty or has something else than visible ASCII.
    #[error("a record's kind must be visible ASCII")]
    BadKind,
    /// The stamp is beyond [`STAMP_MAX`].
    #[error("the stamp is too large")]
    StampTooLarge,
    /// The slice to write to is too short.
    #[error("no room for the frame")]
    NoSpace,
}

impl<'a> Frame<'a> {
    /// Writes the frame to the start of `out` and returns its length in bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        if let Some(part) = self.body.over_bound() {
            return Err(EncodeError::TooLong(part));
        }
        if self.body.has_bad_kind() {
            return Err(EncodeError::BadKind);
        }
        if self.stamp > STAMP_MAX {
            return Err(EncodeError::StampTooLarge);
        }
        let (version, rest) = out.split_first_mut().ok_or(EncodeError::NoSpace)?;
        *version = VERSION;
        let written = postcard::to_slice(self, rest).map_err(|_| EncodeError::NoSpace)?;
        Ok(1 + written.len())
    }

    /// The frame as bytes.
    pub fn to_bytes(&self) -> Result<FrameBytes, EncodeError> {
        let mut bytes = [0; FRAME_BYTES_MAX];
        let length = self.encode(&mut bytes)?;
        bytes.get(..length).and_then(|bytes| Vec::from_slice(bytes).ok()).ok_or(EncodeError::NoSpace)
    }

    /// Reads exactly one frame.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(DecodeError::TooLong(Part::Frame));
        }
        let (version, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        if *version != VERSION {
            return Err(DecodeError::Version(*version));
        }
        let (frame, trailing) = postcard::take_from_bytes::<Self>(rest).map_err(|error| match error {
            postcard::Error::DeserializeUnexpectedEnd => DecodeError::Truncated,
            postcard::Error::DeserializeBadUtf8 => DecodeError::NotUtf8,
            // Only the kind of the body goes through serde's own checks.
            postcard::Error::SerdeDeCustom => DecodeError::UnknownBody,
            _ => DecodeError::NotShortest,
        })?;
        if let Some(part) = frame.body.over_bound() {
            return Err(DecodeError::TooLong(part));
        }
        if frame.body.has_bad_kind() {
            return Err(DecodeError::BadKind);
        }
        if frame.stamp > STAMP_MAX {
            return Err(DecodeError::StampTooLarge);
        }
        if !trailing.is_empty() {
            return Err(DecodeError::Trailing);
        }
        if frame.length() != bytes.len() {
            return Err(DecodeError::NotShortest);
        }
        Ok(frame)
    }

    /// Bytes of the shortest encoding.
    fn length(&self) -> usize {
        let string = |length: usize| varint_length(length as u64) + length;
        let (first, second) = self.body.lengths();
        1 + varint_length(self.stamp) + 1 + string(first) + string(second)
    }
}

impl Body<'_> {
    /// Bytes of its two strings.
    const fn lengths(&self) -> (usize, usize) {
        match self {
            Self::Text { nick, text } => (nick.len(), text.len()),
            Self::Sealed { nonce, ciphertext } => (nonce.len(), ciphertext.len()),
            Self::Record { kind, bytes } => (kind.len(), bytes.len()),
        }
    }

    /// Programs compare kinds and terminals print them: nothing in them may be invisible or look like another.
    fn has_bad_kind(&self) -> bool {
        matches!(self, Self::Record { kind, .. } if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_graphic()))
    }

    /// The first part that is over its bound, if any.
    fn over_bound(&self) -> Option<Part> {
        let (first, second) = match self {
            Self::Text { .. } => (Part::Nick, Part::Text),
            Self::Sealed { .. } => (Part::Nonce, Part::Ciphertext),
            Self::Record { .. } => (Part::Kind, Part::Record),
        };
        let lengths = self.lengths();
        [(first, lengths.0), (second, lengths.1)]
            .into_iter()
            .find(|(part, length)| *length > part.bytes_max())
            .map(|(part, _)| part)
    }
}

/// Bytes of a number in base 128.
const fn varint_length(number: u64) -> usize {
    match number.checked_ilog2() {
        Some(top) => top as usize / 7 + 1,
        None => 1,
    }
}
