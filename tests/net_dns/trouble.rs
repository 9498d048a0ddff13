//! Name servers that do not answer, or answer nonsense, and all that is refused.

use std::{
    error::Error as _,
    future::poll_fn,
    net::UdpSocket,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use futures::future::{join, join_all};
use libp2p::{
    core::{
        Endpoint, Transport as _,
        transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent},
    },
    identity::Keypair,
    multiaddr::Protocol,
};
use stonechat::net::{
    self,
    dns::{self, Config, Error, Failure, LookupError},
    executor::Executor,
};

use crate::dialer::{Dialer, Files, listen};

/// A name server at a port of its own that answers each packet by what `answer` makes of it.
struct Server {
    config: Config,
    asked: Arc<AtomicUsize>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn new(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let config = Config { servers: vec![socket.local_addr().unwrap()], ..Files::new().config() };
        let (asked, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (asked, done) = (asked.clone(), done.clone());
            move || {
                let mut buffer = [0; 4096];
                while !done.load(Ordering::Relaxed) {
                    let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                    asked.fetch_add(1, Ordering::Relaxed);
                    for packet in answer(&buffer[..length]) {
                        let _ = socket.send_to(&packet, from);
                    }
                }
            }
        });
        Server { config, asked, done, thread: Some(thread) }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The question as an answer with this code and these answer records, which must be of the question's name.
fn answer(question: &[u8], code: u8, records: &[(u16, &[u8])]) -> Vec<u8> {
    let mut packet = question.to_vec();
    packet[2] |= 0x80;
    packet[3] = 0x80 | code;
    packet[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
    for (kind, data) in records {
        packet.extend([0xc0, 12]);
        packet.extend(kind.to_be_bytes());
        packet.extend([0, 1, 0, 0, 0, 60]);
        packet.extend((data.len() as u16).to_be_bytes());
        packet.extend(*data);
    }
    packet
}

#[test]
fn a_server_that_never_answers_is_given_up_in_time() {
    let server = Server::new(|_| Vec::new());
    let config = Config { try_timeout_ms: 300, lookups_timeout_ms: 1_500, ..server.config.clone() };
    let mut dialer = Dialer::new(config.clone());
    let started = Instant::now();
    let failed = dialer.fail("/dns4/a.test/tcp/1");
    assert_eq!(
        failed,
        format!("cannot dial /dns4/a.test/tcp/1: no answer about a.test from the name server {}", config.servers[0])
    );
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!((2..20).contains(&server.asked()), "{}", server.asked());
    let both = dialer.fail("/dns/b.test/tcp/1");
    assert_eq!(both.matches("no answer about b.test").count(), 1, "the same sentence once: {both}");
}

#[test]
fn the_time_of_all_lookups_holds_whatever_a_try_takes() {
    let server = Server::new(|_| Vec::new());
    let mut dialer = Dialer::new(Config { lookups_timeout_ms: 400, ..server.config.clone() });
    let started = Instant::now();
    assert!(dialer.fail("/dns/a.test/tcp/1").contains("no answer about a.test"));
    let took = started.elapsed();
    // Without it: two names, two tries each, of five seconds.
    assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn many_dials_take_turns_and_each_ends_in_time() {
    let server = Server::new(|_| Vec::new());
    let config = Config { try_timeout_ms: 300, lookups_timeout_ms: 2_000, ..server.config.clone() };
    let mut dialer = Dialer::new(config);
    let dials: Vec<_> = (0..100).map(|at| dialer.start(&format!("/dns4/n{at}.test/tcp/1")).unwrap()).collect();
    let results = dialer.run(join_all(dials));
    assert!(results.iter().all(|it| it.as_ref().is_err_and(|error| error.to_string().contains("no answer about n"))));
    // Four at a time, each twice for 300 ms, with up to three packets each time; all at once would be 200 or more.
    assert!(server.asked() <= 120, "{}", server.asked());
}

#[test]
fn nonsense_is_no_answer() {
    type Make = fn(&[u8]) -> Vec<u8>;
    let nonsense: [Make; 5] = [
        |_| Vec::new(),
        |_| vec![0xff; 3],
        |question| question[..12].to_vec(),
        // Promises ten records and has none.
        |question| {
            let mut packet = answer(question, 0, &[]);
            packet[7] = 10;
            packet
        },
        // A name that points at itself.
        |question| {
            let mut packet = answer(question, 0, &[(1, &[10, 53, 0, 1])]);
            let at = question.len();
            packet[at..at + 2].copy_from_slice(&[0xc0 | (at >> 8) as u8, at as u8]);
            packet
        },
    ];
    for (at, make) in nonsense.into_iter().enumerate() {
        let server = Server::new(move |question| vec![make(question)]);
        let config = Config { try_timeout_ms: 200, lookups_timeout_ms: 1_000, ..server.config.clone() };
        let failed = Dialer::new(config).fail("/dns4/a.test/tcp/1");
        assert!(failed.contains("about a.test"), "{at}: {failed}");
    }
}

#[test]
fn an_answer_with_a_wrong_number_is_passed_over() {
    let (_listener, port) = listen("127.0.0.1");
    let server = Server::new(|question| {
        let mut forged = answer(question, 0, &[(1, &[127, 0, 0, 99])]);
        forged[0] ^= 0x55;
        vec![forged, answer(question, 0, &[(1, &[127, 0, 0, 1])])]
    });
    let reached = Dialer::new(server.config.clone()).dial(&format!("/dns4/a.test/tcp/{port}")).unwrap();
    assert_eq!(reached.ip().to_string(), "127.0.0.1");
}

#[test]
fn a_server_that_fails_or_refuses_says_so() {
    for (code, word) in [(2, "Server Failure"), (5, "Query Refused")] {
        let server = Server::new(move |question| vec![answer(question, code, &[])]);
        let failed = Dialer::new(server.config.clone()).fail("/dns4/a.test/tcp/1");
        let wanted = format!("cannot ask the name server {} about a.test: {word}", server.config.servers[0]);
        assert!(failed.ends_with(&wanted), "{failed}");
    }
}

#[test]
fn what_strangers_write_does_not_reach_the_terminal() {
    let text = b"\x2fdnsaddr=/dns4/\x1b[31mred.test/tcp/1/p2p-circuit/udp/1";
    let length = text.len() as u8 - 1;
    let server = Server::new(move |question| {
        let mut data = vec![length];
        data.extend(&text[1..]);
        vec![answer(question, 0, &[(16, &data)])]
    });
    let failed = Dialer::new(server.config.clone()).fail("/dnsaddr/a.test");
    assert!(failed.contains("red.test") && !failed.contains('\u{1b}'), "{failed:?}");
    let failed = Dialer::new(server.config.clone()).fail("/dns4/a\u{1b}[31m.test\u{202e}/tcp/1");
    assert!(!failed.contains(['\u{1b}', '\u{202e}']), "{failed:?}");
}

#[test]
fn nothing_is_left_when_all_is_dropped() {
    let server = Server::new(|question| vec![answer(question, 3, &[])]);
    let mut dialer = Dialer::new(server.config.clone());
    dialer.fail("/dns4/a.test/tcp/1");
    assert_eq!(dialer.executor.tasks(), [("dns", 1)]);
    let held = Arc::new(());
    let task = held.clone();
    dialer
        .executor
        .spawn("holder", async move {
            std::future::pending::<()>().await;
            drop(task)
        })
        .detach();
    // While another dial is under way, too.
    let dial = dialer.start("/dns4/b.test/tcp/1").unwrap();
    dialer.executor.spawn("dial", dial).detach();
    dialer.run(smol::future::yield_now());
    assert_eq!(Arc::strong_count(&held), 2);
    drop(dialer);
    assert_eq!(Arc::strong_count(&held), 1, "the executor was dropped with its tasks");
}

#[test]
fn encrypted_connections_are_dialed_by_name() {
    let (executor, config) = (Executor::new(), Files::new().config());
    let (key, other) = (Keypair::generate_ed25519(), Keypair::generate_ed25519());
    let mut listener = net::transport(&other, Default::default(), Default::default()).unwrap();
    listener.listen_on(ListenerId::next(), "/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let inner = net::transport(&key, Default::default(), Default::default()).unwrap();
    let mut dialer = dns::Transport::new(inner, config, &executor).boxed();
    let mut dial = |address: String| {
        dialer.dial(address.parse().unwrap(), DialOpts { role: Endpoint::Dialer, port_use: PortUse::New }).unwrap()
    };
    executor.block_on(async {
        let TransportEvent::NewAddress { listen_addr, .. } = poll_fn(|cx| Pin::new(&mut listener).poll(cx)).await
        else {
            panic!("no address")
        };
        let port = listen_addr.iter().find_map(|part| if let Protocol::Tcp(port) = part { Some(port) } else { None });
        let port = port.unwrap();
        let accept = async {
            match poll_fn(|cx| Pin::new(&mut listener).poll(cx)).await {
                TransportEvent::Incoming { upgrade, .. } => upgrade.await.unwrap(),
                other => panic!("{other:?}"),
            }
        };
        let ((there, _), (here, _)) =
            join(async { dial(format!("/dns/localhost/tcp/{port}")).await.unwrap() }, accept).await;
        assert_eq!((there, here), (other.public().to_peer_id(), key.public().to_peer_id()));
    });
    let error = executor.block_on(dial("/dns4/localhost/tcp/1".into())).err().unwrap();
    assert_eq!(net::system_error(&error), Some(std::io::ErrorKind::ConnectionRefused));
    assert!(error.to_string().contains("nobody listens there"), "{error}");
}

#[test]
fn nobody_listens_on_a_name() {
    let mut dialer = Dialer::new(Files::new().config());
    for address in ["/dns/localhost/tcp/0", "/dns4/a.test/tcp/0", "/dns6/a.test/tcp/0", "/dnsaddr/a.test"] {
        let address: libp2p::Multiaddr = address.parse().unwrap();
        match dialer.transport.listen_on(ListenerId::next(), address.clone()) {
            Err(TransportError::MultiaddrNotSupported(refused)) => assert_eq!(refused, address),
            other => panic!("{address}: {other:?}"),
        }
    }
    dialer.transport.listen_on(ListenerId::next(), "/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
}

#[test]
fn an_address_without_a_name_passes_through() {
    let mut dialer = Dialer::new(Files::new().config());
    match dialer.start("/ip4/127.0.0.1/udp/1").err() {
        Some(TransportError::MultiaddrNotSupported(address)) => assert_eq!(address.to_string(), "/ip4/127.0.0.1/udp/1"),
        other => panic!("{other:?}"),
    }
    let error = dialer.dial("/ip4/127.0.0.1/tcp/1").unwrap_err();
    assert_eq!(error.to_string(), "cannot dial 127.0.0.1:1: nobody listens there");
    assert!(matches!(error, Error::Transport(_)));
}

#[test]
fn the_cause_of_an_error_can_be_found() {
    let mut dialer = Dialer::new(Files::new().config());
    let error = dialer.dial("/dns4/localhost/tcp/1").unwrap_err();
    let cause = error.source().and_then(|it| it.source()).and_then(|it| it.downcast_ref::<std::io::Error>());
    assert_eq!(cause.map(std::io::Error::kind), Some(std::io::ErrorKind::ConnectionRefused));

    let Error::Dial { address, failures, more } = dialer.dial("/dns4/a.test/tcp/1").unwrap_err() else { panic!() };
    assert_eq!((address.to_string().as_str(), more), ("/dns4/a.test/tcp/1", 0));
    assert!(matches!(&failures[..], [Failure::Lookup(LookupError::NoServer { .. })]), "{failures:?}");
}
