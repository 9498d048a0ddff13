//! A node in a thread of its own, for tests: it can be asked, read and frozen.
#![allow(dead_code)] // Each test program uses a part of it.

pub mod strangers;

use futures::{FutureExt, StreamExt, channel::mpsc, future};
use libp2p::{Multiaddr, identity::Keypair};
use std::{
    sync::mpsc as std_mpsc,
    task::Poll,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use stonechat::{
    base::board,
    net::executor::Executor,
    node::{
        self, Config, Handle, Refused, Role, Subscription,
        command::{Answer, Command, Sent, Status},
        event::{Event, MessageEvent},
    },
};

/// The limit of every wait: generous, for machines are slow and noisy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a test node is started with, unless the test says otherwise: one room, loopback, no mDNS.
pub fn config() -> Config {
    Config {
        keypair: Keypair::generate_ed25519(),
        board: board::find(board::DEFAULT).expect("the board of this build"),
        role: Role::Peer,
        nick: "tester".into(),
        rooms: vec!["lobby".into()],
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().expect("a multiaddr")],
        bootstrap: vec![],
        mdns: false,
        dht_protocol: node::DEFAULT_DHT_PROTOCOL.into(),
        clock: Default::default(),
        remembered: None,
    }
}

/// A node in a thread.
pub struct Peer {
    /// The way to it.
    pub handle: Handle,
    events: Subscription,
    pause: mpsc::UnboundedSender<()>,
    end: std_mpsc::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Starts a node.
    pub fn start(config: Config) -> Peer {
        let (give, take) = std_mpsc::channel();
        let (pause, mut paused) = mpsc::unbounded::<()>();
        let (end, ended) = std_mpsc::channel();
        let thread = std::thread::spawn(move || {
            let executor = Executor::new();
            let (handle, node) = node::start(config, &executor).expect("the node starts");
            let events = handle.subscribe();
            give.send((handle, events)).expect("the test waits");
            let mut task = executor.spawn("node", node);
            executor.block_on(future::poll_fn(|cx| match task.poll_unpin(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => paused.poll_next_unpin(cx).map(|_| ()),
            }));
            // Ended, or frozen: then its sockets stay open and nobody reads them, as under SIGSTOP.
            let _ = ended.recv();
        });
        let (handle, events) = take.recv_timeout(PATIENCE).expect("the node started");
        Peer { handle, events, pause, end, thread: Some(thread) }
    }

    /// Stops it as SIGSTOP would: nothing of it runs any more, the kernel still answers for its sockets.
    pub fn freeze(&self) {
        self.pause.unbounded_send(()).expect("the node runs");
    }

    /// Asks it something.
    pub fn ask(&self, command: Command) -> Result<Answer, Refused> {
        smol::block_on(self.handle.request(command))
    }

    /// Its state.
    pub fn status(&self) -> Status {
        match self.ask(Command::Status { tasks: true }).expect("status is never refused") {
            Answer::Status(status) => *status,
            other => panic!("not a status: {other:?}"),
        }
    }

    /// A counter of its status.
    pub fn counter(&self, name: &str) -> u64 {
        self.status().counters.iter().find(|c| c.name == name).map_or(0, |c| c.count)
    }

    /// The first address it listens on, with its peer id.
    pub fn address(&self) -> Multiaddr {
        let start = Instant::now();
        loop {
            if let Some(address) = self.status().listening.first() {
                return address.parse().expect("a multiaddr");
            }
            assert!(start.elapsed() < PATIENCE, "it never listens");
            std::thread::yield_now();
        }
    }

    /// Waits for the first event that `pick` takes.
    pub fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let deadline = smol::Timer::after(PATIENCE);
        let events = &mut self.events;
        let found = async {
            loop {
                let event = events.next().await.expect("the node runs");
                if let Some(found) = pick(&event) {
                    return Some(found);
                }
            }
        };
        let late = async {
            deadline.await;
            None
        };
        smol::block_on(smol::future::or(found, late)).unwrap_or_else(|| panic!("waited in vain for {what}"))
    }

    /// Waits until somebody is in a room with it.
    pub fn wait_joined(&mut self) {
        self.wait("somebody to join", |event| matches!(event, Event::Joined { .. }).then_some(()));
    }

    /// Waits for a line of another's.
    pub fn wait_line(&mut self, text: &str) -> MessageEvent {
        self.wait(text, |event| match event {
            Event::Message(message) if message.text == text => Some(message.clone()),
            _ => None,
        })
    }

    /// Says a line in its first room.
    pub fn say(&self, text: &str) -> Sent {
        match self.ask(Command::Send { room: None, text: text.into() }).expect("the line is taken") {
            Answer::Sent(sent) => sent,
            other => panic!("not sent: {other:?}"),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.pause.unbounded_send(());
        let _ = self.end.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
