//! Any two histories, and any answer.

use crate::for_seeds;
use crate::pair::{Set, compare, item, topic, truth, week};
use crate::random::Random;
use negentropy::{Id, Negentropy, NegentropyStorageVector};
use std::collections::BTreeSet;
use stonechat::chat::sync::compare::{CompareError, Opening};
use stonechat::chat::sync::session::{self, Session, SessionError};
use stonechat::wire::bounds::STAMP_MAX;
use stonechat::wire::sync::error::DecodeError;
use stonechat::wire::sync::frame::{Refusal, Request, Response};
use stonechat::wire::sync::item::{Item, Print, SessionKey, Tag};
use stonechat::wire::sync::range::RangesWriter;

/// Two histories that have much in common, of a shape that the seed chooses.
fn two(random: &mut Random) -> (Set, Set) {
    let count = [0, 1, 30, 400, 3_000][random.index(5)];
    let mut all = match random.below(4) {
        // All in one millisecond, as in a room whose messages have no stamps of their own.
        0 => (0..count).map(|_| item(0, random)).collect(),
        1 => (0..count).map(|_| item(5 + random.below(3), random)).collect(),
        // Up to the very edge.
        2 => (0..count).map(|at| item(STAMP_MAX - at as u64 / 2, random)).collect(),
        _ => week(count, random),
    };
    all.sort();
    let (missing, clumps) = ([0, 1, 10, 50, 100][random.index(5)], random.below(2) == 0);
    let mut kept = |_: &Item| -> bool { !random.percent(missing) };
    let mut ours = Set::new(all.iter().copied().filter(&mut kept));
    let mut theirs = Set::new(all.iter().copied().filter(&mut kept));
    if clumps {
        let from = random.index(all.len() + 1);
        let gone: BTreeSet<Item> = all.iter().skip(from).take(random.index(200)).copied().collect();
        if random.below(2) == 0 { &mut ours } else { &mut theirs }.items.retain(|item| !gone.contains(item));
    }
    for set in [&mut ours, &mut theirs] {
        if random.below(3) == 0 && !all.is_empty() {
            let since = all[random.index(all.len())].stamp;
            set.forget_before(since);
        }
    }
    (ours, theirs)
}

#[test]
fn both_sides_learn_exactly_what_they_lack() {
    for_seeds(150, |seed| {
        let mut random = Random::new(seed);
        let (ours, theirs) = two(&mut random);
        let limit = [4_096, 5_000, 16_384][random.index(3)];
        let opening = [Opening::Digest, Opening::Newest][random.index(2)];
        let outcome = compare(&ours, &theirs, limit, opening, seed);
        assert_eq!((&outcome.need, &outcome.have), (&truth(&ours, &theirs).0, &truth(&ours, &theirs).1));
        // Where a page is full of what they lack, its end is compared again, and here nothing was fetched meanwhile.
        assert!(outcome.order.len() == outcome.need.len() || outcome.have.len() > 512, "none is named twice");
        assert!(outcome.longest <= limit);
        assert!(outcome.rounds <= 8 + (outcome.need.len() + outcome.have.len()) / 200, "{} rounds", outcome.rounds);
    });
}

#[test]
fn the_longest_list_meets_as_many_others_in_the_smallest_frame() {
    // One side has far more, so it lists, and the other has something of its own between all of that.
    for (many, few) in [(3_000, 1), (3_000, 700), (3_000, 1_400), (600, 299), (20_000, 9_000)] {
        let mut random = Random::new(many as u64 + few as u64);
        let (ours, theirs) = (Set::new(week(many, &mut random)), Set::new(week(few, &mut random)));
        for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
            for limit in [4_096, 16_384] {
                let outcome = compare(ours, theirs, limit, Opening::Newest, 1);
                assert_eq!((outcome.need, outcome.have), truth(ours, theirs));
                assert!(outcome.rounds <= 10 + (many + few) / 100, "{} rounds for {many} and {few}", outcome.rounds);
            }
        }
    }
}

#[test]
fn negentropy_finds_the_same() {
    for_seeds(60, |seed| {
        let mut random = Random::new(seed ^ 0xa5a5);
        let (mut ours, mut theirs) = two(&mut random);
        (ours.since, theirs.since) = (0, 0);
        let storage = |set: &Set| {
            let mut storage = NegentropyStorageVector::new();
            for item in &set.items {
                let mut id = [0; 32];
                id[..16].copy_from_slice(&item.hash);
                storage.insert(item.stamp, Id::from_byte_array(id)).unwrap();
            }
            storage.seal().unwrap();
            storage
        };
        let (mut asking, mut answering) =
            (Negentropy::owned(storage(&ours), 0).unwrap(), Negentropy::owned(storage(&theirs), 0).unwrap());
        let (mut have, mut need) = (Vec::new(), Vec::new());
        let mut request = asking.initiate().unwrap();
        loop {
            let response = answering.reconcile(&request).unwrap();
            match asking.reconcile_with_ids(&response, &mut have, &mut need).unwrap() {
                Some(next) => request = next,
                None => break,
            }
        }
        let hashes = |ids: Vec<Id>| -> BTreeSet<[u8; 16]> {
            ids.iter().map(|id| *id.as_bytes().first_chunk().unwrap()).collect()
        };
        let outcome = compare(&ours, &theirs, 16_384, Opening::Newest, seed);
        let of = |items: &BTreeSet<Item>| -> BTreeSet<[u8; 16]> { items.iter().map(|item| item.hash).collect() };
        assert_eq!((of(&outcome.need), of(&outcome.have)), (hashes(need), hashes(have)));
    });
}

#[test]
fn the_newest_come_first() {
    let mut random = Random::new(3);
    let all = Set::new(week(5_000, &mut random));
    let outcome = compare(&Set::default(), &all, 4_096, Opening::Newest, 1);
    assert_eq!(outcome.order, all.items, "an empty newcomer hears them in their order");
    // Where some are missing everywhere, a page is out of order by what one frame holds at most.
    let some = Set::new(all.items.iter().copied().filter(|_| random.percent(50)));
    let order = compare(&some, &all, 4_096, Opening::Newest, 1).order;
    let half = order.len() / 2;
    let newest: BTreeSet<_> = all.items.iter().filter(|item| !some.items.contains(item)).take(half).collect();
    let soon = order[..half].iter().filter(|item| newest.contains(item)).count();
    assert!(soon * 10 > half * 8, "{soon} of the newest {half} are in the first half");
}

#[test]
fn what_was_let_go_is_nobodys_concern() {
    let mut random = Random::new(4);
    let all = Set::new(week(2_000, &mut random));
    let mut short = all.clone();
    short.forget_before(all.items[500].stamp);
    for (ours, theirs) in [(&short, &all), (&all, &short)] {
        let outcome = compare(ours, theirs, 4_096, Opening::Newest, 1);
        assert_eq!((outcome.need.len(), outcome.have.len()), (0, 0));
        assert!(outcome.up + outcome.down < 1_000 && outcome.rounds <= 3, "{outcome:?}");
    }
}

#[test]
fn what_changes_in_between_does_no_harm() {
    for_seeds(60, |seed| {
        let mut random = Random::new(seed);
        let (mut ours, mut theirs) = two(&mut random);
        (ours.since, theirs.since) = (0, 0);
        let mut session = Session::begin(&ours, &topic(), SessionKey([seed, 1]), 4_096, 0, Opening::Newest).unwrap();
        let by_tag =
            |set: &Set, tag: Tag| set.items.iter().find(|item| SessionKey([seed, 1]).tag(item) == tag).copied();
        let mut rounds = 0;
        while !session.request().is_empty() {
            // Lines are said on both sides meanwhile, and the oldest go.
            for set in [&mut ours, &mut theirs] {
                let new = item(1_790_000_000_000 + random.below(7 * 86_400_000), &mut random);
                set.items.push(new);
                set.items.sort();
                if random.below(3) == 0 {
                    set.items.pop();
                }
            }
            let mut response = vec![0; 4_096];
            let request = Request::decode(session.request()).unwrap();
            let (used, _) = session::answer(&theirs, &request, &mut response).unwrap();
            let page = session.handle_response(&ours, &response[..used]).unwrap();
            for tag in page.need {
                let item = by_tag(&theirs, tag).expect("it was there a moment ago");
                assert!(!ours.items.contains(&item));
                ours.items.push(item);
            }
            theirs
                .items
                .extend(page.have.iter().filter(|item| !theirs.items.contains(item)).copied().collect::<Vec<_>>());
            ours.items.sort();
            theirs.items.sort();
            rounds += 1;
            assert!(rounds < 60);
        }
    });
}

/// What a hostile peer answers to a request.
type Hostile = fn(&mut Random, &Set, &[u8]) -> Vec<u8>;

fn frame(write: impl FnOnce(RangesWriter<'_>) -> usize) -> Vec<u8> {
    let mut out = vec![0; 4_096];
    let begun = Response::begin_compared(&mut out, 0).unwrap();
    let used = write(RangesWriter::new(&mut out, begun));
    out.truncate(used);
    out
}

fn print(random: &mut Random) -> Print {
    Print { count: random.below(1 << 20) as u32, sum: random.next() }
}

#[test]
fn a_peer_that_lies_is_left_after_a_bounded_number_of_rounds() {
    let endless_print: Hostile = |random, _, _| {
        let rest = print(random);
        frame(|writer| writer.finish(Some(rest)).unwrap())
    };
    let endless_parts: Hostile = |random, set, _| {
        frame(|mut writer| {
            let mut at = 0;
            while at + 40 < set.items.len() && writer.print(Some(set.items[at]), print(random)).is_ok() {
                at += 1 + random.index(40);
            }
            writer.finish(Some(print(random))).unwrap()
        })
    };
    let endless_lists: Hostile = |random, set, _| {
        frame(|mut writer| {
            let tags: Vec<_> =
                (0..400).map(|_| Tag::from_bytes(*random.next().to_le_bytes().first_chunk().unwrap())).collect();
            writer.list(Some(set.items[0]), tags.into_iter()).unwrap();
            writer.finish(Some(print(random))).unwrap()
        })
    };
    let wrong_differences: Hostile = |random, _, _| {
        frame(|mut writer| {
            let tags = || (0..200_u8).map(|n| Tag::from_bytes([n; 6])).collect::<Vec<_>>().into_iter();
            writer.difference(None, tags(), tags()).unwrap();
            writer.finish(Some(print(random))).unwrap()
        })
    };
    let noise: Hostile = |random, _, _| (0..random.index(300)).map(|_| random.next() as u8).collect();
    let oversized: Hostile = |_, _, _| vec![0; 16_385];
    let mirror: Hostile = |_, _, request| request.to_vec();
    let other_kind: Hostile = |_, _, _| vec![2, 0, 0];
    let since_ahead: Hostile = |_, _, _| {
        let mut out = vec![0; 64];
        let begun = Response::begin_compared(&mut out, STAMP_MAX).unwrap();
        let used = RangesWriter::new(&mut out, begun).finish(Some(Print { count: 9, sum: 9 })).unwrap();
        out.truncate(used);
        out
    };
    let refuses: Hostile = |_, _, _| vec![3, 1];
    type Expected = fn(&Result<(), SessionError>) -> bool;
    let peers: [(&str, Hostile, Expected); 10] = [
        ("prints for ever", endless_print, |end| *end == Err(SessionError::Endless)),
        ("parts for ever", endless_parts, |end| *end == Err(SessionError::Endless)),
        ("lists for ever", endless_lists, |end| *end == Err(SessionError::Endless)),
        ("differs from no list", wrong_differences, |_| true),
        ("noise", noise, |end| matches!(end, Err(SessionError::Decode(_)))),
        ("too long", oversized, |end| *end == Err(SessionError::Decode(DecodeError::FrameTooLong))),
        ("mirror", mirror, |end| end.is_err()),
        ("another kind", other_kind, |end| *end == Err(SessionError::NoAnswer)),
        ("begins in the future", since_ahead, |_| true),
        ("refuses", refuses, |end| *end == Err(SessionError::Refused(Refusal::Busy))),
    ];
    for_seeds(2, |seed| {
        let mut random = Random::new(seed);
        let set = Set::new(week(1_000, &mut random));
        for (name, peer, expected) in peers {
            let mut session = Session::begin(&set, &topic(), SessionKey([1, 2]), 4_096, 0, Opening::Newest).unwrap();
            let mut end = Ok(());
            while !session.request().is_empty() {
                let response = peer(&mut random, &set, session.request());
                match session.handle_response(&set, &response) {
                    Ok(page) => assert!(page.need.len() <= 512 && page.have.len() <= 512, "{name}"),
                    Err(error) => {
                        end = Err(error);
                        break;
                    }
                }
            }
            assert!(expected(&end), "{name}: {end:?}");
            assert!(session.rounds() <= session::ROUNDS_MAX, "{name}");
        }
    });
}

#[test]
fn a_peer_that_asks_nonsense_is_answered_or_refused_and_costs_one_frame() {
    let mut random = Random::new(9);
    let set = Set::new(week(500, &mut random));
    let session = Session::begin(&set, &topic(), SessionKey([1, 2]), 4_096, 0, Opening::Newest).unwrap();
    let (mut answered, mut refused) = (0, BTreeSet::new());
    for _ in 0..30_000 {
        let mut bytes = session.request().to_vec();
        for _ in 0..=random.below(3) {
            let at = random.index(bytes.len());
            match random.below(4) {
                0 => bytes.insert(at, random.next() as u8),
                1 => drop(bytes.remove(at)),
                _ => bytes[at] = [0, 0x7f, 0xff, random.next() as u8][random.index(4)],
            }
        }
        match Request::decode(&bytes) {
            Ok(request @ Request::Compare { .. }) => {
                let mut response = vec![0; 16_384];
                match session::answer(&set, &request, &mut response) {
                    Ok((used, _)) => {
                        assert!(Response::decode(&response[..used]).is_ok(), "{bytes:02x?}");
                        answered += 1;
                    }
                    Err(error) => assert_eq!(error, CompareError::NoAnswer),
                }
            }
            Ok(_) => {}
            Err(error) => drop(refused.insert(format!("{error:?}"))),
        }
    }
    assert!(answered > 3_000 && refused.len() >= 6, "{answered} {refused:?}");
}

#[test]
fn the_same_messages_have_other_prints_in_each_session() {
    // Somebody who chooses messages cannot aim at a print without the key.
    let mut random = Random::new(5);
    let set = Set::new(week(100, &mut random));
    let requests: BTreeSet<Vec<u8>> = (0..50)
        .map(|n| {
            let session = Session::begin(&set, &topic(), SessionKey([n, 7]), 4_096, 0, Opening::Digest).unwrap();
            session.request()[session.request().len() - 8..].to_vec()
        })
        .collect();
    assert_eq!(requests.len(), 50);
}
