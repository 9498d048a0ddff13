//! Places in the mesh: had, lost and earned.

use super::*;

#[test]
fn a_place_that_is_asked_for_too_soon_costs() {
    let mut core = with_peers(1);
    part(&mut core, 0, Part::Prune { topic: b"lobby", peers: List::peers(&[b"a", b"b"]), backoff_s: Some(5) }, START);
    assert_eq!(said(&mut core), ["try a", "try b"]);
    assert_eq!(core.mesh(LOBBY).count(), 0);
    // Ours come back by themselves, but not before it is time.
    core.handle_timeout(START + 5_000);
    assert_eq!(said(&mut core), [""; 0]);
    for _ in 0..36 {
        part(&mut core, 0, Part::Graft { topic: b"lobby" }, START + 5_000);
        assert_eq!(said(&mut core), ["0: prune 60 "]);
    }
    let rest = (0..20).flat_map(|_| {
        part(&mut core, 0, Part::Graft { topic: b"lobby" }, START + 5_000);
        said(&mut core)
    });
    assert_eq!(rest.collect::<Vec<_>>().last().map(String::as_str), Some("ban 0"));
}

#[test]
fn a_room_is_left_and_entered() {
    let mut core = with_peers(2);
    quiet(&mut core);
    core.handle(Input::Unsubscribe { topic: LOBBY }, START);
    assert_eq!(said(&mut core), ["0: prune 10 ", "1: prune 10 ", "0: out", "1: out"]);
    publish(&mut core, 7, START);
    assert_eq!(said(&mut core), [format!("published {:?}", Err::<(), _>(PublishError::NotJoined))]);
    core.handle(Input::Subscribe { topic: LOBBY, name: b"lobby", by_content: false }, START);
    assert_eq!(said(&mut core), ["0: in", "1: in", "0 joined", "1 joined"], "the back-off holds");
    let at = wait(&mut core);
    assert_eq!((at, said(&mut core).len(), core.mesh(LOBBY).count()), (START + 20_000, 2, 2));
    part(&mut core, 0, Part::Subscription { is_in: false, topic: b"lobby" }, at);
    assert_eq!(said(&mut core), ["0 left"]);
}

#[test]
fn idle_ones_are_offered_and_lose_their_places_to_nobody_who_takes_part() {
    let mut core = with_peers(3);
    quiet(&mut core);
    let mut now = START;
    for number in 0..40 {
        now += 500;
        // 0 brings, 1 asks for what it is offered, 2 does nothing.
        bring(&mut core, 0, b"x", number, now);
        let offered = format!("1: ihave {number}");
        if said(&mut core).contains(&offered) {
            part(&mut core, 1, Part::IWant { ids: List::ids(&[&number.to_be_bytes()]) }, now);
            assert_eq!(said(&mut core), [format!("1: message {number}")]);
        }
        while core.poll_timeout().is_some_and(|at| at <= now) {
            core.handle_timeout(now);
        }
    }
    assert_eq!(core.mesh(LOBBY).collect::<Vec<_>>(), [PeerIndex(0), PeerIndex(1)]);
    quiet(&mut core);
    said(&mut core);
    // It comes back, and that it does nothing is not forgotten until it does.
    part(&mut core, 2, Part::Graft { topic: b"lobby" }, now + 2 * limits::BACKOFF_MS);
    assert_eq!(said(&mut core), ["2: prune 60 "]);
}

#[test]
fn a_full_mesh_has_a_place_for_who_brings_more() {
    let mesh = Mesh { high: 3, everybody: 3, ..Mesh::of_board(64) };
    let mut core = Core::new(settings(mesh), START);
    core.handle(Input::Subscribe { topic: LOBBY, name: b"lobby", by_content: false }, START);
    (0..3).for_each(|peer| meet(&mut core, peer, Protocol::V12));
    assert_eq!(core.mesh(LOBBY).count(), 3);
    said(&mut core);
    meet(&mut core, 3, Protocol::V12);
    part(&mut core, 3, Part::Graft { topic: b"lobby" }, START);
    let turned_away = said(&mut core).pop().unwrap();
    assert!(turned_away.starts_with("3: prune 60 peer"), "with somebody else to try: {turned_away}");
    for number in 0..3 {
        bring(&mut core, 3, b"x", number, START);
    }
    let later = START + limits::BACKOFF_MS;
    part(&mut core, 3, Part::Graft { topic: b"lobby" }, later);
    assert!(core.mesh(LOBBY).any(|peer| peer == PeerIndex(3)) && core.mesh(LOBBY).count() == 3);
}

#[test]
fn a_place_may_be_asked_for_before_our_stream_stands() {
    let (mut core, peer) = (core(), PeerIndex(1));
    core.handle(Input::Connected { peer, id: b"x", outbound: false, group: 0 }, START);
    part(&mut core, 1, Part::Subscription { is_in: true, topic: b"lobby" }, START);
    part(&mut core, 1, Part::Graft { topic: b"lobby" }, START);
    assert_eq!((core.mesh(LOBBY).count(), said(&mut core)), (1, ["1 joined".to_string()].into()));
    core.handle(Input::Speaks { peer, protocol: Protocol::V11 }, START);
    assert_eq!(said(&mut core), ["1: in, graft"]);
}

#[test]
fn in_a_flood_nobody_is_idle_for_want_of_time_and_who_says_little_is_offered_too() {
    let mut settings = settings(Mesh::of_board(64));
    (settings.store_messages_max, settings.store_bytes_max, settings.seen_max) = (2_000, 4_000_000, 10_000);
    let mut core = Core::new(settings, START);
    core.handle(Input::Subscribe { topic: LOBBY, name: b"lobby", by_content: false }, START);
    (0..2).for_each(|peer| meet(&mut core, peer, Protocol::V12));
    bring(&mut core, 0, b"quiet", 1, START);
    (1_000..2_900).for_each(|number| _ = bring(&mut core, 0, b"loud", number, START + number));
    assert!(core.mesh(LOBBY).eq([PeerIndex(0), PeerIndex(1)]), "each of two seconds");
    core.handle(Input::Disconnected { peer: PeerIndex(1) }, START + 3_000);
    said(&mut core);
    meet(&mut core, 1, Protocol::V12);
    said(&mut core);
    wait(&mut core);
    let offered = said(&mut core).into_iter().find(|said| said.starts_with("1: ihave")).unwrap();
    assert!(offered.split(' ').skip(2).count() == limits::OFFER_IDS_MAX && offered.contains(" 1 "), "{offered}");
}
