//! The schema of a board file: which keys there are, what they mean, what is legal. The build script and the tests
//! both read it; names and descriptions shown by `stonechat limits` come from here too.

use super::memory;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// A number a board sets.
pub struct Key {
    /// Its name in the file and in `stonechat limits`.
    pub name: &'static str,
    /// Smallest legal value; what `tiny` holds.
    pub min: u64,
    /// Largest legal value.
    pub max: u64,
    /// What it bounds.
    pub what: &'static str,
}

const fn key(name: &'static str, min: u64, max: u64, what: &'static str) -> Key {
    Key { name, min, max, what }
}

/// Every limit, in the order of `Limits`. The smallest values still carry two to eight peers in a few rooms, and a
/// hundred lines said at once; the largest are what a small server could hold.
pub const LIMITS: &[Key] = &[
    key("rooms_max", 4, 64, "rooms joined at once"),
    key("history_messages_max", 256, 65_536, "messages kept in memory over all rooms; the oldest leaves first"),
    key(
        "history_bytes_max",
        65_536,
        67_108_864,
        "bytes of messages kept in memory over all rooms; the oldest leaves first",
    ),
    // A burst of a hundred lines must not pass by a reader that is a moment late.
    key("events_queue_max", 256, 1_024, "events waiting for one reader; the oldest is dropped and counted"),
    key("commands_queue_max", 8, 256, "commands waiting for the node; the sender is held"),
    key("control_clients_max", 4, 64, "control-socket clients at once"),
    key("peers_low", 2, 64, "connected peers below which the node looks for more"),
    key("peers_high", 6, 256, "connected peers above which the node lets some go"),
    key("connections_max", 10, 512, "established connections, inbound and outbound together"),
    key(
        "connections_inbound_max",
        8,
        512,
        "established inbound connections of peers that stay; newcomers have some of connections_max besides",
    ),
    key("connections_outbound_max", 8, 512, "established outbound connections"),
    key("connections_pending_max", 4, 64, "connections still in their handshake, each direction"),
    key("accepts_per_second_max", 8, 1_024, "connections accepted per second from everyone"),
    key("accepts_per_address_per_second_max", 4, 512, "connections accepted per second from one address"),
    // gossipsub, identify, ping and the DHT hold about six at once; half of the streams are the remote's.
    key("yamux_streams_max", 16, 256, "Yamux streams of one connection"),
    key(
        "yamux_window_bytes_max",
        4_194_304,
        67_108_864,
        "Yamux receive window of one connection, in bytes (all streams together)",
    ),
    key(
        "unread_bytes_max",
        3_932_160,
        1_073_741_824,
        "bytes of memory of what was received and not read yet, over all connections",
    ),
    key("read_bytes_per_second_max", 262_144, 1_073_741_824, "bytes per second read from one connection, sustained"),
    key(
        "gossip_queue_messages_max",
        128,
        4_096,
        "messages waiting to be sent to one peer, half of them others'; more are offered later",
    ),
    // Ten short lines a second for two minutes, but on the smallest.
    key(
        "outbox_lines_max",
        256,
        65_536,
        "lines of ours kept in one room until they have arrived; when nobody has them, one more is refused",
    ),
    key(
        "outbox_bytes_max",
        65_536,
        67_108_864,
        "bytes of memory of the lines of ours kept in one room until they have arrived",
    ),
    key("mdns_peers_max", 16, 1_024, "peers kept by mDNS discovery"),
    key("addresses_per_peer_max", 4, 32, "addresses kept for one peer, by mDNS and in the DHT's table"),
    key("dht_records_max", 16, 8_192, "provider records held for others by the DHT (server mode)"),
    key("remembered_peers_max", 8, 256, "peers remembered on disk for the next start"),
];

/// Pairs of limits of which the first must not be above the second.
const ORDERED: [(&str, &str); 6] = [
    ("peers_low", "peers_high"),
    ("peers_high", "connections_max"),
    ("connections_inbound_max", "connections_max"),
    ("connections_outbound_max", "connections_max"),
    ("connections_pending_max", "connections_max"),
    ("accepts_per_address_per_second_max", "accepts_per_second_max"),
];

/// The facts that are text.
pub const FACTS: [&str; 5] = ["title", "target", "cpu", "storage", "wifi"];
/// The facts that are numbers, with their smallest and largest legal value.
pub const NUMBERS: [Key; 2] =
    [key("ram_mib", 64, 1_048_576, "RAM in MiB"), key("memory_mib_max", 8, 131_072, "what a peer may take of it")];
/// The target triples a board may have: static binaries for Linux.
pub const TARGETS: [&str; 5] = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "armv7-unknown-linux-musleabihf",
    "arm-unknown-linux-musleabihf",
    "riscv64gc-unknown-linux-musl",
];

/// A board as read from its file.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardFile {
    /// File name without `.toml`.
    pub name: String,
    /// Text facts by key.
    pub facts: BTreeMap<&'static str, String>,
    /// Device-tree models.
    pub models: Vec<String>,
    /// RAM in MiB.
    pub ram_mib: u64,
    /// What a peer may take of it, in MiB.
    pub memory_mib_max: u64,
    /// Limits in the order of [`LIMITS`].
    pub limits: Vec<u64>,
}

impl BoardFile {
    /// A limit by name; zero if there is none of that name.
    pub fn limit(&self, name: &str) -> u64 {
        LIMITS.iter().position(|k| k.name == name).and_then(|at| self.limits.get(at)).copied().unwrap_or(0)
    }
}

/// Reads and checks a board file; a refusal is a sentence that begins with the file's name.
pub fn parse(name: &str, text: &str) -> Result<BoardFile, String> {
    read(name, text).map_err(|why| format!("boards/{name}.toml: {why}"))
}

fn read(name: &str, text: &str) -> Result<BoardFile, String> {
    let legal_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(legal_name) {
        return Err("a board's name is lower-case letters, digits and hyphens".into());
    }
    let table: Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
    let keys: Vec<&str> = FACTS.into_iter().chain(NUMBERS.map(|k| k.name)).chain(["models", "limits"]).collect();
    exactly(&table, "a board", &keys)?;
    let mut facts = BTreeMap::new();
    for fact in FACTS {
        let text = table.get(fact).and_then(Value::as_str).filter(|text| !text.is_empty());
        facts.insert(fact, text.ok_or_else(|| format!("{fact} must be a text that says something"))?.to_owned());
    }
    let target = facts.get("target").map_or("", String::as_str);
    if !TARGETS.contains(&target) {
        return Err(format!("target = {target:?} is none{}. Legal: {}", nearest(target, &TARGETS), TARGETS.join(", ")));
    }
    let models = table.get("models").and_then(Value::as_array).and_then(|models| {
        models.iter().map(|model| model.as_str().filter(|m| !m.is_empty()).map(str::to_owned)).collect()
    });
    let models: Vec<String> = models.ok_or("models must be a list of texts, as the device tree has them")?;
    let [ram_mib, memory_mib_max] = NUMBERS;
    let (ram_mib, memory_mib_max) = (number(&table, &ram_mib)?, number(&table, &memory_mib_max)?);
    let given = table.get("limits").and_then(Value::as_table).ok_or("limits must be a table: [limits]")?;
    let names: Vec<&str> = LIMITS.iter().map(|k| k.name).collect();
    exactly(given, "[limits]", &names)?;
    let limits = LIMITS.iter().map(|key| number(given, key)).collect::<Result<_, _>>()?;
    let board = BoardFile { name: name.to_owned(), facts, models, ram_mib, memory_mib_max, limits };
    relations(&board)?;
    memory::check(&board)?;
    Ok(board)
}

/// All these keys, and no other.
fn exactly(table: &Table, place: &str, legal: &[&str]) -> Result<(), String> {
    if let Some(wrong) = table.keys().find(|key| !legal.contains(&key.as_str())) {
        return Err(format!("{place} has no key {wrong:?}{}. Legal: {}", nearest(wrong, legal), legal.join(", ")));
    }
    let missing: Vec<&str> = legal.iter().copied().filter(|key| !table.contains_key(*key)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("{place} lacks {}. It needs: {}", missing.join(", "), legal.join(", ")))
}

fn number(table: &Table, key: &Key) -> Result<u64, String> {
    let value = table.get(key.name);
    match value.and_then(Value::as_integer).and_then(|n| u64::try_from(n).ok()) {
        Some(n) if (key.min..=key.max).contains(&n) => Ok(n),
        _ => {
            let shown = value.map_or("nothing".into(), shown);
            Err(format!("{} = {shown} is not a number from {} to {} ({})", key.name, key.min, key.max, key.what))
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Integer(n) => n.to_string(),
        Value::String(text) => format!("{text:?}"),
        other => format!("a {}", other.type_str()),
    }
}

fn relations(board: &BoardFile) -> Result<(), String> {
    let of = |name| board.limit(name);
    for (small, large) in ORDERED {
        if of(small) > of(large) {
            return Err(format!("{small} = {} must not be above {large} = {}", of(small), of(large)));
        }
    }
    let (both, all) = (of("connections_inbound_max") + of("connections_outbound_max"), of("connections_max"));
    if both < all {
        return Err(format!(
            "connections_inbound_max + connections_outbound_max = {both} can never reach connections_max = {all}"
        ));
    }
    let windows = of("yamux_streams_max") * memory::STREAM_BYTES;
    if of("yamux_window_bytes_max") < windows {
        return Err(format!("yamux_window_bytes_max must be at least yamux_streams_max x 262144 = {windows}"));
    }
    let unread = of("connections_max") * memory::STREAM_MEMORY_BYTES;
    if of("unread_bytes_max") < unread {
        return Err(format!("unread_bytes_max must be at least connections_max x 393216 = {unread}"));
    }
    let room = of("history_bytes_max") / of("rooms_max").max(1);
    if room < memory::MESSAGE_BYTES {
        return Err(format!(
            "history_bytes_max / rooms_max = {room} leaves a room no place for one message of {} bytes",
            memory::MESSAGE_BYTES
        ));
    }
    Ok(())
}

/// `; did you mean "…"?` with the legal name nearest to a wrong one, or nothing where none is near.
fn nearest(wrong: &str, legal: &[&str]) -> String {
    let near = legal.iter().map(|name| (distance(wrong, name), name)).min();
    match near {
        Some((changes, name)) if changes <= wrong.len().max(name.len()) / 2 => format!("; did you mean {name:?}?"),
        _ => String::new(),
    }
}

/// Letters to change, add or remove until one text is the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
