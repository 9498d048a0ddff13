//! Cores in a chain, each with a clock of its own: hellos when they meet and when the time changed, lines handed on by
//! whoever takes them.

use crate::random::Random;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use stonechat::base::time::Now;
use stonechat::chat::core::Core;
use stonechat::chat::message::Inbound;
use stonechat::chat::settings::Settings;
use stonechat::chat::verdict::{Acceptance, Reason, Verdict};
use stonechat::wire::room::RoomName;

/// When the program was built, and when the story begins.
pub const BUILD: u64 = 1_790_000_000_000;
pub const START: u64 = BUILD + 90 * 86_400_000;
/// As the node does it.
const STEP_MS: u64 = stonechat::node::greetings::HELLO_STEP_MS;

/// A clock: how far it is off, in ms, or that it starts in 1970; and whether anybody vouches for it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub off_ms: Option<i64>,
    pub vouched: bool,
}

struct Peer {
    id: Vec<u8>,
    core: Core,
    clock: Clock,
    booted_at: u64,
    /// Neighbours that are connected, and what each was told last.
    links: Vec<(usize, (Option<i64>, u8))>,
    /// Lines that nobody took yet, when they were said by our monotonic clock, and in truth.
    outbox: Vec<(Vec<u8>, u64, u64)>,
    /// What it took or said, in that order.
    taken: Vec<usize>,
    refused: Vec<usize>,
}

enum Event {
    /// A hello: the time as it was told, and how far it is vouched for.
    Hello { from: usize, unix_ms: Option<u64>, level: u8 },
    /// A line.
    Line { from: usize, line: usize },
}

/// A line as its author sent it.
pub struct Line {
    pub author: usize,
    pub stamp: u64,
    /// The true times when it was said and when it left.
    said_at: u64,
    left_at: u64,
    data: Vec<u8>,
}

impl Line {
    /// How far its stamp is from the true time: when it was said, or when it left, if it was stamped anew by then.
    pub fn off(&self) -> u64 {
        self.stamp.abs_diff(self.said_at).min(self.stamp.abs_diff(self.left_at))
    }
}

pub struct World {
    pub random: Random,
    pub now: u64,
    room: RoomName,
    peers: Vec<Peer>,
    pub lines: Vec<Line>,
    said: usize,
    events: Vec<Option<(usize, Event)>>,
    due: BinaryHeap<Reverse<(u64, usize)>>,
}

impl World {
    pub fn new(seed: u64, clocks: &[Clock]) -> Self {
        let settings = Settings {
            rooms_max: 1,
            history_messages_max: 4_096,
            history_bytes_max: 1 << 22,
            seen_max: 4_096,
            build_unix_ms: BUILD,
            seed: [seed, !seed],
        };
        let room = RoomName::new("lobby").unwrap();
        let mut random = Random::new(seed);
        let boot = |(at, clock): (usize, &Clock)| {
            let id: Vec<u8> = [0, 36, 8, 1, 18, 32].into_iter().chain([at as u8 + 1; 32]).collect();
            let mut core = Core::new(settings, &id).unwrap();
            core.command_join(&room).unwrap();
            let booted_at = START - random.below(600_000);
            let (links, outbox, taken, refused) = Default::default();
            Peer { id, core, clock: *clock, booted_at, links, outbox, taken, refused }
        };
        let peers = clocks.iter().enumerate().map(boot).collect();
        let (lines, said, events, due) = Default::default();
        Self { random, now: START, room, peers, lines, said, events, due }
    }

    pub fn now_of(&self, peer: usize) -> Now {
        let peer = &self.peers[peer];
        let up = self.now - peer.booted_at;
        Now::new(peer.clock.off_ms.map_or(up, |off| self.now.saturating_add_signed(off)), peer.clock.vouched, up, BUILD)
    }

    /// Both say hello, and then what waits goes out.
    pub fn connect(&mut self, one: usize, other: usize) {
        for (peer, to) in [(one, other), (other, one)] {
            self.peers[peer].links.push((to, (None, 0)));
            self.say_hello(peer, to);
        }
    }

    fn telling(&self, peer: usize) -> (Option<i64>, u8) {
        let now = self.now_of(peer);
        let (unix_ms, level) = self.peers[peer].core.clock().hello(now);
        (unix_ms.map(|ms| ms as i64 - now.monotonic_ms as i64), level)
    }

    fn say_hello(&mut self, from: usize, to: usize) {
        let telling = self.telling(from);
        let (unix_ms, level) = self.peers[from].core.clock().hello(self.now_of(from));
        self.peers[from].links.iter_mut().filter(|(peer, _)| *peer == to).for_each(|(_, told)| *told = telling);
        self.send(to, Event::Hello { from, unix_ms, level });
    }

    fn send(&mut self, to: usize, event: Event) {
        let at = self.now + 1 + self.random.below(200);
        self.due.push(Reverse((at, self.events.len())));
        self.events.push(Some((to, event)));
    }

    /// Somebody says a line. It waits while nobody is there.
    pub fn say(&mut self, author: usize) {
        self.said += 1;
        let (now, text) = (self.now_of(author), format!("line {}", self.said));
        let peer = &mut self.peers[author];
        let (stamp, frame) = peer.core.compose_text(&self.room, "sim", &text, now).unwrap();
        if let Some(last) = peer.core.history(&self.room, 1).last()
            && peer.outbox.is_empty()
        {
            let is_far = last.stamp > stamp;
            assert!(
                !is_far || peer.core.clock().time(now).level > 0,
                "peer {author} answers {} with {stamp}",
                last.stamp
            );
        }
        peer.core.published(&self.room, &frame, now).unwrap();
        peer.outbox.push((frame.to_vec(), now.monotonic_ms, self.now));
        self.flush(author);
    }

    /// As the node does it: stamped anew where the time turned out to be another, and all that follow.
    fn flush(&mut self, author: usize) {
        let now = self.now_of(author);
        let peer = &mut self.peers[author];
        let mut is_off = false;
        for (frame, said_ms, _) in &mut peer.outbox {
            is_off |= peer.core.is_off(frame, *said_ms, now);
            if is_off {
                let (former, anew) = peer.core.restamp(&self.room, frame, now).unwrap();
                assert_eq!(peer.core.find(&self.room, &former), None, "the former one is gone");
                *frame = anew.to_vec();
                *said_ms = now.monotonic_ms;
            }
        }
        if peer.links.is_empty() {
            return;
        }
        for (data, _, said_at) in std::mem::take(&mut peer.outbox) {
            let stamp = stonechat::wire::frame::Frame::decode(&data).unwrap().stamp;
            let line = self.lines.len();
            self.lines.push(Line { author, stamp, said_at, left_at: self.now, data });
            self.peers[author].taken.push(line);
            self.hand_on(author, author, line);
        }
    }

    fn hand_on(&mut self, peer: usize, from: usize, line: usize) {
        let others: Vec<usize> = self.peers[peer].links.iter().map(|(to, _)| *to).filter(|to| *to != from).collect();
        others.into_iter().for_each(|to| self.send(to, Event::Line { from: peer, line }));
    }

    /// Lets so much time pass.
    pub fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        while let Some(Reverse((at, event))) = self.due.peek().copied().filter(|next| next.0.0 <= until) {
            self.due.pop();
            self.now = self.now.max(at);
            let (to, event) = self.events[event].take().unwrap();
            match event {
                Event::Hello { from, unix_ms, level } => self.on_hello(to, from, unix_ms, level),
                Event::Line { from, line } => self.on_line(to, from, line),
            }
        }
        self.now = until;
    }

    fn on_hello(&mut self, peer: usize, from: usize, unix_ms: Option<u64>, level: u8) {
        let (now, id) = (self.now_of(peer), self.peers[from].id.clone());
        self.peers[peer].core.clock_mut().on_told(&id, unix_ms, level, now);
        let telling = self.telling(peer);
        let differs = |told: &(Option<i64>, u8)| match (told.0, telling.0) {
            (Some(one), Some(other)) => one.abs_diff(other) > STEP_MS || told.1 != telling.1,
            _ => *told != telling,
        };
        let stale: Vec<usize> =
            self.peers[peer].links.iter().filter(|(_, told)| differs(told)).map(|(to, _)| *to).collect();
        stale.into_iter().for_each(|to| self.say_hello(peer, to));
        self.flush(peer);
    }

    fn on_line(&mut self, peer: usize, from: usize, line: usize) {
        let (now, author) = (self.now_of(peer), self.peers[self.lines[line].author].id.clone());
        let verdict = {
            let inbound = Inbound::new(&author, &self.lines[line].data);
            let verdict = self.peers[peer].core.handle_message(&self.room, inbound, now);
            match &verdict {
                Verdict::Refused(Reason::Ahead(_)) => self.peers[peer].refused.push(line),
                Verdict::Accepted(_) => self.peers[peer].taken.push(line),
                Verdict::Duplicate => {}
                other => panic!("{other:?}"),
            }
            verdict.acceptance()
        };
        if verdict == Acceptance::Accept {
            self.hand_on(peer, from, line);
        }
    }

    pub fn core(&self, peer: usize) -> &Core {
        &self.peers[peer].core
    }

    /// The lines that a peer took or said, as they came.
    pub fn taken(&self, peer: usize) -> &[usize] {
        &self.peers[peer].taken
    }

    /// The lines that a peer refused for their stamp.
    pub fn refused(&self, peer: usize) -> &[usize] {
        &self.peers[peer].refused
    }

    /// Everybody has every line, once, in the same order.
    pub fn check_all_have_all(&self) {
        let history = |peer: usize| -> Vec<Vec<u8>> {
            self.peers[peer].core.history(&self.room, usize::MAX).map(|line| line.id.to_bytes().to_vec()).collect()
        };
        let first = history(0);
        assert_eq!(first.len(), self.said, "everything that was said");
        for peer in 0..self.peers.len() {
            assert_eq!(self.refused(peer), [] as [usize; 0], "peer {peer} refused something");
            let mut taken = self.taken(peer).to_vec();
            taken.sort_unstable();
            assert_eq!(taken, (0..self.said).collect::<Vec<_>>(), "peer {peer} has each line once");
            assert_eq!(history(peer), first, "peer {peer} and peer 0 order them alike");
        }
    }
}
