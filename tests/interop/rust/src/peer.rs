//! The peer: rust-libp2p with what its users take, and its own defaults except where a line says why.

use crate::lines::{Failure, Request, cannot, failure};
use libp2p::gossipsub::{self, DataTransform, MessageAuthenticity, MessageId, RawMessage, TopicHash, ValidationMode};
use libp2p::swarm::{NetworkBehaviour, behaviour::toggle::Toggle};
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, identify, identity::Keypair, kad, mdns, noise, ping, tcp, yamux};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::time::Duration;

/// A connection that nobody uses stays: by default it is closed after 10 s.
const IDLE: Duration = Duration::from_hours(24);
/// The only service name that rust's mdns knows.
const MDNS_NAME: &str = "_p2p._udp";

#[derive(NetworkBehaviour)]
pub struct Peer {
    pub gossipsub: gossipsub::Behaviour<Marked>,
    pub identify: identify::Behaviour,
    pub kad: Toggle<kad::Behaviour<kad::store::MemoryStore>>,
    pub mdns: Toggle<mdns::tokio::Behaviour>,
    ping: ping::Behaviour,
    /// Pings on request: `ping` has its own times.
    pub streams: libp2p_stream::Behaviour,
}

/// Puts a byte before what comes that says whether the message had a `key`: it is not in the event. Not where ids are made
/// of what comes.
pub struct Marked {
    pub is_on: bool,
}

impl DataTransform for Marked {
    fn inbound_transform(&self, raw: RawMessage) -> io::Result<gossipsub::Message> {
        let mut data = raw.data;
        if self.is_on {
            data.insert(0, u8::from(raw.key.is_some()));
        }
        Ok(gossipsub::Message { source: raw.source, data, sequence_number: raw.sequence_number, topic: raw.topic })
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> io::Result<Vec<u8>> {
        Ok(data)
    }
}

/// The specification's message id, which is not rust's own: `from` ‖ sequence number.
fn spec_id(message: &gossipsub::Message) -> MessageId {
    let mut id = message.source.map_or_else(Vec::new, |source| source.to_bytes());
    id.extend(message.sequence_number.unwrap_or(0).to_be_bytes());
    MessageId::from(id)
}

/// The message id of rust-libp2p's example `chat` and of universal-connectivity's rust peer.
fn chat_id(message: &gossipsub::Message) -> MessageId {
    let mut hasher = DefaultHasher::new();
    message.data.hash(&mut hasher);
    MessageId::from(hasher.finish().to_string())
}

/// Whether what comes is marked.
pub fn marks(request: &Request) -> bool {
    request.text("id_profile") != Some("chat")
}

fn gossip(key: &Keypair, request: &Request) -> Result<gossipsub::Behaviour<Marked>, Failure> {
    let mut config = gossipsub::ConfigBuilder::default();
    match request.text("id_profile") {
        None | Some("spec") => drop(config.message_id_fn(spec_id)),
        Some("chat") => drop(config.message_id_fn(chat_id)),
        Some("own") => {}
        Some(other) => return Err(failure(format!("no such id_profile: {other}"))),
    }
    let mut author = MessageAuthenticity::Signed(key.clone());
    if request.is("unsigned") {
        author = MessageAuthenticity::Author(key.public().to_peer_id());
        config.validation_mode(ValidationMode::Permissive);
    }
    gossipsub::Behaviour::new_with_transform(author, config.build()?, Marked { is_on: marks(request) }).map_err(failure)
}

fn dht(key: &Keypair, request: &Request) -> Result<Option<kad::Behaviour<kad::store::MemoryStore>>, Failure> {
    let mode = match request.text("dht") {
        None => return Ok(None),
        Some("server") => kad::Mode::Server,
        Some("client") => kad::Mode::Client,
        Some(other) => return Err(failure(format!("no such dht: {other}"))),
    };
    let name = request.text("dht_protocol").unwrap_or("/ipfs/kad/1.0.0");
    let config = kad::Config::new(StreamProtocol::try_from_owned(name.into())?);
    let id = key.public().to_peer_id();
    let mut dht = kad::Behaviour::with_config(id, kad::store::MemoryStore::new(id), config);
    dht.set_mode(Some(mode));
    Ok(Some(dht))
}

pub fn create(request: &Request) -> Result<Swarm<Peer>, Failure> {
    let key = Keypair::ed25519_from_bytes(hex::decode(request.need("seed")?)?)?;
    let mdns = match request.text("mdns").map(|name| name.trim_end_matches('.').trim_end_matches(".local")) {
        None => None,
        Some(MDNS_NAME) => Some(mdns::tokio::Behaviour::new(mdns::Config::default(), key.public().to_peer_id())?),
        Some(name) => return Err(cannot(format!("mdns always uses {MDNS_NAME}, not {name}"))),
    };
    let peer = Peer {
        gossipsub: gossip(&key, request)?,
        identify: identify::Behaviour::new(identify::Config::new("ipfs/0.1.0".into(), key.public())),
        kad: dht(&key, request)?.into(),
        mdns: mdns.into(),
        ping: ping::Behaviour::default(),
        streams: libp2p_stream::Behaviour::new(),
    };
    Ok(SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|_| peer)
        .expect("nothing can fail here")
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build())
}

/// What it stands on, from the lock file.
pub fn version() -> String {
    let lock = include_str!("../Cargo.lock");
    let parts = ["libp2p", "libp2p-gossipsub", "libp2p-kad", "libp2p-mdns", "tokio"].map(|name| {
        let found = lock.split_once(&format!("name = \"{name}\"\nversion = \""));
        let version = found.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("?");
        format!("{name} {version}")
    });
    format!("rust-{}", parts.join(", "))
}
