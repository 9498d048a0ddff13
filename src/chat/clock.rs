//! The hybrid logical clock: an order of messages that needs no right time, and stays near it where it is known.
//!
//! A stamp is in milliseconds. Ours is greater than every stamp seen from others, so an answer stands below what
//! it answers, and no stamp is given twice, so that author and stamp name a message (`stamps.rs`).
//!
//! What time it is, is said by the first of these that there is ([`Source`]):
//!
//! 1. **our own clock, if somebody vouches for it** (level 1). Only then a stamp more than [`AHEAD_MAX_MS`] ahead is
//!    refused.
//! 2. **connected peers whose time is vouched for** (`told.rs`). A peer that says n puts us on level n + 1.
//! 3. **nobody: the time of the room.** What peers told us earlier in this run, else our own clock as a guess; but if the
//!    stamps of others are more than [`LEAD_MAX_MS`] ahead of that, time is counted from the newest of them.
//!
//! Where the time is vouched for, stamps of others never push ours further ahead than [`LEAD_MAX_MS`]: under a storm of
//! messages, each answering another, the order gets coarse before anyone would refuse us. Only more than 750 messages a
//! second of our own, for minutes, lead further; at [`AHEAD_MAX_MS`] they are refused. What we gave further ahead while
//! the clock was wrong is left behind.
//!
//! Where it is not, any stamp up to [`HORIZON_MS`] after the build can be true. A hostile neighbour can thus push such a
//! board some years ahead, where peers that know the time refuse it, and tell it so; this ends when it learns the time.
//!
//! Whether an author knew the time is not sent: a stamp before the build of the reading program cannot be a wall
//! time, one after is taken for it.

use super::stamps::{STAMPS_RESERVED, Spent, Stamps};
use super::told::{Offer, Told};
use crate::base::sequence::Unwritten;
use crate::base::time::{Now, Wall};
use crate::wire::bounds::STAMP_MAX;

/// How far ahead of a synchronised clock a stamp may be, in ms: 10 minutes. Guess: clocks set by hand, and
/// [`LEAD_MAX_MS`] on top.
pub const AHEAD_MAX_MS: u64 = 10 * 60 * 1000;
/// How far our own stamps may lead a time that is vouched for, in ms: half of [`AHEAD_MAX_MS`], so that the clocks of two
/// peers may differ by the other half. Where it is not, the time of the room is adopted beyond it.
pub const LEAD_MAX_MS: u64 = AHEAD_MAX_MS / 2;
/// How long after its build a program without a synchronised clock believes in stamps, in ms: 10 years. Guess: the life
/// of a binary on a board that nobody updates.
pub const HORIZON_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

const _: () = assert!(LEAD_MAX_MS < AHEAD_MAX_MS);
const _: () = assert!(STAMPS_RESERVED < LEAD_MAX_MS);

/// A stamp lies too far in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stamp is {by_ms} ms beyond what is allowed")]
pub struct Ahead {
    /// How far beyond the allowed lead, in ms.
    pub by_ms: u64,
}

/// Why no stamp is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoStamp {
    /// It would lie beyond what others accept.
    TooFast,
    /// It is not written down yet: see [`Clock::reserve`].
    Unwritten,
}

/// Who says what time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Our own clock, and somebody vouches for it.
    Own,
    /// Connected peers whose time somebody vouches for.
    Peers,
    /// Such peers said so earlier in this run; nobody does now.
    Earlier,
    /// The stamps of others, or our own of an earlier run.
    Room,
    /// Our own clock; nobody vouches for it.
    Guess,
    /// Nobody: time is counted from the start of the run.
    Nobody,
}

/// What time it is, as far as anybody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Milliseconds since 1970-01-01 UTC; before the build of the program it is no wall time.
    pub unix_ms: u64,
    /// How far it is vouched for: 0 by nobody, 1 by our own clock, n + 1 by a peer that said n.
    pub level: u8,
    /// Who says so.
    pub source: Source,
}

/// The clock of one node, over all its rooms.
#[derive(Debug, Clone)]
pub struct Clock {
    build_unix_ms: u64,
    /// The newest stamp seen from others that counts.
    seen: u64,
    /// The newest stamp given, but for those that turned out to be wrong.
    own: u64,
    /// The newest time of arrival given.
    arrived: u64,
    /// Without anybody who vouches for a time: the stamp from which it is counted, and when that was seen.
    anchor: (u64, u64),
    told: Told,
    /// Whom of those we believe.
    adopted: Option<Offer>,
    /// What was adopted last in this run, less our monotonic clock.
    earlier_ms: Option<i64>,
    stamps: Stamps,
}

impl Clock {
    /// A clock that has seen nothing, for a program built at that time.
    pub fn new(build_unix_ms: u64) -> Self {
        Self {
            build_unix_ms,
            seen: 0,
            own: 0,
            arrived: 0,
            anchor: (0, 0),
            told: Told::default(),
            adopted: None,
            earlier_ms: None,
            stamps: Stamps::new(),
        }
    }

    /// Whether a stamp is a wall time, for this program.
    pub const fn is_wall_time(&self, stamp: u64) -> bool {
        stamp >= self.build_unix_ms
    }

    /// What time it is.
    pub fn time(&self, now: Now) -> Time {
        let at = |offset_ms| now.monotonic_ms.saturating_add_signed(offset_ms);
        match (now.wall, self.adopted) {
            (Wall::Synchronised(unix_ms), _) => return Time { unix_ms, level: 1, source: Source::Own },
            (_, Some(Offer { offset_ms, level })) => {
                return Time { unix_ms: at(offset_ms), level: level.saturating_add(1), source: Source::Peers };
            }
            _ => {}
        }
        let (guess, source) = match (self.earlier_ms, now.unix_ms()) {
            (Some(offset_ms), _) => (at(offset_ms), Source::Earlier),
            (None, Some(unix_ms)) => (unix_ms, Source::Guess),
            (None, None) => (0, Source::Nobody),
        };
        let (stamp, seen_at) = self.anchor;
        let counted = stamp.saturating_add(now.monotonic_ms.saturating_sub(seen_at));
        if self.is_wall_time(stamp) && counted > guess {
            return Time { unix_ms: counted, level: 0, source: Source::Room };
        }
        // Counted from the start of the run it must not pass for a wall time.
        let counted = counted.min(self.build_unix_ms.saturating_sub(1));
        Time { unix_ms: guess.max(counted), level: 0, source }
    }

    /// What to tell others: the time, if there is any notion of it, and how far it is vouched for.
    pub fn hello(&self, now: Now) -> (Option<u64>, u8) {
        let Time { unix_ms, level, .. } = self.time(now);
        let is_told = self.is_wall_time(unix_ms) && unix_ms <= STAMP_MAX;
        if is_told { (Some(unix_ms), level) } else { (None, 0) }
    }

    /// A connected peer (multihash bytes) says what time it is there.
    pub fn on_told(&mut self, peer: &[u8], unix_ms: Option<u64>, level: u8, now: Now) {
        // What cannot be true is not told.
        let horizon = self.build_unix_ms.saturating_add(HORIZON_MS);
        match unix_ms.filter(|unix_ms| self.is_wall_time(*unix_ms) && *unix_ms <= horizon) {
            Some(unix_ms) => {
                let offset_ms = unix_ms.cast_signed().saturating_sub(now.monotonic_ms.cast_signed());
                self.told.note(peer, Offer { offset_ms, level });
                // Better than none at all.
                if level == 0 && !self.is_wall_time(self.time(now).unix_ms) {
                    self.anchor = (unix_ms, now.monotonic_ms);
                }
            }
            None => self.told.forget(peer),
        }
        self.choose(now);
    }

    /// By how much our own clock is off, in ms, if peers say so whose time is vouched for.
    pub fn doubt(&self, now: Now) -> Option<i64> {
        let offset_ms = self.adopted?.offset_ms;
        Some(
            now.unix_ms()?
                .cast_signed()
                .saturating_sub(now.monotonic_ms.saturating_add_signed(offset_ms).cast_signed()),
        )
    }

    /// Connected peers whose time is vouched for.
    pub fn vouchers(&self) -> usize {
        self.told.count()
    }

    /// A peer is gone.
    pub fn on_left(&mut self, peer: &[u8], now: Now) {
        self.told.forget(peer);
        self.choose(now);
    }

    fn choose(&mut self, now: Now) {
        let before = self.time(now).unix_ms;
        let guess = now.unix_ms().map(|ms| ms.cast_signed().saturating_sub(now.monotonic_ms.cast_signed()));
        self.adopted = self.told.choose(guess.or(self.earlier_ms));
        if let Some(Offer { offset_ms, .. }) = self.adopted.filter(|_| !now.is_synchronised()) {
            self.earlier_ms = Some(offset_ms);
            self.anchor = (0, 0);
        }
        self.on_moved(before, now);
    }

    /// Our own clock is vouched for, which it was not before: what was believed without it is forgotten.
    pub fn on_synchronised(&mut self, now: Now) {
        let guess = now.unix_ms().map_or(Wall::Unknown, Wall::Guess);
        let before = self.time(Now { wall: guess, ..now }).unix_ms;
        self.earlier_ms = None;
        self.anchor = (0, 0);
        self.on_moved(before, now);
    }

    /// It is earlier than it was thought to be: what we said then stays ahead, and what we say now does not follow it.
    fn on_moved(&mut self, before: u64, now: Now) {
        let Time { unix_ms, level, .. } = self.time(now);
        let lead = unix_ms.saturating_add(LEAD_MAX_MS);
        if level > 0 && before > lead {
            self.own = 0;
            self.seen = if self.seen > lead { 0 } else { self.seen };
        }
    }

    /// The largest stamp that is accepted from others now.
    pub fn ceiling(&self, now: Now) -> u64 {
        let time = self.time(now);
        let lead = time.unix_ms.saturating_add(AHEAD_MAX_MS);
        match time.source {
            Source::Own => lead,
            _ => self.build_unix_ms.saturating_add(HORIZON_MS).max(lead),
        }
        .min(STAMP_MAX)
    }

    /// Accepts the stamp of a message from others, or says how far it lies beyond the ceiling.
    pub fn accept(&mut self, stamp: u64, now: Now) -> Result<(), Ahead> {
        let ceiling = self.ceiling(now);
        if stamp > ceiling {
            return Err(Ahead { by_ms: stamp - ceiling });
        }
        let Time { unix_ms, level, .. } = self.time(now);
        if level > 0 {
            if stamp <= unix_ms.saturating_add(AHEAD_MAX_MS) {
                self.seen = self.seen.max(stamp);
            }
            return Ok(());
        }
        // A small lead passes by itself, and one that was pushed ahead would otherwise stay there.
        let slack = if self.is_wall_time(unix_ms) { LEAD_MAX_MS } else { 0 };
        if stamp > unix_ms.saturating_add(slack) {
            self.anchor = (stamp, now.monotonic_ms);
        }
        self.seen = self.seen.max(stamp);
        Ok(())
    }

    /// From where on the next stamp of our own is looked for, and the largest that others would accept.
    fn wish(&mut self, now: Now) -> (u64, u64) {
        let Time { unix_ms, level, .. } = self.time(now);
        let (lead, ceiling) = match level {
            0 => (STAMP_MAX, STAMP_MAX),
            _ => (unix_ms.saturating_add(LEAD_MAX_MS), unix_ms.saturating_add(AHEAD_MAX_MS).min(STAMP_MAX)),
        };
        // Left from the days when the time was not known, or from before the clock was set back.
        if self.seen > ceiling {
            self.seen = 0;
        }
        if self.own > ceiling {
            self.own = 0;
        }
        let answer = self.seen.saturating_add(1).min(lead).max(unix_ms);
        (answer.max(self.own.saturating_add(1)), ceiling)
    }

    /// The stamp for a message of our own: greater than all before.
    pub fn stamp(&mut self, now: Now) -> Result<u64, NoStamp> {
        let (wish, ceiling) = self.wish(now);
        if self.stamps.peek(wish) > ceiling {
            return Err(NoStamp::TooFast);
        }
        let stamp = self.stamps.give(wish).map_err(|Unwritten| NoStamp::Unwritten)?;
        self.own = stamp;
        Ok(stamp)
    }

    /// Whether a stamp given at `said_ms` of our monotonic clock has turned out to be wrong: by more than [`LEAD_MAX_MS`]
    /// where the time is vouched for, or where it is no wall time and there is one now.
    pub fn is_off(&self, stamp: u64, said_ms: u64, now: Now) -> bool {
        let Time { unix_ms, level, .. } = self.time(now);
        let right = unix_ms.saturating_sub(now.monotonic_ms.saturating_sub(said_ms));
        match level {
            0 => !self.is_wall_time(stamp) && self.is_wall_time(right),
            _ => stamp.abs_diff(right) > LEAD_MAX_MS,
        }
    }

    /// Whether [`Clock::stamp`] has one, or none for another reason than that it is not written down.
    pub fn has_stamp(&mut self, now: Now) -> bool {
        let (wish, ceiling) = self.wish(now);
        self.stamps.peek(wish) > ceiling || self.stamps.is_written(wish)
    }

    /// What is to be written down now, so that stamps can be given. [`Clock::on_written`] is to follow before there is
    /// more.
    pub fn reserve(&mut self, now: Now) -> Option<Spent> {
        let (wish, ceiling) = self.wish(now);
        if self.stamps.peek(wish) > ceiling {
            return None;
        }
        self.stamps.reserve(wish)
    }

    /// What was to be written down is, or cannot be and is used all the same.
    pub fn on_written(&mut self) {
        self.stamps.on_written();
    }

    /// A stamp for a message that has none: the time now, and above the one before while that is at most
    /// [`LEAD_MAX_MS`] ahead. It moves no other stamp, or a flood of such messages could.
    pub fn arrival(&mut self, now: Now) -> u64 {
        let time = self.time(now).unix_ms;
        let after = self.arrived.saturating_add(1).min(time.saturating_add(LEAD_MAX_MS));
        self.arrived = time.max(after).min(STAMP_MAX);
        self.arrived
    }

    /// The stamps given, exactly.
    pub fn given(&self) -> Spent {
        self.stamps.given()
    }

    /// Gives none of these stamps, which earlier runs may have given, and none that is not written down.
    pub fn resume(&mut self, spent: Spent, now: Now) {
        let newest = spent.newest().min(STAMP_MAX);
        self.stamps = Stamps::resume(spent);
        self.own = newest;
        // It was later than this at the last shutdown.
        if newest > self.time(now).unix_ms.saturating_add(LEAD_MAX_MS) {
            self.anchor = (newest, now.monotonic_ms);
        }
    }
}

#[cfg(test)]
mod tests;
