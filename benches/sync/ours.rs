//! Our comparison, and catching up as a whole.

use crate::sets::{Random, Set};
use crate::{Cost, memory};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use stonechat::chat::sync::compare::Opening;
use stonechat::chat::sync::library::Library;
use stonechat::chat::sync::session::{self, Session};
use stonechat::chat::sync::sessions::{Input, Limits, Output, Sessions};
use stonechat::wire::room::{RoomName, Topic};
use stonechat::wire::sync::frame::Request;
use stonechat::wire::sync::item::{Item, SessionKey};

const FRAME_BYTES: usize = 16 * 1024;
const MESSAGE_BYTES: usize = 300;

fn topic() -> Topic {
    RoomName::new("lobby").expect("a name").topic()
}

/// The comparison alone.
pub fn compare(ours: &Set, theirs: &Set) -> Cost {
    let start = Instant::now();
    let (mut cost, heap) = memory::most(|| {
        let mut cost = Cost::default();
        let key = SessionKey([3, 4]);
        let mut session =
            Session::begin(ours, &topic(), key, FRAME_BYTES, 0, Opening::Newest).expect("there is room in the frame");
        while !session.request().is_empty() {
            let request = Request::decode(session.request()).expect("a request of ours");
            let mut response = vec![0; FRAME_BYTES];
            let (used, _) = session::answer(theirs, &request, &mut response).expect("an answer");
            cost.up += session.request().len();
            cost.down += used;
            cost.rounds += 1;
            session.handle_response(ours, &response[..used]).expect("an answer of ours");
        }
        cost
    });
    (cost.cpu, cost.heap) = (start.elapsed(), heap);
    cost
}

/// What catching up took.
pub struct Caught {
    pub messages: usize,
    /// Bytes both ways beside the messages themselves.
    pub beside: usize,
    pub rounds: usize,
    pub first: Duration,
    pub all: Duration,
}

/// A history with its messages. An index that takes messages in the order of their coming, sorted when it is looked at.
struct Rooms {
    set: Set,
    bodies: BTreeMap<Item, Vec<u8>>,
    by_body: BTreeMap<Vec<u8>, Item>,
}

impl Rooms {
    fn new(set: &Set, all: &BTreeMap<Item, Vec<u8>>) -> Self {
        let bodies = set.0.iter().map(|item| (*item, all[item].clone())).collect();
        // Stands for reading the message and hashing it.
        let by_body = all.iter().map(|(item, body)| (body.clone(), *item)).collect();
        Self { set: set.clone(), bodies, by_body }
    }

    fn keep(&mut self, message: &[u8]) {
        let item = self.by_body[message];
        let at = self.set.0.partition_point(|kept| *kept < item);
        self.set.0.insert(at, item);
        self.bodies.insert(item, message.to_vec());
    }
}

impl Library for Rooms {
    type Items = Set;

    fn items(&self, _topic: &str) -> Option<&Set> {
        Some(&self.set)
    }

    fn message(&mut self, _topic: &str, item: &Item, out: &mut Vec<u8>) -> bool {
        self.bodies.get(item).is_some_and(|body| {
            out.extend_from_slice(body);
            true
        })
    }
}

/// Everything until both have the same.
pub fn catch_up(ours: &Set, theirs: &Set) -> Caught {
    let mut random = Random(11);
    let bodies: BTreeMap<Item, Vec<u8>> = (ours.0.iter().chain(&theirs.0))
        .map(|item| (*item, (0..MESSAGE_BYTES).map(|_| random.next() as u8).collect()))
        .collect();
    let (mut asking, mut serving) = (Rooms::new(ours, &bodies), Rooms::new(theirs, &bodies));
    let limits = Limits { frame_bytes_max: FRAME_BYTES, ..Limits::for_history(4, 20_000, 64 << 20) };
    let (mut a, mut b) = (Sessions::new(0, limits), Sessions::new(1, limits));
    let start = Instant::now();
    let begin = Input::Begin { peer: 1, topic: topic(), opening: Opening::Newest, key: SessionKey([3, 4]) };
    a.handle(begin, &mut asking, 0).expect("a session");
    let (mut bytes, mut rounds, mut messages, mut first) = (0, 0, 0, None);
    'whole: loop {
        while let Some(output) = a.poll_output() {
            match output {
                Output::Request { bytes: frame, .. } => {
                    bytes += frame.len();
                    rounds += 1;
                    b.handle(Input::Request { peer: 0, id: 1, bytes: &frame }, &mut serving, 0).expect("taken");
                }
                Output::Deliver { messages: delivered, id, .. } => {
                    messages += delivered.len();
                    delivered.iter().for_each(|message| asking.keep(message));
                    first.get_or_insert_with(|| start.elapsed());
                    a.handle(Input::Judged { peer: 1, id, refused: 0 }, &mut asking, 0).expect("taken");
                }
                Output::Ended { end, .. } => {
                    end.expect("it comes to its end");
                    break 'whole;
                }
                _ => {}
            }
        }
        while let Some(output) = b.poll_output() {
            match output {
                Output::Response { bytes: frame, .. } => {
                    bytes += frame.len();
                    a.handle(Input::Response { peer: 1, bytes: &frame }, &mut asking, 0).expect("taken");
                }
                Output::Deliver { messages: delivered, id, .. } => {
                    messages += delivered.len();
                    delivered.iter().for_each(|message| serving.keep(message));
                    b.handle(Input::Judged { peer: 0, id, refused: 0 }, &mut serving, 0).expect("taken");
                }
                _ => {}
            }
        }
    }
    let all = start.elapsed();
    assert!(asking.set.0 == serving.set.0, "both have the same");
    Caught { messages, beside: bytes - messages * MESSAGE_BYTES, rounds, first: first.unwrap_or(all), all }
}
