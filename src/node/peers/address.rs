//! What peers, addresses and connections are called in this folder, and where an address leads.
//!
//! The only file here that names libp2p: whoever moves the folder to another floor changes this one.

pub use libp2p::{Multiaddr, PeerId, swarm::ConnectionId};

use libp2p::multiaddr::Protocol;
use std::net::{IpAddr, SocketAddr};

/// A topic: a hash of its name that the caller makes, the same way for all peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Topic(pub u64);

/// The network an IP address is counted under: whoever has one address of it has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Network {
    /// One IPv4 address.
    V4(u32),
    /// The 64 bits that a provider or a router hands out.
    V6(u64),
}

impl Network {
    /// That of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Network::V4(ip.to_bits()),
            IpAddr::V6(ip) => Network::V6((ip.to_bits() >> 64) as u64),
        }
    }
}

/// How far away an address has a meaning, from near to far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// On this host.
    Host,
    /// In a home, an office or a lab: private and link-local addresses.
    Site,
    /// Everywhere.
    World,
}

impl Scope {
    /// That of an address. Source: RFC 1918, 3927, 4193, 4291 and, for what providers share, 6598.
    pub fn of(ip: IpAddr) -> Self {
        let is_site = match ip.to_canonical() {
            ip if ip.is_loopback() => return Scope::Host,
            IpAddr::V4(ip) => {
                let [a, b, ..] = ip.octets();
                ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
            }
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
        };
        if is_site { Scope::Site } else { Scope::World }
    }
}

/// The IP address that an address begins with; none for names.
pub fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().find(|part| !matches!(part, Protocol::Ip6zone(_)))? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// Whether an address begins with a name that would have to be looked up.
pub fn is_name(address: &Multiaddr) -> bool {
    let first = address.iter().next();
    matches!(first, Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) | Protocol::Dnsaddr(_)))
}

/// Where an address of IP and TCP leads, if one can dial there: a port and one host. The zone of a link is left out.
pub fn socket_of(address: &Multiaddr) -> Option<SocketAddr> {
    let ip = ip_of(address)?;
    let mut parts = address.iter().skip_while(|part| matches!(part, Protocol::Ip6zone(_))).skip(1);
    let Some(Protocol::Tcp(port)) = parts.next() else { return None };
    let ends = matches!(parts.next(), None | Some(Protocol::P2p(_))) && parts.next().is_none();
    let leads_nowhere = match ip {
        IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    };
    (port != 0 && ends && !leads_nowhere).then(|| SocketAddr::new(ip, port))
}

/// An address without its trailing `/p2p/…`.
pub fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// The peer that an address ends in.
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_ipv4_address_or_64_bits_of_ipv6_are_one_network() {
        assert_eq!(Network::of(ip("2001:db8::1")), Network::of(ip("2001:db8::ffff:1")));
        assert_ne!(Network::of(ip("2001:db8::1")), Network::of(ip("2001:db8:0:1::1")));
        assert_ne!(Network::of(ip("192.0.2.1")), Network::of(ip("192.0.2.2")));
        assert_eq!(Network::of(ip("::ffff:192.0.2.1")), Network::of(ip("192.0.2.1")));
    }

    #[test]
    fn scopes() {
        let of = |scope, all: &[&str]| all.iter().for_each(|text| assert_eq!(Scope::of(ip(text)), scope, "{text}"));
        of(Scope::Host, &["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]);
        of(Scope::Site, &["10.0.0.1", "172.31.0.1", "192.168.1.1", "169.254.3.4", "100.64.0.1", "fe80::1", "fd00::1"]);
        of(Scope::World, &["192.0.2.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "2001:db8::1"]);
        assert!(Scope::Host < Scope::Site && Scope::Site < Scope::World);
    }

    #[test]
    fn where_addresses_lead() {
        let leads = |text: &str| socket_of(&text.parse().unwrap()).map(|socket| socket.to_string());
        assert_eq!(leads("/ip4/10.0.0.1/tcp/4470").as_deref(), Some("10.0.0.1:4470"));
        assert_eq!(leads("/ip6zone/eth0/ip6/fe80::1/tcp/9").as_deref(), Some("[fe80::1]:9"));
        for nowhere in [
            "/ip4/10.0.0.1/tcp/0",
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/224.0.0.1/tcp/1",
            "/ip4/255.255.255.255/tcp/1",
            "/ip6/ff02::1/tcp/1",
            "/ip4/10.0.0.1/udp/9/quic-v1",
            "/ip4/10.0.0.1/tcp/9/ws",
            "/dns4/a.example/tcp/9",
            "/ip4/10.0.0.1",
        ] {
            assert_eq!(leads(nowhere), None, "{nowhere}");
        }
        assert!(is_name(&"/dnsaddr/a.example".parse().unwrap()) && !is_name(&"/ip4/10.0.0.1".parse().unwrap()));
    }
}
