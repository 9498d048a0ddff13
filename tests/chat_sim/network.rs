//! A network of cores, and what must hold in it at any time.

use super::random::Random;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use stonechat::base::time::Now;
use stonechat::chat::clock::{AHEAD_MAX_MS, HORIZON_MS};
use stonechat::chat::core::Core;
use stonechat::chat::message::Inbound;
use stonechat::chat::settings::Settings;
use stonechat::chat::verdict::{Acceptance, Verdict};
use stonechat::wire::frame::{Body, Frame};
use stonechat::wire::room::RoomName;

/// When the program was built, and when the simulation starts.
const BUILD: u64 = 1_790_000_000_000;
const START: u64 = BUILD + 30 * 86_400_000;
/// How far a known clock is off, either way: well inside what the core forgives between two peers.
const SKEW_MS: u64 = 120_000;

/// How bad it is; parts of a hundred unless another unit is named.
#[derive(Clone, Copy)]
pub struct Weather {
    pub loss: u64,
    pub doubled: u64,
    pub delay_ms: u64,
    /// Peers that boot in 1970.
    pub clockless: u64,
    pub reboots: bool,
    pub hostile: bool,
}

/// A message as its author sent it.
struct Sent {
    room: usize,
    author: usize,
    stamp: u64,
    data: Vec<u8>,
}

struct Peer {
    id: Vec<u8>,
    core: Core,
    /// Wall clock minus true time; `None` is a clock in 1970.
    skew_ms: Option<i64>,
    booted_at: u64,
    /// Lines said, over all boots.
    said: u64,
    /// Messages taken or sent since the boot.
    taken: BTreeSet<usize>,
    /// For each room the greatest (stamp, author) of those.
    newest: BTreeMap<usize, (u64, Vec<u8>)>,
}

pub struct Network {
    random: Random,
    weather: Weather,
    now: u64,
    settings: Settings,
    rooms: Vec<RoomName>,
    peers: Vec<Peer>,
    sent: Vec<Sent>,
    /// Copies under way: when they arrive, a number for the order of equals, the message, to whom.
    under_way: BinaryHeap<Reverse<(u64, u64, usize, usize)>>,
    refused: u64,
}

impl Network {
    pub fn new(seed: u64, peers: usize, rooms: usize, history: usize, weather: Weather) -> Self {
        let settings = Settings {
            rooms_max: rooms,
            history_messages_max: history,
            history_bytes_max: history * 400,
            seen_max: 4_096,
            build_unix_ms: BUILD,
            seed: [seed, !seed],
        };
        let rooms: Vec<RoomName> = (0..rooms).map(|n| RoomName::new(&format!("room{n}")).unwrap()).collect();
        let mut network = Self {
            random: Random::new(seed),
            weather,
            now: START,
            settings,
            rooms,
            peers: Vec::new(),
            sent: Vec::new(),
            under_way: BinaryHeap::new(),
            refused: 0,
        };
        for n in 0..peers {
            let id: Vec<u8> = [0, 36, 8, 1, 18, 32].into_iter().chain([n as u8 + 1; 32]).collect();
            let core = network.boot(&id);
            let skew_ms = network.clock();
            let booted_at = network.now;
            let (taken, newest) = Default::default();
            network.peers.push(Peer { id, core, skew_ms, booted_at, said: 0, taken, newest });
        }
        network
    }

    fn boot(&self, id: &[u8]) -> Core {
        let mut core = Core::new(self.settings, id).unwrap();
        for room in &self.rooms {
            assert_eq!(core.command_join(room), Ok(true));
        }
        core
    }

    fn clock(&mut self) -> Option<i64> {
        let skew = self.random.below(2 * SKEW_MS) as i64 - SKEW_MS as i64;
        (!self.random.percent(self.weather.clockless)).then_some(skew)
    }

    fn now_of(&self, peer: usize) -> Now {
        let peer = &self.peers[peer];
        let since_boot = self.now - peer.booted_at;
        let unix_ms = peer.skew_ms.map_or(since_boot, |skew| self.now.saturating_add_signed(skew));
        Now::new(unix_ms, true, since_boot, BUILD)
    }

    /// So many turns, each with a word, some time, some arrivals and now and then a misfortune.
    pub fn run(&mut self, turns: usize) {
        for _ in 0..turns {
            let peer = self.random.index(self.peers.len());
            match self.random.below(20) {
                0 => self.peers[peer].skew_ms = self.clock(),
                1 if self.weather.reboots => self.reboot(peer),
                2 | 3 if self.weather.hostile => self.mischief(peer),
                _ => self.say(peer),
            }
            let pause = [0, 0, 1, 20, 700, 30_000][self.random.index(6)];
            self.pass(pause);
        }
    }

    fn reboot(&mut self, peer: usize) {
        let mut core = self.boot(&self.peers[peer].id);
        // As the file on the disk does it.
        core.clock_mut().resume(self.peers[peer].core.clock().given(), self.now_of(peer));
        let skew_ms = self.clock();
        let peer = &mut self.peers[peer];
        *peer = Peer {
            id: peer.id.clone(),
            core,
            skew_ms,
            booted_at: self.now,
            said: peer.said,
            taken: BTreeSet::new(),
            newest: BTreeMap::new(),
        };
    }

    fn say(&mut self, author: usize) {
        let (now, room) = (self.now_of(author), self.random.index(self.rooms.len()));
        let peer = &mut self.peers[author];
        let name = &self.rooms[room];
        // The disk answers at once.
        peer.core.clock_mut().reserve(now);
        peer.core.clock_mut().on_written();
        let text = format!("{} of {author}", peer.said);
        let (stamp, frame) = match self.random.below(3) {
            0 => peer.core.compose_record(name, "sim/number", text.as_bytes(), now).unwrap(),
            _ => peer.core.compose_text(name, "sim", &text, now).unwrap(),
        };
        peer.said += 1;
        let place = (stamp, peer.id.clone());
        if let Some(newest) = peer.newest.get(&room) {
            assert!(place > *newest, "peer {author} answers {newest:?} with {place:?}");
        }
        assert!(peer.core.published(name, &frame, now).is_some());
        peer.newest.insert(room, place);
        let message = self.sent.len();
        peer.taken.insert(message);
        self.sent.push(Sent { room, author, stamp, data: frame.to_vec() });
        self.check_bounds(author);
        for to in 0..self.peers.len() {
            if to != author && !self.random.percent(self.weather.loss) {
                self.send(message, to);
            }
            while self.random.percent(self.weather.doubled) {
                self.send(message, to);
            }
        }
    }

    fn send(&mut self, message: usize, to: usize) {
        let at = self.now + self.random.below(self.weather.delay_ms);
        self.under_way.push(Reverse((at, self.random.next(), message, to)));
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        while let Some(Reverse((at, _, message, to))) = self.under_way.peek().copied().filter(|next| next.0.0 <= until)
        {
            self.under_way.pop();
            self.now = self.now.max(at);
            self.arrive(message, to);
        }
        self.now = until;
    }

    fn arrive(&mut self, message: usize, to: usize) {
        let now = self.now_of(to);
        let sent = &self.sent[message];
        let author = self.peers[sent.author].id.clone();
        let peer = &mut self.peers[to];
        let taken_before = peer.taken.contains(&message);
        let inbound = Inbound::new(&author, &sent.data);
        match peer.core.handle_message(&self.rooms[sent.room], inbound, now) {
            Verdict::Accepted(taken) => {
                assert!(!taken_before, "peer {to} took message {message} twice");
                assert_eq!((taken.stamp, taken.data), (sent.stamp, sent.data.as_slice()));
                assert_eq!(taken.unix_ms().is_some(), sent.stamp >= BUILD);
                peer.taken.insert(message);
                let place = (sent.stamp, author.clone());
                let newest = peer.newest.entry(sent.room).or_insert_with(|| place.clone());
                *newest = place.max(newest.clone());
            }
            Verdict::Duplicate => assert!(taken_before, "peer {to} never saw message {message}"),
            other => panic!("peer {to} at {now:?} does not take message {message} of {}: {other:?}", sent.author),
        }
        self.check_bounds(to);
    }

    /// A stranger sends what nobody may take.
    fn mischief(&mut self, to: usize) {
        let now = self.now_of(to);
        let beyond = now.unix_ms().map_or(BUILD + HORIZON_MS, |wall| wall + AHEAD_MAX_MS) + 1;
        let late = Frame { stamp: beyond + self.random.below(1 << 40), body: Body::Text { nick: "", text: "soon" } };
        let mut garbage: Vec<u8> = (0..self.random.below(80)).map(|_| self.random.next() as u8).collect();
        let mut other_version = late.to_bytes().unwrap();
        other_version[0] = 2;
        garbage.insert(0, 1);
        garbage.push(0x80);
        let (data, acceptance) = match self.random.below(3) {
            0 => (late.to_bytes().unwrap().to_vec(), Acceptance::Ignore),
            1 => (other_version.to_vec(), Acceptance::Ignore),
            _ => (garbage, Acceptance::Reject),
        };
        let room = &self.rooms[self.random.index(self.rooms.len())];
        let verdict = self.peers[to].core.handle_message(room, Inbound::new(b"stranger", &data), now);
        assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?} for {data:02x?}");
        assert_eq!(verdict.acceptance(), acceptance, "{verdict:?} for {data:02x?}");
        self.refused += 1;
        self.check_bounds(to);
    }

    fn check_bounds(&self, peer: usize) {
        for (name, meter) in self.peers[peer].core.meters() {
            assert!(meter.length <= meter.capacity && meter.high_water <= meter.capacity, "{name}: {meter:?}");
        }
        let messages: usize = self.peers[peer].core.rooms().map(|(_, messages)| messages).sum();
        assert_eq!(messages, self.peers[peer].core.meters()[0].1.length);
    }

    /// Everything reaches everyone, in any order and more than once. How many messages each room had.
    pub fn deliver_everything(&mut self) -> Vec<usize> {
        self.pass(self.weather.delay_ms);
        let mut copies: Vec<(usize, usize)> =
            (0..self.sent.len()).flat_map(|message| (0..self.peers.len()).map(move |to| (message, to))).collect();
        for _ in 0..2 {
            self.random.shuffle(&mut copies);
            for (message, to) in &copies {
                self.arrive(*message, *to);
            }
        }
        (0..self.rooms.len()).map(|room| self.sent.iter().filter(|sent| sent.room == room).count()).collect()
    }

    fn history(&self, peer: usize, room: usize) -> Vec<(u64, Vec<u8>)> {
        let history: Vec<_> = self.peers[peer]
            .core
            .history(&self.rooms[room], usize::MAX)
            .map(|message| (message.stamp, message.id.to_bytes().to_vec()))
            .collect();
        assert!(history.is_sorted_by(|one, next| one < next), "ordered by (stamp, id), each once");
        history
    }

    pub fn check_equal_histories(&self) {
        for room in 0..self.rooms.len() {
            let first = self.history(0, room);
            for peer in 1..self.peers.len() {
                assert_eq!(self.history(peer, room), first, "peer {peer} and peer 0 differ in room {room}");
            }
        }
    }

    /// What is kept of a room is the newest of all that was said there.
    pub fn check_newest_kept(&self, room: usize) {
        let mut stamps: Vec<u64> = self.sent.iter().filter(|sent| sent.room == room).map(|sent| sent.stamp).collect();
        stamps.sort_unstable();
        let kept: Vec<u64> = self.history(0, room).iter().map(|(stamp, _)| *stamp).collect();
        assert_eq!(kept, stamps[stamps.len() - kept.len()..]);
    }

    /// Messages the first peer keeps of a room.
    pub fn kept(&self, room: usize) -> usize {
        self.peers[0].core.messages(&self.rooms[room])
    }

    /// The fewest messages anyone keeps of a room.
    pub fn kept_least(&self, room: usize) -> usize {
        self.peers.iter().map(|peer| peer.core.messages(&self.rooms[room])).min().unwrap()
    }

    /// How often the hostile peer was turned away.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}
