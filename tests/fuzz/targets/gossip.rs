//! Any sequence of inputs to a gossip core: nothing panics, no container is above its bound, a message is delivered once,
//! what is asked for names only peers that are connected, and whoever woke it is not to wake it again at once.

use arbitrary::{Result, Unstructured};
use std::collections::{BTreeMap, BTreeSet};
use stonechat::gossip::{
    Core, Input, Mesh, Output, PeerIndex, Protocol, SendQueue, Settings, Signed, TopicIndex, Verdict,
};
use stonechat::wire::rpc::{List, Message, Part, Parts};

const TOPICS: [&[u8]; 4] = [b"stonechat/1/lobby", b"test-net", b"attic", b""];
const PROTOCOLS: [Protocol; 5] = [Protocol::None, Protocol::Floodsub, Protocol::V10, Protocol::V11, Protocol::V12];
/// The topic where two who say the same say the same message.
const BY_CONTENT: u16 = 1;

struct World {
    core: Core,
    now: u64,
    peers: BTreeMap<u16, SendQueue>,
    members: BTreeSet<(u16, u16)>,
    delivered: BTreeSet<Vec<u8>>,
    pending: Vec<stonechat::gossip::Key>,
}

/// One case.
pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mesh = match input.int_in_range(0..=2_u8).unwrap_or_default() {
        0 => Mesh::of_board(6),
        1 => Mesh::PUBLISHED,
        _ => Mesh { high: 3, low: 1, target: 2, everybody: 2, ..Mesh::of_board(6) },
    };
    let settings = Settings {
        topics_max: 3,
        store_messages_max: 12,
        store_bytes_max: 16_000,
        seen_max: 65_536,
        mesh,
        seed: [input.arbitrary().unwrap_or_default(), 7],
    };
    let (peers, members, delivered, pending) = Default::default();
    let mut world = World { core: Core::new(settings, 1_000), now: 1_000, peers, members, delivered, pending };
    while !input.is_empty() && world.step(&mut input).is_ok() {
        world.drain();
        world.check();
    }
    // Left alone, and with peers who read, it comes to rest.
    for _ in 0..200 {
        world.peers.values_mut().for_each(|queue| while queue.pop().is_some() {});
        let Some(at) = world.core.poll_timeout() else { return };
        world.wake(at);
    }
    panic!("it never rests: {:?}", world.core.poll_timeout());
}

impl World {
    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let peer = PeerIndex(input.int_in_range(0..=9_u16)?);
        let at = input.int_in_range(0..=3_u16)?;
        let (topic, name) = (TopicIndex(at), TOPICS[usize::from(at)]);
        match input.int_in_range(0..=21_u8)? {
            0 | 1 => {
                let outbound = input.arbitrary()?;
                self.forget(peer);
                self.peers.insert(peer.0, SendQueue::new(6, 4_000));
                let id = [b'p', input.int_in_range(0..=12)?];
                self.tell(Input::Connected { peer, id: &id, outbound, group: u64::from(peer.0 % 3) });
            }
            2 => self.tell(Input::Speaks { peer, protocol: *input.choose(&PROTOCOLS)? }),
            3 => self.tell(Input::Reset { peer }),
            4 => self.tell(Input::Opened { peer }),
            5 => {
                self.forget(peer);
                self.tell(Input::Disconnected { peer });
            }
            6 | 7 => {
                self.tell(Input::Part { peer, part: Part::Subscription { is_in: input.ratio(3, 4)?, topic: name } })
            }
            8 | 9 => self.bring(peer, topic, input.int_in_range(0..=40)?),
            10 => self.tell(Input::Invalid { peer }),
            11 => self.tell(Input::Subscribe { topic, name, by_content: at == BY_CONTENT }),
            12 if input.ratio(1, 4)? => {
                self.members.retain(|(_, member_of)| *member_of != at);
                self.tell(Input::Unsubscribe { topic });
            }
            13 => {
                let number = input.int_in_range(100..=140)?;
                // A number of ours is given once.
                self.delivered.insert(id_of(topic, number));
                self.tell(Input::Publish { topic, id: &id_of(topic, number), message: message(topic, number) });
            }
            14 => {
                let number = input.int_in_range(0..=140)?;
                self.tell(Input::Forward { peer, id: &id_of(topic, number), message: message(topic, number) });
            }
            15 => self.judge(*input.choose(&[Verdict::Accept, Verdict::Accept, Verdict::Ignore, Verdict::Reject])?),
            16 | 17 => self.control(peer, topic, input)?,
            18 => {
                let length = input.int_in_range(0..=80)?;
                let rpc = input.bytes(length)?;
                for part in Parts::new(rpc).flatten() {
                    self.tell(Input::Part { peer, part });
                }
                self.tell(Input::End { peer });
            }
            19 => drop(self.peers.get_mut(&peer.0).and_then(SendQueue::pop)),
            20 => {
                let at = self.core.poll_timeout();
                at.into_iter().for_each(|at| self.wake(at));
            }
            _ => {
                let pause = u64::from(input.arbitrary::<u16>()?) * if input.ratio(1, 8)? { 100 } else { 1 };
                self.wake(self.now + pause);
            }
        }
        Ok(())
    }

    fn control(&mut self, peer: PeerIndex, topic: TopicIndex, input: &mut Unstructured<'_>) -> Result<()> {
        let name = TOPICS[usize::from(topic.0)];
        let numbers: Vec<u8> =
            (0..input.int_in_range(0..=5)?).map(|_| input.int_in_range(0..=140)).collect::<Result<_>>()?;
        let ids: Vec<Vec<u8>> = numbers.into_iter().map(|number| id_of(topic, number)).collect();
        let ids: Vec<&[u8]> = ids.iter().map(Vec::as_slice).collect();
        let ids = List::ids(&ids);
        let part = match input.int_in_range(0..=4_u8)? {
            0 => Part::IHave { topic: name, ids },
            1 => Part::IWant { ids },
            2 => Part::IDontWant { ids },
            3 => Part::Graft { topic: name },
            _ => Part::Prune { topic: name, peers: List::peers(&[b"p1", b"p2"]), backoff_s: input.arbitrary()? },
        };
        self.tell(Input::Part { peer, part });
        Ok(())
    }

    fn bring(&mut self, peer: PeerIndex, topic: TopicIndex, number: u8) {
        let id = id_of(topic, number);
        if self.core.wants(peer, topic, &id, self.now) {
            self.tell(Input::Message { peer, topic, id: &id, message: message(topic, number) });
        }
    }

    fn judge(&mut self, verdict: Verdict) {
        if !self.pending.is_empty() {
            let key = self.pending.remove(0);
            self.tell(Input::Judged { key, verdict });
        }
    }

    fn forget(&mut self, peer: PeerIndex) {
        self.peers.remove(&peer.0);
        self.members.retain(|(member, _)| *member != peer.0);
    }

    fn tell(&mut self, input: Input<'_>) {
        self.core.handle(input, self.now);
        self.drain();
    }

    fn wake(&mut self, at: u64) {
        self.now = self.now.max(at);
        self.core.handle_timeout(self.now);
        let next = self.core.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "{next:?} at {}", self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Send { peer, frame } => {
                    let queue = self.peers.get_mut(&peer.0).expect("it is connected");
                    let prefix = frame.bytes.iter().position(|byte| byte & 0x80 == 0).expect("a length") + 1;
                    assert!(Parts::new(&frame.bytes[prefix..]).all(|part| part.is_ok()), "others can read it");
                    if let Some(frame) = queue.push(frame) {
                        self.core.handle(Input::Dropped { peer, frame }, self.now);
                    }
                }
                Output::Deliver { from, topic, key, message, .. } => {
                    assert!(self.peers.contains_key(&from.0));
                    self.pending.push(key);
                    let number = message.strict().data[0];
                    let is_new = self.delivered.insert(id_of(topic, number));
                    assert!(is_new || topic.0 == BY_CONTENT, "{number} twice");
                }
                Output::Subscribed { peer, topic } => assert!(self.members.insert((peer.0, topic.0))),
                Output::Unsubscribed { peer, topic } => assert!(self.members.remove(&(peer.0, topic.0))),
                Output::Ban { peer } => assert!(self.peers.contains_key(&peer.0)),
                Output::Published { .. } | Output::Suggested { .. } => {}
            }
        }
    }

    fn check(&self) {
        for (name, meter) in self.core.meters() {
            assert!(meter.length <= meter.capacity && meter.high_water <= meter.capacity, "{name}: {meter:?}");
        }
        for topic in 0..4 {
            let members: BTreeSet<(u16, u16)> =
                self.core.members(TopicIndex(topic)).map(|peer| (peer.0, topic)).collect();
            let told: BTreeSet<_> = self.members.iter().copied().filter(|(_, of)| *of == topic).collect();
            assert_eq!(members, told);
        }
    }
}

fn id_of(topic: TopicIndex, number: u8) -> Vec<u8> {
    vec![b'i', topic.0 as u8, number]
}

fn message(topic: TopicIndex, number: u8) -> Signed {
    let data = [number; 1_200];
    let message = Message {
        from: Some(&[b'p', number % 16]),
        // Some are long.
        data: Some(&data[..if number.is_multiple_of(5) { 1_200 } else { 1 }]),
        seqno: Some(&[number; 8]),
        topic: Some(TOPICS[usize::from(topic.0)]),
        signature: Some(&[1; 64]),
        key: None,
    };
    Signed::new(&message).expect("it says all it must")
}
