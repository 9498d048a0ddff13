//! What may happen to a network: coming and going, cuts, homes behind routers, liars, idle crowds, many rooms.

use super::net::{Net, Setup, board, id_of};
use super::{MET_MS, all_met, bootstrap, one_component, seeds, spread, start_all, tiny};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use stonechat::node::peers::address::{Network, Scope, Topic};
use stonechat::node::peers::allowance::{ATTEMPT_MS, ATTEMPT_OF_ONE_MS, ATTEMPTS_MAX, ATTEMPTS_OF_ONE_MAX};
use stonechat::node::peers::seam::Input;
use stonechat::node::peers::source::{Announcer, Source, Teller};

fn on_lan(n: u32) -> Setup {
    Setup { lan: Some(0), ..tiny(n) }
}

#[test]
fn peers_that_come_and_go_always_get_in() {
    for seed in seeds(2) {
        let mut net = Net::new(seed);
        let hub = net.add(bootstrap());
        net.start(hub);
        start_all(&mut net, 60, 200, |_, n| Setup { seeds: vec![hub], ..tiny(n) });
        for _ in 0..300 {
            let at = net.now_ms + 500 + net.random.below(3_000);
            net.run(at);
            let node = 1 + net.random.below(60) as usize;
            match net.nodes[node].overlay.is_some() {
                true => {
                    let is_power_cut = net.random.below(2) == 0;
                    // Who leaves before it had time to meet anybody says nothing.
                    if net.now_ms - net.nodes[node].started_ms > MET_MS {
                        net.met_in_time(node);
                    }
                    net.stop(node, is_power_cut);
                }
                false => net.start(node),
            }
            if net.random.below(3) == 0 {
                let node = 1 + net.random.below(60) as usize;
                net.say(node);
            }
        }
        let end = net.now_ms + 60_000;
        net.run(end);
        all_met(&net);
        one_component(&net, "a minute after the last came or went");
        println!("seed {seed}: {}; {} let go", spread(&net), net.checks.dropped);
    }
}

#[test]
fn two_halves_of_a_lan_that_were_apart_become_one() {
    for seed in seeds(2) {
        let mut net = Net::new(seed);
        start_all(&mut net, 80, 50, |_, n| on_lan(n));
        net.run(60_000);
        net.part(|node| (node % 2) as u32);
        net.run(240_000);
        assert_eq!(net.components().len(), 2, "seed {seed}: each half is one");
        net.join_halves();
        net.run(360_000);
        one_component(&net, "two minutes later");
        net.run(3_600_000);
        one_component(&net, "an hour later");
        println!("seed {seed}: {}; {} let go in an hour", spread(&net), net.checks.dropped);
    }
}

/// Each half has what it wants, and mDNS says nothing new: only who looks beyond its neighbours finds the other half.
#[test]
fn two_islands_that_want_nothing_become_one_by_looking_beyond() {
    for seed in seeds(2) {
        let mut net = Net::new(seed);
        for n in 0..80 {
            net.add(on_lan(n));
        }
        net.part(|node| (node / 40) as u32);
        (0..80).for_each(|node| net.start(node));
        net.run(60_000);
        assert_eq!(net.components().len(), 2, "seed {seed}: each island is one");
        net.join_halves();
        net.run(200_000);
        one_component(&net, "two minutes later");
    }
}

#[test]
fn those_behind_routers_meet_through_those_who_are_not() {
    for seed in seeds(2) {
        let mut net = Net::new(seed);
        let hub = net.add(bootstrap());
        net.start(hub);
        start_all(&mut net, 80, 300, |_, n| {
            let router = (n % 2 == 0).then(|| Ipv4Addr::from(0x2d00_0001 + n));
            let ip = if n % 2 == 0 { Ipv4Addr::new(192, 168, 1, 2) } else { Ipv4Addr::from(0x2e00_0001 + n) };
            Setup { behind: router, ip, port: 4000 + n as u16, seeds: vec![hub], ..tiny(0) }
        });
        let end = net.now_ms + 60_000;
        net.run(end);
        all_met(&net);
        one_component(&net, "a minute later");
        println!("seed {seed}: {}; {} let go", spread(&net), net.checks.dropped);
    }
}

#[test]
fn liars_on_a_lan_cause_few_attempts_and_keep_nobody_apart() {
    for seed in seeds(2) {
        let mut net = Net::new(seed);
        start_all(&mut net, 2, 1, |_, n| on_lan(n));
        let liar = |ip: u32| Teller { announcer: Announcer::Host(Network::V4(ip)), scope: Scope::Site };
        // One host invents a peer every 20 ms for a minute, each at an address of the link where nobody is; another one
        // speaks for a new host of the link each time, and of addresses elsewhere.
        net.is_lan_talking = false;
        for n in 0..3_000_u32 {
            let at = net.now_ms + 20;
            net.run(at);
            let invented = |net: &mut Net, address: String, on_link, teller| {
                let peer = id_of(1_000_000 + net.random.below(1 << 30) as usize);
                let address = Some(address.parse().expect("a multiaddr"));
                net.send(0, 0, Input::Found { peer, address, source: Source::Mdns, teller, on_link });
            };
            invented(&mut net, format!("/ip4/10.0.7.{}/tcp/{}", n % 250, 1 + n), true, liar(1));
            invented(&mut net, format!("/ip4/10.0.{}.{}/tcp/4470", n >> 8 & 255, n & 255), true, liar(0x0a00_0000 + n));
            invented(&mut net, format!("/ip4/198.51.100.{}/tcp/80", n % 250), false, liar(2));
            invented(&mut net, "/dns4/x.example/tcp/80".into(), true, liar(2));
        }
        let most = ATTEMPTS_MAX as usize + (75_000 / ATTEMPT_MS) as usize;
        let made = net.checks.most_dead(0, 75_000);
        println!("seed {seed}: {made} attempts in 75 s");
        assert!(made <= most, "seed {seed}: {made} attempts in 75 s, at most {most}");
        let elsewhere =
            net.checks.dead.iter().filter(|(_, _, socket)| socket.is_some_and(|s| s.to_string().starts_with("198")));
        assert_eq!(elsewhere.count(), 0, "seed {seed}: nothing off the link is dialled");
        // Real ones come meanwhile, and are met.
        net.is_lan_talking = true;
        start_all(&mut net, 3, 1_000, |_, n| on_lan(100 + n));
        let end = net.now_ms + MET_MS;
        net.run(end);
        all_met(&net);
        one_component(&net, "with the liars");
    }
}

#[test]
fn one_liar_is_bounded_by_itself() {
    let mut net = Net::new(0);
    start_all(&mut net, 1, 1, |_, n| on_lan(n));
    for n in 0..700 {
        let at = net.now_ms + 100;
        net.run(at);
        let teller = Teller { announcer: Announcer::Host(Network::V4(1)), scope: Scope::Site };
        let address = Some(format!("/ip4/10.0.7.{}/tcp/4470", n % 250).parse().expect("a multiaddr"));
        let peer = id_of(1_000 + n);
        net.send(0, 0, Input::Found { peer, address, source: Source::Mdns, teller, on_link: true });
    }
    let most = ATTEMPTS_OF_ONE_MAX as usize + (75_000 / ATTEMPT_OF_ONE_MS) as usize;
    let made = net.checks.most_dead(0, 75_000);
    assert!((1..=most).contains(&made), "{made} attempts in 75 s, at most {most}");
}

/// They join the room and hand nothing on, and come again whatever happens.
#[test]
fn forty_five_idle_identities_of_one_address_keep_nobody_out() {
    for seed in seeds(2) {
        for ip in [Ipv4Addr::new(10, 9, 9, 9), Ipv4Addr::new(203, 0, 113, 9)] {
            let mut net = Net::new(seed);
            let rude: Vec<usize> = (0..45).map(|n| net.add(Setup { ip, port: 1_000 + n, ..tiny(0) })).collect();
            let honest: Vec<usize> = (0..12).map(|n| net.add(on_lan(n))).collect();
            for (at, node) in honest.iter().enumerate() {
                // The crowd is in every house before the next one comes.
                for _ in 0..10 {
                    let until = net.now_ms + 1_000;
                    net.run(until);
                    let target = honest[net.random.below(1 + at as u64) as usize];
                    rude.iter().for_each(|rude| net.intrude(*rude, target));
                    let speaker = honest[net.random.below(1 + at as u64) as usize];
                    net.say(speaker);
                }
                net.start(*node);
            }
            for _ in 0..120 {
                let until = net.now_ms + 1_000;
                net.run(until);
                for target in &honest {
                    rude.iter().for_each(|rude| net.intrude(*rude, *target));
                }
            }
            all_met(&net);
            one_component(&net, &format!("among {ip}"));
        }
    }
}

#[test]
fn on_a_lan_with_many_rooms_each_finds_its_own() {
    for seed in seeds(2) {
        let mut net = Net::new(seed);
        start_all(&mut net, 90, 50, |_, n| Setup { topics: vec![Topic(u64::from(n % 6))], ..on_lan(n) });
        let end = net.now_ms + 120_000;
        net.run(end);
        for room in 0..6 {
            let alone: BTreeSet<usize> = (0..90).filter(|n| n % 6 == room && net.nodes[*n].met_ms.is_none()).collect();
            assert!(alone.is_empty(), "seed {seed}: in room {room} alone: {alone:?}");
        }
        println!("seed {seed}: {}; {} let go", spread(&net), net.checks.dropped);
    }
}

/// As many leaves as the smallest board has places for inbound connections, that can dial nobody else.
#[test]
fn a_hub_keeps_all_leaves_it_has_places_for() {
    for name in ["tiny", "generic"] {
        let mut net = Net::new(1);
        let hub = net.add(Setup { board: board(name), ip: Ipv4Addr::new(45, 0, 0, 1), ..tiny(0) });
        net.start(hub);
        let leaves = u32::from(board(name).limits.connections_inbound_max);
        start_all(&mut net, leaves, 500, |_, n| {
            let behind = Some(Ipv4Addr::from(0x2d00_0001 + n));
            Setup { behind, ip: Ipv4Addr::new(192, 168, 1, 2), port: 4000 + n as u16, seeds: vec![hub], ..tiny(0) }
        });
        let end = net.now_ms + 600_000;
        net.run(end);
        assert_eq!(net.degree(hub), leaves as usize, "{name}");
        assert_eq!(net.checks.dropped, 0, "{name}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut net = Net::new(seed);
        start_all(&mut net, 30, 50, |_, n| on_lan(n));
        net.run(300_000);
        let links: Vec<(usize, usize)> = net.links.values().map(|link| (link.dialer, link.listener)).collect();
        (links, net.checks.dropped)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
