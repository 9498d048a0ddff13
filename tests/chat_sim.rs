//! Cores that talk through a bad network, in virtual time and from a seed.
//!
//! Messages get lost, doubled and reordered; clocks differ, jump, or start in 1970 and learn the time later; peers
//! lose their memory in a reboot; one of them is hostile. The checks: a message is taken at most once and as it
//! was sent, an answer stands after what its author had read, no meter passes its capacity, and when everything
//! has been handed over everyone has the same history.
//!
//! A failure names its seed: `STONECHAT_SEED=… cargo test --test chat_sim` runs that one alone.

#[path = "chat_sim/model.rs"]
mod model;
#[path = "chat_sim/network.rs"]
mod network;
#[path = "chat_sim/random.rs"]
mod random;

use network::{Network, Weather};

/// Runs one simulation for each seed; a panic inside is told apart by its seed.
fn for_seeds(count: u64, run: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let only = std::env::var("STONECHAT_SEED").ok().map(|seed| seed.parse().expect("a number"));
    for seed in only.map_or(0..count, |seed| seed..seed + 1) {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("failed with STONECHAT_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn everyone_ends_with_the_same_history() {
    for_seeds(40, |seed| {
        let weather = Weather { loss: 25, doubled: 20, delay_ms: 4_000, clockless: 30, reboots: true, hostile: true };
        let mut network = Network::new(seed, 7, 2, 4_096, weather);
        network.run(120);
        let said = network.deliver_everything();
        network.check_equal_histories();
        for (room, said) in said.into_iter().enumerate() {
            assert_eq!(network.kept(room), said, "everyone keeps everything that was said");
        }
        assert!(network.refused() > 0, "the hostile peer was heard");
    });
}

#[test]
fn a_small_history_keeps_the_newest_whatever_the_order_of_arrival() {
    for_seeds(30, |seed| {
        let weather = Weather { loss: 40, doubled: 30, delay_ms: 60_000, clockless: 0, reboots: false, hostile: true };
        let mut network = Network::new(seed, 5, 1, 16, weather);
        network.run(100);
        let said = network.deliver_everything();
        assert!(said[0] > 16);
        network.check_equal_histories();
        network.check_newest_kept(0);
        assert_eq!(network.kept(0), 16);
    });
}

#[test]
fn bounds_hold_when_several_rooms_share_a_small_history() {
    for_seeds(20, |seed| {
        let weather = Weather { loss: 10, doubled: 50, delay_ms: 2_000, clockless: 50, reboots: true, hostile: true };
        let mut network = Network::new(seed, 4, 3, 24, weather);
        network.run(150);
        network.deliver_everything();
        for room in 0..3 {
            assert!(network.kept_least(room) >= 4, "each room keeps its share of half the history");
        }
    });
}

#[test]
fn any_sequence_of_calls_agrees_with_a_naive_model() {
    for_seeds(60, model::run);
}
