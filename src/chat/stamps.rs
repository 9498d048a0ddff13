//! Stamps near a wish, each given once, whether the clock goes forth or back.
//!
//! Stamps ascend. Where the time turns out to be earlier than it was thought to be, they have to begin again below those
//! already given, and meet none of them when the time reaches those once more. So the numbers are divided into lanes, of
//! which each has some of every millisecond's neighbours for itself and is a [`Sequence`] of its own: three quarters of all
//! numbers are in the first, half of the rest in the second, and so on. The first lane that is not ahead of the wish
//! serves it. As long as time only goes forth that is always the first one.

use crate::base::sequence::{Sequence, Unwritten};

/// Lanes. A clock that leaps ahead and comes back takes one more of them until the time has passed where it was. The last
/// one has eight stamps a second. Guess: nobody's clock is wrong in so many ways within the span of its errors.
pub const LANES: usize = 6;
/// Milliseconds whose stamps are written down before the first of them is given. With the half of those before that may
/// be left then, none leaps further than a second after a crash. Costs one write to the disk for each line that comes
/// later than that after the one before.
pub const STAMPS_RESERVED: u64 = 600;
/// How far ahead of a wish a lane may be and still serve it, in ms: what a crash can have spent, and as much again.
const SLACK_MS: u64 = 2 * STAMPS_RESERVED;

const _: () = assert!(STAMPS_RESERVED + STAMPS_RESERVED / 2 < 1_000);

/// For each lane the last stamp that may have been given, 0 for none; and the lane that was used last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// The last stamp of each lane.
    pub last: [u64; LANES],
    /// The lane that was used last.
    pub lane: usize,
}

impl Spent {
    /// The stamp that was given last, as far as is known.
    pub fn newest(&self) -> u64 {
        self.last.get(self.lane).copied().unwrap_or(0)
    }
}

/// The stamps of one author.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    lanes: [Sequence; LANES],
    /// The lane that was used last.
    lane: usize,
    /// What is being written down, and of which lane.
    asked: Option<(usize, u64)>,
    /// Whether they have to be written down before they are given.
    is_kept: bool,
}

/// The lane of a number: multiples of 4 are in the lanes after the first, by how often they can be halved.
const fn lane_of(number: u64) -> usize {
    match number.trailing_zeros() as usize {
        0 | 1 => 0,
        zeros if zeros - 1 < LANES => zeros - 1,
        _ => LANES - 1,
    }
}

/// The first number from `from` on that is in a lane. The last lane has one in 64: no other is sparser.
fn first_in(lane: usize, from: u64) -> u64 {
    (from..=from.saturating_add(1 << LANES)).find(|number| lane_of(*number) == lane).unwrap_or(u64::MAX)
}

impl Stamps {
    /// Those of an author who is somebody else after the next start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those of an author who goes on after earlier runs.
    pub fn resume(spent: Spent) -> Self {
        let lanes = spent.last.map(|last| Sequence::from(if last == 0 { 0 } else { last.saturating_add(1) }));
        Self { lanes, lane: spent.lane.min(LANES - 1), asked: None, is_kept: true }
    }

    /// The stamp that a wish gets, and its lane.
    fn find(&self, wish: u64) -> (usize, u64) {
        let mut lanes =
            self.lanes.iter().enumerate().map(|(lane, stamps)| (lane, first_in(lane, wish.max(stamps.next()))));
        let all = lanes.clone();
        let near = lanes.find(|(_, number)| *number <= wish.saturating_add(SLACK_MS));
        near.or_else(|| all.min_by_key(|(_, number)| *number)).unwrap_or((0, u64::MAX))
    }

    /// The stamp that [`Stamps::give`] would give.
    pub fn peek(&self, wish: u64) -> u64 {
        self.find(wish).1
    }

    /// Whether it is written down, if it has to be.
    pub fn is_written(&self, wish: u64) -> bool {
        let (lane, number) = self.find(wish);
        !self.is_kept || self.lanes.get(lane).is_some_and(|stamps| stamps.is_written(number))
    }

    /// Gives a stamp that is not below `wish`, and above it by little.
    pub fn give(&mut self, wish: u64) -> Result<u64, Unwritten> {
        let (lane, number) = self.find(wish);
        let stamps = self.lanes.get_mut(lane).ok_or(Unwritten)?;
        if !self.is_kept {
            stamps.on_written(number.saturating_add(1));
        }
        stamps.give(number)?;
        self.lane = lane;
        Ok(number)
    }

    /// What is to be written down now, if anything is, so that wishes from this one on get their stamps.
    /// [`Stamps::on_written`] is to follow before there is more.
    pub fn reserve(&mut self, wish: u64) -> Option<Spent> {
        if !self.is_kept || self.asked.is_some() {
            return None;
        }
        let (lane, number) = self.find(wish);
        let durable = self.lanes.get(lane)?.reserve(number, STAMPS_RESERVED)?;
        self.asked = Some((lane, durable));
        let mut spent = self.written();
        *spent.last.get_mut(lane)? = durable - 1;
        Some(Spent { lane, ..spent })
    }

    /// What was asked for is written down, or cannot be and is given all the same.
    pub fn on_written(&mut self) {
        if let Some((lane, durable)) = self.asked.take()
            && let Some(stamps) = self.lanes.get_mut(lane)
        {
            stamps.on_written(durable);
        }
    }

    /// What may be given without asking the disk again.
    fn written(&self) -> Spent {
        Spent { last: self.lanes.map(|stamps| stamps.durable().saturating_sub(1)), lane: self.lane }
    }

    /// What was given, exactly: to be written down at an orderly end.
    pub fn given(&self) -> Spent {
        Spent { last: self.lanes.map(|stamps| stamps.next().saturating_sub(1)), lane: self.lane }
    }
}

#[cfg(test)]
mod tests;
