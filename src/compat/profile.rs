//! What gossipsub calls a message. The name does not travel with the message, but offers (IHAVE), requests (IWANT) and
//! refusals (IDONTWANT) name messages by it: those who make it differently hear each other, and cannot help each other
//! to what was lost.

use crate::base::hash::rust_hash;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// A message, as far as names are made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'a> {
    /// The author's peer id (multihash bytes).
    pub from: &'a [u8],
    /// The same as text (base58).
    pub from_text: &'a str,
    /// gossipsub's sequence number.
    pub seqno: u64,
    /// The payload.
    pub data: &'a [u8],
}

/// Whose way to name messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// The specification's and go-libp2p's: `from ‖ seqno`.
    #[default]
    Spec,
    /// rust-libp2p's own: `from` in base58, then the sequence number in decimal.
    Rust,
    /// rust-libp2p's chat example and universal-connectivity's rust peer: Rust's `DefaultHasher` over the payload, in
    /// decimal. 32-bit machines make another number; this is the one of 64-bit machines. Two who say the same within
    /// seconds are heard once.
    UcRust,
    /// nim-libp2p's own: the sequence number in hex, then `from` in base58.
    Nim,
    /// js-libp2p's own: the public key as protobuf, then the sequence number.
    Js,
    /// universal-connectivity's js peers: SHA-256 of the sequence number in decimal.
    UcJs,
    /// py-libp2p's own before it took the specification's, which 0.8.1 has: `seqno ‖ from`.
    Py,
}

impl Profile {
    /// Every way, by the name it has in a room's name.
    pub const ALL: [(&'static str, Self); 7] = [
        ("spec", Self::Spec),
        ("rust", Self::Rust),
        ("uc-rust", Self::UcRust),
        ("nim", Self::Nim),
        ("js", Self::Js),
        ("uc-js", Self::UcJs),
        ("py", Self::Py),
    ];

    /// The way of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, profile)| profile)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, profile)| *profile == self).map_or("", |(name, _)| name)
    }

    /// The name of a message.
    pub fn id(self, message: Named<'_>) -> Vec<u8> {
        let Named { from, from_text, seqno, data } = message;
        match self {
            Self::Spec => [from, &seqno.to_be_bytes()].concat(),
            Self::Rust => format!("{from_text}{seqno}").into_bytes(),
            Self::UcRust => rust_hash(data).to_string().into_bytes(),
            Self::Nim => format!("{seqno:016x}{from_text}").into_bytes(),
            // An Ed25519 peer id is its key behind the two bytes that say so; another holds none, and has its id here.
            Self::Js => [from.strip_prefix(&[0x00, 0x24]).unwrap_or(from), &seqno.to_be_bytes()].concat(),
            Self::UcJs => Sha256::digest(seqno.to_string().as_bytes()).to_vec(),
            Self::Py => [&seqno.to_be_bytes(), from].concat(),
        }
    }
}
