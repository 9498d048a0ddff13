//! Where one RPC ends and the next begins on a stream.

use super::bounds::RPC_BYTES_MAX;
use super::error::DecodeError;

/// Bytes of the length before an RPC at most: 35 bits, far more than any RPC has.
const HEAD_BYTES_MAX: usize = 5;

/// What stands before an RPC on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its own bytes.
    pub bytes: usize,
    /// Bytes of the RPC behind it.
    pub length: usize,
}

impl Head {
    /// Reads it at the start of `bytes`; nothing if more of it has to come.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        let mut length = 0;
        for (at, byte) in bytes.iter().take(HEAD_BYTES_MAX).enumerate() {
            length |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                let length = usize::try_from(length).map_err(|_| DecodeError::BadNumber)?;
                return Ok(Some(Self { bytes: at + 1, length }));
            }
        }
        if bytes.len() < HEAD_BYTES_MAX { Ok(None) } else { Err(DecodeError::BadNumber) }
    }

    /// Whether the RPC is longer than any that is read.
    pub const fn is_too_long(self) -> bool {
        self.length > RPC_BYTES_MAX
    }

    /// Bytes of it and of the RPC.
    pub const fn whole(self) -> usize {
        self.bytes.saturating_add(self.length)
    }
}

/// The RPCs in bytes that hold nothing but whole ones.
#[derive(Debug, Clone)]
pub struct Rpcs<'a>(&'a [u8]);

impl<'a> Rpcs<'a> {
    /// Those in `bytes`, each with its length before it.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Rpcs<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let head = Head::read(self.0).ok()??;
        let (whole, rest) = self.0.split_at_checked(head.whole())?;
        self.0 = rest;
        whole.get(head.bytes..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rpc::{Part, encode_frame};
    use alloc::vec::Vec;

    #[test]
    fn a_length_is_read_as_it_comes_and_a_silly_one_is_none() {
        let read = |bytes: &[u8]| Head::read(bytes);
        assert_eq!((read(&[]), read(&[0x80]), read(&[0xff; 4])), (Ok(None), Ok(None), Ok(None)));
        assert_eq!(read(&[0]), Ok(Some(Head { bytes: 1, length: 0 })));
        assert_eq!(read(&[0xac, 0x02, 9]), Ok(Some(Head { bytes: 2, length: 300 })));
        assert_eq!(read(&[0xff; 5]), Err(DecodeError::BadNumber));
        let largest = Head { bytes: 3, length: RPC_BYTES_MAX };
        assert!(!largest.is_too_long() && Head { length: RPC_BYTES_MAX + 1, ..largest }.is_too_long());
    }

    #[test]
    fn rpcs_are_found_one_behind_the_other() {
        let mut bytes = [0; 64];
        let first = encode_frame(&[Part::Graft { topic: b"lobby" }], &mut bytes).unwrap();
        bytes[first] = 0;
        let second = encode_frame(&[Part::Graft { topic: b"attic" }], &mut bytes[first + 1..]).unwrap();
        let found: Vec<&[u8]> = Rpcs::new(&bytes[..first + 1 + second]).collect();
        assert_eq!(found, [&bytes[1..first], &[], &bytes[first + 2..first + 1 + second]]);
        assert_eq!(Rpcs::new(&bytes[..first - 1]).count(), 0, "cut short");
    }
}
