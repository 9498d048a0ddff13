//! How many peers there is room for, and who may have the places.

use super::address::Scope;
use crate::base::board::Limits;

/// One connection in this many of a board is kept free for whoever comes while the house is full, so that a newcomer
/// can be looked at before somebody has to go. They are a part of `connections_max` and cost no further memory.
pub const ADMISSION_SHARE: u16 = 16;
/// Connections kept free for newcomers at the least: one may be held by somebody who says nothing.
pub const ADMISSION_PLACES_MIN: u16 = 2;
/// Three parts in this many of `peers_high` are what a peer looks for by itself: the rest is for those who come to it,
/// so that in a network of equals most houses are not full.
const GOAL_SHARE: usize = 4;
/// One place in this many may be held by one public address. Enough for a household behind one router.
const WORLD_SHARE: usize = 4;
/// Places that one public address may have on every board: two people of one household.
const WORLD_PLACES_MIN: usize = 2;
/// One place in this many is out of reach for any one private address: many peers may run on one host, and some
/// houses hold nobody else, but the last places are for others.
const SITE_RESERVE_SHARE: usize = 8;

/// What is kept free of a board's connections for newcomers.
pub const fn admission_places(connections_max: u16) -> u16 {
    let share = connections_max / ADMISSION_SHARE;
    if share > ADMISSION_PLACES_MIN { share } else { ADMISSION_PLACES_MIN }
}

/// The places of a board, in peers (or connections where it says so).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Connections that may stand, newcomers and those that gave way included.
    pub connections: usize,
    /// Outbound connections that may stand.
    pub outbound: usize,
    /// Dials that may be under way.
    pub pending: usize,
    /// Addresses kept of one peer.
    pub addresses: usize,
    /// Peers of a room below which more are looked for at once.
    pub low: usize,
    /// Peers that are looked for.
    pub goal: usize,
    /// Peers above which those that share no room are let go.
    pub high: usize,
    /// Peers that may stay.
    pub settled: usize,
    /// Peers that may stay of those that came to us.
    pub inbound: usize,
    /// Whether this is a node by which others find each other.
    pub is_bootstrap: bool,
}

impl Places {
    /// What a board allows.
    pub fn new(limits: &Limits, is_bootstrap: bool) -> Self {
        let high = usize::from(limits.peers_high);
        let most =
            usize::from(limits.connections_max - admission_places(limits.connections_max).min(limits.connections_max));
        Places {
            connections: limits.connections_max.into(),
            outbound: limits.connections_outbound_max.into(),
            pending: limits.connections_pending_max.into(),
            addresses: limits.addresses_per_peer_max.max(1).into(),
            low: limits.peers_low.into(),
            goal: if is_bootstrap { 0 } else { (high - high / GOAL_SHARE).max(1) },
            high,
            // Nobody stays long with a bootstrap node: there the places above the mark are for newcomers, too.
            settled: if is_bootstrap { high.min(most) } else { most },
            inbound: limits.connections_inbound_max.into(),
            is_bootstrap,
        }
    }

    /// How many of those who stay may be of one network.
    pub fn of_one_network(&self, scope: Scope) -> usize {
        match scope {
            Scope::World => (self.settled / WORLD_SHARE).max(WORLD_PLACES_MIN),
            Scope::Host | Scope::Site => self.settled - (self.settled / SITE_RESERVE_SHARE).max(1).min(self.settled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::board::BOARDS;

    #[test]
    fn on_every_board_a_newcomer_finds_a_place_in_a_full_house() {
        for board in BOARDS {
            for is_bootstrap in [false, true] {
                let places = Places::new(&board.limits, is_bootstrap);
                let what = (board.name, places);
                assert!(places.settled + usize::from(ADMISSION_PLACES_MIN) <= places.connections, "{what:?}");
                assert!(places.high <= places.settled || is_bootstrap, "{what:?}");
                assert!(places.goal < places.high && places.low <= places.high, "{what:?}");
                assert!(is_bootstrap || places.goal >= places.low.min(3), "{what:?}");
                for scope in [Scope::Host, Scope::Site, Scope::World] {
                    let share = places.of_one_network(scope);
                    assert!((2..places.settled).contains(&share), "{what:?}: {share} of one network");
                }
            }
        }
    }
}
