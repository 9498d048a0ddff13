//! What we said last, to be said again to a peer whose connection was replaced meanwhile.
//!
//! Until a peer has announced its rooms on the newer connection gossipsub hands it nothing, and those who are in a mesh
//! together never ask each other for what they missed. Over a bad link that takes seconds. A line said again counts
//! once wherever it arrives twice.

use crate::wire::room::RoomName;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long a line may be said again (milliseconds). Source: the time a connection has to be established, twice.
pub const RECENT_MS: u64 = 20_000;
/// Lines kept for that. Guess: as many as wait for somebody at most.
pub const RECENT_MAX: usize = 64;
/// Lines said so long before a connection was replaced are said again too (milliseconds). Guess: the other side
/// replaced it by so much sooner.
pub const REPLACED_SOONER_MS: u64 = 4_000;

#[derive(Debug)]
struct Said {
    at: Instant,
    room: RoomName,
    data: Box<[u8]>,
}

/// Our last lines in rooms of ours, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Said>);

impl Recent {
    /// We said this.
    pub fn push(&mut self, room: &RoomName, data: &[u8], now: Instant) {
        while self.0.len() >= RECENT_MAX
            || self.0.front().is_some_and(|said| now.duration_since(said.at) > Duration::from_millis(RECENT_MS))
        {
            self.0.pop_front();
        }
        self.0.push_back(Said { at: now, room: room.clone(), data: data.into() });
    }

    /// What somebody in a room may have missed whose connection was replaced at a time.
    pub fn missed(&self, room: &RoomName, replaced: Instant, now: Instant) -> Vec<Box<[u8]>> {
        let may_be = |said: &&Said| {
            said.room == *room
                && now.duration_since(said.at) <= Duration::from_millis(RECENT_MS)
                && said.at + Duration::from_millis(REPLACED_SOONER_MS) >= replaced
        };
        self.0.iter().filter(may_be).map(|said| said.data.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_since_is_said_again() {
        let room = |name: &str| name.parse::<RoomName>().unwrap();
        let (start, lobby) = (Instant::now() + Duration::from_secs(60), room("lobby"));
        let after = |ms| start + Duration::from_millis(ms);
        let mut recent = Recent::default();
        recent.push(&lobby, b"long ago", start - Duration::from_millis(REPLACED_SOONER_MS + 1));
        recent.push(&lobby, b"just before", start - Duration::from_millis(REPLACED_SOONER_MS));
        recent.push(&room("attic"), b"elsewhere", start);
        recent.push(&lobby, b"since", after(1));
        let texts = |now| -> Vec<String> {
            recent.missed(&lobby, start, now).iter().map(|data| String::from_utf8_lossy(data).into_owned()).collect()
        };
        assert_eq!(texts(after(2)), ["just before", "since"]);
        assert_eq!(texts(after(RECENT_MS)), ["since"]);
        assert!(texts(after(RECENT_MS + 2)).is_empty());
    }

    #[test]
    fn no_more_than_so_many_are_kept() {
        let (now, lobby) = (Instant::now(), "lobby".parse::<RoomName>().unwrap());
        let mut recent = Recent::default();
        for number in 0..=RECENT_MAX {
            recent.push(&lobby, &number.to_be_bytes(), now);
        }
        let missed = recent.missed(&lobby, now, now);
        assert_eq!(missed.len(), RECENT_MAX);
        assert_eq!(*missed[0], 1_usize.to_be_bytes());
    }
}
