//! How much is kept, and how much is under way.

use super::{
    super::{Full, LINE_BYTES, OUTBOX_RETRY_MS},
    Scene, peers,
};
use crate::{
    node::outbox::HOLD_UP_MS_MAX,
    wire::{bounds::FRAME_BYTES_MAX, room::RoomName},
};

#[test]
fn it_is_bounded_by_number_and_by_bytes() {
    let (mut scene, [peer]) = (Scene::new(), peers());
    let (lines_max, bytes_max) = (scene.outbox.lines_max, scene.outbox.bytes_max);
    let (room, now) = (scene.room.clone(), scene.at(0));
    for stamp in 0..lines_max {
        scene.outbox.push(&room, stamp.into(), b"short", now).unwrap();
    }
    assert_eq!(scene.outbox.push(&room, 999, b"one more", now), Err(Full::Lines(lines_max)));
    let elsewhere: RoomName = "attic".parse().unwrap();
    assert_eq!(scene.outbox.push(&elsewhere, 999, b"another room has its own places", now), Ok(()));
    scene.outbox.forget(&room);
    let long = [0; FRAME_BYTES_MAX];
    let taken = (0..lines_max).take_while(|n| scene.outbox.push(&room, (*n).into(), &long, now).is_ok()).count();
    assert_eq!(taken, bytes_max as usize / (FRAME_BYTES_MAX + LINE_BYTES));
    assert_eq!(scene.outbox.push(&room, 999, &long, now), Err(Full::Bytes(bytes_max)));
    assert_eq!(scene.outbox.describe().drops, 3);
    scene.enter(peer, 1);
    scene.confirm(peer, 2, 3);
    assert_eq!(scene.outbox.push(&room, 999, &long, scene.at(4)), Ok(()), "what somebody has makes room");
    scene.outbox.take_back(&room);
    assert_eq!(scene.outbox.given_up(), 0);
}

#[test]
fn what_one_peer_has_makes_room_though_another_is_away() {
    let (mut scene, [lost, other]) = (Scene::new(), peers());
    let count = u64::from(scene.outbox.lines_max);
    scene.enter(lost, 0);
    scene.enter(other, 0);
    scene.lose(lost, 1);
    for stamp in 0..count + 10 {
        scene.say(stamp..stamp + 1, 10 + 2 * stamp);
        scene.confirm(other, 11 + 2 * stamp, 11 + 2 * stamp);
    }
    assert_eq!(scene.outbox.given_up(), 10);
    scene.handed();
    scene.enter(lost, 10_000);
    scene.flush(10_000);
    assert_eq!(scene.handed().first(), Some(&10));
}

#[test]
fn no_more_is_under_way_than_so_many_lines() {
    let (mut scene, [peer]) = (Scene::new(), peers());
    let most = scene.outbox.under_way_max;
    scene.enter(peer, 0);
    scene.say(0..most + 10, 100);
    assert_eq!((scene.handed().len() as u64, scene.waiting()), (most, 10));
    assert_eq!(scene.outbox.next_due(|_| true), Some(scene.at(100 + OUTBOX_RETRY_MS)));
    assert_eq!(scene.outbox.next_due(|_| false), None, "somebody who comes makes it due");
    scene.flush(100 + 2 * HOLD_UP_MS_MAX);
    assert!(scene.handed().is_empty(), "there is nobody else");
    scene.confirm(peer, 101, 200);
    assert_eq!(scene.handed().len(), 10);
}
