//! Bootstrap nodes: dialled until they answer, for ever, with back-off and jitter.
//!
//! libp2p's DHT never seeds itself again when its first dials failed; this is what does.

use super::peers::{FORGIVEN_S, LIVED_S, REFUSED_MS, backoff, backoff_local, peer_of};
use libp2p::{Multiaddr, PeerId, swarm::ConnectionId};
use std::time::{Duration, Instant};

/// Bootstrap nodes one node is given at most.
pub const BOOTSTRAP_MAX: usize = 16;
/// First wait after a failed dial of a bootstrap node. It doubles with each failure.
pub const BOOTSTRAP_BACKOFF_MS: u64 = 1_000;
/// Longest wait between dials of one bootstrap node: after its return nobody waits longer.
pub const BOOTSTRAP_BACKOFF_MAX_MS: u64 = 30_000;
/// Milliseconds, and half as many more by chance, before a bootstrap node is dialled again that let us go while we have
/// neighbours: it may know others by then, of whom they know nothing.
pub const BOOTSTRAP_REST_MS: u64 = 400_000;

/// Failed dials in a row after which a bootstrap node is told to be out of reach. Guess: one or two are a bad moment.
pub const UNREACHABLE_FAILURES_MIN: u32 = 3;

/// Characters of the reason that is kept of a failed dial.
const REASON_CHARS_MAX: usize = 240;

/// Why a dial failed, without the address when it was the only one: it is named before.
fn reason(address: &Multiaddr, error: &str) -> String {
    let reason = error.strip_prefix(&address.to_string()).and_then(|rest| match rest.split_once(": ") {
        Some((peer, reason)) if peer.is_empty() || peer.starts_with("/p2p/") => Some(reason),
        _ => None,
    });
    let reason = reason.unwrap_or(error);
    let mut kept: String = reason.chars().take(REASON_CHARS_MAX).collect();
    if kept.len() < reason.len() {
        kept.push('…');
    }
    kept
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Waiting { until: Instant },
    Dialling { connection: Option<ConnectionId> },
    Connected,
}

/// One bootstrap node.
#[derive(Debug)]
pub struct Entry {
    /// The address as given.
    pub address: Multiaddr,
    /// Its peer id, as given or as learned on the first connection.
    pub peer: Option<PeerId>,
    state: State,
    failures: u32,
    /// Connections that it ended soon, since one stood for long.
    refusals: u32,
    last_error: String,
}

/// The bootstrap nodes.
#[derive(Debug, Default)]
pub struct Bootstrap {
    entries: Vec<Entry>,
}

impl Bootstrap {
    /// The nodes as given; those past [`BOOTSTRAP_MAX`] are left out (the caller has refused them already).
    pub fn new(addresses: &[Multiaddr], now: Instant) -> Self {
        let entry = |address: &Multiaddr| Entry {
            address: address.clone(),
            peer: peer_of(address),
            state: State::Waiting { until: now },
            failures: 0,
            refusals: 0,
            last_error: String::new(),
        };
        Bootstrap { entries: addresses.iter().take(BOOTSTRAP_MAX).map(entry).collect() }
    }

    /// Whether any were given.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where they are, as given.
    pub fn addresses(&self) -> impl Iterator<Item = &Multiaddr> {
        self.entries.iter().map(|entry| &entry.address)
    }

    /// How many were given.
    pub fn peers_given(&self) -> usize {
        self.entries.len()
    }

    /// Each with its failed dials in a row and why the last one failed.
    pub fn reached(&self) -> Vec<(String, u32, String)> {
        self.entries.iter().map(|e| (e.address.to_string(), e.failures, e.last_error.clone())).collect()
    }

    /// Whether this peer is one of them.
    pub fn contains(&self, peer: &PeerId) -> bool {
        self.entries.iter().any(|e| e.peer.as_ref() == Some(peer))
    }

    /// Their peer ids, as far as known.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.entries.iter().filter_map(|e| e.peer)
    }

    /// The entries to dial now, by index; each is then being dialled.
    pub fn due(&mut self, now: Instant) -> Vec<(usize, Multiaddr, Option<PeerId>)> {
        let mut due = Vec::new();
        for (at, entry) in self.entries.iter_mut().enumerate() {
            if matches!(entry.state, State::Waiting { until } if until <= now) {
                entry.state = State::Dialling { connection: None };
                due.push((at, entry.address.clone(), entry.peer));
            }
        }
        due
    }

    /// The next time one is due.
    pub fn next_due(&self) -> Option<Instant> {
        let waiting = self.entries.iter().filter_map(|e| match e.state {
            State::Waiting { until } => Some(until),
            _ => None,
        });
        waiting.min()
    }

    /// A dial of entry `at` is under way.
    pub fn on_dialling(&mut self, at: usize, connection: ConnectionId) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.state = State::Dialling { connection: Some(connection) };
        }
    }

    /// A connection stands. True if it is to a bootstrap node.
    pub fn on_connected(&mut self, peer: PeerId, connection: ConnectionId) -> bool {
        let mut ours = false;
        for entry in &mut self.entries {
            if entry.peer == Some(peer) || entry.state == (State::Dialling { connection: Some(connection) }) {
                entry.peer = Some(peer);
                entry.state = State::Connected;
                entry.failures = 0;
                ours = true;
            }
        }
        ours
    }

    /// The last connection to a peer is gone, after so long. A node that is full answers and lets go: with other neighbours
    /// it has its rest, and without any it is asked ever more rarely.
    pub fn on_disconnected(&mut self, peer: &PeerId, lived: Duration, has_others: bool, now: Instant) {
        for entry in self.entries.iter_mut().filter(|e| e.peer.as_ref() == Some(peer)) {
            if lived >= Duration::from_secs(FORGIVEN_S) {
                entry.refusals = 0;
            } else if lived < Duration::from_secs(LIVED_S) {
                entry.refusals = entry.refusals.saturating_add(1);
            }
            let wait = match entry.refusals {
                1.. if has_others => Duration::from_millis(BOOTSTRAP_REST_MS + fastrand::u64(..BOOTSTRAP_REST_MS / 2)),
                0 | 1 => backoff(BOOTSTRAP_BACKOFF_MS, BOOTSTRAP_BACKOFF_MAX_MS, entry.failures),
                refusals => backoff(REFUSED_MS, BOOTSTRAP_BACKOFF_MAX_MS, 3 * (refusals - 2)),
            };
            entry.state = State::Waiting { until: now + wait };
        }
    }

    /// The last neighbour is gone: bootstrap nodes at rest are asked again, but for that one, which has just let us go.
    pub fn hurry(&mut self, last: &PeerId, now: Instant) {
        let rests = |entry: &&mut Entry| entry.failures == 0 && entry.peer.as_ref() != Some(last);
        for entry in self.entries.iter_mut().filter(rests) {
            if let State::Waiting { until } = &mut entry.state {
                let wait = if entry.refusals > 0 { REFUSED_MS + fastrand::u64(..REFUSED_MS) } else { 0 };
                *until = (*until).min(now + Duration::from_millis(wait));
            }
        }
    }

    /// A limit of our own kept a dial from being made: that says nothing of the node.
    pub fn put_off(&mut self, connection: ConnectionId, now: Instant) {
        let dialled = State::Dialling { connection: Some(connection) };
        for entry in self.entries.iter_mut().filter(|e| e.state == dialled) {
            entry.state = State::Waiting { until: now + backoff_local() };
        }
    }

    /// A dial of entry `at` could not even begin.
    pub fn on_refused(&mut self, at: usize, error: &str, now: Instant) {
        if let Some(entry) = self.entries.get_mut(at) {
            Self::fail(entry, error, now);
        }
    }

    /// A dial failed.
    pub fn on_dial_failed(&mut self, connection: ConnectionId, error: &str, now: Instant) {
        let dialled = State::Dialling { connection: Some(connection) };
        for entry in self.entries.iter_mut().filter(|e| e.state == dialled) {
            Self::fail(entry, error, now);
        }
    }

    fn fail(entry: &mut Entry, error: &str, now: Instant) {
        entry.failures = entry.failures.saturating_add(1);
        entry.last_error = reason(&entry.address, error);
        let wait = backoff(BOOTSTRAP_BACKOFF_MS, BOOTSTRAP_BACKOFF_MAX_MS, entry.failures);
        entry.state = State::Waiting { until: now + wait };
    }

    /// The network changed: dial those not connected at once.
    pub fn retry_all(&mut self, now: Instant) {
        for entry in &mut self.entries {
            if let State::Waiting { until } = &mut entry.state {
                *until = now;
            }
        }
    }

    /// Each node with its state in words.
    pub fn describe(&self, now: Instant) -> Vec<String> {
        let words = |entry: &Entry| match entry.state {
            State::Connected => format!("{}: connected", entry.address),
            State::Dialling { .. } => format!("{}: dialling", entry.address),
            State::Waiting { until } if entry.failures == 0 && entry.refusals > 0 => format!(
                "{}: ended {} connections soon (its places may be taken), dialling in {} s",
                entry.address,
                entry.refusals,
                seconds(until, now)
            ),
            State::Waiting { until } if entry.failures == 0 => {
                format!("{}: dialling in {} s", entry.address, seconds(until, now))
            }
            State::Waiting { until } => format!(
                "{}: {} failed dials in a row, again in {} s ({})",
                entry.address,
                entry.failures,
                seconds(until, now),
                entry.last_error
            ),
        };
        self.entries.iter().map(words).collect()
    }
}

fn seconds(until: Instant, now: Instant) -> u64 {
    until.saturating_duration_since(now).max(Duration::from_millis(1)).as_millis().div_ceil(1000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_failed_dial_names_no_address_twice_and_is_not_endless() {
        let address: Multiaddr = "/dns4/pi.local/tcp/4470".parse().unwrap();
        let why = |error: &str| reason(&address, error);
        assert_eq!(why("/dns4/pi.local/tcp/4470: nobody is there"), "nobody is there");
        assert_eq!(why("/dns4/pi.local/tcp/4470/p2p/12D3KooW: nobody is there"), "nobody is there");
        for other in ["/ip4/192.0.2.7/tcp/1: refused; /ip4/192.0.2.8/tcp/1: refused", "that is this peer itself"] {
            assert_eq!(why(other), other);
        }
        let long = "é".repeat(1_000);
        assert_eq!(why(&long).chars().count(), REASON_CHARS_MAX + 1);
        assert!(why(&long).ends_with('…'));
    }

    fn after(start: Instant, s: u64) -> Instant {
        start + Duration::from_secs(s)
    }

    /// Lets it be connected for so long, and says how long it waits afterwards.
    fn visit(nodes: &mut Bootstrap, lived_s: u64, has_others: bool, now: Instant) -> Duration {
        let peer = nodes.peers().next().unwrap();
        assert!(nodes.on_connected(peer, ConnectionId::new_unchecked(1)));
        nodes.on_disconnected(&peer, Duration::from_secs(lived_s), has_others, now);
        nodes.next_due().unwrap() - now
    }

    fn nodes(now: Instant) -> Bootstrap {
        let address = format!("/ip4/192.0.2.1/tcp/4470/p2p/{}", PeerId::random());
        Bootstrap::new(&[address.parse().unwrap()], now)
    }

    #[test]
    fn one_that_lets_go_again_and_again_is_not_hammered() {
        let now = Instant::now();
        let mut nodes = nodes(now);
        let waits: Vec<_> = (0..6).map(|_| visit(&mut nodes, 3, false, now).as_millis()).collect();
        assert!(waits[0] <= 1_000, "one short connection is bad luck: {waits:?}");
        assert!(waits[1] >= 2_000 && waits[2..].iter().all(|wait| (15_000..=30_000).contains(wait)), "{waits:?}");
        let rest = u128::from(BOOTSTRAP_REST_MS);
        assert!(visit(&mut nodes, 60, true, now).as_millis() >= rest, "with neighbours it has its rest");
        nodes.hurry(&PeerId::random(), now);
        let wait = (nodes.next_due().unwrap() - now).as_millis();
        assert!((4_000..8_000).contains(&wait), "without any it is asked again, but not at once: {wait}");
        assert!(
            visit(&mut nodes, FORGIVEN_S, true, now).as_millis() <= 1_000,
            "what stood for long may only have restarted"
        );
    }

    #[test]
    fn one_that_does_not_answer_is_dialled_at_least_twice_a_minute() {
        let mut now = Instant::now();
        let mut nodes = nodes(now);
        for _ in 0..20 {
            let (at, ..) = nodes.due(now).pop().unwrap();
            nodes.on_refused(at, "nobody there", now);
            now = nodes.next_due().unwrap();
        }
        nodes.due(now);
        nodes.on_refused(0, "nobody there", now);
        assert!(nodes.next_due().unwrap() <= after(now, 30));
    }
}
