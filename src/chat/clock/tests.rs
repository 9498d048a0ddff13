//! Tests of the hybrid logical clock.

use super::{AHEAD_MAX_MS, Ahead, Clock, HORIZON_MS, LEAD_MAX_MS, NoStamp, STAMPS_RESERVED, Source, Spent, Time};
use crate::base::time::{Now, Wall};
use crate::wire::bounds::STAMP_MAX;

const BUILD: u64 = 1_790_000_000_000;
/// Neither it nor the two after it are multiples of 4, which the first lane leaves out.
const WALL: u64 = BUILD + 86_400_001;
const HOUR: u64 = 3_600_000;

/// Somebody vouches for this.
fn known(unix_ms: u64) -> Now {
    Now::new(unix_ms, true, 5_000, BUILD)
}

/// Nobody does.
fn guess(unix_ms: u64, monotonic_ms: u64) -> Now {
    Now::new(unix_ms, false, monotonic_ms, BUILD)
}

fn unknown(monotonic_ms: u64) -> Now {
    Now::new(0, false, monotonic_ms, BUILD)
}

#[test]
fn a_known_clock_stamps_the_wall_time() {
    let mut clock = Clock::new(BUILD);
    assert_eq!(clock.stamp(known(WALL)), Ok(WALL));
    assert_eq!(clock.stamp(known(WALL)), Ok(WALL + 1), "no stamp is given twice");
    assert_eq!(clock.stamp(known(WALL + 8)), Ok(WALL + 8));
}

#[test]
fn an_answer_is_later_than_what_it_answers() {
    for now in [known(WALL), guess(WALL, 5)] {
        let mut clock = Clock::new(BUILD);
        clock.accept(WALL + 90_000, now).unwrap();
        assert_eq!(clock.stamp(now), Ok(WALL + 90_001));
        clock.accept(WALL + 3, now).unwrap();
        assert_eq!(clock.stamp(now), Ok(WALL + 90_002));
    }
}

#[test]
fn a_stamp_too_far_ahead_of_a_synchronised_clock_is_refused_and_leaves_no_trace() {
    let mut clock = Clock::new(BUILD);
    assert_eq!(clock.accept(WALL + AHEAD_MAX_MS + 3, known(WALL)), Err(Ahead { by_ms: 3 }));
    assert_eq!(clock.stamp(known(WALL)), Ok(WALL));
    clock.accept(WALL + AHEAD_MAX_MS, known(WALL)).unwrap();
    assert_eq!(clock.stamp(known(WALL)), Ok(WALL + LEAD_MAX_MS), "ours never leads further");
}

#[test]
fn a_clock_that_nobody_vouches_for_refuses_nothing_and_adopts_the_time_of_the_room() {
    for ahead in [20 * 60_000, 2 * HOUR, 24 * 365 * 5 * HOUR] {
        let mut clock = Clock::new(BUILD);
        assert_eq!(clock.time(guess(WALL, 0)), Time { unix_ms: WALL, level: 0, source: Source::Guess });
        clock.accept(WALL + ahead, guess(WALL, 0)).unwrap();
        let after = guess(WALL + 60_000, 60_000);
        assert_eq!(clock.time(after), Time { unix_ms: WALL + ahead + 60_000, level: 0, source: Source::Room });
        assert_eq!(clock.stamp(after), Ok(WALL + ahead + 60_000));
    }
    assert!(Clock::new(BUILD).accept(BUILD + HORIZON_MS + 1, guess(WALL, 0)).is_err(), "but there is a horizon");
    let late = BUILD + HORIZON_MS + 5;
    assert_eq!(Clock::new(BUILD).accept(late, guess(late, 0)), Ok(()), "which a clock may pass");
}

#[test]
fn a_small_lead_passes_by_itself() {
    let mut clock = Clock::new(BUILD);
    clock.accept(WALL + LEAD_MAX_MS, guess(WALL, 0)).unwrap();
    assert_eq!(clock.stamp(guess(WALL, 0)), Ok(WALL + LEAD_MAX_MS + 1));
    let later = guess(WALL + LEAD_MAX_MS + 500, LEAD_MAX_MS + 500);
    assert_eq!(clock.stamp(later), Ok(WALL + LEAD_MAX_MS + 500), "no more than the time by then");
}

#[test]
fn a_peer_that_is_vouched_for_tells_the_time_and_it_goes_on() {
    for wrong in [WALL - 20 * 60_000, WALL + 11 * 60_000, WALL + 2 * HOUR, WALL + 24 * 365 * 5 * HOUR, 0] {
        let now = |after| Now::new(wrong + after, false, 1_000 + after, BUILD);
        let mut clock = Clock::new(BUILD);
        clock.stamp(now(0)).unwrap();
        clock.on_told(b"sun", Some(WALL), 1, now(0));
        assert_eq!(clock.time(now(0)), Time { unix_ms: WALL, level: 2, source: Source::Peers }, "{wrong}");
        assert_eq!(clock.hello(now(7)), (Some(WALL + 7), 2));
        let stamp = clock.stamp(now(7)).unwrap();
        assert!(stamp - WALL - 7 < 8, "{wrong}: what was said far ahead is left behind");
        // It refuses nothing, and what is too far ahead does not move it.
        clock.accept(WALL + 2 * HOUR, now(16)).unwrap();
        assert!(clock.stamp(now(16)).unwrap() - WALL - 16 < 8);
        clock.accept(WALL + 60_000, now(17)).unwrap();
        assert!(clock.stamp(now(17)).unwrap() - WALL - 60_001 < 8, "an answer is later than what it answers");
        // Left alone it counts on, and vouches for nothing.
        clock.on_left(b"sun", now(100));
        assert_eq!(clock.time(now(HOUR)), Time { unix_ms: WALL + HOUR, level: 0, source: Source::Earlier });
    }
}

#[test]
fn our_own_clock_goes_first_if_it_is_vouched_for() {
    let mut clock = Clock::new(BUILD);
    for peer in [b"a", b"b", b"c"] {
        clock.on_told(peer, Some(WALL + 2 * HOUR), 1, known(WALL));
    }
    assert_eq!(clock.time(known(WALL)), Time { unix_ms: WALL, level: 1, source: Source::Own });
    assert_eq!(clock.stamp(known(WALL)), Ok(WALL));
    clock.on_synchronised(known(WALL));
    for peer in [b"a", b"b", b"c"] {
        clock.on_left(peer, known(WALL));
    }
    assert_eq!(clock.time(guess(WALL, 5_000)).source, Source::Guess, "what others said is forgotten");
}

#[test]
fn what_cannot_be_true_is_not_told() {
    let mut clock = Clock::new(BUILD);
    for (unix_ms, level) in [(None, 0), (Some(BUILD - 1), 1), (Some(BUILD + HORIZON_MS + 1), 1), (Some(WALL), 0)] {
        clock.on_told(b"peer", unix_ms, level, guess(WALL, 0));
        assert_eq!(clock.time(guess(WALL, 0)).source, Source::Guess, "{unix_ms:?}");
    }
    // Without any notion of the time, one that nobody vouches for is better than none.
    assert_eq!(clock.hello(unknown(0)), (None, 0));
    clock.on_told(b"peer", Some(WALL), 0, unknown(0));
    assert_eq!(clock.time(unknown(9)), Time { unix_ms: WALL + 9, level: 0, source: Source::Room });
    assert_eq!(clock.hello(unknown(9)), (Some(WALL + 9), 0));
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
        assert!(stamp <= WALL + LEAD_MAX_MS + 2 * n);
    }
}

#[test]
fn a_flood_of_our_own_ends_where_others_would_refuse_it() {
    let mut clock = Clock::new(BUILD);
    let given: std::vec::Vec<u64> = std::iter::from_fn(|| clock.stamp(known(WALL)).ok()).collect();
    assert_eq!(given.len() as u64, AHEAD_MAX_MS / 4 * 3 + 1);
    assert!(given.is_sorted_by(|one, next| one < next));
    assert_eq!(clock.stamp(known(WALL)), Err(NoStamp::TooFast));
    assert_eq!(clock.stamp(known(WALL + 1)), Ok(WALL + AHEAD_MAX_MS + 1), "as time goes on");
}

#[test]
fn a_restart_gives_nothing_twice_and_leaps_nowhere() {
    let mut clock = Clock::new(BUILD);
    clock.stamp(known(WALL)).unwrap();
    clock.stamp(known(WALL)).unwrap();
    let exact = clock.given();
    for (now, next) in [(known(WALL), WALL + 2), (guess(WALL - HOUR, 0), WALL + 2), (known(WALL + 9), WALL + 9)] {
        let mut clock = Clock::new(BUILD);
        clock.resume(exact, now);
        assert_eq!(clock.stamp(now), Err(NoStamp::Unwritten));
        let written = clock.reserve(now).unwrap();
        assert!(written.newest() <= next + STAMPS_RESERVED);
        clock.on_written();
        assert_eq!(clock.stamp(now), Ok(next));
    }
}

#[test]
fn without_a_clock_time_goes_on_from_the_last_shutdown() {
    let mut clock = Clock::new(BUILD);
    clock.resume(Spent { last: [WALL, 0, 0, 0, 0, 0], lane: 0 }, unknown(5));
    assert_eq!(clock.time(unknown(65)), Time { unix_ms: WALL + 60, level: 0, source: Source::Room });
    clock.reserve(unknown(65)).unwrap();
    clock.on_written();
    assert_eq!(clock.stamp(unknown(65)), Ok(WALL + 60));
}

#[test]
fn who_led_for_a_day_comes_back_when_somebody_knows_better() {
    let mut clock = Clock::new(BUILD);
    // A day with a line every second minute, two hours ahead: the clock of the machine has the time of another zone.
    let at = |minute: u64| guess(WALL + minute * 60_000 + 2 * HOUR, minute * 60_000);
    let mut given: std::collections::BTreeSet<u64> = (0..720).map(|line| clock.stamp(at(2 * line)).unwrap()).collect();
    let now = |minute: u64| at(24 * 60 + minute);
    clock.on_told(b"sun", Some(WALL + 24 * HOUR), 1, now(0));
    for minute in 0..180 {
        let (stamp, right) = (clock.stamp(now(minute)).unwrap(), WALL + 24 * HOUR + minute * 60_000);
        assert!(stamp - right < 64, "minute {minute}: {} ms ahead", stamp - right);
        assert!(given.insert(stamp), "minute {minute}: given twice");
    }
}

#[test]
fn a_small_correction_breaks_no_order() {
    let mut clock = Clock::new(BUILD);
    let first = clock.stamp(guess(WALL + LEAD_MAX_MS, 0)).unwrap();
    clock.on_told(b"sun", Some(WALL), 1, guess(WALL + LEAD_MAX_MS, 0));
    assert!(clock.stamp(guess(WALL + LEAD_MAX_MS + 5, 5)).unwrap() > first);
}

#[test]
fn without_a_clock_time_is_counted_and_never_passes_for_a_wall_time() {
    let mut clock = Clock::new(BUILD);
    assert_eq!(clock.stamp(unknown(5)), Ok(5));
    assert_eq!(clock.stamp(unknown(9)), Ok(9));
    clock.accept(700, unknown(10)).unwrap();
    assert_eq!(clock.stamp(unknown(10)), Ok(701));
    assert_eq!(clock.stamp(unknown(60)), Ok(750));
    assert!(!clock.is_wall_time(clock.clone().stamp(unknown(u64::MAX)).unwrap()));
}

#[test]
fn without_a_clock_the_time_of_the_room_is_adopted_and_goes_on() {
    let mut clock = Clock::new(BUILD);
    clock.accept(WALL, unknown(1_000)).unwrap();
    assert_eq!(clock.stamp(unknown(1_000)), Ok(WALL + 1));
    assert_eq!(clock.stamp(unknown(61_000)), Ok(WALL + 60_000));
    // An older message does not take the time back.
    clock.accept(WALL + 10_000, unknown(61_000)).unwrap();
    assert_eq!(clock.stamp(unknown(61_000)), Ok(WALL + 60_001));
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
    for after in [0, 1, 60_000] {
        assert!(clock.stamp(known(WALL + after)).unwrap() - WALL - after < 16);
    }
}

#[test]
fn a_wall_clock_set_back_heals_too_and_gives_nothing_twice() {
    let mut clock = Clock::new(BUILD);
    let first: std::vec::Vec<u64> = (0..5).map(|_| clock.stamp(known(WALL)).unwrap()).collect();
    assert_eq!(clock.stamp(known(WALL + HORIZON_MS)), Ok(WALL + HORIZON_MS));
    assert_eq!(clock.stamp(known(WALL)), Ok(WALL + 3), "near the time");
    assert!(!first.contains(&(WALL + 3)));
    assert_eq!(clock.stamp(known(WALL + HORIZON_MS)), Ok(WALL + HORIZON_MS + 1));
}

#[test]
fn absurd_times_do_not_overflow() {
    let mut clock = Clock::new(u64::MAX);
    let end = Now { wall: Wall::Synchronised(u64::MAX), monotonic_ms: u64::MAX };
    assert_eq!(clock.stamp(end), Err(NoStamp::TooFast), "beyond what a stamp can hold");
    clock.accept(STAMP_MAX, end).unwrap();
    assert_eq!(clock.reserve(end), None);
    let nobody = Now { wall: Wall::Unknown, monotonic_ms: u64::MAX };
    assert_eq!(clock.stamp(nobody), Err(NoStamp::TooFast), "none is left");
    for level in [0, 1, 255] {
        clock.on_told(b"peer", Some(u64::MAX), level, end);
        clock.on_told(b"peer", Some(u64::MAX), level, nobody);
    }
    assert_eq!(clock.hello(end), (None, 0));
}

#[test]
fn arrivals_are_in_order_and_move_no_stamp() {
    let mut clock = Clock::new(BUILD);
    let at = |ms: u64| Now::new(BUILD + ms, true, ms, BUILD);
    assert_eq!([clock.arrival(at(5)), clock.arrival(at(5)), clock.arrival(at(9))], [BUILD + 5, BUILD + 6, BUILD + 9]);
    for _ in 0..2 * LEAD_MAX_MS {
        clock.arrival(at(10));
    }
    assert_eq!(clock.arrival(at(10)), BUILD + 10 + LEAD_MAX_MS, "a flood gets coarse before it leads further");
    assert_eq!(clock.stamp(at(10)), Ok(BUILD + 10), "and our own stamps know nothing of it");
}
