//! Connections beside the one in use of the same peer: those that gave way to a newer one and still carry what was under
//! way on them, and those on which the peer speaks while we use another.
//!
//! Closed too soon they lose lines: on a link that drops packets TCP may need many seconds for the last of them, and
//! gossipsub never sends them again. A ping that began after the connection gave way and was answered shows that both
//! directions have arrived, for TCP keeps the order.

use super::mute::Opened;
use libp2p::{PeerId, swarm::ConnectionId};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long a connection that gave way stays open at least, and how much later than that a ping must have begun that
/// ends it: the other side may learn of the newer one by so much later. Guess: a lost packet is sent again three times.
pub const REPLACED_LINGER_MS: u64 = 4_000;
/// How long it stays open at most. Guess: TCP has then sent a packet eight times.
pub const REPLACED_LINGER_MAX_MS: u64 = 60_000;

/// Within this a ping on a connection that is alive has been answered which began late enough: one comes every 20 s.
pub const LINGERING_PING_MS: u64 = 25_000;

#[derive(Debug)]
struct Entry {
    since: Instant,
    peer: PeerId,
    connection: ConnectionId,
    /// When the peer opened a stream of its own here.
    opened: Opened,
    /// A ping that began late enough was the last one, and was answered.
    is_drained: bool,
    /// A later one of the same peer came.
    is_past: bool,
}

/// The connections, oldest first: one a peer.
#[derive(Debug)]
pub struct Lingering {
    entries: VecDeque<Entry>,
    most: usize,
}

impl Lingering {
    /// Keeps so many beyond the least time.
    pub fn new(most: usize) -> Self {
        Lingering { entries: VecDeque::new(), most }
    }

    /// A connection is beside the one in use from now on.
    pub fn push(&mut self, peer: PeerId, connection: ConnectionId, opened: Opened, now: Instant) {
        // Another one of the same peer makes room: a peer may have few connections.
        self.entries.iter_mut().filter(|entry| entry.peer == peer).for_each(|entry| entry.is_past = true);
        self.entries.push_back(Entry { since: now, peer, connection, opened, is_drained: false, is_past: false });
    }

    /// Whether a connection is not the one in use.
    pub fn contains(&self, connection: ConnectionId) -> bool {
        self.entries.iter().any(|entry| entry.connection == connection)
    }

    /// Those of a peer.
    pub fn of(&self, peer: &PeerId) -> impl Iterator<Item = ConnectionId> {
        self.entries.iter().filter(move |entry| entry.peer == *peer).map(|entry| entry.connection)
    }

    /// A ping that began at `begun` was answered on a connection.
    pub fn on_ping(&mut self, connection: ConnectionId, begun: Instant) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.connection == connection) {
            entry.is_drained |= begun >= entry.since + Duration::from_millis(REPLACED_LINGER_MS);
        }
    }

    /// A ping was not answered: nothing says any more that anybody is there.
    pub fn on_ping_failed(&mut self, connection: ConnectionId) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.connection == connection) {
            entry.is_drained = false;
        }
    }

    /// Whether a peer speaks on one of the connections, which is not known to be dead.
    pub fn has_voice(&self, peer: &PeerId, now: Instant) -> bool {
        let is_young = |since| now.saturating_duration_since(since) < Duration::from_millis(LINGERING_PING_MS);
        let mut entries = self.entries.iter().filter(|entry| entry.peer == *peer && entry.opened.number() > 0);
        entries.any(|entry| entry.is_drained || is_young(entry.since))
    }

    /// A connection is closed.
    pub fn on_closed(&mut self, connection: ConnectionId) {
        self.entries.retain(|entry| entry.connection != connection);
    }

    /// One that is to be closed now. It is forgotten. `in_use` says when a peer last opened a stream on the connection in
    /// use: if that was earlier than here, the peer would be mute without this one.
    pub fn pop_due(&mut self, in_use: impl Fn(&PeerId) -> u64, now: Instant) -> Option<(PeerId, ConnectionId)> {
        let is_crowded = self.entries.len() > self.most;
        let least = Duration::from_millis(if is_crowded { REPLACED_LINGER_MS } else { REPLACED_LINGER_MAX_MS });
        let is_due = |entry: &Entry| {
            let is_late = now.saturating_duration_since(entry.since) >= least;
            let speaks_here = entry.opened.number() > in_use(&entry.peer);
            match entry.is_drained && !entry.is_past && speaks_here {
                true => is_crowded && is_late,
                false => entry.is_drained || entry.is_past || is_late,
            }
        };
        let entry = self.entries.iter().position(is_due).and_then(|at| self.entries.remove(at))?;
        Some((entry.peer, entry.connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    fn ids<const N: usize>() -> [(PeerId, ConnectionId); N] {
        std::array::from_fn(|n| (PeerId::random(), ConnectionId::new_unchecked(n)))
    }

    /// The peer never opened a stream on the connection in use.
    fn nowhere(_: &PeerId) -> u64 {
        0
    }

    #[test]
    fn where_the_peer_speaks_the_connection_stays() {
        let (start, [(peer, connection), (other, _)]) = (Instant::now(), ids());
        let after = |ms| start + Duration::from_millis(ms);
        let (opened, clock) = (Opened::default(), AtomicU64::new(4));
        let mut lingering = Lingering::new(1);
        lingering.push(peer, connection, opened.clone(), start);
        opened.mark(&clock);
        lingering.on_ping(connection, after(REPLACED_LINGER_MS));
        let late = after(10 * REPLACED_LINGER_MAX_MS);
        assert_eq!(lingering.pop_due(nowhere, late), None);
        lingering.on_ping_failed(connection);
        assert_eq!(lingering.pop_due(nowhere, late), Some((peer, connection)), "nobody is there");
        lingering.push(peer, connection, opened.clone(), start);
        lingering.on_ping(connection, after(REPLACED_LINGER_MS));
        let elsewhere = |asked: &PeerId| if *asked == peer { 6 } else { 0 };
        assert_eq!(lingering.pop_due(elsewhere, late), Some((peer, connection)), "it speaks on the one in use");
        lingering.push(peer, connection, opened.clone(), start);
        lingering.on_ping(connection, after(REPLACED_LINGER_MS));
        lingering.push(other, ConnectionId::new_unchecked(7), Opened::default(), late);
        assert_eq!(lingering.pop_due(nowhere, late), Some((peer, connection)), "too many");
    }

    #[test]
    fn only_a_ping_that_began_late_enough_ends_it() {
        let (start, [(peer, connection), (_, other)]) = (Instant::now(), ids());
        let after = |ms| start + Duration::from_millis(ms);
        let mut lingering = Lingering::new(3);
        lingering.push(peer, connection, Opened::default(), start);
        lingering.on_ping(connection, after(REPLACED_LINGER_MS - 1));
        lingering.on_ping(other, after(REPLACED_LINGER_MS));
        assert_eq!(lingering.pop_due(nowhere, after(REPLACED_LINGER_MAX_MS - 1)), None);
        lingering.on_ping(connection, after(REPLACED_LINGER_MS));
        assert_eq!(lingering.pop_due(nowhere, after(REPLACED_LINGER_MS)), Some((peer, connection)));
        assert_eq!(lingering.pop_due(nowhere, after(REPLACED_LINGER_MAX_MS)), None);
    }

    #[test]
    fn in_the_end_it_is_closed_unanswered() {
        let (start, [(peer, connection)]) = (Instant::now(), ids());
        let mut lingering = Lingering::new(3);
        lingering.push(peer, connection, Opened::default(), start);
        assert!(lingering.contains(connection));
        let end = start + Duration::from_millis(REPLACED_LINGER_MAX_MS);
        assert_eq!(lingering.pop_due(nowhere, end), Some((peer, connection)));
        assert!(!lingering.contains(connection));
    }

    #[test]
    fn too_many_have_the_least_time_and_one_peer_has_one() {
        let (start, all @ [(peer, first), (_, second), (_, third)]) = (Instant::now(), ids());
        let end = start + Duration::from_millis(REPLACED_LINGER_MS);
        let mut lingering = Lingering::new(1);
        all[..2].iter().for_each(|(peer, connection)| lingering.push(*peer, *connection, Opened::default(), start));
        assert_eq!(lingering.pop_due(nowhere, start), None);
        assert_eq!(lingering.pop_due(nowhere, end), Some((peer, first)));
        assert_eq!(lingering.pop_due(nowhere, end), None, "one may stay");
        lingering.push(all[1].0, third, Opened::default(), end);
        assert_eq!(lingering.pop_due(nowhere, end), Some((all[1].0, second)), "its successor came");
        lingering.on_closed(third);
        assert_eq!(lingering.pop_due(nowhere, end + Duration::from_millis(REPLACED_LINGER_MAX_MS)), None);
    }
}
