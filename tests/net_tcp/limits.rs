//! The rates: connections accepted, bytes read.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use futures::AsyncReadExt;
use libp2p::core::transport::TransportEvent;
use stonechat::net::tcp::{Config, Transport};

use crate::drive::{accept, listen, next, port, run, within};

fn limited(total: u16, each: u16) -> Transport {
    Transport::new(Config {
        accepts_per_second_max: total,
        accepts_per_address_per_second_max: each,
        ..Config::default()
    })
}

/// Connects from `count` different addresses in turn, `rounds` times, then lets the transport deal with them.
/// Says how many were accepted, and how long all that took.
async fn flood(tcp: &mut Transport, count: u8, rounds: u32) -> (u32, Duration) {
    let (_, at) = listen(tcp, "/ip4/127.0.0.1/tcp/0").await;
    let start = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..rounds {
        for from in 1..=count {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.bind(&SocketAddr::from(([127, 0, 9, from], 0)).into()).unwrap();
            socket.connect(&SocketAddr::from(([127, 0, 0, 1], port(&at))).into()).unwrap();
            clients.push(TcpStream::from(socket));
        }
    }
    let all = u32::from(count) * rounds;
    let mut accepted = Vec::new();
    let counters = tcp.counters();
    let dealt_with = || {
        let counts = counters.counts();
        (counts.accepted + counts.refused_total + counts.refused_address) as u32
    };
    while dealt_with() < all {
        let incoming = async { Some(next(tcp).await) };
        let seen_all = async {
            while dealt_with() < all {
                smol::future::yield_now().await;
            }
            None
        };
        match smol::future::or(incoming, seen_all).await {
            Some(TransportEvent::Incoming { upgrade, .. }) => accepted.push(upgrade.await.unwrap()),
            Some(other) => panic!("{other:?}"),
            None => {}
        }
    }
    let took = start.elapsed();
    // Whoever was refused knows: his connection was reset, not left hanging.
    let mut reset = 0;
    for client in &mut clients {
        client.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        match client.read(&mut [0]) {
            Err(e) if e.kind() == ErrorKind::ConnectionReset => reset += 1,
            Err(e) => assert!(matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{e}"),
            Ok(count) => panic!("read {count} bytes from a peer that sends none"),
        }
    }
    assert_eq!(reset + accepted.len(), all as usize);
    (accepted.len() as u32, took)
}

/// The most that a rate allows in this time, with a full second's worth at the start.
fn most(rate: u32, took: Duration) -> u32 {
    rate + (f64::from(rate) * took.as_secs_f64()).ceil() as u32
}

#[test]
fn one_address_has_its_rate() {
    run(async {
        let mut tcp = limited(0, 5);
        let (accepted, took) = flood(&mut tcp, 2, 40).await;
        assert!((10..=2 * most(5, took)).contains(&accepted), "{accepted} in {took:?}");
        let counts = tcp.counters().counts();
        assert_eq!((counts.refused_address as u32, counts.refused_total), (80 - accepted, 0));
    });
}

#[test]
fn all_together_have_a_rate() {
    run(async {
        let mut tcp = limited(7, 0);
        let (accepted, took) = flood(&mut tcp, 40, 2).await;
        assert!((7..=most(7, took)).contains(&accepted), "{accepted} in {took:?}");
        let counts = tcp.counters().counts();
        assert_eq!((counts.refused_address, counts.refused_total as u32), (0, 80 - accepted));
    });
}

#[test]
fn after_a_flood_others_are_accepted_again() {
    run(async {
        let mut tcp = limited(3, 0);
        flood(&mut tcp, 10, 2).await;
        let (_, at) = listen(&mut tcp, "/ip4/127.0.0.1/tcp/0").await;
        // Knock until let in; the limit of the test ends it.
        let knocking = async {
            loop {
                let client = TcpStream::connect(("127.0.0.1", port(&at))).unwrap();
                smol::Timer::after(Duration::from_millis(50)).await;
                drop(client);
            }
        };
        smol::future::or(async { drop(accept(&mut tcp).await) }, knocking).await;
    });
}

#[test]
fn a_flooder_is_slowed_to_the_rate_and_held_back_by_tcp() {
    const RATE: u32 = 64 * 1024;
    run(async {
        let mut tcp = Transport::new(Config { read_bytes_per_second_max: RATE, ..Config::default() });
        let (_, at) = listen(&mut tcp, "/ip4/127.0.0.1/tcp/0").await;
        let mut client = TcpStream::connect(("127.0.0.1", port(&at))).unwrap();
        client.set_nonblocking(true).unwrap();
        let (mut stream, _) = accept(&mut tcp).await;

        let start = Instant::now();
        let (mut sent, mut read) = (0usize, 0usize);
        let mut buffer = vec![0; 16 * 1024];
        let junk = vec![7; 64 * 1024];
        let mut held_back = false;
        // Four seconds' worth; the first is there at once.
        while read < 4 * RATE as usize {
            match client.write(&junk) {
                Ok(count) => sent += count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => held_back = true,
                Err(e) => panic!("{e}"),
            }
            let count = within(stream.read(&mut buffer)).await.unwrap();
            assert!(buffer[..count].iter().all(|it| *it == 7));
            read += count;
            let most = f64::from(RATE) * (1.0 + start.elapsed().as_secs_f64());
            assert!(read as f64 <= most + 1.0, "read {read} in {:?}", start.elapsed());
        }
        let throttled = tcp.counters().counts().throttled;
        assert!(held_back, "{sent} bytes taken without a murmur");
        // Three seconds of waiting, a tenth of a second each: few waits, not one for each packet.
        assert!((3..=60).contains(&throttled), "{throttled} waits");

        // A polite one is not slowed.
        let mut polite = TcpStream::connect(("127.0.0.1", port(&at))).unwrap();
        let (mut stream, _) = accept(&mut tcp).await;
        polite.write_all(&junk[..1024]).unwrap();
        stream.read_exact(&mut buffer[..1024]).await.unwrap();
        assert_eq!(tcp.counters().counts().throttled, throttled);
    });
}
