//! What the node has to know of a room, whether it is ours or other programs'.

use crate::{
    compat::{
        profile::{Named, Profile},
        room::{Dialect, Namespace, Room, RoomError},
    },
    wire::room::{self, RoomName},
};
use libp2p::{
    gossipsub::{Message, MessageId, TopicHash},
    kad,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

/// Why a text is no room's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It breaks the rules for every name.
    #[error(transparent)]
    Name(#[from] room::RoomError),
    /// It is none of the rooms of other programs.
    #[error(transparent)]
    Others(#[from] RoomError),
}

/// Checks the name of a room: ours, or with a `:` of other programs.
pub fn room_name(name: &str) -> Result<RoomName, NameError> {
    let room = RoomName::of_others(name)?;
    if room.is_others() {
        Room::of(&room)?;
    }
    Ok(room)
}

/// The room of other programs that a name means, if it is one.
pub fn of(room: &RoomName) -> Option<Room> {
    if room.is_others() { Room::of(room).ok() } else { None }
}

/// Where the lines of a room come from: `uc`, `go-chat`, `text`; none for a room of ours.
pub fn via(room: &RoomName) -> Option<&'static str> {
    Dialect::of(room).map(Dialect::name)
}

/// A room's gossipsub topic.
pub fn topic(room: &RoomName) -> TopicHash {
    match of(room) {
        Some(theirs) => TopicHash::from_raw(theirs.topic()),
        None => TopicHash::from_raw(room.topic().as_str()),
    }
}

/// A room's namespaces in the DHT, each with its key.
pub fn namespaces(room: &RoomName) -> Vec<(String, kad::RecordKey)> {
    let key = |namespace: &Namespace| match namespace {
        Namespace::Text(text) => (text.clone(), super::rendezvous::key(text)),
        Namespace::Raw(text) => (format!("{text} (as bytes)"), kad::RecordKey::new(text)),
    };
    match of(room) {
        Some(theirs) => theirs.namespaces().iter().map(key).collect(),
        None => vec![key(&Namespace::Text(room.topic().as_str().to_owned()))],
    }
}

/// What a user is told once on joining a room: none for a room of ours.
pub fn notice(name: &str) -> Option<String> {
    let theirs = of(&room_name(name).ok()?)?;
    let ids = match theirs.profile {
        Profile::Spec => String::new(),
        profile => format!("; message ids: {}", profile.name()),
    };
    Some(format!("{name} is {}{ids}", theirs.notice()))
}

/// The topic of what we make up ourselves for gossipsub: an id, to be waited for no more. Nothing of a peer in it is
/// heard.
pub const FORGET_TOPIC: &str = "/stonechat/forget";

/// How gossipsub names messages, by topic: as the specification does, but for the topics named here. Only the node's task
/// asks and sets.
#[derive(Debug, Clone, Default)]
pub struct Naming(Arc<RwLock<BTreeMap<TopicHash, Profile>>>);

impl Naming {
    /// Names the messages of a topic so from now on.
    pub fn set(&self, topic: TopicHash, profile: Profile) {
        let mut topics = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match profile {
            Profile::Spec => topics.remove(&topic),
            profile => topics.insert(topic, profile),
        };
    }

    fn profile(&self, topic: &TopicHash) -> Profile {
        let topics = self.0.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(topic).copied().unwrap_or_default()
    }

    /// Whether all messages of a topic that say the same have the same name.
    pub fn is_by_content(&self, topic: &TopicHash) -> bool {
        self.profile(topic) == Profile::UcRust
    }

    /// The name of a message.
    pub fn id(&self, message: &Message) -> MessageId {
        if message.topic.as_str() == FORGET_TOPIC {
            return MessageId::new(&message.data);
        }
        let profile = self.profile(&message.topic);
        let from = message.source.map(|peer| peer.to_bytes()).unwrap_or_default();
        let from_text = match (profile, message.source) {
            (Profile::Rust | Profile::Nim, Some(peer)) => peer.to_base58(),
            _ => String::new(),
        };
        let seqno = message.sequence_number.unwrap_or_default();
        MessageId::from(profile.id(Named { from: &from, from_text: &from_text, seqno, data: &message.data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::PeerId;

    #[test]
    fn a_topic_has_its_own_way_to_name_messages() {
        let (naming, topic) = (Naming::default(), TopicHash::from_raw("test-net"));
        let source = PeerId::random();
        let message =
            Message { source: Some(source), data: b"ok".to_vec(), sequence_number: Some(7), topic: topic.clone() };
        let spec = MessageId::from([source.to_bytes(), 7_u64.to_be_bytes().to_vec()].concat());
        assert_eq!(naming.id(&message), spec);
        naming.set(topic.clone(), Profile::UcRust);
        assert_eq!(naming.id(&message), MessageId::from("9513707924467999059"));
        let elsewhere = Message { topic: TopicHash::from_raw("stonechat/1/lobby"), ..message.clone() };
        assert_eq!(naming.id(&elsewhere), spec);
        naming.set(topic, Profile::Spec);
        assert_eq!(naming.id(&message), spec);
    }

    #[test]
    fn a_name_with_a_colon_is_a_room_of_others() {
        let name = |text: &str| room_name(text).unwrap();
        assert_eq!(topic(&name("lobby")).as_str(), "stonechat/1/lobby");
        assert_eq!(topic(&name("uc+js:")).as_str(), "universal-connectivity");
        assert_eq!((via(&name("lobby")), via(&name("uc+js:"))), (None, Some("uc")));
        assert_eq!(notice("lobby"), None);
        assert!(
            notice("uc+js:").unwrap().ends_with("; message ids: uc-js") || notice("uc+js:").unwrap().ends_with(": js")
        );
        assert!(room_name("irc:lobby").is_err() && room_name("text:a b").is_err());
        let keys = namespaces(&name("uc:"));
        assert_eq!(keys[1].1, kad::RecordKey::new(b"universal-connectivity/0.1.0"));
    }
}
