//! Strangers of one address who hold every place of a house, and people of its room who come from other addresses.

mod peer;
#[allow(dead_code)]
mod world;

use libp2p::Multiaddr;
use peer::{
    PATIENCE, Peer, config,
    strangers::{Strangers, in_room, until},
};
use std::time::{Duration, Instant};
use stonechat::{
    base::board::{self, Board},
    node::Config,
};
use world::{Host, World};

/// As long as somebody may take to be in the room of a full house.
const ADMITTED: Duration = Duration::from_secs(30);
/// So long who is in has to stay, while the strangers come again and again.
const SIEGE: Duration = Duration::from_secs(20);

fn listen(host: &Host) -> Vec<Multiaddr> {
    vec![format!("/ip4/{}/tcp/0", host.address()).parse().expect("a multiaddr")]
}

fn strangers_keep_nobody_out(board: &'static Board, strangers: u32) {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let (home, there) = (world.host("house", &lan), world.host("strangers", &lan));
    let tiny = board::find("tiny").expect("the tiny board");
    let mut house = home.enter(|| Peer::start(Config { board, listen: listen(&home), ..config() }));
    let bootstrap = vec![house.address()];
    let start = Instant::now();
    let crowd = there.enter(|| {
        // One half names a room that is not ours, the other none at all.
        let stranger = |n: u32| Config {
            board: tiny,
            rooms: (0..n % 2).map(|_| "elsewhere".into()).collect(),
            listen: listen(&there),
            bootstrap: bootstrap.clone(),
            ..config()
        };
        Strangers::start((0..strangers).map(stranger).collect())
    });
    // As many as may stay before anybody of the room is there, and no more come in.
    let most = u32::from(board.limits.connections_inbound_max).min(u32::from(board.limits.peers_high));
    until("a full house", 2 * PATIENCE, || house.status().peers + 2 >= most);
    let mut mates = Vec::new();
    for n in 0..3 {
        let host = world.host(&format!("mate{n}"), &lan);
        let config = Config { board: tiny, listen: listen(&host), bootstrap: bootstrap.clone(), ..config() };
        mates.push(host.enter(|| Peer::start(config)));
        let took = until("a mate in the room", ADMITTED, || in_room(&house) == n + 1);
        println!("mate {n} was in after {took:.1?}, among {} peers", house.status().peers);
    }
    let siege = Instant::now();
    while siege.elapsed() < SIEGE {
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(in_room(&house), 3, "who shares the room stays");
    }
    mates[2].say("we are in");
    house.wait_line("we are in");
    let (let_go, refused) = (house.counter("peers let go"), house.counter("inbound connections failed"));
    let seconds = start.elapsed().as_secs();
    println!("{strangers} strangers in {seconds} s: {let_go} let go, {refused} refused");
    // Who does not stay waits 1, 2, 4 and 8 s and comes once in about 15 s from then on.
    let outside = u64::from(strangers + 3 - most + 2);
    assert!(let_go <= outside * (5 + seconds / 15), "{let_go} of {outside} were let go in {seconds} s");
    drop(crowd);
}

#[test]
fn strangers_of_one_address_keep_no_small_house_closed_to_others() {
    strangers_keep_nobody_out(board::find("tiny").expect("the tiny board"), 12);
}

#[test]
fn forty_five_strangers_of_one_address_keep_no_house_closed_to_others() {
    strangers_keep_nobody_out(board::find("raspberry-pi-zero-w").expect("it has a file"), 45);
}
