//! When to look for peers: in the DHT under the names of our rooms, and beyond our neighbours, so that no group of
//! peers that found each other stays among itself.

use super::address::Topic;
use crate::base::{backoff::backoff, random::Random};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Pause after a new DHT server came into the table, so that several cost one round of queries.
pub const SETTLE_MS: u64 = 200;
/// First wait before a room with too few peers is looked up again. It doubles each time.
const FIND_MS: u64 = 2_000;
/// Longest wait between look-ups of a room with too few peers. Source: libp2p-kad's bootstrap interval.
const FIND_MAX_MS: u64 = 300_000;
/// After this (milliseconds) a room is announced again even if the DHT's table did not change. Source: go-libp2p, 7/8 of
/// 3 h.
const PROVIDE_AGAIN_MS: u64 = 9_450_000;
/// Peers taken from one look-up over all its answers (count). Source: go-libp2p discovery's limit of 100; a board needs
/// fewer.
pub const PROVIDERS_PER_LOOKUP_MAX: usize = 32;
/// First wait before a peer is taken as a neighbour although there are enough. It doubles each time, and begins anew when
/// a peer is heard of that was not known: two networks that were apart are one again within a few such waits.
pub const EXPLORE_MS: u64 = 20_000;
/// Longest wait between two such neighbours: each costs a handshake, and another neighbour its place.
pub const EXPLORE_MAX_MS: u64 = 600_000;

#[derive(Debug)]
struct Room {
    provide_at: Instant,
    find_at: Instant,
    finds: u32,
    /// Taken from the look-up under way.
    taken: usize,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Announce ourselves under a topic.
    Provide(Topic),
    /// Look up who else does.
    Find(Topic),
}

/// The schedule.
#[derive(Debug)]
pub struct Discovery {
    rooms: BTreeMap<Topic, Room>,
    /// Whether the DHT's table has anyone to ask.
    is_reachable: bool,
    explore_at: Option<Instant>,
    explored: u32,
    random: Random,
}

impl Discovery {
    /// In no room yet.
    pub fn new(random: Random) -> Self {
        Discovery { rooms: BTreeMap::new(), is_reachable: false, explore_at: None, explored: 0, random }
    }

    /// We joined a room: its people are found under this topic.
    pub fn join(&mut self, topic: Topic, now: Instant) {
        self.rooms.insert(topic, Room { provide_at: now, find_at: now, finds: 0, taken: 0 });
        self.on_news(now);
    }

    /// We left a room.
    pub fn leave(&mut self, topic: Topic) {
        self.rooms.remove(&topic);
        if self.rooms.is_empty() {
            self.explore_at = None;
        }
    }

    /// A DHT server came into the table: announce and look up anew, for it may know what others did not.
    pub fn on_server(&mut self, now: Instant) {
        self.is_reachable = true;
        let soon = now + Duration::from_millis(SETTLE_MS);
        for room in self.rooms.values_mut() {
            (room.provide_at, room.find_at, room.finds) = (soon, soon, 0);
        }
    }

    /// The DHT's table is empty: nothing is due there until a server comes.
    pub fn on_table_empty(&mut self) {
        self.is_reachable = false;
    }

    /// A room lost its peers: look again at once.
    pub fn hurry(&mut self, now: Instant) {
        for room in self.rooms.values_mut() {
            room.find_at = room.find_at.min(now + Duration::from_millis(SETTLE_MS));
            room.finds = 0;
        }
    }

    /// How many of so many peers of a look-up are taken.
    pub fn take(&mut self, topic: Topic, count: usize) -> usize {
        let Some(room) = self.rooms.get_mut(&topic) else { return 0 };
        let taken = count.min(PROVIDERS_PER_LOOKUP_MAX - room.taken.min(PROVIDERS_PER_LOOKUP_MAX));
        room.taken += taken;
        taken
    }

    /// A peer was heard of that was not known.
    pub fn on_news(&mut self, now: Instant) {
        if self.rooms.is_empty() {
            return;
        }
        self.explored = 0;
        let soon = now + self.wait();
        self.explore_at = Some(self.explore_at.map_or(soon, |at| at.min(soon)));
    }

    fn wait(&mut self) -> Duration {
        let (first, most) = (Duration::from_millis(EXPLORE_MS), Duration::from_millis(EXPLORE_MAX_MS));
        backoff(first, most, self.explored, &mut self.random)
    }

    /// What is due in the DHT now; `lacks_peers` tells whether a room does.
    pub fn due(&mut self, lacks_peers: impl Fn(Topic) -> bool, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        if !self.is_reachable {
            return due;
        }
        for (topic, room) in &mut self.rooms {
            if room.provide_at <= now {
                room.provide_at = now + Duration::from_millis(PROVIDE_AGAIN_MS);
                due.push(Due::Provide(*topic));
            }
            if room.find_at <= now {
                let (first, most) = (Duration::from_millis(FIND_MS), Duration::from_millis(FIND_MAX_MS));
                room.find_at = now + backoff(first, most, room.finds, &mut self.random);
                if lacks_peers(*topic) || room.finds == 0 {
                    room.taken = 0;
                    due.push(Due::Find(*topic));
                }
                room.finds = room.finds.saturating_add(1);
            }
        }
        due
    }

    /// Whether it is time to look beyond our neighbours. The next time comes later.
    pub fn explore(&mut self, now: Instant) -> bool {
        let is_due = self.explore_at.is_some_and(|at| at <= now);
        if is_due {
            self.explored = self.explored.saturating_add(1);
            let wait = self.wait();
            self.explore_at = Some(now + wait);
        }
        is_due
    }

    /// The next time that something is due.
    pub fn next_due(&self) -> Option<Instant> {
        let rooms = self.rooms.values().filter(|_| self.is_reachable).map(|room| room.provide_at.min(room.find_at));
        rooms.chain(self.explore_at).min()
    }

    /// Rooms looked for.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    fn discovery() -> (Discovery, Instant) {
        let (mut discovery, start) = (Discovery::new(Random::new(2)), Instant::now());
        discovery.join(Topic(1), start);
        (discovery, start)
    }

    #[test]
    fn nothing_is_due_in_the_dht_without_a_server_and_all_is_when_one_comes() {
        let (mut discovery, start) = discovery();
        assert!(discovery.due(|_| true, start).is_empty());
        discovery.on_server(start);
        let soon = after(start, SETTLE_MS);
        assert_eq!(discovery.due(|_| true, soon), [Due::Provide(Topic(1)), Due::Find(Topic(1))]);
        assert!(discovery.due(|_| true, soon).is_empty());
        assert_eq!(discovery.due(|_| true, after(soon, 2 * FIND_MS)), [Due::Find(Topic(1))]);
        assert!(discovery.due(|_| false, after(soon, 10 * FIND_MS)).is_empty(), "there are enough");
        discovery.on_table_empty();
        assert!(discovery.due(|_| true, after(soon, 3_600_000)).is_empty());
    }

    #[test]
    fn a_look_up_is_bounded_over_all_its_answers() {
        let (mut discovery, start) = discovery();
        discovery.on_server(start);
        assert_eq!(discovery.due(|_| true, after(start, SETTLE_MS)).len(), 2);
        let taken: usize = (0..20).map(|_| discovery.take(Topic(1), 32)).sum();
        assert_eq!(taken, PROVIDERS_PER_LOOKUP_MAX);
        assert_eq!(discovery.take(Topic(2), 32), 0, "nobody looked that up");
        assert_eq!(discovery.due(|_| true, after(start, 10 * FIND_MS)), [Due::Find(Topic(1))]);
        assert_eq!(discovery.take(Topic(1), 3), 3, "the next one has its own");
    }

    #[test]
    fn looking_beyond_becomes_rare_and_begins_anew_with_news() {
        let (mut discovery, start) = discovery();
        let mut times = Vec::new();
        let mut run = |discovery: &mut Discovery, from: u64, to: u64| {
            times.clear();
            times.extend((from..to).step_by(100).filter(|ms| discovery.explore(after(start, *ms))));
            times.len()
        };
        let first_hour = run(&mut discovery, 0, 3_600_000);
        assert!((8..=20).contains(&first_hour), "{first_hour} times");
        let second_hour = run(&mut discovery, 3_600_000, 7_200_000);
        assert!((6..=12).contains(&second_hour), "{second_hour} times");
        discovery.on_news(after(start, 7_200_000));
        assert_eq!(run(&mut discovery, 7_200_000, 7_200_000 + EXPLORE_MS + 100), 1);
        discovery.leave(Topic(1));
        assert_eq!(discovery.next_due(), None);
    }
}
