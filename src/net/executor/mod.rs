//! Floor 3. Stands on: base.
//!
//! One thread that runs everything, with every running task counted under a name.
//!
//! [`Executor`] is what [`libp2p::swarm::Config::with_executor`] asks for. Its own tasks run on the thread that calls
//! [`Executor::block_on`], and nowhere else; no thread is started for them. A program that already has a runtime
//! hands its spawner to [`Executor::from_spawner`] and only the counting is ours.
//!
//! ```
//! use stonechat::net::executor::Executor;
//!
//! let executor = Executor::new();
//! let sum = executor.spawn("adder", async { 1 + 2 });
//! assert_eq!(executor.tasks(), [("adder", 1)]);
//! assert_eq!(executor.block_on(sum), 3);
//! assert_eq!(executor.tasks(), []);
//!
//! let config = libp2p::swarm::Config::with_executor(executor.clone());
//! # let _ = config;
//! ```

use std::{
    collections::BTreeMap,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use smol::Task;

/// The name under which the swarm's tasks are counted: one for each connection, established or in its handshake.
pub const CONNECTION: &str = "connection";

/// Tasks that run before sockets are looked at again. async-io 2.6.0 has a thread of its own that takes the waiting over
/// from one that was busy for 50 µs, and each event then comes by way of it. Measured: with 8 that happens in 1 of 15
/// echoes, with 200, which is what async-executor runs in a row, in each.
const TASKS_PER_LOOK: usize = 8;

type Spawn = dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync;
type Counts = Arc<Mutex<BTreeMap<&'static str, u32>>>;

/// Runs tasks and counts them. Clones are handles to the same one.
///
/// The number of tasks is not bounded here: whoever spawns bounds them (the swarm by its connection limits).
#[derive(Clone)]
pub struct Executor {
    own: Arc<smol::Executor<'static>>,
    foreign: Option<Arc<Spawn>>,
    counts: Counts,
}

impl Executor {
    /// An executor whose tasks run while some thread is inside [`block_on`](Self::block_on).
    pub fn new() -> Self {
        Executor { own: Arc::default(), foreign: None, counts: Counts::default() }
    }

    /// An executor that gives its tasks to `spawn`, to be run by another runtime to their end.
    ///
    /// That runtime need not drive sockets or timers: this floor's use smol's own reactor thread.
    pub fn from_spawner(spawn: impl Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static) -> Self {
        Executor { foreign: Some(Arc::new(spawn)), ..Self::new() }
    }

    /// Starts a task, counted under `name` until it ends, panics or is cancelled.
    ///
    /// Dropping the handle cancels the task; [`Task::detach`] lets it run on.
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &'static str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        let counted = Counted::new(name, &self.counts);
        let future = async move {
            let _counted = counted;
            future.await
        };
        match &self.foreign {
            None => self.own.spawn(future),
            Some(spawn) => {
                // An executor for one task, driven by one task of the other runtime: so the handle is the same.
                let single = smol::Executor::new();
                let task = single.spawn(future);
                spawn(Box::pin(async move {
                    while !single.is_empty() {
                        single.tick().await;
                    }
                }));
                task
            }
        }
    }

    /// Runs `future` on this thread to its end, and meanwhile the executor's own tasks.
    ///
    /// Tasks left when it returns stay, and run on in the next call. They are dropped with the last handle.
    /// A task that panics takes this call down with it, as if `future` had panicked.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let (mut future, mut running) = (pin!(future), pin!(None));
        smol::block_on(poll_fn(|cx| {
            if let Poll::Ready(done) = future.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            for _ in 0..TASKS_PER_LOOK {
                if running.is_none() {
                    running.set(Some(self.own.tick()));
                }
                if let Some(tick) = running.as_mut().as_pin_mut()
                    && tick.poll(cx).is_pending()
                {
                    return Poll::Pending;
                }
                running.set(None);
            }
            // There may be more; first the sockets.
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    /// How many tasks of each name are running, in the names' order.
    pub fn tasks(&self) -> Vec<(&'static str, u32)> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(name, count)| (*name, *count)).collect()
    }
}

impl Default for Executor {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("foreign", &self.foreign.is_some()).field("tasks", &self.tasks()).finish()
    }
}

impl libp2p::swarm::Executor for Executor {
    fn exec(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.spawn(CONNECTION, future).detach();
    }
}

/// Counts one task as long as it lives: it is dropped with the task's future, also by a panic.
struct Counted {
    name: &'static str,
    counts: Counts,
}

impl Counted {
    fn new(name: &'static str, counts: &Counts) -> Self {
        *counts.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        Counted { name, counts: counts.clone() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                counts.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
