//! What was measured, and the table of it.

use super::{
    plan::{Group, Plan},
    rounds::{Pick, machine},
};
use std::{collections::BTreeMap, fmt::Write};

/// Whose figure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// stonechat's.
    Ours,
    /// The bare peer's.
    Bare,
}

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Median time of an echo.
    EchoP50,
    /// The time that 99 of 100 echoes stay below.
    EchoP99,
    /// Round trips a second.
    Rate,
    /// Echoes that never came.
    Lost,
    /// Memory with one peer.
    MemoryOne,
    /// Memory with eight peers.
    MemoryEight,
    /// Memory after many round trips.
    MemoryAfter,
    /// Wake-ups with one peer.
    WakeupsOne,
    /// Wake-ups with eight peers.
    WakeupsEight,
    /// Heartbeats meanwhile.
    HeartbeatsEight,
    /// Wake-ups with eight peers where the bare peer's heartbeats are kept alive too.
    WakeupsAlive,
    /// Heartbeats meanwhile.
    HeartbeatsAlive,
    /// Wake-ups with multicast DNS on.
    WakeupsMdns,
    /// Threads.
    Threads,
    /// From start to having found the other.
    Discovery,
    /// From start to sharing a room with the other.
    Joined,
    /// The program's bytes.
    Size,
}

struct Row {
    figure: Figure,
    group: Group,
    what: &'static str,
    pick: Pick,
    digits: usize,
    bare: bool,
}

const fn row(figure: Figure, group: Group, what: &'static str, pick: Pick, digits: usize, bare: bool) -> Row {
    Row { figure, group, what, pick, digits, bare }
}

const ROWS: [Row; 17] = [
    row(Figure::EchoP50, Group::Echo, "gossip echo, p50, ms", Pick::Least, 2, true),
    row(Figure::EchoP99, Group::Echo, "gossip echo, p99, ms", Pick::Least, 2, true),
    row(Figure::Rate, Group::Echo, "round trips/s, 32 in flight", Pick::Most, 0, true),
    row(Figure::Lost, Group::Echo, "lost of {trips}", Pick::Most, 0, true),
    row(Figure::MemoryOne, Group::Idle, "resident memory, idle with 1 peer, MiB", Pick::Mean, 1, true),
    row(Figure::MemoryEight, Group::Idle, "resident memory, idle with 8 peers, MiB", Pick::Mean, 1, true),
    row(Figure::MemoryAfter, Group::Echo, "resident memory after {trips} round trips, MiB", Pick::Mean, 1, true),
    row(Figure::WakeupsOne, Group::Idle, "wake-ups/s, idle with 1 peer", Pick::Mean, 1, true),
    row(Figure::WakeupsEight, Group::Idle, "wake-ups/s, idle with 8 peers", Pick::Mean, 1, true),
    row(Figure::HeartbeatsEight, Group::Idle, "gossipsub heartbeats in these {window} s", Pick::Mean, 0, true),
    row(Figure::WakeupsAlive, Group::Idle, "wake-ups/s, 8 peers, the bare one ticked each second", Pick::Mean, 1, true),
    row(Figure::HeartbeatsAlive, Group::Idle, "gossipsub heartbeats in these {window} s", Pick::Mean, 0, true),
    row(Figure::WakeupsMdns, Group::Idle, "wake-ups/s, 8 peers found by mDNS", Pick::Mean, 1, false),
    row(Figure::Threads, Group::Idle, "threads", Pick::Most, 0, true),
    row(Figure::Discovery, Group::Discovery, "from start to having found the other by mDNS, s", Pick::Mean, 2, false),
    row(Figure::Joined, Group::Discovery, "from start to having it in the room, s", Pick::Mean, 2, false),
    row(Figure::Size, Group::Size, "the program, MB", Pick::Mean, 2, false),
];

/// What was measured so far.
pub struct Sheet {
    trips: u32,
    window_s: u64,
    repeat: u32,
    only: Option<Group>,
    values: BTreeMap<(Figure, Side), Vec<f64>>,
    notes: Vec<String>,
    failures: Vec<String>,
}

impl Sheet {
    /// An empty sheet.
    pub fn new(plan: &Plan) -> Sheet {
        Sheet {
            trips: plan.trips,
            window_s: plan.window.as_secs(),
            repeat: plan.repeat,
            only: plan.only,
            values: BTreeMap::new(),
            notes: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Takes a figure.
    pub fn take(&mut self, figure: Figure, side: Side, value: f64) {
        self.values.entry((figure, side)).or_default().push(value);
    }

    /// Says something below the table, once.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Says what could not be measured and why.
    pub fn fail(&mut self, what: &str, why: &str) {
        eprintln!("failed: {what}: {why}");
        self.failures.push(format!("{what}: {why}"));
    }

    fn wanted(&self) -> impl Iterator<Item = &'static Row> {
        let only = self.only;
        ROWS.iter().filter(move |row| only.is_none_or(|only| only == row.group))
    }

    fn value(&self, row: &Row, side: Side) -> Option<f64> {
        let values = self.values.get(&(row.figure, side))?;
        Some(row.pick.of(values))
    }

    /// Whether everything was measured, in every round.
    pub fn is_whole(&self) -> bool {
        let has = |row: &Row, side| self.value(row, side).is_some_and(f64::is_finite);
        self.failures.is_empty() && self.wanted().all(|row| has(row, Side::Ours) && (!row.bare || has(row, Side::Bare)))
    }

    fn named(&self, row: &Row) -> String {
        let what = row.what.replace("{trips}", &self.trips.to_string());
        what.replace("{window}", &self.window_s.to_string())
    }

    /// The table, and below it what each round gave.
    pub fn markdown(&self) -> String {
        let mut out =
            format!("{}\n\n| figure | stonechat | bare libp2p | ratio | of the rounds |\n", machine(self.repeat));
        out.push_str("| --- | ---: | ---: | ---: | --- |\n");
        for row in self.wanted() {
            let (ours, bare) = (self.value(row, Side::Ours), self.value(row, Side::Bare));
            let cell = |value: Option<f64>, measured: bool| match value.filter(|value| value.is_finite()) {
                Some(value) => format!("{value:.*}", row.digits),
                None if measured => "failed".to_owned(),
                None => "-".to_owned(),
            };
            let ratio = match (ours, bare) {
                (Some(ours), Some(bare)) if bare != 0.0 => format!("{:.2}", ours / bare),
                _ => "-".to_owned(),
            };
            let pick = row.pick.name();
            let (ours, bare) = (cell(ours, true), cell(bare, row.bare));
            let _ = writeln!(out, "| {} | {ours} | {bare} | {ratio} | {pick} |", self.named(row));
        }
        out.push('\n');
        if self.repeat > 1 {
            for row in self.wanted() {
                let rounds = |side| {
                    let values = self.values.get(&(row.figure, side)).map_or(&[][..], Vec::as_slice);
                    values.iter().map(|value| format!("{value:.*}", row.digits)).collect::<Vec<_>>().join(", ")
                };
                let (ours, bare) = (rounds(Side::Ours), rounds(Side::Bare));
                let bare = if row.bare { format!("; bare {bare}") } else { String::new() };
                let _ = writeln!(out, "- {}, each round: {ours}{bare}", self.named(row));
            }
        }
        for note in &self.notes {
            let _ = writeln!(out, "- {note}");
        }
        for failure in &self.failures {
            let _ = writeln!(out, "- failed: {failure}");
        }
        out
    }
}
