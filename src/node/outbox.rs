//! Lines of ours that wait: nobody is in their room, or nobody there reads as fast as we talk.
//!
//! A line never overtakes another one of its room. What is full refuses; nothing is dropped unseen.

use super::command::Queue;
use crate::{
    base::meter::Meter,
    wire::{bounds::FRAME_BYTES_MAX, room::RoomName},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// Lines that wait at most, over all rooms.
pub const OUTBOX_MAX: usize = 64;
/// Bytes of lines that wait at most, over all rooms. Guess: 64 KiB, half of what that many of the longest would take.
pub const OUTBOX_BYTES_MAX: usize = 64 * 1024;
/// Milliseconds after which lines are tried again that everyone present was too slow for.
pub const OUTBOX_RETRY_MS: u64 = 250;

const _: () = assert!(OUTBOX_BYTES_MAX >= 16 * FRAME_BYTES_MAX);

/// Why a line cannot wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// So many lines wait.
    #[error("{OUTBOX_MAX} lines wait already")]
    Lines,
    /// So many bytes wait.
    #[error("{OUTBOX_BYTES_MAX} bytes wait already")]
    Bytes,
}

/// A line that waits.
#[derive(Debug)]
pub struct Line {
    /// What is handed to gossipsub.
    pub data: Box<[u8]>,
    /// When it was said, as long as nobody has it: then it can still be changed.
    pub said: Option<Instant>,
}

/// The lines that wait, by room, the oldest first.
#[derive(Debug)]
pub struct Outbox {
    rooms: BTreeMap<RoomName, VecDeque<Line>>,
    lines: Meter,
    bytes: usize,
    /// When the lines are tried next that everyone present was too slow for.
    retry: Instant,
}

impl Outbox {
    /// Nothing waits.
    pub fn new(now: Instant) -> Self {
        Outbox { rooms: BTreeMap::new(), lines: Meter::new(OUTBOX_MAX), bytes: 0, retry: now }
    }

    /// Whether a line waits for this room: then the next one does, too.
    pub fn waits_for(&self, room: &RoomName) -> bool {
        self.rooms.contains_key(room)
    }

    /// Keeps a line until somebody takes it.
    pub fn push(&mut self, room: &RoomName, data: &[u8], now: Instant) -> Result<(), Full> {
        let full = match () {
            () if self.lines.length >= OUTBOX_MAX => Some(Full::Lines),
            () if self.bytes + data.len() > OUTBOX_BYTES_MAX => Some(Full::Bytes),
            () => None,
        };
        if let Some(full) = full {
            self.lines.dropped();
            return Err(full);
        }
        self.count(1, data.len());
        self.rooms.entry(room.clone()).or_default().push_back(Line { data: data.into(), said: Some(now) });
        self.retry = now + Duration::from_millis(OUTBOX_RETRY_MS);
        Ok(())
    }

    /// The rooms that lines wait for. They are tried now, and next after a while.
    pub fn start_round(&mut self, now: Instant) -> Vec<RoomName> {
        self.retry = now + Duration::from_millis(OUTBOX_RETRY_MS);
        self.rooms.keys().cloned().collect()
    }

    /// The oldest line for a room. It waits no more.
    pub fn pop(&mut self, room: &RoomName) -> Option<Line> {
        let lines = self.rooms.get_mut(room)?;
        let line = lines.pop_front();
        if lines.is_empty() {
            self.rooms.remove(room);
        }
        let line = line?;
        self.lines.note(self.lines.length.saturating_sub(1));
        self.bytes -= line.data.len();
        Some(line)
    }

    /// Nobody took the line that was popped last: it goes on waiting, before the others.
    pub fn put_back(&mut self, room: &RoomName, line: Line) {
        self.count(1, line.data.len());
        self.rooms.entry(room.clone()).or_default().push_front(line);
    }

    /// Changes lines, by room and the oldest first; none that somebody may have. Where `change` gives nothing they stay.
    pub fn change(&mut self, now: Instant, mut change: impl FnMut(&RoomName, &[u8], Instant) -> Option<Box<[u8]>>) {
        for (room, lines) in &mut self.rooms {
            for line in lines {
                if let Some(said) = line.said
                    && let Some(data) = change(room, &line.data, said)
                {
                    self.bytes = self.bytes - line.data.len() + data.len();
                    *line = Line { data, said: Some(now) };
                }
            }
        }
    }

    /// Whether `is` holds for a line that nobody has.
    pub fn any(&self, is: impl Fn(&RoomName, &[u8], Instant) -> bool) -> bool {
        let mut all = self.rooms.iter().flat_map(|(room, lines)| lines.iter().map(move |line| (room, line)));
        all.any(|(room, line)| line.said.is_some_and(|said| is(room, &line.data, said)))
    }

    /// Forgets what waits for a room.
    pub fn forget(&mut self, room: &RoomName) {
        let Some(lines) = self.rooms.remove(room) else { return };
        self.lines.note(self.lines.length.saturating_sub(lines.len()));
        self.bytes -= lines.iter().map(|line| line.data.len()).sum::<usize>();
    }

    /// When what waits is tried again. Lines for an empty room wait for somebody to come instead.
    pub fn next_due(&self, is_peopled: impl Fn(&RoomName) -> bool) -> Option<Instant> {
        self.rooms.keys().any(is_peopled).then_some(self.retry)
    }

    /// As a line of `status --tasks`.
    pub fn describe(&self) -> Queue {
        Queue {
            name: "outbox".into(),
            from: "node".into(),
            to: "node".into(),
            overflow: "refuse".into(),
            length: self.lines.length as u32,
            capacity: self.lines.capacity as u32,
            high_water: self.lines.high_water as u32,
            drops: self.lines.drops,
        }
    }

    fn count(&mut self, lines: usize, bytes: usize) {
        self.lines.note(self.lines.length + lines);
        self.bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomName {
        name.parse().unwrap()
    }

    fn texts(outbox: &mut Outbox, room: &RoomName) -> Vec<String> {
        let lines = std::iter::from_fn(|| outbox.pop(room));
        lines.map(|line| String::from_utf8(line.data.into()).unwrap()).collect()
    }

    #[test]
    fn lines_leave_in_order_and_a_line_put_back_is_the_first() {
        let (now, lobby, attic) = (Instant::now(), room("lobby"), room("attic"));
        let mut outbox = Outbox::new(now);
        for (room, text) in [(&lobby, "one"), (&attic, "elsewhere"), (&lobby, "two"), (&lobby, "three")] {
            outbox.push(room, text.as_bytes(), now).unwrap();
        }
        assert_eq!(outbox.start_round(now), [attic.clone(), lobby.clone()]);
        let first = outbox.pop(&lobby).unwrap();
        outbox.put_back(&lobby, first);
        assert_eq!(texts(&mut outbox, &lobby), ["one", "two", "three"]);
        assert!(!outbox.waits_for(&lobby) && outbox.waits_for(&attic));
        outbox.forget(&attic);
        assert_eq!((outbox.describe().length, outbox.bytes), (0, 0));
        assert_eq!(outbox.describe().high_water, 4);
    }

    #[test]
    fn it_is_bounded_by_number_and_by_bytes() {
        let (now, lobby) = (Instant::now(), room("lobby"));
        let mut outbox = Outbox::new(now);
        assert!((0..OUTBOX_MAX).all(|_| outbox.push(&lobby, b"short", now).is_ok()));
        assert_eq!(outbox.push(&lobby, b"one more", now), Err(Full::Lines));
        outbox.pop(&lobby).unwrap();
        assert_eq!(outbox.push(&lobby, b"in its place", now), Ok(()));
        outbox.forget(&lobby);
        let long = [0; FRAME_BYTES_MAX];
        let taken = (0..OUTBOX_MAX).take_while(|_| outbox.push(&lobby, &long, now).is_ok()).count();
        assert_eq!(taken, OUTBOX_BYTES_MAX / FRAME_BYTES_MAX);
        assert_eq!(outbox.push(&lobby, &long, now), Err(Full::Bytes));
        assert_eq!(outbox.push(&lobby, b"a short one", now), Ok(()), "there is room for it");
        assert_eq!(outbox.describe().drops, 3);
    }

    #[test]
    fn a_line_that_nobody_has_can_be_changed() {
        let (now, lobby, attic) = (Instant::now(), room("lobby"), room("attic"));
        let later = now + Duration::from_secs(1);
        let mut outbox = Outbox::new(now);
        for (room, text) in [(&lobby, "one"), (&attic, "elsewhere"), (&lobby, "two")] {
            outbox.push(room, text.as_bytes(), now).unwrap();
        }
        let first = outbox.pop(&lobby).unwrap();
        outbox.put_back(&lobby, Line { said: None, ..first });
        outbox.change(later, |room, data, said| {
            assert!(said == now && data != b"one");
            (room.as_str() == "lobby").then(|| b"another two".as_slice().into())
        });
        assert!(outbox.any(|_, data, said| data == b"another two" && said == later));
        assert!(outbox.any(|room, _, said| room.as_str() == "attic" && said == now));
        assert!(!outbox.any(|_, data, _| data == b"one"), "somebody may have it");
        assert_eq!(outbox.bytes, "one".len() + "elsewhere".len() + "another two".len());
        assert_eq!(texts(&mut outbox, &lobby), ["one", "another two"]);
    }

    #[test]
    fn it_is_tried_again_while_somebody_is_there() {
        let (now, lobby) = (Instant::now(), room("lobby"));
        let mut outbox = Outbox::new(now);
        assert_eq!(outbox.next_due(|_| true), None);
        outbox.push(&lobby, b"hello", now).unwrap();
        let retry = Duration::from_millis(OUTBOX_RETRY_MS);
        assert_eq!(outbox.next_due(|_| true), Some(now + retry));
        assert_eq!(outbox.next_due(|_| false), None, "somebody who comes makes it due");
        outbox.start_round(now + retry);
        assert_eq!(outbox.next_due(|name| *name == lobby), Some(now + 2 * retry));
    }
}
