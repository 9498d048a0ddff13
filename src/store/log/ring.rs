//! The files of the ring: which there are, and how the next one begins.

use super::super::disk::{Disk, DiskFile};
use super::format::{SECTOR_BYTES, SegmentHead};
use super::settings::Settings;
use crate::base::hash::siphash;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

/// Damaged files and pieces kept for whoever wants to look at them, at most: they take as much of the card as segments.
pub const DAMAGED_FILES_MAX: usize = 4;
/// Bytes of zeros written at once into a new segment.
const ZEROS_BYTES: usize = 64 * 1024;

/// How segments end that are in use, that are being made, and that were set aside.
const IN_USE: &str = ".log";
const IN_MAKING: &str = ".new";
const SET_ASIDE: &str = ".damaged";

/// Where a record stands. Small, because every message kept has one in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// In which segment.
    pub segment: u32,
    /// Where its head begins in the file.
    pub offset: u32,
}

/// The file of a segment.
pub fn path_of(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:08x}{IN_USE}"))
}

/// The segment that a file is named after; nothing for other files.
pub fn segment_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(IN_USE).filter(|digits| digits.len() == 8)?;
    u32::from_str_radix(digits, 16).ok().filter(|segment| path_of(Path::new(""), *segment) == Path::new(name))
}

/// A segment of the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// What it says of itself.
    pub head: SegmentHead,
    /// In which sector its head stands.
    pub place: u32,
}

/// The ring.
pub struct Ring<D: Disk> {
    pub(super) disk: D,
    pub(super) dir: PathBuf,
    pub(super) settings: Settings,
    /// Oldest first; their numbers grow.
    pub(super) segments: VecDeque<Segment>,
    /// The newest one, open.
    current: Option<(u32, D::File)>,
}

impl<D: Disk> Ring<D> {
    /// A ring without segments.
    pub fn new(disk: D, dir: &Path, settings: &Settings) -> Self {
        let settings = settings.clamped();
        Self { disk, dir: dir.to_path_buf(), settings, segments: VecDeque::new(), current: None }
    }

    /// The number of the oldest record that can still be there; `None` in an empty ring.
    pub fn oldest(&self) -> Option<u64> {
        self.segments.front().map(|segment| segment.head.first)
    }

    /// The segment that is given up when the newest one is full; `None` while there is space for another.
    pub fn next_to_leave(&self) -> Option<u32> {
        let full = self.segments.len() >= self.settings.segments as usize;
        self.segments.front().filter(|_| full).map(|oldest| oldest.head.segment)
    }

    /// The newest segment's file and head, opened if it was not. It must be there.
    pub fn current(&mut self) -> io::Result<(&D::File, SegmentHead)> {
        let Some(Segment { head, .. }) = self.segments.back().copied() else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no segment was begun"));
        };
        let file = match self.current.take() {
            Some((segment, file)) if segment == head.segment => file,
            _ => self.disk.open(&path_of(&self.dir, head.segment), true)?,
        };
        let (_, file) = self.current.insert((head.segment, file));
        Ok((file, head))
    }

    /// Gives the newest segment up, whose file is gone.
    pub fn forget_newest(&mut self) {
        self.current = None;
        self.segments.pop_back();
    }

    /// Forgets the open file: after trouble it is opened anew.
    pub fn close(&mut self) {
        self.current = None;
    }

    /// Begins a segment whose first record will be `first`: makes its file, or recycles the oldest. May be called again
    /// after it failed.
    pub fn begin(&mut self, segment: u32, first: u64) -> io::Result<()> {
        let (file, old) = self.file_for(segment)?;
        let salt = siphash(self.settings.seed, &segment.to_le_bytes());
        let (bytes, place) = old.map_or((self.settings.segment_bytes, 0), |old| (old.head.bytes, 1 - old.place));
        let head = SegmentHead { segment, bytes, first, salt };
        file.write_at(&head.encode(), (place * SECTOR_BYTES).into())?;
        // Records under a head that gets lost would be lost with it, and those of the old life be damaged.
        file.sync()?;
        if old.is_some() {
            self.segments.pop_front();
        }
        self.segments.push_back(Segment { head, place });
        self.current = Some((segment, file));
        Ok(())
    }

    /// A file for a new segment, and what it was before.
    fn file_for(&mut self, segment: u32) -> io::Result<(D::File, Option<Segment>)> {
        let (bytes, count) = (self.settings.segment_bytes, self.settings.segments as usize);
        loop {
            let Some(oldest) = self.segments.front().copied() else { return Ok((self.make(segment)?, None)) };
            if self.segments.len() < count {
                match self.make(segment) {
                    // No space for one more: those that are there have theirs. The newest is full and stays.
                    Err(error)
                        if error.kind() == io::ErrorKind::StorageFull
                            && self.segments.len() > 1
                            && oldest.head.bytes == bytes => {}
                    made => return Ok((made?, None)),
                }
            } else if self.segments.len() > count || oldest.head.bytes != bytes {
                // A board that keeps fewer segments now, or others.
                self.disk.remove(&path_of(&self.dir, oldest.head.segment)).or_else(absent)?;
                self.segments.pop_front();
                continue;
            }
            match self.recycle(segment, &oldest) {
                // Somebody removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => drop(self.segments.pop_front()),
                recycled => return Ok((recycled?, Some(oldest))),
            }
        }
    }

    /// A file of zeros, on the card as a whole before it gets its name: what it needs later is there then.
    fn make(&self, segment: u32) -> io::Result<D::File> {
        let bytes = self.settings.segment_bytes;
        self.disk.create_dir(&self.dir)?;
        let (path, making) = (path_of(&self.dir, segment), self.dir.join(format!("{segment:08x}{IN_MAKING}")));
        self.disk.remove(&making).or_else(absent)?;
        let file = self.disk.create(&making)?;
        let zeros = vec![0; ZEROS_BYTES.min(bytes as usize)];
        let mut at = 0;
        let mut filled = Ok(());
        while at < bytes && filled.is_ok() {
            let length = zeros.len().min((bytes - at) as usize);
            filled = file.write_at(&zeros[..length], at.into());
            at += length as u32;
        }
        let made = filled
            .and_then(|()| file.sync())
            .and_then(|()| self.disk.rename(&making, &path))
            .and_then(|()| self.disk.sync_dir(&self.dir));
        if made.is_err() {
            // A full card must not also keep half a segment; the first error is the one worth telling.
            let _ = self.disk.remove(&making);
        }
        made.map(|()| file)
    }

    /// The oldest file under its new name. Its old head stays until the new one is there: if the power goes in between,
    /// it is the old segment under another name.
    fn recycle(&self, segment: u32, oldest: &Segment) -> io::Result<D::File> {
        let (old, new) = (path_of(&self.dir, oldest.head.segment), path_of(&self.dir, segment));
        // Absent: renamed at an earlier try.
        self.disk.rename(&old, &new).or_else(absent)?;
        let file = self.disk.open(&new, true)?;
        self.disk.sync_dir(&self.dir)?;
        Ok(file)
    }

    /// Puts a file that is no segment out of the way. The first few are kept, of later ones the space counts more.
    pub(super) fn set_aside(&self, name: &str) -> io::Result<()> {
        let path = self.dir.join(name);
        if self.damaged_files()?.len() >= DAMAGED_FILES_MAX {
            return self.disk.remove(&path);
        }
        let stem = name.strip_suffix(IN_USE).unwrap_or(name);
        self.disk.rename(&path, &self.dir.join(format!("{stem}{SET_ASIDE}")))?;
        self.disk.sync_dir(&self.dir)
    }

    /// Copies a damaged piece of a segment out of the ring, before the ring comes round to it.
    pub(super) fn copy_aside(&self, file: &D::File, segment: u32, offset: u32, bytes: u32) -> io::Result<()> {
        let name = format!("{segment:08x}-{offset:08x}{SET_ASIDE}");
        let kept = self.damaged_files()?;
        if kept.len() >= DAMAGED_FILES_MAX || kept.contains(&name) {
            return Ok(());
        }
        let mut piece = vec![0; (bytes as usize).min(ZEROS_BYTES)];
        let read = file.read_at(&mut piece, offset.into())?;
        self.disk.create(&self.dir.join(name))?.write_at(&piece[..read], 0)
    }

    fn damaged_files(&self) -> io::Result<Vec<String>> {
        let names = self.disk.list(&self.dir)?;
        Ok(names.into_iter().filter(|name| name.ends_with(SET_ASIDE)).collect())
    }

    /// Removes what a crash left of a segment in the making.
    pub(super) fn sweep(&self, names: &[String]) -> io::Result<()> {
        for name in names.iter().filter(|name| name.ends_with(IN_MAKING)) {
            self.disk.remove(&self.dir.join(name))?;
        }
        Ok(())
    }
}

/// What is not there need not be removed.
fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
