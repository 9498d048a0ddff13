//! A message: its id, how it comes in, and how it is shown.

use super::sanitize::{self, Nick, Sanitized};
use crate::base::time::Now;
use crate::wire::bounds::PEER_ID_BYTES_MAX;
use crate::wire::frame::Body;
use crate::wire::room::RoomName;
use core::fmt;
use heapless::Vec;

/// Bytes of a message id: the longest author and the stamp.
pub const ID_BYTES_MAX: usize = PEER_ID_BYTES_MAX + 8;

/// Who wrote a message and which of theirs it is: an author never gives the same stamp twice. It is not gossipsub's
/// sequence number, because a line that waited for somebody is published anew with another one and is still the same
/// line. What others send in the rooms of other programs has no stamp: there the sequence number stands for it. Ordered as the bytes `from ‖ stamp` are, since one peer id is never the beginning of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Zeros behind the peer id: such arrays are ordered as what they hold, and copied at once.
    from: [u8; PEER_ID_BYTES_MAX],
    from_bytes: u8,
    stamp: u64,
}

impl MessageId {
    /// The id of a message; `None` if the author's peer id is empty or over its bound.
    pub fn new(from: &[u8], stamp: u64) -> Option<Self> {
        let mut id = Self { from: [0; PEER_ID_BYTES_MAX], from_bytes: u8::try_from(from.len()).ok()?, stamp };
        id.from.get_mut(..from.len()).filter(|place| !place.is_empty())?.copy_from_slice(from);
        Some(id)
    }

    /// The author's peer id (multihash bytes).
    pub fn from(&self) -> &[u8] {
        self.from.get(..usize::from(self.from_bytes)).unwrap_or_default()
    }

    /// The author's stamp.
    pub const fn stamp(&self) -> u64 {
        self.stamp
    }

    /// `from ‖ stamp`.
    pub fn to_bytes(&self) -> Vec<u8, ID_BYTES_MAX, u8> {
        let mut bytes = Vec::new();
        // Both always fit: the capacity is their sum.
        let _ = bytes.extend_from_slice(self.from());
        let _ = bytes.extend_from_slice(&self.stamp.to_be_bytes());
        bytes
    }

    /// Reads `from ‖ stamp`.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (from, stamp) = bytes.split_last_chunk()?;
        Self::new(from, u64::from_be_bytes(*stamp))
    }
}

/// Lower-case hex of `from ‖ stamp`.
impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 2 * ID_BYTES_MAX];
        let (digits, _) = text.as_chunks_mut::<2>();
        let bytes = self.from().iter().copied().chain(self.stamp.to_be_bytes());
        let written = digits.iter_mut().zip(bytes).map(|(digits, byte)| *digits = hex(byte)).count();
        f.pad(text.get(..2 * written).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

/// The two digits of a byte.
const fn hex(byte: u8) -> [u8; 2] {
    const fn digit(nibble: u8) -> u8 {
        if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble }
    }
    [digit(byte >> 4), digit(byte & 15)]
}

/// A message as gossipsub delivers it, its signature checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inbound<'a> {
    /// The author's peer id (multihash bytes).
    pub from: &'a [u8],
    /// gossipsub's sequence number, which the signature covers; kept with it.
    pub seqno: u64,
    /// The frame, or what another program sent.
    pub data: &'a [u8],
    /// The author's signature; kept with the message, empty if it is not to be kept.
    pub signature: &'a [u8],
    /// The author's public key where the peer id does not hold it; kept likewise.
    pub key: &'a [u8],
}

impl<'a> Inbound<'a> {
    /// A message whose signature is not to be kept.
    pub const fn new(from: &'a [u8], data: &'a [u8]) -> Self {
        Self { from, seqno: 0, data, signature: &[], key: &[] }
    }
}

/// What a message of another program says, as whoever knows its form has read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// What the author is called; may be empty.
    pub nick: &'a str,
    /// The text.
    pub text: &'a str,
}

/// What a message says, safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content<'a> {
    /// A line of chat.
    Text {
        /// The author's nickname; may be empty.
        nick: Nick,
        /// The text.
        text: Sanitized<'a>,
    },
    /// A record of a program.
    Record {
        /// What the payload is; visible ASCII.
        kind: &'a str,
        /// The payload.
        bytes: &'a [u8],
    },
}

impl<'a> Content<'a> {
    /// What a body says; `None` if it is sealed.
    pub fn of(body: Body<'a>) -> Option<Self> {
        match body {
            Body::Text { nick, text } => Some(Self::Text { nick: sanitize::nick(nick), text: sanitize::text(text) }),
            Body::Record { kind, bytes } => Some(Self::Record { kind, bytes }),
            Body::Sealed { .. } => None,
        }
    }

    /// What a message of another program says.
    pub fn of_line(line: Line<'a>) -> Self {
        Self::Text { nick: sanitize::nick(line.nick), text: sanitize::text(line.text) }
    }
}

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its room.
    pub room: &'a RoomName,
    /// Its id.
    pub id: MessageId,
    /// Hybrid logical clock in ms.
    pub stamp: u64,
    /// Whether the stamp is a wall time, as far as this program can tell.
    pub time_known: bool,
    /// What it says.
    pub content: Content<'a>,
    /// When we took it in.
    pub received: Now,
    /// The data as it was signed: the frame, or what another program sent.
    pub data: &'a [u8],
    /// gossipsub's sequence number, if the signature was given.
    pub seqno: u64,
    /// The author's signature, if it was given.
    pub signature: &'a [u8],
    /// The author's public key, if it was given.
    pub key: &'a [u8],
}

impl Message<'_> {
    /// When it was written, in milliseconds since 1970-01-01 UTC, if the author knew.
    pub fn unix_ms(&self) -> Option<u64> {
        self.time_known.then_some(self.stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::MessageId;
    use alloc::string::ToString;

    #[test]
    fn an_id_is_the_author_and_the_number() {
        let id = MessageId::new(&[0x00, 0x24, 0xab], 0x0102).unwrap();
        assert_eq!(id.to_string(), "0024ab0000000000000102");
        assert_eq!(MessageId::from_bytes(&id.to_bytes()), Some(id));
        assert_eq!(MessageId::new(&[], 1), None);
        assert_eq!(MessageId::new(&[7; 65], 1), None);
        assert_eq!(MessageId::from_bytes(&[1; 8]), None);
        assert_eq!(MessageId::from_bytes(&[1; 7]), None);
    }

    #[test]
    fn ids_are_ordered_as_their_bytes() {
        let mut ids = [([1, 2], 3), ([1, 2], 256), ([1, 1], u64::MAX), ([2, 0], 0)].map(|(from, stamp)| {
            let id = MessageId::new(&from, stamp).unwrap();
            (id.to_bytes(), id)
        });
        ids.sort_by_key(|(_, id)| *id);
        assert!(ids.is_sorted_by(|left, right| left.0 < right.0));
    }
}
