//! What was measured, and the table of it.

pub use super::row::{Figure, Side};
use super::{
    plan::{Group, Plan},
    rounds::machine,
    row::{ROWS, Row},
};
use std::{collections::BTreeMap, fmt::Write};

/// What was measured so far.
pub struct Sheet {
    trips: u32,
    window_s: u64,
    repeat: u32,
    only: Option<Group>,
    emulated: bool,
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
            emulated: plan.worker.is_some(),
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
        let (only, emulated) = (self.only, self.emulated);
        // Memory under an emulator is the emulator's.
        let known = move |row: &&Row| !(emulated && row.figure == Figure::MemoryAfter);
        ROWS.iter().filter(move |row| only.is_none_or(|only| only == row.group)).filter(known)
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

    /// A line for each figure: its name, ours and the bare peer's. `-` is for what is not measured.
    pub fn values(&self) -> String {
        let mut out = String::new();
        for row in self.wanted() {
            let side = |side| self.value(row, side).map_or("-".to_owned(), |value| value.to_string());
            let _ = writeln!(out, "{}\t{}\t{}", row.name, side(Side::Ours), side(Side::Bare));
        }
        out
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
