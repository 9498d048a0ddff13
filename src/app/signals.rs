//! The polite end: SIGINT, SIGTERM, or a terminal that was closed.

use async_signal::{Signal, Signals};
use smol::stream::StreamExt;
use std::io;

/// The signals that end a peer, once caught. Without it they kill the process at once.
pub(crate) struct Ending(Signals);

impl Ending {
    /// Catches them from now on.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Signals::new([Signal::Int, Signal::Term, Signal::Hup])?))
    }

    /// Waits for one.
    pub(crate) async fn wait(&mut self) {
        if !matches!(self.0.next().await, Some(Ok(_))) {
            // The pipe that brings signals broke: nothing to wait for, and no reason to end.
            smol::future::pending::<()>().await;
        }
    }
}
