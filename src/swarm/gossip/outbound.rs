//! Our stream on one connection: opened while we speak there, written as fast as the other reads, opened again when it
//! ends.

use super::line::Line;
use crate::gossip::message::Shared;
use futures::{AsyncWrite, FutureExt};
use libp2p::swarm::Stream;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

/// How long the stream is not opened again after its second failure in a row (milliseconds); twice as long after each
/// more. Guess: a remote that ends each stream costs little that way.
const REOPEN_MS: u64 = 1_000;
/// How often that is doubled: a minute in the end.
const REOPEN_DOUBLINGS_MAX: u32 = 6;
/// How long a stream has to stand so that its end counts as the first failure (milliseconds). Guess.
const STEADY_MS: u64 = 10_000;

/// A stream that stands.
struct Open {
    stream: Stream,
    since: Instant,
    /// What is being written, and how far that is.
    writing: Option<(Shared, usize)>,
    is_flushed: bool,
}

enum State {
    /// There is none, and one is to be opened now.
    None,
    /// There is none, and one is to be opened then.
    Pause(smol::Timer),
    /// One is asked for.
    Opening,
    Open(Open),
    /// The remote knows no protocol of ours.
    Refused,
}

/// Our stream.
pub(super) struct Outbound {
    state: State,
    failures: u32,
}

impl Outbound {
    /// None yet.
    pub fn new() -> Self {
        Self { state: State::None, failures: 0 }
    }

    /// A stream stands.
    pub fn on_opened(&mut self, stream: Stream) {
        let open = Open { stream, since: Instant::now(), writing: None, is_flushed: true };
        self.state = State::Open(open);
    }

    /// No stream could be opened, this time or ever.
    pub fn on_failed(&mut self, for_ever: bool) {
        if for_ever {
            self.state = State::Refused;
        } else {
            self.pause();
        }
    }

    /// The remote may know a protocol of ours now.
    pub fn on_protocols_changed(&mut self) {
        if matches!(self.state, State::Refused) {
            (self.state, self.failures) = (State::None, 0);
        }
    }

    fn pause(&mut self) {
        self.failures += 1;
        let doublings = (self.failures.saturating_sub(2)).min(REOPEN_DOUBLINGS_MAX);
        self.state = match self.failures {
            0 | 1 => State::None,
            _ => State::Pause(smol::Timer::after(Duration::from_millis(REOPEN_MS << doublings))),
        };
    }

    /// Writes what there is to be written. Ready if a stream is to be opened.
    pub fn poll(&mut self, line: &Line, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.state {
                State::None if line.speaks() => {
                    self.state = State::Opening;
                    return Poll::Ready(());
                }
                State::Pause(timer) => {
                    ready!(timer.poll_unpin(cx));
                    self.state = State::None;
                }
                State::Open(open) => match ready!(open.poll(line, cx)) {
                    // We speak elsewhere now, and the next time here is a new one.
                    Ok(()) => (self.state, self.failures) = (State::None, 0),
                    Err(error) => {
                        log::debug!("a gossip stream of ours ended: {error}");
                        if open.since.elapsed() >= Duration::from_millis(STEADY_MS) {
                            self.failures = 0;
                        }
                        self.pause();
                    }
                },
                State::None | State::Opening | State::Refused => return Poll::Pending,
            }
        }
    }
}

impl Open {
    /// Ready when the stream is over: with an error, or closed because we speak here no more.
    fn poll(&mut self, line: &Line, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        loop {
            if self.writing.is_none() {
                self.writing = line.pop().map(|frame| (frame.bytes, 0));
            }
            let Some((bytes, written)) = &mut self.writing else { break };
            let rest = bytes.get(*written..).unwrap_or_default();
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                count => *written += count,
            }
            self.is_flushed = false;
            if *written >= bytes.len() {
                self.writing = None;
            }
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_flushed = true;
        }
        if line.speaks() { Poll::Pending } else { Pin::new(&mut self.stream).poll_close(cx) }
    }
}
