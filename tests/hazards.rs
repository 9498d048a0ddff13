//! Behaviours of libp2p 0.57 that bite a small board: each test fails without the remedy it names.

mod peer;

use libp2p::swarm::ConnectionId;
use peer::{PATIENCE, Peer, config};
use std::time::{Duration, Instant};
use stonechat::{
    base::board,
    node::{
        Config, Role,
        command::{Answer, Command},
        event::{Event, FoundBy},
        peers::{Connected, Peers},
    },
};

fn mesh(peer: &Peer) -> u32 {
    match peer.ask(Command::Rooms {}) {
        Ok(Answer::Rooms { rooms }) => rooms.first().map_or(0, |room| room.mesh),
        other => panic!("no rooms: {other:?}"),
    }
}

/// libp2p-gossipsub's heartbeat sleeps for ever on a quiet node, and what is due does not happen; the remedy is a core that
/// says when it is to be asked, in `swarm/gossip`.
///
/// Both nodes are left alone, for a question would poll the swarm and wake them by accident.
#[test]
fn quiet_peers_graft_each_other_without_being_asked_and_then_sleep() {
    let mut a = Peer::start(config());
    let mut b = Peer::start(Config { bootstrap: vec![a.address()], ..config() });
    a.wait_joined();
    b.wait_joined();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((mesh(&a), mesh(&b)), (1, 1), "they grafted each other");
    let beats = a.counter("heartbeats");
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(a.counter("heartbeats"), beats, "a quiet room needs none");
    a.say("good morning");
    b.wait_line("good morning");
    let start = Instant::now();
    while a.counter("heartbeats") == beats {
        assert!(start.elapsed() < PATIENCE, "whether that arrived is not looked after");
        std::thread::yield_now();
    }
}

/// A peer that comes back with the same key while its old connection still stands is never heard (rust-libp2p 5097);
/// the remedy is a stream on the newest connection, in `swarm/gossip`.
#[test]
fn a_frozen_peer_replaced_by_one_with_the_same_key_is_heard() {
    let mut a = Peer::start(config());
    let first = config();
    let again = Config { bootstrap: vec![a.address()], ..first.clone() };
    let mut b = Peer::start(Config { bootstrap: vec![a.address()], ..first });
    a.wait_joined();
    b.wait_joined();
    b.say("before");
    a.wait_line("before");
    b.freeze();
    std::thread::sleep(Duration::from_millis(2_100)); // Past the time in which two dials count as crossed.
    let mut b2 = Peer::start(again);
    b2.wait_joined();
    a.say("from the one that stayed");
    b2.wait_line("from the one that stayed");
    b2.say("from the one that came back");
    a.wait_line("from the one that came back");
}

/// A peer that left a room while its link was dead never says so; the remedy is to take what it said before for void, in
/// `node/confirm.rs`.
#[test]
fn a_room_that_was_left_while_the_link_was_dead_is_left() {
    let mut a = Peer::start(config());
    let first = config();
    let again = Config { rooms: vec!["elsewhere".into()], bootstrap: vec![a.address()], ..first.clone() };
    let mut b = Peer::start(Config { bootstrap: vec![a.address()], ..first });
    a.wait_joined();
    b.wait_joined();
    b.freeze();
    std::thread::sleep(Duration::from_millis(2_100)); // Past the time in which two dials count as crossed.
    let _b2 = Peer::start(again);
    a.wait("its leave", |event| matches!(event, Event::Left { .. }).then_some(()));
    assert_eq!(a.say("is anybody here?").peers, 0, "nobody is counted as a listener");
}

/// Where one of two connections closes, libp2p still counts the peer as connected, although the other one has given
/// way and is deaf; the remedy is to dial anew at once, in `node/peers.rs`.
#[test]
fn a_peer_whose_connection_is_lost_is_dialled_while_an_older_one_still_stands() {
    let [us, peer] = [(); 2].map(|()| libp2p::identity::Keypair::generate_ed25519().public().to_peer_id());
    let address: libp2p::Multiaddr = "/ip4/192.0.2.7/tcp/4470".parse().expect("a multiaddr");
    let [older, newer] = [1, 2].map(ConnectionId::new_unchecked);
    let connected = |connection, since| Connected {
        connection,
        address: address.clone(),
        local: None,
        outbound: true,
        since,
        agent: String::new(),
        nick: String::new(),
        rtt: None,
        ping_failures: 0,
        found: FoundBy::Inbound,
        shares: None,
        rooms: Default::default(),
        adrift: false,
        suspect: None,
        mute: None,
        speech: 0,
    };
    let now = Instant::now();
    let later = now + Duration::from_secs(1);
    let mut peers = Peers::new(us, 4);
    peers.on_connected(peer, connected(older, now));
    peers.on_connected(peer, connected(newer, now));
    peers.on_connection_lost(&peer, older, now);
    assert!(peers.due_suspects(later).is_empty(), "the one that gave way is not missed");
    peers.on_connection_lost(&peer, newer, now);
    assert!(peers.next_due(false).is_some_and(|at| at <= later), "the node wakes in time");
    assert_eq!(peers.due_suspects(later), [(peer, vec![address.clone()])]);
}

/// libp2p's DHT never seeds its table again when the first dials fail; the remedy is `node/bootstrap.rs`.
#[test]
fn a_bootstrap_node_that_comes_late_is_found() {
    let place = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = place.local_addr().expect("its address").port();
    drop(place);
    let address: libp2p::Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().expect("a multiaddr");
    let mut late = Peer::start(Config { bootstrap: vec![address.clone()], ..config() });
    let start = Instant::now();
    while !late.status().bootstrap.iter().any(|b| b.contains("failed dial")) {
        assert!(start.elapsed() < PATIENCE, "the first dial never failed: {:?}", late.status().bootstrap);
        std::thread::yield_now();
    }
    let server = Config { role: Role::Bootstrap, listen: vec![address], rooms: vec![], ..config() };
    let _server = Peer::start(server);
    late.wait("the bootstrap node", |e| matches!(e, Event::Connected { .. }).then_some(()));
    let start = Instant::now();
    while late.status().dht_peers == 0 {
        assert!(start.elapsed() < PATIENCE, "the table stays empty");
        std::thread::yield_now();
    }
}

/// libp2p's DHT keeps any number of addresses a peer; the remedy is the bound in `node/hear.rs`.
#[test]
fn a_peer_with_many_addresses_takes_few_places() {
    let any: libp2p::Multiaddr = "/ip4/127.0.0.1/tcp/0".parse().expect("a multiaddr");
    let many = Config { role: Role::Bootstrap, listen: vec![any; 24], ..config() };
    let many = Peer::start(many);
    let start = Instant::now();
    while many.status().listening.len() < 24 {
        assert!(start.elapsed() < PATIENCE, "it never listens on all");
        std::thread::yield_now();
    }
    let mut a = Peer::start(Config { bootstrap: vec![many.address()], ..config() });
    a.wait_joined();
    let start = Instant::now();
    while a.status().dht_peers == 0 {
        assert!(start.elapsed() < PATIENCE, "the table stays empty");
        std::thread::yield_now();
    }
    let most = u64::from(config().board.limits.addresses_per_peer_max);
    let kept = a.counter("dht: addresses of the fullest entry");
    assert!((1..=most).contains(&kept), "{kept} addresses kept, at most {most} wanted");
}

/// libp2p-gossipsub keeps 5,000 messages for a peer that does not read; the remedy is the board's queue in `gossip/queue.rs`.
#[test]
fn a_peer_that_stops_reading_costs_a_short_queue() {
    let tiny = board::find("tiny").expect("the tiny board");
    let mut a = Peer::start(Config { board: tiny, ..config() });
    let mut b = Peer::start(Config { bootstrap: vec![a.address()], ..config() });
    a.wait_joined();
    b.wait_joined();
    b.say("I can hear you");
    a.wait_line("I can hear you");
    b.freeze();
    // Half as many as the queue holds may be under way, then the outbox takes some; the default queue takes all.
    let count = 2 * u64::from(tiny.limits.gossip_queue_messages_max + 64);
    let refused = (0..count).find_map(|n| {
        let data = format!("{n:016x}{}", "00".repeat(2_000));
        a.ask(Command::Record { room: None, kind: "bulk".into(), data }).err()
    });
    let refused = refused.expect("the queue is bounded, and the sender is told").to_string();
    assert!(refused.contains("wait already"), "{refused}");
    assert_eq!(a.counter("publish: every queue full"), 0, "none is filled to the brim");
}
