//! What is known of one peer: where it may be dialled, and what its connection is like.

use super::{
    address::{is_loopback, without_peer},
    event::FoundBy,
};
use libp2p::{Multiaddr, swarm::ConnectionId};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// A peer we know addresses of.
#[derive(Debug)]
pub struct Known {
    /// Addresses without `/p2p`, the newest last.
    pub addresses: Vec<Multiaddr>,
    /// How it was found: first, or since it was only remembered.
    pub by: FoundBy,
    /// When to dial it, if it is not connected; none when it is not wanted.
    pub next_dial: Option<Instant>,
    /// Failed dials in a row.
    pub failures: u32,
    /// Whether a dial is under way.
    pub dialling: bool,
    /// Whether mDNS hears it now.
    pub live: bool,
    /// Connections made anew in a row because it says nothing.
    pub mute_dials: u32,
    /// It was looked at and shares no protocol with us: it is left alone until it says something new of itself.
    pub is_stranger: bool,
}

impl Known {
    /// A peer found just now, without an address yet, to be dialled then.
    pub(super) fn new(by: FoundBy, next_dial: Instant) -> Self {
        Known {
            addresses: Vec::new(),
            by,
            next_dial: Some(next_dial),
            failures: 0,
            dialling: false,
            live: false,
            mute_dials: 0,
            is_stranger: false,
        }
    }
}

/// A connected peer.
#[derive(Debug)]
pub struct Connected {
    /// The connection in use.
    pub connection: ConnectionId,
    /// Its remote address.
    pub address: Multiaddr,
    /// Its local address, known where the remote dialled.
    pub local: Option<Multiaddr>,
    /// Whether we dialled.
    pub outbound: bool,
    /// How it was found.
    pub found: FoundBy,
    /// Whether it shares a protocol with us that makes it a neighbour, once it has named them.
    pub shares: Option<bool>,
    /// Since when.
    pub since: Instant,
    /// Agent version from identify.
    pub agent: String,
    /// The last nickname heard from it.
    pub nick: String,
    /// Last round trip.
    pub rtt: Option<Duration>,
    /// Pings failed in a row.
    pub ping_failures: u32,
    /// Rooms of ours it is in.
    pub rooms: BTreeSet<String>,
    /// Whether the address it stands on may be gone.
    pub adrift: bool,
    /// When to dial anew, and how often that was tried.
    pub suspect: Option<(Instant, u32)>,
    /// When to look whether it says anything.
    pub mute: Option<Instant>,
}

impl Connected {
    /// Where to dial it anew: where it is, as far as we dialled it there, and where it says that it is.
    pub(super) fn addresses(&self, known: Option<&Known>) -> Vec<Multiaddr> {
        let mut addresses: Vec<Multiaddr> = Vec::new();
        if self.outbound {
            addresses.push(without_peer(self.address.clone()));
        }
        let told = known.into_iter().flat_map(|known| known.addresses.iter().rev());
        addresses.extend(told.filter(|a| !is_loopback(a)).cloned());
        addresses.dedup();
        addresses
    }
}
