//! What waits to be written to one peer.
//!
//! It is the driver's: it puts in what the core asks to be sent ([`Output::Send`](super::output::Output::Send)), and the
//! task that holds the connection takes it out. It outlives a connection, so what was not written goes out on the next.

use super::message::{Key, Shared};
use super::shares::Shares;
use super::topic::TopicIndex;
use crate::base::meter::Meter;
use alloc::collections::VecDeque;

/// What a frame is, which says when it goes out and what becomes of it in a full queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All our topics: before everything else, in place of one that waits already.
    Hello,
    /// Places in meshes, requests and the like: in order, before forwarded messages.
    Control,
    /// What there is in a topic: in place of one that waits already.
    Offer(TopicIndex),
    /// A message of our own: like control.
    Own,
    /// Somebody else's message: last. Where there are too many, whoever said most gives way.
    Forwarded,
}

/// Bytes to be written to a stream as they are: one RPC with its length. Cloning copies nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The bytes.
    pub bytes: Shared,
    /// What it is.
    pub kind: Kind,
    /// The message in it, if it is one.
    pub key: Option<Key>,
    /// Whose message it is: a hash.
    pub(super) author: u32,
}

impl Frame {
    /// One that holds no message.
    pub const fn of_kind(kind: Kind, bytes: Shared) -> Self {
        Self { bytes, kind, key: None, author: 0 }
    }
}

/// One lane, first in, first out, bounded by number and bytes.
#[derive(Debug)]
struct Lane {
    frames: VecDeque<Frame>,
    count: Meter,
    bytes: Meter,
}

impl Lane {
    fn new(count: usize, bytes: usize) -> Self {
        Self { frames: VecDeque::new(), count: Meter::new(count), bytes: Meter::new(bytes) }
    }

    fn has_room(&self, frame: &Frame) -> bool {
        self.frames.len() < self.count.capacity && self.bytes.length + frame.bytes.len() <= self.bytes.capacity
    }

    fn note(&mut self, bytes: usize) {
        self.count.note(self.frames.len());
        self.bytes.note(bytes);
    }

    fn push(&mut self, frame: Frame) {
        let bytes = self.bytes.length + frame.bytes.len();
        if frame.kind == Kind::Hello {
            self.frames.push_front(frame)
        } else {
            self.frames.push_back(frame)
        }
        self.note(bytes);
    }

    fn remove(&mut self, at: usize) -> Option<Frame> {
        let frame = self.frames.remove(at)?;
        self.note(self.bytes.length.saturating_sub(frame.bytes.len()));
        Some(frame)
    }
}

/// The queue of one peer.
#[derive(Debug)]
pub struct SendQueue {
    first: Lane,
    forwarded: Lane,
    shares: Shares,
}

impl SendQueue {
    /// An empty queue for so many frames and bytes; half of each is for others' messages.
    pub fn new(frames_max: usize, bytes_max: usize) -> Self {
        let lane = || Lane::new((frames_max / 2).max(1), (bytes_max / 2).max(1));
        Self { first: lane(), forwarded: lane(), shares: Shares::default() }
    }

    /// Adds a frame. What has no place, the frame itself or another one, is given back: the core is to be told
    /// ([`Input::Dropped`](super::input::Input::Dropped)).
    pub fn push(&mut self, frame: Frame) -> Option<Frame> {
        if frame.kind == Kind::Forwarded {
            return self.push_forwarded(frame);
        }
        if matches!(frame.kind, Kind::Hello | Kind::Offer(_))
            && let Some(at) = self.first.frames.iter().position(|waiting| waiting.kind == frame.kind)
        {
            self.first.remove(at);
        }
        if self.first.has_room(&frame) {
            self.first.push(frame);
            return None;
        }
        self.first.count.dropped();
        Some(frame)
    }

    fn push_forwarded(&mut self, frame: Frame) -> Option<Frame> {
        if self.forwarded.has_room(&frame) {
            self.shares.add(frame.author);
            self.forwarded.push(frame);
            return None;
        }
        self.forwarded.count.dropped();
        let heaviest = self.shares.heaviest(frame.author);
        let at = self.forwarded.frames.iter().position(|waiting| waiting.author == heaviest);
        let fits = |at: &usize| {
            let freed = self.forwarded.frames.get(*at).map_or(0, |waiting| waiting.bytes.len());
            self.forwarded.bytes.length + frame.bytes.len() <= self.forwarded.bytes.capacity + freed
        };
        let Some(at) = at.filter(|_| heaviest != frame.author).filter(fits) else { return Some(frame) };
        let evicted = self.forwarded.remove(at);
        self.shares.remove(heaviest);
        self.shares.add(frame.author);
        self.forwarded.push(frame);
        evicted
    }

    /// Takes the next frame to be written.
    pub fn pop(&mut self) -> Option<Frame> {
        if let Some(frame) = self.first.remove(0) {
            return Some(frame);
        }
        let frame = self.forwarded.remove(0)?;
        self.shares.remove(frame.author);
        Some(frame)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.first.frames.is_empty() && self.forwarded.frames.is_empty()
    }

    /// Whether a message of our own of so many bytes has a place.
    pub fn has_room(&self, bytes: usize) -> bool {
        let first = &self.first;
        first.frames.len() < first.count.capacity && first.bytes.length + bytes <= first.bytes.capacity
    }

    /// Frames of ours and of others that wait; drops are those that found no place.
    pub fn meters(&self) -> [(&'static str, Meter); 2] {
        [("own and control", self.first.count), ("forwarded", self.forwarded.count)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: Kind, author: u32, number: u64) -> Frame {
        Frame { bytes: [number as u8; 100].as_slice().into(), kind, key: Some(Key(number)), author }
    }

    fn numbers(queue: &mut SendQueue) -> Vec<u64> {
        core::iter::from_fn(|| queue.pop()).filter_map(|frame| frame.key).map(|key| key.0).collect()
    }

    use alloc::vec::Vec;

    #[test]
    fn control_and_our_own_go_first_and_a_hello_before_all() {
        let mut queue = SendQueue::new(20, 10_000);
        for (kind, number) in [
            (Kind::Forwarded, 1),
            (Kind::Own, 2),
            (Kind::Control, 3),
            (Kind::Hello, 4),
            (Kind::Offer(TopicIndex(0)), 5),
            (Kind::Offer(TopicIndex(1)), 6),
            (Kind::Offer(TopicIndex(0)), 7),
            (Kind::Hello, 8),
        ] {
            assert_eq!(queue.push(frame(kind, 9, number)), None);
        }
        assert_eq!(numbers(&mut queue), [8, 2, 3, 6, 7, 1]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_full_lane_gives_back_and_counts() {
        let mut queue = SendQueue::new(8, 100_000);
        (0..4).for_each(|number| assert_eq!(queue.push(frame(Kind::Own, 9, number)), None));
        assert!(!queue.has_room(1));
        assert_eq!(queue.push(frame(Kind::Own, 9, 4)).and_then(|frame| frame.key), Some(Key(4)));
        assert_eq!(queue.push(frame(Kind::Forwarded, 9, 5)), None, "the other lane has room");
        let mut queue = SendQueue::new(100, 600);
        assert!((0..3).all(|number| queue.push(frame(Kind::Own, 9, number)).is_none()), "300 bytes a lane");
        assert!(queue.push(frame(Kind::Control, 9, 3)).is_some());
        assert_eq!(queue.meters()[0].1, Meter { length: 3, capacity: 50, high_water: 3, drops: 1 });
    }

    #[test]
    fn whoever_said_most_gives_way_and_one_line_of_another_stays() {
        let mut queue = SendQueue::new(20, 100_000);
        assert_eq!(queue.push(frame(Kind::Forwarded, 1, 0)), None);
        let mut dropped = Vec::new();
        for number in 1..1_000 {
            dropped.extend(queue.push(frame(Kind::Forwarded, 2, number)).and_then(|frame| frame.key));
        }
        assert_eq!(dropped.len(), 999 - 9);
        let evicted = queue.push(frame(Kind::Forwarded, 3, 1_000)).and_then(|frame| frame.key);
        assert_eq!(evicted, Some(Key(1)), "the flooder's first");
        let left = numbers(&mut queue);
        assert!(left.contains(&0) && left.contains(&1_000) && left.len() == 10, "{left:?}");
        assert!((0..10).all(|number| queue.push(frame(Kind::Forwarded, 2, number)).is_none()));
    }
}
