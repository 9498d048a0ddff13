//! gossipsub's handler of one connection, made to keep silent while another connection of the peer is the one in use,
//! and to tell whether the peer speaks there.
//!
//! Others do not speak where we do: go and js open their stream on one of the connections, by their own choice, name their
//! topics there once, and when it ends they are mute, or take us for gone from every room. And of several streams of
//! ours they read the one that came last, so that we open one on a new connection when that on the former is settled.

use futures::{FutureExt, task::AtomicWaker};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol,
    handler::{ConnectionEvent, DialUpgradeError, StreamUpgradeError},
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// How long our stream on a new connection waits for the former's to be settled. A link that is dead never settles it.
/// Guess: a slow round trip, and less than the two seconds in which a peer that moved is to be heard.
pub const SETTLE_MS: u64 = 1_000;

/// When a peer last opened a stream on a connection: later ones have higher numbers, none is 0.
#[derive(Debug, Clone, Default)]
pub struct Opened(Arc<AtomicU64>);

impl Opened {
    /// The number.
    pub fn number(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A stream was opened; `clock` counts those of all connections.
    pub fn mark(&self, clock: &AtomicU64) {
        self.0.store(clock.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// Something that others wait for while it is so.
#[derive(Debug, Clone, Default)]
pub struct Opening(Arc<(AtomicBool, AtomicWaker)>);

impl Opening {
    fn set(&self, is_open: bool) {
        self.0.0.store(is_open, Ordering::Release);
        self.0.1.wake();
    }

    fn is_set(&self, cx: &Context<'_>) -> bool {
        self.poll_settled(cx).is_pending()
    }

    fn poll_settled(&self, cx: &Context<'_>) -> Poll<()> {
        self.0.1.register(cx.waker());
        if self.0.0.load(Ordering::Acquire) { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// A stream on which we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speech {
    /// Which one it is on its connection, from 1. When there is another one, that before has broken.
    pub number: u64,
    /// When it was open.
    pub since: Instant,
}

/// What a handler shares with the behaviour.
#[derive(Debug, Clone, Default)]
pub struct Shared {
    /// When the peer last opened a stream here.
    pub opened: Opened,
    /// Whether we are opening one.
    pub opening: Opening,
    /// Whether we keep silent here.
    mute: Opening,
    /// Whether the streams here are to end.
    retired: Opening,
    /// The stream on which we speak.
    speech: Arc<Mutex<Option<Speech>>>,
}

impl Shared {
    /// Keeps silent until told otherwise.
    pub fn silence(&self) {
        self.mute.set(true);
    }

    /// Ends the streams here: what waits goes out on another connection.
    pub fn retire(&self) {
        self.retired.set(true);
    }

    /// The stream on which we speak.
    pub fn speech(&self) -> Option<Speech> {
        *self.speech.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn on_speech(&self) {
        let mut speech = self.speech.lock().unwrap_or_else(PoisonError::into_inner);
        let number = speech.map_or(0, |speech| speech.number) + 1;
        *speech = Some(Speech { number, since: Instant::now() });
    }

    /// Speaks from now on.
    pub fn speak(&self) {
        self.mute.set(false);
    }
}

type Request<H> = ConnectionHandlerEvent<
    <H as ConnectionHandler>::OutboundProtocol,
    <H as ConnectionHandler>::OutboundOpenInfo,
    <H as ConnectionHandler>::ToBehaviour,
>;

/// The handler.
pub struct Handler<H: ConnectionHandler> {
    inner: H,
    shared: Shared,
    clock: Arc<AtomicU64>,
    /// The former connection's, while it is waited for.
    before: Option<(Opening, smol::Timer)>,
    waiting: Option<Request<H>>,
    is_retired: bool,
}

impl<H: ConnectionHandler> Handler<H> {
    /// Wraps gossipsub's handler. `before` is that of the connection which gave way to this one.
    pub fn new(inner: H, shared: Shared, clock: Arc<AtomicU64>, before: Option<Opening>) -> Self {
        let before = before.map(|opening| (opening, smol::Timer::after(Duration::from_millis(SETTLE_MS))));
        Handler { inner, shared, clock, before, waiting: None, is_retired: false }
    }

    /// Whether we may speak here.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.shared.mute.poll_settled(cx).is_pending() {
            return Poll::Pending;
        }
        if let Some((opening, timer)) = &mut self.before
            && opening.poll_settled(cx).is_pending()
            && timer.poll_unpin(cx).is_pending()
        {
            return Poll::Pending;
        }
        self.before = None;
        Poll::Ready(())
    }
}

impl<H: ConnectionHandler> Drop for Handler<H> {
    fn drop(&mut self) {
        self.shared.opening.set(false);
    }
}

impl<H> ConnectionHandler for Handler<H>
where
    H: ConnectionHandler,
    H::OutboundOpenInfo: Default,
{
    type FromBehaviour = H::FromBehaviour;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>> {
        if !self.is_retired && self.shared.retired.is_set(cx) {
            self.is_retired = true;
            self.waiting = None;
            // To gossipsub's handler the peer does not know the protocol here: it lets its streams go and takes nothing
            // from the queue any more.
            self.inner.on_connection_event(ConnectionEvent::DialUpgradeError(DialUpgradeError {
                info: Default::default(),
                error: StreamUpgradeError::NegotiationFailed,
            }));
        }
        if self.is_retired {
            while self.inner.poll(cx).is_ready() {}
            return Poll::Pending;
        }
        loop {
            if self.waiting.is_some() && self.poll_turn(cx).is_ready() {
                self.shared.opening.set(true);
                return self.waiting.take().map_or(Poll::Pending, Poll::Ready);
            }
            match self.inner.poll(cx) {
                // Without a stream it takes nothing from the queue, which it shares with the handler in use; and it
                // asks once only.
                Poll::Ready(request @ ConnectionHandlerEvent::OutboundSubstreamRequest { .. }) => {
                    self.waiting = Some(request);
                }
                other => return other,
            }
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(cx)
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            '_,
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        match &event {
            ConnectionEvent::FullyNegotiatedInbound(_) => self.shared.opened.mark(&self.clock),
            ConnectionEvent::FullyNegotiatedOutbound(_) => {
                self.shared.opening.set(false);
                self.shared.on_speech();
            }
            ConnectionEvent::DialUpgradeError(_) => self.shared.opening.set(false),
            _ => {}
        }
        self.inner.on_connection_event(event);
    }
}
