//! What is read of other programs, at most.

use crate::wire::bounds::{NICK_BYTES_MAX, TEXT_BYTES_MAX};
use alloc::string::String;

/// Bytes of one message of another program that are read: the longest line and nickname with every byte escaped in
/// JSON, and a peer id. A longer message is handed on, but not shown.
pub const DATA_BYTES_MAX: usize = 8 * 1024;

// Six bytes escaped for one, and the names of the fields, their quotes and a peer id.
const _: () = assert!(6 * (TEXT_BYTES_MAX + NICK_BYTES_MAX) + 128 <= DATA_BYTES_MAX);

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
