//! When the known are dialled, and what is booked of it.

use super::*;

fn local() -> PeerId {
    PeerId::random()
}

fn address(host: u8) -> Multiaddr {
    format!("/ip4/10.9.0.{host}/tcp/4470").parse().unwrap()
}

fn connected(connection: usize, host: u8, now: Instant) -> Connected {
    Connected {
        connection: ConnectionId::new_unchecked(connection),
        address: address(host),
        local: None,
        outbound: true,
        found: FoundBy::Mdns,
        shares: None,
        since: now,
        agent: String::new(),
        nick: String::new(),
        rtt: None,
        ping_failures: 0,
        rooms: Default::default(),
        adrift: false,
        suspect: None,
        mute: None,
        speech: 0,
    }
}

/// A peer that is known and due, and one that is connected and may be deaf.
fn house(now: Instant) -> (Peers, PeerId, PeerId) {
    let (mut peers, known, there) = (Peers::new(local(), 4), PeerId::random(), PeerId::random());
    peers.note(known, address(1), FoundBy::Dht, now);
    peers.on_connected(there, connected(1, 2, now));
    (peers, known, there)
}

/// A dial that is due and for which there is no room hides nothing that is due later.
#[test]
fn without_room_for_dials_what_is_due_is_what_needs_none() {
    let now = Instant::now();
    let (mut peers, _, there) = house(now);
    assert_eq!(peers.next_due(true), Some(now));
    assert_eq!(peers.next_due(false), None);
    let lost = Duration::from_millis(100);
    peers.on_address_lost(&"/ip4/10.9.0.9/tcp/1".parse().unwrap(), Some(now + lost));
    assert_eq!(peers.next_due(false), Some(now + lost), "the connection may be dead");
    assert!(peers.due(now + lost, 0).is_empty());
    assert_eq!(peers.due_suspects(now + lost).len(), 1);
    assert!(peers.next_due(false).is_some_and(|at| at > now + lost), "it moves on");
    peers.note_speaker(&there, now);
    assert!(peers.next_due(false).is_some());
}

#[test]
fn a_limit_of_our_own_is_nobodys_failure() {
    let now = Instant::now();
    let (mut peers, known, _) = house(now);
    for n in 0..100 {
        let at = now + Duration::from_secs(n);
        assert_eq!(peers.due(at, 1).len(), 1, "it is still known");
        peers.on_dial_put_off(&known, at + Duration::from_millis(300));
        assert!(peers.due(at, 1).is_empty());
    }
    assert_eq!(peers.known[&known].failures, 0);
    let mut at = now + Duration::from_secs(1_000);
    for _ in 0..DIAL_FAILURES_MAX {
        assert_eq!(peers.due(at, 1).len(), 1);
        peers.on_dial_failed(&known, at);
        at += Duration::from_secs(60);
    }
    assert!(peers.due(at, 1).is_empty(), "one that never answers is forgotten");
}

#[test]
fn who_failed_least_is_dialled_first() {
    let now = Instant::now();
    let mut peers = Peers::new(local(), 4);
    let all: Vec<PeerId> = (0..20).map(|_| PeerId::random()).collect();
    all.iter().for_each(|peer| assert!(peers.note(*peer, address(1), FoundBy::Dht, now)));
    for (peer, _) in peers.due(now, 19) {
        peers.on_dial_failed(&peer, now);
    }
    let fresh = *all.iter().find(|peer| peers.known[*peer].failures == 0).unwrap();
    let later = now + Duration::from_secs(10);
    assert_eq!(peers.due(later, 1)[0].0, fresh);
}

#[test]
fn a_peer_that_started_afresh_has_a_new_chance_once_a_minute() {
    let now = Instant::now();
    let (mut peers, known, _) = house(now);
    peers.note(known, address(1), FoundBy::Mdns, now);
    let fail = |peers: &mut Peers, now| {
        (0..7).for_each(|_| peers.on_dial_failed(&known, now));
        assert!(peers.due(now, 1).is_empty(), "it waits");
    };
    fail(&mut peers, now);
    assert!(peers.on_afresh(&known, now));
    assert_eq!(peers.due(now, 1), [(known, vec![address(1)])]);
    fail(&mut peers, now);
    assert!(!peers.on_afresh(&known, now) && peers.due(now, 1).is_empty(), "anybody can say so");
    let later = now + Duration::from_secs(AFRESH_S);
    fail(&mut peers, later);
    assert!(peers.on_afresh(&known, later) && peers.due(later, 1).len() == 1);
}
