//! What messages and meshes need of the rest for the time of one input.

use super::offenders::Departed;
use super::output::{Output, Outputs};
use super::peer::PeerIndex;
use super::peers::{Allowance, Peer, Peers};
use super::settings::Mesh;
use crate::base::{hash::siphash, random::Random};

/// The rest of the core.
pub(super) struct Context<'a> {
    pub peers: &'a mut Peers,
    pub departed: &'a mut Departed,
    pub out: &'a mut Outputs,
    pub random: &'a mut Random,
    pub mesh: Mesh,
    pub seed: [u64; 2],
    pub now: u64,
}

impl Context<'_> {
    /// One that is listened to.
    pub(super) fn heard(&mut self, peer: PeerIndex) -> Option<&mut Peer> {
        self.peers.heard(peer)
    }

    /// Takes of a peer's allowance as much as there is, at most `count`; says how much.
    pub(super) fn take(&mut self, peer: PeerIndex, allowance: Allowance, count: usize) -> usize {
        let now = self.now;
        self.peers.heard(peer).map_or(0, |peer| peer.take_up_to(allowance, count, now))
    }

    /// What stands for a peer id or a topic inside.
    pub(super) fn hash(&self, bytes: &[u8]) -> u64 {
        siphash(self.seed, bytes)
    }

    /// A peer did wrong.
    pub(super) fn offend(&mut self, peer: PeerIndex, thousandths: u32) {
        let now = self.now;
        if self.peers.find_mut(peer).is_some_and(|peer| peer.offend(thousandths, now)) {
            self.out.push(Output::Ban { peer });
        }
    }
}
