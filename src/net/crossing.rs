//! Dials that cross: two peers dial each other, each from its listening port to the other's.
//!
//! TCP makes one connection of the two (RFC 9293 §3.5, "simultaneous connection synchronization"), both ends are its
//! dialer, and the handshake fails on both. It needs no coincidence: while one waits for an answer, because its packet
//! was lost or the other host is not back yet, the other's dial is enough. So one of the two dials again, from a fresh
//! port, at once.

use std::{
    error::Error,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use libp2p::{
    Multiaddr, PeerId,
    core::{
        Endpoint, Transport,
        transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent},
    },
    multiaddr::Protocol,
    noise,
};

/// A transport that authenticates, and dials once more when a dial crossed another.
pub(super) struct Crossing<T> {
    inner: T,
    local: PeerId,
}

impl<T> Crossing<T> {
    pub(super) fn new(inner: T, local: PeerId) -> Self {
        Crossing { inner, local }
    }
}

impl<T> Transport for Crossing<T>
where
    T: Transport + Unpin,
    T::Output: Send + 'static,
    T::Error: Send + 'static,
    T::Dial: Send + 'static,
{
    type Output = T::Output;
    type Error = T::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = BoxFuture<'static, Result<T::Output, T::Error>>;

    fn listen_on(&mut self, id: ListenerId, addr: Multiaddr) -> Result<(), TransportError<T::Error>> {
        self.inner.listen_on(id, addr)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, addr: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<T::Error>> {
        let first = self.inner.dial(addr.clone(), opts)?;
        let may_cross = opts.port_use == PortUse::Reuse && opts.role == Endpoint::Dialer;
        // Does nothing until it is polled, as every dial.
        let second = if may_cross && goes_first(self.local, &addr) {
            Some(self.inner.dial(addr, DialOpts { port_use: PortUse::New, ..opts })?)
        } else {
            None
        };
        let dial = async move {
            match (first.await, second) {
                (Err(error), Some(second)) if met_a_dialer(&error) => {
                    log::debug!("dialing again, from a fresh port: {error}");
                    second.await
                }
                (result, _) => result,
            }
        };
        Ok(dial.boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

/// Which of the two dials again: if both did, there would be two connections. It is the one with the smaller identity;
/// whoever does not know whom he dials, does.
fn goes_first(local: PeerId, remote: &Multiaddr) -> bool {
    match remote.iter().last() {
        Some(Protocol::P2p(remote)) => local < remote,
        _ => true,
    }
}

/// Whether the handshake failed as it does when the other side is a dialer too: the first message of Noise comes where
/// the second should, and is too short for it.
fn met_a_dialer(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        match error.downcast_ref::<noise::Error>() {
            Some(noise::Error::Io(e)) => return e.kind() == io::ErrorKind::InvalidData,
            Some(noise::Error::Noise(_)) => return true,
            Some(_) => return false,
            None => next = error.source(),
        }
    }
    false
}
