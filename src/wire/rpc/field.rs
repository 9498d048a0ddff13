//! Fields of a protobuf message, read where they lie and written one after the other.

use super::error::{DecodeError, EncodeError};
use micropb::{PbDecoder, PbEncoder, PbWrite};

/// Wire types of protobuf that occur.
const VARINT: u8 = 0;
/// A length and so many bytes.
const DELIMITED: u8 = 2;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes, which nothing here has.
    Fixed,
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], DecodeError> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(DecodeError::WrongKind) }
    }

    pub(super) fn number(self) -> Result<u64, DecodeError> {
        if let Self::Number(number) = self { Ok(number) } else { Err(DecodeError::WrongKind) }
    }
}

/// The fields of a message in the order they lie. Ends after the first error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn read(bytes: &'a [u8]) -> Result<(u32, Value<'a>, &'a [u8]), DecodeError> {
        let mut decoder = PbDecoder::new(bytes);
        let tag = u32::try_from(decoder.decode_varint64()?).map_err(|_| DecodeError::BadField)?;
        let (field, kind) = (tag >> 3, (tag & 7) as u8);
        if field == 0 {
            return Err(DecodeError::BadField);
        }
        let value = match kind {
            VARINT => Value::Number(decoder.decode_varint64()?),
            DELIMITED => {
                let length = usize::try_from(decoder.decode_varint64()?).map_err(|_| DecodeError::Truncated)?;
                let (value, rest) = decoder.into_reader().split_at_checked(length).ok_or(DecodeError::Truncated)?;
                return Ok((field, Value::Bytes(value), rest));
            }
            kind => {
                decoder.skip_wire_value(kind)?;
                Value::Fixed
            }
        };
        Ok((field, value, decoder.into_reader()))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = Self::read(self.0);
        self.0 = read.as_ref().map_or(&[], |(_, _, rest)| rest);
        Some(read.map(|(field, value, _)| (field, value)))
    }
}

/// Writes fields into a slice.
pub(super) struct Writer<'a>(&'a mut [u8]);

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self(out)
    }

    /// The bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.pb_write(bytes).map_err(|()| EncodeError::NoSpace)
    }

    /// A number in base 128.
    pub(super) fn varint(&mut self, number: u64) -> Result<(), EncodeError> {
        PbEncoder::new(&mut self.0).encode_varint64(number).map_err(|()| EncodeError::NoSpace)
    }

    pub(super) fn number(&mut self, field: u32, number: u64) -> Result<(), EncodeError> {
        self.varint(u64::from(field << 3 | u32::from(VARINT)))?;
        self.varint(number)
    }

    /// What begins a field of so many bytes.
    pub(super) fn head(&mut self, field: u32, length: usize) -> Result<(), EncodeError> {
        self.varint(u64::from(field << 3 | u32::from(DELIMITED)))?;
        self.varint(length as u64)
    }

    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) -> Result<(), EncodeError> {
        self.head(field, bytes.len())?;
        self.raw(bytes)
    }

    /// How much of the slice is left.
    pub(super) fn left(self) -> usize {
        self.0.len()
    }
}

/// Bytes of a number in base 128.
pub(super) const fn varint_len(number: u64) -> usize {
    micropb::size::sizeof_varint64(number)
}

/// Bytes of a field of so many bytes; every field number here is below 16.
pub(super) const fn field_len(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}
