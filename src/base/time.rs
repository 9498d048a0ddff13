//! The time as an argument: floors below 3 read no clock.

/// What a wall clock says, in milliseconds since 1970-01-01 UTC, and how far that can be believed.
///
/// Boards without a battery-backed clock start in 1970 or at their last shutdown. A wall clock earlier than the build of
/// the program is certainly wrong and counts as unknown. One that is wrong but later cannot be told from a right one
/// here, so somebody else has to vouch for it: the kernel, which knows whether something keeps its clock synchronised,
/// or the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    /// It is certainly wrong.
    Unknown,
    /// It may be right; nobody vouches for it.
    Guess(u64),
    /// Somebody vouches for it.
    Synchronised(u64),
}

/// What the caller's clocks say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub wall: Wall,
    /// Milliseconds since any fixed moment of this run; never goes back.
    pub monotonic_ms: u64,
}

impl Now {
    /// Takes the wall clock, whether somebody vouches for it, the other clock and the time of the build, all in
    /// milliseconds.
    pub const fn new(unix_ms: u64, vouched: bool, monotonic_ms: u64, build_unix_ms: u64) -> Self {
        let wall = match vouched {
            _ if unix_ms < build_unix_ms => Wall::Unknown,
            true => Wall::Synchronised(unix_ms),
            false => Wall::Guess(unix_ms),
        };
        Self { wall, monotonic_ms }
    }

    /// The wall time in milliseconds since 1970-01-01 UTC, whoever vouches for it, if it is known.
    pub const fn unix_ms(&self) -> Option<u64> {
        match self.wall {
            Wall::Unknown => None,
            Wall::Guess(ms) | Wall::Synchronised(ms) => Some(ms),
        }
    }

    /// Whether the wall clock is known.
    pub const fn clock_known(&self) -> bool {
        self.unix_ms().is_some()
    }

    /// Whether somebody vouches for the wall clock.
    pub const fn is_synchronised(&self) -> bool {
        matches!(self.wall, Wall::Synchronised(_))
    }
}

#[cfg(test)]
mod tests {
    use super::{Now, Wall};

    #[test]
    fn a_wall_clock_before_the_build_is_unknown_whoever_vouches_for_it() {
        for vouched in [false, true] {
            let before = Now::new(999, vouched, 5, 1000);
            assert_eq!((before.wall, before.unix_ms()), (Wall::Unknown, None));
            assert!(!before.clock_known() && !before.is_synchronised());
            assert_eq!(Now::new(0, vouched, 5, 1000), Now { wall: Wall::Unknown, monotonic_ms: 5 });
            let after = Now::new(1000, vouched, 5, 1000);
            assert_eq!(after.unix_ms(), Some(1000));
            assert!(after.clock_known());
            assert_eq!(after.is_synchronised(), vouched);
        }
    }
}
