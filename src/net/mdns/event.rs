//! What the behaviour tells.

use std::{io, net::IpAddr};

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
    /// Somebody else announced our own id: it was copied, or another program runs under it. At its address. Not told of
    /// who merely repeats what others say.
    Twin(Multiaddr),
    /// How discovery stands has changed: see [`Behaviour::state`](super::Behaviour::state).
    State,
}

/// How discovery stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Addresses of this host beyond those that are looked at.
    pub addresses_left_out: usize,
    /// Interfaces not spoken on because of [`Config::interfaces_max`](super::Config).
    pub interfaces_left_out: Vec<String>,
    /// Sockets that cannot be opened, or on which nothing can be sent.
    pub failing: Vec<Failing>,
}

/// A socket that does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// The interface it is for.
    pub interface: String,
    /// The address it is for.
    pub ip: IpAddr,
    /// What sort of error; `AddrInUse`: another program has port 5353 and does not share it.
    pub kind: io::ErrorKind,
    /// The system's words.
    pub error: String,
}
