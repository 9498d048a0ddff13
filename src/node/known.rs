//! What is known of one peer: where it may be dialled, and what its connection is like.

use super::{
    address::{backoff, ip_of, is_loopback, without_peer},
    event::FoundBy,
};
use libp2p::{Multiaddr, swarm::ConnectionId};
use std::{
    collections::BTreeSet,
    net::IpAddr,
    time::{Duration, Instant},
};

/// First wait after a failed dial. It doubles with each failure.
pub const DIAL_BACKOFF_MS: u64 = 500;
/// Longest wait between dials of one peer.
pub const DIAL_BACKOFF_MAX_MS: u64 = 60_000;
/// First wait before a peer is dialled again that ended several connections soon, eight times as long with each. Guess: one
/// is bad luck.
pub const REFUSED_MS: u64 = 4_000;
/// Milliseconds, and as many more by chance, before a peer is dialled again that we let go ourselves.
pub const LET_GO_MS: u64 = 60_000;
/// Seconds a connection must have stood not to count as a refusal. A full house looks at a newcomer for ten seconds.
pub const LIVED_S: u64 = 30;
/// Seconds a connection must have stood for former refusals to be forgotten.
pub const FORGIVEN_S: u64 = 600;
/// Seconds in which a peer that starts afresh is believed once.
pub const AFRESH_S: u64 = 60;
/// Longest wait between dials of one that was lost on the way, with rooms of ours in common: its link may be back any moment, and
/// what was said waits for it. A dial takes five seconds to fail, so that it costs a packet or two a second.
pub const LOST_BACKOFF_MAX_MS: u64 = 1_000;
/// How long one that was lost is dialled so often. Guess: longer than people sit out a silence, and no night.
pub const LOST_MS_MAX: u64 = 300_000;

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
    /// Connections that ended soon, since one stood for long: it may be full, and is not to be hammered.
    pub refusals: u32,
    /// When it last said that it started afresh.
    pub afresh: Option<Instant>,
    /// Whether a dial is under way.
    pub dialling: bool,
    /// Whether mDNS hears it now.
    pub live: bool,
    /// Connections made anew in a row because it says nothing.
    pub mute_dials: u32,
    /// It was looked at and shares no protocol with us: it is left alone until it says something new of itself.
    pub is_stranger: bool,
    /// When its connection died under way, if it has not come back, and where it was.
    pub lost: Option<(Instant, IpAddr)>,
}

impl Known {
    /// A peer found just now, without an address yet, to be dialled then.
    pub(super) fn new(by: FoundBy, next_dial: Instant) -> Self {
        Known {
            addresses: Vec::new(),
            by,
            next_dial: Some(next_dial),
            failures: 0,
            refusals: 0,
            afresh: None,
            dialling: false,
            live: false,
            mute_dials: 0,
            is_stranger: false,
            lost: None,
        }
    }

    /// Whether it was lost lately, and may be back any moment where it was.
    pub fn is_lost(&self, now: Instant) -> bool {
        let is_late = |lost: Instant| now.saturating_duration_since(lost) < Duration::from_millis(LOST_MS_MAX);
        self.lost.is_some_and(|(at, ip)| is_late(at) && self.addresses.iter().any(|address| ip_of(address) == Some(ip)))
    }

    /// Where to dial it: while it is dialled often only where it was, for it may call anybody's address its own.
    pub fn targets(&self, now: Instant) -> Vec<Multiaddr> {
        let at = self.lost.filter(|_| self.is_lost(now)).map(|(_, ip)| ip);
        let is_wanted = |address: &&Multiaddr| at.is_none() || ip_of(address) == at;
        self.addresses.iter().rev().filter(is_wanted).cloned().collect()
    }

    /// It says that it started afresh: a new chance. Believed once a minute, for anybody on a LAN can say so.
    pub fn on_afresh(&mut self, now: Instant) -> bool {
        let is_soon = |at: Instant| now.saturating_duration_since(at) < Duration::from_secs(AFRESH_S);
        if self.afresh.is_some_and(is_soon) {
            return false;
        }
        self.afresh = Some(now);
        (self.failures, self.refusals, self.is_stranger) = (0, 0, false);
        self.next_dial = Some(self.next_dial.map_or(now, |at| at.min(now)));
        true
    }

    /// A connection ended that stood for so long. How long the peer is to be left alone, if it ended several soon, so that a
    /// short success forgets nothing, or if we let it go ourselves.
    pub fn on_ended(&mut self, lived: Duration, is_let_go: bool) -> Option<Duration> {
        if lived >= Duration::from_secs(FORGIVEN_S) {
            self.refusals = 0;
        } else if lived < Duration::from_secs(LIVED_S) && !is_let_go {
            self.refusals = self.refusals.saturating_add(1);
        }
        match self.refusals {
            _ if is_let_go => Some(Duration::from_millis(LET_GO_MS + fastrand::u64(..LET_GO_MS))),
            0 | 1 => None,
            refusals => Some(backoff(REFUSED_MS, DIAL_BACKOFF_MAX_MS, 3 * (refusals - 2))),
        }
    }

    /// When to dial it again.
    pub fn again(&self, now: Instant) -> Instant {
        let most = if self.is_lost(now) { LOST_BACKOFF_MAX_MS } else { DIAL_BACKOFF_MAX_MS };
        now + backoff(DIAL_BACKOFF_MS, most, self.failures)
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
    /// Pings in a row whose stream broke.
    pub ping_failures: u32,
    /// Rooms of ours it is in.
    pub rooms: BTreeSet<String>,
    /// Whether the address it stands on may be gone.
    pub adrift: bool,
    /// When to dial anew, and how often that was tried.
    pub suspect: Option<(Instant, u32)>,
    /// When to look whether it says anything.
    pub mute: Option<Instant>,
    /// Which stream of ours carries what we say.
    pub speech: u64,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ends_connections_soon_is_left_alone_for_ever_longer() {
        let mut known = Known::new(FoundBy::Dht, Instant::now());
        let short = Duration::from_secs(3);
        let waits: Vec<_> = (0..5).map(|_| known.on_ended(short, false).map_or(0, |wait| wait.as_millis())).collect();
        assert_eq!(waits[0], 0, "one is bad luck");
        assert!((2_000..=4_000).contains(&waits[1]) && (16_000..=32_000).contains(&waits[2]), "{waits:?}");
        assert!(waits[3..].iter().all(|wait| (30_000..=60_000).contains(wait)), "{waits:?}");
        assert!(known.on_ended(Duration::from_secs(LIVED_S), false).is_some(), "it has not stood for long");
        assert_eq!(known.on_ended(Duration::from_secs(FORGIVEN_S), false), None);
        assert!(known.on_ended(short, true) >= Some(Duration::from_millis(LET_GO_MS)), "we let it go");
        assert_eq!(known.refusals, 0, "which is not its fault");
    }
}
