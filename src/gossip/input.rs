//! What the driver tells the core.

use super::message::{Key, Signed};
use super::peer::{PeerIndex, Protocol};
use super::queue::Frame;
use super::topic::TopicIndex;
use crate::wire::rpc::Part;

/// What is to become of a message that was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is handed on.
    Accept,
    /// It is not handed on, and nobody is to blame.
    Ignore,
    /// It is not handed on, and whoever brought it should have known.
    Reject,
}

/// Something happened, or is to be done.
#[derive(Debug)]
pub enum Input<'a> {
    /// A peer is connected. However many connections it has, it is told once.
    Connected {
        /// Its number from now on.
        peer: PeerIndex,
        /// Its peer id (multihash bytes).
        id: &'a [u8],
        /// Whether we dialled it.
        outbound: bool,
        /// A number that is the same for peers of one network address.
        group: u64,
    },
    /// Our stream to a peer stands: the first one since it is connected, or one with another protocol than before.
    Speaks {
        /// The peer.
        peer: PeerIndex,
        /// What was agreed on; [`Protocol::None`] if it knows none of ours.
        protocol: Protocol,
    },
    /// Our stream to a peer was replaced by another one, maybe on another connection: it is told our topics again, and
    /// what it may have missed.
    Reset {
        /// The peer.
        peer: PeerIndex,
    },
    /// A peer said something on a stream to us, which is not the first one: it may have left topics meanwhile, and is told
    /// ours again, which go and js forget with their stream. The parts of the first RPC there follow.
    Opened {
        /// The peer.
        peer: PeerIndex,
    },
    /// A peer has no connection any more, and its number is free. It is in no topic; that is not told.
    Disconnected {
        /// The peer.
        peer: PeerIndex,
    },
    /// A part of an RPC that is no message. A message goes through [`Core::wants`](super::core::Core::wants) first.
    Part {
        /// Whose RPC.
        peer: PeerIndex,
        /// The part.
        part: Part<'a>,
    },
    /// All parts of an RPC were handed over.
    End {
        /// Whose RPC.
        peer: PeerIndex,
    },
    /// A message that [`Core::wants`](super::core::Core::wants) wanted, and whose signature is good.
    Message {
        /// Who brought it.
        peer: PeerIndex,
        /// Its topic.
        topic: TopicIndex,
        /// Its id, as the topic's messages are named.
        id: &'a [u8],
        /// The whole of it.
        message: Signed,
    },
    /// A peer sent what the protocol does not allow, such as a bad signature. The id of the message is not remembered.
    Invalid {
        /// The peer.
        peer: PeerIndex,
    },
    /// Joins a topic.
    Subscribe {
        /// Its number from now on.
        topic: TopicIndex,
        /// Its name.
        name: &'a [u8],
        /// Whether two who say the same say the same message there: an id is new again after a while.
        by_content: bool,
    },
    /// Leaves a topic. Its number is free.
    Unsubscribe {
        /// The topic.
        topic: TopicIndex,
    },
    /// Says something in a joined topic, or says it again to those it did not reach.
    Publish {
        /// The topic.
        topic: TopicIndex,
        /// Its id, as the topic's messages are named.
        id: &'a [u8],
        /// The message. Its number was chosen by the caller.
        message: Signed,
    },
    /// Hands one message to one peer.
    Forward {
        /// The peer.
        peer: PeerIndex,
        /// Its id.
        id: &'a [u8],
        /// The message.
        message: Signed,
    },
    /// What is to become of a message that was delivered.
    Judged {
        /// The message.
        key: Key,
        /// The verdict.
        verdict: Verdict,
    },
    /// The peer's [`SendQueue`](super::queue::SendQueue) gave a frame back.
    Dropped {
        /// The peer.
        peer: PeerIndex,
        /// The frame.
        frame: Frame,
    },
}
