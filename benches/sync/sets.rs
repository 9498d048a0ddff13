//! Pairs of histories.

use std::collections::BTreeSet;
use stonechat::chat::sync::view::Items;
use stonechat::wire::sync::item::Item;

/// Messages of each history.
const COUNT: usize = 10_000;

/// A history, newest first.
#[derive(Clone, Default)]
pub struct Set(pub Vec<Item>);

impl Items for Set {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn item(&self, at: usize) -> Option<Item> {
        self.0.get(at).copied()
    }

    fn holds(&self, at: usize) -> bool {
        at < self.0.len()
    }

    fn since(&self) -> u64 {
        0
    }
}

/// Numbers that look random and are the same for the same seed (splitmix64, Steele and others 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A week of messages.
fn week(random: &mut Random) -> Vec<Item> {
    let mut items: BTreeSet<Item> = BTreeSet::new();
    while items.len() < COUNT {
        let mut item = Item::before(1_790_000_000_000 + random.next() % (7 * 86_400_000));
        item.hash[..8].copy_from_slice(&random.next().to_le_bytes());
        item.hash[8..].copy_from_slice(&random.next().to_le_bytes());
        items.insert(item);
    }
    items.into_iter().collect()
}

/// What differs, the history that asks, and the other.
pub fn cases() -> Vec<(&'static str, Set, Set)> {
    let mut random = Random(7);
    let all = week(&mut random);
    let mut marked = BTreeSet::new();
    while marked.len() < 100 {
        marked.insert(random.next() as usize % COUNT);
    }
    let scattered = |half: usize| {
        let gone: BTreeSet<_> = marked.iter().enumerate().filter(|(n, _)| n % 2 == half).map(|(_, at)| *at).collect();
        Set(all.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, item)| *item).collect())
    };
    let (whole, without) = (Set(all.clone()), |count: usize| Set(all[count..].to_vec()));
    let newest = |half: usize| {
        let gone = |at: usize| at < 1_000 && at % 2 == half;
        Set(all.iter().enumerate().filter(|(at, _)| !gone(*at)).map(|(_, item)| *item).collect())
    };
    vec![
        ("0", whole.clone(), whole.clone()),
        ("1 newest, who asks lacks it", without(1), whole.clone()),
        ("1 newest, the other lacks it", whole.clone(), without(1)),
        ("100 newest, who asks lacks them", without(100), whole.clone()),
        ("100 scattered, half each", scattered(0), scattered(1)),
        ("1,000 newest, half each", newest(0), newest(1)),
        ("10,000, who asks has none", Set::default(), whole.clone()),
    ]
}
