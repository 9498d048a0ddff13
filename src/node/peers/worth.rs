//! What a connected peer is worth when somebody has to go.

use crate::base::random::Random;
use std::time::Instant;

/// What speaks for a peer, the weightiest first. Of two peers the one for which less speaks goes; among equals, chance
/// decides. Whom we found ourselves no stranger has chosen, and an address of one's own costs something: those come
/// before what anybody can have for the asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Worth {
    /// It is in a room of ours.
    pub shares_room: bool,
    /// The user named it.
    pub is_given: bool,
    /// Its network address has no more places than its share.
    pub is_within_share: bool,
    /// We found it, not it us.
    pub is_ours: bool,
    /// It is the one of its network that is here longest.
    pub is_oldest: bool,
    /// It came a moment ago: the newest is not the first to go.
    pub is_fresh: bool,
    /// It was lately the first to bring a new message.
    pub brings: bool,
    /// It is in the table of the DHT.
    pub is_in_table: bool,
}

/// The same with a bootstrap node, where nobody stays: who has asked nothing for longest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The user named it.
    pub is_given: bool,
    /// Its network address has no more places than its share.
    pub is_within_share: bool,
    /// When it last asked for something.
    pub active: Instant,
}

/// The one of least worth; chance decides among equals.
pub fn least<K: Copy, W: Ord>(all: impl Iterator<Item = (K, W)>, random: &mut Random) -> Option<K> {
    let mut least: Option<(K, W)> = None;
    let mut equals = 0;
    for (key, worth) in all {
        match least.as_ref().map(|(_, former)| worth.cmp(former)) {
            Some(std::cmp::Ordering::Greater) => continue,
            Some(std::cmp::Ordering::Equal) => equals += 1,
            Some(std::cmp::Ordering::Less) | None => equals = 1,
        }
        // Each of the equals has the same chance. Source: Vitter 1985, algorithm R.
        if random.below(equals) == 0 {
            least = Some((key, worth));
        }
    }
    least.map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_goes_and_among_equals_chance_decides() {
        let mut random = Random::new(1);
        assert_eq!(least(std::iter::empty::<(u8, u8)>(), &mut random), None);
        let mut times = [0; 5];
        for _ in 0..3_000 {
            let worth = [7, 2, 9, 2, 2];
            let gone = least(worth.iter().enumerate().map(|(at, worth)| (at, *worth)), &mut random).unwrap();
            times[gone] += 1;
        }
        assert_eq!((times[0], times[2]), (0, 0));
        assert!([1, 3, 4].iter().all(|at| (850..1_150).contains(&times[*at])), "{times:?}");
    }

    #[test]
    fn what_is_weightier_decides() {
        let all = Worth {
            shares_room: true,
            is_given: true,
            is_within_share: true,
            is_ours: true,
            is_oldest: true,
            is_fresh: true,
            brings: true,
            is_in_table: true,
        };
        assert!(Worth { shares_room: false, ..all } < Worth { is_within_share: false, is_fresh: false, ..all });
        assert!(Worth { is_ours: false, ..all } < Worth { is_oldest: false, is_fresh: false, ..all });
        assert!(Worth { is_oldest: false, ..all } < Worth { is_fresh: false, brings: false, ..all });
        assert!(Worth { is_fresh: false, ..all } < Worth { brings: false, is_in_table: false, ..all });
    }
}
