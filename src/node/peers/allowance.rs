//! How many connection attempts others may bring about by what they say.
//!
//! Attempts are counted in addresses, for each is a packet to somebody. What succeeds is given back: who speaks the
//! truth is never held up.

use super::source::Announcer;
use crate::base::bucket::Bucket;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Attempts that one announcer may cause at once after a pause: a few peers on one host, with two addresses each.
pub const ATTEMPTS_OF_ONE_MAX: u32 = 8;
/// Milliseconds in which one announcer gains one attempt.
pub const ATTEMPT_OF_ONE_MS: u64 = 5_000;
/// Attempts that all announcers together may cause at once after a pause: as a LAN of boards switched on together.
pub const ATTEMPTS_MAX: u32 = 32;
/// Milliseconds in which all announcers together gain one attempt.
pub const ATTEMPT_MS: u64 = 1_000;
/// Announcers told apart (count); what others beyond them say is weighed together. A LAN of boards, and some strangers.
pub const ANNOUNCERS_MAX: usize = 64;

/// The attempts left.
#[derive(Debug)]
pub struct Allowance {
    start: Instant,
    all: Bucket,
    each: BTreeMap<Announcer, Bucket>,
    others: Bucket,
    refused: u64,
}

fn of_one(now: Duration) -> Bucket {
    Bucket::new(ATTEMPTS_OF_ONE_MAX, 1, Duration::from_millis(ATTEMPT_OF_ONE_MS), now)
}

impl Allowance {
    /// All of it.
    pub fn new(now: Instant) -> Self {
        let all = Bucket::new(ATTEMPTS_MAX, 1, Duration::from_millis(ATTEMPT_MS), Duration::ZERO);
        Allowance { start: now, all, each: BTreeMap::new(), others: of_one(Duration::ZERO), refused: 0 }
    }

    /// Takes attempts on behalf of an announcer, or says how long to wait for them. More than
    /// [`ATTEMPTS_OF_ONE_MAX`] count as so many.
    pub fn take(&mut self, announcer: Announcer, count: usize, now: Instant) -> Result<(), Duration> {
        if announcer == Announcer::Us {
            return Ok(());
        }
        let now = now.saturating_duration_since(self.start);
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(ATTEMPTS_OF_ONE_MAX);
        self.make_room(announcer, now);
        let one = self.each.get_mut(&announcer).unwrap_or(&mut self.others);
        let wait = one.wait_for(count, now).max(self.all.wait_for(count, now));
        if !wait.is_zero() {
            self.refused += 1;
            return Err(wait);
        }
        one.take(count, now);
        self.all.take(count, now);
        Ok(())
    }

    /// Somebody answered: what was taken for it is given back.
    pub fn give_back(&mut self, announcer: Announcer, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(ATTEMPTS_OF_ONE_MAX);
        if announcer != Announcer::Us {
            self.each.get_mut(&announcer).unwrap_or(&mut self.others).put_back(count);
            self.all.put_back(count);
        }
    }

    /// How often somebody had to wait.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How many announcers are told apart now.
    pub fn announcers(&self) -> usize {
        self.each.len()
    }

    /// An announcer of whom nothing is taken is as good as unknown and makes room for another.
    fn make_room(&mut self, announcer: Announcer, now: Duration) {
        if self.each.contains_key(&announcer) {
            return;
        }
        if self.each.len() >= ANNOUNCERS_MAX {
            self.each.retain(|_, bucket| !bucket.is_full(now));
        }
        if self.each.len() < ANNOUNCERS_MAX {
            self.each.insert(announcer, of_one(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::peers::address::Network;

    fn host(n: u32) -> Announcer {
        Announcer::Host(Network::V4(n))
    }

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn one_announcer_is_bounded_and_does_not_use_up_what_others_have() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let taken = |allowance: &mut Allowance, announcer, from: u64, to: u64| {
            (from..to).filter(|ms| allowance.take(announcer, 1, after(start, *ms)).is_ok()).count()
        };
        let most = ATTEMPTS_OF_ONE_MAX as usize + 60_000 / ATTEMPT_OF_ONE_MS as usize;
        let first = taken(&mut allowance, host(1), 0, 60_000);
        assert!((most - 1..=most).contains(&first), "{first} attempts in a minute, {most} wanted");
        assert_eq!(taken(&mut allowance, host(2), 60_000, 60_010), ATTEMPTS_OF_ONE_MAX as usize);
        assert!(allowance.refused() > 0);
    }

    #[test]
    fn all_together_are_bounded_however_many_they_are() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let taken =
            (0..60_000_u32).filter(|n| allowance.take(host(*n), 1, after(start, u64::from(*n))).is_ok()).count();
        let most = ATTEMPTS_MAX as usize + 60_000 / ATTEMPT_MS as usize;
        assert!(taken <= most, "{taken} attempts in a minute, at most {most} wanted");
        assert!(allowance.announcers() <= ANNOUNCERS_MAX);
    }

    #[test]
    fn who_speaks_the_truth_and_we_ourselves_are_not_held_up() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        for _ in 0..1_000 {
            assert!(allowance.take(host(1), 2, start).is_ok());
            allowance.give_back(host(1), 2);
            assert!(allowance.take(Announcer::Us, 100, start).is_ok());
        }
    }

    #[test]
    fn waiting_as_long_as_told_is_enough() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        assert!(allowance.take(host(1), 100, start).is_ok(), "more than the most counts as the most");
        let wait = allowance.take(host(1), 2, start).unwrap_err();
        assert!(allowance.take(host(1), 2, start + wait).is_ok());
    }
}
