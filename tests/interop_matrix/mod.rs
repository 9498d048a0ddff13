//! The matrix: sections of rows, each row with a cell a stranger.

mod meet;
mod table;

use crate::world::foreign::{KINDS, Trouble};
use crate::world::{Host, Peer, Subnet, World};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use table::{Cell, Table};

/// What a check found: what to print in the cell, or why not.
pub type Found = Result<String, Trouble>;

/// A part of the matrix: rows that share their hosts and peers.
pub struct Section {
    /// Its name, as in `STONECHAT_INTEROP_ROWS`.
    pub name: &'static str,
    /// Its rows in the order of the table.
    pub rows: &'static [&'static str],
    /// Checks every row for one stranger.
    pub check: fn(&Column<'_>),
}

const SECTIONS: [Section; 1] = [meet::SECTION];

/// One stranger's cells while they are found.
pub struct Column<'a> {
    pub world: &'a World,
    pub kind: &'static str,
    section: &'static str,
    cells: Mutex<Vec<(&'static str, Cell)>>,
}

impl Column<'_> {
    /// Checks one row. A panic is a failed cell, and the next row has its turn.
    pub fn row(&self, row: &'static str, check: impl FnOnce() -> Found) {
        let start = Instant::now();
        let found = catch_unwind(AssertUnwindSafe(check));
        let cell = Cell::of(row, self.kind, found.unwrap_or_else(|panic| Err(Trouble::Failed(sentence(&*panic)))));
        println!("[{:5.1} s] {} | {row}: {cell}", start.elapsed().as_secs_f64(), self.kind);
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).push((row, cell));
    }

    /// A host in `subnet` whose name is free in this world.
    pub fn host(&self, name: &str, subnet: &Subnet) -> Host {
        self.world.host(&format!("{}-{}-{name}", self.section, self.kind), subnet)
    }
}

/// A peer of ours with the directory it lives in.
pub struct Ours {
    pub peer: Peer,
    pub dir: tempfile::TempDir,
}

impl Ours {
    /// `stonechat COMMAND` in `host`.
    pub fn start(host: &Host, command: &str, args: &[&str]) -> Self {
        let dir = crate::world::peer::directory();
        Self { peer: Peer::start(host, command, "ours", dir.path(), args), dir }
    }

    /// `stonechat run` without mDNS in one room of others.
    pub fn in_topic(host: &Host, room: &str) -> Self {
        Self::start(host, "run", &["--no-mdns", "--room", room])
    }

    #[allow(dead_code)]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl std::ops::Deref for Ours {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}

/// A failed check.
pub fn failed<T>(why: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Failed(why.into()))
}

/// Seconds with two digits.
pub fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

fn sentence(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a sentence").to_string()
}

fn check(world: &World, section: &Section, kind: &'static str) -> Vec<(&'static str, Cell)> {
    let column = Column { world, kind, section: section.name, cells: Mutex::default() };
    let end = catch_unwind(AssertUnwindSafe(|| (section.check)(&column)));
    let mut cells = column.cells.into_inner().unwrap_or_else(PoisonError::into_inner);
    let why = end.err().map_or("not checked".to_string(), |panic| sentence(&*panic));
    for row in section.rows {
        if !cells.iter().any(|(known, _)| known == row) {
            let cell = Cell::of(row, kind, failed(why.clone()));
            println!("{kind} | {row}: {cell}");
            cells.push((row, cell));
        }
    }
    cells
}

/// Runs every section, or those that `STONECHAT_INTEROP_ROWS` names, and prints what was found.
pub fn run(world: &World) {
    let wanted = std::env::var("STONECHAT_INTEROP_ROWS").ok();
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|names| names.split(',').any(|wanted| wanted == name));
    let mut table = Table::default();
    for section in SECTIONS.iter().filter(|section| is_wanted(section.name)) {
        let start = Instant::now();
        println!("--- {}", section.name);
        let columns = std::thread::scope(|scope| {
            let columns = KINDS.map(|kind| scope.spawn(move || check(world, section, kind)));
            columns.map(|column| column.join().expect("every panic is a cell"))
        });
        table.add(section.rows, columns);
        println!("--- {} took {:.0} s", section.name, start.elapsed().as_secs_f64());
    }
    println!("\n{table}");
    table.insist();
}
