//! What a board's limits may cost in memory, added up: an estimate of the worst case, checked against the budget that
//! the board's file states and against its RAM.
//!
//! What remotes send and nobody reads is bounded over all connections together (`unread_bytes_max`), however many of
//! them are hostile.

use super::schema::BoardFile;

/// Largest share of RAM that a budget may be: one part in this many. Source: go-libp2p's resource manager.
pub const RAM_SHARE: u64 = 8;

/// Bytes of the program with one room and no peer. The project's budget; 5 to 6 MiB were measured on x86-64.
const PROGRAM_BYTES: u64 = 8 << 20;
/// Whole messages that gossip keeps to hand them out, for each that may wait for one peer, and bytes of each. Source:
/// `swarm::gossip`.
pub const KEPT: (u64, u64) = (4, 1_024);
/// Message ids that gossip remembers, and what each costs in bytes. Source: `swarm::gossip`.
pub const IDS: (u64, u64) = (16_384, 24);
/// Bytes of what gossip knows of a peer: its topics, its allowances, what it does not want; and of its place in a room.
/// Source: `gossip/peers.rs` and `gossip/topic.rs`, whose tests hold them to it.
const PEER_BYTES: (u64, u64) = (2_560, 128);
/// Bytes of what gossip asks for, remembers of peers that left, and has to do next. Counted, rounded up.
const GOSSIP_BYTES: u64 = 256 << 10;
/// Bytes of what came of gossip on a connection and was not looked at yet. Source: `swarm/gossip/line.rs`.
pub const UNHANDLED_BYTES: u64 = 34 << 10;
/// Bytes of a connection at rest: Noise and Yamux buffers, handlers, its task. Measured 64 KiB, rounded up by half.
const CONNECTION_BYTES: u64 = 96 << 10;
/// Bytes of a connection in its handshake: one Noise message of the largest size, and buffers.
const HANDSHAKE_BYTES: u64 = 72 << 10;
/// Bytes of a message that is read in part: the largest is one of the DHT, 32 KiB, and it is read 8 KiB at once.
const PART_BYTES: u64 = 40 << 10;
/// Bytes a remote may send on a stream before it is read. Source: yamux specification, "Flow Control".
pub const STREAM_BYTES: u64 = 256 << 10;
/// Memory of that, with what each frame costs besides: each connection may hold as much before any is let go for it.
pub const STREAM_MEMORY_BYTES: u64 = 384 << 10;
/// Bytes of the largest message that waits to be sent: a frame (2,176), what signs it, and bookkeeping.
pub const MESSAGE_BYTES: u64 = 2_560;
/// Bytes of memory for each kept message besides its own: the ring's header. Guess, generous.
const HISTORY_ENTRY_BYTES: u64 = 160;
/// Message ids remembered beyond the history at most, and what each costs in bytes. Source: `chat::settings`.
const SEEN: (u64, u64) = (16_384, 24);
/// Bytes of an event that waits for a reader: most are a line of chat of a few hundred.
const EVENT_BYTES: u64 = 512;
/// Bytes of an address or a record in a table. Guess: a multiaddr, a peer id and the map's node.
const ENTRY_BYTES: u64 = 256;
/// Peers of the DHT's table: 20 in each bucket, and few of the 256 buckets are ever filled.
const DHT_PEERS: u64 = 320;

/// Lines held back until those before them have come, and what each costs in bytes. Source: `node::holdback`.
pub const HELD: (u64, u64) = (1_024, 512);

/// Places for newcomers beside those who may stay. Source: `node::peers::places`.
pub fn newcomers(connections_max: u64) -> u64 {
    (connections_max / 16).max(2)
}

/// What each part may cost, in bytes.
pub fn parts(board: &BoardFile) -> [(&'static str, u64); 11] {
    let of = |name| board.limit(name);
    let at_rest = of("connections_max") * CONNECTION_BYTES + 2 * of("connections_pending_max") * HANDSHAKE_BYTES;
    let kept = KEPT.0 * of("gossip_queue_messages_max") * KEPT.1;
    let inbound = of("connections_inbound_max") + newcomers(of("connections_max"));
    let of_peers = of("connections_max") * (PEER_BYTES.0 + of("rooms_max") * PEER_BYTES.1 + UNHANDLED_BYTES);
    let peers = of("mdns_peers_max") + of("remembered_peers_max") + DHT_PEERS;
    [
        ("the program", PROGRAM_BYTES),
        ("connections", at_rest),
        ("what nobody has read", of("unread_bytes_max")),
        ("what is read in part", inbound * of("yamux_streams_max") * PART_BYTES),
        ("gossip", GOSSIP_BYTES + kept + IDS.0 * IDS.1 + of_peers),
        ("messages waiting to be sent", of("connections_max") * of("gossip_queue_messages_max") * MESSAGE_BYTES),
        ("lines that may not have arrived", of("rooms_max") * of("outbox_bytes_max")),
        ("lines held back", HELD.0 * HELD.1),
        ("history", of("history_bytes_max") + of("history_messages_max") * HISTORY_ENTRY_BYTES + SEEN.0 * SEEN.1),
        ("events", of("control_clients_max") * of("events_queue_max") * EVENT_BYTES),
        ("tables", (peers * of("addresses_per_peer_max") + 2 * of("dht_records_max")) * ENTRY_BYTES),
    ]
}

/// All parts together, in bytes.
pub fn total(board: &BoardFile) -> u64 {
    parts(board).iter().map(|(_, bytes)| bytes).sum()
}

/// The budget must be a small share of RAM, and hold the sum.
pub fn check(board: &BoardFile) -> Result<(), String> {
    let (budget, share) = (board.memory_mib_max, board.ram_mib / RAM_SHARE);
    if budget > share {
        return Err(format!("memory_mib_max = {budget} is more than 1/{RAM_SHARE} of ram_mib ({share})"));
    }
    let sum = total(board);
    if sum > budget << 20 {
        let parts: Vec<String> = parts(board).iter().map(|(what, bytes)| format!("{what} {}", mib(*bytes))).collect();
        let parts = parts.join(", ");
        return Err(format!("the limits add up to {} MiB, more than memory_mib_max = {budget}: {parts}", mib(sum)));
    }
    Ok(())
}

/// MiB with one decimal, rounded up: what is a little too much must not look like just enough.
fn mib(bytes: u64) -> String {
    let tenths = (bytes * 10).div_ceil(1 << 20);
    format!("{}.{}", tenths / 10, tenths % 10)
}
