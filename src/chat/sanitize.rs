//! Text of others, made safe to print: nothing in it can move a cursor, reverse a line or hide.
//!
//! Hidden characters are shown as escapes (`\u{202e}`, `\n`), not removed: what was sent stays visible. The cost:
//! scripts and emoji that join with zero-width characters show those joints.

use crate::base::chars::is_hidden;
use core::fmt::{self, Write};
use heapless::String;

/// Bytes of a nickname as shown: twice the bound of what is sent, so that a few escapes fit. Longer ones end
/// in `…`.
pub const NICK_SHOWN_BYTES_MAX: usize = 64;

/// A nickname as shown.
pub type Nick = String<NICK_SHOWN_BYTES_MAX, u8>;

/// Text that prints itself sanitised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sanitized<'a>(&'a str);

/// Text to be shown.
pub const fn text(raw: &str) -> Sanitized<'_> {
    Sanitized(raw)
}

impl<'a> Sanitized<'a> {
    /// The text as it was sent. Never print it.
    pub const fn raw(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for Sanitized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(is_hidden) {
            let (clean, hidden) = rest.split_at(at);
            f.write_str(clean)?;
            let mut hidden = hidden.chars();
            if let Some(c) = hidden.next() {
                escape(c, f)?;
            }
            rest = hidden.as_str();
        }
        f.write_str(rest)
    }
}

impl fmt::Debug for Sanitized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

fn escape(c: char, out: &mut impl Write) -> fmt::Result {
    match c {
        '\n' | '\r' | '\t' => write!(out, "{}", c.escape_default()),
        _ => write!(out, "{}", c.escape_unicode()),
    }
}

/// A nickname to be shown: trimmed, white space reduced to single spaces, at most [`NICK_SHOWN_BYTES_MAX`] bytes.
///
/// So that no nickname looks like one of the program's own lines, a punctuation mark at its start (`*`, `/`, `-`,
/// …) and brackets or `:` anywhere get a backslash before them. Empty stays empty.
pub fn nick(raw: &str) -> Nick {
    let mut shown = Nick::new();
    for (place, word) in raw.split_whitespace().enumerate() {
        if place > 0 && !append(&mut shown, ' ', false) {
            return shown;
        }
        for c in word.chars() {
            let first = shown.is_empty();
            let mark = matches!(c, '<' | '>' | '[' | ']' | '{' | '}' | '(' | ')' | ':')
                || (first && c.is_ascii_punctuation() && c != '_');
            if !append(&mut shown, c, mark) {
                return shown;
            }
        }
    }
    shown
}

/// Adds one character as shown, or `…` if it does not fit; whether there may be more.
fn append(shown: &mut Nick, c: char, mark: bool) -> bool {
    const ELLIPSIS: &str = "…";
    let mut piece = String::<16, u8>::new();
    let written = if is_hidden(c) {
        escape(c, &mut piece)
    } else {
        (if mark { piece.write_char('\\') } else { Ok(()) }).and_then(|()| piece.write_char(c))
    };
    if written.is_ok() && shown.len() + piece.len() + ELLIPSIS.len() <= NICK_SHOWN_BYTES_MAX {
        return shown.push_str(&piece).is_ok();
    }
    let _ = shown.push_str(ELLIPSIS);
    false
}

#[cfg(test)]
mod tests {
    use super::{NICK_SHOWN_BYTES_MAX, nick, text};
    use alloc::string::ToString;

    #[test]
    fn plain_text_stays_as_it_is() {
        for plain in ["", "hi", "Grüße, Ёжик — 你好 👋🏽 ❤\u{fe0f}", r"a\n is two characters", "* not a system line"]
        {
            assert_eq!(text(plain).to_string(), plain);
        }
    }

    #[test]
    fn hidden_characters_are_shown() {
        assert_eq!(text("a\u{1b}[31mred").to_string(), r"a\u{1b}[31mred");
        assert_eq!(text("two\nlines\r\t.").to_string(), r"two\nlines\r\t.");
        assert_eq!(text("\u{202e}gpj.exe\u{200b}").to_string(), r"\u{202e}gpj.exe\u{200b}");
        assert_eq!(text("\0\u{9b}\u{e0041}").to_string(), r"\u{0}\u{9b}\u{e0041}");
        assert_eq!(text("\u{1b}").raw(), "\u{1b}");
    }

    #[test]
    fn nicknames_are_trimmed_and_cannot_pass_for_the_program() {
        for (raw, shown) in [
            ("", ""),
            (" \t ", ""),
            ("  ann  ", "ann"),
            ("ann  de\t vries", "ann de vries"),
            ("*** server", r"\*** server"),
            ("/quit", r"\/quit"),
            ("<ann> hi", r"\<ann\> hi"),
            ("ann: hi [you]", r"ann\: hi \[you\]"),
            ("\\* x", r"\\* x"),
            ("_x_", "_x_"),
            ("a\u{1b}[2J", r"a\u{1b}\[2J"),
            ("\u{202e}nna", r"\u{202e}nna"),
            ("Ёж", "Ёж"),
        ] {
            assert_eq!(nick(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn nicknames_are_bounded() {
        let long = nick(&"\u{200b}".repeat(100));
        assert!(long.len() <= NICK_SHOWN_BYTES_MAX && long.ends_with('…'), "{long}");
        assert_eq!(nick(&"x".repeat(32)), "x".repeat(32).as_str());
        let sixty = "x".repeat(NICK_SHOWN_BYTES_MAX);
        assert!(nick(&sixty).ends_with("x…") && nick(&sixty).len() == NICK_SHOWN_BYTES_MAX);
    }
}
