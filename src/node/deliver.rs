//! Delivering what we say: handed out, kept until it has arrived, said again to whom it may not have reached.

use super::{
    event::{Event, UnsentEvent},
    handle::Refused,
    outbox::{Full, OUTBOX_TURN_LINES_MAX},
    state::Node,
    talk::refuse,
};
use crate::{chat::message::MessageId, gossip, swarm::gossip::PublishError, wire::room::RoomName};
use libp2p::PeerId;
use std::time::Instant;

/// Ids in one event that tells of lines that did not arrive (ids): as long as a few lines of chat. There are as many such
/// events as it takes.
pub const UNSENT_IDS_MAX: usize = 16;

impl Node {
    /// Hands a message to all who are in a room, or keeps it for later: false then.
    pub(super) fn hand_out_or_keep(&mut self, room: &RoomName, stamp: u64, data: &[u8]) -> Result<bool, Refused> {
        let now = Instant::now();
        // A line never overtakes one that waits for the same room, and waits for the hello of who is to hear it first.
        let is_first = self.outbox.waiting(room) == 0 && !self.is_held(room, now);
        if let Err(full) = self.outbox.push(room, stamp, data, now) {
            self.count(match full {
                Full::Lines(_) => "outbox full: lines",
                Full::Bytes(_) => "outbox full: bytes",
            });
            return Err(refuse(self.outbox_full(room, full)));
        }
        if !is_first || self.outbox.next(room, now).is_none() {
            return Ok(false);
        }
        match self.hand_out(room, data) {
            Ok(true) => {
                self.outbox.on_handed(room, now);
                self.probe(now);
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(refused) => {
                self.outbox.take_back(room);
                Err(refused)
            }
        }
    }

    /// Hands a message to all who are in a room. False if nobody could take it now.
    fn hand_out(&mut self, room: &RoomName, data: &[u8]) -> Result<bool, Refused> {
        let topic =
            self.topics.of(room).ok_or_else(|| refuse(PublishError::Refused(gossip::PublishError::NotJoined)))?;
        self.seqno += 1;
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let message = gossip.sign(topic, self.seqno, data).map_err(refuse)?;
        match gossip.publish(topic, &message) {
            Ok(_) => Ok(true),
            Err(PublishError::Nobody) => Ok(false),
            // Nobody took it: it is published anew, and counts once wherever it arrives twice.
            Err(PublishError::Full) => {
                self.count("publish: every queue full");
                Ok(false)
            }
            Err(PublishError::Refused(why)) => Err(refuse(why)),
        }
    }

    /// Whether what is said in a room waits for the hello of somebody there. Where our time is vouched for it is theirs.
    fn is_held(&self, room: &RoomName, now: Instant) -> bool {
        self.core.clock().time(self.now()).level == 0 && self.greetings.holds(room, now)
    }

    fn outbox_full(&self, room: &RoomName, full: Full) -> String {
        if self.peers.in_room(room.as_str()) == 0 {
            format!("nobody is in {room} and {full}; they go out when somebody comes")
        } else {
            format!("nobody in {room} reads as fast as this and {full}; try again soon")
        }
    }

    /// Sends what waits, in the order in which it was said, as far as somebody is there.
    pub(super) fn flush_outbox(&mut self, now: Instant) {
        let rooms = self.outbox.start_round(now);
        // Nothing leaves with a time that is known to be wrong.
        if !self.restamp_waiting() {
            return;
        }
        for room in rooms {
            for turn in 0.. {
                if self.is_held(&room, now) {
                    break;
                }
                let Some(data) = self.outbox.next(&room, now).map(|line| line.data.clone()) else { break };
                if turn >= OUTBOX_TURN_LINES_MAX {
                    self.outbox.go_on_soon(now);
                    break;
                }
                match self.hand_out(&room, &data) {
                    Ok(true) => self.outbox.on_handed(&room, now),
                    Ok(false) => break,
                    Err(error) => {
                        log::warn!("a waiting line for {room} could not be sent: {error}");
                        self.outbox.on_refused(&room, now);
                    }
                }
            }
        }
        self.probe(now);
    }

    /// When something of the outbox is due.
    pub(super) fn outbox_due(&self) -> Option<Instant> {
        self.outbox.next_due(|room| self.peers.in_room(room.as_str()) > 0)
    }

    /// Does what is due of the outbox.
    pub(super) fn do_outbox(&mut self, now: Instant) {
        if self.outbox_due().is_some_and(|at| at <= now) {
            self.outbox.do_due(now);
            self.flush_outbox(now);
        }
    }

    /// Asks those for a sign of life who may not have what was handed out.
    fn probe(&mut self, now: Instant) {
        for (peer, at) in self.outbox.probes(now) {
            let behaviour = self.swarm.behaviour_mut();
            // Also on those beside the one in use: while one of them is not known to be dead, the peer is not.
            for connection in behaviour.gossip.connections(&peer) {
                behaviour.ping.ping_at(peer, connection, at);
            }
        }
    }

    /// A peer answered a ping on the connection in use that began at `begun`. `is_fence` what was sent before was on its way.
    pub(super) fn on_alive(&mut self, peer: PeerId, begun: Instant, is_fence: bool, now: Instant) {
        let speech = self.swarm.behaviour().gossip.speech(&peer);
        let is_anew = match (self.peers.connected_mut(&peer), speech) {
            (Some(connected), Some(speech)) if connected.speech != speech.number => {
                std::mem::replace(&mut connected.speech, speech.number) > 0
            }
            _ => false,
        };
        if is_anew {
            // The stream broke, and what was on its way in it.
            self.on_moved(peer, now);
        } else if is_fence && speech.is_some_and(|speech| speech.since < begun) {
            self.outbox.on_confirmed(&peer, begun, now);
        } else {
            self.outbox.on_answered(&peer);
        }
        self.flush_outbox(now);
    }

    /// What was handed to a peer may have been lost with its former connection, and it is on another one, where it is
    /// known already which rooms it is in.
    pub(super) fn on_moved(&mut self, peer: PeerId, now: Instant) {
        self.outbox.on_lost(&peer, now);
        let gossip = &self.swarm.behaviour().gossip;
        let is_in = |room: &&RoomName| self.topics.of(room).is_some_and(|topic| gossip.is_member(&peer, topic));
        let rooms: Vec<RoomName> = self.rooms.iter().filter(is_in).cloned().collect();
        for room in &rooms {
            self.outbox.on_entered(peer, room, now);
        }
        if !rooms.is_empty() {
            self.flush_outbox(now);
        }
    }

    /// The last connection of a peer is gone: tells which lines may not have reached it.
    pub(super) fn tell_unsent(&mut self, peer: &PeerId, now: Instant) {
        let own = self.swarm.local_peer_id().to_bytes();
        for (room, stamps) in self.outbox.on_lost(peer, now) {
            let lines = stamps.len() as u32;
            let mut left = lines;
            for stamps in stamps.chunks(UNSENT_IDS_MAX) {
                left -= stamps.len() as u32;
                let ids = stamps.iter().filter_map(|stamp| MessageId::new(&own, *stamp));
                let ids = ids.map(|id| id.to_string()).collect();
                let (room, peer) = (room.as_str().to_owned(), peer.to_base58());
                self.emit(Event::Unsent(UnsentEvent { room, peer, lines, ids, left }));
            }
        }
    }
}
