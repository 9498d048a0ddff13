//! How many lines were handed out until when: from the time at which a ping began follows how many had been by then.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Lines handed out within this time are confirmed together (milliseconds). Guess: much less than a ping is waited for.
pub const MARK_MS: u64 = 100;
/// Such times remembered. Cost: 40 bytes each. Guess: a connection dies in so many.
pub const MARKS_MAX: usize = 256;

#[derive(Debug)]
struct Mark {
    first: Instant,
    last: Instant,
    handed: u64,
}

/// The count, and what it was when.
#[derive(Debug, Default)]
pub(super) struct Marks {
    handed: u64,
    marks: VecDeque<Mark>,
}

impl Marks {
    /// How many so far, each time counted.
    pub fn handed(&self) -> u64 {
        self.handed
    }

    /// One more.
    pub fn add(&mut self, now: Instant) {
        self.handed += 1;
        match self.marks.back_mut() {
            Some(mark) if now.saturating_duration_since(mark.first) < Duration::from_millis(MARK_MS) => {
                (mark.last, mark.handed) = (now, self.handed);
            }
            _ => {
                if self.marks.len() >= MARKS_MAX {
                    self.marks.pop_front();
                }
                self.marks.push_back(Mark { first: now, last: now, handed: self.handed });
            }
        }
    }

    /// How many had been handed out before this time, if that is known: never too many.
    pub fn handed_before(&self, time: Instant) -> Option<u64> {
        self.marks.iter().take_while(|mark| mark.last < time).last().map(|mark| mark.handed)
    }

    /// Nobody asks for a time when there were no more than so many.
    pub fn forget(&mut self, handed: u64) {
        while self.marks.front().is_some_and(|mark| mark.handed <= handed) {
            self.marks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_tells_too_many() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut marks = Marks::default();
        for ms in [0, 50, 50, 99, 100, 400] {
            marks.add(after(ms));
        }
        let before = |marks: &Marks, ms| marks.handed_before(after(ms));
        assert_eq!((before(&marks, 0), before(&marks, 60), before(&marks, 99)), (None, None, None));
        assert_eq!((before(&marks, 100), before(&marks, 101), before(&marks, 500)), (Some(4), Some(5), Some(6)));
        marks.forget(4);
        assert_eq!((before(&marks, 100), before(&marks, 101)), (None, Some(5)));
        for number in 0..2 * MARKS_MAX as u64 {
            marks.add(after(1_000 + number * MARK_MS));
        }
        assert_eq!((marks.marks.len(), marks.handed()), (MARKS_MAX, 6 + 2 * MARKS_MAX as u64));
        assert_eq!(before(&marks, 1_000), None);
    }
}
