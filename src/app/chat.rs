//! The conversation: typed lines out, messages in. It speaks the commands and events of the control socket and
//! cannot tell whether the peer runs here or elsewhere.

use super::connection::{Connection, HELD_LINES_MAX, OUTBOX_LOOK_MS, Patience};
use super::exit::{Code, Failure};
use super::lines::Line;
use super::logging::{self, say};
use super::protocol::{id_of, room_of};
use super::render::Painter;
use super::shown::{printable, short_peer};
use super::tables;
use super::terminal::{TYPED_BYTES_MAX, Terminal};
use super::typed::{self, Typed};
use crate::node::command::{Answer, Command};
use crate::node::event::{Event, UnsentEvent};
use smol::future::{FutureExt, race};
use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Ids of our own lines kept, so that what was typed is not shown a second time. Their events follow at once.
const OWN_LINES_MAX: usize = 64;
/// Milliseconds between the last line and the end of its peer. gossipsub does not tell when a line has left, and
/// what is still on its way is lost with the connection. Measured: 200 lines at once on two busy cores take 300.
const LAST_LINE_MS: u64 = 1_500;

enum Turn {
    Typed(Result<Option<Line>, Failure>),
    Event(Result<Option<Arc<Event>>, Failure>),
}

/// A conversation.
pub(crate) struct Chat {
    connection: Connection,
    terminal: Terminal,
    painter: Painter,
    /// The rooms shown. The last one is where typed lines go.
    rooms: Vec<String>,
    own: VecDeque<String>,
    /// Lines of ours that wait at the peer, since somebody last came or we last waited.
    held: u32,
    /// When a line of ours last went out.
    sent: Option<Instant>,
    refused: u32,
}

impl Chat {
    /// A conversation in `rooms`; what is typed goes to the first.
    pub(crate) fn new(connection: Connection, terminal: Terminal, mut rooms: Vec<String>) -> Self {
        rooms.reverse();
        let painter = Painter::new(io::stdout().is_terminal());
        Self { connection, terminal, painter, rooms, own: VecDeque::new(), held: 0, sent: None, refused: 0 }
    }

    /// Talks until the person wants to end.
    pub(crate) async fn talk(mut self) -> Result<(), Failure> {
        if self.connection.is_attached() {
            self.tell_troubles().await?;
        } else {
            logging::leave_troubles_to_chat(self.terminal.is_editor());
        }
        loop {
            let prompt = format!("{}> ", printable(self.room().unwrap_or("(no room)")));
            let (terminal, connection) = (&mut self.terminal, &mut self.connection);
            let typed = async { Turn::Typed(terminal.next(&prompt).await) };
            let event = async { Turn::Event(connection.next().await) };
            match race(typed, event).await {
                Turn::Typed(line) => match line? {
                    Some(Line::Text(text)) => {
                        // Pasted text brings its line ends along.
                        for line in text.lines() {
                            if !self.on_line(line).await? {
                                return self.let_go().await;
                            }
                        }
                    }
                    Some(Line::TooLong) => self.refuse(&format!("a line of more than {TYPED_BYTES_MAX} bytes")),
                    Some(Line::NotUtf8) => self.refuse("a line that is not UTF-8"),
                    None => return self.end().await,
                },
                Turn::Event(event) => self.on_event(event?).await?,
            }
        }
    }

    /// What went wrong before anyone here could hear of it.
    async fn tell_troubles(&mut self) -> Result<(), Failure> {
        if let Answer::Status(status) = self.connection.request(Command::Status { tasks: false }).await? {
            status.troubles.iter().for_each(|trouble| say(&format!("* {}", printable(&trouble.sentence))));
        }
        Ok(())
    }

    fn room(&self) -> Option<&str> {
        self.rooms.last().map(String::as_str)
    }

    async fn on_line(&mut self, line: &str) -> Result<bool, Failure> {
        let done = match typed::parse(line) {
            Typed::Text(text) => self.send(text).await,
            Typed::Join(room) => self.join(room).await,
            Typed::Leave(room) => self.leave(room).await,
            Typed::Nick(nick) => self.connection.request(Command::Nick { nick }).await.map(drop),
            // The event that follows shows it.
            Typed::Dm(peer, text) => self.connection.request(Command::Dm { peer, text }).await.map(drop),
            Typed::Peers => self.ask(Command::Peers {}).await,
            Typed::Rooms => self.ask(Command::Rooms {}).await,
            Typed::Status => self.ask(Command::Status { tasks: false }).await,
            Typed::Help => {
                typed::help().iter().for_each(|line| say(&format!("  {line}")));
                Ok(())
            }
            Typed::Wrong(sentence) => {
                say(&format!("* {sentence}"));
                Ok(())
            }
            Typed::Empty => Ok(()),
            Typed::Quit => return Ok(false),
        };
        match done {
            Err(no) if no.code == Code::Refused => self.refuse(&no.sentence),
            done => done?,
        }
        Ok(true)
    }

    async fn send(&mut self, text: String) -> Result<(), Failure> {
        let Some(room) = self.room().map(String::from) else {
            return Err(Failure::refused("you are in no room: /join one"));
        };
        let answer = self.connection.request(Command::Send { room: Some(room.clone()), text }).await?;
        let Answer::Sent(sent) = answer else { return Ok(()) };
        if self.own.len() == OWN_LINES_MAX {
            self.own.pop_front();
        }
        self.own.push_back(sent.id);
        if sent.peers > 0 {
            self.sent = Some(Instant::now());
        } else {
            self.held += 1;
            // Said once for a piped file: it cannot be told to wait.
            if self.held == 1 || self.terminal.is_editor() {
                self.explain(&room).await?;
            }
            if self.held >= HELD_LINES_MAX && !self.terminal.is_editor() {
                self.drain().await?;
            }
        }
        Ok(())
    }

    /// Why a line has not left yet.
    async fn explain(&mut self, room: &str) -> Result<(), Failure> {
        let Answer::Rooms { rooms } = self.connection.request(Command::Rooms {}).await? else { return Ok(()) };
        let (shown, room) = (printable(room), rooms.iter().find(|other| other.room == room));
        match room.map_or((0, 0), |room| (room.peers, room.away)) {
            (0, 0) => say(&format!("* nobody is here yet; your line waits for somebody to come to {shown}")),
            (0, _) => say(&format!("* nobody can be reached now; your line waits for somebody to be back in {shown}")),
            _ => say(&format!("* nobody in {shown} reads as fast as this; your line waits")),
        }
        Ok(())
    }

    async fn join(&mut self, room: String) -> Result<(), Failure> {
        self.connection.request(Command::Join { room: room.clone() }).await?;
        self.rooms.retain(|other| *other != room);
        self.rooms.push(room);
        Ok(())
    }

    async fn leave(&mut self, room: Option<String>) -> Result<(), Failure> {
        let Some(room) = room.or_else(|| self.room().map(String::from)) else {
            return Err(Failure::refused("you are in no room"));
        };
        self.connection.request(Command::Leave { room: room.clone() }).await?;
        self.rooms.retain(|other| *other != room);
        Ok(())
    }

    async fn ask(&mut self, command: Command) -> Result<(), Failure> {
        let answer = self.connection.request(command).await?;
        tables::describe(&answer).lines().for_each(|line| say(&format!("  {line}")));
        Ok(())
    }

    fn refuse(&mut self, sentence: &str) {
        self.refused += 1;
        say(&format!("* not done: {}", printable(sentence)));
    }

    async fn on_event(&mut self, event: Option<Arc<Event>>) -> Result<(), Failure> {
        let Some(event) = event else {
            return Err(Failure::no_peer("the peer has ended: start it again"));
        };
        if room_of(&event).is_some_and(|room| !self.rooms.iter().any(|shown| shown == room)) {
            return Ok(());
        }
        if let Some(at) = id_of(&event).and_then(|id| self.own.iter().position(|own| own == id)) {
            self.own.remove(at);
            return Ok(());
        }
        match &*event {
            Event::Joined { peer, room } => {
                if std::mem::take(&mut self.held) > 0 {
                    self.sent = Some(Instant::now());
                }
                say(&format!("* {} is in {}", short_peer(peer), printable(room)));
            }
            Event::Left { peer, room } => say(&format!("* {} left {}", short_peer(peer), printable(room))),
            Event::Stage { stage, why } => say(&format!("* {}: {}", tables::stage(*stage), printable(why))),
            Event::Unsent(unsent) => {
                if let Some(line) = unsent_line(unsent) {
                    say(&line);
                }
            }
            Event::Notice { text, .. } => say(&format!("* {}", printable(text))),
            Event::Trouble(trouble) => say(&format!("* {}", printable(&trouble.sentence))),
            Event::Missed { count } => say(&format!("* {count} events were missed: this reader was too slow")),
            event => {
                if let Some(line) = self.painter.line(event) {
                    self.terminal.show(line).await?;
                }
            }
        }
        Ok(())
    }

    /// Waits until no line waits at the peer, or none has left for a while: false if some still do.
    async fn drain(&mut self) -> Result<bool, Failure> {
        let mut patience = Patience::default();
        loop {
            match patience.after(self.connection.waiting().await?) {
                Some(empty) => {
                    self.held = 0;
                    return Ok(empty);
                }
                None => self.sent = Some(Instant::now()),
            }
            let look = async {
                smol::Timer::after(Duration::from_millis(OUTBOX_LOOK_MS)).await;
                None
            };
            let connection = &mut self.connection;
            let event = async { Some(connection.next().await) };
            if let Some(event) = event.or(look).await {
                self.on_event(event?).await?;
            }
        }
    }

    /// The person, or the pipe, is done. A piped line is worth a wait for somebody to take it; a peer that goes on
    /// without us waits better.
    async fn end(mut self) -> Result<(), Failure> {
        let piped = !self.terminal.is_editor();
        if piped && !self.connection.is_attached() && !self.drain().await? {
            return Err(Failure::failed("nobody came to take the last lines: give --bootstrap, or try again later"));
        }
        let refused = if piped { self.refused } else { 0 };
        self.let_go().await?;
        match refused {
            0 => Ok(()),
            _ => Err(Failure::refused(format!("{refused} lines were not done"))),
        }
    }

    /// Gives the last line the time to leave, if the peer ends with us. The terminal is given back before.
    async fn let_go(self) -> Result<(), Failure> {
        let Self { connection, terminal, sent, .. } = self;
        drop(terminal);
        if let (false, Some(sent)) = (connection.is_attached(), sent) {
            smol::Timer::at(sent + Duration::from_millis(LAST_LINE_MS)).await;
        }
        Ok(())
    }
}

/// What is said of lines that may not have arrived: once, with the first of the events that tell their ids.
fn unsent_line(unsent: &UnsentEvent) -> Option<String> {
    let is_first = unsent.lines as usize == unsent.left as usize + unsent.ids.len();
    let lines = match unsent.lines {
        1 => "a line of yours may not have".into(),
        lines => format!("{lines} lines of yours may not have"),
    };
    let (peer, room) = (short_peer(&unsent.peer), printable(&unsent.room));
    is_first.then(|| format!("* {lines} reached {peer} in {room}; said again when it is back"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_did_not_arrive_are_told_of_once() {
        let event = |ids: usize, left| UnsentEvent {
            room: "lobby".into(),
            peer: "12D3KooWAbCdEf".into(),
            lines: 18,
            ids: vec!["00".into(); ids],
            left,
        };
        let told = unsent_line(&event(16, 2)).unwrap();
        assert_eq!(told, "* 18 lines of yours may not have reached AbCdEf in lobby; said again when it is back");
        assert_eq!(unsent_line(&event(2, 0)), None);
        let told = unsent_line(&UnsentEvent { lines: 1, ..event(1, 0) }).unwrap();
        assert!(told.starts_with("* a line of yours may not have reached"), "{told}");
    }
}
