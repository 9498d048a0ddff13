//! Signs that another program runs under this peer's identity, and that another peer's identity is used twice.
//!
//! Two programs with one identity are deaf to each other, and whoever meets both takes each for the other come back. A
//! sign is only what nothing else explains: not our own lines that come back, from this run or an earlier one; not a dial
//! that a router led back to ourselves; not a peer that moved.

use libp2p::{Multiaddr, PeerId};
use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

/// Milliseconds without a sign after which there is taken to be no other one: mDNS speaks each one and a half minute.
pub const TWIN_QUIET_MS: u64 = 300_000;
/// Stamps of our own last lines kept, to know them when they come back. Gossip repeats a line for seconds. Guess.
pub const OWN_STAMPS_MAX: usize = 256;
/// Milliseconds within which a connection that came from ourselves explains a dial that reached ourselves.
pub const SELF_DIAL_MS: u64 = 5_000;

/// Changes between the same two addresses of a peer that are no moving any more.
pub const CHANGES_MAX: u32 = 4;
/// Milliseconds within which they must come. Source: measured, two copies of a card take turns each 20 s, when the one that
/// was replaced misses its pings; and now and then one comes by IPv6.
pub const CHANGES_MS: u64 = 130_000;
/// Peers whose changes are counted; the one that changed longest ago goes first. Guess: few move at a time.
pub const CHANGING_PEERS_MAX: usize = 32;

/// Signs of somebody else with our identity.
#[derive(Debug, Default)]
pub struct Twin {
    /// No line of this run has this stamp or a lower one.
    before: u64,
    own: VecDeque<u64>,
    /// A dial reached our own id, and when that is to be judged.
    dialled: Option<(Multiaddr, Instant)>,
    /// Our own id dialled us, and when that is to be judged.
    reached: Option<(Multiaddr, Instant)>,
    /// The last sign.
    seen: Option<Instant>,
}

impl Twin {
    /// No sign yet. Earlier runs used stamps up to `mark`.
    pub fn new(mark: u64) -> Self {
        Twin { before: mark, ..Self::default() }
    }

    /// We said a line with this stamp.
    pub fn on_own_line(&mut self, stamp: u64) {
        if self.own.len() == OWN_STAMPS_MAX {
            self.before = self.before.max(self.own.pop_front().unwrap_or(0));
        }
        self.own.push_back(stamp);
    }

    /// A line came that is signed by us. Whether this run did not say it, nor an earlier one.
    pub fn is_foreign(&self, stamp: u64) -> bool {
        stamp > self.before && !self.own.contains(&stamp)
    }

    /// A dial reached our own id at an address that is not ours.
    pub fn on_dialled_self(&mut self, address: Multiaddr, now: Instant) {
        self.dialled = Some((address, now + Duration::from_millis(SELF_DIAL_MS)));
    }

    /// Our own id dialled us, from an address that is not ours.
    pub fn on_reached_by_self(&mut self, from: Multiaddr, now: Instant) {
        self.reached = Some((from, now + Duration::from_millis(SELF_DIAL_MS)));
    }

    /// When [`Twin::due`] has something to judge.
    pub fn next_due(&self) -> Option<Instant> {
        [&self.dialled, &self.reached].into_iter().flatten().map(|(_, at)| *at).min()
    }

    /// Where somebody else was met, if it was: a dial that reached our id without a connection that came in from it, or
    /// the other way about. Both are a router that led our own dial back.
    pub fn due(&mut self, now: Instant) -> Option<Multiaddr> {
        self.next_due().filter(|at| *at <= now)?;
        match (self.dialled.take(), self.reached.take()) {
            (Some((address, _)), None) | (None, Some((address, _))) => Some(address),
            _ => None,
        }
    }

    /// There was a sign.
    pub fn on_sign(&mut self, now: Instant) {
        self.seen = Some(now);
    }

    /// Whether the last sign is so long ago that it is over. Says so once.
    pub fn take_over(&mut self, now: Instant) -> bool {
        let is_over =
            self.seen.is_some_and(|at| now.saturating_duration_since(at) >= Duration::from_millis(TWIN_QUIET_MS));
        if is_over {
            self.seen = None;
        }
        is_over
    }
}

/// An address, as far as two programs on two hosts cannot have it both.
type Place = (IpAddr, u16);

#[derive(Debug, Clone, Copy)]
struct Change {
    /// Where the peer was, and where it is.
    places: [Place; 2],
    /// When it first went from one to the other.
    since: Instant,
    count: u32,
}

impl Change {
    /// The peer is at a place now. Whether it has gone to and fro so often that this is no moving.
    fn step(&mut self, to: Place, now: Instant) -> bool {
        let [was, is] = self.places;
        if is == to {
            return false;
        }
        // Who dials leaves from any port: that tells two programs apart only where they share an address.
        let is_back = was == to || (is.0 != to.0 && was.0 == to.0);
        // Back from where it went to, and not too slowly.
        if is_back && now.saturating_duration_since(self.since) < Duration::from_millis(CHANGES_MS) {
            (self.places, self.count) = ([is, to], self.count + 1);
        } else {
            *self = Change { places: [is, to], since: now, count: 1 };
        }
        let is_often = self.count >= CHANGES_MAX;
        if is_often {
            (self.since, self.count) = (now, CHANGES_MAX / 2);
        }
        is_often
    }
}

/// The changes of a peer. One host may have an address of each sort, so each is looked at by itself.
#[derive(Debug)]
struct Moves {
    v4: Option<Change>,
    v6: Option<Change>,
    last: Instant,
}

impl Moves {
    fn of(&mut self, place: Place) -> &mut Option<Change> {
        if place.0.is_ipv4() { &mut self.v4 } else { &mut self.v6 }
    }
}

/// Peers that seem to jump between two places.
#[derive(Debug, Default)]
pub struct Changes {
    peers: BTreeMap<PeerId, Moves>,
}

impl Changes {
    /// A connection of a peer took the place of another. The two places, if it went to and fro so often that two programs
    /// must run under its identity.
    pub fn on_replaced(&mut self, peer: PeerId, from: Place, to: Place, now: Instant) -> Option<[Place; 2]> {
        if from == to {
            return None;
        }
        if self.peers.len() >= CHANGING_PEERS_MAX && !self.peers.contains_key(&peer) {
            let oldest = self.peers.iter().min_by_key(|(_, moves)| moves.last).map(|(peer, _)| *peer);
            self.peers.retain(|peer, _| Some(*peer) != oldest);
        }
        let moves = self.peers.entry(peer).or_insert(Moves { v4: None, v6: None, last: now });
        moves.last = now;
        let at = |place: Place| Change { places: [place, place], since: now, count: 0 };
        // It may have come here unseen, when it was away altogether.
        let before = moves.of(from).get_or_insert(at(from));
        if before.places[1] != from {
            *before = at(from);
        }
        let change = moves.of(to).get_or_insert(at(to));
        change.step(to, now).then_some(change.places)
    }

    /// The peers that have not changed for long: forgotten now.
    pub fn take_settled(&mut self, now: Instant) -> Vec<PeerId> {
        let is_settled =
            |moves: &Moves| now.saturating_duration_since(moves.last) >= Duration::from_millis(TWIN_QUIET_MS);
        let settled = self.peers.iter().filter(|(_, moves)| is_settled(moves)).map(|(peer, _)| *peer).collect();
        self.peers.retain(|_, moves| !is_settled(moves));
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> (IpAddr, u16) {
        ([10, 0, 0, last].into(), 4470)
    }

    fn address() -> Multiaddr {
        "/ip4/192.0.2.7/tcp/4470".parse().unwrap()
    }

    #[test]
    fn only_lines_of_no_run_of_ours_are_foreign() {
        let mut twin = Twin::new(1_000);
        assert!(!twin.is_foreign(900) && !twin.is_foreign(1_000), "an earlier run said it");
        assert!(twin.is_foreign(1_001));
        (0..OWN_STAMPS_MAX as u64).for_each(|n| twin.on_own_line(2_000 + n));
        assert!(!twin.is_foreign(2_000) && twin.is_foreign(1_999) && twin.is_foreign(9_000));
        // What is no longer kept is not judged.
        twin.on_own_line(10_000);
        assert!(!twin.is_foreign(2_000) && !twin.is_foreign(1_999) && twin.is_foreign(9_000));
    }

    #[test]
    fn a_dial_that_a_router_led_back_is_no_sign() {
        let (mut twin, start) = (Twin::default(), Instant::now());
        let later = start + Duration::from_millis(SELF_DIAL_MS);
        twin.on_dialled_self(address(), start);
        assert_eq!(twin.due(start), None, "not yet judged");
        assert_eq!(twin.next_due(), Some(later));
        assert_eq!(twin.due(later), Some(address()));
        assert_eq!((twin.due(later), twin.next_due()), (None, None));
        twin.on_reached_by_self(address(), start);
        assert_eq!(twin.due(later), Some(address()));
        twin.on_dialled_self(address(), start);
        twin.on_reached_by_self("/ip4/192.0.2.1/tcp/9".parse().unwrap(), start + Duration::from_millis(20));
        assert_eq!((twin.due(later), twin.next_due()), (None, None), "both: it was our own");
    }

    #[test]
    fn it_is_over_when_there_was_no_sign_for_long() {
        let (mut twin, start) = (Twin::default(), Instant::now());
        assert!(!twin.take_over(start));
        twin.on_sign(start);
        assert!(!twin.take_over(start + Duration::from_millis(TWIN_QUIET_MS - 1)));
        assert!(twin.take_over(start + Duration::from_millis(TWIN_QUIET_MS)));
        assert!(!twin.take_over(start + Duration::from_millis(TWIN_QUIET_MS)), "said once");
    }

    #[test]
    fn who_goes_to_and_fro_is_two_and_who_moves_is_one() {
        let (mut changes, start, peer) = (Changes::default(), Instant::now(), PeerId::random());
        let mut change = |from: u8, to: u8, s: u64| {
            changes.on_replaced(peer, at(from), at(to), start + Duration::from_secs(s)).is_some()
        };
        assert!(![change(1, 2, 0), change(2, 1, 4), change(1, 2, 8)].contains(&true));
        assert!(change(2, 1, 12), "the fourth time");
        assert!(![change(1, 2, 16), change(1, 2, 20)].contains(&true));
        // One place after another, as on a walk; and back and forth once a minute, as at the edge of two networks.
        assert!(!(0..20).any(|n| change(n, n + 1, 30 + u64::from(n))));
        assert!(!(0..20).any(|n| change(n % 2, 1 - n % 2, 200 + 60 * u64::from(n))));
    }

    #[test]
    fn an_address_of_the_other_sort_in_between_hides_nothing_and_is_no_second_host() {
        let (start, peer, six) = (Instant::now(), PeerId::random(), ("fe80::1".parse().unwrap(), 4470));
        // As measured: the first one came back by IPv6 once.
        let mut changes = Changes::default();
        let seen = [at(1), at(2), six, at(2), at(1), at(2), at(1)];
        let told = (1..seen.len()).map(|n| {
            changes.on_replaced(peer, seen[n - 1], seen[n], start + Duration::from_secs(20 * n as u64)).is_some()
        });
        assert_eq!(told.collect::<Vec<_>>(), [false, false, false, false, false, true]);
        // A host with both goes from one to the other as often as it likes.
        let mut changes = Changes::default();
        for n in 0..20 {
            let [from, to] = if n % 2 == 0 { [at(1), six] } else { [six, at(1)] };
            assert_eq!(changes.on_replaced(peer, from, to, start + Duration::from_secs(n)), None);
        }
    }

    #[test]
    fn who_dials_leaves_from_any_port() {
        let (mut changes, start, peer) = (Changes::default(), Instant::now(), PeerId::random());
        let from_any = |last: u8, n: u64| (IpAddr::from([10, 0, 0, last]), 50_000 + n as u16);
        let mut change = |n: u64, one: u8, other: u8| {
            let (from, to) = (from_any([one, other][n as usize % 2], n), from_any([other, one][n as usize % 2], n + 1));
            changes.on_replaced(peer, from, to, start + Duration::from_secs(20 * n)).is_some()
        };
        assert_eq!([0, 1, 2, 3].map(|n| change(n, 1, 2)), [false, false, false, true]);
        // One program that connects anew again and again.
        assert!(!(10..20).any(|n| change(n, 3, 3)));
    }

    #[test]
    fn peers_are_bounded_and_forgotten() {
        let (mut changes, now) = (Changes::default(), Instant::now());
        for _ in 0..10 * CHANGING_PEERS_MAX {
            changes.on_replaced(PeerId::random(), at(1), at(2), now);
        }
        assert_eq!(changes.peers.len(), CHANGING_PEERS_MAX);
        assert!(changes.take_settled(now).is_empty());
        assert_eq!(changes.take_settled(now + Duration::from_millis(TWIN_QUIET_MS)).len(), CHANGING_PEERS_MAX);
        assert!(changes.peers.is_empty());
        assert_eq!(changes.on_replaced(PeerId::random(), at(1), ("fd00::1".parse().unwrap(), 1), now), None);
    }
}
