//! What a power cut can leave of a disk.

use crate::disk::{State, lay};
use crate::random::Random;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the card writes at once: it has these bytes wholly, or a part of them in front.
const SECTOR: usize = 512;

/// Files as they are found after the power came back.
pub struct Image {
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Image {
    /// Everything that was not synced is there (`true`) or lost: data and names apart.
    pub fn plain(state: &State, data: bool, names: bool) -> Self {
        let names = if names { &state.names } else { &state.stored_names };
        let bytes = |node: &usize| {
            let node = &state.nodes[*node];
            if data { node.seen.clone() } else { node.stored.clone() }
        };
        Self { files: names.iter().map(|(path, node)| (path.clone(), bytes(node))).collect() }
    }

    /// The last write of all, which went to this node, was cut after `prefix` bytes; the unsynced ones before it are
    /// there or lost.
    pub fn torn(state: &State, node: usize, prefix: usize, before: bool) -> Self {
        let mut image = Self::plain(state, before, true);
        let node_state = &state.nodes[node];
        let mut bytes = node_state.stored.clone();
        let (last, earlier) = node_state.unsynced.split_last().expect("a write came last");
        for (offset, written) in earlier.iter().filter(|_| before) {
            lay(&mut bytes, *offset, written);
        }
        lay(&mut bytes, last.0, &last.1[..prefix]);
        for (path, other) in &state.names {
            if *other == node {
                image.files.insert(path.clone(), bytes.clone());
            }
        }
        image
    }

    /// Of what was not synced, each sector and each name by itself is there, is lost, or (a sector) is torn.
    pub fn random(state: &State, random: &mut Random) -> Self {
        let mut names = state.stored_names.clone();
        let ordered = random.below(2) == 0;
        let reached = random.index(state.unsynced_names.len() + 1);
        for (at, change) in state.unsynced_names.iter().enumerate() {
            if if ordered { at < reached } else { random.below(2) == 0 } {
                change.apply(&mut names);
            }
        }
        // Some cuts lose nearly all, some nearly nothing.
        let kept = [5, 50, 95][random.index(3)];
        let mut nodes = BTreeMap::new();
        for node in names.values() {
            let state = &state.nodes[*node];
            nodes.entry(*node).or_insert_with(|| {
                let mut bytes = state.stored.clone();
                for (offset, written) in &state.unsynced {
                    let mut at = 0;
                    while at < written.len() {
                        let place = *offset as usize + at;
                        let length = (SECTOR - place % SECTOR).min(written.len() - at);
                        let there = match random.below(100) {
                            0..=2 => random.index(length + 1),
                            chance if chance < kept => length,
                            _ => 0,
                        };
                        if there > 0 {
                            lay(&mut bytes, place as u64, &written[at..at + there]);
                        }
                        at += length;
                    }
                }
                bytes
            });
        }
        Self { files: names.into_iter().map(|(path, node)| (path, nodes[&node].clone())).collect() }
    }
}
