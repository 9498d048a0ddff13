//! Who may come in: the rates of accepted connections.

use std::{net::IpAddr, time::Instant};

use super::config::Config;
use crate::net::rate::{AddressBuckets, Bucket};

/// Over all listeners of a transport.
#[derive(Debug)]
pub(super) struct Gate {
    total: Bucket,
    addresses: AddressBuckets,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Admitted,
    /// Too many in this second.
    TooMany,
    /// Too many from that address in this second.
    TooManyFromThere,
}

impl Gate {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        Gate {
            total: Bucket::new(config.accepts_per_second_max.into(), now),
            addresses: AddressBuckets::new(config.accepts_per_address_per_second_max.into()),
        }
    }

    /// The address's own rate comes first, so that one who floods does not use up what is there for all.
    pub(super) fn admit(&mut self, ip: IpAddr, now: Instant) -> Verdict {
        if !self.addresses.take(ip, now) {
            Verdict::TooManyFromThere
        } else if !self.total.take(1, now) {
            Verdict::TooMany
        } else {
            Verdict::Admitted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_floods_does_not_use_up_what_is_there_for_all() {
        let now = Instant::now();
        let config = Config { accepts_per_second_max: 4, accepts_per_address_per_second_max: 2, ..Config::default() };
        let mut gate = Gate::new(&config, now);
        let ip = |n| IpAddr::from([10, 0, 0, n]);
        let flood: Vec<_> = (0..100).map(|_| gate.admit(ip(1), now)).collect();
        assert_eq!(flood.iter().filter(|it| **it == Verdict::Admitted).count(), 2);
        assert_eq!(flood[99], Verdict::TooManyFromThere);
        assert_eq!(gate.admit(ip(2), now), Verdict::Admitted);
        assert_eq!(gate.admit(ip(3), now), Verdict::Admitted);
        assert_eq!(gate.admit(ip(4), now), Verdict::TooMany);
    }
}
