//! What a transport may do, and what it counted.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Milliseconds that what was sent may stay unacknowledged before a connection is given up. gRPC sets as much as its
/// keepalive waits, 20 s (its proposal A18); less here, so that a link that dies in the middle of a talk is known to be
/// dead within that time.
pub const UNACKNOWLEDGED_MS_MAX: u32 = 15_000;
/// Bytes of the largest segment, both ways: with the headers of IPv6 a packet of 1,280 bytes, which every link must
/// carry (RFC 8200 §5). There are paths that swallow longer ones and tell nobody, and only root can have the kernel look
/// for that. It costs bulk one packet more in six, and a line of chat nothing.
pub const SEGMENT_BYTES_MAX: u32 = 1_220;

/// The limits of a [`Transport`](super::Transport). Zero means "no limit" in all that end in `_per_second_max`.
///
/// The defaults suit a board with 512 MiB; a board's own numbers are in its file under `boards/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Send small writes at once (`TCP_NODELAY`) rather than gather them. A chat is small writes: true by default.
    pub nodelay: bool,
    /// How many connections the system holds that we have not accepted yet (connections). Default 128.
    pub backlog: u16,
    /// Connections accepted in a second, from all addresses. Default 32.
    pub accepts_per_second_max: u16,
    /// Connections accepted in a second from one address. Default 8.
    ///
    /// It includes loopback, and a household behind one router is one address.
    pub accepts_per_address_per_second_max: u16,
    /// Bytes read in a second from one connection, sustained; a second's worth at once after a pause. Default 1 MiB.
    pub read_bytes_per_second_max: u32,
    /// How long what was sent may stay unacknowledged before the connection is given up (milliseconds, `TCP_USER_TIMEOUT`);
    /// zero leaves it to the system, which takes a quarter of an hour. Default [`UNACKNOWLEDGED_MS_MAX`].
    pub unacknowledged_ms_max: u32,
    /// Bytes of the largest segment, both ways (`TCP_MAXSEG`); zero leaves it to the system. Default [`SEGMENT_BYTES_MAX`].
    pub segment_bytes_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            nodelay: true,
            backlog: 128,
            accepts_per_second_max: 32,
            accepts_per_address_per_second_max: 8,
            read_bytes_per_second_max: 1024 * 1024,
            unacknowledged_ms_max: UNACKNOWLEDGED_MS_MAX,
            segment_bytes_max: SEGMENT_BYTES_MAX,
        }
    }
}

/// What a [`Transport`](super::Transport) did so far. A cheap handle: clones look at the same numbers, and remain
/// when the transport is gone.
#[derive(Debug, Clone, Default)]
pub struct Counters(Arc<Atomics>);

#[derive(Debug, Default)]
pub(super) struct Atomics {
    pub(super) accepted: AtomicUsize,
    pub(super) refused_total: AtomicUsize,
    pub(super) refused_address: AtomicUsize,
    pub(super) accept_errors: AtomicUsize,
    pub(super) dialed: AtomicUsize,
    pub(super) fresh_port: AtomicUsize,
    pub(super) throttled: AtomicUsize,
    pub(super) open: AtomicUsize,
    pub(super) addresses_left_out: AtomicUsize,
}

/// The numbers of [`Counters`] at one moment. They start at zero and wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted and handed on.
    pub accepted: usize,
    /// Connections reset because too many came in a second.
    pub refused_total: usize,
    /// Connections reset because too many came in a second from that address.
    pub refused_address: usize,
    /// Failures to accept: out of file descriptors or memory, or a connection that was gone already.
    pub accept_errors: usize,
    /// Connections dialed and established.
    pub dialed: usize,
    /// Dials that wanted the listening port and had to take a fresh one.
    pub fresh_port: usize,
    /// How often a reader had to wait because its connection was over its rate.
    pub throttled: usize,
    /// Connections open now, both ways.
    pub open: usize,
    /// Addresses of this host that a listener on all of them does not report, for there are too many.
    pub addresses_left_out: usize,
}

impl Counters {
    /// The numbers now.
    pub fn counts(&self) -> Counts {
        Counts {
            accepted: self.0.accepted.load(Relaxed),
            refused_total: self.0.refused_total.load(Relaxed),
            refused_address: self.0.refused_address.load(Relaxed),
            accept_errors: self.0.accept_errors.load(Relaxed),
            dialed: self.0.dialed.load(Relaxed),
            fresh_port: self.0.fresh_port.load(Relaxed),
            throttled: self.0.throttled.load(Relaxed),
            open: self.0.open.load(Relaxed),
            addresses_left_out: self.0.addresses_left_out.load(Relaxed),
        }
    }

    pub(super) fn add(&self, counter: impl Fn(&Atomics) -> &AtomicUsize) {
        counter(&self.0).fetch_add(1, Relaxed);
    }

    pub(super) fn set_left_out(&self, addresses: usize) {
        self.0.addresses_left_out.store(addresses, Relaxed);
    }

    pub(super) fn one_less_open(&self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}
