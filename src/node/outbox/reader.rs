//! One peer in one room, as far as our lines go: what it surely has, and whether it is there to get more.

use std::time::{Duration, Instant};

/// How long a peer may keep the others waiting that has as much under way as it may (milliseconds). Then it is behind: it
/// holds up nobody, and gets what it missed when nothing is under way to it any more. Guess: some slow round trips.
pub const HOLD_UP_MS_MAX: u64 = 2_000;
/// Least time between two times that the same peer is given what it missed because it was too slow (milliseconds), for all
/// others hear it, too. It doubles each time, until the peer has kept up for as long as that is at most.
pub const CATCH_UP_MS: u64 = 2_000;
/// The longest such time (milliseconds).
pub const CATCH_UP_MS_MAX: u64 = 64_000;
/// After this long a peer without ping has what it was handed, if its connection stands (milliseconds): more than TCP leaves it
/// unacknowledged.
pub const TRUST_MS: u64 = 20_000;
/// How long a peer whose connection died is waited for (milliseconds): longer than any silence that people would sit out.
/// Guess.
pub const AWAY_MS_MAX: u64 = 600_000;

const _: () = assert!(TRUST_MS > crate::net::tcp::UNACKNOWLEDGED_MS_MAX as u64);

/// Where a peer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It gets what is handed out.
    Here,
    /// It came, and is told what was said last at this time, together with others that come meanwhile.
    Coming(Instant),
    /// It is too slow: some of what was handed out is lost.
    Behind,
    /// Its connection died, at this time.
    Away(Instant),
}

/// A peer that is or was in a room.
#[derive(Debug)]
pub(super) struct Reader {
    /// The number of the first line that it may not have.
    pub sure: u64,
    pub standing: Standing,
    /// Since when the others wait for it.
    holding_up: Option<Instant>,
    /// So many lines were handed out, to whomever, when the last of those was that it surely has.
    pub confirmed: u64,
    /// When it was last given again what it missed because it was slow, and how long it is to be until the next time.
    caught_up: Option<(Instant, Duration)>,
    /// When the ping begins that was asked for, and was not answered yet.
    pub asked: Option<Instant>,
    /// It knows no ping: what was handed out before the first time has arrived at the second, if its connection stands.
    pub trust: Option<(Instant, Instant)>,
}

impl Reader {
    /// A peer that has all lines before `sure`, when so many were `handed` out to whomever.
    pub fn new(sure: u64, standing: Standing, handed: u64) -> Self {
        Reader { sure, standing, holding_up: None, confirmed: handed, caught_up: None, asked: None, trust: None }
    }

    /// Whether it is connected.
    pub fn is_there(&self) -> bool {
        !matches!(self.standing, Standing::Away(_))
    }

    /// Whether it counts when lines are held back: those behind do not.
    pub fn keeps_up(&self) -> bool {
        matches!(self.standing, Standing::Here | Standing::Coming(_))
    }

    /// Whether the others wait for it.
    pub fn holds_others_up(&self) -> bool {
        self.holding_up.is_some()
    }

    /// Whether what is under way was meant for it.
    pub fn is_told(&self) -> bool {
        matches!(self.standing, Standing::Here | Standing::Behind)
    }

    /// Whether it is worth waiting for.
    pub fn is_expected(&self, now: Instant) -> bool {
        match self.standing {
            Standing::Away(since) => now.saturating_duration_since(since) < Duration::from_millis(AWAY_MS_MAX),
            _ => true,
        }
    }

    /// So many lines are under way to it, of `most`. Whether the next has to wait for it.
    pub fn holds_up(&mut self, under_way: u64, most: u64, now: Instant) -> bool {
        let holds_up = self.keeps_up() && under_way >= most;
        self.holding_up = holds_up.then(|| self.holding_up.unwrap_or(now));
        holds_up
    }

    /// There are others who would get more: if they have waited for it long enough, it is behind.
    pub fn let_others_pass(&mut self, now: Instant) {
        let is_long = |since| now.saturating_duration_since(since) >= Duration::from_millis(HOLD_UP_MS_MAX);
        if self.holding_up.is_some_and(is_long) {
            (self.standing, self.holding_up) = (Standing::Behind, None);
        }
    }

    /// It has everything before this line.
    pub fn is_sure_of(&mut self, number: u64) {
        if number > self.sure {
            self.sure = number;
            self.holding_up = None;
        }
    }

    /// Nothing is under way to it: whether it may be given what it missed. `alone` nobody else has to hear it again.
    pub fn may_catch_up(&mut self, alone: bool, now: Instant) -> bool {
        let least = Duration::from_millis(CATCH_UP_MS);
        let most = Duration::from_millis(CATCH_UP_MS_MAX);
        let since = self.caught_up.map(|(at, pause)| (now.saturating_duration_since(at), pause));
        if self.standing != Standing::Behind || (!alone && since.is_some_and(|(since, pause)| since < pause)) {
            return false;
        }
        let pause = since.filter(|(since, _)| *since < most).map_or(least, |(_, pause)| (2 * pause).min(most));
        (self.standing, self.caught_up) = (Standing::Here, Some((now, pause)));
        true
    }
}
