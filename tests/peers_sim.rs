//! Many peers choose their neighbours, in virtual time: everybody gets in, nobody is hammered, islands become one.
//!
//! Only what decides is real; links, homes and hosts are simulated. The same seed gives the same run. Another number of
//! seeds: `STONECHAT_SIM_SEEDS=1000`.

#[path = "peers_sim/checks.rs"]
mod checks;
#[path = "peers_sim/net.rs"]
mod net;
#[path = "peers_sim/weather.rs"]
mod weather;

use net::{Net, Setup, board};
use std::net::Ipv4Addr;
use stonechat::node::peers::address::Topic;

const ROOM: Topic = Topic(7);
/// How soon a newcomer is to share a room with somebody.
const MET_MS: u64 = 30_000;

fn seeds(count: u64) -> std::ops::Range<u64> {
    let asked = std::env::var("STONECHAT_SIM_SEEDS").ok().and_then(|text| text.parse().ok());
    0..asked.unwrap_or(count)
}

fn tiny(n: u32) -> Setup {
    Setup {
        board: board("tiny"),
        is_bootstrap: false,
        topics: vec![ROOM],
        ip: Ipv4Addr::from(0x0a00_0001 + n),
        port: 4470,
        behind: None,
        lan: None,
        seeds: Vec::new(),
    }
}

fn all_met(net: &Net) {
    let is_peer = |node: &usize| net.nodes[*node].overlay.is_some() && !net.nodes[*node].setup.is_bootstrap;
    (0..net.nodes.len()).filter(is_peer).for_each(|node| net.met_in_time(node));
}

fn one_component(net: &Net, when: &str) {
    let components = net.components();
    let sizes: Vec<usize> = components.iter().map(|component| component.len()).collect();
    assert_eq!(sizes.len(), 1, "seed {}: {when}: components of {sizes:?}", net.seed);
}

/// How many connections they have, and how long the slowest newcomer was alone.
fn spread(net: &Net) -> String {
    let running = || (0..net.nodes.len()).filter(|node| net.nodes[*node].overlay.is_some());
    let mut degrees: Vec<usize> = running().map(|node| net.degree(node)).collect();
    degrees.sort_unstable();
    let alone = running().filter_map(|node| Some(net.nodes[node].met_ms? - net.nodes[node].started_ms));
    let (last, middle) = (degrees[degrees.len() - 1], degrees[degrees.len() / 2]);
    format!("degree {} to {last}, median {middle}; alone {} ms at most", degrees[0], alone.max().unwrap_or(0))
}

#[test]
fn a_hundred_of_the_smallest_on_one_lan_are_one_and_stay_so() {
    for seed in seeds(3) {
        let mut net = Net::new(seed);
        for n in 0..100 {
            let node = net.add(Setup { lan: Some(0), ..tiny(n) });
            let at = net.now_ms + net.random.below(100);
            net.run(at);
            net.start(node);
        }
        net.run(60_000);
        all_met(&net);
        for minute in 1..=30 {
            net.run(60_000 * minute);
            one_component(&net, &format!("minute {minute}"));
        }
        println!("seed {seed}: {}; {} let go in half an hour", spread(&net), net.checks.dropped);
    }
}

/// `count` of them start one after another, `every_ms` apart.
fn start_all(net: &mut Net, count: u32, every_ms: u64, mut setup: impl FnMut(&mut Net, u32) -> Setup) {
    for n in 0..count {
        let setup = setup(net, n);
        let node = net.add(setup);
        let at = net.now_ms + every_ms;
        net.run(at);
        net.start(node);
    }
}

fn bootstrap() -> Setup {
    Setup { is_bootstrap: true, topics: Vec::new(), ..tiny(0xff_0000) }
}

#[test]
fn a_thousand_told_of_one_bootstrap_node_with_ten_places_are_one() {
    for seed in seeds(1) {
        let mut net = Net::new(seed);
        let hub = net.add(bootstrap());
        net.start(hub);
        start_all(&mut net, 1_000, 100, |_, n| Setup { seeds: vec![hub], ..tiny(n) });
        let end = net.now_ms + 60_000;
        net.run(end);
        all_met(&net);
        println!("seed {seed}: {}; {} let go", spread(&net), net.checks.dropped);
        one_component(&net, "a minute later");
    }
}

#[test]
fn a_thousand_told_of_two_earlier_ones_are_one() {
    for seed in seeds(1) {
        let mut net = Net::new(seed);
        start_all(&mut net, 1_000, 30, |net, n| {
            let earlier = |net: &mut Net| net.random.below(n.into()) as usize;
            let seeds = if n == 0 { Vec::new() } else { vec![earlier(net), earlier(net)] };
            Setup { seeds, ..tiny(n) }
        });
        let end = net.now_ms + 60_000;
        net.run(end);
        all_met(&net);
        println!("seed {seed}: {}; {} let go", spread(&net), net.checks.dropped);
        one_component(&net, "a minute later");
    }
}
