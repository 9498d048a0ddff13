//! A bounded queue between tasks: `base::queue` behind a mutex. The mutex guards the queue alone, never state.

use super::command::Queue as Description;
use crate::base::{
    meter::Meter,
    queue::{Overflow, PushError, Queue},
};
use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

/// One end of a queue; every clone is an end of the same queue.
pub struct Channel<T, const N: usize> {
    queue: Arc<Mutex<Box<Queue<T, N>>>>,
}

impl<T, const N: usize> Clone for Channel<T, N> {
    fn clone(&self) -> Self {
        Channel { queue: self.queue.clone() }
    }
}

impl<T, const N: usize> Channel<T, N> {
    /// An empty queue of `capacity` places, at most `N`.
    pub fn new(capacity: usize, overflow: Overflow) -> Self {
        Channel { queue: Arc::new(Mutex::new(Box::new(Queue::new(capacity, overflow)))) }
    }

    /// Nobody panics while holding it, and if somebody did, the queue would still be whole.
    fn lock(&self) -> MutexGuard<'_, Box<Queue<T, N>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item now, or gives it back.
    pub fn push(&self, item: T) -> Result<(), PushError<T>> {
        self.lock().push(item)
    }

    /// Adds an item, waiting for a place where the overflow rule says so.
    pub async fn send(&self, item: T) -> Result<(), PushError<T>> {
        let mut slot = Some(item);
        poll_fn(|cx| self.lock().poll_push(&mut slot, cx)).await
    }

    /// Takes the oldest item or waits for one; none once the queue is closed and empty.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.lock().poll_pop(cx)
    }

    /// Items that left unread since the last call.
    pub fn missed(&self) -> u64 {
        self.lock().missed()
    }

    /// Takes no more items.
    pub fn close(&self) {
        self.lock().close();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    /// Length, capacity, high-water mark and drops.
    pub fn meter(&self) -> Meter {
        self.lock().meter()
    }

    /// As a line of `status --tasks`.
    pub fn describe(&self, name: &str, from: &str, to: &str) -> Description {
        let queue = self.lock();
        let meter = queue.meter();
        Description {
            name: name.into(),
            from: from.into(),
            to: to.into(),
            overflow: queue.overflow().name().into(),
            length: meter.length as u32,
            capacity: meter.capacity as u32,
            high_water: meter.high_water as u32,
            drops: meter.drops,
        }
    }
}
