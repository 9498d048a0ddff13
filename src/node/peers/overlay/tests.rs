//! What the parts do together.

use super::*;
use crate::{
    base::board::find,
    node::peers::{
        address::{ConnectionId, Network, socket_of},
        connections::Arrival,
    },
};
use std::net::IpAddr;

const ROOM: Topic = Topic(7);

fn peer(n: u32) -> PeerId {
    let mut bytes = vec![0, 4];
    bytes.extend(n.to_be_bytes());
    PeerId::from_bytes(&bytes).unwrap()
}

fn address(n: u32) -> Multiaddr {
    format!("/ip4/10.0.{}.{}/tcp/4470", n >> 8 & 255, n & 255).parse().unwrap()
}

fn after(start: Instant, ms: u64) -> Instant {
    start + Duration::from_millis(ms)
}

fn overlay(seeds: &[Multiaddr], seed: u64) -> (Overlay, Instant) {
    let start = Instant::now();
    let places = Places::new(&find("tiny").unwrap().limits, false);
    let mut overlay = Overlay::new(peer(0), places, seeds, seed, start);
    overlay.handle(Input::Join(ROOM), start);
    (overlay, start)
}

fn arrival(n: u32, is_outbound: bool) -> Arrival {
    let ip: IpAddr = format!("10.0.{}.{}", n >> 8 & 255, n & 255).parse().unwrap();
    Arrival {
        connection: ConnectionId::new_unchecked(n as usize),
        ip: Some(ip),
        local: None,
        is_outbound,
        is_in_use: true,
        keeps_topics: false,
        is_given: false,
        is_explored: false,
    }
}

fn heard(n: u32, on_link: bool) -> Input {
    let teller = Teller { announcer: Announcer::Host(Network::V4(n)), scope: Scope::Site };
    Input::Found { peer: peer(n), address: Some(address(n)), source: Source::Mdns, teller, on_link }
}

fn comes(overlay: &mut Overlay, n: u32, now: Instant) {
    overlay.handle(Input::Connected { peer: peer(n), dialled: None, arrival: arrival(n, false) }, now);
    let listen = vec![address(n)];
    overlay.handle(Input::Identified { peer: peer(n), listen, recommends: false, is_speaker: false }, now);
    overlay.handle(Input::Subscribed(peer(n), ROOM), now);
}

fn turn(overlay: &mut Overlay, now: Instant) -> Vec<Output> {
    if overlay.poll_timeout().is_some_and(|at| at <= now) {
        overlay.handle_timeout(now);
        assert!(overlay.poll_timeout().is_none_or(|at| at > now), "due at once again");
    }
    std::iter::from_fn(|| overlay.poll_output()).collect()
}

fn dials(outputs: &[Output]) -> Vec<Target> {
    let target = |output: &Output| match output {
        Output::Dial { target, .. } => Some(*target),
        _ => None,
    };
    outputs.iter().filter_map(target).collect()
}

fn fail(overlay: &mut Overlay, target: Target, failure: Failure, now: Instant) {
    overlay.handle(Input::DialFailed { target, failure, wrong: None, error: "no".into() }, now);
}

/// Runs until `end`, failing each dial as told; how often each target was dialled.
fn run(overlay: &mut Overlay, from: Instant, end: Instant, failure: Failure) -> BTreeMap<Target, u32> {
    let (mut now, mut count) = (from, BTreeMap::new());
    while now < end {
        for target in dials(&turn(overlay, now)) {
            *count.entry(target).or_default() += 1;
            fail(overlay, target, failure, now);
        }
        now = overlay.poll_timeout().unwrap_or(end).max(now);
    }
    count
}

/// Whatever happens in whatever order: what is due is done, so that the next time is later.
#[test]
fn after_each_turn_the_next_time_is_later() {
    for seed in 0..200 {
        let (mut overlay, start) = overlay(&[address(900), address(901)], seed);
        let (mut random, mut now, mut under_way) = (Random::new(seed), start, Vec::new());
        for step in 0..400 {
            now += Duration::from_millis([0, 1, 40, 300, 2_000, 20_000][random.below(6) as usize]);
            let n = 1 + random.below(14) as u32;
            let left = random.below(3) as usize / 2;
            match random.below(18) {
                0..3 => overlay.handle(heard(n, true), now),
                3 => comes(&mut overlay, n, now),
                4 => overlay.handle(Input::Connected { peer: peer(n), dialled: None, arrival: arrival(n, false) }, now),
                5..7 => {
                    let connection = ConnectionId::new_unchecked(n as usize);
                    let is_ours = step % 2 == 0;
                    overlay.handle(Input::Closed { peer: peer(n), connection, left, in_use: None, is_ours }, now);
                }
                7 => overlay.handle(Input::AddressLost("10.0.0.200".parse().unwrap(), left == 1), now),
                8 => overlay.handle(Input::AddressGained, now),
                9 => overlay.handle(Input::Voice(peer(n), Voice::None), now),
                10 => overlay.handle(Input::Afresh(peer(n)), now),
                11 => overlay.handle(
                    Input::Identified { peer: peer(n), listen: vec![address(n)], recommends: true, is_speaker: true },
                    now,
                ),
                12 => overlay.handle(Input::DhtServer, now),
                13 => overlay.handle(Input::Providers { topic: ROOM, peers: (50..90).map(peer).collect() }, now),
                14 => overlay.handle(Input::Told { by: peer(n), peers: vec![(peer(40 + n), vec![address(9)])] }, now),
                _ => {
                    if let Some(target) = under_way.pop() {
                        let failure = [Failure::Remote, Failure::LocalLimit, Failure::AlreadyDialling];
                        match (random.below(4), target) {
                            (3, Target::Peer(peer)) => {
                                let dialled = Some((target, address(n)));
                                overlay.handle(Input::Connected { peer, dialled, arrival: arrival(n, true) }, now);
                            }
                            (at, _) => fail(&mut overlay, target, failure[at as usize % 3], now),
                        }
                    }
                }
            }
            under_way.extend(dials(&turn(&mut overlay, now)));
            for (what, used, most) in overlay.loads().into_iter().filter(|(what, ..)| *what != "connections") {
                assert!(used <= most, "seed {seed}: {used} of {most}: {what}");
            }
        }
    }
}

/// No room for dials, a peer known that is due, a connected one suspect.
#[test]
fn in_a_house_without_a_place_for_a_dial_the_timer_goes_on() {
    let (mut overlay, start) = overlay(&[], 1);
    (1..=8).for_each(|n| comes(&mut overlay, n, start));
    assert_eq!(turn(&mut overlay, start), []);
    (20..22).for_each(|n| overlay.handle(heard(n, true), start));
    (9..=10).for_each(|n| {
        let arrival = arrival(n, false);
        overlay.handle(Input::Connected { peer: peer(n), dialled: None, arrival }, start);
    });
    overlay.handle(Input::AddressLost("10.0.0.200".parse().unwrap(), true), start);
    let mut now = start;
    for _ in 0..5 {
        let outputs = turn(&mut overlay, now);
        assert_eq!(dials(&outputs), []);
        now = overlay.poll_timeout().expect("it goes on");
    }
    // Two places fall free: what may be dead is dialled at once.
    for n in [9, 10] {
        let connection = ConnectionId::new_unchecked(n as usize);
        overlay.handle(Input::Closed { peer: peer(n), connection, left: 0, in_use: None, is_ours: false }, now);
    }
    let due = after(now, ADRIFT_WAIT_MS);
    let dialled = dials(&turn(&mut overlay, due));
    assert!(matches!(dialled[..], [Target::Peer(it)] if it <= peer(8)), "{dialled:?}");
}

#[test]
fn our_own_limits_are_nobodys_failure() {
    for failure in [Failure::LocalLimit, Failure::AlreadyDialling] {
        let (mut overlay, start) = overlay(&[], 1);
        overlay.handle(heard(1, true), start);
        let times = run(&mut overlay, start, after(start, 60_000), failure);
        assert!(times[&Target::Peer(peer(1))] > 50, "{times:?}");
        assert_eq!(overlay.dialer().attempts(&peer(1)).unwrap().failures(), 0);
        assert!(overlay.book().entry(&peer(1)).is_some());
    }
}

#[test]
fn who_is_announced_again_and_again_is_not_dialled_the_more_often() {
    let (mut overlay, start) = overlay(&[], 1);
    let mut count = 0;
    for ms in (0..75_000).step_by(100) {
        let now = after(start, ms);
        overlay.handle(heard(1, true), now);
        for target in dials(&turn(&mut overlay, now)) {
            count += 1;
            fail(&mut overlay, target, Failure::Remote, now);
        }
    }
    assert!((3..=8).contains(&count), "{count} dials in 75 s");
}

#[test]
fn off_the_link_or_by_name_nobody_is_dialled() {
    let (mut overlay, start) = overlay(&[], 1);
    overlay.handle(heard(1, false), start);
    let teller = Teller { announcer: Announcer::Host(Network::V4(9)), scope: Scope::Site };
    let address = Some("/dns4/x.example/tcp/1".parse().unwrap());
    overlay.handle(Input::Found { peer: peer(2), address, source: Source::Mdns, teller, on_link: true }, start);
    assert!(run(&mut overlay, start, after(start, 600_000), Failure::Remote).is_empty());
}

/// What a peer says of itself are claims: a stranger that connects, names others' addresses and leaves costs these
/// others next to nothing.
#[test]
fn whoever_names_the_addresses_of_others_is_to_blame_for_the_attempts() {
    let (mut overlay, start) = overlay(&[], 1);
    let mut attempts = 0;
    for n in 0..600 {
        let (now, n) = (after(start, u64::from(n) * 100), 1_000 + n);
        overlay.handle(Input::Connected { peer: peer(n), dialled: None, arrival: arrival(9, false) }, now);
        let victims = (1..5).map(|n| format!("/ip4/203.0.113.{n}/tcp/80").parse().unwrap()).collect();
        overlay.handle(Input::Identified { peer: peer(n), listen: victims, recommends: false, is_speaker: false }, now);
        overlay.handle(Input::Subscribed(peer(n), ROOM), now);
        turn(&mut overlay, now);
        let connection = ConnectionId::new_unchecked(9);
        overlay.handle(Input::Closed { peer: peer(n), connection, left: 0, in_use: None, is_ours: false }, now);
        for output in turn(&mut overlay, now) {
            if let Output::Dial { target, addresses, .. } = output {
                attempts += addresses.iter().filter(|address| socket_of(address).is_some()).count();
                fail(&mut overlay, target, Failure::Remote, now);
            }
        }
    }
    assert!(attempts <= 32 + 60, "{attempts} attempts in a minute");
}

#[test]
fn a_peer_that_starts_afresh_is_dialled_at_once_and_believed_once() {
    let (mut overlay, start) = overlay(&[], 1);
    overlay.handle(heard(1, true), start);
    run(&mut overlay, start, after(start, 100_000), Failure::Remote);
    let now = after(start, 100_000);
    assert!(overlay.dialer().attempts(&peer(1)).unwrap().failures() > 3);
    overlay.handle(Input::Afresh(peer(1)), now);
    let soon = after(now, CROSSED_DIAL_WAIT_MS);
    assert_eq!(dials(&turn(&mut overlay, soon)), [Target::Peer(peer(1))]);
    fail(&mut overlay, Target::Peer(peer(1)), Failure::Remote, soon);
    overlay.handle(Input::Afresh(peer(1)), soon);
    assert_eq!(dials(&turn(&mut overlay, after(soon, CROSSED_DIAL_WAIT_MS))), [], "it waits as any other");
}

#[test]
fn of_many_servers_answers_to_one_look_up_only_so_many_peers_are_taken() {
    let (mut overlay, start) = overlay(&[], 1);
    overlay.handle(Input::DhtServer, start);
    let outputs = turn(&mut overlay, after(start, 1_000));
    assert!(outputs.contains(&Output::Find(ROOM)) && outputs.contains(&Output::Provide(ROOM)), "{outputs:?}");
    for server in 0..20 {
        let peers = (0..32).map(|n| peer(1_000 + server * 32 + n)).collect();
        overlay.handle(Input::Providers { topic: ROOM, peers }, after(start, 1_000));
    }
    assert_eq!(overlay.book().count(Kind::Wide), super::super::discovery::PROVIDERS_PER_LOOKUP_MAX);
}

#[test]
fn another_peer_at_an_address_ends_the_claim_and_does_not_blame_the_address() {
    let (mut overlay, start) = overlay(&[], 1);
    overlay.handle(heard(1, true), start);
    let wrong = Some(address(1));
    let due = after(start, 1_000);
    assert_eq!(dials(&turn(&mut overlay, due)), [Target::Peer(peer(1))]);
    let target = Target::Peer(peer(1));
    overlay.handle(Input::DialFailed { target, failure: Failure::Remote, wrong, error: "another".into() }, due);
    assert!(overlay.book().entry(&peer(1)).unwrap().addresses().next().is_none());
    let Input::Found { teller, .. } = heard(1, true) else { unreachable!("it is") };
    let found = Input::Found { peer: peer(2), address: Some(address(1)), source: Source::Mdns, teller, on_link: true };
    overlay.handle(found, due);
    assert_eq!(dials(&turn(&mut overlay, after(due, 1_000))), [Target::Peer(peer(2))], "who is really there");
}

#[test]
fn a_silent_or_suspect_peer_is_dialled_where_it_is_not_on_loopback() {
    let (mut overlay, start) = overlay(&[], 1);
    comes(&mut overlay, 1, start);
    let listen = vec!["/ip4/127.0.0.1/tcp/4470".parse().unwrap(), address(1)];
    overlay.handle(Input::Identified { peer: peer(1), listen, recommends: false, is_speaker: true }, start);
    turn(&mut overlay, start);
    let now = after(start, 5_000);
    assert_eq!(turn(&mut overlay, now), [Output::Listen(peer(1))]);
    overlay.handle(Input::Voice(peer(1), Voice::None), now);
    let dial =
        Output::Dial { target: Target::Peer(peer(1)), peer: Some(peer(1)), addresses: vec![address(1)], is_anew: true };
    assert_eq!(turn(&mut overlay, now), [dial]);
}
