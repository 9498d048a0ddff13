//! The thread that writes to disk: a card may take seconds for a sync, and the node must not wait for it.

use super::replace::replace;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

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

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Write>,
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
    /// Starts the thread with a queue of `capacity` writes (at least one).
    pub fn start(capacity: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.lock().meter.capacity = capacity.max(1);
        let of_thread = Arc::clone(&shared);
        let thread = Builder::new().name(THREAD_NAME.into()).spawn(move || run(&of_thread))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands a write over without waiting. One that waits for the same file is replaced: only the newest counts,
    /// and a card has only so many writes in it.
    pub fn write(&self, write: Write) -> Result<(), DiskBusy> {
        let mut state = self.shared.lock();
        if let Some(waiting) = state.waiting.iter_mut().find(|waiting| waiting.path == write.path) {
            waiting.bytes = write.bytes;
            return Ok(());
        }
        let capacity = state.meter.capacity;
        if state.meter.length >= capacity {
            state.meter.refused += 1;
            return Err(DiskBusy { write, capacity });
        }
        state.waiting.push_back(write);
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

fn run(shared: &Shared) {
    let mut state = shared.lock();
    let mut retry = Duration::from_millis(RETRY_MS_MIN);
    loop {
        let Some(write) = state.waiting.pop_front() else {
            if state.closing {
                return;
            }
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        // What waits is tried once more at the end, and not for ever.
        let last_try = state.closing;
        drop(state);
        let result = replace(&write.path, &write.bytes);
        shared.fails.store(result.is_err(), Ordering::Relaxed);
        state = shared.lock();
        match result {
            Ok(()) => {
                (state.meter.length, state.meter.written) = (state.meter.length - 1, state.meter.written + 1);
                state.meter.error = None;
                retry = Duration::from_millis(RETRY_MS_MIN);
            }
            Err(error) => {
                let sentence = format!("{}: {error}", write.path.display());
                log::debug!("cannot write {sentence}");
                state.meter.failed += 1;
                state.meter.error = Some(sentence);
                if last_try || state.waiting.iter().any(|newer| newer.path == write.path) {
                    state.meter.length -= 1;
                } else {
                    state.waiting.push_back(write);
                }
                if !state.closing {
                    let (woken, _) = shared.changed.wait_timeout(state, retry).unwrap_or_else(PoisonError::into_inner);
                    state = woken;
                    retry = (retry * 2).min(Duration::from_millis(RETRY_MS_MAX));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(path: PathBuf, text: &str) -> Write {
        Write { path, bytes: text.into() }
    }

    #[test]
    fn what_was_accepted_is_on_disk_after_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::start(100).unwrap();
        for at in 0..100 {
            writer.write(write(dir.path().join(at.to_string()), &format!("file {at}"))).unwrap();
        }
        let meter = writer.close();
        assert_eq!((meter.length, meter.written, meter.failed, meter.refused), (0, 100, 0, 0));
        for at in 0..100 {
            assert_eq!(fs::read_to_string(dir.path().join(at.to_string())).unwrap(), format!("file {at}"));
        }
    }

    #[test]
    fn the_newest_of_one_file_is_the_one_that_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let writer = Writer::start(2).unwrap();
        // Two of one file may wait at most: the one under way and the newest.
        for at in 0..=1_000 {
            writer.write(write(path.clone(), &at.to_string())).unwrap();
        }
        drop(writer);
        assert_eq!(fs::read_to_string(path).unwrap(), "1000");
    }

    #[test]
    fn a_full_queue_hands_the_write_back() {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::start(1).unwrap();
        let mut busy = None;
        // A write costs two syncs, handing one over nothing: the queue fills long before the end.
        for at in 0..100_000 {
            if let Err(error) = writer.write(write(dir.path().join(at.to_string()), "x")) {
                busy = Some((at, error));
                break;
            }
        }
        let (at, error) = busy.expect("the queue never filled");
        assert_eq!(error.write, write(dir.path().join(at.to_string()), "x"));
        assert_eq!(error.to_string(), "1 writes already wait for the disk");
        let meter = writer.close();
        assert_eq!((meter.refused, meter.high_water, meter.capacity), (1, 1, 1));
        assert_eq!(meter.written, at, "all that was accepted before it");
    }

    #[test]
    fn a_write_that_fails_is_told_and_the_next_one_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::start(4).unwrap();
        writer.write(write(dir.path().join("gone/file"), "x")).unwrap();
        writer.write(write(dir.path().join("file"), "x")).unwrap();
        let meter = writer.close();
        assert_eq!((meter.written, meter.length), (1, 0));
        assert!(meter.failed >= 1, "{meter:?}");
        assert!(dir.path().join("file").exists());
    }

    #[test]
    fn a_write_that_failed_is_tried_until_it_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::start(4).unwrap();
        let (gone, path) = (dir.path().join("gone"), dir.path().join("gone/file"));
        writer.write(write(path.clone(), "old")).unwrap();
        let wait = |what: &str, is: &dyn Fn() -> bool| {
            let start = std::time::Instant::now();
            while !is() {
                assert!(start.elapsed() < Duration::from_secs(30), "{what}: {:?}", writer.meter());
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        wait("it fails", &|| writer.error().is_some());
        assert!(writer.error().unwrap().contains("gone/file"));
        writer.write(write(path.clone(), "new")).unwrap();
        fs::create_dir(gone).unwrap();
        wait("it is written", &|| writer.error().is_none());
        assert_eq!(fs::read_to_string(path).unwrap(), "new");
        let meter = writer.close();
        assert_eq!((meter.written, meter.length, meter.error), (1, 0, None));
    }

    #[test]
    fn the_thread_has_its_name() {
        let writer = Writer::start(1).unwrap();
        assert_eq!(writer.thread.as_ref().unwrap().thread().name(), Some(THREAD_NAME));
        assert!(THREAD_NAME.len() <= 15);
    }
}
