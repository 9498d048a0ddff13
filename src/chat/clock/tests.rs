//! Tests of the hybrid logical clock.

use super::{AHEAD_MAX_MS, Ahead, Clock, HORIZON_MS, LEAD_MAX_MS};
use crate::base::time::Now;
use crate::wire::bounds::STAMP_MAX;

const BUILD: u64 = 1_790_000_000_000;
const WALL: u64 = BUILD + 86_400_000;

fn known(unix_ms: u64) -> Now {
    Now::new(unix_ms, 5_000, BUILD)
}

fn unknown(monotonic_ms: u64) -> Now {
    Now::new(0, monotonic_ms, BUILD)
}

#[test]
fn a_known_clock_stamps_the_wall_time() {
    let mut clock = Clock::new(BUILD);
    assert_eq!(clock.stamp(known(WALL)).unwrap(), WALL);
    assert_eq!(clock.stamp(known(WALL)).unwrap(), WALL + 1, "no stamp is given twice");
    assert_eq!(clock.stamp(known(WALL + 7)).unwrap(), WALL + 7);
}

#[test]
fn an_answer_is_later_than_what_it_answers() {
    let mut clock = Clock::new(BUILD);
    clock.accept(WALL + 90_000, known(WALL)).unwrap();
    assert_eq!(clock.stamp(known(WALL)).unwrap(), WALL + 90_001);
    clock.accept(WALL + 3, known(WALL)).unwrap();
    assert_eq!(clock.stamp(known(WALL)).unwrap(), WALL + 90_002);
}

#[test]
fn a_stamp_too_far_ahead_of_a_known_clock_is_refused_and_leaves_no_trace() {
    let mut clock = Clock::new(BUILD);
    assert_eq!(clock.accept(WALL + AHEAD_MAX_MS + 3, known(WALL)), Err(Ahead { by_ms: 3 }));
    assert_eq!(clock.stamp(known(WALL)).unwrap(), WALL);
    clock.accept(WALL + AHEAD_MAX_MS, known(WALL)).unwrap();
    assert_eq!(clock.stamp(known(WALL)).unwrap(), WALL + LEAD_MAX_MS, "ours never leads further");
}

#[test]
fn answers_to_a_far_lead_do_not_push_it_further() {
    let (mut left, mut right) = (Clock::new(BUILD), Clock::new(BUILD));
    left.accept(WALL + AHEAD_MAX_MS, known(WALL)).unwrap();
    for n in 0..1_000 {
        let stamp = left.stamp(known(WALL)).unwrap();
        right.accept(stamp, known(WALL)).unwrap();
        let stamp = right.stamp(known(WALL)).unwrap();
        left.accept(stamp, known(WALL)).unwrap();
        assert!(stamp <= WALL + LEAD_MAX_MS + n);
    }
}

#[test]
fn a_flood_of_our_own_ends_where_others_would_refuse_it() {
    let mut clock = Clock::new(BUILD);
    let given = std::iter::from_fn(|| clock.stamp(known(WALL))).count() as u64;
    assert_eq!(given, AHEAD_MAX_MS + 1);
    assert_eq!(clock.stamp(known(WALL + 1)), Some(WALL + AHEAD_MAX_MS + 1), "one a millisecond goes on");
}

#[test]
fn an_earlier_run_is_not_repeated() {
    let mut clock = Clock::new(BUILD);
    clock.resume(7_000);
    assert_eq!(clock.stamp(unknown(5)), Some(7_001));
    assert_eq!(clock.stamp(known(WALL)), Some(WALL));
}

#[test]
fn without_a_clock_time_is_counted_and_never_passes_for_a_wall_time() {
    let mut clock = Clock::new(BUILD);
    assert_eq!(clock.stamp(unknown(5)).unwrap(), 5);
    assert_eq!(clock.stamp(unknown(9)).unwrap(), 9);
    clock.accept(700, unknown(10)).unwrap();
    assert_eq!(clock.stamp(unknown(10)).unwrap(), 701);
    assert_eq!(clock.stamp(unknown(60)).unwrap(), 750);
    assert!(!clock.is_wall_time(clock.clone().stamp(unknown(u64::MAX)).unwrap()));
}

#[test]
fn without_a_clock_the_time_of_the_room_is_adopted_and_goes_on() {
    let mut clock = Clock::new(BUILD);
    clock.accept(WALL, unknown(1_000)).unwrap();
    assert_eq!(clock.stamp(unknown(1_000)).unwrap(), WALL + 1);
    assert_eq!(clock.stamp(unknown(61_000)).unwrap(), WALL + 60_000);
    // An older message does not take the time back.
    clock.accept(WALL + 10_000, unknown(61_000)).unwrap();
    assert_eq!(clock.stamp(unknown(61_000)).unwrap(), WALL + 60_001);
}

#[test]
fn without_a_clock_the_far_future_is_refused() {
    let mut clock = Clock::new(BUILD);
    assert!(clock.accept(BUILD + HORIZON_MS + 1, unknown(0)).is_err());
    assert!(clock.accept(STAMP_MAX, unknown(0)).is_err());
    assert!(clock.stamp(unknown(1)).unwrap() < 10);
}

#[test]
fn learning_the_time_heals_a_clock_that_was_pushed_ahead() {
    let mut clock = Clock::new(BUILD);
    clock.accept(BUILD + HORIZON_MS, unknown(0)).unwrap();
    assert!(clock.stamp(unknown(0)).unwrap() > BUILD + HORIZON_MS);
    assert_eq!(clock.stamp(known(WALL)).unwrap(), WALL);
    assert_eq!(clock.stamp(known(WALL + 1)).unwrap(), WALL + 1);
}

#[test]
fn a_wall_clock_set_back_heals_too() {
    let mut clock = Clock::new(BUILD);
    assert_eq!(clock.stamp(known(WALL + HORIZON_MS)).unwrap(), WALL + HORIZON_MS);
    assert_eq!(clock.stamp(known(WALL)).unwrap(), WALL);
}

#[test]
fn absurd_times_do_not_overflow() {
    let mut clock = Clock::new(u64::MAX);
    let end = Now { unix_ms: Some(u64::MAX), monotonic_ms: u64::MAX };
    assert_eq!(clock.stamp(end), Some(STAMP_MAX));
    clock.accept(STAMP_MAX, end).unwrap();
    assert_eq!(clock.stamp(Now { unix_ms: None, monotonic_ms: u64::MAX }), None, "none is left");
}

#[test]
fn arrivals_are_in_order_and_move_no_stamp() {
    let mut clock = Clock::new(BUILD);
    let at = |ms: u64| Now::new(BUILD + ms, ms, BUILD);
    assert_eq!([clock.arrival(at(5)), clock.arrival(at(5)), clock.arrival(at(9))], [BUILD + 5, BUILD + 6, BUILD + 9]);
    for _ in 0..2 * LEAD_MAX_MS {
        clock.arrival(at(10));
    }
    assert_eq!(clock.arrival(at(10)), BUILD + 10 + LEAD_MAX_MS, "a flood gets coarse before it leads further");
    assert_eq!(clock.stamp(at(10)), Some(BUILD + 10), "and our own stamps know nothing of it");
}
