//! Peers that find each other by real multicast, in network namespaces on a bridge.

#[path = "net_mdns/hardships.rs"]
mod hardships;
#[path = "net_mdns/lan.rs"]
mod lan;
#[path = "net_mdns/peer.rs"]
mod peer;
#[path = "net_mdns/swarm.rs"]
mod swarm;

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use lan::{Lan, lacks_root};
use libp2p::PeerId;

/// Not a test by itself: what the others run in their namespaces.
#[test]
fn a_peer_in_a_namespace() {
    if let Ok(arguments) = std::env::var("STONECHAT_TEST_MDNS") {
        peer::run(&arguments);
    }
}

#[test]
fn two_hosts_see_each_other_whoever_starts_first() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    for (first, second) in [(0, 1), (1, 0)] {
        for pause in [Duration::ZERO, Duration::from_millis(1_500)] {
            let a = lan.peer(first, 4001);
            sleep(pause);
            let b = lan.peer(second, 4002);
            let a_saw = a.wait_found(&b, &format!("10.9.0.{}", second + 1));
            let b_saw = b.wait_found(&a, &format!("10.9.0.{}", first + 1));
            println!("after {:?} and {:?}", a_saw - b.started, b_saw - b.started);
            assert!(a_saw.max(b_saw) - b.started < Duration::from_secs(2));
        }
    }
}

#[test]
fn over_ipv6_alone() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    for at in 0..2 {
        lan.host(at, "addr flush dev eth0 scope global");
        lan.host(at, &format!("addr add fd00:9::{}/64 dev eth0", at + 1));
    }
    let a = lan.peer(0, 4001);
    let b = lan.peer(1, 4002);
    a.wait_found(&b, "fd00:9::2");
    b.wait_found(&a, "fd00:9::1");
}

#[test]
fn link_local_addresses_carry_the_interface_they_were_heard_on() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    for at in 0..2 {
        lan.host(at, "addr flush dev eth0");
        lan.host(at, &format!("addr add fe80::{}/64 dev eth0 nodad", at + 1));
    }
    let a = lan.peer(0, 4001);
    let b = lan.peer(1, 4002);
    a.wait_for(&format!("found {} /ip6zone/eth0/ip6/fe80::2/tcp/4002", b.id));
    b.wait_for(&format!("found {} /ip6zone/eth0/ip6/fe80::1/tcp/4001", a.id));
}

#[test]
fn two_peers_on_one_host() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(1);
    {
        let a = lan.peer(0, 4001);
        let b = lan.peer(0, 4002);
        a.wait_found(&b, "10.9.0.1");
        b.wait_found(&a, "10.9.0.1");
    }
    // And where there is nothing but loopback.
    lan.unplug(0);
    let a = lan.peer(0, 4001);
    let b = lan.peer(0, 4002);
    a.wait_found(&b, "127.0.0.1");
    b.wait_found(&a, "127.0.0.1");
}

#[test]
fn leaving_is_heard_and_dying_is_not() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    let a = lan.peer(0, 4001);
    for how in ["leave", "drop", "kill"] {
        let mut b = lan.peer(1, 4002);
        a.wait_found(&b, "10.9.0.2");
        let before = Instant::now();
        match how {
            "leave" => {
                b.tell("leave");
                b.wait_for("left");
            }
            "drop" => b.hang_up(),
            _ => b.kill(),
        }
        let gone = format!("gone {}", b.id);
        match how {
            // A second after the goodbye.
            "leave" | "drop" => assert!(a.wait_for(&gone).0 - before >= Duration::from_millis(900)),
            _ => assert_eq!(a.wait_within(Duration::from_secs(3), &gone), None),
        }
    }
}

#[test]
fn a_changed_address_is_told() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    let a = lan.peer(0, 4001);
    let b = lan.peer(1, 4002);
    a.wait_found(&b, "10.9.0.2");
    lan.host(1, "addr del 10.9.0.2/24 dev eth0");
    lan.host(1, "addr add 10.9.0.77/24 dev eth0");
    let changed = Instant::now();
    let told = a.wait_found(&b, "10.9.0.77");
    println!("the new address is known after {:?}", told - changed);
    a.wait_gone(&b, "10.9.0.2");
    // One more, while the former stays.
    // Of that network both have an address, as on every link: what is off it is not believed.
    lan.host(0, "addr add fd00:9::1/64 dev eth0 nodad");
    lan.host(1, "addr add fd00:9::2/64 dev eth0 nodad");
    a.wait_found(&b, "fd00:9::2");
}

#[test]
fn a_peer_that_starts_afresh_elsewhere_is_told_at_once() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    let a = lan.peer(0, 4001);
    let id = PeerId::random();
    let mut b = lan.peer_with(1, 4002, id, "_p2p._udp");
    a.wait_found(&b, "10.9.0.2");
    b.kill();
    // At the same address too: its former connections are dead.
    let mut b = lan.peer_with(1, 4002, id, "_p2p._udp");
    a.wait_found(&b, "10.9.0.2");
    b.kill();
    lan.host(1, "addr del 10.9.0.2/24 dev eth0");
    lan.host(1, "addr add 10.9.0.77/24 dev eth0");
    let b = lan.peer_with(1, 4002, id, "_p2p._udp");
    let told = a.wait_found(&b, "10.9.0.77");
    println!("after {:?}", told.saturating_duration_since(b.started));
    a.wait_gone(&b, "10.9.0.2");
}

#[test]
fn only_that_networks_addresses_on_a_network() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(2);
    // Host 0 has a second network, on which nobody else is; it listens there too.
    lan.host(0, "link add eth1 type veth peer name eth2");
    for (name, ip) in [("eth1", "10.77.0.1"), ("eth2", "10.78.0.1")] {
        lan.host(0, &format!("addr add {ip}/24 dev {name}"));
        lan.host(0, &format!("link set {name} up"));
    }
    let mut a = lan.peer(0, 4001);
    let b = lan.peer(1, 4002);
    let (_, line) = b.wait_for(&format!("found {}", a.id));
    assert!(line.ends_with("/ip4/10.9.0.1/tcp/4001"), "{line}");
    assert_eq!(b.wait_within(Duration::from_secs(3), "found"), None);
    assert!(a.count("packets_sent") > 0);
}

#[test]
fn services_are_kept_apart() {
    if lacks_root() {
        return;
    }
    let lan = Lan::new(3);
    let a = lan.peer_with(0, 4001, PeerId::random(), "_p2p._udp,meetme");
    let b = lan.peer_with(1, 4002, PeerId::random(), "meetme,pubsub-chat-example");
    let c = lan.peer_with(2, 4003, PeerId::random(), "pubsub-chat-example");
    a.wait_found(&b, "10.9.0.2");
    b.wait_found(&a, "10.9.0.1");
    c.wait_found(&b, "10.9.0.2");
    assert_eq!(c.wait_within(Duration::from_secs(2), &format!("found {}", a.id)), None);
}
