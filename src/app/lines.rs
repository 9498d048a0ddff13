//! Bytes to lines, with a bound: a line that is too long is named and skipped, and reading goes on behind it.

use smol::io::{AsyncRead, AsyncReadExt};
use std::io;

/// Bytes asked of the kernel at once. One page.
const CHUNK_BYTES: usize = 4096;

/// One line as it came, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Text, without `\n` or `\r\n`.
    Text(String),
    /// More bytes than the bound; they are gone.
    TooLong,
    /// Bytes that are no UTF-8; they are gone.
    NotUtf8,
}

/// Cuts what was read into lines. Holds the bound and one chunk at most.
#[derive(Debug)]
pub(crate) struct Splitter {
    bytes: Vec<u8>,
    /// Where the search for the next line's end goes on.
    searched: usize,
    bytes_max: usize,
    skipping: bool,
}

impl Splitter {
    /// A splitter for lines up to `bytes_max` bytes, their end not counted.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), searched: 0, bytes_max, skipping: false }
    }

    /// Takes what was read. Call [`Self::next`] until it gives nothing before feeding more.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next line that is complete or too long.
    pub(crate) fn next(&mut self) -> Option<Line> {
        loop {
            let end = self.bytes.iter().skip(self.searched).position(|byte| *byte == b'\n');
            let Some(end) = end.map(|end| end + self.searched) else {
                self.searched = self.bytes.len();
                // One more than the bound may still be the `\r` of a line's end.
                if self.bytes.len() <= self.bytes_max + 1 && !self.skipping {
                    return None;
                }
                self.forget();
                return match std::mem::replace(&mut self.skipping, true) {
                    true => None,
                    false => Some(Line::TooLong),
                };
            };
            let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
            self.searched = 0;
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if std::mem::replace(&mut self.skipping, false) {
                continue;
            }
            return Some(match line.len() > self.bytes_max {
                true => Line::TooLong,
                false => text(line),
            });
        }
    }

    /// The last line, when the input ended without a line's end.
    pub(crate) fn end(&mut self) -> Option<Line> {
        let line = std::mem::take(&mut self.bytes);
        self.searched = 0;
        match (line.is_empty() || self.skipping, line.len() > self.bytes_max) {
            (true, _) => None,
            (false, true) => Some(Line::TooLong),
            (false, false) => Some(text(line)),
        }
    }

    fn forget(&mut self) {
        self.bytes.clear();
        self.searched = 0;
    }
}

fn text(line: Vec<u8>) -> Line {
    String::from_utf8(line).map_or(Line::NotUtf8, Line::Text)
}

/// Lines of a reader.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    reader: R,
    splitter: Splitter,
    ended: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Reads lines of up to `bytes_max` bytes.
    pub(crate) fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader, splitter: Splitter::new(bytes_max), ended: false }
    }

    /// The next line; none at the end. Nothing is lost when the future is dropped halfway.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.splitter.next() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            let mut chunk = [0; CHUNK_BYTES];
            match self.reader.read(&mut chunk).await {
                Ok(0) => {
                    self.ended = true;
                    return Ok(self.splitter.end());
                }
                Ok(count) => self.splitter.feed(chunk.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes_max: usize, input: &[u8], step: usize) -> Vec<Line> {
        let mut splitter = Splitter::new(bytes_max);
        let mut lines = Vec::new();
        for chunk in input.chunks(step) {
            splitter.feed(chunk);
            while let Some(line) = splitter.next() {
                lines.push(line);
            }
            assert!(splitter.bytes.len() <= bytes_max + 1, "{} bytes held", splitter.bytes.len());
        }
        lines.extend(splitter.end());
        lines
    }

    #[test]
    fn lines_come_out_alike_however_they_come_in() {
        let text = |text: &str| Line::Text(text.into());
        let input = b"one\r\n\nabcdefgh\nabcdefgh\r\nabcdefghi\nthree\n\xff\xfe\nabcdefghijklmnopqrstuvwxyz\nlast";
        let expected = [
            text("one"),
            text(""),
            text("abcdefgh"),
            text("abcdefgh"),
            Line::TooLong,
            text("three"),
            Line::NotUtf8,
            Line::TooLong,
            text("last"),
        ];
        for step in 1..=input.len() {
            assert_eq!(lines(8, input, step), expected, "in steps of {step}");
        }
    }

    #[test]
    fn an_end_in_the_middle_of_a_long_line_names_it_once() {
        for step in [1, 3, 20] {
            assert_eq!(lines(8, b"abcdefghijklmnop", step), [Line::TooLong], "in steps of {step}");
            assert_eq!(lines(8, b"abcdefghi", step), [Line::TooLong], "in steps of {step}");
            assert_eq!(lines(8, b"", step), []);
        }
    }

    #[test]
    fn a_reader_is_read_to_its_end() {
        let mut reader = LineReader::new(&b"a\nb"[..], 8);
        smol::block_on(async {
            assert_eq!(reader.next().await.unwrap(), Some(Line::Text("a".into())));
            assert_eq!(reader.next().await.unwrap(), Some(Line::Text("b".into())));
            assert_eq!(reader.next().await.unwrap(), None);
            assert_eq!(reader.next().await.unwrap(), None);
        });
    }
}
