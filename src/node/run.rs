//! Start, loop and end.

use super::{
    admission::Admission,
    alarm::Alarm,
    answer::check_nick,
    behaviour::Behaviour,
    bootstrap::{BOOTSTRAP_MAX, Bootstrap},
    config::{Config, DEFAULT_PORT, Role},
    crowd, dialable,
    event::{FoundBy, Stage},
    greetings::Greetings,
    handle::{self, Handle, Reply, Request},
    limits,
    outbox::Outbox,
    peers::Peers,
    rendezvous::Rendezvous,
    state::{Disk, Node},
    strangers::Strangers,
    twin::Twin,
    wall::{Clocks, build_unix_ms},
};
use crate::{
    chat::{core::Core, settings::Settings},
    net::{self, dns, executor::Executor, mdns, tcp, yamux},
    store::{
        clock_mark,
        remembered::{REMEMBERED_FILE, Remembered},
        writer::{Outcome, Write, Writer},
    },
};
use futures::{FutureExt, StreamExt};
use libp2p::{
    Multiaddr, StreamProtocol, Swarm, Transport as _, kad,
    multiaddr::Protocol,
    swarm::{SwarmEvent, behaviour::toggle::Toggle},
};
use std::{
    future::{Future, poll_fn},
    net::{Ipv4Addr, Ipv6Addr},
    task::Poll,
    time::{Duration, Instant},
};

/// Writes that wait for the disk at most: there are two files.
pub const DISK_WRITES_MAX: usize = 4;
/// Milliseconds a polite leave may take.
pub const LEAVE_MS: u64 = 1_500;
/// Seconds between two writes of the remembered peers: cards wear.
pub const REMEMBER_INTERVAL_S: u64 = 600;
/// Events of the swarm handled before commands are looked at again.
const SWARM_EVENTS_PER_TURN: u32 = 32;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A part was given something it cannot work with.
    #[error("{0}")]
    Config(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// Why not.
        reason: String,
    },
    /// The thread for the disk did not start.
    #[error("the disk thread did not start: {0}")]
    Disk(#[from] std::io::Error),
}

// One lives at a time, on the stack: a box would be an allocation for each event.
#[allow(clippy::large_enum_variant)]
enum Turn {
    Swarm(SwarmEvent<super::behaviour::BehaviourEvent>),
    Request(Request),
    Written(Outcome),
    Due,
    Gone,
}

/// Starts a node: the handle to it, and its loop, which ends after [`Handle::shutdown`].
pub fn start(
    config: Config,
    executor: &Executor,
) -> Result<(Handle, impl Future<Output = ()> + Send + use<>), StartError> {
    check_nick(&config.nick).map_err(|e| StartError::Config(e.0))?;
    if config.bootstrap.len() > BOOTSTRAP_MAX {
        let given = config.bootstrap.len();
        return Err(StartError::Config(format!("at most {BOOTSTRAP_MAX} bootstrap nodes, {given} given")));
    }
    for address in &config.bootstrap {
        dialable::check(address).map_err(|error| StartError::Config(format!("a bootstrap node: {error}")))?;
    }
    let limits = &config.board.limits;
    let now = Instant::now();
    let local = config.keypair.public().to_peer_id();
    let protocol = StreamProtocol::try_from_owned(config.dht_protocol.clone()).map_err(|_| {
        StartError::Config(format!("the DHT protocol {:?} must begin with a slash", config.dht_protocol))
    })?;

    let tcp_config = tcp::Config {
        accepts_per_second_max: limits.accepts_per_second_max,
        accepts_per_address_per_second_max: limits.accepts_per_address_per_second_max,
        read_bytes_per_second_max: limits.read_bytes_per_second_max,
        ..tcp::Config::default()
    };
    let transport = tcp::Transport::new(tcp_config);
    let counters = transport.counters();
    let yamux = yamux::Config {
        streams_max: limits.yamux_streams_max,
        window_bytes_max: limits.yamux_window_bytes_max,
        unread_bytes_max: limits.unread_bytes_max,
    };
    let transport = net::upgrade(transport, &config.keypair, yamux).map_err(|e| StartError::Config(e.to_string()))?;
    // Outside, so that the time a handshake may take holds for each address found and not for the lookups.
    let transport = dns::Transport::system(transport, executor).boxed();

    let mdns = config.mdns.then(|| {
        let mdns_config = mdns::Config {
            peers_max: limits.mdns_peers_max.into(),
            addresses_per_peer_max: limits.addresses_per_peer_max.into(),
            ..mdns::Config::default()
        };
        mdns::Behaviour::new(mdns_config, local)
    });
    let mdns = mdns.transpose().map_err(|e| StartError::Config(e.to_string()))?;
    let mut dht = limits::dht(local, protocol, limits, config.role);
    dht.set_mode(Some(if config.role == Role::Bootstrap { kad::Mode::Server } else { kad::Mode::Client }));
    let behaviour = Behaviour {
        limits: crowd::Behaviour::new(limits),
        mdns: Toggle::from(mdns),
        identify: limits::identify(&config.keypair),
        dht,
        direct: limits::direct(),
        hello: super::hello::behaviour(),
        gossip: limits::gossip(&config.keypair, limits),
        ping: limits::ping(),
    };
    let mut swarm = Swarm::new(transport, behaviour, local, limits::swarm(executor.clone()));
    listen(&mut swarm, &config.listen)?;

    let (remembered_max, addresses_max) = (limits.remembered_peers_max.into(), limits.addresses_per_peer_max.into());
    let remembered = match &config.remembered {
        Some(dir) => Remembered::load(dir, remembered_max, addresses_max),
        None => Remembered::new(remembered_max, addresses_max),
    };
    let mut peers = Peers::new(local, addresses_max);
    for old in remembered.list() {
        for address in old.addresses.iter().rev() {
            peers.note(old.peer, address.clone(), FoundBy::Remembered, now);
        }
    }
    let disk = match config.remembered.clone() {
        Some(dir) => Some(Disk { dir, writer: Writer::start(DISK_WRITES_MAX)?, written: now }),
        None => None,
    };
    let seed = [fastrand::u64(..), fastrand::u64(..)];
    let settings = Settings::new(limits, build_unix_ms(), seed);
    let mut core = Core::new(settings, &local.to_bytes()).map_err(|e| StartError::Config(e.to_string()))?;
    let clocks = Clocks::new(config.clock);
    // A guest is somebody else at the next start: nothing is written down for it, and nothing waits for that.
    let mark = config.remembered.as_deref().map(clock_mark::load);
    if let Some(mark) = mark {
        core.clock_mut().resume(mark, clocks.now());
    }
    let (handle, requests, hub) = handle::channel(limits.commands_queue_max.into(), limits.events_queue_max.into());
    // Boxed at once: it is large, and every copy on the stack stays in memory.
    let mut node = Box::new(Node {
        swarm,
        executor: executor.clone(),
        core,
        board: config.board,
        nick: config.nick,
        rooms: Vec::new(),
        peers,
        unconfirmed: Default::default(),
        strangers: Strangers::new(fastrand::u64(..), now),
        admission: Admission::new(limits, config.role == Role::Bootstrap, fastrand::u64(..)),
        topics: Default::default(),
        seqno: first_seqno(),
        authors: Default::default(),
        directs: Default::default(),
        bootstrap: Bootstrap::new(&config.bootstrap, now),
        rendezvous: Rendezvous::default(),
        remembered,
        clocks,
        greetings: Greetings::new(now),
        doubts: Default::default(),
        reserve: Default::default(),
        disk,
        outbox: Outbox::new(limits, now),
        holdback: Default::default(),
        dials: Default::default(),
        dht_servers: Default::default(),
        stage: Stage::Join,
        why: "just started".into(),
        listening: Vec::new(),
        here: None,
        hub,
        requests,
        troubles: Default::default(),
        refusals: Default::default(),
        lonely: Default::default(),
        asked_dials: Default::default(),
        twin: Twin::new(mark.into_iter().flat_map(|mark| mark.last).max().unwrap_or(0)),
        changes: Default::default(),
        unknown_keys: Vec::new(),
        is_bootstrap: config.role == Role::Bootstrap,
        counts: Default::default(),
        housekeeping: now + Duration::from_secs(super::meet::HOUSEKEEPING_S),
        tcp: counters,
    });
    node.update_stage();
    for room in &config.rooms {
        node.join(room).map_err(|e| StartError::Config(e.0))?;
    }
    Ok((handle, node.run()))
}

/// What our messages are numbered from: the nanoseconds since 1970, as go and rust do.
fn first_seqno() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0))
}

/// Listens where told, or on every interface on the default port, or if that is taken on any free one.
fn listen(swarm: &mut Swarm<Behaviour>, addresses: &[Multiaddr]) -> Result<(), StartError> {
    for address in addresses {
        let refused = |e: libp2p::TransportError<std::io::Error>| StartError::Listen {
            address: address.clone(),
            reason: match e {
                libp2p::TransportError::MultiaddrNotSupported(_) => {
                    "only TCP addresses such as /ip4/0.0.0.0/tcp/4470 or /ip6/::/tcp/4470 work".into()
                }
                libp2p::TransportError::Other(e) => e.to_string(),
            },
        };
        swarm.listen_on(address.clone()).map_err(refused)?;
    }
    if !addresses.is_empty() {
        return Ok(());
    }
    let any4 = |port| Multiaddr::empty().with(Protocol::Ip4(Ipv4Addr::UNSPECIFIED)).with(Protocol::Tcp(port));
    let any6 = |port| Multiaddr::empty().with(Protocol::Ip6(Ipv6Addr::UNSPECIFIED)).with(Protocol::Tcp(port));
    if swarm.listen_on(any4(DEFAULT_PORT)).is_err() {
        swarm.listen_on(any4(0)).map_err(|e| StartError::Listen { address: any4(0), reason: e.to_string() })?;
    }
    if swarm.listen_on(any6(DEFAULT_PORT)).is_err() && swarm.listen_on(any6(0)).is_err() {
        log::info!("this host has no IPv6");
    }
    Ok(())
}

impl Node {
    async fn run(mut self: Box<Self>) {
        self.do_due(Instant::now());
        let mut alarm = Alarm::new(Instant::now());
        let mut swarm_events = 0;
        let stop = loop {
            if alarm.set(self.next_due(), Instant::now()) {
                self.count("timer: something due could not be done");
            }
            let turn = poll_fn(|cx| {
                if swarm_events < SWARM_EVENTS_PER_TURN
                    && let Poll::Ready(event) = self.swarm.poll_next_unpin(cx)
                {
                    swarm_events += 1;
                    return Poll::Ready(event.map_or(Turn::Gone, Turn::Swarm));
                }
                if let Poll::Ready(outcome) = self.reserve.poll(cx) {
                    return Poll::Ready(Turn::Written(outcome));
                }
                if self.reserve.has_room()
                    && let Poll::Ready(request) = self.requests.poll_next(cx)
                {
                    swarm_events = 0;
                    return Poll::Ready(request.map_or(Turn::Gone, Turn::Request));
                }
                if swarm_events > 0 {
                    swarm_events = 0;
                    cx.waker().wake_by_ref();
                }
                alarm.poll(cx).map(|()| Turn::Due)
            })
            .await;
            match turn {
                Turn::Swarm(SwarmEvent::Behaviour(event)) => self.on_behaviour_event(event),
                Turn::Swarm(event) => self.on_swarm_event(event),
                Turn::Request(Request::Do(command, reply)) => {
                    self.on_command(command, reply).await;
                }
                Turn::Request(Request::Stop(reply)) => break Some(reply),
                Turn::Written(outcome) => self.on_stamps_written(outcome).await,
                Turn::Due => {}
                Turn::Gone => break None,
            }
            self.give_up_disk(Instant::now()).await;
            self.do_due(Instant::now());
        };
        self.end(stop).await;
    }

    /// Writes what outlives a restart, if it changed and the last time is long enough ago.
    pub(super) fn save(&mut self, now: bool) {
        let Some(disk) = &mut self.disk else { return };
        let long_ago = disk.written.elapsed() >= Duration::from_secs(REMEMBER_INTERVAL_S);
        if self.remembered.changed() && (now || long_ago) {
            disk.written = Instant::now();
            let write = Write { path: disk.dir.join(REMEMBERED_FILE), bytes: self.remembered.to_bytes() };
            if let Err(busy) = disk.writer.write(write) {
                log::warn!("remembered peers not written: {busy}");
            }
        }
    }

    /// Leaves politely: says goodbye by mDNS and in the rooms, closes every connection, writes to disk.
    async fn end(mut self: Box<Self>, stop: Option<Reply>) {
        self.requests.close();
        if let Some(mdns) = self.swarm.behaviour_mut().mdns.as_mut() {
            mdns.goodbye();
        }
        for room in std::mem::take(&mut self.rooms) {
            if let Some(topic) = self.topics.remove(&room) {
                self.swarm.behaviour_mut().gossip.leave(topic);
            }
        }
        self.save(true);
        self.write_given_stamps();
        // Long enough for the unsubscriptions to leave; then connections are closed and waited for.
        self.poll_for(Duration::from_millis(200), |_| false).await;
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let rest = Duration::from_millis(LEAVE_MS - 500);
        self.poll_for(rest, |swarm| swarm.network_info().num_peers() == 0).await;
        let disk = self.disk.take();
        self.hub.close();
        if let Some(disk) = disk {
            disk.writer.close();
        }
        if let Some(reply) = stop {
            let _ = reply.send(Ok(super::command::Answer::Done {}));
        }
    }

    async fn poll_for(&mut self, most: Duration, done: impl Fn(&Swarm<Behaviour>) -> bool) {
        let mut timer = smol::Timer::after(most);
        poll_fn(|cx| {
            while let Poll::Ready(Some(_)) = self.swarm.poll_next_unpin(cx) {}
            if done(&self.swarm) { Poll::Ready(()) } else { timer.poll_unpin(cx).map(|_| ()) }
        })
        .await;
    }
}
