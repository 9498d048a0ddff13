//! The control socket's server: `control.sock` in the peer's directory, for its owner alone, or a file that was named.

use super::connection;
use super::exit::Failure;
use super::lines::{Line, LineReader};
use super::protocol::{self, REQUEST_BYTES_MAX, Request, RequestError, Subscribe};
use crate::net::executor::Executor;
use crate::node::command::{Answer, Command};
use crate::node::event::Event;
use crate::node::{Handle, Refused, Subscription};
use smol::future::race;
use smol::io::AsyncWriteExt;
use smol::net::unix::{UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket as RawSocket, Type};
use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// The owner may connect, nobody else: who can write to it speaks in the peer's name.
const SOCKET_MODE: u32 = 0o600;
/// Of a socket that was named: its group may as well, as far as its directory lets it in.
const NAMED_SOCKET_MODE: u32 = 0o660;
/// Connections that wait to be accepted. The node's turn takes milliseconds; beyond this `connect` fails at once.
const SOCKET_BACKLOG: i32 = 16;
/// Seconds without accepting after an error such as too many open files, which would come back at once.
const ACCEPT_PAUSE_S: u64 = 1;
/// The task's name of one client, and of the listener.
const CLIENT_TASK: &str = "control";
const LISTENER_TASK: &str = "control-listener";

/// The listening socket. Its file goes when it is dropped.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens there. The caller holds the directory's lock, so a socket nobody answers on is a dead peer's.
    pub(crate) fn open(path: PathBuf, named: bool) -> Result<Self, Failure> {
        remove_stale(&path)?;
        let mode = if named { NAMED_SOCKET_MODE } else { SOCKET_MODE };
        let listener = listen(&path, mode).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::InvalidInput => {
                    "its path is too long for a socket: choose a shorter --dir, or name it with --socket"
                }
                _ => "choose another --dir, or name it with --socket",
            };
            Failure::failed(format!("cannot listen on {} ({error}); {hint}", path.display()))
        })?;
        Ok(Self { listener, path })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves up to `clients_max` clients at once, for as long as the task is kept.
    pub(crate) fn serve(self, handle: Handle, executor: &Executor, clients_max: usize) -> smol::Task<()> {
        let spawner = executor.clone();
        executor.spawn(LISTENER_TASK, async move { self.accept(handle, spawner, clients_max).await })
    }

    async fn accept(self, handle: Handle, executor: Executor, clients_max: usize) {
        // Each client holds a clone: the count is right however a client ends.
        let place = Arc::new(());
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) if Arc::strong_count(&place) > clients_max => {
                    handle.note_turned_away();
                    turn_away(stream, clients_max).await;
                }
                Ok((stream, _)) => {
                    let (handle, place) = (handle.clone(), place.clone());
                    let client = async move {
                        let _place = place;
                        if let Err(error) = Session::new(stream, handle).run().await {
                            log::debug!("a client of the control socket is gone: {error}");
                        }
                    };
                    executor.spawn(CLIENT_TASK, client).detach();
                }
                Err(error) => {
                    log::warn!("the control socket pauses for {ACCEPT_PAUSE_S} s: {error}");
                    smol::Timer::after(Duration::from_secs(ACCEPT_PAUSE_S)).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn remove_stale(path: &Path) -> Result<(), Failure> {
    let Ok(facts) = fs::symlink_metadata(path) else { return Ok(()) };
    let shown = path.display();
    if !facts.file_type().is_socket() {
        return Err(Failure::failed(format!("{shown} is in the way and no socket: remove it or choose another --dir")));
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(Failure::in_use(format!("a peer already answers on {shown}: stop it or choose another --dir")));
    }
    fs::remove_file(path).map_err(|error| Failure::failed(format!("cannot remove the stale {shown} ({error})")))
}

/// The mode is set between `bind` and `listen`: before, there is no file; until then, nobody can connect.
fn listen(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let socket = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    socket.listen(SOCKET_BACKLOG)?;
    UnixListener::try_from(std::os::unix::net::UnixListener::from(socket))
}

async fn turn_away(mut stream: UnixStream, clients_max: usize) {
    let sentence = format!("{clients_max} clients are connected already (control_clients_max): close one");
    // A fresh socket has room for one line: this does not wait.
    let _ = stream.write_all(format!("{}\n", protocol::bad(None, &sentence)).as_bytes()).await;
}

enum Turn {
    Line(io::Result<Option<Line>>),
    Event(Option<Arc<Event>>),
}

/// One client.
struct Session {
    reader: LineReader<UnixStream>,
    writer: UnixStream,
    handle: Handle,
    subscription: Option<(Subscription, Subscribe)>,
}

impl Session {
    fn new(stream: UnixStream, handle: Handle) -> Self {
        let reader = LineReader::new(stream.clone(), REQUEST_BYTES_MAX);
        Self { reader, writer: stream, handle, subscription: None }
    }

    /// Until the client hangs up. While it does not read, nothing is read from it either and its events wait in
    /// the subscription, which drops the oldest and counts them.
    async fn run(mut self) -> io::Result<()> {
        loop {
            let line = async { Turn::Line(self.reader.next().await) };
            let event = async {
                match &mut self.subscription {
                    Some((events, _)) => Turn::Event(events.next().await),
                    None => smol::future::pending().await,
                }
            };
            match race(line, event).await {
                Turn::Line(line) => match line? {
                    Some(line) => self.on_line(line).await?,
                    None => return Ok(()),
                },
                Turn::Event(Some(event)) => {
                    if self.subscription.as_ref().is_some_and(|(_, wanted)| wanted.wants(&event)) {
                        self.write(protocol::event(&event)).await?;
                    }
                }
                // The node has ended: so does the conversation about it.
                Turn::Event(None) => return Ok(()),
            }
        }
    }

    async fn on_line(&mut self, line: Line) -> io::Result<()> {
        let (tag, request) = match line {
            Line::Text(line) => protocol::parse(&line),
            Line::TooLong => (None, Err(RequestError::TooLong)),
            Line::NotUtf8 => (None, Err(RequestError::NotUtf8)),
        };
        let tag = tag.as_ref();
        let request = match request {
            Ok(request) => request,
            Err(error) => return self.write(protocol::bad(tag, &error.to_string())).await,
        };
        match request {
            Request::Command(command) => match connection::request(&self.handle, command).await {
                Ok(answer) => self.write(protocol::good(tag, &answer)).await,
                Err(no) => self.write(protocol::bad(tag, &no.to_string())).await,
            },
            Request::Subscribe(wanted) => {
                // Before the past is asked for: what happens in between is in both, and told once.
                let mut events = self.handle.subscribe();
                let past = match history(&self.handle, &wanted).await {
                    Ok(past) => past,
                    Err(no) => return self.write(protocol::bad(tag, &no.to_string())).await,
                };
                let waiting = waiting(&mut events).await;
                self.subscription = Some((events, wanted));
                self.write(protocol::good(tag, &Answer::Done {})).await?;
                self.write_past(past, waiting).await
            }
        }
    }

    async fn write_past(&mut self, past: Vec<Event>, waiting: Vec<Arc<Event>>) -> io::Result<()> {
        let told: HashSet<&str> = past.iter().filter_map(protocol::id_of).collect();
        let new = waiting.iter().filter(|event| protocol::id_of(event).is_none_or(|id| !told.contains(id)));
        let wanted = |event: &&Event| self.subscription.as_ref().is_some_and(|(_, wanted)| wanted.wants(event));
        let lines: Vec<String> =
            past.iter().chain(new.map(AsRef::as_ref).filter(wanted)).map(protocol::event).collect();
        for line in lines {
            self.write(line).await?;
        }
        Ok(())
    }

    async fn write(&mut self, mut line: String) -> io::Result<()> {
        line.push('\n');
        self.writer.write_all(line.as_bytes()).await
    }
}

/// The last messages and records over the rooms wanted, oldest first.
async fn history(handle: &Handle, wanted: &Subscribe) -> Result<Vec<Event>, Refused> {
    let count = wanted.history;
    let mut past = Vec::new();
    if count == 0 {
        return Ok(past);
    }
    let rooms = match (&wanted.rooms, handle.request(Command::Rooms {}).await?) {
        (Some(rooms), _) => rooms.clone(),
        (None, Answer::Rooms { rooms }) => rooms.into_iter().map(|room| room.room).collect(),
        (None, _) => Vec::new(),
    };
    for room in rooms {
        if let Answer::History { history } = handle.request(Command::History { room: Some(room), count }).await? {
            past.extend(history);
        }
    }
    past.sort_by(|a, b| protocol::order_of(a).cmp(&protocol::order_of(b)));
    past.dedup_by(|a, b| protocol::id_of(a) == protocol::id_of(b));
    past.drain(..past.len().saturating_sub(count as usize));
    Ok(past)
}

/// The events that wait already.
async fn waiting(events: &mut Subscription) -> Vec<Arc<Event>> {
    std::future::poll_fn(|cx| {
        let mut waiting = Vec::new();
        while let Poll::Ready(Some(event)) = events.poll_next(cx) {
            waiting.push(event);
        }
        Poll::Ready(waiting)
    })
    .await
}
