//! The peer with what is being asked of it.

use crate::finds::Finds;
use crate::lines::{Failure, Request, Tag, answer, cannot, event, failure};
use crate::peer::{Peer, PeerEvent, create, marks};
use crate::trips::Trips;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::{ConnectedPoint, transport::ListenerId};
use libp2p::gossipsub::{self, IdentTopic};
use libp2p::swarm::{ConnectionId, SwarmEvent, dial_opts::DialOpts, dial_opts::PeerCondition};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, identify, mdns, multiaddr::Protocol};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use std::future::pending;
use tokio::time::{Interval, interval, sleep, timeout};

/// Listeners say where they listen within this, or not at all (no interface is up).
const LISTEN_LIMIT: Duration = Duration::from_secs(5);
/// A ping or a goodbye is given up after this.
const PING_LIMIT: Duration = Duration::from_secs(30);
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);
/// gossipsub's own pace.
const HEARTBEAT: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(250);
const PING: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

pub struct Node {
    swarm: Swarm<Peer>,
    dials_discovered: bool,
    /// See `Marked`.
    marks: bool,
    /// Looks at the swarm from time to time: by itself, gossipsub's heartbeat stops on a quiet peer.
    ticks: Option<Interval>,
    /// Listeners that have not said yet where they listen.
    quiet_listeners: HashSet<ListenerId>,
    connections: HashMap<ConnectionId, PeerId>,
    dials: HashMap<ConnectionId, Tag>,
    known: HashMap<PeerId, identify::Info>,
    identifies: HashMap<PeerId, Vec<Tag>>,
    finds: Finds,
    trips: Trips,
}

async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => pending().await,
    }
}

fn with_id(address: &str) -> Result<(PeerId, Multiaddr), Failure> {
    let address: Multiaddr = address.parse()?;
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Ok((peer, address)),
        _ => Err(failure("the address has no /p2p/ID")),
    }
}

fn identified(info: &identify::Info) -> Value {
    let protocols: Vec<_> = info.protocols.iter().map(AsRef::as_ref).collect();
    json!({ "agent": info.agent_version, "protocols": protocols })
}

async fn ping(mut streams: libp2p_stream::Control, peer: PeerId) -> Result<Value, Failure> {
    let ping = async {
        let mut stream = streams.open_stream(peer, PING).await?;
        let (sent, mut back, start) = ([7; 32], [0; 32], Instant::now());
        stream.write_all(&sent).await?;
        stream.flush().await?;
        stream.read_exact(&mut back).await?;
        let took = start.elapsed();
        stream.close().await?;
        match sent == back {
            true => Ok(json!({ "ms": took.as_secs_f64() * 1000.0 })),
            false => Err(failure("other bytes came back")),
        }
    };
    timeout(PING_LIMIT, ping).await?
}

impl Node {
    /// Starts, and waits until it listens.
    pub async fn start(request: &Request) -> Result<Self, Failure> {
        let mut swarm = create(request)?;
        let mut quiet_listeners = HashSet::new();
        for address in request.texts("listen") {
            quiet_listeners.insert(swarm.listen_on(address.parse()?)?);
        }
        for address in request.texts("bootstrap") {
            let (peer, address) = with_id(address)?;
            if let Some(dht) = swarm.behaviour_mut().kad.as_mut() {
                dht.add_address(&peer, address.clone());
            }
            if let Err(error) = swarm.dial(DialOpts::peer_id(peer).addresses(vec![address]).build()) {
                eprintln!("bootstrap: {error}");
            }
        }
        let mut node = Self {
            swarm,
            quiet_listeners,
            dials_discovered: request.is("dial_discovered"),
            marks: marks(request),
            ticks: request.is("tick").then(|| interval(HEARTBEAT)),
            connections: HashMap::new(),
            dials: HashMap::new(),
            known: HashMap::new(),
            identifies: HashMap::new(),
            finds: Finds::default(),
            trips: Trips::default(),
        };
        let listening = async {
            while !node.quiet_listeners.is_empty() {
                node.step().await;
            }
        };
        if timeout(LISTEN_LIMIT, listening).await.is_err() {
            eprintln!("some listener does not say where it listens");
        }
        Ok(node)
    }

    pub fn id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Does what there is to do next. It may be dropped at any time.
    pub async fn step(&mut self) {
        tokio::select! {
            event = self.swarm.select_next_some() => self.hear(event),
            () = sleep(TICK), if self.trips.is_measuring() => self.trips.tick(),
            () = tick(&mut self.ticks) => {}
        }
        self.go_on();
    }

    /// Says goodbye.
    pub async fn stop(mut self) {
        for peer in self.swarm.connected_peers().copied().collect::<Vec<_>>() {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while !self.connections.is_empty() {
                self.step().await;
            }
        };
        let _ = timeout(GOODBYE_LIMIT, closed).await;
    }

    fn publish(&mut self, topic: &str, data: Vec<u8>) -> Result<gossipsub::MessageId, gossipsub::PublishError> {
        self.swarm.behaviour_mut().gossipsub.publish(IdentTopic::new(topic), data)
    }

    fn subscribe(&mut self, topic: &str) -> Result<(), Failure> {
        self.swarm.behaviour_mut().gossipsub.subscribe(&IdentTopic::new(topic))?;
        Ok(())
    }

    fn go_on(&mut self) {
        while let Some((topic, data)) = self.trips.next() {
            if let Err(error) = self.publish(&topic, data)
                && let Some(tag) = self.trips.fail()
            {
                answer(tag, Err(error.into()));
            }
        }
        if let Some((tag, figures)) = self.trips.done() {
            answer(tag, Ok(figures));
        }
    }

    /// Does a request. None: it is answered later.
    pub fn request(&mut self, request: &Request) -> Result<Option<Value>, Failure> {
        let peer = || Ok::<PeerId, Failure>(request.need("peer")?.parse()?);
        let texts = |peers: Vec<&PeerId>| peers.iter().map(ToString::to_string).collect::<Vec<_>>();
        let gossipsub = &self.swarm.behaviour().gossipsub;
        let line = match request.name.as_str() {
            "addresses" => {
                let id = Protocol::P2p(self.id());
                let addresses: Vec<_> =
                    self.swarm.listeners().map(|address| address.clone().with(id.clone())).collect();
                json!({ "addresses": addresses })
            }
            "peers" => json!({ "peers": texts(self.connections.values().collect()) }),
            "subscribers" => {
                let topic = gossipsub::TopicHash::from_raw(request.need("topic")?);
                let peers = gossipsub.all_peers().filter(|(_, topics)| topics.contains(&&topic));
                json!({ "peers": texts(peers.map(|(peer, _)| peer).collect()) })
            }
            "dial" => {
                let (peer, address) = with_id(request.need("address")?)?;
                if !self.swarm.is_connected(&peer) {
                    let dial =
                        DialOpts::peer_id(peer).addresses(vec![address]).condition(PeerCondition::Always).build();
                    let id = dial.connection_id();
                    self.swarm.dial(dial)?;
                    self.dials.insert(id, request.tag);
                    return Ok(None);
                }
                Value::Null
            }
            "ping" => {
                let (tag, peer) = (request.tag, peer()?);
                let streams = self.swarm.behaviour().streams.new_control();
                tokio::spawn(async move { answer(tag, ping(streams, peer).await) });
                return Ok(None);
            }
            "identify" => match (peer()?, self.swarm.is_connected(&peer()?)) {
                (peer, false) => return Err(failure(format!("not connected to {peer}"))),
                (peer, true) => match self.known.get(&peer) {
                    Some(info) => identified(info),
                    None => {
                        self.identifies.entry(peer).or_default().push(request.tag);
                        return Ok(None);
                    }
                },
            },
            "disconnect" => {
                let gone = self.swarm.disconnect_peer_id(peer()?);
                gone.map(|()| Value::Null).map_err(|()| failure("not connected"))?
            }
            "subscribe" => self.subscribe(request.need("topic")?).map(|()| Value::Null)?,
            "publish" => {
                let id = self.publish(request.need("topic")?, hex::decode(request.need("data")?)?)?;
                json!({ "id": hex::encode(id.0) })
            }
            "echo" => {
                self.trips.echo(request)?;
                self.subscribe(request.need("topic")?).map(|()| Value::Null)?
            }
            "measure" => {
                self.subscribe(request.need("topic")?)?;
                self.trips.measure(request)?;
                self.go_on();
                return Ok(None);
            }
            what @ ("provide" | "find" | "find_peer") => {
                let of = request.need(if what == "find_peer" { "peer" } else { "namespace" })?;
                let dht = self.swarm.behaviour_mut().kad.as_mut();
                self.finds.ask(dht, request.tag, what, of)?;
                return Ok(None);
            }
            other => return Err(cannot(format!("no such request: {other}"))),
        };
        Ok(Some(line))
    }

    fn hear(&mut self, happened: SwarmEvent<PeerEvent>) {
        match happened {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.quiet_listeners.remove(&listener_id);
                // By itself, rust's kad gives nobody an address of a peer that provides something.
                if self.swarm.behaviour().kad.is_enabled() {
                    self.swarm.add_external_address(address);
                }
            }
            SwarmEvent::ListenerClosed { listener_id, .. } => {
                self.quiet_listeners.remove(&listener_id);
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.connections.insert(connection_id, peer_id);
                let address = match &endpoint {
                    ConnectedPoint::Dialer { address, .. } => address,
                    ConnectedPoint::Listener { send_back_addr, .. } => send_back_addr,
                };
                event("connected", json!({ "peer": peer_id.to_string(), "address": address }));
                if let Some(tag) = self.dials.remove(&connection_id) {
                    answer(tag, Ok(Value::Null));
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, .. } => {
                self.connections.remove(&connection_id);
                event("disconnected", json!({ "peer": peer_id.to_string() }));
                if num_established == 0 {
                    self.known.remove(&peer_id);
                    for tag in self.identifies.remove(&peer_id).unwrap_or_default() {
                        answer(tag, Err(failure("disconnected")));
                    }
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(tag) = self.dials.remove(&connection_id) {
                    answer(tag, Err(error.into()));
                }
            }
            SwarmEvent::Behaviour(PeerEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                for tag in self.identifies.remove(&peer_id).unwrap_or_default() {
                    answer(tag, Ok(identified(&info)));
                }
                // By itself, rust's kad learns no addresses from identify.
                if let Some(dht) = self.swarm.behaviour_mut().kad.as_mut()
                    && info.protocols.iter().any(|protocol| dht.protocol_names().contains(protocol))
                {
                    for address in &info.listen_addrs {
                        dht.add_address(&peer_id, address.clone());
                    }
                }
                self.known.insert(peer_id, info);
            }
            SwarmEvent::Behaviour(PeerEvent::Kad(event)) => {
                if let Some(dht) = self.swarm.behaviour_mut().kad.as_mut() {
                    self.finds.hear(dht, event);
                }
            }
            SwarmEvent::Behaviour(PeerEvent::Mdns(mdns::Event::Discovered(found))) => self.discovered(found),
            SwarmEvent::Behaviour(PeerEvent::Gossipsub(event)) => self.gossip(event),
            _ => {}
        }
    }

    fn discovered(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        let mut peers: HashMap<PeerId, Vec<Multiaddr>> = HashMap::new();
        for (peer, address) in found {
            peers.entry(peer).or_default().push(address);
        }
        for (peer, addresses) in peers {
            event("discovered", json!({ "peer": peer.to_string(), "addresses": addresses }));
            if self.dials_discovered
                && !self.swarm.is_connected(&peer)
                && let Err(error) = self.swarm.dial(DialOpts::peer_id(peer).addresses(addresses).build())
            {
                eprintln!("dial: {error}");
            }
        }
    }

    fn gossip(&mut self, happened: gossipsub::Event) {
        match happened {
            gossipsub::Event::Subscribed { peer_id, topic } => {
                event("joined", json!({ "peer": peer_id.to_string(), "topic": topic.as_str() }));
            }
            gossipsub::Event::Message { message, .. } => {
                let topic = message.topic.as_str();
                let (key, data) = match message.data.split_first() {
                    Some((&key, data)) if self.marks => (Some(key != 0), data),
                    _ => (None, &message.data[..]),
                };
                if let Some(echo) = self.trips.hear(topic, data)
                    && let Err(error) = self.publish(topic, echo)
                {
                    eprintln!("echo: {error}");
                }
                if !self.trips.is_quiet(topic) {
                    event(
                        "message",
                        json!({
                            "topic": topic, "from": message.source.map(|peer| peer.to_string()), "data": hex::encode(data),
                            "seqno": message.sequence_number.map(|seqno| format!("{seqno:016x}")), "key": key,
                        }),
                    );
                }
            }
            _ => {}
        }
    }
}
