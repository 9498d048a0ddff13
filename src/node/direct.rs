//! universal-connectivity's direct messages: one request and one answer on a stream, each a protobuf message with its
//! length before it.
//!
//! They stand here and not beside the rooms of others in `compat`, because the library for protobuf asks for atomic
//! operations that the smallest microcontrollers do not have.

use crate::{compat::bounds::cut, wire::bounds::TEXT_BYTES_MAX};
use prost::Message;

/// The protocol's name.
pub const PROTOCOL: &str = "/universal-connectivity/dm/1.0.0";
/// Bytes of a request or an answer. Guess: their program has no bound, and people write no more; what is beyond a line
/// is cut.
pub const DIRECT_BYTES_MAX: usize = 8 * 1024;
/// Bytes of the sentence that comes back with a refused message and is shown. Guess: a long sentence.
pub const STATUS_TEXT_BYTES_MAX: usize = 128;
/// The version that their program sends.
pub const CLIENT_VERSION: &str = "0.0.1";
/// The type of a text.
pub const TEXT_TYPE: &str = "text/plain";
/// The status of a message that was taken.
pub const STATUS_OK: i32 = 200;
/// The status of one that was not.
pub const STATUS_ERROR: i32 = 500;

/// Who sends, and when.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Metadata {
    /// The version of the program.
    #[prost(string, tag = "1")]
    pub client_version: String,
    /// Milliseconds since 1970-01-01 UTC.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// A message.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Request {
    /// Who sends, and when.
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<Metadata>,
    /// The text.
    #[prost(string, tag = "2")]
    pub content: String,
    /// Its type, [`TEXT_TYPE`].
    #[prost(string, tag = "3")]
    pub kind: String,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Response {
    /// Who answers, and when. Their program takes an answer without it for an error.
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<Metadata>,
    /// [`STATUS_OK`], [`STATUS_ERROR`], or unknown.
    #[prost(int32, tag = "2")]
    pub status: i32,
    /// Why not.
    #[prost(string, optional, tag = "3")]
    pub status_text: Option<String>,
}

/// Why a direct message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is nothing in it.
    #[error("Message cannot be empty")]
    Empty,
    /// It is something else than text.
    #[error("only {TEXT_TYPE} is taken")]
    Type,
    /// Too many came in a short time.
    #[error("too many messages, try again later")]
    TooMany,
    /// Nobody here is in a room of theirs.
    #[error("nobody is here")]
    Away,
}

fn metadata(unix_ms: u64) -> Option<Metadata> {
    Some(Metadata { client_version: CLIENT_VERSION.into(), timestamp: i64::try_from(unix_ms).unwrap_or(i64::MAX) })
}

impl Request {
    /// A text to send now.
    pub fn text(text: &str, unix_ms: u64) -> Self {
        Self { metadata: metadata(unix_ms), content: text.into(), kind: TEXT_TYPE.into() }
    }

    /// The text to show, cut to what a line may have.
    pub fn read(self) -> Result<String, Refusal> {
        match () {
            () if self.kind != TEXT_TYPE => Err(Refusal::Type),
            () if self.content.is_empty() => Err(Refusal::Empty),
            () => Ok(cut(self.content, TEXT_BYTES_MAX)),
        }
    }

    /// Without the length.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Reads what [`Self::encode`] gives.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() <= DIRECT_BYTES_MAX { Message::decode(bytes).ok() } else { None }
    }
}

impl Response {
    /// The answer to a message that was taken, or was not.
    pub fn new(taken: Result<(), Refusal>, unix_ms: u64) -> Self {
        let status_text = taken.as_ref().err().map(ToString::to_string);
        let status = if taken.is_ok() { STATUS_OK } else { STATUS_ERROR };
        Self { metadata: metadata(unix_ms), status, status_text }
    }

    /// Whether the message was taken; else why not, as far as it says.
    pub fn read(self) -> Result<(), String> {
        match (self.status, self.metadata) {
            (STATUS_OK, Some(_)) => Ok(()),
            (STATUS_OK, None) => Err("the answer has no metadata".into()),
            (status, _) => match self.status_text {
                Some(text) if !text.is_empty() => Err(cut(text, STATUS_TEXT_BYTES_MAX)),
                _ => Err(format!("the answer has status {status}")),
            },
        }
    }

    /// Without the length.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Reads what [`Self::encode`] gives.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() <= DIRECT_BYTES_MAX { Message::decode(bytes).ok() } else { None }
    }
}
