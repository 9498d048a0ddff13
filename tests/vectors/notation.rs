//! How the files beside this one are written; read on boards without an operating system too.

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;

/// The lines that are neither empty nor a comment, each split at `|`.
pub fn lines(file: &str) -> Vec<Vec<&str>> {
    file.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect()
}

/// Hex, with repetitions.
pub fn hex(field: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for token in field.split_whitespace() {
        let (byte, count) = token.split_once('*').unwrap_or((token, "1"));
        let byte: Vec<u8> =
            (0..byte.len()).step_by(2).map(|at| u8::from_str_radix(&byte[at..at + 2], 16).unwrap()).collect();
        bytes.extend(byte.repeat(count.parse().unwrap()));
    }
    bytes
}

/// Text in quotes, with `\n`, `\u{…}` and a repetition after it.
pub fn quoted(field: &str) -> String {
    let (text, count) =
        field.rsplit_once("\"*").unwrap_or_else(|| (field.strip_suffix('"').expect("a closing quote"), "1"));
    let mut out = text.strip_prefix('"').expect("an opening quote").replace("\\n", "\n");
    while let Some(start) = out.find("\\u{") {
        let end = start + out[start..].find('}').unwrap();
        let c = u32::from_str_radix(&out[start + 3..end], 16).ok().and_then(char::from_u32).unwrap();
        out.replace_range(start..=end, c.encode_utf8(&mut [0; 4]));
    }
    out.repeat(count.parse().unwrap())
}
