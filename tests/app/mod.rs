//! The program as a process, for its tests: started, spoken to, ended.
#![allow(dead_code)] // Each test program uses a part of it.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The limit of every wait: generous, for machines are slow and noisy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The program, in an environment of its own: no configuration of this machine's user, no colours.
pub fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stonechat"));
    for name in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "RUST_LOG", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.env("HOME", home).env("XDG_CONFIG_HOME", home.join("config")).env("XDG_DATA_HOME", home.join("data"));
    command.env("TZ", "UTC").env("TMPDIR", home);
    command
}

/// libfaketime, where it is installed; else it says that `what` is skipped.
pub fn faketime(what: &str) -> Option<String> {
    let library = |dir: std::io::Result<std::fs::DirEntry>| {
        let path = dir.ok()?.path().join("faketime/libfaketimeMT.so.1");
        path.is_file().then(|| path.to_string_lossy().into_owned())
    };
    let found = std::fs::read_dir("/usr/lib").ok().and_then(|mut dirs| dirs.find_map(library));
    if found.is_none() {
        assert_ne!(std::env::var("STONECHAT_TEST_FAKETIME").as_deref(), Ok("must"), "libfaketime is missing");
        println!("skipped: {what}: libfaketime is missing (Debian's package faketime)");
    }
    found
}

/// Has a process see another wall time; the clock that only goes forth stays as it is.
pub fn fake_time(command: &mut Command, library: &str, moved: &str) {
    command.env("LD_PRELOAD", library).env("FAKETIME", moved).env("DONT_FAKE_MONOTONIC", "1");
}

/// Runs it to its end with this on standard input.
pub fn run(home: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = program(home)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.as_bytes().to_vec();
    // It may end without reading.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    output
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8 on stdout")
}

pub fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8 on stderr")
}

/// Everything a pipe brought so far, read by a thread of its own.
#[derive(Clone)]
pub struct Gathered {
    text: Arc<Mutex<String>>,
    ended: Arc<AtomicBool>,
}

impl Gathered {
    pub fn from(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let (filled, end) = (Arc::clone(&text), Arc::clone(&ended));
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stream);
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
                filled.lock().expect("the text is whole").push_str(&line);
                line.clear();
            }
            end.store(true, Ordering::Release);
        });
        Self { text, ended }
    }

    /// Everything, once the writer has ended.
    pub fn all(&self) -> String {
        until("the end of what is printed", || self.ended.load(Ordering::Acquire).then_some(()));
        self.text()
    }

    pub fn text(&self) -> String {
        self.text.lock().expect("the text is whole").clone()
    }

    /// Waits for a line that has this in it, and gives it.
    pub fn wait(&self, part: &str) -> String {
        until(&format!("{part:?} in what was printed:\n{}", self.text()), || {
            self.text().lines().find(|line| line.contains(part)).map(String::from)
        })
    }
}

/// A process of the program that goes on until told to end.
pub struct Process {
    pub child: Child,
    pub stdout: Gathered,
    pub stderr: Gathered,
}

impl Process {
    pub fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut command = program(home);
        command.args(arguments);
        Self::spawn(&mut command)
    }

    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = Gathered::from(child.stdout.take().expect("a pipe"));
        let stderr = Gathered::from(child.stderr.take().expect("a pipe"));
        Self { child, stdout, stderr }
    }

    pub fn type_in(&mut self, text: &str) {
        self.child.stdin.as_mut().expect("stdin is open").write_all(text.as_bytes()).expect("it reads");
    }

    pub fn end_of_input(&mut self) {
        drop(self.child.stdin.take());
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    pub fn wait(&mut self) -> ExitStatus {
        let what = format!("it ends; so far:\n{}", self.stderr.text());
        until(&what, || self.child.try_wait().expect("a child can be waited for"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running peer on loopback, without mDNS, with a directory of its own.
pub struct Peer {
    pub process: Process,
    pub home: tempfile::TempDir,
    /// Where it listens, with its peer id.
    pub address: String,
}

impl Peer {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), arguments)
    }

    pub fn start_in(home: tempfile::TempDir, arguments: &[&str]) -> Self {
        Self::start_at(home, None, arguments)
    }

    /// With a clock that libfaketime moves: its library, and what its variable `FAKETIME` is to say.
    pub fn start_at(home: tempfile::TempDir, time: Option<(&str, &str)>, arguments: &[&str]) -> Self {
        let board = std::env::var("STONECHAT_TEST_BOARD").unwrap_or_else(|_| stonechat::base::board::DEFAULT.into());
        let mut all = vec!["run", "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"];
        all.extend(arguments);
        if !arguments.contains(&"--board") {
            all.extend(["--board", &board]);
        }
        let mut command = program(home.path());
        command.args(&all);
        if let Some((library, moved)) = time {
            fake_time(&mut command, library, moved);
        }
        let process = Process::spawn(&mut command);
        let line = process.stderr.wait("listening on ");
        let address = line.trim_start_matches("listening on ").to_string();
        Self { process, home, address }
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn dir(&self) -> PathBuf {
        self.home().join("data/stonechat")
    }

    pub fn socket(&self) -> PathBuf {
        self.dir().join("control.sock")
    }

    pub fn connect(&self) -> Client {
        Client::new(UnixStream::connect(self.socket()).expect("the socket answers"))
    }

    /// Runs a command against this peer to its end.
    pub fn run(&self, arguments: &[&str], input: &str) -> Output {
        run(self.home(), arguments, input)
    }

    /// Waits until so many peers are in its first room.
    pub fn wait_for_company(&self, peers: u64) {
        let mut client = self.connect();
        until("company in the room", || {
            let answer = client.ask(r#"{"command":"rooms"}"#);
            (answer["rooms"][0]["peers"].as_u64() >= Some(peers)).then_some(())
        });
    }
}

/// Two peers in one room who know of each other.
pub fn two(first: &[&str], second: &[&str]) -> (Peer, Peer) {
    let one = Peer::start(first);
    let mut arguments = vec!["--bootstrap", one.address.as_str()];
    arguments.extend(second);
    let two = Peer::start(&arguments);
    one.wait_for_company(1);
    two.wait_for_company(1);
    (one, two)
}

/// A client of the control socket that speaks its lines by hand.
pub struct Client {
    pub reader: BufReader<UnixStream>,
}

impl Client {
    pub fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        Self { reader: BufReader::new(stream) }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("the peer reads");
    }

    /// The next line; none at the end.
    pub fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        let count = self.reader.read_line(&mut line).expect("the peer writes");
        (count > 0).then(|| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}")))
    }

    /// One request and the next line.
    pub fn ask(&mut self, request: &str) -> Value {
        self.write(format!("{request}\n").as_bytes());
        self.next().expect("an answer")
    }

    /// The next event of this kind.
    pub fn event(&mut self, kind: &str) -> Value {
        loop {
            let line = self.next().expect("an event");
            if line["event"] == kind {
                return line;
            }
        }
    }
}
