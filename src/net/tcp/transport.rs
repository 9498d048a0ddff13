//! The transport: dials, and drives all listeners.

use std::{
    collections::VecDeque,
    future::{Ready, ready},
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use futures::{FutureExt, future::BoxFuture};
use libp2p::{
    Multiaddr,
    core::transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent},
};

use super::{
    address::{multiaddress, socket_address},
    config::{Config, Counters},
    error::Error,
    gate::{Gate, Verdict},
    listener::Listener,
    ports::Ports,
    socket,
    stream::Stream,
};
use crate::net::interfaces::{Change, Watcher};

/// How many connections one listener refuses in one turn (connections), so that a flood leaves time for others.
/// Source: guess, refusing one takes about 20 µs.
const REFUSALS_PER_TURN_MAX: u32 = 16;

type Event = TransportEvent<Ready<Result<Stream, Error>>, Error>;

/// TCP for libp2p. See the [module](super).
///
/// Dropping it closes its listeners; the connections it made live on.
#[derive(Debug)]
pub struct Transport {
    config: Config,
    counters: Counters,
    gate: Gate,
    ports: Ports,
    listeners: Vec<Listener>,
    /// Which listener is asked first in the next turn.
    turn: usize,
    /// While there is a listener on all interfaces.
    watcher: Option<Watcher>,
    /// Each change of an interface makes at most one for each listener.
    events: VecDeque<Event>,
    waker: Option<Waker>,
}

impl Transport {
    /// A transport that listens nowhere yet.
    pub fn new(config: Config) -> Self {
        let gate = Gate::new(&config, Instant::now());
        Transport {
            config,
            gate,
            counters: Counters::default(),
            ports: Ports::default(),
            listeners: Vec::new(),
            turn: 0,
            watcher: None,
            events: VecDeque::new(),
            waker: None,
        }
    }

    /// What it did so far.
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    fn report_up(listener: &mut Listener, ip: IpAddr, events: &mut VecDeque<Event>) {
        if listener.local.is_ipv4() == ip.is_ipv4() && !listener.reported.contains(&ip) {
            listener.reported.push(ip);
            let listen_addr = multiaddress(ip, listener.local.port());
            events.push_back(TransportEvent::NewAddress { listener_id: listener.id, listen_addr });
        }
    }

    fn report_down(listener: &mut Listener, ip: IpAddr, events: &mut VecDeque<Event>) {
        if let Some(index) = listener.reported.iter().position(|it| *it == ip) {
            listener.reported.swap_remove(index);
            let listen_addr = multiaddress(ip, listener.local.port());
            events.push_back(TransportEvent::AddressExpired { listener_id: listener.id, listen_addr });
        }
    }

    /// Turns what the watcher tells into events.
    fn poll_interfaces(&mut self, cx: &mut Context<'_>) {
        while let Some(watcher) = &mut self.watcher {
            let Poll::Ready(change) = watcher.poll_change(cx) else { return };
            self.counters.set_left_out(watcher.left_out());
            let wildcards = self.listeners.iter_mut().filter(|it| it.is_wildcard());
            match change {
                Change::Up(it) => wildcards.for_each(|l| Self::report_up(l, it.ip, &mut self.events)),
                // Another interface may have the same address.
                Change::Down(it) if watcher.interfaces().iter().any(|other| other.ip == it.ip) => {}
                Change::Down(it) => wildcards.for_each(|l| Self::report_down(l, it.ip, &mut self.events)),
            }
        }
    }

    fn poll_listener(&mut self, index: usize, cx: &mut Context<'_>) -> Poll<Event> {
        let listener = &mut self.listeners[index];
        for _ in 0..REFUSALS_PER_TURN_MAX {
            let (io, remote) = match std::task::ready!(listener.poll_accept(cx)) {
                Ok(accepted) => accepted,
                Err(source) => {
                    self.counters.add(|it| &it.accept_errors);
                    let error = Error::Accept { source };
                    return Poll::Ready(TransportEvent::ListenerError { listener_id: listener.id, error });
                }
            };
            match self.gate.admit(remote.ip(), Instant::now()) {
                Verdict::Admitted => {}
                verdict => {
                    socket::reset(io.get_ref());
                    match verdict {
                        Verdict::TooMany => self.counters.add(|it| &it.refused_total),
                        _ => self.counters.add(|it| &it.refused_address),
                    }
                    continue;
                }
            }
            let prepared = io.get_ref().set_nodelay(self.config.nodelay).and_then(|()| io.get_ref().local_addr());
            let Ok(local) = prepared else { continue };
            self.counters.add(|it| &it.accepted);
            let stream = Stream::new(io, self.config.read_bytes_per_second_max, &self.counters);
            return Poll::Ready(TransportEvent::Incoming {
                listener_id: listener.id,
                upgrade: ready(Ok(stream)),
                local_addr: multiaddress(local.ip(), local.port()),
                send_back_addr: multiaddress(remote.ip(), remote.port()),
            });
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Default for Transport {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl libp2p::core::Transport for Transport {
    type Output = Stream;
    type Error = Error;
    type ListenerUpgrade = Ready<Result<Stream, Error>>;
    type Dial = BoxFuture<'static, Result<Stream, Error>>;

    fn listen_on(&mut self, id: ListenerId, addr: Multiaddr) -> Result<(), TransportError<Error>> {
        let Some(address) = socket_address(&addr) else { return Err(TransportError::MultiaddrNotSupported(addr)) };
        let mut listener = socket::listen(address, &self.config)
            .and_then(|io| Listener::new(id, io))
            .map_err(|source| TransportError::Other(Error::Listen { address, source }))?;
        self.ports.add(id, listener.local);
        if listener.is_wildcard() {
            // What the watcher has told others already; the rest it will tell.
            let watcher = self.watcher.get_or_insert_default();
            for interface in watcher.interfaces() {
                Self::report_up(&mut listener, interface.ip, &mut self.events);
            }
        } else {
            let ip = listener.local.ip();
            Self::report_up(&mut listener, ip, &mut self.events);
        }
        self.listeners.push(listener);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let Some(index) = self.listeners.iter().position(|it| it.id == id) else { return false };
        self.listeners.remove(index);
        self.ports.remove(id);
        if !self.listeners.iter().any(Listener::is_wildcard) {
            self.watcher = None;
        }
        self.events.push_back(TransportEvent::ListenerClosed { listener_id: id, reason: Ok(()) });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        true
    }

    fn dial(&mut self, addr: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<Error>> {
        let address = match socket_address(&addr) {
            Some(address) if address.port() != 0 && !address.ip().is_unspecified() => address,
            _ => return Err(TransportError::MultiaddrNotSupported(addr)),
        };
        let local = match opts.port_use {
            PortUse::Reuse => self.ports.local_for(address.ip()),
            PortUse::New => None,
        };
        let config = self.config.clone();
        let counters = self.counters.clone();
        let dial = async move {
            let dialed = socket::dial(address, local, &config).await;
            let dialed = dialed.map_err(|source| Error::Dial { address, source })?;
            counters.add(|it| &it.dialed);
            if !dialed.from_wanted_port {
                counters.add(|it| &it.fresh_port);
            }
            Ok(Stream::new(dialed.io, config.read_bytes_per_second_max, &counters))
        };
        Ok(dial.boxed())
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        let this = self.get_mut();
        this.poll_interfaces(cx);
        if let Some(event) = this.events.pop_front() {
            return Poll::Ready(event);
        }
        for _ in 0..this.listeners.len() {
            this.turn = (this.turn + 1) % this.listeners.len();
            if let Poll::Ready(event) = this.poll_listener(this.turn, cx) {
                return Poll::Ready(event);
            }
        }
        match &mut this.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}
