//! The whole stack under a swarm: two peers that talk, and remotes that do not finish their handshake.

use std::{
    future::Future,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, identity,
    multiaddr::Protocol,
    ping,
    swarm::{self, Swarm, SwarmEvent},
};
use stonechat::net::{
    self, HANDSHAKE_TIMEOUT_MS_MAX,
    executor::{CONNECTION, Executor},
    tcp, yamux,
};

/// Generous: a loaded machine may take seconds.
const LIMIT: Duration = Duration::from_secs(20);

type Event = SwarmEvent<ping::Event>;

fn run<T>(executor: &Executor, test: impl Future<Output = T>) -> T {
    executor.block_on(smol::future::or(test, async {
        smol::Timer::after(LIMIT).await;
        panic!("not within {LIMIT:?}")
    }))
}

fn peer(executor: &Executor) -> Swarm<ping::Behaviour> {
    let key = identity::Keypair::generate_ed25519();
    let transport = net::transport(&key, tcp::Config::default(), yamux::Config::default()).unwrap();
    let config = swarm::Config::with_executor(executor.clone()).with_idle_connection_timeout(LIMIT);
    Swarm::new(transport, ping::Behaviour::default(), key.public().to_peer_id(), config)
}

async fn listening(executor: &Executor) -> (Swarm<ping::Behaviour>, Multiaddr, u16) {
    let mut peer = peer(executor);
    peer.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    match peer.select_next_some().await {
        SwarmEvent::NewListenAddr { address, .. } => {
            let Some(Protocol::Tcp(port)) = address.iter().nth(1) else { panic!("{address}") };
            (peer, address, port)
        }
        other => panic!("{other:?}"),
    }
}

async fn until<T>(peer: &mut Swarm<ping::Behaviour>, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(peer.select_next_some().await) {
            return found;
        }
    }
}

#[test]
fn two_peers_talk_and_their_tasks_end() {
    let executor = Executor::new();
    run(&executor, async {
        let (mut theirs, at, _) = listening(&executor).await;
        let mut ours = peer(&executor);
        ours.dial(at.with(Protocol::P2p(*theirs.local_peer_id()))).unwrap();
        let pong = |event| matches!(event, SwarmEvent::Behaviour(ping::Event { result: Ok(_), .. })).then_some(());
        futures::join!(until(&mut ours, pong), until(&mut theirs, pong));
        assert_eq!(executor.tasks(), [(CONNECTION, 2)]);
        drop(ours);
        until(&mut theirs, |event| matches!(event, SwarmEvent::ConnectionClosed { .. }).then_some(())).await;
        drop(theirs);
        while !executor.tasks().is_empty() {
            smol::Timer::after(Duration::from_millis(10)).await;
        }
    });
}

/// Both peers know each other's address and dial at about the same time, from their listening ports.
#[test]
fn two_peers_that_dial_each_other_end_up_connected() {
    let executor = Executor::new();
    run(&executor, async {
        let (mut ours, our_address, _) = listening(&executor).await;
        let (mut theirs, their_address, _) = listening(&executor).await;
        ours.dial(their_address).unwrap();
        theirs.dial(our_address).unwrap();
        let pong = |event| matches!(event, SwarmEvent::Behaviour(ping::Event { result: Ok(_), .. })).then_some(());
        futures::join!(until(&mut ours, pong), until(&mut theirs, pong));
    });
}

/// The limit is at work, not something faster. Measured from before the connection: never too short.
fn took_the_time_limit(since: Instant) {
    assert!(since.elapsed() >= Duration::from_millis(HANDSHAKE_TIMEOUT_MS_MAX), "after {:?}", since.elapsed());
}

#[test]
fn who_says_nothing_or_too_little_is_dropped() {
    let executor = Executor::new();
    run(&executor, async {
        let (mut peer, _, port) = listening(&executor).await;
        let start = Instant::now();
        let mut silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut slow = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let trickle = async {
            // A right beginning, but a byte at a time: each is progress, the whole is not.
            for byte in b"\x13/multistream/1.0.0\n".iter().cycle() {
                let _ = slow.write_all(&[*byte]);
                smol::Timer::after(Duration::from_millis(400)).await;
            }
        };
        let mut dropped = 0;
        let both_dropped = until(&mut peer, |event| {
            if let SwarmEvent::IncomingConnectionError { error, .. } = event {
                assert!(format!("{error:?}").contains("Timeout"), "{error:?}");
                dropped += 1;
            }
            (dropped == 2).then_some(())
        });
        smol::future::or(both_dropped, trickle).await;
        took_the_time_limit(start);
        // The socket is closed, not forgotten. What the other side wrote first is its part of the handshake.
        silent.set_read_timeout(Some(LIMIT)).unwrap();
        let mut said = Vec::new();
        silent.read_to_end(&mut said).unwrap();
    });
}

#[test]
fn a_dialed_address_that_says_nothing_is_given_up() {
    let executor = Executor::new();
    run(&executor, async {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let start = Instant::now();
        let mut peer = peer(&executor);
        peer.dial(format!("/ip4/127.0.0.1/tcp/{}", silent.local_addr().unwrap().port()).parse::<Multiaddr>().unwrap())
            .unwrap();
        until(&mut peer, |event| match event {
            SwarmEvent::OutgoingConnectionError { error, .. } => {
                assert!(format!("{error:?}").contains("Timeout"), "{error:?}");
                Some(())
            }
            _ => None,
        })
        .await;
        took_the_time_limit(start);
    });
}

#[test]
fn garbage_ends_the_handshake_and_nothing_else() {
    let executor = Executor::new();
    run(&executor, async {
        let (mut peer, at, port) = listening(&executor).await;
        for garbage in
            [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], &[0; 64], b"\x13/multistream/1.0.0\n\x07/noise\n\0\0"]
        {
            let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            client.write_all(garbage).unwrap();
            until(&mut peer, |event| matches!(event, SwarmEvent::IncomingConnectionError { .. }).then_some(())).await;
        }
        let mut honest = self::peer(&executor);
        honest.dial(at).unwrap();
        let pong = |event| matches!(event, SwarmEvent::Behaviour(ping::Event { result: Ok(_), .. })).then_some(());
        futures::join!(until(&mut honest, pong), until(&mut peer, pong));
    });
}
