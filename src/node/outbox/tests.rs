//! What is kept, said again, held back and given up.

mod bounds;
mod storm;

use super::*;
use crate::base::board;
use std::ops::Range;

/// A room, an outbox with the limits of the smallest board, and what was handed out so far.
struct Scene {
    outbox: Outbox,
    room: RoomName,
    start: Instant,
    handed: Vec<u64>,
}

fn peers<const N: usize>() -> [PeerId; N] {
    std::array::from_fn(|_| PeerId::random())
}

impl Scene {
    fn new() -> Self {
        let start = Instant::now() + Duration::from_secs(3_600);
        let limits = &board::find("tiny").unwrap().limits;
        Scene { outbox: Outbox::new(limits, start), room: "lobby".parse().unwrap(), start, handed: Vec::new() }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    /// Says lines with these stamps, and hands out what can be.
    fn say(&mut self, stamps: Range<u64>, ms: u64) {
        for stamp in stamps {
            self.outbox.push(&self.room, stamp, &stamp.to_be_bytes(), self.at(ms)).unwrap();
            self.flush(ms);
        }
    }

    fn flush(&mut self, ms: u64) {
        let now = self.at(ms);
        while let Some(line) = self.outbox.next(&self.room, now) {
            self.handed.push(line.stamp);
            self.outbox.on_handed(&self.room, now);
        }
    }

    /// What was handed out since the last call.
    fn handed(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.handed)
    }

    fn enter(&mut self, peer: PeerId, ms: u64) {
        let (room, now) = (self.room.clone(), self.at(ms));
        self.outbox.on_entered(peer, &room, now);
        self.flush(ms);
    }

    fn confirm(&mut self, peer: PeerId, before_ms: u64, ms: u64) {
        self.outbox.on_confirmed(&peer, self.at(before_ms), self.at(ms));
        self.flush(ms);
    }

    fn lose(&mut self, peer: PeerId, ms: u64) -> Vec<u64> {
        self.outbox.on_lost(&peer, self.at(ms)).pop().map(|(_, stamps)| stamps).unwrap_or_default()
    }

    fn waiting(&self) -> usize {
        self.outbox.waiting(&self.room)
    }

    fn owed(&self) -> Vec<(Option<String>, u32)> {
        self.outbox.owed().into_iter().map(|owed| (owed.peer, owed.lines)).collect()
    }
}

#[test]
fn what_nobody_surely_has_waits_when_the_last_peer_is_lost() {
    let (mut scene, [peer]) = (Scene::new(), peers());
    scene.enter(peer, 0);
    scene.say(0..10, 100);
    scene.confirm(peer, 200, 210);
    scene.say(10..15, 300);
    assert_eq!(scene.handed(), Vec::from_iter(0..15));
    assert_eq!((scene.waiting(), scene.outbox.away(&scene.room)), (0, 0));
    assert_eq!(scene.lose(peer, 20_000), [10, 11, 12, 13, 14]);
    assert_eq!((scene.waiting(), scene.outbox.away(&scene.room)), (5, 1));
    assert!(scene.lose(peer, 20_001).is_empty(), "told once");
    // What is said now waits behind them.
    scene.outbox.push(&scene.room, 15, b"later", scene.at(30_000)).unwrap();
    assert_eq!(scene.owed(), [(None, 6), (Some(peer.to_base58()), 6)]);
    scene.enter(peer, 60_000);
    assert_eq!(scene.handed(), Vec::from_iter(10..16), "again and at once, in order");
    assert_eq!(scene.outbox.said_again(), 5);
    scene.confirm(peer, 61_000, 61_001);
    assert!(scene.owed().is_empty());
    scene.outbox.trim(scene.at(61_000 + RECENT_MS + 1));
    assert_eq!(scene.outbox.kept(&scene.room), 0);
}

#[test]
fn a_sign_of_life_from_before_confirms_nothing() {
    let (mut scene, [peer]) = (Scene::new(), peers());
    scene.enter(peer, 0);
    scene.say(0..3, 100);
    scene.confirm(peer, 100, 150);
    scene.say(3..4, 200);
    scene.confirm(peer, 150, 250);
    assert_eq!(scene.lose(peer, 300), [3], "those before came after 100, and so were there at 150");
    let (mut scene, [peer]) = (Scene::new(), peers());
    scene.enter(peer, 0);
    scene.say(0..3, 100);
    scene.confirm(peer, 100, 150);
    assert_eq!(scene.lose(peer, 300), [0, 1, 2], "the ping began when they were handed out, and not after");
}

#[test]
fn one_of_several_is_told_what_it_missed_and_the_order_holds() {
    let (mut scene, [lost, other]) = (Scene::new(), peers());
    scene.enter(lost, 0);
    scene.enter(other, 0);
    scene.say(0..4, 100);
    scene.confirm(lost, 200, 210);
    scene.say(4..6, 300);
    scene.confirm(other, 400, 410);
    assert_eq!(scene.lose(lost, 15_000), [4, 5]);
    scene.say(6..9, 20_000);
    scene.confirm(other, 22_000, 22_010);
    assert_eq!(scene.waiting(), 0, "the other one gets everything");
    assert_eq!(scene.owed(), [(Some(lost.to_base58()), 5)]);
    assert_eq!(scene.handed(), Vec::from_iter(0..9));
    scene.enter(lost, 40_000);
    scene.say(9..10, 40_001);
    assert_eq!(scene.handed(), Vec::from_iter(4..10));
    // It is lost again before it has said that it lives: nothing of that is sure.
    assert_eq!(scene.lose(lost, 50_000), Vec::from_iter(4..10));
    scene.enter(lost, 60_000);
    assert_eq!(scene.handed(), Vec::from_iter(4..10));
}

#[test]
fn who_comes_new_is_told_what_was_said_last_together_with_others() {
    let (mut scene, [first, second, third]) = (Scene::new(), peers());
    scene.enter(first, 0);
    scene.say(0..3, 100);
    scene.say(3..5, 100 + RECENT_MS);
    scene.handed();
    let late = 200 + RECENT_MS;
    scene.enter(second, late);
    scene.enter(third, late + 500);
    scene.say(5..6, late + 600);
    assert_eq!(scene.handed(), [5]);
    let due = scene.outbox.next_due(|_| true).unwrap();
    assert_eq!(due, scene.at(late + REPEAT_DELAY_MS));
    // A sign of life of one that was told nothing yet says nothing of what it has.
    scene.confirm(second, late + 700, late + 701);
    assert!(scene.outbox.do_due(due));
    scene.flush(late + REPEAT_DELAY_MS);
    assert_eq!(scene.handed(), [3, 4, 5]);
    assert_eq!(scene.outbox.next_due(|_| true), None, "both were told");
}

#[test]
fn for_a_new_peer_no_more_is_said_again_than_so_many_lines() {
    let (mut scene, [first, second]) = (Scene::new(), peers());
    scene.enter(first, 0);
    for n in 0..3 {
        scene.say(50 * n..50 * (n + 1), 100 + n);
        scene.confirm(first, 200 + n, 201 + n);
    }
    scene.handed();
    scene.enter(second, 300);
    scene.outbox.do_due(scene.at(300 + REPEAT_DELAY_MS));
    scene.flush(300 + REPEAT_DELAY_MS);
    assert_eq!(scene.handed(), Vec::from_iter(150 - RECENT_MAX..150));
}

#[test]
fn who_leaves_is_owed_nothing_and_what_nobody_has_waits() {
    let (mut scene, [peer, other]) = (Scene::new(), peers());
    scene.enter(peer, 0);
    scene.say(0..2, 100);
    scene.outbox.on_left(&peer, &scene.room.clone(), scene.at(200));
    assert_eq!(scene.owed(), [(None, 2)]);
    scene.handed();
    scene.enter(other, 100_000);
    assert_eq!(scene.handed(), [0, 1]);
}

#[test]
fn who_does_not_come_back_is_forgotten_in_time() {
    let (mut scene, [lost, other]) = (Scene::new(), peers());
    scene.enter(lost, 0);
    scene.enter(other, 0);
    scene.say(0..2, 100);
    scene.confirm(other, 200, 210);
    scene.lose(lost, 1_000);
    scene.outbox.trim(scene.at(AWAY_MS_MAX));
    assert_eq!(scene.owed(), [(Some(lost.to_base58()), 2)]);
    scene.outbox.trim(scene.at(1_000 + AWAY_MS_MAX));
    assert_eq!((scene.owed(), scene.outbox.kept(&scene.room)), (vec![], 0));
}

#[test]
fn a_peer_that_is_too_slow_holds_up_the_others_for_a_moment_only() {
    let (mut scene, [slow, quick]) = (Scene::new(), peers());
    let most = scene.outbox.under_way_max;
    scene.enter(slow, 0);
    scene.enter(quick, 0);
    scene.say(0..most, 100);
    scene.confirm(quick, 200, 201);
    scene.say(most..most + 5, 300);
    assert_eq!((scene.handed().len() as u64, scene.waiting()), (most, 5));
    scene.flush(300 + HOLD_UP_MS_MAX);
    assert_eq!(scene.handed(), Vec::from_iter(most..most + 5));
    scene.say(most + 5..most + 8, 400 + HOLD_UP_MS_MAX);
    assert_eq!(scene.handed(), Vec::from_iter(most + 5..most + 8));
    assert_eq!(scene.owed(), [(Some(slow.to_base58()), most as u32 + 8)]);
    // Nothing is under way to it any more: it is given everything again.
    let later = 1_000 + HOLD_UP_MS_MAX;
    scene.confirm(quick, later - 1, later - 1);
    scene.confirm(slow, later, later);
    assert_eq!(scene.handed(), Vec::from_iter(0..most));
    scene.confirm(quick, later + 100, later + 100);
    scene.confirm(slow, later + 100, later + 100);
    assert_eq!(scene.handed(), Vec::from_iter(most..most + 8));
    // And not too often.
    let mut last = later;
    for pause in [CATCH_UP_MS, 2 * CATCH_UP_MS, 4 * CATCH_UP_MS] {
        scene.say(1_000 + pause..1_001 + pause, last + pause - 10);
        scene.handed();
        scene.confirm(quick, last + pause - 5, last + pause - 5);
        scene.outbox.on_slow(&slow, scene.at(last + pause - 5));
        scene.confirm(slow, last + pause - 1, last + pause - 1);
        assert!(scene.handed().is_empty(), "it was given everything {pause} ms ago, and a little less");
        scene.confirm(slow, last + pause, last + pause);
        assert!(!scene.handed().is_empty(), "it was given everything {pause} ms ago");
        last += pause;
        scene.confirm(quick, last + 1, last + 1);
        scene.confirm(slow, last + 1, last + 1);
    }
}

#[test]
fn what_is_said_again_counts_as_under_way_as_often_as_it_is_said() {
    let (mut scene, [first, second, third]) = (Scene::new(), peers());
    let most = scene.outbox.under_way_max;
    for peer in [first, second, third] {
        scene.enter(peer, 0);
    }
    scene.say(0..most, 100);
    for peer in [first, second, third] {
        scene.lose(peer, 200);
    }
    scene.handed();
    // Each that comes back late has everything said from the start, and the queues of those before it hold as much already.
    let late = 300 + REUNION_MS_MAX;
    scene.enter(first, 300);
    scene.flush(late);
    assert_eq!(scene.handed().len() as u64, most);
    scene.enter(second, late + 10);
    scene.flush(2 * late);
    assert!(scene.handed().is_empty());
    scene.confirm(first, late + 5, 2 * late);
    assert_eq!(scene.handed().len() as u64, most);
}

#[test]
fn those_lost_together_are_told_together() {
    let (mut scene, [first, second, third, early]) = (Scene::new(), peers());
    for peer in [first, second, third, early] {
        scene.enter(peer, 0);
    }
    scene.say(0..3, 100);
    scene.lose(early, 1_000);
    for (peer, ms) in [(first, 15_000), (second, 15_500), (third, 16_000)] {
        scene.lose(peer, ms);
    }
    scene.handed();
    scene.enter(first, 60_000);
    assert!(scene.handed().is_empty());
    assert_eq!(scene.outbox.next_due(|_| true), Some(scene.at(60_000 + REUNION_MS_MAX)));
    scene.say(3..4, 60_100);
    scene.enter(second, 60_200);
    assert!(scene.handed().is_empty());
    scene.enter(third, 60_300);
    assert_eq!(scene.handed(), [0, 1, 2, 3], "all who were lost with it are there");
    for peer in [first, second, third] {
        scene.confirm(peer, 60_400, 60_400);
        scene.say(4..5, 60_500);
        scene.lose(peer, 75_000);
    }
    scene.handed();
    scene.enter(first, 90_000);
    assert!(scene.handed().is_empty());
    scene.flush(90_000 + REUNION_MS_MAX);
    assert!(scene.handed().starts_with(&[4]), "nobody is waited for longer");
}

#[test]
fn a_sign_of_life_is_asked_for_once_and_sooner_when_much_is_under_way() {
    let (mut scene, [peer, other]) = (Scene::new(), peers());
    scene.enter(peer, 0);
    assert!(scene.outbox.probes(scene.at(0)).is_empty());
    scene.say(0..1, 100);
    assert_eq!(scene.outbox.probes(scene.at(100)), [(peer, scene.at(100 + PROBE_MS))]);
    scene.say(1..2, 200);
    assert!(scene.outbox.probes(scene.at(200)).is_empty(), "it was asked");
    scene.say(2..scene.outbox.under_way_max, 300);
    assert_eq!(scene.outbox.probes(scene.at(300)), [(peer, scene.at(300))]);
    scene.confirm(peer, 150, 400);
    assert_eq!(scene.outbox.probes(scene.at(400)), [(peer, scene.at(400))], "there is more");
    scene.confirm(peer, 350, 500);
    assert!(scene.outbox.probes(scene.at(500)).is_empty());
    scene.enter(other, 600);
    scene.say(100..101, 700);
    scene.lose(peer, 800);
    assert_eq!(scene.outbox.probes(scene.at(800)).len(), 0, "one is away, one was told nothing yet");
}

#[test]
fn who_knows_no_ping_is_believed_after_a_while() {
    let (mut scene, [peer]) = (Scene::new(), peers());
    scene.enter(peer, 0);
    scene.say(0..2, 100);
    scene.outbox.probes(scene.at(100));
    scene.outbox.on_no_ping(&peer, scene.at(101), scene.at(101));
    scene.say(2..3, 200);
    scene.outbox.on_no_ping(&peer, scene.at(300), scene.at(300));
    assert_eq!(scene.outbox.next_due(|_| true), Some(scene.at(101 + TRUST_MS)));
    scene.outbox.do_due(scene.at(100 + TRUST_MS));
    scene.outbox.do_due(scene.at(101 + TRUST_MS));
    assert_eq!(scene.lose(peer, 102 + TRUST_MS), [2]);
    assert_eq!(scene.outbox.next_due(|_| false), None);
}

#[test]
fn in_a_room_of_other_programs_nothing_is_said_again() {
    let (mut scene, [peer]) = (Scene::new(), peers());
    scene.room = RoomName::of_others("text:room").unwrap();
    scene.say(0..2, 0);
    assert_eq!(scene.handed(), [0, 1]);
    scene.enter(peer, 1);
    scene.say(2..3, 2);
    assert!(scene.lose(peer, 3).is_empty());
    scene.enter(peer, 4);
    assert_eq!(scene.handed(), [2]);
    assert_eq!(scene.outbox.kept(&scene.room), 0);
}
