//! A network of overlays in virtual time: hosts, links with latency, homes behind a router, partitions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use stonechat::base::board::{self, Board};
use stonechat::base::random::Random;
use stonechat::node::peers::address::{Multiaddr, PeerId, Topic, socket_of};
use stonechat::node::peers::dialer::Target;
use stonechat::node::peers::overlay::Overlay;
use stonechat::node::peers::places::Places;
use stonechat::node::peers::seam::{Input, Output};

use super::checks::Checks;

#[path = "happenings.rs"]
mod happenings;
#[path = "links.rs"]
mod links;

/// Milliseconds a dial takes that nobody answers: a connection attempt times out, or the link says that nobody is there.
const NOBODY_MS: u64 = 3_000;

/// What a node is started with.
#[derive(Clone)]
pub struct Setup {
    pub board: &'static Board,
    pub is_bootstrap: bool,
    pub topics: Vec<Topic>,
    /// Its own address, and the port it listens on.
    pub ip: Ipv4Addr,
    pub port: u16,
    /// The address of the router it sits behind, if any: nobody can dial it from outside.
    pub behind: Option<Ipv4Addr>,
    /// The LAN on which it hears others by mDNS.
    pub lan: Option<u32>,
    pub seeds: Vec<usize>,
}

pub struct Node {
    pub setup: Setup,
    pub overlay: Option<Overlay>,
    /// Counts its starts, so that what was meant for a former run does not reach the next.
    run: u32,
    pub started_ms: u64,
    /// When it first shared a room with somebody in this run.
    pub met_ms: Option<u64>,
    /// Nodes of different groups do not reach each other.
    pub group: u32,
    timer: Option<u64>,
}

/// A connection.
#[derive(Clone, Copy)]
pub struct Link {
    pub dialer: usize,
    pub listener: usize,
    /// It came second and ends by itself.
    is_aside: bool,
}

impl Link {
    fn other(&self, node: usize) -> usize {
        if self.dialer == node { self.listener } else { self.dialer }
    }
}

enum Event {
    Input(usize, u32, Box<Input>),
    Timer(usize, u64),
    /// A dial comes to an end: from whom, in which run, whom it was for and at which address somebody may be.
    Dialled(usize, u32, Target, Option<PeerId>, Vec<Multiaddr>),
    /// A node is asked for others by another.
    Asked(usize, u32, usize, Vec<Topic>),
    /// A link ends for a node.
    Ended(usize, u32, u64),
}

pub struct Net {
    pub seed: u64,
    pub random: Random,
    start: Instant,
    pub now_ms: u64,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    waiting: BTreeMap<(u64, u64), Event>,
    serial: u64,
    pub nodes: Vec<Node>,
    pub links: BTreeMap<u64, Link>,
    of: Vec<BTreeSet<u64>>,
    places: BTreeMap<(IpAddr, u16), usize>,
    pub checks: Checks,
    /// Milliseconds one way, at least and at most.
    pub latency_ms: (u64, u64),
    /// Whether mDNS tells everybody of everybody.
    pub is_lan_talking: bool,
}

pub fn id_of(node: usize) -> PeerId {
    let mut bytes = vec![0, 4];
    bytes.extend((node as u32).to_be_bytes());
    PeerId::from_bytes(&bytes).expect("a small identity")
}

pub fn node_of(peer: &PeerId) -> usize {
    let bytes = peer.to_bytes();
    u32::from_be_bytes(bytes[2..6].try_into().expect("four bytes")) as usize
}

pub fn board(name: &str) -> &'static Board {
    board::find(name).expect("a board")
}

impl Net {
    pub fn new(seed: u64) -> Self {
        Net {
            seed,
            random: Random::new(seed),
            start: Instant::now(),
            now_ms: 0,
            events: BinaryHeap::new(),
            waiting: BTreeMap::new(),
            serial: 0,
            nodes: Vec::new(),
            links: BTreeMap::new(),
            of: Vec::new(),
            places: BTreeMap::new(),
            checks: Checks::default(),
            latency_ms: (1, 30),
            is_lan_talking: true,
        }
    }

    pub fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    pub fn now(&self) -> Instant {
        self.at(self.now_ms)
    }

    fn later(&mut self, ms: u64, event: Event) {
        self.serial += 1;
        let key = (self.now_ms + ms, self.serial);
        self.events.push(Reverse(key));
        self.waiting.insert(key, event);
    }

    fn latency(&mut self) -> u64 {
        let (least, most) = self.latency_ms;
        least + self.random.below(most - least + 1)
    }

    pub fn address(&self, node: usize) -> Multiaddr {
        let setup = &self.nodes[node].setup;
        format!("/ip4/{}/tcp/{}", setup.ip, setup.port).parse().expect("a multiaddr")
    }

    /// A node that is not running yet.
    pub fn add(&mut self, setup: Setup) -> usize {
        let node = self.nodes.len();
        self.places.insert((setup.ip.into(), setup.port), node);
        self.nodes.push(Node { setup, overlay: None, run: 0, started_ms: 0, met_ms: None, group: 0, timer: None });
        self.of.push(BTreeSet::new());
        node
    }

    pub fn start(&mut self, node: usize) {
        let setup = self.nodes[node].setup.clone();
        let seeds: Vec<Multiaddr> = setup.seeds.iter().map(|seed| self.address(*seed)).collect();
        let places = Places::new(&setup.board.limits, setup.is_bootstrap);
        let overlay = Overlay::new(id_of(node), places, &seeds, self.random.number(), self.now());
        let it = &mut self.nodes[node];
        (it.overlay, it.met_ms, it.started_ms, it.timer) = (Some(overlay), None, self.now_ms, None);
        it.run += 1;
        setup.topics.iter().for_each(|topic| self.tell(node, Input::Join(*topic)));
        self.turn(node);
        self.announce(node);
    }

    pub fn send(&mut self, node: usize, wait: u64, input: Input) {
        let run = self.nodes[node].run;
        self.later(wait, Event::Input(node, run, Box::new(input)));
    }

    fn tell(&mut self, node: usize, input: Input) {
        let now = self.now();
        if let Some(overlay) = &mut self.nodes[node].overlay {
            overlay.handle(input, now);
        }
    }

    /// Runs until then.
    pub fn run(&mut self, until_ms: u64) {
        while let Some(Reverse(key)) = self.events.peek().copied() {
            if key.0 > until_ms {
                break;
            }
            self.events.pop();
            self.now_ms = key.0;
            let event = self.waiting.remove(&key).expect("each time has its event");
            self.on_event(event);
        }
        self.now_ms = until_ms;
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Input(node, run, input) if self.nodes[node].run == run => {
                self.tell(node, *input);
                self.turn(node);
            }
            Event::Timer(node, at) if self.nodes[node].timer == Some(at) => self.turn(node),
            Event::Dialled(node, run, target, peer, addresses) if self.nodes[node].run == run => {
                self.on_dialled(node, target, peer, addresses);
            }
            Event::Asked(node, run, asker, topics) if self.nodes[node].run == run && self.between(node, asker) > 0 => {
                let now = self.now();
                if let Some(overlay) = &mut self.nodes[node].overlay {
                    let peers = overlay.recommend(&id_of(asker), &topics, now);
                    let wait = self.latency();
                    self.send(asker, wait, Input::Told { by: id_of(node), peers });
                    self.turn(node);
                }
            }
            Event::Ended(node, run, link) if self.nodes[node].run == run => {
                self.end(node, link);
                self.turn(node);
            }
            _ => {}
        }
    }

    /// Lets a node do what is due and does what it asks for.
    pub fn turn(&mut self, node: usize) {
        let now = self.now();
        loop {
            let Some(overlay) = &mut self.nodes[node].overlay else { return };
            if overlay.poll_timeout().is_some_and(|at| at <= now) {
                overlay.handle_timeout(now);
                let next = overlay.poll_timeout();
                assert!(next.is_none_or(|at| at > now), "seed {}: node {node} is due at once again", self.seed);
            }
            let Some(output) = overlay.poll_output() else { break };
            self.on_output(node, output);
        }
        let Some(overlay) = &self.nodes[node].overlay else { return };
        self.checks.containers(self.seed, node, overlay);
        let at = overlay
            .poll_timeout()
            .map(|at| (at.saturating_duration_since(self.start).as_micros().div_ceil(1_000)) as u64);
        if at != self.nodes[node].timer {
            self.nodes[node].timer = at;
            at.into_iter().for_each(|at| self.later(at.saturating_sub(self.now_ms), Event::Timer(node, at)));
        }
        self.note_meeting(node);
    }

    fn note_meeting(&mut self, node: usize) {
        let it = &self.nodes[node];
        let (Some(overlay), None) = (&it.overlay, it.met_ms) else { return };
        if it.setup.topics.iter().any(|topic| overlay.connections().in_topic(*topic) > 0) {
            self.nodes[node].met_ms = Some(self.now_ms);
        }
    }

    fn on_output(&mut self, node: usize, output: Output) {
        match output {
            Output::Dial { target, peer, addresses, .. } => {
                let is_answered = addresses.iter().any(|address| self.listener(node, address).is_some());
                for address in &addresses {
                    if self.listener(node, address).is_none() {
                        self.checks.on_dead_attempt(node, self.now_ms, socket_of(address));
                    }
                }
                let wait = if is_answered { 3 * self.latency() } else { NOBODY_MS };
                let run = self.nodes[node].run;
                self.later(wait, Event::Dialled(node, run, target, peer, addresses));
            }
            Output::Close(peer, _) => {
                let other = node_of(&peer);
                let links: Vec<u64> = self.of[node].iter().copied().collect();
                let links: Vec<u64> = links.into_iter().filter(|link| self.links[link].other(node) == other).collect();
                if links.iter().any(|link| self.of[other].contains(link)) {
                    self.on_drop(node, other); // Else the other was quicker, and that is under way.
                }
                for link in links {
                    self.end(node, link);
                    let wait = self.latency();
                    self.end_later(wait, other, link);
                }
            }
            Output::Ask(peer, topics) => {
                let (other, wait) = (node_of(&peer), self.latency());
                let run = self.nodes[other].run;
                self.later(wait, Event::Asked(other, run, node, topics));
            }
            Output::Listen(_) | Output::Provide(_) | Output::Find(_) | Output::Discovered { .. } => {}
        }
    }
}
