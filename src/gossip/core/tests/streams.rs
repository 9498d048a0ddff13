//! Streams that break and are opened again, on either side.

use super::*;

#[test]
fn over_a_new_stream_all_is_told_again_and_what_may_be_lost_is_offered() {
    let mut core = with_peers(2);
    quiet(&mut core);
    publish(&mut core, 7, START);
    publish(&mut core, 8, START + limits::LOST_MS);
    quiet(&mut core);
    said(&mut core);
    let now = START + limits::LOST_MS + 10;
    core.handle(Input::Reset { peer: PeerIndex(1) }, now);
    assert_eq!(said(&mut core), ["1: in, graft"]);
    wait(&mut core);
    assert_eq!(said(&mut core), ["1: ihave 8"]);
}

#[test]
fn a_peer_that_does_not_name_a_room_first_on_its_new_stream_has_left_it() {
    let mut core = with_peers(2);
    let peer = PeerIndex(1);
    let opened = |core: &mut Core, at: u16, names: &[&[u8]]| {
        core.handle(Input::Opened { peer: PeerIndex(at) }, START);
        names.iter().for_each(|topic| part(core, at, Part::Subscription { is_in: true, topic }, START));
        core.handle(Input::End { peer: PeerIndex(at) }, START);
    };
    opened(&mut core, 1, &[]);
    assert_eq!(said(&mut core), ["1: in, graft"], "it names none there, as rust does on a second connection");
    part(&mut core, 1, Part::Subscription { is_in: true, topic: b"attic" }, START);
    core.handle(Input::End { peer }, START);
    assert_eq!(said(&mut core), [""; 0]);
    opened(&mut core, 1, &[b"attic"]);
    assert_eq!(said(&mut core), ["1: in, graft", "1 left"]);
    opened(&mut core, 0, &[b"lobby"]);
    assert_eq!((said(&mut core).len(), core.members(LOBBY).count()), (1, 1));
}

#[test]
fn who_may_not_have_heard_that_we_left_is_told_again() {
    let mut core = with_peers(1);
    core.handle(Input::Unsubscribe { topic: LOBBY }, START);
    said(&mut core);
    core.handle(Input::Reset { peer: PeerIndex(0) }, START + limits::LEFT_MS - 1);
    assert_eq!(said(&mut core), ["0: out"]);
    core.handle(Input::Reset { peer: PeerIndex(0) }, START + limits::LEFT_MS);
    assert_eq!(said(&mut core), [""; 0]);
    for back in 0..100 {
        core.handle(Input::Subscribe { topic: LOBBY, name: b"lobby", by_content: false }, START + back);
        said(&mut core);
        core.handle(Input::Reset { peer: PeerIndex(0) }, START + back);
        assert_eq!(said(&mut core), ["0: in"]);
        core.handle(Input::Unsubscribe { topic: LOBBY }, START + back);
    }
}

#[test]
fn who_opens_stream_after_stream_is_not_greeted_on_each_at_once() {
    let mut core = with_peers(1);
    for _ in 0..1_000 {
        core.handle(Input::Opened { peer: PeerIndex(0) }, START);
    }
    assert_eq!(said(&mut core).len(), limits::GREETINGS_MAX as usize);
    wait(&mut core);
    assert_eq!(said(&mut core), ["0: in, graft"], "but in the end");
}
