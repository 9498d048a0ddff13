//! A connection that remembers what became of what yamux wrote to it, and counts what it reads.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};

use super::{config::STREAM_WINDOW_BYTES, unread::Unread};

/// The size of a frame's header (bytes). Source: yamux specification, "Framing".
const HEADER_BYTES: usize = 12;
/// The type of a frame that carries as many bytes as its length says. Source: yamux specification, "Type Field".
const TYPE_DATA: u8 = 0;
/// The type of a frame that gives credit, and may open a stream. Source: yamux specification, "Type Field".
const TYPE_WINDOW_UPDATE: u8 = 1;
/// The flag of a frame that opens a stream. Source: yamux specification, "Flag Field".
const FLAG_SYN: u16 = 1;
/// The type of a frame that ends a session. Source: yamux specification, "Type Field".
const TYPE_GO_AWAY: u8 = 3;

/// What was seen. yamux itself does not tell.
#[derive(Debug, Default)]
pub(super) struct Seen {
    is_stalled: AtomicBool,
    has_said_go_away: AtomicBool,
    /// Streams whose last write has to wait.
    waiting: AtomicUsize,
}

impl Seen {
    /// Forgets an earlier stall.
    pub(super) fn start(&self) {
        self.is_stalled.store(false, SeqCst);
    }

    /// Whether something written had to wait since the start.
    pub(super) fn is_stalled(&self) -> bool {
        self.is_stalled.load(SeqCst)
    }

    /// A stream's last write has to wait, or has to no more.
    pub(super) fn note_waiting(&self, is_waiting: bool) {
        match is_waiting {
            true => self.waiting.fetch_add(1, SeqCst),
            false => self.waiting.fetch_sub(1, SeqCst),
        };
    }

    /// Whether everything that was written to any stream is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        !self.is_stalled() && self.waiting.load(SeqCst) == 0
    }

    /// Whether yamux told the remote that this is the end.
    pub(super) fn has_said_go_away(&self) -> bool {
        self.has_said_go_away.load(SeqCst)
    }
}

/// Finds the headers of frames in what is read or written, however that is cut.
#[derive(Debug, Default)]
struct Follower {
    header: [u8; HEADER_BYTES],
    header_len: usize,
    body_left: usize,
}

/// A frame's header, as far as it matters here.
struct Header {
    kind: u8,
    flags: u16,
    stream: u32,
    length: u32,
}

impl Follower {
    /// Gives each header in `bytes`, until one is refused.
    fn follow(&mut self, mut bytes: &[u8], mut on_header: impl FnMut(Header) -> bool) -> bool {
        loop {
            let skipped = self.body_left.min(bytes.len());
            self.body_left -= skipped;
            bytes = &bytes[skipped..];
            let taken = bytes.len().min(HEADER_BYTES - self.header_len);
            if taken == 0 {
                return true;
            }
            self.header[self.header_len..][..taken].copy_from_slice(&bytes[..taken]);
            self.header_len += taken;
            bytes = &bytes[taken..];
            if self.header_len == HEADER_BYTES {
                self.header_len = 0;
                let [_, kind, f, g, s, t, u, v, a, b, c, d] = self.header;
                let (flags, length) = (u16::from_be_bytes([f, g]), u32::from_be_bytes([a, b, c, d]));
                if kind == TYPE_DATA {
                    self.body_left = length as usize;
                }
                if !on_header(Header { kind, flags, stream: u32::from_be_bytes([s, t, u, v]), length }) {
                    return false;
                }
            }
        }
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Watched<C> {
    io: C,
    seen: Arc<Seen>,
    unread: Arc<Unread>,
    written: Follower,
    read: Follower,
}

impl<C> Watched<C> {
    pub(super) fn new(io: C, seen: &Arc<Seen>, unread: &Arc<Unread>) -> Self {
        let (written, read) = (Follower::default(), Follower::default());
        Watched { io, seen: seen.clone(), unread: unread.clone(), written, read }
    }

    fn note<T>(&self, result: Poll<T>) -> Poll<T> {
        if result.is_pending() {
            self.seen.is_stalled.store(true, SeqCst);
        }
        result
    }

    /// Follows the frames that are written.
    fn follow(&mut self, written: &[u8]) {
        let seen = &self.seen;
        self.written.follow(written, |header| {
            if header.kind == TYPE_GO_AWAY {
                seen.has_said_go_away.store(true, SeqCst);
            }
            true
        });
    }

    /// Counts the frames that are read. False if there is too much in them: yamux makes room for a whole frame as soon as
    /// its header is there, and looks at the stream's window when all of it has come.
    fn count(&mut self, read: &[u8]) -> bool {
        let unread = &self.unread;
        self.read.follow(read, |Header { kind, flags, stream, length }| {
            if flags & FLAG_SYN != 0 && kind <= TYPE_WINDOW_UPDATE {
                unread.on_opened(stream);
            }
            kind != TYPE_DATA || (length <= STREAM_WINDOW_BYTES && unread.on_frame(stream, length))
        })
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Watched<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_read(cx, buffer);
        if let Poll::Ready(Ok(count)) = &result
            && !self.count(&buffer[..(*count).min(buffer.len())])
        {
            return Poll::Ready(Err(io::Error::other("the remote sends more than is read")));
        }
        result
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Watched<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, buffer);
        if let Poll::Ready(Ok(count)) = &result {
            self.follow(&buffer[..(*count).min(buffer.len())]);
        }
        self.note(result)
    }

    // `poll_write_vectored` is the default one, which calls the above with the first slice.

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_flush(cx);
        self.note(result)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::unread::Total, *};

    fn frame(kind: u8, length: u32) -> Vec<u8> {
        let mut frame = vec![0, kind, 0, 1, 0, 0, 0, 3];
        frame.extend(length.to_be_bytes());
        frame
    }

    #[test]
    fn go_away_is_seen_in_a_header_only_however_it_is_cut() {
        let mut harmless = frame(TYPE_DATA, 24);
        harmless.extend([frame(TYPE_GO_AWAY, 1), frame(TYPE_GO_AWAY, 2)].concat());
        harmless.extend([frame(1, 4096), frame(2, 7), frame(TYPE_DATA, 0)].concat());
        for size in 1..=harmless.len() {
            let seen = Arc::<Seen>::default();
            let mut watched = Watched::new((), &seen, &Unread::new(Total::new(0)));
            harmless.chunks(size).for_each(|it| watched.follow(it));
            assert!(!seen.has_said_go_away(), "in pieces of {size}");
            frame(TYPE_GO_AWAY, 0).chunks(size).for_each(|it| watched.follow(it));
            assert!(seen.has_said_go_away(), "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_read_is_counted_however_it_is_cut() {
        let opened = |length: u32| [&[0, TYPE_DATA, 0, 1, 0, 0, 0, 3][..], &length.to_be_bytes()].concat();
        let frames = [opened(5), b"hello".to_vec(), frame(TYPE_DATA, STREAM_WINDOW_BYTES)].concat();
        for size in 1..=frames.len() {
            let unread = Unread::new(Total::new(1 << 20));
            let mut watched = Watched::new((), &Arc::default(), &unread);
            assert!(frames.chunks(size).all(|it| watched.count(it)), "in pieces of {size}");
            assert!(unread.held_bytes() > 5 + STREAM_WINDOW_BYTES as usize);
        }
        let mut watched = Watched::new((), &Arc::default(), &Unread::new(Total::new(1 << 30)));
        assert!(!watched.count(&frame(TYPE_DATA, STREAM_WINDOW_BYTES + 1)), "longer than any window");
    }
}
