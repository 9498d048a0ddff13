//! A client of a running peer: its side of the control socket.

use super::exit::Failure;
use super::lines::{Line, LineReader};
use super::paths::SOCKET_FILE;
use super::protocol::{self, ANSWER_BYTES_MAX, Reply, Subscribe};
use crate::node::command::{Answer, Command};
use crate::node::event::Event;
use serde_json::{Map, Value};
use smol::future::FutureExt;
use smol::io::AsyncWriteExt;
use smol::net::unix::UnixStream;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Seconds to wait for an answer. The node answers from memory, so this only ends a wait for a peer that hangs.
const ANSWER_TIMEOUT_S: u64 = 30;
/// Events kept while an answer is awaited; the oldest goes first and is counted. An answer takes milliseconds.
const EVENTS_MAX: usize = 1024;

/// A connection to a running peer.
pub(crate) struct Client {
    writer: UnixStream,
    reader: LineReader<UnixStream>,
    events: VecDeque<Event>,
    missed: u64,
}

impl Client {
    /// Connects to the peer that answers on this socket; none if none does.
    pub(crate) async fn find(path: &Path) -> Result<Option<Self>, Failure> {
        match UnixStream::connect(path).await {
            Ok(stream) => Ok(Some(Self {
                reader: LineReader::new(stream.clone(), ANSWER_BYTES_MAX),
                writer: stream,
                events: VecDeque::new(),
                missed: 0,
            })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Failure::failed(format!(
                "the peer on {} belongs to another user: run this as that user or in its group, or name your own with --dir",
                place(path).display()
            ))),
            Err(error) => Err(Failure::failed(format!("cannot connect to {} ({error})", path.display()))),
        }
    }

    /// Connects to the first of these sockets on which a peer answers.
    pub(crate) async fn connect(sockets: &[PathBuf]) -> Result<Self, Failure> {
        for path in sockets {
            if let Some(client) = Self::find(path).await? {
                return Ok(client);
            }
        }
        let place = sockets.first().map_or(Path::new(""), |path| place(path)).display();
        Err(Failure::no_peer(format!("no peer runs on {place}: start one with `stonechat run`, or name its --dir")))
    }

    /// Asks the peer and waits for its answer, as its JSON object.
    pub(crate) async fn ask(&mut self, line: String) -> Result<Map<String, Value>, Failure> {
        let answer = async {
            let write = self.writer.write_all(format!("{line}\n").as_bytes()).await;
            loop {
                // A peer that has no place for one client more says so and hangs up: read that before the error.
                match (self.read().await?, &write) {
                    (Some(Reply::Good(fields)), _) => return Ok(fields),
                    (Some(Reply::Bad(error)), _) => return Err(Failure::refused(error)),
                    (Some(Reply::Event(event)), _) => self.keep(event),
                    (None, _) => return Err(Failure::no_peer("the peer ended before it answered: start it again")),
                }
            }
        };
        let timeout = async {
            smol::Timer::after(Duration::from_secs(ANSWER_TIMEOUT_S)).await;
            let sentence = format!("the running peer has not answered for {ANSWER_TIMEOUT_S} s: see if it is frozen");
            Err(Failure::failed(sentence))
        };
        answer.or(timeout).await
    }

    /// Asks the peer and waits for its answer.
    pub(crate) async fn request(&mut self, command: &Command) -> Result<Answer, Failure> {
        let fields = self.ask(protocol::command(command)).await?;
        protocol::answer(command, fields).map_err(|error| {
            Failure::failed(format!("the running peer speaks another version ({error}): restart it with this one"))
        })
    }

    /// From now on events come.
    pub(crate) async fn subscribe(&mut self, subscribe: &Subscribe) -> Result<(), Failure> {
        self.ask(protocol::subscribe(subscribe)).await.map(drop)
    }

    /// The next event; none when the peer has ended. Nothing is lost when the future is dropped halfway.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        if self.missed > 0 {
            return Ok(Some(Event::Missed { count: std::mem::take(&mut self.missed) }));
        }
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        loop {
            match self.read().await? {
                Some(Reply::Event(event)) => return Ok(Some(event)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    fn keep(&mut self, event: Event) {
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
            self.missed += 1;
        }
        self.events.push_back(event);
    }

    async fn read(&mut self) -> Result<Option<Reply>, Failure> {
        loop {
            let line = match self.reader.next().await {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(None),
                // It went away with something of ours unread.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(Failure::failed(format!("the control socket broke ({error}): try again"))),
            };
            // A line of a later version that we do not know is not for us.
            if let Line::Text(line) = line
                && let Some(reply) = protocol::reply(&line)
            {
                return Ok(Some(reply));
            }
        }
    }
}

/// The directory of a peer's own socket, or the socket that was named.
fn place(socket: &Path) -> &Path {
    match socket.parent() {
        Some(dir) if socket.ends_with(SOCKET_FILE) => dir,
        _ => socket,
    }
}
