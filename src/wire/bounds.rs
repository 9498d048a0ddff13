//! Protocol bounds: the same on every board, or boards could not talk to each other.

/// Bytes of a room's name (UTF-8). Guess: long enough for a sentence, short enough for a gossipsub topic.
pub const ROOM_BYTES_MAX: usize = 64;
/// Bytes of a nickname (UTF-8). Guess: IRC networks allow 9 to 30.
pub const NICK_BYTES_MAX: usize = 32;
/// Bytes of the text of one message (UTF-8). Guess: a long paragraph; twice IRC's line.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Bytes of a record's kind (UTF-8), such as `ledger/block`. Guess: two short words.
pub const KIND_BYTES_MAX: usize = 32;
/// Bytes of a record's payload. Guess: a small block; with its frame it stays below two Ethernet packets.
pub const RECORD_BYTES_MAX: usize = 2048;
/// Bytes of a sealed body's nonce. Source: XChaCha20 takes 24, shorter ones exist.
pub const NONCE_BYTES_MAX: usize = 24;
/// Bytes of a sealed body's ciphertext: the largest record body and a 16-byte tag, rounded up.
pub const CIPHERTEXT_BYTES_MAX: usize = 2112;
/// Bytes of an encoded frame: the largest body and what stands around it.
pub const FRAME_BYTES_MAX: usize = 2176;
/// Bytes of a peer id (multihash), libp2p's Ed25519 identity form is 38.
pub const PEER_ID_BYTES_MAX: usize = 64;
/// The largest stamp in milliseconds: 42 bits, the year 2109. Larger ones could only push clocks into a corner
/// that they cannot leave; six bytes of varint hold it.
pub const STAMP_MAX: u64 = (1 << 42) - 1;

/// Bytes of a program's version, as it is told in a hello (UTF-8). Guess: `10.20.30-rc.40+build` and as much again.
pub const VERSION_BYTES_MAX: usize = 32;
/// The largest level of a time that is told: how many peers it came through, and one. Source: NTP's strata end at 15; a
/// LAN has no such chains, and a time that lost its source is gone after so many hellos.
pub const LEVEL_MAX: u8 = 8;
/// Bytes of what is said on `/stonechat/hello/1.0.0`: the largest of its kinds, so that one byte holds the length.
pub const HELLO_BYTES_MAX: usize = 127;

/// Bytes of a frame besides its body's strings: version 1, stamp 6, body kind 1, two lengths of 2.
pub const FRAME_OVERHEAD_BYTES_MAX: usize = 12;

const _: () = assert!(FRAME_BYTES_MAX >= RECORD_BYTES_MAX + KIND_BYTES_MAX + FRAME_OVERHEAD_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_MAX >= TEXT_BYTES_MAX + NICK_BYTES_MAX + FRAME_OVERHEAD_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_MAX >= CIPHERTEXT_BYTES_MAX + NONCE_BYTES_MAX + FRAME_OVERHEAD_BYTES_MAX);
const _: () = assert!(CIPHERTEXT_BYTES_MAX >= RECORD_BYTES_MAX + KIND_BYTES_MAX + 4 + 16);
// Kind, whether there is a time and the time, level, two strings with their lengths; kind, peer id with its length, how far.
const _: () = assert!(HELLO_BYTES_MAX >= 1 + 7 + 1 + 1 + NICK_BYTES_MAX + 1 + VERSION_BYTES_MAX);
const _: () = assert!(HELLO_BYTES_MAX >= 1 + 1 + PEER_ID_BYTES_MAX + 6);
// Two bytes of varint, as the overhead above counts them.
const _: () = assert!(FRAME_BYTES_MAX < 1 << 14);

/// Bytes of a frame of catch-up. Guess: four pages, so that a page of messages fits beside what stands around it.
pub const SYNC_FRAME_BYTES_MAX: usize = 16 * 1024;
/// Bytes that a peer may set as its limit for a frame of catch-up, at least: one message and what stands around it.
pub const SYNC_FRAME_BYTES_MIN: usize = 4 * 1024;
/// Bytes of one signed message in catch-up: the largest frame, ids, and signature and key also where they are RSA's.
pub const SYNC_MESSAGE_BYTES_MAX: usize = 3584;
/// Tags that one frame of catch-up asks for, at most: 3 KiB of them.
pub const SYNC_TAGS_MAX: usize = 512;
/// Bytes of a message's hash in catch-up: half of SHA-256, which nobody finds two messages for.
pub const SYNC_HASH_BYTES: usize = 16;
/// Bytes of a tag: of a keyed hash of that hash, under a key that lives as long as one session. Two messages of the half
/// million pairs that two lists have share one in one of 500 million sessions, and not in the next.
pub const SYNC_TAG_BYTES: usize = 6;

const _: () = assert!(SYNC_MESSAGE_BYTES_MAX > FRAME_BYTES_MAX + 512);
const _: () = assert!(SYNC_FRAME_BYTES_MIN >= SYNC_MESSAGE_BYTES_MAX + 512);
const _: () = assert!(SYNC_FRAME_BYTES_MAX >= SYNC_TAGS_MAX * SYNC_TAG_BYTES + 512);
