//! What a node is started with.

use super::wall::WallClock;
use crate::base::board::Board;
use libp2p::{Multiaddr, identity::Keypair};
use std::path::PathBuf;

/// The TCP port a node listens on unless told otherwise; any free one if it is taken. Unassigned by IANA.
pub const DEFAULT_PORT: u16 = 4470;
/// The room a node joins unless told otherwise.
pub const DEFAULT_ROOM: &str = "lobby";
/// The DHT's protocol unless told otherwise: the one that go, js, py and rust peers speak.
pub const DEFAULT_DHT_PROTOCOL: &str = "/ipfs/kad/1.0.0";

/// What a node is in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A peer that talks; a DHT client until others reach it.
    Peer,
    /// A node by which others find each other: DHT server from the start.
    Bootstrap,
}

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The identity.
    pub keypair: Keypair,
    /// The board whose limits hold.
    pub board: &'static Board,
    /// Peer or bootstrap node.
    pub role: Role,
    /// The nickname, up to `NICK_BYTES_MAX` bytes; may be empty.
    pub nick: String,
    /// Rooms to join at the start.
    pub rooms: Vec<String>,
    /// Multiaddrs to listen on; empty for every interface on [`DEFAULT_PORT`] or, if that is taken, any free port.
    pub listen: Vec<Multiaddr>,
    /// Bootstrap nodes, with or without `/p2p/…`, also `/dnsaddr`.
    pub bootstrap: Vec<Multiaddr>,
    /// Whether to look for peers on the local network.
    pub mdns: bool,
    /// The DHT's protocol name, such as [`DEFAULT_DHT_PROTOCOL`].
    pub dht_protocol: String,
    /// Who vouches for the clock of this machine.
    pub clock: WallClock,
    /// The directory for what outlives a restart (remembered peers, the stamps given); none for a guest.
    pub remembered: Option<PathBuf>,
}
