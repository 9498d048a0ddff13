//! What is being written down so that stamps can be given, and the commands that wait for it.

use super::{command::Command, handle::Reply};
use crate::store::writer::Outcome;
use futures::{FutureExt, channel::oneshot};
use std::{
    collections::VecDeque,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Commands that wait for the disk at most; no more are read then.
pub const WAITING_COMMANDS_MAX: usize = 32;
/// Milliseconds after which the disk is not waited for any more. Guess: the longest pause of a cheap card, twice over.
pub const DISK_PATIENCE_MS: u64 = 5_000;

/// What is under way to the disk, and who waits.
#[derive(Default)]
pub(super) struct Reserve {
    writing: Option<(oneshot::Receiver<Outcome>, Instant)>,
    waiting: VecDeque<(Command, Reply)>,
    /// Why stamps are given that are not written down.
    failing: Option<String>,
}

impl Reserve {
    /// Whether more can be asked for: one write is under way at a time, but nobody waits for a disk that fails.
    pub fn is_free(&self) -> bool {
        self.writing.is_none() || self.is_failing()
    }

    /// The disk was asked.
    pub fn on_asked(&mut self, answer: oneshot::Receiver<Outcome>, now: Instant) {
        self.writing = Some((answer, now));
    }

    /// How the write went that is under way, once it is over.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Some((answer, _)) = &mut self.writing else { return Poll::Pending };
        let outcome = std::task::ready!(answer.poll_unpin(cx));
        self.writing = None;
        Poll::Ready(outcome.unwrap_or_else(|_| Err("the disk thread is gone".into())))
    }

    /// Whether commands are read.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_COMMANDS_MAX
    }

    /// Whether a command waits.
    pub fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A command waits, behind those that do.
    pub fn push(&mut self, command: Command, reply: Reply) {
        self.waiting.push_back((command, reply));
    }

    /// The command that has waited longest.
    pub fn pop(&mut self) -> Option<(Command, Reply)> {
        self.waiting.pop_front()
    }

    /// Puts it back.
    pub fn put_back(&mut self, command: Command, reply: Reply) {
        self.waiting.push_front((command, reply));
    }

    /// When the disk is not waited for any more.
    pub fn next_due(&self) -> Option<Instant> {
        let (_, since) = self.writing.as_ref().filter(|_| self.is_waited_for() && !self.is_failing())?;
        Some(*since + Duration::from_millis(DISK_PATIENCE_MS))
    }

    /// Whether stamps are given that are not written down.
    pub fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// Why, for `status`.
    pub fn failing(&self) -> Option<&str> {
        self.failing.as_deref()
    }

    /// The disk does not take writes, or nobody waits for it any more.
    pub fn on_failed(&mut self, why: String) {
        self.failing = Some(why);
    }

    /// It does.
    pub fn on_written(&mut self) {
        self.failing = None;
    }

    /// Whether what it has been given and did not take at first still waits. When it does not, and nothing is under way,
    /// it is written down.
    pub fn on_looked(&mut self, waits: bool) {
        if !waits && self.writing.is_none() {
            self.failing = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn a_disk_is_waited_for_until_it_fails() {
        let (mut reserve, now) = (Reserve::default(), Instant::now());
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(reserve.is_free() && reserve.poll(cx).is_pending() && reserve.next_due().is_none());
        let (tell, told) = oneshot::channel();
        reserve.on_asked(told, now);
        assert!(!reserve.is_free() && reserve.next_due().is_none(), "nobody waits");
        reserve.push(Command::Peers {}, oneshot::channel().0);
        assert_eq!(reserve.next_due(), Some(now + Duration::from_millis(DISK_PATIENCE_MS)));
        tell.send(Ok(())).unwrap();
        assert_eq!(reserve.poll(cx), Poll::Ready(Ok(())));
        assert!(reserve.is_free() && reserve.poll(cx).is_pending() && reserve.next_due().is_none());
        let (_, told) = oneshot::channel();
        reserve.on_asked(told, now);
        assert_eq!(reserve.poll(cx), Poll::Ready(Err("the disk thread is gone".into())));
        reserve.on_failed("full".into());
        reserve.on_looked(true);
        assert!(reserve.is_failing());
        reserve.on_looked(false);
        assert!(!reserve.is_failing(), "what was given is there");
        reserve.on_failed("full".into());
        reserve.on_failed("still full".into());
        reserve.on_asked(oneshot::channel().1, now);
        assert!(reserve.is_free() && reserve.next_due().is_none() && reserve.failing() == Some("still full"));
        reserve.on_looked(false);
        assert!(reserve.is_failing(), "one is under way");
        reserve.on_written();
        assert!(!reserve.is_failing());
    }

    #[test]
    fn commands_wait_in_their_order_and_so_many() {
        let mut reserve = Reserve::default();
        for count in 0..WAITING_COMMANDS_MAX as u32 {
            assert!(reserve.has_room());
            reserve.push(Command::History { room: None, count }, oneshot::channel().0);
        }
        assert!(!reserve.has_room() && reserve.is_waited_for());
        let (first, reply) = reserve.pop().unwrap();
        reserve.put_back(first.clone(), reply);
        assert_eq!(reserve.pop().unwrap().0, first);
        assert_eq!(first, Command::History { room: None, count: 0 });
    }
}
