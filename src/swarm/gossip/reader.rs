//! What comes on a stream, cut into RPCs. Bounded: an RPC that is longer than any is read past.

use crate::wire::rpc::{DecodeError, Head, Rpcs, bounds::RPC_BYTES_MAX};

/// Bytes read at once, if no longer RPC is under way. Guess: some lines of chat.
const READ_BYTES: usize = 2 * 1024;
/// Bytes of an RPC that is read past. Source: go-libp2p-pubsub's largest message, 1 MiB. With more the stream ends.
const PASSED_BYTES_MAX: usize = 1 << 20;

/// Whole RPCs, one behind the other, as they were read.
#[derive(Debug)]
pub(super) struct Batch(Vec<u8>);

impl Batch {
    /// Each in turn.
    pub fn rpcs(&self) -> Rpcs<'_> {
        Rpcs::new(&self.0)
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.0.capacity()
    }
}

/// The reader of one stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    filled: usize,
    /// Bytes of a long RPC still to come.
    passing: usize,
    passed: u64,
}

impl Reader {
    /// Where to read to; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        let whole = Head::read(self.start()).ok().flatten().map_or(0, Head::whole);
        let wanted = whole.max(self.filled + 1).max(READ_BYTES);
        if self.bytes.len() < wanted {
            self.bytes.reserve_exact(wanted - self.bytes.len());
            self.bytes.resize(wanted, 0);
        }
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    /// So many bytes were read: the RPCs that are whole now, if there are any. After an error the stream is of no use.
    pub fn advance(&mut self, count: usize) -> Result<Option<Batch>, DecodeError> {
        self.filled = (self.filled + count).min(self.bytes.len());
        self.pass();
        let mut end = 0;
        while let Some(head) = Head::read(self.start().get(end..).unwrap_or_default())? {
            if head.is_too_long() {
                if head.length > PASSED_BYTES_MAX {
                    return Err(DecodeError::TooLong(crate::wire::rpc::Piece::Rpc));
                }
                (self.passing, self.passed) = (head.whole(), self.passed + 1);
                break;
            }
            if end + head.whole() > self.filled {
                break;
            }
            end += head.whole();
        }
        if end == 0 {
            self.pass();
            return Ok(None);
        }
        let rest = self.start().get(end..).unwrap_or_default().to_vec();
        let mut whole = std::mem::replace(&mut self.bytes, rest);
        whole.truncate(end);
        self.filled = self.bytes.len();
        self.pass();
        Ok(Some(Batch(whole)))
    }

    /// How many RPCs were longer than any since the last question.
    pub fn take_passed(&mut self) -> u64 {
        std::mem::take(&mut self.passed)
    }

    fn start(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// Drops what has come of a long RPC.
    fn pass(&mut self) {
        let count = self.passing.min(self.filled);
        if count > 0 {
            self.bytes.copy_within(count..self.filled, 0);
            self.filled -= count;
            self.passing -= count;
        }
    }
}

const _: () = assert!(PASSED_BYTES_MAX > RPC_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn sized(length: usize, byte: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = length;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        bytes.resize(bytes.len() + length, byte);
        bytes
    }

    /// Feeds it in pieces of the given lengths; the lengths and first bytes of the RPCs, and how many were passed.
    fn read(bytes: &[u8], mut piece: impl FnMut() -> usize) -> Result<(Vec<(usize, u8)>, u64), DecodeError> {
        let (mut reader, mut rest, mut found, mut passed) = (Reader::default(), bytes, Vec::new(), 0);
        while !rest.is_empty() {
            let space = reader.space();
            let count = piece().clamp(1, rest.len()).min(space.len());
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            let batch = reader.advance(count)?;
            passed += reader.take_passed();
            for rpc in batch.iter().flat_map(Batch::rpcs) {
                found.push((rpc.len(), rpc.first().copied().unwrap_or_default()));
            }
            assert!(reader.bytes.len() <= RPC_BYTES_MAX + READ_BYTES + 5, "{}", reader.bytes.len());
        }
        assert_eq!(reader.filled, 0, "all was used");
        Ok((found, passed))
    }

    #[test]
    fn rpcs_are_found_however_they_are_cut() {
        let lengths = [0, 1, 127, 128, 300, 0, RPC_BYTES_MAX, 5, RPC_BYTES_MAX + 1, 7, 100_000, 200_000, 9];
        let bytes: Vec<u8> = (1..).zip(lengths).flat_map(|(byte, length)| sized(length, byte)).collect();
        let wanted: Vec<(usize, u8)> = (1..)
            .zip(lengths)
            .filter(|(_, length)| *length <= RPC_BYTES_MAX)
            .map(|(byte, length)| (length, if length == 0 { 0 } else { byte }))
            .collect();
        let mut random = Random::new(7);
        for most in [1, 2, 3, 100, 5_000, 1 << 20] {
            let piece = || 1 + (random.number() % most) as usize;
            assert_eq!(read(&bytes, piece), Ok((wanted.clone(), 3)), "pieces of up to {most}");
        }
    }

    #[test]
    fn what_is_no_length_or_a_silly_one_ends_the_stream() {
        let silly = sized(PASSED_BYTES_MAX + 1, 0);
        assert!(read(&silly, || 1_000).is_err() && read(&[0xff; 10], || 3).is_err());
        assert_eq!(read(&sized(PASSED_BYTES_MAX, 0), || 1_000), Ok((vec![], 1)));
    }
}
