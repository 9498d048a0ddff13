//! The writing side: takes accepted records, writes them in groups, syncs, and bears with a disk in trouble.
//!
//! It runs on the disk's thread, holds no lock and starts nothing: told the time, it does what is due and says what
//! came of it. A record stays in memory until it is stored. When a sync fails nobody knows what is on the card, and a
//! later sync that succeeds says nothing of the pages that were dropped: all that is not stored is written anew.

use super::super::disk::{Disk, DiskFile};
use super::format::{self, SEAL_BYTES};
use super::ring::{Position, Ring};
use std::collections::VecDeque;
use std::io;

/// Bytes written at once, at most: the buffer they are put together in.
const GROUP_BYTES: usize = 64 * 1024;
/// Milliseconds until the first new try after trouble; each further one waits twice as long.
const RETRY_MIN_MS: u64 = 1_000;
/// Milliseconds between two tries at most: a card that came back is noticed within a minute.
const RETRY_MAX_MS: u64 = 60_000;

/// A record that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// Where it will stand.
    pub position: Position,
    /// Its body.
    pub body: Box<[u8]>,
}

/// What the disk cannot do just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of trouble the system calls it.
    pub kind: io::ErrorKind,
    /// What was tried and what the system answered.
    pub text: String,
    /// How often in a row it failed.
    pub tries: u32,
}

/// How far the engine is, all counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// All records up to this number are written.
    pub written: u64,
    /// All records up to this number are stored.
    pub stored: u64,
    /// All records below this number have left the ring.
    pub oldest: u64,
    /// The segment that is given up when the newest one is full: what is wanted of it has to be appended anew till then.
    pub leaves: Option<u32>,
    /// Bytes handed to the file system.
    pub bytes: u64,
    /// Writes.
    pub writes: u64,
    /// Syncs.
    pub syncs: u64,
    /// Tries that failed.
    pub failed: u64,
    /// What keeps the records from being stored, while it does.
    pub trouble: Option<Trouble>,
}

/// The writing side of a log.
pub struct Engine<D: Disk> {
    ring: Ring<D>,
    /// Not stored yet, oldest first; the first `written` of them are in the file.
    unstored: VecDeque<Entry>,
    written: usize,
    /// Where the newest segment's records end, if it may be continued and sealed.
    end: Option<(u32, u32)>,
    sync_ms: u64,
    /// When the first of what is written and not stored was written, in ms.
    unstored_since: Option<u64>,
    /// After trouble: when to try again, in ms.
    retry_at: Option<u64>,
    progress: Progress,
    group: Vec<u8>,
}

impl<D: Disk> Engine<D> {
    /// Goes on with a ring: behind `end` (segment and offset) in its newest segment, if that can be continued. All
    /// records up to `last` are in it, and known to be stored up to `stored`.
    pub fn new(ring: Ring<D>, end: Option<(u32, u32)>, last: u64, stored: u64) -> Self {
        let oldest = ring.oldest().unwrap_or(last + 1);
        let sync_ms = ring.settings.sync_ms.into();
        let leaves = ring.next_to_leave();
        let progress = Progress { written: last, stored, oldest, leaves, ..Progress::default() };
        let (unstored, group) = (VecDeque::new(), Vec::new());
        Self { ring, unstored, written: 0, end, sync_ms, unstored_since: None, retry_at: None, progress, group }
    }

    /// Takes records over, to be written at the next turn.
    pub fn accept(&mut self, entries: impl IntoIterator<Item = Entry>) {
        self.unstored.extend(entries);
    }

    /// How far it is.
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Records and bytes of bodies that are not stored yet.
    pub fn held(&self) -> (usize, usize) {
        (self.unstored.len(), self.unstored.iter().map(|entry| entry.body.len()).sum())
    }

    /// When there is something to do without new records, in ms; `None` if there is not.
    pub fn due(&self) -> Option<u64> {
        match (self.retry_at, self.unstored_since) {
            (Some(retry), _) => Some(retry),
            (None, _) if self.written < self.unstored.len() => Some(0),
            (None, Some(since)) => Some(since.saturating_add(self.sync_ms)),
            (None, None) => None,
        }
    }

    /// Does not wait any longer after trouble.
    pub fn retry(&mut self) {
        self.retry_at = None;
    }

    /// Does what is due at `now` (ms, of any clock that does not go back); `urgent` syncs without waiting for the
    /// interval. While the disk is in trouble nothing is tried before its time.
    pub fn turn(&mut self, urgent: bool, now: u64) {
        if self.unstored.is_empty() || self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        match self.write_and_sync(urgent, now) {
            Ok(()) => {
                self.retry_at = None;
                self.progress.trouble = None;
            }
            Err((verb, error)) => self.on_trouble(verb, &error, now),
        }
    }

    fn on_trouble(&mut self, verb: &str, error: &io::Error, now: u64) {
        let tries = self.progress.trouble.as_ref().map_or(0, |trouble| trouble.tries) + 1;
        let wait = RETRY_MIN_MS.saturating_mul(1 << (tries - 1).min(16)).min(RETRY_MAX_MS);
        self.retry_at = Some(now.saturating_add(wait));
        self.progress.failed += 1;
        let text = format!("cannot {verb} the log in {}: {error}", self.ring.dir.display());
        self.progress.trouble = Some(Trouble { kind: error.kind(), text, tries });
        self.written = 0;
        self.unstored_since = None;
        self.ring.close();
    }

    fn write_and_sync(&mut self, urgent: bool, now: u64) -> Result<(), (&'static str, io::Error)> {
        while let Some(next) = self.unstored.get(self.written) {
            let (segment, number) = (next.position.segment, next.number);
            if self.end.map(|(current, _)| current) != Some(segment) {
                self.seal()?;
                self.ring.begin(segment, number).map_err(|error| ("begin a segment of", error))?;
                self.end = Some((segment, next_offset(&self.unstored, self.written)));
                self.progress.oldest = self.ring.oldest().unwrap_or(number);
                self.progress.leaves = self.ring.next_to_leave();
            }
            self.write_group(segment)?;
            self.unstored_since.get_or_insert(now);
        }
        let late = self.unstored_since.is_some_and(|since| now >= since.saturating_add(self.sync_ms));
        if urgent || late { self.sync() } else { Ok(()) }
    }

    /// Writes what comes next in this segment, as one write.
    fn write_group(&mut self, segment: u32) -> Result<(), (&'static str, io::Error)> {
        let first = self.unstored.iter().skip(self.written).map(|entry| entry.position.offset).next();
        let (file, head) = match self.ring.current() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Somebody removed it; what stood in it is gone, what comes begins it anew.
                self.ring.forget_newest();
                self.end = None;
                return Err(("find the newest segment of", error));
            }
            current => current.map_err(|error| ("open", error))?,
        };
        self.group.clear();
        let (mut count, mut last) = (0, 0);
        for entry in self.unstored.iter().skip(self.written).take_while(|next| next.position.segment == segment) {
            if count > 0 && self.group.len() + entry.body.len() > GROUP_BYTES {
                break;
            }
            format::encode_record(&mut self.group, head.salt, entry.number, &entry.body);
            (count, last) = (count + 1, entry.number);
        }
        let offset = first.unwrap_or_default();
        file.write_at(&self.group, offset.into()).map_err(|error| ("write", error))?;
        self.written += count;
        self.end = Some((segment, offset + self.group.len() as u32));
        self.progress.written = self.progress.written.max(last);
        self.progress.writes += 1;
        self.progress.bytes += self.group.len() as u64;
        Ok(())
    }

    /// Ends the newest segment, so that whoever reads it knows that nothing is missing at its end, and stores it.
    fn seal(&mut self) -> Result<(), (&'static str, io::Error)> {
        let Some((segment, offset)) = self.end else { return Ok(()) };
        let last = self.written.checked_sub(1).and_then(|at| self.unstored.get(at)).map(|entry| entry.number);
        let (file, head) = self.ring.current().map_err(|error| ("open", error))?;
        if head.segment == segment && offset + SEAL_BYTES <= head.bytes {
            self.group.clear();
            format::encode_seal(&mut self.group, head.salt, last.unwrap_or(self.progress.stored));
            file.write_at(&self.group, offset.into()).map_err(|error| ("write", error))?;
            self.progress.writes += 1;
            self.progress.bytes += self.group.len() as u64;
        }
        self.sync()
    }

    fn sync(&mut self) -> Result<(), (&'static str, io::Error)> {
        let (file, _) = self.ring.current().map_err(|error| ("open", error))?;
        file.sync().map_err(|error| ("sync", error))?;
        self.progress.syncs += 1;
        if let Some(last) = self.unstored.drain(..self.written).next_back() {
            self.progress.stored = last.number;
        }
        self.written = 0;
        self.unstored_since = None;
        Ok(())
    }
}

fn next_offset(unstored: &VecDeque<Entry>, at: usize) -> u32 {
    unstored.get(at).map_or(0, |entry| entry.position.offset)
}
