//! All sessions: one of ours with a peer, a bounded number of them, and the questions of others; each peer has its share.
//!
//! A state machine: [`Sessions::handle`] takes what happened, [`Sessions::poll_output`] says what to do,
//! [`Sessions::poll_timeout`] when to call [`Sessions::handle_timeout`].

use super::compare::Opening;
use super::exchange::{EndReason, Exchange, Step};
use super::library::Library;
use super::quota::{Allowance, Quota};
use super::serve::{self, Served};
use super::session::{Session, SessionError};
use crate::base::meter::{Count, Meter};
use crate::wire::room::Topic;
use crate::wire::sync::frame::{Messages, Refusal, Request};
use crate::wire::sync::item::SessionKey;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// How long a peer has for an answer, in ms. Guess: a slow board behind a slow relay.
pub const ANSWER_TIMEOUT_MS: u64 = 20_000;
/// How long a session may take, in ms: ten minutes; what is left is for the next one.
pub const SESSION_MS_MAX: u64 = 600_000;
/// How long after a peer's last question we begin no session of ours with it, in ms: its session is ours too.
pub const ASKED_MS: u64 = 3_000;
/// How long a peer that misbehaved is not listened to, in ms. Guess: a mistake is not for ever, an attack gets tired.
pub const BARRED_MS: u64 = 600_000;

/// Items that a question may look at for the price of one: to hash them takes a Pi Zero a millisecond. One that goes through
/// ten thousand counts as ten.
pub const ITEMS_PER_QUESTION: u64 = 1_024;

/// What one peer may have of us, and we of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Questions that we answer; more for one that looks at more than [`ITEMS_PER_QUESTION`] items.
    pub questions: Allowance,
    /// Messages that we send.
    pub sent_messages: Allowance,
    /// Their bytes.
    pub sent_bytes: Allowance,
    /// Messages that we take: what a neighbour can push into the histories in that time.
    pub taken_messages: Allowance,
    /// Their bytes.
    pub taken_bytes: Allowance,
}

/// What the sessions may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Peers whose shares are remembered. A peer that leaves keeps its place for an hour, unless others need it.
    pub peers_max: usize,
    /// Sessions of ours at once.
    pub sessions_max: usize,
    /// Bytes of a frame.
    pub frame_bytes_max: usize,
    /// What one peer may have.
    pub shares: Shares,
}

impl Limits {
    /// For a history of so many messages and bytes: a newcomer gets all of it at once, and then a tenth in an hour.
    pub const fn for_history(peers_max: usize, messages: u64, bytes: u64) -> Self {
        let messages = Allowance { burst: messages + messages / 4, per_hour: messages / 10 + 60 };
        let bytes = Allowance { burst: bytes + bytes / 4, per_hour: bytes / 10 + 65_536 };
        let shares = Shares {
            questions: Allowance { burst: 1_024, per_hour: 7_200 },
            sent_messages: messages,
            sent_bytes: bytes,
            taken_messages: messages,
            taken_bytes: bytes,
        };
        Self { peers_max, sessions_max: 4, frame_bytes_max: 16 * 1024, shares }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a, P> {
    /// Begin a session of ours, under a random key.
    Begin {
        /// With whom.
        peer: P,
        /// About which room.
        topic: Topic,
        /// How.
        opening: Opening,
        /// The key.
        key: SessionKey,
    },
    /// A peer asks; `id` tells its question apart from others.
    Request {
        /// Who.
        peer: P,
        /// Which question.
        id: u64,
        /// The frame.
        bytes: &'a [u8],
    },
    /// A peer answered the request that was sent to it last.
    Response {
        /// Who.
        peer: P,
        /// The frame.
        bytes: &'a [u8],
    },
    /// The request that was sent last did not reach the peer, or was not answered.
    Failed {
        /// Which peer.
        peer: P,
    },
    /// What became of messages that were delivered: so many had to be refused.
    Judged {
        /// Who brought them.
        peer: P,
        /// The question they came with; `None` if we had asked for them.
        id: Option<u64>,
        /// How many were bad.
        refused: u32,
    },
    /// A peer's connection is closed.
    Gone {
        /// Whose.
        peer: P,
    },
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output<P> {
    /// Send a request.
    Request {
        /// To whom.
        peer: P,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// Send a response.
    Response {
        /// To whom.
        peer: P,
        /// To which question.
        id: u64,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// Check these signed messages and keep the good ones; then say [`Input::Judged`].
    Deliver {
        /// Who brought them.
        peer: P,
        /// With which question; `None` if we had asked for them.
        id: Option<u64>,
        /// Into which room.
        topic: Topic,
        /// Them, newest first as far as is known.
        messages: Vec<Box<[u8]>>,
    },
    /// A session of ours is over. If it came to its end, the peer holds all that we had of the room when it began, from
    /// `since` on.
    Ended {
        /// With whom.
        peer: P,
        /// About which room.
        topic: Topic,
        /// The stamp from which on both know everything of each other, or why it ended early.
        end: Result<u64, EndReason>,
        /// Messages fetched.
        fetched: u64,
        /// Messages given.
        given: u64,
    },
    /// A peer that asked has the same of this room as we.
    Same {
        /// Who.
        peer: P,
        /// Of which room.
        topic: Topic,
    },
    /// A peer did what no honest one does; it is not listened to for a while.
    Misbehaved {
        /// Who.
        peer: P,
    },
}

/// Why a session was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// There is one with this peer, ours or its own.
    #[error("a session with this peer is under way")]
    UnderWay,
    /// There are as many as there may be.
    #[error("{0} sessions are under way")]
    SessionsMax(usize),
    /// The room is not joined.
    #[error("the room is not joined")]
    NotJoined,
    /// The peer misbehaved lately.
    #[error("the peer misbehaved lately")]
    Barred,
    /// There is no room for a frame.
    #[error("no room in the frame")]
    NoRoom,
}

/// What happened how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions that came to their end.
    pub ended: Count,
    /// Sessions that ended early.
    pub failed: Count,
    /// Questions answered.
    pub answered: Count,
    /// Questions refused because the peer had its share.
    pub busy: Count,
    /// Peers that misbehaved.
    pub misbehaved: Count,
}

struct Running {
    exchange: Exchange,
    /// When the answer must be there, and when the session must be over, in ms.
    answer_by: u64,
    over_by: u64,
}

struct Peer<P> {
    peer: P,
    questions: Quota,
    sent: (Quota, Quota),
    taken: (Quota, Quota),
    barred_until: u64,
    /// When it asked last, in ms.
    asked_ms: Option<u64>,
    running: Option<Running>,
    /// A question whose messages the caller is looking at, and how many those are.
    giving: Option<(u64, u16)>,
    seen_ms: u64,
}

impl<P> Peer<P> {
    fn new(peer: P, shares: &Shares, now_ms: u64) -> Self {
        let quota = |allowance| Quota::new(allowance, now_ms);
        Self {
            peer,
            questions: quota(shares.questions),
            sent: (quota(shares.sent_messages), quota(shares.sent_bytes)),
            taken: (quota(shares.taken_messages), quota(shares.taken_bytes)),
            barred_until: 0,
            asked_ms: None,
            running: None,
            giving: None,
            seen_ms: now_ms,
        }
    }

    fn may_bring(&mut self, now_ms: u64) -> (u64, u64) {
        (self.taken.0.left(now_ms), self.taken.1.left(now_ms))
    }
}

/// All sessions of one node. `P` names a peer.
pub struct Sessions<P> {
    own: P,
    limits: Limits,
    /// Few enough to be looked through.
    peers: Vec<Peer<P>>,
    sessions: Meter,
    counts: Counts,
    outputs: VecDeque<Output<P>>,
}

mod run;

impl<P: Ord + Copy> Sessions<P> {
    /// No session yet. Where two peers begin one with each other at once, that of the smaller name goes on.
    pub fn new(own: P, limits: Limits) -> Self {
        let sessions = Meter::new(limits.sessions_max);
        Self { own, limits, peers: Vec::new(), sessions, counts: Counts::default(), outputs: VecDeque::new() }
    }

    /// What to do next, if anything. To be asked until it says nothing.
    pub fn poll_output(&mut self) -> Option<Output<P>> {
        self.outputs.pop_front()
    }

    /// When to call [`Sessions::handle_timeout`], in ms of the monotonic clock.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.peers.iter().filter_map(|peer| peer.running.as_ref()).map(|run| run.answer_by.min(run.over_by)).min()
    }

    /// Sessions of ours under way.
    pub const fn sessions(&self) -> Meter {
        self.sessions
    }

    /// What happened how often.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Peers whose shares are remembered.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }
}
