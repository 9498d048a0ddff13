//! A network of gossip cores in virtual time: links with a latency and a bandwidth, which lose, break and come back.

use super::kinds::{Capacity, FLOOD, Manner, Traffic, Weather, empty_like, is_bare, parts};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use stonechat::base::random::Random;
use stonechat::gossip::message::Shared;
use stonechat::gossip::{
    Core, Frame, Input, Output, PeerIndex, Protocol, SendQueue, Settings, Signed, TopicIndex, Verdict,
};
use stonechat::wire::rpc::{Message, Part};

/// The one room of everybody.
pub const ROOM: TopicIndex = TopicIndex(3);
const NAME: &[u8] = b"stonechat/1/lobby";
/// Bytes of text in a line.
const TEXT_BYTES: usize = 100;
struct Link {
    to: usize,
    /// The number that we have there.
    back: usize,
    queue: SendQueue,
    is_up: bool,
    /// Counts connections: what is under way on a former one is lost.
    epoch: u64,
    /// Until when it is busy, in microseconds, and whether somebody looks then.
    busy_until: u64,
    is_writing: bool,
    arrives_at: u64,
    protocol: Protocol,
}

pub struct Node {
    pub core: Core,
    pub manner: Manner,
    id: Vec<u8>,
    links: Vec<Link>,
    timer: Option<u64>,
    said: u64,
    /// When each line came, and over how many hops.
    pub heard: BTreeMap<u64, (u64, u32)>,
    pub banned: BTreeSet<usize>,
    pub members: BTreeSet<usize>,
}

enum Event {
    Timer(usize),
    Written(usize, usize),
    Arrived { to: usize, link: usize, epoch: u64, bytes: Shared },
    Up(usize, usize),
}

pub struct Network {
    pub random: Random,
    pub weather: Weather,
    pub now: u64,
    pub nodes: Vec<Node>,
    pub traffic: Traffic,
    /// Who said a line, and when.
    pub said: BTreeMap<u64, (usize, u64)>,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    waiting: BTreeMap<u64, Event>,
    next_event: u64,
}

impl Network {
    pub fn new(seed: u64, weather: Weather) -> Self {
        let (random, events) = (Random::new(seed), BinaryHeap::new());
        let (nodes, traffic, said, waiting) = Default::default();
        Self { random, weather, now: 1_000_000, nodes, traffic, said, events, waiting, next_event: 0 }
    }

    /// One node more; its number.
    pub fn add(&mut self, capacity: Capacity, manner: Manner) -> usize {
        let number = self.nodes.len();
        let settings = Settings {
            topics_max: 4,
            store_messages_max: capacity.store_messages,
            store_bytes_max: capacity.store_messages * 2_560,
            seen_max: capacity.seen,
            mesh: capacity.mesh,
            seed: [self.random.number(), self.random.number()],
        };
        let mut id: Vec<u8> = vec![0, 36, 8, 1, 18, 32];
        id.extend_from_slice(&(number as u64).to_be_bytes().repeat(4));
        let core = Core::new(settings, self.now);
        let (links, heard, banned, members) = Default::default();
        self.nodes.push(Node { core, manner, id, links, timer: None, said: 0, heard, banned, members });
        self.tell(number, Input::Subscribe { topic: ROOM, name: NAME, by_content: false });
        number
    }

    pub fn connect(&mut self, dialer: usize, listener: usize, queue_frames: usize, protocol: Protocol) {
        let (here, there) = (self.nodes[dialer].links.len(), self.nodes[listener].links.len());
        for (from, to, back) in [(dialer, listener, there), (listener, dialer, here)] {
            let queue = SendQueue::new(queue_frames, queue_frames * 2_560);
            let (is_up, epoch, busy_until, is_writing, arrives_at) = (false, 0, 0, false, 0);
            self.nodes[from].links.push(Link {
                to,
                back,
                queue,
                is_up,
                epoch,
                busy_until,
                is_writing,
                arrives_at,
                protocol,
            });
        }
        self.bring_up(dialer, here);
    }

    fn bring_up(&mut self, dialer: usize, link: usize) {
        let (listener, back) = (self.nodes[dialer].links[link].to, self.nodes[dialer].links[link].back);
        for (node, link, outbound) in [(dialer, link, true), (listener, back, false)] {
            let peer = PeerIndex(link as u16);
            let (id, protocol) =
                (self.nodes[self.nodes[node].links[link].to].id.clone(), self.nodes[node].links[link].protocol);
            self.nodes[node].links[link].is_up = true;
            self.nodes[node].links[link].queue = empty_like(&self.nodes[node].links[link].queue);
            self.tell(node, Input::Connected { peer, id: &id, outbound, group: 1 });
            self.tell(node, Input::Speaks { peer, protocol });
        }
    }

    /// A connection breaks, and another one stands some time later.
    pub fn cut(&mut self, node: usize, link: usize, for_ms: u64) {
        if !self.nodes[node].links[link].is_up {
            return;
        }
        for (node, link) in self.ends(node, link) {
            let one = &mut self.nodes[node].links[link];
            (one.is_up, one.epoch) = (false, one.epoch + 1);
            self.nodes[node].members.remove(&link);
            self.tell(node, Input::Disconnected { peer: PeerIndex(link as u16) });
        }
        self.after(for_ms, Event::Up(node, link));
    }

    /// A connection gives way to another one: what was under way is lost, what waits goes out on the new one.
    pub fn replace(&mut self, node: usize, link: usize) {
        if !self.nodes[node].links[link].is_up {
            return;
        }
        for (node, link) in self.ends(node, link) {
            self.nodes[node].links[link].epoch += 1;
            self.tell(node, Input::Reset { peer: PeerIndex(link as u16) });
            self.tell(node, Input::Opened { peer: PeerIndex(link as u16) });
        }
    }

    fn ends(&self, node: usize, link: usize) -> [(usize, usize); 2] {
        [(node, link), (self.nodes[node].links[link].to, self.nodes[node].links[link].back)]
    }

    pub fn links(&self, node: usize) -> usize {
        self.nodes[node].links.len()
    }

    pub fn neighbour(&self, node: usize, link: usize) -> usize {
        self.nodes[node].links[link].to
    }

    /// Somebody says a line; its number.
    pub fn say(&mut self, node: usize, number: u64) {
        let (id, message) = self.line(node, number);
        if number < FLOOD {
            self.said.insert(number, (node, self.now));
            self.nodes[node].heard.insert(number, (self.now, 0));
        }
        self.tell(node, Input::Publish { topic: ROOM, id: &id, message });
    }

    /// Anybody honest says a line.
    pub fn say_by_chance(&mut self, number: u64) {
        loop {
            let node = self.random.below(self.nodes.len() as u64) as usize;
            if self.nodes[node].manner == Manner::Honest {
                return self.say(node, number);
            }
        }
    }

    /// So many links of a hundred break a second: those of so many milliseconds. Half of them are replaced.
    pub fn break_links(&mut self, per_second: u64, ms: u64) {
        for node in 0..self.nodes.len() {
            for link in 0..self.links(node) {
                // Each link has two ends.
                if self.random.below(200_000) < per_second * ms {
                    let pause = self.random.below(2_000);
                    if pause.is_multiple_of(2) { self.cut(node, link, pause) } else { self.replace(node, link) }
                }
            }
        }
    }

    /// Cuts every link between the nodes below a number and the others.
    pub fn cut_between(&mut self, number: usize, for_ms: u64) {
        for node in 0..number {
            for link in 0..self.links(node) {
                if self.neighbour(node, link) >= number {
                    self.cut(node, link, for_ms);
                }
            }
        }
    }

    fn line(&mut self, node: usize, number: u64) -> (Vec<u8>, Signed) {
        let author = &mut self.nodes[node];
        author.said += 1;
        let (seqno, mut data) = (author.said.to_be_bytes(), number.to_be_bytes().to_vec());
        data.resize(TEXT_BYTES, b'.');
        let message = Message {
            from: Some(&author.id),
            data: Some(&data),
            seqno: Some(&seqno),
            topic: Some(NAME),
            signature: Some(&[7; 64]),
            key: None,
        };
        ([author.id.as_slice(), &seqno].concat(), Signed::new(&message).unwrap())
    }

    pub fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        while let Some(Reverse((at, number))) = self.events.peek().copied().filter(|next| next.0.0 <= until) {
            self.events.pop();
            self.now = self.now.max(at);
            match self.waiting.remove(&number) {
                Some(Event::Timer(node)) => self.on_timer(node, at),
                Some(Event::Written(node, link)) => {
                    self.nodes[node].links[link].is_writing = false;
                    self.write(node, link);
                }
                Some(Event::Arrived { to, link, epoch, bytes }) => self.on_arrived(to, link, epoch, &bytes),
                Some(Event::Up(node, link)) => self.bring_up(node, link),
                None => {}
            }
            if number % 64 == 0 {
                self.check_bounds(number as usize / 64 % self.nodes.len());
            }
        }
        self.now = until;
    }

    fn after(&mut self, ms: u64, event: Event) {
        self.next_event += 1;
        self.waiting.insert(self.next_event, event);
        self.events.push(Reverse((self.now + ms, self.next_event)));
    }

    fn on_timer(&mut self, node: usize, at: u64) {
        if self.nodes[node].timer != Some(at) {
            return;
        }
        self.nodes[node].timer = None;
        if self.nodes[node].core.poll_timeout().is_some_and(|due| due <= self.now) {
            self.nodes[node].core.handle_timeout(self.now);
            let next = self.nodes[node].core.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "node {node} at {}: {next:?}", self.now);
        }
        self.drain(node);
    }

    fn tell(&mut self, node: usize, input: Input<'_>) {
        self.nodes[node].core.handle(input, self.now);
        self.drain(node);
    }

    /// Does what the core asks for.
    fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].core.poll_output() {
            match output {
                Output::Send { peer, frame } => self.send(node, usize::from(peer.0), frame),
                Output::Deliver { from, topic, key, message, .. } => {
                    assert_eq!(topic, ROOM);
                    self.on_delivered(node, usize::from(from.0), &message);
                    self.nodes[node].core.handle(Input::Judged { key, verdict: Verdict::Accept }, self.now);
                }
                Output::Subscribed { peer, .. } => {
                    assert!(self.nodes[node].members.insert(usize::from(peer.0)), "told twice");
                }
                Output::Unsubscribed { peer, .. } => {
                    assert!(self.nodes[node].members.remove(&usize::from(peer.0)), "was not told");
                }
                Output::Ban { peer } => drop(self.nodes[node].banned.insert(usize::from(peer.0))),
                Output::Published { .. } | Output::Suggested { .. } => {}
            }
        }
        let due = self.nodes[node].core.poll_timeout();
        if let Some(due) = due.filter(|due| self.nodes[node].timer.is_none_or(|timer| *due < timer)) {
            self.nodes[node].timer = Some(due.max(self.now));
            self.after(due.saturating_sub(self.now), Event::Timer(node));
        }
    }

    fn send(&mut self, node: usize, link: usize, frame: Frame) {
        if self.nodes[node].manner == Manner::Idle && !is_bare(&frame) {
            return;
        }
        if let Some(dropped) = self.nodes[node].links[link].queue.push(frame) {
            self.traffic.dropped += 1;
            let input = Input::Dropped { peer: PeerIndex(link as u16), frame: dropped };
            self.nodes[node].core.handle(input, self.now);
        }
        self.write(node, link);
    }

    /// Writes what there is as fast as the link takes it.
    fn write(&mut self, node: usize, link: usize) {
        let Weather { latency_ms: (least, more), bandwidth, packets_lost, frames_lost } = self.weather;
        let now = self.now;
        loop {
            let one = &mut self.nodes[node].links[link];
            if one.is_writing || !one.is_up {
                return;
            }
            if one.busy_until > now * 1_000 {
                one.is_writing = true;
                let busy = one.busy_until.div_ceil(1_000) - now;
                return self.after(busy, Event::Written(node, link));
            }
            let Some(frame) = one.queue.pop() else { return };
            one.busy_until = one.busy_until.max((now - 1) * 1_000) + frame.bytes.len() as u64 * 1_000 / bandwidth;
            let (to, back, epoch) = (one.to, one.back, one.epoch);
            let mut at = now + least + self.random.below(more + 1);
            let mut wait = 200;
            while self.random.below(100) < packets_lost {
                (at, wait) = (at + wait, 2 * wait);
            }
            // TCP keeps the order.
            at = at.max(self.nodes[node].links[link].arrives_at);
            self.nodes[node].links[link].arrives_at = at;
            if is_bare(&frame) || self.random.below(100) >= frames_lost {
                self.after(at - now, Event::Arrived { to, link: back, epoch, bytes: frame.bytes });
            }
        }
    }

    fn on_arrived(&mut self, node: usize, link: usize, epoch: u64, bytes: &[u8]) {
        if self.nodes[node].links[link].epoch != epoch || self.nodes[node].banned.contains(&link) {
            return;
        }
        self.traffic.bytes += bytes.len() as u64;
        let peer = PeerIndex(link as u16);
        for part in parts(bytes) {
            let Part::Message(message) = part else {
                self.tell(node, Input::Part { peer, part });
                continue;
            };
            self.traffic.copies += 1;
            let strict = message.strict().unwrap();
            let id = [strict.from, &strict.seqno.to_be_bytes()].concat();
            let topic = self.nodes[node].core.topic_of(strict.topic).unwrap();
            if self.nodes[node].core.wants(peer, topic, &id, self.now) {
                self.tell(node, Input::Message { peer, topic, id: &id, message: Signed::new(&message).unwrap() });
            }
        }
        self.tell(node, Input::End { peer });
    }

    fn on_delivered(&mut self, node: usize, link: usize, message: &Signed) {
        let number = u64::from_be_bytes(*message.strict().data.first_chunk().unwrap());
        if number >= FLOOD {
            return;
        }
        let from = self.nodes[node].links[link].to;
        let hops = self.nodes[from].heard.get(&number).map_or(0, |(_, hops)| hops + 1);
        let again = self.nodes[node].heard.insert(number, (self.now, hops));
        assert!(again.is_none(), "node {node} heard line {number} twice, at {} and {}", again.unwrap().0, self.now);
    }

    pub fn check_bounds(&self, node: usize) {
        for (name, meter) in self.nodes[node].core.meters() {
            let is_within = meter.length <= meter.capacity && meter.high_water <= meter.capacity;
            assert!(is_within, "{name} of node {node}: {meter:?}");
        }
        for (name, meter) in self.nodes[node].links.iter().flat_map(|link| link.queue.meters()) {
            assert!(meter.length <= meter.capacity, "{name} of node {node}: {meter:?}");
        }
    }

    /// Heartbeats of everybody so far.
    pub fn beats(&self) -> u64 {
        self.nodes.iter().map(|node| node.core.beats()).sum()
    }
}
