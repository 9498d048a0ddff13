//! Floor 3. Stands on: base, wire, chat.
//!
//! What outlives a restart: the identity and the lock on it, the stamps given, remembered peers, a log of records. Here
//! is how bytes reach a card and how they are read back; when to write is the node's to decide. After the start
//! all writes happen on one thread, and nothing here is written while nothing changes.

pub mod disk;
pub mod replace;

pub mod log;

pub mod clock_mark;
pub mod identity;
pub mod remembered;
pub mod writer;
