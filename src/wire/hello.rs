//! What peers tell each other when they meet: the time, how far it is vouched for, what they are called.

use super::bounds::{HELLO_BYTES_MAX, LEVEL_MAX, NICK_BYTES_MAX, PEER_ID_BYTES_MAX, STAMP_MAX, VERSION_BYTES_MAX};
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// The protocol's name.
pub const HELLO_PROTOCOL: &str = "/stonechat/hello/1.0.0";

/// An encoded request or answer.
pub type HelloBytes = Vec<u8, HELLO_BYTES_MAX>;

/// Who is there, and what time it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello<'a> {
    /// Milliseconds since 1970-01-01 UTC, at most [`STAMP_MAX`], if there is any notion of it.
    pub unix_ms: Option<u64>,
    /// How far that is vouched for: 0 by nobody, 1 by the sender's own clock, n + 1 by a peer that said n; at most
    /// [`LEVEL_MAX`]. Without a time it is 0.
    pub level: u8,
    /// The nickname, at most [`NICK_BYTES_MAX`] bytes; may be empty.
    pub nick: &'a str,
    /// The version of the program, at most [`VERSION_BYTES_MAX`] bytes; may be empty.
    pub version: &'a str,
}

/// What is said on the protocol. The order of the variants and of their fields is the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said<'a> {
    /// A request, and the answer to it.
    #[serde(borrow)]
    Hello(Hello<'a>),
    /// A request: a message was refused because its stamp is ahead of a synchronised clock.
    Refused {
        /// The author's peer id (multihash bytes), 1 to [`PEER_ID_BYTES_MAX`] of them.
        author: &'a [u8],
        /// How far ahead of that clock the stamp is in ms, at most [`STAMP_MAX`].
        ahead_ms: u64,
    },
    /// The answer to a refusal.
    Noted,
}

/// Why bytes are not what the protocol says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// They end too early, or are none of its kinds.
    #[error("they are not what the protocol says")]
    Malformed,
    /// A part is over its bound, or empty and must not be.
    #[error("a part is out of its bounds")]
    Bounds,
    /// Something is vouched for that is not there.
    #[error("a time that is not told is vouched for")]
    NoTime,
    /// There is a shorter way to say it, or something comes after it.
    #[error("they are not the shortest encoding, alone")]
    NotShortest,
}

impl<'a> Said<'a> {
    /// As bytes.
    pub fn encode(&self) -> Result<HelloBytes, HelloError> {
        self.check()?;
        let mut bytes = [0; HELLO_BYTES_MAX];
        let written = postcard::to_slice(self, &mut bytes).map_err(|_| HelloError::Bounds)?;
        HelloBytes::from_slice(written).map_err(|_| HelloError::Bounds)
    }

    /// Reads exactly one request or answer.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, HelloError> {
        if bytes.len() > HELLO_BYTES_MAX {
            return Err(HelloError::Bounds);
        }
        let (said, _) = postcard::take_from_bytes::<Self>(bytes).map_err(|_| HelloError::Malformed)?;
        if said.encode()? == bytes { Ok(said) } else { Err(HelloError::NotShortest) }
    }

    fn check(&self) -> Result<(), HelloError> {
        let is_good = match self {
            Self::Hello(Hello { unix_ms, level, nick, version }) => {
                if unix_ms.is_none() && *level > 0 {
                    return Err(HelloError::NoTime);
                }
                unix_ms.unwrap_or(0) <= STAMP_MAX
                    && *level <= LEVEL_MAX
                    && nick.len() <= NICK_BYTES_MAX
                    && version.len() <= VERSION_BYTES_MAX
            }
            Self::Refused { author, ahead_ms } => {
                (1..=PEER_ID_BYTES_MAX).contains(&author.len()) && *ahead_ms <= STAMP_MAX
            }
            Self::Noted => true,
        };
        if is_good { Ok(()) } else { Err(HelloError::Bounds) }
    }
}
