//! The thread that writes to disk: a card may take seconds for a sync, and the node must not wait for it.
//!
//! It replaces whole files and appends to the log, in turns. There is one such thread.

use super::disk::{Disk, RealDisk};
use super::log::Log;
use super::log::engine::Engine;
use super::log::queue::{AppendError, Appended, LogEvent, LogMeter, Queue};
use super::replace::replace;
use futures::channel::oneshot;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// The thread's name as the kernel shows it (at most 15 bytes).
pub const THREAD_NAME: &str = "stonechat-disk";

/// Milliseconds before a write that failed is tried again. It doubles with each failure. Guess: somebody frees space.
pub const RETRY_MS_MIN: u64 = 1_000;
/// The longest such wait (milliseconds). Guess: a minute after the card takes writes again nothing is missing on it.
pub const RETRY_MS_MAX: u64 = 60_000;

/// One file to be replaced as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Which file.
    pub path: PathBuf,
    /// What it is to hold.
    pub bytes: Vec<u8>,
}

/// The queue is full: here is the write back, to be tried again later.
#[derive(Debug, thiserror::Error)]
#[error("{} writes already wait for the disk", capacity)]
pub struct DiskBusy {
    /// What was not taken.
    pub write: Write,
    /// How many writes the queue holds.
    pub capacity: usize,
}

/// How the queue to the disk stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriterMeter {
    /// Writes that wait, the one under way included.
    pub length: usize,
    /// Writes the queue holds at most.
    pub capacity: usize,
    /// Most writes that ever waited.
    pub high_water: usize,
    /// Writes handed back because the queue was full.
    pub refused: u64,
    /// Files written.
    pub written: u64,
    /// Writes that failed. Each is tried again until it is done, or a newer one of its file takes its place.
    pub failed: u64,
    /// What the system answered to the last one, if that failed.
    pub error: Option<String>,
}

/// How a write went: nothing more, or the system's words. Whoever waits for it is told only if no newer write of the same
/// file took its place.
pub type Outcome = Result<(), String>;

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Write, Option<oneshot::Sender<Outcome>>)>,
    log: Option<Queue>,
    /// A file was handed over since the last try of one.
    fresh: bool,
    closing: bool,
    meter: WriterMeter,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether the last write failed: to be asked often.
    fails: AtomicBool,
}

impl Shared {
    /// Nobody panics while holding it, and if somebody did, the state would still be whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The only way to the disk after the start. Dropping it waits for what was accepted.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread with a queue of `capacity` writes (at least one) and without a log.
    pub fn start(capacity: usize) -> io::Result<Self> {
        Self::spawn::<RealDisk>(capacity, None)
    }

    /// Starts the thread with a queue of `capacity` writes (at least one) and a log.
    pub fn start_with_log<D: Disk>(capacity: usize, log: Log<D>) -> io::Result<Self> {
        Self::spawn(capacity, Some(log))
    }

    fn spawn<D: Disk>(capacity: usize, log: Option<Log<D>>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (queue, engine) = log.map(Log::into_parts).unzip();
        {
            let mut state = shared.lock();
            state.meter.capacity = capacity.max(1);
            state.log = queue;
        }
        let of_thread = Arc::clone(&shared);
        let thread = Builder::new().name(THREAD_NAME.into()).spawn(move || run(&of_thread, engine))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands a record to the log without waiting.
    pub fn append(&self, body: &[u8]) -> Result<Appended, AppendError> {
        let appended = self.shared.lock().log.as_mut().ok_or(AppendError::Off)?.append(body)?;
        self.shared.changed.notify_one();
        Ok(appended)
    }

    /// Asks for what was appended to be stored now.
    pub fn sync_log(&self) {
        if let Some(log) = &mut self.shared.lock().log {
            log.sync();
        }
        self.shared.changed.notify_one();
    }

    /// What became of the records since the last call; waits if nothing did, for ever where there is no log. One reader.
    pub fn poll_log(&self, cx: &mut Context<'_>) -> Poll<LogEvent> {
        self.shared.lock().log.as_mut().map_or(Poll::Pending, |log| log.poll(cx))
    }

    /// How the log stands now, if there is one.
    pub fn log_meter(&self) -> Option<LogMeter> {
        self.shared.lock().log.as_ref().map(Queue::meter)
    }

    /// Hands a write over without waiting. One that waits for the same file is replaced: only the newest counts,
    /// and a card has only so many writes in it.
    pub fn write(&self, write: Write) -> Result<(), DiskBusy> {
        self.hand_over(write, None)
    }

    /// The same, and tells how the first try went.
    pub fn write_and_tell(&self, write: Write) -> Result<oneshot::Receiver<Outcome>, DiskBusy> {
        let (tell, told) = oneshot::channel();
        self.hand_over(write, Some(tell)).map(|()| told)
    }

    fn hand_over(&self, write: Write, tell: Option<oneshot::Sender<Outcome>>) -> Result<(), DiskBusy> {
        let mut state = self.shared.lock();
        if let Some(waiting) = state.waiting.iter_mut().find(|(waiting, _)| waiting.path == write.path) {
            *waiting = (write, tell);
            state.fresh = true;
            drop(state);
            self.shared.changed.notify_one();
            return Ok(());
        }
        let capacity = state.meter.capacity;
        if state.meter.length >= capacity {
            state.meter.refused += 1;
            return Err(DiskBusy { write, capacity });
        }
        state.waiting.push_back((write, tell));
        state.fresh = true;
        state.meter.length += 1;
        state.meter.high_water = state.meter.high_water.max(state.meter.length);
        drop(state);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// How the queue stands now.
    pub fn meter(&self) -> WriterMeter {
        self.shared.lock().meter.clone()
    }

    /// What the system answered to the last write, if that failed. Costs nothing while all is well.
    pub fn error(&self) -> Option<String> {
        if self.shared.fails.load(Ordering::Relaxed) { self.shared.lock().meter.error.clone() } else { None }
    }

    /// Writes what waits, ends the thread and says how it went.
    pub fn close(mut self) -> WriterMeter {
        self.finish();
        self.meter()
    }

    fn finish(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_one();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            log::error!("the thread {THREAD_NAME} died");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

/// When files that failed are tried again.
struct Pause {
    until: Option<Instant>,
    next: Duration,
}

impl Pause {
    fn left(&self) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }
}

fn run<D: Disk>(shared: &Shared, mut engine: Option<Engine<D>>) {
    let start = Instant::now();
    let mut pause = Pause { until: None, next: Duration::from_millis(RETRY_MS_MIN) };
    loop {
        let mut state = shared.lock();
        let due = engine.as_ref().and_then(Engine::due);
        let log_in = due.map(|due| Duration::from_millis(due).saturating_sub(start.elapsed()));
        let log_waits = state.log.as_ref().is_some_and(Queue::has_work) || log_in == Some(Duration::ZERO);
        let file_in = (!state.waiting.is_empty()).then(|| pause.left());
        let file_waits = file_in.is_some_and(|wait| wait.is_zero() || state.fresh || state.closing);
        if !file_waits && !log_waits {
            if state.closing {
                break;
            }
            // Until something is handed over, a file is to be tried again, or the log has something to sync.
            let changed = &shared.changed;
            drop(match log_in.into_iter().chain(file_in).min() {
                Some(wait) => changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            });
            continue;
        }
        // What waits is tried once more at the end, and not for ever.
        let last_try = state.closing;
        let write = if file_waits { state.waiting.pop_front() } else { None };
        state.fresh &= !file_waits;
        drop(state);
        if let Some((write, tell)) = write {
            replace_file(shared, write, tell, last_try, &mut pause);
        }
        if log_waits && let Some(engine) = &mut engine {
            append_to_log(shared, engine, false, start);
        }
    }
    if let Some(engine) = &mut engine {
        // One last try, whatever trouble there is; nobody waits for a card that is gone.
        engine.retry();
        append_to_log(shared, engine, true, start);
        if let (records @ 1.., _) = engine.held() {
            log::error!("{records} records are not stored");
        }
    }
}

fn replace_file(
    shared: &Shared,
    write: Write,
    tell: Option<oneshot::Sender<Outcome>>,
    last_try: bool,
    pause: &mut Pause,
) {
    let outcome = replace(&write.path, &write.bytes).map_err(|error| format!("{}: {error}", write.path.display()));
    shared.fails.store(outcome.is_err(), Ordering::Relaxed);
    let mut state = shared.lock();
    match &outcome {
        Ok(()) => {
            (state.meter.length, state.meter.written) = (state.meter.length - 1, state.meter.written + 1);
            state.meter.error = None;
            *pause = Pause { until: None, next: Duration::from_millis(RETRY_MS_MIN) };
        }
        Err(sentence) => {
            log::debug!("cannot write {sentence}");
            state.meter.failed += 1;
            state.meter.error = Some(sentence.clone());
            if last_try || state.waiting.iter().any(|(newer, _)| newer.path == write.path) {
                state.meter.length -= 1;
            } else {
                state.waiting.push_back((write, None));
            }
            pause.until = Some(Instant::now() + pause.next);
            pause.next = (pause.next * 2).min(Duration::from_millis(RETRY_MS_MAX));
        }
    }
    drop(state);
    if let Some(tell) = tell {
        // Who does not want to know any more has gone.
        let _ = tell.send(outcome);
    }
}

fn append_to_log<D: Disk>(shared: &Shared, engine: &mut Engine<D>, last: bool, start: Instant) {
    let taken = shared.lock().log.as_mut().map(Queue::take);
    let Some((entries, urgent)) = taken else { return };
    let before = engine.progress().trouble.is_some();
    engine.accept(entries);
    engine.turn(urgent || last, u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
    match &engine.progress().trouble {
        Some(trouble) if !before => log::warn!("{}", trouble.text),
        None if before => log::info!("the log is written again"),
        _ => {}
    }
    if let Some(log) = &mut shared.lock().log {
        log.note(engine.progress(), engine.held());
    }
}

#[cfg(test)]
mod tests;
