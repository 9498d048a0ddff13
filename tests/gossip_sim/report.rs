//! What came of a simulation.

use super::kinds::{Manner, Traffic};
use super::network::Network;
use std::collections::BTreeSet;

/// Figures over all lines and all who should hear them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Lines times those who should have heard them, and how many did.
    pub due: u64,
    pub heard: u64,
    /// Milliseconds from word to ear.
    pub p50_ms: u64,
    pub p99_ms: u64,
    /// Of each line, for each who heard it.
    pub copies: f64,
    pub bytes: f64,
    pub hops: f64,
    pub hops_max: u32,
}

impl Report {
    /// Of what was said since: `before` is the traffic until then.
    pub fn of(network: &Network, before: Traffic) -> Self {
        let (mut due, mut waits, mut hops) = (0, Vec::new(), Vec::new());
        for (line, (author, at)) in &network.said {
            for listener in reach(network, *author).into_iter().filter(|listener| listener != author) {
                due += 1;
                if let Some((heard_at, over)) = network.nodes[listener].heard.get(line) {
                    waits.push(heard_at - at);
                    hops.push(*over);
                }
            }
        }
        waits.sort_unstable();
        let at = |share: usize| waits.get((waits.len() * share / 100).min(waits.len().saturating_sub(1))).copied();
        let each = |all: u64| all as f64 / waits.len().max(1) as f64;
        Self {
            due,
            heard: waits.len() as u64,
            p50_ms: at(50).unwrap_or_default(),
            p99_ms: at(99).unwrap_or_default(),
            copies: each(network.traffic.copies - before.copies),
            bytes: each(network.traffic.bytes - before.bytes),
            hops: each(hops.iter().map(|hops| u64::from(*hops)).sum()),
            hops_max: hops.iter().max().copied().unwrap_or_default(),
        }
    }

    pub fn share(&self) -> f64 {
        100.0 * self.heard as f64 / self.due.max(1) as f64
    }

    pub fn line(&self, name: &str) -> String {
        format!(
            "{name:<44} {:>8.3} {:>7} {:>7} {:>7.2} {:>8.0} {:>6.2} {:>5}",
            self.share(),
            self.p50_ms,
            self.p99_ms,
            self.copies,
            self.bytes,
            self.hops,
            self.hops_max
        )
    }
}

pub fn heading() -> String {
    format!(
        "{:<44} {:>8} {:>7} {:>7} {:>7} {:>8} {:>6} {:>5}",
        "", "heard %", "p50 ms", "p99 ms", "copies", "bytes", "hops", "most"
    )
}

/// The honest ones whom somebody reaches by way of honest ones.
fn reach(network: &Network, from: usize) -> BTreeSet<usize> {
    let (mut found, mut open) = (BTreeSet::from([from]), vec![from]);
    while let Some(node) = open.pop() {
        for link in 0..network.links(node) {
            let next = network.neighbour(node, link);
            if network.nodes[next].manner == Manner::Honest && found.insert(next) {
                open.push(next);
            }
        }
    }
    found
}
