//! A peer as a real process in a host, spoken to over its control socket (a path, so it reaches across namespaces).

use super::{GENEROUS, Host, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use stonechat::node::command;
use stonechat::node::event::{Event, MessageEvent};

/// Where a peer listens when it is told nothing.
pub const PORT: u16 = 4470;

/// The last events that are printed of a peer whose test failed.
const TOLD_MAX: usize = 300;

/// A test that failed with it in hand has been told of already.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a subscription has brought so far.
#[derive(Default)]
struct Heard {
    events: Mutex<Vec<(Instant, Event)>>,
    changed: Condvar,
}

pub struct Peer {
    pub name: String,
    pub id: String,
    pub dir: PathBuf,
    /// When its process was started.
    pub started: Instant,
    child: Mutex<Child>,
    control: Mutex<BufReader<UnixStream>>,
    heard: Arc<Heard>,
}

/// A peer's directory, gone with the value.
pub fn directory() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("stonechat").tempdir().expect("a directory for the peer")
}

/// Copies the identity of one directory into another, as if the card were put into another board.
pub fn copy_identity(from: &Path, to: &Path) {
    let file = stonechat::store::identity::KEY_FILE;
    fs::copy(from.join(file), to.join(file)).expect("the key is copied with its mode");
}

impl Peer {
    /// `stonechat run` in `host`, with the events of its whole life (but for the first moments) kept.
    pub fn run(host: &Host, name: &str, dir: &Path, args: &[&str]) -> Self {
        Self::start(host, "run", name, dir, args)
    }

    /// `stonechat COMMAND`, spoken to as soon as its socket answers.
    pub fn start(host: &Host, command: &str, name: &str, dir: &Path, args: &[&str]) -> Self {
        // Another build of it may be tried as well: the one that boards run is static.
        let other = std::env::var("STONECHAT_TEST_PROGRAM");
        let program = other.as_deref().unwrap_or(env!("CARGO_BIN_EXE_stonechat"));
        Self::start_as(&[program], host, command, name, dir, args)
    }

    /// The same by another program: its path, or an emulator and its arguments that end with that path.
    pub fn start_as(program: &[&str], host: &Host, command: &str, name: &str, dir: &Path, args: &[&str]) -> Self {
        let log = File::options().create(true).append(true).open(dir.join("log")).expect("a log beside the key");
        let mut process = host.command(program[0]);
        process.args(&program[1..]).args([command, "-v", "--nick", name, "--dir"]).arg(dir);
        if let Ok(board) = std::env::var("STONECHAT_TEST_BOARD")
            && !args.contains(&"--board")
        {
            process.args(["--board", &board]);
        }
        process.args(args).stdin(Stdio::null());
        process.stdout(log.try_clone().expect("a second handle")).stderr(log);
        let started = Instant::now();
        let child = Mutex::new(process.spawn().expect("the peer starts"));
        let socket = dir.join("control.sock");
        let connect = || {
            until(&format!("{name} answers on {}", socket.display()), GENEROUS, || {
                let gone = held(&child).try_wait().expect("a child can be waited for");
                assert!(gone.is_none(), "{name} ended with {gone:?}:\n{}", tail(dir));
                UnixStream::connect(&socket).ok()
            })
        };
        let control = BufReader::new(connect());
        let heard = Arc::new(Heard::default());
        let mut subscription = BufReader::new(connect());
        let answer = ask(&mut subscription, &json!({"command": "subscribe"})).expect("an answer to subscribe");
        assert_eq!(answer["ok"], true, "{answer}");
        let filled = Arc::clone(&heard);
        std::thread::spawn(move || listen(subscription, &filled));
        let control = Mutex::new(control);
        let mut peer = Self { name: name.into(), id: String::new(), dir: dir.into(), started, child, control, heard };
        peer.id = peer.status().peer;
        peer
    }

    /// One request and its answer, whatever it is.
    pub fn ask(&self, request: &Value) -> Value {
        ask(&mut held(&self.control), request)
            .unwrap_or_else(|error| panic!("{} on {request}: {error}\n{}", self.name, tail(&self.dir)))
    }

    /// One request that must succeed.
    pub fn insist(&self, request: &Value) -> Value {
        let answer = self.ask(request);
        assert_eq!(answer["ok"], true, "{} on {request}: {answer}", self.name);
        answer
    }

    /// Publishes a line in the first room; its id.
    pub fn send(&self, text: &str) -> String {
        let answer = self.insist(&json!({"command": "send", "text": text}));
        answer["id"].as_str().expect("an id").to_string()
    }

    pub fn status(&self) -> command::Status {
        serde_json::from_value(self.insist(&json!({"command": "status", "tasks": true}))).expect("a status")
    }

    pub fn peers(&self) -> Vec<command::Peer> {
        let mut answer = self.insist(&json!({"command": "peers"}));
        serde_json::from_value(answer["peers"].take()).expect("a list of peers")
    }

    /// Waits until it is connected with all of `others`.
    pub fn wait_connected(&self, others: &[&Peer], limit: Duration) -> Instant {
        until(&format!("{} is connected with all others", self.name), limit, || {
            let peers = self.peers();
            let all = others.iter().all(|other| peers.iter().any(|peer| peer.peer == other.id));
            all.then(Instant::now)
        })
    }

    /// Waits until it knows that all of `others` are in a room of ours.
    pub fn wait_joined(&self, others: &[&Peer], limit: Duration) -> Instant {
        until(&format!("{} shares a room with all others", self.name), limit, || {
            let peers = self.peers();
            let joined = |other: &&Peer| peers.iter().any(|peer| peer.peer == other.id && !peer.rooms.is_empty());
            others.iter().all(joined).then(Instant::now)
        })
    }

    /// The first event that `wanted` accepts, of those so far and those to come, with its time of arrival.
    pub fn wait_event(&self, what: &str, limit: Duration, wanted: impl Fn(&Event) -> bool) -> (Instant, Event) {
        self.find_event(limit, wanted)
            .unwrap_or_else(|| panic!("{}: not within {limit:?}: {what}\n{}", self.name, tail(&self.dir)))
    }

    /// The same, for what need not come.
    pub fn find_event(&self, limit: Duration, wanted: impl Fn(&Event) -> bool) -> Option<(Instant, Event)> {
        let mut seen = 0;
        let start = Instant::now();
        let mut events = self.heard.events.lock().expect("the listener lives");
        loop {
            if let Some(found) = events[seen..].iter().find(|(_, event)| wanted(event)) {
                return Some(found.clone());
            }
            seen = events.len();
            let left = limit.checked_sub(start.elapsed())?;
            events = self.heard.changed.wait_timeout(events, left).expect("the listener lives").0;
        }
    }

    /// Waits for a line of this text by `author`.
    pub fn wait_line(&self, author: &Peer, text: &str, limit: Duration) -> (Instant, MessageEvent) {
        let what = format!("the line {text:?} of {}", author.name);
        let (at, event) = self.wait_event(&what, limit, |event| {
            command::as_message(event).is_some_and(|line| line.from == author.id && line.text == text)
        });
        (at, command::as_message(&event).expect("a line").clone())
    }

    /// The texts by `author` so far, as they came.
    pub fn lines_of(&self, author: &Peer) -> Vec<String> {
        let events = self.heard.events.lock().expect("the listener lives");
        let lines = events.iter().filter_map(|(_, event)| command::as_message(event));
        lines.filter(|line| line.from == author.id).map(|line| line.text.clone()).collect()
    }

    /// Those that begin with `start`.
    pub fn lines_like(&self, author: &Peer, start: &str) -> Vec<String> {
        let mut lines = self.lines_of(author);
        lines.retain(|line| line.starts_with(start));
        lines
    }

    /// Every event so far, with its time of arrival.
    pub fn heard(&self) -> Vec<(Instant, Event)> {
        self.heard.events.lock().expect("the listener lives").clone()
    }

    /// Every event so far.
    pub fn events(&self) -> Vec<Event> {
        self.heard.events.lock().expect("the listener lives").iter().map(|(_, event)| event.clone()).collect()
    }

    /// The names of its threads, as the kernel has them.
    pub fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs");
        let name = |task: std::io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
        tasks.filter_map(name).map(|name| name.trim().to_string()).collect()
    }

    /// The process; `ip netns exec` becomes the program it starts.
    pub fn pid(&self) -> u32 {
        held(&self.child).id()
    }

    pub fn is_running(&self) -> bool {
        held(&self.child).try_wait().expect("a child can be waited for").is_none()
    }

    /// Stops it in the middle of whatever it does; its kernel goes on answering.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it as a power cut does.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        let _ = held(&self.child).wait();
    }

    /// Asks it to end; how and how fast it did.
    pub fn terminate(&self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        self.signal(Signal::TERM);
        let status = until(&format!("{} ends", self.name), GENEROUS, || {
            held(&self.child).try_wait().expect("a child can be waited for")
        });
        (status, start.elapsed())
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid() as i32).expect("a process has an id");
        let _ = kill_process(pid, signal);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the last of {}:\n{}", self.name, tail(&self.dir));
            // A flood of records would fill the disk that takes the log.
            let events = held(&self.heard.events);
            let is_told = |event: &Event| !matches!(event, Event::Message(_) | Event::Record(_));
            let told: Vec<_> = events.iter().filter(|(_, event)| is_told(event)).collect();
            for (at, event) in &told[told.len().saturating_sub(TOLD_MAX)..] {
                eprintln!("{:.2?} ago: {event:?}", at.elapsed());
            }
        }
    }
}

/// Everyone talks until everyone has heard everyone else: from then on lines are counted.
pub fn become_one_room(everyone: &[&Peer], limit: Duration) {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let question = format!("is anybody there, {}?", CALLS.fetch_add(1, Relaxed));
    let deaf = || {
        let pairs = everyone.iter().flat_map(|listener| everyone.iter().map(move |author| (listener, author)));
        let deaf = |(listener, author): &(&&Peer, &&Peer)| {
            listener.id != author.id && listener.lines_like(author, &question).is_empty()
        };
        pairs.filter(deaf).map(|(listener, author)| format!("{} to {}", listener.name, author.name)).collect::<Vec<_>>()
    };
    let start = Instant::now();
    for round in 0.. {
        everyone.iter().for_each(|author| drop(author.send(&format!("{question} {round}"))));
        // The next round comes when this one had its time: a second for gossip's heartbeat.
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(1) {
            if deaf().is_empty() {
                println!("{} peers became one room in {:.1?}", everyone.len(), start.elapsed());
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(start.elapsed() < limit, "still deaf after {limit:?}: {:?}", deaf());
    }
}

fn ask(stream: &mut BufReader<UnixStream>, request: &Value) -> std::io::Result<Value> {
    stream.get_ref().set_read_timeout(Some(GENEROUS))?;
    stream.get_ref().write_all(format!("{request}\n").as_bytes())?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    stream.get_ref().set_read_timeout(None)?;
    Ok(serde_json::from_str(&line)?)
}

fn listen(subscription: BufReader<UnixStream>, heard: &Heard) {
    for line in subscription.lines().map_while(Result::ok) {
        let at = Instant::now();
        let mut events = heard.events.lock().expect("nobody else panics with it");
        // A line that is no event fails the test: its next look at the events finds the lock poisoned.
        let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"));
        events.push((at, event));
        drop(events);
        heard.changed.notify_all();
    }
}

fn tail(dir: &Path) -> String {
    let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(100)..].join("\n")
}
