//! A connected peer: where it is and what is known of it.

use super::{
    super::address::{ConnectionId, Network, Scope, Topic},
    Arrival, JUDGED_MS,
};
use std::{
    collections::BTreeSet,
    net::IpAddr,
    time::{Duration, Instant},
};

/// A connected peer.
#[derive(Debug)]
pub struct Connected {
    pub(super) connection: ConnectionId,
    pub(super) ip: Option<IpAddr>,
    pub(super) local: Option<IpAddr>,
    pub(super) is_outbound: bool,
    pub(super) is_given: bool,
    pub(super) is_explored: bool,
    pub(super) recommends: bool,
    pub(super) since: Instant,
    pub(super) standing: usize,
    pub(super) topics: BTreeSet<Topic>,
    pub(super) first: Option<Instant>,
    pub(super) active: Instant,
    pub(super) is_identified: bool,
    pub(super) has_told: bool,
    pub(super) is_served: bool,
    pub(super) is_in_table: bool,
    pub(super) is_settled: bool,
    pub(super) is_leaving: bool,
}

impl Connected {
    pub(super) fn new(new: &Arrival, now: Instant) -> Self {
        Connected {
            connection: new.connection,
            ip: new.ip,
            local: new.local,
            is_outbound: new.is_outbound,
            is_given: new.is_given,
            is_explored: new.is_explored,
            recommends: false,
            since: now,
            standing: 0,
            topics: BTreeSet::new(),
            first: None,
            active: now,
            is_identified: false,
            has_told: false,
            is_served: false,
            is_in_table: false,
            is_settled: false,
            is_leaving: false,
        }
    }

    /// A newer connection is in use instead.
    pub(super) fn replace(&mut self, new: &Arrival) {
        self.move_to(new);
        if !new.keeps_topics {
            self.topics.clear();
        }
    }

    pub(super) fn move_to(&mut self, new: &Arrival) {
        (self.connection, self.ip, self.local, self.is_outbound) = (new.connection, new.ip, new.local, new.is_outbound);
    }

    /// Whether enough is known of it, or it had its time. With a bootstrap node what counts is that it was answered.
    pub(super) fn may_be_judged(&self, is_bootstrap: bool, now: Instant) -> bool {
        let had_its_say = if is_bootstrap { self.is_served } else { self.has_told };
        (self.is_identified && had_its_say) || now.saturating_duration_since(self.since).as_millis() >= JUDGED_MS.into()
    }

    /// The connection in use.
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// The network its place is counted under; none if it comes over others.
    pub fn network(&self) -> Option<Network> {
        self.ip.map(Network::of)
    }

    /// How near its address is.
    pub fn scope(&self) -> Scope {
        self.ip.map_or(Scope::World, Scope::of)
    }

    /// Where it speaks from.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// Whether we dialled it.
    pub fn is_outbound(&self) -> bool {
        self.is_outbound
    }

    /// Since when it is connected.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// How long it is connected.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// The topics it is in.
    pub fn topics(&self) -> &BTreeSet<Topic> {
        &self.topics
    }

    /// Whether it can be asked for others.
    pub fn recommends(&self) -> bool {
        self.recommends
    }

    /// Whether it was judged and may stay, as long as there are places.
    pub fn is_settled(&self) -> bool {
        self.is_settled && !self.is_leaving
    }

    /// Whether we let it go and only wait for its connections to end.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving
    }
}
