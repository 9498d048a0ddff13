//! What the schedule says when, and of whom.

use super::*;

fn peer(n: u8) -> PeerId {
    PeerId::from_bytes(&[0, 1, n]).unwrap()
}

fn after(start: Instant, ms: u64) -> Instant {
    start + Duration::from_millis(ms)
}

fn dialer(seeds: &[&str]) -> (Dialer, Instant) {
    let start = Instant::now();
    let seeds: Vec<Multiaddr> = seeds.iter().map(|text| text.parse().unwrap()).collect();
    (Dialer::new(&seeds, Random::new(4), start), start)
}

/// libp2p's DHT never seeds its table again when the first dials fail.
#[test]
fn a_bootstrap_node_that_does_not_answer_is_dialled_for_ever_and_never_later_than_half_a_minute() {
    let (mut dialer, mut now) = dialer(&["/ip4/192.0.2.1/tcp/4470"]);
    for failures in 1..=50 {
        assert_eq!(dialer.next_seed(now), Some(0));
        dialer.on_dialling(Target::Seed(0), now);
        assert_eq!(dialer.next_seed(after(now, 80_000)), None, "it is being dialled");
        assert_eq!(dialer.on_failed(Target::Seed(0), Failure::Remote, "nobody", now), failures);
        let due = dialer.next_due(true).unwrap();
        assert!(due > now && due - now <= Duration::from_millis(SEED_MAX_MS), "{:?}", due - now);
        now = due;
    }
    assert_eq!(dialer.seeds()[0].error, "nobody");
}

#[test]
fn a_bootstrap_node_that_let_us_go_has_its_rest_unless_we_are_alone() {
    for is_alone in [false, true] {
        let (mut dialer, start) = dialer(&["/ip4/192.0.2.1/tcp/4470"]);
        dialer.on_dialling(Target::Seed(0), start);
        assert!(dialer.on_connected(peer(1), Some(Target::Seed(0)), start));
        assert!(dialer.is_seed(&peer(1)) && dialer.seeds()[0].is_up());
        assert_eq!(dialer.next_seed(after(start, 3_600_000)), None);
        dialer.on_closed(&peer(1), End::Theirs, !is_alone, after(start, 1_000));
        let due = dialer.next_due(true).unwrap();
        match is_alone {
            true => assert!(due <= after(start, 10_000)),
            false => assert!(due >= after(start, SEED_AGAIN_MS)),
        }
        dialer.hurry_seeds(after(start, 2_000));
        assert_eq!(dialer.next_seed(after(start, 2_000 + 2 * REFUSED_MS)), Some(0), "then we are alone");
    }
}

/// Where one of two connections closes, libp2p still counts the peer as connected, although the other one has given
/// way and is deaf.
#[test]
fn a_suspect_is_dialled_anew_a_few_times_and_a_connection_ends_that() {
    let (mut dialer, start) = dialer(&[]);
    dialer.on_connected(peer(1), None, start);
    dialer.suspect(&peer(1), Some(after(start, 300)));
    assert_eq!((dialer.next_suspect(start), dialer.next_due(true)), (None, Some(after(start, 300))));
    assert_eq!(dialer.next_due(false), None, "without room nothing is due, so that the timer does not run wild");
    let (mut now, mut dials) = (start, 0);
    while let Some(due) = dialer.next_due(true) {
        now = due;
        let Some(suspect) = dialer.next_suspect(now) else { continue };
        dials += 1;
        dialer.on_dialling(Target::Peer(suspect), now);
        assert_eq!(dialer.next_suspect(after(now, 60_000)), None, "one dial at a time");
        dialer.on_failed(Target::Peer(suspect), Failure::Remote, "", now);
    }
    assert_eq!(dials, SUSPECT_DIALS_MAX + 1);
    assert!(now < after(start, 30_000), "{:?}", now - start);
    dialer.suspect(&peer(1), Some(now));
    dialer.on_connected(peer(1), Some(Target::Peer(peer(1))), now);
    assert_eq!(dialer.reach(&peer(1)), Some(Reach::Settled));
}

#[test]
fn without_an_address_suspects_wait_for_one() {
    let (mut dialer, start) = dialer(&[]);
    dialer.on_connected(peer(1), None, start);
    dialer.suspect(&peer(1), Some(start));
    dialer.suspend();
    assert_eq!(dialer.next_suspect(after(start, 60_000)), None);
    dialer.on_address_gained(after(start, 60_000));
    assert_eq!(dialer.next_suspect(after(start, 60_000)), Some(peer(1)));
    dialer.on_pong(&peer(1));
    assert_eq!(dialer.next_due(true), None, "it is alive");
}

#[test]
fn a_silent_peer_is_looked_at_and_dialled_anew_for_a_minute() {
    let (mut dialer, start) = dialer(&[]);
    dialer.on_connected(peer(1), None, start);
    dialer.on_speaker(&peer(1), start);
    let (mut now, mut dials) = (start, 0);
    while let Some(due) = dialer.next_due(true) {
        now = due;
        assert_eq!(dialer.next_silent(now), Some(peer(1)));
        assert_eq!(dialer.next_silent(now), None);
        if dialer.on_silent(&peer(1)) {
            dials += 1;
            dialer.on_dialling(Target::Peer(peer(1)), now);
            dialer.on_connected(peer(1), Some(Target::Peer(peer(1))), now);
        }
    }
    assert_eq!(dials, SILENT_DIALS_MAX);
    dialer.on_speaker(&peer(1), now);
    dialer.on_spoke(&peer(1));
    assert_eq!(dialer.next_due(true), None);
    dialer.on_speaker(&peer(1), now);
    assert_eq!(dialer.next_silent(after(now, SILENT_MS)), Some(peer(1)));
    assert!(dialer.on_silent(&peer(1)), "it spoke once, so it is tried again");
}

#[test]
fn of_those_who_left_the_book_only_what_they_wait_for_is_kept_and_of_few() {
    let (mut dialer, start) = dialer(&[]);
    let peer = |n: u16| PeerId::from_bytes(&[0, 2, (n >> 8) as u8, n as u8]).unwrap();
    dialer.on_connected(peer(1), None, start);
    for n in 1..=1_000 {
        dialer.want(peer(n), start);
        if n > 500 {
            dialer.on_failed(Target::Peer(peer(n)), Failure::Remote, "", start);
        }
        dialer.forget(&peer(n), after(start, 1));
    }
    assert_eq!(dialer.len(), 1 + FORGOTTEN_MAX, "one is connected");
    let failed = (501..=1_000).find(|n| dialer.attempts(&peer(*n)).is_some()).unwrap();
    dialer.want(peer(failed), after(start, 1));
    assert_eq!(dialer.attempts(&peer(failed)).unwrap().failures(), 1, "told of again it waits as before");
    dialer.forget(&peer(2), after(start, 1_000_000));
    assert_eq!(dialer.len(), 2, "what is over is forgotten");
}
