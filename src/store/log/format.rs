//! The log's bytes: heads of segments and records. `docs/log.md` says it in words.

use crc::Crc;

/// The version written here.
pub const VERSION: u32 = 1;
/// What a head begins with.
pub const MAGIC: [u8; 8] = *b"stonelog";
/// Bytes of a segment's head. It has a sector to itself.
pub const HEAD_BYTES: usize = 64;
/// Bytes between the two places for a head: the smallest sector, so that writing one cannot hurt the other.
pub const SECTOR_BYTES: u32 = 512;
/// Where the records begin: behind both places for a head.
pub const RECORDS_AT: u32 = 2 * SECTOR_BYTES;
/// Bytes in front of a record's body: length, checksum, number.
pub const RECORD_HEAD_BYTES: u32 = 16;
/// Bytes of a record's body, at most: a signed message of the largest frame has some 2,600.
pub const RECORD_BYTES_MAX: usize = 4096;
/// Bytes of the mark that ends a full segment: a record's head without a body.
pub const SEAL_BYTES: u32 = RECORD_HEAD_BYTES;
/// Bytes that every record begins at a multiple of: a search for the next one has an eighth of the places to look at.
pub const ALIGN_BYTES: u32 = 8;

/// The length that marks a seal.
const SEAL: u32 = u32::MAX;

static CRC32C: Crc<u32> = Crc::<u32>::new(&crc::CRC_32_ISCSI);

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHead {
    /// Which segment this is, counted from 1; the file is named after it.
    pub segment: u32,
    /// Bytes of the file.
    pub bytes: u32,
    /// The number of its first record.
    pub first: u64,
    /// Mixed into its records' checksums, so that neither what an earlier life of the file left nor what somebody
    /// wrote into a body passes for a record.
    pub salt: u64,
}

/// Why bytes are no head of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Zeros: nothing was written yet.
    #[error("the head is empty")]
    Empty,
    /// Written by another version of the program.
    #[error("the head is of version {0}, not {VERSION}")]
    Version(u32),
    /// Anything else.
    #[error("the head is damaged")]
    Damaged,
}

impl SegmentHead {
    /// The head's bytes.
    pub fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut out = [0; HEAD_BYTES];
        let (covered, checksum) = out.split_at_mut(HEAD_BYTES - 4);
        let parts: [&[u8]; 6] = [
            &MAGIC,
            &VERSION.to_le_bytes(),
            &self.bytes.to_le_bytes(),
            &u64::from(self.segment).to_le_bytes(),
            &self.first.to_le_bytes(),
            &self.salt.to_le_bytes(),
        ];
        for (place, byte) in covered.iter_mut().zip(parts.concat()) {
            *place = byte;
        }
        checksum.copy_from_slice(&CRC32C.checksum(covered).to_le_bytes());
        out
    }

    /// Reads a head; missing bytes count as zeros.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeadError> {
        let mut head = [0; HEAD_BYTES];
        let length = bytes.len().min(HEAD_BYTES);
        head[..length].copy_from_slice(&bytes[..length]);
        if head == [0; HEAD_BYTES] {
            return Err(HeadError::Empty);
        }
        // This much is the same in every version, or a hurt head would pass for a later one.
        let whole = head[..8] == MAGIC && le32(&head[HEAD_BYTES - 4..]) == CRC32C.checksum(&head[..HEAD_BYTES - 4]);
        let version = le32(&head[8..]);
        if whole && version > VERSION {
            return Err(HeadError::Version(version));
        }
        let read = Self {
            segment: le32(&head[16..]),
            bytes: le32(&head[12..]),
            first: le64(&head[24..]),
            salt: le64(&head[32..]),
        };
        let sound = read.bytes > RECORDS_AT && read.segment > 0 && read.first > 0;
        if sound && read.encode() == head { Ok(read) } else { Err(HeadError::Damaged) }
    }
}

/// Bytes that a record with a body of `length` takes in a segment.
pub const fn room_for(length: u32) -> u32 {
    (RECORD_HEAD_BYTES + length).next_multiple_of(ALIGN_BYTES)
}

/// Appends a record's bytes. The body has at most [`RECORD_BYTES_MAX`].
pub fn encode_record(out: &mut Vec<u8>, salt: u64, number: u64, body: &[u8]) {
    encode_head(out, salt, number, body.len() as u32, body);
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(ALIGN_BYTES as usize), 0);
}

/// Appends the mark that ends a full segment, whose last record is `last`.
pub fn encode_seal(out: &mut Vec<u8>, salt: u64, last: u64) {
    encode_head(out, salt, last, SEAL, &[]);
}

fn encode_head(out: &mut Vec<u8>, salt: u64, number: u64, length: u32, body: &[u8]) {
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(salt, number, length, body).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
}

fn checksum(salt: u64, number: u64, length: u32, body: &[u8]) -> u32 {
    let mut digest = CRC32C.digest();
    digest.update(&salt.to_le_bytes());
    digest.update(&number.to_le_bytes());
    digest.update(&length.to_le_bytes());
    digest.update(body);
    digest.finalize()
}

/// A record's head, not yet believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHead {
    length: u32,
    checksum: u32,
    /// The record's number; of a seal, the number of the last record.
    pub number: u64,
}

impl RecordHead {
    /// Reads what could be a head; `None` where the length is impossible or bytes are missing.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..RECORD_HEAD_BYTES as usize)?;
        let length = le32(head);
        let possible = length as usize <= RECORD_BYTES_MAX || length == SEAL;
        possible.then(|| Self { length, checksum: le32(&head[4..]), number: le64(&head[8..]) })
    }

    /// Whether it ends a segment.
    pub const fn is_seal(&self) -> bool {
        self.length == SEAL
    }

    /// Bytes of the body.
    pub const fn body_bytes(&self) -> u32 {
        if self.is_seal() { 0 } else { self.length }
    }

    /// Whether this head and this body are a record of the life of a segment that has this salt.
    pub fn matches(&self, salt: u64, body: &[u8]) -> bool {
        body.len() as u32 == self.body_bytes() && checksum(salt, self.number, self.length, body) == self.checksum
    }
}

fn le32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

fn le64(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_what_it_was_given_and_every_bit_counts() {
        let head = SegmentHead { segment: 7, bytes: 8192, first: 1 << 40, salt: 0x0123_4567_89ab_cdef };
        let bytes = head.encode();
        assert_eq!(SegmentHead::decode(&bytes), Ok(head));
        assert_eq!(SegmentHead::decode(&[0; HEAD_BYTES]), Err(HeadError::Empty));
        assert_eq!(SegmentHead::decode(&[]), Err(HeadError::Empty));
        for bit in 0..8 * HEAD_BYTES {
            let mut bent = bytes;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHead::decode(&bent).is_err(), "bit {bit}");
        }
        let mut later = bytes;
        later[8] = 2;
        assert_eq!(SegmentHead::decode(&later), Err(HeadError::Damaged));
        let checksum = CRC32C.checksum(&later[..HEAD_BYTES - 4]).to_le_bytes();
        later[HEAD_BYTES - 4..].copy_from_slice(&checksum);
        assert_eq!(SegmentHead::decode(&later), Err(HeadError::Version(2)));
        for cut in 1..HEAD_BYTES {
            assert_eq!(SegmentHead::decode(&bytes[..cut]), Err(HeadError::Damaged), "{cut}");
        }
    }

    #[test]
    fn a_record_is_one_under_its_salt_and_number_only() {
        let mut bytes = Vec::new();
        encode_record(&mut bytes, 1, 9, b"hello");
        assert_eq!(bytes.len() as u32, room_for(5));
        let head = RecordHead::decode(&bytes).unwrap();
        assert_eq!((head.number, head.body_bytes(), head.is_seal()), (9, 5, false));
        assert!(head.matches(1, b"hello") && !head.matches(2, b"hello") && !head.matches(1, b"hellO"));
        assert!(!RecordHead { number: 10, ..head }.matches(1, b"hello"));
        let mut seal = Vec::new();
        encode_seal(&mut seal, 1, 9);
        let head = RecordHead::decode(&seal).unwrap();
        assert!(head.is_seal() && head.matches(1, b"") && head.body_bytes() == 0);
        assert_eq!(seal.len() as u32, SEAL_BYTES);
        assert_eq!(RecordHead::decode(&4097_u32.to_le_bytes().repeat(4)), None);
        assert_eq!(RecordHead::decode(&[0; 15]), None);
    }

    /// The check value of the catalogue: "123456789" is e3069283 under CRC-32C.
    #[test]
    fn the_checksum_is_crc_32c() {
        assert_eq!(CRC32C.checksum(b"123456789"), 0xe306_9283);
    }
}
