//! Connections that gave way to a newer one of the same peer, and still carry what was under way on them.
//!
//! Closed too soon they lose lines: on a link that drops packets TCP may need many seconds for the last of them, and
//! gossipsub never sends them again. A ping that began after the connection gave way and was answered shows that both
//! directions have arrived, for TCP keeps the order.

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

#[derive(Debug)]
struct Entry {
    since: Instant,
    peer: PeerId,
    connection: ConnectionId,
    is_drained: bool,
}

/// The connections that gave way, oldest first: one a peer.
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

    /// A connection gave way.
    pub fn push(&mut self, peer: PeerId, connection: ConnectionId, now: Instant) {
        // Another one of the same peer makes room: a peer may have few connections.
        self.entries.iter_mut().filter(|entry| entry.peer == peer).for_each(|entry| entry.is_drained = true);
        self.entries.push_back(Entry { since: now, peer, connection, is_drained: false });
    }

    /// Whether a connection gave way.
    pub fn contains(&self, connection: ConnectionId) -> bool {
        self.entries.iter().any(|entry| entry.connection == connection)
    }

    /// A ping that began at `begun` was answered on a connection.
    pub fn on_ping(&mut self, connection: ConnectionId, begun: Instant) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.connection == connection) {
            entry.is_drained |= begun >= entry.since + Duration::from_millis(REPLACED_LINGER_MS);
        }
    }

    /// A connection is closed.
    pub fn on_closed(&mut self, connection: ConnectionId) {
        self.entries.retain(|entry| entry.connection != connection);
    }

    /// One that is to be closed now. It is forgotten.
    pub fn pop_due(&mut self, now: Instant) -> Option<(PeerId, ConnectionId)> {
        let is_crowded = self.entries.len() > self.most;
        let least = Duration::from_millis(if is_crowded { REPLACED_LINGER_MS } else { REPLACED_LINGER_MAX_MS });
        let is_due = |entry: &Entry| entry.is_drained || now.saturating_duration_since(entry.since) >= least;
        let entry = self.entries.iter().position(is_due).and_then(|at| self.entries.remove(at))?;
        Some((entry.peer, entry.connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<const N: usize>() -> [(PeerId, ConnectionId); N] {
        std::array::from_fn(|n| (PeerId::random(), ConnectionId::new_unchecked(n)))
    }

    #[test]
    fn only_a_ping_that_began_late_enough_ends_it() {
        let (start, [(peer, connection), (_, other)]) = (Instant::now(), ids());
        let after = |ms| start + Duration::from_millis(ms);
        let mut lingering = Lingering::new(3);
        lingering.push(peer, connection, start);
        lingering.on_ping(connection, after(REPLACED_LINGER_MS - 1));
        lingering.on_ping(other, after(REPLACED_LINGER_MS));
        assert_eq!(lingering.pop_due(after(REPLACED_LINGER_MAX_MS - 1)), None);
        lingering.on_ping(connection, after(REPLACED_LINGER_MS));
        assert_eq!(lingering.pop_due(after(REPLACED_LINGER_MS)), Some((peer, connection)));
        assert_eq!(lingering.pop_due(after(REPLACED_LINGER_MAX_MS)), None);
    }

    #[test]
    fn in_the_end_it_is_closed_unanswered() {
        let (start, [(peer, connection)]) = (Instant::now(), ids());
        let mut lingering = Lingering::new(3);
        lingering.push(peer, connection, start);
        assert!(lingering.contains(connection));
        let end = start + Duration::from_millis(REPLACED_LINGER_MAX_MS);
        assert_eq!(lingering.pop_due(end), Some((peer, connection)));
        assert!(!lingering.contains(connection));
    }

    #[test]
    fn too_many_have_the_least_time_and_one_peer_has_one() {
        let (start, all @ [(peer, first), (_, second), (_, third)]) = (Instant::now(), ids());
        let end = start + Duration::from_millis(REPLACED_LINGER_MS);
        let mut lingering = Lingering::new(1);
        all[..2].iter().for_each(|(peer, connection)| lingering.push(*peer, *connection, start));
        assert_eq!(lingering.pop_due(start), None);
        assert_eq!(lingering.pop_due(end), Some((peer, first)));
        assert_eq!(lingering.pop_due(end), None, "one may stay");
        lingering.push(all[1].0, third, end);
        assert_eq!(lingering.pop_due(end), Some((all[1].0, second)), "its successor came");
        lingering.on_closed(third);
        assert_eq!(lingering.pop_due(end + Duration::from_millis(REPLACED_LINGER_MAX_MS)), None);
    }
}
