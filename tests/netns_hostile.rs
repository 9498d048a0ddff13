//! Thirty-two attackers on four hosts, of which each does without end what a peer may do: a small board's peer stays
//! within the memory that its file states, and the conversation beside them goes on.

mod hostile;
#[allow(dead_code)]
mod world;

use hostile::{Campaign, nuisance, storm};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use stonechat::base::board;
use world::peer::directory;
use world::{GENEROUS, Peer, World, until};

const BOARD: &str = "raspberry-pi-zero-w";
/// How long they go on, and once more after a pause.
const STORMS: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(15)];
/// Time for connections to end and buffers to be let go.
const PAUSE: Duration = Duration::from_secs(5);
/// What a line may take while the processor is busy with strangers.
const PATIENT: Duration = Duration::from_secs(20);

/// A line of the kernel's about a process, in KiB.
fn kib(peer: &Peer, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", peer.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("the kernel tells");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Lines go to and fro beside a storm; how long each pair of them took, and how many peers there were.
fn talk_through(storm: Duration, victim: &Peer, friend: &Peer) -> Vec<(Duration, u32)> {
    let start = Instant::now();
    let mut lines = Vec::new();
    while start.elapsed() < storm {
        let asked = Instant::now();
        for (author, listener) in [(victim, friend), (friend, victim)] {
            let line = format!("line {} of {}", asked.duration_since(victim.started).as_millis(), author.name);
            author.send(&line);
            listener.wait_line(author, &line, PATIENT);
        }
        lines.push((asked.elapsed(), victim.status().peers));
        std::thread::sleep(Duration::from_millis(500));
    }
    lines
}

#[test]
fn thirty_two_hostile_peers_stay_below_the_boards_sum() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let (home, away) = (world.host("victim", &lan), world.host("friend", &lan));
    let attackers = ["a", "b", "c", "d"].map(|name| world.host(name, &lan));
    let pest = world.host("pest", &lan);
    let dirs = [directory(), directory()];
    let board = board::find(BOARD).expect("it has a file");
    let victim = Peer::run(&home, "victim", dirs[0].path(), &["--board", BOARD, "--room", "lobby", "--room", "uc:"]);
    let friend = Peer::run(&away, "friend", dirs[1].path(), &[]);
    victim.wait_joined(&[&friend], GENEROUS);
    let before = kib(&victim, "VmRSS");
    let (mut peaks, mut afterwards) = (Vec::new(), Vec::new());
    for storm_lasts in STORMS {
        let campaign = Campaign::default();
        let lines = std::thread::scope(|scope| {
            // However this ends, they must.
            let _over = Over(&campaign);
            for host in &attackers {
                scope.spawn(|| storm(host, &home.address(), &campaign));
            }
            scope.spawn(|| nuisance(&pest, &home.address(), &campaign));
            talk_through(storm_lasts, &victim, &friend)
        });
        peaks.push(kib(&victim, "VmHWM"));
        until("the attackers are gone", GENEROUS, || (victim.status().peers <= 1).then_some(()));
        std::thread::sleep(PAUSE);
        afterwards.push(kib(&victim, "VmRSS"));
        let (slowest, peers) = (lines.iter().map(|it| it.0).max(), lines.iter().map(|it| it.1).max());
        let (half_open, packets) = (campaign.half_open.load(Relaxed), campaign.packets.load(Relaxed));
        println!("{storm_lasts:?}: attacks begun {:?}, half open {half_open}, mDNS {packets}", campaign.begun());
        println!("{} lines both ways, the slowest in {slowest:.1?}; up to {peers:?} peers", lines.len());
        for attack in Campaign::attacks() {
            assert!(campaign.begun().get(&attack).is_some_and(|count| *count > 0), "{attack} never had a connection");
        }
        let most = u32::from(board.limits.connections_inbound_max);
        assert!(peers.is_some_and(|peers| peers >= most), "the house was never full: {peers:?} of {most}");
    }
    let line = "it is quiet again";
    victim.send(line);
    friend.wait_line(&victim, line, GENEROUS);
    for counter in victim.status().counters.iter().filter(|counter| counter.count > 0) {
        println!("{}: {}", counter.name, counter.count);
    }
    let sum = board.memory_bytes / 1024;
    let (peak, after) = (*peaks.last().expect("two"), *afterwards.last().expect("two"));
    println!("hostile: peak {:.1} MiB of {:.1}", mib(peak), mib(sum));
    println!("before {:.1} MiB, afterwards {:.1} MiB, peaks {peaks:?} KiB", mib(before), mib(after));
    assert!(peak <= sum, "{peak} KiB at most, {sum} KiB stated");
    // By chance, pages stay in use in parts: measured, the second takes 3 to 16 % more. If nothing were ever given back, it
    // would take a quarter more, for it lasts half as long as what took the first from half of its peak to the whole.
    assert!(peak <= peaks[0] + peaks[0] / 5, "a second storm took more than the first: {peaks:?} KiB");
}

/// Ends a campaign when it is dropped.
struct Over<'a>(&'a Campaign);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
