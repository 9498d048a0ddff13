//! The stores that are measured, all behind two calls.

use redb::{Database, TableDefinition, WriteTransaction};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use stonechat::store::disk::RealDisk;
use stonechat::store::log::engine::Engine;
use stonechat::store::log::queue::Queue;
use stonechat::store::log::{self, Settings};

pub trait Store {
    /// Hands a record to the file system.
    fn append(&mut self, record: &[u8]) -> io::Result<()>;

    /// Waits until all of them are on the card.
    fn sync(&mut self) -> io::Result<()>;
}

/// Ours, small enough for the ring to come round.
pub struct Ring(Queue, Engine<RealDisk>);

impl Ring {
    pub fn open(dir: &Path) -> io::Result<Self> {
        // Syncs when told, not by the clock.
        let settings = Settings { segment_bytes: 128 * 1024, segments: 4, sync_ms: u32::MAX, ..Settings::new([1, 2]) };
        let (log, _) = log::open(RealDisk, &dir.join("log"), &settings, |_| {}).map_err(io::Error::other)?;
        let (queue, engine) = log.into_parts();
        Ok(Self(queue, engine))
    }

    fn turn(&mut self, urgent: bool) -> io::Result<()> {
        let (entries, half_full) = self.0.take();
        self.1.accept(entries);
        self.1.turn(urgent || half_full, 0);
        self.0.note(self.1.progress(), self.1.held());
        self.1.progress().trouble.as_ref().map_or(Ok(()), |trouble| Err(io::Error::other(trouble.text.clone())))
    }
}

impl Store for Ring {
    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        self.0.append(record).map_err(io::Error::other)?;
        self.turn(false)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.turn(true)
    }
}

/// What a program does that knows no better.
pub struct Grow(File);

impl Grow {
    pub fn open(dir: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(dir.join("log")).map(Self)
    }
}

impl Store for Grow {
    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        self.0.write_all(record)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("log");

/// A key-value store; one transaction from sync to sync.
pub struct Redb {
    db: Database,
    open: Option<WriteTransaction>,
    next: u64,
}

impl Redb {
    pub fn open(dir: &Path) -> io::Result<Self> {
        let db = Database::create(dir.join("db")).map_err(io::Error::other)?;
        Ok(Self { db, open: None, next: 0 })
    }
}

impl Store for Redb {
    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.db.begin_write().map_err(io::Error::other)?,
        };
        self.next += 1;
        open.open_table(TABLE).map_err(io::Error::other)?.insert(self.next, record).map_err(io::Error::other)?;
        self.open = Some(open);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.open.take().map_or(Ok(()), |open| open.commit().map_err(io::Error::other))
    }
}
