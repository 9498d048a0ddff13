//! Floor 3. Stands on: base.
//!
//! An append-only log of numbered, checksummed records in a ring of recycled segments. `docs/log.md` is its format and
//! its promises. It knows nothing of what the records hold. One writer at a time (the lock on the peer's directory sees
//! to that), any number of readers.
//!
//! A record is *accepted* when it stands in the queue, *written* when it survives the end of the process, *stored* when
//! it survives a power cut.

pub mod format;
pub mod settings;

pub mod scan;

pub mod ring;

pub mod reader;

pub mod engine;

pub mod queue;

pub mod open;

pub use open::{Log, open, replay};
pub use settings::Settings;
