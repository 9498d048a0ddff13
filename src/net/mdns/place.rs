//! Where we speak: the interfaces, their networks, and which of our addresses belong to which.

use std::net::IpAddr;

use libp2p::{Multiaddr, multiaddr::Protocol};

use super::{limits::OWN_ADDRESSES_MAX, responder::OwnAddress};
use crate::net::interfaces::Interface;

/// What the system says of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub index: u32,
    pub name: String,
    pub is_loopback: bool,
    /// Addresses with the length of their networks' prefix.
    pub ips: Vec<(IpAddr, u8)>,
}

impl Place {
    pub(super) fn has(&self, wanted: IpAddr) -> bool {
        self.ips.iter().any(|(ip, _)| *ip == wanted)
    }

    /// Whether a sender is on one of the interface's networks (RFC 6762 §11).
    pub(super) fn is_on_link(&self, sender: IpAddr) -> bool {
        let is_link_local = match sender {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        is_link_local || self.ips.iter().any(|(ip, length)| is_same_network(*ip, sender, *length))
    }

    /// Our addresses here, the best first: those of our listeners whose IP this interface has. A link-local IPv6 address
    /// says nothing to who does not know the zone, so it stays out where there is another.
    pub(super) fn own_addresses(&self, listening: &[Multiaddr]) -> Vec<OwnAddress> {
        let mut own: Vec<OwnAddress> = Vec::new();
        for listen in listening.iter().filter_map(OwnAddress::of) {
            let all = self.ips.iter().map(|(ip, _)| *ip).filter(|ip| ip.is_ipv4() == listen.ip.is_ipv4());
            let ips: Vec<_> = all.filter(|ip| listen.ip.is_unspecified() || *ip == listen.ip).collect();
            for address in ips.into_iter().map(|ip| OwnAddress { ip, port: listen.port }) {
                if !own.contains(&address) {
                    own.push(address);
                }
            }
        }
        own.sort_by_key(|it| (it.rank(), it.ip, it.port));
        let is_v6_link_local = |it: &OwnAddress| matches!(it.ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        if !own.iter().all(is_v6_link_local) {
            own.retain(|it| !is_v6_link_local(it));
        }
        own.truncate(OWN_ADDRESSES_MAX);
        own
    }
}

/// Whether two addresses are of one network with a prefix of this length.
pub(super) fn is_same_network(a: IpAddr, b: IpAddr, prefix_len: u8) -> bool {
    let differ = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => return false,
    };
    differ >= prefix_len.into()
}

/// The interfaces to speak on: those that reach others. Loopback joins them if there are none, or if we listen on
/// nothing else: then our peers are on this host.
pub(super) fn places(interfaces: &[Interface], listening: &[Multiaddr], ipv6: bool) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    // Loopback has no route for IPv6 groups.
    let is_wanted = |it: &&Interface| it.ip.is_ipv4() || (ipv6 && !it.is_loopback);
    for it in interfaces.iter().filter(is_wanted).filter(|it| it.is_multicast || it.is_loopback) {
        match places.iter_mut().find(|place| place.index == it.index) {
            Some(place) => place.ips.push((it.ip, it.prefix_len)),
            None => places.push(Place {
                index: it.index,
                name: it.name.clone(),
                is_loopback: it.is_loopback,
                ips: vec![(it.ip, it.prefix_len)],
            }),
        }
    }
    let is_loopback = |address: &Multiaddr| match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    };
    let only_here = !listening.is_empty() && listening.iter().all(is_loopback);
    if !only_here && places.iter().any(|it| !it.is_loopback) {
        places.retain(|it| !it.is_loopback);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(ips: &[(&str, u8)]) -> Place {
        let ips = ips.iter().map(|(ip, length)| (ip.parse().unwrap(), *length)).collect();
        Place { index: 2, name: "eth0".into(), is_loopback: false, ips }
    }

    #[test]
    fn on_link() {
        let place = place(&[("10.1.2.3", 24), ("fd00::1", 64)]);
        for ip in ["10.1.2.255", "169.254.3.4", "fd00::ffff:1", "fe80::9"] {
            assert!(place.is_on_link(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["10.1.3.3", "8.8.8.8", "127.0.0.1", "fd00:0:0:1::1", "2001:db8::1", "::1"] {
            assert!(!place.is_on_link(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn only_this_interfaces_addresses_the_best_first() {
        let place = place(&[("fe80::1", 64), ("fd00::1", 64), ("10.1.2.3", 24), ("169.254.1.1", 16)]);
        let texts = [
            "/ip6/fd00::1/tcp/9",
            "/ip4/192.168.9.9/tcp/9",
            "/ip4/127.0.0.1/tcp/9",
            "/ip4/10.1.2.3/udp/9/quic-v1",
            "/ip6/fe80::1/tcp/9",
            "/ip4/0.0.0.0/tcp/7",
            "/ip4/10.1.2.3/tcp/7",
        ];
        let listening: Vec<Multiaddr> = texts.iter().map(|it| it.parse().unwrap()).collect();
        let found: Vec<_> = place.own_addresses(&listening).iter().map(|it| format!("{} {}", it.ip, it.port)).collect();
        assert_eq!(found, ["10.1.2.3 7", "fd00::1 9", "169.254.1.1 7"]);
        let lonely: Vec<Multiaddr> = vec!["/ip6/::/tcp/9".parse().unwrap()];
        let place = Place { ips: place.ips[..1].to_vec(), ..place };
        assert_eq!(place.own_addresses(&lonely).len(), 1);
    }

    #[test]
    fn where_it_speaks() {
        let interface = |ip: IpAddr| Interface {
            name: "eth0".into(),
            index: 7,
            ip,
            prefix_len: 16,
            is_loopback: ip.is_loopback(),
            is_point_to_point: false,
            is_multicast: !ip.is_loopback(),
        };
        let lan = interface(IpAddr::from([10, 0, 0, 1]));
        let v6 = interface("fe80::1".parse().unwrap());
        let here = Interface { index: 1, name: "lo".into(), prefix_len: 8, ..interface(IpAddr::from([127, 0, 0, 1])) };
        let here_v6 = Interface { ip: "::1".parse().unwrap(), ..here.clone() };
        let tunnel = Interface { index: 9, is_multicast: false, ..lan.clone() };
        let names = |interfaces: &[Interface], listening: &[&str]| {
            let listening: Vec<Multiaddr> = listening.iter().map(|it| it.parse().unwrap()).collect();
            let all = places(interfaces, &listening, true);
            all.into_iter().map(|it| format!("{} {}", it.index, it.ips.len())).collect::<Vec<_>>()
        };
        let all = [here.clone(), here_v6.clone(), lan.clone(), v6, tunnel];
        assert_eq!(names(&all, &[]), ["7 2"]);
        assert_eq!(names(&all, &["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1"]), ["7 2"]);
        assert_eq!(names(&all, &["/ip4/127.0.0.1/tcp/1"]), ["1 1", "7 2"]);
        assert_eq!(names(&[here, here_v6], &[]), ["1 1"], "nothing else is up");
        assert!(places(&all, &[], false).iter().all(|it| it.ips.iter().all(|(ip, _)| ip.is_ipv4())));
    }
}
