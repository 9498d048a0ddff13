//! From the strings of TXT records to addresses that can be dialled from here.

use std::net::IpAddr;

use hickory_proto::rr::Name;
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

use super::{
    message::{Data, Found, strings},
    place::is_same_network,
};

/// Where we stand when we hear something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listener<'a> {
    /// The interface's name: the zone of the link-local addresses heard on it.
    pub zone: &'a str,
    /// The sender is on this host: its loopback is ours.
    pub is_own_host: bool,
    /// Where the packet came from: what a sender means that announces every address it has (py does).
    pub sender: IpAddr,
    /// Our addresses on this interface, with the length of their networks' prefix: a stranger speaks of its link alone.
    pub networks: &'a [(IpAddr, u8)],
    /// Where we listen ourselves.
    pub listening: &'a [Multiaddr],
}

/// What a packet says of one instance.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub peer: Option<PeerId>,
    pub addresses: Vec<HeardAddress>,
    /// A TXT record replaces what was said before.
    pub flushes: bool,
    /// Strings that gave no address.
    pub unusable: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct HeardAddress {
    pub address: Multiaddr,
    pub ttl_s: u32,
}

impl Listener<'_> {
    /// Gathers the TXT records of an instance: one for each address (js, rust), one with several strings (go), with keys
    /// `dnsaddr`, `dnsaddr2` … (py). An instance is one peer: the first string decides whose.
    pub(super) fn heard<'a>(&self, name: &Name, records: impl Iterator<Item = &'a Found>) -> Heard {
        let mut heard = Heard::default();
        for record in records {
            let Data::Txt(txt) = &record.data else { continue };
            if record.name != *name {
                continue;
            }
            heard.flushes |= record.flushes;
            for string in strings(txt) {
                let Some(text) = address_text(string) else { continue };
                match self.dialable(text) {
                    Some((peer, address)) if *heard.peer.get_or_insert(peer) == peer => {
                        if !heard.addresses.iter().any(|it| it.address == address) {
                            heard.addresses.push(HeardAddress { address, ttl_s: record.ttl_s });
                        }
                    }
                    _ => heard.unusable += 1,
                }
            }
        }
        heard
    }

    /// Of what an instance says that has our own peer id and not our name: where it is, if it is somebody else who lives
    /// now. Another host must speak for itself, for there are hosts that repeat what others said, such as we before a
    /// restart; on this host another port must be another program.
    pub(super) fn twin(&self, heard: &Heard) -> Option<Multiaddr> {
        let of = |address: &Multiaddr| {
            let mut parts = address.iter().skip_while(|part| matches!(part, Protocol::Ip6zone(_)));
            let ip = match parts.next()? {
                Protocol::Ip4(ip) => IpAddr::V4(ip),
                Protocol::Ip6(ip) => IpAddr::V6(ip),
                _ => return None,
            };
            let Protocol::Tcp(port) = parts.next()? else { return None };
            Some((ip, port))
        };
        let is_link_local = matches!(self.sender, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let ours: Vec<u16> = self.listening.iter().filter_map(of).map(|(_, port)| port).collect();
        let is_elsewhere = |address: &Multiaddr| match of(address) {
            Some((_, port)) if self.is_own_host => !ours.is_empty() && !ours.contains(&port),
            Some((ip, _)) => is_link_local || ip == self.sender,
            None => false,
        };
        let lives = heard.addresses.iter().filter(|it| it.ttl_s > 0);
        lives.map(|it| &it.address).find(|address| is_elsewhere(address)).cloned()
    }

    /// Whether an address is one that its sender may speak of: on the link that it was heard on, or of this host. What
    /// lies elsewhere anybody could have us dial, as often as it likes.
    fn is_believed(&self, ip: IpAddr) -> bool {
        let is_link_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        let is_on = |(our, length): &(IpAddr, u8)| is_same_network(*our, ip, *length);
        self.is_own_host || is_link_local || self.networks.iter().any(is_on)
    }

    /// Reads `/ip4|ip6/…/tcp/…/p2p/…` if it leads anywhere from here; the address without the peer.
    fn dialable(&self, text: &str) -> Option<(PeerId, Multiaddr)> {
        let whole: Multiaddr = text.parse().ok()?;
        let mut parts = whole.iter();
        let mut host = parts.next()?;
        if matches!(host, Protocol::Ip6zone(_)) {
            // The sender's own name for its interface says nothing here.
            host = parts.next()?;
        }
        match (&host, self.sender) {
            (Protocol::Ip4(ip), IpAddr::V4(sender)) if ip.is_unspecified() => host = sender.into(),
            (Protocol::Ip6(ip), IpAddr::V6(sender)) if ip.is_unspecified() => host = sender.into(),
            _ => {}
        }
        let mut address = Multiaddr::empty();
        match &host {
            Protocol::Ip4(ip) if ip.is_loopback() && !self.is_own_host => return None,
            Protocol::Ip4(ip) if ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() => return None,
            Protocol::Ip6(ip) if ip.is_loopback() && !self.is_own_host => return None,
            Protocol::Ip6(ip) if ip.is_unspecified() || ip.is_multicast() => return None,
            Protocol::Ip4(ip) if !self.is_believed(IpAddr::V4(*ip)) => return None,
            Protocol::Ip6(ip) if !self.is_believed(IpAddr::V6(*ip)) => return None,
            Protocol::Ip6(ip) if ip.is_unicast_link_local() => address.push(Protocol::Ip6zone(self.zone.into())),
            // No names: each would cost look-ups, and may lead anywhere.
            Protocol::Ip4(_) | Protocol::Ip6(_) => {}
            _ => return None,
        }
        address.push(host);
        match parts.next()? {
            Protocol::Tcp(0) => return None,
            tcp @ Protocol::Tcp(_) => address.push(tcp),
            _ => return None,
        }
        let Protocol::P2p(peer) = parts.next()? else { return None };
        parts.next().is_none().then_some((peer, address))
    }
}

/// The multiaddr in `dnsaddr=…` or `dnsaddr2=…`; keys are compared without case (RFC 6763 §6.4).
fn address_text(string: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"dnsaddr";
    let (key, rest) = string.split_at_checked(KEY.len())?;
    if !key.eq_ignore_ascii_case(KEY) {
        return None;
    }
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let value = rest.get(digits..)?.strip_prefix(b"=")?;
    std::str::from_utf8(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

    fn networks() -> [(IpAddr, u8); 2] {
        [("10.0.0.77".parse().unwrap(), 24), ("fd00::77".parse().unwrap(), 64)]
    }

    fn dialable(text: &str, is_own_host: bool) -> Option<String> {
        let listener =
            Listener { zone: "eth7", is_own_host, sender: [10, 0, 0, 9].into(), networks: &networks(), listening: &[] };
        listener.dialable(&format!("{text}/p2p/{PEER}")).map(|(_, address)| address.to_string())
    }

    #[test]
    fn addresses_that_lead_somewhere() {
        for text in ["/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/tcp/65535"] {
            assert_eq!(dialable(text, false).as_deref(), Some(text));
        }
        assert_eq!(dialable("/ip6/fe80::1/tcp/9", false).as_deref(), Some("/ip6zone/eth7/ip6/fe80::1/tcp/9"));
        assert_eq!(
            dialable("/ip6zone/wlan3/ip6/fe80::1/tcp/9", true).as_deref(),
            Some("/ip6zone/eth7/ip6/fe80::1/tcp/9")
        );
        assert_eq!(dialable("/ip4/127.0.0.1/tcp/9", true).as_deref(), Some("/ip4/127.0.0.1/tcp/9"));
    }

    #[test]
    fn every_address_of_a_host_is_the_one_it_speaks_from() {
        assert_eq!(dialable("/ip4/0.0.0.0/tcp/9", false).as_deref(), Some("/ip4/10.0.0.9/tcp/9"));
        let speaks_from = |sender: &str| {
            let listener = Listener {
                zone: "eth7",
                is_own_host: false,
                sender: sender.parse().unwrap(),
                networks: &networks(),
                listening: &[],
            };
            listener.dialable(&format!("/ip6/::/tcp/9/p2p/{PEER}")).map(|(_, address)| address.to_string())
        };
        assert_eq!(speaks_from("fd00::9").as_deref(), Some("/ip6/fd00::9/tcp/9"));
        assert_eq!(speaks_from("fe80::9").as_deref(), Some("/ip6zone/eth7/ip6/fe80::9/tcp/9"));
        assert_eq!(speaks_from("::1"), None, "loopback of another host");
        assert_eq!(speaks_from("10.0.0.9"), None, "another family");
    }

    #[test]
    fn a_stranger_speaks_of_its_link_alone() {
        for text in
            ["/ip4/10.0.1.1/tcp/22", "/ip4/192.0.2.1/tcp/80", "/ip6/2001:db8::1/tcp/80", "/ip6/fd00:0:0:1::1/tcp/9"]
        {
            assert_eq!(dialable(text, false), None, "{text}");
            assert_eq!(dialable(text, true).as_deref(), Some(text), "a program on this host");
        }
        assert_eq!(dialable("/ip4/169.254.7.7/tcp/9", false).as_deref(), Some("/ip4/169.254.7.7/tcp/9"));
    }

    #[test]
    fn addresses_that_lead_nowhere() {
        let texts = [
            "/ip4/127.0.0.1/tcp/9",
            "/ip6/::1/tcp/9",
            "/ip6/::/tcp/9",
            "/ip4/224.0.0.251/tcp/9",
            "/ip6/ff02::fb/tcp/9",
            "/ip4/10.0.0.1/tcp/0",
            "/ip4/10.0.0.1/udp/9/quic-v1",
            "/ip4/10.0.0.1/tcp/9/ws",
            "/ip4/10.0.0.1",
            "/dns/a.example/tcp/9",
            "/dns6/b.example/tcp/9",
            "/unix/tmp",
            "",
        ];
        for text in texts {
            assert_eq!(dialable(text, false), None, "{text}");
        }
        let listener = Listener {
            zone: "eth7",
            is_own_host: false,
            sender: [10, 0, 0, 9].into(),
            networks: &networks(),
            listening: &[],
        };
        for text in
            ["/ip4/10.0.0.1/tcp/9", "/ip4/10.0.0.1/tcp/9/p2p/x", "no address", "/ip4/10.0.0.1/tcp/9/p2p-circuit"]
        {
            assert_eq!(listener.dialable(text), None, "{text}");
        }
    }

    #[test]
    fn keys() {
        assert_eq!(address_text(b"dnsaddr=/x"), Some("/x"));
        assert_eq!(address_text(b"DNSaddr17=/x=y"), Some("/x=y"));
        for other in [&b"dnsaddr"[..], b"dnsaddr2", b"dnsaddrs=/x", b"id=dnsaddr=/x", b"", b"dnsaddr=\xff"] {
            assert_eq!(address_text(other), None);
        }
    }
}
