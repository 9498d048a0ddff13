//! Peers with nothing to do: memory, threads, and how often they wake up. All are watched at the same time, for idle
//! peers hardly disturb each other.

use super::{
    bare,
    plan::Plan,
    process,
    program::Program,
    sheet::{Figure, Sheet, Side},
    worker::{Role, Worker},
};
use std::{thread::sleep, time::Duration};

/// A peer that is watched, and those that keep it company.
trait Watched {
    fn pid(&self) -> u32;
    fn heartbeats(&mut self) -> Result<f64, String>;
    /// Whether it has as many peers as it should.
    fn check(&mut self) -> Result<(), String>;
}

struct Programs(Vec<Program>);

struct Bares(Vec<Worker>);

impl Watched for Programs {
    fn pid(&self) -> u32 {
        self.0[0].pid()
    }

    fn heartbeats(&mut self) -> Result<f64, String> {
        self.0[0].heartbeats()
    }

    fn check(&mut self) -> Result<(), String> {
        let others = self.0.len() as u64 - 1;
        self.0[0].check_in_room(others)
    }
}

impl Watched for Bares {
    fn pid(&self) -> u32 {
        self.0[0].pid()
    }

    fn heartbeats(&mut self) -> Result<f64, String> {
        Ok(self.0[0].order("heartbeats")?.first().copied().unwrap_or(f64::NAN))
    }

    fn check(&mut self) -> Result<(), String> {
        Ok(()) // Counted when they met; a worker that loses its peers says so by ending.
    }
}

fn programs(name: &str, others: usize, mdns: bool) -> Result<Box<dyn Watched>, String> {
    Ok(Box::new(Programs(Program::company(name, others, mdns)?)))
}

fn bares(others: usize, tick: bool) -> Result<Box<dyn Watched>, String> {
    let mut all = vec![Worker::start(Role::Bare(bare::Extra { tick, count: true }), None)?];
    let address = all[0].address.clone();
    for _ in 0..others {
        all.push(Worker::start(Role::Bare(bare::Extra { tick, count: false }), Some(&address))?);
    }
    all[0].wait_joined(others)?;
    Ok(Box::new(Bares(all)))
}

struct Watch {
    name: &'static str,
    side: Side,
    memory: Option<Figure>,
    wakeups: &'static [Figure],
    heartbeats: &'static [Figure],
    /// Peers it cannot do without: what else is on the network may join where mDNS is on.
    exact: bool,
}

const ONE: &[Figure] = &[Figure::WakeupsOne];
const EIGHT: &[Figure] = &[Figure::WakeupsEight];
/// The program keeps its heartbeats alive by itself, so both rows hold the same of it.
const EIGHT_OURS: &[Figure] = &[Figure::WakeupsEight, Figure::WakeupsAlive];
const BEATS: &[Figure] = &[Figure::HeartbeatsEight];
const BEATS_OURS: &[Figure] = &[Figure::HeartbeatsEight, Figure::HeartbeatsAlive];

const fn watch(name: &'static str, side: Side, memory: Option<Figure>, wakeups: &'static [Figure]) -> Watch {
    Watch { name, side, memory, wakeups, heartbeats: &[], exact: true }
}

const WATCHES: [Watch; 6] = [
    watch("the program with 1 peer", Side::Ours, Some(Figure::MemoryOne), ONE),
    watch("a bare peer with 1 peer", Side::Bare, Some(Figure::MemoryOne), ONE),
    Watch {
        heartbeats: BEATS_OURS,
        ..watch("the program with 8 peers", Side::Ours, Some(Figure::MemoryEight), EIGHT_OURS)
    },
    Watch { heartbeats: BEATS, ..watch("a bare peer with 8 peers", Side::Bare, Some(Figure::MemoryEight), EIGHT) },
    Watch {
        heartbeats: &[Figure::HeartbeatsAlive],
        ..watch("a bare peer with 8 peers, ticked", Side::Bare, None, &[Figure::WakeupsAlive])
    },
    Watch { exact: false, ..watch("the program with 8 peers found by mDNS", Side::Ours, None, &[Figure::WakeupsMdns]) },
];

fn start(at: usize) -> Result<Box<dyn Watched>, String> {
    match at {
        0 => programs("one", 1, false),
        1 => bares(1, false),
        2 => programs("eight", 8, false),
        3 => bares(8, false),
        4 => bares(8, true),
        _ => programs("mdns", 8, true),
    }
}

/// Measures one round.
pub fn measure(plan: &Plan, sheet: &mut Sheet) {
    let mut watched = Vec::new();
    for (at, watch) in WATCHES.iter().enumerate() {
        match start(at) {
            Ok(peer) => watched.push((watch, peer)),
            Err(error) => sheet.fail(watch.name, &error),
        }
    }
    sleep(plan.settle);
    let mut beats = Vec::new();
    for (watch, peer) in &mut watched {
        beats.push(peer.heartbeats());
        if let Err(error) = peer.check() {
            tell(sheet, watch, &error);
        }
    }
    sleep(Duration::from_millis(500)); // The question itself woke them.
    let before: Vec<_> = watched.iter().map(|(_, peer)| process::wakeups(peer.pid())).collect();
    sleep(plan.window);
    let after: Vec<_> = watched.iter().map(|(_, peer)| process::wakeups(peer.pid())).collect();
    for (((watch, peer), beats), (before, after)) in watched.iter_mut().zip(beats).zip(before.into_iter().zip(after)) {
        if let Err(error) = read(plan, sheet, watch, peer.as_mut(), beats, before, after) {
            sheet.fail(watch.name, &error);
        }
    }
    sheet.note(format!(
        "Idle peers were left alone for {} s and then watched for {} s. Wake-ups are the context switches of all threads.",
        plan.settle.as_secs(),
        plan.window.as_secs()
    ));
}

fn tell(sheet: &mut Sheet, watch: &Watch, what: &str) {
    match watch.exact {
        true => sheet.fail(watch.name, what),
        false => sheet.note(format!("{}: {what}: others are on this network", watch.name)),
    }
}

fn read(
    plan: &Plan,
    sheet: &mut Sheet,
    watch: &Watch,
    peer: &mut dyn Watched,
    beats: Result<f64, String>,
    before: Result<u64, String>,
    after: Result<u64, String>,
) -> Result<(), String> {
    let wakeups = (after? - before?) as f64 / plan.window.as_secs_f64();
    watch.wakeups.iter().for_each(|figure| sheet.take(*figure, watch.side, wakeups));
    let pid = peer.pid();
    if let Some(memory) = watch.memory {
        sheet.take(memory, watch.side, process::resident_mib(pid)?);
    }
    if watch.memory == Some(Figure::MemoryEight) {
        let threads = process::threads(pid)?;
        sheet.take(Figure::Threads, watch.side, threads.len() as f64);
        sheet.note(format!("threads of {}: {}", watch.name, threads.join(", ")));
    }
    let beats = peer.heartbeats()? - beats?;
    watch.heartbeats.iter().for_each(|figure| sheet.take(*figure, watch.side, beats));
    if let Err(error) = peer.check() {
        tell(sheet, watch, &error);
    }
    Ok(())
}
