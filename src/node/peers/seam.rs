//! What the overlay is told, and what it asks for.

use super::{
    address::{ConnectionId, Multiaddr, PeerId, Topic},
    connections::{Arrival, LetGo},
    dialer::{Failure, Target},
    source::{Source, Teller},
};
use std::net::IpAddr;

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// Somebody said that a peer is there.
    Found {
        /// The peer.
        peer: PeerId,
        /// Its address, if that was said.
        address: Option<Multiaddr>,
        /// How it was said.
        source: Source,
        /// By whom.
        teller: Teller,
        /// For what mDNS brings: whether the address is on the link that it was heard on.
        on_link: bool,
    },
    /// mDNS hears a peer no more.
    Expired(PeerId),
    /// mDNS hears that a peer started afresh.
    Afresh(PeerId),
    /// A peer answered when it was asked for others.
    Told {
        /// Who answered.
        by: PeerId,
        /// Whom it named, and where they are.
        peers: Vec<(PeerId, Vec<Multiaddr>)>,
    },
    /// One server's answer to the look-up of a topic.
    Providers {
        /// The topic.
        topic: Topic,
        /// Who is in it.
        peers: Vec<PeerId>,
    },
    /// The DHT's table has somebody to ask that it had not.
    DhtServer,
    /// The DHT's table is empty.
    DhtEmpty,
    /// A connection stands.
    Connected {
        /// To this peer.
        peer: PeerId,
        /// What was dialled for it, and where it answered.
        dialled: Option<(Target, Multiaddr)>,
        /// The connection.
        arrival: Arrival,
    },
    /// A connection is gone.
    Closed {
        /// To this peer.
        peer: PeerId,
        /// The connection.
        connection: ConnectionId,
        /// How many of the peer's connections stand.
        left: usize,
        /// The one that is in use instead.
        in_use: Option<Arrival>,
        /// Whether we ended it for another reason than an output of the overlay.
        is_ours: bool,
    },
    /// A dial was begun without the overlay: by the user, or by the DHT.
    Dialling(Target, Vec<Multiaddr>),
    /// A dial made no connection.
    DialFailed {
        /// Who was dialled.
        target: Target,
        /// Why.
        failure: Failure,
        /// Another peer answered at this address.
        wrong: Option<Multiaddr>,
        /// For people.
        error: String,
    },
    /// A peer said who it is and where it listens.
    Identified {
        /// The peer.
        peer: PeerId,
        /// Where it says that it listens.
        listen: Vec<Multiaddr>,
        /// Whether it can be asked for others.
        recommends: bool,
        /// Whether it is to speak in our rooms by a protocol that we know: then it is looked at whether it does.
        is_speaker: bool,
    },
    /// A peer is in a topic.
    Subscribed(PeerId, Topic),
    /// A peer left a topic.
    Unsubscribed(PeerId, Topic),
    /// A peer was the first to bring a message.
    First(PeerId),
    /// A peer asked the DHT something and was answered.
    Served(PeerId),
    /// Whether a peer is in the DHT's table.
    InTable(PeerId, bool),
    /// A peer speaks: where we do, elsewhere or nowhere.
    Voice(PeerId, Voice),
    /// A peer answered on the connection in use.
    Pong(PeerId),
    /// We have an address more.
    AddressGained,
    /// We have an address less; whether any is left that is not of this host alone.
    AddressLost(IpAddr, bool),
    /// We are in a room from now on.
    Join(Topic),
    /// We left a room.
    Leave(Topic),
}

/// Where a peer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// On the connection in use.
    InUse,
    /// On another one, which may be alive.
    Elsewhere,
    /// Nowhere.
    None,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Dial, and say how it went by [`Input::Connected`] or [`Input::DialFailed`].
    Dial {
        /// Who.
        target: Target,
        /// Its peer id, if that is known.
        peer: Option<PeerId>,
        /// Where. Nowhere means that the DHT knows.
        addresses: Vec<Multiaddr>,
        /// Whether to dial although it is connected, for that connection may be dead.
        is_anew: bool,
    },
    /// End the connections to a peer.
    Close(PeerId, LetGo),
    /// Look whether a peer speaks, and say it by [`Input::Voice`].
    Listen(PeerId),
    /// Ask a peer for others who are in these topics, ours.
    Ask(PeerId, Vec<Topic>),
    /// Announce us in the DHT under a topic.
    Provide(Topic),
    /// Look up in the DHT who is in a topic.
    Find(Topic),
    /// A peer or an address was found that was not known.
    Discovered {
        /// The peer.
        peer: PeerId,
        /// Its address.
        address: Option<Multiaddr>,
        /// How it was found.
        source: Source,
    },
}
