//! When a newcomer is judged, and as what.

use super::*;
use crate::base::board;
use libp2p::Multiaddr;

const ROOM: &str = "lobby";

/// A house whose places are all taken, and the time of the test.
struct House {
    admission: Admission,
    count: usize,
    now: Instant,
}

impl House {
    /// With so many people of the room as there are places, each of an address of its own.
    fn full() -> Self {
        let limits = &board::find("tiny").unwrap().limits;
        let mut house = House { admission: Admission::new(limits, false, 1), count: 0, now: Instant::now() };
        house.admission.on_own_topic(ROOM, true);
        for _ in 0..house.admission.settled_max {
            let peer = house.come();
            house.admission.on_identified(&peer, house.now);
            house.admission.on_topic(&peer, ROOM, true);
            house.admission.on_told(&peer);
        }
        assert_eq!(house.judge(0), []);
        assert_eq!(house.admission.settled().count(), house.admission.settled_max);
        house.judge(120_000);
        house
    }

    fn come(&mut self) -> PeerId {
        let (peer, number) = (PeerId::random(), self.count);
        self.count += 1;
        let address: Multiaddr = format!("/ip4/10.9.0.{}/tcp/4470", number + 1).parse().unwrap();
        let endpoint = ConnectedPoint::Listener { local_addr: address.clone(), send_back_addr: address };
        self.admission.on_connected(peer, ConnectionId::new_unchecked(number), &endpoint, false, self.now);
        peer
    }

    /// Who goes after so many milliseconds more.
    fn judge(&mut self, ms: u64) -> Vec<PeerId> {
        self.now += Duration::from_millis(ms);
        self.admission.judge(self.now).into_iter().map(|(peer, _)| peer).collect()
    }
}

#[test]
fn whoever_names_only_other_rooms_is_judged_at_once() {
    let mut house = House::full();
    let stranger = house.come();
    house.admission.on_told(&stranger);
    assert_eq!(house.judge(0), [], "it may say who it is");
    house.admission.on_identified(&stranger, house.now);
    assert_eq!(house.judge(0), [stranger]);
}

#[test]
fn whoever_is_slow_to_name_our_room_is_waited_for() {
    let mut house = House::full();
    let mate = house.come();
    assert_eq!(house.judge(1_000), []);
    house.admission.on_identified(&mate, house.now);
    assert_eq!(house.judge(0), []);
    assert_eq!(house.judge(ROOMS_MS - 1), [], "nothing is known of it yet");
    house.admission.on_topic(&mate, ROOM, true);
    house.admission.on_told(&mate);
    let gone = house.judge(0);
    assert!(gone.len() == 1 && gone[0] != mate, "it is one of the room, and the newest is not the first to go");
}

#[test]
fn whoever_names_nothing_is_judged_after_its_time() {
    let mut house = House::full();
    let silent = house.come();
    house.admission.on_identified(&silent, house.now);
    assert_eq!(house.judge(0), []);
    assert_eq!(house.admission.next_due(), Some(house.now + Duration::from_millis(ROOMS_MS)));
    assert_eq!(house.judge(ROOMS_MS), [silent]);
}

#[test]
fn strangers_of_one_address_do_not_outlast_a_mate_who_was_judged_too_early() {
    let limits = &board::find("tiny").unwrap().limits;
    let mut house = House { admission: Admission::new(limits, false, 1), count: 0, now: Instant::now() };
    house.admission.on_own_topic(ROOM, true);
    for _ in 0..limits.peers_high {
        house.count = 0;
        let peer = house.come();
        house.admission.on_identified(&peer, house.now);
        house.admission.on_told(&peer);
        assert_eq!(house.judge(1), []);
    }
    house.count = 1;
    let mate = house.come();
    house.admission.on_identified(&mate, house.now);
    let gone = house.judge(ROOMS_MS);
    assert!(gone.len() == 1 && gone[0] != mate, "the only one of its address is worth more");
    house.admission.on_topic(&mate, ROOM, true);
    assert!(house.admission.settled().any(|peer| *peer == mate));
}
