//! Many nodes that sit in a house and share no room with it.

use super::{PATIENCE, Peer};
use futures::future::join_all;
use std::{
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use stonechat::{
    net::executor::Executor,
    node::{
        self, Config, Handle,
        command::{Answer, Command},
    },
};

/// Many nodes in one thread that nobody asks for anything.
pub struct Strangers {
    /// The ways to them.
    pub handles: Vec<Handle>,
    thread: Option<JoinHandle<()>>,
}

impl Strangers {
    /// Starts them, where the calling thread is.
    pub fn start(configs: Vec<Config>) -> Self {
        let (give, take) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let executor = Executor::new();
            let tasks = configs.into_iter().map(|config| {
                let (handle, node) = node::start(config, &executor).expect("a stranger starts");
                give.send(handle).expect("the test waits");
                executor.spawn("node", node)
            });
            let tasks: Vec<_> = tasks.collect();
            drop(give);
            executor.block_on(join_all(tasks));
        });
        let mut handles = Vec::new();
        while let Ok(handle) = take.recv_timeout(PATIENCE) {
            handles.push(handle);
        }
        Strangers { handles, thread: Some(thread) }
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        smol::block_on(join_all(self.handles.iter().map(Handle::shutdown)));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Waits until it is so: how long that took.
pub fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < limit, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

/// How many others are in a peer's first room.
pub fn in_room(peer: &Peer) -> u32 {
    match peer.ask(Command::Rooms {}) {
        Ok(Answer::Rooms { rooms }) => rooms.first().map_or(0, |room| room.peers),
        other => panic!("no rooms: {other:?}"),
    }
}
