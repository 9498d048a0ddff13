//! What is read of other programs, at most.

use crate::wire::bounds::{FRAME_BYTES_MAX, TEXT_BYTES_MAX};
use alloc::string::String;

/// Bytes of one message of another program: as many as a frame of ours has, for that is what a board counts with for each
/// message it holds. A longer one is neither shown nor handed on; one of ours is refused.
pub const DATA_BYTES_MAX: usize = FRAME_BYTES_MAX;

// The longest line goes out in every room where its characters need no escaping.
const _: () = assert!(DATA_BYTES_MAX >= TEXT_BYTES_MAX + 512);

/// At most `bytes_max` bytes of a text, whole characters; `…` at its end says that there was more.
pub fn cut(mut text: String, bytes_max: usize) -> String {
    const ELLIPSIS: char = '…';
    if text.len() > bytes_max {
        let room = bytes_max.saturating_sub(ELLIPSIS.len_utf8());
        let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push(ELLIPSIS);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(cut("abcd".into(), 4), "abcd");
        assert_eq!(cut("abcde".into(), 4), "a…");
        assert_eq!(cut("ëëë".into(), 5), "ë…");
        assert_eq!(cut("ëëë".into(), 4), "…");
    }
}
