//! Addresses where nobody answered, whoever named them and for whichever peer.
//!
//! A peer id costs nothing, so what is remembered of peers alone is forgotten with the next invented one. An address is
//! harder to come by, and dialling it is what hurts.

use super::address::{Multiaddr, socket_of};
use crate::base::{backoff::backoff, random::Random};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Addresses remembered (count). With the dials that strangers can bring about in a minute, and a minute of waiting,
/// half as many are in use at once.
pub const MISSES_MAX: usize = 256;
/// First wait before such an address is dialled again. A board that starts answers within a few seconds.
const MISS_MS: u64 = 4_000;
/// Longest wait. Whoever stands there and wants to talk dials us meanwhile.
const MISS_MAX_MS: u64 = 120_000;

#[derive(Debug, Clone, Copy)]
struct Miss {
    failures: u32,
    until: Instant,
}

/// The addresses, with how often they failed in a row.
#[derive(Debug)]
pub struct Misses {
    sockets: BTreeMap<SocketAddr, Miss>,
    random: Random,
}

impl Misses {
    /// None yet.
    pub fn new(random: Random) -> Self {
        Misses { sockets: BTreeMap::new(), random }
    }

    /// Until when an address is to be left alone.
    pub fn until(&self, address: &Multiaddr) -> Option<Instant> {
        self.sockets.get(&socket_of(address)?).map(|miss| miss.until)
    }

    /// Nobody answered there.
    pub fn on_missed(&mut self, address: &Multiaddr, now: Instant) {
        let Some(socket) = socket_of(address) else { return };
        if !self.sockets.contains_key(&socket) && self.sockets.len() >= MISSES_MAX {
            let first = self.sockets.iter().min_by_key(|(_, miss)| miss.until).map(|(socket, _)| *socket);
            first.map(|socket| self.sockets.remove(&socket));
        }
        let miss = self.sockets.entry(socket).or_insert(Miss { failures: 0, until: now });
        let (first, most) = (Duration::from_millis(MISS_MS), Duration::from_millis(MISS_MAX_MS));
        miss.until = now + backoff(first, most, miss.failures, &mut self.random);
        miss.failures = miss.failures.saturating_add(1);
    }

    /// Somebody answered there, or there is a reason to try at once.
    pub fn forget(&mut self, address: &Multiaddr) {
        socket_of(address).map(|socket| self.sockets.remove(&socket));
    }

    /// Forgets all: we are in another network.
    pub fn forget_all(&mut self) {
        self.sockets.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u16) -> Multiaddr {
        format!("/ip4/10.0.{}.{}/tcp/4470", n >> 8, n & 0xff).parse().unwrap()
    }

    #[test]
    fn each_failure_makes_the_next_try_later_until_somebody_answers() {
        let (mut misses, mut now) = (Misses::new(Random::new(3)), Instant::now());
        assert_eq!(misses.until(&address(1)), None);
        let mut waits = Vec::new();
        for _ in 0..10 {
            misses.on_missed(&address(1), now);
            let until = misses.until(&address(1)).unwrap();
            waits.push((until - now).as_millis() as u64);
            now = until;
        }
        assert!(waits.windows(2).take(4).all(|pair| pair[0] <= pair[1]), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= MISS_MAX_MS) && waits[9] >= MISS_MAX_MS / 2, "{waits:?}");
        misses.forget(&address(1));
        assert!(misses.is_empty());
    }

    #[test]
    fn full_of_them_the_one_that_is_soonest_over_is_forgotten() {
        let (mut misses, now) = (Misses::new(Random::new(3)), Instant::now());
        (0..3).for_each(|_| misses.on_missed(&address(0), now));
        for n in 1..2 * MISSES_MAX as u16 {
            misses.on_missed(&address(n), now + Duration::from_millis(n.into()));
        }
        assert_eq!(misses.len(), MISSES_MAX);
        assert!(misses.until(&address(0)).is_some(), "what failed most often waits longest, and stays");
    }

    #[test]
    fn what_leads_to_no_one_host_is_not_kept() {
        let mut misses = Misses::new(Random::new(3));
        misses.on_missed(&"/dns4/a.example/tcp/1".parse().unwrap(), Instant::now());
        assert!(misses.is_empty());
    }
}
