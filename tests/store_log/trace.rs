//! A trace: records appended and small files replaced, and what was promised at each moment of it.

use crate::disk::{SimDisk, State};
use crate::random::Random;
use crate::{body_of, is_body_of};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use stonechat::store::log::{self, Settings};
use stonechat::store::replace::replace_on;

pub const DIR: &str = "/peer/log";
/// What a small file holds at its `n`th time.
fn small(n: u64) -> Vec<u8> {
    format!("{n}\n").repeat(1 + n as usize % 200).into_bytes()
}

pub fn settings(sync_ms: u32) -> Settings {
    let queue = Settings::new([3, 4]);
    Settings { segment_bytes: 8_192, segments: 3, sync_ms, ..queue }
}

/// What the program had been told when the power went.
#[derive(Clone, Copy, Default, Debug)]
pub struct Promise {
    /// Records of these numbers are stored, as far as the ring has not come round to them.
    pub oldest: u64,
    pub stored: u64,
    /// The highest number given, and the highest told to be written.
    pub given: u64,
    pub written: u64,
    /// How often each small file was replaced for sure, and how often that was begun.
    pub replaced: [u64; 2],
    pub begun: [u64; 2],
}

/// The power may go here.
pub struct Moment {
    pub state: State,
    pub promise: Promise,
    /// The node that was written last, if the last change was a write.
    pub written: Option<usize>,
}

pub fn small_file(which: usize) -> PathBuf {
    Path::new("/peer").join(["identity.key", "stamp"][which])
}

/// Appends `count` records, a few at a time, and calls `moment` after each change of the disk.
pub fn run(seed: u64, count: u64, sync_ms: u32, moment: impl FnMut(Moment) + Send + 'static) {
    let mut random = Random::new(seed);
    let disk = SimDisk::default();
    let promise = Arc::new(Mutex::new(Promise::default()));
    let known = Arc::clone(&promise);
    // Moments of a turn are handed out after it: only then it is known which segment it gave up.
    let pending = Arc::new(Mutex::new(Vec::<Moment>::new()));
    let of_witness = Arc::clone(&pending);
    let mut writes = Vec::<usize>::new();
    disk.watch(move |state, write| {
        let lengths: Vec<usize> = state.nodes.iter().map(|node| node.unsynced.len()).collect();
        let written = write.then(|| {
            (0..lengths.len()).find(|at| lengths[*at] > writes.get(*at).copied().unwrap_or(0)).expect("it was written")
        });
        writes = lengths;
        let (state, promise) = (state.clone(), *known.lock().unwrap());
        of_witness.lock().unwrap().push(Moment { state, promise, written });
    });
    let mut moment = moment;
    let mut hand_out = |oldest: u64| {
        for mut at in pending.lock().unwrap().drain(..) {
            at.promise.oldest = at.promise.oldest.max(oldest);
            moment(at);
        }
    };
    let (log, found) = log::open(disk.clone(), Path::new(DIR), &settings(sync_ms), |_| panic!("it is empty")).unwrap();
    assert_eq!(found.complaints, [""; 0]);
    let (mut queue, mut engine) = log.into_parts();
    let (mut now, mut given) = (0, 0);
    while given < count {
        for _ in 0..=random.below(if sync_ms == 0 { 2 } else { 6 }) {
            given += 1;
            assert_eq!(queue.append(&body_of(given)).unwrap().number, given);
        }
        promise.lock().unwrap().given = given;
        let (entries, _) = queue.take();
        engine.accept(entries);
        engine.turn(random.below(20) == 0, now);
        queue.note(engine.progress(), engine.held());
        assert_eq!(engine.progress().trouble, None);
        hand_out(engine.progress().oldest);
        let mut promise_now = promise.lock().unwrap();
        (promise_now.stored, promise_now.oldest) = (engine.progress().stored, engine.progress().oldest);
        promise_now.written = engine.progress().written;
        drop(promise_now);
        if random.below(8) == 0 {
            let which = random.index(2);
            let n = {
                let mut promise = promise.lock().unwrap();
                promise.begun[which] += 1;
                promise.begun[which]
            };
            replace_on(&disk, &small_file(which), &small(n)).unwrap();
            hand_out(0);
            promise.lock().unwrap().replaced[which] = n;
        }
        now += random.below(1_500);
    }
}

/// Opens what a power cut left and checks all that was promised. Gives the recovered count of records.
pub fn check(disk: &SimDisk, promise: &Promise, what: &str) -> u64 {
    let mut found = BTreeSet::new();
    let mut last = 0;
    let (log, recovered) = log::open(disk.clone(), Path::new(DIR), &settings(0), |record| {
        assert!(is_body_of(record.number, record.body), "{what}: record {} was not written so", record.number);
        assert!(record.number > last, "{what}: {} after {last}", record.number);
        last = record.number;
        found.insert(record.number);
    })
    .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(last <= promise.given, "{what}: record {last} was never given");
    for number in promise.oldest.max(1)..=promise.stored {
        assert!(found.contains(&number), "{what}: record {number} was stored and is lost: {promise:?} {recovered:?}");
    }
    for which in 0..2 {
        let state = disk.state();
        let bytes = state.names.get(&small_file(which)).map(|node| state.nodes[*node].seen.clone());
        let right = (promise.replaced[which]..=promise.begun[which]).any(|n| bytes == (n > 0).then(|| small(n)));
        assert!(right, "{what}: {} holds {bytes:?} after {promise:?}", small_file(which).display());
    }
    // It goes on: a record more is stored and found, once, under a number that nobody had.
    let (mut queue, mut engine) = log.into_parts();
    let number = queue.append(b"more").unwrap().number;
    assert!(number > promise.written, "{what}: {number} was told to be written before");
    engine.accept(queue.take().0);
    engine.turn(false, 0);
    assert_eq!((engine.progress().stored, &engine.progress().trouble), (number, &None), "{what}");
    let (oldest, mut more) = (engine.progress().oldest, 0);
    let mut again = BTreeSet::new();
    log::replay(disk.clone(), Path::new(DIR), |record| {
        more += u32::from(record.number == number && record.body == b"more");
        again.insert(record.number);
    })
    .unwrap();
    assert_eq!(more, 1, "{what}");
    again.remove(&number);
    assert!(again.iter().eq(found.iter().filter(|number| **number >= oldest)), "{what}: {again:?} {found:?} {oldest}");
    found.len() as u64
}
