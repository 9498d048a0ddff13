//! Which of our addresses others are told: as far as the DHT reaches, and no address where it has no meaning.

use super::{
    peers::address::{Scope, ip_of},
    state::Node,
};
use libp2p::{Multiaddr, multiaddr::Protocol};
use std::{collections::BTreeSet, net::IpAddr};

/// How far away an address has a meaning. Names are everybody's, but for those of one link.
fn scope_of(address: &Multiaddr) -> Scope {
    let is_of_link = |name: &str| name.trim_end_matches('.').ends_with(".local");
    match address.iter().next() {
        Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name)) if is_of_link(&name) => Scope::Site,
        _ => ip_of(address).map_or(Scope::World, Scope::of),
    }
}

/// Whether an address means nothing but on one link, by the name that each host has for it.
fn is_of_link(address: &Multiaddr) -> bool {
    match ip_of(address) {
        Some(IpAddr::V6(ip)) => ip.is_unicast_link_local(),
        Some(IpAddr::V4(ip)) => ip.is_link_local(),
        None => true,
    }
}

/// Those of our addresses that a DHT may know which reaches so far.
fn external<'a>(listening: impl Iterator<Item = &'a Multiaddr>, reach: Scope) -> BTreeSet<Multiaddr> {
    let lowest = reach.max(Scope::Site);
    listening.filter(|address| scope_of(address) >= lowest && !is_of_link(address)).cloned().collect()
}

impl Node {
    /// How far the DHT reaches: as far as the bootstrap nodes and the servers that we are connected with.
    fn dht_reach(&self) -> Scope {
        let servers = self.dht_servers.iter().filter_map(|peer| self.peers.connected(peer));
        let servers = servers.map(|server| scope_of(&server.address));
        self.bootstrap.addresses().map(scope_of).chain(servers).max().unwrap_or(Scope::Host)
    }

    /// Declares those of our addresses external that the DHT may hand out, and takes the others back.
    pub(super) fn tell_addresses(&mut self) {
        let wanted = external(self.listening.iter(), self.dht_reach());
        let told: BTreeSet<Multiaddr> = self.swarm.external_addresses().cloned().collect();
        told.difference(&wanted).for_each(|address| self.swarm.remove_external_address(address));
        wanted.difference(&told).for_each(|address| self.swarm.add_external_address(address.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<Multiaddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_public_dht_is_told_public_addresses_alone() {
        let listening = addresses(&[
            "/ip4/127.0.0.1/tcp/4470",
            "/ip4/192.168.1.7/tcp/4470",
            "/ip4/100.64.3.4/tcp/4470",
            "/ip6/fe80::7/tcp/4470",
            "/ip6/fd00::7/tcp/4470",
            "/ip4/169.254.3.4/tcp/4470",
            "/ip6/2001:db8::7/tcp/4470",
        ]);
        let told = |reach| external(listening.iter(), reach).iter().map(Multiaddr::to_string).collect::<Vec<_>>();
        assert_eq!(told(Scope::World), ["/ip6/2001:db8::7/tcp/4470"]);
        let site = told(Scope::Site);
        assert_eq!(site.len(), 4, "{site:?}");
        assert!(site.iter().all(|it| !it.contains("fe80") && !it.contains("127.0.0.1") && !it.contains("169.254")));
        assert_eq!(told(Scope::Host), site, "nobody has come from afar yet");
    }

    #[test]
    fn how_far_a_bootstrap_node_is() {
        let scopes =
            ["/ip4/192.168.1.7/tcp/1", "/dns4/pi.local/tcp/1", "/dns4/boot.example.org/tcp/1", "/dnsaddr/example.org"];
        let scopes: Vec<Scope> = addresses(&scopes).iter().map(scope_of).collect();
        assert_eq!(scopes, [Scope::Site, Scope::Site, Scope::World, Scope::World]);
    }
}
