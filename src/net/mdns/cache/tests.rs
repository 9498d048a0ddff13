//! What is found, when it ends, and what is refused; in virtual time.

use super::super::{forms, message::decode};
use super::*;

const SERVICE: &str = "_p2p._udp.local";

struct Table {
    cache: Cache,
    own: Own,
    start: Instant,
    now: Instant,
}

impl Table {
    fn new(config: Config) -> Self {
        let start = Instant::now();
        let own = Own::new(&config, PeerId::random(), &mut fastrand::Rng::with_seed(1)).unwrap();
        Table { cache: Cache::new(&config, fastrand::Rng::with_seed(2)), own, start, now: start }
    }

    /// Hears a packet on an interface; what is told of it.
    fn hear_on(&mut self, link: u32, bytes: &[u8]) -> Vec<Event> {
        self.hear_from([10, 9, 0, 2].into(), false, link, bytes)
    }

    fn hear_from(&mut self, sender: std::net::IpAddr, is_own_host: bool, link: u32, bytes: &[u8]) -> Vec<Event> {
        let (listening, networks) = ([bare(1)], [([10, 9, 0, 1].into(), 16)]);
        let listener = Listener { zone: "eth0", is_own_host, sender, networks: &networks, listening: &listening };
        self.cache.handle_response(link, &listener, &decode(bytes).unwrap(), &self.own, self.now);
        self.told()
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.hear_on(1, bytes)
    }

    fn told(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.cache.poll_event()).collect()
    }

    /// Lets time pass; when (ms after the last call) it asked again, and what it told at the end.
    fn wait(&mut self, ms: u64) -> (Vec<u64>, Vec<Event>) {
        let from = self.now;
        let until = self.now + millis(ms);
        let mut asked = Vec::new();
        while let Some(at) = self.cache.next().filter(|at| *at <= until) {
            if !self.cache.handle_timeout(at).is_empty() {
                asked.push((at - from).as_millis() as u64);
            }
        }
        self.now = until;
        (asked, self.told())
    }
}

fn peer(seed: u8) -> PeerId {
    libp2p::identity::Keypair::ed25519_from_bytes([seed.max(1); 32]).unwrap().public().to_peer_id()
}

/// `/ip4/10.9.0.LAST/tcp/4001/p2p/PEER`.
fn full(last: u8, peer: PeerId) -> String {
    format!("/ip4/10.9.0.{last}/tcp/4001/p2p/{peer}")
}

fn bare(last: u8) -> Multiaddr {
    format!("/ip4/10.9.0.{last}/tcp/4001").parse().unwrap()
}

fn found(peer: PeerId, lasts: &[u8]) -> Event {
    Event::Discovered(lasts.iter().map(|last| (peer, bare(*last))).collect())
}

fn gone(peer: PeerId, lasts: &[u8]) -> Event {
    Event::Expired(lasts.iter().map(|last| (peer, bare(*last))).collect())
}

#[test]
fn every_form_is_read() {
    let (a, b) = (full(1, peer(1)), full(2, peer(1)));
    let all: [&str; 2] = [&a, &b];
    for (form, bytes) in [
        ("go", forms::go(SERVICE, "aaa", &all, 3200)),
        ("go's announcement", forms::go_announcement(SERVICE, "aaa", &all, 3200)),
        ("js", forms::js(SERVICE, "aaa", &all)),
        ("py", forms::py(SERVICE, "aaa", &all)),
        ("rust", forms::rust(SERVICE, "aaa", &all)),
        ("other case", forms::js("_P2P._UDP.LOCAL", "AAA", &all)),
    ] {
        let mut table = Table::new(Config::default());
        assert_eq!(table.hear(&bytes), [found(peer(1), &[1, 2])], "{form}");
        assert_eq!(table.hear(&bytes), [], "{form}: told once");
        assert_eq!(table.cache.addresses_of(&peer(1)), [bare(1), bare(2)]);
        assert_eq!(table.cache.peers(), [peer(1)]);
    }
}

#[test]
fn the_unusable_is_passed_over() {
    let mut table = Table::new(Config::default());
    let (other, mine) = (full(9, peer(2)), full(3, table.own.peer));
    let quic = format!("/ip4/10.9.0.1/udp/4001/quic-v1/p2p/{}", peer(1));
    let good = full(1, peer(1));
    let bytes = forms::go(SERVICE, "aaa", &["/ip4/127.0.0.1/tcp/1", &quic, &good, &other, "x"], 120);
    assert_eq!(table.hear(&bytes), [found(peer(1), &[1])], "an instance is one peer");
    assert_eq!(table.cache.counters.addresses_unusable, 4);
    assert_eq!(table.hear(&forms::go(SERVICE, "bbb", &[&mine], 120)), [], "ourselves");
    assert_eq!(table.hear(&forms::go("_ipp._tcp.local", "ccc", &[&good], 120)), [], "another service");
    assert_eq!(table.hear(&forms::go(SERVICE, "ddd", &[], 120)), [], "no address");
    assert_eq!(table.hear(&forms::go(SERVICE, "aaa", &[&other], 120)), [], "another peer takes the name");
    assert_eq!(table.cache.counters.names_refused, 1);
    assert_eq!(table.cache.peer_count(), 1);
}

#[test]
fn records_end_and_are_asked_for_before() {
    let mut table = Table::new(Config::default());
    let address = full(1, peer(1));
    table.hear(&forms::js(SERVICE, "aaa", &[&address]));
    let (asked, told) = table.wait(119_999);
    assert_eq!(asked.len(), 4, "{asked:?}");
    for (ms, percent) in asked.iter().zip([80, 85, 90, 95]) {
        assert!((percent * 1_200..=(percent + 2) * 1_200).contains(ms), "{asked:?}");
    }
    assert_eq!(told, []);
    assert_eq!(table.wait(1).1, [gone(peer(1), &[1])]);
    assert_eq!(table.cache.next(), None);
    assert_eq!(table.cache.bytes(), 0);
}

#[test]
fn an_answer_makes_it_last() {
    let mut table = Table::new(Config::default());
    let bytes = forms::js(SERVICE, "aaa", &[&full(1, peer(1))]);
    table.hear(&bytes);
    for _ in 0..50 {
        assert_eq!(table.wait(100_000).1, []);
        assert_eq!(table.hear(&bytes), []);
    }
    // A PTR alone keeps the name, not the addresses.
    assert_eq!(table.wait(120_000).1, [gone(peer(1), &[1])]);
}

#[test]
fn lifetimes_are_clamped() {
    let mut table = Table::new(Config::default());
    table.hear(&forms::go(SERVICE, "aaa", &[&full(1, peer(1))], u32::MAX));
    assert_eq!(table.wait(599_999).1, []);
    assert_eq!(table.wait(1).1, [gone(peer(1), &[1])]);
    // One of a second does not set the pace of our queries.
    table.hear(&forms::go(SERVICE, "aaa", &[&full(1, peer(1))], 1));
    assert_eq!(table.wait(1_000), (vec![], vec![gone(peer(1), &[1])]));
}

#[test]
fn a_goodbye_ends_it_after_a_second() {
    let address = full(1, peer(1));
    let bye = forms::go_announcement(SERVICE, "aaa", &[&address], 0);
    let mut table = Table::new(Config::default());
    assert_eq!(table.hear(&bye), [], "of nobody");
    table.hear(&forms::go(SERVICE, "aaa", &[&address], 3200));
    assert_eq!(table.hear(&bye), []);
    assert_eq!(table.wait(999).1, []);
    assert_eq!(table.wait(1).1, [gone(peer(1), &[1])]);
    // Announced again within that second: it stays.
    table.hear(&forms::go(SERVICE, "aaa", &[&address], 3200));
    table.hear(&bye);
    table.wait(500);
    assert_eq!(table.hear(&forms::go(SERVICE, "aaa", &[&address], 3200)), []);
    assert_eq!(table.wait(10_000).1, []);
}

#[test]
fn a_changed_record_replaces_the_former_if_it_flushes() {
    let (a, b) = (full(1, peer(1)), full(2, peer(1)));
    let mut table = Table::new(Config::default());
    table.hear(&forms::go_announcement(SERVICE, "aaa", &[&a], 3200));
    table.wait(5_000);
    assert_eq!(table.hear(&forms::go_announcement(SERVICE, "aaa", &[&b], 3200)), [found(peer(1), &[2])], "at once");
    assert_eq!(table.wait(1_000).1, [gone(peer(1), &[1])]);
    // Two packets of the same moment complete each other.
    table.hear(&forms::go_announcement(SERVICE, "aaa", &[&a], 3200));
    assert_eq!(table.hear(&forms::go_announcement(SERVICE, "aaa", &[&b], 3200)), []);
    assert_eq!(table.wait(60_000).1, []);
}

#[test]
fn a_peer_that_started_afresh_is_told_again() {
    let (a, b) = (full(1, peer(1)), full(2, peer(1)));
    let mut table = Table::new(Config::default());
    table.hear(&forms::js(SERVICE, "aaa", &[&a]));
    table.wait(20_000);
    assert_eq!(table.hear(&forms::js(SERVICE, "bbb", &[&a, &b])), [found(peer(1), &[1, 2])], "the known one too");
    assert_eq!(table.wait(60_000).1, []);
    table.hear(&forms::js(SERVICE, "ccc", &[&b]));
    assert_eq!(table.wait(9_999).1, []);
    assert_eq!(table.wait(1).1, [gone(peer(1), &[1])], "the former name was not heard again");
    assert_eq!(table.cache.addresses_of(&peer(1)), [bare(2)]);
}

#[test]
fn rusts_names_that_change_with_every_answer_are_no_new_starts() {
    let (a, b) = (full(1, peer(1)), full(2, peer(1)));
    let mut table = Table::new(Config::default());
    assert_eq!(table.hear(&forms::rust(SERVICE, "aaa", &[&a])), [found(peer(1), &[1])]);
    for name in 0..100 {
        assert_eq!(table.hear(&forms::rust(SERVICE, &format!("bbb{name}"), &[&a])), []);
        assert_eq!(table.wait(20_000).1, []);
    }
    assert_eq!(table.cache.instances.len(), 1);
    assert_eq!(table.hear(&forms::rust(SERVICE, "ccc", &[&b])), [found(peer(1), &[2])]);
    assert_eq!(table.wait(1_000).1, [gone(peer(1), &[1])]);
}

#[test]
fn an_address_heard_twice_is_told_once() {
    let config = Config { services: vec!["_p2p._udp".into(), "meetme".into()], ..Config::default() };
    let mut table = Table::new(config);
    let address = full(1, peer(1));
    assert_eq!(table.hear_on(1, &forms::js(SERVICE, "aaa", &[&address])), [found(peer(1), &[1])]);
    assert_eq!(table.hear_on(2, &forms::js(SERVICE, "aaa", &[&address])), [], "on another interface");
    assert_eq!(table.hear_on(1, &forms::js("meetme.local", "aaa", &[&address])), [], "by another service");
    table.cache.forget_link(1);
    assert_eq!(table.told(), []);
    table.cache.forget_link(2);
    assert_eq!(table.told(), [gone(peer(1), &[1])]);
}

fn announced(at: u8, host: u8) -> Vec<u8> {
    let address = format!("/ip4/10.9.0.{host}/tcp/{}/p2p/{}", 4_000 + u16::from(at), peer(at));
    forms::js(SERVICE, &format!("aaa{at}"), &[&address])
}

fn is_discovered(events: &[Event], peer: PeerId) -> bool {
    events.iter().any(|event| matches!(event, Event::Discovered(found) if found.iter().any(|(it, _)| *it == peer)))
}

#[test]
fn who_invents_peers_crowds_out_none_but_its_own() {
    let mut table = Table::new(Config { peers_max: 8, ..Config::default() });
    let real = [(1, 21), (2, 22)];
    for (at, host) in real {
        table.hear_from([10, 9, 0, host].into(), false, 1, &announced(at, host));
    }
    for at in 3..=250 {
        table.hear_from([10, 9, 0, 66].into(), false, 1, &announced(at, 66));
        assert!(table.cache.peer_count() <= 8);
    }
    assert!(real.iter().all(|(at, _)| table.cache.addresses_of(&peer(*at)).len() == 1), "those who were there stay");
    let late = table.hear_from([10, 9, 0, 23].into(), false, 1, &announced(251, 23));
    assert!(is_discovered(&late, peer(251)), "who comes later is found, too");
    for at in 3..=250 {
        table.hear_from([10, 9, 0, 66].into(), false, 1, &announced(at, 66));
    }
    assert!(!table.cache.addresses_of(&peer(251)).is_empty());
    assert_eq!(table.cache.sender_of(&peer(251)), Some([10, 9, 0, 23].into()));
    assert!(table.cache.counters.peers_refused > 400);
}

#[test]
fn however_many_hosts_invent_peers_a_real_one_is_told_of_and_stays_once_connected() {
    let mut table = Table::new(Config { peers_max: 8, ..Config::default() });
    for at in 3..=250 {
        table.hear_from([10, 9, 1, at].into(), false, 1, &announced(at, at));
    }
    let real = table.hear_from([10, 9, 0, 23].into(), false, 1, &announced(1, 23));
    assert!(is_discovered(&real, peer(1)));
    table.cache.note_met(peer(1), true);
    for at in 3..=250 {
        table.hear_from([10, 9, 2, at].into(), false, 1, &announced(at, at));
    }
    assert!(!table.cache.addresses_of(&peer(1)).is_empty());
}

#[test]
fn a_peers_addresses_are_bounded_yet_it_may_move() {
    let mut table = Table::new(Config { addresses_per_peer_max: 4, ..Config::default() });
    let many: Vec<String> = (1..=9).map(|last| full(last, peer(1))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(table.hear(&forms::js(SERVICE, "aaa", &many)), [found(peer(1), &[1, 2, 3, 4])]);
    assert_eq!(table.cache.counters.addresses_refused, 5);
    // Other names of the same peer at the same time find no room …
    assert_eq!(table.hear(&forms::js(SERVICE, "bbb", &many[4..5])), []);
    // … but once the first was silent for a while, the peer has moved.
    table.wait(10_000);
    assert_eq!(table.hear(&forms::js(SERVICE, "ccc", &many[4..5])).last(), Some(&found(peer(1), &[5])));
    for name in 0..1_000 {
        table.hear(&forms::js(SERVICE, &format!("ddd{name}"), &many[4..5]));
    }
    assert!(table.cache.instances.len() <= INSTANCES_PER_PEER_MAX);
}

#[test]
fn a_flood_costs_no_more_than_the_limit() {
    let config = Config { found_bytes_max: 20_000, ..Config::default() };
    let mut table = Table::new(config);
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..20_000 {
        let peer = peer(random.u8(..));
        let addresses: Vec<String> = (0..random.usize(0..12)).map(|_| full(random.u8(..), peer)).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let label = format!("x{}", random.u16(..));
        let bytes = match random.u8(..4) {
            0 => forms::go(SERVICE, &label, &addresses, random.u32(..)),
            1 => forms::js(SERVICE, &label, &addresses),
            2 => forms::go_announcement(SERVICE, &label, &addresses, random.u32(..2)),
            _ => forms::rust(SERVICE, &label, &addresses),
        };
        table.hear(&bytes);
        table.wait(random.u64(..50));
        assert!(table.cache.bytes() <= 20_000 && table.cache.peer_count() <= 64);
        assert!(table.cache.peers().iter().all(|it| table.cache.address_count(it) <= 8));
    }
    assert!(table.cache.counters.addresses_refused > 0 && table.now > table.start);
    assert!(table.wait(600_000).1.iter().all(|it| matches!(it, Event::Expired(_))));
    assert_eq!(table.cache.bytes(), 0, "everything ends");
}

#[test]
fn known_answers_are_those_with_more_than_half_their_time() {
    let mut table = Table::new(Config::default());
    table.hear(&forms::js(SERVICE, "aaa", &[&full(1, peer(1))]));
    let known = |table: &Table| table.cache.known_answers(1, 0, table.now).collect::<Vec<_>>();
    assert_eq!(known(&table)[0].1, 120);
    assert_eq!(table.cache.known_answers(2, 0, table.now).count(), 0);
    table.wait(59_000);
    assert_eq!(known(&table)[0].1, 61);
    table.wait(1_000);
    assert_eq!(known(&table), []);
}

#[test]
fn who_announces_our_own_id_is_told_and_who_repeats_it_is_not() {
    let mut table = Table::new(Config::default());
    let twin = forms::js(SERVICE, "copy", &[&full(2, table.own.peer), &full(77, table.own.peer)]);
    assert_eq!(table.hear(&twin), [Event::Twin(bare(2))], "it speaks for itself");
    assert_eq!(table.hear(&twin), [Event::Twin(bare(2))], "and still does");
    assert_eq!(table.hear_from([10, 9, 0, 9].into(), false, 1, &twin), [], "another host repeats it");
    assert_eq!(table.hear_from("fe80::9".parse().unwrap(), false, 1, &twin), [Event::Twin(bare(2))], "over IPv6");
    assert!(table.cache.peers().is_empty(), "we do not find ourselves");
    // On this host another port is another program, and our own port is ourselves, as another name of ours had it.
    let here = |port: u16| format!("/ip4/10.9.0.1/tcp/{port}/p2p/{}", table.own.peer);
    let (own, other) = (forms::js(SERVICE, "old", &[&here(4001)]), forms::js(SERVICE, "copy", &[&here(4002)]));
    assert_eq!(table.hear_from([10, 9, 0, 1].into(), true, 1, &own), []);
    let at = "/ip4/10.9.0.1/tcp/4002".parse().unwrap();
    assert_eq!(table.hear_from([10, 9, 0, 1].into(), true, 1, &other), [Event::Twin(at)]);
}
