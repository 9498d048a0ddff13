//! What the behaviour and the handler of one connection share.

use crate::gossip::{Frame, SendQueue};
use futures::task::AtomicWaker;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::Context,
};

/// Bytes of RPCs that were read from a connection and not handled yet; from so many on, no more is read. Guess: as much as
/// a connection brings at once. What is read last may be the longest there is.
pub const UNHANDLED_BYTES_MAX: usize = 8 * 1024;

/// What waits to be written to a peer, whichever connection is in use.
pub(super) type Queue = Arc<Mutex<SendQueue>>;

/// A connection, as far as the behaviour steers it.
#[derive(Debug)]
pub(super) struct Line {
    queue: Queue,
    speaks: AtomicBool,
    /// Our stream here is new, and our topics are to be the first on it.
    is_ungreeted: AtomicBool,
    unhandled: AtomicUsize,
    handler: AtomicWaker,
}

impl Line {
    pub fn new(queue: Queue) -> Self {
        let [speaks, is_ungreeted] = [false; 2].map(AtomicBool::new);
        Self { queue, speaks, is_ungreeted, unhandled: AtomicUsize::new(0), handler: AtomicWaker::new() }
    }

    /// What waits for the peer.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Has the handler take part in what is to be done.
    pub fn wake(&self) {
        self.handler.wake();
    }

    /// Whether we speak on this connection, from now on.
    pub fn set_speaks(&self, speaks: bool) {
        if self.speaks.swap(speaks, Relaxed) != speaks {
            self.wake();
        }
    }

    /// What is to be the first on our new stream waits.
    pub fn on_greeted(&self) {
        if self.is_ungreeted.swap(false, Relaxed) {
            self.wake();
        }
    }

    /// So much of what was read was handled.
    pub fn on_handled(&self, bytes: usize) {
        let before = self.unhandled.fetch_sub(bytes, Relaxed);
        if before >= UNHANDLED_BYTES_MAX {
            self.wake();
        }
    }

    /// The handler wants to be woken.
    pub fn register(&self, cx: &Context<'_>) {
        self.handler.register(cx.waker());
    }

    /// Whether we speak here.
    pub fn speaks(&self) -> bool {
        self.speaks.load(Relaxed)
    }

    /// Our stream here is a new one.
    pub fn on_new_stream(&self) {
        self.is_ungreeted.store(true, Relaxed);
    }

    /// The next frame, if we speak here.
    pub fn pop(&self) -> Option<Frame> {
        if self.speaks() && !self.is_ungreeted.load(Relaxed) { held(&self.queue).pop() } else { None }
    }

    /// Whether more is to be read.
    pub fn is_reading(&self) -> bool {
        self.unhandled.load(Relaxed) < UNHANDLED_BYTES_MAX
    }

    /// So much was read.
    pub fn on_read(&self, bytes: usize) {
        self.unhandled.fetch_add(bytes, Relaxed);
    }
}

/// A peer's queue. Nobody holds it for longer than a push or a pop.
pub(super) fn held(queue: &Queue) -> MutexGuard<'_, SendQueue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::Kind;
    use std::sync::atomic::Ordering;
    use std::task::{Wake, Waker};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn only_who_speaks_is_given_frames_and_whoever_holds_back_is_woken() {
        let queue: Queue = Arc::new(Mutex::new(SendQueue::new(8, 8_000)));
        let (one, other) = (Line::new(queue.clone()), Line::new(queue.clone()));
        let woken = Arc::new(Count::default());
        let waker = Waker::from(woken.clone());
        let count = || woken.0.load(Ordering::Relaxed);
        let frame = Frame::of_kind(Kind::Control, b"\0".as_slice().into());
        assert!(held(&queue).push(frame.clone()).is_none());
        assert_eq!((one.pop(), other.pop()), (None, None));
        one.register(&Context::from_waker(&waker));
        one.set_speaks(true);
        assert_eq!((count(), other.pop(), one.pop(), one.pop()), (1, None, Some(frame.clone()), None));
        one.register(&Context::from_waker(&waker));
        one.set_speaks(true);
        assert_eq!(count(), 1, "nothing is new");
        one.on_new_stream();
        assert!(held(&queue).push(frame.clone()).is_none() && one.pop().is_none());
        one.on_greeted();
        assert_eq!((count(), one.pop()), (2, Some(frame)));
        one.register(&Context::from_waker(&waker));
        one.on_read(UNHANDLED_BYTES_MAX - 1);
        assert!(one.is_reading());
        one.on_read(2);
        assert!(!one.is_reading() && other.is_reading());
        one.on_handled(2);
        assert_eq!((one.is_reading(), count()), (true, 3));
    }
}
