//! Reading records back by their place, beside the writer and without its lock.

use super::super::disk::{Disk, DiskFile};
use super::format::{RECORD_BYTES_MAX, RECORD_HEAD_BYTES, RecordHead};
use super::ring::{Position, path_of};
use super::scan::read_head;
use std::io;
use std::path::{Path, PathBuf};

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing whole stands there: it was not written yet, or it left, or it is damaged.
    #[error("there is no record")]
    Gone,
    /// The card refuses.
    #[error("cannot read the log: {0}")]
    Disk(#[from] io::Error),
}

/// Reads records of a log. Holds one file open; costs one read a record, and three more when the segment is another
/// than the last time.
pub struct Reader<D: Disk> {
    disk: D,
    dir: PathBuf,
    open: Option<(u32, u64, D::File)>,
    buffer: Vec<u8>,
}

impl<D: Disk> Reader<D> {
    /// A reader of the log in a directory.
    pub fn new(disk: D, dir: &Path) -> Self {
        Self { disk, dir: dir.to_path_buf(), open: None, buffer: Vec::new() }
    }

    /// The number and body of the record that stands there.
    pub fn read(&mut self, position: Position) -> Result<(u64, &[u8]), ReadError> {
        if self.open.as_ref().is_none_or(|(segment, ..)| *segment != position.segment) {
            self.open = None;
        }
        let (salt, file) = match &self.open {
            Some((_, salt, file)) => (*salt, file),
            None => {
                let file = match self.disk.open(&path_of(&self.dir, position.segment), false) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReadError::Gone),
                    file => file?,
                };
                let head = match read_head(&file)? {
                    Ok((head, _)) if head.segment == position.segment => head,
                    _ => return Err(ReadError::Gone),
                };
                let (_, salt, file) = self.open.insert((position.segment, head.salt, file));
                (*salt, &*file)
            }
        };
        self.buffer.resize(RECORD_HEAD_BYTES as usize + RECORD_BYTES_MAX, 0);
        let read = file.read_at(&mut self.buffer, position.offset.into())?;
        let found = RecordHead::decode(&self.buffer[..read]).and_then(|head| {
            let from = RECORD_HEAD_BYTES as usize;
            let body = self.buffer[..read].get(from..from + head.body_bytes() as usize)?;
            (!head.is_seal() && head.matches(salt, body)).then_some((head.number, from..from + body.len()))
        });
        match found {
            Some((number, body)) => Ok((number, &self.buffer[body])),
            None => {
                // The file may have begun another life.
                self.open = None;
                Err(ReadError::Gone)
            }
        }
    }
}
