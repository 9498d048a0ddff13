//! Gossip cores that talk through a network, in virtual time and from a seed.
//!
//! Links have a latency and a bandwidth, TCP sends lost packets again, connections break and are replaced, nodes are
//! idle or flood. The checks: a line is delivered at most once and to everybody whom honest nodes reach, no container
//! is above its bound, and after a core was woken it does not want to be woken again at once.
//!
//! A failure names its seed: `STONECHAT_SEED=… cargo test --test gossip_sim` runs that one alone.

#[path = "gossip_sim/kinds.rs"]
mod kinds;
#[path = "gossip_sim/network.rs"]
mod network;
#[path = "gossip_sim/report.rs"]
mod report;

use kinds::{Capacity, FINE, FLOOD, Manner, Weather};
use network::{Network, ROOM};
use report::{Report, heading};
use stonechat::gossip::{Mesh, PeerIndex, Protocol};

/// Runs one simulation for each seed; a panic inside is told apart by its seed.
fn for_seeds(count: u64, run: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let only = std::env::var("STONECHAT_SEED").ok().map(|seed| seed.parse().expect("a number"));
    for seed in only.map_or(0..count, |seed| seed..seed + 1) {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("failed with STONECHAT_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// A hub and so many leaves that know only it.
fn star(seed: u64, leaves: usize, capacity: Capacity, weather: Weather) -> Network {
    let mut network = Network::new(seed, weather);
    let hub = network.add(capacity, Manner::Honest);
    for _ in 0..leaves {
        let leaf = network.add(capacity, Manner::Honest);
        network.connect(leaf, hub, capacity.queue_frames, Protocol::V12);
    }
    network.pass(3_000);
    network
}

/// So many lines, one each so often, of anybody honest; then time for the last one.
fn talk(network: &mut Network, lines: u64, every_ms: u64) {
    let honest: Vec<usize> =
        (0..network.nodes.len()).filter(|node| network.nodes[*node].manner == Manner::Honest).collect();
    for line in 0..lines {
        let author = honest[network.random.below(honest.len() as u64) as usize];
        network.say(author, line);
        network.pass(every_ms);
    }
    network.pass(20_000);
}

fn all_heard(network: &Network, name: &str) -> Report {
    let report = Report::of(network, Default::default());
    println!("{}\n{}", heading(), report.line(name));
    assert_eq!(report.heard, report.due, "{name}: {report:?}");
    (0..network.nodes.len()).for_each(|node| network.check_bounds(node));
    report
}

#[test]
fn every_leaf_of_a_star_hears_every_line() {
    for_seeds(3, |seed| {
        for (name, leaves, capacity) in
            [("star of 48, generic", 48, Capacity::board(64, 512)), ("star of 8, tiny", 8, Capacity::board(10, 128))]
        {
            for packets_lost in [0, 5] {
                let weather = Weather { packets_lost, ..FINE };
                let mut network = star(seed, leaves, capacity, weather);
                talk(&mut network, 200, 500);
                let report = all_heard(&network, &format!("{name}, {packets_lost} % of packets lost"));
                assert!(report.p99_ms <= 1_500);
            }
        }
    });
}

#[test]
fn what_found_no_place_in_a_queue_comes_later() {
    for_seeds(3, |seed| {
        let mut network = star(seed, 8, Capacity::board(10, 128), Weather { bandwidth: 20, ..FINE });
        for line in 0..150 {
            network.say_by_chance(line);
        }
        network.pass(60_000);
        assert!(network.traffic.dropped > 100, "{} dropped: the test shows nothing", network.traffic.dropped);
        all_heard(&network, "star of 8, tiny, 150 lines at once, 20 kB/s");
    });
}

#[test]
fn leaves_that_find_no_place_in_the_mesh_hear_every_line_too() {
    for_seeds(3, |seed| {
        let mut capacity = Capacity::board(64, 512);
        capacity.mesh.high = 12;
        let mut network = star(seed, 48, capacity, FINE);
        assert_eq!(network.nodes[0].core.mesh(ROOM).count(), 12);
        talk(&mut network, 200, 500);
        let report = all_heard(&network, "star of 48, 12 places in the mesh");
        assert!(report.p99_ms <= 1_500);
        capacity.mesh = Mesh::PUBLISHED;
        let mut network = star(seed, 48, capacity, FINE);
        talk(&mut network, 200, 500);
        println!("{}", Report::of(&network, Default::default()).line("the same, published defaults"));
    });
}

#[test]
fn lines_travel_along_a_chain_and_around_a_ring() {
    for_seeds(5, |seed| {
        for (name, nodes, is_ring) in [("chain of 10", 10, false), ("ring of 20", 20, true)] {
            let (mut network, capacity) = (Network::new(seed, FINE), Capacity::board(10, 128));
            for _ in 0..nodes {
                network.add(capacity, Manner::Honest);
            }
            let protocols = [Protocol::V12, Protocol::V11, Protocol::V10, Protocol::Floodsub];
            for node in 0..nodes - usize::from(!is_ring) {
                let protocol = protocols[network.random.below(4) as usize];
                network.connect(node, (node + 1) % nodes, capacity.queue_frames, protocol);
            }
            network.pass(2_000);
            talk(&mut network, 100, 300);
            all_heard(&network, name);
        }
    });
}

#[test]
fn idle_identities_do_not_come_between_honest_peers() {
    for_seeds(3, |seed| {
        for (name, mesh, is_ours) in
            [("45 idle, ours", Mesh::of_board(64), true), ("45 idle, published defaults", Mesh::PUBLISHED, false)]
        {
            let capacity = Capacity { mesh, ..Capacity::board(64, 512) };
            let mut network = Network::new(seed, FINE);
            let [x, v, h] = [0; 3].map(|_| network.add(capacity, Manner::Honest));
            // They are there first.
            for _ in 0..45 {
                let idle = network.add(capacity, Manner::Idle);
                [x, v, h].into_iter().for_each(|honest| network.connect(idle, honest, 512, Protocol::V12));
            }
            network.pass(5_000);
            network.connect(v, x, 512, Protocol::V12);
            network.connect(h, v, 512, Protocol::V12);
            network.pass(2_000);
            for line in 0..20 {
                network.say(x, line);
                network.pass(1_000);
            }
            network.pass(20_000);
            let report = Report::of(&network, Default::default());
            println!("{}\n{}", heading(), report.line(name));
            if is_ours {
                assert_eq!(report.heard, report.due);
                let is_honest = |peer: &PeerIndex| network.neighbour(v, usize::from(peer.0)) <= h;
                let places: Vec<PeerIndex> = network.nodes[v].core.mesh(ROOM).collect();
                assert!(places.iter().all(is_honest) && places.len() == 2, "{places:?}");
            }
        }
    });
}

#[test]
fn a_flood_drives_out_no_line() {
    for_seeds(2, |seed| {
        let capacity = Capacity { seen: 65_536, ..Capacity::board(64, 512) };
        let mut network = Network::new(seed, Weather { bandwidth: 1_000, ..FINE });
        let honest: Vec<usize> = (0..6).map(|_| network.add(capacity, Manner::Honest)).collect();
        for pair in honest.windows(2) {
            network.connect(pair[0], pair[1], capacity.queue_frames, Protocol::V12);
        }
        let flooders: Vec<usize> = (0..4).map(|_| network.add(capacity, Manner::Honest)).collect();
        for (flooder, victim) in flooders.iter().zip(&honest) {
            network.connect(*flooder, *victim, 4_096, Protocol::V12);
        }
        network.pass(3_000);
        let (mut flood, mut line) = (FLOOD, 0);
        for ms in 0..3_000 {
            // 1,500 a second each.
            for flooder in &flooders {
                for _ in 0..1 + ms % 2 {
                    network.say(*flooder, flood);
                    flood += 1;
                }
            }
            if ms % 100 == 0 {
                network.say(honest[line as usize % honest.len()], line);
                line += 1;
            }
            network.pass(1);
        }
        network.pass(20_000);
        flooders.iter().for_each(|flooder| network.nodes[*flooder].manner = Manner::Idle);
        println!("{} frames had no place in a queue", network.traffic.dropped);
        assert!(network.traffic.dropped > 1_000, "the flood fills no queue: the test shows nothing");
        all_heard(&network, "4 flooders at 1,500 lines a second");
    });
}

#[test]
fn what_connections_lose_that_break_and_are_replaced_is_made_up_for() {
    for_seeds(12, |seed| {
        let weather = Weather { latency_ms: (5, 60), bandwidth: 200, packets_lost: 10, frames_lost: 0 };
        let (mut network, capacity) = (Network::new(seed, weather), Capacity::board(10, 128));
        let nodes = 16;
        for _ in 0..nodes {
            network.add(capacity, Manner::Honest);
        }
        for node in 1..nodes {
            for _ in 0..2 {
                let other = network.random.below(node as u64) as usize;
                let is_new = (0..network.links(node)).all(|link| network.neighbour(node, link) != other);
                if is_new {
                    network.connect(node, other, capacity.queue_frames, Protocol::V12);
                }
            }
        }
        network.pass(3_000);
        for line in 0..120 {
            let author = network.random.below(nodes as u64) as usize;
            network.say(author, line);
            let (node, pause) = (network.random.below(nodes as u64) as usize, network.random.below(8_000));
            let link = network.random.below(network.links(node) as u64) as usize;
            match network.random.below(3) {
                0 => network.cut(node, link, pause),
                1 => network.replace(node, link),
                _ => {}
            }
            network.pass(pause / 20);
        }
        network.pass(60_000);
        all_heard(&network, "16 nodes, connections break");
        // The longest back-off ends.
        network.pass(200_000);
        let quiet = network.beats();
        network.pass(600_000);
        assert_eq!(network.beats(), quiet, "in a quiet room nobody wakes up");
    });
}

/// Random links, six for each node on average.
fn random_graph(seed: u64, nodes: usize, mesh: Mesh, weather: Weather, silent: u64) -> Network {
    let (mut network, capacity) = (Network::new(seed, weather), Capacity { mesh, ..Capacity::board(10, 128) });
    for _ in 0..nodes {
        let manner = if network.random.below(100) < silent { Manner::Idle } else { Manner::Honest };
        network.add(capacity, manner);
    }
    for node in 0..nodes {
        for _ in 0..3 {
            let other = network.random.below(nodes as u64) as usize;
            let is_new = (0..network.links(node)).all(|link| network.neighbour(node, link) != other);
            if other != node && is_new {
                network.connect(node, other, capacity.queue_frames, Protocol::V12);
            }
        }
    }
    network.pass(5_000);
    network
}

#[test]
fn a_hundred_small_boards_hear_every_line() {
    for_seeds(2, |seed| {
        let mut network = random_graph(seed, 100, Mesh::of_board(10), FINE, 0);
        talk(&mut network, 100, 100);
        all_heard(&network, "100 of tiny, degree 6");
    });
}

#[test]
fn what_is_said_in_two_halves_of_a_room_is_heard_in_both_when_they_meet() {
    for_seeds(6, |seed| {
        let mut network = random_graph(seed, 40, Mesh::of_board(10), FINE, 0);
        network.cut_between(20, 20_000);
        for line in 0..40 {
            network.say_by_chance(line);
            network.pass(400);
        }
        let apart = Report::of(&network, Default::default());
        assert!(apart.heard < apart.due, "they were together all the time");
        network.pass(30_000);
        all_heard(&network, "2 x 20, apart for 20 s");
    });
}

/// What happens to the links of the thousand.
#[derive(Clone, Copy)]
enum Loss {
    /// So many packets of a hundred are sent again by TCP, and so many links of a hundred break each second, with all that
    /// was under way on them; half of them are replaced at once, the others come back within two seconds.
    Links(u64),
    /// So many frames of a hundred with messages, offers and requests vanish, which nobody notices.
    Frames(u64),
}

#[test]
fn a_thousand_hear_every_line_whatever_is_lost() {
    let mut table = vec![heading()];
    for loss in [Loss::Links(0), Loss::Links(5), Loss::Links(20), Loss::Frames(5), Loss::Frames(20)] {
        for (name, mesh, is_ours) in [("ours", Mesh::of_board(10), true), ("published", Mesh::PUBLISHED, false)] {
            let (links_lost, frames_lost) = match loss {
                Loss::Links(share) => (share, 0),
                Loss::Frames(share) => (0, share),
            };
            let weather = Weather { latency_ms: (10, 40), frames_lost, ..FINE };
            let mut network = random_graph(7, 1_000, mesh, weather, 20);
            network.weather.packets_lost = links_lost;
            let before = network.traffic;
            for line in 0..20 {
                network.say_by_chance(line);
                for _ in 0..4 {
                    network.break_links(links_lost, 100);
                    network.pass(100);
                }
            }
            network.weather.packets_lost = 0;
            network.pass(20_000);
            let report = Report::of(&network, before);
            let what = match loss {
                Loss::Links(share) => format!("{share} % of packets, of links a second"),
                Loss::Frames(share) => format!("{share} % of frames, unnoticed"),
            };
            table.push(report.line(&format!("{what}, {name}")));
            if is_ours && matches!(loss, Loss::Links(_)) {
                assert_eq!(report.heard, report.due, "{}", table.join("\n"));
            }
        }
    }
    println!("1,000 nodes, degree 6, 20 % silent\n{}", table.join("\n"));
}
