//! What the user asks of the node, and what it answers: the same values for the library, the interactive chat
//! and the control socket.

use super::event::{Event, FoundBy, MessageEvent, Stage};
use serde::{Deserialize, Serialize};

/// A request to the node. Deserialises from one JSON object with the key `command`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub enum Command {
    /// Publish a line of chat.
    Send {
        /// The room; the node's first room if absent.
        #[serde(default)]
        room: Option<String>,
        /// The line, up to `TEXT_BYTES_MAX` bytes.
        text: String,
    },
    /// Publish a record.
    Record {
        /// The room; the node's first room if absent.
        #[serde(default)]
        room: Option<String>,
        /// What the payload is, up to `KIND_BYTES_MAX` bytes.
        kind: String,
        /// The payload in hex, up to `RECORD_BYTES_MAX` bytes.
        data: String,
    },
    /// Send a direct message of universal-connectivity. It is answered when the other has taken it, or not.
    Dm {
        /// The peer id (base58) of a connected peer, or the end of it.
        peer: String,
        /// The text, up to `TEXT_BYTES_MAX` bytes.
        text: String,
    },
    /// Join a room.
    Join {
        /// The room's name.
        room: String,
    },
    /// Leave a room.
    Leave {
        /// The room's name.
        room: String,
    },
    /// Change the nickname.
    Nick {
        /// The new nickname, up to `NICK_BYTES_MAX` bytes.
        nick: String,
    },
    /// Dial a multiaddr.
    Dial {
        /// The multiaddr.
        address: String,
    },
    /// The last messages of a room, oldest first.
    History {
        /// The room; the node's first room if absent.
        #[serde(default)]
        room: Option<String>,
        /// How many at most.
        count: u32,
    },
    /// Connected peers.
    Peers {},
    /// Joined rooms.
    Rooms {},
    /// The state of the node.
    Status {
        /// Also every task and queue.
        #[serde(default)]
        tasks: bool,
    },
    /// The limits in force and how near they are.
    Limits {},
}

/// What the node answers when it did as asked. Serialises untagged: its fields stand beside `"ok":true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// To `send` and `record`.
    Sent(Sent),
    /// To `history`.
    History {
        /// Messages and records, oldest first.
        history: Vec<Event>,
    },
    /// To `peers`.
    Peers {
        /// One entry a connected peer.
        peers: Vec<Peer>,
    },
    /// To `rooms`.
    Rooms {
        /// One entry a joined room.
        rooms: Vec<Room>,
    },
    /// To `limits`.
    Limits {
        /// One entry a limit.
        limits: Vec<Limit>,
    },
    /// To `status`.
    Status(Box<Status>),
    /// To `dial`.
    Dialled(Dialled),
    /// To everything else.
    Done {},
}

/// A message was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Message id: lower-case hex of `from ‖ stamp`.
    pub id: String,
    /// Peers in the room it was handed to.
    pub peers: u32,
    /// Lines of ours that wait in the room, this one among them: nobody is there, or nobody reads as fast.
    #[serde(default)]
    pub waiting: u32,
    /// Peers of the room whose connection died: they get it when they are back.
    #[serde(default)]
    pub away: u32,
}

/// What came of a dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialled {
    /// Its number: the event `dialled` with this number tells the outcome.
    pub dial: u64,
    /// How far it is.
    pub state: DialState,
    /// The peer (base58), if it is known.
    pub peer: Option<String>,
}

/// How far a dial is that was answered without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DialState {
    /// The connection stands.
    Connected,
    /// It takes long; the outcome is told later.
    Dialling,
}

/// A connected peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The peer id (base58).
    pub peer: String,
    /// The last nickname heard from it; may be empty.
    pub nick: String,
    /// Remote multiaddr of its newest connection.
    pub address: String,
    /// Whether we dialled (else it did).
    pub outbound: bool,
    /// How it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<FoundBy>,
    /// Rooms of ours it is in.
    pub rooms: Vec<String>,
    /// Agent version from identify.
    pub agent: String,
    /// Last ping round trip in microseconds.
    pub rtt_us: Option<u64>,
}

/// A joined room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// The room's name.
    pub room: String,
    /// Connected peers that are in it.
    pub peers: u32,
    /// Peers in our gossipsub mesh for it.
    pub mesh: u32,
    /// Messages kept.
    pub messages: u32,
    /// Lines of ours that wait: nobody is there, or nobody reads as fast.
    #[serde(default)]
    pub waiting: u32,
    /// Peers whose connection died and who get lines of ours when they are back.
    #[serde(default)]
    pub away: u32,
}

/// Lines of ours that wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The room's name.
    pub room: String,
    /// For whom (base58): a peer whose connection died, or that is too slow; none where they wait for anybody to come, or
    /// to read faster.
    pub peer: Option<String>,
    /// How many.
    pub lines: u32,
}

/// A limit in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The limit's name, as in the board file or `wire::bounds`.
    pub name: String,
    /// Its value.
    pub value: u64,
    /// What it bounds, in words.
    pub what: String,
    /// What is used now, where that is known.
    pub used: Option<u64>,
    /// How often it was hit since the start, where that is counted.
    pub hits: Option<u64>,
}

/// The state of the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Our peer id (base58).
    pub peer: String,
    /// Our nickname.
    pub nick: String,
    /// Program version.
    pub version: String,
    /// The board in force.
    pub board: String,
    /// Lifecycle stage.
    pub stage: Stage,
    /// Why it stands there, in a sentence.
    pub why: String,
    /// Seconds since start.
    pub uptime_s: u64,
    /// Addresses we listen on.
    pub listening: Vec<String>,
    /// Connected peers.
    pub peers: u32,
    /// Joined rooms.
    pub rooms: Vec<String>,
    /// DHT: `client` or `server`.
    pub dht_mode: String,
    /// DHT: peers in the routing table.
    pub dht_peers: u32,
    /// Bootstrap nodes: address and state in words.
    pub bootstrap: Vec<String>,
    /// Whether the wall clock is known (not earlier than the build).
    pub clock_known: bool,
    /// What is wrong now and can be helped.
    #[serde(default)]
    pub troubles: Vec<Trouble>,
    /// What time it is, and who says so.
    #[serde(default)]
    pub clock: Clock,
    /// Lines of ours that wait, and for whom.
    #[serde(default)]
    pub waiting: Vec<Owed>,
    /// Dropped and refused inputs by name.
    pub counters: Vec<Counter>,
    /// Tasks, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Task>,
    /// Queues, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<Queue>,
}

/// Something that is wrong and can be helped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What sort: a name of [`Code`](super::troubles::Code).
    pub code: String,
    /// Whom or what it is about, if there can be several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// What is wrong and what helps.
    pub sentence: String,
    /// RFC 3339 time of its beginning if the clock is known, else null.
    pub since: Option<String>,
    /// Seconds since then.
    pub for_s: u64,
}

/// What time it is, and who says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Whether the clock of this machine is known (not earlier than the build).
    pub known: bool,
    /// Whether somebody vouches for it: only then what is far ahead of it is refused.
    pub synchronised: bool,
    /// How far the time in use is vouched for: 0 by nobody, 1 by this machine, n + 1 by a peer that said n.
    pub level: u8,
    /// Whose time is in use: `system` or `trusted` (this machine's, vouched for by the kernel or the user), `peers` (theirs
    /// who are connected), `earlier` (theirs who were), `room` (counted from the newest stamp), `guess` (this machine's,
    /// vouched for by nobody), `none` (counted from the start).
    pub source: String,
    /// By how many ms the clock of this machine is ahead of the time in use; null if it is not known.
    pub offset_ms: Option<i64>,
    /// Connected peers whose time is vouched for.
    pub vouchers: u32,
    /// How often others refused what was said here, because its stamp was ahead of their clock.
    pub refused: u64,
}

/// A counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// What is counted.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// A task or thread that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name, such as `node`, `connection`, `disk`.
    pub name: String,
    /// How many of them run now.
    pub count: u32,
    /// What it is for, in words, with the queues it reads and fills.
    pub what: String,
}

/// A bounded queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name, such as `commands`.
    pub name: String,
    /// The task that fills it.
    pub from: String,
    /// The task that empties it.
    pub to: String,
    /// What happens when it is full: `wait`, `drop-oldest` or `refuse`.
    pub overflow: String,
    /// Items in it now.
    pub length: u32,
    /// Items it can hold.
    pub capacity: u32,
    /// Most items it ever held.
    pub high_water: u32,
    /// Items dropped or refused.
    pub drops: u64,
}

/// A line of history or an event, for readers that want only messages.
pub fn as_message(event: &Event) -> Option<&MessageEvent> {
    match event {
        Event::Message(message) => Some(message),
        _ => None,
    }
}
