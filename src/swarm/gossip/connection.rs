//! One connection of a peer.

use libp2p::{Multiaddr, core::ConnectedPoint, multiaddr::Protocol, swarm::ConnectionId};
use std::time::Instant;

/// A connection of a peer.
#[derive(Debug)]
pub(super) struct Connection {
    pub id: ConnectionId,
    pub endpoint: ConnectedPoint,
    pub since: Instant,
    /// When the peer last opened a stream here: later ones have higher numbers, none is 0.
    pub opened: u64,
    /// Our first stream here is being opened.
    pub is_opening: bool,
}

impl Connection {
    /// One that stands since now.
    pub fn new(id: ConnectionId, endpoint: ConnectedPoint, now: Instant) -> Self {
        Self { id, endpoint, since: now, opened: 0, is_opening: false }
    }
}

/// Whether a peer that was at one address and is at another has another address, not only another family of them.
pub(super) fn has_moved(old: &Multiaddr, new: &Multiaddr) -> bool {
    match (old.iter().next(), new.iter().next()) {
        (Some(Protocol::Ip4(old)), Some(Protocol::Ip4(new))) => old != new,
        (Some(Protocol::Ip6(old)), Some(Protocol::Ip6(new))) => old != new,
        _ => false,
    }
}

/// A number that is the same for peers of one network address: a /32, or a /64, or whatever there is.
pub(super) fn group(address: &Multiaddr) -> u64 {
    address
        .iter()
        .find_map(|part| match part {
            Protocol::Ip4(ip) => Some(u64::from(ip.to_bits())),
            Protocol::Ip6(ip) => Some((ip.to_bits() >> 64) as u64),
            _ => None,
        })
        .unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use libp2p::{
        PeerId,
        core::{Endpoint, transport::PortUse},
    };

    /// Peers and connections, each another.
    pub fn ids<const N: usize>() -> [(PeerId, ConnectionId); N] {
        std::array::from_fn(|n| (PeerId::random(), ConnectionId::new_unchecked(n)))
    }

    /// Where a peer is that dialled, or was dialled.
    pub fn endpoint(address: &str, is_dialer: bool) -> ConnectedPoint {
        let address: Multiaddr = address.parse().unwrap();
        match is_dialer {
            true => ConnectedPoint::Dialer { address, role_override: Endpoint::Dialer, port_use: PortUse::New },
            false => ConnectedPoint::Listener { local_addr: Multiaddr::empty(), send_back_addr: address },
        }
    }

    /// One that we dialled.
    pub fn connection(id: ConnectionId, since: Instant) -> Connection {
        Connection::new(id, endpoint("/ip4/192.0.2.7/tcp/4470", true), since)
    }

    #[test]
    fn another_family_of_addresses_is_no_move_and_one_network_address_is_one_group() {
        let at = |address: &str| address.parse::<Multiaddr>().unwrap();
        let [v4, other, port, v6, same] = [
            "/ip4/192.0.2.7/tcp/1",
            "/ip4/192.0.2.8/tcp/1",
            "/ip4/192.0.2.7/tcp/9",
            "/ip6/2001:db8::1/tcp/1",
            "/ip6/2001:db8::2/tcp/1",
        ]
        .map(at);
        assert!(has_moved(&v4, &other) && !has_moved(&v4, &port) && !has_moved(&v4, &v6) && has_moved(&v6, &same));
        assert!(group(&v4) == group(&port) && group(&v4) != group(&other) && group(&v6) == group(&same));
        assert_eq!(group(&at("/dns4/example.org/tcp/1")), 0);
    }
}
