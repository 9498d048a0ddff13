//! Counting streams, including those dropped here that yamux has not let go of yet.

use std::{
    io::{self, IoSlice, IoSliceMut},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};

use super::{unread::Unread, watched::Seen};

/// How many streams of one direction yamux holds, never told too low.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// In somebody's hands.
    live: AtomicUsize,
    /// Dropped, but yamux counts them until it next looks.
    leaving: AtomicUsize,
}

impl Gauge {
    pub(super) fn held(&self) -> usize {
        self.live.load(SeqCst) + self.leaving.load(SeqCst)
    }

    pub(super) fn leaving(&self) -> usize {
        self.leaving.load(SeqCst)
    }

    /// yamux has looked: so many are gone for good.
    pub(super) fn left(&self, count: usize) {
        self.leaving.fetch_sub(count, SeqCst);
    }
}

#[derive(Debug)]
struct Counted(Arc<Gauge>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.leaving.fetch_add(1, SeqCst);
        self.0.live.fetch_sub(1, SeqCst);
    }
}

/// A stream of a [`Muxer`](super::Muxer).
///
/// A write of nothing asks something: whether all that was written before on this connection, to whatever stream, is on
/// its way. While something waits for the remote to read, or for the link, it is refused as one that would block.
#[derive(Debug)]
pub struct Stream {
    // Dropped before it is counted as leaving: the order of the fields matters.
    inner: yamux::Stream,
    _counted: Counted,
    unread: Arc<Unread>,
    seen: Arc<Seen>,
    /// Whether the last write has to wait.
    is_waiting: bool,
}

impl Stream {
    pub(super) fn new(inner: yamux::Stream, gauge: &Arc<Gauge>, unread: &Arc<Unread>, seen: &Arc<Seen>) -> Self {
        gauge.live.fetch_add(1, SeqCst);
        unread.on_opened(inner.id().val());
        let (unread, seen) = (unread.clone(), seen.clone());
        Stream { inner, _counted: Counted(gauge.clone()), unread, seen, is_waiting: false }
    }

    fn note_written<T>(&mut self, written: Poll<T>) -> Poll<T> {
        if written.is_pending() != self.is_waiting {
            self.is_waiting = written.is_pending();
            self.seen.note_waiting(self.is_waiting);
        }
        written
    }

    fn note(&self, read: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &read {
            self.unread.on_read(self.inner.id().val(), *count);
        }
        read
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.unread.on_dropped(self.inner.id().val());
        let _ = self.note_written(Poll::Ready(()));
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.note(read)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.inner).poll_read_vectored(cx, buffers);
        self.note(read)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            let answer = if self.seen.is_quiet() { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
            return Poll::Ready(answer);
        }
        let written = Pin::new(&mut self.inner).poll_write(cx, buffer);
        self.note_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
        self.note_written(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
