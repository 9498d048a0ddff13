//! Whatever happens, in whatever order: from a seed that a failure prints.

use super::{CATCH_UP_MS, Scene, peers};
use libp2p::PeerId;
use std::collections::BTreeMap;

/// Peers come, go, are lost and answer at random while lines are said; in the end all who are there have everything that was
/// said since they came, each line after those before it.
#[test]
fn whatever_happens_everything_arrives_in_order() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut scene, all) = (Scene::new(), peers::<4>());
        // Who is connected since when, what has arrived, what is under way: (stamp, when handed out).
        let mut there: BTreeMap<PeerId, u64> = BTreeMap::new();
        let mut has: BTreeMap<PeerId, Vec<u64>> = all.iter().map(|peer| (*peer, Vec::new())).collect();
        let mut under_way: BTreeMap<PeerId, Vec<(u64, u64)>> = BTreeMap::new();
        let mut owed: BTreeMap<PeerId, u64> = BTreeMap::new();
        let (mut said, mut ms) = (0, 0);
        let arrive =
            |peer: &PeerId, lines: &mut Vec<(u64, u64)>, has: &mut BTreeMap<PeerId, Vec<u64>>, count: usize| {
                for (stamp, _) in lines.drain(..count) {
                    let has = has.get_mut(peer).unwrap();
                    if !has.contains(&stamp) {
                        has.push(stamp);
                    }
                }
            };
        for step in 0..400 {
            ms += random.u64(1..400);
            let peer = all[random.usize(0..all.len())];
            let is_last = step >= 380;
            match random.u32(0..10) {
                0..5 if !is_last => {
                    // As long as nothing is refused.
                    if scene.outbox.push(&scene.room, said, &said.to_be_bytes(), scene.at(ms)).is_ok() {
                        said += 1;
                    }
                }
                5 if !is_last && there.remove(&peer).is_some() => {
                    // What was under way arrives in part.
                    let lines = under_way.entry(peer).or_default();
                    let count = random.usize(0..=lines.len());
                    arrive(&peer, lines, &mut has, count);
                    lines.clear();
                    scene.outbox.on_lost(&peer, scene.at(ms));
                }
                6 | 7 if !there.contains_key(&peer) => {
                    there.insert(peer, ms);
                    // What it never heard of was said to others before it came for the first time.
                    owed.entry(peer).or_insert(said);
                    scene.outbox.on_entered(peer, &scene.room.clone(), scene.at(ms));
                }
                _ => {
                    if let Some(lines) = under_way.get_mut(&peer).filter(|_| there.contains_key(&peer)) {
                        let begun = ms - random.u64(0..ms.min(3_000));
                        let count = lines.iter().filter(|(_, at)| *at < begun).count();
                        arrive(&peer, lines, &mut has, count);
                        if there[&peer] < begun {
                            scene.outbox.on_confirmed(&peer, scene.at(begun), scene.at(ms));
                        }
                    }
                }
            }
            scene.outbox.do_due(scene.at(ms));
            scene.flush(ms);
            for stamp in scene.handed() {
                there.keys().for_each(|peer| under_way.entry(*peer).or_default().push((stamp, ms)));
            }
        }
        // In the end all answer, until nothing is left to say.
        for _ in 0..20 {
            ms += CATCH_UP_MS;
            for peer in there.keys() {
                let lines = under_way.entry(*peer).or_default();
                let count = lines.len();
                arrive(peer, lines, &mut has, count);
                scene.outbox.on_confirmed(peer, scene.at(ms), scene.at(ms));
            }
            scene.outbox.do_due(scene.at(ms));
            scene.flush(ms);
            for stamp in scene.handed() {
                there.keys().for_each(|peer| under_way.entry(*peer).or_default().push((stamp, ms)));
            }
        }
        assert!(there.is_empty() || scene.waiting() == 0, "seed {seed}: {} lines wait", scene.waiting());
        for (peer, since) in &there {
            let heard: Vec<u64> = has[peer].iter().copied().filter(|stamp| *stamp >= owed[peer]).collect();
            let wanted: Vec<u64> = (owed[peer]..said).collect();
            let mut sorted = heard.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, wanted, "seed {seed}: here since {since}");
            assert_eq!(heard, wanted, "seed {seed}: out of order");
        }
    }
}
