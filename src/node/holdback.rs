//! Lines that came too soon: of somebody whose link to us died, brought by others before those that it said earlier.
//!
//! When a link is back, lines take several ways. Who said something while we could not be reached says it again as soon as it
//! reaches us, in order; meanwhile others, who reach us first, bring what it says now. That is held back for a moment, until
//! the author's own copies have come so far. Held back are only events: what came is kept and handed on at once.

use super::event::Event;
use libp2p::PeerId;
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// How long lines of somebody who is not back wait for it (milliseconds). Guess: others reached us, so it should soon.
pub const HELD_MS_MAX: u64 = 3_000;
/// How long somebody who is back may be silent until it has surely said everything again (milliseconds). Longer than it waits for
/// another peer that is slower.
pub const HELD_QUIET_MS: u64 = 3_000;
/// How long after its return lines are held back at most (milliseconds). Somebody who says a thousand lines again needs some
/// four seconds for them on a slow machine (`tests/netns_links.rs`).
pub const HELD_RETURN_MS_MAX: u64 = 8_000;
const _: () = assert!(HELD_QUIET_MS > super::outbox::HOLD_UP_MS_MAX && HELD_QUIET_MS < HELD_RETURN_MS_MAX);

/// Lines held back at most, of all together (lines); then those of whoever was first to have some are let go. Cost: some 500
/// bytes each (`boards/memory.rs` has the same number). Guess: as many as four neighbours offer at once to who is back.
pub const HELD_MAX: usize = 1_024;
const _: () = assert!(HELD_MAX >= 4 * crate::gossip::settings::OFFER_IDS_MAX);
/// Authors of whom lines may be held back. Guess: a full house of a large board.
pub const HELD_AUTHORS_MAX: usize = 64;

#[derive(Debug, Default)]
struct Author {
    /// Its link to us died: what it says again is in order, but not what it is asked for.
    is_lost: bool,
    held: VecDeque<(u64, Event)>,
    /// When nothing is held back any more; unknown while nothing came and it is not back.
    until: Option<Instant>,
    /// When that is at the latest, once it is back.
    last: Option<Instant>,
}

/// The lines, by author.
#[derive(Debug, Default)]
pub struct Holdback {
    authors: BTreeMap<PeerId, Author>,
    count: usize,
}

impl Holdback {
    /// The link to somebody in a room of ours died.
    pub fn on_lost(&mut self, author: PeerId) {
        if self.authors.len() < HELD_AUTHORS_MAX {
            self.authors.entry(author).or_default().is_lost = true;
        }
    }

    /// Others brought a line of somebody who is connected before its own copy came: what it said before may be under way still.
    /// That link may be dead without anybody knowing.
    pub fn on_overtaken(&mut self, author: PeerId) {
        if self.authors.len() < HELD_AUTHORS_MAX {
            self.authors.entry(author).or_default();
        }
    }

    /// An author's own copy came of a line that others brought before: what was held back up to it, if its link never died.
    pub fn on_repeated(&mut self, author: &PeerId, stamp: u64, now: Instant) -> Vec<Event> {
        match self.authors.get(author) {
            Some(it) if !it.is_lost => self.on_own(author, stamp, now),
            _ => Vec::new(),
        }
    }

    /// It is back in a room.
    pub fn on_returned(&mut self, author: &PeerId, now: Instant) {
        if let Some(author) = self.authors.get_mut(author)
            && author.last.is_none()
        {
            author.last = Some(now + Duration::from_millis(HELD_RETURN_MS_MAX));
            author.extend(now);
        }
    }

    /// A new line came, from the author itself if `is_own`: those to be shown now, in order.
    pub fn on_line(&mut self, author: &PeerId, is_own: bool, stamp: u64, event: Event, now: Instant) -> Vec<Event> {
        if !self.authors.contains_key(author) {
            return vec![event];
        }
        if is_own {
            let mut shown = self.on_own(author, stamp, now);
            shown.push(event);
            return shown;
        }
        let shown = if self.count >= HELD_MAX { self.let_one_go() } else { Vec::new() };
        let Some(held) = self.authors.get_mut(author) else { return shown.into_iter().chain([event]).collect() };
        held.until.get_or_insert(now + Duration::from_millis(HELD_MS_MAX));
        let at = held.held.partition_point(|(other, _)| *other <= stamp);
        held.held.insert(at, (stamp, event));
        self.count += 1;
        shown
    }

    /// The author itself said a line, maybe one that came before: what was held back of before it.
    pub fn on_own(&mut self, author: &PeerId, stamp: u64, now: Instant) -> Vec<Event> {
        let Some(author) = self.authors.get_mut(author) else { return Vec::new() };
        author.extend(now);
        let count = author.held.partition_point(|(other, _)| *other <= stamp);
        self.count -= count;
        author.held.drain(..count).map(|(_, event)| event).collect()
    }

    /// When lines are let go next.
    pub fn next_due(&self) -> Option<Instant> {
        self.authors.values().filter_map(|author| author.until).min()
    }

    /// Lines that waited long enough.
    pub fn due(&mut self, now: Instant) -> Vec<Event> {
        let due: Vec<PeerId> = {
            let is_due = |author: &Author| author.until.is_some_and(|until| until <= now);
            self.authors.iter().filter(|(_, author)| is_due(author)).map(|(peer, _)| *peer).collect()
        };
        due.iter().flat_map(|peer| self.forget(peer)).collect()
    }

    /// Holds back nothing of this author any more: what was held back.
    fn forget(&mut self, author: &PeerId) -> Vec<Event> {
        let held = self.authors.remove(author).unwrap_or_default().held;
        self.count -= held.len();
        held.into_iter().map(|(_, event)| event).collect()
    }

    fn let_one_go(&mut self) -> Vec<Event> {
        let holding = self.authors.iter().filter(|(_, author)| !author.held.is_empty());
        let first = holding.min_by_key(|(_, author)| author.until).map(|(peer, _)| *peer);
        first.map(|peer| self.forget(&peer)).unwrap_or_default()
    }
}

impl Author {
    /// It lives, and may have more to say again.
    fn extend(&mut self, now: Instant) {
        if let Some(last) = self.last {
            self.until = Some(last.min(now + Duration::from_millis(HELD_QUIET_MS)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stamp: u64) -> Event {
        Event::Missed { count: stamp }
    }

    fn stamps(events: Vec<Event>) -> Vec<u64> {
        let stamp = |event| if let Event::Missed { count } = event { Some(count) } else { None };
        events.into_iter().filter_map(stamp).collect()
    }

    struct Scene {
        held: Holdback,
        author: PeerId,
        start: Instant,
    }

    impl Scene {
        fn new() -> Self {
            Scene { held: Holdback::default(), author: PeerId::random(), start: Instant::now() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn hear(&mut self, is_own: bool, stamp: u64, ms: u64) -> Vec<u64> {
            let (author, now) = (self.author, self.at(ms));
            stamps(self.held.on_line(&author, is_own, stamp, line(stamp), now))
        }

        fn due(&mut self, ms: u64) -> Vec<u64> {
            stamps(self.held.due(self.at(ms)))
        }
    }

    #[test]
    fn what_others_bring_waits_for_what_was_said_before() {
        let mut scene = Scene::new();
        assert_eq!(scene.hear(false, 1, 0), [1], "nobody was lost");
        scene.held.on_lost(scene.author);
        assert_eq!(scene.held.next_due(), None, "a silence wakes nobody");
        assert!(scene.hear(false, 30, 100).is_empty() && scene.hear(false, 20, 110).is_empty());
        scene.held.on_returned(&scene.author.clone(), scene.at(500));
        assert_eq!(scene.hear(true, 10, 600), [10]);
        assert_eq!(scene.hear(true, 25, 700), [20, 25]);
        assert_eq!(stamps(scene.held.on_own(&scene.author.clone(), 30, scene.at(800))), [30], "its own copy came");
        assert!(scene.hear(false, 40, 900).is_empty());
        assert!(scene.due(800 + HELD_QUIET_MS - 1).is_empty());
        assert_eq!(scene.due(800 + HELD_QUIET_MS), [40]);
        assert_eq!(scene.hear(false, 60, 9_000), [60], "that was that");
    }

    #[test]
    fn who_does_not_come_back_is_waited_for_once_and_not_long() {
        let mut scene = Scene::new();
        scene.held.on_lost(scene.author);
        assert!(scene.hear(false, 2, 0).is_empty() && scene.hear(false, 1, 10).is_empty());
        assert_eq!(scene.held.next_due(), Some(scene.at(HELD_MS_MAX)));
        assert_eq!(scene.due(HELD_MS_MAX), [1, 2]);
        assert_eq!(scene.hear(false, 3, HELD_MS_MAX + 1), [3]);
    }

    #[test]
    fn who_talks_all_the_time_ends_it_as_well() {
        let mut scene = Scene::new();
        scene.held.on_lost(scene.author);
        scene.held.on_returned(&scene.author.clone(), scene.at(0));
        for ms in 1..HELD_RETURN_MS_MAX {
            assert_eq!(scene.hear(true, ms, ms), [ms]);
        }
        assert!(scene.due(HELD_RETURN_MS_MAX).is_empty());
        assert_eq!(scene.hear(false, HELD_RETURN_MS_MAX, HELD_RETURN_MS_MAX), [HELD_RETURN_MS_MAX]);
    }

    #[test]
    fn it_is_bounded() {
        let mut scene = Scene::new();
        scene.held.on_lost(scene.author);
        let held = (0..HELD_MAX as u64).rev().all(|stamp| scene.hear(false, stamp, 0).is_empty());
        assert!(held);
        let all: Vec<u64> = (0..=HELD_MAX as u64).collect();
        assert_eq!(scene.hear(false, HELD_MAX as u64, 1), all);
        assert_eq!(scene.held.count, 0);
        (0..2 * HELD_AUTHORS_MAX).for_each(|_| scene.held.on_lost(PeerId::random()));
        assert_eq!(scene.held.authors.len(), HELD_AUTHORS_MAX);
    }
}
