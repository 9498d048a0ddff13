//! Ping between two peers, and with strangers who know half of it.

use std::{
    future::Future,
    io,
    time::{Duration, Instant},
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt, StreamExt};
use libp2p::{
    Multiaddr, StreamProtocol, identity,
    request_response::{self, ProtocolSupport},
    swarm::{self, NetworkBehaviour, Swarm, SwarmEvent},
};
use stonechat::net::{
    self,
    executor::Executor,
    ping::{Behaviour, Config, Event, Failure, PROTOCOL},
    tcp, yamux,
};

/// Generous: a loaded machine may take seconds.
const LIMIT: Duration = Duration::from_secs(30);
/// No ping of a test comes by itself after the first.
const NEVER: Duration = Duration::from_secs(3_600);

fn run<T>(test: impl AsyncFnOnce(&Executor) -> T) -> T {
    let executor = Executor::new();
    let late = async {
        smol::Timer::after(LIMIT).await;
        panic!("not within {LIMIT:?}")
    };
    executor.block_on(smol::future::or(test(&executor), late))
}

fn swarm<B: NetworkBehaviour>(executor: &Executor, behaviour: B) -> Swarm<B> {
    let key = identity::Keypair::generate_ed25519();
    let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default()).unwrap();
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(LIMIT);
    Swarm::new(transport, behaviour, key.public().to_peer_id(), config)
}

async fn listen<B: NetworkBehaviour>(peer: &mut Swarm<B>) -> Multiaddr {
    peer.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = peer.select_next_some().await {
            return address;
        }
    }
}

/// What a peer's behaviour tells next.
async fn told<B: NetworkBehaviour>(peer: &mut Swarm<B>) -> B::ToSwarm {
    loop {
        match peer.select_next_some().await {
            SwarmEvent::Behaviour(event) => return event,
            SwarmEvent::ConnectionClosed { cause, .. } => panic!("closed: {cause:?}"),
            _ => {}
        }
    }
}

/// Drives another peer while waiting for something.
async fn beside<T, B: NetworkBehaviour>(other: &mut Swarm<B>, wanted: impl Future<Output = T>) -> T {
    let others = async {
        loop {
            other.select_next_some().await;
        }
    };
    smol::future::or(wanted, others).await
}

/// What a stranger does with the bytes of ping.
#[derive(Debug, Clone, Copy)]
struct Bytes {
    /// Whether it ever looks at a ping of ours.
    reads: bool,
    /// Whether it writes on and on behind what it is to send.
    floods: bool,
}

async fn read<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    io.read_exact(&mut bytes).await.map(|()| bytes)
}

impl request_response::Codec for Bytes {
    type Protocol = StreamProtocol;
    type Request = [u8; 32];
    type Response = [u8; 32];

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<[u8; 32]> {
        if !self.reads {
            std::future::pending::<()>().await;
        }
        read(io).await
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<[u8; 32]> {
        read(io).await
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: [u8; 32],
    ) -> io::Result<()> {
        io.write_all(&bytes).await?;
        if !self.floods {
            return Ok(());
        }
        loop {
            io.write_all(&[0; 4_096]).await?;
        }
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: [u8; 32],
    ) -> io::Result<()> {
        io.write_all(&bytes).await
    }
}

type Stranger = request_response::Behaviour<Bytes>;

fn stranger(support: ProtocolSupport, reads: bool) -> Stranger {
    let config = request_response::Config::default();
    request_response::Behaviour::with_codec(Bytes { reads, floods: false }, [(PROTOCOL, support)], config)
}

#[test]
fn two_peers_measure_each_other_and_at_once_when_asked() {
    run(async |executor| {
        let config = Config { interval: NEVER, timeout: LIMIT };
        let (mut one, mut other) = (swarm(executor, Behaviour::new(config)), swarm(executor, Behaviour::new(config)));
        one.dial(listen(&mut other).await).unwrap();
        let first = beside(&mut other, told(&mut one)).await;
        assert!(first.result.is_ok(), "{first:?}");
        for _ in 0..3 {
            let asked = Instant::now();
            one.behaviour_mut().ping_now(first.peer, first.connection);
            one.behaviour_mut().ping_now(first.peer, first.connection);
            let Event { begun, result, connection, .. } = beside(&mut other, told(&mut one)).await;
            assert_eq!(connection, first.connection);
            assert!(asked <= begun && begun + result.unwrap() <= Instant::now());
        }
        // Asked twice it was pinged once: nothing more comes.
        let mut rest = std::pin::pin!(told(&mut one));
        assert!(beside(&mut other, smol::future::poll_once(&mut rest)).await.is_none());
    });
}

#[test]
fn libp2ps_own_ping_is_understood_and_understands_us() {
    run(async |executor| {
        let mut ours = swarm(executor, Behaviour::default());
        let mut theirs = swarm(executor, libp2p::ping::Behaviour::default());
        theirs.dial(listen(&mut ours).await).unwrap();
        let (ours, theirs) = futures::join!(async { told(&mut ours).await.result.map(drop) }, async {
            told(&mut theirs).await.result.map(drop)
        });
        assert_eq!(ours, Ok(()));
        assert!(theirs.is_ok(), "{theirs:?}");
    });
}

#[test]
fn one_without_ping_is_answered_all_the_same() {
    run(async |executor| {
        let mut ours = swarm(executor, Behaviour::new(Config { interval: Duration::ZERO, timeout: LIMIT }));
        let mut theirs = swarm(executor, stranger(ProtocolSupport::Outbound, true));
        theirs.dial(listen(&mut ours).await).unwrap();
        let refused = beside(&mut theirs, told(&mut ours)).await;
        assert_eq!(refused.result, Err(Failure::Unsupported));
        let peer = *ours.local_peer_id();
        for number in 0..10 {
            theirs.behaviour_mut().send_request(&peer, [number; 32]);
            match beside(&mut ours, told(&mut theirs)).await {
                request_response::Event::Message {
                    message: request_response::Message::Response { response, .. },
                    ..
                } => assert_eq!(response, [number; 32]),
                other => panic!("{other:?}"),
            }
        }
        // It is no failure: nothing more was told of it meanwhile. Who asks is answered.
        let mut more = Box::pin(told(&mut ours));
        assert!(more.as_mut().now_or_never().is_none());
        drop(more);
        ours.behaviour_mut().ping_now(refused.peer, refused.connection);
        assert_eq!(beside(&mut theirs, told(&mut ours)).await.result, Err(Failure::Unsupported));
    });
}

#[test]
fn one_that_ends_its_stream_after_each_ping_fails_none() {
    run(async |executor| {
        let mut ours = swarm(executor, Behaviour::new(Config { interval: Duration::from_millis(20), timeout: LIMIT }));
        let mut theirs = swarm(executor, stranger(ProtocolSupport::Inbound, true));
        ours.dial(listen(&mut theirs).await).unwrap();
        let serve = async {
            loop {
                if let request_response::Event::Message {
                    message: request_response::Message::Request { request, channel, .. },
                    ..
                } = told(&mut theirs).await
                {
                    theirs.behaviour_mut().send_response(channel, request).unwrap();
                }
            }
        };
        let pings = async {
            for number in 0..10 {
                let event = told(&mut ours).await;
                assert!(event.result.is_ok(), "ping {number}: {event:?}");
            }
        };
        smol::future::or(pings, serve).await;
    });
}

#[test]
fn one_that_does_not_answer_fails_in_time() {
    run(async |executor| {
        let timeout = Duration::from_millis(300);
        let mut ours = swarm(executor, Behaviour::new(Config { interval: Duration::ZERO, timeout }));
        let mut theirs = swarm(executor, stranger(ProtocolSupport::Inbound, false));
        ours.dial(listen(&mut theirs).await).unwrap();
        for _ in 0..2 {
            let event = beside(&mut theirs, told(&mut ours)).await;
            assert_eq!(event.result, Err(Failure::Timeout(timeout)));
            assert!(event.begun.elapsed() >= timeout);
        }
    });
}

#[test]
fn a_ping_begins_when_it_is_wanted() {
    run(async |executor| {
        let config = Config { interval: NEVER, timeout: LIMIT };
        let (mut one, mut other) = (swarm(executor, Behaviour::new(config)), swarm(executor, Behaviour::new(config)));
        one.dial(listen(&mut other).await).unwrap();
        let first = beside(&mut other, told(&mut one)).await;
        let at = Instant::now() + Duration::from_millis(200);
        for wanted in [at + LIMIT, at, at + LIMIT] {
            one.behaviour_mut().ping_at(first.peer, first.connection, wanted);
        }
        let second = beside(&mut other, told(&mut one)).await;
        assert!(second.begun >= at && second.result.is_ok(), "{:?} too soon", at - second.begun);
        // And while another one is under way.
        one.behaviour_mut().ping_now(first.peer, first.connection);
        let asked = Instant::now();
        one.behaviour_mut().ping_at(first.peer, first.connection, asked);
        while beside(&mut other, told(&mut one)).await.begun < asked {}
    });
}

#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
struct Beside {
    flood: Stranger,
    ping: Behaviour,
}

/// Pings beside a stream on which one side writes without end and the other reads nothing.
#[test]
fn a_ping_is_no_fence_while_something_waits() {
    run(async |executor| {
        let both = || {
            let bytes = Bytes { reads: false, floods: true };
            let protocols = [(StreamProtocol::new("/flood/1"), ProtocolSupport::Full)];
            let config = request_response::Config::default().with_request_timeout(NEVER);
            let flood = Stranger::with_codec(bytes, protocols, config);
            let ping = Behaviour::new(Config { interval: Duration::from_millis(20), timeout: LIMIT });
            swarm(executor, Beside { flood, ping })
        };
        let (mut one, mut other) = (both(), both());
        one.dial(listen(&mut other).await).unwrap();
        let mut fences = async |one: &mut Swarm<Beside>, wanted: bool| loop {
            if let BesideEvent::Ping(event) = beside(&mut other, told(one)).await {
                assert!(event.result.is_ok(), "{event:?}");
                if event.is_fence == wanted {
                    return event.peer;
                }
            }
        };
        let peer = fences(&mut one, true).await;
        one.behaviour_mut().flood.send_request(&peer, [7; 32]);
        fences(&mut one, false).await;
    });
}
