//! The power goes at any moment.

use crate::disk::SimDisk;
use crate::image::Image;
use crate::random::Random;
use crate::trace::{self, Moment, Promise};
use crate::variable;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Cuts the power after every change of a trace of 200 records: data and names lost or there, and of the last write
/// every part of its last sector.
fn exhaustive(sync_ms: u32) -> [u64; 3] {
    let torn_step = variable("STONECHAT_TORN_STEP", 61) as usize;
    let counts: Arc<[AtomicU64; 3]> = Arc::default();
    let of_run = Arc::clone(&counts);
    trace::run(variable("STONECHAT_SEED", 1), 200, sync_ms, move |Moment { state, promise, written }| {
        let at = of_run[0].fetch_add(1, Relaxed);
        let check = |image: Image, what: &str| {
            of_run[1].fetch_add(1, Relaxed);
            let kept = trace::check(&SimDisk::after(image), &promise, &format!("change {at}, {what}"));
            of_run[2].fetch_max(kept, Relaxed);
        };
        for (data, names) in [(false, false), (false, true), (true, false), (true, true)] {
            check(Image::plain(&state, data, names), &format!("data {data}, names {names}"));
        }
        let Some(node) = written else { return };
        let (offset, bytes) = state.nodes[node].unsynced.last().unwrap();
        // Where its last sector begins in it.
        let end = *offset as usize + bytes.len();
        let from = ((end - 1) / 512 * 512).saturating_sub(*offset as usize);
        for prefix in (from..bytes.len()).step_by(torn_step).chain([bytes.len() - 1]) {
            for before in [false, true] {
                check(Image::torn(&state, node, prefix, before), &format!("torn after {prefix}, before {before}"));
            }
        }
    });
    [0, 1, 2].map(|at| counts[at].load(Relaxed))
}

#[test]
fn after_any_change_nothing_stored_is_lost() {
    for sync_ms in [0, 2_000] {
        let start = Instant::now();
        let [changes, cuts, kept] = exhaustive(sync_ms);
        let ms = start.elapsed().as_millis();
        println!(
            "log, sync after {sync_ms} ms: power cut {cuts} times at {changes} changes: stored and lost 0; {ms} ms"
        );
        assert!(changes >= 200 && cuts >= 4 * changes && kept > 30, "{changes} {cuts} {kept}");
    }
}

#[test]
fn at_random_moments_nothing_stored_is_lost_whatever_became_of_the_rest() {
    let cuts = variable("STONECHAT_POWER_CUTS", 1_500);
    let seed = variable("STONECHAT_SEED", 1);
    let done = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut traces = 0;
    while done.load(Relaxed) < cuts {
        traces += 1;
        let of_run = Arc::clone(&done);
        let random = Mutex::new(Random::new(seed ^ (traces << 32)));
        let sync_ms = [0, 500, 2_000][traces as usize % 3];
        trace::run(seed + traces, 1_000, sync_ms, move |moment: Moment| {
            let mut random = random.lock().unwrap();
            if of_run.load(Relaxed) >= cuts || random.below(12) > 0 {
                return;
            }
            let n = of_run.fetch_add(1, Relaxed);
            let image = Image::random(&moment.state, &mut random);
            trace::check(&SimDisk::after(image), &moment.promise, &format!("trace {traces}, cut {n}"));
        });
    }
    let ms = start.elapsed().as_millis();
    println!("log: power cut {cuts} times in {traces} traces of 1,000 records: stored and lost 0; {ms} ms");
}

#[test]
fn a_check_notices_what_is_missing_or_changed() {
    let last: Arc<Mutex<Option<Moment>>> = Arc::default();
    let of_run = Arc::clone(&last);
    trace::run(1, 60, 0, move |moment| *of_run.lock().unwrap() = Some(moment));
    let Moment { state, promise, .. } = last.lock().unwrap().take().unwrap();
    let check = |promise: Promise, change: fn(&SimDisk)| {
        let disk = SimDisk::after(Image::plain(&state, true, true));
        change(&disk);
        std::panic::catch_unwind(move || trace::check(&disk, &promise, "a check"))
    };
    assert!(promise.stored > 0 && promise.replaced.iter().all(|n| *n > 0), "{promise:?}");
    assert!(check(promise, |_| {}).is_ok());
    assert!(check(Promise { stored: promise.given + 1, ..promise }, |_| {}).is_err(), "a record that is not there");
    assert!(check(Promise { given: promise.stored - 1, ..promise }, |_| {}).is_err(), "a record never given");
    assert!(check(Promise { replaced: [99, 99], begun: [99, 99], ..promise }, |_| {}).is_err(), "an old small file");
    fn newest(disk: &SimDisk) -> String {
        disk.names().into_iter().filter(|name| name.ends_with(".log")).max().unwrap()
    }
    assert!(
        check(promise, |disk| disk.damage(&newest(disk), |bytes| bytes[1_024 + 20] ^= 1)).is_err(),
        "a changed bit"
    );
}
