//! The way to the peer, whether it runs in this process or in another: the chat cannot tell them apart.

use super::client::Client;
use super::exit::Failure;
use super::logging;
use super::protocol::Subscribe;
use crate::node::command::{Answer, Command};
use crate::node::event::Event;
use crate::node::{Handle, Refused, Subscription};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Asks the node of this process. What this floor adds to it is told as well.
pub(crate) async fn request(handle: &Handle, command: Command) -> Result<Answer, Refused> {
    let tasks = matches!(command, Command::Status { tasks: true });
    let mut answer = handle.request(command).await?;
    if let (true, Answer::Status(status)) = (tasks, &mut answer) {
        logging::complete(status);
    }
    Ok(answer)
}

/// The name of the queue of lines that wait, as `status --tasks` calls it.
const OUTBOX: &str = "outbox";

/// Milliseconds between two looks at how many lines wait. The node tries them again every few of these.
pub(crate) const OUTBOX_LOOK_MS: u64 = 50;
/// Lines of a pipe that may wait before no more are read: much less than a node keeps, so that a file is not refused
/// because nobody was found yet or somebody reads more slowly.
pub(crate) const HELD_LINES_MAX: u32 = 32;
/// Seconds to wait for one more line to leave. Finding each other on one network takes 1.
const OUTBOX_PATIENCE_S: u64 = 10;

/// How long the pipe waits for its lines to leave.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// The fewest lines seen waiting, and when that was.
    best: Option<(u32, Instant)>,
}

impl Patience {
    /// Whether the wait is over, with so many still waiting: true when all have left, false when it lasted too long.
    pub(crate) fn after(&mut self, waiting: u32) -> Option<bool> {
        match self.best {
            _ if waiting == 0 => Some(true),
            Some((least, since)) if waiting >= least => {
                (since.elapsed() > Duration::from_secs(OUTBOX_PATIENCE_S)).then_some(false)
            }
            _ => {
                self.best = Some((waiting, Instant::now()));
                None
            }
        }
    }
}

/// A peer to talk through.
pub(crate) enum Connection {
    /// It runs here.
    Own(Handle, Subscription),
    /// It runs elsewhere on the same directory.
    Attached(Box<Client>),
}

impl Connection {
    /// To a node of this process.
    pub(crate) fn own(handle: Handle) -> Self {
        let events = handle.subscribe();
        Self::Own(handle, events)
    }

    /// To a running peer; the last `history` messages of its rooms come first.
    pub(crate) async fn attach(mut client: Client, history: u32) -> Result<Self, Failure> {
        client.subscribe(&Subscribe { rooms: None, history }).await?;
        Ok(Self::Attached(Box::new(client)))
    }

    /// Whether the peer goes on when we end.
    pub(crate) fn is_attached(&self) -> bool {
        matches!(self, Self::Attached(_))
    }

    /// Asks the peer and waits for its answer.
    pub(crate) async fn request(&mut self, command: Command) -> Result<Answer, Failure> {
        match self {
            Self::Own(handle, _) => request(handle, command).await.map_err(|no| Failure::refused(no.to_string())),
            Self::Attached(client) => client.request(&command).await,
        }
    }

    /// How many lines wait at the peer, for somebody to come or to read faster.
    pub(crate) async fn waiting(&mut self) -> Result<u32, Failure> {
        match self.request(Command::Status { tasks: true }).await? {
            Answer::Status(status) => {
                Ok(status.queues.iter().find(|queue| queue.name == OUTBOX).map_or(0, |queue| queue.length))
            }
            _ => Ok(0),
        }
    }

    /// The next event; none when the peer has ended.
    pub(crate) async fn next(&mut self) -> Result<Option<Arc<Event>>, Failure> {
        match self {
            Self::Own(_, events) => Ok(events.next().await),
            Self::Attached(client) => Ok(client.next().await?.map(Arc::new)),
        }
    }
}
