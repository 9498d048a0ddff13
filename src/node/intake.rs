//! What is taken of the gossip that a peer brings, before libp2p-gossipsub sees it: so much, and no more.
//!
//! libp2p-gossipsub 0.50.1 bounds what it remembers by time alone: message ids, records of who delivered what (120 s,
//! some 400 bytes each), ids it asked for, ids a peer does not want, answers to those who do not read. Whoever sends
//! fast enough fills any memory. So its scoring is off, its own caches are kept short, and what they were for is here,
//! bounded by number: ids seen, ids asked for, what a peer may ask, and which peers misbehaved.

use super::control::Control;
use crate::chat::seen::Seen;
use libp2p::{PeerId, gossipsub::MessageId};
use std::{
    collections::{BTreeMap, VecDeque},
    hash::Hash,
    time::{Duration, Instant},
};

/// Message ids remembered. Cost: 40 bytes each. As others offer what they have for three heartbeats, a few seconds of a
/// busy room are enough; the core remembers more, and in another way.
pub const SEEN_IDS_MAX: usize = 4_096;
/// Bytes of a message id: a peer id in base58 and a number in decimal are shorter. Others are not read.
pub const ID_BYTES_MAX: usize = 128;
/// Ids asked for and not delivered yet, of all peers. Each costs some 300 bytes. Guess: a few offers from each of a full
/// house.
pub const ASKED_IDS_MAX: usize = 1_024;
/// How long an id that was asked for is waited for. Guess: a slow link, three times over.
pub const ASKED_MS: u64 = 10_000;
/// How long two who say the same are heard once, where that makes it the same message.
pub const SAME_MS: u64 = 3_000;
/// Ids remembered for that.
pub const SAME_IDS_MAX: usize = 256;
/// Messages taken within [`TAKEN_MS`]. Guess: twice what a fast machine can verify.
pub const TAKEN_MAX: u32 = 4_096;
/// How long libp2p-gossipsub remembers an id: as short as it may, for each costs 250 bytes there.
pub const TAKEN_MS: u64 = 100;
/// GRAFTs and PRUNEs taken of one peer at once; later one in [`MESH_CHANGE_MS`]. A peer in all our rooms needs one a room.
pub const MESH_CHANGES_MAX: u32 = 48;
/// Time in which a peer may change its place in a mesh once more. Source: a tenth of the specification's back-off.
pub const MESH_CHANGE_MS: u64 = 6_000;
/// The same for all peers together, of which each may be many: gossipsub keeps a back-off for minutes.
pub const MESH_CHANGES_ALL_MAX: u32 = 512;
/// Time in which one more may come of anybody.
pub const MESH_CHANGE_ALL_MS: u64 = 250;
/// Longest back-off a PRUNE may ask for. Source: twice the specification's.
pub const BACKOFF_S_MAX: u64 = 120;
/// Ids a peer may offer at once, some of them new, and as many it may say that it does not want; later one in [`IDS_MS`]. gossipsub
/// keeps the latter for 3 s. More than one control message of ours or go's holds in a room of a hundred lines a second.
pub const IDS_MAX: u32 = 512;
/// Time in which one more may come.
pub const IDS_MS: u64 = 10;
/// From this much on nothing of a peer is heard and its connections are closed: a message that is none counts one.
pub const OFFENCES_MAX: f32 = 4.0;
/// Below this much it may come back.
pub const OFFENCES_FORGIVEN: f32 = 1.0;
/// Time in which half of it is forgotten. Source: what gossipsub's score did, a tenth in ten seconds.
pub const FORGET_HALF_S: f32 = 65.0;
/// What a GRAFT counts that comes too soon.
const GRAFT_TOO_SOON: f32 = 0.1;
/// Peers whose offences are remembered after they left. Guess: more than can connect in the time.
pub const OFFENDERS_MAX: usize = 256;

/// So many at once, and one more each so often.
#[derive(Debug)]
struct Allowance {
    left: u32,
    most: u32,
    every: Duration,
    at: Instant,
}

impl Allowance {
    fn new(most: u32, every_ms: u64, now: Instant) -> Self {
        Self { left: most, most, every: Duration::from_millis(every_ms), at: now }
    }

    fn take(&mut self, count: u32, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.at).as_millis() / self.every.as_millis().max(1);
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(gained).min(self.most);
        self.at = if self.left == self.most { now } else { self.at + self.every.saturating_mul(gained) };
        let there = self.left >= count;
        self.left -= if there { count } else { 0 };
        there
    }
}

/// How a peer behaved.
#[derive(Debug)]
struct Conduct {
    offences: f32,
    at: Instant,
    mesh: Allowance,
    offered: Allowance,
    unwanted: Allowance,
}

impl Conduct {
    fn new(now: Instant) -> Self {
        let mesh = Allowance::new(MESH_CHANGES_MAX, MESH_CHANGE_MS, now);
        let [offered, unwanted] = [(); 2].map(|()| Allowance::new(IDS_MAX, IDS_MS, now));
        Self { offences: 0.0, at: now, mesh, offered, unwanted }
    }

    fn offences(&self, now: Instant) -> f32 {
        let halves = now.saturating_duration_since(self.at).as_secs_f32() / FORGET_HALF_S;
        self.offences * (-halves).exp2()
    }

    fn offend(&mut self, weight: f32, now: Instant) {
        // No more than it takes to be shown out twice over: what is never forgiven is no punishment.
        self.offences = (self.offences(now) + weight).min(2.0 * OFFENCES_MAX);
        self.at = now;
    }
}

/// What was not taken, by name.
#[derive(Debug, Default, Clone, Copy)]
pub struct Dropped {
    /// Messages seen before.
    pub seen: u64,
    /// Messages above the number that is taken in a moment.
    pub too_many: u64,
    /// Everything of peers that misbehaved.
    pub offenders: u64,
    /// Control messages that ask too much.
    pub control: u64,
}

/// What was taken lately, and of whom.
#[derive(Debug)]
pub struct Intake {
    seen: Seen,
    /// Of messages that have the same name if they say the same: when they came.
    same: VecDeque<(Instant, MessageId)>,
    taken: (Instant, u32),
    asked: VecDeque<(Instant, MessageId)>,
    known: Vec<MessageId>,
    mesh: Allowance,
    conducts: BTreeMap<PeerId, Conduct>,
    left: VecDeque<(PeerId, Conduct)>,
    dropped: Dropped,
}

impl Intake {
    /// Nothing yet. The key is random.
    pub fn new(key: [u64; 2], now: Instant) -> Self {
        Self {
            seen: Seen::new(SEEN_IDS_MAX, key),
            same: VecDeque::new(),
            taken: (now, 0),
            asked: VecDeque::new(),
            known: Vec::new(),
            mesh: Allowance::new(MESH_CHANGES_ALL_MAX, MESH_CHANGE_ALL_MS, now),
            conducts: BTreeMap::new(),
            left: VecDeque::new(),
            dropped: Dropped::default(),
        }
    }

    /// What was not taken so far.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// A peer is connected.
    pub fn on_connected(&mut self, peer: PeerId, now: Instant) {
        let old = self.left.iter().position(|(left, _)| *left == peer).and_then(|at| self.left.remove(at));
        let conduct = old.map_or_else(|| Conduct::new(now), |(_, conduct)| conduct);
        self.conducts.entry(peer).or_insert(conduct);
    }

    /// It is connected no more. What it did is remembered for a while.
    pub fn on_disconnected(&mut self, peer: &PeerId, now: Instant) {
        let Some(conduct) = self.conducts.remove(peer) else { return };
        self.left.retain(|(_, conduct)| conduct.offences(now) >= OFFENCES_FORGIVEN);
        if conduct.offences(now) < OFFENCES_FORGIVEN {
            return;
        }
        if self.left.len() >= OFFENDERS_MAX {
            self.left.pop_front();
        }
        self.left.push_back((*peer, conduct));
    }

    /// A peer did wrong.
    pub fn offend(&mut self, peer: &PeerId, weight: f32, now: Instant) {
        if let Some(conduct) = self.conducts.get_mut(peer) {
            conduct.offend(weight, now);
        }
    }

    /// Whether a peer that left misbehaved too much and too lately to come back.
    pub fn is_shut_out(&self, peer: &PeerId, now: Instant) -> bool {
        self.left.iter().any(|(left, conduct)| left == peer && conduct.offences(now) >= OFFENCES_FORGIVEN)
    }

    /// Whether nothing of a connected peer is heard.
    pub fn is_deaf_to(&self, peer: &PeerId, now: Instant) -> bool {
        self.conducts.get(peer).is_some_and(|conduct| conduct.offences(now) >= OFFENCES_MAX)
    }

    /// A message of our own, or one taken, has this id. False if it was seen before; `same` says that others may have the
    /// same id, and then it is new again after [`SAME_MS`].
    pub fn note(&mut self, id: &MessageId, same: bool, now: Instant) -> bool {
        if !same {
            return self.seen.insert(&id.0);
        }
        let is_new = !self.is_same(id, now);
        if is_new {
            if self.same.len() >= SAME_IDS_MAX {
                self.same.pop_front();
            }
            self.same.push_back((now, id.clone()));
        }
        is_new
    }

    /// Whether something with this id, which several may have, was said a moment ago.
    pub fn is_same(&mut self, id: &MessageId, now: Instant) -> bool {
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= Duration::from_millis(SAME_MS);
        while self.same.front().is_some_and(|(at, _)| is_old(at)) {
            self.same.pop_front();
        }
        self.same.iter().any(|(_, said)| said == id)
    }

    /// Whether a message with this id is taken: a new one, while there are not too many.
    pub fn take(&mut self, id: &MessageId, same: bool, now: Instant) -> bool {
        if now.saturating_duration_since(self.taken.0) >= Duration::from_millis(TAKEN_MS) {
            self.taken = (now, 0);
        }
        if self.taken.1 >= TAKEN_MAX {
            self.dropped.too_many += 1;
            return false;
        }
        let is_new = self.note(id, same, now);
        self.taken.1 += u32::from(is_new);
        self.dropped.seen += u64::from(!is_new);
        is_new
    }

    /// Something of a peer that is not listened to was thrown away.
    pub fn note_offender(&mut self) {
        self.dropped.offenders += 1;
    }

    /// Whether a control message of a peer is passed on.
    pub fn take_control(&mut self, peer: &PeerId, control: &impl Hash, now: Instant) -> bool {
        let taken = self.judge(peer, Control::read(control), now);
        self.dropped.control += u64::from(!taken);
        taken
    }

    fn judge(&mut self, peer: &PeerId, control: Control, now: Instant) -> bool {
        let is_long = |ids: &[Vec<u8>]| ids.iter().any(|id| id.len() > ID_BYTES_MAX);
        let Some(conduct) = self.conducts.get_mut(peer) else { return false };
        match control {
            Control::IHave { ids } => {
                if is_long(&ids) {
                    return false;
                }
                let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
                let (known, news): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| self.seen.contains(id));
                // What is all known, or too much to be asked for, is not passed on.
                if news.is_empty() || !conduct.offered.take(count, now) {
                    return false;
                }
                self.asked.extend(news.into_iter().map(|id| (now, MessageId(id))));
                self.known.extend(known.into_iter().map(MessageId));
                true
            }
            Control::IWant { ids } => !is_long(&ids),
            Control::IDontWant { ids } => {
                let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
                !is_long(&ids) && conduct.unwanted.take(count, now)
            }
            Control::Graft => {
                let taken = conduct.mesh.take(1, now);
                if !taken {
                    conduct.offend(GRAFT_TOO_SOON, now);
                }
                taken && self.mesh.take(1, now)
            }
            Control::Prune { backoff_s } => {
                let is_short = backoff_s.is_none_or(|seconds| seconds <= BACKOFF_S_MAX);
                is_short && conduct.mesh.take(1, now) && self.mesh.take(1, now)
            }
            Control::Other => true,
        }
    }

    /// An id in what is passed on that is known here and maybe not to gossipsub, which would ask for it.
    pub fn pop_known(&mut self) -> Option<MessageId> {
        self.known.pop()
    }

    /// An id that was asked for so long ago, or so many ago, that nobody waits for it any more.
    pub fn pop_asked(&mut self, now: Instant) -> Option<MessageId> {
        let (at, _) = self.asked.front()?;
        let is_old = now.saturating_duration_since(*at) >= Duration::from_millis(ASKED_MS);
        let popped = (is_old || self.asked.len() > ASKED_IDS_MAX).then(|| self.asked.pop_front())?;
        popped.map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests;
