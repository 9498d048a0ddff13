//! Connected peers by number.

use super::settings::PEERS_MAX;

/// A connected peer's number, given by the driver: small, and free again when the peer is gone. Those from
/// [`PEERS_MAX`] on are nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerIndex(pub u16);

impl PeerIndex {
    pub(super) const fn place(self) -> usize {
        self.0 as usize
    }
}

/// The protocol that was agreed on for our stream to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// None that we know: it is told nothing.
    None,
    /// `/floodsub/1.0.0`: it is sent every message of its topics, and knows no control messages.
    Floodsub,
    /// `/meshsub/1.0.0`.
    V10,
    /// `/meshsub/1.1.0`: back-off and peer exchange.
    V11,
    /// `/meshsub/1.2.0`: IDONTWANT.
    V12,
}

impl Protocol {
    /// Every one with its name on the wire, preferred first.
    pub const ALL: [(&'static str, Self); 4] = [
        ("/meshsub/1.2.0", Self::V12),
        ("/meshsub/1.1.0", Self::V11),
        ("/meshsub/1.0.0", Self::V10),
        ("/floodsub/1.0.0", Self::Floodsub),
    ];
}

/// A set of peers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PeerSet([u64; PEERS_MAX / 64]);

impl PeerSet {
    pub(super) fn contains(&self, peer: PeerIndex) -> bool {
        self.0.get(peer.place() / 64).is_some_and(|word| word >> (peer.place() % 64) & 1 == 1)
    }

    /// False if it was in there already.
    pub(super) fn insert(&mut self, peer: PeerIndex) -> bool {
        let is_new = !self.contains(peer);
        if let Some(word) = self.0.get_mut(peer.place() / 64) {
            *word |= 1 << (peer.place() % 64);
        }
        is_new
    }

    pub(super) fn remove(&mut self, peer: PeerIndex) {
        if let Some(word) = self.0.get_mut(peer.place() / 64) {
            *word &= !(1 << (peer.place() % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PEERS_MAX, PeerIndex, PeerSet};

    #[test]
    fn a_set_holds_every_peer_there_may_be() {
        let mut set = PeerSet::default();
        let last = PeerIndex(PEERS_MAX as u16 - 1);
        for peer in [PeerIndex(0), PeerIndex(63), PeerIndex(64), last] {
            assert!(!set.contains(peer) && set.insert(peer) && !set.insert(peer) && set.contains(peer));
        }
        assert!(!set.contains(PeerIndex(1)) && !set.contains(PeerIndex(PEERS_MAX as u16)));
        set.remove(last);
        assert!(!set.contains(last) && set.contains(PeerIndex(63)));
    }
}
