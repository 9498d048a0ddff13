//! The log: on stderr, or above the line being typed when the line editor has the terminal.

use super::backlog::Backlog;
use super::shown::printable;
use crate::node::command::Status;
use env_logger::{Builder, Target};
use log::LevelFilter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Characters of a log line; the rest is cut. In four bytes each they fit into a page, which a pipe takes at once.
const LOG_CHARS_MAX: usize = 1_000;

/// Lines not written because nobody read stderr.
static LOST: AtomicU64 = AtomicU64::new(0);
/// The terminal, while the line editor has it.
static TERMINAL: Mutex<Option<Backlog>> = Mutex::new(None);

/// Whether the chat shows troubles where the log goes, so that the log need not.
static TOLD_BY_CHAT: AtomicBool = AtomicBool::new(false);
/// Where the node's log tells of troubles.
const TROUBLES: &str = "stonechat::node::tell";

/// Starts the log. `RUST_LOG`, where set, says more exactly what `-v` and `-q` say.
pub(crate) fn start(verbosity: i8) {
    let (own, others) = levels(verbosity);
    let mut builder = Builder::new();
    builder.filter_level(others).filter_module("stonechat", own);
    if let Ok(filters) = std::env::var("RUST_LOG") {
        builder.parse_filters(&filters);
    }
    // Its own log of a keystroke would be printed through it, for ever.
    builder.filter_module("rustyline", LevelFilter::Off);
    builder.format(|line, record| {
        if record.target() == TROUBLES && TOLD_BY_CHAT.load(Ordering::Relaxed) {
            return Ok(());
        }
        let target = record.target().strip_prefix("stonechat::").unwrap_or(record.target());
        let level = record.level().as_str().to_ascii_lowercase();
        let text: String = record.args().to_string().chars().take(LOG_CHARS_MAX).collect();
        writeln!(line, "{level} {target}: {}", printable(&text))
    });
    builder.target(Target::Pipe(Box::new(Outlet)));
    // A second logger in one process is refused: the first goes on.
    let _ = builder.try_init();
}

/// The chat of this process tells of its peer's troubles. One place hears of each once: a log that was led elsewhere
/// while the line editor has the terminal still has them.
pub(crate) fn leave_troubles_to_chat(is_editor: bool) {
    TOLD_BY_CHAT.store(!is_editor || io::stderr().is_terminal(), Ordering::Relaxed);
}

/// From now on the log goes there; with none, to stderr again.
pub(crate) fn divert(terminal: Option<Backlog>) {
    *TERMINAL.lock().unwrap_or_else(PoisonError::into_inner) = terminal;
}

/// The line editor's thread and queues, for `status --tasks`.
pub(crate) fn complete(status: &mut Status) {
    if let Some(terminal) = &*TERMINAL.lock().unwrap_or_else(PoisonError::into_inner) {
        let (thread, queues) = terminal.describe();
        status.tasks.push(thread);
        status.queues.extend(queues);
    }
}

/// A line for the person at the terminal or the reader of stderr. Nobody there is no error.
pub(crate) fn say(line: &str) {
    match &*TERMINAL.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(terminal) => terminal.add(line.to_string()),
        None => to_stderr(line),
    }
}

/// Never waits: whoever reads stderr too slowly loses lines, and is told how many. A pipe that polls writable has
/// room for a page.
fn to_stderr(line: &str) {
    let mut stderr = io::stderr().lock();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    if !poll(&mut ready, Some(&Timespec::default())).is_ok_and(|count| count > 0) {
        LOST.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let lost = LOST.swap(0, Ordering::Relaxed);
    if lost > 0 {
        let _ = writeln!(stderr, "stonechat: {lost} lines were lost here: they were not read in time");
    }
    let _ = writeln!(stderr, "{line}");
}

fn levels(verbosity: i8) -> (LevelFilter, LevelFilter) {
    match verbosity {
        ..=-2 => (LevelFilter::Off, LevelFilter::Off),
        -1 => (LevelFilter::Error, LevelFilter::Error),
        0 => (LevelFilter::Warn, LevelFilter::Error),
        1 => (LevelFilter::Info, LevelFilter::Warn),
        2 => (LevelFilter::Debug, LevelFilter::Info),
        3.. => (LevelFilter::Trace, LevelFilter::Debug),
    }
}

/// env_logger hands over one whole line a write.
struct Outlet;

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = text.trim_end_matches('\n');
        // A log that was led elsewhere stays there; on the terminal it must not break the line being typed.
        match io::stderr().is_terminal() {
            true => say(line),
            false => to_stderr(line),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
