//! The program `stonechat` as a child process, asked through its control socket.

use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, ErrorKind, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long the program may take to start, or to meet somebody.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two looks at something that will happen.
const PAUSE: Duration = Duration::from_millis(5);

/// Where the program lies.
pub fn path() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_stonechat"))
}

/// A running program.
pub struct Program {
    child: Child,
    dir: tempfile::TempDir,
    /// When it was started.
    pub started: Instant,
}

/// A connection to its control socket.
pub struct Control(BufReader<UnixStream>);

impl Program {
    /// Starts a peer in one room, on a directory of its own.
    pub fn start(room: &str, options: &[&str]) -> Result<Program, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let log = File::create(dir.path().join("log")).map_err(|error| error.to_string())?;
        let started = Instant::now();
        let child = Command::new(path())
            .args(["run", "-q", "--room", room, "--dir"])
            .arg(dir.path().join("peer"))
            .args(options)
            .env("XDG_CONFIG_HOME", dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", path().display()))?;
        Ok(Program { child, dir, started })
    }

    /// A peer in a room, and others that come to it, by its address or by mDNS.
    pub fn company(name: &str, others: usize, mdns: bool) -> Result<Vec<Program>, String> {
        let room = format!("bench-{}-{name}", std::process::id());
        let start = |bootstrap: &[&str]| {
            let own: &[&str] = match mdns {
                true => &["--listen", "/ip4/0.0.0.0/tcp/0"],
                false => &["--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"],
            };
            Program::start(&room, &[own, &["--dht-protocol", "/bench/kad/1.0.0"], bootstrap].concat())
        };
        let mut all = vec![start(&[])?];
        let address = all[0].address()?;
        for _ in 0..others {
            let bootstrap = ["--bootstrap", address.as_str()];
            all.push(start(if mdns { &[] } else { &bootstrap })?);
        }
        all[0].wait_in_room(others as u64)?;
        Ok(all)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("peer/control.sock")
    }

    /// Connects to its control socket, as soon as there is one.
    pub fn control(&mut self) -> Result<Control, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match UnixStream::connect(self.socket()) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
                    return Ok(Control(BufReader::new(stream)));
                }
                Err(error) if Instant::now() > deadline => return Err(format!("no control socket: {error}")),
                Err(_) => {}
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                return Err(format!("stonechat ended with {status}: {}", log.lines().last().unwrap_or("not a word")));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Its state.
    pub fn status(&mut self) -> Result<Value, String> {
        self.control()?.ask(&json!({"command": "status"}))
    }

    /// Where it can be dialled.
    pub fn address(&mut self) -> Result<String, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(address) = self.status()?["listening"][0].as_str() {
                return Ok(address.to_owned());
            }
            if Instant::now() > deadline {
                return Err("it never listens".into());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// How many peers are in its room.
    pub fn in_room(&mut self) -> Result<u64, String> {
        let rooms = self.control()?.ask(&json!({"command": "rooms"}))?;
        rooms["rooms"][0]["peers"].as_u64().ok_or(format!("no peers in {rooms}"))
    }

    /// Waits until so many peers are in its room.
    pub fn wait_in_room(&mut self, count: u64) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.in_room()?;
            if now >= count {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{now} peers in the room after {} s, not {count}", PATIENCE.as_secs()));
            }
            std::thread::sleep(20 * PAUSE);
        }
    }

    /// Whether so many peers are in its room, and no more.
    pub fn check_in_room(&mut self, expected: u64) -> Result<(), String> {
        let now = self.in_room()?;
        if now == expected { Ok(()) } else { Err(format!("{now} peers instead of {expected}")) }
    }

    /// Heartbeats of gossipsub since the start.
    pub fn heartbeats(&mut self) -> Result<f64, String> {
        let status = self.status()?;
        let counters = status["counters"].as_array().ok_or("the status has no counters")?;
        let counter = counters.iter().find(|counter| counter["name"] == "heartbeats");
        counter.and_then(|counter| counter["count"].as_f64()).ok_or("the status counts no heartbeats".into())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Control {
    /// Sends a request.
    pub fn send(&mut self, request: &Value) -> Result<(), String> {
        writeln!(self.0.get_mut(), "{request}").map_err(|error| format!("the control socket: {error}"))
    }

    /// The next line: an answer or an event.
    pub fn next(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => Err("the control socket was closed".into()),
            Ok(_) => serde_json::from_str(&line).map_err(|error| format!("{error}: {line}")),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err(format!("nothing happened for {} s", PATIENCE.as_secs()))
            }
            Err(error) => Err(format!("the control socket: {error}")),
        }
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, request: &Value) -> Result<Value, String> {
        self.send(request)?;
        let answer = self.next()?;
        match answer["ok"].as_bool() {
            Some(true) => Ok(answer),
            _ => Err(format!("{request} was answered {answer}")),
        }
    }
}
