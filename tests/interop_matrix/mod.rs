//! The matrix: sections of rows, each row with a cell a stranger.

mod back;
mod chain;
mod crossed;
mod crowd;
mod dht;
mod forger;
mod gossip;
mod lan;
mod meet;
mod readme;
mod recover;
mod table;

use crate::world::foreign::{KINDS, Trouble};
use crate::world::{Host, Peer, Subnet, World};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    /// Checks every row for every stranger; what is to be printed below the table, if anything.
    pub check: fn(&[Column<'_>]) -> String,
}

const SECTIONS: [Section; 8] = [
    meet::SECTION,
    lan::SECTION,
    gossip::SECTION,
    recover::SECTION,
    dht::SECTION,
    back::SECTION,
    chain::SECTION,
    crossed::SECTION,
];

/// One stranger's cells while they are found.
pub struct Column<'a> {
    pub world: &'a World,
    pub kind: &'static str,
    section: &'static str,
    cells: Mutex<Vec<(&'static str, Cell)>>,
    /// Why there is nothing in the rows that have no cell in the end.
    end: Mutex<String>,
}

impl Column<'_> {
    /// Checks one row. A panic is a failed cell, and the next row has its turn.
    pub fn row(&self, row: &'static str, check: impl FnOnce() -> Found) {
        let start = Instant::now();
        let found = catch_unwind(AssertUnwindSafe(check));
        let cell = Cell::of(row, self.kind, found.unwrap_or_else(|panic| Err(Trouble::Failed(sentence(&*panic)))));
        println!("[{:5.1} s] {} | {row}: {cell}", start.elapsed().as_secs_f64(), self.kind);
        held(&self.cells).push((row, cell));
    }

    fn finish(self, rows: &[&'static str]) -> Vec<(&'static str, Cell)> {
        let mut cells = self.cells.into_inner().unwrap_or_else(PoisonError::into_inner);
        let why = self.end.into_inner().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            if !cells.iter().any(|(known, _)| known == row) {
                let cell = Cell::of(row, self.kind, failed(why.clone()));
                println!("{} | {row}: {cell}", self.kind);
                cells.push((row, cell));
            }
        }
        cells
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

/// Checks each stranger on a thread of its own. A panic outside a row is that of every row that is missing then.
pub fn each(columns: &[Column<'_>], check: impl Fn(&Column<'_>) + Sync) {
    let wanted = std::env::var("STONECHAT_INTEROP_KINDS").ok();
    let is_wanted = |kind: &str| wanted.as_ref().is_none_or(|kinds| kinds.split(',').any(|wanted| wanted == kind));
    std::thread::scope(|scope| {
        for column in columns.iter().filter(|column| is_wanted(column.kind)) {
            let check = &check;
            scope.spawn(move || {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(column))) {
                    *held(&column.end) = sentence(&*panic);
                }
            });
        }
    });
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs every section, or those that `STONECHAT_INTEROP_ROWS` names, and prints what was found.
pub fn run(world: &World) {
    let wanted = std::env::var("STONECHAT_INTEROP_ROWS").ok();
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|names| names.split(',').any(|wanted| wanted == name));
    let (mut table, mut below) = (Table::default(), String::new());
    for section in SECTIONS.iter().filter(|section| is_wanted(section.name)) {
        let start = Instant::now();
        println!("--- {}", section.name);
        let column = |kind| Column {
            world,
            kind,
            section: section.name,
            cells: Mutex::default(),
            end: Mutex::new("not checked".into()),
        };
        let columns = KINDS.map(column);
        let more = catch_unwind(AssertUnwindSafe(|| (section.check)(&columns)));
        match more {
            Ok(more) if more.is_empty() => {}
            Ok(more) => below += &format!("\n{more}"),
            Err(panic) => columns.iter().for_each(|column| *held(&column.end) = sentence(&*panic)),
        }
        table.add(section.rows, columns.map(|column| column.finish(section.rows)));
        println!("--- {} took {:.0} s", section.name, start.elapsed().as_secs_f64());
    }
    println!("\n{table}{below}");
    table.insist();
    if std::env::var_os("STONECHAT_WRITE").is_some() {
        assert!(wanted.is_none(), "the README has all of it or nothing");
        readme::write(&format!("{table}{below}"));
    }
}
