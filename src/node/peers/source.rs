//! Who says where a peer is, and what of that is believed.

use super::address::{Multiaddr, Network, PeerId, Scope, Topic, ip_of, is_name, socket_of};

/// Where an address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Another peer named it when it was asked for peers.
    Told,
    /// A look-up in the DHT.
    Dht,
    /// Multicast DNS on a link of ours.
    Mdns,
    /// An earlier run.
    Remembered,
    /// A bootstrap node, as the user gave it.
    Bootstrap,
    /// The user had it dialled.
    User,
    /// The peer itself said that it listens there.
    Identify,
    /// A connection that the peer opened.
    Inbound,
    /// A connection that we opened, to this address.
    Dialled,
}

impl Source {
    /// Whether nobody but us has to be believed.
    fn is_ours(self) -> bool {
        matches!(self, Source::Remembered | Source::Bootstrap | Source::User | Source::Dialled)
    }
}

/// Who is to blame for what is said: bounds hold for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Announcer {
    /// We ourselves.
    Us,
    /// A host of a link, by the address it speaks from.
    Host(Network),
    /// A connected peer.
    Peer(PeerId),
    /// All answers to the look-ups of a topic.
    LookUp(Topic),
}

/// Who speaks, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Teller {
    /// Who it is.
    pub announcer: Announcer,
    /// The scope of the address it speaks from: what has a meaning here and not there is not believed.
    pub scope: Scope,
}

impl Teller {
    /// We ourselves.
    pub const US: Teller = Teller { announcer: Announcer::Us, scope: Scope::Host };
}

/// Why an address is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// It begins with a name. A look-up costs packets and may lead anywhere: only what the user gave is looked up.
    Name,
    /// It is not IP and TCP, or no single host and port.
    Unusable,
    /// mDNS brought it, and it is not on the link that it was heard on.
    OffLink,
    /// It has a meaning only nearer to its teller, or only here.
    OutOfScope,
}

/// Whether an address may be kept. `on_link` tells whether it is on the link that it was heard on.
pub fn believe(address: &Multiaddr, source: Source, teller: &Teller, on_link: bool) -> Result<(), Doubt> {
    if source.is_ours() {
        return Ok(());
    }
    if is_name(address) {
        return Err(Doubt::Name);
    }
    if socket_of(address).is_none() {
        return Err(Doubt::Unusable);
    }
    if source == Source::Mdns && !on_link {
        return Err(Doubt::OffLink);
    }
    let scope = ip_of(address).map_or(Scope::World, Scope::of);
    if scope < teller.scope { Err(Doubt::OutOfScope) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubt(text: &str, source: Source, scope: Scope, on_link: bool) -> Option<Doubt> {
        let announcer = Announcer::Host(Network::V4(7));
        believe(&text.parse().unwrap(), source, &Teller { announcer, scope }, on_link).err()
    }

    #[test]
    fn names_are_for_the_user_to_give() {
        for source in [Source::Told, Source::Dht, Source::Mdns, Source::Identify, Source::Inbound] {
            assert_eq!(doubt("/dns4/a.example/tcp/1", source, Scope::Host, true), Some(Doubt::Name), "{source:?}");
        }
        for source in [Source::Bootstrap, Source::User, Source::Remembered, Source::Dialled] {
            assert_eq!(doubt("/dns4/a.example/tcp/1", source, Scope::World, false), None, "{source:?}");
        }
    }

    #[test]
    fn a_stranger_of_the_lan_speaks_of_its_link_alone() {
        assert_eq!(doubt("/ip4/10.0.0.9/tcp/1", Source::Mdns, Scope::Site, true), None);
        assert_eq!(doubt("/ip4/192.0.2.9/tcp/1", Source::Mdns, Scope::Site, false), Some(Doubt::OffLink));
        assert_eq!(doubt("/ip4/127.0.0.1/tcp/1", Source::Mdns, Scope::Site, true), Some(Doubt::OutOfScope));
        assert_eq!(doubt("/ip4/127.0.0.1/tcp/1", Source::Mdns, Scope::Host, true), None);
    }

    #[test]
    fn what_has_a_meaning_only_here_is_not_taken_from_afar() {
        for source in [Source::Told, Source::Dht, Source::Identify] {
            assert_eq!(doubt("/ip4/192.168.1.1/tcp/80", source, Scope::World, false), Some(Doubt::OutOfScope));
            assert_eq!(doubt("/ip4/192.168.1.1/tcp/80", source, Scope::Site, false), None);
            assert_eq!(doubt("/ip4/192.0.2.1/tcp/80", source, Scope::World, false), None);
        }
    }
}
