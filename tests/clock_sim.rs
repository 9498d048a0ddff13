//! Boards whose clocks are wrong talk through each other, in virtual time and from a seed.
//!
//! A failure names its seed: `STONECHAT_SEED=… cargo test --test clock_sim` runs that one alone.

#[allow(dead_code)]
#[path = "chat_sim/random.rs"]
mod random;
#[path = "clock_sim/world.rs"]
mod world;

use stonechat::chat::clock::{LEAD_MAX_MS, Source};
use world::{Clock, World};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const YEAR: i64 = 365 * 24 * HOUR;

/// How wrong a clock may be, and `None` for one that starts in 1970.
const WRONG: [Option<i64>; 8] = [
    Some(-20 * MINUTE),
    Some(-2 * HOUR),
    Some(11 * MINUTE),
    Some(20 * MINUTE),
    Some(2 * HOUR),
    Some(5 * YEAR),
    Some(-60 * 24 * HOUR),
    None,
];

/// Nobody vouches for it.
fn alone(off_ms: Option<i64>) -> Clock {
    Clock { off_ms, vouched: false }
}

/// Kept synchronised, to some milliseconds.
fn synchronised(off_ms: i64) -> Clock {
    Clock { off_ms: Some(off_ms), vouched: true }
}

/// Runs one simulation for each seed and wrong clock; a panic inside is told apart by them.
fn for_all(seeds: u64, run: impl Fn(u64, Option<i64>) + std::panic::RefUnwindSafe) {
    let only = std::env::var("STONECHAT_SEED").ok().map(|seed| seed.parse().expect("a number"));
    for seed in only.map_or(0..seeds, |seed| seed..seed + 1) {
        for wrong in WRONG {
            if let Err(panic) = std::panic::catch_unwind(|| run(seed, wrong)) {
                eprintln!("failed with STONECHAT_SEED={seed}, a clock that is off by {wrong:?}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// A chain in which each says something before and after it meets the others, all at once or from `first` on.
fn talk(seed: u64, clocks: &[Clock], first: Option<usize>) -> World {
    let mut world = World::new(seed, clocks);
    let mut pairs: Vec<(usize, usize)> = (1..clocks.len()).map(|at| (at - 1, at)).collect();
    world.random.shuffle(&mut pairs);
    if let Some(first) = first {
        pairs.sort_by_key(|(one, other)| one.abs_diff(first).min(other.abs_diff(first)));
    }
    for peer in 0..clocks.len() {
        // Nobody keeps what was said for who comes later.
        let is_late = first.is_some_and(|first| peer.abs_diff(first) < 2);
        for _ in 0..if is_late { 0 } else { world.random.below(3) } {
            world.say(peer);
            let pause = world.random.below(900_000);
            world.pass(pause);
        }
    }
    for (one, other) in pairs {
        world.connect(one, other);
        world.pass(if first.is_some() { 1_000 } else { 0 });
    }
    world.pass(5_000);
    for _ in 0..60 {
        let peer = world.random.index(clocks.len());
        world.say(peer);
        let pause = [0, 0, 1, 20, 700, 30_000, 600_000][world.random.index(7)];
        world.pass(pause);
    }
    world.pass(10_000);
    world
}

#[test]
fn a_wrong_clock_among_clocks_that_nobody_vouches_for_costs_no_line_and_no_order() {
    for_all(12, |seed, wrong| {
        for place in [0, 1] {
            let mut clocks = [alone(Some(0)), alone(Some(900)), alone(Some(-300))];
            clocks[place] = alone(wrong);
            talk(seed, &clocks, None).check_all_have_all();
        }
    });
}

#[test]
fn all_clocks_wrong_in_different_ways_cost_no_line_and_no_order() {
    for_all(12, |seed, wrong| {
        let others = WRONG[(seed as usize) % WRONG.len()];
        let clocks = [alone(wrong), alone(others), alone(WRONG[(seed as usize * 3 + 1) % WRONG.len()])];
        talk(seed, &clocks, None).check_all_have_all();
    });
}

#[test]
fn one_synchronised_clock_gives_the_whole_chain_its_time() {
    for_all(12, |seed, wrong| {
        // The one that knows the time at either end or in the middle, next to the wrong one or not.
        for (knows, is_wrong) in [(0, 1), (0, 2), (1, 0), (2, 1)] {
            let mut clocks = [alone(Some(0)); 3];
            clocks[knows] = synchronised(7);
            clocks[is_wrong] = alone(wrong);
            let world = talk(seed, &clocks, Some(knows));
            world.check_all_have_all();
            for line in &world.lines {
                assert!(line.off() <= LEAD_MAX_MS, "a line of {} is off by {} ms", line.author, line.off());
            }
            for peer in 0..3 {
                let time = world.core(peer).clock().time(world.now_of(peer));
                assert_eq!(usize::from(time.level), knows.abs_diff(peer) + 1, "as far as the hello came");
                assert!(time.unix_ms.abs_diff(world.now) < 1_000, "peer {peer}: {time:?}");
            }
        }
    });
}

#[test]
fn a_wrong_clock_between_synchronised_ones_costs_no_line_and_no_order() {
    for_all(12, |seed, wrong| {
        for place in [0, 1] {
            let mut clocks = [synchronised(0), synchronised(40), synchronised(-25)];
            clocks[place] = alone(wrong);
            let world = talk(seed, &clocks, None);
            world.check_all_have_all();
            assert_eq!(world.core(place).clock().time(world.now_of(place)).source, Source::Peers);
            for line in &world.lines {
                assert!(line.off() <= LEAD_MAX_MS, "a line of {} is off by {} ms", line.author, line.off());
            }
        }
    });
}

#[test]
fn a_room_that_led_for_a_day_comes_back_when_somebody_knows_the_time() {
    for_all(4, |seed, wrong| {
        let mut world = World::new(seed, &[alone(wrong), alone(Some(0)), alone(wrong), synchronised(0)]);
        world.connect(0, 1);
        world.connect(1, 2);
        for _ in 0..500 {
            let peer = world.random.index(3);
            world.say(peer);
            let pause = world.random.below(300_000);
            world.pass(pause);
        }
        // Only who is there from now on hears it: no history is handed over.
        let before = world.lines.len();
        world.connect(2, 3);
        world.pass(5_000);
        for _ in 0..500 {
            let peer = world.random.index(4);
            world.say(peer);
            let pause = world.random.below(60_000);
            world.pass(pause);
        }
        world.pass(10_000);
        for line in &world.lines[before..] {
            assert!(line.off() <= LEAD_MAX_MS, "a line of {} is off by {} ms", line.author, line.off());
        }
        for peer in 0..4 {
            let mut taken: Vec<usize> = world.taken(peer).iter().copied().filter(|line| *line >= before).collect();
            taken.sort_unstable();
            assert_eq!(taken, (before..world.lines.len()).collect::<Vec<_>>(), "peer {peer}");
        }
    });
}

#[test]
fn a_synchronised_majority_is_not_moved_by_a_liar_and_the_liar_knows() {
    for_all(8, |seed, wrong| {
        // One before the build counts as unknown, whatever it says; one that is behind is refused by nobody.
        let Some(lie) = wrong else { return };
        let clocks =
            [synchronised(0), synchronised(30), synchronised(-30), alone(Some(-20 * MINUTE)), synchronised(lie)];
        let liar = clocks.len() - 1;
        let mut world = World::new(seed, &clocks);
        for one in 0..clocks.len() {
            for other in 0..one {
                world.connect(other, one);
            }
        }
        world.pass(5_000);
        for _ in 0..80 {
            let peer = world.random.index(clocks.len());
            world.say(peer);
            let pause = [0, 1, 700, 30_000, 120_000][world.random.index(5)];
            world.pass(pause);
        }
        world.pass(10_000);
        let of_liar = world.lines.iter().filter(|line| line.author == liar).count();
        assert!(of_liar > 0);
        for peer in 0..3 {
            let refused = world.refused(peer).iter().map(|line| world.lines[*line].author).collect::<Vec<_>>();
            assert!(refused.iter().all(|author| *author == liar), "only the liar is refused: {refused:?}");
            assert!(lie <= 0 || refused.len() >= of_liar, "peer {peer} took lines of the liar");
        }
        for line in world.lines.iter().filter(|line| line.author != liar) {
            assert!(line.off() <= 5_000, "{} is moved by {} ms", line.author, line.off());
        }
        let doubt = world.core(liar).clock().doubt(world.now_of(liar)).expect("others say what time it is");
        assert!(doubt.abs_diff(lie) < 1_000, "off by {lie}, and told {doubt}");
        let honest = world.core(3).clock().doubt(world.now_of(3)).expect("others say what time it is");
        assert!(honest.abs_diff(-20 * MINUTE) < 1_000, "{honest}");
    });
}
