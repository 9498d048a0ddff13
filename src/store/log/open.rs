//! Opening a log: what is there is read once from its beginning to its end, what is damaged is set aside.

use super::super::disk::{Disk, DiskFile};
use super::engine::Engine;
use super::format::{HeadError, RECORDS_AT, SegmentHead, VERSION};
use super::queue::{Layout, Queue};
use super::ring::{Position, Ring, Segment, path_of, segment_of};
use super::scan::{Found, Scanner, read_head};
use super::settings::{NUMBER_STEP, Settings};
use std::io;
use std::path::{Path, PathBuf};

/// Complaints kept in words, at most: the rest is counted.
const COMPLAINTS_MAX: usize = 16;

/// A record that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number.
    pub number: u64,
    /// Where it stands.
    pub position: Position,
    /// Its body.
    pub body: &'a [u8],
}

/// Why a log cannot be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A later version of the program wrote it.
    #[error("{path} is of version {version} of the log, this program knows {VERSION}")]
    Version {
        /// The segment's file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// What is there cannot even be listed.
    #[error("cannot read {dir}: {error}")]
    Unreadable {
        /// The log's directory.
        dir: PathBuf,
        /// What the system answered.
        error: io::Error,
    },
}

/// What was found when a log was opened.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Records.
    pub records: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// The number of the last one; 0 if there is none.
    pub last: u64,
    /// Whether a record at the end was not whole: it was never told to be written, or only that.
    pub torn: bool,
    /// Damaged pieces and files.
    pub damaged: u64,
    /// Their bytes.
    pub damaged_bytes: u64,
    /// What is wrong, in words, at most 16.
    pub complaints: Vec<String>,
}

impl Recovered {
    fn complain(&mut self, complaint: String) {
        if self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push(complaint);
        }
    }

    fn damaged(&mut self, bytes: u64, what: String) {
        self.damaged += 1;
        self.damaged_bytes += bytes;
        self.complain(what);
    }
}

/// An opened log: hand it to the writer.
pub struct Log<D: Disk> {
    /// The accepting side.
    pub(in super::super) queue: Queue,
    /// The writing side.
    pub(in super::super) engine: Engine<D>,
}

impl<D: Disk> Log<D> {
    /// Both sides apart, for whoever drives them without a thread.
    pub fn into_parts(self) -> (Queue, Engine<D>) {
        (self.queue, self.engine)
    }
}

/// Opens the log of a directory, which need not exist yet, and shows every record, the newest last. Memory: one window of
/// a segment. What cannot be repaired on a disk that takes no writes is complained of and left as it is.
pub fn open<D: Disk>(
    disk: D,
    dir: &Path,
    settings: &Settings,
    mut visit: impl FnMut(Record<'_>),
) -> Result<(Log<D>, Recovered), OpenError> {
    let mut ring = Ring::new(disk, dir, settings);
    let mut found = Recovered::default();
    let segments = segments(&ring, true, &mut found)?;
    let count = segments.len();
    let mut end = None;
    for (at, (segment, name)) in segments.into_iter().enumerate() {
        let newest = at + 1 == count;
        match read(&ring, segment.head, &name, newest, true, &mut found, &mut visit) {
            Ok(Kept::Whole) => ring.segments.push_back(segment),
            Ok(Kept::UpTo(offset)) => {
                end = Some((segment.head.segment, offset));
                ring.segments.push_back(segment);
            }
            Ok(Kept::Nothing) => {
                if let Err(error) = ring.set_aside(&name) {
                    found.complain(format!("cannot set {name} aside: {error}"));
                    ring.segments.push_back(segment);
                }
            }
            Err(error) => {
                found.damaged(segment.head.bytes.into(), format!("cannot read {name}: {error}"));
                ring.segments.push_back(segment);
            }
        }
    }
    // What another run wrote and did not sync is stored from here on.
    let mut stored = found.last;
    if end.is_some()
        && let Err(error) = ring.current().and_then(|(file, _)| file.sync())
    {
        found.complain(format!("cannot sync the log in {}: {error}", dir.display()));
        ring.close();
        stored = 0;
    }
    let settings = ring.settings.clone();
    let newest = ring.segments.back().map(|segment| segment.head);
    let layout = layout(newest, end, settings.segment_bytes);
    // Numbers that were given and whose records are lost count too.
    let last = newest.map_or(0, |head| head.first - 1).max(found.last);
    let next = if newest.is_none() { 1 } else { last.saturating_add(NUMBER_STEP) };
    let engine = Engine::new(ring, end, last, stored.min(last));
    let queue = Queue::new(&settings, layout, next, engine.progress());
    Ok((Log { queue, engine }, found))
}

/// Shows every record that can be read, the newest last, and changes nothing: also while a peer writes there.
pub fn replay<D: Disk>(disk: D, dir: &Path, mut visit: impl FnMut(Record<'_>)) -> Result<Recovered, OpenError> {
    let ring = Ring::new(disk, dir, &Settings::new([0; 2]));
    let mut found = Recovered::default();
    let segments = segments(&ring, false, &mut found)?;
    let count = segments.len();
    for (at, (segment, name)) in segments.into_iter().enumerate() {
        if let Err(error) = read(&ring, segment.head, &name, at + 1 == count, false, &mut found, &mut visit) {
            found.damaged(segment.head.bytes.into(), format!("cannot read {name}: {error}"));
        }
    }
    Ok(found)
}

fn layout(newest: Option<SegmentHead>, end: Option<(u32, u32)>, segment_bytes: u32) -> Layout {
    match (newest, end) {
        (Some(head), Some((segment, offset))) => Layout { segment, offset, bytes: head.bytes, segment_bytes },
        (head, _) => {
            let segment = head.map_or(0, |head| head.segment) + 1;
            Layout { segment, offset: RECORDS_AT, bytes: segment_bytes, segment_bytes }
        }
    }
}

/// The segments that are there, oldest first, each with its file's name: its own one after a repair.
fn segments<D: Disk>(ring: &Ring<D>, repair: bool, found: &mut Recovered) -> Result<Vec<(Segment, String)>, OpenError> {
    let unreadable = |error| OpenError::Unreadable { dir: ring.dir.clone(), error };
    let names = match ring.disk.list(&ring.dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.map_err(unreadable)?,
    };
    let mut segments: Vec<(Segment, String)> = Vec::new();
    let mut aside = Vec::new();
    for name in names.iter().filter(|name| segment_of(name).is_some()) {
        let path = ring.dir.join(name);
        let head = ring.disk.open(&path, false).and_then(|file| Ok((read_head(&file)?, file.size()?)));
        match head {
            Err(error) => found.damaged(0, format!("cannot read {}: {error}", path.display())),
            Ok((Err(HeadError::Version(version)), _)) => return Err(OpenError::Version { path, version }),
            // A crash in its making; it is made anew when its turn comes.
            Ok((Err(HeadError::Empty), _)) => {}
            Ok((Err(HeadError::Damaged), size)) => {
                found.damaged(size, format!("{} has no head that is whole", path.display()));
                aside.push(name);
            }
            Ok((Ok((head, _)), size)) if segments.iter().any(|(known, _)| known.head.segment == head.segment) => {
                found.damaged(size, format!("{} is a segment that is there already", path.display()));
                aside.push(name);
            }
            Ok((Ok((head, place)), _)) => {
                // They are few: a sort would be the largest part of this program.
                let at = segments.partition_point(|(known, _)| known.head.segment < head.segment);
                segments.insert(at, (Segment { head, place }, name.clone()));
            }
        }
    }
    if !repair {
        return Ok(segments);
    }
    let mut repaired = ring.sweep(&names);
    for name in aside {
        repaired = repaired.and(ring.set_aside(name));
    }
    for (segment, name) in &mut segments {
        let path = path_of(&ring.dir, segment.head.segment);
        let known = ring.dir.join(&*name);
        // A rename that a power cut undid, or one that came before the head.
        if path != known {
            let renamed = ring.disk.rename(&known, &path);
            if renamed.is_ok() {
                *name = path_of(Path::new(""), segment.head.segment).to_string_lossy().into_owned();
            }
            repaired = repaired.and(renamed);
        }
    }
    if let Err(error) = repaired {
        found.complain(format!("cannot repair the log in {}: {error}", ring.dir.display()));
    }
    Ok(segments)
}

enum Kept {
    /// All of it, and nothing more goes into it.
    Whole,
    /// All of it, and the next record goes to this offset.
    UpTo(u32),
    /// No record in it can be read.
    Nothing,
}

fn read<D: Disk>(
    ring: &Ring<D>,
    head: SegmentHead,
    name: &str,
    newest: bool,
    repair: bool,
    found: &mut Recovered,
    visit: &mut impl FnMut(Record<'_>),
) -> io::Result<Kept> {
    let path = ring.dir.join(name);
    let file = ring.disk.open(&path, false)?;
    let mut scanner = Scanner::new(&file, head);
    let mut records = 0;
    loop {
        let (offset, bytes) = match scanner.advance() {
            Found::Record { number, offset, body } => {
                // Numbers grow over segments too.
                if number > found.last {
                    (found.last, records) = (number, records + 1);
                    found.bytes += body.len() as u64;
                    visit(Record { number, position: Position { segment: head.segment, offset }, body });
                }
                continue;
            }
            Found::Damaged { offset, bytes } => (offset, bytes),
            Found::End { offset, sealed } => {
                found.records += records;
                let unreadable = scanner.unreadable();
                if newest {
                    found.torn = !sealed && scanner.is_torn();
                    return Ok(if sealed || unreadable > 0 { Kept::Whole } else { Kept::UpTo(offset) });
                }
                if sealed {
                    return Ok(Kept::Whole);
                }
                let bytes = head.bytes - offset;
                found.damaged(bytes.into(), format!("{}: its last {bytes} bytes are damaged", path.display()));
                return Ok(if records == 0 { Kept::Nothing } else { Kept::Whole });
            }
        };
        let mut what = format!("{}: {bytes} bytes at {offset} are damaged", path.display());
        if repair && let Err(error) = ring.copy_aside(&file, head.segment, offset, bytes) {
            what += &format!(", and cannot be set aside: {error}");
        }
        found.damaged(bytes.into(), what);
    }
}
