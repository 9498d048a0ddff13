//! Memory does not grow with the number of messages: what is kept of each is bounded by number.

mod peer;

use peer::{PATIENCE, Peer, config};
use std::time::Instant;
use stonechat::{
    base::board,
    node::{Config, command::Command},
};

/// Messages each way in a batch. libp2p-gossipsub's records of them took 400 bytes each for two minutes.
const BATCH: u64 = 3_000;
/// Growth that is none: what an allocator keeps for itself.
const NOISE_KIB: u64 = 1_024;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// One says so many records, as fast as they are taken, and the other hears all of them.
fn say(author: &Peer, listener: &Peer, total: u64) {
    let start = Instant::now();
    let accepted = listener.counter("messages accepted");
    let mut said = 0;
    while said < total {
        let record = Command::Record { room: None, kind: "bulk".into(), data: format!("{said:064x}") };
        // Refused when too many wait already.
        match author.ask(record) {
            Ok(_) => said += 1,
            Err(_) => std::thread::yield_now(),
        }
        assert!(start.elapsed() < 4 * PATIENCE, "{said} said");
    }
    while listener.counter("messages accepted") < accepted + total {
        assert!(start.elapsed() < 4 * PATIENCE, "{} heard", listener.counter("messages accepted"));
        std::thread::yield_now();
    }
}

#[test]
fn ten_thousand_messages_leave_no_more_than_three_thousand() {
    // With the smallest history, or that would still fill.
    let tiny = board::find("tiny").expect("the tiny board");
    let mut a = Peer::start(Config { board: tiny, ..config() });
    let mut b = Peer::start(Config { board: tiny, bootstrap: vec![a.address()], ..config() });
    a.wait_joined();
    b.wait_joined();
    let mut after = Vec::new();
    for _ in 0..4 {
        say(&a, &b, BATCH / 2);
        say(&b, &a, BATCH / 2);
        after.push(resident_kib());
    }
    println!("resident after each batch of {BATCH}: {after:?} KiB");
    assert!(after[3] <= after[0] + NOISE_KIB, "it grows: {after:?} KiB");
}
