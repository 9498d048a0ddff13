//! The seam to the file system: the calls whose order decides what a power cut leaves.
//!
//! Small on purpose, so that tests can stand in for it and cut the power after any of them. What is assumed of a
//! disk: a sector that is written anew with the bytes it held keeps them; what [`DiskFile::sync`] and
//! [`Disk::sync_dir`] said is there stays there; a rename happens wholly or not at all. Nothing is assumed of what was
//! not synced: it may be there, be lost, or be there in part and in any order.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

/// Mode of every file written here: the owner's alone.
pub const FILE_MODE: u32 = 0o600;
/// Mode of a directory made here.
pub const DIR_MODE: u32 = 0o700;

/// A file system.
pub trait Disk: Send + 'static {
    /// An open file of it.
    type File: DiskFile;

    /// Makes a file that must not exist yet, to be written.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// Opens a file that exists, to be read or also to be written.
    fn open(&self, path: &Path, write: bool) -> io::Result<Self::File>;

    /// Gives a file another name, over the file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory and those above it; one that exists is fine.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// The names of the files in a directory that are UTF-8, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Waits until the names in a directory are on the card.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + 'static {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Reads what is at `offset`, as many bytes as there are and fit; how many those were.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`: from then on it survives the end of the process, however that ends.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Waits until what was written is on the card: from then on it survives a power cut.
    fn sync(&self) -> io::Result<()>;
}

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    type File = File;

    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
    }

    fn open(&self, path: &Path, write: bool) -> io::Result<File> {
        OpenOptions::new().read(true).write(write).open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < bytes.len() {
            match FileExt::read_at(self, &mut bytes[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
