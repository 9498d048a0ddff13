//! The polite end: SIGINT, SIGTERM, a terminal that was closed, or any other signal that would end a process and can be
//! caught without harm.

use async_signal::{Signal, Signals};
use smol::stream::StreamExt;
use std::io;

/// What ends a peer politely. Others have no meaning here, and would end it without a word to anybody.
const ENDING: [Signal; 11] = [
    Signal::Int,
    Signal::Term,
    Signal::Hup,
    Signal::Quit,
    Signal::Usr1,
    Signal::Usr2,
    Signal::Alarm,
    Signal::Vtalarm,
    Signal::Prof,
    Signal::Xcpu,
    Signal::Io,
];

/// The signals that end a peer, once caught. Without it they kill the process at once.
pub(crate) struct Ending(Signals);

impl Ending {
    /// Catches them from now on.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Signals::new(ENDING)?))
    }

    /// Waits for one.
    pub(crate) async fn wait(&mut self) {
        if !matches!(self.0.next().await, Some(Ok(_))) {
            // The pipe that brings signals broke: nothing to wait for, and no reason to end.
            smol::future::pending::<()>().await;
        }
    }
}
