//! Tests of the index.

use super::*;
use crate::chat::sync::view::Items;
use alloc::collections::BTreeSet;
use alloc::format;

fn room(name: &str) -> RoomName {
    RoomName::new(name).unwrap()
}

/// A message of that stamp; `what` tells those of one stamp apart.
fn item(stamp: u64, what: u64) -> Item {
    let mut item = Item::before(stamp);
    item.hash[..8].copy_from_slice(&what.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    item
}

fn index(messages_max: usize, bytes_max: usize, known_max: usize, rooms: &[&str]) -> Index {
    let mut index = Index::new(Bounds { rooms_max: rooms.len(), messages_max, bytes_max, known_max });
    for name in rooms {
        assert_eq!(index.join(&room(name)), Ok(true));
    }
    index
}

/// Keeps a message of 100 bytes; what left for it.
fn say(index: &mut Index, name: &str, author: &[u8], item: Item) -> (Result<(), Refused>, Vec<Item>) {
    let mut left = Vec::new();
    let said = index.insert(&room(name), author, item, 100, Place::Memory, |_, gone| left.push(gone.item));
    (said, left)
}

fn stamps(index: &Index, name: &str, count: usize) -> Vec<u64> {
    index.room(&room(name)).unwrap().last(count).map(|entry| entry.item().stamp).collect()
}

#[test]
fn order_is_by_stamp_whatever_came_first_and_none_is_kept_twice() {
    let mut index = index(100, 100_000, 100, &["lobby"]);
    for stamp in [3, 1, 2, 9, 5] {
        assert_eq!(say(&mut index, "lobby", b"ann", item(stamp, stamp)), (Ok(()), Vec::new()));
    }
    assert_eq!(say(&mut index, "lobby", b"bob", item(3, 3)).0, Err(Refused::Known));
    assert_eq!(say(&mut index, "lobby", b"bob", item(3, 4)).0, Ok(()), "another message of the same stamp");
    assert_eq!(stamps(&index, "lobby", 99), [1, 2, 3, 3, 5, 9]);
    assert_eq!(stamps(&index, "lobby", 2), [5, 9]);
    let between: Vec<_> = index.room(&room("lobby")).unwrap().between(2, 5).map(|entry| entry.item().stamp).collect();
    assert_eq!(between, [2, 3, 3]);
    assert_eq!(say(&mut index, "attic", b"ann", item(1, 1)).0, Err(Refused::NotJoined));
    let seen: Vec<_> = (0..7).map_while(|at| index.room(&room("lobby")).unwrap().item(at)).collect();
    assert!(seen.len() == 6 && seen.is_sorted(), "newest first, as they are compared");
}

#[test]
fn the_oldest_leaves_first_and_nothing_older_comes_back() {
    let mut index = index(8, 100_000, 100, &["lobby"]);
    for stamp in 1..=20 {
        // Several authors, so that no one has more than a quarter.
        let (said, left) = say(&mut index, "lobby", &[stamp as u8], item(stamp, 0));
        assert_eq!(said, Ok(()));
        assert_eq!(left, (stamp > 8).then(|| item(stamp - 8, 0)).into_iter().collect::<Vec<_>>());
    }
    assert_eq!(stamps(&index, "lobby", 99), (13..=20).collect::<Vec<_>>());
    assert_eq!(index.room(&room("lobby")).unwrap().since(), 13);
    for stamp in 0..=12 {
        assert_eq!(say(&mut index, "lobby", b"x", item(stamp, 0)), (Err(Refused::BelowRoom), Vec::new()));
    }
    assert_eq!((index.messages().length, index.messages().drops, index.known().length), (8, 12, 0));
}

#[test]
fn bytes_are_bounded_too() {
    let mut index = index(1_000, 10_000, 100, &["lobby"]);
    for stamp in 0..60_u64 {
        let bytes = 500 + (stamp % 7) as u16 * 100;
        let _ = index.insert(&room("lobby"), &[stamp as u8], item(stamp, 0), bytes, Place::Memory, |_, _| {});
        assert!(index.bytes().length <= 10_000);
    }
    assert!((9..=20).contains(&index.messages().length) && stamps(&index, "lobby", 1) == [59]);
    assert_eq!(index.room(&room("lobby")).unwrap().bytes(), index.bytes().length);
}

#[test]
fn a_busy_room_does_not_empty_a_quiet_one() {
    let mut index = index(40, 1 << 20, 100, &["quiet", "busy"]);
    for stamp in 0..20 {
        let _ = say(&mut index, "quiet", &[stamp as u8], item(stamp, 0));
    }
    for stamp in 1_000..2_000_u64 {
        let _ = say(&mut index, "busy", &stamp.to_be_bytes(), item(stamp, 0));
    }
    assert_eq!(stamps(&index, "quiet", 99), (10..20).collect::<Vec<_>>(), "a quarter each is reserved");
    assert_eq!(stamps(&index, "busy", 99).len(), 30);
}

#[test]
fn one_that_floods_takes_its_own_share_and_no_more() {
    // Newest, backdated to before everything, just before the oldest, or spread over all the time.
    type StampOf = fn(u64) -> u64;
    let ways: [(&str, StampOf); 4] = [
        ("newest", |n| 2_000_000 + n),
        ("oldest", |n| n),
        ("before", |n| 999_999 - n),
        ("spread", |n| 1_000_000 + n * 7),
    ];
    for (way, stamp_of) in ways {
        let mut index = index(1_000, 1 << 20, 500, &["lobby"]);
        let honest: Vec<Item> = (0..1_000).map(|n| item(1_000_000 + n * 100, n)).collect();
        for (n, item) in honest.iter().enumerate() {
            assert_eq!(say(&mut index, "lobby", &[n as u8 % 10], *item).0, Ok(()));
        }
        for n in 0..8_000 {
            let _ = say(&mut index, "lobby", b"flood", item(stamp_of(n), 1 << 40 | n));
            let lobby = index.room(&room("lobby")).unwrap();
            assert!(lobby.of_author(b"flood").0 <= 250, "{way}");
            assert!(index.messages().length <= 1_000 && index.known().length <= 500, "{way}");
        }
        let lobby = index.room(&room("lobby")).unwrap();
        let kept = honest.iter().filter(|item| lobby.find(item).is_some_and(|entry| entry.is_held())).count();
        assert!(kept >= 750, "{way}: {kept} of 1,000 honest messages are left");
        // The newest of them.
        assert!(
            honest[1_000 - kept..].iter().all(|item| lobby.find(item).is_some_and(|entry| entry.is_held())),
            "{way}"
        );
        // An honest late message that is not older than what the room let go is still taken.
        let late = item(honest[1_000 - kept].stamp + 1, 77);
        assert_eq!(say(&mut index, "lobby", b"late", late).0, Ok(()), "{way}");
    }
}

#[test]
fn many_that_flood_take_as_many_shares_and_those_without_a_place_one_together() {
    let mut index = index(1_000, 1 << 20, 0, &["lobby"]);
    for n in 0..1_000 {
        assert_eq!(say(&mut index, "lobby", &[n as u8 % 100], item(1_000_000 + n, n)).0, Ok(()));
    }
    // Two with backdated messages: two quarters at most.
    for n in 0..4_000 {
        let _ = say(&mut index, "lobby", format!("flood{}", n % 2).as_bytes(), item(1_000_500 + n % 400, 1 << 40 | n));
    }
    let held = |index: &Index| {
        let lobby = index.room(&room("lobby")).unwrap();
        (0..100_u8).map(|author| lobby.of_author(&[author]).0).sum::<usize>()
    };
    assert!(held(&index) >= 500, "{}", held(&index));
    // Five thousand that say one thing each: the table has no place for most of them.
    let mut crowd = Index::new(Bounds { rooms_max: 1, messages_max: 4_000, bytes_max: 1 << 20, known_max: 100 });
    crowd.join(&room("lobby")).unwrap();
    for n in 0..1_000 {
        assert_eq!(say(&mut crowd, "lobby", &[n as u8 % 100], item(1_000_000 + n, n)).0, Ok(()));
    }
    for n in 0..5_000_u64 {
        let _ = say(&mut crowd, "lobby", &n.to_be_bytes(), item(2_000_000 + n, 1 << 40 | n));
    }
    assert_eq!((held(&crowd), crowd.messages().length), (1_000, 4_000));
}

#[test]
fn where_there_is_space_one_author_may_have_all_of_it() {
    let mut index = index(40, 1 << 20, 100, &["lobby"]);
    for n in 0..50 {
        let (said, left) = say(&mut index, "lobby", b"ann", item(100 + n, n));
        assert_eq!((said, left.len()), (Ok(()), usize::from(n >= 40)));
    }
    // It is the oldest of the room that left: nothing has to be remembered.
    let lobby = index.room(&room("lobby")).unwrap();
    assert_eq!((lobby.messages(), lobby.known(), lobby.since()), (40, 0, 110));
    // Two that talk share all of it.
    for n in 0..100 {
        assert_eq!(say(&mut index, "lobby", b"bob", item(1_000 + 2 * n, n)).0, Ok(()));
        assert_eq!(say(&mut index, "lobby", b"ann", item(1_001 + 2 * n, n)).0, Ok(()));
    }
    let lobby = index.room(&room("lobby")).unwrap();
    assert_eq!((lobby.of_author(b"ann").0, lobby.of_author(b"bob").0, lobby.messages()), (20, 20, 40));
}

#[test]
fn what_left_for_its_authors_share_is_known_and_does_not_come_back() {
    let mut index = index(40, 1 << 20, 100, &["lobby"]);
    // Bob's lines are older and few.
    for n in 0..10 {
        assert_eq!(say(&mut index, "lobby", b"bob", item(60 + n, n)).0, Ok(()));
    }
    for n in 0..40 {
        let (said, left) = say(&mut index, "lobby", b"ann", item(100 + n, n));
        assert_eq!((said, left.len()), (Ok(()), usize::from(n >= 30)));
    }
    let lobby = index.room(&room("lobby")).unwrap();
    assert_eq!((lobby.messages(), lobby.known(), lobby.since()), (40, 10, 0), "the room as a whole let nothing go");
    assert_eq!(lobby.count(), 50, "compared as if it were there");
    assert_eq!((0..50).filter(|at| lobby.holds(*at)).count(), 40);
    for n in 0..10 {
        assert_eq!(say(&mut index, "lobby", b"ann", item(100 + n, n)).0, Err(Refused::Known));
    }
    // One of hers that we never saw and that is older than what left: refused, and known from then on.
    assert_eq!(say(&mut index, "lobby", b"ann", item(50, 99)), (Err(Refused::BelowAuthor), Vec::new()));
    assert_eq!(say(&mut index, "lobby", b"ann", item(50, 99)).0, Err(Refused::Known));
    let (said, left) = say(&mut index, "lobby", b"eve", item(51, 98));
    assert_eq!((said, left), (Ok(()), [item(110, 10)].to_vec()), "others are not meant, and ann has most");
    assert_eq!(index.known().length, 12);
}

#[test]
fn what_is_known_is_bounded() {
    let mut index = index(40, 1 << 20, 25, &["lobby"]);
    assert_eq!(say(&mut index, "lobby", b"bob", item(1, 0)).0, Ok(()));
    for n in 0..1_000 {
        assert_eq!(say(&mut index, "lobby", b"ann", item(100 + n, n)).0, Ok(()));
        assert!(index.known().length <= 25);
    }
    assert_eq!((index.known().length, index.known().drops), (25, 1_000 - 39 - 25));
    // Forgotten, and still refused: the floor is not.
    assert_eq!(say(&mut index, "lobby", b"ann", item(100, 0)).0, Err(Refused::BelowAuthor));
    assert_eq!(stamps(&index, "lobby", 40)[0], 1, "bob's line is still there");
}

#[test]
fn what_the_log_comes_round_to_can_be_found_and_forgotten() {
    let mut index = index(1_000, 1 << 20, 100, &["lobby", "attic"]);
    let at = |n: u64| Place::Log(LogPlace { segment: (n / 10) as u32 + 1, offset: n as u32 });
    for n in 0..100 {
        let name = room(["lobby", "attic"][n as usize % 2]);
        assert_eq!(index.insert(&name, &[n as u8], item(n, n), 100, Place::Memory, |_, _| {}), Ok(()));
        assert!(index.set_place(&name, &item(n, n), at(n)));
    }
    assert!(!index.set_place(&room("lobby"), &item(1, 1), at(1)), "it is in another room");
    let found = index.in_segment(1, 99);
    assert_eq!(found.len(), 10);
    // Half of them are written anew.
    for (name, item, _) in found.iter().take(5) {
        assert!(index.set_place(name, item, at(500)));
    }
    assert_eq!(
        (index.in_segment(1, 99).len(), index.in_segment(1, 2).len(), index.in_segment(51, 99).len()),
        (5, 2, 5)
    );
    assert_eq!(index.forget_segments_before(3), 15);
    assert_eq!((index.messages().length, index.in_segment(1, 99).len()), (85, 0));
    let held = |index: &Index, n: u64, name: &str| {
        index.room(&room(name)).unwrap().find(&item(n, n)).is_some_and(|entry| entry.is_held())
    };
    for (name, item, _) in &found[..5] {
        assert!(index.room(name).unwrap().find(item).is_some_and(|entry| entry.is_held()));
    }
    assert!(!held(&index, 19, "attic") && held(&index, 20, "lobby"));
}

#[test]
fn what_lies_beyond_a_ceiling_is_forgotten_as_if_it_had_never_been() {
    let mut index = index(100, 1 << 20, 100, &["lobby"]);
    for stamp in [5, 6, 7, 100] {
        assert_eq!(say(&mut index, "lobby", b"ann", item(stamp, stamp)).0, Ok(()));
    }
    let mut left = 0;
    index.forget_beyond(6, |_, _| left += 1);
    assert_eq!((left, stamps(&index, "lobby", 9), index.messages().length), (2, [5, 6].to_vec(), 2));
    assert_eq!(say(&mut index, "lobby", b"ann", item(7, 7)).0, Ok(()));
    assert!(index.leave(&room("lobby")) && !index.leave(&room("lobby")));
    assert_eq!((index.messages().length, index.bytes().length), (0, 0));
}

#[test]
fn it_takes_less_than_64_bytes_a_message() {
    let mut index = index(10_000, 1 << 30, 2_000, &["lobby"]);
    for n in 0..30_000_u64 {
        let _ = say(&mut index, "lobby", &(n % 20).to_be_bytes(), item(n, n));
    }
    let per_message = index.memory_bytes() / 10_000;
    assert!(index.messages().length == 10_000 && per_message <= 64, "{per_message} bytes");
}

/// Any sequence of calls: what is counted is what is there, no bound is passed, and nothing that left comes back.
#[test]
fn bounds_and_floors_hold_under_any_sequence() {
    let mut state = 1_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..40 {
        let names = ["a", "b", "c"];
        let mut index = index(60, 6_000, 40, &names);
        let mut gone = BTreeSet::new();
        for n in 0..600 {
            let name = names[random(3) as usize];
            let stamp = if random(4) == 0 { random(5_000) } else { 1_000 + n * 5 };
            let new = item(stamp, random(50));
            let author = [random(4) as u8];
            let mut left = Vec::new();
            let said = index.insert(&room(name), &author, new, 50 + random(100) as u16, Place::Memory, |name, gone| {
                left.push((name.clone(), gone.item));
            });
            let key = (room(name), new);
            if said.is_ok() {
                assert!(!gone.contains(&key), "{new:?} came back");
            }
            gone.extend(left.iter().cloned());
            let held: usize = index.rooms().map(|(_, room)| room.entries().filter(|e| e.is_held()).count()).sum();
            let bytes: usize = index
                .rooms()
                .flat_map(|(_, room)| room.entries().filter(|e| e.is_held()).map(|e| usize::from(e.bytes())))
                .sum();
            let known: usize = index.rooms().map(|(_, room)| room.entries().filter(|e| !e.is_held()).count()).sum();
            assert_eq!((index.messages().length, index.bytes().length, index.known().length), (held, bytes, known));
            assert!(held <= 60 && bytes <= 6_000 && known <= 40);
            for (_, room) in index.rooms() {
                assert!(room.entries().map(|entry| entry.item()).collect::<Vec<_>>().is_sorted_by(|a, b| b < a));
                let authors: usize = (0..4_u8).map(|author| room.of_author(&[author]).0).sum();
                assert_eq!(authors, room.messages());
            }
            if random(100) == 0 {
                let all: Vec<_> = index.room(&room(name)).unwrap().entries().map(|entry| entry.item()).collect();
                if let Some(item) = all.get(random(all.len().max(1) as u64) as usize) {
                    index.set_place(&room(name), item, Place::Log(LogPlace { segment: n as u32, offset: 0 }));
                }
                index.forget_segments_before(n as u32 / 2);
            }
        }
    }
}
