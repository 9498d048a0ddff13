//! The cells, and the table they make.

use super::{Found, back, crossed};
use crate::world::foreign::{KINDS, Trouble};
use std::fmt;

/// What one stranger does in one row.
#[derive(Debug, Clone)]
pub enum Cell {
    /// It works; figures.
    Holds(String),
    /// The implementation cannot do it; why.
    Cannot(String),
    /// It fails or takes long because of the other side: what was measured, and why.
    Known(String, &'static str),
    /// It should work and does not.
    Fails(String),
}

/// What fails because of the other side, with the reason; the cell adds what was measured. A cell named here that
/// holds after all is no fault.
const KNOWN: [(&str, &str, &str); 15] = [
    (back::ALIVE_HEAR, "go", GO_KEEPS),
    (back::KILLED_HEAR, "go", GO_KEEPS),
    (back::KILLED_HEARD, "go", GO_KEEPS),
    (back::ALIVE_HEAR, "js", JS_KEEPS),
    (back::KILLED_HEAR, "js", JS_KEEPS),
    (back::KILLED_HEARD, "js", JS_KEEPS),
    (back::ALIVE_HEAR, "rust", RUST_KEEPS),
    (back::KILLED_HEAR, "rust", RUST_KEEPS),
    (back::KILLED_HEARD, "rust", RUST_KEEPS),
    (back::ALIVE_HEAR, "py", PY_KEEPS),
    (back::KILLED_HEAR, "py", PY_KEEPS),
    (back::KILLED_HEARD, "py", PY_KEEPS),
    (back::RESTARTED_HEAR, "py", PY_SILENT),
    (crossed::AT_ONCE, "py", PY_DOUBLES),
    (crossed::CROSSED, "py", PY_DOUBLES),
];

const GO_KEEPS: &str =
    "sooner: it holds the dead connection until its keep-alive fails, and names its topics again then";
const JS_KEEPS: &str = "sooner: it speaks on the dead connection until its ping fails, and then on the next we make";
const RUST_KEEPS: &str = "surely: nothing but TCP ends its dead connection, on which it speaks as well, and it names its \
                          topics once (rust-libp2p issue 5097)";
const PY_DOUBLES: &str =
    "always: when two connections come at once it opens two streams, and in some runs we hear nothing";
const PY_SILENT: &str =
    "always: in two runs of seven it heard us, and spoke on no connection that we had; why was not found out";
const PY_KEEPS: &str = "at all: nothing but TCP ends its dead connection, and it speaks and names its topics there";

impl Cell {
    pub fn of(row: &str, kind: &str, found: Found) -> Self {
        let known = KNOWN.iter().find(|(of, by, _)| *of == row && *by == kind);
        match (found, known) {
            (Ok(figures), _) => Self::Holds(figures),
            (Err(Trouble::Cannot(why)), _) => Self::Cannot(why),
            (Err(Trouble::Failed(why)), Some((_, _, reason))) => Self::Known(first_line(&why).into(), reason),
            (Err(Trouble::Failed(why)), None) => Self::Fails(why),
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds(figures) if figures.is_empty() => write!(f, "yes"),
            Self::Holds(figures) => write!(f, "{figures}"),
            Self::Cannot(why) => write!(f, "cannot: {}", first_line(why)),
            Self::Known(measured, reason) => write!(f, "{measured}; it cannot {reason}"),
            Self::Fails(why) => write!(f, "FAILS: {}", first_line(why)),
        }
    }
}

/// Rows of cells, one a stranger.
#[derive(Debug, Default)]
pub struct Table(Vec<(&'static str, Vec<Cell>)>);

impl Table {
    /// Adds the rows of a section; `columns` has what was found for each stranger.
    pub fn add(&mut self, rows: &[&'static str], columns: [Vec<(&'static str, Cell)>; KINDS.len()]) {
        for row in rows {
            let cell = |column: &Vec<(&str, Cell)>| {
                let cell = column.iter().find(|(name, _)| name == row).map(|(_, cell)| cell.clone());
                cell.expect("every row has a cell")
            };
            self.0.push((row, columns.iter().map(cell).collect()));
        }
    }

    /// Fails if a cell does.
    pub fn insist(&self) {
        let cells =
            self.0.iter().flat_map(|(row, cells)| cells.iter().zip(KINDS).map(move |(cell, kind)| (row, kind, cell)));
        let bad: Vec<_> = cells
            .filter(|(_, _, cell)| matches!(cell, Cell::Fails(_)))
            .map(|(row, kind, cell)| format!("{kind} | {row}: {cell}"))
            .collect();
        assert!(bad.is_empty(), "{} cells fail:\n{}", bad.len(), bad.join("\n"));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | {} |", KINDS.join(" | "))?;
        writeln!(f, "| --- |{}", " --- |".repeat(KINDS.len()))?;
        for (row, cells) in &self.0 {
            let cells: Vec<_> = cells.iter().map(|cell| cell.to_string().replace('|', "\\|")).collect();
            writeln!(f, "| {row} | {} |", cells.join(" | "))?;
        }
        Ok(())
    }
}
