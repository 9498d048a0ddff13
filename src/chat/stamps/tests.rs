//! Tests of stamps near a wish.

use super::{LANES, SLACK_MS, STAMPS_RESERVED, Spent, Stamps, first_in, lane_of};
use crate::base::sequence::Unwritten;
use std::collections::BTreeSet;
use std::vec::Vec;

const HOUR: u64 = 3_600_000;
const T: u64 = 1_790_000_000_000;

#[test]
fn every_number_is_in_one_lane() {
    let mut counts = [0_u64; LANES];
    (T..T + 1_024).for_each(|number| counts[lane_of(number)] += 1);
    assert_eq!(counts, [768, 128, 64, 32, 16, 16]);
    for lane in 0..LANES {
        for from in [0, 1, 2, 63, 64, T, T + 5] {
            let first = first_in(lane, from);
            assert!(lane_of(first) == lane && first >= from && (from..first).all(|number| lane_of(number) != lane));
        }
        assert!(lane == 0 || first_in(lane, u64::MAX) == u64::MAX);
    }
}

#[test]
fn a_wish_gets_the_next_stamp_of_the_first_lane_that_is_not_ahead() {
    let mut stamps = Stamps::new();
    let mut give = |wish| stamps.give(wish).unwrap() - T;
    assert_eq!([0, 0, 0, 0].map(|wish| give(T + wish)), [1, 2, 3, 5], "each once");
    assert_eq!(give(T + 2 * HOUR) / HOUR, 2);
    // Back: below what was given ahead, and not what was given here before.
    assert_eq!([0, 1, 9].map(|wish| give(T + wish)), [4, 12, 20]);
    assert_eq!([HOUR, HOUR].map(|wish| give(T + wish) - HOUR), [4, 12]);
    assert_eq!(give(T + HOUR / 2) - HOUR / 2, 8, "back once more");
    // Where the second lane is, and where the first is.
    assert_eq!(give(T + HOUR - SLACK_MS + 100) - HOUR, 20, "so near it is not left");
    assert_eq!(give(T + 2 * HOUR) - 2 * HOUR, 2);
}

#[test]
fn when_all_lanes_are_ahead_the_one_nearest_serves() {
    let mut stamps = Stamps::new();
    for lane in 0..LANES as u64 {
        stamps.give(T + (20 - lane) * HOUR).unwrap();
    }
    assert_eq!((stamps.give(T).unwrap() - T) / HOUR, 20 - (LANES as u64 - 1));
}

#[test]
fn what_is_kept_is_written_down_first() {
    let mut stamps = Stamps::resume(Spent { last: [T + HOUR, T, 0, 0, 0, 0], lane: 1 });
    assert_eq!(stamps.given().newest(), T);
    assert_eq!((stamps.give(T + 1), stamps.is_written(T + 1)), (Err(Unwritten), false));
    let spent = stamps.reserve(T + 1).unwrap();
    assert_eq!((spent.lane, spent.last[0]), (1, T + HOUR));
    assert!((T + STAMPS_RESERVED..T + STAMPS_RESERVED + 10).contains(&spent.last[1]));
    assert_eq!((stamps.reserve(T + 1), stamps.give(T + 1)), (None, Err(Unwritten)), "one write at a time");
    stamps.on_written();
    assert_eq!(stamps.give(T + 1), Ok(T + 4));
    assert_eq!(stamps.given(), Spent { last: [T + HOUR, T + 4, 0, 0, 0, 0], lane: 1 });
    assert_eq!(stamps.give(T + 2 * HOUR), Err(Unwritten), "the other lane is another matter");
    stamps.reserve(T + 2 * HOUR).unwrap();
    stamps.on_written();
    assert_eq!((stamps.give(T + 2 * HOUR), stamps.given().lane), (Ok(T + 2 * HOUR + 1), 0));
}

/// Crashes at any moment, with the disk holding what was asked for or not yet, and a clock that goes anywhere.
#[test]
fn no_stamp_is_given_twice_whatever_happens_to_clock_and_power() {
    for seed in 0..40_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % bound
        };
        let (mut disk, mut given) = (Spent::default(), BTreeSet::new());
        let mut clock = T;
        for _ in 0..150 {
            let mut stamps = Stamps::resume(disk);
            let mut under_way = None;
            for _ in 0..below(60) {
                clock = match below(12) {
                    0 => clock + below(10_000_000),
                    1 => clock - below(10_000_000),
                    _ => clock + below(40),
                };
                under_way = stamps.reserve(clock).or(under_way);
                match stamps.give(clock) {
                    Ok(stamp) => {
                        assert!(given.insert(stamp), "seed {seed}: {stamp} is given twice");
                        assert!(stamp >= clock, "seed {seed}: {stamp} is below {clock}");
                    }
                    Err(Unwritten) => assert!(under_way.is_some(), "seed {seed}: nobody waits for the disk"),
                }
                if below(2) == 0
                    && let Some(spent) = under_way.take()
                {
                    disk = spent;
                    stamps.on_written();
                }
            }
            match below(3) {
                0 => disk = stamps.given(),
                // Written, and the answer never came.
                1 => disk = under_way.unwrap_or(disk),
                _ => {}
            }
        }
        assert!(given.len() > 500, "seed {seed}: only {} were given", given.len());
    }
}

#[test]
fn a_day_of_a_wrong_clock_costs_nothing_when_it_is_put_right() {
    for ahead in [11 * HOUR / 60, 2 * HOUR, 24 * 365 * 5 * HOUR] {
        let mut stamps = Stamps::new();
        // Twice a second for a day, and then the time is known.
        let mut given: BTreeSet<u64> = (0..24 * 7_200).map(|at| stamps.give(T + ahead + at * 500).unwrap()).collect();
        let now = T + 24 * HOUR;
        for at in 0..7 * 7_200 {
            let (wish, stamp) = (now + at * 500, stamps.give(now + at * 500).unwrap());
            assert!(stamp - wish <= SLACK_MS, "{ahead}: {stamp} for {wish}");
            assert!(given.insert(stamp), "{ahead}: {stamp} is given twice");
        }
    }
    let all: Vec<u64> = (0..5).map(|at| lane_of(T + at) as u64).collect();
    assert_eq!(all.iter().filter(|lane| **lane == 0).count(), 3, "{all:?}");
}

#[test]
fn a_crash_costs_less_than_a_second() {
    for said in [1, 5, 100, 449, 450, 451, 3_000] {
        let (mut stamps, mut disk, mut last) = (Stamps::resume(Spent::default()), Spent::default(), T);
        for _ in 0..said {
            if let Some(spent) = stamps.reserve(last) {
                disk = spent;
                stamps.on_written();
            }
            last = stamps.give(last).unwrap();
        }
        let mut stamps = Stamps::resume(stamps.reserve(last).unwrap_or(disk));
        stamps.reserve(last).unwrap();
        stamps.on_written();
        let next = stamps.give(last).unwrap();
        assert!(last < next && next - last < 1_000, "after {said}: {} ms", next - last);
    }
}
