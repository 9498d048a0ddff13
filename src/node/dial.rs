//! Dials that a user asks for: begun, answered, told.

use super::{
    asked::{AskedDial, DIAL_ANSWER_MS, DIAL_END_MS, DIALS_ASKED_MAX},
    command::{Answer, DialState, Dialled},
    dialable,
    event::Event,
    handle::Reply,
    peers::{peer_of, without_peer},
    state::Node,
    talk::refuse,
    words::sentence,
};
use libp2p::{
    Multiaddr, PeerId,
    swarm::{ConnectionId, DialError, dial_opts::DialOpts},
};
use std::time::{Duration, Instant};

impl Node {
    /// Dials a multiaddr the user named, and if it names the peer too, again when that fails: dials may cross.
    pub(super) fn dial(&mut self, text: &str, reply: Reply) {
        let now = Instant::now();
        let number = self.asked_dials.count + 1;
        let begun = self.begin_dial(text, now);
        self.asked_dials.count = number;
        match begun {
            Ok((_, Some(peer), None)) if self.peers.connected(&peer).is_some() => {
                let state = DialState::Connected;
                let answer = Dialled { dial: number, state, peer: Some(peer.to_base58()) };
                let _ = reply.send(Ok(Answer::Dialled(answer)));
            }
            Ok((address, peer, connection)) => {
                let reply = Some((reply, now + Duration::from_millis(DIAL_ANSWER_MS)));
                let (address, end) = (address.to_string(), now + Duration::from_millis(DIAL_END_MS));
                self.asked_dials.open.push(AskedDial { number, address, connection, peer, reply, end });
            }
            Err(sentence) => drop(reply.send(Err(refuse(sentence)))),
        }
    }

    fn begin_dial(
        &mut self,
        text: &str,
        now: Instant,
    ) -> Result<(Multiaddr, Option<PeerId>, Option<ConnectionId>), String> {
        let address = dialable::parse(text).map_err(|error| error.to_string())?;
        if self.asked_dials.open.len() >= DIALS_ASKED_MAX {
            return Err(format!("{DIALS_ASKED_MAX} dials are under way already: wait for one to end"));
        }
        let peer = peer_of(&address);
        let is_own = self.listening.contains(&without_peer(address.clone()));
        if is_own || peer == Some(*self.swarm.local_peer_id()) {
            return Err("that is this peer itself: name another".into());
        }
        let options = match peer {
            Some(peer) => DialOpts::peer_id(peer).addresses(vec![address.clone()]).build(),
            None => DialOpts::unknown_peer_id().address(address.clone()).build(),
        };
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            // It is connected, or being dialled: what comes of that is the answer.
            Err(DialError::DialPeerConditionFalse(_)) => {
                if let Some(peer) = peer {
                    self.peers.note(peer, address.clone(), super::event::FoundBy::Dialled, now);
                }
                return Ok((address, peer, None));
            }
            dialled => dialled.map_err(|error| sentence(&error))?,
        }
        if let Some(peer) = peer {
            self.dials.insert(connection, peer);
            self.peers.note_dialling(peer, address.clone(), now);
        }
        Ok((address, peer, Some(connection)))
    }

    /// A connection stands: whoever asked for it is told.
    pub(super) fn on_asked_connected(&mut self, peer: PeerId, connection: ConnectionId) -> bool {
        let all = self.asked_dials.take(|dial| dial.connection == Some(connection) || dial.peer == Some(peer));
        let was_asked = !all.is_empty();
        for dial in all {
            let peer = Some(peer.to_base58());
            if let Some((reply, _)) = dial.reply {
                let answer = Dialled { dial: dial.number, state: DialState::Connected, peer: peer.clone() };
                let _ = reply.send(Ok(Answer::Dialled(answer)));
            }
            self.emit(Event::Dialled { dial: dial.number, address: dial.address, peer, error: None });
        }
        was_asked
    }

    /// A dial failed: whoever asked for it is told why.
    pub(super) fn on_asked_failed(&mut self, connection: ConnectionId, peer: Option<PeerId>, reason: &str) {
        // Where another connection of the peer stands, that one counts.
        if let Some(connected) = peer.filter(|peer| self.peers.connected(peer).is_some()) {
            self.on_asked_connected(connected, connection);
            return;
        }
        let is_it = |dial: &AskedDial| match dial.connection {
            Some(own) => own == connection,
            None => dial.peer == peer,
        };
        for dial in self.asked_dials.take(is_it) {
            let again = if dial.peer.is_some() { "; it is dialled again" } else { "" };
            let error = format!("not connected ({reason}): {}{again}", super::words::helps(reason));
            self.fail_asked(dial, error);
        }
    }

    fn fail_asked(&self, dial: AskedDial, error: String) {
        if let Some((reply, _)) = dial.reply {
            let _ = reply.send(Err(refuse(&error)));
        }
        let peer = dial.peer.map(|peer| peer.to_base58());
        self.emit(Event::Dialled { dial: dial.number, address: dial.address, peer, error: Some(error) });
    }

    /// Those who have waited long enough are told that it goes on.
    pub(super) fn answer_slow_dials(&mut self, now: Instant) {
        for dial in &mut self.asked_dials.open {
            if let Some((reply, _)) = dial.reply.take_if(|(_, until)| *until <= now) {
                let peer = dial.peer.map(|peer| peer.to_base58());
                let answer = Dialled { dial: dial.number, state: DialState::Dialling, peer };
                let _ = reply.send(Ok(Answer::Dialled(answer)));
            }
        }
        for dial in self.asked_dials.take(|dial| dial.end <= now) {
            self.fail_asked(dial, format!("no outcome within {} s", DIAL_END_MS / 1_000));
        }
    }
}
