//! What we said last, to be said again to somebody who may have missed it.
//!
//! Until a peer has announced its rooms on a connection gossipsub hands it nothing, and those who are in a mesh together
//! never ask each other for what they missed. Over a bad link, with dials that cross and connections that are
//! replaced, that takes seconds, in which somebody who was in the room by way of others hears nothing of us. A line said
//! again counts once wherever it arrives twice.

use crate::wire::room::RoomName;
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// How long a line may be said again (milliseconds). Source: the time a connection has to be established, twice.
pub const RECENT_MS: u64 = 10_000;
/// Lines kept for that. Guess: as many as wait for somebody at most.
pub const RECENT_MAX: usize = 64;
/// How long the first to miss something waits for others (milliseconds): a room that many enter at once is told once.
pub const REPEAT_DELAY_MS: u64 = 1_000;

#[derive(Debug)]
struct Said {
    at: Instant,
    room: RoomName,
    data: Box<[u8]>,
}

/// Our last lines in rooms of ours, oldest first, and the rooms where they are to be said again.
#[derive(Debug, Default)]
pub(super) struct Recent {
    said: VecDeque<Said>,
    /// When, and what was said since when.
    repeats: BTreeMap<RoomName, (Instant, Instant)>,
}

impl Recent {
    /// We said this.
    pub fn push(&mut self, room: &RoomName, data: &[u8], now: Instant) {
        let is_old = |said: &Said| now.duration_since(said.at) > Duration::from_millis(RECENT_MS);
        while self.said.len() >= RECENT_MAX || self.said.front().is_some_and(is_old) {
            self.said.pop_front();
        }
        self.said.push_back(Said { at: now, room: room.clone(), data: data.into() });
    }

    /// Somebody in a room may have missed what we said up to now.
    pub fn on_missed(&mut self, room: &RoomName, now: Instant) {
        if let Some(since) = now.checked_sub(Duration::from_millis(RECENT_MS))
            && self.said.iter().any(|said| said.room == *room && said.at >= since)
        {
            let due = now + Duration::from_millis(REPEAT_DELAY_MS);
            self.repeats.entry(room.clone()).or_insert((due, since));
        }
    }

    /// When something is said again next.
    pub fn next_due(&self) -> Option<Instant> {
        self.repeats.values().map(|(due, _)| *due).min()
    }

    /// What is said again now. What was said while that waited has reached everybody.
    pub fn due(&mut self, now: Instant) -> Vec<(RoomName, Box<[u8]>)> {
        let mut due = Vec::new();
        self.repeats.retain(|room, &mut (at, since)| {
            if at <= now {
                let missed = self.said.iter().filter(|said| said.room == *room && said.at >= since && said.at <= at);
                due.extend(missed.map(|said| (room.clone(), said.data.clone())));
            }
            at > now
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(due: Vec<(RoomName, Box<[u8]>)>) -> Vec<String> {
        due.iter().map(|(room, data)| format!("{room}: {}", String::from_utf8_lossy(data))).collect()
    }

    #[test]
    fn what_was_said_lately_is_said_again_once() {
        let room = |name: &str| name.parse::<RoomName>().unwrap();
        let (start, lobby, attic) = (Instant::now() + Duration::from_secs(60), room("lobby"), room("attic"));
        let after = |ms| start + Duration::from_millis(ms);
        let mut recent = Recent::default();
        recent.push(&lobby, b"first", start);
        recent.push(&lobby, b"second", after(1_000));
        recent.push(&attic, b"elsewhere", after(1_000));
        let missed = after(RECENT_MS + 500);
        recent.on_missed(&lobby, missed);
        recent.on_missed(&lobby, missed + Duration::from_millis(1));
        let due = recent.next_due().unwrap();
        assert_eq!(due, missed + Duration::from_millis(REPEAT_DELAY_MS));
        assert!(recent.due(due - Duration::from_millis(1)).is_empty());
        assert_eq!(texts(recent.due(due)), ["lobby: second"]);
        assert_eq!(recent.next_due(), None);
        recent.on_missed(&attic, after(RECENT_MS + 1_001));
        assert_eq!(recent.next_due(), None, "too long ago");
    }

    #[test]
    fn no_more_than_so_many_are_kept() {
        let (now, lobby) = (Instant::now() + Duration::from_secs(60), "lobby".parse::<RoomName>().unwrap());
        let mut recent = Recent::default();
        for number in 0..=RECENT_MAX {
            recent.push(&lobby, &number.to_be_bytes(), now);
        }
        recent.on_missed(&lobby, now);
        let due = recent.due(now + Duration::from_millis(REPEAT_DELAY_MS));
        assert_eq!(due.len(), RECENT_MAX);
        assert_eq!(*due[0].1, 1_usize.to_be_bytes());
    }
}
