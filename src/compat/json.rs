//! The messages of go-libp2p's example `pubsub/chat`, as Go's `encoding/json` writes and reads them.
//!
//! Go escapes `<`, `>`, `&` and the two Unicode line ends, so a text becomes other bytes than with most encoders. Go reads
//! the names of fields in any case, takes the last of several, and lets pass what it does not know.

use alloc::string::String;
use core::fmt::{self, Write};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChatMessage {
    /// The text.
    pub message: String,
    /// The sender's peer id (base58), as the sender says. Never trust it: gossipsub's author is the signed one.
    pub sender_id: String,
    /// The sender's nickname.
    pub sender_nick: String,
}

impl ChatMessage {
    /// As Go writes it.
    pub fn encode(&self) -> String {
        let Self { message, sender_id, sender_nick } = self;
        let mut out = String::with_capacity(message.len() + sender_id.len() + sender_nick.len() + 48);
        for (name, value) in
            [("{\"Message\":", message), (",\"SenderID\":", sender_id), (",\"SenderNick\":", sender_nick)]
        {
            out.push_str(name);
            quote(value, &mut out);
        }
        out.push('}');
        out
    }

    /// As Go reads it; none where Go refuses it.
    pub fn decode(data: &[u8]) -> Option<Self> {
        serde_json::from_str(&String::from_utf8_lossy(data)).ok()
    }
}

/// A string as Go's `json.Marshal` writes it.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        let short = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // A String takes all that is written.
                let _ = write!(out, "\\u{:04x}", c as u32);
                continue;
            }
            c => {
                out.push(c);
                continue;
            }
        };
        out.push_str(short);
    }
    out.push('"');
}

impl<'de> Deserialize<'de> for ChatMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = ChatMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with Message, SenderID and SenderNick")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ChatMessage, A::Error> {
        let mut read = ChatMessage::default();
        let mut known = false;
        while let Some(name) = map.next_key::<String>()? {
            let field = match () {
                () if name.eq_ignore_ascii_case("Message") => &mut read.message,
                () if name.eq_ignore_ascii_case("SenderID") => &mut read.sender_id,
                () if name.eq_ignore_ascii_case("SenderNick") => &mut read.sender_nick,
                () => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            known = true;
            // Go leaves a field as it is where the value is null.
            if let Some(value) = map.next_value::<Option<String>>()? {
                *field = value;
            }
        }
        if known { Ok(read) } else { Err(A::Error::missing_field("Message")) }
    }
}
