//! Strangers in this process that know half of what a peer of ours speaks.

mod peer;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::{
    StreamProtocol, identity,
    request_response::{self, ProtocolSupport},
    swarm::{self, Swarm, SwarmEvent},
};
use peer::{PATIENCE, Peer, config};
use std::{io, time::Duration};
use stonechat::net::{self, executor::Executor, ping, tcp, yamux};

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
