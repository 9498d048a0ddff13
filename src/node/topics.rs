//! The joined rooms by the numbers of their topics.

use crate::{gossip::TopicIndex, wire::room::RoomName};

/// Which topic is which room's.
#[derive(Debug, Default)]
pub(super) struct Topics(Vec<(TopicIndex, RoomName)>);

impl Topics {
    /// A room is joined.
    pub fn insert(&mut self, topic: TopicIndex, room: RoomName) {
        self.0.push((topic, room));
    }

    /// A room is left: its topic.
    pub fn remove(&mut self, room: &RoomName) -> Option<TopicIndex> {
        let at = self.0.iter().position(|(_, joined)| joined == room)?;
        Some(self.0.remove(at).0)
    }

    /// The topic of a joined room.
    pub fn of(&self, room: &RoomName) -> Option<TopicIndex> {
        self.0.iter().find(|(_, joined)| joined == room).map(|(topic, _)| *topic)
    }

    /// The joined room of a topic.
    pub fn room(&self, topic: TopicIndex) -> Option<RoomName> {
        self.0.iter().find(|(known, _)| *known == topic).map(|(_, room)| room.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_its_rooms_until_that_is_left() {
        let [lobby, attic] = ["lobby", "attic"].map(|name| name.parse::<RoomName>().unwrap());
        let mut topics = Topics::default();
        topics.insert(TopicIndex(7), lobby.clone());
        topics.insert(TopicIndex(0), attic.clone());
        assert_eq!((topics.of(&lobby), topics.room(TopicIndex(0))), (Some(TopicIndex(7)), Some(attic.clone())));
        assert_eq!((topics.remove(&attic), topics.remove(&attic)), (Some(TopicIndex(0)), None));
        assert_eq!((topics.room(TopicIndex(0)), topics.of(&attic)), (None, None));
    }
}
