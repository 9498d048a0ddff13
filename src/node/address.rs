//! Addresses of peers: with and without the peer, and whose. And how long to wait before one is dialled again.

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use std::{net::IpAddr, time::Duration};

/// An address without its trailing `/p2p/…`.
pub fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// The peer id an address ends in.
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// Whether an address is of this host only.
pub fn is_loopback(address: &Multiaddr) -> bool {
    ip_of(address).is_some_and(|ip| ip.is_loopback())
}

/// The IP an address begins with.
pub fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// Whether two addresses are of one family.
pub fn same_family(one: &Multiaddr, other: &Multiaddr) -> bool {
    matches!((ip_of(one), ip_of(other)), (Some(one), Some(other)) if one.is_ipv4() == other.is_ipv4())
}

/// Milliseconds, and as many more by chance, before a dial is tried again that a limit of our own kept from being made.
pub const LOCAL_LIMIT_MS: u64 = 250;

/// How long to wait for a place of our own.
pub fn backoff_local() -> Duration {
    Duration::from_millis(LOCAL_LIMIT_MS + fastrand::u64(..LOCAL_LIMIT_MS))
}

/// Exponential back-off with jitter: between half and the whole of `first · 2^failures`, at most `max`.
pub fn backoff(first_ms: u64, max_ms: u64, failures: u32) -> Duration {
    let whole = first_ms.saturating_mul(1 << failures.min(16)).min(max_ms);
    Duration::from_millis(fastrand::u64(whole / 2..=whole))
}
