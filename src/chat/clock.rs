//! The hybrid logical clock: an order of messages that needs no right time, and stays near it where it is known.
//!
//! A stamp is in milliseconds. Ours is greater than every stamp seen from others, so an answer stands below what
//! it answers, and greater than every stamp of our own, so that author and stamp name a message.
//!
//! - **Wall clock known:** a stamp is the wall time, or just above the newest stamp seen. One more than
//!   [`AHEAD_MAX_MS`] ahead is refused. Stamps of others never push ours further ahead than [`LEAD_MAX_MS`]: under a
//!   storm of messages, each answering another, the order gets coarse before anyone would refuse us. Only more than
//!   1,000 messages a second of our own, for minutes, lead further; at [`AHEAD_MAX_MS`] they are refused.
//! - **Wall clock unknown:** time is counted from the newest stamp seen (from the start, if none was), so a board
//!   without a clock adopts the time of its room. Any stamp up to [`HORIZON_MS`] after the build can be true.
//!   A hostile neighbour can thus push such a board some years ahead, where peers that know the time refuse it;
//!   this ends when the board learns the time, which also forgets what lies too far ahead.
//!
//! Whether an author knew the time is not sent: a stamp before the build of the reading program cannot be a wall
//! time, one after is taken for it.

use crate::base::time::Now;
use crate::wire::bounds::STAMP_MAX;

/// How far ahead of a known wall clock a stamp may be, in ms: 10 minutes. Guess: clocks set by hand, and
/// [`LEAD_MAX_MS`] on top.
pub const AHEAD_MAX_MS: u64 = 10 * 60 * 1000;
/// How far our own stamps may lead a known wall clock, in ms: half of [`AHEAD_MAX_MS`], so that the clocks of two
/// peers may differ by the other half.
pub const LEAD_MAX_MS: u64 = AHEAD_MAX_MS / 2;
/// How long after its build a program without a clock believes in stamps, in ms: 10 years. Guess: the life of a
/// binary on a board that nobody updates.
pub const HORIZON_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

const _: () = assert!(LEAD_MAX_MS < AHEAD_MAX_MS);

/// A stamp lies too far in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stamp is {by_ms} ms beyond what is allowed")]
pub struct Ahead {
    /// How far beyond the allowed lead, in ms.
    pub by_ms: u64,
}

/// The clock of one node, over all its rooms.
#[derive(Debug, Clone)]
pub struct Clock {
    build_unix_ms: u64,
    /// The newest stamp seen from others.
    seen: u64,
    /// The newest stamp given.
    own: u64,
    /// The newest time of arrival given.
    arrived: u64,
    /// Without a wall clock: the stamp from which time is counted, and the monotonic time when it was seen.
    anchor: (u64, u64),
}

impl Clock {
    /// A clock that has seen nothing, for a program built at that time.
    pub const fn new(build_unix_ms: u64) -> Self {
        Self { build_unix_ms, seen: 0, own: 0, arrived: 0, anchor: (0, 0) }
    }

    /// Whether a stamp is a wall time, for this program.
    pub const fn is_wall_time(&self, stamp: u64) -> bool {
        stamp >= self.build_unix_ms
    }

    /// The largest stamp that is accepted from others now.
    pub fn ceiling(&self, now: Now) -> u64 {
        match now.unix_ms {
            Some(wall) => wall.saturating_add(AHEAD_MAX_MS),
            None => self.build_unix_ms.saturating_add(HORIZON_MS),
        }
        .min(STAMP_MAX)
    }

    /// Accepts the stamp of a message from others, or says how far it lies beyond the ceiling.
    pub fn accept(&mut self, stamp: u64, now: Now) -> Result<(), Ahead> {
        let ceiling = self.ceiling(now);
        if stamp > ceiling {
            return Err(Ahead { by_ms: stamp - ceiling });
        }
        if now.unix_ms.is_none() && stamp > self.estimate(now) {
            self.anchor = (stamp, now.monotonic_ms);
        }
        self.seen = self.seen.max(stamp);
        Ok(())
    }

    /// The stamp for a message of our own: greater than all before. `None` if it would lie beyond what others accept.
    pub fn stamp(&mut self, now: Now) -> Option<u64> {
        let ceiling = if now.clock_known() { self.ceiling(now) } else { STAMP_MAX };
        // Left from the days without a clock, or from before the wall clock was set back.
        if self.seen > ceiling {
            self.seen = 0;
        }
        if self.own > ceiling {
            self.own = 0;
        }
        let answer = self.seen.saturating_add(1);
        let stamp = match now.unix_ms {
            Some(wall) => answer.min(wall.saturating_add(LEAD_MAX_MS)).max(wall),
            None => answer.max(self.estimate(now)),
        }
        .min(ceiling)
        .max(self.own.saturating_add(1));
        if stamp > ceiling {
            return None;
        }
        self.own = stamp;
        Some(stamp)
    }

    /// A stamp for a message that has none: the time now, and above the one before while that is at most
    /// [`LEAD_MAX_MS`] ahead. It moves no other stamp, or a flood of such messages could.
    pub fn arrival(&mut self, now: Now) -> u64 {
        let time = now.unix_ms.unwrap_or_else(|| self.estimate(now));
        let after = self.arrived.saturating_add(1).min(time.saturating_add(LEAD_MAX_MS));
        self.arrived = time.max(after).min(STAMP_MAX);
        self.arrived
    }

    /// The newest stamp given.
    pub const fn own(&self) -> u64 {
        self.own
    }

    /// Gives only stamps above this one from now on.
    pub fn resume(&mut self, stamp: u64) {
        self.own = self.own.max(stamp.min(STAMP_MAX));
    }

    /// The time without a wall clock, at most what others would still accept.
    fn estimate(&self, now: Now) -> u64 {
        let (stamp, at) = self.anchor;
        let counted = stamp.saturating_add(now.monotonic_ms.saturating_sub(at));
        // Counted from the start of the run it must not pass for a wall time.
        if self.is_wall_time(stamp) { counted } else { counted.min(self.build_unix_ms.saturating_sub(1)) }
    }
}

#[cfg(test)]
mod tests;
