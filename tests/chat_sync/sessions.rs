//! Sessions between nodes: everything gets everywhere, shares and bounds hold, and a quiet room stays quiet.

use crate::for_seeds;
use crate::network::{Network, message};
use stonechat::chat::sync::compare::Opening;
use stonechat::chat::sync::quota::Allowance;
use stonechat::chat::sync::sessions::{ANSWER_TIMEOUT_MS, BeginError, Input, Limits, Sessions};
use stonechat::wire::sync::item::SessionKey;

const START: u64 = 1_790_000_000_000;

fn limits() -> Limits {
    Limits::for_history(16, 20_000, 16 << 20)
}

#[test]
fn a_newcomer_gets_everything_and_nothing_twice() {
    let mut network = Network::new(1, 2, limits());
    for n in 0..2_000 {
        network.say(0, START + n * 500, 200);
    }
    network.connect(0, 1);
    network.pass(20_000);
    assert!(network.all_equal() && network.items(1).len() == 2_000);
    let overhead = network.bytes - 2_000 * 217;
    println!("2,000 messages to a newcomer: {overhead} bytes beside them, {} frames", network.frames);
    assert!(overhead <= 2_000 * 20 + 2_000, "{overhead}");
    assert_eq!((network.nodes[0].doubled, network.nodes[1].doubled), (0, 0));
    assert!(network.nodes[1].ended.iter().all(|(_, _, end)| end.is_ok()), "{:?}", network.nodes[1].ended);
}

#[test]
fn a_third_one_hands_on_what_the_ends_never_had_together() {
    let mut network = Network::new(2, 3, limits());
    for n in 0..300 {
        network.say(0, START + n, 50);
    }
    network.connect(0, 1);
    network.pass(5_000);
    network.cut(0, 1);
    network.connect(1, 2);
    network.pass(5_000);
    assert_eq!(network.items(2), network.items(0));
}

#[test]
fn two_halves_that_meet_again_are_one_within_five_seconds() {
    for_seeds(5, |seed| {
        let mut network = Network::new(seed, 12, limits());
        // Each half a ring with some more links; both have talked for a minute.
        for half in [0, 6] {
            for n in 0..6 {
                network.connect(half + n, half + (n + 1) % 6);
            }
        }
        for n in 0..300 {
            for half in [0, 6] {
                for node in half..half + 6 {
                    let said = message(START + n * 200, n * 2 + (half > 0) as u64, 100);
                    let topic = network.topic();
                    network.nodes[node].rooms.keep(&topic, &said).unwrap();
                }
            }
        }
        network.pass(10_000);
        assert!(!network.all_equal());
        network.connect(seed as usize % 6, 6 + seed as usize % 5);
        let start = network.now;
        while !network.all_equal() {
            network.pass(50);
            assert!(network.now - start <= 5_000, "seed {seed}: not whole after 5 s");
        }
        assert_eq!(network.items(0).len(), 600);
    });
}

#[test]
fn what_is_lost_on_the_way_is_asked_for_again() {
    for_seeds(3, |seed| {
        let mut network = Network::new(seed, 4, limits());
        network.loss_percent = 30;
        for n in 0..400 {
            network.say(n % 4, START + n as u64 * 100, 300);
        }
        for n in 0..3 {
            network.connect(n, n + 1);
        }
        let start = network.now;
        while !network.all_equal() {
            network.pass(1_000);
            assert!(network.now - start < 3_600_000, "not whole after an hour");
        }
        assert_eq!(network.items(0).len(), 400);
    });
}

#[test]
fn a_session_that_was_cut_goes_on_where_it_was() {
    let mut network = Network::new(3, 2, Limits { frame_bytes_max: 4_096, ..limits() });
    network.delay_ms = 50;
    for n in 0..1_000 {
        network.say(0, START + n * 10, 400);
    }
    let mut cuts = 0;
    while !network.all_equal() {
        network.connect(0, 1);
        network.pass(1_500);
        network.cut(0, 1);
        cuts += 1;
        assert!(cuts < 60, "it does not get on");
        // The newest are there first, but for what one comparison finds in its second step.
        let got = network.items(1);
        let newest = &network.items(0)[..got.len()];
        let early = got.iter().filter(|item| newest.contains(item)).count();
        assert!(early * 10 >= got.len() * 7, "{early} of {}", got.len());
    }
    assert!(cuts > 3, "it was cut {cuts} times");
    // What had come before a cut was not sent again, but for the frame that was under way.
    assert!(network.nodes[1].doubled == 0 && network.bytes < 1_000 * 417 * 3 / 2, "{}", network.bytes);
}

#[test]
fn a_quiet_room_costs_one_small_exchange_a_minute_at_most_and_then_fewer() {
    let mut network = Network::new(4, 6, limits());
    for n in 0..100 {
        network.say(0, START + n, 50);
    }
    for a in 0..6 {
        for b in a + 1..6 {
            network.connect(a, b);
        }
    }
    network.pass(60_000);
    assert!(network.all_equal());
    let (bytes, frames) = (network.bytes, network.frames);
    let begun: Vec<u64> = network.nodes.iter().map(|node| node.begun).collect();
    network.pass(3_600_000);
    let exchanges = (network.frames - frames) / 2;
    println!("six nodes, a quiet hour: {exchanges} exchanges, {} bytes", network.bytes - bytes);
    for (node, before) in network.nodes.iter().zip(begun) {
        assert!(node.begun - before <= 15, "{} of one node", node.begun - before);
    }
    assert!((6..=90).contains(&exchanges) && network.bytes - bytes <= 64 * exchanges, "{exchanges}");
    // Something is said that gossip loses: at the latest with the next digest, and when gossip admits it within seconds.
    network.say(3, START + 1_000, 50);
    network.pass(2 * 480_000);
    assert!(network.all_equal());
    network.say(5, START + 2_000, 50);
    let topic = network.topic();
    let now = network.now;
    network.nodes[5].policy.lost(&topic, now);
    network.pass(5_000);
    assert!(network.all_equal());
}

#[test]
fn what_was_let_go_does_not_come_back() {
    let mut network = Network::new(5, 2, limits());
    for n in 0..1_000 {
        network.say(0, START + n * 100, 50);
    }
    let topic = network.topic();
    network.nodes[1].rooms.index.get_mut(topic.as_str()).unwrap().since = START + 50_000;
    network.connect(0, 1);
    network.pass(600_000);
    assert_eq!((network.items(1).len(), network.nodes[1].delivered, network.nodes[1].doubled), (500, 500, 0));
}

#[test]
fn sessions_are_one_a_peer_and_bounded() {
    let mut network = Network::new(6, 1, Limits { sessions_max: 2, peers_max: 8, ..limits() });
    let (topic, key) = (network.topic(), SessionKey([1, 2]));
    let node = &mut network.nodes[0];
    let mut begin = |sessions: &mut Sessions<usize>, peer, topic: &str, now| {
        let topic = topic.try_into().unwrap();
        sessions.handle(Input::Begin { peer, topic, opening: Opening::Newest, key }, &mut node.rooms, now)
    };
    let mut sessions = Sessions::new(0, Limits { sessions_max: 2, peers_max: 8, ..limits() });
    assert_eq!(begin(&mut sessions, 1, &topic, 0), Ok(()));
    assert_eq!(begin(&mut sessions, 1, &topic, 0), Err(BeginError::UnderWay));
    assert_eq!(begin(&mut sessions, 2, "stonechat/1/elsewhere", 0), Err(BeginError::NotJoined));
    assert_eq!(begin(&mut sessions, 2, &topic, 5_000), Ok(()));
    assert_eq!(begin(&mut sessions, 3, &topic, 5_000), Err(BeginError::SessionsMax(2)));
    assert_eq!((sessions.sessions().length, sessions.sessions().drops), (2, 1));
    // Nobody answers: each ends at its time.
    assert_eq!(sessions.poll_timeout(), Some(ANSWER_TIMEOUT_MS));
    sessions.handle_timeout(ANSWER_TIMEOUT_MS);
    assert_eq!((sessions.sessions().length, sessions.poll_timeout()), (1, Some(ANSWER_TIMEOUT_MS + 5_000)));
    for peer in 10..1_000 {
        let request = Input::Request { peer, id: 1, bytes: &[9] };
        sessions.handle(request, &mut node.rooms, 6_000).unwrap();
        while sessions.poll_output().is_some() {}
        assert!(sessions.peers() <= 8);
    }
    assert_eq!(sessions.sessions().length, 1, "one with a session keeps its place");
}

#[test]
fn one_neighbour_brings_no_more_than_its_share() {
    let mut shares = limits().shares;
    shares.taken_messages = Allowance { burst: 300, per_hour: 60 };
    let mut network = Network::new(9, 2, Limits { shares, ..limits() });
    for n in 0..2_000 {
        network.say(0, START + n * 100, 50);
    }
    network.connect(0, 1);
    network.pass(60_000);
    assert!((300..=302).contains(&network.items(1).len()), "{}", network.items(1).len());
    network.pass(3_600_000);
    assert!((340..=380).contains(&network.items(1).len()), "{} after an hour", network.items(1).len());
    let got = network.items(1);
    assert_eq!(got[..300], network.items(0)[..300], "the newest first");
    assert!(network.nodes.iter().all(|node| node.misbehaved.is_empty()), "an honest one is not blamed");
}
