//! Links that die without a word, and come back: what was acknowledged arrives, once, in order, soon.
//!
//! By `STONECHAT_TEST_SILENCES` (seconds, with commas between) other silences are tried than the usual ones, and by
//! `STONECHAT_TEST_TALKS` other talks (peers and lines a second, such as `2x1,6x10`).

#[allow(dead_code)]
mod world;

use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};
use stonechat::node::command::as_message;
use world::peer::{become_one_room, directory};
use world::{GENEROUS, Host, Peer, World, until};

/// How long a peer whose link is dead may be listed while somebody talks to it.
const DEAD: Duration = Duration::from_secs(20);
/// Within this everything said is to be there when the link is back. Printed beside what it took: the machine may be busy.
const BACK: Duration = Duration::from_secs(5);
/// Within this it is there on any machine.
const BACK_MAX: Duration = Duration::from_secs(20);
/// What is said before the silence and after it.
const BEFORE: Duration = Duration::from_secs(4);

/// A line that was said and how it was answered.
struct Said {
    text: String,
    at: Instant,
    answer: Value,
}

/// Says so many lines a second until told to stop.
fn talk(author: &Peer, rate: u32, stop: &AtomicBool) -> Vec<Said> {
    let (start, mut said) = (Instant::now(), Vec::new());
    while !stop.load(Relaxed) {
        let text = format!("{} says {}", author.name, said.len());
        let at = Instant::now();
        let answer = author.ask(&json!({"command": "send", "text": text}));
        said.push(Said { text, at, answer });
        let next = start + Duration::from_secs(1) / rate * said.len() as u32;
        sleep(next.saturating_duration_since(Instant::now()));
    }
    said
}

/// When `of` was first not listed by `by`, from `since` on, as long as `going` says so.
fn left(by: &Peer, of: &Peer, since: Instant, going: &AtomicBool) -> Option<Duration> {
    while going.load(Relaxed) {
        if !by.peers().iter().any(|peer| peer.peer == of.id) {
            return Some(since.elapsed());
        }
        sleep(Duration::from_millis(200));
    }
    None
}

/// One talk through a silence.
struct Case {
    peers: usize,
    rate: u32,
    silence: Duration,
}

/// What came of it.
struct Outcome {
    said: usize,
    waited: usize,
    gone: Vec<Option<Duration>>,
    /// From the link's return until the last listener had everything that was said before.
    complete: Option<Duration>,
    faults: Vec<String>,
}

/// Peers on one network, of which the first loses its link. It and the second talk all the time.
fn silence(case: &Case, hosts: &[Host]) -> Outcome {
    let dirs: Vec<_> = hosts.iter().map(|_| directory()).collect();
    let peers: Vec<_> =
        hosts.iter().zip(&dirs).map(|(host, dir)| Peer::run(host, &host.name, dir.path(), &[])).collect();
    become_one_room(&peers.iter().collect::<Vec<_>>(), GENEROUS);
    let (lost, rest) = peers.split_first().expect("there are peers");
    let (stop, going) = (AtomicBool::new(false), AtomicBool::new(true));
    scope(|scope| {
        let talks = [lost, &rest[0]].map(|author| {
            let stop = &stop;
            scope.spawn(move || talk(author, case.rate, stop))
        });
        sleep(BEFORE);
        hosts[0].silence();
        let since = Instant::now();
        let watches = [(lost, &rest[0]), (&rest[0], lost)].map(|(by, of)| {
            let going = &going;
            scope.spawn(move || left(by, of, since, going))
        });
        sleep(case.silence);
        going.store(false, Relaxed);
        hosts[0].end_silence();
        let back = Instant::now();
        sleep(Duration::from_secs(2));
        stop.store(true, Relaxed);
        let talks = talks.map(|talk| talk.join().expect("a talk"));
        let gone: Vec<_> = watches.into_iter().map(|watch| watch.join().expect("a watch")).collect();
        judge(case, &peers, talks, gone, since, back)
    })
}

/// Whether everyone heard what was acknowledged, once, in order, and in time.
fn judge(
    case: &Case,
    peers: &[Peer],
    talks: [Vec<Said>; 2],
    gone: Vec<Option<Duration>>,
    since: Instant,
    back: Instant,
) -> Outcome {
    let mut faults = Vec::new();
    let name = format!("{} peers, {} lines/s, {:?}", peers.len(), case.rate, case.silence);
    let mut complete = Some(Duration::ZERO);
    for (author, said) in peers.iter().zip(&talks) {
        let refused = said.iter().filter(|line| line.answer["ok"] != true).count();
        if refused > 0 {
            faults.push(format!("{name}: {refused} lines of {} refused", author.name));
        }
        let wanted: Vec<_> = said.iter().filter(|line| line.answer["ok"] == true).map(|line| &line.text).collect();
        for listener in peers.iter().filter(|listener| listener.id != author.id) {
            let like = format!("{} says ", author.name);
            let start = Instant::now();
            while listener.lines_like(author, &like).len() < wanted.len() && start.elapsed() < GENEROUS {
                sleep(Duration::from_millis(20));
            }
            let heard = listener.lines_like(author, &like);
            let missing = wanted.iter().filter(|line| !heard.contains(line)).count();
            if missing > 0 {
                faults.push(format!(
                    "{name}: {} misses {missing} of {} lines of {}",
                    listener.name,
                    wanted.len(),
                    author.name
                ));
                complete = None;
            } else if heard.len() != wanted.len() {
                faults.push(format!("{name}: {} heard lines of {} twice", listener.name, author.name));
            } else if heard.iter().ne(wanted.iter().copied()) {
                faults.push(format!("{name}: {} heard lines of {} in another order", listener.name, author.name));
            }
            let before = |text: &String| said.iter().any(|line| line.text == *text && line.at < back);
            let last = listener.heard().into_iter().filter(|(_, event)| {
                as_message(event)
                    .is_some_and(|line| line.from == author.id && line.text.starts_with(&like) && before(&line.text))
            });
            let last = last.map(|(at, _)| at.saturating_duration_since(back)).max().unwrap_or_default();
            complete = complete.map(|so_far| so_far.max(last));
        }
    }
    if case.silence > DEAD + Duration::from_secs(1) {
        for (gone, (by, of)) in gone.iter().zip([(0, 1), (1, 0)]) {
            if gone.is_none_or(|gone| gone > DEAD) {
                faults.push(format!("{name}: {} listed {} for {gone:?}", peers[by].name, peers[of].name));
            }
        }
        // From then on the one that is alone is told that its lines wait.
        let told = |line: &&Said| line.at > since + DEAD && line.at < back;
        let lies = talks[0].iter().filter(told).filter(|line| line.answer["peers"] != 0 || line.answer["waiting"] == 0);
        let lies = lies.count();
        if lies > 0 {
            faults.push(format!("{name}: {lies} lines of {} are not said to wait", peers[0].name));
        }
    }
    if complete.is_none_or(|complete| complete > BACK_MAX) {
        faults.push(format!("{name}: complete after {complete:.2?}"));
    }
    let waited = talks.iter().flatten().filter(|line| line.answer["peers"] == 0).count();
    Outcome { said: talks.iter().map(Vec::len).sum(), waited, gone, complete, faults }
}

fn given<T>(variable: &str, otherwise: &str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
    let given = std::env::var(variable).unwrap_or(otherwise.into());
    given.split(',').map(|one| read(one.trim()).unwrap_or_else(|| panic!("{variable}: {one:?}"))).collect()
}

fn silences() -> Vec<Duration> {
    given("STONECHAT_TEST_SILENCES", "16,34,80,110", |seconds| Some(Duration::from_secs(seconds.parse().ok()?)))
}

fn talks() -> Vec<(usize, u32)> {
    given("STONECHAT_TEST_TALKS", "2x1,2x10,6x1,6x10", |talk| {
        let (peers, rate) = talk.split_once('x')?;
        Some((peers.parse().ok().filter(|peers| *peers >= 2)?, rate.parse().ok().filter(|rate| *rate > 0)?))
    })
}

#[test]
fn what_is_said_into_a_silence_arrives_after_it() {
    let Some(world) = World::new() else { return };
    let (mut table, mut faults) = (String::new(), Vec::new());
    for (round, silence_s) in silences().into_iter().enumerate() {
        let cases: Vec<_> = talks()
            .into_iter()
            .map(|(peers, rate)| Case { peers, rate, silence: silence_s })
            .map(|case| {
                let lan = world.subnet();
                let name = |n| format!("r{round}-{}-{}-{n}", case.peers, case.rate);
                let hosts: Vec<_> = (0..case.peers).map(|n| world.host(&name(n), &lan)).collect();
                // As kernels before 6.5 do: a dial that was not answered is tried again after 1, 3 and 7 s.
                let old = ["-qw", "net.ipv4.tcp_syn_linear_timeouts=0"];
                hosts.iter().for_each(|host| drop(host.run("sysctl", &old)));
                (case, hosts)
            })
            .collect();
        // Side by side, each on a network of its own.
        let outcomes: Vec<_> = scope(|scope| {
            let all: Vec<_> = cases.iter().map(|(case, hosts)| scope.spawn(move || silence(case, hosts))).collect();
            all.into_iter().map(|one| one.join().expect("a talk through a silence")).collect()
        });
        for ((case, _), outcome) in cases.iter().zip(outcomes) {
            let gone: Vec<_> =
                outcome.gone.iter().map(|gone| gone.map_or("-".into(), |it| format!("{it:.1?}"))).collect();
            let goal = |it| if it <= BACK { "" } else { ": MISSES the goal of 5 s" };
            let complete = outcome.complete.map_or("never".into(), |it| format!("{it:.2?}{}", goal(it)));
            table += &format!(
                "| {} | {} | {} | {} | {} | {} | {complete} |\n",
                case.silence.as_secs(),
                case.peers,
                case.rate,
                outcome.said,
                outcome.waited,
                gone.join(" / ")
            );
            faults.extend(outcome.faults);
        }
        println!(
            "| silence, s | peers | lines/s | said | told to wait | left the list after | complete after |\n{table}"
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A path that swallows what is longer than 1,300 bytes, and tells nobody.
#[test]
fn a_path_that_swallows_long_packets_carries_everything() {
    let Some(world) = World::new() else { return };
    let lan = world.subnet();
    let hosts = ["a", "b"].map(|name| world.host(name, &lan));
    hosts.iter().for_each(|host| host.swallow_above(1_300));
    let dirs = [directory(), directory()];
    let [a, b] = [0, 1].map(|n| Peer::run(&hosts[n], &hosts[n].name, dirs[n].path(), &[]));
    become_one_room(&[&a, &b], GENEROUS);
    let start = Instant::now();
    a.insist(&json!({"command": "record", "kind": "bulk", "data": "5a".repeat(2_000)}));
    for n in 0..18 {
        a.send(&format!("short {n}"));
        sleep(Duration::from_millis(200));
    }
    let said = start.elapsed();
    let wanted: Vec<_> = (0..18).map(|n| format!("short {n}")).collect();
    until("every short line", 4 * GENEROUS, || (b.lines_like(&a, "short ").len() >= 18).then_some(()));
    let last = start.elapsed();
    let is_record = |event: &stonechat::node::event::Event| matches!(event, stonechat::node::event::Event::Record(_));
    let (at, _) = b.wait_event("the record", 4 * GENEROUS, is_record);
    println!(
        "the record after {:.2?}, the last short line {:.2?} after it was said; {} packets swallowed",
        at - start,
        last.saturating_sub(said),
        hosts.iter().map(Host::swallowed).sum::<u64>()
    );
    assert_eq!(b.lines_like(&a, "short "), wanted);
    assert_eq!(b.events().iter().filter(|event| is_record(event)).count(), 1);
    assert!(at - start < DEAD + BACK, "the record took {:.1?}", at - start);
}
