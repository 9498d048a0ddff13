//! Our lines in one room, numbered in the order in which they were said: first those that were handed out and may not have
//! arrived everywhere, then those that wait.
//!
//! Saying again is going back: what is handed out next is an earlier line, and those after it follow in their order. So
//! no line ever overtakes another one.

use super::{
    line::Line,
    marks::Marks,
    reader::{Reader, Standing, TRUST_MS},
};
use libp2p::PeerId;
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// How long before somebody came a line may have been said that is said again (milliseconds): until a peer has named its
/// rooms on a connection it is handed nothing, and over a bad link, with dials that cross and connections that are
/// replaced, that takes seconds. Source: the time a connection has to be established, twice.
pub const RECENT_MS: u64 = 10_000;
/// Lines said again for that at most (lines). Guess.
pub const RECENT_MAX: u64 = 64;
/// How long the first to come waits for others (milliseconds): a room that many enter at once is told once.
pub const REPEAT_DELAY_MS: u64 = 1_000;
/// How long the first to be back waits for those that were lost with it (milliseconds), for what is said again all others hear,
/// too. Guess: when a link is back, all are dialled within that time.
pub const REUNION_MS_MAX: u64 = 1_000;
/// Peers lost within this time of each other were lost together (milliseconds): dead links are found out one by one. Source: a ping
/// to each begins within two seconds, and a connection takes one to close.
pub const TOGETHER_MS: u64 = 4_000;
/// How far back a line may have been dropped when a peer is reported as too slow (milliseconds). Guess: it is
/// reported at once, and behind a burst of lines.
pub const SLOW_MS: u64 = 2_500;

/// The lines, and who is to have them.
#[derive(Debug, Default)]
pub(super) struct Spool {
    lines: VecDeque<Line>,
    /// The number of the first line.
    first: u64,
    /// The number of the line that is handed out next.
    next: u64,
    bytes: usize,
    readers: BTreeMap<PeerId, Reader>,
    /// Somebody is back, and what is said waits until then for others who may be, too.
    reunion: Option<Instant>,
    /// How many lines were handed out until when.
    marks: Marks,
}

impl Spool {
    fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    fn line(&self, number: u64) -> Option<&Line> {
        self.lines.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The memory they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many wait to be handed out, for the first time or again.
    pub fn waiting(&self) -> usize {
        (self.end() - self.next) as usize
    }

    /// Whether anybody is there.
    pub fn has_readers(&self) -> bool {
        self.readers.values().any(Reader::is_there)
    }

    /// The peers, each with the number of lines that it may not have.
    pub fn owed(&self) -> impl Iterator<Item = (&PeerId, &Reader, usize)> {
        self.readers.iter().map(|(peer, reader)| (peer, reader, self.end().saturating_sub(reader.sure) as usize))
    }

    /// Adds a line that waits.
    pub fn push(&mut self, stamp: u64, data: &[u8], now: Instant) {
        let line = Line::new(stamp, data, now);
        self.bytes += line.bytes();
        self.lines.push_back(line);
    }

    /// Forgets the first line if somebody has it: whether somebody else was still to get it. None if nobody has it, or
    /// there is none.
    pub fn evict(&mut self) -> Option<bool> {
        self.lines.front().filter(|line| line.has_arrived)?;
        let is_owed = self.readers.values().any(|reader| reader.sure <= self.first);
        self.pop_front();
        Some(is_owed)
    }

    /// Forgets the last line.
    pub fn pop_back(&mut self) {
        let Some(line) = self.lines.pop_back() else { return };
        self.bytes -= line.bytes();
        self.next = self.next.min(self.end());
    }

    fn pop_front(&mut self) {
        let Some(line) = self.lines.pop_front() else { return };
        self.bytes -= line.bytes();
        self.first += 1;
        self.next = self.next.max(self.first);
        self.readers.values_mut().for_each(|reader| reader.sure = reader.sure.max(self.first));
    }

    /// The line to hand out now, if nobody holds it up who has as many as this under way.
    pub fn next(&mut self, under_way_max: u64, now: Instant) -> Option<&Line> {
        if self.reunion.is_some_and(|at| at > now) {
            return None;
        }
        let (next, handed) = (self.next, self.marks.handed());
        let (mut holding_up, mut ready) = (0, 0);
        for reader in self.readers.values_mut().filter(|reader| reader.keeps_up()) {
            let holds_up = reader.holds_up(handed - reader.confirmed, under_way_max, now);
            *(if holds_up { &mut holding_up } else { &mut ready }) += 1;
        }
        if holding_up > 0 && ready > 0 {
            self.readers.values_mut().for_each(|reader| reader.let_others_pass(now));
            holding_up = self.readers.values().filter(|reader| reader.holds_others_up()).count();
        }
        // Those behind would lose it.
        let is_wanted = ready > 0 || !self.has_readers();
        if holding_up > 0 || !is_wanted { None } else { self.line(next) }
    }

    /// That line was handed out to everyone who is there. Whether it was before.
    pub fn on_handed(&mut self, now: Instant) -> bool {
        let at = (self.next - self.first) as usize;
        let Some(line) = self.lines.get_mut(at) else { return false };
        let is_again = std::mem::replace(&mut line.is_handed, true);
        line.at = now;
        self.next += 1;
        self.marks.add(now);
        is_again
    }

    /// That line can never be handed out: nobody is to wait for it.
    pub fn on_refused(&mut self, now: Instant) {
        let at = (self.next - self.first) as usize;
        if let Some(line) = self.lines.get_mut(at) {
            (line.at, line.is_handed, line.has_arrived) = (now, true, true);
            self.next += 1;
        }
    }

    /// The lines that nobody can have, with the time at which each was stamped.
    pub fn unsaid(&self) -> impl Iterator<Item = (&[u8], Instant)> {
        let unsaid = self.lines.iter().rev().take_while(|line| !line.is_handed);
        unsaid.map(|line| (&*line.data, line.at))
    }

    /// Changes those, the oldest first. Where `change` gives nothing they stay.
    pub fn change(&mut self, now: Instant, mut change: impl FnMut(&[u8], Instant) -> Option<(u64, Box<[u8]>)>) {
        for line in self.lines.iter_mut().filter(|line| !line.is_handed) {
            if let Some((stamp, data)) = change(&line.data, line.at) {
                self.bytes = self.bytes - line.data.len() + data.len();
                (line.stamp, line.data, line.at) = (stamp, data, now);
            }
        }
    }

    /// Forgets all that was handed out.
    pub fn forget_handed(&mut self) {
        while self.first < self.next {
            self.pop_front();
        }
    }

    /// The first line that was said since then, of those handed out.
    fn said_since(&self, since: Option<Instant>, most: u64) -> u64 {
        let (mut number, least) = (self.next, self.next.saturating_sub(most).max(self.first));
        while number > least
            && let Some(line) = self.line(number - 1)
            && line.is_handed
            && since.is_none_or(|since| line.at >= since)
        {
            number -= 1;
        }
        number
    }

    /// A peer is in the room, on a connection that it was not in it before. One whose connection died is told at once what
    /// it may not have; another one what was said last, a moment later.
    pub fn on_entered(&mut self, peer: PeerId, now: Instant) {
        let recent = self.said_since(now.checked_sub(Duration::from_millis(RECENT_MS)), RECENT_MAX);
        let known = self.readers.remove(&peer).filter(|reader| reader.is_expected(now));
        let (sure, standing) = match known {
            Some(Reader { sure, standing: Standing::Away(lost), .. }) => {
                if sure < self.end() {
                    self.await_others(lost, now);
                }
                self.next = self.next.min(sure);
                (sure, Standing::Here)
            }
            // Whatever it was told on the connection before: that was another one.
            Some(Reader { sure, .. }) if sure.min(recent) < self.next => {
                (sure.min(recent), Standing::Coming(now + Duration::from_millis(REPEAT_DELAY_MS)))
            }
            None if recent < self.next => (recent, Standing::Coming(now + Duration::from_millis(REPEAT_DELAY_MS))),
            _ => (self.next, Standing::Here),
        };
        self.readers.insert(peer, Reader::new(sure, standing, self.marks.handed()));
    }

    /// Somebody is back who was lost at this time.
    fn await_others(&mut self, lost: Instant, now: Instant) {
        let is_expected = |reader: &Reader| match reader.standing {
            Standing::Away(at) => {
                at.max(lost).saturating_duration_since(at.min(lost)) < Duration::from_millis(TOGETHER_MS)
            }
            _ => false,
        };
        let is_waited_for = self.readers.values().any(is_expected);
        let until = now + Duration::from_millis(REUNION_MS_MAX);
        self.reunion = is_waited_for.then(|| self.reunion.unwrap_or(until));
    }

    /// When those who are back are told what they missed.
    pub fn reunion_due(&self) -> Option<Instant> {
        self.reunion.filter(|_| self.waiting() > 0)
    }

    /// Waits for nobody any longer, if it is time.
    pub fn end_reunion(&mut self, now: Instant) {
        self.reunion = self.reunion.filter(|at| *at > now);
    }

    /// When somebody who came is told what was said last.
    pub fn repeat_due(&self) -> Option<Instant> {
        let coming = self.readers.values().filter_map(|reader| match reader.standing {
            Standing::Coming(at) => Some(at),
            _ => None,
        });
        coming.min()
    }

    /// Tells them, if it is time. Whether there is something to say again.
    pub fn repeat(&mut self, now: Instant) -> bool {
        if self.repeat_due().is_none_or(|at| at > now) {
            return false;
        }
        for reader in self.readers.values_mut().filter(|reader| matches!(reader.standing, Standing::Coming(_))) {
            reader.standing = Standing::Here;
            self.next = self.next.min(reader.sure);
        }
        true
    }

    /// A peer has left the room.
    pub fn on_left(&mut self, peer: &PeerId, now: Instant) {
        if self.readers.remove(peer).is_some() {
            self.go_back_if_empty();
            self.trim(now);
        }
    }

    /// A peer's connection died: the stamps of those lines that were handed out to it and may not have arrived.
    pub fn on_lost(&mut self, peer: &PeerId, now: Instant) -> Vec<u64> {
        let Some(reader) = self.readers.get_mut(peer).filter(|reader| reader.is_there()) else { return Vec::new() };
        let sure = reader.sure;
        *reader = Reader::new(sure, Standing::Away(now), self.marks.handed());
        let stamps = (sure..self.next).filter_map(|number| self.line(number)).map(|line| line.stamp).collect();
        self.go_back_if_empty();
        stamps
    }

    /// With nobody there, what nobody surely has waits for somebody to come.
    fn go_back_if_empty(&mut self) {
        if !self.has_readers() {
            let unsent = self.lines.iter().position(|line| !line.has_arrived).unwrap_or(self.lines.len());
            self.next = self.next.min(self.first + unsent as u64);
        }
    }

    /// A peer has everything that was handed out before this time. Whether something is to be said again now that nothing
    /// is under way to it any more.
    pub fn on_confirmed(&mut self, peer: &PeerId, before: Instant, now: Instant) -> bool {
        let is_alone = self.readers.values().filter(|reader| reader.is_there()).count() == 1;
        let Some(reader) = self.readers.get_mut(peer) else { return false };
        (reader.asked, reader.trust) = (None, None);
        reader.confirmed = self.marks.handed_before(before).unwrap_or(0).max(reader.confirmed);
        let is_again = reader.may_catch_up(is_alone, now);
        if is_again {
            self.next = self.next.min(reader.sure);
        } else if reader.standing == Standing::Here {
            let mut sure = reader.sure;
            while sure < self.next
                && let Some(line) = self.lines.get_mut((sure - self.first) as usize)
                && line.was_handed_before(before)
            {
                line.has_arrived = true;
                sure += 1;
            }
            reader.is_sure_of(sure);
        }
        self.trim(now);
        is_again
    }

    /// A peer is too slow, and some of what was handed out lately was dropped.
    pub fn on_slow(&mut self, peer: &PeerId, now: Instant) {
        let since = self.said_since(now.checked_sub(Duration::from_millis(SLOW_MS)), u64::MAX);
        // Else it was something that others said.
        let is_missed = |reader: &&mut Reader| reader.keeps_up() && since < self.next;
        if let Some(reader) = self.readers.get_mut(peer).filter(is_missed) {
            reader.standing = Standing::Behind;
            reader.sure = reader.sure.min(since);
        }
    }

    /// Whom to ask for a sign of life, and when it is to begin: a while from now, or now if so many lines are under way that
    /// the next might have to wait.
    pub fn probes(&mut self, soon: Instant, many: u64, now: Instant) -> Vec<(PeerId, Instant)> {
        let handed = self.marks.handed();
        let mut probes = Vec::new();
        for (peer, reader) in self.readers.iter_mut().filter(|(_, reader)| reader.is_told()) {
            let under_way = handed - reader.confirmed;
            let at = if under_way >= many && reader.keeps_up() { now } else { soon };
            if (under_way > 0 || !reader.keeps_up()) && reader.asked.is_none_or(|asked| asked > at) {
                reader.asked = Some(at);
                probes.push((*peer, at));
            }
        }
        probes
    }

    /// A peer knows no ping: it is believed to have what was handed out before `begun`, after a while.
    pub fn on_no_ping(&mut self, peer: &PeerId, begun: Instant, now: Instant) {
        if let Some(reader) = self.readers.get_mut(peer).filter(|reader| reader.asked.is_some()) {
            reader.trust.get_or_insert((begun, now + Duration::from_millis(TRUST_MS)));
        }
    }

    /// When one of those is believed.
    pub fn trust_due(&self) -> Option<Instant> {
        self.readers.values().filter_map(|reader| reader.trust.map(|(_, at)| at)).min()
    }

    /// Believes them, if it is time. Whether something is to be said again.
    pub fn trust(&mut self, now: Instant) -> bool {
        let is_due = |reader: &Reader| reader.trust.filter(|(_, at)| *at <= now);
        let due: Vec<_> = self.readers.iter().filter_map(|(peer, it)| Some((*peer, is_due(it)?.0))).collect();
        due.into_iter().fold(false, |is_again, (peer, begun)| self.on_confirmed(&peer, begun, now) || is_again)
    }

    /// An answer came that says nothing of what arrived.
    pub fn on_answered(&mut self, peer: &PeerId) {
        if let Some(reader) = self.readers.get_mut(peer) {
            reader.asked = None;
        }
    }

    /// Forgets what everybody has and nobody who comes now would miss, and those who do not come back.
    pub fn trim(&mut self, now: Instant) {
        self.readers.retain(|_, reader| reader.is_expected(now));
        let readers = self.readers.values().filter(|reader| reader.is_there());
        self.marks.forget(readers.map(|reader| reader.confirmed).fold(self.marks.handed(), u64::min));
        let recent = now.checked_sub(Duration::from_millis(RECENT_MS));
        let needed = self.readers.values().map(|reader| reader.sure).fold(self.next, u64::min);
        let is_old = |line: &Line| recent.is_some_and(|recent| line.was_handed_before(recent));
        while self.first < needed && self.lines.front().is_some_and(is_old) {
            self.pop_front();
        }
    }
}
