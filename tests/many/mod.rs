//! Many nodes in one thread, on loopback or in a network namespace, and who of them heard which line when.
#![allow(dead_code)] // Each test program uses a part of it.

use crate::peer::{PATIENCE, config};
use futures::channel::oneshot;
use libp2p::Multiaddr;
use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    future::poll_fn,
    os::fd::AsFd,
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use stonechat::{
    base::board::{self, Board},
    net::executor::Executor,
    node::{
        self, Config, Handle,
        command::{Answer, Command, Room, Status},
        event::Event,
    },
};

/// Lines said where a test asks for many: all of them if the variable is `all`, for each takes its time.
pub fn lines(all: usize, some: usize) -> usize {
    if std::env::var("STONECHAT_TEST_LINES").is_ok_and(|how| how == "all") { all } else { some }
}

/// A board by name.
pub fn board(name: &str) -> &'static Board {
    board::find(name).expect("there is a file")
}

/// A node in the lobby that dials these.
pub fn dialling(addresses: Vec<Multiaddr>, board: &'static Board) -> Config {
    Config { bootstrap: addresses, board, ..config() }
}

#[derive(Default)]
struct Heard {
    /// By line and node, when it came each time.
    lines: BTreeMap<(String, usize), Vec<Instant>>,
    missed: u64,
}

/// Nodes that run.
pub struct Many {
    handles: Vec<Handle>,
    heard: Arc<Mutex<Heard>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Many {
    /// Starts nodes, in a network namespace of that name if one is given.
    pub fn start(configs: Vec<Config>, namespace: Option<&str>) -> Self {
        let (heard, (give, take)) = (Arc::new(Mutex::new(Heard::default())), mpsc::channel());
        let (end, ended) = oneshot::channel();
        let (namespace, hears) = (namespace.map(str::to_owned), heard.clone());
        let thread = std::thread::spawn(move || {
            if let Some(name) = namespace {
                let namespace = File::open(format!("/run/netns/{name}")).expect("the namespace is there");
                let network = Some(rustix::thread::LinkNameSpaceType::Network);
                rustix::thread::move_into_link_name_space(namespace.as_fd(), network).expect("root may enter");
            }
            let executor = Executor::new();
            let mut handles = Vec::new();
            for (at, config) in configs.into_iter().enumerate() {
                let (handle, node) = node::start(config, &executor).expect("the node starts");
                let mut events = handle.subscribe();
                let hears = hears.clone();
                let reader = async move {
                    while let Some(event) = poll_fn(|cx| events.poll_next(cx)).await {
                        let mut heard = hears.lock().expect("no panic");
                        match &*event {
                            Event::Message(line) => {
                                heard.lines.entry((line.text.clone(), at)).or_default().push(Instant::now());
                            }
                            Event::Missed { count } => heard.missed += count,
                            _ => {}
                        }
                    }
                };
                executor.spawn("node", node).detach();
                executor.spawn("reader", reader).detach();
                handles.push(handle);
            }
            give.send(handles).expect("the test waits");
            let _ = executor.block_on(ended);
        });
        let handles = take.recv_timeout(PATIENCE).expect("they started");
        Self { handles, heard, end: Some(end), thread: Some(thread) }
    }

    pub fn count(&self) -> usize {
        self.handles.len()
    }

    pub fn ask(&self, at: usize, command: Command) -> Answer {
        smol::block_on(self.handles[at].request(command)).expect("it is done")
    }

    pub fn status(&self, at: usize) -> Status {
        let Answer::Status(status) = self.ask(at, Command::Status { tasks: true }) else { panic!("no status") };
        *status
    }

    pub fn counter(&self, at: usize, name: &str) -> u64 {
        self.status(at).counters.iter().find(|counter| counter.name == name).map_or(0, |counter| counter.count)
    }

    pub fn room(&self, at: usize) -> Room {
        let Answer::Rooms { rooms } = self.ask(at, Command::Rooms {}) else { panic!("no rooms") };
        rooms.into_iter().next().expect("one")
    }

    /// The first address a node listens on that is not of this machine alone, or else the first of all.
    pub fn address(&self, at: usize) -> Multiaddr {
        let listening = until("it listens", || Some(self.status(at).listening).filter(|all| !all.is_empty()));
        listening[0].parse().expect("a multiaddr")
    }

    pub fn say(&self, at: usize, text: &str) {
        self.ask(at, Command::Send { room: None, text: text.into() });
    }

    /// Waits until each of them knows as many in the room as it should.
    pub fn wait_in_room(&self, members: impl Fn(usize) -> u32) {
        for at in 0..self.count() {
            until("all are in the room", || (self.room(at).peers >= members(at)).then_some(()));
        }
    }

    fn times(&self, at: usize, line: &str) -> Vec<Instant> {
        let heard = self.heard.lock().expect("no panic");
        heard.lines.get(&(line.to_owned(), at)).cloned().unwrap_or_default()
    }

    /// Events that readers were too slow for.
    pub fn missed(&self) -> u64 {
        self.heard.lock().expect("no panic").missed
    }
}

impl Drop for Many {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What became of some lines.
pub struct Delivery {
    wanted: usize,
    arrived: usize,
    twice: usize,
    /// Milliseconds, sorted.
    took: Vec<u128>,
}

impl Delivery {
    pub fn is_whole(&self) -> bool {
        self.arrived == self.wanted && self.twice == 0
    }

    /// Milliseconds within which so many percent of what arrived did.
    pub fn percentile(&self, percent: usize) -> u128 {
        let at = (self.took.len() * percent).div_ceil(100).saturating_sub(1);
        self.took.get(at).copied().unwrap_or_default()
    }
}

/// What 99 of a hundred lines are to take at most, in milliseconds: a heartbeat, and the way there and back. Printed, not
/// asserted: the machine may be busy with other things.
const GOAL_MS: u128 = 1_500;

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = 100.0 * self.arrived as f64 / self.wanted as f64;
        let [half, most, all] = [50, 99, 100].map(|percent| self.percentile(percent));
        let Self { wanted, arrived, twice, .. } = self;
        let goal = if most <= GOAL_MS { "within" } else { "MISSES" };
        write!(
            f,
            "{share:.2} % ({arrived} of {wanted}, {twice} twice); p50 {half} ms, p99 {most} ms ({goal} the goal of {GOAL_MS} \
             ms), slowest {all} ms"
        )
    }
}

/// One of them says so many lines, so far apart; what the others, here and in other places, heard of it.
pub fn deliver(author: (&Many, usize), all: &[&Many], count: usize, pace: Duration) -> Delivery {
    static ROUND: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let round = ROUND.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let start = Instant::now();
    let mut said = Vec::new();
    for number in 0..count {
        let line = format!("round {round}, line {number}");
        std::thread::sleep((pace * number as u32).saturating_sub(start.elapsed()));
        let now = Instant::now();
        author.0.say(author.1, &line);
        said.push((line, now));
    }
    let listeners = || {
        let listens = |many: &Many, at: usize| !std::ptr::eq(many, author.0) || at != author.1;
        let of = move |many: &'_ Many| (0..many.count()).filter(|at| listens(many, *at)).collect::<Vec<_>>();
        all.iter().flat_map(move |many| of(many).into_iter().map(move |at| (*many, at)))
    };
    let collect = || {
        let mut delivery = Delivery { wanted: 0, arrived: 0, twice: 0, took: Vec::new() };
        for (line, at) in &said {
            for (many, listener) in listeners() {
                let times = many.times(listener, line);
                delivery.wanted += 1;
                delivery.arrived += usize::from(!times.is_empty());
                delivery.twice += times.len().saturating_sub(1);
                delivery.took.extend(times.first().map(|time| time.duration_since(*at).as_millis()));
            }
        }
        delivery.took.sort_unstable();
        delivery
    };
    let waiting = Instant::now();
    while !collect().is_whole() && waiting.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
    }
    collect()
}

/// Asks again until there is something.
pub fn until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < 2 * PATIENCE, "not within {:?}: {what}", 2 * PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
}
