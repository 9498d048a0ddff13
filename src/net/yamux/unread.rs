//! Counting what came and nobody has read yet, frame by frame: yamux keeps each frame as it came.
//!
//! A stream's window bounds the bytes in it, not the memory: a window of frames with one byte each takes a hundred times
//! as much. And what each connection may have unread is far less than all of them together could. So the memory is
//! counted over all connections of a transport; when it is too much, those are ended that hold more than their share.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

/// Memory of a frame besides its bytes: its place in yamux's list, which doubles as it grows, ours, and the allocator's
/// own. Measured: 80 to 110 bytes with glibc.
const FRAME_BYTES: usize = 112;

/// What all connections hold together.
#[derive(Debug)]
pub(super) struct Total {
    most: usize,
    held: AtomicUsize,
    connections: AtomicUsize,
}

impl Total {
    /// Nothing yet, and so many bytes at most.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Total { most, held: AtomicUsize::new(0), connections: AtomicUsize::new(0) })
    }
}

/// The frames of one stream, oldest first, and how much of the first is read.
#[derive(Debug, Default)]
struct Frames {
    lengths: VecDeque<u32>,
    read: usize,
}

impl Frames {
    fn cost(&self) -> usize {
        self.lengths.iter().map(|length| *length as usize + FRAME_BYTES).sum()
    }

    /// So many bytes were read: the memory that is free now.
    fn read(&mut self, count: usize) -> usize {
        self.read += count;
        let mut freed = 0;
        while let Some(length) = self.lengths.front().map(|length| *length as usize).filter(|it| *it <= self.read) {
            self.read -= length;
            freed += length + FRAME_BYTES;
            self.lengths.pop_front();
        }
        freed
    }
}

#[derive(Debug, Default)]
struct Held {
    cost: usize,
    streams: BTreeMap<u32, Frames>,
}

/// What one connection holds.
#[derive(Debug)]
pub(super) struct Unread {
    total: Arc<Total>,
    held: Mutex<Held>,
}

impl Unread {
    pub(super) fn new(total: Arc<Total>) -> Arc<Self> {
        total.connections.fetch_add(1, SeqCst);
        Arc::new(Unread { total, held: Mutex::default() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory it holds.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.held().cost
    }

    fn free(&self, held: &mut Held, bytes: usize) {
        held.cost = held.cost.saturating_sub(bytes);
        self.total.held.fetch_sub(bytes, SeqCst);
    }

    /// There is a stream of this number: what comes for another one is not kept.
    pub(super) fn on_opened(&self, stream: u32) {
        self.held().streams.entry(stream).or_default();
    }

    /// A frame of so many bytes comes. False if it is too much, and the connection is to end.
    pub(super) fn on_frame(&self, stream: u32, length: u32) -> bool {
        let mut held = self.held();
        let Some(frames) = held.streams.get_mut(&stream).filter(|_| length > 0) else { return true };
        frames.lengths.push_back(length);
        let cost = length as usize + FRAME_BYTES;
        held.cost += cost;
        let all = self.total.held.fetch_add(cost, SeqCst) + cost;
        let share = self.total.most / self.total.connections.load(SeqCst).max(1);
        all <= self.total.most || held.cost <= share
    }

    /// So many bytes of a stream were read.
    pub(super) fn on_read(&self, stream: u32, count: usize) {
        let mut held = self.held();
        let freed = held.streams.get_mut(&stream).map_or(0, |frames| frames.read(count));
        self.free(&mut held, freed);
    }

    /// A stream is gone, and what was unread in it.
    pub(super) fn on_dropped(&self, stream: u32) {
        let mut held = self.held();
        let freed = held.streams.remove(&stream).map_or(0, |frames| frames.cost());
        self.free(&mut held, freed);
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.total.held.fetch_sub(self.held().cost, SeqCst);
        self.total.connections.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_or_dropped_is_held_no_more() {
        let total = Total::new(1 << 20);
        let one = Unread::new(total.clone());
        assert!(one.on_frame(7, 100), "nobody knows that stream: yamux drops it");
        assert_eq!(total.held.load(SeqCst), 0);
        one.on_opened(1);
        assert!([5, 0, 3, 2].into_iter().all(|length| one.on_frame(1, length)));
        assert_eq!(total.held.load(SeqCst), 10 + 3 * FRAME_BYTES);
        one.on_read(1, 4);
        assert_eq!(total.held.load(SeqCst), 10 + 3 * FRAME_BYTES, "a frame is there until its last byte is read");
        one.on_read(1, 4);
        assert_eq!(total.held.load(SeqCst), 2 + FRAME_BYTES);
        one.on_dropped(1);
        one.on_dropped(1);
        assert_eq!(total.held.load(SeqCst), 0);
        one.on_opened(3);
        assert!(one.on_frame(3, 1_000));
        drop(one);
        assert_eq!((total.held.load(SeqCst), total.connections.load(SeqCst)), (0, 0));
    }

    #[test]
    fn who_holds_more_than_its_share_goes_when_all_hold_too_much() {
        let total = Total::new(100_000);
        let [hoarder, modest] = [(); 2].map(|()| Unread::new(total.clone()));
        hoarder.on_opened(1);
        modest.on_opened(1);
        assert!((0..9).all(|_| hoarder.on_frame(1, 10_000)), "there is room");
        assert!(modest.on_frame(1, 20_000), "too much by now, and not by this one");
        assert!(!hoarder.on_frame(1, 1));
        drop(hoarder);
        assert!(modest.on_frame(1, 50_000));
    }

    #[test]
    fn small_frames_cost_what_they_take() {
        let total = Total::new(262_144);
        let one = Unread::new(total);
        one.on_opened(1);
        let held = (0..262_144).take_while(|_| one.on_frame(1, 1)).count();
        assert!(held < 262_144 / FRAME_BYTES, "{held} frames of one byte");
    }
}
