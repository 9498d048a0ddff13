//! One multiplexed connection.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite, FutureExt};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use smol::Timer;
use yamux::{Connection, ConnectionError, Mode};

use super::{
    config::Config,
    gauge::{Gauge, Stream},
    unread::{Total, Unread},
    watched::{Seen, Watched},
};

/// Milliseconds that a polite end may take. What the remote has not read by then it does not get: over a link that is dead
/// the end would wait as long as the system tries. Guess: some slow round trips.
pub const CLOSE_MS_MAX: u64 = 1_000;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The remote closed it, or broke it.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The remote opened more streams or sent more bytes than it may, and was told to go away.
    ///
    /// yamux leaves it at telling, and would go on with a remote that does not listen.
    #[error("the remote exceeded its bounds or broke the protocol")]
    Misbehaved,
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Connection(ConnectionError::Io(e)) => e,
            e => io::Error::other(e),
        }
    }
}

/// A connection that carries streams.
#[derive(Debug)]
pub struct Muxer<C> {
    connection: Connection<Watched<C>>,
    seen: Arc<Seen>,
    unread: Arc<Unread>,
    inbound: Arc<Gauge>,
    outbound: Arc<Gauge>,
    streams_max: usize,
    /// Streams that the remote opened and nobody asked for yet: they come whenever the connection is read, and it must
    /// be read for the others' sake. At most `streams_max`: yamux ends a connection that has more.
    waiting: VecDeque<Stream>,
    inbound_waker: Option<Waker>,
    outbound_waker: Option<Waker>,
    /// Since when it is being closed.
    closing: Option<Timer>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    pub(super) fn new(io: C, config: Config, total: Arc<Total>, mode: Mode) -> Self {
        let (seen, unread) = (Arc::<Seen>::default(), Unread::new(total));
        Muxer {
            connection: Connection::new(Watched::new(io, &seen, &unread), config.to_yamux(), mode),
            seen,
            unread,
            inbound: Arc::default(),
            outbound: Arc::default(),
            streams_max: config.streams(),
            waiting: VecDeque::new(),
            inbound_waker: None,
            outbound_waker: None,
            closing: None,
        }
    }

    /// How many streams are open, both ways.
    pub fn streams(&self) -> usize {
        self.inbound.held() + self.outbound.held()
    }

    /// Whether one more stream of ours leaves room for the remote's, and does not make yamux end the connection.
    fn has_room_outbound(&self) -> bool {
        self.outbound.held() < self.streams_max / 2 && self.streams() < self.streams_max
    }

    /// Drives the connection until it has nothing more to do; on the way it may bring a stream.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        let leaving = (self.inbound.leaving(), self.outbound.leaving());
        self.seen.start();
        let next = self.connection.poll_next_inbound(cx);
        if self.seen.has_said_go_away() && !matches!(next, Poll::Ready(None | Some(Err(_)))) {
            return Poll::Ready(Err(Error::Misbehaved));
        }
        match next {
            Poll::Ready(Some(stream)) => Poll::Ready(Ok(Stream::new(stream?, &self.inbound, &self.unread, &self.seen))),
            Poll::Ready(None) => Poll::Ready(Err(ConnectionError::Closed.into())),
            Poll::Pending => {
                // Only a connection that takes what is written to it makes yamux look for streams that were dropped.
                if !self.seen.is_stalled() && leaving != (0, 0) {
                    self.inbound.left(leaving.0);
                    self.outbound.left(leaving.1);
                    if let Some(waker) = self.outbound_waker.take() {
                        waker.wake();
                    }
                }
                Poll::Pending
            }
        }
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        if let Some(stream) = self.waiting.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let stream = self.poll_connection(cx);
        if stream.is_pending() {
            self.inbound_waker = Some(cx.waker().clone());
        }
        stream
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        if !self.has_room_outbound() {
            self.outbound_waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let inner = ready!(self.connection.poll_new_outbound(cx))?;
        Poll::Ready(Ok(Stream::new(inner, &self.outbound, &self.unread, &self.seen)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let closed = self.connection.poll_close(cx).map_err(Error::from);
        let closing = self.closing.get_or_insert_with(|| Timer::after(Duration::from_millis(CLOSE_MS_MAX)));
        // When it is dropped now, the transport sees that something waits, and resets the connection.
        if closed.is_pending() { closing.poll_unpin(cx).map(|_| Ok(())) } else { closed }
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Error>> {
        let stream = ready!(self.poll_connection(cx))?;
        self.waiting.push_back(stream);
        if let Some(waker) = self.inbound_waker.take() {
            waker.wake();
        }
        // There may be more to do; others first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
