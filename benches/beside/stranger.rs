//! A peer that others wrote as a child process, spoken to as `tests/interop/README.md` says.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

/// How long anything may take but a measurement.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a measurement may take: ten thousand round trips, and some that are lost for ten seconds each.
const MEASURE_PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two looks at something that will happen, and two dials.
const PAUSE: Duration = Duration::from_millis(100);
/// The topic all are in.
pub const TOPIC: &str = "bench";

/// Where the strangers are built.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/interop")
}

/// A running stranger.
pub struct Stranger {
    child: Child,
    input: ChildStdin,
    lines: mpsc::Receiver<(Instant, Value)>,
    events: Vec<(Instant, Value)>,
    tag: u64,
    /// When its process was started.
    pub started: Instant,
    /// Its peer id.
    pub peer: String,
    /// What it stands on.
    pub version: String,
}

/// How round trips went.
pub struct Trips {
    /// Median of those that came back.
    pub p50_ms: f64,
    /// Below this are 99 of 100 of them.
    pub p99_ms: f64,
    /// Those that came back, a second.
    pub rate: f64,
    /// Those that did not within 10 s.
    pub lost: f64,
}

impl Stranger {
    /// Starts the program, which listens on `listen`, with mDNS or without.
    pub fn start(file: &str, listen: &str, mdns: bool, dht: bool) -> Result<Stranger, String> {
        Stranger::start_with(file, json!({ "listen": [listen], "mdns": mdns.then_some("_p2p._udp") }), dht)
    }

    fn start_with(file: &str, mut options: Value, dht: bool) -> Result<Stranger, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let path = folder().join(file);
        let started = Instant::now();
        let mut command = Command::new(&path);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", path.display()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a stranger has no pipes".into());
        };
        let (give, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "event": line }));
                if give.send((Instant::now(), value)).is_err() {
                    return;
                }
            }
        });
        let (peer, version) = Default::default();
        let mut stranger = Stranger { child, input, lines, events: Vec::new(), tag: 0, started, peer, version };
        let seed = format!("{:032x}{:032x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        (options["do"], options["seed"]) = ("start".into(), seed.into());
        options["dht"] = dht.then_some("client").into();
        let answer = stranger.ask(options)?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        (stranger.peer, stranger.version) = (text("peer"), text("version"));
        Ok(stranger)
    }

    /// One in the topic, and others that dialled it; with their heartbeats kept alive if they are `ticked`.
    pub fn company(file: &str, others: usize, dht: bool, ticked: bool) -> Result<Vec<Stranger>, String> {
        let start = || {
            let options = json!({ "listen": ["/ip4/127.0.0.1/tcp/0"], "mdns": null, "tick": ticked });
            let mut stranger = Stranger::start_with(file, options, dht)?;
            stranger.ask(json!({ "do": "subscribe", "topic": TOPIC }))?;
            Ok::<_, String>(stranger)
        };
        let mut all = vec![start()?];
        let addresses = all[0].ask(json!({ "do": "addresses" }))?;
        let address = addresses["addresses"][0].as_str().ok_or("it listens nowhere")?.to_owned();
        for _ in 0..others {
            let mut other = start()?;
            other.dial(&address)?;
            all.push(other);
        }
        // The others may know of each other or not: that is their way.
        for (at, one) in all.iter_mut().enumerate() {
            one.wait_subscribers(if at == 0 { others } else { 1 })?;
        }
        Ok(all)
    }

    /// Dials until it is connected: js takes five connections a second.
    fn dial(&mut self, address: &str) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.ask(json!({ "do": "dial", "address": address })) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    fn wait_subscribers(&mut self, count: usize) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(json!({ "do": "subscribers", "topic": TOPIC }))?;
            let now = answer["peers"].as_array().map_or(0, Vec::len);
            if now >= count {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{now} subscribers, not {count}"));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Whether it is connected with so many peers.
    pub fn check_peers(&mut self, expected: usize) -> Result<(), String> {
        let answer = self.ask(json!({ "do": "peers" }))?;
        let mut peers: Vec<_> = answer["peers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        peers.sort_unstable();
        peers.dedup();
        if peers.len() == expected { Ok(()) } else { Err(format!("{} peers instead of {expected}", peers.len())) }
    }

    /// Its process. The scripts that start some of them become the program.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Answers what is asked in the topic from now on.
    pub fn echo(&mut self) -> Result<(), String> {
        self.ask(json!({ "do": "echo", "topic": TOPIC, "quiet": true })).map(drop)
    }

    /// Makes round trips.
    pub fn measure(&mut self, count: u32, in_flight: u32, bytes: usize) -> Result<Trips, String> {
        let request = json!({
            "do": "measure", "topic": TOPIC, "count": count, "in_flight": in_flight, "bytes": bytes, "quiet": true
        });
        let answer = self.ask_within(request, MEASURE_PATIENCE)?;
        let number = |name: &str| answer[name].as_f64().ok_or(format!("measured {answer}"));
        let lost = number("lost")?;
        Ok(Trips {
            p50_ms: number("p50_us")? / 1e3,
            p99_ms: number("p99_us")? / 1e3,
            rate: (f64::from(count) - lost) / number("seconds")?,
            lost,
        })
    }

    /// How long after its start it told of a peer found by mDNS.
    pub fn wait_discovered(&mut self, peer: &str) -> Result<Duration, String> {
        let is_it = |event: &Value| event["event"] == "discovered" && event["peer"] == peer;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((at, _)) = self.events.iter().find(|(_, event)| is_it(event)) {
                return Ok(at.duration_since(self.started));
            }
            let event = self.line(deadline)?;
            self.events.push(event);
        }
    }

    fn ask(&mut self, request: Value) -> Result<Value, String> {
        self.ask_within(request, PATIENCE)
    }

    fn ask_within(&mut self, mut request: Value, limit: Duration) -> Result<Value, String> {
        self.tag += 1;
        request["tag"] = self.tag.into();
        writeln!(self.input, "{request}").map_err(|error| format!("{}: {error}", request["do"]))?;
        let deadline = Instant::now() + limit;
        loop {
            let (at, line) = self.line(deadline).map_err(|error| format!("{}: {error}", request["do"]))?;
            match (line["tag"].as_u64(), line["ok"].as_bool()) {
                (Some(tag), Some(true)) if tag == self.tag => return Ok(line),
                (Some(tag), _) if tag == self.tag => return Err(format!("{}: {}", request["do"], line["error"])),
                (Some(_), _) => {}
                (None, _) => self.events.push((at, line)),
            }
        }
    }

    fn line(&mut self, deadline: Instant) -> Result<(Instant, Value), String> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(left).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => "nothing came in time".to_owned(),
            mpsc::RecvTimeoutError::Disconnected => "it has ended".to_owned(),
        })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
