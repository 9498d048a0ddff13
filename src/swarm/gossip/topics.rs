//! The joined topics: their numbers, their names, and how messages are named in each.

use crate::compat::profile::{Named, Profile};
use crate::gossip::TopicIndex;
use crate::wire::room::TOPIC_PREFIX;
use crate::wire::rpc::{Strict, bounds::ID_BYTES_MAX};
use heapless::Vec as ShortVec;
use libp2p::PeerId;

/// A message's id.
pub(super) type Id = ShortVec<u8, ID_BYTES_MAX>;

#[derive(Debug)]
struct Topic {
    index: TopicIndex,
    name: Box<str>,
    profile: Profile,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Topics(Vec<Topic>);

impl Topics {
    /// A joined topic gets the first number that is free.
    pub fn join(&mut self, name: &str, profile: Profile) -> TopicIndex {
        let is_taken = |index: &TopicIndex| self.0.iter().any(|topic| topic.index == *index);
        let index = (0..u16::MAX).map(TopicIndex).find(|index| !is_taken(index)).unwrap_or(TopicIndex(u16::MAX));
        self.0.push(Topic { index, name: name.into(), profile });
        index
    }

    pub fn leave(&mut self, index: TopicIndex) {
        self.0.retain(|topic| topic.index != index);
    }

    /// What it is called.
    pub fn name(&self, index: TopicIndex) -> Option<&str> {
        self.find(index).map(|topic| &*topic.name)
    }

    /// Whether it is a room of ours. In those of other programs an author whose kind of key is unknown here looks like a
    /// forger, and whoever hands its messages on is not to blame.
    pub fn is_ours(&self, index: TopicIndex) -> bool {
        self.name(index).is_some_and(|name| name.starts_with(TOPIC_PREFIX))
    }

    /// A message's id there.
    pub fn id(&self, index: TopicIndex, message: &Strict<'_>) -> Option<Id> {
        let Strict { from, seqno, data, .. } = *message;
        let from_text = |profile| match profile {
            Profile::Rust | Profile::Nim => PeerId::from_bytes(from).ok().map(|peer| peer.to_base58()),
            _ => None,
        };
        match self.find(index)?.profile {
            Profile::Spec => {
                let mut id = Id::from_slice(from).ok()?;
                id.extend_from_slice(&seqno.to_be_bytes()).ok()?;
                Some(id)
            }
            profile => {
                let from_text = from_text(profile).unwrap_or_default();
                Id::from_slice(&profile.id(Named { from, from_text: &from_text, seqno, data })).ok()
            }
        }
    }

    fn find(&self, index: TopicIndex) -> Option<&Topic> {
        self.0.iter().find(|topic| topic.index == index)
    }
}

/// Whether two who say the same say the same message in a topic of this sort: then it is heard once in a while.
pub(super) fn is_by_content(profile: Profile) -> bool {
    profile == Profile::UcRust
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_has_its_own_way_to_name_messages() {
        let (source, mut topics) = (PeerId::random(), Topics::default());
        let from = source.to_bytes();
        let message = Strict { from: &from, data: b"ok", seqno: 7, topic: b"", signature: &[], key: &[] };
        for (_, profile) in Profile::ALL {
            let index = topics.join(profile.name(), profile);
            let from_text = source.to_base58();
            let wanted = profile.id(Named { from: &from, from_text: &from_text, seqno: 7, data: b"ok" });
            assert_eq!(topics.id(index, &message).as_deref(), Some(&*wanted), "{}", profile.name());
        }
        assert_eq!(topics.id(TopicIndex(99), &message), None);
        let long = [7; ID_BYTES_MAX];
        assert_eq!(topics.id(TopicIndex(0), &Strict { from: &long, ..message }), None);
    }

    #[test]
    fn numbers_are_free_again_and_names_tell_whose_room_it_is() {
        let mut topics = Topics::default();
        let [ours, theirs] = ["stonechat/1/lobby", "test-net"].map(|name| topics.join(name, Profile::Spec));
        assert!(topics.is_ours(ours) && !topics.is_ours(theirs) && ours != theirs);
        topics.leave(ours);
        assert_eq!((topics.name(ours), topics.name(theirs)), (None, Some("test-net")));
        assert_eq!(topics.join("stonechat/1/attic", Profile::Spec), ours);
    }
}
