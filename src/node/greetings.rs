//! Who has been greeted: whose hello is waited for, what each peer was told last, and who says too much.

use crate::wire::room::RoomName;
use libp2p::{PeerId, request_response::OutboundRequestId};
use std::time::{Duration, Instant};

/// Milliseconds that a peer's hello is waited for after it connected. Until then it is in no room of ours, so that what
/// we say has the right time when it is the first to hear it. Guess: a slow link, twice over.
pub const HELLO_WAIT_MS: u64 = 1_000;
/// Milliseconds between two hellos of ours to one peer.
pub const HELLO_PAUSE_MS: u64 = 1_000;
/// Milliseconds between two looks at whether there is something new to tell.
pub const HELLO_LOOK_MS: u64 = 1_000;
/// How far our time has to move before it is told anew, in ms. Guess: what nobody sees on a clock.
pub const HELLO_STEP_MS: u64 = 2_000;
/// Hellos and refusals taken of one peer in a minute; more are not answered. Guess: a clock that learns and loses the time
/// again and again, as fast as hellos may follow each other for half a minute.
pub const HELLO_PER_MINUTE_MAX: u32 = 30;
/// Times that a hello is sent again whose connection gave way to another.
const HELLO_TRIES_MAX: u32 = 3;

/// What we tell others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Telling {
    /// The time less our monotonic clock, if there is any notion of it.
    pub offset_ms: Option<i64>,
    /// How far it is vouched for.
    pub level: u8,
    /// Our nickname.
    pub nick: String,
}

impl Telling {
    /// Whether who was told `self` should hear `other`.
    fn differs(&self, other: &Telling) -> bool {
        let is_near = match (self.offset_ms, other.offset_ms) {
            (Some(one), Some(other)) => one.abs_diff(other) <= HELLO_STEP_MS,
            (one, other) => one == other,
        };
        !is_near || self.level != other.level || self.nick != other.nick
    }
}

/// A connected peer.
#[derive(Debug)]
struct Greeting {
    /// Until when its hello is waited for.
    waits: Option<Instant>,
    /// Rooms of ours it is in, for when that is over.
    rooms: Vec<RoomName>,
    /// Whether it has the protocol, as far as we know.
    speaks: bool,
    /// Our request that waits for its answer, and since when.
    asked: Option<(OutboundRequestId, Instant)>,
    tries: u32,
    /// What it was told last, and when.
    told: Option<(Instant, Telling)>,
    /// What it said since when.
    heard: (Instant, u32),
}

/// Every connected peer: few, so that to look through them costs less than the code of a map.
#[derive(Debug)]
pub(super) struct Greetings {
    peers: Vec<(PeerId, Greeting)>,
    /// Since when somebody's hello is waited for without a pause.
    waiting_since: Option<Instant>,
    /// Before this there is no look whether something is new, but if it is wanted.
    look: Instant,
    wanted: Option<Instant>,
}

impl Greetings {
    pub fn new(now: Instant) -> Self {
        Self { peers: Vec::new(), waiting_since: None, look: now, wanted: None }
    }

    /// A peer's first connection stands.
    pub fn on_connected(&mut self, peer: PeerId, now: Instant) {
        let waits = Some(now + Duration::from_millis(HELLO_WAIT_MS));
        let (rooms, heard) = (Vec::new(), (now, 0));
        let greeting = Greeting { waits, rooms, speaks: true, asked: None, tries: 0, told: None, heard };
        self.peers.retain(|(other, _)| *other != peer);
        self.peers.push((peer, greeting));
        self.waiting_since.get_or_insert(now);
    }

    /// Its last connection is gone.
    pub fn on_disconnected(&mut self, peer: &PeerId) {
        self.peers.retain(|(other, _)| other != peer);
        self.note_waiting();
    }

    fn of(&mut self, peer: &PeerId) -> Option<&mut Greeting> {
        self.peers.iter_mut().find(|(other, _)| other == peer).map(|(_, greeting)| greeting)
    }

    /// It is in a room of ours: true if that is to be told later, once its hello is here or waited for in vain.
    pub fn defer(&mut self, peer: &PeerId, room: &RoomName) -> bool {
        let Some(greeting) = self.of(peer).filter(|greeting| greeting.waits.is_some()) else { return false };
        if !greeting.rooms.contains(room) {
            greeting.rooms.push(room.clone());
        }
        true
    }

    /// It is not, any more.
    pub fn forget_room(&mut self, peer: &PeerId, room: &RoomName) {
        if let Some(greeting) = self.of(peer) {
            greeting.rooms.retain(|other| other != room);
        }
    }

    /// Whether what is said in a room waits for the hello of somebody there. Whoever comes and says none, again and again,
    /// holds nothing up for long.
    pub fn holds(&self, room: &RoomName, now: Instant) -> bool {
        let is_long = |since| now.saturating_duration_since(since) >= Duration::from_millis(HELLO_WAIT_MS);
        !self.waiting_since.is_some_and(is_long)
            && self.peers.iter().any(|(_, greeting)| greeting.waits.is_some() && greeting.rooms.contains(room))
    }

    /// Its hello is here, or there will be none: the rooms it is in.
    pub fn on_greeted(&mut self, peer: &PeerId) -> Vec<RoomName> {
        let Some(greeting) = self.of(peer) else { return Vec::new() };
        greeting.waits = None;
        let rooms = std::mem::take(&mut greeting.rooms);
        self.note_waiting();
        rooms
    }

    /// It does not have the protocol: the rooms it is in.
    pub fn on_stranger(&mut self, peer: &PeerId) -> Vec<RoomName> {
        if let Some(greeting) = self.of(peer) {
            greeting.speaks = false;
        }
        self.on_greeted(peer)
    }

    /// Whether something can be said to it.
    pub fn speaks(&self, peer: &PeerId) -> bool {
        self.peers.iter().any(|(other, greeting)| other == peer && greeting.speaks)
    }

    /// Those whose hello was waited for in vain.
    pub fn due(&self, now: Instant) -> Vec<PeerId> {
        let is_due = |greeting: &Greeting| greeting.waits.is_some_and(|until| until <= now);
        self.peers.iter().filter(|(_, greeting)| is_due(greeting)).map(|(peer, _)| *peer).collect()
    }

    /// Whether it is time to look for who is to be told something; afterwards, later.
    pub fn is_look_due(&mut self, now: Instant) -> bool {
        let is_due = self.look <= now || self.wanted.is_some_and(|at| at <= now);
        if is_due {
            (self.look, self.wanted) = (now + Duration::from_millis(HELLO_LOOK_MS), None);
        }
        is_due
    }

    /// There may be something new to tell then.
    pub fn look_at(&mut self, at: Instant) {
        self.wanted = Some(self.wanted.map_or(at, |wanted| wanted.min(at)));
    }

    /// Who is to be told this now. If it is too soon for some, the next look is when it is not.
    pub fn untold(&mut self, telling: &Telling, now: Instant) -> Vec<PeerId> {
        let (mut due, mut wanted) = (Vec::new(), self.wanted);
        for (peer, greeting) in &self.peers {
            let Some((at, told)) = greeting.told.as_ref().filter(|_| greeting.speaks && greeting.asked.is_none())
            else {
                continue;
            };
            let again = *at + Duration::from_millis(HELLO_PAUSE_MS);
            match told.differs(telling) {
                true if again <= now => due.push(*peer),
                true => wanted = Some(wanted.map_or(again, |at: Instant| at.min(again))),
                false => {}
            }
        }
        self.wanted = wanted;
        due
    }

    /// It was told this, by a request if there is one.
    pub fn note_told(&mut self, peer: &PeerId, telling: Telling, request: Option<OutboundRequestId>, now: Instant) {
        if let Some(greeting) = self.of(peer) {
            greeting.told = Some((now, telling));
            if let Some(request) = request {
                greeting.asked = Some((request, now));
            }
        }
    }

    /// A request is over: how long it took, if it was a hello of ours.
    pub fn on_answer(&mut self, peer: &PeerId, request: OutboundRequestId, now: Instant) -> Option<Duration> {
        let greeting = self.of(peer)?;
        let (_, since) = greeting.asked.take_if(|(asked, _)| *asked == request)?;
        Some(now.saturating_duration_since(since))
    }

    /// Whether a hello that was lost is to be sent again.
    pub fn try_again(&mut self, peer: &PeerId) -> bool {
        let Some(greeting) = self.of(peer) else { return false };
        greeting.tries += 1;
        greeting.tries <= HELLO_TRIES_MAX
    }

    /// Whether one more request of this peer is taken.
    pub fn may_hear(&mut self, peer: &PeerId, now: Instant) -> bool {
        let Some(greeting) = self.of(peer) else { return false };
        let (since, count) = &mut greeting.heard;
        if now.saturating_duration_since(*since) >= Duration::from_secs(60) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= HELLO_PER_MINUTE_MAX
    }

    /// When something is due next. To look whether the clock has moved needs no wake-up of its own.
    pub fn next_due(&self) -> Option<Instant> {
        self.peers.iter().filter_map(|(_, greeting)| greeting.waits).chain(self.wanted).min()
    }

    fn note_waiting(&mut self) {
        if !self.peers.iter().any(|(_, greeting)| greeting.waits.is_some()) {
            self.waiting_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telling(offset_ms: Option<i64>, level: u8) -> Telling {
        Telling { offset_ms, level, nick: "ann".into() }
    }

    fn room(name: &str) -> RoomName {
        name.parse().expect("a room's name")
    }

    const WAIT: Duration = Duration::from_millis(HELLO_WAIT_MS);

    #[test]
    fn rooms_are_told_once_a_peer_is_greeted() {
        let (now, peer, lobby, attic) = (Instant::now(), PeerId::random(), room("lobby"), room("attic"));
        let mut greetings = Greetings::new(now);
        assert!(!greetings.defer(&peer, &lobby), "nobody is waited for");
        greetings.on_connected(peer, now);
        assert!(greetings.defer(&peer, &lobby) && greetings.defer(&peer, &lobby) && greetings.defer(&peer, &attic));
        greetings.forget_room(&peer, &attic);
        assert!(greetings.holds(&lobby, now) && !greetings.holds(&attic, now));
        assert_eq!(greetings.on_greeted(&peer), std::slice::from_ref(&lobby));
        assert!(!greetings.holds(&lobby, now) && !greetings.defer(&peer, &lobby) && greetings.speaks(&peer));
        assert!(greetings.on_greeted(&peer).is_empty() && greetings.due(now + 2 * WAIT).is_empty());
        greetings.on_disconnected(&peer);
        assert!(!greetings.speaks(&peer));
    }

    #[test]
    fn a_hello_is_waited_for_so_long_and_strangers_hold_nothing_up() {
        let (now, lobby) = (Instant::now(), room("lobby"));
        let mut greetings = Greetings::new(now);
        let first = PeerId::random();
        greetings.on_connected(first, now);
        greetings.defer(&first, &lobby);
        assert_eq!((greetings.due(now), greetings.next_due()), (vec![], Some(now + WAIT)));
        assert_eq!(greetings.due(now + WAIT), [first]);
        // One more comes each time, and none of them says hello.
        for at in 1..20 {
            let (at, peer) = (now + at * WAIT / 2, PeerId::random());
            greetings.on_connected(peer, at);
            greetings.defer(&peer, &lobby);
            assert_eq!(greetings.holds(&lobby, at), at < now + WAIT);
        }
        greetings.due(now + 20 * WAIT).iter().for_each(|peer| drop(greetings.on_stranger(peer)));
        assert!(!greetings.speaks(&first) && greetings.next_due().is_none());
    }

    #[test]
    fn what_is_new_is_told_and_not_too_often() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let pause = Duration::from_millis(HELLO_PAUSE_MS);
        let mut greetings = Greetings::new(now);
        greetings.on_connected(peer, now);
        assert!(greetings.untold(&telling(None, 0), now).is_empty(), "the first is said by who dialled");
        greetings.note_told(&peer, telling(Some(0), 1), None, now);
        let near = telling(Some(HELLO_STEP_MS as i64), 1);
        assert!(greetings.untold(&near, now + pause).is_empty());
        let far = Some(HELLO_STEP_MS as i64 + 1);
        for news in [telling(far, 1), telling(None, 1), telling(Some(0), 2), Telling { nick: String::new(), ..near }] {
            greetings.wanted = None;
            assert!(greetings.untold(&news, now).is_empty(), "too soon");
            assert_eq!(greetings.wanted, Some(now + pause));
            assert!(!greetings.is_look_due(now - pause) && greetings.is_look_due(now + pause));
            assert_eq!(greetings.untold(&news, now + pause), [peer]);
        }
        let request = request();
        greetings.note_told(&peer, telling(Some(0), 1), Some(request), now);
        assert!(greetings.untold(&telling(far, 1), now + pause).is_empty(), "the answer is not here");
        assert_eq!(greetings.on_answer(&peer, request, now + pause), Some(pause));
        assert_eq!(greetings.on_answer(&peer, request, now + pause), None);
        assert_eq!(greetings.untold(&telling(far, 1), now + pause), [peer]);
        greetings.on_stranger(&peer);
        assert!(greetings.untold(&telling(far, 1), now + pause).is_empty());
        assert!((0..HELLO_TRIES_MAX).all(|_| greetings.try_again(&peer)) && !greetings.try_again(&peer));
    }

    /// A request as libp2p numbers them.
    fn request() -> OutboundRequestId {
        crate::node::hello::behaviour().send_request(&PeerId::random(), Default::default())
    }

    #[test]
    fn a_peer_is_heard_so_often_in_a_minute() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut greetings = Greetings::new(now);
        assert!(!greetings.may_hear(&peer, now), "it is not connected");
        greetings.on_connected(peer, now);
        assert!((0..HELLO_PER_MINUTE_MAX).all(|_| greetings.may_hear(&peer, now)) && !greetings.may_hear(&peer, now));
        assert!(greetings.may_hear(&peer, now + Duration::from_secs(60)));
    }
}
