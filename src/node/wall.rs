//! Where the node reads the clock, and nowhere else: the wall time, and who vouches for it.

use super::kernel::{is_clock_synchronised, since_boot_ms};
use crate::base::{
    board::BUILD_UNIX_SECONDS,
    time::{Now, Wall},
};
use std::{
    cell::Cell,
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Milliseconds for which the kernel's word is believed before it is asked again: each message reads the clock.
const ASK_INTERVAL_MS: u64 = 1_000;

/// The clocks that have a name: whose word counts.
pub const CLOCKS: &[&str] = &["system", "trusted", "untrusted"];

/// When this program was built: a wall clock before it is not known.
pub fn build_unix_ms() -> u64 {
    BUILD_UNIX_SECONDS * 1_000
}

/// Who vouches for the clock of this machine.
#[derive(Clone, Default)]
pub enum WallClock {
    /// The kernel, when something keeps its clock synchronised (NTP, chrony, PTP).
    #[default]
    System,
    /// The user: it is right also when the kernel does not know, as with a battery-backed clock or GPS.
    Trusted,
    /// Nobody, whatever the kernel says.
    Untrusted,
    /// Whoever made this: it says what the time is each time it is asked.
    Other(Arc<dyn Fn() -> Wall + Send + Sync>),
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl WallClock {
    /// What `config.toml` and `--clock` call it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Trusted => "trusted",
            Self::Untrusted => "untrusted",
            Self::Other(_) => "other",
        }
    }

    /// Whether somebody vouches for it now.
    pub fn is_vouched(&self) -> bool {
        match self {
            Self::System => is_clock_synchronised(),
            Self::Trusted => true,
            Self::Untrusted => false,
            Self::Other(read) => matches!(read(), Wall::Synchronised(_)),
        }
    }

    /// The clock of that name, of those that have one there.
    pub fn named(name: &str) -> Option<Self> {
        [Self::System, Self::Trusted, Self::Untrusted].into_iter().find(|clock| clock.name() == name)
    }
}

/// The clocks of one node.
#[derive(Debug)]
pub(super) struct Clocks {
    clock: WallClock,
    started: Instant,
    /// What the clock said then that goes on while the machine sleeps, as `Instant` does not: what others told us of the
    /// time holds after a sleep, too.
    since_boot_ms: u64,
    /// What the kernel said of its clock, and when.
    kernel: Cell<Option<(Instant, bool)>>,
}

impl Clocks {
    pub fn new(clock: WallClock) -> Self {
        Self { clock, started: Instant::now(), since_boot_ms: since_boot_ms(), kernel: Cell::new(None) }
    }

    /// What they say now.
    pub fn now(&self) -> Now {
        let vouched = match &self.clock {
            WallClock::System => self.ask_kernel(),
            WallClock::Trusted => true,
            WallClock::Untrusted => false,
            WallClock::Other(read) => return Now { wall: read(), monotonic_ms: self.monotonic_ms() },
        };
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        Now::new(unix_ms, vouched, self.monotonic_ms(), build_unix_ms())
    }

    /// Since when the node runs.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Who vouches.
    pub fn clock(&self) -> &WallClock {
        &self.clock
    }

    fn monotonic_ms(&self) -> u64 {
        since_boot_ms().saturating_sub(self.since_boot_ms)
    }

    fn ask_kernel(&self) -> bool {
        match self.kernel.get() {
            Some((at, said)) if at.elapsed() < Duration::from_millis(ASK_INTERVAL_MS) => said,
            _ => {
                let said = is_clock_synchronised();
                self.kernel.set(Some((Instant::now(), said)));
                said
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_the_kernel_or_nobody_vouches() {
        let wall = |clock: WallClock| {
            let is_vouched = clock.is_vouched();
            let wall = Clocks::new(clock).now().wall;
            assert_eq!(matches!(wall, Wall::Synchronised(_)), is_vouched);
            wall
        };
        assert!(matches!(wall(WallClock::Trusted), Wall::Synchronised(_)));
        assert!(matches!(wall(WallClock::Untrusted), Wall::Guess(_)));
        assert_eq!(matches!(wall(WallClock::System), Wall::Synchronised(_)), is_clock_synchronised());
        assert_eq!(wall(WallClock::Other(Arc::new(|| Wall::Guess(7)))), Wall::Guess(7));
    }

    #[test]
    fn time_goes_on() {
        let clocks = Clocks::new(WallClock::System);
        let (before, start) = (clocks.now().monotonic_ms, Instant::now());
        while start.elapsed() < Duration::from_millis(30) {
            std::thread::yield_now();
        }
        let passed = clocks.now().monotonic_ms - before;
        assert!((28..60_000).contains(&passed), "{passed}");
    }

    #[test]
    fn a_clock_has_the_name_by_which_it_is_found() {
        for name in CLOCKS {
            assert_eq!(WallClock::named(name).unwrap().name(), *name);
        }
        assert!(WallClock::named("other").is_none() && WallClock::named("").is_none());
    }
}
