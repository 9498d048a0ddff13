//! A room of other programs: its name read, and what follows from it.

use super::bounds::{DATA_BYTES_MAX, cut};
use super::json::ChatMessage;
use super::profile::Profile;
use crate::wire::bounds::{NICK_BYTES_MAX, TEXT_BYTES_MAX};
use crate::wire::room::RoomName;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// universal-connectivity's chat topic, its mDNS name and its namespace.
pub const UC_TOPIC: &str = "universal-connectivity";
/// What universal-connectivity's rust peer provides in the DHT: these bytes, unhashed.
pub const UC_RUST_KEY: &str = "universal-connectivity/0.1.0";
/// What stands before the room's name in the topic of go-libp2p's chat example.
pub const GO_CHAT_PREFIX: &str = "chat-room:";
/// The mDNS name of go-libp2p's chat example.
pub const GO_CHAT_SERVICE: &str = "pubsub-chat-example";
/// What go-libp2p-pubsub puts before a topic to make its namespace.
pub const GO_PUBSUB_PREFIX: &str = "floodsub:";
/// Every mDNS name that a room of others may want.
pub const SERVICES: [&str; 2] = [UC_TOPIC, GO_CHAT_SERVICE];
/// Namespaces one room of others has, at most: two texts, or a text and a key.
pub const NAMESPACES_MAX: usize = 2;
/// Characters of a peer id that stand for the nickname in universal-connectivity. Source: its go peer's chatui.go; the
/// rust and nim peers show one less.
pub const UC_NICK_CHARS: usize = 8;

/// What is said of topics that are known by name: whether a line brings its end along, and whose message ids hold there.
/// Sources: go-libp2p's basic-chat-with-rendezvous, rust-libp2p's examples/chat, py-libp2p's examples/pubsub.
const KNOWN_TOPICS: [(&str, bool, Profile); 3] =
    [("applesauce", true, Profile::Spec), ("test-net", false, Profile::UcRust), ("pubsub-chat", false, Profile::Spec)];

/// Whose room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// universal-connectivity's.
    Uc,
    /// go-libp2p's chat example's.
    GoChat,
    /// Anybody's who sends lines.
    Text,
}

impl Dialect {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Uc, Self::GoChat, Self::Text];

    /// What stands before the `:` in a room's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uc => "uc",
            Self::GoChat => "go-chat",
            Self::Text => "text",
        }
    }

    /// Whose room a name means, without the rest of it.
    pub fn of(room: &RoomName) -> Option<Self> {
        let (head, _) = room.as_str().split_once(':')?;
        let name = head.split_once('+').map_or(head, |(name, _)| name);
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }
}

/// Why a name with a `:` is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// What stands before the `:` is nobody's.
    #[error("a name with ':' is a room of other programs and begins with uc:, go-chat: or text:")]
    Dialect,
    /// What stands after the `+` is no way to name messages.
    #[error("after '+' stands whose message ids hold: spec, rust, uc-rust, nim, js, uc-js or py")]
    Profile,
    /// There is one room only.
    #[error("universal-connectivity has one room: write uc: and nothing after it")]
    UcRest,
    /// The rest of the name is missing.
    #[error("go-chat: needs the room's name, such as go-chat:awesome-chat-room")]
    GoChatEmpty,
    /// The rest of the name is missing.
    #[error("text: needs a topic, such as text:applesauce")]
    TextEmpty,
    /// A topic of ours holds frames, and no plain text.
    #[error("a topic that begins with stonechat/ is a room of ours: name it without text:")]
    Ours,
}

/// A namespace in the DHT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespace {
    /// Its key is the multihash of the text, as go-libp2p's.
    Text(String),
    /// Its key are the bytes of the text.
    Raw(&'static str),
}

impl Namespace {
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Raw(text) => text,
        }
    }
}

/// A line as another program said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What the author is called there; empty where nobody has a name.
    pub nick: String,
    /// The text, without the end of the line.
    pub text: String,
}

/// Why a message of another program is not shown. Nobody is to blame: there is no rule it would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Over its bound.
    #[error("it is longer than {DATA_BYTES_MAX} bytes")]
    TooLong,
    /// There is no text in it.
    #[error("it is empty")]
    Empty,
    /// Not the JSON that the program sends.
    #[error("it is not the JSON of this room")]
    NotJson,
}

/// A room of other programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Whose.
    pub dialect: Dialect,
    /// How gossipsub names messages there.
    pub profile: Profile,
    topic: String,
    line_end: bool,
}

impl Room {
    /// Reads a room's name.
    pub fn of(name: &RoomName) -> Result<Self, RoomError> {
        let (head, rest) = name.as_str().split_once(':').ok_or(RoomError::Dialect)?;
        let dialect = Dialect::of(name).ok_or(RoomError::Dialect)?;
        let chosen = head.split_once('+').map(|(_, profile)| Profile::find(profile).ok_or(RoomError::Profile));
        let topic = match (dialect, rest) {
            (Dialect::Uc, "") => UC_TOPIC.to_string(),
            (Dialect::Uc, _) => return Err(RoomError::UcRest),
            (Dialect::GoChat, "") => return Err(RoomError::GoChatEmpty),
            (Dialect::GoChat, room) => format!("{GO_CHAT_PREFIX}{room}"),
            (Dialect::Text, "") => return Err(RoomError::TextEmpty),
            (Dialect::Text, topic) if topic.starts_with("stonechat/") => return Err(RoomError::Ours),
            (Dialect::Text, topic) => topic.to_string(),
        };
        let known = KNOWN_TOPICS.into_iter().find(|(known, ..)| dialect == Dialect::Text && *known == topic);
        let (line_end, usual) = known.map_or((false, Profile::Spec), |(_, line_end, profile)| (line_end, profile));
        let profile = chosen.transpose()?.unwrap_or(usual);
        Ok(Self { dialect, profile, topic, line_end })
    }

    /// Its gossipsub topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Where its people provide themselves in the DHT; [`NAMESPACES_MAX`] at most.
    pub fn namespaces(&self) -> Vec<Namespace> {
        let go_pubsub = || Namespace::Text(format!("{GO_PUBSUB_PREFIX}{}", self.topic));
        match self.dialect {
            Dialect::Uc => alloc::vec![Namespace::Text(self.topic.clone()), Namespace::Raw(UC_RUST_KEY)],
            Dialect::GoChat => alloc::vec![go_pubsub()],
            Dialect::Text => alloc::vec![Namespace::Text(self.topic.clone()), go_pubsub()],
        }
    }

    /// The mDNS name under which its people look for each other, beside the common one.
    pub const fn service(&self) -> Option<&'static str> {
        match self.dialect {
            Dialect::Uc => Some(UC_TOPIC),
            Dialect::GoChat => Some(GO_CHAT_SERVICE),
            Dialect::Text => None,
        }
    }

    /// What to send for a line: the bytes that their own program sends. `author` is our peer id (base58).
    pub fn encode(&self, nick: &str, text: &str, author: &str) -> Vec<u8> {
        match self.dialect {
            Dialect::GoChat => {
                let sender_nick = if nick.is_empty() { end_of(author, UC_NICK_CHARS) } else { nick };
                let (message, sender_id) = (text.to_string(), author.to_string());
                ChatMessage { message, sender_id, sender_nick: sender_nick.to_string() }.encode().into_bytes()
            }
            _ if self.line_end => [text.as_bytes(), b"\n"].concat(),
            _ => text.as_bytes().to_vec(),
        }
    }

    /// What a message says. `author` is the peer id (base58) that signed it.
    pub fn decode(&self, data: &[u8], author: &str) -> Result<Said, Unread> {
        if data.len() > DATA_BYTES_MAX {
            return Err(Unread::TooLong);
        }
        let (nick, text) = match self.dialect {
            Dialect::GoChat => {
                let read = ChatMessage::decode(data).ok_or(Unread::NotJson)?;
                (read.sender_nick, read.message)
            }
            Dialect::Uc => (end_of(author, UC_NICK_CHARS).to_string(), String::from_utf8_lossy(data).into_owned()),
            Dialect::Text => (String::new(), String::from_utf8_lossy(data).into_owned()),
        };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err(Unread::Empty);
        }
        Ok(Said { nick: cut(nick, NICK_BYTES_MAX), text: cut(text.to_string(), TEXT_BYTES_MAX) })
    }

    /// What is otherwise here than in a room of ours, in a sentence for its user.
    pub const fn notice(&self) -> &'static str {
        match self.dialect {
            Dialect::Uc => {
                "universal-connectivity's room: nobody has a nickname there (the end of the peer id is shown), lines stand \
                 in the order they arrive, and there are no records"
            }
            Dialect::GoChat => {
                "a room of go-libp2p's chat example: nicknames travel unsigned beside each line, lines stand in the order \
                 they arrive, and there are no records"
            }
            Dialect::Text => {
                "a topic of other programs: nobody has a nickname there (the end of the peer id is shown), lines stand in \
                 the order they arrive, and there are no records"
            }
        }
    }
}

/// The last characters of a peer id, which is ASCII.
fn end_of(text: &str, chars: usize) -> &str {
    text.get(text.len().saturating_sub(chars)..).unwrap_or(text)
}
