//! Rooms of other programs across namespaces: met in the DHT, and found under the mDNS names of those programs.

#[allow(dead_code)]
mod world;

use futures::StreamExt;
use libp2p::{
    identity::Keypair,
    swarm::{self, Swarm, SwarmEvent},
};
use serde_json::json;
use smol::future::FutureExt;
use std::time::Duration;
use stonechat::net::{self, executor::Executor, mdns, tcp, yamux};
use world::peer::{PORT, directory};
use world::{GENEROUS, Host, Peer, World};

/// The DHT's walks and its retries take longer than a LAN's multicast.
const PATIENT: Duration = Duration::from_secs(90);

#[test]
fn who_is_in_a_room_of_others_is_found_in_the_dht() {
    let Some(world) = World::new() else { return };
    let subnets = [world.subnet(), world.subnet(), world.subnet()];
    let _router = world.router("router", &[&subnets[0], &subnets[1], &subnets[2]]);
    let centre = world.host("centre", &subnets[0]);
    let hosts = [world.host("a", &subnets[1]), world.host("b", &subnets[2])];
    let dirs = [directory(), directory(), directory()];
    let bootstrap = Peer::start(&centre, "bootstrap", "centre", dirs[2].path(), &["--room", "elsewhere"]);
    let named = format!("/ip4/{}/tcp/{PORT}/p2p/{}", centre.address(), bootstrap.id);
    for room in ["uc:", "go-chat:awesome-chat-room", "text:applesauce"] {
        let [a, b] = [0, 1]
            .map(|n| Peer::run(&hosts[n], ["a", "b"][n], dirs[n].path(), &["--bootstrap", &named, "--room", room]));
        a.wait_joined(&[&b], PATIENT);
        b.wait_joined(&[&a], PATIENT);
        a.send(room);
        let (_, line) = b.wait_line(&a, room, GENEROUS);
        assert_eq!(line.via.as_deref(), room.split(':').next());
        // The next two are strangers to each other again.
        for (peer, n) in [(a, 0), (b, 1)] {
            peer.terminate();
            std::fs::remove_file(dirs[n].path().join("peers")).expect("it remembered somebody");
        }
    }
}

/// Waits on `host`, under one service name alone, until `peer` is found there.
fn finds(host: &Host, service: &str, peer: &str) -> bool {
    host.enter(|| {
        let (executor, key) = (Executor::new(), Keypair::generate_ed25519());
        let local = key.public().to_peer_id();
        let config = mdns::Config { services: vec![service.into()], ..mdns::Config::default() };
        let behaviour = mdns::Behaviour::new(config, local).expect("a service name");
        let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default()).expect("Ed25519 signs");
        let mut swarm = Swarm::new(transport, behaviour, local, swarm::Config::with_executor(executor.clone()));
        swarm.listen_on("/ip4/0.0.0.0/tcp/0".parse().expect("a multiaddr")).expect("it listens");
        let found = async {
            loop {
                if let SwarmEvent::Behaviour(mdns::Event::Discovered(found)) = swarm.select_next_some().await
                    && found.iter().any(|(found, _)| found.to_base58() == peer)
                {
                    return true;
                }
            }
        };
        let late = async {
            smol::Timer::after(GENEROUS).await;
            false
        };
        executor.block_on(found.or(late))
    })
}

#[test]
fn each_room_is_announced_under_the_name_its_program_looks_for() {
    let Some(world) = World::new() else { return };
    let subnet = world.subnet();
    let hosts = [world.host("a", &subnet), world.host("b", &subnet)];
    let dir = directory();
    let a = Peer::run(&hosts[0], "a", dir.path(), &["--room", "go-chat:x"]);
    assert!(finds(&hosts[1], "pubsub-chat-example", &a.id), "given at the start");
    a.insist(&json!({"command": "join", "room": "uc:"}));
    assert!(finds(&hosts[1], "universal-connectivity", &a.id), "joined while it ran");
    assert!(finds(&hosts[1], "_p2p._udp", &a.id), "and under the common name all the time");
}
