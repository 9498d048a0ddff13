//! A bare libp2p peer in the role of a talker: gossipsub, kad, identify and ping over the same net floor, and nothing
//! of the floors above. gossipsub has its defaults, but for signing, strict validation and the specification's ids.

use super::talker::{Heard, Talker};
use futures::{FutureExt, StreamExt};
use libp2p::{
    Multiaddr, Swarm, identify,
    identity::Keypair,
    kad, ping,
    swarm::{self, NetworkBehaviour, SwarmEvent},
};
use libp2p_gossipsub::{self as gossipsub, IdentTopic, MessageAuthenticity, MessageId, ValidationMode};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use stonechat::{
    base::board,
    net::{self, executor::Executor, tcp, yamux},
};

#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
struct Behaviour {
    gossip: gossipsub::Behaviour,
    dht: kad::Behaviour<kad::store::MemoryStore>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// The bare peer.
pub struct Bare {
    swarm: Swarm<Behaviour>,
    topic: IdentTopic,
    tick: Option<smol::Timer>,
}

/// What a bare peer does besides.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub struct Extra {
    /// Looks at its swarm each second: without that, gossipsub's heartbeat stops on a quiet peer.
    pub tick: bool,
    /// Counts heartbeats.
    pub count: bool,
}

/// Starts a bare peer on loopback that dials `bootstrap`.
pub fn start(executor: &Executor, bootstrap: Vec<Multiaddr>, extra: Extra) -> Result<Bare, String> {
    let limits = &board::find(board::DEFAULT).ok_or("no board")?.limits;
    let key = Keypair::generate_ed25519();
    let local = key.public().to_peer_id();
    let tcp = tcp::Config {
        accepts_per_second_max: limits.accepts_per_second_max,
        accepts_per_address_per_second_max: limits.accepts_per_address_per_second_max,
        read_bytes_per_second_max: limits.read_bytes_per_second_max,
        ..tcp::Config::default()
    };
    let yamux = yamux::Config {
        streams_max: limits.yamux_streams_max,
        window_bytes_max: limits.yamux_window_bytes_max,
        unread_bytes_max: limits.unread_bytes_max,
    };
    let transport = net::transport(&key, tcp, yamux).map_err(|error| error.to_string())?;
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .message_id_fn(message_id)
        .build()
        .map_err(|error| error.to_string())?;
    let dht = kad::Config::new(libp2p::StreamProtocol::new("/bench/kad/1.0.0"));
    let behaviour = Behaviour {
        gossip: gossipsub::Behaviour::new(MessageAuthenticity::Signed(key.clone()), config)?,
        dht: kad::Behaviour::with_config(local, kad::store::MemoryStore::new(local), dht),
        identify: identify::Behaviour::new(identify::Config::new("/bench/1.0.0".into(), key.public())),
        ping: ping::Behaviour::default(),
    };
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(Duration::from_secs(600));
    let mut swarm = Swarm::new(transport, behaviour, local, config);
    let topic = IdentTopic::new("bench");
    swarm.behaviour_mut().gossip.subscribe(&topic).map_err(|error| error.to_string())?;
    if extra.count {
        count_heartbeats(&mut swarm)?;
    }
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().map_err(|e| format!("{e}"))?).map_err(|error| error.to_string())?;
    for address in bootstrap {
        swarm.dial(address).map_err(|error| error.to_string())?;
    }
    let tick = extra.tick.then(|| smol::Timer::interval(Duration::from_secs(1)));
    Ok(Bare { swarm, topic, tick })
}

fn message_id(message: &gossipsub::Message) -> MessageId {
    let mut id = message.source.map(|peer| peer.to_bytes()).unwrap_or_default();
    id.extend_from_slice(&message.sequence_number.unwrap_or_default().to_be_bytes());
    MessageId::from(id)
}

impl Talker for Bare {
    async fn publish(&mut self, message: Vec<u8>) -> Result<(), String> {
        let topic = self.topic.clone();
        self.swarm.behaviour_mut().gossip.publish(topic, message).map(|_| ()).map_err(|error| error.to_string())
    }

    async fn next(&mut self) -> Result<Heard, String> {
        loop {
            let Bare { swarm, tick, .. } = self;
            let event = futures::future::poll_fn(|cx| {
                if let Some(tick) = tick {
                    while tick.poll_next_unpin(cx).is_ready() {}
                }
                swarm.select_next_some().poll_unpin(cx)
            });
            match event.await {
                SwarmEvent::NewListenAddr { address, .. } => {
                    return Ok(Heard::Listening(format!("{address}/p2p/{}", self.swarm.local_peer_id())));
                }
                SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => match event {
                    gossipsub::Event::Subscribed { .. } => return Ok(Heard::Joined),
                    gossipsub::Event::Message { message, .. } => return Ok(Heard::Message(message.data)),
                    _ => {}
                },
                SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.to_string()),
                _ => {}
            }
        }
    }

    async fn heartbeats(&mut self) -> Result<u64, String> {
        Ok(HEARTBEATS.load(Ordering::Relaxed))
    }
}

static HEARTBEATS: AtomicU64 = AtomicU64::new(0);
/// A topic that nobody else is in: gossipsub logs its empty mesh at each heartbeat, and nowhere else tells of them.
const EMPTY_TOPIC: &str = "nobody-else-is-here";

struct Counter;

impl log::Log for Counter {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() == log::Level::Debug && metadata.target() == "libp2p_gossipsub::behaviour"
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let text = record.args().to_string();
            if text.contains("HEARTBEAT: Mesh low") && text.contains(EMPTY_TOPIC) {
                HEARTBEATS.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn flush(&self) {}
}

fn count_heartbeats(swarm: &mut Swarm<Behaviour>) -> Result<(), String> {
    log::set_logger(&Counter).map_err(|error| error.to_string())?;
    log::set_max_level(log::LevelFilter::Debug);
    let empty = IdentTopic::new(EMPTY_TOPIC);
    swarm.behaviour_mut().gossip.subscribe(&empty).map(|_| ()).map_err(|error| error.to_string())
}
