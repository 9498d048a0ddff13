//! A found service and its time. Holds no clock: `now` is told.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use hickory_proto::rr::Name;
use libp2p::{Multiaddr, PeerId};

use super::limits::{FOUND_TTL_S_MAX, FOUND_TTL_S_MIN, REFRESHED_TTL_S_MIN};

/// At which parts of its life (percent) a record is asked for again. Source: RFC 6762 §5.2.
const REFRESH_AT: [u32; 4] = [80, 85, 90, 95];

/// What an instance costs beside its name and addresses (bytes). Measured with `size_of`, rounded up.
pub(super) const INSTANCE_BYTES: usize = 256;
/// What an address costs beside its own bytes (bytes). Measured with `size_of`, rounded up.
pub(super) const ADDRESS_BYTES: usize = 80;

/// A service seen on an interface.
#[derive(Debug)]
pub(super) struct Instance {
    pub link: u32,
    pub service: usize,
    pub name: Name,
    pub peer: PeerId,
    /// The host that first spoke of it.
    pub sender: IpAddr,
    pub heard: Instant,
    /// For how long the PTR stands, from `heard`.
    pub ttl: Duration,
    /// When to ask for it again, and how often that was done since it was heard.
    pub refresh: Option<(Instant, usize)>,
    pub addresses: Vec<Held>,
    /// It goes by another name in each packet.
    pub is_fleeting: bool,
}

#[derive(Debug)]
pub(super) struct Held {
    pub address: Multiaddr,
    pub heard: Instant,
    pub ends: Instant,
}

impl Instance {
    /// For how long it is still known.
    pub(super) fn left(&self, now: Instant) -> Duration {
        (self.heard + self.ttl).saturating_duration_since(now)
    }

    /// A new one, without addresses and for no time.
    pub(super) fn new(link: u32, service: usize, name: Name, peer: PeerId, sender: IpAddr, now: Instant) -> Self {
        Instance {
            link,
            service,
            name,
            peer,
            sender,
            heard: now,
            ttl: Duration::ZERO,
            refresh: None,
            addresses: Vec::new(),
            is_fleeting: false,
        }
    }

    /// What it costs (bytes), estimated.
    pub(super) fn bytes(&self) -> usize {
        let held = self.addresses.iter().map(|it| it.address.len() + ADDRESS_BYTES).sum::<usize>();
        self.name.len() + INSTANCE_BYTES + held
    }

    /// It was heard now.
    pub(super) fn confirm(&mut self, ttl_s: u32, random: &mut fastrand::Rng, now: Instant) {
        self.heard = now;
        self.ttl = clamp(ttl_s);
        self.refresh = self.refresh_after(0, random);
    }

    /// It ends then, unless heard again before.
    pub(super) fn end_by(&mut self, end: Instant) {
        for held in &mut self.addresses {
            held.ends = held.ends.min(end);
        }
        self.ttl = self.ttl.min(end.saturating_duration_since(self.heard));
        self.refresh = None;
    }

    /// Up to 2 % later than due, so that not all hosts ask at once.
    pub(super) fn refresh_after(&self, count: usize, random: &mut fastrand::Rng) -> Option<(Instant, usize)> {
        let percent = f64::from(*REFRESH_AT.get(count)?) + 2.0 * random.f64();
        let lasts = self.ttl >= Duration::from_secs(REFRESHED_TTL_S_MIN.into());
        lasts.then(|| (self.heard + self.ttl.mul_f64(percent / 100.0), count))
    }
}

/// The time that a record gets.
pub(super) fn clamp(ttl_s: u32) -> Duration {
    Duration::from_secs(ttl_s.clamp(FOUND_TTL_S_MIN, FOUND_TTL_S_MAX).into())
}
