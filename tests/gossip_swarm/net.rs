//! Swarms of ours, polled together.

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId,
    identity::Keypair,
    multiaddr::Protocol,
    swarm::{self, Swarm, SwarmEvent},
};
use std::{
    collections::BTreeSet,
    task::Poll,
    time::{Duration, Instant},
};
use stonechat::{
    base::board,
    compat::profile::Profile,
    gossip::{TopicIndex, Verdict},
    net::{self, executor::Executor, tcp, yamux},
    swarm::gossip::{Behaviour, Config, Event, PublishError},
};

/// The room.
pub const TOPIC: &str = "stonechat/1/lobby";
/// The limit of every wait: generous, for machines are slow and noisy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What one of them has seen.
#[derive(Default)]
pub struct Heard {
    pub members: BTreeSet<PeerId>,
    /// Who named its topics, and whether it was a member by then.
    pub greeted: Vec<(PeerId, bool)>,
    pub left: usize,
    pub said: Vec<String>,
    pub lines: Vec<String>,
    pub authors: Vec<Vec<u8>>,
}

pub struct Ours;

impl Ours {
    pub fn name() -> &'static str {
        TOPIC
    }

    /// A swarm that listens.
    pub fn swarm(key: Keypair, executor: &Executor) -> Swarm<Behaviour> {
        let limits = &board::find(board::DEFAULT).unwrap().limits;
        let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default()).unwrap();
        let behaviour = Behaviour::new(key.clone(), Config::new(limits, [1, 2]));
        let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(2 * PATIENCE);
        let mut swarm = Swarm::new(transport, behaviour, key.public().to_peer_id(), config);
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        swarm
    }
}

/// All of them.
pub struct Net {
    pub executor: Executor,
    pub swarms: Vec<Swarm<Behaviour>>,
    pub heard: Vec<Heard>,
    topics: Vec<TopicIndex>,
    seqno: u64,
    pub polls: u64,
}

impl Net {
    /// So many in the room, not connected.
    pub fn new(count: usize) -> Self {
        let executor = Executor::new();
        let mut swarms: Vec<_> = (0..count).map(|_| Ours::swarm(Keypair::generate_ed25519(), &executor)).collect();
        let topics = swarms.iter_mut().map(|swarm| swarm.behaviour_mut().join(TOPIC, Profile::Spec)).collect();
        let heard = (0..count).map(|_| Heard::default()).collect();
        let mut net = Self { executor, swarms, heard, topics, seqno: 0, polls: 0 };
        net.until("all listen", |net| net.swarms.iter().all(|swarm| swarm.listeners().next().is_some()));
        net
    }

    pub fn address(&self, at: usize) -> Multiaddr {
        let address = self.swarms[at].listeners().next().unwrap().clone();
        address.with(Protocol::P2p(*self.swarms[at].local_peer_id()))
    }

    pub fn ids<const N: usize>(&self) -> [PeerId; N] {
        std::array::from_fn(|at| *self.swarms[at].local_peer_id())
    }

    pub fn topic(&self, at: usize) -> TopicIndex {
        self.topics[at]
    }

    pub fn rejoin(&mut self, at: usize) {
        self.heard[at].members.clear();
        self.topics[at] = self.swarms[at].behaviour_mut().join(TOPIC, Profile::Spec);
    }

    /// One says a line: to how many.
    pub fn say(&mut self, at: usize, line: &str) -> Result<usize, PublishError> {
        self.seqno += 1;
        let behaviour = self.swarms[at].behaviour_mut();
        let message = behaviour.sign(self.topics[at], self.seqno, line.as_bytes()).unwrap();
        let reached = behaviour.publish(self.topics[at], &message)?;
        self.heard[at].said.push(line.into());
        Ok(reached)
    }

    fn on(&mut self, at: usize, event: SwarmEvent<Event>) {
        let heard = &mut self.heard[at];
        match event {
            SwarmEvent::Behaviour(Event::Message { key, message, .. }) => {
                let strict = message.strict();
                heard.lines.push(String::from_utf8(strict.data.to_vec()).unwrap());
                heard.authors.push(strict.from.to_vec());
                self.swarms[at].behaviour_mut().judge(key, Verdict::Accept);
            }
            SwarmEvent::Behaviour(Event::Greeted { peer }) => heard.greeted.push((peer, heard.members.contains(&peer))),
            SwarmEvent::Behaviour(Event::Subscribed { peer, .. }) => assert!(heard.members.insert(peer), "twice"),
            SwarmEvent::Behaviour(Event::Unsubscribed { peer, .. }) => {
                assert!(heard.members.remove(&peer));
                heard.left += 1;
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                heard.members.remove(&peer_id);
            }
            _ => {}
        }
    }

    /// Lets all run until it is so.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        let executor = self.executor.clone();
        executor.block_on(async {
            while !is_so(self) {
                self.polls += 1;
                assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
                let mut late = smol::Timer::after(Duration::from_millis(100));
                let events = futures::future::poll_fn(|cx| {
                    let mut events = Vec::new();
                    for (at, swarm) in self.swarms.iter_mut().enumerate() {
                        if let Poll::Ready(Some(event)) = swarm.poll_next_unpin(cx) {
                            events.push((at, event));
                        }
                    }
                    match events.is_empty() {
                        true => futures::FutureExt::poll_unpin(&mut late, cx).map(|_| Vec::new()),
                        false => Poll::Ready(events),
                    }
                })
                .await;
                events.into_iter().for_each(|(at, event)| self.on(at, event));
            }
        });
    }

    /// Lets all run for a while.
    pub fn pause(&mut self, ms: u64) {
        let end = Instant::now() + Duration::from_millis(ms);
        self.until("a pause", |_| Instant::now() >= end);
    }
}
