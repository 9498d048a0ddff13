//! Strangers of a LAN that invent peers: what they have us dial is little and on the link, and two real peers find each
//! other beside them.

#[allow(dead_code)]
mod world;

use libp2p::PeerId;
use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};
use world::peer::directory;
use world::{GENEROUS, Host, Peer, World};

/// Hosts that the stranger speaks as.
const SENDERS: u8 = 64;
/// How long it goes on.
const FLOOD: Duration = Duration::from_secs(75);

/// An announcement of a peer that does not exist, in js-libp2p's form.
fn invented(addresses: &[String]) -> Vec<u8> {
    let peer = PeerId::random();
    let service = b"\x04_p2p\x04_udp\x05local\0";
    let label: String = (0..32).map(|_| fastrand::lowercase()).collect();
    let instance = [&[32], label.as_bytes(), service].concat();
    let texts = addresses.iter().flat_map(|address| {
        let text = format!("dnsaddr={address}/p2p/{peer}");
        [&[text.len() as u8], text.as_bytes()].concat()
    });
    let mut bytes = b"\0\0\x84\0\0\0\0\x02\0\0\0\0".to_vec();
    for (name, kind, data) in [(&service[..], 12, instance.clone()), (&instance[..], 16, texts.collect())] {
        let length = (data.len() as u16).to_be_bytes();
        bytes.extend([name, &[0, kind, 0, 1, 0, 0, 2, 88], &length, &data].concat());
    }
    bytes
}

/// From this host, with many addresses, peers are invented until it is over.
fn invent(host: &Host, over: &AtomicBool, sent: &AtomicU64) {
    let own: Ipv4Addr = host.address().parse().expect("an address");
    let [a, b, c, _] = own.octets();
    let senders: Vec<Ipv4Addr> = (0..SENDERS).map(|n| Ipv4Addr::new(a, b, c, 100 + n)).collect();
    senders.iter().for_each(|ip| drop(host.ip(&["addr", "add", &format!("{ip}/24"), "dev", "eth0"])));
    host.enter(|| {
        let sockets: Vec<(Ipv4Addr, UdpSocket)> = senders
            .iter()
            .map(|ip| (*ip, UdpSocket::bind(SocketAddr::from((*ip, 5353))).expect("a socket at its address")))
            .collect();
        while !over.load(Relaxed) {
            for (ip, socket) in &sockets {
                // Where nobody listens; beside the link; and a name.
                let addresses = [
                    format!("/ip4/{ip}/tcp/{}", fastrand::u16(1..)),
                    format!("/ip4/{a}.{b}.{c}.{}/tcp/{}", fastrand::u8(200..250), fastrand::u16(1..)),
                    format!("/ip4/10.78.{}.{}/tcp/22", fastrand::u8(..), fastrand::u8(1..)),
                    "/dns4/victim.example/tcp/80".to_owned(),
                ];
                sent.fetch_add(socket.send_to(&invented(&addresses), "224.0.0.251:5353").is_ok().into(), Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    });
}

/// Has the kernel count the connection attempts of a host: all, and those that leave the link.
fn count_attempts(host: &Host) {
    host.run("nft", &["add table inet dials"]);
    host.run("nft", &["add chain inet dials out { type filter hook output priority 0 ; }"]);
    let attempt = "tcp flags & (syn | ack) == syn";
    host.run(
        "nft",
        &[&format!(
            "add rule inet dials out ip daddr != 10.77.0.0/16 ip daddr != 127.0.0.0/8 {attempt} counter comment \"far\""
        )],
    );
    host.run("nft", &[&format!("add rule inet dials out {attempt} counter comment \"all\"")]);
}

fn attempts(host: &Host, which: &str) -> u64 {
    let output = host.run("nft", &["list table inet dials"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(&format!("comment \"{which}\""))).expect("the rule is there");
    let mut words = line.split_whitespace().skip_while(|word| *word != "packets");
    words.nth(1).and_then(|count| count.parse().ok()).expect("a count")
}

#[test]
fn peers_that_strangers_invent_are_seldom_dialled_and_keep_no_real_ones_apart() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let (home, away, pest) = (world.host("victim", &lan), world.host("friend", &lan), world.host("pest", &lan));
    let dirs = [directory(), directory()];
    [&home, &away].into_iter().for_each(count_attempts);
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| invent(&pest, &over, &sent));
        let start = Instant::now();
        let result = std::panic::catch_unwind(|| {
            let victim = Peer::run(&home, "victim", dirs[0].path(), &[]);
            while sent.load(Relaxed) < 700 {
                assert!(start.elapsed() < GENEROUS, "the stranger is too slow");
                std::thread::sleep(Duration::from_millis(10));
            }
            // The table is full of invented peers by now.
            let friend = Peer::run(&away, "friend", dirs[1].path(), &[]);
            let joined = Instant::now();
            victim.wait_joined(&[&friend], GENEROUS);
            println!("two real peers met after {:.1?}", joined.elapsed());
            let far = [&home, &away].map(|host| attempts(host, "far"));
            std::thread::sleep(FLOOD.saturating_sub(start.elapsed()));
            let all = [&home, &away].map(|host| attempts(host, "all"));
            let seconds = start.elapsed().as_secs();
            println!(
                "{} inventions in {seconds} s: {all:?} attempts to connect, {far:?} off the link",
                sent.load(Relaxed)
            );
            for counter in victim.status().counters.iter().filter(|counter| counter.count > 0) {
                println!("{}: {}", counter.name, counter.count);
            }
            assert_eq!(far, [0, 0], "what is off the link is nobody's business");
            // A burst of 32 addresses, one a second after that, the friend, and what the kernel sends again.
            assert!(all.iter().all(|count| *count <= 4 * (32 + seconds)), "{all:?} in {seconds} s");
        });
        over.store(true, Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}
