//! Which topics others may name to us.

use libp2p::gossipsub;

/// Which topics a remote may subscribe to: any, if the name is short enough to be remembered.
#[derive(Debug, Clone, Copy)]
pub struct TopicBounds {
    /// Longest topic in bytes.
    pub topic_bytes_max: usize,
}

impl gossipsub::TopicSubscriptionFilter for TopicBounds {
    fn can_subscribe(&mut self, topic: &gossipsub::TopicHash) -> bool {
        topic.as_str().len() <= self.topic_bytes_max
    }
}
