//! A socket's place: the socket while it works, the pause before it is opened again when it failed.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::{
    limits::{Counters, FAILURES_MAX, HELD_RETRY_MS_MAX, RETRY_MS_MAX, RETRY_MS_MIN, TOLD_FAILURES_MIN, millis},
    socket::Port,
};

/// The place of a socket, whether it is open or not.
#[derive(Debug)]
pub(super) struct Slot {
    pub link: u32,
    /// What it sends from. For IPv6, any of the interface's addresses: the system chooses.
    pub ip: IpAddr,
    pub port: Option<Port>,
    /// When to open it (again), or to read from it (again).
    pub pauses_until: Option<Instant>,
    /// In a row.
    pub failures: u32,
    /// The next pause.
    pub retry: Duration,
    /// Why it was last closed, and how often in a row, until it works.
    error: Option<(io::ErrorKind, String)>,
    closes: u32,
}

impl Slot {
    /// A place without a socket, to be opened at once.
    pub(super) fn new(link: u32, ip: IpAddr) -> Self {
        Slot {
            link,
            ip,
            port: None,
            pauses_until: None,
            failures: 0,
            retry: millis(RETRY_MS_MIN),
            error: None,
            closes: 0,
        }
    }

    /// Why it does not work, if it does not for so long that it is worth telling.
    pub(super) fn trouble(&self) -> Option<&(io::ErrorKind, String)> {
        let is_told = |kind| kind == io::ErrorKind::AddrInUse || self.closes >= TOLD_FAILURES_MIN;
        self.error.as_ref().filter(|(kind, _)| is_told(*kind))
    }

    /// Whether it is open, and nothing is known against it.
    pub(super) fn works(&self) -> bool {
        self.port.is_some() && self.error.is_none()
    }

    /// Opens the socket if it is not open and its pause is over; whether it did.
    pub(super) fn open(&mut self, counters: &mut Counters, now: Instant) -> bool {
        if self.port.is_some() || self.pauses(now) {
            return false;
        }
        self.pauses_until = None;
        match Port::open(self.link, self.ip) {
            Ok(port) => self.port = Some(port),
            Err(error) => self.close(&error, counters, now),
        }
        self.port.is_some()
    }

    pub(super) fn pauses(&self, now: Instant) -> bool {
        self.pauses_until.is_some_and(|at| at > now)
    }

    /// Sends a packet to a host, or to all, if this socket is the one for it.
    pub(super) fn send(&mut self, to: Option<SocketAddr>, bytes: &[u8], counters: &mut Counters, now: Instant) {
        let Some(port) = self.port.as_mut().filter(|it| to.is_none_or(|to| it.is_for(to))) else { return };
        match port.send(to, bytes) {
            Ok(()) => {
                counters.packets_sent += 1;
                (self.failures, self.retry) = (0, millis(RETRY_MS_MIN));
                (self.error, self.closes) = (None, 0);
            }
            Err(error) => {
                counters.packets_unsent += 1;
                self.fail(&error, counters, now);
            }
        }
    }
    pub(super) fn is_for(&self, (link, ip): &(u32, IpAddr)) -> bool {
        self.link == *link && (self.ip == *ip || (self.ip.is_ipv6() && ip.is_ipv6()))
    }

    pub(super) fn fail(&mut self, error: &io::Error, counters: &mut Counters, now: Instant) {
        self.failures += 1;
        log::debug!("mdns: {}: {error}", self.ip);
        if self.failures >= FAILURES_MAX {
            self.close(error, counters, now);
        }
    }

    pub(super) fn close(&mut self, error: &io::Error, counters: &mut Counters, now: Instant) {
        log::debug!("mdns: no socket at {} for {:?}: {error}", self.ip, self.retry);
        counters.sockets_failed += 1;
        self.port = None;
        self.failures = 0;
        self.pauses_until = Some(now + self.retry);
        let is_held = error.kind() == io::ErrorKind::AddrInUse;
        self.retry = (self.retry * 2).min(millis(if is_held { HELD_RETRY_MS_MAX } else { RETRY_MS_MAX }));
        self.error = Some((error.kind(), error.to_string()));
        self.closes = self.closes.saturating_add(1);
    }
}
