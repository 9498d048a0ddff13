//! Whole networks of cores in virtual time.

use std::{collections::BTreeSet, net::IpAddr};

use hickory_proto::rr::RecordType;
use libp2p::multiaddr::Protocol;

use super::{super::forms, *};

const SERVICE: &str = "_p2p._udp.local";
/// How long a packet travels.
const LATENCY_MS: u64 = 2;

struct Host {
    core: Discovery,
    ip: IpAddr,
    peer: PeerId,
    is_on: bool,
    found: BTreeSet<(PeerId, Multiaddr)>,
    expired: usize,
    timeouts: usize,
}

struct Network {
    hosts: Vec<Host>,
    flying: Vec<(Instant, usize, SocketAddr, Vec<u8>)>,
    random: fastrand::Rng,
    loss: f64,
    packets: usize,
    now: Instant,
}

fn interface(ip: IpAddr) -> Interface {
    Interface {
        name: "eth0".into(),
        index: 7,
        ip,
        prefix_len: 16,
        is_loopback: ip.is_loopback(),
        is_point_to_point: false,
        is_multicast: !ip.is_loopback(),
    }
}

fn listen(ip: IpAddr) -> Multiaddr {
    Multiaddr::from(ip).with(Protocol::Tcp(4001))
}

impl Network {
    fn new(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Network { hosts: Vec::new(), flying: Vec::new(), random, loss: 0.0, packets: 0, now: Instant::now() }
    }

    fn start_all(&mut self, count: usize) {
        for _ in 0..count {
            self.start(&["_p2p._udp"]);
        }
    }

    fn start(&mut self, services: &[&str]) -> usize {
        let at = self.hosts.len();
        let ip = IpAddr::from([10, 9, 0, at as u8 + 1]);
        let peer = PeerId::random();
        let config = Config { services: services.iter().map(|it| (*it).into()).collect(), ..Config::default() };
        let mut core = Discovery::new(config, peer, self.random.fork()).unwrap();
        core.handle_interfaces(&[interface(ip)], self.now);
        core.handle_listening(&listen(ip), self.now);
        self.hosts.push(Host { core, ip, peer, is_on: true, found: BTreeSet::new(), expired: 0, timeouts: 0 });
        at
    }

    fn run(&mut self, ms: u64) {
        let until = self.now + millis(ms);
        loop {
            self.collect();
            let timers = self.hosts.iter().filter(|it| it.is_on).filter_map(|it| it.core.next());
            let Some(next) = timers.chain(self.flying.iter().map(|it| it.0)).min().filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            for host in self.hosts.iter_mut().filter(|it| it.is_on && it.core.next().is_some_and(|at| at <= next)) {
                host.timeouts += 1;
                host.core.handle_timeout(self.now);
            }
            for (_, to, from, bytes) in self.flying.extract_if(.., |it| it.0 <= next).collect::<Vec<_>>() {
                if self.hosts[to].is_on {
                    self.hosts[to].core.handle_packet(7, from, &bytes, self.now);
                }
            }
        }
    }

    fn collect(&mut self) {
        for at in 0..self.hosts.len() {
            let from = SocketAddr::new(self.hosts[at].ip, PORT);
            while let Some(out) = self.hosts[at].core.poll_outgoing() {
                assert!(out.bytes.len() <= 1_400 && out.link == 7);
                self.packets += 1;
                for to in 0..self.hosts.len() {
                    let is_for = out.to.is_none_or(|to_ip| to_ip.ip() == self.hosts[to].ip);
                    if is_for && (to == at || self.random.f64() >= self.loss) {
                        self.flying.push((self.now + millis(LATENCY_MS), to, from, out.bytes.clone()));
                    }
                }
            }
            let host = &mut self.hosts[at];
            while let Some(event) = host.core.poll_event() {
                match event {
                    Event::Discovered(list) => host.found.extend(list),
                    Event::Twin(_) | Event::State => panic!("nobody here has another's id: {event:?}"),
                    Event::Expired(list) => list.iter().for_each(|it| {
                        host.expired += 1;
                        assert!(host.found.remove(it), "ended without having been found: {it:?}");
                    }),
                }
            }
        }
    }

    fn sees(&self, who: usize, whom: usize) -> bool {
        self.hosts[who].found.contains(&(self.hosts[whom].peer, listen(self.hosts[whom].ip)))
    }

    fn all_see_all(&self) -> bool {
        let all = 0..self.hosts.len();
        all.clone().all(|a| all.clone().all(|b| a == b || self.sees(a, b)))
    }
}

#[test]
fn two_find_each_other_in_well_below_a_second_whenever_the_second_starts() {
    for pause in (0..3_000).step_by(37) {
        let mut network = Network::new(pause);
        network.start(&["_p2p._udp"]);
        network.run(pause);
        network.start(&["_p2p._udp"]);
        network.run(400);
        assert!(network.all_see_all(), "started {pause} ms later");
    }
}

#[test]
fn several_services_side_by_side() {
    let mut network = Network::new(1);
    network.start(&["_p2p._udp", "meetme"]);
    network.start(&["meetme", "universal-connectivity"]);
    network.start(&["universal-connectivity"]);
    network.run(1_000);
    assert!(network.sees(0, 1) && network.sees(1, 0) && network.sees(1, 2) && network.sees(2, 1));
    assert!(!network.sees(0, 2) && !network.sees(2, 0));
}

#[test]
fn a_service_can_be_added_while_running() {
    let mut network = Network::new(2);
    network.start(&["_p2p._udp"]);
    network.start(&["universal-connectivity"]);
    network.run(30_000);
    assert!(!network.sees(0, 1) && !network.sees(1, 0));
    let now = network.now;
    for _ in 0..2 {
        network.hosts[0].core.add_service("universal-connectivity", now).unwrap();
    }
    assert!(network.hosts[0].core.add_service("no name", now).is_err());
    network.run(3_000);
    assert!(network.all_see_all());
    // Both names go on, and there is a bound.
    network.start(&["_p2p._udp"]);
    network.run(1_000);
    assert!(network.sees(0, 2) && network.sees(2, 0) && !network.sees(1, 2));
    let more = (0..20).map(|n| network.hosts[0].core.add_service(&format!("s{n}"), now));
    assert_eq!(more.filter(Result::is_ok).count(), 6);
}

#[test]
fn twenty_hosts_with_loss_find_each_other_and_stay_found() {
    let mut network = Network::new(3);
    network.loss = 0.3;
    for _ in 0..20 {
        network.start_all(1);
        network.run(100);
    }
    network.run(20_000);
    assert!(network.all_see_all());
    network.loss = 0.05;
    network.run(3_600_000);
    assert!(network.all_see_all());
    let expired: usize = network.hosts.iter().map(|it| it.expired).sum();
    assert!(expired <= 5, "{expired} records ended although refreshed");
}

#[test]
fn an_hour_of_quiet_is_quiet() {
    let mut network = Network::new(4);
    network.start_all(8);
    network.run(60_000);
    assert!(network.all_see_all());
    let before = network.packets;
    network.hosts.iter_mut().for_each(|it| it.timeouts = 0);
    network.run(3_600_000);
    assert_eq!(network.hosts.iter().map(|it| it.expired).sum::<usize>(), 0);
    // Each sends an answer every 96 s, and a query every five minutes; those who ask are answered.
    let sent = network.packets - before;
    let timeouts = network.hosts.iter().map(|it| it.timeouts).max().unwrap();
    println!("{sent} packets of 8 hosts and at most {timeouts} timeouts of one in an hour");
    assert!(sent < 8 * 150, "{sent} packets");
    assert!(timeouts < 360, "{timeouts} timeouts: one every ten seconds");
}

#[test]
fn who_knows_the_answer_is_not_answered() {
    let mut network = Network::new(5);
    network.start(&["_p2p._udp"]);
    network.start(&["_p2p._udp"]);
    network.run(30_000);
    assert!(network.hosts.iter().all(|it| it.core.counters().answers_known > 0));
}

#[test]
fn leaving_and_dying() {
    let mut network = Network::new(6);
    network.start_all(3);
    network.run(5_000);
    network.hosts[0].core.leave();
    assert_eq!(network.hosts[0].core.next(), None);
    network.run(1_100);
    assert!(!network.sees(1, 0) && !network.sees(2, 0) && network.sees(1, 2));
    network.hosts[1].is_on = false;
    network.run(60_000);
    assert!(network.sees(2, 1));
    network.run(62_000);
    assert!(!network.sees(2, 1));
}

#[test]
fn a_new_address_is_told_at_once_and_the_old_one_ends() {
    let mut network = Network::new(7);
    network.start_all(2);
    network.run(10_000);
    let (old, new) = (network.hosts[0].ip, IpAddr::from([10, 9, 9, 9]));
    network.hosts[0].ip = new;
    let core = &mut network.hosts[0].core;
    core.handle_interfaces(&[interface(new)], network.now);
    core.handle_listening_ended(&listen(old), network.now);
    core.handle_listening(&listen(new), network.now);
    network.run(100);
    assert!(network.sees(1, 0));
    network.run(1_500);
    let held = network.hosts[1].core.cache().addresses_of(&network.hosts[0].peer);
    assert_eq!(held, [listen(new)]);
    network.run(300_000);
    assert!(network.all_see_all());
}

#[test]
fn an_interface_that_goes_takes_its_peers_along_and_brings_them_back() {
    let mut network = Network::new(8);
    network.start_all(2);
    network.run(100_000);
    let ip = network.hosts[0].ip;
    network.hosts[0].core.handle_interfaces(&[], network.now);
    network.hosts[0].core.handle_listening_ended(&listen(ip), network.now);
    network.run(10);
    assert!(network.hosts[0].found.is_empty());
    network.run(10_000);
    network.hosts[0].core.handle_interfaces(&[interface(ip)], network.now);
    network.hosts[0].core.handle_listening(&listen(ip), network.now);
    network.run(150);
    assert!(network.sees(0, 1), "asked again at once");
}

#[test]
fn a_storm_of_questions_gets_few_answers() {
    let mut network = Network::new(9);
    network.start(&["_p2p._udp"]);
    network.run(5_000);
    let before = network.packets;
    let from = "10.9.0.99:5353".parse().unwrap();
    for _ in 0..1_000 {
        network.run(1);
        network.hosts[0].core.handle_packet(7, from, &forms::query(0, SERVICE), network.now);
    }
    assert!(network.packets - before <= 5, "{}", network.packets - before);
    // By unicast no more than the bucket holds.
    let wants_unicast = forms::packet(0, 0, &[(forms::name(SERVICE), 12, 0x8001)], [&[], &[], &[]]);
    let before = network.packets;
    for _ in 0..1_000 {
        network.run(1);
        network.hosts[0].core.handle_packet(7, from, &wants_unicast, network.now);
    }
    assert!(network.packets - before <= 40, "{}", network.packets - before);
    assert!(network.hosts[0].core.may_read(7, network.now).is_err(), "and reading pauses");
}

#[test]
fn unicast_legacy_and_truncated_questions() {
    let mut network = Network::new(10);
    network.start(&["_p2p._udp"]);
    network.run(60_000);
    let core = &mut network.hosts[0].core;
    let (now, stub) = (network.now, "10.9.0.99:33333".parse().unwrap());
    core.handle_packet(7, stub, &forms::query(0xabcd, SERVICE), now);
    let answer = core.poll_outgoing().unwrap();
    assert_eq!(answer.to, Some(stub));
    let answer = decode(&answer.bytes).unwrap();
    assert_eq!((answer.id, answer.questions[0].kind), (0xabcd, RecordType::PTR));
    core.handle_timeout(now + millis(150));
    assert_eq!(core.poll_outgoing().unwrap().to, None, "rust-libp2p hears only this one");
    // More known answers follow: the answer waits for them, and is not given.
    let asker = "10.9.0.99:5353".parse().unwrap();
    let later = now + millis(10_000);
    let mut truncated = forms::query(0, SERVICE);
    truncated[2] |= 2;
    core.handle_packet(7, asker, &truncated, later);
    core.handle_timeout(later + millis(300));
    assert_eq!(core.poll_outgoing(), None);
    let mine = core.own.query(0, [(core.own.instance(0).clone(), 120)].into_iter());
    let mut known = mine.clone();
    known[5] = 0;
    let question_bytes = forms::name(SERVICE).len() + 4;
    known.drain(12..12 + question_bytes);
    // The record's name pointed at the question's.
    let known = [&known[..12], &forms::name(SERVICE)[..], &known[14..]].concat();
    core.handle_packet(7, asker, &known, later + millis(350));
    core.handle_timeout(later + millis(600));
    assert_eq!(core.poll_outgoing(), None);
    // By somebody else it is asked for, and given.
    core.handle_packet(7, asker, &truncated, later + millis(1_000));
    core.handle_packet(7, "10.9.0.98:5353".parse().unwrap(), &forms::query(0, SERVICE), later + millis(1_000));
    core.handle_timeout(later + millis(1_150));
    assert!(core.poll_outgoing().is_some());
}

#[test]
fn strangers_and_garbage_are_counted() {
    let mut network = Network::new(11);
    network.start(&["_p2p._udp"]);
    let core = &mut network.hosts[0].core;
    core.handle_packet(7, "10.10.0.1:5353".parse().unwrap(), &forms::query(0, SERVICE), network.now);
    core.handle_packet(7, "10.9.0.2:5353".parse().unwrap(), b"GET / HTTP/1.1", network.now);
    core.handle_packet(7, "10.9.0.2:5353".parse().unwrap(), b"", network.now);
    core.handle_packet(8, "10.9.0.2:5353".parse().unwrap(), &forms::query(0, SERVICE), network.now);
    let counters = core.counters();
    assert_eq!((counters.packets_off_link, counters.packets_malformed, counters.packets_received), (1, 2, 4));
    let zero = Config { peers_max: 0, ..Config::default() };
    let refused = Discovery::new(zero, PeerId::random(), fastrand::Rng::new()).unwrap_err();
    assert_eq!(refused, ConfigError::Zero("peers_max"));
}

/// Mutations of good packets: nothing dies, nothing grows beyond its limits, and no more is said than allowed.
#[test]
fn garbage_passes_through() {
    let mut network = Network::new(12);
    network.start_all(1);
    network.run(5_000);
    let mut random = fastrand::Rng::with_seed(20_261_124);
    let address = format!("/ip4/10.9.0.2/tcp/4001/p2p/{}", PeerId::random());
    let good = [
        forms::go(SERVICE, "aaa", &[&address], 3200),
        forms::go_announcement(SERVICE, "aaa", &[&address], 0),
        forms::js(SERVICE, "bbb", &[&address]),
        forms::py(SERVICE, "ccc", &[&address]),
        forms::rust(SERVICE, "ddd", &[&address]),
        forms::query(1, SERVICE),
    ];
    let before = network.packets;
    for _ in 0..50_000 {
        let mut bytes = good[random.usize(..good.len())].clone();
        for _ in 0..random.usize(..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        let from = SocketAddr::new(IpAddr::from([10, 9, 0, random.u8(..)]), if random.bool() { PORT } else { 1 });
        network.hosts[0].core.handle_packet(7, from, &bytes, network.now);
        network.run(6);
    }
    let core = &network.hosts[0].core;
    println!("{:?}", core.counters());
    assert!(core.counters().packets_malformed > 1_000 && core.counters().answers_sent > 100);
    assert!(core.cache().peers().len() <= 64 && core.cache().bytes() <= 128 * 1024);
    // Five minutes: four answers a second to all, twenty to single hosts, and the queries that new names lead to.
    assert!(network.packets - before < 300 * 27, "{}", network.packets - before);
}
