//! What travels on the control socket: one JSON object a line.
//!
//! A request is a [`Command`] (its key `command` says which) or `subscribe`; beside it may stand a `tag`, any JSON
//! value up to [`TAG_BYTES_MAX`] bytes, which the answer repeats. An answer has `"ok":true` and its fields, or
//! `"ok":false` and `error`, a sentence. After `subscribe`, events follow on the same connection; they have the key
//! `event` and never `ok`.

use super::nearest::suggest;
use crate::node::command::{Answer, Command};
use crate::node::event::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Bytes of a request line. Its largest, a record in hex with every other field escaped, takes less than half.
pub(crate) const REQUEST_BYTES_MAX: usize = 16_384;
/// Bytes of a tag, as JSON. Guess: a UUID and a word.
pub(crate) const TAG_BYTES_MAX: usize = 64;
/// Bytes of an answer or event line that a client of ours takes. An answer grows with the peers and rooms of the
/// board; a thousand peers with long addresses fill a quarter.
pub(crate) const ANSWER_BYTES_MAX: usize = 2_097_152;

/// The requests, for the sentence about an unknown one.
const COMMANDS: &[&str] = &[
    "send",
    "record",
    "dm",
    "join",
    "leave",
    "nick",
    "dial",
    "history",
    "peers",
    "rooms",
    "status",
    "limits",
    "subscribe",
];

/// `subscribe`: events follow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Subscribe {
    /// Messages, records and comings and goings of these rooms only; of all if absent. Events without a room always
    /// come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rooms: Option<Vec<String>>,
    /// First this many messages of the past, over all these rooms.
    pub(crate) history: u32,
}

impl Subscribe {
    /// Whether the subscriber wants this event.
    pub(crate) fn wants(&self, event: &Event) -> bool {
        match (&self.rooms, room_of(event)) {
            (Some(rooms), Some(room)) => rooms.iter().any(|wanted| wanted == room),
            _ => true,
        }
    }
}

/// The room an event belongs to, if to any.
pub(crate) fn room_of(event: &Event) -> Option<&str> {
    match event {
        Event::Message(message) => Some(&message.room),
        Event::Record(record) => Some(&record.room),
        Event::Unsent(unsent) => Some(&unsent.room),
        Event::Joined { room, .. }
        | Event::Left { room, .. }
        | Event::Notice { room, .. }
        | Event::Restamped { room, .. } => Some(room),
        _ => None,
    }
}

/// The id of a message or record.
pub(crate) fn id_of(event: &Event) -> Option<&str> {
    match event {
        Event::Message(message) => Some(&message.id),
        Event::Record(record) => Some(&record.id),
        _ => None,
    }
}

/// The place of a message or record in the order of a conversation.
pub(crate) fn order_of(event: &Event) -> (u64, &str) {
    match event {
        Event::Message(message) => (message.stamp, &message.id),
        Event::Record(record) => (record.stamp, &record.id),
        _ => (u64::MAX, ""),
    }
}

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Something for the node.
    Command(Command),
    /// Events on this connection.
    Subscribe(Subscribe),
}

/// Why a line is no request. The sentence goes to the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("the line is longer than {REQUEST_BYTES_MAX} bytes: it was skipped up to its end")]
    TooLong,
    #[error("the line is not UTF-8")]
    NotUtf8,
    #[error("the line is not JSON ({0}): send one object a line, such as {{\"command\":\"status\"}}")]
    NotJson(String),
    #[error("the line is no JSON object: send one, such as {{\"command\":\"status\"}}")]
    NotAnObject,
    #[error("the tag is longer than {TAG_BYTES_MAX} bytes")]
    Tag,
    #[error("the request has no \"command\": {0}")]
    NoCommand(String),
    #[error("there is no command `{0}`: {1}")]
    Command(String, String),
    #[error("`{0}`: {1}")]
    Fields(String, String),
}

/// Reads a request line. The tag comes back also beside an error, if it could be read.
pub(crate) fn parse(line: &str) -> (Option<Value>, Result<Request, RequestError>) {
    let mut object = match serde_json::from_str(line) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return (None, Err(RequestError::NotAnObject)),
        Err(error) => return (None, Err(RequestError::NotJson(error.to_string()))),
    };
    let tag = object.remove("tag");
    if tag.as_ref().is_some_and(|tag| tag.to_string().len() > TAG_BYTES_MAX) {
        return (None, Err(RequestError::Tag));
    }
    (tag, request(object))
}

fn request(mut object: Map<String, Value>) -> Result<Request, RequestError> {
    let name = match object.get("command") {
        Some(Value::String(name)) => name.clone(),
        _ => return Err(RequestError::NoCommand(format!("there are: {}", COMMANDS.join(", ")))),
    };
    if !COMMANDS.contains(&name.as_str()) {
        let shown: String = name.chars().take(32).collect();
        return Err(RequestError::Command(shown, suggest(&name, COMMANDS)));
    }
    let fields = |error: serde_json::Error| RequestError::Fields(name.clone(), error.to_string());
    if name == "subscribe" {
        object.remove("command");
        return Ok(Request::Subscribe(serde_json::from_value(Value::Object(object)).map_err(fields)?));
    }
    Ok(Request::Command(serde_json::from_value(Value::Object(object)).map_err(fields)?))
}

#[derive(Serialize)]
struct Good<'a> {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a Value>,
    #[serde(flatten)]
    answer: &'a Answer,
}

#[derive(Serialize)]
struct Bad<'a> {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a Value>,
    error: &'a str,
}

/// The line of an answer, without its end.
pub(crate) fn good(tag: Option<&Value>, answer: &Answer) -> String {
    // Plain structs with string keys: nothing in them can fail to become JSON.
    serde_json::to_string(&Good { ok: true, tag, answer }).unwrap_or_default()
}

/// The line of a refusal, without its end.
pub(crate) fn bad(tag: Option<&Value>, error: &str) -> String {
    serde_json::to_string(&Bad { ok: false, tag, error }).unwrap_or_default()
}

/// The line of an event, without its end.
pub(crate) fn event(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

/// The line of a command, without its end.
pub(crate) fn command(command: &Command) -> String {
    serde_json::to_string(command).unwrap_or_default()
}

/// The line of a subscription, without its end.
pub(crate) fn subscribe(subscribe: &Subscribe) -> String {
    let mut object = serde_json::to_value(subscribe).unwrap_or_default();
    if let Some(object) = object.as_object_mut() {
        object.insert("command".into(), "subscribe".into());
    }
    object.to_string()
}

/// What a client reads from the socket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    /// The answer to the oldest open request, as it came.
    Good(Map<String, Value>),
    /// Its refusal.
    Bad(String),
    /// An event.
    Event(Event),
}

/// Reads a line as a client. An event that this version does not know gives nothing.
pub(crate) fn reply(line: &str) -> Option<Reply> {
    let object = match serde_json::from_str(line) {
        Ok(Value::Object(object)) => object,
        _ => return None,
    };
    match object.get("ok") {
        Some(Value::Bool(true)) => Some(Reply::Good(object)),
        Some(_) => Some(Reply::Bad(object.get("error").and_then(Value::as_str).unwrap_or("no reason given").into())),
        None => serde_json::from_value(Value::Object(object)).ok().map(Reply::Event),
    }
}

/// The answer to a command, from the fields of its line. The command decides which answer it is: by their fields
/// alone, a status without rooms and an empty list of rooms look alike.
pub(crate) fn answer(command: &Command, mut fields: Map<String, Value>) -> Result<Answer, serde_json::Error> {
    #[derive(Deserialize)]
    struct History {
        history: Vec<Event>,
    }
    #[derive(Deserialize)]
    struct Peers {
        peers: Vec<crate::node::command::Peer>,
    }
    #[derive(Deserialize)]
    struct Rooms {
        rooms: Vec<crate::node::command::Room>,
    }
    #[derive(Deserialize)]
    struct Limits {
        limits: Vec<crate::node::command::Limit>,
    }
    fields.remove("ok");
    let value = Value::Object(fields);
    Ok(match command {
        Command::Send { .. } | Command::Record { .. } => Answer::Sent(serde_json::from_value(value)?),
        Command::History { .. } => Answer::History { history: serde_json::from_value::<History>(value)?.history },
        Command::Peers {} => Answer::Peers { peers: serde_json::from_value::<Peers>(value)?.peers },
        Command::Rooms {} => Answer::Rooms { rooms: serde_json::from_value::<Rooms>(value)?.rooms },
        Command::Limits {} => Answer::Limits { limits: serde_json::from_value::<Limits>(value)?.limits },
        Command::Status { .. } => Answer::Status(serde_json::from_value(value)?),
        Command::Dial { .. } => Answer::Dialled(serde_json::from_value(value)?),
        Command::Dm { .. } | Command::Join { .. } | Command::Leave { .. } | Command::Nick { .. } => Answer::Done {},
    })
}

#[cfg(test)]
mod tests;
