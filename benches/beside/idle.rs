//! Peers with nothing to do, all watched at the same time: memory, threads, and how often they wake up.

use super::{
    kind::Kind,
    plan::Plan,
    process,
    program::Program,
    sheet::{Figure, Sheet},
    stranger::Stranger,
};
use std::thread::{scope, sleep};
use std::time::Duration;

/// How many keep a watched peer company, and the figures of that.
const COMPANIES: [(usize, Figure, Figure); 2] =
    [(1, Figure::MemoryOne, Figure::WakeupsOne), (8, Figure::MemoryEight, Figure::WakeupsEight)];
/// Before the count begins: the last question woke whom it was put to.
const CALM: Duration = Duration::from_millis(500);

/// A peer that is watched, and those that keep it company.
enum Company {
    Ours(Vec<Program>),
    Theirs(Vec<Stranger>),
}

impl Company {
    fn start(kind: &Kind, others: usize) -> Result<Company, String> {
        match kind.file {
            None => Program::company(&format!("beside-{others}"), others, false).map(Company::Ours),
            Some(file) => Stranger::company(file, others, kind.dht).map(Company::Theirs),
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
    let mut watched = Vec::new();
    let started = scope(|scope| {
        let start = |kind: &'static Kind| {
            let companies = COMPANIES.map(|(others, ..)| scope.spawn(move || Company::start(kind, others)));
            (kind, companies)
        };
        let started: Vec<_> = kinds.iter().copied().map(start).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().unwrap_or(Err("it panicked".into()));
        started.into_iter().map(|(kind, companies)| (kind, companies.map(join))).collect::<Vec<_>>()
    });
    for (kind, companies) in started {
        for ((others, memory, wakeups), company) in COMPANIES.into_iter().zip(companies) {
            match company {
                Ok(company) => watched.push((kind, others, memory, wakeups, company)),
                Err(error) => sheet.fail(kind, &format!("idle with {others}"), &error),
            }
        }
    }
    sleep(plan.settle);
    for (kind, others, _, _, company) in &mut watched {
        if let Err(error) = company.check() {
            sheet.fail(kind, &format!("idle with {others}"), &error);
        }
        if let Some(version) = company.version() {
            sheet.version(kind, version);
        }
    }
    sleep(CALM);
    let count = |(_, _, _, _, company): &(_, _, _, _, Company)| process::wakeups(company.pid());
    let before: Vec<_> = watched.iter().map(count).collect();
    sleep(plan.window);
    let after: Vec<_> = watched.iter().map(count).collect();
    for ((kind, others, memory, wakeups, company), (before, after)) in
        watched.iter_mut().zip(before.into_iter().zip(after))
    {
        let read = || {
            sheet.take(*wakeups, kind, (after? - before?) as f64 / plan.window.as_secs_f64());
            sheet.take(*memory, kind, process::resident_mib(company.pid())?);
            if *memory == Figure::MemoryEight {
                let threads = process::threads(company.pid())?;
                sheet.take(Figure::Threads, kind, threads.len() as f64);
            }
            company.check()
        };
        if let Err(error) = read() {
            sheet.fail(kind, &format!("idle with {others}"), &error);
        }
    }
}
