//! Who is in a room after a connection was replaced: what a peer said on one that died may no longer be so.

use super::state::Node;
use libp2p::PeerId;
use std::time::{Duration, Instant};

/// Milliseconds a peer has to name its rooms anew on another connection. A link that loses a third of its packets needs a few
/// seconds.
pub const CONFIRM_MS: u64 = 10_000;

impl Node {
    /// Another connection of a peer is in use.
    pub(super) fn confirm_later(&mut self, peer: PeerId, now: Instant) {
        self.unconfirmed.insert(peer, now + Duration::from_millis(CONFIRM_MS));
    }

    /// Takes those for gone from our rooms who did not say again that they are in them.
    pub(super) fn confirm_rooms(&mut self, now: Instant) {
        let due: Vec<PeerId> = self.unconfirmed.iter().filter(|(_, at)| **at <= now).map(|(peer, _)| *peer).collect();
        due.iter().for_each(|peer| {
            self.unconfirmed.remove(peer);
        });
        for peer in due {
            let Some(connected) = self.peers.connected(&peer) else { continue };
            let counted: Vec<String> = connected.rooms.iter().cloned().collect();
            for room in self.rooms.clone().iter().filter(|room| counted.iter().any(|it| it == room.as_str())) {
                let Some(topic) = self.topics.of(room) else { continue };
                if !self.swarm.behaviour().gossip.is_member(&peer, topic) {
                    log::debug!("{peer} left {room} while its connection was dead");
                    self.admission.on_topic(&peer, room.as_str(), false);
                    self.on_member_left(peer, topic);
                }
            }
        }
    }
}
