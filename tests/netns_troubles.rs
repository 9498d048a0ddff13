//! Troubles of a real network, told: a copied card, a port that somebody keeps, too many addresses, nobody there, and
//! programs that have nothing to do with ours.

#[allow(dead_code)]
mod world;

use futures::StreamExt;
use libp2p::swarm::{self, NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{identify, identity::Keypair};
use serde_json::json;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use stonechat::net::{self, executor::Executor, mdns, tcp, yamux};
use stonechat::node::event::{Event, FoundBy, TroubleState};
use world::peer::{PORT, copy_identity, directory};
use world::{GENEROUS, Host, Peer, World, until};

/// How long it may take that two are told from one that moves: they take turns each 20 s.
const SLOWLY: Duration = Duration::from_secs(180);

/// Waits until a peer's status has a trouble, or has it no more; its sentence.
fn wait_trouble(peer: &Peer, code: &str, state: TroubleState, limit: Duration) -> String {
    until(&format!("{code} has {state:?} at {}", peer.name), limit, || {
        let found = peer.status().troubles.into_iter().find(|it| it.code == code);
        (found.is_some() == (state == TroubleState::Began)).then(|| found.map_or_else(String::new, |it| it.sentence))
    })
}

/// The lines of its log with a text, as at the default level.
fn logged(dir: &Path, text: &str) -> usize {
    let log = std::fs::read_to_string(dir.join("log")).expect("a log");
    log.lines().filter(|line| line.starts_with("warn ") && line.contains(text)).count()
}

/// The events of a trouble that a peer told.
fn told(peer: &Peer, code: &str) -> Vec<TroubleState> {
    let all = peer.events();
    all.iter()
        .filter_map(|event| match event {
            Event::Trouble(it) if it.code == code => Some(it.state),
            _ => None,
        })
        .collect()
}

#[test]
fn an_identity_used_twice_is_told_by_both_and_by_who_meets_them() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = [world.host("a", &lan), world.host("copy", &lan), world.host("c", &lan)];
    let dirs = [directory(), directory(), directory()];
    let a = Peer::run(&hosts[0], "a", dirs[0].path(), &[]);
    let c = Peer::run(&hosts[2], "c", dirs[2].path(), &[]);
    a.wait_joined(&[&c], GENEROUS);
    assert!(a.status().troubles.is_empty() && c.status().troubles.is_empty());
    copy_identity(dirs[0].path(), dirs[1].path());
    let copy = Peer::run(&hosts[1], "copy", dirs[1].path(), &[]);
    assert_eq!(copy.id, a.id);
    for (twin, dir, other) in [(&a, &dirs[0], &hosts[1]), (&copy, &dirs[1], &hosts[0])] {
        let sentence = wait_trouble(twin, "identity_twice", TroubleState::Began, GENEROUS);
        assert!(sentence.contains(&format!("at /ip4/{}/tcp/{PORT}", other.address())), "{sentence}");
        assert!(sentence.contains("identity.key"), "{sentence}");
        assert_eq!(told(twin, "identity_twice"), [TroubleState::Began]);
        assert_eq!(logged(dir.path(), "another program runs under this peer's identity"), 1, "once");
    }
    // Both dial c again and again, which takes each for the other come back.
    let sentence = wait_trouble(&c, "peer_twice", TroubleState::Began, SLOWLY);
    assert!(sentence.contains(&hosts[0].address()) && sentence.contains(&hosts[1].address()), "{sentence}");
}

#[test]
fn a_dial_that_reaches_a_copy_is_told() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = [world.host("a", &lan), world.host("copy", &lan)];
    let dirs = [directory(), directory()];
    let a = Peer::run(&hosts[0], "a", dirs[0].path(), &["--no-mdns"]);
    copy_identity(dirs[0].path(), dirs[1].path());
    let copy = Peer::run(&hosts[1], "copy", dirs[1].path(), &["--no-mdns"]);
    let answer = a.ask(&json!({"command": "dial", "address": format!("/ip4/{}/tcp/{PORT}", hosts[1].address())}));
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("this peer itself")), "{answer}");
    for (twin, other) in [(&a, &hosts[1]), (&copy, &hosts[0])] {
        let sentence = wait_trouble(twin, "identity_twice", TroubleState::Began, GENEROUS);
        assert!(sentence.contains(&other.address()), "{sentence}");
    }
}

#[test]
fn a_restart_a_move_and_ourselves_by_another_way_are_no_copy() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = [world.host("a", &lan), world.host("b", &lan)];
    let dirs = [directory(), directory()];
    let b = Peer::run(&hosts[1], "b", dirs[1].path(), &[]);
    for round in 0..3 {
        let a = Peer::run(&hosts[0], "a", dirs[0].path(), &[]);
        a.wait_joined(&[&b], GENEROUS);
        a.send(&format!("round {round}"));
        b.wait_line(&a, &format!("round {round}"), GENEROUS);
        hosts[0].take_address(&lan);
        // What is said in the very moment may be lost.
        until("it is heard where it is now", GENEROUS, || {
            a.send(&format!("moved {round}"));
            std::thread::sleep(Duration::from_millis(100));
            (!b.lines_like(&a, &format!("moved {round}")).is_empty()).then_some(())
        });
        // A router that leads our own dial back to us: another address of this host, to which packets are turned.
        hosts[0].run("nft", &["add table ip back"]);
        hosts[0].run("nft", &["add chain ip back out { type nat hook output priority -100 ; }"]);
        let rule = format!("add rule ip back out ip daddr 203.0.113.7 dnat to {}", hosts[0].address());
        hosts[0].run("nft", &[&rule]);
        let answer = a.ask(&json!({"command": "dial", "address": format!("/ip4/203.0.113.7/tcp/{PORT}")}));
        assert!(answer["error"].as_str().is_some_and(|error| error.contains("this peer itself")), "{answer}");
        hosts[0].run("nft", &["delete table ip back"]);
        if round == 2 {
            // Longer than a dial is judged.
            std::thread::sleep(Duration::from_secs(6));
        }
        for peer in [&a, &b] {
            let codes: Vec<_> = peer.status().troubles.into_iter().map(|it| it.code).collect();
            assert_eq!(codes, Vec::<String>::new(), "{}, round {round}", peer.name);
        }
        match round {
            0 => drop(a.terminate()),
            _ => a.kill(),
        }
    }
}

#[test]
fn a_port_that_somebody_keeps_is_named_with_who_and_taken_when_it_is_free() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = [world.host("a", &lan), world.host("b", &lan)];
    let (dir_a, dir_b) = (directory(), directory());
    // A socket stays where it was made.
    let kept = hosts[0].enter(|| UdpSocket::bind("0.0.0.0:5353").expect("nobody has it yet"));
    let a = Peer::run(&hosts[0], "a", dir_a.path(), &[]);
    let sentence = wait_trouble(&a, "mdns_port_held", TroubleState::Began, GENEROUS);
    let ours = format!("(process {}) keeps UDP port 5353", std::process::id());
    assert!(sentence.contains(&ours), "{sentence}");
    let b = Peer::run(&hosts[1], "b", dir_b.path(), &[]);
    drop(kept);
    wait_trouble(&a, "mdns_port_held", TroubleState::Ended, GENEROUS);
    a.wait_joined(&[&b], GENEROUS);
    // Once at its beginning, before anyone could read events, and once at its end.
    assert_eq!(logged(dir_a.path(), "5353"), 2);
    let found = |by: &Peer, of: &Peer| by.peers().into_iter().find(|peer| peer.peer == of.id).expect("connected").found;
    // Who was dialled before it had heard of the other was found by nothing else.
    let found = [found(&a, &b), found(&b, &a)];
    assert!(found.contains(&Some(FoundBy::Mdns)), "{found:?}");
}

#[test]
fn of_too_many_addresses_the_one_that_leads_out_is_used_and_it_is_told() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = [world.host("a", &lan), world.host("b", &lan)];
    // The kernel lists them before those of eth0.
    for n in 0..200 {
        hosts[0].ip(&["addr", "add", &format!("10.200.0.{n}/32"), "dev", "lo"]);
    }
    let (dir_a, dir_b) = (directory(), directory());
    let a = Peer::run(&hosts[0], "a", dir_a.path(), &[]);
    let b = Peer::run(&hosts[1], "b", dir_b.path(), &[]);
    a.wait_joined(&[&b], GENEROUS);
    b.wait_joined(&[&a], GENEROUS);
    let sentence = wait_trouble(&a, "addresses_cut", TroubleState::Began, GENEROUS);
    assert!(sentence.contains("the 128 best"), "{sentence}");
    assert!(a.status().listening.iter().any(|it| it.contains(&hosts[0].address())));
    assert!(b.status().troubles.is_empty());
}

#[test]
fn that_nobody_is_there_is_told_with_what_was_looked_at_and_over_with_company() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = [world.host("a", &lan), world.host("b", &lan)];
    let (dir_a, dir_b) = (directory(), directory());
    let a = Peer::run(&hosts[0], "a", dir_a.path(), &[]);
    let sentence = wait_trouble(&a, "nobody_found", TroubleState::Began, 2 * GENEROUS);
    let after = a.started.elapsed();
    assert!(after >= Duration::from_secs(19), "told after {after:?}");
    assert!(
        sentence.contains("on eth0 and heard 0 of other hosts") && sentence.contains("no bootstrap node"),
        "{sentence}"
    );
    assert!(!sentence.contains("sent 0 packets"), "{sentence}");
    let b = Peer::run(&hosts[1], "b", dir_b.path(), &[]);
    wait_trouble(&a, "nobody_found", TroubleState::Ended, GENEROUS);
    a.wait_joined(&[&b], GENEROUS);
    assert_eq!(told(&a, "nobody_found"), [TroubleState::Began, TroubleState::Ended]);
}

/// A program of the libp2p family that finds peers as all do and speaks only a protocol of its own, such as the stream
/// chats of the examples. It drops connections that nobody uses.
#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
struct Unrelated {
    mdns: mdns::Behaviour,
    identify: identify::Behaviour,
}

/// Runs one in `host` until `over`; how often it was connected.
fn unrelated(host: &Host, key: &Keypair, over: &AtomicBool, connected: &AtomicU32) {
    host.enter(|| {
        let executor = Executor::new();
        let id = key.public().to_peer_id();
        let transport = net::transport(key, tcp::Config::default(), yamux::Config::default()).expect("Ed25519 signs");
        let behaviour = Unrelated {
            mdns: mdns::Behaviour::new(mdns::Config::default(), id).expect("a good name"),
            identify: identify::Behaviour::new(identify::Config::new("/unrelated/1.0.0".into(), key.public())),
        };
        let config =
            swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(Duration::from_secs(2));
        let mut swarm = Swarm::new(transport, behaviour, id, config);
        swarm.listen_on("/ip4/0.0.0.0/tcp/4001".parse().expect("a multiaddr")).expect("a free port");
        executor.block_on(async {
            while !over.load(Relaxed) {
                let tick = async {
                    smol::Timer::after(Duration::from_millis(50)).await;
                    None
                };
                let event = async { Some(swarm.select_next_some().await) };
                if let Some(SwarmEvent::ConnectionEstablished { .. }) = smol::future::or(event, tick).await {
                    connected.fetch_add(1, Relaxed);
                }
            }
        });
    });
}

#[test]
fn a_program_that_shares_nothing_is_looked_at_once_until_it_says_something_new() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = [world.host("a", &lan), world.host("unrelated", &lan)];
    let dir = directory();
    let a = Peer::run(&hosts[0], "a", dir.path(), &[]);
    let key = Keypair::generate_ed25519();
    let (connected, mut total) = (AtomicU32::new(0), 0);
    // It starts, and starts again at the same place: its announcement is another then.
    for round in 1..=2 {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| unrelated(&hosts[1], &key, &over, &connected));
            until("it is connected", GENEROUS, || (connected.load(Relaxed) > total).then_some(()));
            // Before, it was dialled again every fifteen seconds.
            std::thread::sleep(Duration::from_secs(20));
            total = connected.load(Relaxed);
            over.store(true, Relaxed);
        });
        // Both may have dialled in the same moment.
        assert!((round..=2 * round).contains(&total), "{total} connections in round {round}");
    }
    let id = key.public().to_peer_id().to_base58();
    let noise: Vec<_> = a.events().into_iter().filter(|event| matches!(event, Event::Stage { .. })).collect();
    assert!(noise.is_empty(), "{noise:?}");
    let met = a.events().iter().filter(|event| matches!(event, Event::Connected { peer, .. } if *peer == id)).count();
    assert_eq!(met, 2);
    // It is no company.
    assert!(a.status().troubles.iter().any(|it| it.code == "nobody_found"));
}
