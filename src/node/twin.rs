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
/// Milliseconds within which they must come. Source: measured, two copies of a card took turns 21 times in 90 s.
pub const CHANGES_MS: u64 = 90_000;
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

#[derive(Debug)]
struct Change {
    /// Where the peer was, and where it is.
    places: [(IpAddr, u16); 2],
    /// When it first went from one to the other.
    since: Instant,
    last: Instant,
    count: u32,
}

/// Peers that seem to jump between two places.
#[derive(Debug, Default)]
pub struct Changes {
    peers: BTreeMap<PeerId, Change>,
}

/// Whether a peer that went between these two places goes back. Who dials leaves from any port: that tells two programs apart
/// only where they share an address.
fn is_back(places: [(IpAddr, u16); 2], from: (IpAddr, u16), to: (IpAddr, u16)) -> bool {
    places == [to, from] || (from.0 != to.0 && places.map(|(ip, _)| ip) == [to.0, from.0])
}

impl Changes {
    /// A connection of a peer took the place of another. The two places, if it went to and fro so often that two programs
    /// must run under its identity.
    pub fn on_replaced(
        &mut self,
        peer: PeerId,
        from: (IpAddr, u16),
        to: (IpAddr, u16),
        now: Instant,
    ) -> Option<[(IpAddr, u16); 2]> {
        if from == to || from.0.is_ipv4() != to.0.is_ipv4() {
            return None;
        }
        let fresh = Change { places: [from, to], since: now, last: now, count: 1 };
        match self.peers.get_mut(&peer) {
            // Back from where it went to, and not too slowly.
            Some(change)
                if is_back(change.places, from, to)
                    && now.saturating_duration_since(change.since) < Duration::from_millis(CHANGES_MS) =>
            {
                (change.places, change.last, change.count) = ([from, to], now, change.count + 1);
                if change.count >= CHANGES_MAX {
                    (change.since, change.count) = (now, CHANGES_MAX / 2);
                    return Some([from, to]);
                }
            }
            Some(change) => *change = fresh,
            None => {
                if self.peers.len() >= CHANGING_PEERS_MAX {
                    let oldest = self.peers.iter().min_by_key(|(_, change)| change.last).map(|(peer, _)| *peer);
                    self.peers.retain(|peer, _| Some(*peer) != oldest);
                }
                self.peers.insert(peer, fresh);
            }
        }
        None
    }

    /// The peers that have not changed for long: forgotten now.
    pub fn take_settled(&mut self, now: Instant) -> Vec<PeerId> {
        let is_settled =
            |change: &Change| now.saturating_duration_since(change.last) >= Duration::from_millis(TWIN_QUIET_MS);
        let settled = self.peers.iter().filter(|(_, change)| is_settled(change)).map(|(peer, _)| *peer).collect();
        self.peers.retain(|_, change| !is_settled(change));
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
        assert!(!(0..20).any(|n| change(n % 2, 1 - n % 2, 100 + 60 * u64::from(n))));
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
