//! Many peers on one host, and a link that loses a third of its packets: every line arrives once.

#[allow(dead_code)]
mod world;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use world::peer::{become_one_room, directory};
use world::{GENEROUS, Peer, World};

/// What lost packets, or twenty processes on two cores, may cost.
const PATIENT: Duration = Duration::from_secs(120);

/// Each peer says `count` lines, in turn and with a pause after each round; all others hear each of them once.
fn all_hear_all_once(everyone: &[&Peer], what: &str, count: usize, pace: Duration) {
    become_one_room(everyone, PATIENT);
    let start = Instant::now();
    for n in 0..count {
        everyone.iter().for_each(|author| drop(author.send(&format!("{what} {n} of {}", author.name))));
        std::thread::sleep(pace);
    }
    let pairs = || everyone.iter().flat_map(|listener| everyone.iter().map(move |author| (listener, author)));
    for (listener, author) in pairs().filter(|(listener, author)| listener.id != author.id) {
        while listener.lines_like(author, what).len() < count {
            if start.elapsed() > PATIENT {
                let heard = listener.lines_like(author, what);
                for peer in everyone {
                    println!("{}: {:#?} {:#?}", peer.name, peer.peers(), peer.status());
                }
                panic!("{} heard only {} of {} lines of {}: {heard:?}", listener.name, heard.len(), count, author.name);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    println!("{} lines reached {} peers in {:.1?}", count * everyone.len(), everyone.len(), start.elapsed());
    // A second copy would have come on another way by the time of another line.
    become_one_room(everyone, PATIENT);
    for (listener, author) in pairs().filter(|(listener, author)| listener.id != author.id) {
        let heard = listener.lines_like(author, what);
        let wanted: BTreeSet<_> = (0..count).map(|n| format!("{what} {n} of {}", author.name)).collect();
        assert_eq!(heard.iter().cloned().collect::<BTreeSet<_>>(), wanted, "{} of {}", listener.name, author.name);
        assert_eq!(heard.len(), count, "{} heard a line of {} twice", listener.name, author.name);
    }
}

#[test]
fn twenty_peers_on_one_host_hear_every_line_once() {
    let Some(world) = World::new() else { return };
    let host = world.host("crowded", &world.subnet());
    let dirs: Vec<_> = (0..20).map(|_| directory()).collect();
    let start = |(n, dir): (usize, &tempfile::TempDir)| Peer::run(&host, &format!("p{n}"), dir.path(), &[]);
    let peers: Vec<_> = dirs.iter().enumerate().map(start).collect();
    all_hear_all_once(&peers.iter().collect::<Vec<_>>(), "counted", 5, Duration::ZERO);
}

#[test]
fn a_link_that_loses_thirty_percent_loses_no_line() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = ["a", "b", "c"].map(|name| world.host(name, &lan));
    let dirs = [directory(), directory(), directory()];
    hosts[2].lose(30);
    let peers: Vec<_> =
        hosts.iter().zip(&dirs).map(|(host, dir)| Peer::run(host, &host.name, dir.path(), &[])).collect();
    let everyone: Vec<_> = peers.iter().collect();
    // Many lines a packet, then one by one: a packet a line.
    all_hear_all_once(&everyone, "at once", 40, Duration::ZERO);
    all_hear_all_once(&everyone, "in turn", 40, Duration::from_millis(100));
    let lost = hosts[2].lost();
    println!("{lost} packets were lost on the way");
    assert!(lost > 50, "the link was to lose packets, and lost {lost}");
}

#[test]
fn a_link_of_64_kbit_carries_a_conversation() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = ["a", "b"].map(|name| world.host(name, &lan));
    let dirs = [directory(), directory()];
    hosts[1].slow("64kbit");
    let peers: Vec<_> =
        hosts.iter().zip(&dirs).map(|(host, dir)| Peer::run(host, &host.name, dir.path(), &[])).collect();
    peers[0].wait_joined(&[&peers[1]], GENEROUS);
    all_hear_all_once(&peers.iter().collect::<Vec<_>>(), "counted", 40, Duration::ZERO);
}
