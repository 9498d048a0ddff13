//! Hosts in three subnets without multicast between them, and one bootstrap node that goes and comes.

#[allow(dead_code)]
mod world;

use std::time::{Duration, Instant};
use stonechat::node::event::FoundBy;
use world::peer::{PORT, become_one_room, directory};
use world::{GENEROUS, Host, Peer, World};

/// The DHT's walks and its retries take longer than a LAN's multicast.
const PATIENT: Duration = Duration::from_secs(90);

struct Place {
    host: Host,
    dir: tempfile::TempDir,
}

impl Place {
    fn new(host: Host) -> Self {
        Self { host, dir: directory() }
    }

    fn join(&self, name: &str, bootstrap: &str) -> Peer {
        Peer::run(&self.host, name, self.dir.path(), &["--bootstrap", bootstrap])
    }
}

/// A line of `author` reaches everyone else, once.
fn reaches_all(author: &Peer, everyone: &[&Peer], text: &str) {
    author.send(text);
    for listener in everyone.iter().filter(|peer| peer.id != author.id) {
        listener.wait_line(author, text, PATIENT);
    }
}

/// Waits until a chain of connections joins them all without the help of anybody else.
fn hold_together(everyone: &[&Peer]) {
    let start = Instant::now();
    world::until("they are connected among themselves", PATIENT, || {
        let mut reached = vec![everyone[0]];
        for at in 0..everyone.len() {
            let peers = reached.get(at)?.peers();
            for peer in everyone.iter().filter(|peer| peers.iter().any(|other| other.peer == peer.id)) {
                if reached.iter().all(|known| known.id != peer.id) {
                    reached.push(peer);
                }
            }
        }
        Some(())
    });
    println!("connected among themselves after {:.1?}", start.elapsed());
}

fn once_each(everyone: &[&Peer]) {
    for listener in everyone {
        for author in everyone {
            let mut lines = listener.lines_of(author);
            let heard = lines.len();
            lines.sort();
            lines.dedup();
            assert_eq!(lines.len(), heard, "{} heard a line of {} twice", listener.name, author.name);
        }
    }
}

#[test]
fn five_hosts_in_three_subnets_meet_by_one_bootstrap_node_and_outlive_it() {
    let Some(world) = World::new() else { return };
    let subnets = [world.subnet(), world.subnet(), world.subnet()];
    let _router = world.router("router", &[&subnets[0], &subnets[1], &subnets[2]]);
    let centre = Place::new(world.host("centre", &subnets[0]));
    let places: Vec<_> = (0..5).map(|n| Place::new(world.host(&format!("h{n}"), &subnets[n % 3]))).collect();
    let late = Place::new(world.host("late", &subnets[2]));

    let bootstrap = Peer::start(&centre.host, "bootstrap", "centre", centre.dir.path(), &[]);
    assert_eq!(bootstrap.status().dht_mode, "server");
    let plain = format!("/ip4/{}/tcp/{PORT}", centre.host.address());
    let named = format!("{plain}/p2p/{}", bootstrap.id);
    // With the peer id and without it, in turn.
    let join = |n: usize| places[n].join(&format!("h{n}"), [&plain, &named][n % 2]);
    let early: Vec<_> = (0..4).map(join).collect();
    let last = join(4);
    let five: Vec<_> = early.iter().chain([&last]).collect();
    become_one_room(&five, PATIENT);
    reaches_all(&last, &five, "the last to join talks to all");
    for peer in &five {
        reaches_all(peer, &five, &format!("{} talks", peer.name));
    }

    hold_together(&five);
    let found: Vec<_> = five.iter().flat_map(|peer| peer.peers()).filter_map(|peer| peer.found).collect();
    for by in [FoundBy::Mdns, FoundBy::Dht, FoundBy::Bootstrap] {
        assert!(found.contains(&by), "{by:?} is not among {found:?}");
    }
    bootstrap.kill();
    for peer in &five {
        reaches_all(peer, &five, &format!("{} goes on", peer.name));
    }
    once_each(&five);

    // One that comes now finds nobody, and finds them when the bootstrap node is back.
    let newcomer = late.join("late", &named);
    let bootstrap = Peer::start(&centre.host, "bootstrap", "centre", centre.dir.path(), &[]);
    let all: Vec<_> = five.iter().copied().chain([&newcomer]).collect();
    become_one_room(&all, PATIENT);
    reaches_all(&newcomer, &all, "a newcomer talks");
    reaches_all(&last, &all, "to the newcomer too");
    once_each(&all);
    assert!(bootstrap.is_running());
}

#[test]
fn after_a_restart_the_remembered_peers_are_found_without_the_bootstrap_node() {
    let Some(world) = World::new() else { return };
    let subnets = [world.subnet(), world.subnet(), world.subnet()];
    let _router = world.router("router", &[&subnets[0], &subnets[1], &subnets[2]]);
    let centre = Place::new(world.host("centre", &subnets[0]));
    let places = [Place::new(world.host("a", &subnets[1])), Place::new(world.host("b", &subnets[2]))];
    let bootstrap = Peer::start(&centre.host, "bootstrap", "centre", centre.dir.path(), &[]);
    let named = format!("/ip4/{}/tcp/{PORT}/p2p/{}", centre.host.address(), bootstrap.id);
    let a = places[0].join("a", &named);
    let b = places[1].join("b", &named);
    b.wait_joined(&[&a], PATIENT);
    assert!(b.terminate().0.success());
    bootstrap.kill();
    let b = places[1].join("b", &named);
    b.wait_joined(&[&a], GENEROUS);
    a.wait_joined(&[&b], GENEROUS);
    reaches_all(&b, &[&a, &b], "remembered");
    reaches_all(&a, &[&a, &b], "remembered too");
}
