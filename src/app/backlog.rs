//! What stands between the line editor's thread and the rest: lines to be shown, lines that were typed.
//!
//! The line editor shows one batch at a time and can be busy for as long as a person thinks; the node must never
//! wait for it. So what it cannot show yet stays here, bounded, and the oldest goes first.

use crate::node::command::{Queue, Task};
use smol::channel::{Receiver, Sender};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines held at most; the oldest is dropped. Guess: five screens. Costs about 1.2 KiB each at the longest.
const LINES_MAX: usize = 256;
/// The line editor's thread: the fifth of the program, and only while a person types.
pub(crate) const EDITOR_THREAD: &str = "line-editor";

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<String>,
    high_water: usize,
    dropped: u64,
    /// Of these the reader was told.
    told: u64,
}

/// A bounded list of lines with two ends: any thread adds, the chat takes.
#[derive(Debug, Clone)]
pub(crate) struct Backlog {
    waiting: Arc<Mutex<Waiting>>,
    bell: Sender<()>,
    typed: Receiver<Option<String>>,
}

impl Backlog {
    /// An empty one beside the queue of typed lines, and the bell that rings when there is something to take.
    pub(crate) fn new(typed: Receiver<Option<String>>) -> (Self, Receiver<()>) {
        let (bell, rung) = smol::channel::bounded(1);
        (Self { waiting: Arc::default(), bell, typed }, rung)
    }

    /// Adds a line. Never waits.
    pub(crate) fn add(&self, line: String) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.lines.len() == LINES_MAX {
            waiting.lines.pop_front();
            waiting.dropped += 1;
        }
        waiting.lines.push_back(line);
        waiting.high_water = waiting.high_water.max(waiting.lines.len());
        drop(waiting);
        self.ring();
    }

    /// Rings the bell: there may be something to take. Ringing twice is ringing once.
    pub(crate) fn ring(&self) {
        let _ = self.bell.try_send(());
    }

    /// Everything that waits, as one text of whole lines; none if nothing does.
    pub(crate) fn take(&self) -> Option<String> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.lines.is_empty() {
            return None;
        }
        let mut text = String::new();
        let untold = waiting.dropped - waiting.told;
        if untold > 0 {
            text.push_str(&format!("* {untold} lines were dropped: the terminal was too slow\n"));
            waiting.told = waiting.dropped;
        }
        for line in waiting.lines.drain(..) {
            text.push_str(&line);
            text.push('\n');
        }
        Some(text)
    }

    /// Its part of `status --tasks`.
    pub(crate) fn describe(&self) -> (Task, [Queue; 2]) {
        let thread = Task {
            name: EDITOR_THREAD.into(),
            count: 1,
            what: "the thread of the line being typed; reads screen, fills typed".into(),
        };
        let queue = |name: &str, from: &str, to: &str, overflow: &str| Queue {
            name: name.into(),
            from: from.into(),
            to: to.into(),
            overflow: overflow.into(),
            length: 0,
            capacity: 1,
            high_water: 1,
            drops: 0,
        };
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = Queue {
            length: waiting.lines.len() as u32,
            capacity: LINES_MAX as u32,
            high_water: waiting.high_water as u32,
            drops: waiting.dropped,
            ..queue("screen", "chat", EDITOR_THREAD, "drop-oldest")
        };
        let typed = Queue { length: self.typed.len() as u32, ..queue("typed", EDITOR_THREAD, "chat", "wait") };
        (thread, [screen, typed])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_said() {
        let (_typist, typed) = smol::channel::bounded(1);
        let (backlog, bell) = Backlog::new(typed);
        assert_eq!(backlog.take(), None);
        for number in 0..LINES_MAX + 3 {
            backlog.add(number.to_string());
        }
        assert!(bell.try_recv().is_ok());
        assert!(bell.try_recv().is_err());
        let text = backlog.take().unwrap();
        assert!(text.starts_with("* 3 lines were dropped: the terminal was too slow\n3\n4\n"));
        assert_eq!(text.lines().count(), LINES_MAX + 1);
        backlog.add("after".into());
        assert_eq!(backlog.take().as_deref(), Some("after\n"));
        let (_, [screen, _]) = backlog.describe();
        assert_eq!((screen.length, screen.high_water, screen.drops), (0, LINES_MAX as u32, 3));
    }
}
