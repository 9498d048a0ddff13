//! A bounded queue between tasks: heapless storage, wakers, and a named answer to "full".
//!
//! It holds no lock: whoever shares it between tasks puts it in a mutex. Wakers are called while that mutex is
//! held, which costs the woken task nothing on an executor that only marks it runnable.
//!
//! One reader, a few writers. Places for all `N` items are inside the value, whatever the board's capacity: keep
//! the items small (an `Arc` or a `Box`) or the value in a box.

use super::meter::{Count, Meter};
use core::task::{Context, Poll, Waker};
use heapless::{Deque, Vec};

/// Writers that can wait for a place at once, unless the type says otherwise. One waker is two words. Guess:
/// the loop, the chat and a few control clients.
pub const WRITERS_MAX: usize = 8;

/// What happens when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The writer is held until there is a place.
    Wait,
    /// The oldest item leaves; the reader is told how many it missed.
    DropOldest,
    /// The new item is refused and counted.
    Refuse,
}

impl Overflow {
    /// The name shown to users: `wait`, `drop-oldest` or `refuse`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::DropOldest => "drop-oldest",
            Self::Refuse => "refuse",
        }
    }
}

/// Why an item was not taken. The item comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError<T> {
    /// Every place is taken.
    #[error("the queue is full")]
    Full(T),
    /// As many writers as can wait are waiting.
    #[error("too many writers wait for the queue")]
    Crowded(T),
    /// The queue was closed.
    #[error("the queue is closed")]
    Closed(T),
}

impl<T> PushError<T> {
    /// The item that was not taken.
    pub fn into_item(self) -> T {
        match self {
            Self::Full(item) | Self::Crowded(item) | Self::Closed(item) => item,
        }
    }
}

/// A bounded queue of at most `N` items, for one reader and at most `W` waiting writers.
#[derive(Debug)]
pub struct Queue<T, const N: usize, const W: usize = WRITERS_MAX> {
    items: Deque<T, N>,
    overflow: Overflow,
    meter: Meter,
    missed: Count,
    reader: Option<Waker>,
    writers: Vec<Waker, W>,
    closed: bool,
}

impl<T, const N: usize, const W: usize> Queue<T, N, W> {
    /// An empty queue of `capacity` places: a board's limit, held between 1 and `N`.
    pub fn new(capacity: usize, overflow: Overflow) -> Self {
        const { assert!(N > 0, "a queue needs a place") };
        Self {
            items: Deque::new(),
            overflow,
            meter: Meter::new(capacity.clamp(1, N)),
            missed: Count::new(),
            reader: None,
            writers: Vec::new(),
            closed: false,
        }
    }

    /// Adds an item now, or gives it back. With [`Overflow::DropOldest`] only a closed queue gives it back.
    pub fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        if self.closed {
            return Err(PushError::Closed(item));
        }
        if self.is_full() {
            match self.overflow {
                Overflow::Wait => return Err(PushError::Full(item)),
                Overflow::Refuse => {
                    self.meter.dropped();
                    return Err(PushError::Full(item));
                }
                Overflow::DropOldest => {
                    self.items.pop_front();
                    self.meter.dropped();
                    self.missed.tick();
                }
            }
        }
        self.items.push_back(item).map_err(PushError::Full)?;
        self.meter.note(self.items.len());
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Ok(())
    }

    /// Adds the item in `slot`, or waits for a place if the overflow rule is [`Overflow::Wait`]. The slot is
    /// emptied unless the answer is `Pending`. An empty slot is ready at once.
    pub fn poll_push(&mut self, slot: &mut Option<T>, cx: &mut Context<'_>) -> Poll<Result<(), PushError<T>>> {
        let Some(item) = slot.take() else { return Poll::Ready(Ok(())) };
        match self.push(item) {
            Err(PushError::Full(item)) if self.overflow == Overflow::Wait => {
                let known = self.writers.iter().any(|writer| writer.will_wake(cx.waker()));
                if !known && self.writers.push(cx.waker().clone()).is_err() {
                    self.meter.dropped();
                    return Poll::Ready(Err(PushError::Crowded(item)));
                }
                *slot = Some(item);
                Poll::Pending
            }
            done => Poll::Ready(done),
        }
    }

    /// Takes the oldest item, if any.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.meter.note(self.items.len());
        // All of them: one that gave up waiting keeps its waker here, and would swallow a single wake-up.
        self.wake_writers();
        Some(item)
    }

    /// Takes the oldest item or waits for one; `None` once the queue is closed and empty.
    pub fn poll_pop(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.pop() {
            Some(item) => Poll::Ready(Some(item)),
            None if self.closed => Poll::Ready(None),
            None => {
                match &mut self.reader {
                    Some(reader) => reader.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// Takes no more items; what is inside can still be read.
    pub fn close(&mut self) {
        self.closed = true;
        self.wake_writers();
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether every place is taken.
    pub fn is_full(&self) -> bool {
        self.items.len() >= self.meter.capacity
    }

    /// Items that left unread ([`Overflow::DropOldest`]) since the last call. They came before those still
    /// inside: ask before reading on.
    pub fn missed(&mut self) -> u64 {
        self.missed.take()
    }

    /// Items inside, places, high-water mark and drops.
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// What happens when it is full.
    pub fn overflow(&self) -> Overflow {
        self.overflow
    }

    fn wake_writers(&mut self) {
        while let Some(writer) = self.writers.pop() {
            writer.wake();
        }
    }
}

#[cfg(test)]
mod tests;
