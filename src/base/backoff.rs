//! One back-off for everything that is tried again.

use super::random::Random;
use core::time::Duration;

/// How long to wait after so many failures in a row: between half and the whole of `first · 2^failures`, at most `max`.
///
/// Chance spreads those that failed together, so that they do not come back together.
pub fn backoff(first: Duration, max: Duration, failures: u32, random: &mut Random) -> Duration {
    let doubled = first.saturating_mul(1_u32 << failures.min(16));
    let whole = u64::try_from(doubled.min(max).as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(whole - random.below(whole / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_ceiling_and_stays_in_the_upper_half() {
        let (first, max, mut random) = (Duration::from_millis(500), Duration::from_secs(60), Random::new(1));
        for (failures, whole) in [(0, 500), (1, 1_000), (6, 32_000), (7, 60_000), (u32::MAX, 60_000)] {
            let waits: Vec<_> = (0..500).map(|_| backoff(first, max, failures, &mut random).as_millis()).collect();
            assert!(waits.iter().all(|wait| (whole / 2..=whole).contains(wait)), "{failures}: {waits:?}");
            let spread = waits.iter().max().unwrap() - waits.iter().min().unwrap();
            assert!(spread > whole / 3, "{failures}: {spread} ms apart at most");
        }
        assert_eq!(backoff(Duration::ZERO, max, 3, &mut random), Duration::ZERO);
    }
}
