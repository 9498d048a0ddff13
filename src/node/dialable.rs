//! Which addresses can be dialled, and why one cannot.

use libp2p::{Multiaddr, multiaddr::Protocol};

/// Why an address that a user gave cannot be dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDialable {
    /// Nothing is there.
    #[error("the address is missing: one looks like /ip4/192.0.2.7/tcp/4470")]
    Empty,
    /// It is no multiaddr.
    #[error("not a multiaddr ({0}); one looks like /ip4/192.0.2.7/tcp/4470")]
    NotAMultiaddr(String),
    /// It is a multiaddr of something else.
    #[error(
        "{0} cannot be dialled: only TCP can, such as /ip4/192.0.2.7/tcp/4470, /dns4/boot.example.org/tcp/4470 or \
         /dnsaddr/boot.example.org, each with or without /p2p/ID at its end"
    )]
    Transport(Multiaddr),
    /// Its port is zero.
    #[error("{0} has port 0, where nobody listens: name the port of the other")]
    Port(Multiaddr),
    /// Its IP is of nobody: unspecified, or of a group.
    #[error("{0} is the address of no single host: name the one of the other")]
    Nobody(Multiaddr),
}

/// Reads an address as a user gives it.
pub fn parse(text: &str) -> Result<Multiaddr, NotDialable> {
    if text.trim().is_empty() {
        return Err(NotDialable::Empty);
    }
    let address: Multiaddr =
        text.trim().parse().map_err(|error: libp2p::multiaddr::Error| NotDialable::NotAMultiaddr(error.to_string()))?;
    check(&address)?;
    Ok(address)
}

/// Whether an address can be dialled: TCP over IPv4, IPv6 or a name, or `/dnsaddr`; with or without `/p2p/…`.
pub fn check(address: &Multiaddr) -> Result<(), NotDialable> {
    let other = || NotDialable::Transport(address.clone());
    let mut parts = address.iter().peekable();
    let has_zone = parts.next_if(|part| matches!(part, Protocol::Ip6zone(_))).is_some();
    let is_group = match parts.next().ok_or(NotDialable::Empty)? {
        Protocol::Ip4(ip) if !has_zone => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        Protocol::Ip6(ip) => ip.is_unspecified() || ip.is_multicast(),
        Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) if !has_zone => false,
        Protocol::Dnsaddr(_) if !has_zone => {
            return match (parts.next(), parts.next()) {
                (None | Some(Protocol::P2p(_)), None) => Ok(()),
                _ => Err(other()),
            };
        }
        _ => return Err(other()),
    };
    let Some(Protocol::Tcp(port)) = parts.next() else { return Err(other()) };
    match (parts.next(), parts.next()) {
        (None | Some(Protocol::P2p(_)), None) if is_group => Err(NotDialable::Nobody(address.clone())),
        (None | Some(Protocol::P2p(_)), None) if port == 0 => Err(NotDialable::Port(address.clone())),
        (None | Some(Protocol::P2p(_)), None) => Ok(()),
        _ => Err(other()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    #[test]
    fn what_can_be_dialled() {
        for text in [
            "/ip4/192.0.2.7/tcp/4470",
            " /ip4/192.0.2.7/tcp/4470 ",
            "/ip6/fd00::7/tcp/1",
            "/ip6zone/eth0/ip6/fe80::7/tcp/65535",
            "/dns/pi.local/tcp/4470",
            "/dns4/boot.example.org/tcp/4470",
            "/dns6/boot.example.org/tcp/4470",
            "/dnsaddr/boot.example.org",
        ] {
            assert!(parse(text).is_ok(), "{text}");
            assert!(parse(&format!("{}/p2p/{PEER}", text.trim())).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_told_why() {
        for (text, part) in [
            ("", "the address is missing"),
            ("  ", "the address is missing"),
            ("192.0.2.7:4470", "not a multiaddr"),
            ("/ip4/192.0.2.777/tcp/1", "not a multiaddr"),
            ("/unix/x", "only TCP can"),
            ("/ip4/192.0.2.7", "only TCP can"),
            ("/ip4/192.0.2.7/udp/4470/quic-v1", "only TCP can"),
            ("/ip4/192.0.2.7/tcp/4470/ws", "only TCP can"),
            ("/ip4/192.0.2.7/tcp/4470/tcp/4470", "only TCP can"),
            ("/ip6zone/eth0/ip4/192.0.2.7/tcp/4470", "only TCP can"),
            ("/dnsaddr/boot.example.org/tcp/4470", "only TCP can"),
            ("/memory/7", "only TCP can"),
            ("/ip4/192.0.2.7/tcp/0", "has port 0"),
            ("/ip4/0.0.0.0/tcp/4470", "no single host"),
            ("/ip6/ff02::1/tcp/4470", "no single host"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part) && error.lines().count() == 1, "{text}: {error}");
        }
        let relayed = format!("/ip4/192.0.2.7/tcp/1/p2p/{PEER}/p2p-circuit");
        assert!(matches!(parse(&relayed), Err(NotDialable::Transport(_))));
        assert!(matches!(parse(&format!("/p2p/{PEER}")), Err(NotDialable::Transport(_))));
    }
}
