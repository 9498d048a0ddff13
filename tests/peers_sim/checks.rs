//! What must hold at any time.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use stonechat::node::peers::dialer::Target;
use stonechat::node::peers::overlay::Overlay;

/// Connections of one pair that may come and go in a minute.
const DROPS_A_MINUTE_MAX: usize = 2;
const MINUTE_MS: u64 = 60_000;

#[derive(Default)]
pub struct Checks {
    /// Failures for which another node was to blame, by who dialled and whom.
    failures: BTreeMap<(usize, Target), u32>,
    drops: BTreeMap<(usize, usize), VecDeque<u64>>,
    pub dropped: u64,
    /// Attempts to connect where nobody answers: when and by whom.
    pub dead: Vec<(u64, usize, Option<SocketAddr>)>,
}

impl Checks {
    pub fn containers(&self, seed: u64, node: usize, overlay: &Overlay) {
        for (what, used, most) in overlay.loads() {
            assert!(used <= most, "seed {seed}: node {node} holds {used} of {most}: {what}");
        }
        for (peer, _) in overlay.book().entries() {
            let Some(attempts) = overlay.dialer().attempts(peer) else { continue };
            let most = self.failures.get(&(node, Target::Peer(*peer))).copied().unwrap_or(0);
            let failures = attempts.failures();
            assert!(failures <= most, "seed {seed}: node {node} books {failures} failures of {peer}, {most} happened");
        }
    }

    pub fn on_remote_failure(&mut self, node: usize, target: Target) {
        *self.failures.entry((node, target)).or_default() += 1;
    }

    /// One of two ended their connection for want of places.
    pub fn on_drop(&mut self, seed: u64, one: usize, other: usize, now_ms: u64) {
        self.dropped += 1;
        let drops = self.drops.entry((one.min(other), one.max(other))).or_default();
        drops.retain(|ms| ms + MINUTE_MS > now_ms);
        drops.push_back(now_ms);
        assert!(drops.len() <= DROPS_A_MINUTE_MAX, "seed {seed}: {one} and {other} met and parted at {drops:?} ms");
    }

    pub fn on_dead_attempt(&mut self, node: usize, now_ms: u64, address: Option<SocketAddr>) {
        self.dead.push((now_ms, node, address));
    }

    /// The most attempts that went nowhere in any stretch of so many milliseconds, of one node.
    pub fn most_dead(&self, node: usize, stretch_ms: u64) -> usize {
        let times: Vec<u64> = self.dead.iter().filter(|(_, by, _)| *by == node).map(|(ms, _, _)| *ms).collect();
        let from = |at: usize| times[at..].iter().take_while(|ms| **ms < times[at] + stretch_ms).count();
        (0..times.len()).map(from).max().unwrap_or(0)
    }
}
