//! Connected peers: their numbers, what waits for each, and their connections.

use super::event::Speech;
use super::line::{Line, Queue, held};
use crate::base::meter::Meter;
use crate::gossip::{PeerIndex, Protocol, settings::PEERS_MAX};
use libp2p::{PeerId, swarm::ConnectionId};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// A connection of a peer.
#[derive(Debug)]
struct Wire {
    connection: ConnectionId,
    line: Arc<Line>,
    /// What was agreed on for our last stream there.
    stands: Option<Protocol>,
    /// That stream.
    speech: Option<Speech>,
}

/// A connected peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub id: PeerId,
    pub queue: Queue,
    wires: Vec<Wire>,
    /// The one we speak on.
    speaker: Option<(ConnectionId, Arc<Line>)>,
    /// What was agreed on when our last stream to it was opened.
    pub protocol: Option<Protocol>,
    /// It has said something on a stream of its own.
    pub has_spoken: bool,
}

impl Peer {
    /// Has what waits for it written.
    pub fn wake(&self) {
        self.speaker.iter().for_each(|(_, line)| line.wake());
    }

    /// From now on we speak on this connection, or on none. If our stream there stands already, what it is for.
    pub fn speak_on(&mut self, speaker: Option<ConnectionId>) -> Option<Protocol> {
        let before = self.speaker.take().map(|(connection, _)| connection);
        let mut stands = None;
        for wire in &mut self.wires {
            let speaks = Some(wire.connection) == speaker;
            wire.line.set_speaks(speaks);
            if speaks {
                self.speaker = Some((wire.connection, wire.line.clone()));
                stands = wire.stands.filter(|_| before != speaker);
                if stands.is_some() {
                    wire.speech.iter_mut().for_each(|speech| speech.since = Instant::now());
                }
            }
        }
        stands
    }

    /// Our stream on a connection stands. True if we speak there.
    pub fn on_stands(&mut self, connection: ConnectionId, protocol: Protocol) -> bool {
        let wire = self.wires.iter_mut().find(|wire| wire.connection == connection);
        if let Some(wire) = wire {
            let number = wire.speech.map_or(0, |speech| speech.number) + u64::from(protocol != Protocol::None);
            wire.speech = (number > 0).then(|| Speech { number, since: Instant::now() });
            wire.stands = Some(protocol);
        }
        self.speaker.as_ref().is_some_and(|(speaker, _)| *speaker == connection)
    }

    /// Our stream on the connection on which we speak.
    pub fn speech(&self) -> Option<Speech> {
        let (speaker, _) = self.speaker.as_ref()?;
        self.wires.iter().find(|wire| wire.connection == *speaker)?.speech
    }

    /// What is to be the first on our new stream waits.
    pub fn on_greeted(&self) {
        self.speaker.iter().for_each(|(_, line)| line.on_greeted());
    }

    pub fn line(&self, connection: ConnectionId) -> Option<&Line> {
        self.wires.iter().find(|wire| wire.connection == connection).map(|wire| &*wire.line)
    }

    pub fn forget(&mut self, connection: ConnectionId) {
        self.wires.retain(|wire| wire.connection != connection);
    }
}

/// All of them, by number and by id.
#[derive(Debug, Default)]
pub(super) struct Peers {
    places: Vec<Option<Peer>>,
    numbers: BTreeMap<PeerId, PeerIndex>,
    /// What the queues of those that left were: the most that waited in one, and what found no place.
    gone: [Meter; 2],
}

impl Peers {
    /// Whether one more may come.
    pub fn has_room(&self) -> bool {
        self.numbers.len() < PEERS_MAX
    }

    pub fn index(&self, id: &PeerId) -> Option<PeerIndex> {
        self.numbers.get(id).copied()
    }

    pub fn find(&self, index: PeerIndex) -> Option<&Peer> {
        self.places.get(usize::from(index.0))?.as_ref()
    }

    pub fn find_mut(&mut self, index: PeerIndex) -> Option<&mut Peer> {
        self.places.get_mut(usize::from(index.0))?.as_mut()
    }

    /// A peer's queue, if it is connected.
    pub fn queue(&self, id: &PeerId) -> Option<&Queue> {
        self.find(self.index(id)?).map(|peer| &peer.queue)
    }

    /// A connection of a peer stands: its number, and whether it is new.
    pub fn insert(&mut self, id: PeerId, connection: ConnectionId, line: Arc<Line>) -> (PeerIndex, bool) {
        let queue = line.queue().clone();
        let wire = Wire { connection, line, stands: None, speech: None };
        if let Some(index) = self.index(&id) {
            if let Some(peer) = self.find_mut(index) {
                peer.wires.push(wire);
            }
            return (index, false);
        }
        let free = self.places.iter().position(Option::is_none).unwrap_or(self.places.len());
        let index = PeerIndex(u16::try_from(free).unwrap_or(u16::MAX));
        let peer = Peer { id, queue, wires: vec![wire], speaker: None, protocol: None, has_spoken: false };
        match self.places.get_mut(free) {
            Some(place) => *place = Some(peer),
            None => self.places.push(Some(peer)),
        }
        self.numbers.insert(id, index);
        (index, true)
    }

    /// A peer is gone. Its number is free.
    pub fn remove(&mut self, id: &PeerId) -> Option<PeerIndex> {
        let index = self.numbers.remove(id)?;
        if let Some(peer) = self.places.get_mut(usize::from(index.0)).and_then(Option::take) {
            self.gone = together(self.gone, held(&peer.queue).meters().map(|(_, meter)| Meter { length: 0, ..meter }));
        }
        Some(index)
    }

    /// What waits: frames of ours and others' messages, in the fullest queue each.
    pub fn meters(&self) -> [Meter; 2] {
        let queues = self.places.iter().flatten().map(|peer| held(&peer.queue).meters().map(|(_, meter)| meter));
        queues.fold(self.gone, together)
    }
}

/// Of two queues, the fuller one and what both dropped.
fn together(one: [Meter; 2], other: [Meter; 2]) -> [Meter; 2] {
    let both = |one: Meter, other: Meter| Meter {
        length: one.length.max(other.length),
        capacity: one.capacity.max(other.capacity),
        high_water: one.high_water.max(other.high_water),
        drops: one.drops + other.drops,
    };
    let ([a, b], [c, d]) = (one, other);
    [both(a, c), both(b, d)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::{Frame, Kind, SendQueue};
    use crate::swarm::gossip::connection::tests::ids;
    use std::sync::Mutex;

    fn line() -> Arc<Line> {
        Arc::new(Line::new(Arc::new(Mutex::new(SendQueue::new(4, 4_000)))))
    }

    #[test]
    fn numbers_are_free_again_and_a_peer_is_counted_once() {
        let (mut peers, [(a, first), (b, second), (c, third)]) = (Peers::default(), ids());
        assert_eq!(peers.insert(a, first, line()), (PeerIndex(0), true));
        assert_eq!(peers.insert(a, second, line()), (PeerIndex(0), false));
        assert_eq!(peers.insert(b, third, line()), (PeerIndex(1), true));
        assert_eq!((peers.remove(&a), peers.remove(&a)), (Some(PeerIndex(0)), None));
        assert_eq!(peers.insert(c, first, line()), (PeerIndex(0), true));
        assert_eq!((peers.find(PeerIndex(1)).map(|peer| peer.id), peers.index(&a)), (Some(b), None));
    }

    #[test]
    fn we_speak_on_one_connection_and_what_was_dropped_stays_counted() {
        let (mut peers, [(a, first), (_, second), _]) = (Peers::default(), ids());
        let lines = [line(), line()];
        let (index, _) = peers.insert(a, first, lines[0].clone());
        peers.insert(a, second, lines[1].clone());
        for (speaker, speaks) in [(Some(second), [false, true]), (None, [false; 2]), (Some(first), [true, false])] {
            assert_eq!(peers.find_mut(index).unwrap().speak_on(speaker), None);
            assert_eq!(lines.each_ref().map(|line| line.speaks()), speaks);
        }
        let peer = peers.find_mut(index).unwrap();
        assert!(peer.on_stands(first, Protocol::V12) && !peer.on_stands(second, Protocol::V11));
        assert_eq!(peer.speak_on(Some(first)), None, "that is no news");
        assert_eq!(peer.speech().map(|speech| speech.number), Some(1));
        peer.on_stands(first, Protocol::V12);
        assert_eq!(peer.speech().map(|speech| speech.number), Some(2), "the one before broke");
        assert_eq!(peer.speak_on(Some(second)), Some(Protocol::V11), "it was opened when we spoke elsewhere");
        for _ in 0..3 {
            let _ = held(peers.queue(&a).unwrap()).push(Frame::of_kind(Kind::Control, [0; 9].as_slice().into()));
        }
        assert_eq!(peers.meters()[0], Meter { length: 2, capacity: 2, high_water: 2, drops: 1 });
        peers.remove(&a);
        assert_eq!(peers.meters()[0], Meter { length: 0, capacity: 2, high_water: 2, drops: 1 });
    }
}
