//! What is remembered of peers that left: what they did, and when they may be asked into a mesh again.

use super::level::Level;
use super::settings::{BACKOFFS_MAX, FORGIVEN_BELOW, OFFENCE_HALF_MS, OFFENDERS_MAX};
use crate::base::meter::Meter;
use alloc::collections::VecDeque;

/// Peers are known by a keyed hash of their id.
#[derive(Debug)]
pub(super) struct Departed {
    offences: VecDeque<(u64, Level)>,
    /// Peer, topic, until when.
    backoffs: VecDeque<(u64, u64, u64)>,
}

impl Departed {
    pub(super) const fn new() -> Self {
        Self { offences: VecDeque::new(), backoffs: VecDeque::new() }
    }

    /// A peer left. Those who did little are not remembered; of too many the first is forgotten.
    pub(super) fn note(&mut self, peer: u64, offences: Level, now: u64) {
        let is_open = |level: &Level| level.value(OFFENCE_HALF_MS, now) >= FORGIVEN_BELOW;
        self.offences.retain(|(known, level)| *known != peer && is_open(level));
        if is_open(&offences) {
            if self.offences.len() >= OFFENDERS_MAX {
                self.offences.pop_front();
            }
            self.offences.push_back((peer, offences));
        }
    }

    /// It is back, or asks to be: what it did.
    pub(super) fn offences(&self, peer: u64) -> Level {
        self.offences.iter().find(|(known, _)| *known == peer).map_or_else(Level::default, |(_, level)| *level)
    }

    /// It is not to be asked into the mesh of a topic before then.
    pub(super) fn back_off(&mut self, peer: u64, topic: u64, until: u64, now: u64) {
        self.backoffs.retain(|(.., until)| *until > now);
        if until > now {
            if self.backoffs.len() >= BACKOFFS_MAX {
                self.backoffs.pop_front();
            }
            self.backoffs.push_back((peer, topic, until));
        }
    }

    /// Until when that holds.
    pub(super) fn backoff_until(&self, peer: u64, topic: u64) -> u64 {
        let of_these = |(known, of, _): &&(u64, u64, u64)| *known == peer && *of == topic;
        self.backoffs.iter().filter(of_these).map(|(.., until)| *until).max().unwrap_or_default()
    }

    pub(super) fn meters(&self) -> [Meter; 2] {
        let meter = |length, capacity| Meter { length, ..Meter::new(capacity) };
        [meter(self.offences.len(), OFFENDERS_MAX), meter(self.backoffs.len(), BACKOFFS_MAX)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::settings::OFFENCES_MAX;

    fn level(amount: u32, now: u64) -> Level {
        let mut level = Level::default();
        level.add(amount, OFFENCES_MAX, OFFENCE_HALF_MS, now);
        level
    }

    #[test]
    fn only_so_many_offenders_are_remembered_and_nobody_else() {
        let mut departed = Departed::new();
        for peer in 0..4 * OFFENDERS_MAX as u64 {
            departed.note(peer, level(if peer % 2 == 0 { 9_000 } else { 500 }, 0), 0);
        }
        assert_eq!(departed.meters()[0].length, OFFENDERS_MAX);
        let last = 4 * OFFENDERS_MAX as u64 - 2;
        assert_eq!(departed.offences(last).value(OFFENCE_HALF_MS, 0), OFFENCES_MAX);
        assert_eq!(departed.offences(last - 1).value(OFFENCE_HALF_MS, 0), 0);
        departed.note(1, level(0, 0), 4 * OFFENCE_HALF_MS);
        assert_eq!(departed.meters()[0].length, 0, "all is forgiven then");
    }

    #[test]
    fn back_offs_end_and_are_bounded() {
        let mut departed = Departed::new();
        departed.back_off(1, 2, 100, 0);
        departed.back_off(1, 2, 50, 0);
        assert_eq!((departed.backoff_until(1, 2), departed.backoff_until(2, 1)), (100, 0));
        (0..10_000).for_each(|peer| departed.back_off(peer, 2, 200, 0));
        assert_eq!(departed.meters()[1].length, BACKOFFS_MAX);
        departed.back_off(1, 2, 300, 200);
        assert_eq!(departed.meters()[1].length, 1);
    }
}
