//! A room's name, and what it is called in gossipsub and in the DHT.

use super::bounds::ROOM_BYTES_MAX;
use crate::base::chars::is_hidden;
use core::fmt;
use heapless::String;

/// What stands before a room's name in its topic: the program and the version of the frames in it.
pub const TOPIC_PREFIX: &str = "stonechat/1/";

/// Bytes of a topic: the prefix and the longest name.
pub const TOPIC_BYTES_MAX: usize = TOPIC_PREFIX.len() + ROOM_BYTES_MAX;

/// A room's topic in gossipsub and its namespace in the DHT, which are the same text.
pub type Topic = String<TOPIC_BYTES_MAX>;

/// A valid name of a room: 1 to [`ROOM_BYTES_MAX`] bytes, no white space, nothing invisible. Only the rooms of other
/// programs have a `:` in theirs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(String<ROOM_BYTES_MAX, u8>);

/// Why a text is not a room's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// It has no characters.
    #[error("a room's name must not be empty")]
    Empty,
    /// It is over its bound.
    #[error("a room's name must not be longer than {ROOM_BYTES_MAX} bytes")]
    TooLong,
    /// It has white space.
    #[error("a room's name must not contain white space")]
    Whitespace,
    /// It has a control, bidirectional or invisible character.
    #[error("a room's name must not contain the invisible character U+{:04X}", *.0 as u32)]
    Hidden(char),
    /// It has a `:`.
    #[error("a room's name must not contain ':', which is kept for the rooms of other programs")]
    Colon,
    /// A topic does not begin as ours do.
    #[error("a topic must begin with {TOPIC_PREFIX}")]
    Foreign,
}

impl RoomName {
    /// Checks the name of a room of ours.
    pub fn new(name: &str) -> Result<Self, RoomError> {
        if name.contains(':') { Err(RoomError::Colon) } else { Self::of_others(name) }
    }

    /// Checks a name that may have a `:`, as the rooms of other programs do. What stands around it is theirs to know,
    /// and so is their topic: [`RoomName::topic`] is not for them.
    pub fn of_others(name: &str) -> Result<Self, RoomError> {
        if name.is_empty() {
            return Err(RoomError::Empty);
        }
        for c in name.chars() {
            match c {
                c if c.is_whitespace() => return Err(RoomError::Whitespace),
                c if is_hidden(c) => return Err(RoomError::Hidden(c)),
                _ => {}
            }
        }
        String::try_from(name).map(Self).map_err(|_| RoomError::TooLong)
    }

    /// Reads the name out of a topic or namespace.
    pub fn from_topic(topic: &str) -> Result<Self, RoomError> {
        Self::new(topic.strip_prefix(TOPIC_PREFIX).ok_or(RoomError::Foreign)?)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it is a room of other programs.
    pub fn is_others(&self) -> bool {
        self.as_str().contains(':')
    }

    /// The gossipsub topic of a room of ours, which is also its namespace in the DHT.
    pub fn topic(&self) -> Topic {
        let mut topic = Topic::new();
        // Both always fit: the type's capacity is their sum.
        let _ = topic.push_str(TOPIC_PREFIX);
        let _ = topic.push_str(self.as_str());
        topic
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl core::str::FromStr for RoomName {
    type Err = RoomError;

    fn from_str(name: &str) -> Result<Self, RoomError> {
        Self::new(name)
    }
}

impl AsRef<str> for RoomName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}
