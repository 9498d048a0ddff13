//! What the core answers, input by input.

use super::*;
use crate::gossip::input::Verdict;
use crate::gossip::message::Signed;
use crate::gossip::output::PublishError;
use crate::gossip::settings::{self as limits, Mesh};
use crate::wire::rpc::{List, Message, Parts};
use alloc::{format, string::String, string::ToString};

mod places;
mod streams;

const LOBBY: TopicIndex = TopicIndex(0);
const START: u64 = 1_000_000;

fn settings(mesh: Mesh) -> Settings {
    Settings { topics_max: 4, store_messages_max: 64, store_bytes_max: 100_000, seen_max: 256, mesh, seed: [1, 2] }
}

fn core() -> Core {
    let mut core = Core::new(settings(Mesh::of_board(64)), START);
    core.handle(Input::Subscribe { topic: LOBBY, name: b"lobby", by_content: false }, START);
    assert_eq!(said(&mut core), [""; 0]);
    core
}

/// A core with so many peers in the lobby, all of them told and told of.
fn with_peers(count: u16) -> Core {
    let mut core = core();
    (0..count).for_each(|peer| meet(&mut core, peer, Protocol::V12));
    while core.poll_output().is_some() {}
    core
}

fn id_of(peer: u16) -> Vec<u8> {
    format!("peer{peer}").into_bytes()
}

fn meet(core: &mut Core, peer: u16, protocol: Protocol) {
    let (index, id) = (PeerIndex(peer), id_of(peer));
    core.handle(Input::Connected { peer: index, id: &id, outbound: peer.is_multiple_of(2), group: 0 }, START);
    core.handle(Input::Speaks { peer: index, protocol }, START);
    part(core, peer, Part::Subscription { is_in: true, topic: b"lobby" }, START);
}

fn part(core: &mut Core, peer: u16, part: Part<'_>, now: u64) {
    core.handle(Input::Part { peer: PeerIndex(peer), part }, now);
}

fn signed(author: &[u8], number: u64, data: &[u8]) -> Signed {
    let message = Message {
        from: Some(author),
        data: Some(data),
        seqno: Some(&number.to_be_bytes()),
        topic: Some(b"lobby"),
        signature: Some(&[1; 64]),
        key: None,
    };
    Signed::new(&message).unwrap()
}

/// A peer brings a message of an author; whether it was wanted. It is accepted.
fn bring(core: &mut Core, peer: u16, author: &[u8], number: u64, now: u64) -> bool {
    let (index, id) = (PeerIndex(peer), number.to_be_bytes());
    let wanted = core.wants(index, LOBBY, &id, now);
    if wanted {
        core.handle(Input::Message { peer: index, topic: LOBBY, id: &id, message: signed(author, number, b"hi") }, now);
        let key = core.messages.key(&id);
        core.handle(Input::Judged { key, verdict: Verdict::Accept }, now);
    }
    wanted
}

fn publish(core: &mut Core, number: u64, now: u64) {
    let message = signed(b"me", number, b"hi");
    core.handle(Input::Publish { topic: LOBBY, id: &number.to_be_bytes(), message }, now);
}

/// A part in a few words: ids are numbers.
fn words(part: &Part<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_string();
    let list = |ids: &List<'_>| {
        let number = |id: &[u8]| id.try_into().map_or_else(|_| text(id), |id| u64::from_be_bytes(id).to_string());
        ids.iter().map(number).collect::<Vec<_>>().join(" ")
    };
    match part {
        Part::Subscription { is_in: true, .. } => "in".into(),
        Part::Subscription { .. } => "out".into(),
        Part::Message(message) => format!("message {}", message.strict().unwrap().seqno),
        Part::IHave { ids, .. } => format!("ihave {}", list(ids)),
        Part::IWant { ids } => format!("iwant {}", list(ids)),
        Part::Graft { .. } => "graft".into(),
        Part::Prune { peers, backoff_s, .. } => format!("prune {} {}", backoff_s.unwrap_or(0), list(peers)),
        Part::IDontWant { ids } => format!("idontwant {}", list(ids)),
    }
}

/// All outputs: what is said as `peer: words`.
fn said(core: &mut Core) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(output) = core.poll_output() {
        all.push(match output {
            Output::Send { peer, frame } => {
                let rpc = &frame.bytes[1 + usize::from(frame.bytes[0] >= 128)..];
                let parts: Vec<String> = Parts::new(rpc).map(|part| words(&part.unwrap())).collect();
                format!("{}: {}", peer.0, parts.join(", "))
            }
            Output::Deliver { from, message, .. } => format!("deliver {} of {}", message.strict().seqno, from.0),
            Output::Published { result, .. } => format!("published {result:?}"),
            Output::Subscribed { peer, .. } => format!("{} joined", peer.0),
            Output::Unsubscribed { peer, .. } => format!("{} left", peer.0),
            Output::Ban { peer } => format!("ban {}", peer.0),
            Output::Suggested { id, .. } => format!("try {}", String::from_utf8_lossy(&id)),
        });
    }
    all
}

/// Lets the time come that the core asked for.
fn wait(core: &mut Core) -> u64 {
    let at = core.poll_timeout().expect("it waits for something");
    core.handle_timeout(at);
    assert!(core.poll_timeout().is_none_or(|next| next > at));
    at
}

fn quiet(core: &mut Core) {
    for _ in 0..20 {
        if core.poll_timeout().is_none() {
            return;
        }
        wait(core);
    }
    panic!("it never rests: {:?}", core.poll_timeout());
}

#[test]
fn a_peer_is_told_where_we_are_and_gets_its_place() {
    let mut core = core();
    meet(&mut core, 1, Protocol::V12);
    assert_eq!(said(&mut core), ["1: in", "1 joined", "1: graft"]);
    meet(&mut core, 2, Protocol::Floodsub);
    assert_eq!(said(&mut core), ["2: in", "2 joined"]);
    meet(&mut core, 3, Protocol::None);
    assert_eq!(said(&mut core), ["3 joined"]);
    quiet(&mut core);
    publish(&mut core, 7, START);
    assert_eq!(said(&mut core), ["1: message 7", "2: message 7", "published Ok(2)"]);
}

#[test]
fn what_is_said_before_the_stream_stands_goes_out_behind_the_hello() {
    let mut core = core();
    let mut queue = crate::gossip::queue::SendQueue::new(100, 100_000);
    core.handle(Input::Connected { peer: PeerIndex(0), id: b"x", outbound: true, group: 0 }, START);
    part(&mut core, 0, Part::Subscription { is_in: true, topic: b"lobby" }, START);
    publish(&mut core, 7, START);
    core.handle(Input::Speaks { peer: PeerIndex(0), protocol: Protocol::V11 }, START);
    while let Some(output) = core.poll_output() {
        if let Output::Send { frame, .. } = output {
            assert!(queue.push(frame).is_none());
        }
    }
    let kinds: Vec<Kind> = core::iter::from_fn(|| queue.pop()).map(|frame| frame.kind).collect();
    assert_eq!(kinds, [Kind::Hello, Kind::Own, Kind::Control]);
}

#[test]
fn a_message_is_taken_once_and_goes_to_those_who_lack_it() {
    let mut core = with_peers(4);
    assert!(bring(&mut core, 1, &id_of(2), 7, START));
    assert_eq!(said(&mut core), ["deliver 7 of 1", "0: message 7", "3: message 7"], "its author has it");
    assert!(!bring(&mut core, 3, &id_of(2), 7, START) && said(&mut core).is_empty());
    assert_eq!(core.refused().seen, 1);
    assert!(!core.wants(PeerIndex(9), LOBBY, b"x", START), "nobody");
    assert!(!core.wants(PeerIndex(1), TopicIndex(9), b"x", START), "nowhere");
    assert!(!core.wants(PeerIndex(1), LOBBY, &[1; 129], START), "too long");
}

#[test]
fn what_is_bad_or_ignored_is_not_handed_on_and_only_what_is_bad_is_blamed() {
    let mut core = with_peers(2);
    let mut judged = |number: u64, verdict| {
        let (id, peer) = (number.to_be_bytes(), PeerIndex(1));
        assert!(core.wants(peer, LOBBY, &id, START));
        core.handle(Input::Message { peer, topic: LOBBY, id: &id, message: signed(b"x", number, b"") }, START);
        core.handle(Input::Judged { key: core.messages.key(&id), verdict }, START);
        said(&mut core)
    };
    for number in 0..9 {
        assert_eq!(judged(number, Verdict::Ignore), [format!("deliver {number} of 1")]);
    }
    for number in 10..13 {
        assert_eq!(judged(number, Verdict::Reject), [format!("deliver {number} of 1")]);
    }
    assert_eq!(judged(13, Verdict::Reject), ["deliver 13 of 1", "ban 1"]);
    assert!(!bring(&mut core, 1, b"x", 14, START));
    part(&mut core, 1, Part::Graft { topic: b"lobby" }, START);
    assert_eq!((core.refused().offenders, said(&mut core).len()), (2, 0));
    assert!(core.admits(&id_of(1), START), "it is connected");
    core.handle(Input::Disconnected { peer: PeerIndex(1) }, START);
    assert!(!core.admits(&id_of(1), START + 60_000) && core.admits(&id_of(2), START));
    assert!(core.admits(&id_of(1), START + 3 * limits::OFFENCE_HALF_MS));
    meet(&mut core, 1, Protocol::V12);
    assert!(!bring(&mut core, 1, b"x", 15, START), "nor does it start anew before");
}

#[test]
fn a_bad_signature_costs_and_does_not_hide_the_message() {
    let mut core = with_peers(2);
    for _ in 0..3 {
        assert!(core.wants(PeerIndex(1), LOBBY, &7_u64.to_be_bytes(), START));
        core.handle(Input::Invalid { peer: PeerIndex(1) }, START);
    }
    assert!(bring(&mut core, 0, b"x", 7, START), "the good one is taken");
    core.handle(Input::Invalid { peer: PeerIndex(1) }, START);
    assert_eq!(said(&mut core), ["deliver 7 of 0", "1: message 7", "ban 1"]);
}

#[test]
fn what_a_newcomer_missed_is_offered_three_times_and_then_there_is_rest() {
    let mut core = with_peers(1);
    quiet(&mut core);
    publish(&mut core, 7, START);
    bring(&mut core, 0, b"x", 8, START);
    quiet(&mut core);
    assert_eq!(said(&mut core).last().map(String::as_str), Some("0: ihave 7"), "what is ours is told once more");
    meet(&mut core, 1, Protocol::V10);
    assert_eq!(said(&mut core), ["1: in", "1 joined", "1: graft"]);
    for _ in 0..3 {
        wait(&mut core);
        assert_eq!(said(&mut core), ["1: ihave 7 8"]);
    }
    assert_eq!(core.poll_timeout(), None);
    let ids = [&7_u64.to_be_bytes()[..], &9_u64.to_be_bytes()];
    part(&mut core, 1, Part::IWant { ids: List::ids(&ids) }, START);
    assert_eq!(said(&mut core), ["1: message 7"]);
    assert_eq!((core.recovery().given, core.recovery().asked), (1, 0));
    meet(&mut core, 2, Protocol::V10);
    said(&mut core);
    let long = START + limits::OFFER_MS;
    core.handle_timeout(long);
    assert_eq!(said(&mut core), [""; 0], "too long ago");
}

#[test]
fn what_a_queue_could_not_hold_is_offered_also_in_the_mesh() {
    let mut core = with_peers(2);
    quiet(&mut core);
    publish(&mut core, 7, START);
    let frame = core::iter::from_fn(|| core.poll_output()).find_map(|output| match output {
        Output::Send { peer: PeerIndex(1), frame } => Some(frame),
        _ => None,
    });
    quiet(&mut core);
    said(&mut core);
    core.handle(Input::Dropped { peer: PeerIndex(1), frame: frame.unwrap() }, START);
    wait(&mut core);
    assert_eq!(said(&mut core), ["1: ihave 7"]);
    part(&mut core, 1, Part::IHave { topic: b"lobby", ids: List::ids(&[&7_u64.to_be_bytes()]) }, START);
    assert_eq!(said(&mut core), ["1: idontwant 7"], "we have it too");
    quiet(&mut core);
    assert_eq!(said(&mut core), [""; 0], "it has it by now");
}

#[test]
fn who_offers_is_asked_once_and_then_the_next() {
    let mut core = with_peers(3);
    quiet(&mut core);
    let ids = [&7_u64.to_be_bytes()[..], &8_u64.to_be_bytes()];
    for peer in [1, 2] {
        part(&mut core, peer, Part::IHave { topic: b"lobby", ids: List::ids(&ids) }, START);
    }
    assert_eq!(said(&mut core), ["1: iwant 7 8"]);
    bring(&mut core, 1, b"x", 8, START);
    said(&mut core);
    assert_eq!(wait(&mut core), START + limits::FOLLOW_UP_MS);
    assert_eq!(said(&mut core), ["2: iwant 7"]);
    core.handle(Input::Disconnected { peer: PeerIndex(2) }, START);
    quiet(&mut core);
    assert_eq!(said(&mut core), ["1: iwant 7"], "once more");
    assert_eq!((core.messages.asked.meter().length, core.recovery().asked), (0, 4));
    part(&mut core, 1, Part::IHave { topic: b"attic", ids: List::ids(&ids) }, START);
    assert_eq!(said(&mut core), [""; 0], "of no room of ours");
}

#[test]
fn large_messages_are_not_wanted_twice() {
    let mut core = with_peers(3);
    meet(&mut core, 3, Protocol::V11);
    said(&mut core);
    let (peer, id) = (PeerIndex(0), 7_u64.to_be_bytes());
    assert!(core.wants(peer, LOBBY, &id, START));
    part(&mut core, 2, Part::IDontWant { ids: List::ids(&[&id]) }, START);
    core.handle(Input::Message { peer, topic: LOBBY, id: &id, message: signed(b"x", 7, &[7; 1_100]) }, START);
    assert_eq!(said(&mut core), ["1: idontwant 7", "deliver 7 of 0"], "1.1 does not know it, 2 has it");
    core.handle(Input::Judged { key: core.messages.key(&id), verdict: Verdict::Accept }, START);
    assert_eq!(said(&mut core), ["1: message 7", "3: message 7"]);
}

#[test]
fn where_words_make_the_message_they_can_be_said_again() {
    let mut core = core();
    let (topic, message) = (TopicIndex(1), signed(b"me", 1, b"ok"));
    core.handle(Input::Subscribe { topic, name: b"test-net", by_content: true }, START);
    let mut say = |now| {
        core.handle(Input::Publish { topic, id: b"ok", message: message.clone() }, now);
        said(&mut core).pop()
    };
    assert_eq!(say(START).as_deref(), Some("published Ok(0)"));
    assert_eq!(say(START + 1).as_deref(), Some("published Err(Duplicate)"));
    assert_eq!(say(START + limits::SAME_MS).as_deref(), Some("published Ok(0)"));
}

#[test]
fn a_line_that_is_said_again_goes_to_those_who_lack_it() {
    let mut core = with_peers(1);
    publish(&mut core, 7, START);
    said(&mut core);
    meet(&mut core, 1, Protocol::V12);
    said(&mut core);
    publish(&mut core, 7, START);
    assert_eq!(said(&mut core), ["1: message 7", "published Ok(1)"]);
    core.handle(Input::Forward { peer: PeerIndex(0), id: &9_u64.to_be_bytes(), message: signed(b"x", 9, b"") }, START);
    assert_eq!(said(&mut core), ["0: message 9"]);
}

#[test]
fn numbers_that_are_nobodys_and_parts_of_strangers_do_nothing() {
    let mut core = core();
    let far = PeerIndex(u16::MAX);
    core.handle(Input::Connected { peer: far, id: b"x", outbound: true, group: 0 }, START);
    for peer in [far, PeerIndex(3)] {
        core.handle(Input::Speaks { peer, protocol: Protocol::V12 }, START);
        core.handle(Input::Reset { peer }, START);
        core.handle(Input::Opened { peer }, START);
        core.handle(Input::Part { peer, part: Part::Graft { topic: b"lobby" } }, START);
        core.handle(Input::End { peer }, START);
        core.handle(Input::Invalid { peer }, START);
        core.handle(Input::Disconnected { peer }, START);
    }
    assert_eq!((said(&mut core).len(), core.poll_timeout()), (0, None));
}
