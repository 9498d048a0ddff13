//! Discovery on real sockets, as a behaviour of the swarm.

use std::{
    future::poll_fn,
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures::Future;
use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent,
        ToSwarm, dummy,
    },
};
use smol::Timer;

use super::{
    discovery::{Discovery, Outgoing},
    event::{Event, Failing, State},
    limits::{Config, ConfigError, Counters, LEAVE_MS_MAX, PACKETS_PER_POLL_MAX, RECEIVED_BYTES_MAX, millis},
    slot::Slot,
};
use crate::net::interfaces::Watcher;

/// Finds peers on the local network and has them find us. See [the module](super).
#[derive(Debug)]
pub struct Behaviour {
    discovery: Discovery,
    watcher: Watcher,
    slots: Vec<Slot>,
    timer: Option<(Instant, Timer)>,
    buffer: Box<[u8]>,
    /// When there is something to do next.
    due: Option<Instant>,
    /// Something happened that `due` does not know of.
    is_stale: bool,
    /// What was last told of how it stands.
    told: State,
    /// When leaving is given up.
    leaves_by: Option<Instant>,
}

impl Behaviour {
    /// Discovery for the peer with this id. Opens its sockets when first polled.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be used.
    pub fn new(config: Config, local_peer_id: PeerId) -> Result<Self, ConfigError> {
        Ok(Behaviour {
            discovery: Discovery::new(config, local_peer_id, fastrand::Rng::new())?,
            watcher: Watcher::new(),
            slots: Vec::new(),
            timer: None,
            buffer: vec![0; RECEIVED_BYTES_MAX].into(),
            due: None,
            is_stale: true,
            told: State::default(),
            leaves_by: None,
        })
    }

    /// Looks and is found under one service name more, until the end: a name that is no longer wanted harms nobody.
    ///
    /// # Errors
    ///
    /// When it is no service name, or there are [`SERVICES_MAX`](super::SERVICES_MAX) already.
    pub fn add_service(&mut self, name: &str) -> Result<(), ConfigError> {
        self.is_stale = true;
        self.discovery.add_service(name, Instant::now())
    }

    /// The peers found now.
    pub fn peers(&self) -> Vec<PeerId> {
        self.discovery.cache().peers()
    }

    /// Where a peer can be dialled, as far as found; the address heard last comes first. Without `/p2p/…`.
    pub fn addresses_of(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.discovery.cache().addresses_of(peer)
    }

    /// The host that speaks of a peer: itself, or somebody who invents it.
    pub fn sender_of(&self, peer: &PeerId) -> Option<IpAddr> {
        self.discovery.cache().sender_of(peer)
    }

    /// The names of the interfaces it speaks on, and over how many sockets (IPv4, IPv6).
    pub fn interfaces(&self) -> Vec<(String, usize)> {
        let open = |link| self.slots.iter().filter(|it| it.link == link && it.port.is_some()).count();
        self.discovery.places().map(|it| (it.name.clone(), open(it.index))).collect()
    }

    /// How it stands now.
    pub fn state(&self) -> State {
        let is_heard = |link| self.slots.iter().any(|it| it.link == link && it.works());
        let mut failing = Vec::new();
        for slot in &self.slots {
            let Some((kind, error)) = slot.trouble() else { continue };
            // Without IPv6, say, an interface does very well.
            if *kind == io::ErrorKind::AddrInUse || !is_heard(slot.link) {
                let name = self.discovery.places().find(|it| it.index == slot.link).map(|it| it.name.clone());
                let (interface, ip, kind, error) = (name.unwrap_or_default(), slot.ip, *kind, error.clone());
                failing.push(Failing { interface, ip, kind, error });
            }
        }
        let interfaces_left_out = self.discovery.left_out().to_vec();
        State { addresses_left_out: self.watcher.left_out(), interfaces_left_out, failing }
    }

    /// What the found records cost now (bytes, estimated).
    pub fn found_bytes(&self) -> usize {
        self.discovery.cache().bytes()
    }

    /// What happened since the start.
    pub fn counters(&self) -> Counters {
        self.discovery.counters()
    }

    /// Takes leave: tells all networks that we are gone. The packets are handed to the system before this returns, unless
    /// its queue is full; [`poll_goodbye`](Self::poll_goodbye) waits for that. The behaviour does nothing from then on.
    /// Dropping it takes leave too.
    pub fn goodbye(&mut self) {
        self.discovery.leave();
        self.send(Instant::now());
        self.leaves_by.get_or_insert_with(|| Instant::now() + millis(LEAVE_MS_MAX));
    }

    /// Takes leave; ready when the packets are out, at the latest after [`LEAVE_MS_MAX`].
    pub fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.goodbye();
        let flushed = self.poll_flush(cx);
        if flushed.is_pending() {
            let Some(by) = self.leaves_by else { return Poll::Pending };
            ready!(self.poll_timer(Some(by), cx));
        }
        self.slots.clear();
        Poll::Ready(())
    }

    /// As [`poll_goodbye`](Self::poll_goodbye), to wait for.
    pub async fn leave(&mut self) {
        poll_fn(|cx| self.poll_goodbye(cx)).await;
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut flushed = Poll::Ready(());
        for slot in &mut self.slots {
            if let Some(port) = &mut slot.port {
                match port.poll_flush(cx) {
                    Poll::Pending => flushed = Poll::Pending,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => {
                        self.is_stale = true;
                        slot.fail(&error, self.discovery.counters_mut(), Instant::now());
                    }
                }
            }
        }
        flushed
    }

    /// Brings the slots in line with the interfaces.
    fn update_slots(&mut self, now: Instant) {
        let mut wanted: Vec<(u32, IpAddr)> = Vec::new();
        for place in self.discovery.places() {
            let first = |is_v4| place.ips.iter().map(|(ip, _)| *ip).find(|ip| ip.is_ipv4() == is_v4);
            wanted.extend([first(true), first(false)].into_iter().flatten().map(|ip| (place.index, ip)));
        }
        self.slots.retain(|slot| wanted.iter().any(|it| slot.is_for(it)));
        for it in wanted {
            if !self.slots.iter().any(|slot| slot.is_for(&it)) {
                self.slots.push(Slot::new(it.0, it.1));
            }
        }
        for slot in &mut self.slots {
            if slot.open(self.discovery.counters_mut(), now) {
                self.discovery.handle_opened(slot.link, now);
            }
        }
    }

    /// Sends what discovery has to say.
    fn send(&mut self, now: Instant) {
        while let Some(Outgoing { link, to, bytes }) = self.discovery.poll_outgoing() {
            for slot in self.slots.iter_mut().filter(|it| it.link == link) {
                slot.send(to, &bytes, self.discovery.counters_mut(), now);
            }
        }
    }

    /// Reads from one socket; ready if there may be more at once.
    fn receive(&mut self, at: usize, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        for _ in 0..PACKETS_PER_POLL_MAX {
            let slot = &mut self.slots[at];
            if slot.pauses(now) {
                return Poll::Pending;
            }
            let Some(port) = slot.port.as_mut() else { return Poll::Pending };
            slot.pauses_until = None;
            if let Err(until) = self.discovery.may_read(slot.link, now) {
                slot.pauses_until = Some(until);
                self.discovery.counters_mut().pauses += 1;
                self.is_stale = true;
                return Poll::Pending;
            }
            let in_vain = &mut self.discovery.counters_mut().reads_in_vain;
            let read = ready!(port.poll_receive(cx, &mut self.buffer, in_vain));
            self.is_stale = true;
            match read {
                Ok((length, from)) => {
                    self.discovery.handle_packet(slot.link, from, &self.buffer[..length], now);
                    // What follows from this packet is told before the next is read.
                    self.send(now);
                }
                Err(error) => slot.fail(&error, self.discovery.counters_mut(), now),
            }
        }
        Poll::Ready(())
    }

    /// Ready when it is later than `at`; else it will wake.
    fn poll_timer(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else {
            self.timer = None;
            return Poll::Pending;
        };
        if !matches!(&self.timer, Some((set, _)) if *set == at) {
            self.timer = Some((at, Timer::at(at)));
        }
        if let Some((_, timer)) = &mut self.timer {
            ready!(Pin::new(timer).poll(cx));
        }
        self.timer = None;
        Poll::Ready(())
    }
}

impl Drop for Behaviour {
    fn drop(&mut self) {
        self.goodbye();
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Event;

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        Ok(peer.map(|peer| self.addresses_of(&peer)).unwrap_or_default())
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::NewListenAddr(it) => self.discovery.handle_listening(it.addr, Instant::now()),
            FromSwarm::ExpiredListenAddr(it) => self.discovery.handle_listening_ended(it.addr, Instant::now()),
            FromSwarm::ConnectionEstablished(it) => return self.discovery.note_met(it.peer_id, true),
            FromSwarm::ConnectionClosed(it) if it.remaining_established == 0 => {
                return self.discovery.note_met(it.peer_id, false);
            }
            _ => return,
        }
        self.is_stale = true;
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        libp2p::core::util::unreachable(event)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(event) = self.discovery.poll_event() {
            return Poll::Ready(ToSwarm::GenerateEvent(event));
        }
        if self.leaves_by.is_some() {
            let _ = self.poll_flush(cx);
            return Poll::Pending;
        }
        let now = Instant::now();
        let mut has_changed = false;
        while self.watcher.poll_change(cx).is_ready() {
            has_changed = true;
        }
        if has_changed {
            self.discovery.handle_interfaces(self.watcher.interfaces(), now);
            self.is_stale = true;
        }
        if self.is_stale || self.due.is_some_and(|at| at <= now) {
            self.is_stale = true;
            self.update_slots(now);
            self.discovery.handle_timeout(now);
            self.send(now);
            let is_cut = self.discovery.left_out() != self.told.interfaces_left_out;
            let fails = self.slots.iter().any(|it| it.trouble().is_some()) || !self.told.failing.is_empty();
            if has_changed || is_cut || fails {
                let state = self.state();
                if state != self.told {
                    self.told = state;
                    return Poll::Ready(ToSwarm::GenerateEvent(Event::State));
                }
            }
        }
        let _ = self.poll_flush(cx);
        let mut has_more = false;
        for at in 0..self.slots.len() {
            has_more |= self.receive(at, cx, now).is_ready();
        }
        if let Some(event) = self.discovery.poll_event() {
            return Poll::Ready(ToSwarm::GenerateEvent(event));
        }
        // Most polls find nothing new: they cost no system call, no allocation and no look through what was found.
        if std::mem::take(&mut self.is_stale) {
            let pauses = self.slots.iter().filter_map(|it| it.pauses_until);
            self.due = pauses.chain(self.discovery.next()).min();
        }
        if self.poll_timer(self.due, cx).is_ready() || has_more {
            // Others have their turn first.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
