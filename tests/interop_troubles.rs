//! Programs of others that do half of what a protocol asks for, as real processes: js without its ping service, and go's
//! DHT that knows one peer of ours alone.
//!
//!     cargo test --test interop_troubles -- --nocapture
//!
//! needs root, and the strangers that tests/interop/build makes. `STONECHAT_TEST_INTEROP=must` makes a failure of what
//! would be skipped.

#[allow(dead_code)]
mod world;

use serde_json::json;
use std::time::{Duration, Instant};
use world::foreign::are_built;
use world::peer::{PORT, directory};
use world::{Foreign, GENEROUS, Host, Peer, World, until};

/// Three of the pings that js-libp2p's connection monitor sends. When one is not answered, it closes the connection.
const MONITORED: Duration = Duration::from_secs(35);

#[test]
fn js_without_its_ping_service_stays_connected() {
    if !are_built(&["js"]) {
        return;
    }
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let (here, there) = (world.host("us", &lan), world.host("them", &lan));
    let dir = directory();
    let us = Peer::run(&here, "us", dir.path(), &["--no-mdns", "--room", "text:applesauce"]);
    let them = Foreign::run(&there, "js", json!({"ping": false}));
    them.subscribe("applesauce");
    let address = format!("/ip4/{}/tcp/{PORT}/p2p/{}", here.address(), us.id);
    them.insist("dial", json!({ "address": address }));
    until("it sees us in the room", GENEROUS, || them.sees_in("applesauce", &us.id).then_some(()));
    let start = Instant::now();
    for number in 0.. {
        let text = format!("line {number}");
        us.send(&text);
        them.wait_message("applesauce", format!("{text}\n").as_bytes(), GENEROUS);
        if start.elapsed() > MONITORED {
            break;
        }
        let lost = them.find_event(Duration::from_millis(500), |event| event["event"] == "disconnected");
        assert_eq!(lost.map(|(at, _)| at - start), None, "it closed the connection");
    }
    let agent = us.peers().into_iter().find(|peer| peer.peer == them.id).expect("connected").rtt_us;
    assert_eq!(agent, None, "nothing is measured where nothing answers");
}

/// `start` of a DHT server in `host` that knows one peer of ours alone.
fn server(host: &Host, kind: &str, hub: &str) -> Foreign {
    let listen = format!("/ip4/{}/tcp/{}", host.address(), world::foreign::PORT);
    Foreign::run(host, kind, json!({"dht": "server", "listen": [listen], "bootstrap": [hub]}))
}

/// Two of a kind find each other by way of one peer of ours, and nobody else.
fn a_lone_bootstrap_node_serves(kind: &str) {
    if !are_built(&[kind]) {
        return;
    }
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = ["hub", "one", "two"].map(|name| world.host(name, &lan));
    let dir = directory();
    let hub = Peer::start(&hosts[0], "bootstrap", "hub", dir.path(), &["--no-mdns"]);
    let at = format!("/ip4/{}/tcp/{PORT}/p2p/{}", hosts[0].address(), hub.id);
    let one = server(&hosts[1], kind, &at);
    // While it is alone with the hub: the hub must do.
    until("one has somebody in its table", GENEROUS, || one.ask("provide", json!({"namespace": "one's"})).ok());
    let two = server(&hosts[2], kind, &at);
    until("two finds what one provides", GENEROUS, || {
        let found = two.ask("find", json!({"namespace": "one's"})).ok()?;
        found["peers"].to_string().contains(&one.id).then_some(())
    });
    let address = format!("/ip4/{}/tcp/", hosts[1].address());
    until("two finds one by its id", GENEROUS, || {
        let found = two.ask("find_peer", json!({"peer": one.id})).ok()?;
        found["addresses"].to_string().contains(&address).then_some(())
    });
}

#[test]
fn a_lone_bootstrap_node_serves_gos_daemon() {
    a_lone_bootstrap_node_serves("go");
}

#[test]
fn a_lone_bootstrap_node_serves_the_dht_that_asks_for_the_servers_own_id() {
    a_lone_bootstrap_node_serves("go-dht");
}

#[test]
fn a_key_of_a_kind_that_is_not_known_is_named() {
    if !are_built(&["go"]) {
        return;
    }
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let (here, there) = (world.host("us", &lan), world.host("them", &lan));
    let dir = directory();
    let us = Peer::run(&here, "us", dir.path(), &[]);
    let them = Foreign::run(&there, "go", json!({"key": "secp256k1", "mdns": "_p2p._udp"}));
    let trouble = until("the trouble with its key", GENEROUS, || {
        us.status().troubles.into_iter().find(|it| it.code == "key_unsupported")
    });
    assert!(trouble.sentence.contains("a key of the kind secp256k1"), "{trouble:?}");
    assert!(trouble.sentence.contains(&there.address()) && !trouble.sentence.contains("feature"), "{trouble:?}");
    // By hand, too.
    let answer = us.ask(&json!({"command": "dial", "address": them.address(&there)}));
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("a key of the kind secp256k1")), "{answer}");
}
