//! The attempts to reach one peer or one bootstrap node: when the next may be made, and what came of the last ones.

use crate::base::{backoff::backoff, random::Random};
use std::time::{Duration, Instant};

/// Connections between us and one peer that ended in [`DROPS_MS`], whoever dialled or ended them, after which we wait
/// before we dial it again (count).
pub const DROPS_MAX: usize = 2;
/// Milliseconds in which [`DROPS_MAX`] ends of connections between us and one peer are enough.
pub const DROPS_MS: u64 = 60_000;
/// Seconds that a connection must have stood to count as a success. A house that is full lets a newcomer in, looks at
/// it for up to ten seconds and may let it go.
pub const LIVED_S: u64 = 30;
/// First wait before a peer is dialled again that ended the connection soon. It doubles each time.
pub const REFUSED_MS: u64 = 4_000;
/// Longest wait before a peer is dialled again that ended the connection soon.
pub const REFUSED_MAX_MS: u64 = 600_000;
/// Milliseconds, and as many more by chance, before a peer is dialled again that we let go ourselves.
pub const LET_GO_MS: u64 = 60_000;
/// Milliseconds after which a dial of which nothing was heard counts as over: longer than a handshake with each of the
/// addresses one dial may have.
pub const UNDER_WAY_MS: u64 = 90_000;
/// Milliseconds, and as many more by chance, before a dial is tried again that our own limits did not let begin.
pub const LOCAL_LIMIT_MS: u64 = 250;
/// Seconds in which a peer that starts afresh is believed once.
pub const AFRESH_S: u64 = 60;

/// Whether and when a peer is to be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dial {
    /// Not at all: it is connected, or nothing speaks for it.
    Unwanted,
    /// Not before this.
    At(Instant),
    /// It is being dialled. If nothing is heard of that, it counts as over then.
    UnderWay(Instant),
}

/// Why a dial made no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The other side did not answer, or not as it should. This alone is booked as a failure.
    Remote,
    /// A limit of our own.
    LocalLimit,
    /// Somebody else here is dialling it, or it is connected.
    AlreadyDialling,
}

/// How an end of a connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// We let the peer go.
    Ours,
    /// The other side, or the network.
    Theirs,
}

/// First and longest wait after failures.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// After the first failure. It doubles with each.
    pub first: Duration,
    /// The longest.
    pub most: Duration,
}

/// The attempts.
#[derive(Debug)]
pub struct Attempts {
    dial: Dial,
    failures: u32,
    refusals: u32,
    /// When the last connections ended, the newest last.
    drops: [Option<Instant>; DROPS_MAX],
    up_since: Option<Instant>,
    afresh: Option<Instant>,
    /// Connections made anew in a row because the peer says nothing.
    pub(super) silent_dials: u32,
    /// Whether the peer is no longer in the book.
    pub(super) is_forgotten: bool,
}

impl Attempts {
    /// None so far.
    pub fn new(dial: Dial) -> Self {
        Attempts {
            dial,
            failures: 0,
            refusals: 0,
            drops: [None; DROPS_MAX],
            up_since: None,
            afresh: None,
            silent_dials: 0,
            is_forgotten: false,
        }
    }

    /// When to dial.
    pub fn dial(&self) -> Dial {
        self.dial
    }

    /// Failures in a row for which the other side is to blame.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Connections in a row that the other side ended soon.
    pub fn refusals(&self) -> u32 {
        self.refusals
    }

    /// When the next dial may be made, if one is wanted.
    pub fn at(&self) -> Option<Instant> {
        match self.dial {
            Dial::At(at) => Some(at),
            Dial::Unwanted | Dial::UnderWay(_) => None,
        }
    }

    fn no_sooner_than_allowed(&self, at: Instant) -> Instant {
        let [first, ..] = self.drops;
        first.map_or(at, |first| at.max(first + Duration::from_millis(DROPS_MS)))
    }

    /// The peer is to be dialled, at this time at the earliest. What failed before is waited for as before.
    pub fn want(&mut self, at: Instant) {
        let is_clean = self.failures == 0 && self.refusals == 0;
        self.dial = match self.dial {
            _ if self.up_since.is_some() => return,
            Dial::Unwanted => Dial::At(self.no_sooner_than_allowed(at)),
            Dial::At(former) if is_clean => Dial::At(former.min(self.no_sooner_than_allowed(at))),
            former => former,
        };
    }

    /// There is a reason to wait no longer, whatever failed before.
    pub fn hurry(&mut self, then: Instant) {
        if let Dial::At(at) = self.dial {
            self.dial = Dial::At(at.min(self.no_sooner_than_allowed(then)));
        }
    }

    /// Not before this.
    pub fn put_off(&mut self, until: Instant) {
        if let Dial::At(at) = self.dial {
            self.dial = Dial::At(at.max(until));
        }
    }

    /// The peer is not to be dialled.
    pub fn unwant(&mut self) {
        self.dial = Dial::Unwanted;
    }

    /// A dial is under way.
    pub fn on_dialling(&mut self, now: Instant) {
        self.dial = Dial::UnderWay(now + Duration::from_millis(UNDER_WAY_MS));
    }

    /// A dial of which nothing was heard is over. True if that is so now.
    pub fn give_up(&mut self, now: Instant) -> bool {
        let is_over = matches!(self.dial, Dial::UnderWay(until) if until <= now);
        if is_over {
            self.dial = if self.up_since.is_some() { Dial::Unwanted } else { Dial::At(now) };
        }
        is_over
    }

    /// A dial made no connection.
    pub fn on_failed(&mut self, failure: Failure, pace: Pace, now: Instant, random: &mut Random) {
        let wait = match failure {
            Failure::Remote => {
                self.failures = self.failures.saturating_add(1);
                backoff(pace.first, pace.most, self.failures, random)
            }
            Failure::LocalLimit => Duration::from_millis(LOCAL_LIMIT_MS + random.below(LOCAL_LIMIT_MS)),
            Failure::AlreadyDialling => pace.first,
        };
        let at = self.no_sooner_than_allowed(now + wait);
        self.dial = if self.up_since.is_some() { Dial::Unwanted } else { Dial::At(at) };
    }

    /// A connection stands. Only when it has stood for a while what failed before is forgotten.
    pub fn on_up(&mut self, now: Instant) {
        self.dial = Dial::Unwanted;
        self.up_since.get_or_insert(now);
    }

    /// The last connection is gone.
    pub fn on_down(&mut self, end: End, pace: Pace, now: Instant, random: &mut Random) {
        let lived = self.up_since.take().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let has_lived = lived >= Duration::from_secs(LIVED_S);
        self.drops.rotate_left(1);
        let [.., newest] = &mut self.drops;
        *newest = Some(now);
        if has_lived {
            (self.failures, self.refusals) = (0, 0);
        }
        let wait = match end {
            End::Ours => Duration::from_millis(LET_GO_MS + random.below(LET_GO_MS)),
            End::Theirs if has_lived => backoff(pace.first, pace.most, 0, random),
            End::Theirs => {
                self.refusals = self.refusals.saturating_add(1);
                let (first, most) = (Duration::from_millis(REFUSED_MS), Duration::from_millis(REFUSED_MAX_MS));
                backoff(first, most, self.refusals, random)
            }
        };
        self.dial = Dial::At(self.no_sooner_than_allowed(now + wait));
    }

    /// The peer says that it started afresh: what failed before says nothing of it. Believed once in a while only, for
    /// anybody on a LAN can say it.
    pub fn on_afresh(&mut self, at: Instant, now: Instant) -> bool {
        let is_soon = |former: Instant| now.saturating_duration_since(former) < Duration::from_secs(AFRESH_S);
        if self.afresh.is_some_and(is_soon) {
            return false;
        }
        self.afresh = Some(now);
        (self.failures, self.refusals, self.drops, self.silent_dials) = (0, 0, [None; DROPS_MAX], 0);
        if self.up_since.is_none() && !matches!(self.dial, Dial::UnderWay(_)) {
            self.dial = Dial::At(at);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { first: Duration::from_millis(500), most: Duration::from_secs(60) };

    fn after(start: Instant, s: u64) -> Instant {
        start + Duration::from_secs(s)
    }

    #[test]
    fn only_the_other_sides_failures_are_booked() {
        let (start, mut random) = (Instant::now(), Random::new(1));
        let mut attempts = Attempts::new(Dial::At(start));
        for _ in 0..50 {
            attempts.on_dialling(start);
            attempts.on_failed(Failure::LocalLimit, PACE, start, &mut random);
            attempts.on_dialling(start);
            attempts.on_failed(Failure::AlreadyDialling, PACE, start, &mut random);
        }
        assert_eq!(attempts.failures(), 0);
        assert!(attempts.at().is_some_and(|at| at > start && at <= after(start, 1)));
        attempts.on_failed(Failure::Remote, PACE, start, &mut random);
        assert_eq!(attempts.failures(), 1);
    }

    #[test]
    fn a_short_success_forgets_nothing_and_a_long_one_does() {
        let (start, mut random) = (Instant::now(), Random::new(1));
        let mut attempts = Attempts::new(Dial::At(start));
        (0..5).for_each(|_| attempts.on_failed(Failure::Remote, PACE, start, &mut random));
        attempts.on_up(start);
        attempts.on_down(End::Theirs, PACE, after(start, LIVED_S - 1), &mut random);
        assert_eq!((attempts.failures(), attempts.refusals()), (5, 1));
        let wait = attempts.at().unwrap() - after(start, LIVED_S - 1);
        assert!(wait >= Duration::from_millis(REFUSED_MS), "{wait:?}");
        attempts.on_up(after(start, 100));
        attempts.on_down(End::Theirs, PACE, after(start, 100 + LIVED_S), &mut random);
        assert_eq!((attempts.failures(), attempts.refusals()), (0, 0));
    }

    #[test]
    fn two_connections_of_a_pair_in_a_minute_are_enough() {
        let (start, mut random, mut ups, mut now) = (Instant::now(), Random::new(1), Vec::new(), Instant::now());
        let mut attempts = Attempts::new(Dial::At(start));
        while now < after(start, 3_600) {
            attempts.hurry(now);
            attempts.want(now);
            if attempts.at().is_some_and(|at| at <= now) {
                attempts.on_up(now);
                ups.push(now);
                attempts.on_down(End::Theirs, PACE, now, &mut random);
            }
            now += Duration::from_millis(100);
        }
        assert!(ups.len() > 60, "{} times", ups.len());
        for window in ups.windows(DROPS_MAX + 1) {
            assert!(window[DROPS_MAX] - window[0] >= Duration::from_millis(DROPS_MS), "{window:?}");
        }
    }

    #[test]
    fn afresh_is_believed_once_in_a_while() {
        let (start, mut random) = (Instant::now(), Random::new(1));
        let mut attempts = Attempts::new(Dial::At(start));
        let mut fail = |attempts: &mut Attempts, now| {
            (0..7).for_each(|_| attempts.on_failed(Failure::Remote, PACE, now, &mut random));
        };
        fail(&mut attempts, start);
        assert!(attempts.on_afresh(start, start));
        assert_eq!((attempts.failures(), attempts.at()), (0, Some(start)));
        fail(&mut attempts, start);
        assert!(!attempts.on_afresh(start, after(start, 1)));
        assert_eq!(attempts.failures(), 7);
        assert!(attempts.on_afresh(after(start, AFRESH_S), after(start, AFRESH_S)));
    }

    #[test]
    fn what_failed_is_not_hurried_by_being_heard_of_again() {
        let (start, mut random) = (Instant::now(), Random::new(1));
        let mut attempts = Attempts::new(Dial::At(start));
        (0..7).for_each(|_| attempts.on_failed(Failure::Remote, PACE, start, &mut random));
        let at = attempts.at();
        attempts.want(start);
        assert_eq!(attempts.at(), at);
        attempts.hurry(start);
        assert_eq!(attempts.at(), Some(start), "as when we are in another network");
    }

    #[test]
    fn a_dial_of_which_nothing_is_heard_is_given_up() {
        let start = Instant::now();
        let mut attempts = Attempts::new(Dial::At(start));
        attempts.on_dialling(start);
        assert!(!attempts.give_up(after(start, 1)));
        assert!(attempts.give_up(start + Duration::from_millis(UNDER_WAY_MS)));
        assert_eq!(attempts.failures(), 0);
        assert!(attempts.at().is_some());
    }
}
