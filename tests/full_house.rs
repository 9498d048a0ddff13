//! A full house lets people in: a bootstrap node serves more peers than it has places, and strangers who sit there and say
//! nothing do not keep a room's people out.

mod peer;

use libp2p::Multiaddr;
use peer::{
    PATIENCE, Peer, config,
    strangers::{Strangers, in_room, until},
};
use std::time::{Duration, Instant};
use stonechat::{
    base::board::{self, Board},
    node::{Config, Role, event::Event},
};

/// As long as a newcomer may take until it has what it came for.
const ADMITTED: Duration = Duration::from_secs(30);

fn tiny() -> &'static Board {
    board::find("tiny").expect("the tiny board")
}

/// gossipsub keeps every connection alive (rust-libp2p 5190), so that without more a full node admits nobody; the remedy is
/// `node/admission.rs`.
#[test]
fn a_full_bootstrap_node_serves_whoever_comes_and_keeps_its_mark_in_peace() {
    let high = u32::from(tiny().limits.peers_high);
    let hub = Peer::start(Config { board: tiny(), role: Role::Bootstrap, rooms: vec![], ..config() });
    let bootstrap = vec![hub.address()];
    let one = || Config { rooms: vec![], bootstrap: bootstrap.clone(), ..config() };
    let residents: Vec<Peer> = (0..high).map(|_| Peer::start(one())).collect();
    until("a full house", PATIENCE, || hub.status().peers == high);
    let start = Instant::now();
    let newcomers: Vec<Peer> = (0..2).map(|_| Peer::start(one())).collect();
    for newcomer in &newcomers {
        let took = until("a table with the hub in it", ADMITTED, || newcomer.status().dht_peers > 0);
        println!("a newcomer was served after {took:.1?}");
    }
    until("its mark again", ADMITTED, || hub.status().peers <= high);
    while start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let let_go = hub.counter("peers let go");
    println!("{let_go} peers let go in a minute, {} refused", hub.counter("inbound connections failed"));
    assert!((1..=12).contains(&let_go), "{let_go} were let go in a minute: who goes is to stay away for a while");
    drop((residents, newcomers));
}

/// Strangers who share no room hold every place, and the people of the room come from their very address: they share what
/// one address may bring about in a second, and its place for newcomers. Strangers hold that only for the moment in which
/// they name their rooms. Those who come from elsewhere: `netns_full_house.rs`.
fn strangers_keep_nobody_out(board: &'static Board, strangers: usize) {
    let any = |ip: &str| -> Vec<Multiaddr> { vec![format!("/ip4/{ip}/tcp/0").parse().expect("a multiaddr")] };
    let mut house = Peer::start(Config { board, ..config() });
    let bootstrap = vec![house.address()];
    let stranger =
        |_| Config { board: tiny(), rooms: vec!["elsewhere".into()], bootstrap: bootstrap.clone(), ..config() };
    let crowd = Strangers::start((0..strangers).map(stranger).collect());
    // As many as may stay before a mate is there, and no more come in.
    let most = u32::from(board.limits.connections_inbound_max).min(u32::from(board.limits.peers_high));
    until("a full house", 2 * PATIENCE, || house.status().peers + 2 >= most);
    let mut mates = Vec::new();
    for n in 0..3 {
        let listen = any(&format!("127.0.0.{}", 2 + n));
        mates.push(Peer::start(Config { board: tiny(), listen, bootstrap: bootstrap.clone(), ..config() }));
        let took = until("a mate in the room", ADMITTED, || in_room(&house) == n + 1);
        println!("mate {n} was in after {took:.1?}, among {} peers", house.status().peers);
    }
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(15) {
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(in_room(&house), 3, "who shares the room stays");
    }
    mates[2].say("we are in");
    house.wait_line("we are in");
    println!(
        "{} strangers: {} let go, {} refused",
        crowd.handles.len(),
        house.counter("peers let go"),
        house.counter("inbound connections failed")
    );
}

#[test]
fn strangers_of_one_address_keep_no_small_house_closed() {
    strangers_keep_nobody_out(tiny(), 12);
}

#[test]
fn forty_five_strangers_of_one_address_keep_no_house_closed() {
    strangers_keep_nobody_out(board::find("raspberry-pi-zero-w").expect("it has a file"), 45);
}

/// Who is refused waits ever longer, although each dial begins well.
#[test]
fn who_is_refused_backs_off() {
    let mut hub = Peer::start(Config { board: tiny(), role: Role::Bootstrap, rooms: vec![], ..config() });
    let bootstrap = vec![hub.address()];
    let one = || Config { board: tiny(), rooms: vec![], bootstrap: bootstrap.clone(), ..config() };
    let crowd = Strangers::start((0..16).map(|_| one()).collect());
    let (start, mut came) = (Instant::now(), Vec::new());
    while start.elapsed() < Duration::from_secs(75) {
        hub.wait("somebody", |event| matches!(event, Event::Connected { .. }).then_some(()));
        came.push(start.elapsed().as_secs());
    }
    let last = came.iter().filter(|at| (45..75).contains(*at)).count();
    println!("{} connections in 45 s, {last} in the 30 s after", came.len() - last);
    // Ten are outside, and each comes at most once in 15 s.
    assert!(last <= 25, "{last} connections in 30 s by 16 peers");
    drop(crowd);
}
