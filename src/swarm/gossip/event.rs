//! What is configured, and what is reported.

use crate::base::{board::Limits, meter::Meter};
use crate::gossip::{self, Key, Mesh, Settings, Signed, TopicIndex};
use libp2p::PeerId;
use std::time::Instant;

/// Bytes of the largest message as it waits to be sent: a frame (2,176), what signs it, and bookkeeping.
pub const QUEUED_BYTES: usize = 2_560;
/// Whole messages kept to be offered and handed out, for each that may wait for one peer. Guess: a minute of a busy room
/// on a small board.
pub const KEPT_SHARE: usize = 4;
/// Bytes of memory of these, each. A line of chat takes some 700, the longest message 2,900.
pub const KEPT_BYTES: usize = 1_024;
/// Message ids remembered. Cost: 24 bytes each. Guess: some seconds of a flood, and hours of a conversation.
pub const SEEN_MAX: usize = 16_384;
/// One part in this many of a board's connections may be such as gave way to a newer one and still carry something.
/// Guess: they are few, and not to keep others out.
pub const LINGERING_SHARE: u16 = 3;

/// What gossip may hold.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Of topics, messages and ids.
    pub settings: Settings,
    /// Frames that wait for one peer.
    pub queue_frames_max: usize,
    /// Connections that gave way to a newer one and may stay for long.
    pub lingering_max: usize,
}

impl Config {
    /// What a board allows. The seed is random, and nobody else's.
    pub fn new(limits: &Limits, seed: [u64; 2]) -> Self {
        let queue_frames_max = usize::from(limits.gossip_queue_messages_max);
        let settings = Settings {
            topics_max: limits.rooms_max.into(),
            store_messages_max: KEPT_SHARE * queue_frames_max,
            store_bytes_max: KEPT_SHARE * queue_frames_max * KEPT_BYTES,
            seen_max: SEEN_MAX,
            mesh: Mesh::of_board(limits.connections_max.into()),
            seed,
        };
        Self { settings, queue_frames_max, lingering_max: (limits.connections_max / LINGERING_SHARE).into() }
    }
}

/// Something in a topic.
#[derive(Debug)]
pub enum Event {
    /// A new message, signed by its author. It waits for [`Behaviour::judge`](super::behaviour::Behaviour::judge).
    Message {
        /// Who brought it.
        from: PeerId,
        /// Its topic.
        topic: TopicIndex,
        /// What it is called here.
        key: Key,
        /// The whole of it.
        message: Signed,
        /// Whether it was offered and asked for: such do not come in order.
        was_asked: bool,
    },
    /// An author's own copy of a line that others brought before. Its signature was not looked at again.
    Repeated {
        /// The author, which brought it.
        from: PeerId,
        /// The line's stamp.
        stamp: u64,
    },
    /// A peer named the topics it is in, as is the first thing on a stream. Those that we are in, too, came before this.
    Greeted {
        /// The peer.
        peer: PeerId,
    },
    /// A peer is in a joined topic.
    Subscribed {
        /// The peer.
        peer: PeerId,
        /// The topic.
        topic: TopicIndex,
    },
    /// A connected peer left a joined topic.
    Unsubscribed {
        /// The peer.
        peer: PeerId,
        /// The topic.
        topic: TopicIndex,
    },
    /// A message of ours found no place among what waits for a peer.
    Slow {
        /// The peer.
        peer: PeerId,
    },
    /// A peer recommends another one that is in a topic, as it has no place for us itself.
    Suggested {
        /// The other one.
        peer: PeerId,
        /// The topic.
        topic: TopicIndex,
    },
}

/// Why a message of ours goes to nobody now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Nobody is in the topic who could be sent anything.
    #[error("nobody is in the topic")]
    Nobody,
    /// Nobody there reads as fast as we talk.
    #[error("every queue is full")]
    Full,
    /// It is not to be said.
    #[error(transparent)]
    Refused(#[from] gossip::PublishError),
}

/// Why a connection of a peer was refused.
#[derive(Debug, thiserror::Error)]
pub enum Superfluous {
    /// Another one in the same direction was a moment earlier.
    #[error("another address of the same dial was a moment earlier")]
    Raced,
    /// What it sent was not what the protocol says, too often and not long ago.
    #[error("it sent what the protocol does not allow, and is shut out for some minutes")]
    ShutOut,
    /// There are as many peers as have numbers.
    #[error("there are as many peers as there can be")]
    Numbers,
}

/// A stream on which we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speech {
    /// Which one it is on its connection, from 1. When there is another one, that before has broken.
    pub number: u64,
    /// When it was ready to be spoken on.
    pub since: Instant,
}

/// What was not taken so far, by its reason.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Messages that were here before, that were too many, of offenders; and control messages.
    pub refused: gossip::Refusals,
    /// Messages that we asked for, and that we were asked for.
    pub recovery: gossip::Recovery,
    /// RPCs and parts of them that were malformed or too long.
    pub malformed: u64,
    /// New messages that were not signed as they must be.
    pub unsigned: u64,
    /// Heartbeats.
    pub beats: u64,
    /// Connections that gave way to a newer one of the same peer.
    pub replaced: u64,
}

/// What waits to be written, in the fullest queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Control and messages of ours.
    pub first: Meter,
    /// Messages of others.
    pub forwarded: Meter,
}
