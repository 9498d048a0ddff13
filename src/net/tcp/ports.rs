//! Which ports dials may leave from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libp2p::core::transport::ListenerId;

/// The listening ports of a transport, in the order in which they were opened.
#[derive(Debug, Default)]
pub(super) struct Ports(Vec<(ListenerId, SocketAddr)>);

impl Ports {
    pub(super) fn add(&mut self, id: ListenerId, listening: SocketAddr) {
        self.0.push((id, listening));
    }

    pub(super) fn remove(&mut self, id: ListenerId) {
        self.0.retain(|(listener, _)| *listener != id);
    }

    /// Where a dial to `remote` leaves from: the oldest listening port of the same family, whose address is loopback
    /// if the remote's is. The interface is left to the system's routes.
    pub(super) fn local_for(&self, remote: IpAddr) -> Option<SocketAddr> {
        let fits = |it: &SocketAddr| {
            it.is_ipv4() == remote.is_ipv4()
                && (it.ip().is_unspecified() || it.ip().is_loopback() == remote.is_loopback())
        };
        let (_, listening) = self.0.iter().find(|(_, it)| fits(it))?;
        let any: IpAddr = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        Some(SocketAddr::new(any, listening.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn family_and_loopback_decide() {
        let mut ports = Ports::default();
        let ids: Vec<_> = (0..4).map(|_| ListenerId::next()).collect();
        let local = |ports: &Ports, remote: &str| ports.local_for(remote.parse().unwrap()).map(|it| it.to_string());
        assert_eq!(local(&ports, "10.0.0.1"), None);
        ports.add(ids[0], "127.0.0.1:1000".parse().unwrap());
        ports.add(ids[1], "10.0.0.5:1001".parse().unwrap());
        ports.add(ids[2], "[::]:1002".parse().unwrap());
        assert_eq!(local(&ports, "127.0.0.9").as_deref(), Some("0.0.0.0:1000"));
        assert_eq!(local(&ports, "192.168.0.1").as_deref(), Some("0.0.0.0:1001"));
        assert_eq!(local(&ports, "::1").as_deref(), Some("[::]:1002"));
        assert_eq!(local(&ports, "fd00::1").as_deref(), Some("[::]:1002"));
        ports.add(ids[3], "0.0.0.0:1003".parse().unwrap());
        ports.remove(ids[0]);
        assert_eq!(local(&ports, "127.0.0.9").as_deref(), Some("0.0.0.0:1003"));
        ports.remove(ids[2]);
        assert_eq!(local(&ports, "::1"), None);
    }
}
