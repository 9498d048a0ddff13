//! Who stays in a full house, and who goes.

use super::*;
use crate::base::board::find;

const OURS: Topic = Topic(1);

struct House {
    connections: Connections,
    start: Instant,
    ms: u64,
    count: u32,
}

impl House {
    fn new(is_bootstrap: bool) -> Self {
        let places = Places::new(&find("tiny").unwrap().limits, is_bootstrap);
        let mut connections = Connections::new(places, Random::new(8));
        connections.join(OURS);
        House { connections, start: Instant::now(), ms: 0, count: 0 }
    }

    fn places(&self) -> Places {
        self.connections.places
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.ms)
    }

    fn arrival(&self, ip: &str, is_outbound: bool) -> Arrival {
        Arrival {
            connection: ConnectionId::new_unchecked(self.count as usize),
            ip: ip.parse().ok(),
            local: None,
            is_outbound,
            is_in_use: true,
            keeps_topics: false,
            is_given: false,
            is_explored: false,
        }
    }

    fn comes(&mut self, ip: &str, is_outbound: bool) -> PeerId {
        self.count += 1;
        let mut bytes = vec![0, 4];
        bytes.extend(self.count.to_be_bytes());
        let peer = PeerId::from_bytes(&bytes).unwrap();
        let arrival = self.arrival(ip, is_outbound);
        self.connections.on_connected(peer, arrival, self.now());
        peer
    }

    fn is_in(&mut self, peer: PeerId, topic: Topic) {
        self.connections.on_identified(&peer, false);
        self.connections.on_subscribed(&peer, topic);
    }

    fn mate(&mut self, ip: &str, is_outbound: bool) -> PeerId {
        let peer = self.comes(ip, is_outbound);
        self.is_in(peer, OURS);
        peer
    }

    fn judge(&mut self) -> Vec<(PeerId, LetGo)> {
        let gone = self.connections.judge(self.now());
        for (peer, _) in &gone {
            assert!(self.connections.on_closed(peer, 0).is_some());
        }
        gone
    }

    /// Fills the house with room mates, each at an address of its own, that are no longer fresh.
    fn fill(&mut self) -> Vec<PeerId> {
        let mates = (0..self.places().settled).map(|n| self.mate(&format!("10.0.0.{n}"), false)).collect();
        assert_eq!(self.judge(), []);
        self.ms += 1_000 * FRESH_S;
        mates
    }
}

#[test]
fn a_newcomer_to_a_full_house_is_heard_before_anybody_goes_and_stays() {
    let mut house = House::new(false);
    house.fill();
    let newcomer = house.comes("10.0.1.1", false);
    assert_eq!(house.judge(), [], "it has not said anything yet");
    house.is_in(newcomer, OURS);
    let gone = house.judge();
    assert!(matches!(gone[..], [(peer, LetGo::Full)] if peer != newcomer), "{gone:?}");
    assert!(house.connections.peer(&newcomer).is_some_and(Connected::is_settled));
}

#[test]
fn a_newcomer_in_no_room_of_ours_goes_when_that_is_known_or_it_had_its_time() {
    for says in [true, false] {
        let mut house = House::new(false);
        house.fill();
        let newcomer = house.comes("10.0.1.1", false);
        if says {
            house.is_in(newcomer, Topic(2));
        } else {
            let due = house.connections.next_judgement().unwrap();
            house.ms += JUDGED_MS - 1;
            assert_eq!(house.judge(), []);
            house.ms += 1;
            assert_eq!(due, house.now());
        }
        assert_eq!(house.judge(), [(newcomer, LetGo::Full)]);
    }
}

#[test]
fn idle_strangers_make_room_for_whoever_shares_a_room() {
    let mut house = House::new(false);
    let strangers: Vec<_> = (0..house.places().high).map(|n| house.comes(&format!("10.0.0.{n}"), false)).collect();
    house.ms += JUDGED_MS;
    assert_eq!(house.judge(), [], "there are places");
    let extra = house.comes("10.0.9.9", false);
    house.ms += JUDGED_MS + FRESH_S * 1_000;
    assert!(matches!(house.judge()[..], [(_, LetGo::NoRoom)]), "one more than the mark");
    let mates: Vec<_> = (0..house.places().settled).map(|n| house.mate(&format!("10.0.1.{n}"), false)).collect();
    house.judge();
    assert!(mates.iter().all(|mate| house.connections.peer(mate).is_some()));
    assert!(strangers.iter().chain([&extra]).all(|stranger| house.connections.peer(stranger).is_none()));
}

/// They join the room and hand nothing on; one that brings messages and one from elsewhere are worth more.
#[test]
fn forty_five_identities_of_one_address_keep_nobody_out() {
    for address in ["192.0.2.1", "10.0.0.1"] {
        let mut house = House::new(false);
        for _ in 0..45 {
            house.mate(address, false);
            house.judge();
            house.ms += 100;
        }
        house.ms += FRESH_S * 1_000;
        let honest: Vec<_> = (0..3).map(|n| house.mate(&format!("10.0.1.{n}"), false)).collect();
        house.judge();
        house.ms += FRESH_S * 1_000;
        // They go on coming while the honest ones are no longer fresh.
        for _ in 0..45 {
            house.mate(address, false);
            house.judge();
            house.ms += 100;
        }
        assert!(honest.iter().all(|peer| house.connections.peer(peer).is_some()), "{address}");
    }
}

#[test]
fn of_one_public_address_in_a_full_house_only_a_few_stay() {
    let mut house = House::new(false);
    for _ in 0..house.places().settled {
        house.mate("192.0.2.1", false);
    }
    for n in 0..100 {
        house.ms += FRESH_S * 1_000;
        house.mate(&format!("198.51.100.{n}"), false);
        house.judge();
    }
    let of_it = house.connections.peers().filter(|(_, known)| known.ip() == "192.0.2.1".parse().ok()).count();
    assert!(of_it <= house.places().of_one_network(super::super::address::Scope::World), "{of_it} of one address");
}

#[test]
fn who_brings_messages_or_was_found_by_us_outlasts_others_and_chance_decides_among_equals() {
    let mut times = BTreeMap::<usize, u32>::new();
    for seed in 0..400 {
        let mut house = House::new(false);
        house.connections.random = Random::new(seed);
        let mut mates = house.fill();
        house.connections.on_first(&mates[0], house.now());
        let ours = house.arrival("10.0.0.1", true);
        house.connections.on_in_use(&mates[1], &ours);
        mates.push(house.mate("10.0.1.1", false));
        let [(gone, LetGo::Full)] = house.judge()[..] else { panic!("one goes") };
        *times.entry(mates.iter().position(|mate| *mate == gone).unwrap()).or_default() += 1;
    }
    assert!(!times.contains_key(&0) && !times.contains_key(&1) && !times.contains_key(&8), "{times:?}");
    assert!(times.len() == 6 && times.values().all(|times| *times > 30), "{times:?}");
}

#[test]
fn a_bootstrap_node_lets_go_who_has_asked_nothing_for_longest_and_never_the_newest() {
    let mut house = House::new(true);
    let mut clients = Vec::new();
    for n in 0..50 {
        let client = house.comes(&format!("10.0.0.{n}"), false);
        assert_eq!(house.judge(), [], "it was not answered yet");
        house.ms += 50;
        house.connections.on_identified(&client, false);
        house.connections.on_served(&client, house.now());
        clients.push(client);
        let gone = house.judge();
        match clients.len() > house.places().settled {
            true => assert_eq!(gone, [(clients.remove(0), LetGo::Full)]),
            false => assert_eq!(gone, []),
        }
    }
    house.connections.on_served(&clients[0], house.now());
    let client = house.comes("10.0.9.9", false);
    house.ms += JUDGED_MS;
    assert_eq!(house.judge(), [(clients[1], LetGo::Full)], "the first asked again; {client} only came");
}

#[test]
fn what_a_peer_said_of_its_topics_ends_with_its_connection() {
    let mut house = House::new(false);
    let peer = house.mate("10.0.0.1", false);
    assert_eq!(house.connections.in_topic(OURS), 1);
    let other = Arrival { keeps_topics: true, ..house.arrival("10.0.0.2", false) };
    assert!(!house.connections.on_connected(peer, other, house.now()));
    assert_eq!(house.connections.in_topic(OURS), 1, "other implementations do not say it again");
    let aside = Arrival { is_in_use: false, ..house.arrival("10.0.0.2", false) };
    house.connections.on_connected(peer, aside, house.now());
    assert_eq!((house.connections.in_topic(OURS), house.connections.standing()), (1, 3));
    let replaced = house.arrival("10.0.0.3", false);
    house.connections.on_connected(peer, replaced, house.now());
    assert_eq!(house.connections.in_topic(OURS), 0, "it may have left while its link was dead");
    assert!(house.connections.on_closed(&peer, 1).is_none());
    assert_eq!(house.connections.standing(), 1);
}

#[test]
fn topics_of_one_peer_are_bounded_and_ours_always_fit() {
    let mut house = House::new(false);
    let peer = house.comes("10.0.0.1", false);
    for n in 100..100 + 3 * TOPICS_MAX as u64 {
        house.connections.on_subscribed(&peer, Topic(n));
    }
    assert!(house.connections.on_subscribed(&peer, OURS));
    assert_eq!(house.connections.peer(&peer).unwrap().topics().len(), TOPICS_MAX + 1);
}

#[test]
fn one_who_explores_gives_one_neighbour_for_another() {
    let mut house = House::new(false);
    for n in 0..house.places().high {
        house.mate(&format!("10.0.0.{n}"), n % 2 == 0);
    }
    assert_eq!(house.judge(), []);
    house.ms += FRESH_S * 1_000;
    let peer = house.comes("10.0.1.1", true);
    house.connections.peers.get_mut(&peer).unwrap().is_explored = true;
    house.is_in(peer, OURS);
    let gone = house.judge();
    assert!(matches!(gone[..], [(other, LetGo::Mixed)] if other != peer), "{gone:?}");
    house.mate("10.0.1.2", false);
    assert_eq!(house.judge(), [], "who comes by itself may stay while there are places");
}
