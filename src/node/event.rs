//! What the node tells its readers: the same values for the library, the interactive chat and the control socket.

use serde::{Deserialize, Serialize};

/// How a peer or an address was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FoundBy {
    /// By multicast DNS on the local network.
    Mdns,
    /// In the distributed hash table.
    Dht,
    /// Named as a bootstrap node.
    Bootstrap,
    /// Connected in an earlier run.
    Remembered,
    /// It dialled us, and nobody had told of it.
    Inbound,
    /// The user had it dialled.
    Dialled,
}

/// Where the node stands between its start and a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Nobody is connected; looking for neighbours.
    Join,
    /// Neighbours are connected; nobody yet in one of our rooms.
    Connect,
    /// Somebody shares a room with us: messages travel.
    Exchange,
}

/// One line of chat, as shown and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageEvent {
    /// The room's name.
    pub room: String,
    /// Message id: lower-case hex of `from ‖ stamp`.
    pub id: String,
    /// The author's peer id (base58).
    pub from: String,
    /// The author's nickname, sanitised; may be empty.
    pub nick: String,
    /// The text, sanitised.
    pub text: String,
    /// Hybrid logical clock, in ms.
    pub stamp: u64,
    /// RFC 3339 time when the author's clock was known, else null. In a room of other programs: when it arrived.
    pub time: Option<String>,
    /// Whose room it was said in, if it is one of other programs: `uc`, `go-chat` or `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// One direct message, to us or ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectEvent {
    /// The other's peer id (base58).
    pub peer: String,
    /// Whether it is ours, and the other has taken it.
    pub outbound: bool,
    /// The text, sanitised.
    pub text: String,
    /// RFC 3339 time of our clock if it is known, else null.
    pub time: Option<String>,
    /// Whose protocol brought it: `uc`.
    pub via: String,
}

/// One record of a program, as received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordEvent {
    /// The room's name.
    pub room: String,
    /// Message id: lower-case hex of `from ‖ stamp`.
    pub id: String,
    /// The author's peer id (base58).
    pub from: String,
    /// What the payload is, such as `ledger/block`.
    pub kind: String,
    /// The payload, in lower-case hex.
    pub data: String,
    /// Hybrid logical clock, in ms.
    pub stamp: u64,
    /// RFC 3339 time when the author's clock was known, else null.
    pub time: Option<String>,
}

/// Whether a trouble begins or is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TroubleState {
    /// From now on it is wrong.
    Began,
    /// It is over.
    Ended,
}

/// Something that is wrong and can be helped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubleEvent {
    /// What sort: a name of [`Code`](super::troubles::Code).
    pub code: String,
    /// Whether it begins or is over.
    pub state: TroubleState,
    /// Whom or what it is about, if there can be several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// What is wrong and what helps; at its end, that it is over.
    pub sentence: String,
    /// RFC 3339 time of its beginning if the clock is known, else null.
    pub since: Option<String>,
}

/// Lines of ours that were answered as handed out and may not have arrived at somebody whose connection died. They are said
/// again when it is back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsentEvent {
    /// The room's name.
    pub room: String,
    /// The peer id (base58) of whom they may not have reached.
    pub peer: String,
    /// How many they are in all.
    pub lines: u32,
    /// Message ids, some of them.
    pub ids: Vec<String>,
    /// How many more ids there are, in events that follow at once.
    pub left: u32,
}

/// What happened. Serialises as one flat JSON object with the key `event`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A line of chat arrived (or is our own).
    Message(MessageEvent),
    /// A record arrived (or is our own).
    Record(RecordEvent),
    /// A direct message arrived, or one of ours was taken.
    Dm(DirectEvent),
    /// Lines of ours may not have arrived.
    Unsent(UnsentEvent),
    /// A room of other programs was joined: what is otherwise there.
    Notice {
        /// The room's name.
        room: String,
        /// A sentence.
        text: String,
    },
    /// A line or record of ours that waits has another id from now on: its time was wrong, and nobody had it.
    Restamped {
        /// The room's name.
        room: String,
        /// The id it had.
        former: String,
        /// The id it has.
        id: String,
        /// Its stamp, in ms.
        stamp: u64,
        /// RFC 3339 time, if it is known, else null.
        time: Option<String>,
    },
    /// A peer or address was found.
    Discovered {
        /// The peer id (base58), if known.
        peer: Option<String>,
        /// A multiaddr, if known.
        address: Option<String>,
        /// How it was found.
        by: FoundBy,
    },
    /// The first connection to a peer stands.
    Connected {
        /// The peer id (base58).
        peer: String,
        /// The remote multiaddr.
        address: String,
    },
    /// The last connection to a peer is gone.
    Disconnected {
        /// The peer id (base58).
        peer: String,
    },
    /// A peer is in a room of ours.
    Joined {
        /// The peer id (base58).
        peer: String,
        /// The room's name.
        room: String,
    },
    /// A peer left a room of ours.
    Left {
        /// The peer id (base58).
        peer: String,
        /// The room's name.
        room: String,
    },
    /// The lifecycle moved.
    Stage {
        /// The new stage.
        stage: Stage,
        /// Why, in a sentence.
        why: String,
    },
    /// A dial that was asked for is over.
    Dialled {
        /// Its number, as the answer had it.
        dial: u64,
        /// The multiaddr.
        address: String,
        /// The peer (base58), if it is known.
        peer: Option<String>,
        /// Why it failed; none when the connection stands.
        error: Option<String>,
    },
    /// Something went wrong that can be helped, or is well again.
    Trouble(TroubleEvent),
    /// This reader was too slow.
    Missed {
        /// Events lost since the last one read.
        count: u64,
    },
}
