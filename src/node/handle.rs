//! The way to a running node: requests in, events out, each through a bounded queue.

use super::{
    channel::Channel,
    command::{Answer, Command, Queue as Description},
    event::Event,
};
use crate::base::queue::{Overflow, PushError};
use futures::channel::oneshot;
use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

/// Places of the queue of commands at most; a board's `commands_queue_max` is at or below it.
pub const COMMANDS_CAPACITY: usize = crate::base::board::ceilings::COMMANDS_QUEUE_MAX;
/// Places of one reader's queue of events at most; a board's `events_queue_max` is at or below it.
pub const EVENTS_CAPACITY: usize = crate::base::board::ceilings::EVENTS_QUEUE_MAX;

/// The node said no. The sentence names the limit or the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl Refused {
    fn stopped() -> Self {
        Refused("the peer has stopped".into())
    }
}

/// What a request waits for.
pub(super) type Reply = oneshot::Sender<Result<Answer, Refused>>;

/// What the node reads.
pub(super) enum Request {
    /// Do this and answer.
    Do(Command, Reply),
    /// Leave the network politely, then answer.
    Stop(Reply),
}

/// The node's end of the queue of commands.
pub(super) struct Requests(Channel<Request, COMMANDS_CAPACITY>);

impl Requests {
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        self.0.poll_next(cx)
    }

    /// Whether nobody asks for anything more.
    pub(super) fn is_empty(&self) -> bool {
        self.0.meter().length == 0
    }

    pub(super) fn close(&self) {
        self.0.close();
    }

    pub(super) fn describe(&self) -> Description {
        self.0.describe("commands", "app", "node")
    }
}

type Reader = Channel<Arc<Event>, EVENTS_CAPACITY>;

/// Hands each event to every reader.
#[derive(Default)]
pub(super) struct Hub {
    readers: Mutex<Vec<Reader>>,
    turned_away: AtomicU64,
}

impl Hub {
    pub(super) fn emit(&self, event: Event) {
        let event = Arc::new(event);
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).retain(|r| r.push(event.clone()).is_ok());
    }

    fn subscribe(&self, capacity: usize) -> Reader {
        let reader = Reader::new(capacity, Overflow::DropOldest);
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader.clone());
        reader
    }

    /// Clients for whom there was no place.
    pub(super) fn turned_away(&self) -> u64 {
        self.turned_away.load(Relaxed)
    }

    pub(super) fn close(&self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|r| r.close());
    }

    pub(super) fn queues(&self) -> Vec<Description> {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.iter().map(|r| r.describe("events", "node", "reader")).collect()
    }
}

/// A way to a running node. Clones lead to the same node.
#[derive(Clone)]
pub struct Handle {
    requests: Channel<Request, COMMANDS_CAPACITY>,
    hub: Arc<Hub>,
    events: usize,
}

/// The two ends: the user's and the node's.
pub(super) fn channel(commands: usize, events: usize) -> (Handle, Requests, Arc<Hub>) {
    let requests = Channel::new(commands, Overflow::Wait);
    let hub = Arc::new(Hub::default());
    (Handle { requests: requests.clone(), hub: hub.clone(), events }, Requests(requests), hub)
}

impl Handle {
    async fn ask(&self, make: impl FnOnce(Reply) -> Request) -> Result<Answer, Refused> {
        let (reply, answer) = oneshot::channel();
        match self.requests.send(make(reply)).await {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(Refused::stopped())),
            Err(PushError::Closed(_)) => Err(Refused::stopped()),
            Err(_) => Err(Refused("too many commands wait for the peer already; try again".into())),
        }
    }

    /// Asks the node and waits for its answer.
    pub async fn request(&self, command: Command) -> Result<Answer, Refused> {
        self.ask(|reply| Request::Do(command, reply)).await
    }

    /// Reads events from now on.
    pub fn subscribe(&self) -> Subscription {
        Subscription { reader: self.hub.subscribe(self.events), ended: false }
    }

    /// There was no place for one more client of this peer: where that goes on, it is a trouble.
    pub fn note_turned_away(&self) {
        self.hub.turned_away.fetch_add(1, Relaxed);
    }

    /// Leaves the network politely and ends the node's loop.
    pub async fn shutdown(&self) {
        let _ = self.ask(Request::Stop).await;
    }
}

/// A reader of events. One that is too slow loses the oldest and is told how many.
pub struct Subscription {
    reader: Reader,
    ended: bool,
}

impl Subscription {
    /// The next event; none once the node has stopped.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next event; none once the node has stopped.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        let count = self.reader.missed();
        if count > 0 {
            return Poll::Ready(Some(Arc::new(Event::Missed { count })));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let next = self.reader.poll_next(cx);
        self.ended = matches!(next, Poll::Ready(None));
        next
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.reader.close();
    }
}
