//! Peers with nothing to do, all watched at the same time: memory, threads, and how often they wake up.

use super::{
    kind::Kind,
    plan::Plan,
    process,
    program::Program,
    sheet::{Figure, Sheet},
    stranger::Stranger,
};
use std::thread::{ScopedJoinHandle, scope, sleep};
use std::time::Duration;

/// A peer that is watched, and what is read of it.
struct Watch {
    /// How many keep it company.
    others: usize,
    /// Whether their heartbeats are kept alive, where they would stop.
    ticked: bool,
    memory: Option<Figure>,
    wakeups: &'static [Figure],
}

const ONE: Watch = Watch { others: 1, ticked: false, memory: Some(Figure::MemoryOne), wakeups: &[Figure::WakeupsOne] };
const EIGHT: Watch = Watch { others: 8, memory: Some(Figure::MemoryEight), wakeups: &[Figure::WakeupsEight], ..ONE };
/// Of those whose heartbeats go on by themselves.
const EIGHT_ALIVE: Watch = Watch { wakeups: &[Figure::WakeupsEight, Figure::WakeupsAlive], ..EIGHT };
const EIGHT_TICKED: Watch = Watch { others: 8, ticked: true, memory: None, wakeups: &[Figure::WakeupsAlive] };

fn watches(kind: &Kind) -> &'static [Watch] {
    if kind.sleeps { &[ONE, EIGHT, EIGHT_TICKED] } else { &[ONE, EIGHT_ALIVE] }
}

/// Before the count begins: the last question woke whom it was put to.
const CALM: Duration = Duration::from_millis(500);

/// A peer that is watched, and those that keep it company.
enum Company {
    Ours(Vec<Program>),
    Theirs(Vec<Stranger>),
}

impl Company {
    fn start(kind: &Kind, watch: &Watch) -> Result<Company, String> {
        let others = watch.others;
        match kind.file {
            None => Program::company(&format!("beside-{others}"), others, false).map(Company::Ours),
            Some(file) => Stranger::company(file, others, kind.dht, watch.ticked).map(Company::Theirs),
        }
    }

    fn pid(&self) -> u32 {
        match self {
            Company::Ours(all) => all[0].pid(),
            Company::Theirs(all) => all[0].pid(),
        }
    }

    fn check(&mut self) -> Result<(), String> {
        match self {
            Company::Ours(all) => {
                let others = all.len() as u64 - 1;
                all[0].check_in_room(others)
            }
            Company::Theirs(all) => {
                let others = all.len() - 1;
                all[0].check_peers(others)
            }
        }
    }

    fn version(&self) -> Option<&str> {
        match self {
            Company::Ours(_) => None,
            Company::Theirs(all) => all.first().map(|one| one.version.as_str()),
        }
    }
}

/// Measures one round of all kinds.
pub fn measure(plan: &Plan, kinds: &[&'static Kind], sheet: &mut Sheet) {
    let all = kinds.iter().flat_map(|kind| watches(kind).iter().map(move |watch| (*kind, watch)));
    let mut watched = Vec::new();
    for (kind, watch, company) in start(all.collect()) {
        match company {
            Ok(company) => watched.push((kind, watch, company)),
            Err(error) => fail(sheet, kind, watch, &error),
        }
    }
    sleep(plan.settle);
    for (kind, watch, company) in &mut watched {
        if let Err(error) = company.check() {
            fail(sheet, kind, watch, &error);
        }
        if let Some(version) = company.version() {
            sheet.version(kind, version);
        }
    }
    sleep(CALM);
    let count = |(_, _, company): &(_, _, Company)| process::wakeups(company.pid());
    let before: Vec<_> = watched.iter().map(count).collect();
    sleep(plan.window);
    let after: Vec<_> = watched.iter().map(count).collect();
    for ((kind, watch, company), (before, after)) in watched.iter_mut().zip(before.into_iter().zip(after)) {
        let counted = before.and_then(|before| Ok(after? - before));
        if let Err(error) = counted.and_then(|wakeups| read(plan, kind, watch, company, wakeups, sheet)) {
            fail(sheet, kind, watch, &error);
        }
    }
}

/// All at once: loading a program takes a second in some languages.
fn start(all: Vec<(&'static Kind, &'static Watch)>) -> Vec<(&'static Kind, &'static Watch, Result<Company, String>)> {
    scope(|scope| {
        let start = |(kind, watch)| (kind, watch, scope.spawn(move || Company::start(kind, watch)));
        let started: Vec<_> = all.into_iter().map(start).collect();
        let join = |thread: ScopedJoinHandle<'_, _>| thread.join().unwrap_or(Err("it panicked".into()));
        started.into_iter().map(|(kind, watch, company)| (kind, watch, join(company))).collect()
    })
}

fn read(
    plan: &Plan,
    kind: &Kind,
    watch: &Watch,
    company: &mut Company,
    wakeups: u64,
    sheet: &mut Sheet,
) -> Result<(), String> {
    watch.wakeups.iter().for_each(|figure| sheet.take(*figure, kind, wakeups as f64 / plan.window.as_secs_f64()));
    if let Some(memory) = watch.memory {
        sheet.take(memory, kind, process::resident_mib(company.pid())?);
    }
    if watch.memory == Some(Figure::MemoryEight) {
        sheet.take(Figure::PrivateEight, kind, process::mib(company.pid(), "RssAnon")?);
        sheet.take(Figure::Threads, kind, process::threads(company.pid())?.len() as f64);
    }
    company.check()
}

fn fail(sheet: &mut Sheet, kind: &Kind, watch: &Watch, why: &str) {
    sheet.fail(kind, &format!("idle with {}", watch.others), why);
}
