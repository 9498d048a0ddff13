//! How many bytes it takes, both ways, with 10,000 messages.

use crate::pair::{Set, compare, item, truth, week};
use crate::random::Random;
use stonechat::chat::sync::compare::Opening;

const LIMIT: usize = 16 * 1024;

fn bytes(name: &str, ours: &Set, theirs: &Set, opening: Opening) -> usize {
    let outcome = compare(ours, theirs, LIMIT, opening, 1);
    assert_eq!((outcome.need, outcome.have), truth(ours, theirs));
    println!("{name:<40} {:>6} + {:>6} bytes, {} rounds", outcome.up, outcome.down, outcome.rounds);
    outcome.up + outcome.down
}

#[test]
fn goals() {
    let mut random = Random::new(7);
    let all = Set::new(week(10_000, &mut random));
    assert_eq!(all.items.len(), 10_000);
    let without = |gone: std::ops::Range<usize>| {
        Set::new(all.items.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, item)| *item))
    };
    let newest = Opening::Newest;
    assert!(bytes("none differ, a digest", &all, &all, Opening::Digest) <= 64);
    assert!(bytes("none differ", &all, &all, newest) <= 256);
    assert!(bytes("newest, we lack it", &without(0..1), &all, newest) <= 600);
    assert!(bytes("newest, they lack it", &all, &without(0..1), newest) <= 600);
    assert!(bytes("newest, we lack it, after a digest", &without(0..1), &all, Opening::Digest) <= 600);
    assert!(bytes("100 newest, we lack them", &without(0..100), &all, newest) <= 2_560);
    assert!(bytes("100 newest, they lack them", &all, &without(0..100), newest) <= 2_560);
    let mut marks: Vec<usize> = (0..10_000).collect();
    random.shuffle(&mut marks);
    let scattered = |marks: &[usize]| {
        Set::new(all.items.iter().enumerate().filter(|(at, _)| !marks.contains(at)).map(|(_, item)| *item))
    };
    let (ours, theirs) = (scattered(&marks[..50]), scattered(&marks[50..100]));
    assert!(bytes("100 scattered, half each", &ours, &theirs, newest) <= 30 * 1_024);
    assert!(bytes("100 scattered, half each, after a digest", &ours, &theirs, Opening::Digest) <= 30 * 1_024);
    let mut fresh: Vec<_> = all.items.clone();
    let (mut ours, mut theirs) = (fresh.clone(), fresh.clone());
    fresh.clear();
    for n in 0..1_000 {
        let new = item(1_790_700_000_000 + n * 1_000, &mut random);
        if n % 2 == 0 { ours.push(new) } else { theirs.push(new) }
    }
    bytes("1,000 newest, half each", &Set::new(ours), &Set::new(theirs), newest);
    let empty = Set::default();
    assert!(bytes("all, we have none", &empty, &all, newest) <= 10 * 10_000);
    assert!(bytes("all, they have none", &all, &empty, newest) <= 10 * 10_000);
}
