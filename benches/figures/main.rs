//! Figures: what a peer costs, beside a bare libp2p peer on the same net floor, both measured in this run.
//!
//! ```text
//! cargo bench                        everything, some four minutes
//! cargo bench -- --short             less of everything, for a quick look; also by STONECHAT_BENCH=short
//! cargo bench -- --only echo         one group: echo, idle, discovery or size
//! cargo bench -- --repeat 5          more rounds; the two kinds of peer take turns in each
//! cargo bench -- --values            no table, but a line for each figure: name, ours, the bare peer's, between tabs
//! cargo bench -- --worker COMMAND    echoes alone, between peers started by this command: of an emulator and a program
//!                                    that was built from this file for another processor
//! ```
//!
//! Each peer is a process of its own: this program again, in the role of a node of the library or of a bare peer, or
//! the program `stonechat` itself. Nothing is known beforehand; what could not be measured is printed as failed, and
//! then the exit code is not zero.

mod plan;
mod process;
mod rounds;

mod row;
mod sheet;

mod talker;

mod bare;
mod node;

mod worker;

mod program;

mod meeting;

mod discovery;
mod echo;
mod idle;
mod size;

use plan::{Group, Plan};
use sheet::Sheet;
use std::process::ExitCode;

fn main() -> ExitCode {
    plan::run("figures", measure)
}

fn measure(plan: &Plan) -> ExitCode {
    let mut sheet = Sheet::new(plan);
    for round in 1..=plan.repeat {
        let told = |what: &str| eprintln!("round {round} of {}: {what}", plan.repeat);
        if plan.wants(Group::Echo) {
            told("echo");
            echo::measure(plan, &mut sheet);
        }
        if plan.wants(Group::Idle) {
            told("idle");
            idle::measure(plan, &mut sheet);
        }
        if plan.wants(Group::Discovery) {
            told("discovery");
            discovery::measure(&mut sheet);
        }
    }
    if plan.wants(Group::Size) {
        size::measure(&mut sheet);
    }
    print!("{}", if plan.values { sheet.values() } else { sheet.markdown() });
    if sheet.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
