//! When to ask, to probe and to announce on one interface. Holds no clock: `now` is told.

use std::time::{Duration, Instant};

use super::limits::{
    ANNOUNCEMENT_SPACING_MS, ANNOUNCEMENTS, CHANGE_SETTLE_MS, PROBE_SPACING_MS, PROBES, QUERY_INTERVAL_GROWTH,
    QUERY_INTERVAL_MS_MAX, QUERY_INTERVAL_MS_MIN, QUERY_SPACING_MS, millis,
};

/// Something to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Query,
    Probe,
    Announce,
}

/// The timers of one interface.
#[derive(Debug)]
pub(super) struct Schedule {
    query_at: Instant,
    /// From the next query to the one after.
    interval: Duration,
    last_query: Option<Instant>,
    /// The next one and how many remain with it.
    probe: Option<(Instant, u32)>,
    announce: Option<(Instant, u32)>,
}

impl Schedule {
    /// Asks at once.
    pub(super) fn new(now: Instant) -> Self {
        let interval = millis(QUERY_INTERVAL_MS_MIN);
        Schedule { query_at: now, interval, last_query: None, probe: None, announce: None }
    }

    /// Asks at once, and again as often as at a start.
    pub(super) fn restart_queries(&mut self, now: Instant) {
        self.interval = millis(QUERY_INTERVAL_MS_MIN);
        self.ask_soon(now);
    }

    /// Asks at once, once.
    pub(super) fn ask_soon(&mut self, now: Instant) {
        let earliest = self.last_query.map_or(now, |at| now.max(at + millis(QUERY_SPACING_MS)));
        self.query_at = self.query_at.min(earliest);
    }

    /// Announces at once what is new on an interface, and probes beside that: a random name needs no waiting.
    pub(super) fn introduce(&mut self, now: Instant) {
        self.probe = Some((now, PROBES));
        self.announce = Some((now, ANNOUNCEMENTS));
    }

    /// Announces what changed, together with what changes in the next moment.
    pub(super) fn announce_change(&mut self, now: Instant) {
        self.announce = Some((now + millis(CHANGE_SETTLE_MS), ANNOUNCEMENTS));
    }

    /// Nothing to announce any more.
    pub(super) fn silence(&mut self) {
        self.probe = None;
        self.announce = None;
    }

    /// When [`poll_due`](Self::poll_due) has something next.
    pub(super) fn next(&self) -> Instant {
        let others = [self.probe, self.announce].into_iter().flatten().map(|(at, _)| at);
        others.fold(self.query_at, Instant::min)
    }

    /// What is due, one after the other; an announcement before a query, so that it is heard with it.
    pub(super) fn poll_due(&mut self, random: &mut fastrand::Rng, now: Instant) -> Option<Due> {
        if let Some((at, left)) = self.announce
            && at <= now
        {
            self.announce = (left > 1).then(|| (now + millis(ANNOUNCEMENT_SPACING_MS), left - 1));
            return Some(Due::Announce);
        }
        if self.query_at <= now {
            self.last_query = Some(now);
            // Up to a twentieth later, so that hosts switched on together drift apart.
            let jitter = self.interval.mul_f64(0.05 * random.f64());
            self.query_at = now + self.interval + jitter;
            self.interval = (self.interval * QUERY_INTERVAL_GROWTH).min(millis(QUERY_INTERVAL_MS_MAX));
            return Some(Due::Query);
        }
        if let Some((at, left)) = self.probe
            && at <= now
        {
            self.probe = (left > 1).then(|| (now + millis(PROBE_SPACING_MS), left - 1));
            return Some(Due::Probe);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(schedule: &mut Schedule, from: Instant, until: Duration) -> Vec<(u128, Due)> {
        let mut random = fastrand::Rng::with_seed(1);
        let mut sent = Vec::new();
        while schedule.next() <= from + until {
            let now = schedule.next();
            while let Some(due) = schedule.poll_due(&mut random, now) {
                sent.push(((now - from).as_millis(), due));
            }
        }
        sent
    }

    #[test]
    fn queries_back_off_to_five_minutes() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let at: Vec<_> = run(&mut schedule, start, Duration::from_secs(1600)).into_iter().map(|(at, _)| at).collect();
        let gaps: Vec<_> = at.windows(2).map(|w| w[1] - w[0]).collect();
        let expected = [1_000, 3_000, 9_000, 27_000, 81_000, 243_000, 300_000, 300_000, 300_000];
        assert_eq!(at[0], 0);
        assert_eq!(gaps.len(), expected.len(), "{gaps:?}");
        for (gap, least) in gaps.iter().zip(expected) {
            assert!((least..=least * 21 / 20).contains(gap), "{gaps:?}");
        }
    }

    #[test]
    fn a_restart_asks_at_once_but_not_in_a_storm() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let late = start + Duration::from_secs(500);
        run(&mut schedule, start, Duration::from_secs(500));
        schedule.restart_queries(late);
        let again = run(&mut schedule, late, Duration::from_millis(4_500));
        assert_eq!(again.len(), 3, "{again:?}");
        assert_eq!(again[0], (0, Due::Query));
        for ms in 0..1_000 {
            schedule.restart_queries(late + Duration::from_millis(10_000 + ms));
        }
        let storm = run(&mut schedule, late, Duration::from_millis(10_999));
        assert!(storm.len() <= 3, "{storm:?}");
    }

    #[test]
    fn an_introduction_probes_thrice_and_announces_twice() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        schedule.introduce(start);
        let sent = run(&mut schedule, start, Duration::from_millis(1_900));
        let of = |kind| sent.iter().filter(|(_, due)| *due == kind).map(|(at, _)| *at).collect::<Vec<_>>();
        assert_eq!(of(Due::Announce), [0, 1_000]);
        assert_eq!(of(Due::Probe), [0, 250, 500]);
        schedule.introduce(start);
        schedule.silence();
        assert!(schedule.next() > start + Duration::from_secs(2));
    }
}
