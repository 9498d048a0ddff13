//! Tests of the bounded history.

use super::History;
use crate::base::time::{Now, Wall};
use crate::chat::message::{Inbound, MessageId};
use crate::chat::room::{Kept, Place};
use crate::wire::frame::{Body, Frame};
use crate::wire::room::RoomName;
use alloc::vec::Vec;

const NOW: Now = Now { wall: Wall::Unknown, monotonic_ms: 0 };

fn room(name: &str) -> RoomName {
    RoomName::new(name).unwrap()
}

fn insert(history: &mut History, room: &RoomName, stamp: u64, author: &[u8], bytes: usize) -> bool {
    let payload = alloc::vec![0; bytes];
    let data = Frame { stamp, body: Body::Record { kind: "x", bytes: &payload } }.to_bytes().unwrap();
    let inbound = Inbound::new(author, &data);
    let place = Place { stamp, id: MessageId::new(author, stamp).unwrap() };
    history.insert(room, place, Kept::new(&inbound, None, NOW, false))
}

fn stamps(history: &History, room: &RoomName, count: usize) -> Vec<u64> {
    history.last(room, count).map(|message| message.stamp).collect()
}

#[test]
fn order_is_by_stamp_then_id_whatever_came_first() {
    let (mut history, lobby) = (History::new(1, 100, 1 << 20), room("lobby"));
    history.join(&lobby).unwrap();
    for (stamp, author) in [(3, b"b"), (1, b"a"), (3, b"a"), (2, b"c")] {
        assert!(insert(&mut history, &lobby, stamp, author, 1));
    }
    assert!(!insert(&mut history, &lobby, 3, b"a", 1), "kept already");
    let order: Vec<_> = history.last(&lobby, 9).map(|message| (message.stamp, message.id.from()[0] as char)).collect();
    assert_eq!(order, [(1, 'a'), (2, 'c'), (3, 'a'), (3, 'b')]);
    assert_eq!(stamps(&history, &lobby, 2), [3, 3], "the last two, oldest first");
    assert_eq!(stamps(&history, &room("attic"), 2), [0u64; 0]);
}

#[test]
fn the_oldest_leaves_first_also_when_it_comes_last() {
    let (mut history, lobby) = (History::new(1, 5, 1 << 20), room("lobby"));
    history.join(&lobby).unwrap();
    for stamp in (10..20).rev() {
        assert!(insert(&mut history, &lobby, stamp, b"a", 1));
        assert!(history.messages().length <= 5);
    }
    assert_eq!(stamps(&history, &lobby, 9), [15, 16, 17, 18, 19]);
    assert_eq!((history.messages().high_water, history.messages().drops), (5, 5));
}

#[test]
fn bytes_are_bounded_too() {
    let (mut history, lobby) = (History::new(1, 1000, 10_000), room("lobby"));
    history.join(&lobby).unwrap();
    for stamp in 0..50 {
        insert(&mut history, &lobby, stamp, b"a", 2000);
        assert!(history.bytes().length <= 10_000);
    }
    assert!((2..=5).contains(&history.messages().length), "{:?}", history.messages());
    let kept = stamps(&history, &lobby, 9);
    assert_eq!(kept.last(), Some(&49));
    assert_eq!(history.room(&lobby).unwrap().bytes(), history.bytes().length);
}

#[test]
fn a_busy_room_does_not_empty_a_quiet_one() {
    let (mut history, quiet, busy) = (History::new(2, 40, 1 << 20), room("quiet"), room("busy"));
    history.join(&quiet).unwrap();
    history.join(&busy).unwrap();
    for stamp in 0..20 {
        insert(&mut history, &quiet, stamp, b"a", 1);
    }
    for stamp in 1000..2000 {
        insert(&mut history, &busy, stamp, b"b", 1);
    }
    assert_eq!(stamps(&history, &quiet, 100), (10..20).collect::<Vec<_>>(), "a quarter each is reserved");
    assert_eq!(stamps(&history, &busy, 100), (1970..2000).collect::<Vec<_>>());
}

#[test]
fn a_room_of_large_messages_does_not_empty_a_quiet_one() {
    let (mut history, quiet, busy) = (History::new(2, 1000, 40_000), room("quiet"), room("busy"));
    history.join(&quiet).unwrap();
    history.join(&busy).unwrap();
    for stamp in 0..3 {
        insert(&mut history, &quiet, stamp, b"a", 1);
    }
    for stamp in 1000..1200 {
        insert(&mut history, &busy, stamp, b"b", 2000);
    }
    assert_eq!(stamps(&history, &quiet, 100), [0, 1, 2]);
}

#[test]
fn bounds_smaller_than_a_message_keep_nothing() {
    for (messages, bytes) in [(0, 1 << 20), (10, 100)] {
        let (mut history, lobby) = (History::new(1, messages, bytes), room("lobby"));
        history.join(&lobby).unwrap();
        assert!(insert(&mut history, &lobby, 1, b"a", 200));
        assert_eq!((history.messages().length, history.bytes().length), (0, 0));
        assert_eq!((history.messages().high_water, history.bytes().high_water), (0, 0));
    }
}

#[test]
fn rooms_are_bounded_and_leaving_frees() {
    let mut history = History::new(1, 10, 1 << 20);
    let (lobby, attic) = (room("lobby"), room("attic"));
    assert_eq!((history.join(&lobby), history.join(&lobby), history.join(&attic)), (Ok(true), Ok(false), Err(1)));
    insert(&mut history, &lobby, 1, b"a", 10);
    assert!(!insert(&mut history, &attic, 1, b"a", 10), "not open");
    assert!(history.leave(&lobby) && !history.leave(&lobby));
    assert_eq!((history.messages().length, history.bytes().length), (0, 0));
}

#[test]
fn what_lies_beyond_a_ceiling_can_be_let_go() {
    let (mut history, lobby) = (History::new(1, 10, 1 << 20), room("lobby"));
    history.join(&lobby).unwrap();
    for stamp in [5, 6, 7, 100] {
        insert(&mut history, &lobby, stamp, b"a", 1);
    }
    assert_eq!(history.evict_beyond(6), 2);
    assert_eq!((stamps(&history, &lobby, 9), history.messages().length), ([5, 6].to_vec(), 2));
    assert_eq!(history.room(&lobby).unwrap().bytes(), history.bytes().length);
}
