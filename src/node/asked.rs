//! Dials that a user asked for and that are under way: each is answered with its outcome, or after a while with its number,
//! and the outcome is told as an event.

use super::handle::Reply;
use libp2p::{PeerId, swarm::ConnectionId};
use std::time::Instant;

/// Dials asked for that are under way at once; one more is refused. Guess: a person asks for one.
pub const DIALS_ASKED_MAX: usize = 8;
/// Milliseconds after which a dial is answered although it is still under way. A handshake may take ten seconds.
pub const DIAL_ANSWER_MS: u64 = 12_000;

/// Milliseconds after which a dial is given up that nothing was heard of. Each address of it may take ten seconds.
pub const DIAL_END_MS: u64 = 60_000;

/// One that is under way.
pub(super) struct AskedDial {
    pub number: u64,
    pub address: String,
    /// Its connection; none where a dial of this peer was under way already.
    pub connection: Option<ConnectionId>,
    pub peer: Option<PeerId>,
    /// Whoever waits for the answer, and for how long.
    pub reply: Option<(Reply, Instant)>,
    /// When it is given up.
    pub end: Instant,
}

/// Those under way.
#[derive(Default)]
pub(super) struct AskedDials {
    pub open: Vec<AskedDial>,
    pub count: u64,
}

impl AskedDials {
    /// When somebody has waited long enough.
    pub fn next_due(&self) -> Option<Instant> {
        self.open.iter().map(|dial| dial.reply.as_ref().map_or(dial.end, |(_, until)| *until)).min()
    }

    /// Those that are meant; they are no longer under way.
    pub fn take(&mut self, mut is_it: impl FnMut(&AskedDial) -> bool) -> Vec<AskedDial> {
        self.open.extract_if(.., |dial| is_it(dial)).collect()
    }
}
