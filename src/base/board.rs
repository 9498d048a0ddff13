//! What a board is and what it may hold: facts and local capacities from `boards/*.toml`.
//!
//! All boards are compiled into every binary as a table made by `boards/build.rs`. A limit here is local: it
//! never changes what travels (that is `wire::bounds`), so a Pi Zero and a Pi 4 always understand each other.

/// One board: facts about the hardware and the limits a peer keeps on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board {
    /// The file's name without `.toml`, as given to `--board`.
    pub name: &'static str,
    /// What a person calls it.
    pub title: &'static str,
    /// Device-tree model strings, without revision, by which the board is found at start.
    pub models: &'static [&'static str],
    /// The Rust target triple of its binary.
    pub target: &'static str,
    /// The CPU, in words.
    pub cpu: &'static str,
    /// RAM in MiB.
    pub ram_mib: u32,
    /// What it boots from and writes to, in words.
    pub storage: &'static str,
    /// The Wi-Fi chip, in words, or `none`.
    pub wifi: &'static str,
    /// What a peer may take of it, in MiB: at most an eighth. Holds `memory_bytes`.
    pub memory_mib_max: u32,
    /// What the limits may cost together, in bytes: the build script's estimate of the worst case.
    pub memory_bytes: u64,
    /// What a peer on this board may hold.
    pub limits: Limits,
}

/// Local capacities: each is a count or a size that one part of the peer never exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rooms joined at once.
    pub rooms_max: u16,
    /// Messages kept in memory over all rooms; the oldest leaves first.
    pub history_messages_max: u32,
    /// Bytes of messages kept in memory over all rooms; the oldest leaves first.
    pub history_bytes_max: u32,
    /// Events waiting for one reader; the oldest is dropped and counted.
    pub events_queue_max: u16,
    /// Commands waiting for the node; the sender is held.
    pub commands_queue_max: u16,
    /// Control-socket clients at once.
    pub control_clients_max: u16,
    /// Connected peers below which the node looks for more.
    pub peers_low: u16,
    /// Connected peers above which the node lets some go.
    pub peers_high: u16,
    /// Established connections, inbound and outbound together.
    pub connections_max: u16,
    /// Established inbound connections of peers that stay; newcomers have some of connections_max besides.
    pub connections_inbound_max: u16,
    /// Established outbound connections.
    pub connections_outbound_max: u16,
    /// Connections still in their handshake, each direction.
    pub connections_pending_max: u16,
    /// Connections accepted per second from everyone.
    pub accepts_per_second_max: u16,
    /// Connections accepted per second from one address.
    pub accepts_per_address_per_second_max: u16,
    /// Yamux streams of one connection.
    pub yamux_streams_max: u16,
    /// Yamux receive window of one connection, in bytes (all streams together).
    pub yamux_window_bytes_max: u32,
    /// Bytes of memory of what was received and not read yet, over all connections.
    pub unread_bytes_max: u32,
    /// Bytes per second read from one connection, sustained.
    pub read_bytes_per_second_max: u32,
    /// Messages waiting to be sent to one peer, half of them others'; more are offered later.
    pub gossip_queue_messages_max: u16,
    /// Lines of ours kept in one room until they have arrived; when nobody has them, one more is refused.
    pub outbox_lines_max: u32,
    /// Bytes of memory of the lines of ours kept in one room until they have arrived.
    pub outbox_bytes_max: u32,
    /// Peers kept by mDNS discovery.
    pub mdns_peers_max: u16,
    /// Addresses kept for one peer, by mDNS and in the DHT's table.
    pub addresses_per_peer_max: u16,
    /// Provider records held for others by the DHT (server mode).
    pub dht_records_max: u16,
    /// Peers remembered on disk for the next start.
    pub remembered_peers_max: u16,
}

include!(concat!(env!("OUT_DIR"), "/boards.rs"));

/// The board of this name.
pub fn find(name: &str) -> Option<&'static Board> {
    BOARDS.iter().find(|board| board.name == name)
}

/// The board whose device-tree model this is: one that it lists, and maybe a revision after it.
pub fn by_model(model: &str) -> Option<&'static Board> {
    let is = |known: &&&str| model.strip_prefix(**known).is_some_and(is_revision);
    let length = |board: &&Board| board.models.iter().filter(is).map(|known| known.len()).max();
    BOARDS.iter().filter(|board| length(board).is_some()).max_by_key(length)
}

/// ` Rev 1.2`, ` rev2`, ` V3.0`, ` v1.3B` or nothing. What else follows makes another board of it: `NanoPi NEO 2`.
fn is_revision(rest: &str) -> bool {
    let words = [" Rev", " rev", " V", " v"];
    let number = words.iter().find_map(|word| rest.strip_prefix(word)).map(|rest| rest.trim_start());
    rest.is_empty() || number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
}

/// The board to use when no model tells which this is: the largest without models whose RAM the computer has, the
/// smallest if it has less. Three quarters count as all, for firmware and kernel keep some of it. A build for one known
/// board takes that one.
pub fn by_ram(ram_mib: u32) -> Option<&'static Board> {
    let default = find(DEFAULT)?;
    if !default.models.is_empty() {
        return Some(default);
    }
    let nameless = || BOARDS.iter().filter(|board| board.models.is_empty() && board.ram_mib <= default.ram_mib);
    let largest = nameless().filter(|board| ram_mib >= board.ram_mib / 4 * 3).max_by_key(|board| board.ram_mib);
    largest.or_else(|| nameless().min_by_key(|board| board.ram_mib))
}

impl Board {
    /// Name, value and meaning of each limit.
    pub fn limits_list(&self) -> impl Iterator<Item = (&'static str, u64, &'static str)> {
        list(&self.limits).into_iter()
    }
}
