//! What was measured, and the table of it.

use super::{
    kind::Kind,
    plan::{Group, Plan},
    rounds::{Pick, machine},
};
use std::{collections::BTreeMap, fmt::Write};

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// What is made for this program alone.
    Size,
    /// The same with all that it needs of the system.
    SizeWhole,
    /// Memory with one peer.
    MemoryOne,
    /// Memory with eight peers.
    MemoryEight,
    /// The part of it that holds no file.
    PrivateEight,
    /// Memory after many round trips.
    MemoryAfter,
    /// Threads with eight peers.
    Threads,
    /// Wake-ups with one peer.
    WakeupsOne,
    /// Wake-ups with eight peers.
    WakeupsEight,
    /// The same with every heartbeat kept alive.
    WakeupsAlive,
    /// Median time of an echo.
    EchoP50,
    /// The time that 99 of 100 echoes stay below.
    EchoP99,
    /// Round trips a second.
    Rate,
    /// Echoes that never came.
    Lost,
    /// From start to having found the other.
    Discovery,
}

struct Row {
    figure: Figure,
    group: Group,
    what: &'static str,
    pick: Pick,
    digits: usize,
    /// Whether only those can do it that take many messages.
    fast: bool,
}

const fn row(figure: Figure, group: Group, what: &'static str, pick: Pick, digits: usize) -> Row {
    let fast = matches!(figure, Figure::Rate | Figure::Lost | Figure::MemoryAfter);
    Row { figure, group, what, pick, digits, fast }
}

const ROWS: [Row; 15] = [
    row(Figure::Size, Group::Size, "program, MB", Pick::Mean, 2),
    row(Figure::SizeWhole, Group::Size, "program with its runtime, MB", Pick::Mean, 2),
    row(Figure::MemoryOne, Group::Idle, "resident memory, idle with 1 peer, MiB", Pick::Mean, 1),
    row(Figure::MemoryEight, Group::Idle, "resident memory, idle with 8 peers, MiB", Pick::Mean, 1),
    row(Figure::PrivateEight, Group::Idle, "of that not of files, MiB", Pick::Mean, 1),
    row(Figure::MemoryAfter, Group::Echo, "resident memory after {trips} round trips, MiB", Pick::Mean, 1),
    row(Figure::Threads, Group::Idle, "threads", Pick::Most, 0),
    row(Figure::WakeupsOne, Group::Idle, "wake-ups/s, idle with 1 peer", Pick::Mean, 1),
    row(Figure::WakeupsEight, Group::Idle, "wake-ups/s, idle with 8 peers", Pick::Mean, 1),
    row(Figure::WakeupsAlive, Group::Idle, "the same, all heartbeats kept alive", Pick::Mean, 1),
    row(Figure::EchoP50, Group::Echo, "gossip echo, p50, ms", Pick::Least, 2),
    row(Figure::EchoP99, Group::Echo, "gossip echo, p99, ms", Pick::Least, 2),
    row(Figure::Rate, Group::Echo, "round trips/s, 32 in flight", Pick::Most, 0),
    row(Figure::Lost, Group::Echo, "lost of {trips}", Pick::Most, 0),
    row(Figure::Discovery, Group::Discovery, "from start to having found the other by mDNS, s", Pick::Mean, 2),
];

/// What was measured so far.
pub struct Sheet<'a> {
    plan: &'a Plan,
    kinds: &'a [&'static Kind],
    values: BTreeMap<(Figure, &'static str), Vec<f64>>,
    versions: BTreeMap<&'static str, String>,
    notes: Vec<String>,
    failures: Vec<String>,
}

impl<'a> Sheet<'a> {
    /// An empty sheet with a column for each kind.
    pub fn new(plan: &'a Plan, kinds: &'a [&'static Kind]) -> Self {
        let (values, versions) = Default::default();
        Sheet { plan, kinds, values, versions, notes: Vec::new(), failures: Vec::new() }
    }

    /// Takes a figure.
    pub fn take(&mut self, figure: Figure, kind: &Kind, value: f64) {
        self.values.entry((figure, kind.name)).or_default().push(value);
    }

    /// Takes what a kind stands on.
    pub fn version(&mut self, kind: &Kind, version: &str) {
        self.versions.insert(kind.name, version.to_owned());
    }

    /// Says something below the table.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Says what could not be measured and why.
    pub fn fail(&mut self, kind: &Kind, what: &str, why: &str) {
        let failure = format!("{}, {what}: {why}", kind.name);
        eprintln!("failed: {failure}");
        self.failures.push(failure);
    }

    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        let plan = self.plan;
        ROWS.iter().filter(move |row| plan.wants(row.group))
    }

    fn rounds(&self, row: &Row, kind: &Kind) -> &[f64] {
        self.values.get(&(row.figure, kind.name)).map_or(&[], Vec::as_slice)
    }

    fn value(&self, row: &Row, kind: &Kind) -> Option<f64> {
        let rounds = self.rounds(row, kind);
        (!rounds.is_empty()).then(|| row.pick.of(rounds)).filter(|value| value.is_finite())
    }

    /// Whether everything was measured that can be.
    pub fn is_whole(&self) -> bool {
        let has = |row: &Row, kind: &Kind| (row.fast && !kind.fast) || self.value(row, kind).is_some();
        self.failures.is_empty() && self.rows().all(|row| self.kinds.iter().all(|kind| has(row, kind)))
    }

    fn named(&self, row: &Row) -> String {
        row.what.replace("{trips}", &self.plan.trips.to_string())
    }

    /// The value as it is printed: two that look alike are alike.
    fn printed(&self, row: &Row, kind: &Kind) -> Option<String> {
        self.value(row, kind).map(|value| format!("{value:.*}", row.digits))
    }

    /// The printed value that no other kind beats.
    fn best(&self, row: &Row) -> Option<String> {
        let values = self.kinds.iter().filter_map(|kind| Some((self.value(row, kind)?, self.printed(row, kind)?)));
        let better = |a: &(f64, String), b: &(f64, String)| match row.figure {
            Figure::Rate => b.0.total_cmp(&a.0),
            _ => a.0.total_cmp(&b.0),
        };
        values.min_by(better).map(|(_, printed)| printed)
    }

    /// The table, with the best of each row in bold, and what must be known to read it.
    pub fn markdown(&self) -> String {
        let columns: Vec<_> = self.kinds.iter().map(|kind| kind.name).collect();
        let mut out = format!("{}\n\n| figure | {} |\n", machine(self.plan.repeat), columns.join(" | "));
        let _ = writeln!(out, "| --- |{}", " ---: |".repeat(columns.len()));
        for row in self.rows() {
            let best = self.best(row);
            let cell = |kind: &&'static Kind| match self.printed(row, kind) {
                Some(printed) if best.as_ref() == Some(&printed) => format!("**{printed}**"),
                Some(printed) => printed,
                None if row.fast && !kind.fast => "-".to_owned(),
                None => "failed".to_owned(),
            };
            let cells: Vec<_> = self.kinds.iter().map(cell).collect();
            let _ = writeln!(out, "| {} | {} |", self.named(row), cells.join(" | "));
        }
        out.push('\n');
        for kind in self.kinds {
            let version = self.versions.get(kind.name).map_or(String::new(), |version| format!(" ({version})"));
            let _ = writeln!(out, "- **{}**{version}: {}.", kind.name, kind.runs);
        }
        for note in &self.notes {
            let _ = writeln!(out, "- {note}");
        }
        for failure in &self.failures {
            let _ = writeln!(out, "- failed: {failure}");
        }
        out
    }

    /// What each round gave, and where stonechat is not the best.
    pub fn rounds_told(&self) -> String {
        let mut out = String::new();
        for row in self.rows().filter(|_| self.plan.repeat > 1) {
            let told = |kind: &&'static Kind| {
                let values = self.rounds(row, kind).iter().map(|value| format!("{value:.*}", row.digits));
                format!("{} {}", kind.name, values.collect::<Vec<_>>().join(", "))
            };
            let told: Vec<_> = self.kinds.iter().map(told).collect();
            let _ = writeln!(out, "each round: {} ({}): {}", self.named(row), row.pick.name(), told.join("; "));
        }
        let Some(ours) = self.kinds.first() else { return out };
        for row in self.rows() {
            if let (Some(best), Some(printed)) = (self.best(row), self.printed(row, ours))
                && best != printed
            {
                let _ = writeln!(out, "stonechat is not the best: {}: {printed}, the best has {best}", self.named(row));
            }
        }
        out
    }
}
