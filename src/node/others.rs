//! What the node has to know of a room, whether it is ours or other programs'.

use crate::{
    compat::{
        profile::Profile,
        room::{Dialect, Namespace, Room, RoomError},
    },
    wire::room::{self, RoomName},
};
use libp2p::kad;

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

/// A room's gossipsub topic, and how messages are named in it.
pub fn topic(room: &RoomName) -> (String, Profile) {
    match of(room) {
        Some(theirs) => (theirs.topic().into(), theirs.profile),
        None => (room.topic().as_str().into(), Profile::Spec),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_colon_is_a_room_of_others() {
        let name = |text: &str| room_name(text).unwrap();
        assert_eq!(topic(&name("lobby")), ("stonechat/1/lobby".into(), Profile::Spec));
        assert_eq!(topic(&name("uc+js:")).0, "universal-connectivity");
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
