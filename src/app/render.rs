//! How a conversation looks: `HH:MM room <nick> text`, and `--:--` when the time is unknown.

use super::shown::{clock, name, printable, short_peer};
use crate::node::event::{DirectEvent, Event, MessageEvent, RecordEvent};
use jiff::tz::TimeZone;
use std::collections::VecDeque;

/// Nicknames remembered to notice two peers with one name. Guess: nobody follows a talk of more.
const NAMES_MAX: usize = 64;
/// Foreground colours of nicknames, as ANSI codes: those readable on black and on white.
const COLOURS: [u8; 6] = [31, 32, 33, 34, 35, 36];

/// Draws messages as lines.
pub(crate) struct Painter {
    zone: TimeZone,
    colour: bool,
    names: VecDeque<(String, String)>,
}

impl Painter {
    /// In the local time zone; nicknames coloured on a terminal, unless `NO_COLOR` (<https://no-color.org>) or a
    /// dumb terminal says otherwise.
    pub(crate) fn new(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self::with(TimeZone::system(), terminal && !refused && !dumb)
    }

    fn with(zone: TimeZone, colour: bool) -> Self {
        Self { zone, colour, names: VecDeque::new() }
    }

    /// The line of a message, record or direct message; none for other events.
    pub(crate) fn line(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Message(message) => Some(self.message(message)),
            Event::Record(record) => Some(self.record(record)),
            Event::Dm(direct) => Some(self.direct(direct)),
            _ => None,
        }
    }

    fn message(&mut self, message: &MessageEvent) -> String {
        let nick = self.nick(&message.nick, &message.from);
        self.draw(&message.room, &message.time, &nick, &message.from, &printable(&message.text))
    }

    fn record(&mut self, record: &RecordEvent) -> String {
        let what = format!("[record {}, {} bytes]", printable(&record.kind), record.data.len() / 2);
        self.draw(&record.room, &record.time, &short_peer(&record.from), &record.from, &what)
    }

    /// As in a room `dm:`, a name that no room can have.
    fn direct(&self, direct: &DirectEvent) -> String {
        let peer = short_peer(&direct.peer);
        let nick = if direct.outbound { format!("→ {peer}") } else { peer };
        self.draw("dm:", &direct.time, &nick, &direct.peer, &printable(&direct.text))
    }

    fn draw(&self, room: &str, time: &Option<String>, nick: &str, from: &str, text: &str) -> String {
        let time = clock(time.as_deref(), &self.zone);
        let nick = match self.colour {
            true => format!("\x1b[{}m{nick}\x1b[0m", colour(from)),
            false => nick.to_string(),
        };
        format!("{time} {} <{nick}> {text}", printable(room))
    }

    /// The nickname; with the end of the peer id where two peers call themselves alike.
    fn nick(&mut self, nick: &str, from: &str) -> String {
        // `<` and `>` are ours: with them somebody could speak in another's name.
        let shown = name(nick, from).replace('<', "‹").replace('>', "›");
        let key = shown.to_lowercase();
        let alike = self.names.iter().any(|(name, peer)| *name == key && peer != from);
        if !self.names.iter().any(|(name, peer)| *name == key && peer == from) {
            if self.names.len() == NAMES_MAX {
                self.names.pop_front();
            }
            self.names.push_back((key, from.to_string()));
        }
        match alike || shown.contains('·') {
            true => format!("{shown}·{}", short_peer(from)),
            false => shown,
        }
    }
}

/// Always the same for one peer.
fn colour(peer: &str) -> u8 {
    let sum = peer.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    COLOURS.get(sum % COLOURS.len()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(nick: &str, from: &str, text: &str, time: Option<&str>) -> Event {
        Event::Message(MessageEvent {
            room: "lobby".into(),
            id: "00".into(),
            from: from.into(),
            nick: nick.into(),
            text: text.into(),
            stamp: 1,
            time: time.map(Into::into),
            via: None,
        })
    }

    #[test]
    fn a_line_is_time_room_nick_and_text() {
        let mut plain = Painter::with(TimeZone::UTC, false);
        let noon = Some("2026-11-23T12:00:00Z");
        assert_eq!(plain.line(&said("ann", "p1", "hi  there", noon)).unwrap(), "12:00 lobby <ann> hi  there");
        assert_eq!(plain.line(&said("", "12D3KooWAbCdEf", "hi", None)).unwrap(), "--:-- lobby <AbCdEf> hi");
        let record = RecordEvent {
            room: "lobby".into(),
            id: "00".into(),
            from: "12D3KooWAbCdEf".into(),
            kind: "ledger/block".into(),
            data: "00ff".into(),
            stamp: 1,
            time: None,
        };
        let drawn = plain.line(&Event::Record(record)).unwrap();
        assert_eq!(drawn, "--:-- lobby <AbCdEf> [record ledger/block, 2 bytes]");
        let mut direct = DirectEvent {
            peer: "12D3KooWAbCdEf".into(),
            outbound: false,
            text: "psst\u{7}".into(),
            time: noon.map(Into::into),
            via: "uc".into(),
        };
        assert_eq!(plain.line(&Event::Dm(direct.clone())).unwrap(), "12:00 dm: <AbCdEf> psst\\u{7}");
        direct.outbound = true;
        assert_eq!(plain.line(&Event::Dm(direct)).unwrap(), "12:00 dm: <→ AbCdEf> psst\\u{7}");
        assert_eq!(plain.line(&Event::Missed { count: 1 }), None);
    }

    #[test]
    fn nobody_speaks_in_anothers_name() {
        let mut plain = Painter::with(TimeZone::UTC, false);
        let mut line = |nick: &str, from: &str, text: &str| plain.line(&said(nick, from, text, None)).unwrap();
        assert_eq!(line("ann", "p111111", "hi"), "--:-- lobby <ann> hi");
        assert_eq!(line("Ann", "p222222", "hi"), "--:-- lobby <Ann·222222> hi");
        assert_eq!(line("ann", "p111111", "hi"), "--:-- lobby <ann·111111> hi");
        assert_eq!(line("x> <bob", "p333333", "hi"), "--:-- lobby <x› ‹bob> hi");
        assert_eq!(line("ann·111111", "p444444", "hi"), "--:-- lobby <ann·111111·444444> hi");
        assert_eq!(line("e\x1b[2J", "p5", "a\r\nb"), "--:-- lobby <e\\u{1b}[2J> a\\u{d}\\u{a}b");
    }

    #[test]
    fn colour_is_for_terminals_and_names_only() {
        let mut coloured = Painter::with(TimeZone::UTC, true);
        let drawn = coloured.line(&said("ann", "p1", "hi", None)).unwrap();
        assert!(drawn.starts_with("--:-- lobby <\x1b[3") && drawn.ends_with("mann\x1b[0m> hi"), "{drawn:?}");
    }

    #[test]
    fn names_are_bounded() {
        let mut plain = Painter::with(TimeZone::UTC, false);
        for number in 0..NAMES_MAX * 2 {
            plain.line(&said(&format!("n{number}"), "p", "hi", None));
        }
        assert_eq!(plain.names.len(), NAMES_MAX);
    }
}
