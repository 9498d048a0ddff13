//! Where the people of such rooms are met: under the mDNS names of their programs, and under their namespaces in the DHT.

use super::{line, plain, world};
use crate::world::peer::{PORT, directory};
use crate::world::{Foreign, GENEROUS, Host, Peer, World, until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use stonechat::node::command::as_message;

/// What a line is on the wire.
type Encode = fn(&str) -> Vec<u8>;

/// The DHT's walks and their retries take longer than a LAN's multicast.
const PATIENT: Duration = Duration::from_secs(90);

/// Lines go both ways between two that have just met. One said while both dialled each other may be lost with the connection
/// that gives way: then the next one is heard.
fn talk(us: &Peer, them: &Foreign, topic: &str, encode: Encode) {
    until("both are in the room", GENEROUS, || {
        let ours = us.peers().iter().any(|peer| peer.peer == them.id && !peer.rooms.is_empty());
        (ours && them.sees_in(topic, &us.id)).then_some(())
    });
    let (start, mut said) = (Instant::now(), 0);
    let heard = || {
        let theirs = us.events().iter().filter_map(as_message).any(|line| line.from == them.id);
        let ours = them.events().iter().any(|event| event["event"] == "message" && event["from"] == *us.id);
        theirs && ours
    };
    while !heard() {
        assert!(start.elapsed() < GENEROUS, "{said} lines each way, and not all is heard: {:#?}", us.events());
        said += 1;
        us.send(&format!("{said} from ours"));
        them.publish(topic, &encode(&format!("{said} from theirs")));
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(1) && !heard() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    println!("{topic} with {}: heard each other after {said} lines", them.kind);
}

fn go_chat(text: &str) -> Vec<u8> {
    format!(r#"{{"Message":"{text}","SenderID":"","SenderNick":"x"}}"#).into_bytes()
}

#[test]
fn under_the_mdns_name_of_their_program_whoever_starts_first() {
    let Some(world) = world(&["go", "js"]) else { return };
    let rooms: [(&str, &str, &str, &str, Encode); 3] = [
        ("go", "uc:", "universal-connectivity", "universal-connectivity", plain),
        ("js", "uc:", "universal-connectivity", "universal-connectivity", plain),
        ("go", "go-chat:awesome-chat-room", "chat-room:awesome-chat-room", "pubsub-chat-example", go_chat),
    ];
    // Their programs dial who they find; one that does not shows that we do.
    let ways = [(true, false), (false, false), (true, true), (false, true)];
    for (kind, room, topic, service, encode) in rooms {
        for (at, (we_start_first, they_dial)) in ways.into_iter().enumerate() {
            let lan = world.subnet();
            let host = |name: &str| world.host(&format!("{name}-{kind}-{service}-{at}"), &lan);
            let (host, theirs, dir) = (host("us"), host("them"), directory());
            let ours = || Peer::run(&host, "ann", dir.path(), &["--room", room]);
            let start = || {
                let them = Foreign::run(&theirs, kind, json!({"mdns": service, "dial_discovered": they_dial}));
                them.subscribe(topic);
                them
            };
            let (us, them) = if we_start_first {
                let us = ours();
                (us, start())
            } else {
                let them = start();
                (ours(), them)
            };
            them.wait_event("they find us", GENEROUS, |event| {
                event["event"] == "discovered" && event["peer"] == *us.id
            });
            talk(&us, &them, topic, encode);
        }
    }
}

/// Three subnets with a router that forwards no multicast: ours, theirs, and a DHT server between them, of rust: js's takes
/// no key that is not a hash, as universal-connectivity's rust peer has one.
struct Wide {
    hub: Foreign,
    hub_at: String,
    /// A client of js's DHT.
    seeker: Foreign,
    hosts: [Host; 2],
}

impl Wide {
    fn new(world: &World) -> Self {
        let subnets = [world.subnet(), world.subnet(), world.subnet()];
        let _router = world.router("router", &[&subnets[0], &subnets[1], &subnets[2]]);
        let centre = world.host("centre", &subnets[0]);
        let hosts = [world.host("us", &subnets[1]), world.host("them", &subnets[2])];
        let hub = Foreign::run(&centre, "rust", json!({"dht": "server"}));
        let hub_at = hub.address(&centre);
        let options = json!({"dht": "client", "bootstrap": [hub_at]});
        let seeker = Foreign::run(&world.host("seeker", &subnets[2]), "js", options);
        Self { hub, hub_at, seeker, hosts }
    }

    /// One of theirs, which is no server: only who asks for its namespace hears of it.
    fn stranger(&self, topic: &str) -> Foreign {
        let options: Value = json!({"dht": "client", "bootstrap": [self.hub_at]});
        let rust = Foreign::run(&self.hosts[1], "rust", options);
        rust.subscribe(topic);
        until("it is connected with the hub", GENEROUS, || (rust.connections_with(&self.hub.id) > 0).then_some(()));
        rust
    }
}

#[test]
fn under_their_namespaces_in_the_dht() {
    let Some(world) = world(&["js", "rust"]) else { return };
    let wide = Wide::new(&world);
    let rooms: [(&str, &str, &str, Encode); 5] = [
        ("uc:", "universal-connectivity", "universal-connectivity", plain),
        ("uc:", "universal-connectivity", "raw:universal-connectivity/0.1.0", plain),
        ("go-chat:den", "chat-room:den", "floodsub:chat-room:den", go_chat),
        ("text:applesauce", "applesauce", "applesauce", line),
        ("text:applesauce", "applesauce", "floodsub:applesauce", line),
    ];
    for (room, topic, namespace, encode) in rooms {
        // They are there first, and we find them.
        let them = wide.stranger(topic);
        until(&format!("{namespace} is provided"), GENEROUS, || {
            them.ask("provide", json!({"namespace": namespace})).ok()
        });
        let dir = directory();
        let args = ["--no-mdns", "--room", room, "--bootstrap", &wide.hub_at];
        let us = Peer::run(&wide.hosts[0], "ann", dir.path(), &args);
        us.wait_event(&format!("found under {namespace}"), PATIENT, |event| {
            let event = serde_json::to_value(event).expect("JSON");
            event["event"] == "joined" && event["peer"] == *them.id
        });
        talk(&us, &them, topic, encode);
        // And they find us under the same: rust's kad tells who, js's also where.
        let finds = |who: &Foreign| {
            until(&format!("{namespace}: {} finds us", who.kind), PATIENT, || {
                let found = who.ask("find", json!({"namespace": namespace})).ok()?;
                found["peers"].as_array()?.iter().find(|found| found["peer"] == *us.id).cloned()
            })
        };
        finds(&them);
        if !namespace.starts_with("raw:") {
            let (found, wanted) = (finds(&wide.seeker), format!("/ip4/{}/tcp/{PORT}", wide.hosts[0].address()));
            assert!(found["addresses"].to_string().contains(&wanted), "{namespace}: {found}");
        }
        drop((us, them));
    }
}
