//! A file replaced as a whole: after a power cut it holds the old bytes or the new ones, never half of each.

pub use super::disk::FILE_MODE;
use super::disk::{Disk, DiskFile, RealDisk};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Writes `bytes` beside `path`, syncs them, renames them over `path` and syncs the directory.
///
/// Costs two syncs, tens of milliseconds on a slow card. The name beside it is fixed, so that a crash leaves at
/// most one stray file, which the next write removes; the lock on the directory keeps a second writer away.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_on(&RealDisk, path, bytes)
}

/// [`replace`] on any disk.
pub fn replace_on<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path)?;
    match disk.remove(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write_new(disk, &beside, bytes).and_then(|()| disk.rename(&beside, path));
    if written.is_err() {
        // A full card must not also keep the stray file; the first error is the one worth telling.
        let _ = disk.remove(&beside);
    }
    written?;
    // Without this the rename itself may be lost with the power.
    disk.sync_dir(parent(path))
}

/// Reads a file that should hold at most `bytes_max` bytes; more is an error of kind `InvalidData`.
pub fn read_bounded(file: File, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

fn write_new<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = disk.create(path)?;
    file.write_at(bytes, 0)?;
    file.sync()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".new");
    Ok(path.with_file_name(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_old_bytes_give_way_to_the_new_ones_and_nothing_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, b"old and long").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, FILE_MODE);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_stray_file_of_a_crash_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(dir.path().join(".file.new"), b"half a wri").unwrap();
        replace(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, b"old").unwrap();
        // A directory in the way of the stray file's name cannot be removed as a file.
        fs::create_dir(dir.path().join(".file.new")).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn reading_stops_at_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read_bounded(File::open(&path).unwrap(), 10).unwrap(), [7; 10]);
        assert_eq!(read_bounded(File::open(&path).unwrap(), 9).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
