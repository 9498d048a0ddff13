//! The libp2p behaviours of a node, composed.

use crate::{
    net::{mdns, ping},
    swarm::gossip,
};
use libp2p::{
    identify,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
};

/// Every protocol a node speaks. The order matters: limits refuse first, and gossip comes after all others that refuse, for
/// it must not hear of a connection that is refused afterwards. Neither must direct messages and hellos, which refuse none.
/// Pings are the last, for they tell what of all the others has arrived.
#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
pub struct Behaviour {
    /// How many connections.
    pub limits: super::crowd::Behaviour,
    /// Peers on the local network.
    pub mdns: Toggle<mdns::Behaviour>,
    /// Who a peer is and where it listens.
    pub identify: identify::Behaviour,
    /// The distributed hash table.
    pub dht: super::dht::Behaviour,
    /// The rooms.
    pub gossip: gossip::Behaviour,
    /// universal-connectivity's direct messages.
    pub direct: super::courier::Behaviour,
    /// What time it is, and who is there.
    pub hello: super::framed::Behaviour,
    /// Whether a link is alive, and what reached the other side.
    pub ping: ping::Behaviour,
}
