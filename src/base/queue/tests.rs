//! Tests of the bounded queue.

use super::{Overflow, PushError, Queue};
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn waker() -> (Arc<Wakes>, Waker) {
    let wakes = Arc::new(Wakes::default());
    (wakes.clone(), Waker::from(wakes))
}

fn wakes(counter: &Wakes) -> usize {
    counter.0.load(Ordering::Relaxed)
}

#[test]
fn items_come_out_in_order_and_the_boards_capacity_holds() {
    let mut queue: Queue<u32, 8> = Queue::new(3, Overflow::Refuse);
    for item in 0..3 {
        queue.push(item).unwrap();
    }
    assert_eq!(queue.push(3), Err(PushError::Full(3)));
    assert_eq!((queue.pop(), queue.pop(), queue.pop(), queue.pop()), (Some(0), Some(1), Some(2), None));
    let meter = queue.meter();
    assert_eq!((meter.length, meter.capacity, meter.high_water, meter.drops), (0, 3, 3, 1));
}

#[test]
fn capacity_is_held_between_one_and_the_ceiling() {
    assert_eq!(Queue::<u8, 4>::new(0, Overflow::Wait).meter().capacity, 1);
    assert_eq!(Queue::<u8, 4>::new(100, Overflow::Wait).meter().capacity, 4);
}

#[test]
fn drop_oldest_counts_what_the_reader_missed() {
    let mut queue: Queue<u32, 4> = Queue::new(4, Overflow::DropOldest);
    for item in 0..10 {
        queue.push(item).unwrap();
    }
    assert_eq!(queue.missed(), 6);
    assert_eq!(queue.missed(), 0);
    assert_eq!(queue.pop(), Some(6));
    assert_eq!(queue.meter().drops, 6);
}

#[test]
fn a_waiting_writer_is_woken_by_a_free_place_and_not_counted_as_a_drop() {
    let mut queue: Queue<u32, 1> = Queue::new(1, Overflow::Wait);
    let (counter, waker) = waker();
    let mut cx = Context::from_waker(&waker);
    queue.push(1).unwrap();
    let mut slot = Some(2);
    assert_eq!(queue.poll_push(&mut slot, &mut cx), Poll::Pending);
    assert_eq!(queue.poll_push(&mut slot, &mut cx), Poll::Pending);
    assert_eq!((slot, wakes(&counter)), (Some(2), 0));
    assert_eq!(queue.pop(), Some(1));
    assert_eq!(wakes(&counter), 1, "one task, one waker");
    assert_eq!(queue.poll_push(&mut slot, &mut cx), Poll::Ready(Ok(())));
    assert_eq!((slot, queue.pop(), queue.meter().drops), (None, Some(2), 0));
}

#[test]
fn a_writer_that_gave_up_does_not_swallow_the_wake_up_of_another() {
    let mut queue: Queue<u32, 1> = Queue::new(1, Overflow::Wait);
    queue.push(0).unwrap();
    let waiting: Vec<_> = (0..3).map(|_| waker()).collect();
    for (_, waker) in &waiting {
        assert!(queue.poll_push(&mut Some(9), &mut Context::from_waker(waker)).is_pending());
    }
    queue.pop();
    assert!(waiting.iter().all(|(counter, _)| wakes(counter) == 1));
}

#[test]
fn more_writers_than_places_to_wait_are_told_so() {
    let mut queue: Queue<u32, 1, 2> = Queue::new(1, Overflow::Wait);
    queue.push(0).unwrap();
    let waiting: Vec<_> = (0..3).map(|_| waker()).collect();
    let answers: Vec<_> =
        waiting.iter().map(|(_, waker)| queue.poll_push(&mut Some(9), &mut Context::from_waker(waker))).collect();
    assert_eq!(answers, [Poll::Pending, Poll::Pending, Poll::Ready(Err(PushError::Crowded(9)))]);
}

#[test]
fn the_reader_is_woken_by_an_item_and_by_the_end() {
    let mut queue: Queue<u32, 2> = Queue::new(2, Overflow::Wait);
    let (counter, waker) = waker();
    let mut cx = Context::from_waker(&waker);
    assert_eq!(queue.poll_pop(&mut cx), Poll::Pending);
    queue.push(1).unwrap();
    assert_eq!(wakes(&counter), 1);
    assert_eq!(queue.poll_pop(&mut cx), Poll::Ready(Some(1)));
    assert_eq!(queue.poll_pop(&mut cx), Poll::Pending);
    queue.close();
    assert_eq!(wakes(&counter), 2);
    assert_eq!(queue.poll_pop(&mut cx), Poll::Ready(None));
}

#[test]
fn a_closed_queue_gives_items_back_and_keeps_what_it_has() {
    let mut queue: Queue<u32, 1> = Queue::new(1, Overflow::Wait);
    let (counter, waker) = waker();
    let mut cx = Context::from_waker(&waker);
    queue.push(1).unwrap();
    let mut slot = Some(2);
    assert!(queue.poll_push(&mut slot, &mut cx).is_pending());
    queue.close();
    assert_eq!(wakes(&counter), 1);
    assert_eq!(queue.poll_push(&mut slot, &mut cx), Poll::Ready(Err(PushError::Closed(2))));
    assert_eq!(queue.push(3).map_err(PushError::into_item), Err(3));
    assert_eq!(queue.poll_pop(&mut cx), Poll::Ready(Some(1)));
    assert_eq!(queue.poll_pop(&mut cx), Poll::Ready(None));
}
