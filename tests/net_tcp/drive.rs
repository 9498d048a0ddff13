//! Driving a transport by hand, with a limit on every wait.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use libp2p::{
    Multiaddr,
    core::{
        Endpoint, Transport as _,
        transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent},
    },
    multiaddr::Protocol,
};
use stonechat::net::tcp::{Config, Error, Stream, Transport};

/// Generous: a loaded machine may take seconds.
pub const LIMIT: Duration = Duration::from_secs(20);

pub type Event = TransportEvent<std::future::Ready<Result<Stream, Error>>, Error>;

/// Runs a test; it fails if it takes too long.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    smol::block_on(within(test))
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    smol::future::or(future, async {
        smol::Timer::after(LIMIT).await;
        panic!("not within {LIMIT:?}")
    })
    .await
}

/// A transport whose limits no test here reaches by accident.
pub fn transport() -> Transport {
    Transport::new(Config {
        accepts_per_second_max: 0,
        accepts_per_address_per_second_max: 0,
        read_bytes_per_second_max: 0,
        ..Config::default()
    })
}

pub fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

pub async fn next(tcp: &mut Transport) -> Event {
    poll_fn(|cx| Pin::new(&mut *tcp).poll(cx)).await
}

/// Listens, and returns the first address reported.
pub async fn listen(tcp: &mut Transport, on: &str) -> (ListenerId, Multiaddr) {
    let id = ListenerId::next();
    tcp.listen_on(id, address(on)).unwrap();
    match next(tcp).await {
        TransportEvent::NewAddress { listener_id, listen_addr } if listener_id == id => (id, listen_addr),
        other => panic!("{other:?}"),
    }
}

/// The next connection that comes in, with its remote address; addresses reported meanwhile are passed over.
pub async fn accept(tcp: &mut Transport) -> (Stream, Multiaddr) {
    loop {
        match next(tcp).await {
            TransportEvent::Incoming { upgrade, send_back_addr, .. } => {
                return (upgrade.await.unwrap(), send_back_addr);
            }
            TransportEvent::NewAddress { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

pub type Dial = <Transport as libp2p::core::Transport>::Dial;

pub fn try_dial(tcp: &mut Transport, to: &Multiaddr, port_use: PortUse) -> Result<Dial, TransportError<Error>> {
    tcp.dial(to.clone(), DialOpts { role: Endpoint::Dialer, port_use })
}

/// Dials from a fresh port.
pub async fn dial(tcp: &mut Transport, to: &Multiaddr) -> Result<Stream, Error> {
    try_dial(tcp, to, PortUse::New).unwrap().await
}

/// Dials from the listening port.
pub async fn dial_reusing(tcp: &mut Transport, to: &Multiaddr) -> Result<Stream, Error> {
    try_dial(tcp, to, PortUse::Reuse).unwrap().await
}

pub fn port(address: &Multiaddr) -> u16 {
    address.iter().find_map(|it| if let Protocol::Tcp(port) = it { Some(port) } else { None }).unwrap()
}

/// A port that nobody uses, outside the range from which the system takes those it chooses itself: what another test
/// opens meanwhile does not take it.
pub fn quiet_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let number = u32::from(NEXT.fetch_add(1, Ordering::Relaxed)) + std::process::id() * 97;
        let port = 10_000 + (number % 20_000) as u16;
        if ["0.0.0.0", "::"].iter().all(|any| std::net::TcpListener::bind((*any, port)).is_ok()) {
            return port;
        }
    }
}
