//! SipHash: a keyed hash, so that nobody who lacks the key can build two inputs that collide.
//!
//! Written out because core's own is deprecated and std's needs an operating system for its key. Source:
//! Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.

/// One SipHash round over the state.
fn round(v: &mut [u64; 4]) {
    let [a, b, c, d] = v;
    *a = a.wrapping_add(*b);
    *b = b.rotate_left(13) ^ *a;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*d);
    *d = d.rotate_left(16) ^ *c;
    *a = a.wrapping_add(*d);
    *d = d.rotate_left(21) ^ *a;
    *c = c.wrapping_add(*b);
    *b = b.rotate_left(17) ^ *c;
    *c = c.rotate_left(32);
}

/// SipHash-2-4 of `bytes` under `key`. The key must come from a random source outside this floor.
pub fn siphash(key: [u64; 2], bytes: &[u8]) -> u64 {
    sip::<2, 4>(key, None, bytes)
}

/// What Rust's `DefaultHasher::new()` makes of a `Vec<u8>` on a 64-bit machine: SipHash-1-3 under the key zero of the
/// length as 8 bytes, little-endian, and then the bytes. No secret: others expect the same number.
pub fn rust_hash(bytes: &[u8]) -> u64 {
    sip::<1, 3>([0; 2], Some(bytes.len() as u64), bytes)
}

/// SipHash with `C` rounds a word and `D` at the end, of one word (if any) and the bytes after it.
fn sip<const C: usize, const D: usize>(key: [u64; 2], head: Option<u64>, bytes: &[u8]) -> u64 {
    let [k0, k1] = key;
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = bytes.as_chunks::<8>();
    let length = bytes.len() as u64 + if head.is_some() { 8 } else { 0 };
    let mut last = length << 56;
    for (place, byte) in rest.iter().enumerate() {
        last |= u64::from(*byte) << (8 * place);
    }
    for word in head.into_iter().chain(words.iter().map(|word| u64::from_le_bytes(*word))).chain([last]) {
        v[3] ^= word;
        (0..C).for_each(|_| round(&mut v));
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    (0..D).for_each(|_| round(&mut v));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[cfg(test)]
mod tests {
    use super::{rust_hash, siphash};

    /// Vectors of the reference implementation (vectors.h): key 00…0f, input 00, 01, … of the given length.
    #[test]
    fn agrees_with_the_reference() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let input: [u8; 15] = core::array::from_fn(|i| i as u8);
        assert_eq!(siphash(key, &input[..0]), 0x726f_db47_dd0e_0e31);
        assert_eq!(siphash(key, &input[..1]), 0x74f8_39c5_93dc_67fd);
        assert_eq!(siphash(key, &input[..8]), 0x93f5_f579_9a93_2462);
        assert_eq!(siphash(key, &input), 0xa129_ca61_49be_45e5);
    }

    /// The vector of a 64-bit Rust, and every length against the hasher of the Rust that tests, if it is one.
    #[test]
    fn agrees_with_rusts_default_hasher() {
        use core::hash::{Hash, Hasher};
        assert_eq!(rust_hash(b"ok"), 9_513_707_924_467_999_059);
        if cfg!(target_pointer_width = "64") {
            for length in 0..100_u8 {
                let bytes: alloc::vec::Vec<u8> = (0..length).collect();
                let mut hasher = std::collections::hash_map::DefaultHasher::new();
                bytes.hash(&mut hasher);
                assert_eq!(rust_hash(&bytes), hasher.finish(), "{length} bytes");
            }
        }
    }
}
