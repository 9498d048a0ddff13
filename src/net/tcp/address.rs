//! Between multiaddresses and socket addresses.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use libp2p::{Multiaddr, multiaddr::Protocol};

use crate::net::interfaces::{self, Interface};

/// The socket address of `[/ip6zone/NAME]/ip4|ip6/…/tcp/…[/p2p/…]`; `None` for anything else.
///
/// A link-local IPv6 address means nothing without its interface. It is the one named by `ip6zone`; without that, the
/// one that has the address, or else the only one that has a link-local address at all.
pub(super) fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter().peekable();
    let zone = match parts.peek() {
        Some(Protocol::Ip6zone(zone)) => Some(zone.to_string()),
        _ => None,
    };
    if zone.is_some() {
        parts.next();
    }
    let ip = match parts.next()? {
        Protocol::Ip4(ip) if zone.is_none() => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let Protocol::Tcp(port) = parts.next()? else { return None };
    match (parts.next(), parts.next()) {
        (None | Some(Protocol::P2p(_)), None) => {}
        _ => return None,
    }
    Some(match ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            let listed = interfaces::list().unwrap_or_default();
            SocketAddrV6::new(ip, port, 0, scope(ip, zone.as_deref(), &listed)).into()
        }
        ip => SocketAddr::new(ip, port),
    })
}

/// The multiaddress of a socket address.
pub(super) fn multiaddress(ip: IpAddr, port: u16) -> Multiaddr {
    Multiaddr::empty().with(ip.into()).with(Protocol::Tcp(port))
}

/// The index of the interface that a link-local address belongs to; zero if that cannot be told.
fn scope(ip: Ipv6Addr, zone: Option<&str>, listed: &[Interface]) -> u32 {
    let link_local = |it: &&Interface| matches!(it.ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let found = match zone {
        Some(name) => listed.iter().find(|it| it.name == name),
        None => listed.iter().find(|it| it.ip == ip).or_else(|| {
            let mut all = listed.iter().filter(link_local);
            let first = all.next()?;
            all.all(|it| it.index == first.index).then_some(first)
        }),
    };
    found.map_or(0, |it| it.index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_converted_or_refused() {
        let convert = |text: &str| socket_address(&text.parse().unwrap()).map(|address| address.to_string());
        let good = [
            ("/ip4/127.0.0.1/tcp/12345", "127.0.0.1:12345"),
            ("/ip4/255.255.255.255/tcp/8080", "255.255.255.255:8080"),
            ("/ip6/::1/tcp/12345", "[::1]:12345"),
            ("/ip6/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/tcp/8080", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:8080"),
            ("/ip4/1.2.3.4/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN", "1.2.3.4:1"),
        ];
        for (text, wanted) in good {
            assert_eq!(convert(text).as_deref(), Some(wanted), "{text}");
        }
        for text in [
            "/ip4/127.0.0.1",
            "/ip4/127.0.0.1/udp/1234",
            "/ip4/127.0.0.1/tcp/1/tcp/1",
            "/ip4/127.0.0.1/tcp/1/ws",
            "/tcp/1",
            "/dns4/example.com/tcp/1",
            "/ip6zone/eth0/ip4/127.0.0.1/tcp/1",
            "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit",
        ] {
            assert_eq!(convert(text), None, "{text}");
        }
    }

    #[test]
    fn a_link_local_address_finds_its_interface() {
        let interface = |name: &str, index, ip: &str| Interface {
            name: name.into(),
            index,
            ip: ip.parse().unwrap(),
            prefix_len: 64,
            is_loopback: false,
            is_point_to_point: false,
            is_multicast: true,
        };
        let one = [interface("eth0", 2, "fd00::1"), interface("eth0", 2, "fe80::1"), interface("wg0", 3, "10.0.0.1")];
        let two = [interface("eth0", 2, "fe80::1"), interface("wlan0", 3, "fe80::2")];
        let far = "fe80::9".parse().unwrap();
        assert_eq!(scope(far, None, &one), 2);
        assert_eq!(scope(far, None, &two), 0);
        assert_eq!(scope("fe80::2".parse().unwrap(), None, &two), 3);
        assert_eq!(scope(far, Some("wlan0"), &two), 3);
        assert_eq!(scope(far, Some("none"), &two), 0);
    }
}
