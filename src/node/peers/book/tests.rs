//! What the book keeps, and what it lets go for what.

use super::*;
use crate::node::peers::address::Network;

fn peer(n: u32) -> PeerId {
    let mut bytes = vec![0, 4];
    bytes.extend(n.to_be_bytes());
    PeerId::from_bytes(&bytes).unwrap()
}

fn address(n: u32) -> Multiaddr {
    format!("/ip4/10.{}.{}.{}/tcp/4470", n >> 16 & 255, n >> 8 & 255, n & 255).parse().unwrap()
}

fn host(n: u32) -> Teller {
    Teller { announcer: Announcer::Host(Network::V4(n)), scope: Scope::Site }
}

fn book() -> (AddressBook, Instant) {
    (AddressBook::new(peer(0), 4, 10, Random::new(5)), Instant::now())
}

fn hear(book: &mut AddressBook, n: u32, from: u32, now: Instant) -> Noted {
    book.note(peer(n), Some(&address(n)), Source::Mdns, &host(from), true, now)
}

#[test]
fn seven_hundred_invented_ids_of_one_host_push_out_nobody_else() {
    let (mut book, now) = book();
    for n in 1..=20 {
        hear(&mut book, n, n, now);
    }
    book.note(peer(50), Some(&address(50)), Source::Remembered, &Teller::US, false, now);
    let evicted: Vec<_> = (1_000..1_700).filter_map(|n| hear(&mut book, n, 99, now).evicted).collect();
    assert_eq!(evicted.len(), 700 - OF_HOST_MAX);
    assert!((1..=20).chain([50]).all(|n| book.entry(&peer(n)).is_some()), "those that others named stay");
    assert_eq!(book.count(Kind::Lan), 20 + OF_HOST_MAX);
}

#[test]
fn each_kind_has_its_places_and_full_of_announcers_the_largest_gives_way() {
    let (mut book, now) = book();
    for n in 1..=2_000 {
        hear(&mut book, n, n / 4, now);
        let teller = Teller { announcer: Announcer::LookUp(Topic(u64::from(n) / 100)), scope: Scope::Site };
        book.note(peer(10_000 + n), None, Source::Dht, &teller, false, now);
        let teller = Teller { announcer: Announcer::Peer(peer(n / 16)), scope: Scope::Site };
        book.note(peer(20_000 + n), Some(&address(n)), Source::Told, &teller, false, now);
        book.on_met(peer(30_000 + n), Some(&address(n)), now);
        book.on_gone(&peer(30_000 + n), [].into_iter(), now);
        book.note(peer(40_000 + n), Some(&address(n)), Source::Remembered, &Teller::US, false, now);
    }
    for kind in [Kind::Told, Kind::Wide, Kind::Lan, Kind::Given, Kind::Met] {
        assert_eq!(book.count(kind), book.capacity(kind), "{kind:?}");
    }
}

#[test]
fn one_look_up_brings_so_many_over_all_answers() {
    let (mut book, now) = book();
    let teller = Teller { announcer: Announcer::LookUp(Topic(1)), scope: Scope::Site };
    // Twenty servers name 32 others each.
    for n in 1..=640 {
        book.note(peer(n), None, Source::Dht, &teller, false, now);
    }
    assert_eq!(book.count(Kind::Wide), OF_LOOKUP_MAX);
}

#[test]
fn those_that_failed_leave_first_and_connected_ones_never() {
    let (mut book, now) = book();
    for n in 1..=OF_HOST_MAX as u32 {
        hear(&mut book, n, 9, now);
    }
    book.on_missed(&peer(3), &[address(3)]);
    assert_eq!(hear(&mut book, 100, 9, now).evicted, Some(peer(3)));
    let met = 10 + MET_SPARE as u32;
    for n in 1_000..1_000 + met {
        book.on_met(peer(n), Some(&address(n)), now);
    }
    let full = book.on_met(peer(5_000), Some(&address(1)), now);
    assert_eq!(full, Noted { outcome: Outcome::Full, evicted: None }, "all are connected");
    book.on_gone(&peer(1_001), [].into_iter(), now);
    assert_eq!(book.on_met(peer(5_000), Some(&address(1)), now).evicted, Some(peer(1_001)));
}

#[test]
fn lies_about_a_peer_do_not_push_out_where_it_was_met() {
    let (mut book, now) = book();
    book.on_met(peer(1), Some(&address(1)), now);
    for n in 2..50 {
        book.note(peer(1), Some(&address(n)), Source::Mdns, &host(9), true, now);
    }
    let addresses: Vec<_> = book.entry(&peer(1)).unwrap().addresses().cloned().collect();
    assert_eq!((addresses.len(), &addresses[0]), (4, &address(1)));
    book.on_wrong(&peer(1), &address(1));
    assert!(book.entry(&peer(1)).unwrap().addresses().all(|kept| *kept != address(1)), "another peer is there now");
}

#[test]
fn the_announcer_of_most_addresses_of_a_peer_loses_one_for_a_new_one() {
    let (mut book, now) = book();
    for n in 1..=4 {
        book.note(peer(1), Some(&address(n)), Source::Mdns, &host(9), true, now);
    }
    for n in 5..=6 {
        book.note(peer(1), Some(&address(n)), Source::Mdns, &host(n), true, now);
    }
    for n in 7..=20 {
        book.note(peer(1), Some(&address(n)), Source::Mdns, &host(9), true, now);
    }
    let addresses: Vec<_> = book.entry(&peer(1)).unwrap().addresses().cloned().collect();
    assert!(addresses.contains(&address(5)) && addresses.contains(&address(6)), "{addresses:?}");
}

#[test]
fn what_is_not_believed_makes_no_entry() {
    let (mut book, now) = book();
    let off_link = book.note(peer(1), Some(&address(1)), Source::Mdns, &host(9), false, now);
    assert_eq!(off_link.outcome, Outcome::Doubted(Doubt::OffLink));
    let name = "/dns4/a.example/tcp/1".parse().unwrap();
    let named = book.note(peer(1), Some(&name), Source::Mdns, &host(9), true, now);
    assert_eq!(named.outcome, Outcome::Doubted(Doubt::Name));
    assert_eq!(book.note(peer(0), Some(&address(1)), Source::Mdns, &host(9), true, now).outcome, Outcome::Known);
    assert_eq!(book.entries().count(), 0);
}

#[test]
fn recommended_is_who_was_met_lately_in_the_same_topic_where_it_can_be_reached() {
    let (mut book, now) = book();
    let topics = |topic: &Topic| *topic == Topic(7);
    let ask = |book: &mut AddressBook, scope, now| {
        let mut peers: Vec<_> =
            book.recommend(&peer(9), topics, scope, now).into_iter().map(|(peer, _)| peer).collect();
        peers.sort();
        peers
    };
    for n in 1..=4 {
        book.on_met(peer(n), Some(&address(n)), now);
        book.on_topics(&peer(n), [Topic(if n == 2 { 8 } else { 7 })].into_iter());
    }
    book.on_gone(&peer(3), [Topic(7)].into_iter(), now);
    book.on_missed(&peer(4), &[address(4)]);
    book.on_met(peer(5), None, now);
    book.on_topics(&peer(5), [Topic(7)].into_iter());
    assert_eq!(ask(&mut book, Scope::Site, now), [peer(1), peer(3)], "one dialled us and said not where it listens");
    book.on_identified(peer(5), &[address(5)], Some("10.0.0.5".parse().unwrap()), now);
    assert_eq!(ask(&mut book, Scope::Site, now), [peer(1), peer(3), peer(5)], "and now it did");
    assert_eq!(ask(&mut book, Scope::World, now), [], "private addresses are for those who are near");
    let later = now + Duration::from_secs(RECOMMENDED_S);
    assert_eq!(ask(&mut book, Scope::Site, later), [peer(1), peer(5)], "one left long ago");
}

#[test]
fn a_recommendation_is_a_sample_by_chance() {
    let (mut book, now) = book();
    for n in 1..=40 {
        book.on_met(peer(n), Some(&address(n)), now);
        book.on_gone(&peer(n), [Topic(7)].into_iter(), now);
    }
    let mut times = BTreeMap::<PeerId, u32>::new();
    for _ in 0..1_000 {
        let chosen = book.recommend(&peer(99), |_| true, Scope::Site, now);
        assert_eq!(chosen.len(), RECOMMENDED_MAX);
        chosen.into_iter().for_each(|(peer, _)| *times.entry(peer).or_default() += 1);
    }
    assert_eq!(times.len(), 40);
    assert!(times.values().all(|times| (120..280).contains(times)), "{times:?}");
}
