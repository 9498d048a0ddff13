//! What others hold against our clock, and whom we told that their messages were refused.

use libp2p::PeerId;
use std::time::{Duration, Instant};

/// Milliseconds by which our clock has to differ from the time of others to be worth a word. Guess: what people notice.
pub const DOUBT_MS: u64 = 60_000;
/// Milliseconds for which that has to last: when many meet, not all speak at once.
pub const DOUBT_LASTS_MS: u64 = 3_000;
/// Seconds between two notices to one author that messages of theirs were refused.
pub const REFUSAL_INTERVAL_S: u64 = 60;
/// Authors remembered for that; beyond, nobody is told until a minute is over. Guess: more are hostile.
pub const REFUSED_AUTHORS_MAX: usize = 64;
/// Seconds without a refusal after which that is over. Guess: a line now and then of who did not notice.
pub const REFUSED_LATELY_S: u64 = 600;

/// What we know of doubts about a clock, ours or another's.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// How often others refused what we said.
    refused: u64,
    /// By whom last, by how far we were ahead, and when.
    last: Option<(PeerId, u64, Instant)>,
    /// By how much our clock is said to be off, and since when.
    off: Option<(i64, Instant)>,
    told: Vec<(PeerId, Instant)>,
}

impl Doubts {
    /// A peer refused something of ours.
    pub fn on_refused(&mut self, by: PeerId, ahead_ms: u64, now: Instant) {
        self.refused += 1;
        self.last = Some((by, ahead_ms, now));
    }

    /// How often that happened.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Who refused what we said, and by how far we were ahead, if it was lately.
    pub fn refused_lately(&self, now: Instant) -> Option<(PeerId, u64)> {
        let (by, ahead_ms, at) = self.last?;
        let is_late = now.saturating_duration_since(at) < Duration::from_secs(REFUSED_LATELY_S);
        is_late.then_some((by, ahead_ms))
    }

    /// Our clock is off by so much, as others say, or nobody says anything. When to look again whether that lasts.
    pub fn note_off(&mut self, off_ms: Option<i64>, now: Instant) -> Option<Instant> {
        let since = self.off.map_or(now, |(_, since)| since);
        self.off = off_ms.filter(|off_ms| off_ms.unsigned_abs() >= DOUBT_MS).map(|off_ms| (off_ms, since));
        let lasts = since + Duration::from_millis(DOUBT_LASTS_MS);
        self.off.map(|_| lasts).filter(|lasts| *lasts > now)
    }

    /// By how much our clock is off, as others have said for a while.
    pub fn off_ms(&self, now: Instant) -> Option<i64> {
        let (off_ms, since) = self.off?;
        (now.saturating_duration_since(since) >= Duration::from_millis(DOUBT_LASTS_MS)).then_some(off_ms)
    }

    /// Whether an author is to be told now that messages of theirs are refused.
    pub fn may_tell(&mut self, author: PeerId, now: Instant) -> bool {
        let interval = Duration::from_secs(REFUSAL_INTERVAL_S);
        self.told.retain(|(_, at)| now.saturating_duration_since(*at) < interval);
        if self.told.len() >= REFUSED_AUTHORS_MAX || self.told.iter().any(|(told, _)| *told == author) {
            return false;
        }
        self.told.push((author, now));
        true
    }
}

/// How far a clock is off, in words: `2 h 5 min ahead`, `20 min behind`.
pub fn in_words(off_ms: i64) -> String {
    // To the nearest second or minute: on the way to us some of it passed.
    let seconds = match off_ms.unsigned_abs() {
        ms @ 0..60_000 => (ms + 500) / 1_000,
        ms => (ms + 30_000) / 60_000 * 60,
    };
    let (years, days, hours, minutes) =
        (seconds / 31_557_600, seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let long = match (years, days, hours, minutes) {
        (0, 0, 0, 0) => format!("{seconds} s"),
        (0, 0, 0, _) => format!("{minutes} min"),
        (0, 0, _, 0) => format!("{hours} h"),
        (0, 0, ..) => format!("{hours} h {minutes} min"),
        (0, _, 0, _) => format!("{days} d"),
        (0, ..) => format!("{days} d {hours} h"),
        _ => format!("{years} years"),
    };
    format!("{long} {}", if off_ms < 0 { "behind" } else { "ahead" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_counted_and_holds_for_a_while() {
        let (mut doubts, peer, now) = (Doubts::default(), PeerId::random(), Instant::now());
        let while_ = Duration::from_secs(REFUSED_LATELY_S);
        assert_eq!(doubts.refused_lately(now), None);
        doubts.on_refused(peer, 7, now);
        doubts.on_refused(peer, 8, now + while_ / 2);
        assert_eq!((doubts.refused(), doubts.refused_lately(now + while_)), (2, Some((peer, 8))));
        assert_eq!(doubts.refused_lately(now + while_ * 2), None);
    }

    #[test]
    fn a_clock_that_is_off_by_little_or_not_for_long_is_not() {
        let (mut doubts, off, start) = (Doubts::default(), DOUBT_MS as i64, Instant::now());
        let lasts = Duration::from_millis(DOUBT_LASTS_MS);
        assert_eq!((doubts.note_off(Some(off - 1), start), doubts.off_ms(start + lasts)), (None, None));
        assert_eq!((doubts.note_off(Some(off), start), doubts.off_ms(start)), (Some(start + lasts), None));
        assert_eq!(doubts.note_off(Some(-off), start + lasts), None);
        assert_eq!(doubts.off_ms(start + lasts), Some(-off));
        assert_eq!((doubts.note_off(None, start + lasts), doubts.off_ms(start + lasts)), (None, None));
        assert_eq!(doubts.note_off(Some(off), start + lasts), Some(start + 2 * lasts), "it begins anew");
    }

    #[test]
    fn an_author_is_told_once_a_minute_and_so_many_are() {
        let (mut doubts, now, author) = (Doubts::default(), Instant::now(), PeerId::random());
        assert!(doubts.may_tell(author, now) && !doubts.may_tell(author, now));
        let told = (0..2 * REFUSED_AUTHORS_MAX).filter(|_| doubts.may_tell(PeerId::random(), now)).count();
        assert_eq!(told, REFUSED_AUTHORS_MAX - 1);
        assert!(doubts.may_tell(author, now + Duration::from_secs(REFUSAL_INTERVAL_S)));
    }

    #[test]
    fn how_far_a_clock_is_off_is_said_in_words() {
        for (seconds, words) in [
            (-1_200, "20 min behind"),
            (7_200, "2 h ahead"),
            (7_500, "2 h 5 min ahead"),
            (59, "59 s ahead"),
            (-86_400 * 3, "3 d behind"),
            (86_400 * 3 + 7_200, "3 d 2 h ahead"),
            (5 * 31_557_600, "5 years ahead"),
            (7_199, "2 h ahead"),
        ] {
            assert_eq!(in_words(seconds * 1_000), words);
        }
    }
}
