//! One interface that we speak on: our addresses there, its timers and the answers that wait.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::net::rate::Bucket;

use super::{
    limits::{
        ANSWER_SPACING_MS, BUCKET_PAUSE_MS, JITTER_MS_MAX, JITTER_MS_MIN, OWN_REFRESH_S, TRUNCATED_MS,
        UNICAST_PER_SECOND_MAX, millis,
    },
    place::Place,
    responder::{Asked, OwnAddress},
    schedule::Schedule,
};

/// An answer that waits a moment, so that several hosts do not answer at once.
#[derive(Debug)]
struct Pending {
    asked: Asked,
    at: Instant,
    /// The asker has more to say about what it knows.
    asker: Option<SocketAddr>,
}

/// The state of one interface.
#[derive(Debug)]
pub(super) struct Link {
    pub place: Place,
    pub schedule: Schedule,
    /// Our addresses here, the best first.
    pub addresses: Vec<OwnAddress>,
    /// Others may hold records of ours.
    pub is_announced: bool,
    pending: Vec<Pending>,
    /// When each answer was last multicast. Both are bounded by the number of services.
    answered: Vec<(Asked, Instant)>,
    /// A change must take back what was announced, since go-libp2p ignores a known name's new TXT until its goodbye.
    pub retracts: bool,
    /// Packets that may be read.
    pub reading: Bucket,
    /// Answers that may be sent to a single host: whose address is so easily forged must not have us flood a third.
    pub unicast: Bucket,
}

impl Link {
    pub(super) fn new(place: Place, packets_per_second: u32, now: Instant) -> Self {
        Link {
            place,
            schedule: Schedule::new(now),
            addresses: Vec::new(),
            is_announced: false,
            pending: Vec::new(),
            answered: Vec::new(),
            retracts: false,
            reading: Bucket::new(packets_per_second, now),
            unicast: Bucket::new(UNICAST_PER_SECOND_MAX, now),
        }
    }

    /// Whether a packet may be read; if not, says when to come back.
    pub(super) fn check_reading(&mut self, now: Instant) -> Result<(), Instant> {
        let wait = self.reading.wait_for(1, now);
        // A tenth of a second's worth at once, but at least one: fewer wake-ups in a storm.
        if wait.is_zero() { Ok(()) } else { Err(now + wait.max(millis(BUCKET_PAUSE_MS))) }
    }

    /// Has an answer sent to all, soon.
    pub(super) fn answer_soon(
        &mut self,
        asked: Asked,
        truncated_by: Option<SocketAddr>,
        random: &mut fastrand::Rng,
        now: Instant,
    ) {
        let delay = match (truncated_by, asked.is_shared()) {
            (Some(_), _) => random.u64(TRUNCATED_MS),
            (None, true) => random.u64(JITTER_MS_MIN..=JITTER_MS_MAX),
            (None, false) => 0,
        };
        let at = (now + millis(delay)).max(self.answered_at(asked).map_or(now, |at| at + millis(ANSWER_SPACING_MS)));
        match self.pending.iter_mut().find(|it| it.asked == asked) {
            // Somebody else asks too and cannot be answered by what the first one knows.
            Some(pending) => (pending.at, pending.asker) = (pending.at.min(at), None),
            None => self.pending.push(Pending { asked, at, asker: truncated_by }),
        }
    }

    /// The asker, which said that more would follow, knows the answer.
    pub(super) fn forget_answer(&mut self, asked: Asked, asker: SocketAddr) -> bool {
        let before = self.pending.len();
        self.pending.retain(|it| it.asked != asked || it.asker != Some(asker));
        before > self.pending.len()
    }

    pub(super) fn forget_answers(&mut self) {
        self.pending.clear();
    }

    /// When the answer was last sent to all.
    pub(super) fn answered_at(&self, asked: Asked) -> Option<Instant> {
        self.answered.iter().find(|(it, _)| *it == asked).map(|(_, at)| *at)
    }

    /// The answer goes out to all now.
    pub(super) fn mark_answered(&mut self, asked: Asked, now: Instant) {
        self.pending.retain(|it| it.asked != asked);
        match self.answered.iter_mut().find(|(it, _)| *it == asked) {
            Some((_, at)) => *at = now,
            None => self.answered.push((asked, now)),
        }
    }

    /// An answer that is due: asked for, or about to be forgotten by those who do not ask (rust-libp2p asks every five
    /// minutes only).
    pub(super) fn due_answer(&self, now: Instant) -> Option<Asked> {
        let pending = self.pending.iter().find(|it| it.at <= now).map(|it| it.asked);
        pending.or_else(|| self.refreshes().find(|(_, at)| *at <= now).map(|(asked, _)| asked))
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Instant {
        let answers = self.pending.iter().map(|it| it.at).chain(self.refreshes().map(|(_, at)| at));
        answers.fold(self.schedule.next(), Instant::min)
    }

    fn refreshes(&self) -> impl Iterator<Item = (Asked, Instant)> {
        let services = self.answered.iter().filter(|(it, _)| matches!(it, Asked::Service(_)));
        let lasts = self.is_announced && !self.addresses.is_empty();
        services.filter(move |_| lasts).map(|(it, at)| (*it, *at + Duration::from_secs(OWN_REFRESH_S)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_at_a_pace() {
        let start = Instant::now();
        let place = Place { index: 2, name: "eth0".into(), is_loopback: false, ips: Vec::new() };
        let mut link = Link::new(place, 50, start);
        assert_eq!((0..1_000).filter(|_| link.reading.take(1, start)).count(), 50);
        let later = link.check_reading(start).unwrap_err();
        assert!(later > start && link.check_reading(later).is_ok());
        assert_eq!((0..1_000).filter(|_| link.reading.take(1, later)).count(), 5);
    }
}
