//! Message ids and peer ids in a control message: as they lie on the wire, or as they are to be written.

use super::bounds::{ID_BYTES_MAX, IDS_MAX, PX_PEERS_MAX};
use super::error::{DecodeError, EncodeError, Piece};
use super::field::{Fields, Writer, field_len};
use crate::wire::bounds::PEER_ID_BYTES_MAX;

/// The number of a peer id in what is said of a recommended peer.
const PEER_ID: u32 = 1;

/// What a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ids,
    /// Peers: each is a message of its own, of which its id is read.
    Peers,
}

/// A list of ids, each within its bound. Two are equal if they hold the same.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    kind: Kind,
    from: From<'a>,
}

#[derive(Debug, Clone, Copy)]
enum From<'a> {
    /// The fields of this number in a control message, which was checked.
    Wire(&'a [u8], u32),
    Slice(&'a [&'a [u8]]),
}

impl<'a> List<'a> {
    /// Message ids, to be written.
    pub const fn ids(ids: &'a [&'a [u8]]) -> Self {
        Self { kind: Kind::Ids, from: From::Slice(ids) }
    }

    /// Peer ids (multihash bytes), to be written.
    pub const fn peers(peers: &'a [&'a [u8]]) -> Self {
        Self { kind: Kind::Peers, from: From::Slice(peers) }
    }

    pub(super) fn read_ids(body: &'a [u8], field: u32) -> Result<Self, DecodeError> {
        Self { kind: Kind::Ids, from: From::Wire(body, field) }.checked(IDS_MAX, Piece::Id)
    }

    pub(super) fn read_peers(body: &'a [u8], field: u32) -> Result<Self, DecodeError> {
        Self { kind: Kind::Peers, from: From::Wire(body, field) }.checked(PX_PEERS_MAX, Piece::PeerId)
    }

    /// Each id in turn.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.results().filter_map(Result::ok).filter(|id| !id.is_empty())
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.iter().count()
    }

    fn checked(self, count_max: usize, piece: Piece) -> Result<Self, DecodeError> {
        for (at, id) in self.results().enumerate() {
            if id?.len() > self.bytes_max() {
                return Err(DecodeError::TooLong(piece));
            }
            if at >= count_max {
                return Err(DecodeError::TooMany(piece));
            }
        }
        Ok(self)
    }

    const fn bytes_max(self) -> usize {
        match self.kind {
            Kind::Ids => ID_BYTES_MAX,
            Kind::Peers => PEER_ID_BYTES_MAX,
        }
    }

    fn results(self) -> impl Iterator<Item = Result<&'a [u8], DecodeError>> {
        let (body, field, slice) = match self.from {
            From::Wire(body, field) => (body, field, &[][..]),
            From::Slice(ids) => (&[][..], 0, ids),
        };
        let of_field = move |item: Result<(u32, _), DecodeError>| match item {
            Ok((number, _)) if number != field => None,
            item => Some(item.and_then(|(_, value)| self.one(value))),
        };
        Fields::new(body).filter_map(of_field).chain(slice.iter().map(|id| Ok(*id)))
    }

    fn one(self, value: super::field::Value<'a>) -> Result<&'a [u8], DecodeError> {
        let bytes = value.bytes()?;
        if self.kind == Kind::Ids {
            return Ok(bytes);
        }
        let mut id: &[u8] = &[];
        for field in Fields::new(bytes) {
            if let (PEER_ID, value) = field? {
                id = value.bytes()?;
            }
        }
        Ok(id)
    }

    /// Bytes of an id as the value of its field.
    fn value_len(self, id: &[u8]) -> usize {
        if self.kind == Kind::Ids { id.len() } else { field_len(id.len()) }
    }

    /// Bytes of all its fields.
    pub(super) fn encoded_len(self) -> usize {
        self.iter().map(|id| field_len(self.value_len(id))).sum()
    }

    pub(super) fn write(self, field: u32, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        for id in self.iter() {
            if id.len() > self.bytes_max() {
                return Err(EncodeError::TooLong(if self.kind == Kind::Ids { Piece::Id } else { Piece::PeerId }));
            }
            writer.head(field, self.value_len(id))?;
            match self.kind {
                Kind::Ids => writer.raw(id)?,
                Kind::Peers => writer.bytes(PEER_ID, id)?,
            }
        }
        Ok(())
    }
}

impl PartialEq for List<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.iter().eq(other.iter())
    }
}

impl Eq for List<'_> {}
