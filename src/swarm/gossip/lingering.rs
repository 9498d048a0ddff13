//! Connections beside the one in use of the same peer: those that gave way to a newer one and still carry what was under
//! way on them, and those on which the peer speaks while we use another.
//!
//! Closed too soon they lose lines: on a link that drops packets TCP may need many seconds for the last of them. A ping
//! that began after the connection gave way and was answered shows that both directions have arrived, for TCP keeps the
//! order.

use super::connection::Connection;
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
    connection: Connection,
    /// It is the second of two dials that met, and not one that gave way.
    is_crossed: bool,
    /// A ping that began late enough was the last one, and was answered.
    is_drained: bool,
    /// A later one of the same peer came.
    is_past: bool,
}

/// The connections, oldest first: one a peer, and for a moment its predecessors.
#[derive(Debug)]
pub(super) struct Lingering {
    entries: VecDeque<Entry>,
    most: usize,
}

impl Lingering {
    /// Keeps so many beyond the least time.
    pub fn new(most: usize) -> Self {
        Lingering { entries: VecDeque::new(), most }
    }

    /// A connection is beside the one in use from now on.
    pub fn push(&mut self, peer: PeerId, connection: Connection, is_crossed: bool, now: Instant) {
        // Another one of the same peer makes room: a peer may have few connections.
        for entry in self.of_mut(peer) {
            (entry.is_past, entry.is_crossed) = (true, false);
        }
        let entry = Entry { since: now, peer, connection, is_crossed, is_drained: false, is_past: false };
        self.entries.push_back(entry);
    }

    /// Takes out the one to be used when the one in use has ended, and whether it is the second one of two dials.
    pub fn take_best(&mut self, peer: PeerId) -> Option<(Connection, bool)> {
        let of_peer = |entry: &Entry| entry.peer == peer;
        let crossed = self.entries.iter().rposition(|entry| of_peer(entry) && entry.is_crossed);
        let at = crossed.or_else(|| self.entries.iter().rposition(of_peer))?;
        self.entries.remove(at).map(|entry| (entry.connection, entry.is_crossed))
    }

    /// The second one of two dials of a peer that met.
    pub fn crossed(&self, peer: PeerId) -> Option<&Connection> {
        self.entries.iter().find(|entry| entry.peer == peer && entry.is_crossed).map(|entry| &entry.connection)
    }

    /// A connection, to be told what happens on it.
    pub fn find_mut(&mut self, connection: ConnectionId) -> Option<&mut Connection> {
        self.entry(connection).map(|entry| &mut entry.connection)
    }

    /// Whether a connection is not the one in use.
    pub fn contains(&self, connection: ConnectionId) -> bool {
        self.entries.iter().any(|entry| entry.connection.id == connection)
    }

    /// Those of a peer.
    pub fn of(&self, peer: &PeerId) -> impl Iterator<Item = ConnectionId> {
        self.entries.iter().filter(move |entry| entry.peer == *peer).map(|entry| entry.connection.id)
    }

    /// A ping that began at `begun` was answered on a connection.
    pub fn on_ping(&mut self, connection: ConnectionId, begun: Instant) {
        if let Some(entry) = self.entry(connection) {
            entry.is_drained |= begun >= entry.since + Duration::from_millis(REPLACED_LINGER_MS);
        }
    }

    /// A ping was not answered: nothing says any more that anybody is there.
    pub fn on_ping_failed(&mut self, connection: ConnectionId) {
        self.entry(connection).into_iter().for_each(|entry| entry.is_drained = false);
    }

    /// Whether a peer speaks on one of the connections, which is not known to be dead.
    pub fn has_voice(&self, peer: &PeerId, now: Instant) -> bool {
        let is_young = |since| now.saturating_duration_since(since) < Duration::from_millis(LINGERING_PING_MS);
        let mut entries = self.entries.iter().filter(|entry| entry.peer == *peer && entry.connection.opened > 0);
        entries.any(|entry| entry.is_drained || is_young(entry.since))
    }

    /// A connection is closed.
    pub fn on_closed(&mut self, connection: ConnectionId) {
        self.entries.retain(|entry| entry.connection.id != connection);
    }

    /// One that is to be closed now. It is forgotten. `in_use` says when a peer last opened a stream on the connection in
    /// use: if that was earlier than here, the peer would be mute without this one.
    pub fn pop_due(&mut self, in_use: impl Fn(&PeerId) -> u64, now: Instant) -> Option<(PeerId, ConnectionId)> {
        let at = self.entries.iter().position(|entry| self.due(entry, &in_use).is_some_and(|due| due <= now))?;
        self.entries.remove(at).map(|entry| (entry.peer, entry.connection.id))
    }

    /// When one is to be closed next.
    pub fn next_due(&self, in_use: impl Fn(&PeerId) -> u64) -> Option<Instant> {
        self.entries.iter().filter_map(|entry| self.due(entry, &in_use)).min()
    }

    fn due(&self, entry: &Entry, in_use: impl Fn(&PeerId) -> u64) -> Option<Instant> {
        let is_crowded = self.entries.len() > self.most;
        let least = Duration::from_millis(if is_crowded { REPLACED_LINGER_MS } else { REPLACED_LINGER_MAX_MS });
        let speaks_here = entry.connection.opened > in_use(&entry.peer);
        match entry.is_drained && !entry.is_past && speaks_here {
            true => is_crowded.then_some(entry.since + least),
            false if entry.is_drained || entry.is_past => Some(entry.since),
            false => Some(entry.since + least),
        }
    }

    fn entry(&mut self, connection: ConnectionId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.connection.id == connection)
    }

    fn of_mut(&mut self, peer: PeerId) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut().filter(move |entry| entry.peer == peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::gossip::connection::tests::{connection, ids};

    /// The peer never opened a stream on the connection in use.
    fn nowhere(_: &PeerId) -> u64 {
        0
    }

    #[test]
    fn where_the_peer_speaks_the_connection_stays() {
        let (start, [(peer, id), (other, second)]) = (Instant::now(), ids());
        let after = |ms| start + Duration::from_millis(ms);
        let spoken = || Connection { opened: 5, ..connection(id, start) };
        let mut lingering = Lingering::new(1);
        lingering.push(peer, spoken(), false, start);
        lingering.on_ping(id, after(REPLACED_LINGER_MS));
        let late = after(10 * REPLACED_LINGER_MAX_MS);
        assert_eq!((lingering.pop_due(nowhere, late), lingering.next_due(nowhere)), (None, None));
        lingering.on_ping_failed(id);
        assert_eq!(lingering.pop_due(nowhere, late), Some((peer, id)), "nobody is there");
        lingering.push(peer, spoken(), false, start);
        lingering.on_ping(id, after(REPLACED_LINGER_MS));
        let elsewhere = |asked: &PeerId| if *asked == peer { 6 } else { 0 };
        assert_eq!(lingering.pop_due(elsewhere, late), Some((peer, id)), "it speaks on the one in use");
        lingering.push(peer, spoken(), false, start);
        lingering.on_ping(id, after(REPLACED_LINGER_MS));
        lingering.push(other, connection(second, late), false, late);
        assert_eq!(lingering.pop_due(nowhere, late), Some((peer, id)), "too many");
    }

    #[test]
    fn only_a_ping_that_began_late_enough_ends_it() {
        let (start, [(peer, id), (_, other)]) = (Instant::now(), ids());
        let after = |ms| start + Duration::from_millis(ms);
        let mut lingering = Lingering::new(3);
        lingering.push(peer, connection(id, start), false, start);
        lingering.on_ping(id, after(REPLACED_LINGER_MS - 1));
        lingering.on_ping(other, after(REPLACED_LINGER_MS));
        assert_eq!(lingering.pop_due(nowhere, after(REPLACED_LINGER_MAX_MS - 1)), None);
        assert_eq!(lingering.next_due(nowhere), Some(after(REPLACED_LINGER_MAX_MS)));
        lingering.on_ping(id, after(REPLACED_LINGER_MS));
        assert_eq!(lingering.pop_due(nowhere, after(REPLACED_LINGER_MS)), Some((peer, id)));
        assert_eq!(lingering.pop_due(nowhere, after(REPLACED_LINGER_MAX_MS)), None);
    }

    #[test]
    fn in_the_end_it_is_closed_unanswered() {
        let (start, [(peer, id)]) = (Instant::now(), ids());
        let mut lingering = Lingering::new(3);
        lingering.push(peer, connection(id, start), false, start);
        assert!(lingering.contains(id));
        let end = start + Duration::from_millis(REPLACED_LINGER_MAX_MS);
        assert_eq!(lingering.pop_due(nowhere, end), Some((peer, id)));
        assert!(!lingering.contains(id));
    }

    #[test]
    fn too_many_have_the_least_time_and_one_peer_has_one() {
        let (start, [(peer, first), (other, second), (_, third)]) = (Instant::now(), ids());
        let end = start + Duration::from_millis(REPLACED_LINGER_MS);
        let mut lingering = Lingering::new(1);
        lingering.push(peer, connection(first, start), false, start);
        lingering.push(other, connection(second, start), false, start);
        assert_eq!(lingering.pop_due(nowhere, start), None);
        assert_eq!(lingering.pop_due(nowhere, end), Some((peer, first)));
        assert_eq!(lingering.pop_due(nowhere, end), None, "one may stay");
        lingering.push(other, connection(third, end), false, end);
        assert_eq!(lingering.pop_due(nowhere, end), Some((other, second)), "its successor came");
        lingering.on_closed(third);
        assert_eq!(lingering.next_due(nowhere), None);
    }

    #[test]
    fn the_second_of_two_dials_takes_over_before_one_that_gave_way() {
        let (now, [(peer, old), (other, crossed), (_, young)]) = (Instant::now(), ids());
        let mut lingering = Lingering::new(3);
        lingering.push(peer, connection(crossed, now), true, now);
        lingering.push(other, connection(young, now), false, now);
        assert_eq!(lingering.crossed(peer).map(|it| it.id), Some(crossed));
        assert_eq!(lingering.take_best(peer).map(|(it, is_crossed)| (it.id, is_crossed)), Some((crossed, true)));
        assert!(lingering.take_best(peer).is_none());
        lingering.push(other, connection(old, now), false, now);
        assert!(lingering.crossed(other).is_none());
        assert_eq!(lingering.take_best(other).map(|(it, _)| it.id), Some(old), "the one that gave way last");
    }
}
