//! What nodes and links are like, and what a frame is.

use stonechat::gossip::{Frame, Kind, Mesh, SendQueue};
use stonechat::wire::rpc::{Part, Parts};

/// Numbers from here on are a flood's.
pub const FLOOD: u64 = 1 << 40;

/// What somebody is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Honest,
    /// Is in the room and in meshes, and hands nothing on: no message, no offer, no request.
    Idle,
}

/// How links are.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Milliseconds one way: from, and up to so many more.
    pub latency_ms: (u64, u64),
    /// Bytes in a millisecond.
    pub bandwidth: u64,
    /// Packets of a hundred that TCP has to send again.
    pub packets_lost: u64,
    /// Frames of a hundred with messages, offers and requests that are lost for good.
    pub frames_lost: u64,
}

/// A LAN.
pub const FINE: Weather = Weather { latency_ms: (1, 5), bandwidth: 5_000, packets_lost: 0, frames_lost: 0 };

/// What a node may hold.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    pub mesh: Mesh,
    pub queue_frames: usize,
    pub store_messages: usize,
    pub seen: usize,
}

impl Capacity {
    /// A board's, with so many connections.
    pub fn board(connections: usize, queue_frames: usize) -> Self {
        Self { mesh: Mesh::of_board(connections), queue_frames, store_messages: 256, seen: 4_096 }
    }
}

/// What travelled.
#[derive(Debug, Default, Clone, Copy)]
pub struct Traffic {
    /// Messages that arrived, each copy of them.
    pub copies: u64,
    pub bytes: u64,
    pub dropped: u64,
}

pub fn empty_like(queue: &SendQueue) -> SendQueue {
    let frames = queue.meters()[0].1.capacity * 2;
    SendQueue::new(frames, frames * 2_560)
}

pub fn parts(frame: &[u8]) -> Vec<Part<'_>> {
    let prefix = frame.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    Parts::new(&frame[prefix..]).map(|part| part.unwrap()).collect()
}

/// Whether a frame is about rooms and meshes only.
pub fn is_bare(frame: &Frame) -> bool {
    let is_bare = |part: &Part<'_>| matches!(part, Part::Subscription { .. } | Part::Graft { .. } | Part::Prune { .. });
    frame.kind == Kind::Hello || (frame.kind == Kind::Control && parts(&frame.bytes).iter().all(is_bare))
}
