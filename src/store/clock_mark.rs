//! The stamps a peer may have given, so that no start gives one of them again.
//!
//! A message is told apart by its author and its stamp. A board without a battery-backed clock starts in the past and
//! would stamp its first lines as it did in an earlier run. What the numbers are: `chat/stamps.rs`; when they are written
//! down: `base/sequence.rs`.

use super::replace::read_bounded;
use crate::chat::stamps::{LANES, Spent};
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::Path;

/// The file in the peer's directory: the last stamp that may have been given, one line for each lane up to the last that
/// was used; ` *` stands behind the one that was used last, if it is not the first.
pub const CLOCK_MARK_FILE: &str = "stamp";

/// Bytes of the file read at most: as many lines as there are lanes, each of 20 digits and a mark.
const CLOCK_MARK_BYTES_MAX: usize = LANES * 23;

/// Reads the file of `dir`. Where there is none, or a damaged one (which is logged), nothing was given.
pub fn load(dir: &Path) -> Spent {
    let path = dir.join(CLOCK_MARK_FILE);
    match File::open(&path).and_then(|file| read_bounded(file, CLOCK_MARK_BYTES_MAX)).and_then(|bytes| parse(&bytes)) {
        Ok(spent) => spent,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                log::warn!("ignoring {}: {error}", path.display());
            }
            Spent::default()
        }
    }
}

/// What the file is to hold.
pub fn to_bytes(spent: &Spent) -> Vec<u8> {
    let used = spent.last.iter().rposition(|last| *last > 0).map_or(1, |lane| lane + 1);
    let mut text = String::new();
    for (lane, last) in spent.last.iter().take(used).enumerate() {
        let _ = writeln!(text, "{last}{}", if lane > 0 && lane == spent.lane { " *" } else { "" });
    }
    text.into_bytes()
}

fn parse(bytes: &[u8]) -> io::Result<Spent> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "not what was written");
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    // A file that ends within a line was written by somebody else.
    let text = text.strip_suffix('\n').ok_or_else(damaged)?;
    let mut spent = Spent::default();
    for (lane, line) in text.split('\n').enumerate() {
        let number = line.strip_suffix(" *").inspect(|_| spent.lane = lane).unwrap_or(line);
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let last = spent.last.get_mut(lane).filter(|_| is_number).ok_or_else(damaged)?;
        *last = number.parse().map_err(|_| damaged())?;
    }
    Ok(spent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()), Spent::default(), "a first start knows nothing");
        for (last, lane, text) in [
            ([12, 0, 0, 0, 0, 0], 0, "12\n"),
            ([u64::MAX, 0, 7, 0, 0, 0], 2, "18446744073709551615\n0\n7 *\n"),
            ([1_790_000_000_000, 5, 0, 0, 0, 0], 0, "1790000000000\n5\n"),
            ([0; LANES], 0, "0\n"),
        ] {
            let spent = Spent { last, lane };
            assert_eq!(to_bytes(&spent), text.as_bytes());
            fs::write(dir.path().join(CLOCK_MARK_FILE), text).unwrap();
            assert_eq!(load(dir.path()), spent);
        }
        let most = Spent { last: [u64::MAX; LANES], lane: LANES - 1 };
        assert!(to_bytes(&most).len() <= CLOCK_MARK_BYTES_MAX);
        fs::write(dir.path().join(CLOCK_MARK_FILE), to_bytes(&most)).unwrap();
        assert_eq!(load(dir.path()), most);
    }

    #[test]
    fn a_damaged_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let long = "1\n".repeat(LANES + 1);
        for bad in ["", "\n", "12", "-5\n", "+5\n", "5 *", "*\n", "5\n\n", "12 \n", "\u{1b}[2J\n", &long] {
            fs::write(dir.path().join(CLOCK_MARK_FILE), bad).unwrap();
            assert_eq!(load(dir.path()), Spent::default(), "{bad:?}");
        }
        fs::write(dir.path().join(CLOCK_MARK_FILE), format!("{0}{0}\n", u64::MAX)).unwrap();
        assert_eq!(load(dir.path()), Spent::default());
    }
}
