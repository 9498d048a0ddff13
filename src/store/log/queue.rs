//! The accepting side: gives records their number and their place, holds them until they are stored, tells how far the
//! disk is. It lives under the writer's lock and does nothing that takes time.

use super::engine::{Entry, Progress, Trouble};
use super::format::{RECORD_BYTES_MAX, RECORDS_AT, SEAL_BYTES, room_for};
use super::ring::Position;
use super::settings::Settings;
use crate::base::meter::Meter;
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

/// Where the next record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The newest segment.
    pub segment: u32,
    /// Where its records end.
    pub offset: u32,
    /// Its bytes.
    pub bytes: u32,
    /// Bytes of those to come.
    pub segment_bytes: u32,
}

impl Layout {
    /// The place for a body of this length: here, or at the beginning of the next segment.
    fn place(&mut self, length: usize) -> Position {
        let room = room_for(length as u32);
        if self.offset + room + SEAL_BYTES > self.bytes {
            let segment = self.segment.saturating_add(1);
            *self = Self { segment, offset: RECORDS_AT, bytes: self.segment_bytes, ..*self };
        }
        let position = Position { segment: self.segment, offset: self.offset };
        self.offset += room;
        position
    }
}

/// A record was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its number: greater than all before it, and given once.
    pub number: u64,
    /// Where it can be read once it is written.
    pub position: Position,
}

/// Why a record was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// As many records or bytes as may wait are waiting.
    #[error("{records} records of {bytes} bytes already wait for the disk")]
    Full {
        /// Records that wait.
        records: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// The body is longer than a record's may be.
    #[error("a record has at most {RECORD_BYTES_MAX} bytes")]
    TooLong,
    /// This peer keeps no log.
    #[error("there is no log")]
    Off,
}

/// What became of the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvent {
    /// All up to this number survive the end of the process.
    Written(u64),
    /// All up to this number survive a power cut.
    Stored(u64),
    /// The ring comes round to this segment when the newest one is full: what is wanted of it is to be appended anew.
    Leaves(u32),
    /// All below this number are gone: the ring came round to them.
    Left(u64),
    /// The disk does not take them; they wait.
    Trouble(Trouble),
    /// The disk takes them again.
    Resumed,
}

/// How the log stands, for `status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogMeter {
    /// Records accepted and not stored; drops are those refused.
    pub records: Meter,
    /// Their bytes.
    pub bytes: Meter,
    /// How far the disk is.
    pub progress: Progress,
}

/// The accepting side of a log.
#[derive(Debug)]
pub struct Queue {
    layout: Layout,
    next: u64,
    waiting: VecDeque<Entry>,
    records: Meter,
    bytes: Meter,
    urgent: bool,
    progress: Progress,
    told: Progress,
    reader: Option<Waker>,
}

impl Queue {
    /// An empty queue that goes on at this place, with this number.
    pub fn new(settings: &Settings, layout: Layout, next: u64, progress: &Progress) -> Self {
        Self {
            layout,
            next,
            waiting: VecDeque::new(),
            records: Meter::new(settings.queue_records),
            bytes: Meter::new(settings.queue_bytes),
            urgent: false,
            progress: progress.clone(),
            // What leaves next is told at the start too.
            told: Progress { leaves: None, ..progress.clone() },
            reader: None,
        }
    }

    /// Accepts a record.
    pub fn append(&mut self, body: &[u8]) -> Result<Appended, AppendError> {
        if body.len() > RECORD_BYTES_MAX {
            return Err(AppendError::TooLong);
        }
        let (records, bytes) = (self.records.length + 1, self.bytes.length + body.len());
        if records > self.records.capacity || bytes > self.bytes.capacity {
            self.records.dropped();
            return Err(AppendError::Full { records: self.records.length, bytes: self.bytes.length });
        }
        self.records.note(records);
        self.bytes.note(bytes);
        let (number, position) = (self.next, self.layout.place(body.len()));
        self.next += 1;
        self.waiting.push_back(Entry { number, position, body: body.into() });
        Ok(Appended { number, position })
    }

    /// Asks for a sync before its time.
    pub fn sync(&mut self) {
        self.urgent = true;
    }

    /// Whether there is something for the engine.
    pub fn has_work(&self) -> bool {
        !self.waiting.is_empty() || self.urgent
    }

    /// What the engine is to take over, and whether it should sync at once: because somebody waits for that, or because
    /// the queue is half full, which is better than to refuse.
    pub fn take(&mut self) -> (VecDeque<Entry>, bool) {
        let half = |meter: &Meter| meter.length > meter.capacity / 2;
        let urgent = std::mem::take(&mut self.urgent) || half(&self.records) || half(&self.bytes);
        (std::mem::take(&mut self.waiting), urgent)
    }

    /// Takes note of how far the engine is, and how many records and bytes it holds.
    pub fn note(&mut self, progress: &Progress, (records, bytes): (usize, usize)) {
        self.records.note(records + self.waiting.len());
        self.bytes.note(bytes + self.waiting.iter().map(|entry| entry.body.len()).sum::<usize>());
        self.progress.clone_from(progress);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// What happened since the last call. Numbers run together: a reader that comes late is told the newest only.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<LogEvent> {
        let (now, told) = (&self.progress, &mut self.told);
        if now.oldest > told.oldest {
            told.oldest = now.oldest;
            return Poll::Ready(LogEvent::Left(now.oldest));
        }
        if now.leaves != told.leaves {
            told.leaves = now.leaves;
            if let Some(segment) = now.leaves {
                return Poll::Ready(LogEvent::Leaves(segment));
            }
        }
        if now.written > told.written {
            told.written = now.written;
            return Poll::Ready(LogEvent::Written(now.written));
        }
        if now.stored > told.stored {
            told.stored = now.stored;
            return Poll::Ready(LogEvent::Stored(now.stored));
        }
        if now.trouble != told.trouble {
            told.trouble.clone_from(&now.trouble);
            return Poll::Ready(now.trouble.clone().map_or(LogEvent::Resumed, LogEvent::Trouble));
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// How it stands now.
    pub fn meter(&self) -> LogMeter {
        LogMeter { records: self.records, bytes: self.bytes, progress: self.progress.clone() }
    }
}
