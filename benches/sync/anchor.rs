//! negentropy's comparison of the same histories.

use crate::sets::Set;
use crate::{Cost, memory};
use negentropy::{Id, Negentropy, NegentropyStorageVector};
use std::time::Instant;

fn storage(set: &Set) -> NegentropyStorageVector {
    let mut storage = NegentropyStorageVector::new();
    for item in &set.0 {
        let mut id = [0; 32];
        id[..16].copy_from_slice(&item.hash);
        // Its ids have 32 bytes; the second half is as random as the first.
        id[16..].copy_from_slice(&item.hash);
        storage.insert(item.stamp, Id::from_byte_array(id)).expect("not sealed");
    }
    storage.seal().expect("sealed once");
    storage
}

/// The comparison, without a limit of its frames. Its storage, half a megabyte on each side, is not counted.
pub fn compare(ours: &Set, theirs: &Set) -> Cost {
    let (ours, theirs) = (storage(ours), storage(theirs));
    let start = Instant::now();
    let (mut cost, heap) = memory::most(|| {
        let mut cost = Cost::default();
        let mut asking = Negentropy::borrowed(&ours, 0).expect("no limit");
        let mut answering = Negentropy::borrowed(&theirs, 0).expect("no limit");
        let (mut have, mut need) = (Vec::new(), Vec::new());
        let mut request = asking.initiate().expect("once");
        loop {
            let response = answering.reconcile(&request).expect("an answer");
            cost.up += request.len();
            cost.down += response.len();
            cost.rounds += 1;
            match asking.reconcile_with_ids(&response, &mut have, &mut need).expect("an answer of its own") {
                Some(next) => request = next,
                None => return cost,
            }
        }
    });
    (cost.cpu, cost.heap) = (start.elapsed(), heap);
    cost
}
