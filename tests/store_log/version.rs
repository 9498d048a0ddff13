//! What an earlier version wrote is read by this one; what a later one wrote is left alone.
//!
//! `tests/store_log/v1` was written by the program that brought version 1, by the same steps as in `write` here. A new
//! version adds a folder of its own and leaves this one as it is.

use crate::{body_of, is_body_of};
use std::fs;
use std::path::{Path, PathBuf};
use stonechat::store::disk::RealDisk;
use stonechat::store::log::open::OpenError;
use stonechat::store::log::{self, Settings};

/// Records that were written into the example; the oldest left it.
const WRITTEN: u64 = 120;
/// The first that is still there.
const OLDEST: u64 = 90;

fn settings() -> Settings {
    Settings { segment_bytes: 8_192, segments: 3, sync_ms: 0, ..Settings::new([1, 2]) }
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store_log/v1")
}

fn write(dir: &Path) {
    let (log, _) = log::open(RealDisk, dir, &settings(), |_| {}).unwrap();
    let (mut queue, mut engine) = log.into_parts();
    for number in 1..=WRITTEN {
        queue.append(&body_of(number)).unwrap();
        engine.accept(queue.take().0);
        engine.turn(false, 0);
        queue.note(engine.progress(), engine.held());
    }
}

/// Copies the example to where it may be written.
fn copy(to: &Path) {
    let mut files = 0;
    for entry in fs::read_dir(example()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        files += 1;
    }
    assert_eq!(files, 3);
}

#[test]
fn version_1_is_read_and_continued() {
    let dir = tempfile::tempdir().unwrap();
    copy(dir.path());
    let mut next = OLDEST;
    let (log, found) = log::open(RealDisk, dir.path(), &settings(), |record| {
        assert!(record.number == next && is_body_of(next, record.body));
        next += 1;
    })
    .unwrap();
    assert_eq!((next, found.damaged, found.complaints.len()), (WRITTEN + 1, 0, 0), "{found:?}");
    let (mut queue, mut engine) = log.into_parts();
    let number = queue.append(b"of today").unwrap().number;
    engine.accept(queue.take().0);
    engine.turn(false, 0);
    let mut last = (0, Vec::new());
    log::replay(RealDisk, dir.path(), |record| last = (record.number, record.body.to_vec())).unwrap();
    assert_eq!(last, (number, b"of today".to_vec()));
}

#[test]
fn this_version_writes_what_the_example_holds() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    for entry in fs::read_dir(example()).unwrap() {
        let entry = entry.unwrap();
        let (old, new) = (fs::read(entry.path()).unwrap(), fs::read(dir.path().join(entry.file_name())).unwrap());
        assert!(old == new, "{:?}: the format changed: give it another version and an example", entry.file_name());
    }
}

#[test]
fn a_later_version_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    copy(dir.path());
    let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&path).unwrap();
    let head = &mut bytes[..64];
    head[..8].copy_from_slice(b"stonelog");
    head[8..12].copy_from_slice(&2_u32.to_le_bytes());
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&head[..60]);
    head[60..].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let error = log::open(RealDisk, dir.path(), &settings(), |_| {}).map(|_| ()).unwrap_err();
    assert!(matches!(&error, OpenError::Version { version: 2, path: named } if *named == path), "{error}");
    assert_eq!(error.to_string(), format!("{} is of version 2 of the log, this program knows 1", path.display()));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
