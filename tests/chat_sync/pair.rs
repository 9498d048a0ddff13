//! Two histories, and a comparison of them with every byte counted.

use crate::random::Random;
use std::collections::BTreeSet;
use stonechat::chat::sync::compare::Opening;
use stonechat::chat::sync::session::{self, Session};
use stonechat::chat::sync::view::Items;
use stonechat::wire::room::{RoomName, Topic};
use stonechat::wire::sync::frame::Request;
use stonechat::wire::sync::item::{Item, SessionKey, Tag};

/// A sorted list, newest first.
#[derive(Clone, Default, Debug)]
pub struct Set {
    pub items: Vec<Item>,
    pub since: u64,
}

impl Set {
    pub fn new(items: impl IntoIterator<Item = Item>) -> Self {
        let mut items: Vec<_> = items.into_iter().collect();
        items.sort();
        items.dedup();
        Self { items, since: 0 }
    }

    /// Lets everything older go.
    pub fn forget_before(&mut self, since: u64) {
        self.items.retain(|item| item.stamp >= since);
        self.since = since;
    }
}

impl Items for Set {
    fn count(&self) -> usize {
        self.items.len()
    }

    fn item(&self, at: usize) -> Option<Item> {
        self.items.get(at).copied()
    }

    fn holds(&self, at: usize) -> bool {
        at < self.items.len()
    }

    fn since(&self) -> u64 {
        self.since
    }
}

pub fn item(stamp: u64, random: &mut Random) -> Item {
    let mut item = Item::before(stamp);
    item.hash[..8].copy_from_slice(&random.next().to_le_bytes());
    item.hash[8..].copy_from_slice(&random.next().to_le_bytes());
    item
}

/// A week of lines: so many, some in the same millisecond.
pub fn week(count: usize, random: &mut Random) -> Vec<Item> {
    (0..count).map(|_| item(1_790_000_000_000 + random.below(7 * 86_400_000), random)).collect()
}

pub fn topic() -> Topic {
    RoomName::new("lobby").unwrap().topic()
}

#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub up: usize,
    pub down: usize,
    pub rounds: usize,
    /// What the asking side lacks, and what the other does.
    pub need: BTreeSet<Item>,
    pub have: BTreeSet<Item>,
    /// In the order in which they came to light.
    pub order: Vec<Item>,
    pub longest: usize,
}

/// Compares to the end. Nothing is fetched between: both stay as they are.
pub fn compare(ours: &Set, theirs: &Set, limit: usize, opening: Opening, seed: u64) -> Outcome {
    let mut random = Random::new(!seed);
    let key = SessionKey([random.next(), random.next()]);
    let by_tag: std::collections::BTreeMap<Tag, Item> =
        theirs.items.iter().map(|item| (key.tag(item), *item)).collect();
    let mut session = Session::begin(ours, &topic(), key, limit, 0, opening).unwrap();
    let mut outcome = Outcome::default();
    while !session.request().is_empty() {
        let request = Request::decode(session.request()).unwrap();
        let mut response = vec![0; limit];
        let (used, _) = session::answer(theirs, &request, &mut response).unwrap();
        outcome.up += session.request().len();
        outcome.down += used;
        outcome.rounds += 1;
        outcome.longest = outcome.longest.max(session.request().len()).max(used);
        let page = session.handle_response(ours, &response[..used]).unwrap();
        assert!(page.need.len() <= 512 && page.have.len() <= 512);
        for tag in &page.need {
            let item = by_tag[tag];
            let span = page.span.unwrap();
            assert!(span.upper.is_none_or(|upper| upper <= item) && span.lower.is_none_or(|lower| item < lower));
            outcome.order.push(item);
            outcome.need.insert(item);
        }
        outcome.have.extend(page.have);
    }
    outcome
}

/// What each side lacks of the window that both have, as anybody would find out.
pub fn truth(ours: &Set, theirs: &Set) -> (BTreeSet<Item>, BTreeSet<Item>) {
    let since = ours.since.max(theirs.since);
    let window =
        |set: &Set| -> BTreeSet<Item> { set.items.iter().copied().filter(|item| item.stamp >= since).collect() };
    let (ours, theirs) = (window(ours), window(theirs));
    (theirs.difference(&ours).copied().collect(), ours.difference(&theirs).copied().collect())
}
