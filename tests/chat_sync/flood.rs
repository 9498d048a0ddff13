//! A flood, catch-up and the bounded index together: what honest peers said stays, and the flood does not go round for ever.

use crate::network::{item_of, message};
use std::collections::BTreeMap;
use stonechat::chat::index::entry::Place;
use stonechat::chat::index::room::{Refused, Room};
use stonechat::chat::index::rooms::{Bounds, Index};
use stonechat::chat::sync::compare::Opening;
use stonechat::chat::sync::library::Library;
use stonechat::chat::sync::sessions::{Input, Limits, Output, Sessions};
use stonechat::wire::room::{RoomName, Topic};
use stonechat::wire::sync::item::{Item, SessionKey};

const START: u64 = 1_790_000_000_000;

/// A node with a real index.
struct Peer {
    index: Index,
    bodies: BTreeMap<Item, Vec<u8>>,
    sessions: Sessions<usize>,
    room: RoomName,
    refused: BTreeMap<&'static str, u64>,
}

impl Library for Peer {
    type Items = Room;

    fn items(&self, topic: &str) -> Option<&Room> {
        (self.room.topic() == topic).then(|| self.index.room(&self.room)).flatten()
    }

    fn message(&mut self, _topic: &str, item: &Item, out: &mut Vec<u8>) -> bool {
        self.bodies.get(item).is_some_and(|body| {
            out.extend_from_slice(body);
            true
        })
    }
}

impl Peer {
    fn new(own: usize, messages_max: usize, known_max: usize) -> Self {
        let room = RoomName::new("lobby").unwrap();
        let mut index = Index::new(Bounds { rooms_max: 4, messages_max, bytes_max: 64 << 20, known_max });
        index.join(&room).unwrap();
        let sessions = Sessions::new(own, Limits::for_history(8, 100_000, 64 << 20));
        Self { index, bodies: BTreeMap::new(), sessions, room, refused: BTreeMap::new() }
    }

    /// Keeps a message whose author is the byte at its end.
    fn keep(&mut self, message: &[u8]) -> bool {
        let item = item_of(message).unwrap();
        let author = [*message.last().unwrap()];
        let bodies = &mut self.bodies;
        bodies.insert(item, message.to_vec());
        let bytes = message.len() as u16;
        let kept = self.index.insert(&self.room, &author, item, bytes, Place::Memory, |_, left| {
            bodies.remove(&left.item);
        });
        if let Err(why) = kept {
            if why != Refused::Known {
                self.bodies.remove(&item);
            }
            *self.refused.entry(if why == Refused::Known { "known" } else { "below" }).or_default() += 1;
        }
        kept.is_ok()
    }

    fn held(&self, author: u8) -> usize {
        self.index.room(&self.room).unwrap().of_author(&[author]).0
    }
}

/// A whole session from one to the other; bytes both ways, and messages that came in anew.
fn meet(asking: &mut Peer, serving: &mut Peer, now: u64) -> (usize, usize) {
    let topic: Topic = asking.room.topic();
    let begin = Input::Begin { peer: 1, topic, opening: Opening::Newest, key: SessionKey([now, 9]) };
    step(asking, begin, now);
    let (mut bytes_moved, mut new) = (0, 0);
    loop {
        if let Some(output) = asking.sessions.poll_output() {
            match output {
                Output::Request { bytes, .. } => {
                    bytes_moved += bytes.len();
                    step(serving, Input::Request { peer: 0, id: 7, bytes: &bytes }, now);
                }
                Output::Deliver { messages, id, .. } => {
                    new += messages.iter().filter(|message| asking.keep(message)).count();
                    step(asking, Input::Judged { peer: 1, id, refused: 0 }, now);
                }
                Output::Ended { end, .. } => {
                    assert!(end.is_ok(), "{end:?}");
                    return (bytes_moved, new);
                }
                other => panic!("{other:?}"),
            }
        }
        if let Some(output) = serving.sessions.poll_output() {
            match output {
                Output::Response { bytes, .. } => {
                    bytes_moved += bytes.len();
                    step(asking, Input::Response { peer: 1, bytes: &bytes }, now);
                }
                Output::Deliver { messages, id, .. } => {
                    new += messages.iter().filter(|message| serving.keep(message)).count();
                    step(serving, Input::Judged { peer: 0, id, refused: 0 }, now);
                }
                Output::Same { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn step(peer: &mut Peer, input: Input<'_, usize>, now: u64) {
    // The sessions work on the rest of the peer.
    let mut sessions = std::mem::replace(&mut peer.sessions, Sessions::new(0, Limits::for_history(1, 1, 1)));
    let handled = sessions.handle(input, peer, now);
    peer.sessions = sessions;
    handled.unwrap();
}

/// Six exchanges of a small board that may know so many messages beyond those it holds: bytes and new lines of each.
fn flooded(known_max: usize) -> Vec<(usize, usize)> {
    // A small board and a large one, and ten honest authors with 60 lines each.
    let (mut small, mut large) = (Peer::new(0, 1_000, known_max), Peer::new(1, 6_000, 6_000));
    for n in 0..600 {
        let said = message(START + n * 1_000, (n << 8) | (n % 10), 60);
        assert!(small.keep(&said) && large.keep(&said));
    }
    // The flooder reaches the large one alone, with lines from all over the time.
    for n in 0..3_000_u64 {
        large.keep(&message(START + n * 190, 1 << 40 | n << 8 | 15, 60));
    }
    let honest = |peer: &Peer| (0..10).map(|author| peer.held(author)).sum::<usize>();
    assert_eq!((honest(&small), honest(&large)), (600, 600));
    let mut costs = Vec::new();
    for minute in 0..6 {
        costs.push(meet(&mut small, &mut large, minute * 60_000));
    }
    assert_eq!(honest(&small), 600, "none of the honest lines is gone: they and the flooder's share fit");
    assert!(small.index.messages().length <= 1_000 && small.index.known().length <= known_max);
    println!("3,000 lines of a flood, a history of 1,000 that knows {known_max} more: bytes and new lines {costs:?}");
    costs
}

#[test]
fn a_flood_takes_its_share_and_does_not_come_again_and_again() {
    let costs = flooded(3_000);
    assert!(costs[0].1 >= 400, "there is space for some of it");
    assert!(costs[1..].iter().all(|(bytes, new)| *new == 0 && *bytes < 256), "{costs:?}");
    // What is known is bounded: of a flood larger than that, the rest is looked at anew each time, and refused.
    let costs = flooded(1_000);
    assert!(costs[1..].iter().all(|(bytes, new)| *new == 0 && *bytes < costs[0].0), "{costs:?}");
}

#[test]
fn what_the_index_let_go_is_not_fetched_back() {
    let (mut small, mut large) = (Peer::new(0, 500, 500), Peer::new(1, 5_000, 500));
    for n in 0..2_000 {
        large.keep(&message(START + n * 1_000, (n << 8) | (n % 10), 60));
    }
    let first = meet(&mut small, &mut large, 0);
    assert_eq!(small.index.messages().length, 500);
    let again = meet(&mut small, &mut large, 60_000);
    let third = meet(&mut small, &mut large, 120_000);
    println!("2,000 lines for a history of 500: {first:?}, then {again:?}, then {third:?}");
    assert_eq!((again.1, third.1), (0, 0));
    assert!(third.0 < 2_000, "{third:?}");
    // And it holds the newest.
    let newest = small.index.room(&small.room).unwrap().last(1).next().unwrap().item().stamp;
    assert_eq!(newest, START + 1_999 * 1_000);
}
