//! What carries universal-connectivity's direct messages: libp2p's request and answer, with our bounds.

use super::{framed, gate::Gate, handle::Reply};
use libp2p::{PeerId, request_response::OutboundRequestId};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Direct messages, offered while a `uc:` room is joined.
pub type Behaviour = Gate<framed::Behaviour>;

/// Direct messages one peer may send in a minute; more are refused. Guess: faster than anybody types.
pub const DIRECT_PER_MINUTE_MAX: u32 = 60;
/// Peers whose direct messages are counted; beyond, those of strangers are refused until a minute is over. A board has
/// fewer connections.
pub const DIRECT_PEERS_MAX: usize = 256;
/// Direct messages of our own that wait for their answer; one more is refused.
pub const DIRECT_OPEN_MAX: usize = 8;

/// One of ours that waits for its answer.
pub(super) struct Open {
    pub reply: Reply,
    pub text: String,
}

/// What is known of direct messages under way.
#[derive(Default)]
pub(super) struct Directs {
    pub open: BTreeMap<OutboundRequestId, Open>,
    heard: BTreeMap<PeerId, (Instant, u32)>,
}

impl Directs {
    /// Whether one more of this peer may be taken now.
    pub(super) fn may_hear(&mut self, peer: PeerId, now: Instant) -> bool {
        let minute = Duration::from_secs(60);
        self.heard.retain(|_, (since, _)| now.saturating_duration_since(*since) < minute);
        if self.heard.len() >= DIRECT_PEERS_MAX && !self.heard.contains_key(&peer) {
            return false;
        }
        let (_, count) = self.heard.entry(peer).or_insert((now, 0));
        *count += 1;
        *count <= DIRECT_PER_MINUTE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_so_many_a_minute() {
        let (mut directs, peer, now) = (Directs::default(), PeerId::random(), Instant::now());
        assert!((0..DIRECT_PER_MINUTE_MAX).all(|_| directs.may_hear(peer, now)));
        assert!(!directs.may_hear(peer, now) && directs.may_hear(PeerId::random(), now));
        assert!(directs.may_hear(peer, now + Duration::from_secs(61)));
        for _ in 0..2 * DIRECT_PEERS_MAX {
            directs.may_hear(PeerId::random(), now + Duration::from_secs(61));
        }
        assert!(directs.heard.len() <= DIRECT_PEERS_MAX);
    }
}
