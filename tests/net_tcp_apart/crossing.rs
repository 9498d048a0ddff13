//! Two peers whose dials cross: each from its listening port to the other's.
//!
//! TCP makes one connection of the two (RFC 9293 §3.5, "simultaneous connection synchronization"), of which both ends
//! are the dialer. It takes no coincidence: a first packet that was lost, or that waits for a host that is not back yet,
//! is enough.

use std::{
    env,
    io::{BufRead, BufReader},
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, identity, ping,
    swarm::{self, Swarm, SwarmEvent},
};
use stonechat::net::{self, executor::Executor, tcp, yamux};

use crate::{CHILD, TO, drive::LIMIT, netns::Namespace};

/// Which of the two keys the child has.
const SEED: &str = "STONECHAT_TEST_SEED";

fn key(seed: u8) -> identity::Keypair {
    identity::Keypair::ed25519_from_bytes([seed; 32]).unwrap()
}

#[test]
#[ignore = "run by the tests below in a namespace"]
fn child_listens_and_dials() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    let to: Multiaddr = env::var(TO).unwrap().parse().unwrap();
    let executor = Executor::new();
    executor.block_on(smol::future::or(
        async {
            let key = key(env::var(SEED).unwrap().parse().unwrap());
            let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default()).unwrap();
            let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(LIMIT);
            let mut peer = Swarm::new(transport, ping::Behaviour::default(), key.public().to_peer_id(), config);
            peer.listen_on("/ip4/0.0.0.0/tcp/4001".parse().unwrap()).unwrap();
            while !matches!(peer.select_next_some().await, SwarmEvent::NewListenAddr { .. }) {}
            peer.dial(to).unwrap();
            println!("dialing");
            loop {
                match peer.select_next_some().await {
                    SwarmEvent::Behaviour(ping::Event { result: Ok(_), .. }) => println!("answered"),
                    SwarmEvent::OutgoingConnectionError { error, .. } => println!("failed {error:?}"),
                    other => println!("{other:?}"),
                }
            }
        },
        async {
            smol::Timer::after(LIMIT).await;
        },
    ));
}

/// A first packet of a dial was lost on its way into this namespace.
fn wait_for_a_loss(namespace: &Namespace) {
    let start = Instant::now();
    while namespace.output("nft list table ip t").contains("packets 0 ") {
        assert!(start.elapsed() < LIMIT, "nobody dialed");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What the two children print up to the first answer.
fn cross(suffixes: [String; 2]) -> Option<[Vec<String>; 2]> {
    let (one, two) = (Namespace::create("one")?, Namespace::create("two")?);
    one.ip(&format!("link add one type veth peer name two netns {}", two.0));
    for (namespace, name, address) in [(&one, "one", "10.5.0.1/24"), (&two, "two", "10.5.0.2/24")] {
        namespace.ip("link set lo up");
        namespace.ip(&format!("addr add {address} dev {name}"));
        namespace.ip(&format!("link set {name} up"));
        // The first packet of each dial is lost on the way, so that both are waiting when the second comes.
        namespace.run("nft add table ip t");
        namespace.run("nft add chain ip t in { type filter hook input priority 0 ; }");
        namespace.run("nft add rule ip t in tcp flags & (syn|ack) == syn counter drop");
    }
    let start = |namespace: &Namespace, seed: &str, ip: &str, suffix: &str| {
        let mut child = namespace.child("crossing::child_listens_and_dials");
        child.env(SEED, seed).env(TO, format!("/ip4/{ip}/tcp/4001{suffix}")).spawn().unwrap()
    };
    let mut children = [start(&one, "1", "10.5.0.2", &suffixes[0]), start(&two, "2", "10.5.0.1", &suffixes[1])];
    wait_for_a_loss(&one);
    wait_for_a_loss(&two);
    one.run("nft flush table ip t");
    two.run("nft flush table ip t");
    let seen = children.each_mut().map(|child| {
        let mut seen = Vec::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            seen.push(line.unwrap());
            if seen.last().is_some_and(|it| it == "answered") {
                return seen;
            }
        }
        panic!("never connected: {seen:#?}");
    });
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    Some(seen)
}

#[test]
fn dials_that_cross_end_in_a_connection() {
    cross([String::new(), String::new()]);
}

#[test]
fn peers_that_know_each_other_get_one_connection() {
    let [one, two] = [1, 2].map(|seed| format!("/p2p/{}", key(seed).public().to_peer_id()));
    let Some(seen) = cross([two, one]) else { return };
    let count = |word: &str| seen.each_ref().map(|lines| lines.iter().filter(|it| it.starts_with(word)).count());
    assert_eq!(count("ConnectionEstablished"), [1, 1], "{seen:#?}");
    assert_eq!(count("failed").iter().sum::<usize>(), 1, "{seen:#?}");
}
