//! A peer on another implementation of libp2p, as a real process in a host, steered by JSON lines as
//! tests/interop/README.md says.

use super::{GENEROUS, Host, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Every stranger there is.
pub const KINDS: [&str; 4] = ["go", "js", "rust", "py"];

/// Where a stranger listens unless told otherwise.
pub const PORT: u16 = 4001;

/// Where tests/interop/build puts them.
pub fn program(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop").join(kind)
}

/// Whether these strangers are built. Without them a line says so, or where the variable `STONECHAT_TEST_INTEROP` is
/// `must` the test fails.
pub fn are_built(kinds: &[&str]) -> bool {
    let missing: Vec<_> = kinds.iter().filter(|kind| !program(kind).exists()).copied().collect();
    if missing.is_empty() {
        return true;
    }
    let what = format!("not built: {}; tests/interop/build --install builds them", missing.join(", "));
    assert!(std::env::var_os("STONECHAT_TEST_INTEROP").is_none_or(|v| v != "must"), "{what}");
    println!("skipped: {what}");
    false
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The implementation cannot do it at all.
    Cannot(String),
    /// It did not work this time.
    Failed(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cannot(why) => write!(f, "cannot: {why}"),
            Self::Failed(why) => write!(f, "{why}"),
        }
    }
}

#[derive(Default)]
struct Heard {
    answers: BTreeMap<u64, Value>,
    events: Vec<(Instant, Value)>,
    ended: bool,
}

#[derive(Default)]
struct Shared {
    heard: Mutex<Heard>,
    changed: Condvar,
}

/// A started stranger. It ends with the value.
pub struct Foreign {
    pub kind: String,
    /// Its peer id (base58).
    pub id: String,
    /// What it stands on, in its own words.
    pub version: String,
    /// When it was told to start: its program was loaded by then.
    pub started: Instant,
    child: Mutex<Child>,
    input: Mutex<Option<ChildStdin>>,
    tags: AtomicU64,
    shared: Arc<Shared>,
    log: Option<tempfile::NamedTempFile>,
}

/// A stranger's program that was loaded and not yet told to start.
pub struct Loaded(Foreign);

/// A test that failed with it in hand has been told of already.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `seed` for `start`: the same byte 32 times.
pub fn seed(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

/// Text as the hex that requests and events have.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Loaded {
    /// Loads the program of `kind` in `host`, and waits until it reads what it is told.
    pub fn new(host: &Host, kind: &str) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a file for what it says");
        let stderr: File = log.reopen().expect("a second handle");
        let mut command = host.command(program(kind).to_str().expect("a path of UTF-8"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("the stranger starts");
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("it is piped"));
        let shared = Arc::new(Shared::default());
        let filled = Arc::clone(&shared);
        std::thread::spawn(move || listen(output, &filled));
        let stranger = Foreign {
            kind: kind.into(),
            id: String::new(),
            version: String::new(),
            started: Instant::now(),
            child: Mutex::new(child),
            input: Mutex::new(input),
            tags: AtomicU64::new(0),
            shared,
            log: Some(log),
        };
        // Any answer will do: what comes before `start` is refused.
        let _ = stranger.ask("addresses", json!({}));
        Self(stranger)
    }

    /// Starts it with the fields of `start`. Without `listen` it listens on every IPv4 address on [`PORT`], without
    /// `seed` it has a new identity.
    pub fn start(self, options: Value) -> Result<Foreign, Trouble> {
        let mut stranger = self.0;
        let options = with_defaults(options);
        stranger.started = Instant::now();
        let answer = stranger.ask("start", options)?;
        stranger.id = answer["peer"].as_str().expect("a peer id").into();
        stranger.version = answer["version"].as_str().expect("a version").into();
        Ok(stranger)
    }
}

impl Foreign {
    /// Loads and starts one: see [`Loaded::start`].
    pub fn start(host: &Host, kind: &str, options: Value) -> Result<Self, Trouble> {
        Loaded::new(host, kind).start(options)
    }

    /// One that must start.
    pub fn run(host: &Host, kind: &str, options: Value) -> Self {
        Self::start(host, kind, options).unwrap_or_else(|trouble| panic!("{kind}: start: {trouble}"))
    }

    /// One request and its answer. `fields` is an object.
    pub fn ask(&self, request: &str, fields: Value) -> Result<Value, Trouble> {
        self.ask_within(request, fields, 2 * GENEROUS)
    }

    /// The same with a limit.
    pub fn ask_within(&self, request: &str, mut fields: Value, limit: Duration) -> Result<Value, Trouble> {
        let failed = |why: String| Trouble::Failed(format!("{}: {request}: {why}", self.kind));
        let tag = self.tags.fetch_add(1, Relaxed) + 1;
        (fields["do"], fields["tag"]) = (request.into(), tag.into());
        let written = match &mut *held(&self.input) {
            Some(input) => input.write_all(format!("{fields}\n").as_bytes()).and_then(|()| input.flush()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(|error| failed(format!("{error}\n{}", self.log())))?;
        let heard = held(&self.shared.heard);
        let waits = |heard: &mut Heard| !heard.answers.contains_key(&tag) && !heard.ended;
        let (mut heard, _) =
            self.shared.changed.wait_timeout_while(heard, limit, waits).unwrap_or_else(PoisonError::into_inner);
        let ended = heard.ended;
        let answer = heard.answers.remove(&tag);
        drop(heard);
        let answer = answer.ok_or_else(|| {
            failed(if ended { format!("it has ended\n{}", self.log()) } else { format!("no answer within {limit:?}") })
        })?;
        let sentence = || answer["error"].as_str().unwrap_or("no reason given").to_string();
        match (answer["ok"].as_bool(), answer["cannot"].as_bool()) {
            (Some(true), _) => Ok(answer),
            (_, Some(true)) => Err(Trouble::Cannot(sentence())),
            _ => Err(failed(sentence())),
        }
    }

    /// One request that must succeed.
    pub fn insist(&self, request: &str, fields: Value) -> Value {
        self.ask(request, fields).unwrap_or_else(|trouble| panic!("{trouble}\n{}", self.log()))
    }

    /// Its address in the network of `host`, with its peer id. rust names its listeners one after another.
    pub fn address(&self, host: &Host) -> String {
        let wanted = format!("/ip4/{}/tcp/", host.address());
        let port = until(&format!("{} listens on {}", self.kind, host.address()), GENEROUS, || {
            let answer = self.insist("addresses", json!({}));
            let mut addresses = answer["addresses"].as_array().expect("a list of addresses").iter();
            addresses.find_map(|address| {
                let address = address.as_str()?;
                let rest = address.strip_prefix(&wanted).or_else(|| address.strip_prefix("/ip4/0.0.0.0/tcp/"))?;
                Some(rest.split('/').next()?.to_string())
            })
        });
        format!("{wanted}{port}/p2p/{}", self.id)
    }

    /// Subscribes to a topic.
    pub fn subscribe(&self, topic: &str) {
        self.insist("subscribe", json!({ "topic": topic }));
    }

    /// Publishes; the message's id if it is known.
    pub fn publish(&self, topic: &str, data: &[u8]) -> Option<String> {
        self.insist("publish", json!({"topic": topic, "data": hex(data)}))["id"].as_str().map(str::to_string)
    }

    /// How many connections it has with `peer`.
    pub fn connections_with(&self, peer: &str) -> usize {
        let answer = self.insist("peers", json!({}));
        answer["peers"].as_array().expect("a list").iter().filter(|id| *id == peer).count()
    }

    /// Whether it knows that `peer` is in a topic.
    pub fn sees_in(&self, topic: &str, peer: &str) -> bool {
        let answer = self.insist("subscribers", json!({ "topic": topic }));
        answer["peers"].as_array().expect("a list").iter().any(|id| id == peer)
    }

    /// The first event that `wanted` accepts, of those so far and those to come, with its time of arrival.
    pub fn find_event(&self, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Option<(Instant, Value)> {
        let (start, mut seen) = (Instant::now(), 0);
        let mut heard = held(&self.shared.heard);
        loop {
            if let Some(found) = heard.events[seen..].iter().find(|(_, event)| wanted(event)) {
                return Some(found.clone());
            }
            seen = heard.events.len();
            let left = limit.checked_sub(start.elapsed()).filter(|_| !heard.ended)?;
            heard = self.shared.changed.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The same, for what must come.
    pub fn wait_event(&self, what: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> (Instant, Value) {
        self.find_event(limit, wanted)
            .unwrap_or_else(|| panic!("{}: not within {limit:?}: {what}\n{}", self.kind, self.log()))
    }

    /// Waits for a message with this data.
    pub fn wait_message(&self, topic: &str, data: &[u8], limit: Duration) -> (Instant, Value) {
        let (what, data) = (format!("{:?} in {topic}", String::from_utf8_lossy(data)), hex(data));
        self.wait_event(&what, limit, |event| is_message(event, topic) && event["data"] == data)
    }

    /// The data of every message of a topic so far, in hex.
    pub fn messages(&self, topic: &str) -> Vec<String> {
        let events = self.events();
        let messages = events.iter().filter(|event| is_message(event, topic));
        messages.filter_map(|event| event["data"].as_str().map(str::to_string)).collect()
    }

    /// Every event so far.
    pub fn events(&self) -> Vec<Value> {
        held(&self.shared.heard).events.iter().map(|(_, event)| event.clone()).collect()
    }

    /// The process; `ip netns exec` and the scripts become the program they start.
    pub fn pid(&self) -> u32 {
        held(&self.child).id()
    }

    /// Ends it as a power cut does.
    pub fn kill(&self) {
        let mut child = held(&self.child);
        let _ = child.kill();
        let _ = child.wait();
    }

    /// The end of what it said on standard error.
    pub fn log(&self) -> String {
        let text = self.log.as_ref().and_then(|log| std::fs::read_to_string(log.path()).ok()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

/// The fields of `start` with what [`Loaded::start`] adds.
fn with_defaults(mut options: Value) -> Value {
    if options.get("listen").is_none() {
        options["listen"] = json!([format!("/ip4/0.0.0.0/tcp/{PORT}")]);
    }
    if options.get("seed").is_none() {
        let random = libp2p::identity::ed25519::SecretKey::generate();
        options["seed"] = hex(random.as_ref()).into();
    }
    options
}

fn is_message(event: &Value, topic: &str) -> bool {
    event["event"] == "message" && event["topic"] == topic
}

fn listen(output: ChildStdout, shared: &Shared) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let at = Instant::now();
        let Ok(value) = serde_json::from_str::<Value>(&line) else {
            eprintln!("not JSON: {line}");
            continue;
        };
        let mut heard = held(&shared.heard);
        match value["tag"].as_u64().filter(|_| value.get("event").is_none()) {
            Some(tag) => drop(heard.answers.insert(tag, value)),
            None => heard.events.push((at, value)),
        }
        drop(heard);
        shared.changed.notify_all();
    }
    held(&shared.heard).ended = true;
    shared.changed.notify_all();
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // The end of its input lets it leave politely; a test does not wait for that.
        self.kill();
    }
}
