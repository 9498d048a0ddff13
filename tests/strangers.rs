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
use std::{io, sync::Arc, time::Duration};
use stonechat::{
    base::time::Wall,
    net::{self, executor::Executor, ping, tcp, yamux},
    node::{
        Config, DEFAULT_DHT_PROTOCOL, Role, WallClock,
        command::{Answer, Command},
        event::Event,
        peers::{peer_of, without_peer},
    },
    wire::{
        frame::{Body, Frame},
        room::RoomName,
    },
};

/// Asks on a stream of its own each, in whatever bytes.
#[derive(Debug, Clone, Copy)]
enum Exchange {
    /// The answer has so many bytes.
    Fixed(usize),
    /// The answer begins with its length as a varint.
    Sized,
}

async fn read<T: AsyncRead + Unpin>(io: &mut T, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    io.read_exact(&mut bytes).await.map(|()| bytes)
}

impl request_response::Codec for Exchange {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
    ) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        let length = match self {
            Exchange::Fixed(length) => *length,
            Exchange::Sized => {
                let (mut length, mut shift) = (0, 0);
                loop {
                    let byte = read(io, 1).await?[0];
                    length |= usize::from(byte & 0x7f) << shift;
                    shift += 7;
                    if byte & 0x80 == 0 {
                        break length;
                    }
                }
            }
        };
        read(io, length).await
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()> {
        io.write_all(&bytes).await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
        _: Vec<u8>,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Connects with a peer of ours and asks these, one after another; the answers.
fn ask(ours: &Peer, protocol: StreamProtocol, exchange: Exchange, questions: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let address = ours.address();
    let executor = Executor::new();
    let key = identity::Keypair::generate_ed25519();
    let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default()).unwrap();
    let support = [(protocol, ProtocolSupport::Outbound)];
    let behaviour = request_response::Behaviour::with_codec(exchange, support, request_response::Config::default());
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(PATIENCE);
    let mut theirs = Swarm::new(transport, behaviour, key.public().to_peer_id(), config);
    theirs.dial(address).unwrap();
    let late = async {
        smol::Timer::after(PATIENCE).await;
        panic!("not within {PATIENCE:?}")
    };
    let exchange = async {
        let mut answers = Vec::new();
        let mut peer = None;
        for question in questions {
            if let Some(peer) = &peer {
                theirs.behaviour_mut().send_request(peer, question.clone());
            }
            let answer = loop {
                match theirs.select_next_some().await {
                    SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                        peer = Some(peer_id);
                        theirs.behaviour_mut().send_request(&peer_id, question.clone());
                    }
                    SwarmEvent::Behaviour(request_response::Event::Message {
                        message: request_response::Message::Response { response, .. },
                        ..
                    }) => break response,
                    SwarmEvent::Behaviour(request_response::Event::OutboundFailure { error, .. }) => {
                        panic!("after {} answers: {error}", answers.len())
                    }
                    SwarmEvent::ConnectionClosed { cause, .. } => panic!("after {} answers: {cause:?}", answers.len()),
                    _ => {}
                }
            };
            answers.push(answer);
            // What it asks by itself between two questions has its turn.
            smol::Timer::after(Duration::from_millis(25)).await;
        }
        answers
    };
    executor.block_on(smol::future::or(exchange, late))
}

/// libp2p-ping 0.48 answers nothing once the other refused a ping of ours; the remedy is `net/ping`. As js-libp2p's
/// connection monitor pings: on a stream of its own each.
#[test]
fn one_that_pings_and_does_not_serve_ping_is_answered() {
    let ours = Peer::start(config());
    let questions: Vec<_> = (0..20).map(|number| vec![number; 32]).collect();
    assert_eq!(ask(&ours, ping::PROTOCOL, Exchange::Fixed(32), questions.clone()), questions);
}

/// go-libp2p-kad-dht 0.25 takes a server that answers nothing to its own id for a broken one; the remedy is `node/dht`.
#[test]
fn a_lone_dht_server_names_itself_to_who_asks_for_it() {
    let ours = Peer::start(Config { role: Role::Bootstrap, ..config() });
    let address = ours.address();
    let id = peer_of(&address).unwrap().to_bytes();
    let protocol = StreamProtocol::new(DEFAULT_DHT_PROTOCOL);
    let questions = vec![wire::find_node(&id), wire::find_node(&[7; 34])];
    let answers = ask(&ours, protocol, Exchange::Sized, questions);
    let has = |answer: &[u8], part: &[u8]| answer.windows(part.len()).any(|it| it == part);
    assert!(has(&answers[0], &id) && has(&answers[0], &without_peer(address).to_vec()), "{:?}", answers[0]);
    assert!(!has(&answers[1], &id), "only there: {:?}", answers[1]);
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

/// The codes of what is wrong there.
fn troubles(peer: &Peer) -> Vec<String> {
    peer.status().troubles.into_iter().map(|it| it.code).collect()
}

/// Says lines signed by its own key to a node until it has heard `count` of them; whoever forges them stays connected for
/// so long.
fn forge_until_heard(peer: &Peer, key: &identity::Keypair, stamps: &[u64], count: u64) {
    let address = peer.address();
    let forged = async { forge(key, &address, stamps).await.unwrap() };
    let heard = async {
        while peer.counter("gossip: messages signed by us") < count {
            smol::Timer::after(Duration::from_millis(20)).await;
        }
    };
    let late = async {
        smol::Timer::after(PATIENCE).await;
        panic!("not within {PATIENCE:?}")
    };
    smol::block_on(smol::future::or(heard, smol::future::or(forged, late)));
}

#[test]
fn lines_that_are_signed_by_us_and_not_ours_are_told() {
    let given = config();
    let key = given.keypair.clone();
    let mut ours = Peer::start(given);
    ours.say("one of ours");
    let said = ours.wait_line("one of ours");
    // What we said comes back.
    forge_until_heard(&ours, &key, &[said.stamp], 1);
    assert_eq!(troubles(&ours), Vec::<String>::new());
    forge_until_heard(&ours, &key, &[said.stamp + 5_000], 2);
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

#[test]
fn a_line_that_was_stamped_anew_is_ours_when_it_comes_back() {
    let unix_ms = || std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let clock = |read: fn(u64) -> Wall| WallClock::Other(Arc::new(move || read(unix_ms())));
    // Two hours behind, and nobody there.
    let given = Config { clock: clock(|now| Wall::Guess(now - 7_200_000)), ..config() };
    let key = given.keypair.clone();
    let mut ours = Peer::start(given);
    ours.say("what time is it?");
    let _sun = Peer::start(Config { clock: clock(Wall::Synchronised), bootstrap: vec![ours.address()], ..config() });
    let stamp = ours.wait("the new stamp", |event| match event {
        Event::Restamped { stamp, .. } => Some(*stamp),
        _ => None,
    });
    forge_until_heard(&ours, &key, &[stamp], 1);
    assert!(!troubles(&ours).contains(&"identity_twice".to_string()), "{:?}", ours.status().troubles);
}
