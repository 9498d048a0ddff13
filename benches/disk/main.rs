//! Bytes to the card for each message of 300 bytes: of the log, of a file that only grows, and of redb.
//!
//! ```text
//! cargo bench --bench disk              some two minutes
//! cargo bench --bench disk -- --short   less of everything; also by STONECHAT_BENCH=short
//! ```
//!
//! Measured where the kernel counts them, in `/sys/block/loopN/stat`, on an ext4 of its own on a loop device. That
//! needs root: without, it says that it is skipped. At one message a second and at a hundred, each with a sync after
//! every message and with one every two seconds; and as fast as it goes, to see what a whole ring costs.

mod card;
mod store;

use card::Card;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use store::{Grow, Redb, Ring, Store};

/// Bytes of a message: a line of chat with its signature.
const MESSAGE_BYTES: usize = 300;
/// Between two syncs of a group.
const INTERVAL: Duration = Duration::from_secs(2);

/// What a message cost.
struct Row {
    store: &'static str,
    rate: u32,
    each: bool,
    messages: u64,
    bytes: u64,
    syncs: u64,
}

fn main() -> ExitCode {
    let short = std::env::args().any(|argument| argument == "--short")
        || std::env::var_os("STONECHAT_BENCH").is_some_and(|value| value == "short");
    if !rustix::process::geteuid().is_root() {
        println!("disk: skipped: needs root: a loop device and a mount");
        return ExitCode::SUCCESS;
    }
    match measure(short) {
        Ok(rows) => {
            print(&rows);
            ExitCode::SUCCESS
        }
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {
            println!("disk: skipped: {error}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("disk: failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(short: bool) -> std::io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for rate in [1, 100] {
        for each in [true, false] {
            let seconds = match (short, rate) {
                (true, 1) => 4,
                (true, _) => 2,
                (false, 1) => 20,
                (false, _) => 8,
            };
            // Side by side on cards of their own: the seconds pass for all of them.
            type Begin = fn(&Card) -> std::io::Result<Box<dyn Store>>;
            let stores: [(&'static str, Begin); 3] = [
                ("log", |card| Ok(Box::new(Ring::open(card.dir())?))),
                ("file that grows", |card| Ok(Box::new(Grow::open(card.dir())?))),
                ("redb 4.6", |card| Ok(Box::new(Redb::open(card.dir())?))),
            ];
            for (name, begin) in stores {
                rows.push(run(name, begin, rate, each, seconds)?);
            }
        }
    }
    Ok(rows)
}

fn run(
    store: &'static str,
    begin: fn(&Card) -> std::io::Result<Box<dyn Store>>,
    rate: u32,
    each: bool,
    seconds: u32,
) -> std::io::Result<Row> {
    let card = Card::new()?;
    let mut opened = begin(&card)?;
    // What it costs to make the store, and to fill it once, is paid before.
    for _ in 0..2_000 {
        opened.append(&[1; MESSAGE_BYTES])?;
    }
    opened.sync()?;
    card.settle()?;
    let (before, start) = (card.bytes_written()?, Instant::now());
    let (messages, mut syncs) = (rate * seconds, 0);
    let mut synced = Instant::now();
    for message in 0..messages {
        let due = start + Duration::from_secs(1) / rate * message;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        opened.append(&[message as u8; MESSAGE_BYTES])?;
        if each || synced.elapsed() >= INTERVAL {
            opened.sync()?;
            syncs += 1;
            synced = Instant::now();
        }
    }
    opened.sync()?;
    // With what the file system itself still holds back.
    card.settle()?;
    let bytes = card.bytes_written()? - before;
    drop(opened);
    Ok(Row { store, rate, each, messages: messages.into(), bytes, syncs })
}

fn print(rows: &[Row]) {
    println!("bytes to the block device per message of {MESSAGE_BYTES} bytes, ext4 on a loop device");
    println!("{:<16} {:>9} {:>12} {:>9} {:>6} {:>10}", "store", "messages/s", "sync", "messages", "syncs", "bytes");
    for Row { store, rate, each, messages, bytes, syncs } in rows {
        let sync = if *each { "each" } else { "every 2 s" };
        let per_message = bytes / messages;
        println!("{store:<16} {rate:>10} {sync:>12} {messages:>9} {syncs:>6} {per_message:>10}");
    }
}
