//! A session of ours with one peer: compare, fetch what we lack, give what it lacks, and on to the next page.

use super::library::Library;
use super::page::Page;
use super::session::{Session, SessionError};
use crate::wire::sync::error::NoRoom;
use crate::wire::sync::frame::{Messages, Request, Response, put_message};
use crate::wire::sync::item::Item;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Messages asked for that were not there, at most: a peer that promises what it has not is left.
const PROMISES_BROKEN_MAX: usize = 1024;
/// How often a request is sent that does not get through, at most: a stream may break without the connection.
const TRIES_MAX: u8 = 3;
/// Bytes that a message is thought to have before any was seen: a line of chat with its signature.
const MESSAGE_BYTES_GUESS: usize = 320;
/// Messages of a session that we refuse, at most. One may be refused for reasons of our own, such as a clock.
const REFUSED_MAX: u32 = 16;

/// Why a session ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndReason {
    /// The comparison could not go on.
    #[error("{0}")]
    Session(#[from] SessionError),
    /// A request was not answered in time, or could not be sent.
    #[error("the peer does not answer")]
    Unanswered,
    /// The peer is gone.
    #[error("the connection is closed")]
    Gone,
    /// The peer began a session about the same room at the same time: that one goes on.
    #[error("the peer's own session goes on")]
    Yielded,
    /// The room was left.
    #[error("the room was left")]
    NotJoined,
    /// It takes longer than a session may.
    #[error("it took too long")]
    TooLong,
    /// This peer brought as much as one may in that time. Another session goes on later.
    #[error("the peer's share of messages is used up")]
    Share,
    /// It promised messages that it does not have.
    #[error("the peer has not what it promises")]
    BrokenPromises,
    /// It brought messages that had to be refused.
    #[error("the peer brings messages that have to be refused")]
    Refused,
    /// There is no room for a frame.
    #[error("{0}")]
    NoRoom(#[from] NoRoom),
}

impl EndReason {
    /// Whether an honest peer never brings it about.
    pub const fn is_misbehaviour(&self) -> bool {
        match self {
            Self::Session(error) => !matches!(error, SessionError::Refused(_)),
            Self::BrokenPromises | Self::Refused => true,
            _ => false,
        }
    }
}

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    Compared,
    /// For messages, of which so many were asked for.
    Messages(usize),
    /// For the caller's word on messages.
    Judgement,
    /// For what became of so many messages.
    Taken(usize),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this request.
    Ask(Vec<u8>),
    /// Look at these messages, and say what became of them.
    Deliver(Vec<Box<[u8]>>),
    /// Nothing is left to do.
    Done,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    session: Session,
    page: Page,
    waits: Waits,
    broken: usize,
    refused: u32,
    /// How many messages to ask for at once: about as many as a response holds.
    ask: usize,
    tries: u8,
    /// Messages fetched.
    pub fetched: u64,
    /// Messages that the peer took.
    pub given: u64,
}

impl Exchange {
    /// Begins with a comparison. Its first request.
    pub fn begin(session: Session) -> (Self, Vec<u8>) {
        let (page, waits) = (Page::default(), Waits::Compared);
        let request = session.request().to_vec();
        let ask = session.question().limit / MESSAGE_BYTES_GUESS;
        (Self { session, page, waits, broken: 0, refused: 0, ask, tries: 1, fetched: 0, given: 0 }, request)
    }

    /// The comparison.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Whether it waits for the peer, and not for the caller.
    pub fn waits_for_peer(&self) -> bool {
        self.waits != Waits::Judgement
    }

    /// Takes a response. `room` is how many messages and bytes this peer may still bring.
    pub fn handle_response<L: Library>(
        &mut self,
        library: &mut L,
        bytes: &[u8],
        room: (u64, u64),
    ) -> Result<Step, EndReason> {
        if self.waits == Waits::Compared {
            let items = library.items(self.session.topic()).ok_or(EndReason::NotJoined)?;
            self.page = self.session.handle_response(items, bytes)?;
            return self.next(library, room);
        }
        match (Response::decode(bytes).map_err(SessionError::Decode)?, self.waits) {
            (Response::Refused(refusal), _) => Err(SessionError::Refused(refusal).into()),
            (Response::Messages { answered, messages }, Waits::Messages(asked)) => {
                self.on_messages(library, usize::from(answered), asked, messages, room)
            }
            (Response::Taken { looked_at, refused }, Waits::Taken(sent)) => {
                let looked_at = usize::from(looked_at);
                if looked_at > sent {
                    return Err(SessionError::NoAnswer.into());
                }
                self.given += (looked_at as u64).saturating_sub(refused.into());
                if looked_at < sent {
                    // It takes no more from us for now.
                    return Err(EndReason::Share);
                }
                self.page.have.drain(..looked_at.min(self.page.have.len()));
                self.next(library, room)
            }
            _ => Err(SessionError::NoAnswer.into()),
        }
    }

    /// The request did not get through, or its answer: once more.
    pub fn handle_failure<L: Library>(&mut self, library: &mut L, room: (u64, u64)) -> Result<Step, EndReason> {
        if self.tries >= TRIES_MAX || self.waits == Waits::Judgement {
            return Err(EndReason::Unanswered);
        }
        let tries = self.tries + 1;
        let step = match self.waits {
            Waits::Compared => Step::Ask(self.session.request().to_vec()),
            _ => self.next(library, room)?,
        };
        self.tries = tries;
        Ok(step)
    }

    fn on_messages<L: Library>(
        &mut self,
        library: &mut L,
        answered: usize,
        asked: usize,
        messages: Messages<'_>,
        room: (u64, u64),
    ) -> Result<Step, EndReason> {
        let messages: Vec<Box<[u8]>> = messages.take(asked + 1).map(Box::from).collect();
        if answered == 0 || answered > asked || messages.len() > answered {
            return Err(SessionError::NoAnswer.into());
        }
        self.page.need.drain(..answered.min(self.page.need.len()));
        // What does not fit has to be asked for again; what is asked for too little costs rounds.
        self.ask = if answered == asked { asked + asked / 4 + 1 } else { answered + answered / 16 + 1 };
        self.broken += answered - messages.len();
        if self.broken > PROMISES_BROKEN_MAX {
            return Err(EndReason::BrokenPromises);
        }
        if messages.is_empty() {
            return self.next(library, room);
        }
        self.fetched += messages.len() as u64;
        self.waits = Waits::Judgement;
        Ok(Step::Deliver(messages))
    }

    /// Takes the caller's word on what was delivered: so many of it had to be refused.
    pub fn handle_judgement<L: Library>(
        &mut self,
        library: &mut L,
        refused: u32,
        room: (u64, u64),
    ) -> Result<Step, EndReason> {
        self.refused = self.refused.saturating_add(refused);
        if self.refused > REFUSED_MAX {
            return Err(EndReason::Refused);
        }
        if self.waits == Waits::Judgement { self.next(library, room) } else { Err(SessionError::NoAnswer.into()) }
    }

    fn next<L: Library>(&mut self, library: &mut L, (messages, bytes): (u64, u64)) -> Result<Step, EndReason> {
        self.tries = 1;
        if !self.page.need.is_empty() {
            let count = self.page.need.len().min(self.ask).min(usize::try_from(messages).unwrap_or(usize::MAX));
            if count == 0 || bytes == 0 {
                return Err(EndReason::Share);
            }
            let mut frame = alloc::vec![0; self.session.question().limit];
            let span = self.page.span.unwrap_or(crate::wire::sync::frame::Span { upper: None, lower: None });
            let tags = self.page.need.iter().take(count).copied().collect::<Vec<_>>().into_iter();
            let used = Request::fetch(&mut frame, &self.session.question(), span, tags)?;
            frame.truncate(used);
            self.waits = Waits::Messages(count);
            return Ok(Step::Ask(frame));
        }
        while !self.page.have.is_empty() {
            if let Some((frame, sent)) = self.give(library)? {
                self.waits = Waits::Taken(sent);
                return Ok(Step::Ask(frame));
            }
        }
        if self.session.request().is_empty() {
            return Ok(Step::Done);
        }
        self.waits = Waits::Compared;
        Ok(Step::Ask(self.session.request().to_vec()))
    }

    /// A frame of what the other side lacks. What is gone meanwhile leaves the page; nothing if all of it is.
    fn give<L: Library>(&mut self, library: &mut L) -> Result<Option<(Vec<u8>, usize)>, EndReason> {
        let topic = self.session.topic().clone();
        let mut frame = alloc::vec![0; self.session.question().limit];
        let (begun, mut sent) = (Request::begin_give(&mut frame, &topic)?, 0);
        let (mut used, mut message) = (begun, Vec::new());
        let mut full = false;
        let mut there = |item: &Item| {
            if full {
                return true;
            }
            message.clear();
            if !library.message(&topic, item, &mut message) {
                return false;
            }
            match put_message(&mut frame, used, &message) {
                Ok(more) => (used, sent) = (more, sent + 1),
                // One that no frame has room for was not made by us.
                Err(NoRoom) if sent == 0 => return false,
                Err(NoRoom) => full = true,
            }
            true
        };
        self.page.have.retain(|item| there(item));
        frame.truncate(used);
        Ok((sent > 0).then_some((frame, sent)))
    }
}
