//! Why bytes are no frame of catch-up, and why a value cannot be written as one.

/// Why bytes are no frame of catch-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The frame is over its bound.
    #[error("the frame is too long")]
    FrameTooLong,
    /// The first byte names no kind of frame, or a range's none of range.
    #[error("the frame has an unknown kind")]
    UnknownKind,
    /// The bytes end inside the frame.
    #[error("the frame is cut short")]
    Truncated,
    /// A number has too many bits, or is larger than its meaning allows.
    #[error("a number is too large")]
    TooLarge,
    /// A topic is empty, over its bound or not UTF-8.
    #[error("the topic cannot be one")]
    BadTopic,
    /// A hash is over its bound, or ends in a zero byte.
    #[error("a bound's hash is not in its shortest form")]
    BadHash,
    /// Tags are cut, or more than a frame may have.
    #[error("the tags are cut or too many")]
    BadTags,
    /// Ranges do not go from newer to older.
    #[error("the ranges are out of order")]
    OutOfOrder,
    /// A message is empty or over its bound.
    #[error("a message is empty or too long")]
    BadMessage,
    /// Bytes follow the end.
    #[error("bytes follow the frame")]
    Trailing,
}

/// There is no room left in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room in the frame")]
pub struct NoRoom;

impl From<postcard::Error> for DecodeError {
    fn from(error: postcard::Error) -> Self {
        match error {
            postcard::Error::DeserializeUnexpectedEnd => Self::Truncated,
            postcard::Error::DeserializeBadUtf8 => Self::BadTopic,
            postcard::Error::SerdeDeCustom => Self::UnknownKind,
            _ => Self::TooLarge,
        }
    }
}
