//! What connected peers say of the time, and which of them is believed.
//!
//! A peer says how far its time is vouched for: level 1 is its own clock, kept synchronised; level n + 1 is adopted from
//! a peer that said n; 0 is nobody's. The median of those that anybody vouches for is believed, so that one liar among
//! several moves nobody. Of those that agree with it the one nearest to its source is followed, else peers that learned
//! the time from each other would pass their delays around in a circle.

use crate::wire::bounds::{LEVEL_MAX, PEER_ID_BYTES_MAX};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Peers whose time is kept; what one more says is not heard. A board has fewer connections.
pub const TOLD_MAX: usize = 64;
/// How far two times may differ that agree, in ms. Guess: a slow link, several times over.
pub const AGREE_MS: u64 = 10_000;

/// The time as somebody tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Milliseconds since 1970-01-01 UTC, less our own monotonic clock.
    pub offset_ms: i64,
    /// How far it is vouched for.
    pub level: u8,
}

/// What connected peers say of the time.
#[derive(Debug, Clone, Default)]
pub struct Told(Vec<(Box<[u8]>, Offer)>);

impl Told {
    /// A peer (multihash bytes) says this. One whose time nobody vouches for is not kept.
    pub fn note(&mut self, peer: &[u8], offer: Offer) {
        if offer.level == 0 || offer.level >= LEVEL_MAX || peer.len() > PEER_ID_BYTES_MAX {
            return self.forget(peer);
        }
        if let Some((_, known)) = self.0.iter_mut().find(|(other, _)| **other == *peer) {
            *known = offer;
        } else if self.0.len() < TOLD_MAX {
            self.0.push((peer.into(), offer));
        }
    }

    /// A peer is gone.
    pub fn forget(&mut self, peer: &[u8]) {
        self.0.retain(|(other, _)| **other != *peer);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whom to believe. Of an even number both in the middle may be wrong: `guess`, an offset of our own, decides.
    pub fn choose(&self, guess: Option<i64>) -> Option<Offer> {
        // The one that as many are below as above; they are few, and sorting takes more code.
        let nth = |wanted: usize| {
            self.0.iter().enumerate().map(|(at, (_, offer))| (offer.offset_ms, at)).find(|place| {
                let below = self.0.iter().enumerate().filter(|(at, (_, other))| (other.offset_ms, *at) < *place);
                below.count() == wanted
            })
        };
        let ((low, _), (high, _)) = (nth(self.0.len().checked_sub(1)? / 2)?, nth(self.0.len() / 2)?);
        let middle = match guess {
            Some(guess) if low.abs_diff(guess) > high.abs_diff(guess) => high,
            // Who is behind is refused by nobody.
            _ => low,
        };
        let agree = self.0.iter().map(|(_, offer)| offer).filter(|offer| offer.offset_ms.abs_diff(middle) <= AGREE_MS);
        // The largest of equals: it came with the least delay.
        agree.min_by_key(|offer| (offer.level, core::cmp::Reverse(offer.offset_ms))).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::{AGREE_MS, Offer, TOLD_MAX, Told};
    use crate::wire::bounds::LEVEL_MAX;

    fn told(offers: &[(i64, u8)]) -> Told {
        let mut told = Told::default();
        for (peer, (offset_ms, level)) in offers.iter().enumerate() {
            told.note(&peer.to_be_bytes(), Offer { offset_ms: *offset_ms, level: *level });
        }
        told
    }

    fn chosen(offers: &[(i64, u8)], guess: Option<i64>) -> Option<(i64, u8)> {
        told(offers).choose(guess).map(|offer| (offer.offset_ms, offer.level))
    }

    const HOUR: i64 = 3_600_000;

    #[test]
    fn one_liar_among_several_moves_nobody() {
        assert_eq!(chosen(&[], None), None);
        assert_eq!(chosen(&[(5, 1)], None), Some((5, 1)), "the only one there is");
        for lie in [-HOUR, HOUR, 1_000 * HOUR] {
            assert_eq!(chosen(&[(0, 1), (lie, 1), (3, 1)], None), Some((3, 1)));
            assert_eq!(chosen(&[(0, 2), (lie, 1), (3, 2), (5, 3)], None), Some((3, 2)));
        }
    }

    #[test]
    fn of_two_that_disagree_our_own_clock_decides_else_the_earlier() {
        let two = [(0, 1), (2 * HOUR, 1)];
        assert_eq!(chosen(&two, None), Some((0, 1)));
        assert_eq!(chosen(&two, Some(-HOUR / 3)), Some((0, 1)));
        assert_eq!(chosen(&two, Some(2 * HOUR - 5)), Some((2 * HOUR, 1)));
    }

    #[test]
    fn of_those_that_agree_the_nearest_to_the_source_is_followed() {
        let limit = AGREE_MS as i64;
        assert_eq!(chosen(&[(-4, 3), (0, 1), (-9, 2)], None), Some((0, 1)));
        assert_eq!(chosen(&[(-4, 2), (0, 2)], None), Some((0, 2)), "the one with the least delay");
        assert_eq!(chosen(&[(0, 3), (limit + 1, 1)], None), Some((0, 3)), "that one does not agree");
    }

    #[test]
    fn a_time_that_nobody_vouches_for_or_that_came_too_far_is_not_kept() {
        assert_eq!(chosen(&[(0, 0), (7, LEVEL_MAX)], None), None);
        let mut one = told(&[(5, 1)]);
        one.note(&0_usize.to_be_bytes(), Offer { offset_ms: 5, level: 0 });
        assert_eq!(one.choose(None), None, "it has lost its source");
        let mut many = told(&[(0, 1)]);
        for peer in 0..2 * TOLD_MAX {
            many.note(&[7, peer as u8], Offer { offset_ms: HOUR, level: 1 });
        }
        assert_eq!(many.0.len(), TOLD_MAX);
        many.note(&0_usize.to_be_bytes(), Offer { offset_ms: 1, level: 1 });
        assert_eq!(many.0.first().map(|(_, offer)| offer.offset_ms), Some(1));
        many.forget(&0_usize.to_be_bytes());
        assert_eq!(many.0.len(), TOLD_MAX - 1);
    }
}
