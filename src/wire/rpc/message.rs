//! A message as it travels: who says what where, and the proof of it.

use super::bounds::{
    DATA_BYTES_MAX, KEY_BYTES_MAX, MESSAGE_BYTES_MAX, SEQNO_BYTES, SIGNATURE_BYTES_MAX, TOPIC_BYTES_MAX,
};
use super::error::{DecodeError, EncodeError, Piece};
use super::field::{Fields, Writer, field_len};
use crate::wire::bounds::PEER_ID_BYTES_MAX;

/// What stands before a message where it is signed. Source: pubsub specification.
pub const SIGNED_PREFIX: &[u8] = b"libp2p-pubsub:";

/// A message. A field that is not there is another thing than one that is empty: the signature tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Message<'a> {
    /// The author's peer id (multihash bytes).
    pub from: Option<&'a [u8]>,
    /// The payload.
    pub data: Option<&'a [u8]>,
    /// A number that the author gives once: eight bytes, big-endian.
    pub seqno: Option<&'a [u8]>,
    /// The topic.
    pub topic: Option<&'a [u8]>,
    /// The author's signature.
    pub signature: Option<&'a [u8]>,
    /// The author's public key as protobuf, if the peer id does not hold it. Some send it always.
    pub key: Option<&'a [u8]>,
}

/// What every message has that is signed as the protocol asks (StrictSign).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strict<'a> {
    /// The author's peer id (multihash bytes).
    pub from: &'a [u8],
    /// The payload, empty if there is none.
    pub data: &'a [u8],
    /// The author's number.
    pub seqno: u64,
    /// The topic.
    pub topic: &'a [u8],
    /// The author's signature.
    pub signature: &'a [u8],
    /// The author's public key as protobuf, empty if it did not come along.
    pub key: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a message: the value of an RPC's field 2. Fields that are unknown are skipped; of several with one number
    /// the last counts.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut message = Self::default();
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(DecodeError::TooLong(Piece::Message));
        }
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            if let Some((place, ..)) = message.fields_mut().into_iter().nth((number as usize).wrapping_sub(1)) {
                *place = Some(value.bytes()?);
            }
        }
        match message.over_bound() {
            Some(piece) => Err(DecodeError::TooLong(piece)),
            None => Ok(message),
        }
    }

    /// What every signed message has, if this one has all of it.
    pub fn strict(&self) -> Option<Strict<'a>> {
        let seqno = u64::from_be_bytes(self.seqno?.try_into().ok()?);
        let (data, key) = (self.data.unwrap_or_default(), self.key.unwrap_or_default());
        Some(Strict { from: self.from?, data, seqno, topic: self.topic?, signature: self.signature?, key })
    }

    /// Bytes of the encoding.
    pub fn encoded_len(&self) -> usize {
        self.fields().into_iter().flatten().map(|bytes| field_len(bytes.len())).sum()
    }

    /// Writes the message to the start of `out`, as every implementation does: fields in the order of their numbers.
    /// Returns its length.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        if let Some(piece) = self.over_bound() {
            return Err(EncodeError::TooLong(piece));
        }
        let length = out.len();
        let mut writer = Writer::new(out);
        self.write(&mut writer)?;
        Ok(length - writer.left())
    }

    /// Writes what is signed: the prefix, and the message without its signature and its key. Returns the length.
    pub fn encode_signed(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let (head, rest) = out.split_at_mut_checked(SIGNED_PREFIX.len()).ok_or(EncodeError::NoSpace)?;
        head.copy_from_slice(SIGNED_PREFIX);
        Ok(SIGNED_PREFIX.len() + Message { signature: None, key: None, ..*self }.encode(rest)?)
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        for (field, bytes) in (1..).zip(self.fields()) {
            if let Some(bytes) = bytes {
                writer.bytes(field, bytes)?;
            }
        }
        Ok(())
    }

    const fn fields(&self) -> [Option<&'a [u8]>; 6] {
        [self.from, self.data, self.seqno, self.topic, self.signature, self.key]
    }

    /// Each field in the order of its number, its bound, and its name.
    fn fields_mut(&mut self) -> [(&mut Option<&'a [u8]>, usize, Piece); 6] {
        [
            (&mut self.from, PEER_ID_BYTES_MAX, Piece::PeerId),
            (&mut self.data, DATA_BYTES_MAX, Piece::Data),
            (&mut self.seqno, SEQNO_BYTES, Piece::Seqno),
            (&mut self.topic, TOPIC_BYTES_MAX, Piece::Topic),
            (&mut self.signature, SIGNATURE_BYTES_MAX, Piece::Signature),
            (&mut self.key, KEY_BYTES_MAX, Piece::Key),
        ]
    }

    pub(super) fn over_bound(mut self) -> Option<Piece> {
        let over = |(bytes, max, _): &(&mut Option<&[u8]>, usize, Piece)| bytes.is_some_and(|bytes| bytes.len() > *max);
        self.fields_mut().into_iter().find(over).map(|(.., piece)| piece)
    }
}
