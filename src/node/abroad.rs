//! Talking and hearing in the rooms of other programs.

use super::{
    command::Answer,
    courier::{DIRECT_OPEN_MAX, Open},
    direct::{Refusal, Request, Response},
    event::{DirectEvent, Event},
    framed,
    handle::{Refused, Reply},
    others,
    state::Node,
    talk::{event_of, refuse, rfc3339},
};
use crate::{
    chat::{
        message::{Content, Inbound, Line},
        sanitize,
        verdict::Verdict,
    },
    compat::{
        bounds::DATA_BYTES_MAX,
        room::{Dialect, Room, UC_NICK_CHARS, Unread},
    },
    gossip,
    wire::{bounds::TEXT_BYTES_MAX, room::RoomName},
};
use libp2p::{
    PeerId,
    request_response::{self, InboundFailure, OutboundFailure},
};
use std::time::Instant;

/// Characters of the end of a peer id that name the peer, at least. Fewer are typed by mistake.
const PEER_CHARS_MIN: usize = 4;

impl Node {
    /// What a room of other programs needs beside its topic, from now on.
    pub(super) fn on_joined_others(&mut self, room: &RoomName) {
        let Some(theirs) = others::of(room) else { return };
        if let (Some(service), Some(mdns)) = (theirs.service(), self.swarm.behaviour_mut().mdns.as_mut())
            && let Err(error) = mdns.add_service(service)
        {
            log::warn!("looking for {service} on the local network: {error}");
        }
        self.update_direct();
        if let Some(text) = others::notice(room.as_str()) {
            self.emit(Event::Notice { room: room.as_str().to_owned(), text });
        }
    }

    /// Direct messages are taken while somebody here is in a room whose people send them.
    pub(super) fn update_direct(&mut self) {
        let open = self.rooms.iter().any(|room| Dialect::of(room) == Some(Dialect::Uc));
        self.swarm.behaviour_mut().direct.set_open(open);
    }

    /// Says a line in a room of other programs.
    pub(super) fn send_to_others(&mut self, room: RoomName, theirs: &Room, text: &str) -> Result<Answer, Refused> {
        let now = self.now();
        let stamp = self.core.compose_for_others(&room, text, now).map_err(refuse)?;
        let author = self.swarm.local_peer_id().to_base58();
        let data = theirs.encode(&self.nick, text, &author);
        if data.len() > DATA_BYTES_MAX {
            return Err(refuse(format!("with what {room} adds, the line is longer than {DATA_BYTES_MAX} bytes")));
        }
        let nick = match theirs.dialect {
            Dialect::Uc => author.get(author.len() - UC_NICK_CHARS..).unwrap_or_default().to_owned(),
            Dialect::GoChat => self.nick.clone(),
            Dialect::Text => String::new(),
        };
        let sent = self.hand_out_or_keep(&room, stamp, &data)?;
        let line = Line { nick: &nick, text };
        let event = self
            .core
            .published_to_others(&room, stamp, &data, line, now)
            .map(|message| event_of(&message, &mut self.authors));
        self.tell_sent(&room, event, sent)
    }

    /// A message came in a room of other programs. What cannot be shown travels on all the same, if it is not too long:
    /// only its own program could say that it is wrong.
    pub(super) fn on_line(
        &mut self,
        room: &RoomName,
        theirs: &Room,
        source: PeerId,
        inbound: Inbound<'_>,
    ) -> gossip::Verdict {
        let said = match theirs.decode(inbound.data, &source.to_base58()) {
            Ok(said) => said,
            Err(why) => {
                self.count("messages of other programs not shown");
                log::debug!("a message of {source} not shown in {room}: {why}");
                return match why {
                    Unread::TooLong => gossip::Verdict::Ignore,
                    Unread::Empty | Unread::NotJson => gossip::Verdict::Accept,
                };
            }
        };
        let now = self.now();
        let line = Line { nick: &said.nick, text: &said.text };
        let verdict = self.core.handle_line(room, inbound, line, now);
        let acceptance = super::talk::acceptance(&verdict);
        if let Verdict::Accepted(message) = verdict {
            if let (Dialect::GoChat, Content::Text { nick, .. }, Some(connected)) =
                (theirs.dialect, &message.content, self.peers.connected_mut(&source))
            {
                connected.nick = nick.as_str().to_owned();
            }
            self.hub.emit(event_of(&message, &mut self.authors));
        }
        acceptance
    }

    /// The connected peer that a person means: by its id, or the end of it as it is shown.
    fn named_peer(&self, named: &str) -> Result<PeerId, Refused> {
        if named.len() < PEER_CHARS_MIN {
            return Err(refuse(format!(
                "name the peer by its id, or the last {PEER_CHARS_MIN} or more characters of it"
            )));
        }
        let mut found = self.peers.all_connected().map(|(peer, _)| *peer).filter(|p| p.to_base58().ends_with(named));
        match (found.next(), found.next()) {
            (Some(peer), None) => Ok(peer),
            (Some(_), Some(_)) => Err(refuse(format!("several connected peers end in {named:?}: give more of the id"))),
            (None, _) => {
                Err(refuse(format!("no connected peer ends in {named:?}: see who is connected, or dial it first")))
            }
        }
    }

    /// Sends a direct message; it is answered when the other has answered.
    pub(super) fn send_direct(&mut self, named: &str, text: String, reply: Reply) {
        match self.start_direct(named, &text) {
            Ok(request) => {
                self.directs.open.insert(request, Open { reply, text });
            }
            Err(refused) => {
                let _ = reply.send(Err(refused));
            }
        }
    }

    fn start_direct(&mut self, named: &str, text: &str) -> Result<request_response::OutboundRequestId, Refused> {
        if !self.swarm.behaviour().direct.is_open() {
            return Err(refuse("direct messages are universal-connectivity's: join the room uc: first"));
        }
        if text.is_empty() {
            return Err(refuse("the text is empty"));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(refuse(format!("the text is longer than {TEXT_BYTES_MAX} bytes")));
        }
        if self.directs.open.len() >= DIRECT_OPEN_MAX {
            return Err(refuse(format!("{DIRECT_OPEN_MAX} direct messages wait for their answer already")));
        }
        let peer = self.named_peer(named)?;
        let unix_ms = self.unix_ms().unwrap_or(0);
        Ok(self.swarm.behaviour_mut().direct.inner_mut().send_request(&peer, Request::text(text, unix_ms).encode()))
    }

    /// Something happened to a direct message.
    pub(super) fn on_direct(&mut self, event: framed::Event) {
        use request_response::{Event, Message};
        match event {
            Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                let Some(request) = Request::decode(&request) else {
                    self.count("direct messages broken off");
                    return log::debug!("a direct message of {peer} is not what the protocol says");
                };
                let taken = self.on_direct_heard(peer, request);
                let answer = Response::new(taken, self.unix_ms().unwrap_or(0)).encode();
                let _ = self.swarm.behaviour_mut().direct.inner_mut().send_response(channel, answer);
            }
            Event::Message { peer, message: Message::Response { request_id, response }, .. } => {
                let Some(Open { reply, text }) = self.directs.open.remove(&request_id) else { return };
                let response = Response::decode(&response);
                let read = response.map_or(Err("the answer is not what the protocol says".into()), Response::read);
                let answer = match read {
                    Ok(()) => {
                        self.emit_direct(peer, true, &text);
                        Ok(Answer::Done {})
                    }
                    Err(why) => Err(refuse(format!("it was not taken: {}", sanitize::text(&why)))),
                };
                let _ = reply.send(answer);
            }
            Event::OutboundFailure { request_id, error, .. } => {
                let Some(Open { reply, .. }) = self.directs.open.remove(&request_id) else { return };
                let _ = reply.send(Err(refuse(match error {
                    OutboundFailure::UnsupportedProtocols => {
                        "that peer takes no direct messages: its program does not, or it is in no room uc:".to_owned()
                    }
                    OutboundFailure::Timeout => "that peer did not answer in time: it may have read it".to_owned(),
                    error => format!("it may not have arrived: {error}"),
                })));
            }
            Event::InboundFailure { peer, error, .. } => {
                if !matches!(error, InboundFailure::ResponseOmission) {
                    self.count("direct messages broken off");
                    log::debug!("a direct message of {peer}: {error}");
                }
            }
            Event::ResponseSent { .. } => {}
        }
    }

    fn on_direct_heard(&mut self, peer: PeerId, request: Request) -> Result<(), Refusal> {
        let heard = match () {
            () if !self.swarm.behaviour().direct.is_open() => Err(Refusal::Away),
            () if !self.directs.may_hear(peer, Instant::now()) => Err(Refusal::TooMany),
            () => request.read(),
        };
        match heard {
            Ok(text) => {
                self.emit_direct(peer, false, &text);
                Ok(())
            }
            Err(refusal) => {
                self.count("direct messages refused");
                Err(refusal)
            }
        }
    }

    fn emit_direct(&self, peer: PeerId, outbound: bool, text: &str) {
        let (peer, text) = (peer.to_base58(), sanitize::text(text).to_string());
        let time = self.unix_ms().and_then(rfc3339);
        self.emit(Event::Dm(DirectEvent { peer, outbound, text, time, via: Dialect::Uc.name().to_owned() }));
    }
}
