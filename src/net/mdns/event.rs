//! What the behaviour tells.

use libp2p::{Multiaddr, PeerId};

/// Something was found, or is no longer so. Addresses come without `/p2p/…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Peers said that they can be dialled there. An address that is known already comes again when its peer shows
    /// up under a new name: it has started afresh, and connections to its former process may be dead.
    Discovered(Vec<(PeerId, Multiaddr)>),
    /// These peers left, were not heard for their records' time, or the interface they were heard on is gone. It says
    /// nothing about connections.
    Expired(Vec<(PeerId, Multiaddr)>),
}
