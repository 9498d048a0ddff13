//! One listening socket.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use libp2p::core::transport::ListenerId;
use smol::{Async, Timer};

/// How long a listener pauses after a first failure to accept (ms). Source: libp2p-tcp.
const PAUSE_MS_MIN: u64 = 100;

/// The longest such pause (ms): it doubles with each failure, until a connection is accepted. Source: guess, a peer
/// that dials waits longer.
const PAUSE_MS_MAX: u64 = 1_000;

/// How many connections in a row may fail on their own, without the listener being at fault, before it pauses
/// (connections). Source: guess.
const FAILED_CONNECTIONS_MAX: u32 = 8;

/// Accepts connections, and knows under which addresses it is reachable.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) id: ListenerId,
    /// What it is bound to; the port is never zero.
    pub(super) local: SocketAddr,
    /// The addresses reported, and not reported expired since. Bounded by the interfaces'.
    pub(super) reported: Vec<IpAddr>,
    io: Async<TcpListener>,
    /// Whether accepting may succeed: saves the system call that would only say "nobody there".
    is_ready: bool,
    pause: Option<Timer>,
    pause_ms: u64,
    failed_in_a_row: u32,
}

impl Listener {
    pub(super) fn new(id: ListenerId, io: Async<TcpListener>) -> io::Result<Self> {
        let local = io.get_ref().local_addr()?;
        Ok(Listener {
            id,
            local,
            reported: Vec::new(),
            io,
            is_ready: true,
            pause: None,
            pause_ms: PAUSE_MS_MIN,
            failed_in_a_row: 0,
        })
    }

    pub(super) fn is_wildcard(&self) -> bool {
        self.local.ip().is_unspecified()
    }

    /// The next connection, or why there is none; after a failure it may stay pending for a while.
    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Async<TcpStream>, SocketAddr)>> {
        if let Some(pause) = &mut self.pause {
            ready!(Pin::new(pause).poll(cx));
            self.pause = None;
        }
        loop {
            if !self.is_ready {
                ready!(self.io.poll_readable(cx))?;
                self.is_ready = true;
            }
            // Registering can fail as accepting can.
            let accepted = self.io.get_ref().accept().and_then(|(io, remote)| Ok((Async::new(io)?, remote)));
            return match accepted {
                Ok(accepted) => {
                    self.pause_ms = PAUSE_MS_MIN;
                    self.failed_in_a_row = 0;
                    Poll::Ready(Ok(accepted))
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.is_ready = false;
                    continue;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
                    if !is_of_connection(&e) || self.failed_in_a_row >= FAILED_CONNECTIONS_MAX {
                        self.pause = Some(Timer::after(Duration::from_millis(self.pause_ms)));
                        self.pause_ms = (self.pause_ms * 2).min(PAUSE_MS_MAX);
                    }
                    Poll::Ready(Err(e))
                }
            };
        }
    }
}

/// Whether the connection that was to be accepted failed, rather than the listener: the next may be well.
/// Linux hands such errors over in `accept` (accept(2), "Error handling").
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, HostUnreachable, NetworkDown, NetworkUnreachable};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | HostUnreachable | NetworkDown | NetworkUnreachable)
}
