//! Strangers in this process that know half of what a peer of ours speaks.

#[allow(dead_code)]
#[path = "hostile/line.rs"]
mod line;
mod peer;
#[allow(dead_code)]
#[path = "hostile/wire.rs"]
mod wire;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::{
    StreamProtocol, identity,
    request_response::{self, ProtocolSupport},
    swarm::{self, Swarm, SwarmEvent},
};
use peer::{PATIENCE, Peer, config};
use std::{io, time::Duration};
use stonechat::{
    net::{self, executor::Executor, ping, tcp, yamux},
    node::{
        command::{Answer, Command},
        event::Event,
    },
    wire::{
        frame::{Body, Frame},
        room::RoomName,
    },
};

/// Pings on a stream of its own each, as js-libp2p's connection monitor sends them.
#[derive(Debug, Clone, Copy)]
struct Monitor;

async fn read<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    io.read_exact(&mut bytes).await.map(|()| bytes)
}

impl request_response::Codec for Monitor {
    type Protocol = StreamProtocol;
    type Request = [u8; 32];
    type Response = [u8; 32];

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<[u8; 32]> {
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
        io.write_all(&bytes).await
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

/// libp2p-ping 0.48 answers nothing once the other refused a ping of ours; the remedy is `net/ping`.
#[test]
fn one_that_pings_and_does_not_serve_ping_is_answered() {
    let ours = Peer::start(config());
    let address = ours.address();
    let executor = Executor::new();
    let key = identity::Keypair::generate_ed25519();
    let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default()).unwrap();
    let monitor = request_response::Behaviour::with_codec(
        Monitor,
        [(ping::PROTOCOL, ProtocolSupport::Outbound)],
        request_response::Config::default(),
    );
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(PATIENCE);
    let mut theirs = Swarm::new(transport, monitor, key.public().to_peer_id(), config);
    theirs.dial(address).unwrap();
    let late = async {
        smol::Timer::after(PATIENCE).await;
        panic!("not within {PATIENCE:?}")
    };
    let pings = async {
        for number in 0..20 {
            let answer = loop {
                match theirs.select_next_some().await {
                    SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                        theirs.behaviour_mut().send_request(&peer_id, [number; 32]);
                    }
                    SwarmEvent::Behaviour(request_response::Event::Message {
                        peer,
                        message: request_response::Message::Response { response, .. },
                        ..
                    }) => break (peer, response),
                    SwarmEvent::Behaviour(request_response::Event::OutboundFailure { error, .. }) => {
                        panic!("ping {number}: {error}")
                    }
                    SwarmEvent::ConnectionClosed { cause, .. } => panic!("closed at ping {number}: {cause:?}"),
                    _ => {}
                }
            };
            assert_eq!(answer.1, [number; 32]);
            // What it sends between two pings has its turn.
            smol::Timer::after(Duration::from_millis(25)).await;
            theirs.behaviour_mut().send_request(&answer.0, [number + 1; 32]);
        }
    };
    executor.block_on(smol::future::or(pings, late));
}

/// Says lines in the lobby, signed by another's key, and reads what comes.
async fn forge(author: &identity::Keypair, at: &libp2p::Multiaddr, stamps: &[u64]) -> io::Result<()> {
    let topic = RoomName::new("lobby").unwrap().topic();
    let raw = line::dial(&identity::Keypair::generate_ed25519(), at).await?;
    let (reader, mut writer) = line::halves(raw);
    let write = async {
        writer.open(1, &wire::hello("/meshsub/1.1.0")).await?;
        writer.send(1, &wire::sized(&wire::subscribe(topic.as_str(), true)), 1_024).await?;
        for stamp in stamps {
            let body = Body::Text { nick: "tester", text: "not mine" };
            let frame = Frame { stamp: *stamp, body }.to_bytes().unwrap();
            writer.send(1, &wire::sized(&wire::publish(author, topic.as_str(), *stamp, &frame)), 4_096).await?;
        }
        writer.flush().await?;
        std::future::pending().await
    };
    smol::future::or(write, reader.read()).await
}

#[test]
fn lines_that_are_signed_by_us_and_not_ours_are_told() {
    let given = config();
    let key = given.keypair.clone();
    let mut ours = Peer::start(given);
    let address = ours.address();
    ours.say("one of ours");
    let said = ours.wait_line("one of ours");
    let troubles = |peer: &Peer| peer.status().troubles.into_iter().map(|it| it.code).collect::<Vec<_>>();
    let heard_of = |peer: &Peer| peer.counter("gossip: messages signed by us");
    // Until `count` of them have come; whoever forges them stays connected for so long.
    let until_heard = |peer: &Peer, stamps: &[u64], count: u64| {
        let forged = forge(&key, &address, stamps);
        let heard = async {
            while heard_of(peer) < count {
                smol::Timer::after(Duration::from_millis(20)).await;
            }
        };
        let late = async {
            smol::Timer::after(PATIENCE).await;
            panic!("not within {PATIENCE:?}")
        };
        let forged = async {
            forged.await.unwrap();
        };
        smol::block_on(smol::future::or(heard, smol::future::or(forged, late)));
    };
    // What we said comes back.
    until_heard(&ours, &[said.stamp], 1);
    assert_eq!(troubles(&ours), Vec::<String>::new());
    until_heard(&ours, &[said.stamp + 5_000], 2);
    let told = ours.wait("the trouble", |event| match event {
        Event::Trouble(it) => Some(it.clone()),
        _ => None,
    });
    assert_eq!((told.code.as_str(), troubles(&ours)), ("identity_twice", vec!["identity_twice".to_string()]));
    assert!(told.sentence.contains("where its lines come from"), "{told:?}");
    // Nobody was shown it.
    let Ok(Answer::History { history }) = ours.ask(Command::History { room: None, count: 10 }) else { panic!() };
    assert_eq!(history.len(), 1, "{history:?}");
}
