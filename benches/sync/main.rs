//! Catch-up of 10,000 messages of which some differ: bytes each way, rounds, time of the processor, and memory; with the
//! same of negentropy beside it.
//!
//! ```text
//! cargo bench --bench sync
//! ```
//!
//! First the comparison alone, as negentropy does it; then everything, with fetching and giving: what it takes beside the
//! messages themselves. All of it in one process, without a network.

mod anchor;
mod memory;
mod ours;
mod sets;

use std::time::Duration;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// What a comparison took.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    /// Bytes from the side that asks, and to it.
    pub up: usize,
    pub down: usize,
    pub rounds: usize,
    /// Of both sides together.
    pub cpu: Duration,
    /// Bytes of heap at most, beyond what the histories take: of both sides together.
    pub heap: usize,
}

/// The median of some runs; all but the times are the same in each.
fn median(runs: impl Fn() -> Cost) -> Cost {
    let mut costs: Vec<Cost> = (0..7).map(|_| runs()).collect();
    costs.sort_by_key(|cost| cost.cpu);
    costs[3]
}

fn main() {
    println!("comparing 10,000 messages: bytes up + down (rounds), ms of processor, KiB of heap; both sides together");
    println!("{:<36} {:>34} {:>34}", "differ", "stonechat, frames of 16 KiB", "negentropy 0.5.3");
    for (name, ours, theirs) in sets::cases() {
        let (mine, other) = (median(|| ours::compare(&ours, &theirs)), median(|| anchor::compare(&ours, &theirs)));
        println!("{name:<36} {:>34} {:>34}", cell(&mine), cell(&other));
    }
    println!(
        "catching up with them, messages of 300 bytes: bytes beside the messages, rounds, ms until the first page and the end"
    );
    for (name, ours, theirs) in sets::cases() {
        let caught = ours::catch_up(&ours, &theirs);
        let per_message = if caught.messages == 0 { 0.0 } else { caught.beside as f64 / caught.messages as f64 };
        println!(
            "{name:<36} {:>7} bytes beside {:>6} messages ({per_message:>5.1} each), {:>4} rounds, first page {:>6.2} ms, all {:>8.2} ms",
            caught.beside,
            caught.messages,
            caught.rounds,
            caught.first.as_secs_f64() * 1e3,
            caught.all.as_secs_f64() * 1e3,
        );
    }
}

fn cell(cost: &Cost) -> String {
    let Cost { up, down, rounds, cpu, heap } = cost;
    format!("{up} + {down} ({rounds}) {:.2} ms {} KiB", cpu.as_secs_f64() * 1e3, heap.div_ceil(1024))
}
