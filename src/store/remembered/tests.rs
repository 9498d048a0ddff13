//! Who is remembered, who is let go, and what a failing card may do to the list.

use super::*;
use std::fs;

fn address(last: u8) -> Multiaddr {
    format!("/ip4/10.0.0.{last}/tcp/4001").parse().unwrap()
}

fn peers(list: &Remembered) -> Vec<PeerId> {
    list.list().iter().map(|entry| entry.peer).collect()
}

#[test]
fn the_list_survives_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut list = Remembered::new(8, 4);
    let ids: Vec<_> = (0..5).map(|_| PeerId::random()).collect();
    for (at, id) in ids.iter().enumerate() {
        list.note(*id, address(at as u8), 1_000 + at as u64);
        list.note(*id, "/dns4/board.local/tcp/4001".parse().unwrap(), 2_000 + at as u64);
    }
    list.miss(&ids[4]);
    assert!(list.changed());
    fs::write(dir.path().join(REMEMBERED_FILE), list.to_bytes()).unwrap();
    assert!(!list.changed());
    assert_eq!(Remembered::load(dir.path(), 8, 4), list);
    assert_eq!(peers(&list), [ids[3], ids[2], ids[1], ids[0], ids[4]]);
}

#[test]
fn the_last_address_that_worked_comes_first_and_they_are_bounded() {
    let mut list = Remembered::new(2, 2);
    let id = PeerId::random();
    for last in [1, 2, 1, 3] {
        list.note(id, address(last), 7);
    }
    assert_eq!(list.list()[0].addresses, [address(3), address(1)]);
    assert_eq!(list.list()[0].last_seen, 7);
    list.note(id, address(1), 0);
    assert_eq!(list.list()[0].last_seen, 7, "an unknown clock takes nothing away");
    let long = format!("/dns4/{}/tcp/4001", "x".repeat(300)).parse().unwrap();
    list.note(id, long, 9);
    assert_eq!(list.list()[0].addresses, [address(1), address(3)]);
}

#[test]
fn a_full_list_lets_its_worst_go_and_a_flood_does_not_empty_it() {
    let mut list = Remembered::new(4, 2);
    let friends: Vec<_> = (0..3).map(|_| PeerId::random()).collect();
    for _ in 0..3 {
        friends.iter().for_each(|id| list.note(*id, address(1), 1));
    }
    for _ in 0..1_000 {
        list.note(PeerId::random(), address(66), 2);
        assert!(list.list().len() <= 4);
    }
    assert!(friends.iter().all(|id| peers(&list).contains(id)));
}

#[test]
fn who_fails_often_enough_gives_way() {
    let mut list = Remembered::new(2, 1);
    let (old, new) = (PeerId::random(), PeerId::random());
    (0..100).for_each(|_| list.note(old, address(1), 1));
    assert_eq!(list.list()[0].score, SCORE_MAX);
    list.note(new, address(2), 2);
    (0..4).for_each(|_| list.miss(&old));
    assert_eq!(list.list()[0].peer, old, "one connection each, and this one was heard of last");
    list.miss(&old);
    assert_eq!(peers(&list), [new, old]);
    assert!(list.forget(&old) && !list.forget(&old));
    assert_eq!(peers(&list), [new]);
}

#[test]
fn a_board_that_remembers_nobody_is_legal() {
    let mut list = Remembered::new(0, 4);
    list.note(PeerId::random(), address(1), 1);
    assert!(list.list().is_empty() && list.to_bytes().is_empty());
}

#[test]
fn damage_costs_the_lines_it_hit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(REMEMBERED_FILE);
    let mut list = Remembered::new(8, 4);
    (1..=4).for_each(|last| list.note(PeerId::random(), address(last), 1));
    let whole = list.to_bytes();

    // Cut anywhere: every line that is whole is read, and never a shortened address.
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let read = Remembered::load(dir.path(), 8, 4);
        let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(read.list(), &list.list()[..lines]);
    }
    // Any one byte wrong: at most two lines are lost (the byte may be the line end between them).
    for at in 0..whole.len() {
        for wrong in [0x00, 0xff, b' ', b'\n'] {
            let mut bytes = whole.clone();
            bytes[at] = wrong;
            fs::write(&path, bytes).unwrap();
            assert!(Remembered::load(dir.path(), 8, 4).list().len() >= 2);
        }
    }
    fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
    assert!(Remembered::load(dir.path(), 8, 4).list().is_empty(), "a file beyond its bound is not read");
}

#[test]
fn a_list_of_a_larger_board_is_cut_to_its_best() {
    let dir = tempfile::tempdir().unwrap();
    let mut list = Remembered::new(8, 4);
    (1..=8).for_each(|last| list.note(PeerId::random(), address(last), 1));
    fs::write(dir.path().join(REMEMBERED_FILE), list.to_bytes()).unwrap();
    let small = Remembered::load(dir.path(), 3, 1);
    assert_eq!(small.list(), &list.list()[..3]);
    assert!(small.changed());
}
