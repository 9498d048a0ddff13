//! A network of overlays in virtual time: hosts, links with latency, homes behind a router, partitions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use stonechat::base::board::{self, Board};
use stonechat::base::random::Random;
use stonechat::node::peers::address::{ConnectionId, Multiaddr, Network, PeerId, Scope, Topic, ip_of, socket_of};
use stonechat::node::peers::connections::Arrival;
use stonechat::node::peers::dialer::{Failure, Target};
use stonechat::node::peers::overlay::Overlay;
use stonechat::node::peers::places::{Places, admission_places};
use stonechat::node::peers::seam::{Input, Output};
use stonechat::node::peers::source::{Announcer, Source, Teller};

use super::checks::Checks;

/// Milliseconds a dial takes that nobody answers: a connection attempt times out, or the link says that nobody is there.
const NOBODY_MS: u64 = 3_000;
/// Milliseconds until a dead link is noticed.
const DEAD_LINK_MS: u64 = 40_000;
/// Milliseconds for which a second connection of two dials that crossed stands.
const LINGER_MS: u64 = 4_000;

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

    /// mDNS: all of the LAN hear of this one, and it of them.
    pub fn announce(&mut self, node: usize) {
        let Some(lan) = self.nodes[node].setup.lan.filter(|_| self.is_lan_talking) else { return };
        let group = self.nodes[node].group;
        let others: Vec<usize> = (0..self.nodes.len())
            .filter(|other| {
                let it = &self.nodes[*other];
                *other != node && it.overlay.is_some() && it.setup.lan == Some(lan) && it.group == group
            })
            .collect();
        for other in others {
            for (one, heard) in [(node, other), (other, node)] {
                let wait = 20 + self.random.below(100);
                let found = self.found(heard);
                self.send(one, wait, found);
            }
        }
    }

    fn found(&self, node: usize) -> Input {
        let ip = self.nodes[node].setup.ip.into();
        let teller = Teller { announcer: Announcer::Host(Network::of(ip)), scope: Scope::of(ip) };
        Input::Found {
            peer: id_of(node),
            address: Some(self.address(node)),
            source: Source::Mdns,
            teller,
            on_link: true,
        }
    }

    /// Ends a node: politely or by kill, so that its kernel says it to others; or by a power cut, which says nothing.
    pub fn stop(&mut self, node: usize, is_power_cut: bool) {
        self.nodes[node].overlay = None;
        for link in std::mem::take(&mut self.of[node]) {
            let other = self.links[&link].other(node);
            let wait = if is_power_cut { DEAD_LINK_MS } else { self.latency() };
            self.end_later(wait, other, link);
        }
    }

    /// Puts nodes into groups that do not reach each other. Links between them are noticed to be dead later.
    pub fn part(&mut self, group_of: impl Fn(usize) -> u32) {
        (0..self.nodes.len()).for_each(|node| self.nodes[node].group = group_of(node));
        let is_cut = |it: &Link| group_of(it.dialer) != group_of(it.listener);
        let cut: Vec<u64> = self.links.iter().filter(|(_, it)| is_cut(it)).map(|(link, _)| *link).collect();
        for link in cut {
            for node in [self.links[&link].dialer, self.links[&link].listener] {
                let wait = DEAD_LINK_MS + self.random.below(5_000);
                self.end_later(wait, node, link);
            }
        }
    }

    /// All reach each other again, and hear of each other.
    pub fn join_halves(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.group = 0);
        (0..self.nodes.len())
            .filter(|node| self.nodes[*node].overlay.is_some())
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|node| self.announce(node));
    }

    /// A node learns later that a link is gone.
    fn end_later(&mut self, wait: u64, node: usize, link: u64) {
        let run = self.nodes[node].run;
        self.later(wait, Event::Ended(node, run, link));
    }

    /// A link ends for one of its nodes, which is told.
    fn end(&mut self, node: usize, link: u64) {
        if !self.of[node].remove(&link) {
            return;
        }
        let it = self.links[&link];
        let other = it.other(node);
        if !self.of[other].contains(&link) {
            self.links.remove(&link);
        }
        let left = self.of[node].iter().filter(|link| self.links[link].other(node) == other).count();
        let connection = ConnectionId::new_unchecked(link as usize);
        self.tell(node, Input::Closed { peer: id_of(other), connection, left, in_use: None, is_ours: false });
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

    fn between(&self, one: usize, other: usize) -> usize {
        self.of[one].intersection(&self.of[other]).count()
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

    /// A line is said and handed on by everybody; who brings it first is credited.
    pub fn say(&mut self, node: usize) {
        let mut heard = BTreeSet::from([node]);
        let mut under_way = BinaryHeap::from([Reverse((0, node, node))]);
        let now = self.now();
        while let Some(Reverse((ms, from, to))) = under_way.pop() {
            if from != to && !heard.insert(to) {
                continue;
            }
            if let Some(overlay) = &mut self.nodes[to].overlay {
                overlay.handle(Input::First(id_of(from)), now);
                for link in self.of[to].clone() {
                    let it = self.links[&link];
                    let next = if it.dialer == to { it.listener } else { it.dialer };
                    under_way.push(Reverse((ms + self.latency(), to, next)));
                }
            }
        }
        heard.into_iter().for_each(|node| self.turn(node));
    }

    /// A node without manners connects to another, whatever came of it before.
    pub fn intrude(&mut self, node: usize, other: usize) {
        if self.between(node, other) == 0 && self.nodes[other].overlay.is_some() && self.is_let_in(other) {
            let address = self.address(other);
            self.connect(node, other, Target::Peer(id_of(other)), address);
        }
    }

    /// Who answers at an address, seen from a node.
    fn listener(&self, from: usize, address: &Multiaddr) -> Option<usize> {
        let socket = socket_of(address)?;
        let other = *self.places.get(&(socket.ip(), socket.port()))?;
        let (us, them) = (&self.nodes[from], &self.nodes[other]);
        let same_home = us.setup.behind == them.setup.behind;
        (them.overlay.is_some() && us.group == them.group && (them.setup.behind.is_none() || same_home))
            .then_some(other)
    }

    fn on_dialled(&mut self, node: usize, target: Target, peer: Option<PeerId>, addresses: Vec<Multiaddr>) {
        let mut wrong = None;
        let mut reached = None;
        for address in addresses {
            match self.listener(node, &address) {
                Some(other) if peer.is_none_or(|peer| peer == id_of(other)) => reached = Some((other, address)),
                Some(_) => wrong = Some(address),
                None => {}
            }
        }
        // Whoever has no place free hangs up before it says who it is.
        let is_let_in = |other: usize| other != node && self.is_let_in(other);
        let Some((other, address)) = reached.filter(|(other, _)| is_let_in(*other)) else {
            self.checks.on_remote_failure(node, target);
            let error = String::from("nobody answers, or it has no place");
            self.send(node, 0, Input::DialFailed { target, failure: Failure::Remote, wrong, error });
            return;
        };
        if self.of[node].len() >= usize::from(self.nodes[node].setup.board.limits.connections_max) {
            let error = String::from("every place was taken meanwhile");
            self.send(node, 0, Input::DialFailed { target, failure: Failure::LocalLimit, wrong: None, error });
            return;
        }
        if peer.is_some() && self.between(node, other) > 0 && self.random.below(2) == 0 {
            // As libp2p says it where the other's dial was quicker.
            let error = String::from("already connected");
            self.send(node, 0, Input::DialFailed { target, failure: Failure::AlreadyDialling, wrong: None, error });
            return;
        }
        self.connect(node, other, target, address);
    }

    fn on_drop(&mut self, one: usize, other: usize) {
        // What the rude do is their affair.
        if [one, other].iter().all(|node| self.nodes[*node].overlay.is_some()) {
            self.checks.on_drop(self.seed, one, other, self.now_ms);
        }
    }

    fn connect(&mut self, node: usize, other: usize, target: Target, address: Multiaddr) {
        self.serial += 1;
        let (link, is_aside) = (self.serial, self.between(node, other) > 0);
        let arrival = |ip: IpAddr, is_outbound| Arrival {
            connection: ConnectionId::new_unchecked(link as usize),
            ip: Some(ip),
            local: None,
            is_outbound,
            is_in_use: !is_aside,
            keeps_topics: false,
            is_given: false,
            is_explored: false,
        };
        let there = ip_of(&address).expect("an IP address");
        let outside = self.nodes[node].setup.behind.filter(|router| self.nodes[other].setup.behind != Some(*router));
        let here = IpAddr::from(outside.unwrap_or(self.nodes[node].setup.ip));
        let input =
            Input::Connected { peer: id_of(other), dialled: Some((target, address)), arrival: arrival(there, true) };
        self.links.insert(link, Link { dialer: node, listener: other, is_aside });
        self.of[node].insert(link);
        self.of[other].insert(link);
        self.send(other, 0, Input::Connected { peer: id_of(node), dialled: None, arrival: arrival(here, false) });
        self.send(node, 0, input);
        if is_aside {
            self.end_later(LINGER_MS, node, link);
            self.end_later(LINGER_MS + 1, other, link);
            return;
        }
        for (one, two) in [(node, other), (other, node)] {
            let wait = self.latency();
            let listen = vec![self.address(two)];
            self.send(one, wait, Input::Identified { peer: id_of(two), listen, recommends: true, is_speaker: false });
            for topic in self.nodes[two].setup.topics.clone() {
                self.send(one, wait + 1, Input::Subscribed(id_of(two), topic));
            }
        }
    }

    /// Whether the limits of a node's swarm allow another inbound connection.
    fn is_let_in(&self, node: usize) -> bool {
        let limits = &self.nodes[node].setup.board.limits;
        let inbound = self.of[node].iter().filter(|link| self.links[link].listener == node).count();
        let most = usize::from(limits.connections_inbound_max + admission_places(limits.connections_max));
        self.of[node].len() < usize::from(limits.connections_max) && inbound < most
    }

    /// The connected components of those who are in a room.
    pub fn components(&self) -> Vec<BTreeSet<usize>> {
        let is_in = |node: &usize| self.nodes[*node].overlay.is_some() && !self.nodes[*node].setup.topics.is_empty();
        let mut left: BTreeSet<usize> = (0..self.nodes.len()).filter(is_in).collect();
        let mut components = Vec::new();
        while let Some(first) = left.pop_first() {
            let (mut component, mut next) = (BTreeSet::from([first]), vec![first]);
            while let Some(node) = next.pop() {
                for link in self.of[node].iter().filter(|link| !self.links[link].is_aside) {
                    let other = self.links[link].other(node);
                    if self.of[other].contains(link) && left.remove(&other) {
                        component.insert(other);
                        next.push(other);
                    }
                }
            }
            components.push(component);
        }
        components.sort_by_key(|component| Reverse(component.len()));
        components
    }

    /// A node met somebody of its room within the time it may take.
    pub fn met_in_time(&self, node: usize) {
        let it = &self.nodes[node];
        let met = it.met_ms.unwrap_or_else(|| panic!("seed {}: node {node} met nobody", self.seed));
        let took = met - it.started_ms;
        assert!(took <= super::MET_MS, "seed {}: node {node} met somebody after {took} ms", self.seed);
    }

    /// Peers that a node has a connection to.
    pub fn degree(&self, node: usize) -> usize {
        self.of[node].len()
    }
}
