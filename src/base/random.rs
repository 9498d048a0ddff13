//! Chance from a seed: floors below 5 draw no global randomness, so that every run can be had again.

/// Numbers that look random and are the same for the same seed. No secret may be made of them.
///
/// Source: splitmix64, Steele, Lea and Flood 2014.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins where the seed says.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number of 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound; zero if the bound is.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_each_bound_is_kept() {
        let (mut one, mut same) = (Random::new(7), Random::new(7));
        assert!((0..100).all(|_| one.number() == same.number()));
        // The first number of the reference implementation for the seed 0.
        assert_eq!(Random::new(0).number(), 0xe220_a839_7b1d_cdaf);
        let mut hits = [0; 6];
        (0..6_000).for_each(|_| hits[one.below(6) as usize] += 1);
        assert!(hits.iter().all(|count| (800..1_200).contains(count)), "{hits:?}");
        assert_eq!(one.below(0), 0);
    }
}
