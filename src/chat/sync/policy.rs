//! When to compare with whom: on meeting, when gossip admits that it lost something, when somebody brought something that
//! others may lack, and now and then with one neighbour a room.
//!
//! A quiet room costs at most one exchange a minute, and ever fewer while nothing is said and nothing differs: of 50 bytes
//! each way. It keeps no messages and knows no bytes: pairs of a peer and a room, and times.

use crate::base::hash::siphash;
use crate::wire::room::Topic;
use alloc::vec::Vec;

use super::compare::Opening;

/// How long after a meeting at most, in ms: both sides and many peers meet at once.
pub const MEET_MS_MAX: u64 = 500;
/// How long after something was lost or brought, in ms at least: gossip may still be at it.
pub const NEWS_MS_MIN: u64 = 200;
/// How long after that at most, in ms: a room is to be whole within seconds.
pub const NEWS_MS_MAX: u64 = 1_200;
/// Between two comparisons with the same neighbour for news, in ms: a storm is caught up with in steps.
pub const NEWS_INTERVAL_MS: u64 = 3_000;
/// Between two digests of a room, in ms, while something is said in it.
pub const DIGEST_INTERVAL_MS: u64 = 60_000;
/// The longest time between two digests, in ms: a room where nothing was said for long, and nothing differed.
pub const DIGEST_INTERVAL_MS_MAX: u64 = 480_000;
/// Until a failed comparison is tried again, in ms; then twice as long each time.
pub const RETRY_MS_MIN: u64 = 5_000;
/// The longest time until then, in ms: a peer that is connected and does not answer is no use, and may get well.
pub const RETRY_MS_MAX: u64 = 120_000;
/// Neighbours asked when gossip admits that it lost something: one may lack the same.
const NEIGHBOURS_ON_LOSS_COUNT: usize = 2;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due<P> {
    /// With whom.
    pub peer: P,
    /// About which room.
    pub topic: Topic,
    /// How to begin.
    pub opening: Opening,
}

/// How a comparison of ours ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It came to its end.
    Whole {
        /// Whether something differed.
        differed: bool,
    },
    /// It ended early.
    Failed {
        /// Whether it moved any message: then the next one goes on there.
        moved: bool,
    },
    /// The peer compares with us just now, or there is no place for one more session.
    Elsewhere,
}

#[derive(Debug, Clone)]
struct Pair<P> {
    topic: Topic,
    peer: P,
    /// When to compare, in ms, and how.
    due: Option<(u64, bool)>,
    /// When it was last begun, in ms.
    begun: Option<u64>,
    under_way: bool,
    failures: u8,
}

#[derive(Debug, Clone)]
struct Room {
    topic: Topic,
    digest_at: u64,
    interval: u64,
    changed: bool,
}

/// When to compare with whom. `P` names a peer.
#[derive(Debug, Clone)]
pub struct Policy<P> {
    /// Few enough to be looked through: a peer is connected, and so are its rooms.
    pairs: Vec<Pair<P>>,
    rooms: Vec<Room>,
    pairs_max: usize,
    seed: [u64; 2],
    drawn: u64,
}

impl<P: Ord + Copy> Policy<P> {
    /// Nobody is met. `pairs_max` bounds the pairs of peer and room; the seed spreads what would come at once.
    pub const fn new(pairs_max: usize, seed: [u64; 2]) -> Self {
        Self { pairs: Vec::new(), rooms: Vec::new(), pairs_max, seed, drawn: 0 }
    }

    /// A peer that is in this room was met, or a peer that is met entered it. False if there are as many pairs as there
    /// may be: this one is not compared with by us.
    pub fn met(&mut self, peer: P, topic: &Topic, now_ms: u64) -> bool {
        let due = Some((now_ms + self.spread(MEET_MS_MAX), true));
        if let Some(pair) = self.pair(peer, topic) {
            (pair.due, pair.failures) = (due, 0);
            return true;
        }
        if self.pairs.len() >= self.pairs_max {
            return false;
        }
        let topic = topic.clone();
        self.pairs.push(Pair { topic: topic.clone(), peer, due, begun: None, under_way: false, failures: 0 });
        if self.rooms.iter().all(|room| room.topic != topic) {
            let digest_at = now_ms + DIGEST_INTERVAL_MS;
            self.rooms.push(Room { topic, digest_at, interval: DIGEST_INTERVAL_MS, changed: false });
        }
        true
    }

    /// A peer is gone.
    pub fn parted(&mut self, peer: P) {
        self.pairs.retain(|pair| pair.peer != peer);
        let pairs = &self.pairs;
        self.rooms.retain(|room| pairs.iter().any(|pair| pair.topic == room.topic));
    }

    /// A room was left.
    pub fn left(&mut self, topic: &Topic) {
        self.pairs.retain(|pair| pair.topic != *topic);
        self.rooms.retain(|room| room.topic != *topic);
    }

    /// Something was said in a room.
    pub fn said(&mut self, topic: &Topic, now_ms: u64) {
        if let Some(room) = self.room(topic) {
            room.changed = true;
            room.interval = DIGEST_INTERVAL_MS;
            room.digest_at = room.digest_at.min(now_ms + DIGEST_INTERVAL_MS);
        }
    }

    /// Gossip could not send or keep something of this room: some neighbours are asked soon.
    pub fn lost(&mut self, topic: &Topic, now_ms: u64) {
        let mut asked = None;
        for _ in 0..NEIGHBOURS_ON_LOSS_COUNT {
            let Some(peer) = self.longest_ago(topic, asked) else { return };
            self.news(peer, topic, now_ms);
            asked = Some(peer);
        }
    }

    /// This peer brought messages by catch-up: the other neighbours may lack them too.
    pub fn brought(&mut self, peer: P, topic: &Topic, now_ms: u64) {
        let others = self.pairs.iter().filter(|pair| pair.topic == *topic && pair.peer != peer);
        for other in others.map(|pair| pair.peer).collect::<Vec<_>>() {
            self.news(other, topic, now_ms);
        }
        self.said(topic, now_ms);
    }

    /// A comparison of ours ended, or could not be begun.
    pub fn ended(&mut self, peer: P, topic: &Topic, finish: Finish, now_ms: u64) {
        let retry = now_ms + RETRY_MS_MIN + self.spread(1_000);
        if let Some(pair) = self.pair(peer, topic) {
            pair.under_way = false;
            match finish {
                Finish::Whole { .. } => pair.failures = 0,
                Finish::Elsewhere => pair.due = pair.due.or(Some((retry, false))),
                Finish::Failed { moved } => {
                    pair.failures = if moved { 0 } else { pair.failures.saturating_add(1) };
                    let longer = RETRY_MS_MIN.saturating_mul((1 << pair.failures.min(16)) - 1).min(RETRY_MS_MAX);
                    pair.due = Some((retry + longer, true));
                }
            }
        }
        if let Finish::Whole { differed } = finish {
            self.agreed(topic, differed, now_ms);
        }
    }

    /// A peer asked, and has the same as we: that is this while's comparison of the room.
    pub fn same(&mut self, topic: &Topic, now_ms: u64) {
        self.agreed(topic, false, now_ms);
    }

    /// What is to be begun now. It counts as begun: say [`Policy::ended`] also where it could not be.
    pub fn poll(&mut self, now_ms: u64) -> Option<Due<P>> {
        let late = self.rooms.iter_mut().find(|room| room.digest_at <= now_ms);
        let digest = late.map(|room| {
            room.digest_at = now_ms + room.interval;
            room.topic.clone()
        });
        if let Some(topic) = digest
            && let Some(peer) = self.longest_ago(&topic, None)
            && let Some(pair) = self.pair(peer, &topic)
        {
            pair.due.get_or_insert((now_ms, false));
        }
        let due = |pair: &Pair<P>| !pair.under_way && pair.due.is_some_and(|(at, _)| at <= now_ms);
        let pair = self.pairs.iter_mut().find(|pair| due(pair))?;
        let opening = if pair.due.take().is_some_and(|(_, newest)| newest) { Opening::Newest } else { Opening::Digest };
        (pair.begun, pair.under_way) = (Some(now_ms), true);
        Some(Due { peer: pair.peer, topic: pair.topic.clone(), opening })
    }

    /// When [`Policy::poll`] has something next, in ms, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<u64> {
        let pairs = self.pairs.iter().filter(|pair| !pair.under_way).filter_map(|pair| pair.due);
        pairs.map(|(at, _)| at).chain(self.rooms.iter().map(|room| room.digest_at)).min()
    }

    fn agreed(&mut self, topic: &Topic, differed: bool, now_ms: u64) {
        let spread = self.spread(1_000);
        if let Some(room) = self.room(topic) {
            room.interval = match differed || core::mem::take(&mut room.changed) {
                true => DIGEST_INTERVAL_MS,
                false => (room.interval * 2).min(DIGEST_INTERVAL_MS_MAX),
            };
            room.digest_at = now_ms + room.interval + spread;
        }
    }

    /// A comparison for news, a little later: often more than one thing happens at once.
    fn news(&mut self, peer: P, topic: &Topic, now_ms: u64) {
        let soon = now_ms + NEWS_MS_MIN + self.spread(NEWS_MS_MAX - NEWS_MS_MIN);
        if let Some(pair) = self.pair(peer, topic) {
            let at = pair.begun.map_or(soon, |begun| soon.max(begun + NEWS_INTERVAL_MS));
            // One that failed is tried when its time has come.
            if pair.failures == 0 {
                pair.due = Some(pair.due.map_or((at, true), |(before, _)| (before.min(at), true)));
            }
        }
    }

    /// The neighbour in a room, other than this one, that we began with longest ago or never.
    fn longest_ago(&self, topic: &Topic, but: Option<P>) -> Option<P> {
        let free = |pair: &&Pair<P>| !pair.under_way && pair.failures == 0 && Some(pair.peer) != but;
        let pairs = self.pairs.iter().filter(|pair| pair.topic == *topic).filter(free);
        pairs.min_by_key(|pair| (pair.begun, pair.peer)).map(|pair| pair.peer)
    }

    fn pair(&mut self, peer: P, topic: &Topic) -> Option<&mut Pair<P>> {
        self.pairs.iter_mut().find(|pair| pair.peer == peer && pair.topic == *topic)
    }

    fn room(&mut self, topic: &Topic) -> Option<&mut Room> {
        self.rooms.iter_mut().find(|room| room.topic == *topic)
    }

    /// Some time below this, another each time.
    fn spread(&mut self, below_ms: u64) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        siphash(self.seed, &self.drawn.to_le_bytes()) % below_ms.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::room::RoomName;

    fn room(name: &str) -> Topic {
        RoomName::new(name).unwrap().topic()
    }

    /// All that is due until then, with when it was.
    fn due(policy: &mut Policy<u8>, until_ms: u64) -> Vec<(u64, Due<u8>)> {
        let mut all = Vec::new();
        while let Some(at) = policy.poll_timeout().filter(|at| *at <= until_ms) {
            match policy.poll(at) {
                Some(due) => all.push((at, due)),
                None => assert!(policy.poll_timeout().is_none_or(|next| next > at), "it does not stand still"),
            }
        }
        all
    }

    #[test]
    fn a_meeting_is_soon_and_pairs_are_bounded() {
        let (mut policy, lobby) = (Policy::new(3, [1, 2]), room("lobby"));
        assert!((1..=3).all(|peer| policy.met(peer, &lobby, 0)) && !policy.met(4, &lobby, 0));
        let all = due(&mut policy, MEET_MS_MAX);
        assert!(all.len() == 3 && all.iter().all(|(_, due)| due.opening == Opening::Newest && due.topic == lobby));
        assert!(policy.met(2, &lobby, 600), "one that is known is met again");
        assert!(due(&mut policy, 2_000).is_empty(), "one is under way");
        policy.ended(2, &lobby, Finish::Whole { differed: true }, 2_000);
        assert_eq!(due(&mut policy, 2_000).len(), 1);
        policy.parted(1);
        assert!(policy.met(4, &lobby, 0), "there is a place again");
        policy.left(&lobby);
        assert_eq!(policy.poll_timeout(), None);
    }

    #[test]
    fn one_that_fails_is_tried_ever_later_and_one_that_moved_something_soon() {
        let (mut policy, lobby) = (Policy::new(3, [1, 2]), room("lobby"));
        policy.met(1, &lobby, 0);
        let (mut now, mut waits) = (0, Vec::new());
        for _ in 0..8 {
            let (at, _) = due(&mut policy, now + 2 * RETRY_MS_MAX).remove(0);
            waits.push((at - now) / 1_000);
            now = at;
            policy.ended(1, &lobby, Finish::Failed { moved: false }, now);
        }
        assert!(waits.is_sorted() && (10..=11).contains(&waits[1]) && *waits.last().unwrap() >= 120, "{waits:?}");
        let (at, _) = due(&mut policy, now + 2 * RETRY_MS_MAX).remove(0);
        policy.ended(1, &lobby, Finish::Failed { moved: true }, at);
        assert!(policy.poll_timeout().unwrap() <= at + RETRY_MS_MIN + 1_000);
    }

    #[test]
    fn losses_ask_two_neighbours_and_what_came_in_all_others() {
        let (mut policy, lobby, attic) = (Policy::new(30, [1, 2]), room("lobby"), room("attic"));
        for peer in 1..=6 {
            policy.met(peer, &lobby, 0);
            policy.met(peer, &attic, 0);
        }
        let mut begun = due(&mut policy, 1_000);
        begun.iter().for_each(|(_, due)| policy.ended(due.peer, &due.topic, Finish::Whole { differed: false }, 1_000));
        assert_eq!(begun.len(), 12);
        policy.lost(&lobby, 10_000);
        policy.lost(&lobby, 10_001);
        begun = due(&mut policy, 12_000);
        assert!(begun.len() == 2 && begun.iter().all(|(_, due)| due.topic == lobby), "{begun:?}");
        policy.brought(3, &attic, 20_000);
        begun = due(&mut policy, 22_000);
        let peers: Vec<_> = begun.iter().map(|(_, due)| due.peer).collect();
        assert!(peers.len() == 5 && !peers.contains(&3) && begun.iter().all(|(_, due)| due.topic == attic));
    }
}
