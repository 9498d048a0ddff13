//! A connection that remembers what became of what yamux wrote to it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};

/// The size of a frame's header (bytes). Source: yamux specification, "Framing".
const HEADER_BYTES: usize = 12;
/// The type of a frame that carries as many bytes as its length says. Source: yamux specification, "Type Field".
const TYPE_DATA: u8 = 0;
/// The type of a frame that ends a session. Source: yamux specification, "Type Field".
const TYPE_GO_AWAY: u8 = 3;

/// What was seen. yamux itself does not tell.
#[derive(Debug, Default)]
pub(super) struct Seen {
    is_stalled: AtomicBool,
    has_said_go_away: AtomicBool,
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

    /// Whether yamux told the remote that this is the end.
    pub(super) fn has_said_go_away(&self) -> bool {
        self.has_said_go_away.load(SeqCst)
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Watched<C> {
    io: C,
    seen: Arc<Seen>,
    header: [u8; HEADER_BYTES],
    header_len: usize,
    body_left: usize,
}

impl<C> Watched<C> {
    pub(super) fn new(io: C, seen: &Arc<Seen>) -> Self {
        Watched { io, seen: seen.clone(), header: [0; HEADER_BYTES], header_len: 0, body_left: 0 }
    }

    fn note<T>(&self, result: Poll<T>) -> Poll<T> {
        if result.is_pending() {
            self.seen.is_stalled.store(true, SeqCst);
        }
        result
    }

    /// Follows the frames that are written.
    fn follow(&mut self, mut written: &[u8]) {
        loop {
            let skipped = self.body_left.min(written.len());
            self.body_left -= skipped;
            written = &written[skipped..];
            let taken = written.len().min(HEADER_BYTES - self.header_len);
            if taken == 0 {
                return;
            }
            self.header[self.header_len..][..taken].copy_from_slice(&written[..taken]);
            self.header_len += taken;
            written = &written[taken..];
            if self.header_len == HEADER_BYTES {
                self.header_len = 0;
                let [_, kind, .., a, b, c, d] = self.header;
                match kind {
                    TYPE_DATA => self.body_left = u32::from_be_bytes([a, b, c, d]) as usize,
                    TYPE_GO_AWAY => self.seen.has_said_go_away.store(true, SeqCst),
                    _ => {}
                }
            }
        }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Watched<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
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
    use super::*;

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
            let mut watched = Watched::new((), &seen);
            harmless.chunks(size).for_each(|it| watched.follow(it));
            assert!(!seen.has_said_go_away(), "in pieces of {size}");
            frame(TYPE_GO_AWAY, 0).chunks(size).for_each(|it| watched.follow(it));
            assert!(seen.has_said_go_away(), "in pieces of {size}");
        }
    }
}
