//! The highest stamp a peer has used, so that a reboot without a clock uses none of them twice.
//!
//! A message is told apart by its author and its stamp. A board without a battery-backed clock starts in the past
//! and would stamp its first lines as it did in an earlier run.

use super::replace::read_bounded;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

/// The mark's file in the peer's directory.
pub const STAMP_FILE: &str = "stamp";

/// Milliseconds by which the mark on disk runs ahead of the stamps in use: while lines are written, one write to
/// the card in this time. After a crash the clock of the room is ahead by no more than this.
pub const STAMP_STEP_MS: u64 = 10_000;

/// Bytes of the mark's file read at most: the 20 digits of a `u64` and a line end, with room.
const STAMP_BYTES_MAX: usize = 32;

/// The high-water mark: no stamp above it was ever used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    mark: u64,
}

impl Mark {
    /// Reads the mark of `dir`. None there, or a damaged one (which is logged), is a mark of zero.
    pub fn load(dir: &Path) -> Self {
        let path = dir.join(STAMP_FILE);
        match File::open(&path).and_then(|file| read_bounded(file, STAMP_BYTES_MAX)).and_then(|b| parse(&b)) {
            Ok(mark) => Self { mark },
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    log::warn!("ignoring {}: {error}", path.display());
                }
                Self::default()
            }
        }
    }

    /// The mark: at or above every number used so far, zero if none was.
    pub fn mark(&self) -> u64 {
        self.mark
    }

    /// Takes note that `stamp` was used. Bytes returned are to be written as [`STAMP_FILE`]; most often there are
    /// none, because the mark on disk is ahead already.
    pub fn note(&mut self, stamp: u64) -> Option<Vec<u8>> {
        if stamp <= self.mark {
            return None;
        }
        self.mark = stamp.saturating_add(STAMP_STEP_MS);
        Some(format!("{}\n", self.mark).into_bytes())
    }

    /// How far a clock that reads `unix_ms` (milliseconds since 1970) is behind the stamps already used.
    pub fn behind(&self, unix_ms: u64) -> Option<Duration> {
        // The mark runs ahead by up to one step, so a clock within it is not known to be behind.
        let behind = self.mark.saturating_sub(STAMP_STEP_MS).checked_sub(unix_ms)?;
        (behind > 0).then(|| Duration::from_millis(behind))
    }
}

fn parse(bytes: &[u8]) -> io::Result<u64> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "not a number and a line end");
    let digits = bytes.strip_suffix(b"\n").ok_or_else(damaged)?;
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_mark_survives_and_is_never_below_a_number_used() {
        let dir = tempfile::tempdir().unwrap();
        let mut mark = Mark::load(dir.path());
        assert_eq!(mark.mark(), 0);
        let mut writes = 0;
        for used in 5_000_000..5_020_000 {
            if let Some(bytes) = mark.note(used) {
                fs::write(dir.path().join(STAMP_FILE), bytes).unwrap();
                writes += 1;
            }
        }
        assert_eq!(writes, 2, "one write for ten seconds of lines");
        assert_eq!(Mark::load(dir.path()), mark);
        assert!(mark.mark() >= 5_019_999);
    }

    #[test]
    fn a_clock_that_went_back_is_noticed_and_a_good_one_is_not() {
        let mut stamp = Mark::default();
        assert_eq!(stamp.behind(0), None, "a first start knows nothing");
        stamp.note(1_000_000);
        assert_eq!(stamp.behind(400_000), Some(Duration::from_secs(600)));
        assert_eq!(stamp.behind(1_000_000), None);
        assert_eq!(stamp.behind(u64::MAX), None);
        stamp.note(u64::MAX);
        assert_eq!(stamp.mark(), u64::MAX);
    }

    #[test]
    fn a_damaged_mark_is_a_mark_of_zero() {
        let dir = tempfile::tempdir().unwrap();
        for bad in ["", "\n", "12", "-5\n", "99999999999999999999999\n", "12 \n", "\u{1b}[2J\n"] {
            fs::write(dir.path().join(STAMP_FILE), bad).unwrap();
            assert_eq!(Mark::load(dir.path()).mark(), 0, "{bad:?}");
        }
        fs::write(dir.path().join(STAMP_FILE), "12\n").unwrap();
        assert_eq!(Mark::load(dir.path()).mark(), 12);
    }
}
