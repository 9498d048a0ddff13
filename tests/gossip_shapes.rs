//! Rooms of many shapes, on loopback: whoever is in a room hears all that is said there, once.

#[path = "gossip_shapes/bad.rs"]
mod bad;
#[allow(dead_code)]
#[path = "hostile/line.rs"]
mod line;
mod many;
mod peer;
#[allow(dead_code)]
#[path = "hostile/wire.rs"]
mod wire;

use many::{Many, board, deliver, dialling, lines};
use std::time::Duration;
use stonechat::node::command::Command;

/// Lines are said twice a second.
const PACE: Duration = Duration::from_millis(500);

/// A hub and as many leaves as it keeps, which know nobody else.
fn star(name: &str) {
    let limits = &board(name).limits;
    let leaves = usize::from(limits.connections_inbound_max);
    let hub = Many::start(vec![dialling(vec![], board(name))], None);
    let address = hub.address(0);
    let around = (0..leaves).map(|_| dialling(vec![address.clone()], board(name))).collect();
    let around = Many::start(around, None);
    around.wait_in_room(|_| 1);
    hub.wait_in_room(|_| leaves as u32);
    let found = deliver((&around, 0), &[&hub, &around], lines(200, 24), PACE);
    println!("star, {name}, {leaves} leaves: {found}");
    assert!(found.is_whole(), "{found}");
    assert!((0..leaves).all(|leaf| around.status(leaf).peers == 1), "they know the hub alone");
    assert_eq!(hub.counter(0, "gossip: messages dropped, a peer reads too slowly"), 0);
}

#[test]
fn every_leaf_of_a_hub_hears_every_line() {
    star("generic");
}

#[test]
fn every_leaf_of_the_smallest_hub_hears_every_line() {
    star("tiny");
}

/// A number of nodes, each of which knows the one before it.
fn chain(count: usize) -> Vec<Many> {
    let mut all: Vec<Many> = Vec::new();
    for at in 0..count {
        let before = all.last().map(|before: &Many| before.address(0));
        let one = Many::start(vec![dialling(before.into_iter().collect(), board("generic"))], None);
        one.wait_in_room(|_| u32::from(at > 0));
        all.push(one);
    }
    all
}

#[test]
fn along_a_chain_of_ten_every_line_arrives_at_the_end() {
    let all = chain(10);
    let all: Vec<&Many> = all.iter().collect();
    for author in [0, 9] {
        let found = deliver((all[author], 0), &all, lines(200, 20), PACE);
        println!("chain of 10 from {author}: {found}");
        assert!(found.is_whole(), "{found}");
    }
}

#[test]
fn around_a_ring_of_twenty_every_line_arrives_once() {
    let all = chain(20);
    all[0].ask(0, Command::Dial { address: all[19].address(0).to_string() });
    all[0].wait_in_room(|_| 2);
    let all: Vec<&Many> = all.iter().collect();
    let found = deliver((all[7], 0), &all, lines(200, 20), PACE);
    println!("ring of 20: {found}");
    assert!(found.is_whole(), "{found}");
}
