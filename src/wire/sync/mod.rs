//! Floor 1. Stands on: base.
//!
//! Catch-up, `/stonechat/sync/1.0.0`: requests and their responses, one frame each.
//!
//! Two peers find out which messages of a room one of them lacks, without naming those that both have. A message is known
//! by its stamp and by the first 16 bytes of the SHA-256 of its signed bytes. Messages stand newest first: by falling
//! stamp, among equal stamps by rising hash.
//!
//! Whoever asks draws a key of 16 random bytes for the session and sends it with every request; whoever answers keeps
//! nothing. A message's *keyed hash* is SipHash-2-4 of its hash under that key (the first 8 bytes of the key are k0, both
//! little-endian); its *tag* is the lower 48 bits of that, as 6 bytes, little-endian; a *print* of some messages is their
//! number and the sum of their keyed hashes modulo 2^64.
//!
//! So whoever chooses messages cannot make two sets look the same, nor one message hide another: they do not know the key.
//! Whoever takes part in a session knows it, and can deceive its other side in that session, as it can by a plain lie.
//! By chance a difference is missed in one of some 500 million sessions, and found in the next one.
//!
//! Numbers are varints as everywhere; a *string* is a length and so many bytes. A frame has at most 16,384 bytes.
//!
//! | request | parts |
//! | --- | --- |
//! | `00` compare | topic (string), key (16 bytes), limit (bytes of the response, at least 4,096), since (stamp), ranges to the end |
//! | `01` fetch | topic, key, limit, where it begins and where it ends (`00`, or `01` and a bound), tags (string, at most 512) |
//! | `02` give | topic, messages (strings) to the end |
//!
//! | response | parts |
//! | --- | --- |
//! | `00` compared | since, ranges to the end |
//! | `01` messages | how many of the tags are answered, messages (strings) to the end |
//! | `02` taken | how many of the messages were looked at, how many of those were refused |
//! | `03` refused | `00` unknown room, `01` busy: try again later |
//!
//! *Since* is the stamp at which the sender's history begins: what is older than the later of both is nobody's concern.
//!
//! A *bound* is how far its stamp lies below that of the bound before it in the frame (the first: below 2^42 − 1), then the
//! start of a hash (a string of at most 16 bytes that does not end in a zero byte; what is cut off counts as zeros). It stands
//! before the first message that is not newer.
//!
//! Ranges follow each other from the newest message to the oldest and cover all of them. Each is a kind, then the bound
//! where it ends, then what is said of it. The last one ends where the history does: its kind has 128 added, and no bound.
//!
//! | kind | what follows | meaning |
//! | --- | --- | --- |
//! | `00` same | nothing | nothing more to say |
//! | `01` print | number, sum (8 bytes, little-endian) | what the sender has there |
//! | `02` list | tags (string, at most 512) | what the sender has there, each |
//! | `03` difference | tags, tags (strings, at most 512 each) | of the list that was sent: what the sender lacks; and what it has beyond it |

pub mod error;

pub mod item;

pub mod range;

pub mod frame;
