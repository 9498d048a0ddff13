//! How things are shown to a person: remote text, peers, times, tables.

use crate::base::chars::is_hidden;
use jiff::{Timestamp, tz::TimeZone};
use std::borrow::Cow;
use std::fmt::Write;

/// The end of a peer id that is shown for the whole. Ed25519 ids all begin alike (`12D3KooW`); six characters of
/// base58 tell 38 thousand million apart.
const SHORT_PEER_CHARS: usize = 6;

/// Text as it can be printed to a terminal: control, direction and invisible characters are escaped.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match is_hidden(character) {
            true => shown.extend(character.escape_unicode()),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// A peer id, shortened to its end.
pub(crate) fn short_peer(peer: &str) -> String {
    let skip = peer.chars().count().saturating_sub(SHORT_PEER_CHARS);
    printable(&peer.chars().skip(skip).collect::<String>()).into_owned()
}

/// A nickname, or the end of the peer id of one who has none.
pub(crate) fn name(nick: &str, peer: &str) -> String {
    match nick.is_empty() {
        true => short_peer(peer),
        false => printable(nick).into_owned(),
    }
}

/// `HH:MM` of an RFC 3339 time in a time zone; `--:--` when it is unknown.
pub(crate) fn clock(time: Option<&str>, zone: &TimeZone) -> String {
    let known = time.and_then(|time| time.parse::<Timestamp>().ok());
    match known.map(|time| time.to_zoned_datetime(zone.clone())) {
        Some(time) => format!("{:02}:{:02}", time.hour(), time.minute()),
        None => "--:--".into(),
    }
}

/// Seconds as days, hours, minutes and seconds, the two largest that count.
pub(crate) fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Rows under their heads, in columns as wide as they need; the last column is not filled up.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heads.get(column).map(|head| head.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut table = String::new();
    let heads: Vec<String> = heads.iter().map(|head| head.to_string()).collect();
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_text_cannot_steer_the_terminal() {
        assert_eq!(printable("plain, und schön: 你好"), "plain, und schön: 你好");
        assert_eq!(printable("\x1b[31mred\x07"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(printable("a\u{202e}b\u{200b}c\u{9b}d\ne"), "a\\u{202e}b\\u{200b}c\\u{9b}d\\u{a}e");
    }

    #[test]
    fn peers_are_short_and_names_fall_back_on_them() {
        assert_eq!(short_peer("12D3KooWAbCdEf"), "AbCdEf");
        assert_eq!(short_peer("abc"), "abc");
        assert_eq!(name("ann", "12D3KooWAbCdEf"), "ann");
        assert_eq!(name("", "12D3KooWAbCdEf"), "AbCdEf");
    }

    #[test]
    fn times_are_local_or_unknown() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(clock(Some("2026-11-23T22:05:59Z"), &zone), "00:05");
        assert_eq!(clock(None, &zone), "--:--");
        assert_eq!(clock(Some("yesterday"), &zone), "--:--");
    }

    #[test]
    fn durations_are_short() {
        for (seconds, shown) in [(5, "5 s"), (65, "1 min 5 s"), (7_260, "2 h 1 min"), (180_000, "2 d 2 h")] {
            assert_eq!(duration(seconds), shown);
        }
    }

    #[test]
    fn a_table_is_as_wide_as_it_needs_to_be() {
        let rows = vec![vec!["lobby".to_string(), "2".into()], vec!["küche".to_string(), "10".into()]];
        assert_eq!(table(&["room", "peers"], &rows), "room   peers\nlobby  2\nküche  10\n");
        assert_eq!(table(&["room", "peers"], &[]), "room  peers\n");
    }
}
