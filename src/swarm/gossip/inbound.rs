//! Streams of the remote on one connection. Most open one and keep it; some open another while the first still stands.

use super::line::Line;
use super::reader::{Batch, Reader};
use futures::AsyncRead;
use libp2p::swarm::Stream;
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Streams that are read at once; of more the oldest ends. Guess: one that is dying, one in use, and some for programs
/// that open one for each of what they have to say.
const INBOUND_STREAMS_MAX: usize = 4;

struct Inbound {
    stream: Stream,
    reader: Reader,
    has_spoken: bool,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Read {
    pub batch: Batch,
    /// Nothing came on this stream before.
    pub is_first: bool,
}

/// The streams of the remote.
#[derive(Default)]
pub(super) struct Streams {
    streams: VecDeque<Inbound>,
    passed: u64,
}

impl Streams {
    /// The remote opened one.
    pub fn push(&mut self, stream: Stream) {
        if self.streams.len() >= INBOUND_STREAMS_MAX {
            self.streams.pop_front();
        }
        self.streams.push_back(Inbound { stream, reader: Reader::default(), has_spoken: false });
    }

    /// RPCs that were longer than any since the last question.
    pub fn take_passed(&mut self) -> u64 {
        std::mem::take(&mut self.passed)
    }

    /// The next RPCs, from each stream in turn.
    pub fn poll(&mut self, line: &Line, cx: &mut Context<'_>) -> Poll<Read> {
        let mut at = 0;
        while let Some(inbound) = self.streams.get_mut(at).filter(|_| line.is_reading()) {
            let polled = inbound.poll(cx);
            self.passed += inbound.reader.take_passed();
            match polled {
                Poll::Pending => at += 1,
                Poll::Ready(None) => drop(self.streams.remove(at)),
                Poll::Ready(Some(batch)) => {
                    line.on_read(batch.bytes());
                    let is_first = !std::mem::replace(&mut inbound.has_spoken, true);
                    let read = self.streams.remove(at);
                    self.streams.extend(read);
                    return Poll::Ready(Read { batch, is_first });
                }
            }
        }
        Poll::Pending
    }
}

impl Inbound {
    /// The next RPCs; none when the stream is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Batch>> {
        loop {
            let count = match ready!(Pin::new(&mut self.stream).poll_read(cx, self.reader.space())) {
                Ok(0) => return Poll::Ready(None),
                Ok(count) => count,
                Err(error) => {
                    log::debug!("a gossip stream of a remote ended: {error}");
                    return Poll::Ready(None);
                }
            };
            match self.reader.advance(count) {
                Ok(Some(batch)) => return Poll::Ready(Some(batch)),
                Ok(None) => {}
                Err(error) => {
                    log::debug!("what came on a gossip stream is no RPC: {error}");
                    return Poll::Ready(None);
                }
            }
        }
    }
}
