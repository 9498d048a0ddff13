//! The DHT: joined by way of us and by way of them, peers found, rooms' namespaces provided and found both ways.

use super::meet::address_of;
use super::{Column, Found, Ours, Section, each, failed, seconds};
use crate::world::foreign::{PORT, Trouble};
use crate::world::{Foreign, Host};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use stonechat::node::event::Event;

const BY_THEM: &str = "DHT: we bootstrap from them, and two of ours meet by them; s";
const BY_US: &str = "DHT: two of them bootstrap from us, one provides and the other finds it; s";
const FIND_US: &str = "DHT: they find our addresses by our id (by way of another of ours)";
const WE_FIND: &str = "DHT: they provide a topic's namespace, we find and dial them; s";
const THEY_FIND: &str = "DHT: we provide our rooms' namespaces, they find us in all three";

pub const SECTION: Section = Section { name: "dht", rows: &[BY_THEM, BY_US, FIND_US, WE_FIND, THEY_FIND], check };

/// Walks, and retries of both sides.
const PATIENCE: Duration = Duration::from_secs(60);
const TOPIC: &str = "tables";
const ROOM: &str = "text:tables";

fn check(columns: &[Column<'_>]) -> String {
    each(columns, |column| {
        let lan = column.world.subnet();
        let names = ["hub", "theirs", "theirs2", "client", "a", "b", "c", "hub2"];
        let hosts = names.map(|name| column.host(name, &lan));
        let [hub_host, theirs_host, theirs2_host, client_host, a, b, c, hub2_host] = &hosts;
        column.row(BY_THEM, || by_them(column, theirs_host, [a, b]));
        let hub = Ours::start(hub_host, "bootstrap", &["--no-mdns", "--room", "elsewhere"]);
        let at = address_of(&hub, hub_host);
        let start = |host: &Host, mode: &str| {
            Foreign::start(host, column.kind, json!({"dht": mode, "bootstrap": [at], "listen": [listen(host)]}))
        };
        let [one, two] = [theirs_host, theirs2_host].map(|host| start(host, "server"));
        let (one, two) = match (one, two) {
            (Ok(one), Ok(two)) => (one, two),
            (Err(why), _) | (_, Err(why)) => {
                return [BY_US, FIND_US, WE_FIND, THEY_FIND]
                    .iter()
                    .for_each(|row| column.row(row, || Err(why.clone())));
            }
        };
        column.row(BY_US, || {
            let start = Instant::now();
            retry(|| one.ask("provide", json!({"namespace": "one provides"})))?;
            found(&two, "one provides", &one.id, theirs_host)?;
            retry(|| two.ask("provide", json!({"namespace": "two provides"})))?;
            found(&one, "two provides", &two.id, theirs2_host)?;
            Ok(seconds(start.elapsed()))
        });
        column.row(FIND_US, || {
            let us = Ours::start(hub2_host, "bootstrap", &["--no-mdns", "--room", "elsewhere", "--bootstrap", &at]);
            let wanted = format!("/ip4/{}/tcp/", hub2_host.address());
            retry(|| {
                let answer = two.ask("find_peer", json!({"peer": us.id}))?;
                match answer["addresses"].to_string().contains(&wanted) {
                    true => Ok(answer),
                    false => failed(format!("found at {}", answer["addresses"])),
                }
            })?;
            Ok(String::new())
        });
        let rooms = ["--no-mdns", "--room", ROOM, "--room", "lobby", "--bootstrap", &at];
        column.row(WE_FIND, || {
            // A client is in few tables, but a provider.
            let client = start(client_host, "client")?;
            retry(|| client.ask("provide", json!({"namespace": TOPIC})))?;
            let us = Ours::start(b, "run", &rooms);
            let connected = |event: &Event| matches!(event, Event::Connected { peer, .. } if *peer == client.id);
            let (at, _) = us.wait_event("they are connected", PATIENCE, connected);
            Ok(seconds(at - us.started))
        });
        column.row(THEY_FIND, || {
            let us = Ours::start(c, "run", &rooms);
            for namespace in [TOPIC, &format!("floodsub:{TOPIC}"), "stonechat/1/lobby"] {
                found(&two, namespace, &us.id, c)?;
            }
            Ok(String::new())
        });
    });
    String::new()
}

/// py announces what it listens on, also 0.0.0.0.
fn listen(host: &Host) -> String {
    format!("/ip4/{}/tcp/{PORT}", host.address())
}

fn by_them(column: &Column<'_>, host: &Host, ends: [&Host; 2]) -> Found {
    let hub = Foreign::start(host, column.kind, json!({"dht": "server", "listen": [listen(host)]}))?;
    let at = hub.address(host);
    let start = Instant::now();
    let [a, b] = ends.map(|end| Ours::start(end, "run", &["--no-mdns", "--bootstrap", &at]));
    a.wait_joined(&[&b], PATIENCE);
    b.wait_joined(&[&a], PATIENCE);
    let took = start.elapsed();
    // Nobody else could have told them of each other.
    Ok(seconds(took))
}

/// Asks again while it fails: tables fill in their own time.
fn retry(mut ask: impl FnMut() -> Result<Value, Trouble>) -> Result<Value, Trouble> {
    let start = Instant::now();
    loop {
        match ask() {
            Err(Trouble::Failed(_)) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(500)),
            other => return other,
        }
    }
}

/// Until `seeker` finds `provider` in a namespace, at its host.
fn found(seeker: &Foreign, namespace: &str, provider: &str, host: &Host) -> Result<Value, Trouble> {
    let at = format!("/ip4/{}/tcp/", host.address());
    retry(|| {
        let answer = seeker.ask("find", json!({ "namespace": namespace }))?;
        let there = |peer: &Value| peer["peer"] == provider && peer["addresses"].to_string().contains(&at);
        match answer["peers"].as_array().is_some_and(|peers| peers.iter().any(there)) {
            true => Ok(answer),
            false => failed(format!("{namespace}: found {} and not {provider} at {at}", answer["peers"])),
        }
    })
}
