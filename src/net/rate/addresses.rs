//! A token bucket for each remote address, in a table of fixed size.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Instant,
};

use super::bucket::Bucket;

/// How many addresses are told apart (addresses). About 50 bytes each.
///
/// Only those seen in the last second matter: a bucket that is full again is forgotten. Source: guess, three times the
/// peers of a large LAN. Many more addresses at once are held by the limit for all.
pub const ADDRESSES_MAX: usize = 64;

/// Gives each address its own [`Bucket`]. IPv6 addresses of one /64 share one: a host has as many of those as it likes.
///
/// When the table is full and every entry still in use, the least used gives way, so that someone who appears under
/// many addresses displaces himself before he displaces a peer that is near its limit.
#[derive(Debug)]
pub struct AddressBuckets {
    per_second: u32,
    entries: Vec<(IpAddr, Bucket)>,
}

impl AddressBuckets {
    /// An empty table; `per_second` holds for each address, zero is unlimited.
    pub fn new(per_second: u32) -> Self {
        AddressBuckets { per_second, entries: Vec::new() }
    }

    /// Takes one token of this address; says whether it had one.
    pub fn take(&mut self, address: IpAddr, now: Instant) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let address = shared(address);
        if let Some((_, bucket)) = self.entries.iter_mut().find(|(a, _)| *a == address) {
            return bucket.take(1, now);
        }
        self.entries.retain_mut(|(_, bucket)| !bucket.is_full(now));
        if self.entries.len() >= ADDRESSES_MAX {
            let levels = self.entries.iter_mut().map(|(_, bucket)| bucket.available(now)).enumerate();
            let least_used = levels.max_by_key(|(_, level)| *level);
            if let Some((index, _)) = least_used {
                self.entries.swap_remove(index);
            }
        }
        let mut bucket = Bucket::new(self.per_second, now);
        let taken = bucket.take(1, now);
        self.entries.push((address, bucket));
        taken
    }

    /// How many addresses it remembers, at most [`ADDRESSES_MAX`].
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The address that stands for all that one host can choose freely.
fn shared(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    #[test]
    fn each_address_has_its_own() {
        let now = Instant::now();
        let mut buckets = AddressBuckets::new(2);
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert_eq!([a, a, a, b, b, b].map(|ip| buckets.take(ip, now)), [true, true, false, true, true, false]);
        assert!(buckets.take(a, now + Duration::from_millis(500)));
        assert!(!buckets.take(a, now + Duration::from_millis(500)));
    }

    #[test]
    fn a_v6_network_shares_one() {
        let now = Instant::now();
        let mut buckets = AddressBuckets::new(1);
        assert!(buckets.take("fd00::1".parse().unwrap(), now));
        assert!(!buckets.take("fd00::2".parse().unwrap(), now));
        assert!(buckets.take("fd00:0:0:1::2".parse().unwrap(), now));
        assert!(buckets.take("::ffff:10.0.0.1".parse().unwrap(), now));
        assert!(!buckets.take("10.0.0.1".parse().unwrap(), now));
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_least_used_first() {
        let now = Instant::now();
        let mut buckets = AddressBuckets::new(3);
        let busy = IpAddr::from([192, 168, 0, 1]);
        assert!(buckets.take(busy, now) && buckets.take(busy, now) && buckets.take(busy, now));
        for n in 0..1_000 {
            assert!(buckets.take(Ipv4Addr::from_bits(0x0a00_0000 + n).into(), now));
            assert!(buckets.len() <= ADDRESSES_MAX);
        }
        assert!(!buckets.take(busy, now), "a flood of addresses must not wipe out what was counted");
        let later = now + Duration::from_secs(2);
        assert!(buckets.take(IpAddr::from([1, 2, 3, 4]), later));
        assert_eq!(buckets.len(), 1);
    }

    #[test]
    fn zero_is_unlimited_and_remembers_nothing() {
        let mut buckets = AddressBuckets::new(0);
        assert!((0..100).all(|_| buckets.take(IpAddr::from([1, 1, 1, 1]), Instant::now())));
        assert!(buckets.is_empty());
    }
}
