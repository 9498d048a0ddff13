//! What the core asks of the driver.

use super::message::{Key, Shared, Signed};
use super::peer::PeerIndex;
use super::queue::{Frame, Kind};
use super::settings::OUTPUTS_MAX;
use super::topic::TopicIndex;
use crate::base::meter::Meter;
use crate::wire::rpc::{Part, encode_frame, frame_len};
use alloc::{boxed::Box, collections::VecDeque, vec};

/// Why a message of ours was not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The topic is not joined.
    #[error("the topic is not joined")]
    NotJoined,
    /// The same was said a moment ago, where that makes it the same message.
    #[error("the same was said here a moment ago, and in this room that makes it the same message")]
    Duplicate,
}

/// Something to be done or told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// To be put into the peer's [`SendQueue`](super::queue::SendQueue).
    Send {
        /// To whom.
        peer: PeerIndex,
        /// What.
        frame: Frame,
    },
    /// A new message. It waits for [`Input::Judged`](super::input::Input::Judged).
    Deliver {
        /// Who brought it.
        from: PeerIndex,
        /// Its topic.
        topic: TopicIndex,
        /// What it is called here.
        key: Key,
        /// The whole of it.
        message: Signed,
        /// Whether it was offered and asked for: such do not come in order.
        was_asked: bool,
    },
    /// What became of a [`Input::Publish`](super::input::Input::Publish): to how many peers it goes out now.
    Published {
        /// The topic.
        topic: TopicIndex,
        /// How many, or why not.
        result: Result<usize, PublishError>,
    },
    /// A peer is in a joined topic.
    Subscribed {
        /// The peer.
        peer: PeerIndex,
        /// The topic.
        topic: TopicIndex,
    },
    /// A connected peer left a joined topic.
    Unsubscribed {
        /// The peer.
        peer: PeerIndex,
        /// The topic.
        topic: TopicIndex,
    },
    /// A peer misbehaved too much: its connections are to be closed.
    Ban {
        /// The peer.
        peer: PeerIndex,
    },
    /// A peer recommends another one, as it has no place for us itself.
    Suggested {
        /// The topic it is in.
        topic: TopicIndex,
        /// Its peer id (multihash bytes), unchecked.
        id: Box<[u8]>,
    },
}

/// What waits for the driver, which takes all of it after each input.
#[derive(Debug)]
pub(super) struct Outputs {
    waiting: VecDeque<Output>,
    meter: Meter,
}

impl Outputs {
    pub(super) const fn new() -> Self {
        Self { waiting: VecDeque::new(), meter: Meter::new(OUTPUTS_MAX) }
    }

    pub(super) fn push(&mut self, output: Output) {
        if self.waiting.len() >= OUTPUTS_MAX {
            return self.meter.dropped();
        }
        self.waiting.push_back(output);
        self.meter.note(self.waiting.len());
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        let output = self.waiting.pop_front();
        self.meter.note(self.waiting.len());
        output
    }

    /// Has parts of an RPC sent to one peer.
    pub(super) fn say(&mut self, peer: PeerIndex, kind: Kind, parts: &[Part<'_>]) {
        if let Some(bytes) = encoded(parts) {
            self.push(Output::Send { peer, frame: Frame::of_kind(kind, bytes) });
        }
    }

    pub(super) const fn meter(&self) -> Meter {
        self.meter
    }
}

/// The RPC of these parts. All of them are within their bounds: none comes from a remote unchecked.
pub(super) fn encoded(parts: &[Part<'_>]) -> Option<Shared> {
    let mut bytes = vec![0; frame_len(parts)];
    encode_frame(parts, &mut bytes).ok()?;
    Some(bytes.into())
}
