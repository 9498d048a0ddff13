//! A hub and its leaves over a bad cable: every line arrives at every leaf, once.

mod many;
mod peer;
#[allow(dead_code)]
mod world;

use many::{Delivery, Many, board, deliver, dialling, lines};
use std::time::{Duration, Instant};
use stonechat::node::Config;
use world::World;

/// Packets of a hundred that are dropped on the hub's cable, each way.
const LOSS: u32 = 5;
/// Lines are said twice a second.
const PACE: Duration = Duration::from_millis(500);

fn star(name: &str) {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let (home, away) = (world.host("hub", &lan), world.host("leaves", &lan));
    let listens = |config: Config| Config { listen: vec!["/ip4/0.0.0.0/tcp/0".parse().unwrap()], ..config };
    let limits = &board(name).limits;
    let leaves = usize::from(limits.connections_inbound_max);
    let hub = Many::start(vec![listens(dialling(vec![], board(name)))], Some(&home.namespace));
    let address = hub.address(0);
    let port = address.iter().nth(1).expect("a port");
    let address = format!("/ip4/{}{port}", home.address()).parse::<libp2p::Multiaddr>().expect("a multiaddr");
    home.lose(LOSS);
    let around = (0..leaves).map(|_| listens(dialling(vec![address.clone()], board(name)))).collect();
    let around = Many::start(around, Some(&away.namespace));
    around.wait_in_room(|_| 1);
    hub.wait_in_room(|_| leaves as u32);
    let found = deliver((&around, 0), &[&hub, &around], lines(200, 40), PACE);
    println!("star, {name}, {leaves} leaves, {LOSS} % of packets dropped ({}): {found}", home.lost());
    assert!(found.is_whole(), "{found}");
}

#[test]
fn every_leaf_of_a_hub_hears_every_line_over_a_bad_cable() {
    star("generic");
}

#[test]
fn every_leaf_of_the_smallest_hub_hears_every_line_over_a_bad_cable() {
    star("tiny");
}

/// Peers of the smallest board on one LAN, each on a host of its own.
const CROWD: usize = 100;
/// Until all of them are in the room: each dials some at a time, and each takes few a second.
const ALL_IN: Duration = Duration::from_secs(120);

#[test]
fn a_hundred_of_the_smallest_on_one_lan() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts: Vec<_> = (0..CROWD).map(|number| world.host(&format!("tiny{number}"), &lan)).collect();
    let config = || Config {
        listen: vec!["/ip4/0.0.0.0/tcp/0".parse().unwrap()],
        mdns: true,
        ..dialling(vec![], board("tiny"))
    };
    let start = Instant::now();
    let all: Vec<Many> = hosts.iter().map(|host| Many::start(vec![config()], Some(&host.namespace))).collect();
    let are_in = || all.iter().filter(|one| one.room(0).peers > 0).count();
    while are_in() < CROWD && start.elapsed() < ALL_IN {
        std::thread::sleep(Duration::from_millis(200));
    }
    let (count, took) = (are_in(), start.elapsed());
    let all: Vec<&Many> = all.iter().collect();
    let found = [0, CROWD - 1].map(|author| deliver((all[author], 0), &all, lines(100, 20), PACE));
    println!("{CROWD} × tiny on one LAN: {count} in the room after {took:.1?}; {}; {}", found[0], found[1]);
    assert!(count == CROWD && found.iter().all(Delivery::is_whole), "{count} are in, {}; {}", found[0], found[1]);
}
