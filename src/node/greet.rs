//! Greeting: hellos said and heard, refusals told, and what follows for our time.

use super::{doubts::in_words, framed, greetings::Telling, state::Node, troubles::Code};
use crate::{
    chat::{clock::AHEAD_MAX_MS, sanitize},
    wire::{
        hello::{Hello, Said},
        room::RoomName,
    },
};
use libp2p::{
    PeerId,
    request_response::{self, OutboundFailure, OutboundRequestId},
};
use std::time::{Duration, Instant};

/// The version that is told.
const VERSION: &str = env!("CARGO_PKG_VERSION");

const _: () = assert!(VERSION.len() <= crate::wire::bounds::VERSION_BYTES_MAX);

impl Node {
    /// A peer's first connection stands. Who dialled says hello.
    pub(super) fn greet(&mut self, peer: PeerId, is_dialler: bool, now: Instant) {
        self.greetings.on_connected(peer, now);
        if is_dialler {
            self.say_hello(peer, now);
        }
    }

    /// What we tell others now.
    fn telling(&self) -> Telling {
        let now = self.now();
        let (unix_ms, level) = self.core.clock().hello(now);
        let offset_ms = unix_ms.map(|ms| ms.cast_signed().saturating_sub(now.monotonic_ms.cast_signed()));
        Telling { offset_ms, level, nick: self.nick.clone() }
    }

    /// Our hello, as it travels.
    fn hello(&self) -> Vec<u8> {
        let (unix_ms, level) = self.core.clock().hello(self.now());
        let said = Said::Hello(Hello { unix_ms, level, nick: &self.nick, version: VERSION });
        // Every part was bounded where it came from.
        said.encode().map(|bytes| bytes.to_vec()).unwrap_or_default()
    }

    fn say_hello(&mut self, peer: PeerId, now: Instant) {
        let (hello, telling) = (self.hello(), self.telling());
        let request = self.swarm.behaviour_mut().hello.send_request(&peer, hello);
        self.greetings.note_told(&peer, telling, Some(request), now);
    }

    /// Says hello again to those who were told something else.
    pub(super) fn tell_news(&mut self, now: Instant) {
        if !self.greetings.is_look_due(now) {
            return;
        }
        self.look_at_clock();
        self.restamp_waiting();
        let telling = self.telling();
        for peer in self.greetings.untold(&telling, now) {
            self.say_hello(peer, now);
        }
    }

    /// Something was said, or was not.
    pub(super) fn on_hello_event(&mut self, event: framed::Event) {
        use request_response::{Event, Message};
        let now = Instant::now();
        match event {
            Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                let answer = match Said::decode(&request) {
                    _ if !self.greetings.may_hear(&peer, now) => return self.count("hellos dropped: too many"),
                    Ok(Said::Hello(hello)) => {
                        self.on_hello(peer, hello, Duration::ZERO);
                        let telling = self.telling();
                        self.greetings.note_told(&peer, telling, None, now);
                        self.hello()
                    }
                    Ok(Said::Refused { author, ahead_ms }) => {
                        self.on_refusal(peer, author, ahead_ms, now);
                        Said::Noted.encode().map(|bytes| bytes.to_vec()).unwrap_or_default()
                    }
                    Ok(Said::Noted) | Err(_) => return self.on_bad_hello(peer),
                };
                let _ = self.swarm.behaviour_mut().hello.send_response(channel, answer);
            }
            Event::Message { peer, message: Message::Response { request_id, response }, .. } => {
                let took = self.greetings.on_answer(&peer, request_id, now);
                match (Said::decode(&response), took) {
                    // It was said halfway between the request and now.
                    (Ok(Said::Hello(hello)), Some(took)) => self.on_hello(peer, hello, took / 2),
                    (Ok(Said::Noted), None) => {}
                    _ => self.on_bad_hello(peer),
                }
            }
            Event::OutboundFailure { peer, request_id, error, .. } => self.on_unsaid(peer, request_id, &error, now),
            Event::InboundFailure { peer, error, .. } => log::debug!("a hello of {peer}: {error}"),
            Event::ResponseSent { .. } => {}
        }
    }

    fn on_bad_hello(&mut self, peer: PeerId) {
        self.count("hellos dropped: malformed");
        log::debug!("{peer} says what is no hello");
    }

    fn on_unsaid(&mut self, peer: PeerId, request: OutboundRequestId, error: &OutboundFailure, now: Instant) {
        let was_hello = self.greetings.on_answer(&peer, request, now).is_some();
        match error {
            OutboundFailure::UnsupportedProtocols => self.on_stranger(peer),
            // It gave way to another one.
            OutboundFailure::ConnectionClosed
                if was_hello && self.swarm.is_connected(&peer) && self.greetings.try_again(&peer) =>
            {
                self.say_hello(peer, now);
            }
            error => log::debug!("a hello to {peer}: {error}"),
        }
    }

    /// A peer does not have the protocol.
    pub(super) fn on_stranger(&mut self, peer: PeerId) {
        let rooms = self.greetings.on_stranger(&peer);
        self.enter(peer, &rooms);
    }

    /// Those whose hello was waited for in vain are in their rooms now.
    pub(super) fn give_up_waiting(&mut self, now: Instant) {
        for peer in self.greetings.due(now) {
            let rooms = self.greetings.on_greeted(&peer);
            self.enter(peer, &rooms);
        }
    }

    fn enter(&mut self, peer: PeerId, rooms: &[RoomName]) {
        // It may have been left since.
        let rooms = rooms.iter().filter(|room| self.core.is_joined(room)).cloned().collect::<Vec<_>>();
        rooms.iter().for_each(|room| self.on_member(peer, room));
    }

    /// A peer is in a room of ours: it counts as soon as it has said hello.
    pub(super) fn on_subscribed(&mut self, peer: PeerId, room: &RoomName) {
        if self.peers.connected(&peer).is_none() {
            return;
        }
        let now = Instant::now();
        let is_deferred = self.greetings.defer(&peer, room);
        // What is said there reaches it from now on: first what it missed.
        self.holdback.on_returned(&peer, now);
        self.outbox.on_entered(peer, room, now);
        if is_deferred {
            self.flush_outbox(now);
        } else {
            self.on_member(peer, room);
        }
    }

    fn on_hello(&mut self, peer: PeerId, hello: Hello<'_>, delay: Duration) {
        if let Some(connected) = self.peers.connected_mut(&peer) {
            connected.nick = sanitize::nick(hello.nick).as_str().to_owned();
        }
        let unix_ms = hello.unix_ms.map(|unix_ms| unix_ms.saturating_add(delay.as_millis() as u64));
        let now = self.now();
        self.core.clock_mut().on_told(&peer.to_bytes(), unix_ms, hello.level, now);
        self.on_time_told();
        let rooms = self.greetings.on_greeted(&peer);
        self.enter(peer, &rooms);
    }

    /// A peer is gone, and what it said of the time with it.
    pub(super) fn on_gone(&mut self, peer: &PeerId) {
        self.greetings.on_disconnected(peer);
        let now = self.now();
        self.core.clock_mut().on_left(&peer.to_bytes(), now);
        self.on_time_told();
    }

    /// What time it is may be something else than before.
    fn on_time_told(&mut self) {
        self.look_at_clock();
        self.restamp_waiting();
        self.greetings.look_at(Instant::now());
    }

    /// Says so when our clock turns out to be off, or refused, or to be right after all.
    fn look_at_clock(&mut self) {
        let (now, at) = (self.now(), Instant::now());
        if let Some(again) = self.doubts.note_off(self.core.clock().doubt(now), at) {
            self.greetings.look_at(again);
        }
        match self.doubts.off_ms(at).map(|off_ms| self.off_in_words(off_ms)) {
            Some(sentence) => self.trouble(Code::ClockDoubted, "", &sentence, at),
            None => self.trouble_over(Code::ClockDoubted, "", at),
        }
        if self.doubts.refused_lately(at).is_none() {
            self.trouble_over(Code::ClockRefused, "", at);
        }
    }

    /// What is wrong with our clock and what helps, as others say.
    fn off_in_words(&self, off_ms: i64) -> String {
        let off = in_words(off_ms);
        if self.now().is_synchronised() {
            return format!(
                "the clock of this machine counts as right, but peers whose clocks are synchronised say that it is {off}: \
                 what is said here may be refused there; check it, and clock = \"trusted\" if that is set"
            );
        }
        format!(
            "the clock of this machine is {off}: peers whose clocks are synchronised say so, and their time is used; NTP or \
             a battery-backed clock would help"
        )
    }

    /// A peer tells that a message was refused for its stamp: ours, or that of somebody we can pass it on to.
    fn on_refusal(&mut self, by: PeerId, author: &[u8], ahead_ms: u64, now: Instant) {
        let Ok(author) = PeerId::from_bytes(author) else { return self.on_bad_hello(by) };
        if author != *self.swarm.local_peer_id() {
            // To the author alone: a refusal never travels further than that.
            if self.peers.connected(&author).is_some() {
                self.tell_refusal(author, author, ahead_ms, now);
            }
            return;
        }
        self.count("our messages refused by others: stamp ahead of their clock");
        self.doubts.on_refused(by, ahead_ms, now);
        let sentence = self.refusal_in_words(by, ahead_ms);
        self.trouble(Code::ClockRefused, "", &sentence, now);
    }

    /// That something of ours was refused, and what helps.
    fn refusal_in_words(&self, by: PeerId, ahead_ms: u64) -> String {
        let nick = self.peers.connected(&by).map_or("", |connected| connected.nick.as_str());
        let name = if nick.is_empty() { by.to_base58() } else { format!("{nick} ({by})") };
        let off = in_words(ahead_ms.cast_signed());
        let helps = match self.core.clock().time(self.now()).level {
            0 => "NTP would help",
            1 => "the clock here counts as right: check it, and clock = \"trusted\" if that is set",
            _ => "what is said from now on has the time of those who know it",
        };
        format!("something said here was not shown by {name} and others, for its time was {off}: {helps}")
    }

    /// Our clock is synchronised and a message was too far ahead of it: its author is to know, by way of `bringer` if it
    /// is not connected.
    pub(super) fn refuse_ahead(&mut self, author: PeerId, bringer: PeerId, by_ms: u64) {
        let to = if self.greetings.speaks(&author) { author } else { bringer };
        if self.now().is_synchronised() {
            self.tell_refusal(author, to, by_ms.saturating_add(AHEAD_MAX_MS), Instant::now());
        }
    }

    fn tell_refusal(&mut self, author: PeerId, to: PeerId, ahead_ms: u64, now: Instant) {
        if !self.greetings.speaks(&to) || !self.doubts.may_tell(author, now) {
            return;
        }
        let bytes = author.to_bytes();
        if let Ok(said) = (Said::Refused { author: &bytes, ahead_ms }).encode() {
            self.count("messages refused for their stamp: authors told");
            self.swarm.behaviour_mut().hello.send_request(&to, said.to_vec());
        }
    }
}
