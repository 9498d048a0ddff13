//! The one timer of the node's loop.

use futures::FutureExt;
use std::{
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

/// Milliseconds after which is looked again at something that was due and could not be done. It should not happen, and must
/// not stop the clock for all that is due later.
pub const OVERDUE_MS: u64 = 250;

/// Rings at a time, and again as often as it is set.
pub(super) struct Alarm {
    at: Instant,
    timer: Option<smol::Timer>,
}

impl Alarm {
    /// Set to nothing yet.
    pub fn new(now: Instant) -> Self {
        Alarm { at: now, timer: None }
    }

    /// What is due next, after what was due now is done. True if something was due and could not be done.
    pub fn set(&mut self, due: Instant, now: Instant) -> bool {
        let is_overdue = due <= now;
        let due = if is_overdue { now + Duration::from_millis(OVERDUE_MS) } else { due };
        let is_set = self.timer.is_some() && (self.at == due || (is_overdue && self.at <= due));
        if !is_set {
            (self.at, self.timer) = (due, Some(smol::Timer::at(due)));
        }
        is_overdue && !is_set
    }

    /// Ready when it rings. It has to be set again then.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timer) = &mut self.timer else { return Poll::Ready(()) };
        ready!(timer.poll_unpin(cx));
        self.timer = None;
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    /// Waits for it, and says how long that took.
    fn ring(alarm: &mut Alarm) -> Duration {
        let start = Instant::now();
        let rings = poll_fn(|cx| alarm.poll(cx));
        let late = async {
            smol::Timer::after(Duration::from_secs(30)).await;
            panic!("it never rings");
        };
        smol::block_on(smol::future::or(rings, late));
        start.elapsed()
    }

    #[test]
    fn it_rings_again_although_the_same_thing_stays_due() {
        let past = Instant::now();
        let mut alarm = Alarm::new(past);
        for _ in 0..3 {
            assert!(alarm.set(past, Instant::now()));
            // Other things happen meanwhile: it does not ring later for that.
            assert!(!alarm.set(past, Instant::now()), "that is counted once");
            let took = ring(&mut alarm);
            assert!(took >= Duration::from_millis(OVERDUE_MS / 2), "{took:?}: it must not spin either");
        }
    }

    #[test]
    fn it_rings_when_something_else_is_due_earlier() {
        let mut alarm = Alarm::new(Instant::now());
        assert!(!alarm.set(Instant::now() + Duration::from_secs(3_600), Instant::now()));
        assert!(!alarm.set(Instant::now() + Duration::from_millis(20), Instant::now()));
        assert!(ring(&mut alarm) < Duration::from_secs(20));
    }
}
