//! mDNS on one bridge: everybody and everybody, whoever starts first. Ours is to be the row and the column without a
//! gap; the others among themselves are the control.

use super::{Column, Found, Ours, Section, failed, seconds};
use crate::world::foreign::{KINDS, Loaded, PORT};
use crate::world::{Foreign, Host, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use stonechat::node::command::Peer;
use stonechat::node::event::{Event, FoundBy};

const THEY_SEE_US: &str = "mDNS: they see us; s, they start first / second";
const WE_SEE_THEM: &str = "mDNS: we see them; s, we start first / second";

pub const SECTION: Section = Section { name: "mdns", rows: &[THEY_SEE_US, WE_SEE_THEM], check };

const OURS: &str = "stonechat";
/// From the start of the later one.
const WANTED: Duration = Duration::from_secs(3);
/// Who has not seen the other by then never does: the slowest that was measured took 2.6 s.
const PATIENCE: Duration = Duration::from_secs(8);
/// The first is there for a while: what it did at its start cannot help the second.
const REST: Duration = Duration::from_secs(2);
/// Pairs that run at the same time: most of it is waiting.
const AT_ONCE: usize = 5;

/// What was seen, by who looked, at whom, and whether the looker started first.
type Seen = BTreeMap<(&'static str, &'static str, bool), Option<Duration>>;

fn check(columns: &[Column<'_>]) -> String {
    let all: Vec<_> = std::iter::once(OURS).chain(KINDS).collect();
    let pairs: Vec<_> = all.iter().flat_map(|first| all.iter().map(move |second| (*first, *second))).collect();
    let (seen, failures, next) = (Mutex::new(Seen::new()), Mutex::new(BTreeMap::new()), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((first, second)) = pairs.get(next.fetch_add(1, Relaxed)).copied() {
                    match catch_unwind(AssertUnwindSafe(|| pair(columns[0].world, first, second))) {
                        Ok([by_first, by_second]) => {
                            println!("{first}, then {second}: first sees {by_first:.2?}, second sees {by_second:.2?}");
                            let mut seen = seen.lock().expect("nobody panics with it");
                            seen.insert((first, second, true), by_first);
                            seen.insert((second, first, false), by_second);
                        }
                        Err(panic) => {
                            let why = super::sentence(&*panic);
                            failures.lock().expect("nobody panics with it").insert((first, second), why);
                        }
                    }
                }
            });
        }
    });
    let seen = seen.into_inner().expect("nobody panics with it");
    let failures = failures.into_inner().expect("nobody panics with it");
    for column in columns {
        let broken = failures.iter().find(|((a, b), _)| [a, b].contains(&&column.kind) && [a, b].contains(&&OURS));
        let verdict = |looker, at| match broken {
            Some((_, why)) => failed(why.clone()),
            None => verdict(&seen, looker, at),
        };
        column.row(THEY_SEE_US, || verdict(column.kind, OURS));
        column.row(WE_SEE_THEM, || verdict(OURS, column.kind));
    }
    control(&all, &seen)
}

fn verdict(seen: &Seen, looker: &'static str, at: &'static str) -> Found {
    let times = [true, false].map(|first| seen.get(&(looker, at, first)).copied().flatten());
    let text = both(times);
    if times.iter().all(|time| time.is_some_and(|time| time <= WANTED)) { Ok(text) } else { failed(text) }
}

fn both(times: [Option<Duration>; 2]) -> String {
    let [first, second] = times.map(|time| time.map_or("–".into(), seconds));
    format!("{first} / {second}")
}

fn control(all: &[&'static str], seen: &Seen) -> String {
    let mut text = format!(
        "Who sees whom by mDNS: seconds from the start of the later one, looker started first / second (–: not within {} s).\n\n",
        PATIENCE.as_secs()
    );
    text += &format!("| looks \\ for | {} |\n| --- |{}\n", all.join(" | "), " ---: |".repeat(all.len()));
    for looker in all {
        let cell =
            |at: &&'static str| both([true, false].map(|first| seen.get(&(*looker, *at, first)).copied().flatten()));
        text += &format!("| {looker} | {} |\n", all.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
    text
}

/// One of a pair, ours or not.
enum Looker {
    Ours(Ours, Instant),
    Theirs(Foreign),
}

impl Looker {
    fn id(&self) -> &str {
        match self {
            Self::Ours(ours, _) => &ours.id,
            Self::Theirs(theirs) => &theirs.id,
        }
    }

    fn started(&self) -> Instant {
        match self {
            Self::Ours(_, started) => *started,
            Self::Theirs(theirs) => theirs.started,
        }
    }

    /// How long after `since` it has found `other` at an address of its host.
    fn sees(&self, other: &Self, host: &Host, since: Instant) -> Option<Duration> {
        let limit = PATIENCE.saturating_sub(since.elapsed());
        let (id, at) = (other.id(), format!("/ip4/{}/tcp/", host.address()));
        let seen = match self {
            Self::Ours(ours, _) => ours.found(id, &at, matches!(other, Self::Ours(..)), limit)?,
            Self::Theirs(theirs) => {
                let wanted = |event: &Value| {
                    event["event"] == "discovered"
                        && event["peer"] == id
                        && event["addresses"].to_string().contains(&at)
                };
                theirs.find_event(limit, wanted)?.0
            }
        };
        Some(seen.saturating_duration_since(since))
    }
}

impl Ours {
    /// When it has found `id` at an address that begins like this. What it finds in its first moments has no event
    /// here, but then it has dialled it, for strangers do not dial here; of two of ours either may have.
    fn found(&self, id: &str, at: &str, either: bool, limit: Duration) -> Option<Instant> {
        let start = Instant::now();
        while start.elapsed() <= limit {
            let event = self.find_event(Duration::ZERO, |event| match event {
                Event::Discovered { peer: Some(peer), address: Some(address), by: FoundBy::Mdns } => {
                    peer == id && address.starts_with(at)
                }
                _ => false,
            });
            let dialled = |peer: &Peer| peer.peer == id && (peer.outbound || either) && peer.address.starts_with(at);
            if let Some((seen, _)) = event {
                return Some(seen);
            }
            if self.peers().iter().any(dialled) {
                return Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

/// When the first has seen the second, and the second the first.
fn pair(world: &World, first: &str, second: &str) -> [Option<Duration>; 2] {
    // A machine that does much else at the same time has a second try.
    let ours = [first, second].contains(&OURS);
    let once = try_pair(world, first, second, 1);
    if !ours || once.iter().all(|time| time.is_some_and(|time| time <= WANTED)) {
        return once;
    }
    println!("{first}, then {second}: {once:.2?}, once more");
    try_pair(world, first, second, 2)
}

fn try_pair(world: &World, first: &str, second: &str, round: u32) -> [Option<Duration>; 2] {
    let lan = world.subnet();
    let host = |place: u32, kind: &str| world.host(&format!("mdns{round}-{first}-{second}-{place}-{kind}"), &lan);
    let hosts = [host(1, first), host(2, second)];
    // Loaded early, so that no interpreter's start is counted.
    let loaded =
        [(&hosts[0], first), (&hosts[1], second)].map(|(host, kind)| (kind != OURS).then(|| Loaded::new(host, kind)));
    let [load_first, load_second] = loaded;
    let is_control = ![first, second].contains(&OURS);
    let a = start(&hosts[0], load_first, is_control);
    std::thread::sleep(REST);
    let b = start(&hosts[1], load_second, is_control);
    let since = b.started();
    [a.sees(&b, &hosts[1], since), b.sees(&a, &hosts[0], since)]
}

fn start(host: &Host, loaded: Option<Loaded>, is_control: bool) -> Looker {
    let Some(loaded) = loaded else {
        let started = Instant::now();
        return Looker::Ours(Ours::start(host, "run", &[]), started);
    };
    // Listening on every address py announces 0.0.0.0, by which only rust and we find it.
    let address = if is_control { host.address() } else { "0.0.0.0".into() };
    let options = json!({"mdns": "_p2p._udp", "listen": [format!("/ip4/{address}/tcp/{PORT}")]});
    Looker::Theirs(loaded.start(options).unwrap_or_else(|why| panic!("{why}")))
}
